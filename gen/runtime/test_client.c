/* What a client does about peers that fail: retries, the circuit breaker, and the pieces they are
 * made of. */
#include "breaker.h"
#include "call_private.h"
#include "test.h"
#include "test/probe.h"
#include "trace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Retries
 */

TEST(a_method_without_side_effects_is_tried_again)
{
	struct rpc_call *call = rpc_call_new("test", 20000);
	struct probe probe;
	ProbeResponse *response;

	probe_start(&probe, &(struct rpc_server_options){ 0 });
	ck_assert_int_eq(
		probe_client_look(
			probe.client, call,
			MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_UNAVAILABLE, .number = 3),
			&response),
		0);
	ck_assert_int_eq(response->calls, 3);
	rpc_call_free(call);
	probe_stop(&probe);
}

TEST(a_method_with_side_effects_is_not_tried_again)
{
	struct rpc_call *call = rpc_call_new("test", 20000);
	struct probe probe;
	ProbeResponse *response;

	probe_start(&probe, &(struct rpc_server_options){ 0 });
	ck_assert_int_eq(
		probe_client_probe(
			probe.client, call,
			MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_UNAVAILABLE, .number = 3),
			&response),
		RPC_UNAVAILABLE);
	ck_assert_int_eq(probe.service.calls, 1);
	rpc_call_free(call);
	probe_stop(&probe);
}

static bool left_alone(struct rpc_call *call, int code)
{
	return code == RPC_UNAVAILABLE && !strcmp(rpc_error_reason(call), "PEER_UNAVAILABLE");
}

TEST(a_peer_that_does_not_answer_is_left_alone_and_comes_back)
{
	struct rpc_call *call = rpc_call_new("test", 60000);
	char listen[32];
	struct rpc_channel *channel;
	struct probe_client *client;
	struct probe probe;
	ProbeResponse *response;
	int r;

	probe_start(&probe, &(struct rpc_server_options){ 0 });
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", rpc_server_port(probe.server));
	channel = probe_channel(&probe, NULL, NULL);
	client = probe_client_new(channel);
	probe_stop(&probe);
	do { /* not as fast as it can: each try takes of the call's memory */
		nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000000 }, NULL);
		r = probe_client_probe(client, call, MSG(ProbeRequest), &response);
		ck_assert_int_eq(r, RPC_UNAVAILABLE);
	} while (!left_alone(call, r));

	probe_start(&probe, &(struct rpc_server_options){ .listen = listen });
	do { /* until a probe succeeds */
		nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000000 }, NULL);
		r = probe_client_probe(client, call, MSG(ProbeRequest), &response);
	} while (r == RPC_UNAVAILABLE);
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(probe_client_probe(client, call, MSG(ProbeRequest), &response), 0);
	probe_client_free(client);
	rpc_channel_free(channel);
	rpc_call_free(call);
	probe_stop(&probe);
}

/* As a service does whose own peer is away. */
TEST(unavailable_from_a_handler_is_an_answer_and_no_reason_to_leave_the_peer_alone)
{
	const ProbeRequest *request =
		MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_UNAVAILABLE, .number = INT32_MAX);
	struct rpc_call *call = rpc_call_new("test", 60000);
	struct timespec begin, now;
	struct probe probe;
	ProbeResponse *response;

	probe_start(&probe, &(struct rpc_server_options){ 0 });
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0;; i++) {
		ck_assert_int_eq(probe_client_probe(probe.client, call, request, &response),
				 RPC_UNAVAILABLE);
		ck_assert(!left_alone(call, RPC_UNAVAILABLE));
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (i > 2 * BREAKER_FAILURES &&
		    now.tv_sec > begin.tv_sec + BREAKER_SILENCE_MS / 1000)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000000 }, NULL);
	}
	rpc_call_free(call);
	probe_stop(&probe);
}

