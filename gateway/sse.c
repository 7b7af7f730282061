/* Server streams as server-sent events. */
#include "sse.h"
#include "errors.h"
#include "gateway.h"
#include "response.h"
#include "sessions.h"
#include "transcode.h"
#include "upstream.h"
#include <crpc/client.h>
#include <crpc/json.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <text.h>

/*
 * Until the head is sent the call may still fail with an HTTP status of its own: so the head waits
 * for the first message, but not longer than HEAD_AFTER_MS, since a browser waits for it.
 */
enum {
	BACKLOG_MAX = 64 * 1024,
	HEAD_AFTER_MS = 250,
	EVENT_ARENA_MAX = 16 * 1024 * 1024,
	EVENT_ID_MAX = 256
};

struct sse {
	struct request *request;
	struct rpc_call *call; /* the peer's: its thread may be at it at any time, while
				  request->call is ours alone */
	struct timer timer;
	struct task arrived, ended;
	struct arena *arena; /* of one event: the call's own would grow with each */
	/* Printed among the completions, sent later in the turn, and only then the next is asked
	 * for. */
	struct text event;
	const ProtobufCMessage *message;
	struct rpc_json_error error;
	int problem; /* why there is no event */
	bool head_sent, blocked, pending;
};

static struct sse *of(struct request *request)
{
	return request->sse;
}

static void send_head(struct request *request)
{
	struct response *response = &request->response;

	if (of(request)->head_sent)
		return;
	of(request)->head_sent = true;
	response->status = 200;
	response->content_type = "text/event-stream";
	response_literal(response, "cache-control", "no-store");
	response_literal(response, "x-accel-buffering", "no"); /* else nginx holds events back */
	response_finish(request);
	request->answered = true;
	request->connection->protocol->stream_start(request);
}

static void send_text(struct request *request, const struct text *text)
{
	request->connection->protocol->stream_send(request, text->data, text->length);
}

static void send_comment(struct request *request)
{
	request->connection->protocol->stream_send(request, ":\n\n", 3);
}

/* What could break the line is not sent. */
static void add_id(struct text *text, struct sse *sse)
{
	const char *id = transcode_event_id(sse->request, sse->message);
	size_t length = id ? strlen(id) : 0;

	if (!length || length > EVENT_ID_MAX || memchr(id, '\n', length) ||
	    memchr(id, '\r', length))
		return;
	text_add_literal(text, "id: ");
	text_add(text, id, length);
	text_add_literal(text, "\n");
}

static int print_event(void *data)
{
	struct sse *sse = data;
	size_t length;
	const char *json =
		transcode_print(sse->request, sse->arena, sse->message, &length, &sse->error);

	if (!json)
		return RPC_INTERNAL;
	sse->event = (struct text){ .arena = sse->arena };
	add_id(&sse->event, sse);
	text_add_literal(&sse->event, "data: ");
	text_add(&sse->event, json, length);
	text_add_literal(&sse->event, "\n\n");
	return 0;
}

static int send_error(void *data, struct rpc_call *call)
{
	struct request *request = data;
	struct text text = { .arena = rpc_arena(call) };
	const char *json;
	int64_t retry_ms;
	size_t length;

	json = error_print(call, 0, &length, &retry_ms);
	text_add_literal(&text, "event: error\ndata: ");
	text_add(&text, json, length);
	text_add_literal(&text, "\n\n");
	send_text(request, &text);
	return 0;
}

/* The end of the stream, by an error if one is recorded. */
static void finish(struct request *request)
{
	loop_timer_clear(&request->worker->loop, &of(request)->timer);
	if (!of(request)->head_sent && rpc_error_code(request->call)) {
		request_answer_error(request, 0);
		return;
	}
	send_head(request);
	if (rpc_error_code(request->call))
		rpc_call_run(request->call, send_error, request);
	else
		request->connection->protocol->stream_send(request, "event: end\ndata: {}\n\n", 21);
	request->connection->protocol->stream_end(request);
}

static void go_on(struct request *request)
{
	struct sse *sse = of(request);

	sse->blocked = request->connection->protocol->stream_backlog(request) > BACKLOG_MAX;
	if (sse->blocked || !sse->pending)
		return;
	sse->pending = false;
	arena_reset(sse->arena);
	rpc_stream_resume(sse->call);
}

void sse_writable(struct request *request)
{
	if (of(request)->blocked && !request->done)
		go_on(request);
}

