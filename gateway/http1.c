/* HTTP/1.1: one request at a time on a connection, those sent ahead in their order. */
#include "connection.h"
#include "gateway.h"
#include "request.h"
#include "response.h"
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * States: IDLE (no request) -> HEAD (its first byte came) -> BODY -> BUSY (complete, the answer is
 * being made) -> IDLE. While BUSY the connection is paused: what the client sent ahead stays in the
 * parser's input or with the kernel. So it does while IDLE, if the client does not take the answers
 * that it has. `since` is when the state began, for the time limits; IDLE begins when the answer is
 * taken.
 */
enum state { STATE_IDLE, STATE_HEAD, STATE_BODY, STATE_BUSY };
enum { BACKLOG_MAX = 64 * 1024 }; /* of answers that are not taken */

struct http1 {
	http_parser parser;
	struct connection *connection;
	struct request *request;
	enum state state;
	int64_t since;
	bool keep_alive;
	bool winding_down;
	int refusal; /* the HTTP status with which a callback stopped the parser */
	char *name;  /* the header that is being read, on request->head's free end */
	size_t name_length, value_length;
	bool in_value;
};

static struct http1 *of(const struct connection *connection)
{
	return connection->state;
}

static void enter(struct http1 *http1, enum state state)
{
	http1->state = state;
	http1->since = http1->connection->worker->loop.now_ms;
}

/*
 * The parser's callbacks. Pieces of a header are put together on the free end of the request's
 * head, where request_add_header() finds them in place.
 */

static int message_begin(http_parser *parser)
{
	struct http1 *http1 = parser->data;

	enter(http1, STATE_HEAD);
	http1->refusal = 0;
	http1->name_length = http1->value_length = 0;
	http1->in_value = false;
	http1->request = request_new(http1->connection);
	if (!http1->request)
		return -1;
	return 0;
}

static int add_piece(struct http1 *http1, const char *bytes, size_t length)
{
	struct request *request = http1->request;
	size_t used = request->head_used + http1->name_length + http1->value_length;

	if (length > REQUEST_HEAD_MAX - used) {
		http1->refusal = request->target ? 431 : 414;
		return -1;
	}
	memcpy(request->head + used, bytes, length);
	return 0;
}

static int url(http_parser *parser, const char *bytes, size_t length)
{
	struct http1 *http1 = parser->data;

	if (add_piece(http1, bytes, length))
		return -1;
	http1->name_length += length;
	if (http1->name_length > REQUEST_TARGET_MAX) {
		http1->refusal = 414;
		return -1;
	}
	return 0;
}

/* The target or a header is whole. */
static int commit(struct http1 *http1)
{
	struct request *request = http1->request;
	char *piece = request->head + request->head_used;

	if (!request->target)
		http1->refusal = request_set_target(request, piece, http1->name_length);
	else if (http1->name_length)
		http1->refusal =
			request_add_header(request, piece, http1->name_length,
					   piece + http1->name_length, http1->value_length);
	http1->name_length = http1->value_length = 0;
	http1->in_value = false;
	return http1->refusal ? -1 : 0;
}

static int header_field(http_parser *parser, const char *bytes, size_t length)
{
	struct http1 *http1 = parser->data;

	if (http1->state != STATE_HEAD)
		return 0; /* a trailer: read over */
	if ((!http1->request->target || http1->in_value) && commit(http1))
		return -1;
	if (add_piece(http1, bytes, length))
		return -1;
	http1->name_length += length;
	return 0;
}

static int header_value(http_parser *parser, const char *bytes, size_t length)
{
	struct http1 *http1 = parser->data;

	if (http1->state != STATE_HEAD)
		return 0;
	if (add_piece(http1, bytes, length))
		return -1;
	http1->value_length += length;
	http1->in_value = true;
	return 0;
}