TEST(a_peer_that_is_not_there_is_unavailable)
{
	struct rpc_call *call = rpc_call_new("test", 20000);
	char *error = NULL;
	struct rpc_channel *channel = rpc_channel_new(
		&(struct rpc_channel_options){ .target = "ipv4:127.0.0.1:1" }, &error);
	struct probe_client *client = probe_client_new(channel);
	ProbeResponse *response;

	ck_assert(!rpc_channel_ready(channel, false));
	ck_assert_int_eq(probe_client_probe(client, call, MSG(ProbeRequest), &response),
			 RPC_UNAVAILABLE);
	ck_assert_str_eq(rpc_error_reason(call), "PEER_UNREACHABLE");
	ck_assert_ptr_null(strstr(rpc_error_message(call), "127.0.0.1:1:"));
	probe_client_free(client);
	rpc_channel_free(channel);
	rpc_call_free(call);
}

static const char *const targets[] = { "ipv4:nonsense", "ipv4:127.0.0.1", "dns:///" };

TEST_EACH(a_target_that_is_no_address_is_refused_with_a_sentence, targets)
{
	char *error = NULL;
	struct rpc_channel *channel =
		rpc_channel_new(&(struct rpc_channel_options){ .target = *row }, &error);

	ck_assert_ptr_null(channel);
	ck_assert_ptr_nonnull(strstr(error, *row));
	free(error);
}

TEST(a_channel_says_when_it_is_ready)
{
	struct probe probe;

	probe_start(&probe, &(struct rpc_server_options){ 0 });
	while (!rpc_channel_ready(probe.channel, true))
		;
	ck_assert(rpc_channel_ready(probe.channel, false));
	probe_stop(&probe);
}

/*
 * Breaker
 */

static int64_t fail_until_open(struct breaker *breaker, int64_t now)
{
	for (int i = 0; i < BREAKER_FAILURES; i++) {
		ck_assert(breaker_enter(breaker, now));
		breaker_leave(breaker, now, BREAKER_FAILURE);
		if (!i)
			now += BREAKER_SILENCE_MS;
	}
	return now;
}

TEST(the_breaker_opens_after_failures_in_a_row_only)
{
	struct breaker breaker;

	breaker_init(&breaker, "test");
	for (int i = 0; i < 5 * BREAKER_FAILURES; i++) {
		int64_t now = 1000 + i * BREAKER_SILENCE_MS;

		ck_assert(breaker_enter(&breaker, now));
		breaker_leave(&breaker, now,
			      i % BREAKER_FAILURES == BREAKER_FAILURES - 1 ? BREAKER_SUCCESS
									   : BREAKER_FAILURE);
	}
	breaker_deinit(&breaker);
}

TEST(the_breaker_does_not_open_for_what_one_broken_connection_took_with_it)
{
	struct breaker breaker;

	breaker_init(&breaker, "test");
	for (int i = 0; i < 100 * BREAKER_FAILURES; i++) {
		ck_assert(breaker_enter(&breaker, 1000));
		breaker_leave(&breaker, 1000 + BREAKER_SILENCE_MS - 1, BREAKER_FAILURE);
	}
	ck_assert(breaker_enter(&breaker, 1000 + BREAKER_SILENCE_MS));
	breaker_deinit(&breaker);
}

TEST(the_breaker_opens_for_silence_and_then_lets_one_call_through_after_each_rest)
{
	static const int64_t rests[] = { 100, 200, 400, 500, 500 };
	struct breaker breaker;
	int64_t now;

	breaker_init(&breaker, "test");
	now = fail_until_open(&breaker, 1000);
	for (size_t i = 0; i < sizeof(rests) / sizeof(*rests); i++) {
		ck_assert(!breaker_enter(&breaker, now + rests[i] - 1));
		now += rests[i];
		ck_assert(breaker_enter(&breaker, now));
		ck_assert(!breaker_enter(&breaker, now));
		if (i % 2) /* one that is still under way does not hold up the next */
			breaker_leave(&breaker, now, BREAKER_FAILURE);
	}
	breaker_leave(&breaker, now, BREAKER_SUCCESS);
	ck_assert(breaker_enter(&breaker, now));
	ck_assert(breaker_enter(&breaker, now));
	/* Closed is as new. */
	now = fail_until_open(&breaker, now);
	ck_assert(breaker_enter(&breaker, now + BREAKER_REST_MS));
	breaker_deinit(&breaker);
}

