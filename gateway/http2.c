/* HTTP/2 by libnghttp2: many requests at once on a connection. */
#include "connection.h"
#include "gateway.h"
#include "request.h"
#include "response.h"
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * libnghttp2 keeps the streams; each has its request as user data until on_stream_close(). What it
 * wants to send is fetched when the connection's output is empty, so that the answers of one turn
 * leave in one write, and no more than OUTPUT_MAX of a large one is copied ahead.
 */
enum {
	OUTPUT_MAX = 64 * 1024,
	RESETS_MAX = 200, /* in RESETS_MS, of streams that the client gave up: more is an attack
			     (CVE-2023-44487) */
	RESETS_MS = 10 * 1000,
	CHECK_MS = 1000,
};

struct http2 {
	nghttp2_session *session;
	struct connection *connection;
	struct request *requests;
	bool winding_down;
	int64_t idle_since;
	unsigned resets;
	int64_t resets_since;
};

static struct http2 *of(const struct connection *connection)
{
	return connection->state;
}

static struct request *request_of(nghttp2_session *session, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(session, stream);
}

static void want_write(struct http2 *http2)
{
	loop_later(&http2->connection->worker->loop, &http2->connection->flush);
}

/*
 * What the client sends
 */

static int begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct http2 *http2 = data;
	struct request *request;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	request = request_new(http2->connection);
	if (!request)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	request->stream = frame->hd.stream_id;
	request->next = http2->requests;
	request->link = &http2->requests;
	if (request->next)
		request->next->link = &request->next;
	http2->requests = request;
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, request);
	return 0;
}

static int header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		  size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
		  void *data)
{
	struct request *request = request_of(session, frame->hd.stream_id);
	int problem;

	(void)flags;
	(void)data;
	if (!request || request->call || request->refused_status)
		return 0; /* a trailer, or too much already */
	if (name_length == 5 && !memcmp(name, ":path", 5))
		problem = request_set_target(request, (const char *)value, value_length);
	else
		problem = request_add_header(request, (const char *)name, name_length,
					     (const char *)value, value_length);
	request->refused_status = problem;
	return 0;
}

static void head_done(struct request *request, bool end)
{
	const char *length = request_header(request, "content-length");
	int problem = request->refused_status;

	request->method = request_header(request, ":method");
	request->authority = request_header(request, ":authority");
	if (!request->authority)
		request->authority = request_header(request, "host");
	request->refused_status = 0;
	if (problem || !request->target || !request->method)
		request_fail_protocol(request, problem ? problem : 400, NULL);
	else
		request_head_done(request, end ? 0 : length ? strtoll(length, NULL, 10) : -1);
}

static int frame_received(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct http2 *http2 = data;
	struct request *request = request_of(session, frame->hd.stream_id);
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (frame->hd.type == NGHTTP2_RST_STREAM) {
		int64_t now = http2->connection->worker->loop.now_ms;

		if (now - http2->resets_since > RESETS_MS) {
			http2->resets_since = now;
			http2->resets = 0;
		}
		if (++http2->resets > RESETS_MAX)
			nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
		return 0;
	}
	if (!request || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		head_done(request, end);
	if (!end)
		return 0;
	if (request->answered)
		request->complete = true;
	else
		request_complete(request);
	return 0;
}

static int data_received(nghttp2_session *session, uint8_t flags, int32_t stream,
			 const uint8_t *bytes, size_t length, void *data)
{
	struct request *request = request_of(session, stream);

	(void)flags;
	(void)data;
	if (request && !request->answered)
		request_body(request, (const char *)bytes, length);
	return 0;
}

static int stream_closed(nghttp2_session *session, int32_t stream, uint32_t error, void *data)
{
	struct http2 *http2 = data;
	struct request *request = request_of(session, stream);

	(void)error;
	if (!request)
		return 0;
	nghttp2_session_set_stream_user_data(session, stream, NULL);
	*request->link = request->next;
	if (request->next)
		request->next->link = request->link;
	request_done(request);
	http2->idle_since = http2->connection->worker->loop.now_ms;
	if (http2->winding_down && !http2->requests)
		connection_close_when_written(http2->connection);
	return 0;
}

/* An answer that came before its request was whole: the rest need not be sent (RFC 9113, 8.1). */
static int frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct request *request;

	(void)data;
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
	    (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	request = request_of(session, frame->hd.stream_id);
	if (request && !request->complete)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
					  NGHTTP2_NO_ERROR);
	return 0;
}