/* RFC 9112, 3.2: exactly one Host since HTTP/1.1. */
static bool host_is_right(const struct http1 *http1)
{
	const struct request *request = http1->request;
	unsigned n = 0;

	for (unsigned i = 0; i < request->n_headers; i++)
		n += request->headers[i].name_length == 4 &&
		     !memcmp(request->headers[i].name, "host", 4);
	return n == 1 || (!n && http1->parser.http_minor == 0);
}

static int headers_complete(http_parser *parser)
{
	struct http1 *http1 = parser->data;
	struct request *request = http1->request;
	int64_t length = 0;

	if ((!request->target || http1->in_value || http1->name_length) && commit(http1))
		return -1;
	if (parser->http_major != 1 || parser->http_minor > 1) {
		http1->refusal = 505;
		return -1;
	}
	if (!host_is_right(http1)) {
		http1->refusal = 400;
		return -1;
	}
	request->authority = request_header(request, "host");
	request->method = http_method_str((enum http_method)parser->method);
	http1->keep_alive = http_should_keep_alive(parser) && !http1->winding_down;
	parser->upgrade = 0; /* we stay with HTTP/1.1, which the client must accept */
	if (parser->flags & F_CHUNKED)
		length = -1;
	else if (parser->content_length != UINT64_MAX)
		length = parser->content_length > INT64_MAX ? INT64_MAX
							    : (int64_t)parser->content_length;
	enter(http1, STATE_BODY);
	request_head_done(request, length);
	return http1->request ? 0 : -1; /* answered before its body was read: nothing after it can
					   be told apart */
}

static int body(http_parser *parser, const char *bytes, size_t length)
{
	struct http1 *http1 = parser->data;

	request_body(http1->request, bytes, length);
	return http1->request ? 0 : -1;
}

static int message_complete(http_parser *parser)
{
	struct http1 *http1 = parser->data;

	enter(http1, STATE_BUSY);
	http_parser_pause(parser, 1);
	request_complete(http1->request);
	return 0;
}

static const http_parser_settings settings = {
	.on_message_begin = message_begin,
	.on_url = url,
	.on_header_field = header_field,
	.on_header_value = header_value,
	.on_headers_complete = headers_complete,
	.on_body = body,
	.on_message_complete = message_complete,
};

static int start(struct connection *connection)
{
	struct http1 *http1 = calloc(1, sizeof(*http1));

	if (!http1)
		return -1;
	http_parser_init(&http1->parser, HTTP_REQUEST);
	http1->parser.data = http1;
	http1->connection = connection;
	http1->keep_alive = true;
	enter(http1, STATE_IDLE);
	connection->state = http1;
	return 0;
}

/* Syntax that is no HTTP, or more of it than there may be. */
static void refuse(struct http1 *http1, enum http_errno error)
{
	struct connection *connection = http1->connection;
	int status = http1->refusal;

	if (connection->closing)
		return; /* answered already */
	if (!status)
		status = error == HPE_HEADER_OVERFLOW ? 431 : 400;
	if (!http1->request)
		http1->request = request_new(connection);
	if (!http1->request) {
		connection_close_when_written(connection);
		return;
	}
	http1->keep_alive = false;
	request_fail_protocol(http1->request, status,
			      http1->refusal ? NULL : http_errno_description(error));
}

static ssize_t input(struct connection *connection, const char *bytes, size_t length)
{
	struct http1 *http1 = of(connection);
	size_t used = 0;

	while (used < length && !connection->closing) {
		enum http_errno error;

		if (http1->state == STATE_BUSY ||
		    (http1->state == STATE_IDLE && connection_backlog(connection) > BACKLOG_MAX)) {
			connection->paused = true;
			break;
		}
		http_parser_pause(&http1->parser, 0);
		used += http_parser_execute(&http1->parser, &settings, bytes + used, length - used);
		error = HTTP_PARSER_ERRNO(&http1->parser);
		if (error != HPE_OK && error != HPE_PAUSED) {
			refuse(http1, error);
			return (ssize_t)length;
		}
	}
	return (ssize_t)(connection->closing ? length : used);
}

