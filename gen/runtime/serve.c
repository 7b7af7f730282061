/* Serving calls: from the queue to a thread, and the answer back. */
#include "health.h"
#include "payload.h"
#include "server_private.h"
#include "tls.h"
#include <crpc/log.h>
#include <stdlib.h>
#include <string.h>

enum { FREE_CALLS_MAX = 64, RETRY_AFTER_MS = 200 };

#define server_call_of(event, member)                                                              \
	((struct server_call *)((char *)(event)-offsetof(struct server_call, member)))

static void server_call_free(struct server_call *sc)
{
	if (sc->queue) {
		grpc_completion_queue_shutdown(sc->queue);
		grpc_completion_queue_destroy(sc->queue);
	}
	grpc_metadata_array_destroy(&sc->metadata);
	free(sc);
}

/* Back to how it was made; the array for metadata is kept. */
static void server_call_reset(struct server_call *sc)
{
	grpc_metadata_array metadata = sc->metadata;
	struct rpc_server *server = sc->server;

	metadata.count = 0;
	*sc = (struct server_call){ .server = server, .metadata = metadata };
}

static struct server_call *server_call_take(struct rpc_server *server)
{
	struct server_call *sc;

	pthread_mutex_lock(&server->lock);
	server->n_calls++;
	sc = server->free_calls;
	if (sc) {
		server->free_calls = sc->next;
		server->n_free--;
	}
	pthread_mutex_unlock(&server->lock);
	if (sc) {
		sc->next = NULL;
		return sc;
	}
	sc = calloc(1, sizeof(*sc));
	if (!sc)
		abort();
	sc->server = server;
	grpc_metadata_array_init(&sc->metadata);
	return sc;
}

static void server_call_give(struct server_call *sc)
{
	struct rpc_server *server = sc->server;

	if (sc->core)
		grpc_call_unref(sc->core);
	if (sc->payload)
		grpc_byte_buffer_destroy(sc->payload);
	if (sc->response)
		grpc_byte_buffer_destroy(sc->response);
	if (!sc->method)
		grpc_call_details_destroy(&sc->details);
	if (sc->queue) {
		server_call_free(sc);
		sc = NULL;
	} else {
		server_call_reset(sc);
	}
	/* The last that is done with the server: it may be freed behind our back. */
	pthread_mutex_lock(&server->lock);
	if (sc && server->n_free < FREE_CALLS_MAX) {
		sc->next = server->free_calls;
		server->free_calls = sc;
		server->n_free++;
		sc = NULL;
	}
	if (!--server->n_calls)
		pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
	if (sc)
		server_call_free(sc);
}

void server_call_unref(struct server_call *sc)
{
	if (atomic_fetch_sub_explicit(&sc->references, 1, memory_order_acq_rel) == 1)
		server_call_give(sc);
}

void server_free_calls(struct rpc_server *server)
{
	struct server_call *next;

	for (struct server_call *sc = server->free_calls; sc; sc = next) {
		next = sc->next;
		server_call_free(sc);
	}
	server->free_calls = NULL;
	server->n_free = 0;
}

void server_post(struct rpc_server *server, struct server_method *method)
{
	struct server_call *sc = server_call_take(server);
	grpc_completion_queue *queue = server->queue;
	bool reads_first = method && !method->served.method->client_streaming;
	grpc_call_error error;

	sc->method = method;
	sc->arrived.run = serve_arrived;
	atomic_store_explicit(&sc->references, 1, memory_order_relaxed);
	if (!method)
		grpc_call_details_init(&sc->details);
	else if (method->how == SERVE_THREAD)
		queue = sc->queue = grpc_completion_queue_create_for_pluck(NULL);
	core_before(&sc->arrived);
	if (!method) {
		error = grpc_server_request_call(server->core, &sc->core, &sc->details,
						 &sc->metadata, queue, queue, &sc->arrived);
	} else {
		error = grpc_server_request_registered_call(
			server->core, method->registered, &sc->core, &sc->deadline, &sc->metadata,
			reads_first ? &sc->payload : NULL, queue, server->queue, &sc->arrived);
	}
	if (error != GRPC_CALL_OK) {
		log_error(NULL, "a call could not be posted",
			  { "error", grpc_call_error_to_string(error) });
		server_call_unref(sc);
	}
}

/*
 * The peer's going
 */

static void call_closed(struct core_event *event, bool ok)
{
	struct server_call *sc = server_call_of(event, closed);

	(void)ok;
	if (sc->core_cancelled)
		atomic_store_explicit(&sc->cancelled, true, memory_order_release);
	server_call_unref(sc);
}

