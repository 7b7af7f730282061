/* Clients that do not wait, and what a server does when too many call at once. */
#include "test.h"
#include "test/probe.h"
#include "test/waiter.h"
#include <health.rpc.h>
#include <stdlib.h>
#include <string.h>

static struct probe probe;
static struct waiter ended, messages;

struct answer {
	struct rpc_call *call;
	int code;
	const char *text; /* of the call */
};

static void setup(void)
{
	ended = messages = (struct waiter)WAITER_INIT;
	probe_start(&probe, &(struct rpc_server_options){ .threads = 1, .queue = 2 });
}

static void teardown(void)
{
	probe_stop(&probe);
}

static void done(void *data, struct rpc_call *call, int code, ProbeResponse *response)
{
	struct answer *answer = data;

	answer->code = code;
	answer->text = response ? response->text : NULL;
	ck_assert_ptr_eq(call, answer->call);
	waiter_add(&ended);
}

static void start(struct answer *answer, ProbeRequestAction action, const char *text)
{
	answer->call = rpc_call_new("test", 20000);
	answer->code = -1;
	ck_assert_int_eq(probe_client_probe_async(probe.client, answer->call,
						  MSG(ProbeRequest, .action = action, .text = text),
						  done, answer),
			 0);
}

TEST(an_asynchronous_call_ends_once_with_the_answer)
{
	struct answer answer;

	start(&answer, 0, "later");
	waiter_await(&ended, 1);
	ck_assert_int_eq(answer.code, 0);
	ck_assert_str_eq(answer.text, "later");
	rpc_call_free(answer.call);
}

TEST(an_asynchronous_call_ends_with_the_peers_error)
{
	struct answer answer;

	start(&answer, PROBE_REQUEST_ACTION_FAIL, "x");
	waiter_await(&ended, 1);
	ck_assert_int_eq(answer.code, RPC_FAILED_PRECONDITION);
	ck_assert_ptr_null(answer.text);
	ck_assert(rpc_failed_with(answer.call, PROBE_FAILED));
	rpc_call_free(answer.call);
}

TEST(a_cancelled_call_ends_and_its_handler_sees_it)
{
	struct answer answer;

	start(&answer, PROBE_REQUEST_ACTION_AWAIT_CANCEL, "");
	probe_await_running(&probe.service, 1);
	rpc_call_cancel(answer.call);
	waiter_await(&ended, 1);
	ck_assert_int_eq(answer.code, RPC_CANCELLED);
	probe_await_cancelled(&probe.service, 1);
	rpc_call_free(answer.call);
}

TEST(calls_wait_in_a_bounded_queue_and_beyond_it_they_are_refused_with_a_hint)
{
	enum { CALLS = 8 };
	struct answer answers[CALLS];
	int refused = 0, answered = 0;

	start(&answers[0], PROBE_REQUEST_ACTION_BLOCK, "first");
	probe_await_running(&probe.service, 1);
	for (int i = 1; i < CALLS; i++)
		start(&answers[i], 0, "more");
	waiter_await(&ended, CALLS - 3); /* one runs, two wait */
	for (int i = 0; i < CALLS; i++)
		if (answers[i].code == RPC_RESOURCE_EXHAUSTED) {
			ck_assert_str_eq(rpc_error_reason(answers[i].call), "OVERLOADED");
			ck_assert_ptr_nonnull(memmem(rpc_error_status(answers[i].call).data,
						     rpc_error_status(answers[i].call).len,
						     "RetryInfo", 9));
			ck_assert_str_eq(
				rpc_response_header(answers[i].call, "grpc-retry-pushback-ms"),
				"200");
			refused++;
		}
	ck_assert_int_eq(refused, CALLS - 3);
	probe_open(&probe.service);
	waiter_await(&ended, CALLS);
	for (int i = 0; i < CALLS; i++) {
		answered += !answers[i].code;
		rpc_call_free(answers[i].call);
	}
	ck_assert_int_eq(answered, 3);
	ck_assert_int_eq(probe.service.most, 1); /* never more handlers than threads */
}

