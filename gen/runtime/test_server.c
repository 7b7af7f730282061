/* Server and client, unary: answers, errors, limits, metadata, deadlines, cancellation. */
#include "test.h"
#include "test/probe.h"
#include <errno.h>
#include <error_details.msg.h>
#include <status.msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct probe probe;
static struct rpc_call *call;

static void setup(void)
{
	probe_start(&probe, &(struct rpc_server_options){ .threads = 2,
							  .arena_cap = 1024 * 1024,
							  .authenticator = &probe_authenticator });
	call = rpc_call_new("test", 20000);
}

static void teardown(void)
{
	rpc_call_free(call);
	probe_stop(&probe);
}

static int ask(ProbeRequestAction action, const char *text, int64_t number, ProbeResponse **ret)
{
	return probe_client_probe(
		probe.client, call,
		MSG(ProbeRequest, .action = action, .text = text, .number = number), ret);
}

TEST(a_call_returns_the_answer)
{
	ProbeResponse *response;

	ck_assert_int_eq(ask(0, "hello", 0, &response), 0);
	ck_assert_str_eq(response->text, "hello");
	ck_assert_int_eq(rpc_error_code(call), 0);
}

TEST(many_calls_in_a_row_work_on_one_connection)
{
	for (int i = 1; i <= 300; i++) {
		ProbeResponse *response;

		ck_assert_int_eq(ask(0, "again", 0, &response), 0);
		ck_assert_int_eq(response->calls, i);
	}
}

TEST(an_error_arrives_with_reason_sentence_and_metadata)
{
	ProbeResponse *response;
	RpcStatus *status;
	ProtobufCBinaryData bytes;

	ck_assert_int_eq(ask(PROBE_REQUEST_ACTION_FAIL, "a", 0, &response),
			 RPC_FAILED_PRECONDITION);
	ck_assert_str_eq(rpc_error_message(call), "The probe 'a' failed.");
	ck_assert_str_eq(rpc_error_reason(call), "PROBE_FAILED");
	ck_assert_str_eq(rpc_error_meta(call, "text"), "a");
	ck_assert_str_eq(rpc_error_meta(call, "extra"), "more");
	ck_assert(rpc_failed_with(call, PROBE_FAILED));
	ck_assert(!rpc_failed_with(call, PROBE_UNAVAILABLE));

	bytes = rpc_error_status(call);
	status = (RpcStatus *)rpc_unpack(rpc_arena(call), &RpcStatus_descriptor, bytes.data,
					 bytes.len, NULL);
	ck_assert_ptr_nonnull(status);
	ck_assert_int_eq(status->code, RPC_FAILED_PRECONDITION);
	ck_assert_str_eq(status->details[0]->type_url, "type.googleapis.com/google.rpc.ErrorInfo");
}

TEST(a_retry_hint_arrives)
{
	ProbeResponse *response;
	ProtobufCBinaryData bytes;
	RpcStatus *status;
	RpcRetryInfo *retry;

	ck_assert_int_eq(ask(PROBE_REQUEST_ACTION_UNAVAILABLE, "", 9, &response), RPC_UNAVAILABLE);
	bytes = rpc_error_status(call);
	status = (RpcStatus *)rpc_unpack(rpc_arena(call), &RpcStatus_descriptor, bytes.data,
					 bytes.len, NULL);
	ck_assert_uint_eq(status->n_details, 2);
	retry = (RpcRetryInfo *)rpc_unpack(rpc_arena(call), &RpcRetryInfo_descriptor,
					   status->details[1]->value.data,
					   status->details[1]->value.len, NULL);
	ck_assert_int_eq(retry->retry_delay->seconds, 1);
	ck_assert_int_eq(retry->retry_delay->nanos, 500000000);
}

TEST(a_broken_rule_names_the_field)
{
	ProbeResponse *response;
	ProtobufCBinaryData bytes;
	RpcBadRequest *bad = NULL;
	RpcStatus *status;

	ck_assert_int_eq(
		probe_client_probe(probe.client, call, MSG(ProbeRequest, .small = 11), &response),
		RPC_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(rpc_error_message(call), "small"));
	bytes = rpc_error_status(call);
	status = (RpcStatus *)rpc_unpack(rpc_arena(call), &RpcStatus_descriptor, bytes.data,
					 bytes.len, NULL);
	for (size_t i = 0; i < status->n_details; i++)
		if (strstr(status->details[i]->type_url, "BadRequest"))
			bad = (RpcBadRequest *)rpc_unpack(rpc_arena(call),
							  &RpcBadRequest_descriptor,
							  status->details[i]->value.data,
							  status->details[i]->value.len, NULL);
	ck_assert_ptr_nonnull(bad);
	ck_assert_str_eq(bad->field_violations[0]->field, "small");
	ck_assert_int_eq(probe.service.calls, 0);
}