/*
 * Most handlers end before anyone could give up on them, and the watch costs a batch: it is started
 * when a handler asks for the first time, or calls a peer, whose call the core then cancels with
 * this one.
 */
static bool poll_call(struct rpc_call *call)
{
	struct server_call *sc = call->transport;
	grpc_op op = { .op = GRPC_OP_RECV_CLOSE_ON_SERVER };

	if (!sc->watched) {
		sc->watched = true;
		sc->closed.run = call_closed;
		op.data.recv_close_on_server.cancelled = &sc->core_cancelled;
		atomic_fetch_add_explicit(&sc->references, 1, memory_order_relaxed);
		if (!core_start(sc->core, &op, 1, &sc->closed))
			server_call_unref(sc);
	}
	return atomic_load_explicit(&sc->cancelled, memory_order_acquire);
}

struct rpc_call *server_call_begin(struct server_call *sc)
{
	struct rpc_call *call = call_new(sc->server->options.arena_cap);

	call->core = sc->core;
	call->metadata = &sc->metadata;
	call->transport = sc;
	call->poll = poll_call;
	call->deadline_ms = core_deadline_ms(sc->deadline);
	call->compress = sc->server->options.compress;
	return call;
}

/*
 * The answer
 */

static void call_sent(struct core_event *event, bool ok)
{
	(void)ok; /* whether the peer still wanted it changes nothing here */
	server_call_unref(server_call_of(event, sent));
}

void server_call_headers_op(struct rpc_call *call, grpc_op *op, grpc_metadata *headers,
			    size_t *n_headers)
{
	core_metadata_add(headers, n_headers, &call->response_headers);
	op->op = GRPC_OP_SEND_INITIAL_METADATA;
	op->data.send_initial_metadata.metadata = headers;
	op->data.send_initial_metadata.count = *n_headers;
	/* Of what the caller takes, the core chooses; nothing if it takes nothing. */
	op->data.send_initial_metadata.maybe_compression_level.is_set = call->compress;
	op->data.send_initial_metadata.maybe_compression_level.level = GRPC_COMPRESS_LEVEL_LOW;
}

void server_call_status_op(struct rpc_call *call, int code, grpc_op *op, grpc_metadata *trailers,
			   size_t *n_trailers, grpc_slice *message)
{
	ProtobufCBinaryData status = code ? call->error.status : (ProtobufCBinaryData){ 0, NULL };

	core_metadata_add(trailers, n_trailers, &call->response_trailers);
	if (status.len)
		core_metadata_set(&trailers[(*n_trailers)++], "grpc-status-details-bin",
				  (const char *)status.data, status.len);
	*message = grpc_slice_from_copied_string(code ? call->error.message : "");
	op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	op->data.send_status_from_server.status = (grpc_status_code)code;
	op->data.send_status_from_server.status_details = message;
	op->data.send_status_from_server.trailing_metadata = trailers;
	op->data.send_status_from_server.trailing_metadata_count = *n_trailers;
}

void server_call_finish(struct server_call *sc, struct rpc_call *call, int code,
			const ProtobufCMessage *response)
{
	grpc_metadata headers[HEADERS_MAX], trailers[HEADERS_MAX + 1];
	size_t n_headers = 0, n_trailers = 0, n = 0;
	grpc_slice message;
	grpc_op ops[4];

	memset(ops, 0, sizeof(ops));
	server_call_headers_op(call, &ops[n++], headers, &n_headers);
	if (!code) {
		sc->response =
			response ? payload_pack(response) : grpc_raw_byte_buffer_create(NULL, 0);
		payload_send_op(&ops[n++], sc->response, call->compress);
	}
	server_call_status_op(call, code, &ops[n++], trailers, &n_trailers, &message);
	if (!sc->watched) {
		ops[n].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
		ops[n++].data.recv_close_on_server.cancelled = &sc->core_cancelled;
	}
	rpc_call_free(call); /* the core has copies of all it needs */
	sc->sent.run = call_sent;
	if (!core_start(sc->core, ops, n, &sc->sent)) {
		grpc_call_cancel(sc->core, NULL);
		server_call_unref(sc);
	}
	grpc_slice_unref(message);
	core_metadata_unref(headers, n_headers);
	core_metadata_unref(trailers, n_trailers);
}

static int refuse_overloaded(void *data, struct rpc_call *call)
{
	int r = rpc_fail(call, &crpc_reasons[REASON_OVERLOADED]);

	(void)data;
	rpc_retry_after(call, RETRY_AFTER_MS);
	/* The hint again, for clients that retry this code by themselves. */
	rpc_set_trailer(call, "grpc-retry-pushback-ms", rpc_printf(call, "%d", RETRY_AFTER_MS));
	rpc_error_status(call);
	return r;
}

