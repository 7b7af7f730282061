/* A server's life: made, started, drained, freed. */
#include "channelz.h"
#include "health.h"
#include "reflection.h"
#include "server_private.h"
#include "thread.h"
#include "tls.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	POSTED_CALLS = 8,   /* of each unary method, so that a burst finds room */
	POSTED_STREAMS = 2, /* each has a queue of its own */
	KEEPALIVE_MS = 30 * 1000,
	KEEPALIVE_TIMEOUT_MS = 10 * 1000,
	METADATA_MAX = 16 * 1024,
	CONNECTION_GRACE_MS = 60 * 1000,
	POLLING_MIN = 2,
	CPUS_A_POLLER = 2, /* the rest of a call is its handler, which other threads run */
};

static const struct rpc_server_options defaults = {
	.threads = 4,
	.queue = 256,
	.streams = 64,
	.arena_cap = CALL_ARENA_CAP,
	.max_message_bytes = 4 * 1024 * 1024,
};

static void take_default(struct rpc_server_options *options)
{
	options->threads = options->threads ? options->threads : defaults.threads;
	options->queue = options->queue ? options->queue : defaults.queue;
	options->streams = options->streams ? options->streams : defaults.streams;
	options->arena_cap = options->arena_cap ? options->arena_cap : defaults.arena_cap;
	options->max_message_bytes = options->max_message_bytes ? options->max_message_bytes
								: defaults.max_message_bytes;
}

static grpc_arg integer(const char *key, int64_t value)
{
	return (grpc_arg){ GRPC_ARG_INTEGER,
			   (char *)key,
			   { .integer = value > INT32_MAX ? INT32_MAX : (int)value } };
}

/* What no method takes is not read at all. */
static int64_t largest_message(const struct rpc_server *server)
{
	size_t largest = 0;

	for (size_t i = 0; i < server->n_methods; i++) {
		size_t bytes = server->methods[i]->served.method->max_request_bytes;

		if (!bytes)
			return (int64_t)server->options.max_message_bytes;
		if (bytes > largest)
			largest = bytes;
	}
	return (int64_t)(largest < server->options.max_message_bytes
				 ? largest
				 : server->options.max_message_bytes);
}

static grpc_server *core_server_new(const struct rpc_server *server)
{
	const struct rpc_server_options *options = &server->options;
	grpc_arg list[16];
	grpc_channel_args args = { 0, list };

	list[args.num_args++] =
		integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, largest_message(server));
	list[args.num_args++] = integer(GRPC_ARG_MAX_METADATA_SIZE, METADATA_MAX);
	list[args.num_args++] =
		integer(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0); /* payload.c does */
	/* More than can run and wait, so that what is too much is refused with a reason and not
	 * held back. */
	list[args.num_args++] =
		integer(GRPC_ARG_MAX_CONCURRENT_STREAMS,
			2 * ((int64_t)options->threads + options->queue + options->streams) + 16);
	list[args.num_args++] =
		integer(GRPC_ARG_ALLOW_REUSEPORT, 0); /* a second server on the port is a mistake */
	list[args.num_args++] = integer(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS);
	list[args.num_args++] = integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS);
	list[args.num_args++] = integer(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
	list[args.num_args++] =
		integer(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, KEEPALIVE_MS / 3);
	list[args.num_args++] = integer(GRPC_ARG_ENABLE_CHANNELZ, options->channelz);
	if (options->max_connection_age_ms) {
		list[args.num_args++] =
			integer(GRPC_ARG_MAX_CONNECTION_AGE_MS, options->max_connection_age_ms);
		list[args.num_args++] =
			integer(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, CONNECTION_GRACE_MS);
	}
	return grpc_server_create(&args, NULL);
}

static void shutdown_done(struct core_event *event, bool ok)
{
	struct rpc_server *server =
		(struct rpc_server *)((char *)event - offsetof(struct rpc_server, shutdown));

	(void)ok;
	pthread_mutex_lock(&server->lock);
	server->stopped = true;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

struct rpc_server *rpc_server_new(const struct rpc_server_options *options, char **error)
{
	struct rpc_server *server = calloc(1, sizeof(*server));
	pthread_condattr_t monotonic;

	if (!server)
		abort();
	server->options = *options;
	take_default(&server->options);
	server->last_waiting = &server->waiting;
	server->polling_max = (int)sysconf(_SC_NPROCESSORS_ONLN) / CPUS_A_POLLER;
	if (server->polling_max < POLLING_MIN)
		server->polling_max = POLLING_MIN;
	server->shutdown.run = shutdown_done;
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&server->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&server->called, NULL);
	server->in_flight = metric_gauge("rpc_server_in_flight", NULL, "Handlers that run now.");
	server->queued = metric_gauge("rpc_server_queued", NULL, "Calls that wait for a thread.");
	server->shed = metric_counter("rpc_server_shed_total", NULL,
				      "Calls refused because too many were waiting.");

	core_ref();
	server->queue = grpc_completion_queue_create_for_next(NULL);
	server->health = health_new(server);
	health_serve(server->health);
	reflection_serve(server);
	if (options->channelz)
		channelz_serve(server);
	(void)error;
	return server;
}

void server_add(struct rpc_server *server, const struct rpc_service *service, const void *ops,
		void *self, enum serve_how (*how)(const struct rpc_method *method))
{
	server->services =
		realloc(server->services, (server->n_services + 1) * sizeof(*server->services));
	server->methods = realloc(server->methods, (server->n_methods + service->n_methods) *
							   sizeof(*server->methods));
	if (!server->services || !server->methods)
		abort();
	server->services[server->n_services++] = service;
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct rpc_method *method = &service->methods[i];
		struct server_method *entry = calloc(1, sizeof(*entry));

		if (!entry)
			abort();
		entry->served =
			(struct served_method){ .method = method, .ops = ops, .self = self };
		entry->server = server;
		entry->how = how                                                    ? how(method)
			     : method->client_streaming || method->server_streaming ? SERVE_THREAD
										    : SERVE_POOL;
		server->methods[server->n_methods++] = entry;
	}
}

