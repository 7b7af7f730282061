/* The call behind a WebSocket: messages from the client to the peer, and from the peer to the
 * client. */
#include "gateway.h"
#include "transcode.h"
#include "upstream.h"
#include "websocket_private.h"
#include <crpc/client.h>
#include <string.h>

/*
 * From the client to the peer
 */

static int parse(void *data)
{
	struct websocket *socket = data;

	return transcode_message(socket->request, socket->in, socket->text, socket->text_length,
				 &socket->message);
}

static int read_message(void *data, struct rpc_call *call)
{
	struct websocket *socket = data;
	int r = arena_run(socket->in, parse, socket);

	return r >= 0 ? r
		      : rpc_fail_code(call, RPC_RESOURCE_EXHAUSTED,
				      "The message needs more memory than one may have.");
}

/* Among the turn's completions. */
static void message_sent(void *data, struct rpc_call *call, bool ok)
{
	struct websocket *socket = data;

	(void)call;
	(void)ok; /* if not, the end says why */
	loop_post(&socket->request->worker->loop, &socket->sent);
}

void websocket_take(struct websocket *socket, const char *text, size_t length)
{
	struct request *request = socket->request;

	if (socket->said_all) {
		rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
			      "An empty message ends what the client says: none may follow.");
		websocket_shut_as_recorded(socket);
		return;
	}
	if (!length) {
		socket->said_all = true;
		socket->sending = rpc_stream_start_send(socket->call, NULL, message_sent, socket);
		return;
	}
	socket->text = text;
	socket->text_length = length;
	if (rpc_call_run(request->call, read_message, socket))
		websocket_shut_as_recorded(socket);
	else /* false: the call has ended, and says so soon */
		socket->sending =
			rpc_stream_start_send(socket->call, socket->message, message_sent, socket);
	arena_reset(socket->in);
}

static void sent_arrived(struct task *task)
{
	struct websocket *socket = (void *)((char *)task - offsetof(struct websocket, sent));
	size_t length;

	socket->sending = false;
	if (socket->request->done || socket->shut)
		return;
	while (!socket->sending && buffer_pending(&socket->waiting) &&
	       wslay_event_get_read_enabled(socket->frames)) {
		memcpy(&length, buffer_front(&socket->waiting), sizeof(length));
		buffer_take(&socket->waiting, sizeof(length));
		websocket_take(socket, buffer_front(&socket->waiting), length);
		buffer_take(&socket->waiting, length);
	}
	websocket_settle(socket);
	if (!socket->shut && !socket->sending && !socket->held)
		connection_resume(socket->request->connection);
}

/*
 * From the peer to the client
 */

static int print_answer(void *data)
{
	struct websocket *socket = data;

	socket->json = transcode_print(socket->request, socket->out, socket->answer,
				       &socket->json_length, &socket->error);
	return socket->json ? 0 : RPC_INTERNAL;
}

/* Both among the turn's completions. */
static bool stream_message(void *data, struct rpc_call *call, ProtobufCMessage *message)
{
	struct websocket *socket = data;

	(void)call;
	socket->answer = message;
	socket->problem = arena_run(socket->out, print_answer, socket);
	loop_post(&socket->request->worker->loop, &socket->arrived);
	return false; /* one at a time */
}

static void stream_done(void *data, struct rpc_call *call, int code, ProtobufCMessage *message)
{
	struct websocket *socket = data;

	(void)call;
	(void)message;
	socket->request->code = code;
	loop_post(&socket->request->worker->loop, &socket->ended);
}

void websocket_go_on(struct websocket *socket)
{
	socket->blocked = connection_backlog(socket->request->connection) > WEBSOCKET_BACKLOG_MAX;
	if (socket->blocked || !socket->pending)
		return;
	socket->pending = false;
	arena_reset(socket->out);
	rpc_stream_resume(socket->call);
}

static void message_arrived(struct task *task)
{
	struct websocket *socket = (void *)((char *)task - offsetof(struct websocket, arrived));
	struct request *request = socket->request;
	const struct wslay_event_msg message = { WSLAY_TEXT_FRAME, (const uint8_t *)socket->json,
						 socket->json_length };

	if (request->done || socket->shut)
		return;
	if (socket->problem) {
		if (socket->problem < 0)
			rpc_fail_code(request->call, RPC_RESOURCE_EXHAUSTED,
				      "The message needs more memory than one may have.");
		else
			transcode_fail_print(request, &socket->error);
		websocket_shut_as_recorded(socket);
		websocket_settle(socket);
		return;
	}
	if (wslay_event_queue_msg(socket->frames, &message))
		websocket_shut(socket, WSLAY_CODE_INTERNAL_SERVER_ERROR,
			       "The gateway is out of memory.");
	websocket_settle(socket);
	socket->pending = true;
	websocket_go_on(socket);
}

/* Nobody else is at the peer's call any more: the error that it holds becomes the request's. */
static void take_error(struct websocket *socket)
{
	struct rpc_call *own = socket->request->call;

	socket->request->call = socket->call;
	socket->call = own;
}

static void stream_ended(struct task *task)
{
	struct websocket *socket = (void *)((char *)task - offsetof(struct websocket, ended));
	struct request *request = socket->request;

	if (request->code)
		take_error(socket);
	request_waited(request, WAIT_CALL);
}

/*
 * Begin
 */

int websocket_start_call(struct websocket *socket)
{
	struct request *request = socket->request;
	const struct route *route = request->match.route;
	struct rpc_client *client = upstreams_client(request->worker->gateway->upstreams, route);

	if (request->worker->draining)
		return rpc_fail_code(request->call, RPC_UNAVAILABLE,
				     "The gateway is going down: connect again.");
	if (!client)
		return upstream_missing(request);
	socket->arrived.run = message_arrived;
	socket->sent.run = sent_arrived;
	socket->ended.run = stream_ended;
	if (rpc_client_start_stream(client, route->method, socket->call, NULL, stream_message,
				    stream_done, socket)) {
		take_error(socket);
		return rpc_error_code(request->call);
	}
	return 0;
}