static void serve_overloaded(struct server_call *sc)
{
	struct rpc_call *call = server_call_begin(sc);
	int code = rpc_call_run(call, refuse_overloaded, NULL);

	metric_add(sc->server->shed, 1);
	dispatch_count(call, &sc->method->served, code, sc->arrived_ns,
		       sc->server->options.log_calls);
	server_call_finish(sc, call, code, NULL);
}

static int refuse_unknown(void *data, struct rpc_call *call)
{
	const struct server_call *sc = data;
	int r = rpc_fail(
		call, &crpc_reasons[REASON_NOT_IMPLEMENTED],
		{ "method", arena_strndup(call->arena, core_slice_text(&sc->details.method),
					  GRPC_SLICE_LENGTH(sc->details.method)) });

	rpc_error_status(call);
	return r;
}

static void serve_unknown(struct server_call *sc)
{
	struct rpc_call *call = server_call_begin(sc);
	int code = rpc_call_run(call, refuse_unknown, sc);

	server_call_finish(sc, call, code, NULL);
}

static void serve_unary(struct server_call *sc)
{
	struct rpc_server *server = sc->server;
	struct rpc_call *call = server_call_begin(sc);
	struct dispatch request = {
		.served = &sc->method->served,
		.authenticator = server->options.authenticator,
		.payload = sc->payload,
		.max_bytes = server->options.max_message_bytes,
	};
	int code;

	metric_add(server->in_flight, 1);
	code = dispatch(call, &request);
	metric_add(server->in_flight, -1);
	dispatch_count(call, request.served, code, sc->arrived_ns, server->options.log_calls);
	server_call_finish(sc, call, code, request.response);
}

/*
 * The pool
 */

/* Until this thread shall poll. */
static void poll_locked(struct rpc_server *server)
{
	if (server->polling < server->polling_max) {
		server->polling++;
		return;
	}
	server->n_spare++;
	while (!server->n_called && !server->ended)
		pthread_cond_wait(&server->called, &server->lock);
	if (server->n_called)
		server->n_called--; /* who called has counted us */
}

void server_poll(struct rpc_server *server)
{
	pthread_mutex_lock(&server->lock);
	poll_locked(server);
	pthread_mutex_unlock(&server->lock);
}

/* This thread is about to run a handler. */
static void leave_poll(struct rpc_server *server)
{
	if (--server->polling || !server->n_spare)
		return;
	server->n_spare--;
	server->n_called++;
	server->polling++;
	pthread_cond_signal(&server->called);
}

static bool pool_enter(struct server_call *sc)
{
	struct rpc_server *server = sc->server;
	bool run = false, shed = false;

	pthread_mutex_lock(&server->lock);
	if (server->running < server->options.threads) {
		server->running++;
		leave_poll(server);
		run = true;
	} else if (server->n_waiting < server->options.queue) {
		*server->last_waiting = sc;
		server->last_waiting = &sc->next;
		metric_set(server->queued, ++server->n_waiting);
	} else {
		shed = true;
	}
	pthread_mutex_unlock(&server->lock);
	if (shed)
		serve_overloaded(sc);
	return run;
}

/* The call that has waited longest, or NULL and the thread no longer counts as running. */
static struct server_call *pool_next(struct rpc_server *server)
{
	struct server_call *sc;

	pthread_mutex_lock(&server->lock);
	sc = server->waiting;
	if (sc) {
		server->waiting = sc->next;
		sc->next = NULL;
		if (!server->waiting)
			server->last_waiting = &server->waiting;
		metric_set(server->queued, --server->n_waiting);
	} else {
		server->running--;
		pthread_cond_broadcast(&server->changed);
		poll_locked(server);
	}
	pthread_mutex_unlock(&server->lock);
	return sc;
}

void serve_arrived(struct core_event *event, bool ok)
{
	struct server_call *sc = server_call_of(event, arrived);
	struct rpc_server *server = sc->server;

	if (!ok) { /* the server shuts down */
		server_call_unref(sc);
		return;
	}
	server_post(server, sc->method); /* before anything that takes time */
	sc->arrived_ns = monotonic_ns();
	if (!sc->method) {
		serve_unknown(sc);
		return;
	}
	switch (sc->method->how) {
	case SERVE_POOL:
		if (!pool_enter(sc))
			return;
		do
			serve_unary(sc);
		while ((sc = pool_next(server)));
		break;
	case SERVE_INLINE:
		serve_unary(sc);
		break;
	case SERVE_THREAD:
		serve_stream(sc);
		break;
	case SERVE_WATCH:
		health_watch(sc);
		break;
	}
}
