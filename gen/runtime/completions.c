/* Calls that end on a thread with a loop of its own. */
#include "channel_private.h"
#include "thread.h"
#include <stdlib.h>

/*
 * A connection of the core is worked on by one thread at a time; whoever comes meanwhile leaves his
 * part to a third thread, which costs two switches. So the loop's thread does all of it as long as
 * it is awake: it starts calls, and takes what the connections bring in between, without waiting.
 *
 *   the watcher is   WATCHING ── an end came, the thread sleeps ──▶ WATCHING   hand_over(): wake()
 *                    WATCHING ── an end came, the thread is awake ─▶ AWAY      hand_over()
 *                    AWAY ────── the thread falls asleep ──────────▶ WATCHING  rpc_completions_watch()
 *
 * Invariants, under `lock`: somebody looks at the queue, the watcher or (AWAY) the thread, which
 * does so before it sleeps; who sleeps is woken once for what was handed over.
 */
enum { RUN_MAX = 256 }; /* ends in a turn; then descriptors have theirs */

struct rpc_completions {
	grpc_completion_queue *queue;
	void (*wake)(void *data);
	void *data;
	pthread_t watcher;
	pthread_mutex_t lock;
	pthread_cond_t back;
	bool away;   /* written under `lock`, by the loop's thread only to end it */
	bool asleep; /* the loop's thread */
	bool ended;  /* the loop: nobody comes to call the watcher back */
	struct core_event *first, **end; /* handed over by the watcher */
};

static void hand_over(struct rpc_completions *completions, struct core_event *event, bool ok)
{
	bool asleep;

	core_after(event);
	event->ok = ok;
	event->next = NULL;
	pthread_mutex_lock(&completions->lock);
	*completions->end = event;
	completions->end = &event->next;
	asleep = completions->asleep;
	completions->asleep = false;
	completions->away = !asleep && !completions->ended;
	while (completions->away)
		pthread_cond_wait(&completions->back, &completions->lock);
	pthread_mutex_unlock(&completions->lock);
	if (asleep)
		completions->wake(completions->data);
}

static void *watch(void *data)
{
	struct rpc_completions *completions = data;

	for (;;) {
		grpc_event event = grpc_completion_queue_next(
			completions->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

		if (event.type == GRPC_QUEUE_SHUTDOWN)
			return NULL;
		if (event.type == GRPC_OP_COMPLETE)
			hand_over(completions, event.tag, event.success);
	}
}

struct rpc_completions *rpc_completions_new(void (*wake)(void *data), void *data)
{
	struct rpc_completions *completions = calloc(1, sizeof(*completions));

	if (!completions)
		abort();
	core_ref();
	completions->wake = wake;
	completions->data = data;
	completions->end = &completions->first;
	pthread_mutex_init(&completions->lock, NULL);
	pthread_cond_init(&completions->back, NULL);
	completions->queue = grpc_completion_queue_create_for_next(NULL);
	if (thread_start(&completions->watcher, THREAD_STACK, "rpc-watch", watch, completions))
		abort();
	return completions;
}

/* Under the lock. */
static void call_back(struct rpc_completions *completions)
{
	if (!completions->away)
		return;
	completions->away = false;
	pthread_cond_signal(&completions->back);
}

struct rpc_completions *rpc_completions_free(struct rpc_completions *completions)
{
	if (!completions)
		return NULL;
	pthread_mutex_lock(&completions->lock);
	completions->ended = true;
	completions->asleep = false; /* no wake() either */
	call_back(completions);
	pthread_mutex_unlock(&completions->lock);
	grpc_completion_queue_shutdown(completions->queue);
	pthread_join(completions->watcher, NULL);
	rpc_completions_run(completions);
	grpc_completion_queue_destroy(completions->queue);
	pthread_cond_destroy(&completions->back);
	pthread_mutex_destroy(&completions->lock);
	free(completions);
	core_unref();
	return NULL;
}

grpc_completion_queue *completions_queue(struct rpc_completions *completions)
{
	return completions->queue;
}

void rpc_call_set_completions(struct rpc_call *call, struct rpc_completions *completions)
{
	call->completions = completions;
}

bool rpc_completions_run(struct rpc_completions *completions)
{
	struct core_event *event, *next;
	bool away, any;

	pthread_mutex_lock(&completions->lock);
	completions->asleep = false;
	away = completions->away;
	event = completions->first;
	completions->first = NULL;
	completions->end = &completions->first;
	pthread_mutex_unlock(&completions->lock);
	any = event;
	for (; event; event = next) {
		next = event->next;
		event->run(event, event->ok);
	}
	for (int i = 0; away && i < RUN_MAX; i++) {
		grpc_event polled = grpc_completion_queue_next(
			completions->queue, gpr_inf_past(GPR_CLOCK_MONOTONIC), NULL);

		if (polled.type != GRPC_OP_COMPLETE)
			break;
		event = polled.tag;
		core_after(event);
		event->run(event, polled.success);
		any = true;
	}
	return any;
}

bool rpc_completions_watch(struct rpc_completions *completions, bool busy)
{
	bool asleep;

	pthread_mutex_lock(&completions->lock);
	/* While the thread looks by itself, it sleeps only after a turn that brought nothing. */
	asleep = !completions->first && !(completions->away && busy);
	completions->asleep = asleep;
	if (asleep)
		call_back(completions);
	pthread_mutex_unlock(&completions->lock);
	return asleep;
}
