/* Calling peers: channels, and the clients that the generator writes upon them. */
#pragma once

#include <crpc/call.h>
#include <crpc/server.h>

struct rpc_channel_options {
	const char *target;    /* "dns:///cart:7003", "ipv4:127.0.0.1:7003,127.0.0.1:8003",
				  "xds:///cart" */
	const char *tls_dir;   /* as rpc_server_options; NULL: plain text */
	const char *authority; /* the name that the peer's certificate must carry: "cart" */
	size_t max_message_bytes;
	int64_t keepalive_ms; /* an idle connection is asked this often whether it lives; 0: 30 s */
	bool health_check;    /* ask grpc.health.v1 of each backend */
	bool channelz;        /* grpc.channelz.v1 of this process's server tells of it */
	bool compress;        /* gzip for what is sent; what is received may always be compressed */
};

/* Thread safe. round_robin, keepalive, retries for idempotent methods within a budget, a circuit
 * breaker. */
struct rpc_channel;
struct rpc_channel *rpc_channel_new(const struct rpc_channel_options *options, char **error);
struct rpc_channel *rpc_channel_free(struct rpc_channel *channel);
/* Whether a connection is ready; `connect` asks for one. */
bool rpc_channel_ready(struct rpc_channel *channel, bool connect);

/*
 * A client of one service. The generated `struct cart_client` is this under another name. Thread
 * safe. rpc_client_local() calls an ops table in this process instead, for tests: access rules and
 * validation included.
 */
struct rpc_client;
struct rpc_client *rpc_client_new(struct rpc_channel *channel, const struct rpc_service *service);
struct rpc_client *rpc_client_local(const struct rpc_service *service, const void *ops, void *self);
struct rpc_client *
rpc_client_free(struct rpc_client *client); /* after its calls and streams have ended */

/*
 * A blocking call from within `call`: it inherits deadline, cancellation, trace, request id and the
 * caller's token. The answer lives in the arena of `call`. 0; or the peer's code, its error
 * recorded in `call`; UNAVAILABLE when there is no peer.
 */
int rpc_client_call(struct rpc_client *client, const struct rpc_method *method,
		    struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage **ret);

/*
 * The same without waiting: `done` runs once on the completion thread and must not block;
 * only then is `call` free to be used by another thread again. `code` as rpc_client_call() returns
 * it. Returns 0, or a code when nothing was started (then `done` is not called).
 */
typedef void rpc_done_function(void *data, struct rpc_call *call, int code,
			       ProtobufCMessage *response);
int rpc_client_start(struct rpc_client *client, const struct rpc_method *method,
		     struct rpc_call *call, const ProtobufCMessage *request,
		     rpc_done_function *done, void *data);
/* Gives up what rpc_client_start() started: `done` comes soon, with CANCELLED. Any thread. */
void rpc_call_cancel(struct rpc_call *call);

/*
 * For a thread with a loop of its own: what its calls start ends on that thread, which also does
 * the work of the connections while it is awake. In each turn it says run(); before it sleeps,
 * watch(): from then on a thread of the completions' own waits, and calls `wake` from there, once.
 * All but `wake` belongs to the loop's thread.
 */
struct rpc_completions;
struct rpc_completions *rpc_completions_new(void (*wake)(void *data), void *data);
/* Waits for the calls that have not ended and calls their functions; streams must have ended. */
struct rpc_completions *rpc_completions_free(struct rpc_completions *completions);
void rpc_call_set_completions(struct rpc_call *call, struct rpc_completions *completions);
/* Calls the functions of what has ended. Whether anything had. */
bool rpc_completions_run(struct rpc_completions *completions);
/* False: not now, there is more to run. `busy`: there was something to do in this turn. */
bool rpc_completions_watch(struct rpc_completions *completions, bool busy);

/*
 * A stream. `request` is NULL where the client streams. The blocking form reads with
 * rpc_stream_next(); the asynchronous one calls `message` for each message (return false: pause,
 * rpc_stream_resume() goes on) and `done` at the end.
 */
int rpc_client_open(struct rpc_client *client, const struct rpc_method *method,
		    struct rpc_call *call, const ProtobufCMessage *request,
		    struct rpc_stream **ret);
typedef bool rpc_message_function(void *data, struct rpc_call *call, ProtobufCMessage *message);
int rpc_client_start_stream(struct rpc_client *client, const struct rpc_method *method,
			    struct rpc_call *call, const ProtobufCMessage *request,
			    rpc_message_function *message, rpc_done_function *done, void *data);
void rpc_stream_resume(struct rpc_call *call);
/*
 * The next message of a client that streams, on a stream of rpc_client_start_stream(); NULL: there
 * is no more. `sent` runs on the completion thread when the peer's flow control lets the next one
 * follow (`ok`), or the stream is broken, which `done` will tell; until then none may be started.
 * False: the stream has ended, and `sent` is not called. Any thread.
 */
typedef void rpc_sent_function(void *data, struct rpc_call *call, bool ok);
bool rpc_stream_start_send(struct rpc_call *call, const ProtobufCMessage *message,
			   rpc_sent_function *sent, void *data);

/* Metadata for the next call made from `call`; the gateway hands on what it got. */
void rpc_set_request_header(struct rpc_call *call, const char *name, const char *value);
void rpc_set_request_header_bin(struct rpc_call *call, const char *name, ProtobufCBinaryData value);
/* The same for the next call from `call`, and then for each of its messages. */
void rpc_set_request_compressed(struct rpc_call *call, bool compressed);
/* What the last peer's answer carried: initial metadata and trailers, or NULL. */
const char *rpc_response_header(const struct rpc_call *call, const char *name);
ProtobufCBinaryData rpc_response_header_bin(const struct rpc_call *call, const char *name);
/* The token that calls made from `call` carry. */
void rpc_call_set_token(struct rpc_call *call, const char *token);
