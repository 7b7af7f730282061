/* One HTTP request and its answer, whichever protocol it came by. */
#pragma once

#include "buffer.h"
#include "connection.h"
#include "redis_async.h"
#include "router.h"
#include "worker.h"
#include <crpc/call.h>
#include <crpc/route.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	REQUEST_HEAD_MAX = 16 * 1024, /* bytes of target, header names and values */
	REQUEST_TARGET_MAX = 8 * 1024,
	REQUEST_HEADERS_MAX = 64,
	RESPONSE_HEADERS_MAX = 32,
	REQUEST_DISCARD_MAX =
		64 *
		1024, /* of a refused body: read and dropped, so that the connection can go on */
};

struct header {
	const char *name, *value; /* the name in lower case; NUL-terminated */
	size_t name_length, value_length;
};

struct response {
	int status;
	const char *content_type; /* NULL: no body */
	const char *body;
	size_t length;
	bool omit_body; /* of HEAD: the length is told, the bytes are not */
	unsigned n_headers;
	struct header headers[RESPONSE_HEADERS_MAX];
};

/* What the answer of a request waits for, besides its body. */
enum { WAIT_SESSION = 1 << 0, WAIT_LIMIT = 1 << 1, WAIT_CALL = 1 << 2 };

/*
 * The protocol makes it, fills in the head (request_add_...), and calls request_head_done(),
 * request_body() for each piece and request_complete(). From then on request.c decides, and answers
 * once: protocol->respond(), or stream_start() and so on. The protocol says request_done() when the
 * answer is with the client, or the client gone: nothing may use the request after that but what it
 * still waits for, which then frees it.
 */
struct request {
	struct worker *worker;
	struct connection *connection;
	struct request *next, **link; /* of the protocol, or of the pool */
	int32_t stream;               /* HTTP/2 */

	const char *method;
	char *target; /* as it came */
	size_t target_length, path_length;
	const char *query; /* behind the '?'; NULL: none */
	size_t query_length;
	const char *authority; /* Host or :authority; NULL: none */
	unsigned n_headers;
	struct header headers[REQUEST_HEADERS_MAX];
	size_t head_used;
	struct buffer body;
	size_t body_limit, discarded;

	int64_t start_us;      /* monotonic */
	int64_t body_deadline; /* the body must be here by then */
	struct rpc_call *call; /* since the head is done */
	struct router_match match;
	const struct builtin *builtin; /* the gateway's own page, instead of a route */
	const char *client;            /* who is limited: "user:users/ann" or `address` */
	const char *address;           /* "ip:192.0.2.7": the client, as far as is known */
	char forwarded[50];            /* the same as a proxy names it */
	struct redis_wait session_wait, limit_wait;
	struct request *next_for_keys;
	const char *session;       /* id of the session whose token it brought; or NULL */
	const char *offered_token; /* among the subprotocols of a WebSocket; or NULL */
	const char *token;         /* verified; or NULL */
	int64_t token_expires_ms;
	unsigned waits;     /* WAIT_... */
	bool refused;       /* the error stands in `call`; answered when the body is here */
	int refused_status; /* the HTTP status if it is not the code's own; or 0 */
	bool complete, answered, done;
	bool limited; /* the fields below tell the client */
	struct {
		int64_t limit, remaining, reset_s, window_s;
		const char *policy;
	} limit;

	struct task arrived; /* hands the peer's answer from its thread to ours */
	int code;
	ProtobufCMessage *message;
	struct response response;
	struct sse *sse; /* a stream of events */
	struct websocket *websocket;
	struct {
		size_t sent;           /* of response.body */
		struct buffer pending; /* of a stream */
		int64_t since_ms;      /* when the client took some last */
		bool deferred, ended;
	} outgoing; /* HTTP/2: what flow control holds back */
	size_t bytes_sent;
	char *head; /* REQUEST_HEAD_MAX bytes */
};

/* NULL: no memory. */
struct request *request_new(struct connection *connection);

/* Copies. 0, or the HTTP status that says what is wrong (431, 400). */
int request_add_header(struct request *request, const char *name, size_t name_length,
		       const char *value, size_t value_length);
int request_set_target(struct request *request, const char *target, size_t length);
/* A value of the request, NULL if it has none; of several the first. */
const char *request_header(const struct request *request, const char *name);

/* `length` of the body: -1 unknown, 0 none. False: it was answered already, the body is not wanted.
 */
bool request_head_done(struct request *request, int64_t length);
bool request_body(struct request *request, const char *bytes, size_t length);
void request_complete(struct request *request);
void request_done(struct request *request);

/* Answers that the protocol asks for: broken syntax, too slow. */
void request_fail_protocol(struct request *request, int status, const char *message);

/* Everything after this has an arena, a trace and a request id; errors too. */
void request_make_call(struct request *request, const char *name, int64_t timeout_ms);
void request_free(struct request *request);
/* For the stages: one of `waits` is over. */
void request_waited(struct request *request, unsigned what);
/* The error recorded in `call` becomes the answer; `status`: the HTTP status, or 0 for the code's
 * own. */
void request_answer_error(struct request *request, int status);
/* A stream's client took all that it was sent. */
void request_writable(struct request *request);
/* What stands in request->response is the answer; the headers that all answers have are added. */
void request_answer(struct request *request);

void request_pool_free(struct worker *worker);

void response_header(struct response *response, const char *name, const char *value);
const char *response_find(const struct response *response, const char *name);
