/* The cases of the interop suite, in the words of its description (doc/interop-test-descriptions.md
 * of gRPC). */
#include "cases.h"
#include <string.h>

enum { REQUEST_SIZE = 271828, RESPONSE_SIZE = 314159 };

/* What the ping-pong cases send and ask for. */
static const int sizes_up[] = { 27182, 8, 1828, 45904 };
static const int sizes_down[] = { 31415, 9, 2653, 58979 };
enum { N_SIZES = 4 };

TestPayload *payload_of(struct rpc_call *call, int size)
{
	return rpc_new(call, TestPayload, .body = { (size_t)size, rpc_alloc(call, (size_t)size) });
}

int large_unary(struct test_client *client, struct rpc_call *call, int request, int response)
{
	TestSimpleResponse *answer;
	int r;

	r = test_client_unary_call(client, call,
				   MSG(TestSimpleRequest, .response_size = response,
				       .payload = payload_of(call, request)),
				   &answer);
	if (r)
		return r;
	if (!answer->payload || answer->payload->body.len != (size_t)response)
		return rpc_fail_code(call, RPC_DATA_LOSS, "The payload is not of %d bytes.",
				     response);
	return 0;
}

static int case_empty_unary(struct interop *interop, struct rpc_call *call)
{
	TestEmpty *answer;

	EXPECT(!test_client_empty_call(interop->client, call, MSG(TestEmpty), &answer), "%s",
	       rpc_error_message(call));
	return 0;
}

static int case_large_unary(struct interop *interop, struct rpc_call *call)
{
	EXPECT(!large_unary(interop->client, call, REQUEST_SIZE, RESPONSE_SIZE), "%s",
	       rpc_error_message(call));
	return 0;
}

static int case_client_streaming(struct interop *interop, struct rpc_call *call)
{
	cleanup(test_streaming_input_call_response_reader_freep) struct
		test_streaming_input_call_response_reader *in = NULL;
	struct test_streaming_input_call_request_writer *out;
	TestStreamingInputCallResponse *answer;

	EXPECT(!test_client_streaming_input_call(interop->client, call, &out, &in), "%s",
	       rpc_error_message(call));
	for (int i = 0; i < N_SIZES; i++)
		EXPECT(!test_streaming_input_call_request_writer_send(
			       out, MSG(TestStreamingInputCallRequest,
					.payload = payload_of(call, sizes_up[i]))),
		       "%s", rpc_error_message(call));
	EXPECT(!test_streaming_input_call_request_writer_close(out), "%s", rpc_error_message(call));
	EXPECT(!test_streaming_input_call_response_reader_next(in, &answer), "%s",
	       rpc_error_message(call));
	EXPECT(answer->aggregated_payload_size == 74922, "it is %d",
	       answer->aggregated_payload_size);
	return 0;
}

static int case_server_streaming(struct interop *interop, struct rpc_call *call)
{
	cleanup(test_streaming_output_call_response_reader_freep) struct
		test_streaming_output_call_response_reader *in = NULL;
	TestStreamingOutputCallRequest *request = rpc_new(call, TestStreamingOutputCallRequest);
	TestStreamingOutputCallResponse *answer;
	int n = 0, r;

	for (int i = 0; i < N_SIZES; i++)
		test_streaming_output_call_request_add_response_parameters(
			call, request,
			rpc_new(call, TestResponseParameters, .size = sizes_down[i]));
	EXPECT(!test_client_streaming_output_call(interop->client, call, request, &in), "%s",
	       rpc_error_message(call));
	for (; !(r = test_streaming_output_call_response_reader_next(in, &answer)); n++) {
		EXPECT(n < N_SIZES, "more answers than were asked for");
		EXPECT(answer->payload->body.len == (size_t)sizes_down[n], "it is %zu",
		       answer->payload->body.len);
	}
	EXPECT(r == RPC_STREAM_END, "%s", rpc_error_message(call));
	EXPECT(n == N_SIZES, "there were %d", n);
	return 0;
}

/*
 * Both ways
 */

struct duplex {
	struct test_streaming_output_call_request_writer *out;
	struct test_streaming_output_call_response_reader *in;
};

static void duplex_close(struct duplex *duplex)
{
	test_streaming_output_call_response_reader_free(duplex->in);
}

static int duplex_open(struct duplex *duplex, struct interop *interop, struct rpc_call *call)
{
	return test_client_full_duplex_call(interop->client, call, &duplex->out, &duplex->in);
}

