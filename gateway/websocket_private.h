/* The inside of a WebSocket: its frames (websocket.c) and the call behind it (websocket_call.c). */
#pragma once

#include "websocket.h"
#include <crpc/json.h>
#include <wslay/wslay.h>

enum { WEBSOCKET_BACKLOG_MAX = 64 * 1024 };

struct websocket {
	struct request *request;
	struct rpc_call *call; /* the peer's, as in sse.c */
	wslay_event_context_ptr frames;
	struct task begin, arrived, sent, ended;

	/* from the client */
	struct arena *in;
	const char *from; /* what may be read now */
	size_t left;
	struct buffer waiting; /* each its length and its text */
	ProtobufCMessage *message;
	const char *text; /* that becomes it */
	size_t text_length;
	int64_t heard_ms;
	bool sending, said_all;

	/* to the client */
	struct arena *out;
	const ProtobufCMessage *answer;
	const char *json; /* printed among the completions */
	size_t json_length;
	struct rpc_json_error error;
	int problem;
	int64_t beat_ms;
	bool blocked, pending, held; /* held: input waits for the backlog */

	bool shut;
};

/* Starts it. 0, or a code with the error recorded. */
int websocket_start_call(struct websocket *socket);
/* A message of the client. Not while one is being sent. */
void websocket_take(struct websocket *socket, const char *text, size_t length);
/* The client took what it was sent: the next message of the peer, unless too much still waits. */
void websocket_go_on(struct websocket *socket);

/* What is queued leaves. If the closing frame is among it, the rest is the connection's. */
void websocket_settle(struct websocket *socket);
/* Queues the closing frame; websocket_settle() must follow. */
void websocket_shut(struct websocket *socket, int code, const char *reason);
/* With the error that is recorded, or well. */
void websocket_shut_as_recorded(struct websocket *socket);
