/* The cases about compression. grpc-go's programs do not know them: they are run against our own. */
#include "cases.h"

enum { REQUEST_SIZE = 271828, RESPONSE_SIZE = 314159 };

/* One call, the request compressed or not, and what the server is told to expect. */
static int ask(struct interop *interop, struct rpc_call *call, bool compressed, bool expected)
{
	TestSimpleResponse *answer;

	rpc_set_request_compressed(call, compressed);
	return test_client_unary_call(
		interop->client, call,
		MSG(TestSimpleRequest, .expect_compressed = MSG(TestBoolValue, .value = expected),
		    .response_size = RESPONSE_SIZE, .payload = payload_of(call, REQUEST_SIZE)),
		&answer);
}

int client_compressed_unary(struct interop *interop, struct rpc_call *call)
{
	/* First, that the server looks at all. */
	EXPECT(ask(interop, call, false, true) == RPC_INVALID_ARGUMENT, "%s",
	       rpc_error_message(call));
	EXPECT(!ask(interop, call, true, true), "%s", rpc_error_message(call));
	EXPECT(!ask(interop, call, false, false), "%s", rpc_error_message(call));
	return 0;
}

int server_compressed_unary(struct interop *interop, struct rpc_call *call)
{
	for (int compressed = 1; compressed >= 0; compressed--) {
		TestSimpleResponse *answer;
		int r = test_client_unary_call(
			interop->client, call,
			MSG(TestSimpleRequest,
			    .response_compressed = MSG(TestBoolValue, .value = compressed),
			    .response_size = RESPONSE_SIZE,
			    .payload = payload_of(call, REQUEST_SIZE)),
			&answer);

		EXPECT(!r, "%s", rpc_error_message(call));
		EXPECT(answer->payload->body.len == RESPONSE_SIZE, "it is %zu",
		       answer->payload->body.len);
		EXPECT(rpc_received_compressed(call) == (bool)compressed, "expected %d",
		       compressed);
	}
	return 0;
}

static int send(struct test_streaming_input_call_request_writer *out, struct rpc_call *call,
		bool compressed, bool expected, int size)
{
	rpc_set_request_compressed(call, compressed);
	return test_streaming_input_call_request_writer_send(
		out, MSG(TestStreamingInputCallRequest,
			 .expect_compressed = MSG(TestBoolValue, .value = expected),
			 .payload = payload_of(call, size)));
}

static int probe(struct interop *interop, struct rpc_call *call)
{
	cleanup(test_streaming_input_call_response_reader_freep) struct
		test_streaming_input_call_response_reader *in = NULL;
	struct test_streaming_input_call_request_writer *out;
	TestStreamingInputCallResponse *answer;
	int r;

	EXPECT(!test_client_streaming_input_call(interop->client, call, &out, &in), "%s",
	       rpc_error_message(call));
	send(out, call, false, true, 27182);
	r = test_streaming_input_call_response_reader_next(in, &answer);
	EXPECT(r == RPC_INVALID_ARGUMENT, "%s", rpc_code_name(r));
	return 0;
}

int client_compressed_streaming(struct interop *interop, struct rpc_call *call)
{
	cleanup(test_streaming_input_call_response_reader_freep) struct
		test_streaming_input_call_response_reader *in = NULL;
	struct test_streaming_input_call_request_writer *out;
	TestStreamingInputCallResponse *answer;

	if (probe(interop, call))
		return -1;
	rpc_set_request_compressed(call, true);
	EXPECT(!test_client_streaming_input_call(interop->client, call, &out, &in), "%s",
	       rpc_error_message(call));
	EXPECT(!send(out, call, true, true, 27182), "%s", rpc_error_message(call));
	EXPECT(!send(out, call, false, false, 45904), "%s", rpc_error_message(call));
	EXPECT(!test_streaming_input_call_request_writer_close(out), "%s", rpc_error_message(call));
	EXPECT(!test_streaming_input_call_response_reader_next(in, &answer), "%s",
	       rpc_error_message(call));
	EXPECT(answer->aggregated_payload_size == 73086, "it is %d",
	       answer->aggregated_payload_size);
	return 0;
}

int server_compressed_streaming(struct interop *interop, struct rpc_call *call)
{
	static const struct {
		bool compressed;
		int size;
	} wanted[] = { { true, 31415 }, { false, 92653 } };
	cleanup(test_streaming_output_call_response_reader_freep) struct
		test_streaming_output_call_response_reader *in = NULL;
	TestStreamingOutputCallRequest *request = rpc_new(call, TestStreamingOutputCallRequest);
	TestStreamingOutputCallResponse *answer;

	for (int i = 0; i < 2; i++)
		test_streaming_output_call_request_add_response_parameters(
			call, request,
			rpc_new(call, TestResponseParameters, .size = wanted[i].size,
				.compressed = rpc_new(call, TestBoolValue,
						      .value = wanted[i].compressed)));
	EXPECT(!test_client_streaming_output_call(interop->client, call, request, &in), "%s",
	       rpc_error_message(call));
	for (int i = 0; i < 2; i++) {
		EXPECT(!test_streaming_output_call_response_reader_next(in, &answer), "%s",
		       rpc_error_message(call));
		EXPECT(answer->payload->body.len == (size_t)wanted[i].size, "it is %zu",
		       answer->payload->body.len);
		EXPECT(rpc_received_compressed(call) == wanted[i].compressed, "message %d", i);
	}
	EXPECT(test_streaming_output_call_response_reader_next(in, &answer) == RPC_STREAM_END, "%s",
	       rpc_error_message(call));
	return 0;
}