static int ping(struct duplex *duplex, struct rpc_call *call, int i)
{
	TestStreamingOutputCallRequest *request = rpc_new(call, TestStreamingOutputCallRequest,
							  .payload = payload_of(call, sizes_up[i]));

	test_streaming_output_call_request_add_response_parameters(
		call, request, rpc_new(call, TestResponseParameters, .size = sizes_down[i]));
	return test_streaming_output_call_request_writer_send(duplex->out, request);
}

static int pong(struct duplex *duplex, struct rpc_call *call, int i)
{
	TestStreamingOutputCallResponse *answer;
	int r = test_streaming_output_call_response_reader_next(duplex->in, &answer);

	if (r)
		return r;
	if (answer->payload->body.len != (size_t)sizes_down[i])
		return rpc_fail_code(call, RPC_DATA_LOSS, "The payload is not of %d bytes.",
				     sizes_down[i]);
	return 0;
}

/* We have said all: the other side ends as well. */
static int hang_up(struct duplex *duplex)
{
	TestStreamingOutputCallResponse *answer;
	int r = test_streaming_output_call_request_writer_close(duplex->out);

	return r ? r : test_streaming_output_call_response_reader_next(duplex->in, &answer);
}

static int case_ping_pong(struct interop *interop, struct rpc_call *call)
{
	cleanup(duplex_close) struct duplex duplex = { 0 };

	EXPECT(!duplex_open(&duplex, interop, call), "%s", rpc_error_message(call));
	for (int i = 0; i < N_SIZES; i++) {
		EXPECT(!ping(&duplex, call, i), "%s", rpc_error_message(call));
		EXPECT(!pong(&duplex, call, i), "%s", rpc_error_message(call));
	}
	EXPECT(hang_up(&duplex) == RPC_STREAM_END, "%s", rpc_error_message(call));
	return 0;
}

static int case_empty_stream(struct interop *interop, struct rpc_call *call)
{
	cleanup(duplex_close) struct duplex duplex = { 0 };

	EXPECT(!duplex_open(&duplex, interop, call), "%s", rpc_error_message(call));
	EXPECT(hang_up(&duplex) == RPC_STREAM_END, "%s", rpc_error_message(call));
	return 0;
}

static int case_cancel_after_begin(struct interop *interop, struct rpc_call *call)
{
	cleanup(test_streaming_input_call_response_reader_freep) struct
		test_streaming_input_call_response_reader *in = NULL;
	struct test_streaming_input_call_request_writer *out;
	TestStreamingInputCallResponse *answer;
	int r;

	EXPECT(!test_client_streaming_input_call(interop->client, call, &out, &in), "%s",
	       rpc_error_message(call));
	rpc_call_cancel(call);
	r = test_streaming_input_call_response_reader_next(in, &answer);
	EXPECT(r == RPC_CANCELLED, "%s", rpc_code_name(r));
	return 0;
}

static int case_cancel_after_first_response(struct interop *interop, struct rpc_call *call)
{
	cleanup(duplex_close) struct duplex duplex = { 0 };
	int r;

	EXPECT(!duplex_open(&duplex, interop, call), "%s", rpc_error_message(call));
	EXPECT(!ping(&duplex, call, 0), "%s", rpc_error_message(call));
	EXPECT(!pong(&duplex, call, 0), "%s", rpc_error_message(call));
	rpc_call_cancel(call);
	r = pong(&duplex, call, 1);
	EXPECT(r == RPC_CANCELLED, "%s", rpc_code_name(r));
	return 0;
}

static int case_timeout_on_sleeping_server(struct interop *interop, struct rpc_call *outer)
{
	cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("timeout", 1);
	cleanup(duplex_close) struct duplex duplex = { 0 };
	int r = duplex_open(&duplex, interop, call);

	if (!r) {
		ping(&duplex, call, 0); /* may come too late */
		r = pong(&duplex, call, 0);
	}
	if (!r)
		r = pong(&duplex, call, 1); /* the server waits for us */
	EXPECT(r == RPC_DEADLINE_EXCEEDED, "%s", rpc_code_name(r));
	return 0;
}

/*
 * Metadata and status
 */

static void set_metadata(struct rpc_call *call)
{
	static uint8_t bytes[] = { 0xab, 0xab, 0xab };

	rpc_set_request_header(call, "x-grpc-test-echo-initial", "test_initial_metadata_value");
	rpc_set_request_header_bin(call, "x-grpc-test-echo-trailing-bin",
				   (ProtobufCBinaryData){ sizeof(bytes), bytes });
}

static int look_at_metadata(struct rpc_call *call)
{
	const char *initial = rpc_response_header(call, "x-grpc-test-echo-initial");
	ProtobufCBinaryData trailing =
		rpc_response_header_bin(call, "x-grpc-test-echo-trailing-bin");

	EXPECT(initial && !strcmp(initial, "test_initial_metadata_value"), "it is %s",
	       initial ? initial : "missing");
	EXPECT(trailing.len == 3 && !memcmp(trailing.data, "\xab\xab\xab", 3), "it has %zu bytes",
	       trailing.len);
	return 0;
}