static nghttp2_session_callbacks *make_callbacks(void)
{
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks))
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_received);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_received);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_sent);
	return callbacks;
}

static int start(struct connection *connection)
{
	nghttp2_session_callbacks *callbacks = make_callbacks();
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		  (uint32_t)connection->worker->gateway->connection_streams_max },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, REQUEST_HEAD_MAX },
	};
	struct http2 *http2 = calloc(1, sizeof(*http2));

	if (!http2 || !callbacks || nghttp2_session_server_new(&http2->session, callbacks, http2) ||
	    nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings, 2)) {
		nghttp2_session_callbacks_del(callbacks);
		if (http2)
			nghttp2_session_del(http2->session);
		free(http2);
		return -1;
	}
	nghttp2_session_callbacks_del(callbacks);
	http2->connection = connection;
	http2->idle_since = connection->worker->loop.now_ms;
	connection->state = http2;
	want_write(http2);
	return 0;
}

static ssize_t input(struct connection *connection, const char *bytes, size_t length)
{
	struct http2 *http2 = of(connection);
	ssize_t used = nghttp2_session_mem_recv(http2->session, (const uint8_t *)bytes, length);

	if (used < 0)
		return -1;
	want_write(http2);
	return used;
}

static void end_of_input(struct connection *connection)
{
	connection_close(connection);
}

/*
 * Answers
 */

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
			 uint32_t *flags, nghttp2_data_source *source, void *data)
{
	struct request *request = source->ptr;
	const char *bytes = request->response.body + request->outgoing.sent;
	size_t left = request->response.length - request->outgoing.sent;

	(void)session;
	(void)stream;
	(void)data;
	if (left > size)
		left = size;
	memcpy(to, bytes, left);
	request->outgoing.sent += left;
	request->outgoing.since_ms = request->worker->loop.now_ms;
	request->bytes_sent += left;
	if (request->outgoing.sent == request->response.length)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)left;
}

static ssize_t read_stream(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
			   uint32_t *flags, nghttp2_data_source *source, void *data)
{
	struct request *request = source->ptr;
	struct buffer *pending = &request->outgoing.pending;
	size_t left = buffer_pending(pending);

	(void)session;
	(void)stream;
	(void)data;
	if (!left && !request->outgoing.ended) {
		request->outgoing.deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (left > size)
		left = size;
	if (left)
		memcpy(to, buffer_front(pending), left);
	buffer_take(pending, left);
	request->outgoing.since_ms = request->worker->loop.now_ms;
	request->bytes_sent += left;
	if (request->outgoing.ended && !buffer_pending(pending))
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)left;
}

static nghttp2_nv pair(const char *name, size_t name_length, const char *value, size_t value_length)
{
	return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, name_length, value_length,
			     NGHTTP2_NV_FLAG_NONE };
}

static void submit(struct request *request, nghttp2_data_source_read_callback read,
		   bool with_length)
{
	struct http2 *http2 = of(request->connection);
	const struct response *response = &request->response;
	nghttp2_data_provider provider = { { .ptr = request }, read };
	nghttp2_nv pairs[RESPONSE_HEADERS_MAX + 2];
	char status[8], length[24];
	size_t n = 0;

	request->outgoing.since_ms = request->worker->loop.now_ms;
	pairs[n++] = pair(":status", 7, status,
			  (size_t)snprintf(status, sizeof(status), "%d", response->status));
	for (unsigned i = 0; i < response->n_headers; i++)
		pairs[n++] = pair(response->headers[i].name, response->headers[i].name_length,
				  response->headers[i].value, response->headers[i].value_length);
	if (with_length)
		pairs[n++] =
			pair("content-length", 14, length,
			     (size_t)snprintf(length, sizeof(length), "%zu", response->length));
	if (nghttp2_submit_response(http2->session, request->stream, pairs, n,
				    read ? &provider : NULL))
		nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, request->stream,
					  NGHTTP2_INTERNAL_ERROR);
	want_write(http2);
}

static void respond(struct request *request)
{
	const struct response *response = &request->response;
	bool bodiless = response->status == 204 || response->status == 304;

	submit(request, bodiless || response->omit_body || !response->length ? NULL : read_body,
	       !bodiless);
}

