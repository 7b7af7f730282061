/* Serving: the tables that the generator writes of each service, and the server that dispatches by
 * them. */
#pragma once

#include <crpc/call.h>

enum rpc_level { RPC_LEVEL_NONE, RPC_LEVEL_PUBLIC, RPC_LEVEL_SESSION, RPC_LEVEL_USER };

/* crpc.v1.Access */
struct rpc_access {
	enum rpc_level level;
	const char *owner;          /* field path, or NULL */
	const char *permission;     /* or NULL */
	const char *const *callers; /* NULL-terminated, or NULL */
};

enum rpc_idempotency { RPC_NOT_IDEMPOTENT, RPC_NO_SIDE_EFFECTS, RPC_IDEMPOTENT };

/*
 * One method. `invoke` calls the member of the ops table with its real types:
 *   unary            in = request,          out = response **
 *   server streaming in = request,          out = struct rpc_stream * (as the typed writer)
 *   client streaming in = struct rpc_stream * (as the typed reader), out = response **
 *   bidirectional    in = struct rpc_stream *, out = the same struct rpc_stream *
 */
struct rpc_method {
	const char *name; /* "AddCartItem" */
	const char *path; /* "/acme.cart.v1.CartService/AddCartItem" */
	const ProtobufCMessageDescriptor *request, *response;
	bool client_streaming, server_streaming;
	enum rpc_idempotency idempotency;
	struct rpc_access access;
	int64_t timeout_ms; /* 0: none */
	uint32_t max_request_bytes;
	const char *const *http_headers; /* NULL-terminated, or NULL */
	const char *request_id;          /* the field that carries the idempotency key, or NULL */
	bool request_id_required;
	int32_t rate_limit_requests, rate_limit_seconds; /* 0: none */
	const char *resume_request, *resume_response;    /* fields, or NULL: a stream begins anew */
	int (*invoke)(const void *ops, void *self, struct rpc_call *call, const void *in,
		      void *out);
};

/* A .proto file as reflection serves it. */
struct rpc_file {
	const char *name;
	const uint8_t *descriptor; /* FileDescriptorProto, serialized */
	size_t size;
	const struct rpc_file *const *dependencies; /* NULL-terminated */
};

struct rpc_service {
	const char *name; /* "acme.cart.v1.CartService" */
	const struct rpc_method *methods;
	size_t n_methods;
	const struct rpc_file *file;
};

/* A stream of messages, under the typed readers and writers that the generator writes. */
struct rpc_stream;
/* Blocks while the peer does not read (flow control). 0, or the code with which the call has ended;
 * RPC_STREAM_END at a client whose peer has ended it well, having heard enough. */
int rpc_stream_send(struct rpc_stream *stream, const ProtobufCMessage *message);
/* 0 with a message; RPC_STREAM_END after the last; another positive code when the call failed. Each
 * message lives until the next one is read: an arena of its own, reset in between. */
enum { RPC_STREAM_END = 100 };
int rpc_stream_next(struct rpc_stream *stream, ProtobufCMessage **ret);
/* Client side: no more messages from us. 0, or the code with which the call has ended. */
int rpc_stream_close_send(struct rpc_stream *stream);
/* Client side: the same, and then the end of the call, its status recorded in the call that made
 * the stream; messages that still come are dropped. 0, or the status. */
int rpc_stream_close(struct rpc_stream *stream);
/* Client side: cancels what has not ended. Returns NULL. */
struct rpc_stream *rpc_stream_free(struct rpc_stream *stream);
DEFINE_CLEANUP(struct rpc_stream *, rpc_stream_free)

/* Finds out who sent a token. Set once before the server starts; gen/ knows no token format. */
struct rpc_authenticator {
	/* Fills *ret with strings of the call, or rpc_fail()s with UNAUTHENTICATED. Thread safe. */
	int (*authenticate)(void *data, struct rpc_call *call, const char *token,
			    struct rpc_caller *ret);
	void *data;
};

/* A 0 is a default: 4 threads, 256 calls waiting, 64 streams, 16 MiB a call, 4 MiB a message. */
struct rpc_server_options {
	const char *listen;  /* "127.0.0.1:7001" */
	const char *tls_dir; /* tls.crt, tls.key, ca.crt, read again when they change; NULL: plain
				text */
	int threads;         /* handlers that run at once */
	int queue; /* calls that may wait for a thread; beyond: RESOURCE_EXHAUSTED with RetryInfo */
	int streams;      /* streaming calls at once, each on a thread of its own */
	size_t arena_cap; /* bytes a call */
	size_t max_message_bytes;
	int64_t max_connection_age_ms; /* 0: any */
	bool channelz;  /* counts channels and sockets, and serves grpc.channelz.v1 */
	bool compress;  /* gzip for answers, to callers that take it */
	bool log_calls; /* a line for each call at level info; else at debug */
	const struct rpc_authenticator
		*authenticator; /* NULL: tokens are ignored, persons are nobody */
};

struct rpc_server;
struct rpc_server *rpc_server_new(const struct rpc_server_options *options, char **error);
/* Before start. The generated `cart_service_serve(server, &cart_service, &cart)` calls this with
 * its types. */
void rpc_server_add(struct rpc_server *server, const struct rpc_service *service, const void *ops,
		    void *self);
int rpc_server_start(struct rpc_server *server, char **error);
/* grpc.health.v1: of one service by its full name, or of all with "". */
void rpc_server_set_serving(struct rpc_server *server, const char *service, bool serving);
/* NOT_SERVING, no new calls, waits at most this long for those in flight, cancels the rest. */
void rpc_server_drain(struct rpc_server *server, int64_t timeout_ms);
struct rpc_server *rpc_server_free(struct rpc_server *server);
int rpc_server_port(const struct rpc_server *server); /* the bound port, for `:0` */
