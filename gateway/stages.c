/* The stages of a request: matched, admitted, called. */
#include "builtin.h"
#include "cors.h"
#include "gateway.h"
#include "handshake.h"
#include "rate_limits.h"
#include "request.h"
#include "response.h"
#include "sessions.h"
#include "sse.h"
#include "transcode.h"
#include "upstream.h"
#include "websocket.h"
#include <crpc/client.h>
#include <string.h>
#include <strings.h>

/*
 *   request_new()
 *     │ head
 *     ▼
 *   request_head_done() ──refused──▶ the body is dropped ──▶ request_answer_error()
 *     │ body
 *     ▼
 *   request_complete() ──▶ builtin_answer(), cors_answer_preflight()
 *     │ sessions_check(), limits_check(): wait for Redis; refused ──▶ request_answer_error()
 *     ▼
 *   begin_call() ──▶ waits for the peer ──▶ request_waited() ──▶ request_answer()
 *
 * `waits` counts what will still come back to the request. A request whose client has gone (`done`)
 * stays until nothing will.
 */
enum {
	BODY_MAX = 1024 * 1024, /* where no method says */
	ARENA_PLENTY = 1024 * 1024,
	ARENA_RESERVE = 64 * 1024,
};

static void refuse(struct request *request, int status)
{
	request->refused = true;
	request->refused_status = status;
}

/* 404 or 405. */
static void refuse_path(struct request *request)
{
	const struct router *router = request->worker->gateway->router;

	if (!request->match.methods) {
		rpc_fail_code(request->call, RPC_NOT_FOUND,
			      "No such path: see /openapi.json for those that there are.");
		refuse(request, 0);
		return;
	}
	response_header(&request->response, "allow",
			router_allow(router, request->match.methods, rpc_arena(request->call)));
	rpc_fail_code(request->call, RPC_UNIMPLEMENTED, "The path does not take %s; it takes %s.",
		      request->method, response_find(&request->response, "allow"));
	refuse(request, 405);
}

static void match_route(struct request *request)
{
	const struct gateway *gateway = request->worker->gateway;
	const char *method = request->method;
	const struct route *route;

	if (!router_path_valid(request->target, request->path_length)) {
		request_make_call(request, "unmatched", 0);
		rpc_fail_code(
			request->call, RPC_INVALID_ARGUMENT,
			"The path must begin with '/', be ASCII, and hold no broken escapes.");
		refuse(request, 400);
		return;
	}
	request->body_limit = BODY_MAX;
	request->builtin =
		builtin_find(request->connection->admin, request->target, request->path_length);
	if (request->builtin) {
		request_make_call(request, request->builtin->path, 0);
		return;
	}
	if (!strcmp(method, "HEAD")) {
		method = "GET";
		request->response.omit_body = true;
	}
	if (!request->connection->admin)
		router_match(gateway->router, method, request->target, request->path_length,
			     &request->match);
	else
		request->match = (struct router_match){ 0 };
	route = request->match.route;
	request_make_call(request, route ? route->template : "unmatched",
			  route ? route->method->timeout_ms : 0);
	if (route && route->method->max_request_bytes)
		request->body_limit = route->method->max_request_bytes;
	if (!route && !cors_is_preflight(request)) {
		refuse_path(request);
	} else if (route && request->response.omit_body &&
		   (route->method->server_streaming || route->method->client_streaming)) {
		refuse_path(request); /* a stream has no HEAD */
	} else if (route && route->method->client_streaming) {
		handshake_check(request);
	}
}

static void fail_too_large(struct request *request)
{
	rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
		      "The body is larger than the %zu bytes that are taken here.",
		      request->body_limit);
	refuse(request, 413);
}

