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

	/* server */
	int core_cancelled; /* written by the core */
	/* bursts (stream_burst.c), under `lock` */
	pthread_mutex_t lock;
	grpc_byte_buffer *held, *spare;
	grpc_slice block;  /* messages are packed into it from its end */
	size_t block_left; /* bytes at its start */
	size_t packed;     /* bytes of the message packed last */
	bool hasty, flushing;
	int64_t sent_at; /* the clock's tick at the last message */
	uint64_t n_sent, n_seen;
	struct rpc_stream *next_hasty;

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
/* The server's messages. What is sent may be held back for a moment; the flush sends it, and the end hands it
 * out (or NULL), to go with the status. */
bool stream_burst_send(struct rpc_stream *stream, const ProtobufCMessage *message);
bool stream_burst_flush(struct rpc_stream *stream);
grpc_byte_buffer *stream_burst_end(struct rpc_stream *stream);
/* Waits until the peer has seen the end, or is gone. */
void stream_serve_end(struct rpc_stream *stream);
