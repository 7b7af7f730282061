/* Streams from the client, and both ways, as a WebSocket; the frames are libwslay's. */
#include "gateway.h"
#include "handshake.h"
#include "sessions.h"
#include "upstream.h"
#include "websocket_private.h"
#include <crpc/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 *   websocket_start() ─▶ begin(): the call is started, the handshake answered, and the connection
 *                                 ours; in a turn of its own, since HTTP/1.1 is still in its input
 *   input() ─▶ message_received() ─▶ websocket_take() ─▶ the peer ─▶ sent_arrived(): the next one
 *   message_arrived() ─▶ push() ─▶ the client took enough ─▶ websocket_go_on(): the next one
 *   websocket_shut(): the closing frame is on its way, nothing else is read or sent; the call is
 *   cancelled.
 *           stop() comes when the connection is closed.
 *
 * libwslay reads up to 4 KiB ahead: messages that come with one that is being sent wait in
 * `waiting`.
 */
enum {
	MESSAGE_ARENA_MAX = 16 * 1024 * 1024,
	CODE_PRIVATE = 4000, /* and the gRPC code */
	REASON_MAX = 123,
};

static struct websocket *of(const struct connection *connection)
{
	return connection->state;
}

/*
 * Frames
 */

static ssize_t read_bytes(wslay_event_context_ptr frames, uint8_t *to, size_t size, int flags,
			  void *data)
{
	struct websocket *socket = data;

	(void)flags;
	if (!socket->left || socket->sending) {
		wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (size > socket->left)
		size = socket->left;
	memcpy(to, socket->from, size);
	socket->from += size;
	socket->left -= size;
	return (ssize_t)size;
}

static ssize_t write_bytes(wslay_event_context_ptr frames, const uint8_t *bytes, size_t size,
			   int flags, void *data)
{
	struct websocket *socket = data;

	(void)flags;
	if (!buffer_append(&socket->request->worker->head, bytes, size))
		return (ssize_t)size;
	wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

/* What is queued leaves in one write. */
static void push(struct websocket *socket)
{
	struct request *request = socket->request;
	struct buffer *bytes = &request->worker->head;

	buffer_clear(bytes, REQUEST_HEAD_MAX);
	if (wslay_event_send(socket->frames))
		wslay_event_shutdown_read(socket->frames);
	request->bytes_sent += bytes->length;
	if (bytes->length)
		connection_write(request->connection, &(struct iovec){ bytes->data, bytes->length },
				 1);
}

void websocket_settle(struct websocket *socket)
{
	push(socket);
	if (socket->shut || wslay_event_get_read_enabled(socket->frames))
		return;
	socket->shut = true;
	rpc_call_cancel(socket->call);
	connection_close_when_written(socket->request->connection);
}

/* websocket_settle() must follow. */
void websocket_shut(struct websocket *socket, int code, const char *reason)
{
	size_t length = strlen(reason);

	if (length > REASON_MAX)
		for (length = REASON_MAX; (reason[length] & 0xC0) == 0x80; length--)
			;
	if (wslay_event_get_read_enabled(socket->frames))
		wslay_event_queue_close(socket->frames, (uint16_t)code, (const uint8_t *)reason,
					length);
	wslay_event_shutdown_read(socket->frames);
}

void websocket_shut_as_recorded(struct websocket *socket)
{
	const struct rpc_call *call = socket->request->call;
	const char *reason = rpc_error_reason(call);
	char text[2 * REASON_MAX];
	int code = rpc_error_code(call);

	snprintf(text, sizeof(text), "%s%s%s", reason ? reason : "", reason && *reason ? ": " : "",
		 rpc_error_message(call));
	websocket_shut(socket, code ? CODE_PRIVATE + code : WSLAY_CODE_NORMAL_CLOSURE,
		       code ? text : "");
}

static void message_received(wslay_event_context_ptr frames,
			     const struct wslay_event_on_msg_recv_arg *message, void *data)
{
	struct websocket *socket = data;
	size_t length = message->msg_length;

	if (wslay_is_ctrl_frame(message->opcode) || !wslay_event_get_read_enabled(frames))
		return; /* libwslay answers those */
	if (message->opcode != WSLAY_TEXT_FRAME) {
		websocket_shut(socket, WSLAY_CODE_UNSUPPORTED_DATA,
			       "Messages are JSON, in text frames.");
		return;
	}
	if (!socket->sending) {
		websocket_take(socket, (const char *)message->msg, length);
		return;
	}
	if (buffer_append(&socket->waiting, &length, sizeof(length)) ||
	    buffer_append(&socket->waiting, message->msg, length))
		websocket_shut(socket, WSLAY_CODE_INTERNAL_SERVER_ERROR,
			       "The gateway is out of memory.");
}

void websocket_waited(struct request *request, unsigned what)
{
	struct websocket *socket = request->websocket;

	/* As with events: Redis away is no reason to end what was admitted. */
	if (what != WAIT_CALL && rpc_error_code(request->call) != RPC_UNAUTHENTICATED) {
		rpc_error_clear(request->call);
	} else if (!socket->shut) {
		websocket_shut_as_recorded(socket);
		websocket_settle(socket);
	}
}

/*
 * The connection's protocol
 */

static ssize_t input(struct connection *connection, const char *bytes, size_t length)
{
	struct websocket *socket = of(connection);

	socket->heard_ms = connection->worker->loop.now_ms;
	socket->from = bytes;
	socket->left = length;
	if (wslay_event_recv(socket->frames)) /* a closing frame without a code is queued */
		wslay_event_shutdown_read(socket->frames);
	length -= socket->left;
	socket->request->discarded += length; /* for the log */
	websocket_settle(socket);
	socket->held = connection_backlog(connection) > WEBSOCKET_BACKLOG_MAX;
	if (socket->sending || socket->held)
		connection->paused = true;
	return (ssize_t)(socket->shut ? length + socket->left : length);
}

static void end_of_input(struct connection *connection)
{
	connection_close(connection);
}

static void drained(struct connection *connection)
{
	struct websocket *socket = of(connection);

	if (socket->shut)
		return;
	if (socket->blocked)
		websocket_go_on(socket);
	if (socket->held && !socket->sending)
		connection_resume(connection);
	socket->held = false;
}

static int64_t check_time(struct connection *connection)
{
	const struct gateway *gateway = connection->worker->gateway;
	int64_t now = connection->worker->loop.now_ms, silence = gateway->idle_timeout_ms;
	struct websocket *socket = of(connection);
	struct request *request = socket->request;

	if (socket->shut)
		return gateway->linger_ms;
	/* While we do not read, nothing can be heard. */
	if (connection->paused)
		socket->heard_ms = now;
	if (silence < 2 * gateway->heartbeat_ms)
		silence = 2 * gateway->heartbeat_ms;
	if (now >= socket->heard_ms + silence) {
		websocket_shut(socket, WSLAY_CODE_GOING_AWAY, "Nothing was heard of the client.");
		websocket_settle(socket);
		return gateway->linger_ms;
	}
	if (now >= socket->beat_ms) {
		socket->beat_ms = now + gateway->heartbeat_ms;
		wslay_event_queue_msg(socket->frames,
				      &(struct wslay_event_msg){ WSLAY_PING, NULL, 0 });
		websocket_settle(socket);
		if (!(request->waits & WAIT_SESSION) && sessions_check_again(request))
			websocket_waited(request, WAIT_SESSION);
	}
	return socket->beat_ms - now;
}

static void wind_down(struct connection *connection)
{
	struct websocket *socket = of(connection);

	websocket_shut(socket, WSLAY_CODE_GOING_AWAY, "The gateway is going down: connect again.");
	websocket_settle(socket);
}

static void stop(struct connection *connection)
{
	struct request *request = of(connection)->request;

	connection->state = NULL;
	request_done(request);
}

static const struct protocol websocket_protocol = {
	.version = "websocket",
	.input = input,
	.end_of_input = end_of_input,
	.drained = drained,
	.check_time = check_time,
	.wind_down = wind_down,
	.stop = stop,
};

/*
 * Begin and end
 */

static void begin(struct task *task)
{
	struct websocket *socket = (void *)((char *)task - offsetof(struct websocket, begin));
	struct request *request = socket->request;

	if (request->done) {
		request_waited(request, WAIT_CALL);
		return;
	}
	if (websocket_start_call(socket)) {
		request->waits &= ~WAIT_CALL;
		request_answer_error(request, 0);
		return;
	}
	handshake_answer(request);
	request->answered = true;
	socket->heard_ms = request->worker->loop.now_ms;
	socket->beat_ms = socket->heard_ms + request->worker->gateway->heartbeat_ms;
	http1_switch(request, &websocket_protocol, socket);
	connection_set_timer(request->connection, request->worker->gateway->heartbeat_ms);
}

int websocket_start(struct request *request)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = read_bytes,
		.send_callback = write_bytes,
		.on_msg_recv_callback = message_received,
	};
	struct worker *worker = request->worker;
	struct websocket *socket;

	if (request->body.length)
		return rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
				     "The request for a WebSocket has no body.");
	if (worker->n_streams >= worker->gateway->streams_max) {
		rpc_fail_code(request->call, RPC_UNAVAILABLE,
			      "The gateway has too many streams at once; try again soon.");
		rpc_retry_after(request->call, 1000);
		return RPC_UNAVAILABLE;
	}
	socket = calloc(1, sizeof(*socket));
	if (!socket || wslay_event_context_server_init(&socket->frames, &callbacks, socket)) {
		free(socket);
		return rpc_fail_code(request->call, RPC_UNAVAILABLE,
				     "The gateway is out of memory; try again soon.");
	}
	wslay_event_config_set_max_recv_msg_length(socket->frames, request->body_limit);
	socket->request = request;
	socket->begin.run = begin;
	socket->in = arena_new(MESSAGE_ARENA_MAX);
	socket->out = arena_new(MESSAGE_ARENA_MAX);
	socket->call = upstream_stream_call(request);
	request->websocket = socket;
	worker->n_streams++;
	loop_post(&worker->loop, &socket->begin);
	return 0;
}

void websocket_cancel(struct request *request)
{
	rpc_call_cancel(request->websocket->call);
}

void websocket_free(struct request *request)
{
	struct websocket *socket = request->websocket;

	if (!socket)
		return;
	wslay_event_context_free(socket->frames);
	buffer_deinit(&socket->waiting);
	rpc_call_free(socket->call);
	arena_free(socket->in);
	arena_free(socket->out);
	request->worker->n_streams--;
	free(socket);
	request->websocket = NULL;
}
