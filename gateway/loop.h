/* The event loop: descriptors, timers, and work handed over by other threads. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One thread runs a loop and everything that hangs on it. Only loop_post(), loop_wake() and
 * loop_stop() may be called by others.
 *
 * A turn: wait; ask the source; call what is ready; run what was posted; let timers expire; run
 * what was put off to the end of the turn (flushing, mostly, so that all that one turn writes goes
 * out in one system call); free what was disposed of. Because freeing comes last, an event that
 * names a watch closed in the same turn still finds its memory.
 */
struct watch {
	int fd; /* -1: closed; its event is passed over */
	void (*ready)(struct watch *watch, uint32_t events);
};

struct timer {
	struct timer *next, **link; /* link: NULL when not set */
	int64_t due;
	void (*expired)(struct timer *timer);
};

struct task {
	struct task *next;
	bool queued; /* by loop_later() */
	void (*run)(struct task *task);
};

/* Work that comes otherwise than by descriptors: the loop asks for it in each turn. */
struct source {
	/* Does what there is; whether there was any. */
	bool (*run)(struct source *source);
	/* The loop is about to sleep: false: not now. What comes then says loop_wake(). `busy`: this
	 * turn had something to do. */
	bool (*sleep)(struct source *source, bool busy);
};

enum { LOOP_SLOTS = 64, LOOP_SLOT_MS = 64 };

struct loop {
	int epoll_fd, event_fd;
	struct watch wakeup;
	int64_t now_ms;         /* monotonic, as of this turn */
	_Atomic uint64_t turns; /* so far */
	_Atomic bool stopping;
	_Atomic bool asleep; /* what is posted must wake it */
	bool busy;           /* the last turn had something to do */
	_Atomic(struct task *) posted;
	struct source *source; /* or NULL */
	struct task *later, **later_end;
	struct task *garbage;
	/* A hashed wheel: a timer stands in the slot of its due time, and is looked at once in each
	 * revolution. */
	struct timer *slots[LOOP_SLOTS];
	uint64_t occupied; /* a bit for each slot */
	int64_t tick;      /* the slots up to this one have been looked at */
};

int loop_init(struct loop *loop);
void loop_deinit(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop() */
void loop_turn(struct loop *loop, int timeout_ms);
void loop_stop(struct loop *loop); /* any thread */

/* As epoll_ctl(2) takes them. 0 or -errno. */
int loop_watch(struct loop *loop, struct watch *watch, uint32_t events);
int loop_change(struct loop *loop, struct watch *watch, uint32_t events);
void loop_unwatch(struct loop *loop, struct watch *watch); /* does not close */

void loop_post(struct loop *loop,
	       struct task *task); /* any thread; the task must not be queued already */
void loop_wake(struct loop *loop); /* any thread */
void loop_later(struct loop *loop,
		struct task *task); /* at the end of this turn; once, however often asked for */
void loop_dispose(struct loop *loop, struct task *task); /* run() frees what holds the task */

/* Moves it when it is set already. Precise to LOOP_SLOT_MS, never early. */
void loop_timer_set(struct loop *loop, struct timer *timer, int64_t milliseconds);
void loop_timer_clear(struct loop *loop, struct timer *timer);