TEST(a_failing_handler_answers_internal_and_says_nothing_of_it)
{
	ProbeResponse *response;

	test_expect_log("a handler failed");
	ck_assert_int_eq(ask(PROBE_REQUEST_ACTION_BREAK, "", -ENOSPC, &response), RPC_INTERNAL);
	ck_assert_ptr_null(strstr(rpc_error_message(call), "space"));
	ck_assert_ptr_nonnull(strstr(rpc_error_message(call), rpc_request_id(call)));
}

TEST(a_result_that_is_no_code_answers_internal)
{
	ProbeResponse *response;

	test_expect_log("a handler failed");
	ck_assert_int_eq(ask(PROBE_REQUEST_ACTION_BREAK, "", RPC_STREAM_END, &response),
			 RPC_INTERNAL);
}

TEST(a_call_that_needs_too_much_memory_is_refused_and_the_next_one_is_not)
{
	ProbeResponse *response;

	ck_assert_int_eq(ask(PROBE_REQUEST_ACTION_ALLOCATE, "", 2 * 1024 * 1024, &response),
			 RPC_RESOURCE_EXHAUSTED);
	ck_assert_int_eq(ask(PROBE_REQUEST_ACTION_ALLOCATE, "", 512 * 1024, &response), 0);
}

TEST(a_request_over_the_methods_limit_is_refused)
{
	char *text = rpc_alloc(call, 100001);
	ProbeResponse *response;

	memset(text, 'x', 100000);
	ck_assert_int_eq(ask(0, text, 0, &response), RPC_RESOURCE_EXHAUSTED);
	ck_assert_ptr_nonnull(strstr(rpc_error_message(call), "100000"));
	text[90000] = '\0';
	ck_assert_int_eq(ask(0, text, 0, &response), 0);
	ck_assert_str_eq(response->text, text);
}

TEST(metadata_goes_both_ways)
{
	ProbeResponse *response;

	rpc_set_request_header(call, "x-probe", "here");
	rpc_set_request_header(call, "X Illegal", "dropped");
	ck_assert_int_eq(ask(PROBE_REQUEST_ACTION_METADATA, "", 0, &response), 0);
	ck_assert_str_eq(response->text, "here");
	ck_assert_str_eq(rpc_response_header(call, "x-answer"), "header");
	ck_assert_str_eq(rpc_response_header(call, "x-end"), "trailer");
	ck_assert_ptr_null(rpc_response_header(call, "x-illegal"));

	/* Request headers are for one call. */
	ck_assert_int_eq(ask(PROBE_REQUEST_ACTION_METADATA, "", 0, &response), 0);
	ck_assert_str_eq(response->text, "(none)");
}

TEST(metadata_may_be_bytes)
{
	static uint8_t bytes[] = { 0, 0xff, '\n', 0, 7 };
	static const char *const names[] = { "x-header-bin", "x-trailer-bin" };
	ProbeResponse *response;

	rpc_set_request_header_bin(call, "x-probe-bin",
				   (ProtobufCBinaryData){ sizeof(bytes), bytes });
	ck_assert_int_eq(ask(PROBE_REQUEST_ACTION_METADATA, "", 0, &response), 0);
	for (int i = 0; i < 2; i++) {
		ProtobufCBinaryData back = rpc_response_header_bin(call, names[i]);

		ck_assert_uint_eq(back.len, sizeof(bytes));
		ck_assert_mem_eq(back.data, bytes, sizeof(bytes));
	}
	ck_assert_ptr_null(rpc_response_header_bin(call, "x-none-bin").data);
}

TEST(trace_and_request_id_go_with_the_call)
{
	ProbeResponse *response;

	ck_assert_int_eq(ask(PROBE_REQUEST_ACTION_TRACE, "", 0, &response), 0);
	ck_assert_int_eq(strncmp(response->text, rpc_traceparent(call), 35),
			 0); /* the trace, of which it is a new span */
	ck_assert_int_ne(strncmp(response->text, rpc_traceparent(call), 52), 0);
	ck_assert_str_eq(response->text + 56, rpc_request_id(call));
}