/* Most threads do not poll, but each that was asked for comes when it is needed, and again. */
TEST(as_many_handlers_run_at_once_as_were_asked_for)
{
	enum { THREADS = 6, ROUNDS = 3 };
	struct answer answers[THREADS + 1];

	probe_stop(&probe);
	probe_start(&probe, &(struct rpc_server_options){ .threads = THREADS });
	for (int round = 1; round <= ROUNDS; round++) {
		pthread_mutex_lock(&probe.service.lock);
		probe.service.open = false;
		pthread_mutex_unlock(&probe.service.lock);
		for (int i = 0; i <= THREADS; i++)
			start(&answers[i], PROBE_REQUEST_ACTION_BLOCK, "");
		probe_await_running(&probe.service, THREADS);
		probe_open(&probe.service);
		waiter_await(&ended, round * (THREADS + 1));
		for (int i = 0; i <= THREADS; i++)
			rpc_call_free(answers[i].call);
	}
	ck_assert_int_eq(probe.service.most, THREADS);
}

TEST(health_is_answered_while_every_thread_is_busy)
{
	struct answer answer;
	struct rpc_call *call = rpc_call_new("test", 20000);
	static const struct rpc_method *method;

	start(&answer, PROBE_REQUEST_ACTION_BLOCK, "");
	probe_await_running(&probe.service, 1);
	method = &health_service_descriptor.methods[0];
	{
		struct rpc_client *health =
			rpc_client_new(probe.channel, &health_service_descriptor);
		ProtobufCMessage *response;

		ck_assert_int_eq(rpc_client_call(health, method, call,
						 &MSG(HealthCheckRequest)->base, &response),
				 0);
		rpc_client_free(health);
	}
	probe_open(&probe.service);
	waiter_await(&ended, 1);
	rpc_call_free(answer.call);
	rpc_call_free(call);
}

/*
 * Streams
 */

struct reading {
	struct rpc_call *call;
	int64_t seen, sum;
	int64_t pause_at; /* 0: never; -1: at each message */
	int code;
};

static bool message(void *data, struct rpc_call *call, Number *number)
{
	struct reading *reading = data;
	bool go_on = reading->pause_at >= 0 && number->value != reading->pause_at;

	reading->seen++;
	reading->sum += number->value;
	waiter_add(&messages);
	return go_on;
}

static void stream_done(void *data, struct rpc_call *call, int code, ProtobufCMessage *none)
{
	struct reading *reading = data;

	reading->code = code;
	waiter_add(&ended);
}

static void count(struct reading *reading, const CountRequest *request)
{
	reading->call = rpc_call_new("test", 20000);
	reading->code = -1;
	ck_assert_int_eq(probe_client_count_async(probe.client, reading->call, request, message,
						  stream_done, reading),
			 0);
}

TEST(an_asynchronous_stream_brings_every_message_in_order)
{
	struct reading reading = { 0 };

	count(&reading, MSG(CountRequest, .last = 1000));
	waiter_await(&ended, 1);
	ck_assert_int_eq(reading.code, 0);
	ck_assert_int_eq(reading.seen, 1000);
	ck_assert_int_eq(reading.sum, 500500);
	rpc_call_free(reading.call);
}

TEST(an_asynchronous_stream_pauses_and_goes_on)
{
	struct reading reading = { .pause_at = -1 };

	count(&reading, MSG(CountRequest, .last = 50));
	for (int i = 1; i <= 50; i++) {
		waiter_await(&messages, i);
		rpc_stream_resume(reading.call);
	}
	waiter_await(&ended, 1);
	ck_assert_int_eq(reading.code, 0);
	ck_assert_int_eq(reading.sum, 50 * 51 / 2);
	rpc_call_free(reading.call);
}

TEST(an_asynchronous_stream_ends_with_the_handlers_error)
{
	struct reading reading = { 0 };

	count(&reading, MSG(CountRequest, .last = 10, .fail_at = 4));
	waiter_await(&ended, 1);
	ck_assert_int_eq(reading.code, RPC_FAILED_PRECONDITION);
	ck_assert_int_eq(reading.seen, 3);
	ck_assert(rpc_failed_with(reading.call, PROBE_FAILED));
	rpc_call_free(reading.call);
}

