/* The inside of a server, shared by the files that serve calls. */
#pragma once

#include "core.h"
#include "dispatch.h"
#include <crpc/server.h>

enum serve_how {
	SERVE_POOL,   /* unary: a thread of the pool runs the handler */
	SERVE_INLINE, /* unary, never blocks: whoever polls runs it, also when all threads are busy
		       */
	SERVE_THREAD, /* streams: a thread of their own */
	SERVE_WATCH,  /* grpc.health.v1's Watch: no thread waits */
};

struct server_method {
	struct served_method served;
	struct rpc_server *server;
	enum serve_how how;
	void *registered;
};

/*
 * One call, from before it arrives: the core fills in what it was posted with. Two parties hold it,
 * the handler until its answer is sent and the watch for the peer's going, if there is one; the
 * last to leave gives it back. Once a batch was started, another thread may have seen its end
 * already: nothing of the call is touched then without a reference.
 */
struct server_call {
	struct core_event arrived, sent, closed;
	struct rpc_server *server;
	struct server_method *method; /* NULL: of no registered method */
	struct server_call *next;     /* in the queue, or among the free */
	grpc_call *core;
	grpc_completion_queue *queue; /* of a stream, its own; else NULL */
	gpr_timespec deadline;
	grpc_call_details details;
	grpc_metadata_array metadata;
	grpc_byte_buffer *payload, *response;
	struct watcher *watcher; /* health.c */
	int64_t arrived_ns;
	int core_cancelled; /* written by the core */
	bool watched;
	atomic_bool cancelled;
	atomic_int references;
};

struct rpc_server {
	struct rpc_server_options options;
	grpc_server *core;
	grpc_completion_queue *queue;
	int port;
	bool started;

	struct server_method **methods;
	size_t n_methods;
	const struct rpc_service **services;
	size_t n_services;

	pthread_t *threads;
	int n_threads;

	/*
	 * Under `lock`: at most options.threads handlers run, at most options.queue calls wait, and
	 * calls wait only while that many run. n_threads is one more than options.threads, so one
	 * thread is always left to poll: new calls are taken, or refused, at once, and the core
	 * never queues for us.
	 *
	 * Of the threads that run no handler at most polling_max poll: the core wakes one of them
	 * for each call, only to poll in place of the one that took it. The others are spare until
	 * the last that polls begins a handler, and calls one in its place.
	 */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* running, streams, n_calls, stopped */
	pthread_cond_t called;  /* a spare thread is needed, or none ever again */
	int running, streams;
	int n_calls; /* posted or under way: whoever may still start a batch holds one of them */
	int polling, polling_max, n_spare, n_called;
	bool ended;
	struct server_call *waiting, **last_waiting;
	int n_waiting;
	struct server_call *free_calls;
	int n_free;

	atomic_bool draining;
	struct core_event shutdown;
	bool shutdown_begun, stopped;

	struct health *health;
	struct metric *in_flight, *queued, *shed;
};

/* Posts a call of the method (NULL: of any that is not registered). */
void server_post(struct rpc_server *server, struct server_method *method);
struct server_call *server_call_ref(struct server_call *sc);
void server_call_unref(struct server_call *sc);
/* Makes what the handler sees of it. */
struct rpc_call *server_call_begin(struct server_call *sc);
/* Sends answer or error; takes over the handler's reference and frees `call`. */
void server_call_finish(struct server_call *sc, struct rpc_call *call, int code,
			const ProtobufCMessage *response);
/* What begins an answer: the op for headers, which has room for HEADERS_MAX. */
void server_call_headers_op(struct rpc_call *call, grpc_op *op, grpc_metadata *headers,
			    size_t *n_headers);
/* What ends a call: the ops for status and trailers. `trailers` has room for HEADERS_MAX + 1;
 * *message is unref'd after the batch. */
void server_call_status_op(struct rpc_call *call, int code, grpc_op *op, grpc_metadata *trailers,
			   size_t *n_trailers, grpc_slice *message);
void server_free_calls(struct rpc_server *server);
void server_add(struct rpc_server *server, const struct rpc_service *service, const void *ops,
		void *self, enum serve_how (*how)(const struct rpc_method *method));
/* serve.c */
void server_poll(
	struct rpc_server *server); /* a thread is about to poll; it may have to wait first */
void serve_arrived(struct core_event *event, bool ok);
/* serve_stream.c */
void serve_stream(struct server_call *sc);
