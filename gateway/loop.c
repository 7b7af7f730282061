/* The event loop. */
#include "loop.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 256 };

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wakeup_ready(struct watch *watch, uint32_t events)
{
	uint64_t count;

	(void)events;
	while (read(watch->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

int loop_init(struct loop *loop)
{
	int r;

	*loop = (struct loop){ .epoll_fd = -1, .event_fd = -1 };
	loop->later_end = &loop->later;
	loop->now_ms = monotonic_ms();
	loop->tick = loop->now_ms / LOOP_SLOT_MS;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->event_fd < 0) {
		r = -errno;
		loop_deinit(loop);
		return r;
	}
	loop->wakeup = (struct watch){ loop->event_fd, wakeup_ready };
	r = loop_watch(loop, &loop->wakeup, EPOLLIN);
	if (r)
		loop_deinit(loop);
	return r;
}

static void collect_garbage(struct loop *loop)
{
	struct task *task;

	while ((task = loop->garbage)) {
		loop->garbage = task->next;
		task->run(task);
	}
}

void loop_deinit(struct loop *loop)
{
	collect_garbage(loop);
	if (loop->event_fd >= 0)
		close(loop->event_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->event_fd = loop->epoll_fd = -1;
}

int loop_watch(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

int loop_change(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0 ? -errno : 0;
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
	if (watch->fd >= 0)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
}

void loop_wake(struct loop *loop)
{
	ssize_t written = write(loop->event_fd, &(uint64_t){ 1 }, sizeof(uint64_t));

	(void)written; /* EAGAIN: it is awake for 2^64 reasons */
}

/* Whoever finds the stack empty and the loop asleep wakes it; who comes later relies on that. The
 * loop says that it is asleep before it looks at the stack for the last time. */
void loop_post(struct loop *loop, struct task *task)
{
	struct task *top = atomic_load_explicit(&loop->posted, memory_order_relaxed);

	do
		task->next = top;
	while (!atomic_compare_exchange_weak_explicit(&loop->posted, &top, task,
						      memory_order_seq_cst, memory_order_relaxed));
	if (!top && atomic_load(&loop->asleep))
		loop_wake(loop);
}

static void run_posted(struct loop *loop)
{
	struct task *task = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
	struct task *first = NULL, *next;

	for (; task; task = next) { /* the stack holds the last one first */
		next = task->next;
		task->next = first;
		first = task;
	}
	for (task = first; task; task = next) {
		next = task->next;
		task->run(task);
	}
}

void loop_later(struct loop *loop, struct task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	task->next = NULL;
	*loop->later_end = task;
	loop->later_end = &task->next;
}

static void run_later(struct loop *loop)
{
	struct task *task;

	while ((task = loop->later)) {
		loop->later = task->next;
		if (!loop->later)
			loop->later_end = &loop->later;
		task->queued = false;
		task->run(task);
	}
}

void loop_dispose(struct loop *loop, struct task *task)
{
	task->next = loop->garbage;
	loop->garbage = task;
}

static void timer_unlink(struct timer *timer)
{
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	timer->link = NULL;
}

static void timer_link(struct loop *loop, struct timer *timer)
{
	unsigned slot = (uint64_t)(timer->due / LOOP_SLOT_MS) % LOOP_SLOTS;

	timer->next = loop->slots[slot];
	if (timer->next)
		timer->next->link = &timer->next;
	timer->link = &loop->slots[slot];
	loop->slots[slot] = timer;
	loop->occupied |= UINT64_C(1) << slot;
}

void loop_timer_set(struct loop *loop, struct timer *timer, int64_t milliseconds)
{
	if (timer->link)
		timer_unlink(timer);
	/* A slot is looked at when it begins: so due is the beginning of the first slot that is not
	 * early. */
	timer->due = ((loop->now_ms + (milliseconds < 0 ? 0 : milliseconds)) / LOOP_SLOT_MS + 1) *
		     LOOP_SLOT_MS;
	timer_link(loop, timer);
}

void loop_timer_clear(struct loop *loop, struct timer *timer)
{
	(void)loop;
	if (timer->link)
		timer_unlink(timer);
}

static void expire_slot(struct loop *loop, unsigned slot)
{
	struct timer *waiting = loop->slots[slot], *timer;

	/* The list is taken off first: what expires may set timers, itself too. */
	loop->slots[slot] = NULL;
	loop->occupied &= ~(UINT64_C(1) << slot);
	if (waiting)
		waiting->link = &waiting;
	while ((timer = waiting)) {
		timer_unlink(timer);
		if (timer->due > loop->now_ms)
			timer_link(loop, timer);
		else
			timer->expired(timer);
	}
}

static void run_timers(struct loop *loop)
{
	int64_t now = loop->now_ms / LOOP_SLOT_MS;

	if (now - loop->tick > LOOP_SLOTS)
		loop->tick = now - LOOP_SLOTS;
	while (loop->tick < now) {
		loop->tick++;
		if (loop->occupied >> (loop->tick % LOOP_SLOTS) & 1)
			expire_slot(loop, (unsigned)(loop->tick % LOOP_SLOTS));
	}
}

/* How long until the next slot that holds a timer begins; -1 without timers. */
static int next_timer_ms(const struct loop *loop)
{
	unsigned shift = (unsigned)((loop->tick + 1) % LOOP_SLOTS);
	uint64_t rotated;
	int64_t due;

	if (!loop->occupied)
		return -1;
	rotated = shift ? loop->occupied >> shift | loop->occupied << (LOOP_SLOTS - shift)
			: loop->occupied;
	due = (loop->tick + 1 + __builtin_ctzll(rotated)) * LOOP_SLOT_MS - loop->now_ms;
	return due < 0 ? 0 : (int)due;
}

/* Whether nothing was left to do, so that whoever has something from now on wakes the loop. */
static bool fall_asleep(struct loop *loop)
{
	if (loop->later || (loop->source && !loop->source->sleep(loop->source, loop->busy)))
		return false;
	atomic_store(&loop->asleep, true);
	return !atomic_load(&loop->posted);
}

void loop_turn(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int timer_ms = next_timer_ms(loop), n;

	if (timer_ms >= 0 && (timeout_ms < 0 || timer_ms < timeout_ms))
		timeout_ms = timer_ms;
	if (timeout_ms && !fall_asleep(loop))
		timeout_ms = 0;
	n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_ms);
	atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
	loop->now_ms = monotonic_ms();
	atomic_store_explicit(&loop->turns,
			      atomic_load_explicit(&loop->turns, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	loop->busy = n > 0;
	if (loop->source)
		loop->busy |= loop->source->run(loop->source);
	for (int i = 0; i < n; i++) {
		struct watch *watch = events[i].data.ptr;

		if (watch->fd >= 0)
			watch->ready(watch, events[i].events);
	}
	run_posted(loop);
	run_timers(loop);
	run_later(loop);
	collect_garbage(loop);
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stopping, true);
	loop_wake(loop);
}

void loop_run(struct loop *loop)
{
	while (!loop->stopping)
		loop_turn(loop, -1);
}
