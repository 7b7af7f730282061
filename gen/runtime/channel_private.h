/* The inside of channels and clients. */
#pragma once

#include "breaker.h"
#include "core.h"
#include "dispatch.h"
#include <crpc/client.h>
#include <crpc/metrics.h>

/*
 * The core takes a service's retry policy when a channel is made, so each client has a core channel
 * of its own; those of the same target share their connections.
 */
struct rpc_channel {
	struct rpc_channel_options options; /* with strings of its own */
	const char *peer;                   /* for people: the authority, else the target */
	grpc_channel_credentials *credentials;
	struct breaker breaker;
	pthread_mutex_t lock;
	grpc_channel *first; /* asked by rpc_channel_ready(): a client's, or made for it */
	bool first_is_clients;
	int references;
};

struct client_method {
	void *registered;
	_Atomic(struct metric *) durations[N_RPC_CODES];
};

struct rpc_client {
	const struct rpc_service *service;
	struct rpc_channel *channel; /* NULL: local */
	grpc_channel *core;
	struct client_method *methods; /* beside service->methods */

	atomic_bool asynchronous; /* holds the completion thread */

	struct served_method *served; /* local: beside service->methods */
};

/* One call to a peer, in the arena of the call that makes it or on the caller's stack. */
struct client_operation {
	struct core_event event;
	struct rpc_client *client;
	const struct rpc_method *method;
	struct rpc_call *call;
	grpc_call *core;
	grpc_byte_buffer *request, *response;
	grpc_metadata_array initial, trailing;
	grpc_status_code status;
	grpc_slice details;
	size_t limit; /* bytes of a received message */
	int64_t started_ns;
	bool short_time; /* so little was left that a timeout says nothing about the peer */
	bool heard;      /* a message came */

	/* asynchronous */
	rpc_done_function *done;
	void *data;
	ProtobufCMessage *result;
	rpc_message_function *message; /* of streams; see stream_async.c */
	struct async_stream *stream;
};

/* A core channel to the target, with the retries of `service` unless that is NULL. */
grpc_channel *channel_core_new(struct rpc_channel *channel, const struct rpc_service *service);
struct rpc_channel *channel_ref(struct rpc_channel *channel);
/* A client's core channel begins and ends. */
void channel_know(struct rpc_channel *channel, grpc_channel *core);
void channel_forget(struct rpc_channel *channel, grpc_channel *core);

/* What starts a call; the core copies it. */
struct client_batch {
	grpc_metadata headers[HEADERS_MAX + 4];
	size_t n_headers, n_ops;
	grpc_op ops[6];
};

/* Makes the core's call and the op that sends the headers. 0, or a code with its error recorded;
 * then nothing needs closing. */
int operation_begin(struct client_operation *operation, struct client_batch *batch,
		    struct rpc_client *client, const struct rpc_method *method,
		    struct rpc_call *call, grpc_completion_queue *queue);
void operation_add_request(struct client_operation *operation, struct client_batch *batch,
			   const ProtobufCMessage *request);
void operation_add_headers(struct client_operation *operation, struct client_batch *batch);
void operation_add_message(struct client_batch *batch, grpc_byte_buffer **message);
void operation_add_status(struct client_operation *operation, struct client_batch *batch);
/* Starts it, whatever comes of it; the batch is done with. */
bool operation_start(struct client_operation *operation, struct client_batch *batch, void *tag);
/* After the status has come: metrics, breaker, the peer's error. May unwind when the arena is full.
 */
int operation_result(struct client_operation *operation, ProtobufCMessage **ret);
/* Releases what the core gave. Cancels a call that has not ended. */
void operation_close(struct client_operation *operation);
int operation_unpack(struct client_operation *operation, grpc_byte_buffer *buffer,
		     ProtobufCMessage **ret);

/* client_async.c: the queue on which what `call` starts ends, and what rpc_call_cancel() reaches. */
grpc_completion_queue *client_completion_queue(struct rpc_client *client,
					       const struct rpc_call *call);
grpc_completion_queue *completions_queue(struct rpc_completions *completions);
void client_set_operation(struct rpc_call *call, struct client_operation *operation);
void client_async_release(struct rpc_client *client);
/* stream_client.c: the end of the call, known once: its code. */
int client_stream_end(struct rpc_stream *stream);
void client_stream_free(struct rpc_stream *stream);
