/* Work on a timer: each on a thread of its own, woken when there is something to do. */
#include "call_private.h"
#include "service_private.h"
#include "thread.h"
#include <crpc/client.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct service_timer {
	struct service_timer *next;
	const char *name;
	int64_t interval_ms;
	int (*run)(void *data, struct rpc_call *call);
	void *data;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool threaded, woken, stopping;
	struct rpc_call *call; /* of the turn that runs; cancelled when the service stops */
};

/* One turn: whether there is more to do at once. */
static bool turn(struct service_timer *timer)
{
	struct rpc_call *call = rpc_call_new(timer->name, 0);
	int r;

	pthread_mutex_lock(&timer->lock);
	timer->call = call;
	pthread_mutex_unlock(&timer->lock);
	r = rpc_call_run(call, timer->run, timer->data);
	pthread_mutex_lock(&timer->lock);
	timer->call = NULL;
	pthread_mutex_unlock(&timer->lock);
	if (r < 0)
		log_error(call, "background work failed", { "work", timer->name },
			  { "error", log_errno(r) });
	else if (r > 0 && r == rpc_error_code(call)) {
		/* A peer's error that was handed on: not a sign that there is more. */
		log_warning(call, "background work was refused", { "work", timer->name },
			    { "code", rpc_code_name(r) }, { "error", rpc_error_message(call) });
		r = 0;
	}
	rpc_call_free(call);
	return r > 0;
}

/* Waits for the next turn: false when the service stops. */
static bool wait_turn(struct service_timer *timer, bool at_once)
{
	int64_t tenth = timer->interval_ms / 10,
		spread = tenth ? (int64_t)(trace_random() % (uint64_t)(2 * tenth + 1)) - tenth : 0;
	int64_t until_ms = monotonic_ms() + timer->interval_ms + spread;
	struct timespec until = { until_ms / 1000, until_ms % 1000 * 1000000 };
	bool go;

	pthread_mutex_lock(&timer->lock);
	while (!at_once && !timer->woken && !timer->stopping)
		if (pthread_cond_timedwait(&timer->changed, &timer->lock, &until) == ETIMEDOUT)
			break;
	timer->woken = false;
	go = !timer->stopping;
	pthread_mutex_unlock(&timer->lock);
	return go;
}

static void *timer_thread(void *data)
{
	struct service_timer *timer = data;
	bool more = false;

	while (wait_turn(timer, more))
		more = turn(timer);
	return NULL;
}

static void timer_start(struct service_timer *timer)
{
	if (thread_start(&timer->thread, THREAD_STACK, timer->name, timer_thread, timer))
		abort();
	timer->threaded = true;
}

void service_every(struct service *service, const char *name, int64_t interval_ms,
		   int (*run)(void *data, struct rpc_call *call), void *data)
{
	struct service_timer *timer = calloc(1, sizeof(*timer));
	pthread_condattr_t monotonic;

	if (!timer)
		abort();
	*timer = (struct service_timer){
		.name = name, .interval_ms = interval_ms, .run = run, .data = data
	};
	pthread_mutex_init(&timer->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&timer->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_lock(&service->lock);
	timer->next = service->timers;
	service->timers = timer;
	if (service->started)
		timer_start(timer);
	pthread_mutex_unlock(&service->lock);
}

void service_wake(struct service *service, const char *name)
{
	struct service_timer *timer;

	pthread_mutex_lock(&service->lock);
	for (timer = service->timers; timer; timer = timer->next)
		if (!strcmp(timer->name, name)) {
			pthread_mutex_lock(&timer->lock);
			timer->woken = true;
			pthread_cond_signal(&timer->changed);
			pthread_mutex_unlock(&timer->lock);
		}
	pthread_mutex_unlock(&service->lock);
}

void service_timers_start(struct service *service)
{
	pthread_mutex_lock(&service->lock);
	service->started = true;
	for (struct service_timer *timer = service->timers; timer; timer = timer->next)
		timer_start(timer);
	pthread_mutex_unlock(&service->lock);
}

void service_timers_stop(struct service *service)
{
	struct service_timer *timers, *next;

	for (struct service_timer *timer = service->timers; timer; timer = timer->next) {
		pthread_mutex_lock(&timer->lock);
		timer->stopping = true;
		if (timer->call)
			rpc_call_cancel(timer->call);
		pthread_cond_signal(&timer->changed);
		pthread_mutex_unlock(&timer->lock);
	}
	pthread_mutex_lock(&service->lock);
	timers = service->timers;
	service->timers = NULL; /* from here on nothing can be woken */
	pthread_mutex_unlock(&service->lock);
	for (struct service_timer *timer = timers; timer; timer = next) {
		next = timer->next;
		if (timer->threaded)
			pthread_join(timer->thread, NULL);
		pthread_cond_destroy(&timer->changed);
		pthread_mutex_destroy(&timer->lock);
		free(timer);
	}
}
