/* Calls that end on the thread of a loop. */
#include "test.h"
#include "test/probe.h"
#include "test/waiter.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CALLS = 64 };

static struct probe probe;
static struct rpc_completions *completions;
static int event_fd; /* what a loop would wait for */
static pthread_t loop_thread;

static void wake(void *data)
{
	ck_assert_int_eq(eventfd_write(event_fd, 1), 0);
}

static void setup(void)
{
	probe_start(&probe, &(struct rpc_server_options){ .threads = 2, .queue = CALLS });
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	completions = rpc_completions_new(wake, NULL);
	loop_thread = pthread_self();
}

static void teardown(void)
{
	completions = rpc_completions_free(completions);
	close(event_fd);
	probe_stop(&probe);
}

/* As a loop's; `more`: the loop had something else to do. Whether it slept. */
static bool turn(bool more)
{
	static bool busy;
	bool sleeps = !more && rpc_completions_watch(completions, busy);
	struct pollfd polled = { event_fd, POLLIN, 0 };
	eventfd_t count;

	ck_assert_int_ge(poll(&polled, 1, sleeps ? -1 : 0), 0);
	if (polled.revents)
		eventfd_read(event_fd, &count);
	busy = rpc_completions_run(completions) || more;
	return sleeps;
}

struct answer {
	struct rpc_call *call;
	int code, ended;
	char text[16];
};

static void done(void *data, struct rpc_call *call, int code, ProbeResponse *response)
{
	struct answer *answer = data;

	ck_assert(pthread_equal(pthread_self(), loop_thread));
	answer->code = code;
	answer->ended++;
	if (response)
		snprintf(answer->text, sizeof(answer->text), "%s", response->text);
}

static void start(struct answer *answer, ProbeRequestAction action, const char *text)
{
	*answer = (struct answer){ .call = rpc_call_new("test", 20000), .code = -1 };
	rpc_call_set_completions(answer->call, completions);
	ck_assert_int_eq(probe_client_probe_async(probe.client, answer->call,
						  MSG(ProbeRequest, .action = action, .text = text),
						  done, answer),
			 0);
}

static int count_ended(const struct answer *answers, int n)
{
	int ended = 0;

	for (int i = 0; i < n; i++)
		ended += answers[i].ended;
	return ended;
}

TEST(a_sleeping_thread_is_woken_for_the_end_of_its_call)
{
	struct answer answer;

	for (int i = 0; i < 20; i++) {
		start(&answer, 0, "one");
		while (!answer.ended)
			turn(false);
		ck_assert_int_eq(answer.code, 0);
		ck_assert_str_eq(answer.text, "one");
		rpc_call_free(answer.call);
	}
}

TEST(a_thread_that_never_sleeps_gets_the_ends_too)
{
	struct answer answers[CALLS];

	for (int i = 0; i < CALLS; i++)
		start(&answers[i], 0, "many");
	while (count_ended(answers, CALLS) < CALLS)
		turn(true);
	for (int i = 0; i < CALLS; i++) {
		ck_assert_int_eq(answers[i].ended, 1);
		ck_assert_int_eq(answers[i].code, 0);
		rpc_call_free(answers[i].call);
	}
}

TEST(between_work_and_sleep_no_end_is_lost)
{
	struct answer answers[8];
	unsigned random = 1;

	for (int i = 0; i < 8; i++)
		start(&answers[i], 0, "x");
	for (int begun = 8; begun < 2000;) {
		for (int i = 0; i < 8; i++) {
			if (!answers[i].ended)
				continue;
			ck_assert_int_eq(answers[i].code, 0);
			rpc_call_free(answers[i].call);
			start(&answers[i], 0, "x");
			begun++;
		}
		random = random * 1103515245 + 12345;
		turn(random >> 16 & 1);
	}
	while (count_ended(answers, 8) < 8)
		turn(false);
	for (int i = 0; i < 8; i++)
		rpc_call_free(answers[i].call);
}

TEST(a_cancelled_call_ends_on_the_thread)
{
	struct answer answer;

	start(&answer, PROBE_REQUEST_ACTION_AWAIT_CANCEL, "");
	probe_await_running(&probe.service, 1);
	rpc_call_cancel(answer.call);
	while (!answer.ended)
		turn(false);
	ck_assert_int_eq(answer.code, RPC_CANCELLED);
	rpc_call_free(answer.call);
}

TEST(calls_may_end_after_the_last_turn)
{
	struct answer answers[3];

	for (int i = 0; i < 3; i++)
		start(&answers[i], PROBE_REQUEST_ACTION_AWAIT_CANCEL, "");
	probe_await_running(&probe.service, 2); /* as many as the server has threads */
	for (int i = 0; i < 3; i++)
		rpc_call_cancel(answers[i].call);
	completions = rpc_completions_free(completions);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(answers[i].ended, 1);
		ck_assert_int_eq(answers[i].code, RPC_CANCELLED);
		rpc_call_free(answers[i].call);
	}
}

struct reading {
	int64_t sum;
	int ended;
};

static bool message(void *data, struct rpc_call *call, Number *number)
{
	ck_assert(pthread_equal(pthread_self(), loop_thread));
	((struct reading *)data)->sum += number->value;
	return true;
}

static void stream_done(void *data, struct rpc_call *call, int code, ProtobufCMessage *none)
{
	ck_assert_int_eq(code, 0);
	((struct reading *)data)->ended++;
}

TEST(the_messages_of_a_stream_come_on_the_thread)
{
	struct rpc_call *call = rpc_call_new("test", 20000);
	struct reading reading = { 0 };

	rpc_call_set_completions(call, completions);
	ck_assert_int_eq(probe_client_count_async(probe.client, call,
						  MSG(CountRequest, .last = 1000), message,
						  stream_done, &reading),
			 0);
	while (!reading.ended)
		turn(false);
	ck_assert_int_eq(reading.sum, 500500);
	rpc_call_free(call);
}

TEST_MAIN("completions", setup, teardown)
