/* Dispatch: everything between the bytes of a request and the handler. */
#pragma once

#include "call_private.h"
#include <crpc/metrics.h>
#include <crpc/server.h>

/* A method as it is served here. */
struct served_method {
	const struct rpc_method *method;
	const void *ops;
	void *self;
	_Atomic(struct metric *) durations[N_RPC_CODES]; /* made at the first call that ends so */
};

struct dispatch {
	struct served_method *served;
	const struct rpc_authenticator *authenticator; /* NULL: tokens are ignored */
	grpc_byte_buffer *payload;  /* the request, where the client does not stream; NULL: the
				       stream ended before it came */
	ProtobufCMessage *request;  /* instead of a payload: in a call within this process */
	size_t max_bytes;           /* the server's own limit */
	struct rpc_stream *stream;  /* where either side streams */
	ProtobufCMessage *response; /* out */
};

/*
 * Deadline, caller, access, unpacking, validation, handler. 0, or a code whose error is recorded in
 * the call; never negative. A full arena is RESOURCE_EXHAUSTED. The google.rpc.Status of an error
 * is packed.
 */
int dispatch(struct rpc_call *call, struct dispatch *dispatch);

struct payload;
/* Fails the call because of what it sent: PAYLOAD_TOO_LARGE or PAYLOAD_MALFORMED. */
int dispatch_refuse_payload(struct rpc_call *call, const struct payload *payload, int problem);

/* Metrics and the access line. */
void dispatch_count(struct rpc_call *call, struct served_method *served, int code,
		    int64_t started_ns, bool access_log);

/* 0, or the code with which the caller is refused. *owner: the request must still be checked by
 * access_check_owner(). */
int access_check(struct rpc_call *call, const struct rpc_method *method, bool *owner);
/* Lets `me` stand for the caller in the field that `access.owner` names. Before validation, which
 * completes names. */
void access_rewrite_owner(struct rpc_call *call, const struct rpc_method *method,
			  ProtobufCMessage *request);
int access_check_owner(struct rpc_call *call, const struct rpc_method *method,
		       const ProtobufCMessage *request);