TEST(a_call_that_was_given_up_says_nothing_about_the_peer)
{
	struct breaker breaker;
	int64_t now;

	breaker_init(&breaker, "test");
	now = fail_until_open(&breaker, 1000);
	ck_assert(breaker_enter(&breaker, now + BREAKER_REST_MS));
	breaker_leave(&breaker, now + BREAKER_REST_MS, BREAKER_NEITHER);
	ck_assert(!breaker_enter(&breaker, now + BREAKER_REST_MS));
	breaker_deinit(&breaker);
}

/*
 * Trace context
 */

static const struct {
	const char *text;
	bool taken;
} traceparents[] = {
	{ "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true },
	{ "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true },
	{ "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings", true },
	{ "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", false },
	{ "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false },
	{ "00-00000000000000000000000000000000-00f067aa0ba902b7-01", false },
	{ "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false },
	{ "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false },
	{ "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false },
	{ "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false },
	{ "", false },
};

TEST_EACH(a_traceparent_is_taken_as_the_standard_says, traceparents)
{
	char text[TRACEPARENT_LENGTH + 1];
	struct trace trace;

	trace_begin(&trace, row->text, strlen(row->text));
	trace_print(&trace, text);
	ck_assert_uint_eq(strlen(text), TRACEPARENT_LENGTH);
	ck_assert_int_eq(!strncmp(text + 2, row->text + (*row->text ? 2 : 0), 33), row->taken);
	if (row->taken) {
		ck_assert_int_eq(text[54], row->text[54]);
		ck_assert_int_ne(strncmp(text + 36, row->text + 36, 16), 0); /* a span of its own */
	}
}

/*
 * Errors
 */

TEST(a_reasons_sentence_takes_its_words_from_the_pairs_only)
{
	static const struct rpc_reason reason = { "test", "STRANGE",
						  "{a} and {b}, not {missing} nor {} nor {a",
						  RPC_ABORTED };
	cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("test", 0);

	ck_assert_int_eq(rpc_fail(call, &reason, { "a", "{b}" }, { "b", "two" }), RPC_ABORTED);
	ck_assert_str_eq(rpc_error_message(call), "{b} and two, not {missing} nor {} nor {a");
}

TEST(a_long_sentence_is_cut_at_a_character)
{
	static const struct rpc_reason reason = { "test", "LONG", "{long}", RPC_ABORTED };
	cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("test", 0);
	char text[3000];
	const char *message;

	for (size_t i = 0; i < sizeof(text) - 1; i += 2)
		memcpy(text + i, "ä", 2);
	text[2998] = '\0';
	rpc_fail(call, &reason, { "long", text });
	message = rpc_error_message(call);
	ck_assert_uint_lt(strlen(message), ERROR_MESSAGE_MAX);
	ck_assert_uint_eq(strlen(message) % 2, 0);
}

TEST(an_error_is_one_codes_only_when_it_is_read)
{
	cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("test", 0);

	ck_assert_int_eq(rpc_error_code(call), 0);
	ck_assert_uint_eq(rpc_error_status(call).len, 0);
	rpc_violate(call, "a.b", "must be %d", 1);
	ck_assert_int_eq(rpc_violations(call), RPC_INVALID_ARGUMENT);
	ck_assert_str_eq(rpc_error_message(call), "a.b: must be 1");
	rpc_error_clear(call);
	ck_assert_int_eq(rpc_violations(call), 0);
	ck_assert_str_eq(rpc_code_name(RPC_UNAUTHENTICATED), "UNAUTHENTICATED");
	ck_assert_str_eq(rpc_code_name(99), "UNKNOWN");
}

TEST_MAIN("client", NULL, NULL)