static void end_of_input(struct connection *connection)
{
	connection_close(connection); /* without it nobody waits for an answer */
}

/* The answer is with the connection: on to the next request, or good-bye. */
static void finish(struct http1 *http1)
{
	struct connection *connection = http1->connection;
	struct request *request = http1->request;
	bool complete = request->complete;

	http1->request = NULL;
	request_done(request);
	if (!complete || !http1->keep_alive || http1->winding_down) {
		connection_close_when_written(connection);
		return;
	}
	enter(http1, STATE_IDLE);
	if (connection->paused)
		connection_resume(connection);
}

static bool has_body(const struct response *response)
{
	return response->status >= 200 && response->status != 204 && response->status != 304;
}

static char *put(char *to, const char *bytes, size_t length)
{
	memcpy(to, bytes, length);
	return to + length;
}

static char *put_number(char *to, size_t number)
{
	char digits[20], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	return put(to, at, (size_t)(digits + sizeof(digits) - at));
}

/* Into the worker's buffer, which lasts until the next head; empty when there is no memory. */
static struct iovec print_head(struct http1 *http1, const char *framing, size_t framing_length)
{
	enum { STATUS_LINE = 64, CONNECTION_LINE = 32 }; /* bytes at most */
	struct request *request = http1->request;
	const struct response *response = &request->response;
	struct buffer *head = &http1->connection->worker->head;
	size_t size = STATUS_LINE + CONNECTION_LINE + framing_length;
	const char *reason = response_reason(response->status);
	char *to;

	buffer_clear(head, REQUEST_HEAD_MAX);
	for (unsigned i = 0; i < response->n_headers; i++)
		size += response->headers[i].name_length + response->headers[i].value_length + 4;
	to = buffer_room(head, size);
	if (!to)
		return (struct iovec){ NULL, 0 };
	to = put(to, "HTTP/1.1 ", 9);
	to = put_number(to, (size_t)response->status);
	*to++ = ' ';
	to = put(to, reason, strlen(reason));
	to = put(to, "\r\n", 2);
	for (unsigned i = 0; i < response->n_headers; i++) {
		const struct header *header = &response->headers[i];

		to = put(to, header->name, header->name_length);
		to = put(to, ": ", 2);
		to = put(to, header->value, header->value_length);
		to = put(to, "\r\n", 2);
	}
	if (!http1->keep_alive || !request->complete || http1->winding_down)
		to = put(to, "connection: close\r\n", 19);
	else if (http1->parser.http_minor == 0)
		to = put(to, "connection: keep-alive\r\n", 24);
	to = put(to, framing, framing_length);
	to = put(to, "\r\n", 2);
	buffer_added(head, (size_t)(to - head->data));
	return (struct iovec){ head->data, head->length };
}

static void respond(struct request *request)
{
	struct connection *connection = request->connection;
	const struct response *response = &request->response;
	struct iovec pieces[2];
	char framing[48], *to = framing;

	if (has_body(response)) {
		to = put(to, "content-length: ", 16);
		to = put_number(to, response->length);
		to = put(to, "\r\n", 2);
	}
	pieces[0] = print_head(of(connection), framing, (size_t)(to - framing));
	pieces[1] = (struct iovec){ (char *)response->body, response->length };
	if (response->omit_body || !has_body(response))
		pieces[1].iov_len = 0;
	request->bytes_sent = pieces[1].iov_len;
	connection_write(connection, pieces, pieces[1].iov_len ? 2 : 1);
	finish(of(connection));
}

void http1_switch(struct request *request, const struct protocol *protocol, void *state)
{
	struct connection *connection = request->connection;
	struct http1 *http1 = of(connection);
	struct iovec head;

	http1->keep_alive = true;
	head = print_head(http1, "", 0);
	connection_write(connection, &head, 1);
	free(http1);
	connection->protocol = protocol;
	connection->state = state;
	connection_resume(connection);
}