void rpc_server_add(struct rpc_server *server, const struct rpc_service *service, const void *ops,
		    void *self)
{
	server_add(server, service, ops, self, NULL);
	health_know(server->health, service->name);
}

static void *poll_thread(void *data)
{
	struct rpc_server *server = data;

	server_poll(server);
	core_run_events(server->queue);
	return NULL;
}

static int start_threads(struct rpc_server *server)
{
	int n = server->options.threads + 1;

	server->threads = calloc((size_t)n, sizeof(*server->threads));
	if (!server->threads)
		return -ENOMEM;
	for (; server->n_threads < n; server->n_threads++) {
		int r = thread_start(&server->threads[server->n_threads], THREAD_STACK, "rpc",
				     poll_thread, server);

		if (r)
			return r;
	}
	return 0;
}

static void core_register(struct rpc_server *server)
{
	if (server->core) /* the start is tried again */
		return;
	server->core = core_server_new(server);
	grpc_server_register_completion_queue(server->core, server->queue, NULL);
	for (size_t i = 0; i < server->n_methods; i++) {
		struct server_method *method = server->methods[i];

		method->registered = grpc_server_register_method(
			server->core, method->served.method->path, NULL,
			method->served.method->client_streaming
				? GRPC_SRM_PAYLOAD_NONE
				: GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER,
			0);
	}
}

int rpc_server_start(struct rpc_server *server, char **error)
{
	const struct rpc_server_options *options = &server->options;
	grpc_server_credentials *credentials = tls_server_credentials(options->tls_dir, error);

	if (!credentials)
		return -EINVAL;
	core_register(server);
	server->port = grpc_server_add_http2_port(server->core, options->listen, credentials);
	grpc_server_credentials_release(credentials);
	if (server->port <= 0) {
		if (asprintf(error, "cannot listen on %s: not an address of this host, or in use",
			     options->listen) < 0)
			abort();
		return -EADDRINUSE;
	}
	if (start_threads(server)) {
		*error = strdup("cannot start the server's threads");
		return -EAGAIN;
	}
	grpc_server_start(server->core);
	server->started = true;
	for (size_t i = 0; i < server->n_methods; i++) {
		int n = server->methods[i]->how == SERVE_THREAD ? POSTED_STREAMS : POSTED_CALLS;

		for (int j = 0; j < n; j++)
			server_post(server, server->methods[i]);
	}
	server_post(server, NULL);
	return 0;
}

int rpc_server_port(const struct rpc_server *server)
{
	return server->port;
}

void rpc_server_set_serving(struct rpc_server *server, const char *service, bool serving)
{
	health_set(server->health, service, serving);
}

/* The core aborts at a batch on a queue that was shut down: so each call, the watches of health too,
 * must have been given back. */
static bool idle(const struct rpc_server *server)
{
	return server->stopped && !server->n_calls && !server->running && !server->streams;
}

/* Waits until idle or the time: whether it is. INT64_MAX: for ever. */
static bool wait_idle(struct rpc_server *server, int64_t until_ms)
{
	struct timespec until = { until_ms / 1000, (until_ms % 1000) * 1000000 };
	bool done;
	int r = 0;

	pthread_mutex_lock(&server->lock);
	while (!(done = idle(server)) && r != ETIMEDOUT) {
		if (until_ms == INT64_MAX)
			pthread_cond_wait(&server->changed, &server->lock);
		else
			r = pthread_cond_timedwait(&server->changed, &server->lock, &until);
	}
	pthread_mutex_unlock(&server->lock);
	return done;
}

void rpc_server_drain(struct rpc_server *server, int64_t timeout_ms)
{
	if (!server->started || server->shutdown_begun)
		return;
	server->shutdown_begun = true;
	health_set(server->health, "", false);
	atomic_store_explicit(&server->draining, true, memory_order_release);
	/* From here on connections are told to go away, no new call is taken, those in flight go
	 * on. */
	core_before(&server->shutdown);
	grpc_server_shutdown_and_notify(server->core, server->queue, &server->shutdown);
	health_end(server->health);
	if (wait_idle(server, monotonic_ms() + timeout_ms))
		return;
	grpc_server_cancel_all_calls(server->core);
}

struct rpc_server *rpc_server_free(struct rpc_server *server)
{
	if (!server)
		return NULL;
	if (server->started) {
		rpc_server_drain(server, 0);
		wait_idle(server, INT64_MAX);
	}
	grpc_completion_queue_shutdown(server->queue);
	pthread_mutex_lock(&server->lock);
	server->ended = true;
	pthread_cond_broadcast(&server->called);
	pthread_mutex_unlock(&server->lock);
	if (!server->n_threads) {
		core_run_events(server->queue); /* never started: nobody else empties it */
	}
	for (int i = 0; i < server->n_threads; i++)
		pthread_join(server->threads[i], NULL);
	if (server->core)
		grpc_server_destroy(server->core);
	grpc_completion_queue_destroy(server->queue);
	server_free_calls(server);
	health_free(server->health);
	for (size_t i = 0; i < server->n_methods; i++)
		free(server->methods[i]);
	free(server->methods);
	free(server->services);
	free(server->threads);
	pthread_cond_destroy(&server->changed);
	pthread_cond_destroy(&server->called);
	pthread_mutex_destroy(&server->lock);
	free(server);
	core_unref();
	return NULL;
}
