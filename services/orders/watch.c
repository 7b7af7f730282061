/*
 * Watching: a stream that sends the order whenever it has become another.
 *
 * A watcher waits on a condition that is signalled when this process saves the order
 * (orders_watch_wake) and when the bus tells of an order that another replica changed. Neither is
 * relied upon: the watcher also looks at the version by itself every `watch_poll`, so a wake-up
 * that is lost costs that time and no change.
 */
#include "orders_store.h"
#include <common/etag.h>
#include <common/names.h>
#include <common/nats.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum { SLICE_MS = 250 }; /* how late a watcher may notice that its client has gone */

struct watcher {
	struct watcher *next;
	const char *id;
	bool woken;
	pthread_cond_t changed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct watcher *watchers;
static struct nats_listener *listener;

void orders_watch_wake(const char *id)
{
	pthread_mutex_lock(&lock);
	for (struct watcher *watcher = watchers; watcher; watcher = watcher->next)
		if (!strcmp(watcher->id, id)) {
			watcher->woken = true;
			pthread_cond_signal(&watcher->changed);
		}
	pthread_mutex_unlock(&lock);
}

static void hear(void *data, const struct rpc_event *event)
{
	orders_watch_wake(name_id(event->about));
}

int orders_watch_start(void)
{
	return nats_listen("souk.orders.>", hear, NULL, &listener);
}

void orders_watch_stop(void)
{
	listener = nats_listener_free(listener);
}

static void watcher_begin(struct watcher *watcher, const char *id)
{
	pthread_condattr_t monotonic;

	*watcher = (struct watcher){ .id = id };
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&watcher->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_lock(&lock);
	watcher->next = watchers;
	watchers = watcher;
	pthread_mutex_unlock(&lock);
}

static void watcher_end(struct watcher *watcher)
{
	pthread_mutex_lock(&lock);
	for (struct watcher **at = &watchers; *at; at = &(*at)->next)
		if (*at == watcher) {
			*at = watcher->next;
			break;
		}
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&watcher->changed);
}

/* Waits until woken, at most `ms`. */
static bool watcher_wait(struct watcher *watcher, int64_t ms)
{
	struct timespec until;
	bool woken;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&lock);
	if (!watcher->woken)
		pthread_cond_timedwait(&watcher->changed, &lock, &until);
	woken = watcher->woken;
	watcher->woken = false;
	pthread_mutex_unlock(&lock);
	return woken;
}

static bool is_final(const OrderRecord *record)
{
	switch (record->order->state) {
	case ORDER_STATE_COMPLETED:
	case ORDER_STATE_CANCELLED:
	case ORDER_STATE_REJECTED:
		return true;
	case ORDER_STATE_EXPIRED:
		return !record->next_look_time;
	default:
		return false;
	}
}

struct look {
	const char *id;
	int64_t version; /* that was sent last */
	bool final;
	struct order_writer *out;
};

/* Sends the order if it is another; a call of its own, whose memory goes with each look, however
 * long the stream is. */
static int look(void *data, struct rpc_call *call)
{
	struct look *look = data;
	OrderRecord *record;
	bool changed;
	int r;

	r = order_has_changed(call, look->id, look->version, &changed);
	if (r || !changed)
		return r;
	r = order_read(call, look->id, &record);
	if (!r)
		r = order_writer_send(look->out, orders_view(call, record));
	if (r)
		return r;
	look->version = record->version;
	look->final = is_final(record);
	return 0;
}

static int look_once(struct look *at)
{
	cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("orders.watch", 5000);
	int r = rpc_call_run(call, look, at);

	/* A database that is away for a while does not end the stream. */
	return r == RPC_UNAVAILABLE || r == RPC_DEADLINE_EXCEEDED ? 0 : r;
}

static bool has_ended(const struct rpc_call *call)
{
	int64_t expires = rpc_caller(call)->expire_time;

	return rpc_call_cancelled(call) || (expires && rpc_now_ms(call) >= expires);
}

int orders_watch_order(struct orders_service *self, struct rpc_call *call,
		       const WatchOrderRequest *req, struct order_writer *out)
{
	struct watcher watcher;
	OrderRecord *record;
	struct look at;
	int r;

	r = orders_find(call, req->name, "orders.read", &record);
	if (r)
		return r;
	at = (struct look){ .id = record->id, .out = out };
	if (*req->last_etag && etag_is(call, req->last_etag, record->version)) {
		at.version = record->version;
		at.final = is_final(record);
	}
	/* Listening begins before the first look, so that nothing falls between. */
	watcher_begin(&watcher, record->id);
	r = at.version ? 0 : look_once(&at);
	while (!r && !at.final && !has_ended(call)) {
		bool woken = false;

		for (int64_t waited = 0; !woken && waited < self->watch_poll && !has_ended(call);
		     waited += SLICE_MS)
			woken = watcher_wait(&watcher, SLICE_MS);
		r = look_once(&at);
	}
	watcher_end(&watcher);
	return r == MONGO_NOT_FOUND ? 0 : r;
}