bool request_head_done(struct request *request, int64_t length)
{
	struct worker *worker = request->worker;
	const struct gateway *gateway = worker->gateway;
	const char *expect;

	request->client = limits_client(request);
	match_route(request);
	if (!request->refused && worker->n_requests > gateway->requests_max &&
	    !request->connection->admin) {
		rpc_fail_code(request->call, RPC_UNAVAILABLE,
			      "The gateway has too many requests at once; try again soon.");
		rpc_retry_after(request->call, 1000);
		refuse(request, 0);
	}
	if (!request->refused && length > (int64_t)request->body_limit)
		fail_too_large(request);
	if (!request->refused && length)
		transcode_check_type(request);
	request->body_deadline = worker->loop.now_ms + gateway->body_timeout_ms;
	expect = request_header(request, "expect");
	if (!request->refused && expect && length) {
		if (strcasecmp(expect, "100-continue")) {
			rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
				      "Expect takes 100-continue only.");
			refuse(request, 417);
		} else {
			request->connection->protocol->go_on(request);
		}
	}
	if (request->refused && (length > REQUEST_DISCARD_MAX || (expect && length))) {
		request_answer_error(request, request->refused_status);
		return false;
	}
	return true;
}

bool request_body(struct request *request, const char *bytes, size_t length)
{
	if (!request->refused && length > request->body_limit - request->body.length)
		fail_too_large(request);
	if (!request->refused && buffer_append(&request->body, bytes, length)) {
		rpc_fail_code(request->call, RPC_UNAVAILABLE,
			      "The gateway is out of memory; try again soon.");
		refuse(request, 0);
	}
	if (!request->refused)
		return true;
	request->discarded += length;
	if (request->discarded <= REQUEST_DISCARD_MAX)
		return true;
	request_answer_error(request, request->refused_status);
	return false;
}

struct preparation {
	struct request *request;
	ProtobufCMessage *message;
};

static int prepare(void *data, struct rpc_call *call)
{
	struct preparation *preparation = data;
	int r = transcode_request(preparation->request, &preparation->message);

	/* The call is started outside of the guard, which the peer's thread may need before we have
	 * left it; what that allocates must find room. */
	if (!r && arena_used(rpc_arena(call)) > ARENA_PLENTY)
		arena_resize_last(rpc_arena(call), rpc_alloc(call, ARENA_RESERVE), ARENA_RESERVE,
				  0);
	return r;
}

static void begin_call(struct request *request)
{
	const struct rpc_method *method = request->match.route->method;
	struct preparation preparation = { .request = request };
	int r = method->client_streaming ? 0 : rpc_call_run(request->call, prepare, &preparation);

	if (!r) {
		request->waits |= WAIT_CALL;
		r = method->client_streaming   ? websocket_start(request)
		    : method->server_streaming ? sse_start(request, preparation.message)
					       : upstream_start(request, preparation.message);
		if (!r)
			return;
		request->waits &= ~WAIT_CALL;
	}
	request_answer_error(request, 0);
}

void request_complete(struct request *request)
{
	int r, limit;

	request->complete = true;
	if (request->refused) {
		request_answer_error(request, request->refused_status);
		return;
	}
	if (request->builtin) {
		builtin_answer(request);
		return;
	}
	if (!request->match.route) {
		cors_answer_preflight(request);
		return;
	}
	/* Both ask Redis at once, in one write. Who sends bad tokens is counted, too. */
	r = sessions_check(request);
	limit = limits_check(request, !r);
	if (r || limit) {
		request_answer_error(request, 0);
		return;
	}
	if (!request->waits)
		begin_call(request);
}

void request_waited(struct request *request, unsigned what)
{
	request->waits &= ~what;
	if (request->done) {
		if (!request->waits)
			request_free(request);
		return;
	}
	if (request->sse) {
		sse_waited(request, what);
		return;
	}
	if (request->websocket) {
		websocket_waited(request, what);
		return;
	}
	if (request->answered || request->waits)
		return;
	if (what == WAIT_CALL)
		upstream_finish(request);
	else if (rpc_error_code(request->call))
		request_answer_error(request, 0);
	else
		begin_call(request);
}