static void stream_start(struct request *request)
{
	struct http1 *http1 = of(request->connection);
	struct iovec head;

	/* HTTP/1.0 knows no chunks: the end of the connection ends the stream. */
	if (http1->parser.http_minor == 0) {
		http1->keep_alive = false;
		head = print_head(http1, "", 0);
	} else {
		head = print_head(http1, "transfer-encoding: chunked\r\n", 28);
	}
	connection_write(request->connection, &head, 1);
}

static void stream_send(struct request *request, const char *bytes, size_t length)
{
	struct http1 *http1 = of(request->connection);
	char size[24];
	struct iovec pieces[3] = { { size, 0 }, { (char *)bytes, length }, { (char *)"\r\n", 2 } };

	request->bytes_sent += length;
	if (http1->parser.http_minor == 0) {
		connection_write(request->connection, &pieces[1], 1);
		return;
	}
	pieces[0].iov_len = (size_t)snprintf(size, sizeof(size), "%zx\r\n", length);
	connection_write(request->connection, pieces, 3);
}

static void stream_end(struct request *request)
{
	struct http1 *http1 = of(request->connection);

	if (http1->parser.http_minor)
		connection_write(request->connection, &(struct iovec){ (char *)"0\r\n\r\n", 5 }, 1);
	finish(http1);
}

static size_t stream_backlog(const struct request *request)
{
	return connection_backlog(request->connection);
}

static void go_on(struct request *request)
{
	connection_write(request->connection,
			 &(struct iovec){ (char *)"HTTP/1.1 100 Continue\r\n\r\n", 25 }, 1);
}

static void drained(struct connection *connection)
{
	struct http1 *http1 = of(connection);

	if (http1->request && http1->request->sse)
		request_writable(http1->request);
	if (http1->state != STATE_IDLE)
		return;
	enter(http1, STATE_IDLE);
	if (connection->paused)
		connection_resume(connection);
}

static int64_t check_time(struct connection *connection)
{
	const struct gateway *gateway = connection->worker->gateway;
	struct http1 *http1 = of(connection);
	const int64_t limits[] = {
		[STATE_IDLE] = gateway->idle_timeout_ms,
		[STATE_HEAD] = gateway->header_timeout_ms,
		[STATE_BODY] = gateway->body_timeout_ms,
	};
	int64_t left;

	/* The call has a deadline of its own, and so has an answer that is not taken. */
	if (http1->state == STATE_BUSY || connection->closing ||
	    (http1->state == STATE_IDLE && connection_backlog(connection)))
		return gateway->header_timeout_ms;
	left = http1->since + limits[http1->state] - connection->worker->loop.now_ms;
	if (left > 0)
		return left < gateway->header_timeout_ms ? left : gateway->header_timeout_ms;
	if (http1->state == STATE_IDLE) {
		connection_close(connection);
		return 0;
	}
	http1->keep_alive = false;
	request_fail_protocol(http1->request, 408, NULL);
	return gateway->linger_ms;
}

static void wind_down(struct connection *connection)
{
	struct http1 *http1 = of(connection);

	http1->winding_down = true;
	if (http1->state == STATE_IDLE)
		connection_close_when_written(connection);
}

static void stop(struct connection *connection)
{
	struct http1 *http1 = of(connection);

	if (http1->request)
		request_done(http1->request);
	free(http1);
	connection->state = NULL;
}

const struct protocol http1_protocol = {
	.version = "1.1",
	.start = start,
	.input = input,
	.end_of_input = end_of_input,
	.respond = respond,
	.stream_start = stream_start,
	.stream_send = stream_send,
	.stream_end = stream_end,
	.stream_backlog = stream_backlog,
	.go_on = go_on,
	.drained = drained,
	.check_time = check_time,
	.wind_down = wind_down,
	.stop = stop,
};