static void stream_start(struct request *request)
{
	submit(request, read_stream, false);
}

static void resume(struct request *request)
{
	struct http2 *http2 = of(request->connection);

	if (request->outgoing.deferred)
		nghttp2_session_resume_data(http2->session, request->stream);
	request->outgoing.deferred = false;
	want_write(http2);
}

static void stream_send(struct request *request, const char *bytes, size_t length)
{
	struct http2 *http2 = of(request->connection);

	if (!buffer_pending(&request->outgoing.pending))
		request->outgoing.since_ms = request->worker->loop.now_ms;
	if (buffer_append(&request->outgoing.pending, bytes, length))
		nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, request->stream,
					  NGHTTP2_INTERNAL_ERROR);
	resume(request);
}

static void stream_end(struct request *request)
{
	request->outgoing.ended = true;
	resume(request);
}

static size_t stream_backlog(const struct request *request)
{
	return buffer_pending(&request->outgoing.pending) + connection_backlog(request->connection);
}

static void go_on(struct request *request)
{
	static const char status[] = "100";
	const nghttp2_nv informational = pair(":status", 7, status, 3);

	nghttp2_submit_headers(of(request->connection)->session, NGHTTP2_FLAG_NONE, request->stream,
			       NULL, &informational, 1, NULL);
}

static void drained(struct connection *connection)
{
	struct http2 *http2 = of(connection);
	struct request *next;

	while (connection_backlog(connection) < OUTPUT_MAX) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(http2->session, &bytes);

		if (n < 0 || (n && buffer_append(&connection->out, bytes, (size_t)n))) {
			connection_close_when_written(connection);
			return;
		}
		if (!n)
			break;
	}
	for (struct request *request = http2->requests; request; request = next) {
		next = request->next;
		if (request->sse)
			request_writable(request);
	}
	if (!nghttp2_session_want_read(http2->session) &&
	    !nghttp2_session_want_write(http2->session))
		connection_close_when_written(connection);
}

/* The client opens no window for the answer: that costs it nothing, and us a request. */
static bool is_not_taken(const struct http2 *http2, const struct request *request)
{
	const struct worker *worker = request->worker;
	size_t left = buffer_pending(&request->outgoing.pending);

	if (request->answered)
		left += request->response.length - request->outgoing.sent;
	return left &&
	       request->outgoing.since_ms + worker->gateway->write_timeout_ms <=
		       worker->loop.now_ms &&
	       (nghttp2_session_get_stream_remote_window_size(http2->session, request->stream) <=
			0 ||
		nghttp2_session_get_remote_window_size(http2->session) <= 0);
}

static int64_t check_time(struct connection *connection)
{
	const struct gateway *gateway = connection->worker->gateway;
	int64_t now = connection->worker->loop.now_ms, left;
	struct http2 *http2 = of(connection);
	struct request *next;

	for (struct request *request = http2->requests; request; request = next) {
		next = request->next;
		if (is_not_taken(http2, request)) {
			nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE,
						  request->stream, NGHTTP2_CANCEL);
			want_write(http2);
		}
		if (request->answered || request->complete)
			continue;
		if (request->call ? request->body_deadline <= now
				  : request->start_us / 1000 + gateway->header_timeout_ms <= now) {
			request->method = request->method ? request->method : "";
			request_fail_protocol(request, 408, NULL);
		}
	}
	if (http2->requests || connection->closing)
		return CHECK_MS;
	left = http2->idle_since + gateway->idle_timeout_ms - now;
	if (left > 0)
		return left;
	nghttp2_session_terminate_session(http2->session, NGHTTP2_NO_ERROR);
	want_write(http2);
	return gateway->linger_ms;
}

static void wind_down(struct connection *connection)
{
	struct http2 *http2 = of(connection);

	http2->winding_down = true;
	nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(http2->session),
			      NGHTTP2_NO_ERROR, NULL, 0);
	want_write(http2);
}

static void stop(struct connection *connection)
{
	struct http2 *http2 = of(connection);
	struct request *request;

	while ((request = http2->requests)) {
		http2->requests = request->next;
		if (request->next)
			request->next->link = &http2->requests;
		request_done(request);
	}
	nghttp2_session_del(http2->session);
	free(http2);
	connection->state = NULL;
}

const struct protocol http2_protocol = {
	.version = "2",
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