TEST(a_paused_stream_can_be_cancelled)
{
	struct reading reading = { .pause_at = 3 };

	count(&reading, MSG(CountRequest, .padding = 10000));
	waiter_await(&messages, 3);
	rpc_call_cancel(reading.call);
	waiter_await(&ended, 1);
	ck_assert_int_eq(reading.code, RPC_CANCELLED);
	probe_await_cancelled(&probe.service, 1);
	rpc_call_free(reading.call);
}

/*
 * Both ways
 */

static struct waiter sent;

static void message_sent(void *data, struct rpc_call *call, bool ok)
{
	waiter_add(&sent);
}

static void open_stream(struct reading *reading, const char *name)
{
	const struct rpc_service *service = &probe_service_descriptor;
	const struct rpc_method *method = service->methods;

	while (strcmp(method->name, name))
		method++;
	sent = (struct waiter)WAITER_INIT;
	reading->call = rpc_call_new("test", 20000);
	reading->code = -1;
	ck_assert_int_eq(rpc_client_start_stream(
				 (struct rpc_client *)probe.client, method, reading->call, NULL,
				 (rpc_message_function *)message, stream_done, reading),
			 0);
}

static bool send_number(struct reading *reading, int64_t value)
{
	return rpc_stream_start_send(reading->call, &MSG(Number, .value = value)->base,
				     message_sent, reading);
}

TEST(an_asynchronous_stream_goes_both_ways)
{
	struct reading reading = { 0 };

	open_stream(&reading, "Double");
	for (int i = 1; i <= 100; i++) {
		ck_assert(send_number(&reading, i));
		waiter_await(&sent, i);
		waiter_await(&messages, i);
	}
	ck_assert(rpc_stream_start_send(reading.call, NULL, message_sent, &reading));
	waiter_await(&ended, 1);
	ck_assert_int_eq(reading.code, 0);
	ck_assert_int_eq(reading.sum, 100 * 101);
	ck_assert(!send_number(&reading, 1));
	rpc_call_free(reading.call);
}

TEST(a_client_that_streams_gets_one_answer)
{
	struct reading reading = { 0 };

	open_stream(&reading, "Sum");
	for (int i = 1; i <= 10; i++) {
		ck_assert(send_number(&reading, i));
		waiter_await(&sent, i);
	}
	ck_assert_int_eq(reading.seen, 0);
	ck_assert(rpc_stream_start_send(reading.call, NULL, message_sent, &reading));
	waiter_await(&ended, 1);
	ck_assert_int_eq(reading.code, 0);
	ck_assert_int_eq(reading.seen, 1);
	ck_assert_int_eq(reading.sum, 55);
	rpc_call_free(reading.call);
}

TEST(a_peer_that_takes_nothing_stops_the_writer)
{
	struct reading reading = { .pause_at = -1 };
	uint8_t *padding = calloc(1, 1000);
	const ProtobufCMessage *number =
		&MSG(Number, .value = 1, .padding = { 1000, padding })->base;
	int n = 0;

	/* We take none of the answers, so that the handler stops, and then its flow control us. */
	open_stream(&reading, "Double");
	while (rpc_stream_start_send(reading.call, number, message_sent, &reading)) {
		ck_assert_int_lt(n, 1000000);
		if (!waiter_await_for(&sent, ++n, 500))
			break;
	}
	ck_assert(!rpc_stream_start_send(reading.call, number, message_sent, &reading));
	rpc_call_cancel(reading.call);
	waiter_await(&ended, 1);
	ck_assert_msg(reading.code == RPC_CANCELLED, "%s", rpc_error_message(reading.call));
	ck_assert_int_eq(reading.seen, 1);
	rpc_call_free(reading.call);
	free(padding);
}

TEST_MAIN("async", setup, teardown)