static void message_arrived(struct task *task)
{
	struct sse *sse = (void *)((char *)task - offsetof(struct sse, arrived));
	struct request *request = sse->request;

	if (request->done)
		return; /* cancelled already */
	if (sse->problem) {
		if (sse->problem < 0)
			rpc_fail_code(request->call, RPC_RESOURCE_EXHAUSTED,
				      "The message needs more memory than one may have.");
		else
			transcode_fail_print(request, &sse->error);
		finish(request);
		return;
	}
	send_head(request);
	send_text(request, &sse->event);
	sse->pending = true;
	go_on(request);
}

/* Both among the turn's completions. */
static bool stream_message(void *data, struct rpc_call *call, ProtobufCMessage *message)
{
	struct sse *sse = data;

	sse->message = message; /* gone when the stream ends, which may be as soon as we return */
	sse->problem = arena_run(sse->arena, print_event, sse);
	loop_post(&sse->request->worker->loop, &sse->arrived);
	return false; /* one at a time */
}

static void stream_done(void *data, struct rpc_call *call, int code, ProtobufCMessage *message)
{
	struct sse *sse = data;

	sse->request->code = code;
	loop_post(&sse->request->worker->loop, &sse->ended);
}

/* Nobody else is at the peer's call any more: the error that it holds becomes the answer's. */
static void take_error(struct sse *sse)
{
	struct rpc_call *own = sse->request->call;

	sse->request->call = sse->call;
	sse->call = own;
}

static void stream_ended(struct task *task)
{
	struct sse *sse = (void *)((char *)task - offsetof(struct sse, ended));
	struct request *request = sse->request;

	if (request->code)
		take_error(sse);
	request_waited(request, WAIT_CALL);
}

void sse_waited(struct request *request, unsigned what)
{
	/* Redis away is no reason to end what was admitted; a session that is over is. */
	if (what == WAIT_CALL || rpc_error_code(request->call) == RPC_UNAUTHENTICATED)
		finish(request);
	else
		rpc_error_clear(request->call);
}

static void beat(struct timer *timer)
{
	struct sse *sse = (void *)((char *)timer - offsetof(struct sse, timer));
	struct request *request = sse->request;
	const struct gateway *gateway = request->worker->gateway;

	if (request->done)
		return;
	loop_timer_set(&request->worker->loop, timer, gateway->heartbeat_ms);
	if (!sse->head_sent) {
		send_head(request);
		return;
	}
	send_comment(request);
	if (!(request->waits & WAIT_SESSION) && sessions_check_again(request))
		sse_waited(request, WAIT_SESSION);
}

int sse_start(struct request *request, const ProtobufCMessage *message)
{
	struct rpc_client *client =
		upstreams_client(request->worker->gateway->upstreams, request->match.route);
	struct worker *worker = request->worker;
	struct sse *sse;
	int r;

	if (!client)
		return upstream_missing(request);
	if (worker->n_streams >= worker->gateway->streams_max) {
		rpc_fail_code(request->call, RPC_UNAVAILABLE,
			      "The gateway has too many streams at once; try again soon.");
		rpc_retry_after(request->call, 1000);
		return RPC_UNAVAILABLE;
	}
	sse = calloc(1, sizeof(*sse));
	if (!sse)
		return rpc_fail_code(request->call, RPC_UNAVAILABLE,
				     "The gateway is out of memory; try again soon.");
	sse->request = request;
	sse->timer.expired = beat;
	sse->arrived.run = message_arrived;
	sse->ended.run = stream_ended;
	sse->arena = arena_new(EVENT_ARENA_MAX);
	sse->call = upstream_stream_call(request);
	request->sse = sse;
	worker->n_streams++;
	loop_timer_set(&worker->loop, &sse->timer, HEAD_AFTER_MS);
	r = rpc_client_start_stream(client, request->match.route->method, sse->call, message,
				    stream_message, stream_done, sse);
	if (r)
		take_error(sse);
	return r;
}

void sse_cancel(struct request *request)
{
	rpc_call_cancel(of(request)->call);
}

void sse_free(struct request *request)
{
	struct sse *sse = of(request);

	if (!sse)
		return;
	loop_timer_clear(&request->worker->loop, &sse->timer);
	rpc_call_free(sse->call);
	arena_free(sse->arena);
	request->worker->n_streams--;
	free(sse);
	request->sse = NULL;
}
