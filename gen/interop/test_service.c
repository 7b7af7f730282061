/* grpc.testing.TestService, as the interop suite describes it. */
#include "test_service.h"
#include <string.h>
#include <time.h>

enum { PAYLOAD_MAX = 4 << 20, NAP_MS = 10 };

static const char INITIAL[] = "x-grpc-test-echo-initial";
static const char TRAILING[] = "x-grpc-test-echo-trailing-bin";

static void echo_metadata(struct rpc_call *call)
{
	const char *initial = rpc_header(call, INITIAL);
	ProtobufCBinaryData trailing = rpc_header_bin(call, TRAILING);

	if (initial)
		rpc_set_header(call, INITIAL, initial);
	if (trailing.data)
		rpc_set_trailer_bin(call, TRAILING, trailing);
}

static int fail_as_told(struct rpc_call *call, const TestEchoStatus *status)
{
	if (!status || !status->code)
		return 0;
	return rpc_fail_code(call, (enum rpc_code)status->code, "%s", status->message);
}

static int check_compression(struct rpc_call *call, const TestBoolValue *expected)
{
	if (!expected || expected->value == rpc_received_compressed(call))
		return 0;
	return rpc_fail_code(call, RPC_INVALID_ARGUMENT, "The message came %s.",
			     expected->value ? "as it is" : "compressed");
}

/* As large as is asked for, of zeros; in `space`, which is made when NULL and has room for all. */
static int make_payload(struct rpc_call *call, int32_t size, uint8_t *space, TestPayload *ret)
{
	if (size < 0 || size > PAYLOAD_MAX)
		return rpc_fail_code(call, RPC_INVALID_ARGUMENT,
				     "The size of a payload is from 0 to %d.", PAYLOAD_MAX);
	*ret = (TestPayload){ TestPayload_BASE };
	ret->body.len = (size_t)size;
	ret->body.data = space ? space : rpc_alloc(call, (size_t)size);
	return 0;
}

static int empty_call(struct test_service *self, struct rpc_call *call, const TestEmpty *req,
		      TestEmpty **ret)
{
	*ret = rpc_new(call, TestEmpty);
	return 0;
}

static int unary_call(struct test_service *self, struct rpc_call *call,
		      const TestSimpleRequest *req, TestSimpleResponse **ret)
{
	TestPayload *payload = rpc_new(call, TestPayload);
	int r;

	echo_metadata(call);
	r = check_compression(call, req->expect_compressed);
	if (!r)
		r = fail_as_told(call, req->response_status);
	if (r)
		return r;
	rpc_set_compressed(call, req->response_compressed && req->response_compressed->value);
	r = make_payload(call, req->response_size, NULL, payload);
	if (r)
		return r;
	*ret = rpc_new(call, TestSimpleResponse, .payload = payload);
	return 0;
}

static int nap(struct rpc_call *call, int64_t microseconds)
{
	for (int64_t left = microseconds; left > 0; left -= NAP_MS * 1000) {
		if (rpc_call_cancelled(call))
			return RPC_CANCELLED;
		nanosleep(
			&(struct timespec){
				.tv_nsec = (left < NAP_MS * 1000 ? left : NAP_MS * 1000) * 1000 },
			NULL);
	}
	return 0;
}

/* The messages that one request asks for. Each is sent before the next is made. */
static int answer(struct rpc_call *call, const TestStreamingOutputCallRequest *req, uint8_t **space,
		  struct test_streaming_output_call_response_writer *out)
{
	TestPayload payload;
	int r = 0;

	for (size_t i = 0; !r && i < req->n_response_parameters; i++) {
		const TestResponseParameters *wanted = req->response_parameters[i];

		if (!*space)
			*space = rpc_alloc(call, PAYLOAD_MAX);
		r = nap(call, wanted->interval_us);
		if (r)
			return r;
		r = make_payload(call, wanted->size, *space, &payload);
		if (r)
			return r;
		rpc_set_compressed(call, wanted->compressed && wanted->compressed->value);
		r = test_streaming_output_call_response_writer_send(
			out, MSG(TestStreamingOutputCallResponse, .payload = &payload));
	}
	return r;
}

static int streaming_output_call(struct test_service *self, struct rpc_call *call,
				 const TestStreamingOutputCallRequest *req,
				 struct test_streaming_output_call_response_writer *out)
{
	uint8_t *space = NULL;

	return answer(call, req, &space, out);
}

static int streaming_input_call(struct test_service *self, struct rpc_call *call,
				struct test_streaming_input_call_request_reader *in,
				TestStreamingInputCallResponse **ret)
{
	TestStreamingInputCallRequest *req;
	int32_t size = 0;
	int r;

	while (!(r = test_streaming_input_call_request_reader_next(in, &req))) {
		r = check_compression(call, req->expect_compressed);
		if (r)
			return r;
		if (req->payload)
			size += (int32_t)req->payload->body.len;
	}
	if (r != RPC_STREAM_END)
		return r;
	*ret = rpc_new(call, TestStreamingInputCallResponse, .aggregated_payload_size = size);
	return 0;
}

static int full_duplex_call(struct test_service *self, struct rpc_call *call,
			    struct test_streaming_output_call_request_reader *in,
			    struct test_streaming_output_call_response_writer *out)
{
	TestStreamingOutputCallRequest *req;
	uint8_t *space = NULL;
	int r;

	echo_metadata(call);
	while (!(r = test_streaming_output_call_request_reader_next(in, &req))) {
		r = fail_as_told(call, req->response_status);
		if (!r)
			r = answer(call, req, &space, out);
		if (r)
			return r;
	}
	return r == RPC_STREAM_END ? 0 : r;
}

const struct test_service_ops test_service = {
	.empty_call = empty_call,
	.unary_call = unary_call,
	.streaming_output_call = streaming_output_call,
	.streaming_input_call = streaming_input_call,
	.full_duplex_call = full_duplex_call,
};
