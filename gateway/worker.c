/* A worker. */
#include "worker.h"
#include "access_log.h"
#include "connection.h"
#include "encoding.h"
#include "gateway.h"
#include "listener.h"
#include "rate_limits.h"
#include "redis_async.h"
#include "request.h"
#include "sessions.h"
#include "tls.h"
#include <crpc/client.h>
#include <crpc/log.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { TLS_CHECK_MS = 30 * 1000 };

uint64_t worker_random(struct worker *worker)
{
	/* xorshift128+ */
	uint64_t a = worker->random[0], b = worker->random[1];

	worker->random[0] = b;
	a ^= a << 23;
	worker->random[1] = a ^ b ^ a >> 18 ^ b >> 5;
	return worker->random[1] + b;
}

const char *worker_date(struct worker *worker)
{
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != worker->date_second) {
		worker->date_second = now.tv_sec;
		gmtime_r(&now.tv_sec, &parts);
		strftime(worker->date, sizeof(worker->date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
	}
	return worker->date;
}

/* A certificate lives shorter than a gateway: the files are looked at now and then. */
static void renew_tls(struct timer *timer)
{
	struct worker *worker = (void *)((char *)timer - offsetof(struct worker, tls_timer));
	char *error = NULL;

	if (tls_reload(&worker->tls, worker->gateway->http_tls_dir, &error) < 0)
		log_error(NULL, "the new certificate cannot be used; the old one stays",
			  { "reason", error });
	free(error);
	loop_timer_set(&worker->loop, timer, TLS_CHECK_MS);
}

static struct worker *worker_of(struct source *source)
{
	return (void *)((char *)source - offsetof(struct worker, source));
}

static bool run_completions(struct source *source)
{
	return rpc_completions_run(worker_of(source)->completions);
}

static bool watch_completions(struct source *source, bool busy)
{
	return rpc_completions_watch(worker_of(source)->completions, busy);
}

/* On the completions' thread. */
static void wake_worker(void *data)
{
	loop_wake(&((struct worker *)data)->loop);
}

struct worker *worker_new(const struct gateway *gateway, char **error)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int r;

	*error = NULL;
	if (!worker)
		return NULL;
	worker->gateway = gateway;
	if (getrandom(worker->random, sizeof(worker->random), 0) < 0)
		worker->random[0] = (uint64_t)time(NULL);
	worker->random[1] |= 1;
	r = loop_init(&worker->loop);
	if (r) {
		if (asprintf(error, "cannot make an event loop: %s", strerror(-r)) < 0)
			*error = NULL;
		free(worker);
		return NULL;
	}
	worker->source = (struct source){ run_completions, watch_completions };
	worker->completions = rpc_completions_new(wake_worker, worker);
	worker->loop.source = &worker->source;
	worker->encoder = encoder_new();
	worker->access_log = access_log_new(worker);
	worker->limits = limits_new(worker);
	worker->sessions = sessions_new(worker);
	if (!worker->encoder || !worker->access_log || !worker->limits || !worker->sessions)
		return worker_free(worker);
	if (gateway->http_tls_dir && *gateway->http_tls_dir) {
		worker->tls = tls_new(gateway->http_tls_dir, error);
		if (!worker->tls)
			return worker_free(worker);
		worker->tls_timer.expired = renew_tls;
		loop_timer_set(&worker->loop, &worker->tls_timer, TLS_CHECK_MS);
	}
	if (gateway->redis_url && *gateway->redis_url) {
		worker->redis = redis_async_new(&worker->loop, gateway->redis_url, error);
		if (!worker->redis)
			return worker_free(worker);
	}
	return worker;
}

static void close_all(struct worker *worker)
{
	while (worker->connections)
		connection_close(worker->connections);
}

struct worker *worker_free(struct worker *worker)
{
	if (!worker)
		return NULL;
	for (size_t i = 0; i < sizeof(worker->listeners) / sizeof(*worker->listeners); i++)
		worker->listeners[i] = listener_free(worker->listeners[i]);
	close_all(worker);
	worker->redis = redis_async_free(worker->redis);
	/* Cancelled calls come back soon; their memory is ours until then. */
	while (worker->n_requests)
		loop_turn(&worker->loop, 100);
	loop_turn(&worker->loop, 0);
	worker->sessions = sessions_free(worker->sessions);
	worker->limits = limits_free(worker->limits);
	worker->access_log = access_log_free(worker->access_log);
	worker->encoder = encoder_free(worker->encoder);
	request_pool_free(worker);
	worker->loop.source = NULL;
	worker->completions = rpc_completions_free(worker->completions);
	buffer_deinit(&worker->head);
	SSL_CTX_free(worker->tls);
	loop_deinit(&worker->loop);
	free(worker);
	return NULL;
}

void worker_connection_closed(struct worker *worker)
{
	for (size_t i = 0; i < sizeof(worker->listeners) / sizeof(*worker->listeners); i++)
		if (worker->listeners[i])
			listener_room(worker->listeners[i]);
	if (worker->draining && !worker->n_connections && !worker->n_requests)
		loop_stop(&worker->loop);
}

static void drain(struct task *task)
{
	struct worker *worker = (void *)((char *)task - offsetof(struct worker, drain));
	struct connection *next;

	worker->draining = true;
	for (size_t i = 0; i < sizeof(worker->listeners) / sizeof(*worker->listeners); i++)
		if (worker->listeners[i] && !worker->listeners[i]->admin)
			listener_close(worker->listeners[i]);
	for (struct connection *connection = worker->connections; connection; connection = next) {
		next = connection->next;
		connection_wind_down(connection);
	}
	loop_timer_set(&worker->loop, &worker->drain_timer, worker->drain_timeout_ms);
	worker_connection_closed(worker);
}

static void drain_expired(struct timer *timer)
{
	struct worker *worker = (void *)((char *)timer - offsetof(struct worker, drain_timer));

	loop_stop(&worker->loop);
}

void worker_drain(struct worker *worker, int64_t timeout_ms)
{
	if (atomic_exchange(&worker->drain_asked, true))
		return;
	worker->drain_timeout_ms = timeout_ms;
	worker->drain.run = drain;
	worker->drain_timer.expired = drain_expired;
	loop_post(&worker->loop, &worker->drain);
}
