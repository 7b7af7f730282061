/* Hands: who takes what is given, who looks, and what does not fit. */
#include "probe_store.msg.h"
#include <common/hands.h>
#include <errno.h>
#include <pthread.h>
#include <service_private.h>
#include <stdio.h>
#include <string.h>
#include <test.h>

/* Longer than a test: whatever happens follows from what was given, not from the time. */
enum { NEVER_MS = 3600 * 1000, SOON_MS = 10, WAITING_MAX = 64 };

static struct service service;
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;     /* carry_on() may return */
	int at_once;   /* in carry_on() now */
	int carried;   /* times */
	char last[64]; /* what was given last */
	char trace[64];
	int looks;
	int found; /* look() says so many times that there may be more */
	int result;
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
static struct hands *hands;
/* They live as long as the process, which under sanitizers is that of all tests. */
static struct hands *all[16];
static int n_all;

static int carry_on(void *data, struct rpc_call *call, ProtobufCMessage *given)
{
	int r;

	(void)data;
	pthread_mutex_lock(&seen.lock);
	seen.at_once++;
	snprintf(seen.last, sizeof(seen.last), "%s", ((ProbeRecord *)given)->id);
	snprintf(seen.trace, sizeof(seen.trace), "%s", rpc_traceparent(call));
	pthread_cond_broadcast(&seen.changed);
	while (!seen.open)
		pthread_cond_wait(&seen.changed, &seen.lock);
	seen.at_once--;
	seen.carried++;
	r = seen.result;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
	return r;
}

static int look(void *data, struct rpc_call *call)
{
	int more;

	(void)data;
	(void)call;
	pthread_mutex_lock(&seen.lock);
	seen.looks++;
	more = seen.found > 0 && seen.found--;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
	return more;
}

static const struct hands_work work = { &ProbeRecord_descriptor, carry_on, look };

static void setup(void)
{
	service = (struct service){ .lock = PTHREAD_MUTEX_INITIALIZER };
	seen.open = true;
	seen.at_once = seen.carried = seen.looks = seen.found = seen.result = 0;
}

static void open_up(bool open)
{
	pthread_mutex_lock(&seen.lock);
	seen.open = open;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
}

static void teardown(void)
{
	open_up(true);
	service_timers_stop(&service);
}

static void start(int n, int64_t interval_ms)
{
	hands = hands_start(&service, "hand", n, interval_ms, &work, NULL);
	all[n_all++] = hands;
	service_timers_start(&service);
}

static void await(const int *count, int value)
{
	pthread_mutex_lock(&seen.lock);
	while (*count < value)
		pthread_cond_wait(&seen.changed, &seen.lock);
	pthread_mutex_unlock(&seen.lock);
}

static void give(const char *what)
{
	hands_give(hands, test_call(), &MSG(ProbeRecord, .id = what)->base);
}

TEST(what_is_given_is_carried_on_in_the_trace_of_its_call)
{
	start(3, NEVER_MS);
	give("a");
	await(&seen.carried, 1);
	ck_assert_str_eq(seen.last, "a");
	/* "00-" and the trace: the span is another */
	ck_assert_int_eq(strncmp(seen.trace, rpc_traceparent(test_call()), 35), 0);
}

TEST(each_hand_takes_one_and_what_is_more_waits)
{
	open_up(false);
	start(3, NEVER_MS);
	for (int i = 0; i < 5; i++)
		give("a");
	await(&seen.at_once, 3);
	open_up(true);
	await(&seen.carried, 5);
}

TEST(what_does_not_fit_is_left_to_who_looks)
{
	open_up(false);
	start(1, NEVER_MS);
	give("first");
	await(&seen.at_once, 1);
	for (int i = 0; i < WAITING_MAX; i++)
		give("waiting");
	for (int i = 0; i < 10; i++)
		give("too much");
	open_up(true);
	await(&seen.carried, 1 + WAITING_MAX);
	ck_assert_str_eq(seen.last, "waiting");
	give("last");
	await(&seen.carried, 2 + WAITING_MAX);
	ck_assert_str_eq(seen.last, "last");
}

TEST(a_look_that_finds_something_is_followed_by_another)
{
	seen.found = 5;
	start(3, NEVER_MS);
	give("a"); /* who has carried it on is free for the first look */
	await(&seen.looks, 6);
	give("b");
	await(&seen.carried, 2);
	ck_assert_int_eq(seen.looks, 6); /* nobody looks again before its time */
}

TEST(somebody_looks_once_in_a_while)
{
	start(3, SOON_MS);
	await(&seen.looks, 3);
}

TEST(a_hand_that_fails_goes_on_with_the_next)
{
	test_expect_log("background work failed");
	seen.result = -EIO;
	start(1, NEVER_MS);
	give("a");
	await(&seen.carried, 1);
	give("b");
	await(&seen.carried, 2);
	ck_assert_str_eq(seen.last, "b");
}

TEST(without_hands_nothing_happens)
{
	hands = NULL;
	give("a");
	ck_assert_int_eq(seen.carried, 0);
}

TEST_MAIN("hands", setup, teardown)
