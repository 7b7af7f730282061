/* The inside of a stream, on both sides. */
#pragma once

#include "channel_private.h"
#include "core.h"

/*
 * A stream has a completion queue of its own, and the thread that uses the stream waits on it: each
 * batch has a tag, and is waited for where it is started, but for those that tell the end of the
 * call (`closed` on the server, `finished` at the client), which are started first and waited for
 * last.
 */
struct rpc_stream {
	struct rpc_call *call;
	grpc_call *core;
	grpc_completion_queue *queue;
	const ProtobufCMessageDescriptor *incoming;
	size_t limit;        /* bytes of an incoming message; 0: none */
	struct arena *arena; /* of the message read last */
	bool server;
	bool headers_done; /* sent by the server, received by the client */
	bool half_closed;  /* no more messages from the client */
	bool ended;        /* the end of the call is known: `code` */
	int code;
	char sending, receiving, closed, finished; /* tags */

	int core_cancelled; /* server: written by the core */

	/* client */
	struct client_operation *operation;
	struct local_stream *local;             /* a call in this process */
	struct kept_message *kept, **last_kept; /* came before an end that a send ran into */
};

/* The server's side; `stream` is the caller's. */
void stream_serve(struct rpc_stream *stream, struct rpc_call *call, grpc_call *core,
		  grpc_completion_queue *queue);
bool stream_poll(struct rpc_call *call); /* rpc_call.poll */
bool stream_batch(struct rpc_stream *stream, const grpc_op *ops, size_t n, void *tag);
/* Waits until the peer has seen the end, or is gone. */
void stream_serve_end(struct rpc_stream *stream);
