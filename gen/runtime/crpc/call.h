/* What a handler sees of one call: its memory, its caller, its deadline, its metadata, its trace.
 */
#pragma once

#include <crpc/arena.h>
#include <crpc/cleanup.h>
#include <crpc/message.h>
#include <crpc/status.h>
#include <stdbool.h>
#include <stdint.h>

/* One thread at a time uses a call, and the calls that it makes to peers one after the other; only
 * rpc_call_cancel(), and what client.h says of streams, may come from another. */
struct rpc_call;
struct rpc_method;

/* Memory that lives as long as the call. Never NULL; see arena.h. */
struct arena *rpc_arena(struct rpc_call *call);
void *rpc_alloc(struct rpc_call *call, size_t size);
void *rpc_memdup(struct rpc_call *call, const void *bytes, size_t size);
char *rpc_strdup(struct rpc_call *call, const char *text);
char *rpc_printf(struct rpc_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Who calls. Strings are never NULL: "" when there is none. */
struct rpc_caller {
	const char *user;       /* "users/{user}" of the person, guests too */
	const char *session;    /* "sessions/{session}" */
	const char *merge_from; /* the user whose data this login takes over */
	const char *scope;      /* permissions, separated by spaces */
	const char *service;    /* the peer's certificate: "gateway", "orders" */
	bool guest;
	int64_t expire_time; /* of the token, in ms; 0 without a token */
};
const struct rpc_caller *rpc_caller(const struct rpc_call *call);
bool rpc_caller_is(const struct rpc_call *call, const char *user); /* the person is that user */
bool rpc_caller_may(const struct rpc_call *call, const char *permission);
bool rpc_caller_is_service(const struct rpc_call *call, const char *service);

/* Time and cancellation. Calls made from this one inherit both. */
bool rpc_call_cancelled(
	const struct rpc_call *call); /* the caller went away or the deadline has passed */
int64_t rpc_remaining_ms(const struct rpc_call *call); /* INT64_MAX without a deadline */
int64_t rpc_now_ms(const struct rpc_call *call);       /* Unix time in ms; tests set it */

/* Metadata. Names are lower case; values of names that end in "-bin" are bytes. */
const char *rpc_header(const struct rpc_call *call, const char *name); /* of the request, or NULL */
ProtobufCBinaryData rpc_header_bin(const struct rpc_call *call, const char *name);
void rpc_set_header(struct rpc_call *call, const char *name,
		    const char *value); /* of the response */
void rpc_set_header_bin(struct rpc_call *call, const char *name, ProtobufCBinaryData value);
void rpc_set_trailer(struct rpc_call *call, const char *name,
		     const char *value); /* of the response */
/* Names that begin with "grpc-" are gRPC's and left out, but for "grpc-retry-pushback-ms": in so many
 * ms a client may try again by itself; -1: it must not. */
void rpc_set_trailer_bin(struct rpc_call *call, const char *name, ProtobufCBinaryData value);

/* Whether what is answered from now on is compressed by gzip; small messages never are, nor is
 * anything for a caller that does not take it, nor in a stream whose first message was not.
 * Default: what the server's options say. */
void rpc_set_compressed(struct rpc_call *call, bool compressed);
/* Whether the message that came last came compressed: the request, or a peer's answer. */
bool rpc_received_compressed(const struct rpc_call *call);

/* W3C trace context. */
const char *rpc_traceparent(const struct rpc_call *call); /* of the span that this call is */
const char *
rpc_request_id(const struct rpc_call *call); /* x-request-id, made when the caller gave none */
const struct rpc_method *
rpc_call_method(const struct rpc_call *call); /* NULL for background work */

/*
 * Work that no caller asked for: a sweeper's turn, an event, a test. It has an arena and a trace of
 * its own, is nobody's, and calls peers in the service's name.
 */
struct rpc_call *rpc_call_new(const char *name, int64_t timeout_ms);
struct rpc_call *rpc_call_free(struct rpc_call *call);
DEFINE_CLEANUP(struct rpc_call *, rpc_call_free)
void rpc_call_set_traceparent(struct rpc_call *call,
			      const char *traceparent); /* continue this trace */
/* What the outside gave; ignored unless it is printable ASCII and not too long. */
void rpc_call_set_request_id(struct rpc_call *call, const char *id);
/* Runs `function` where arena_alloc() may give up: its result, or RPC_RESOURCE_EXHAUSTED. */
int rpc_call_run(struct rpc_call *call, int (*function)(void *data, struct rpc_call *call),
		 void *data);

/* For tests: the call is made by this person or service, at this time. */
void rpc_call_set_caller(struct rpc_call *call, const struct rpc_caller *caller);
void rpc_call_set_now(struct rpc_call *call, int64_t unix_ms);
