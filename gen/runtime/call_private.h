/* The inside of a call, for the runtime's own files. */
#pragma once

#include "trace.h"
#include <crpc/call.h>
#include <crpc/server.h>
#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>

enum { REQUEST_ID_MAX = 127 };

/* Metadata in the order in which it was set. Names and values live in the call's arena. */
struct header {
	struct header *next;
	const char *name, *value;
	size_t length; /* of the value: those of "-bin" may hold a NUL */
};

struct header_list {
	struct header *first, **last;
	size_t count;
};

struct violation {
	struct violation *next;
	const char *field, *description;
};

/* The error recorded last. `status` is what a peer sent, or what error_status() packed of the rest.
 */
struct rpc_error {
	int code;
	const char *message, *reason, *domain;
	const struct rpc_meta *meta; /* ended by a NULL key; or NULL */
	int64_t retry_ms;            /* 0: no RetryInfo */
	ProtobufCBinaryData status;
};

/*
 * A call lives in its own arena, so one pooled object holds all of it. It is used by one thread at
 * a time; what another thread may touch is atomic (`cancelled`) or behind `lock` (`operation`).
 */
struct rpc_call {
	struct arena *arena;
	size_t arena_cap;
	struct rpc_call *parent;         /* of a call within this process; or NULL */
	const char *name;                /* of background work; or NULL */
	const struct rpc_method *method; /* or NULL */

	grpc_call *core;                     /* as the server sees it; NULL in background work */
	const grpc_metadata_array *metadata; /* of the request, owned by `core`; or NULL */
	bool (*poll)(
		struct rpc_call *call); /* asks the transport whether the peer has gone; or NULL */
	void *transport;                /* whose `poll` that is */
	atomic_bool cancelled;
	const atomic_bool *draining; /* streams end when the server drains; or NULL */

	int64_t deadline_ms; /* CLOCK_MONOTONIC; INT64_MAX: none */
	int64_t now_ms;      /* what rpc_now_ms() says, 0: the clock */
	struct rpc_caller caller;
	const char *token;
	struct trace trace;
	/* Made when asked for, in place: a log line needs them when the arena is full. */
	char traceparent[TRACEPARENT_LENGTH + 1], request_id[REQUEST_ID_MAX + 1];

	bool compress, compress_request; /* what is sent: the answer, the next call to a peer */
	bool received_compressed;        /* the message that came last */
	struct header_list response_headers, response_trailers;
	struct header_list request_headers; /* of the next call to a peer */
	struct header_list peer_headers;    /* of a peer's answer */
	struct rpc_error error;
	struct violation *violations, **last_violation;
	unsigned n_violations;

	/* Where what it starts ends; NULL: the process's own. */
	struct rpc_completions *completions;
	pthread_mutex_t lock;
	struct client_operation *operation; /* what rpc_call_cancel() gives up; or NULL */
};

/* A call in an arena of the thread's pool. */
struct rpc_call *call_new(size_t arena_cap);
/* A call in the arena of another; it needs no freeing. */
struct rpc_call *call_new_in(struct arena *arena);

enum {
	CALL_ARENA_CAP = 16 * 1024 * 1024,
	ERROR_STATUS_MAX =
		6 * 1024, /* bytes of details that go into a trailer; peers refuse much metadata */
	ERROR_MESSAGE_MAX = 1024,
	VIOLATIONS_MAX = 20,
	HEADER_VALUE_MAX = 4096,
	HEADERS_MAX = 32, /* that one side sets for one call */
};

void header_add(struct arena *arena, struct header_list *list, const char *name, const char *value,
		size_t length);
const struct header *header_find(const struct header_list *list, const char *name);

/* Takes a request id from outside, if it is one: printable and not too long. */
void call_set_request_id(struct rpc_call *call, const char *id, size_t length);

int64_t monotonic_ns(void);
static inline int64_t monotonic_ms(void)
{
	return monotonic_ns() / 1000000;
}

/* Records what a peer answered; `details` is its message, `status` google.rpc.Status or empty.
 * Returns the code. */
int error_from_peer(struct rpc_call *call, int code, const char *details, size_t details_length,
		    const uint8_t *status, size_t status_size);
/* Records an error without allocating: for when the arena is full. */
int error_set_static(struct rpc_call *call, const struct rpc_reason *reason);
void error_copy(struct rpc_call *to, const struct rpc_call *from);

/* gen/runtime's own reasons; their domain is "crpc". */
extern const struct rpc_reason crpc_reasons[];
enum {
	REASON_TOKEN_MISSING,
	REASON_TOKEN_INVALID,
	REASON_LOGIN_REQUIRED,
	REASON_ACCESS_DENIED,
	REASON_NOT_OWNER,
	REASON_OVERLOADED,
	REASON_DRAINING,
	REASON_PEER_UNAVAILABLE,
	REASON_PEER_UNREACHABLE,
	REASON_MESSAGE_MALFORMED,
	REASON_MESSAGE_MISSING,
	REASON_MESSAGE_TOO_LARGE,
	REASON_CALL_TOO_LARGE,
	REASON_NOT_IMPLEMENTED,
	REASON_INTERNAL,
	N_REASONS
};