static int case_custom_metadata(struct interop *interop, struct rpc_call *call)
{
	cleanup(duplex_close) struct duplex duplex = { 0 };

	set_metadata(call);
	EXPECT(!large_unary(interop->client, call, REQUEST_SIZE, RESPONSE_SIZE), "%s",
	       rpc_error_message(call));
	if (look_at_metadata(call))
		return -1;
	set_metadata(call);
	EXPECT(!duplex_open(&duplex, interop, call), "%s", rpc_error_message(call));
	EXPECT(!ping(&duplex, call, 0), "%s", rpc_error_message(call));
	EXPECT(!pong(&duplex, call, 0), "%s", rpc_error_message(call));
	EXPECT(hang_up(&duplex) == RPC_STREAM_END, "%s", rpc_error_message(call));
	return look_at_metadata(call);
}

static int ask_for_status(struct interop *interop, struct rpc_call *call, const char *message)
{
	TestSimpleResponse *answer;
	int r = test_client_unary_call(
		interop->client, call,
		MSG(TestSimpleRequest, .response_status = MSG(TestEchoStatus, .code = RPC_UNKNOWN,
							      .message = message)),
		&answer);

	EXPECT(r == RPC_UNKNOWN, "%s", rpc_code_name(r));
	EXPECT(!strcmp(rpc_error_message(call), message), "it is \"%s\"", rpc_error_message(call));
	return 0;
}

static int case_status_code_and_message(struct interop *interop, struct rpc_call *call)
{
	static const char MESSAGE[] = "test status message";
	cleanup(duplex_close) struct duplex duplex = { 0 };
	int r;

	if (ask_for_status(interop, call, MESSAGE))
		return -1;
	EXPECT(!duplex_open(&duplex, interop, call), "%s", rpc_error_message(call));
	r = test_streaming_output_call_request_writer_send(
		duplex.out, MSG(TestStreamingOutputCallRequest,
				.response_status = MSG(TestEchoStatus, .code = RPC_UNKNOWN,
						       .message = MESSAGE)));
	EXPECT(!r, "%s", rpc_error_message(call));
	r = hang_up(&duplex);
	EXPECT(r == RPC_UNKNOWN, "%s", rpc_code_name(r));
	EXPECT(!strcmp(rpc_error_message(call), MESSAGE), "it is \"%s\"", rpc_error_message(call));
	return 0;
}

static int case_special_status_message(struct interop *interop, struct rpc_call *call)
{
	return ask_for_status(interop, call,
			      "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP "
			      "\U0001f608\t\n");
}

static int case_unimplemented_method(struct interop *interop, struct rpc_call *call)
{
	TestEmpty *answer;
	int r = test_client_unimplemented_call(interop->client, call, MSG(TestEmpty), &answer);

	EXPECT(r == RPC_UNIMPLEMENTED, "%s", rpc_code_name(r));
	return 0;
}

static int case_unimplemented_service(struct interop *interop, struct rpc_call *call)
{
	TestEmpty *answer;
	int r = test_unimplemented_client_unimplemented_call(interop->unimplemented, call,
							     MSG(TestEmpty), &answer);

	EXPECT(r == RPC_UNIMPLEMENTED, "%s", rpc_code_name(r));
	return 0;
}

const struct interop_case interop_cases[] = {
	{ "empty_unary", case_empty_unary },
	{ "large_unary", case_large_unary },
	{ "client_streaming", case_client_streaming },
	{ "server_streaming", case_server_streaming },
	{ "ping_pong", case_ping_pong },
	{ "empty_stream", case_empty_stream },
	{ "cancel_after_begin", case_cancel_after_begin },
	{ "cancel_after_first_response", case_cancel_after_first_response },
	{ "timeout_on_sleeping_server", case_timeout_on_sleeping_server },
	{ "custom_metadata", case_custom_metadata },
	{ "status_code_and_message", case_status_code_and_message },
	{ "special_status_message", case_special_status_message },
	{ "unimplemented_method", case_unimplemented_method },
	{ "unimplemented_service", case_unimplemented_service },
	{ "client_compressed_unary", client_compressed_unary },
	{ "server_compressed_unary", server_compressed_unary },
	{ "client_compressed_streaming", client_compressed_streaming },
	{ "server_compressed_streaming", server_compressed_streaming },
	{ "rpc_soak", rpc_soak },
	{ "channel_soak", channel_soak },
	{ 0 },
};