TEST(a_method_without_a_handler_is_unimplemented)
{
	ProbeResponse *response;

	ck_assert_int_eq(probe_client_missing(probe.client, call, MSG(ProbeRequest), &response),
			 RPC_UNIMPLEMENTED);
	ck_assert_ptr_nonnull(strstr(rpc_error_message(call), "Missing"));
}

TEST(an_unknown_method_is_unimplemented_and_named)
{
	static const struct rpc_method methods[] = { { .name = "Nothing",
						       .path = "/crpc.test.v1.ProbeService/Nothing",
						       .request = &ProbeRequest_descriptor,
						       .response = &ProbeResponse_descriptor } };
	static const struct rpc_service service = { .name = "crpc.test.v1.ProbeService",
						    .methods = methods,
						    .n_methods = 1 };
	struct rpc_client *client = rpc_client_new(probe.channel, &service);
	ProtobufCMessage *response;

	ck_assert_int_eq(
		rpc_client_call(client, methods, call, &MSG(ProbeRequest)->base, &response),
		RPC_UNIMPLEMENTED);
	ck_assert_ptr_nonnull(
		strstr(rpc_error_message(call), "/crpc.test.v1.ProbeService/Nothing"));
	rpc_client_free(client);
}

TEST(the_callers_deadline_ends_the_call)
{
	struct rpc_call *hasty = rpc_call_new("test", 1500);
	ProbeResponse *response;

	ck_assert_int_eq(
		probe_client_probe(probe.client, hasty,
				   MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_AWAIT_CANCEL),
				   &response),
		RPC_DEADLINE_EXCEEDED);
	ck_assert_str_ne(rpc_error_message(hasty), "Deadline Exceeded"); /* the core's words */
	probe_await_cancelled(&probe.service, 1); /* the handler saw it too */
	ck_assert_int_eq(probe_client_probe(probe.client, hasty, MSG(ProbeRequest), &response),
			 RPC_DEADLINE_EXCEEDED);
	ck_assert_int_eq(probe.service.calls, 1);
	rpc_call_free(hasty);
}

TEST(what_is_left_of_the_deadline_goes_with_the_calls_that_a_handler_makes)
{
	cleanup(rpc_call_freep) struct rpc_call *limited = rpc_call_new("test", 9000);
	ProbeResponse *response;
	int handlers = 0, peers = 0;

	ck_assert_int_eq(
		probe_client_probe(probe.client, limited,
				   MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_REMAINING),
				   &response),
		0);
	ck_assert_int_eq(sscanf(response->text, "%d %d", &handlers, &peers), 2);
	/* On each way the core rounds the rest up to ten milliseconds. */
	ck_assert_int_le(handlers, 9000 + 10);
	ck_assert_int_le(peers, 9000 + 20);
	ck_assert_int_gt(peers, 0);
}

TEST(a_methods_own_limit_cuts_a_longer_deadline)
{
	ProbeResponse *response;

	ck_assert_int_eq(
		probe_client_hurry(probe.client, call,
				   MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_AWAIT_CANCEL),
				   &response),
		RPC_DEADLINE_EXCEEDED);
	probe_await_cancelled(&probe.service, 1);
}

TEST(cancellation_reaches_the_handler_and_the_peer_that_it_calls)
{
	struct rpc_call *hasty = rpc_call_new("test", 200);
	ProbeResponse *response;

	ck_assert_int_eq(
		probe_client_probe(probe.client, hasty,
				   MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_CALL_PEER),
				   &response),
		RPC_DEADLINE_EXCEEDED);
	probe_await_cancelled(&probe.service, 1); /* counted by the peer's handler */
	rpc_call_free(hasty);
}

TEST(a_port_in_use_ends_the_start_with_a_sentence)
{
	char listen[32], *error = NULL;
	struct rpc_server *second;

	snprintf(listen, sizeof(listen), "127.0.0.1:%d", rpc_server_port(probe.server));
	second = rpc_server_new(&(struct rpc_server_options){ .listen = listen }, &error);
	ck_assert_int_lt(rpc_server_start(second, &error), 0);
	ck_assert_ptr_nonnull(strstr(error, listen));
	free(error);
	rpc_server_free(second);
}

TEST_MAIN("server", setup, teardown)
