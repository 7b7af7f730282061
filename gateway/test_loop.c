/* Timers, posted work, and what a turn does in which order. */
#include "loop.h"
#include <pthread.h>
#include <string.h>
#include <test.h>
#include <unistd.h>

static struct loop loop;

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop), 0);
}

static void teardown(void)
{
	loop_deinit(&loop);
}

struct alarm {
	struct timer timer;
	int expired;
	int64_t at;
	bool again;
};

static void ring(struct timer *timer)
{
	struct alarm *alarm = (struct alarm *)timer;

	alarm->expired++;
	alarm->at = loop.now_ms;
	if (alarm->again)
		loop_timer_set(&loop, timer, 10);
}

TEST(a_timer_expires_once_and_never_early)
{
	struct alarm alarm = { .timer.expired = ring };
	int64_t start = loop.now_ms;

	loop_timer_set(&loop, &alarm.timer, 150);
	while (!alarm.expired)
		loop_turn(&loop, -1);
	ck_assert_int_ge(alarm.at - start, 150);
	ck_assert_ptr_null(alarm.timer.link);
	loop_turn(&loop, 0);
	ck_assert_int_eq(alarm.expired, 1);
}

TEST(a_timer_can_be_moved_and_cleared)
{
	struct alarm moved = { .timer.expired = ring }, cleared = { .timer.expired = ring };
	int64_t start = loop.now_ms;

	loop_timer_set(&loop, &cleared.timer, 10);
	loop_timer_set(&loop, &moved.timer, 10);
	loop_timer_set(&loop, &moved.timer, 200);
	loop_timer_clear(&loop, &cleared.timer);
	loop_timer_clear(&loop, &cleared.timer);
	while (!moved.expired)
		loop_turn(&loop, -1);
	ck_assert_int_ge(moved.at - start, 200);
	ck_assert_int_eq(cleared.expired, 0);
}

TEST(a_timer_may_set_itself_again)
{
	struct alarm alarm = { .timer.expired = ring, .again = true };

	loop_timer_set(&loop, &alarm.timer, 0);
	while (alarm.expired < 3)
		loop_turn(&loop, -1);
	loop_timer_clear(&loop, &alarm.timer);
}

TEST(a_timer_beyond_one_revolution_waits_for_its_time)
{
	struct alarm near = { .timer.expired = ring }, far = { .timer.expired = ring };

	/* In the same slot, a revolution apart. */
	loop_timer_set(&loop, &near.timer, 64);
	loop_timer_set(&loop, &far.timer, 64 + LOOP_SLOTS * LOOP_SLOT_MS);
	while (!near.expired)
		loop_turn(&loop, -1);
	ck_assert_int_eq(far.expired, 0);
	ck_assert_ptr_nonnull(far.timer.link);
	loop_timer_clear(&loop, &far.timer);
}

static char order[16];

struct note {
	struct task task;
	char letter;
};

static void note(struct task *task)
{
	size_t length = strlen(order);

	order[length] = ((struct note *)task)->letter;
	order[length + 1] = '\0';
}

TEST(a_turn_runs_what_was_posted_then_what_was_put_off_then_frees)
{
	struct note a = { { .run = note }, 'a' }, b = { { .run = note }, 'b' },
		    later = { { .run = note }, 'l' }, garbage = { { .run = note }, 'g' };

	order[0] = '\0';
	loop_dispose(&loop, &garbage.task);
	loop_later(&loop, &later.task);
	loop_later(&loop, &later.task);
	loop_post(&loop, &a.task);
	loop_post(&loop, &b.task);
	loop_turn(&loop, -1);
	ck_assert_str_eq(order, "ablg");
}

static void *post_many(void *data)
{
	struct note *notes = data;

	for (int i = 0; i < 1000; i++)
		loop_post(&loop, &notes[i].task);
	return NULL;
}

static int counted;

static void count(struct task *task)
{
	counted++;
}

TEST(nothing_that_other_threads_post_is_lost)
{
	static struct note notes[4][1000];
	pthread_t threads[4];

	counted = 0;
	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 1000; j++)
			notes[i][j].task.run = count;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, notes[i]), 0);
	}
	while (counted < 4000)
		loop_turn(&loop, -1);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void *stop_soon(void *data)
{
	loop_stop(&loop);
	return NULL;
}

TEST(another_thread_can_stop_a_sleeping_loop)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, NULL), 0);
	loop_run(&loop);
	pthread_join(thread, NULL);
}

TEST_MAIN("loop", setup, teardown)
