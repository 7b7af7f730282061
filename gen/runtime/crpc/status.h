/* How a call ends: a gRPC status code, a sentence, and details for machines (google.rpc.Status,
 * AIP-193). */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/* google.rpc.Code. 0 is success; a handler returns one of the others through rpc_fail(). */
enum rpc_code {
	RPC_OK,
	RPC_CANCELLED,
	RPC_UNKNOWN,
	RPC_INVALID_ARGUMENT,
	RPC_DEADLINE_EXCEEDED,
	RPC_NOT_FOUND,
	RPC_ALREADY_EXISTS,
	RPC_PERMISSION_DENIED,
	RPC_RESOURCE_EXHAUSTED,
	RPC_FAILED_PRECONDITION,
	RPC_ABORTED,
	RPC_OUT_OF_RANGE,
	RPC_UNIMPLEMENTED,
	RPC_INTERNAL,
	RPC_UNAVAILABLE,
	RPC_DATA_LOSS,
	RPC_UNAUTHENTICATED,
	N_RPC_CODES
};

/* "NOT_FOUND"; "UNKNOWN" for a number that is no code. */
const char *rpc_code_name(int code);

/* An error that a service can answer with: a value of its `<Service>ErrorReason` enum. Generated.
 */
struct rpc_reason {
	const char *domain;  /* "cart.acme" */
	const char *name;    /* "CART_ITEM_NOT_FOUND" */
	const char *message; /* "The cart has no item '{item}'." */
	enum rpc_code code;
};

struct rpc_meta {
	const char *key, *value;
};

struct rpc_call;

/*
 * Ends the call with an error: records it and returns the code that the handler returns.
 *
 *     return rpc_fail(call, CART_ITEM_NOT_FOUND, { "item", req->name });
 *
 * {key} in the reason's message is replaced from the pairs, and from nothing else, so that whatever
 * varies in the sentence is also in ErrorInfo.metadata. Keys and values are copied into the call.
 */
#define rpc_fail(call, reason, ...)                                                                \
	({                                                                                         \
		int code_ = rpc_fail_reason(                                                       \
			(call), (reason),                                                          \
			(const struct rpc_meta[]){ __VA_ARGS__ __VA_OPT__(, ){ NULL, NULL } });    \
		if (!code_)                                                                        \
			__builtin_unreachable(); /* what follows a check is known to be set */     \
		code_;                                                                             \
	})
int rpc_fail_reason(struct rpc_call *call, const struct rpc_reason *reason,
		    const struct rpc_meta *meta);

/* An error of the runtime itself, without a reason of a service: domain "crpc", reason = the code's
 * name. */
int rpc_fail_code(struct rpc_call *call, enum rpc_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds a violation to the call's BadRequest detail: `field` is the path, such as "item.quantity",
 * in proto spelling. */
void rpc_violate(struct rpc_call *call, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* INVALID_ARGUMENT with the violations so far, or 0 when there are none. The message names the
 * first. */
int rpc_violations(struct rpc_call *call);

/* Adds RetryInfo to the error recorded last. */
void rpc_retry_after(struct rpc_call *call, int64_t milliseconds);

/*
 * The error recorded last: by rpc_fail(), or by a peer's answer to a call made from this one. A
 * peer's error that is returned as it came goes to our caller whole, details included.
 */
int rpc_error_code(const struct rpc_call *call);            /* 0: none */
const char *rpc_error_message(const struct rpc_call *call); /* "" */
const char *
rpc_error_reason(const struct rpc_call *call); /* ErrorInfo.reason, "" when there is none */
const char *rpc_error_meta(const struct rpc_call *call,
			   const char *key); /* ErrorInfo.metadata[key], or NULL */
ProtobufCBinaryData
rpc_error_status(const struct rpc_call *call); /* google.rpc.Status, serialized; len 0: none */
void rpc_error_clear(struct rpc_call *call);
/* Ends the call with an error that was kept as rpc_error_status() gave it. Returns the code. */
int rpc_fail_status(struct rpc_call *call, int code, ProtobufCBinaryData status);

/* Whether the error recorded last has this reason, from us or from a peer. */
int rpc_failed_with(const struct rpc_call *call, const struct rpc_reason *reason);
