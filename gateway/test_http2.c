/* HTTP/2 with libnghttp2 as the client. */
#include "test/fixture.h"
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STREAMS = 64 };

static struct client {
	nghttp2_session *session;
	int fd;
	bool closed;
	struct stream {
		int status;
		bool ended;
		uint32_t error;
		size_t length;
		char body[8192];
	} streams[STREAMS]; /* the latest ones */
	int goaways;
} client;

static struct stream *stream_of(int32_t id)
{
	return &client.streams[id / 2 % STREAMS];
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
		     void *data)
{
	if (name_length == 7 && !memcmp(name, ":status", 7))
		stream_of(frame->hd.stream_id)->status = atoi((const char *)value);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
		   size_t length, void *data)
{
	struct stream *stream = stream_of(id);

	for (size_t i = 0; i < length; i++, stream->length++)
		if (stream->length < sizeof(stream->body) - 1)
			stream->body[stream->length] = (char)bytes[i];
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *data)
{
	stream_of(id)->ended = true;
	stream_of(id)->error = error;
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	client.goaways += frame->hd.type == NGHTTP2_GOAWAY;
	return 0;
}

static void connect_client(void)
{
	nghttp2_session_callbacks *callbacks;
	const nghttp2_settings_entry setting = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65535 };

	memset(&client, 0, sizeof(client));
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	ck_assert_int_eq(nghttp2_session_client_new(&client.session, callbacks, NULL), 0);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(client.session, NGHTTP2_FLAG_NONE, &setting, 1);
	client.fd = fixture_connect(fixture_port);
}

static void flush_client(void)
{
	const uint8_t *bytes;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(client.session, &bytes)) > 0)
		fixture_send_bytes(client.fd, bytes, (size_t)n);
}

/* One exchange with the gateway. */
static void turn(void)
{
	struct pollfd waiting = { .fd = client.fd, .events = POLLIN };
	uint8_t bytes[16384];
	ssize_t n;

	flush_client();
	ck_assert_msg(poll(&waiting, 1, 10000) == 1, "the gateway says nothing");
	n = recv(client.fd, bytes, sizeof(bytes), 0);
	if (n <= 0) {
		client.closed = true;
		return;
	}
	ck_assert_int_eq(nghttp2_session_mem_recv(client.session, bytes, (size_t)n), n);
	flush_client();
}

static struct stream *finish_stream(int32_t id)
{
	while (!stream_of(id)->ended && !client.closed)
		turn();
	return stream_of(id);
}

static ssize_t read_text(nghttp2_session *session, int32_t id, uint8_t *to, size_t size,
			 uint32_t *flags, nghttp2_data_source *source, void *data)
{
	const char **text = (const char **)&source->ptr;
	size_t length = strlen(*text);

	if (length > size)
		length = size;
	memcpy(to, *text, length);
	*text += length;
	if (!**text)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)length;
}

#define PAIR(name, value)                                                                          \
	{                                                                                          \
		(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value),                \
			NGHTTP2_NV_FLAG_NONE                                                       \
	}

static int32_t request(const char *method, const char *path, const char *body)
{
	const nghttp2_nv pairs[] = { PAIR(":method", method), PAIR(":scheme", "http"),
				     PAIR(":authority", "library.test"), PAIR(":path", path),
				     PAIR("x-request-id", "two") };
	nghttp2_data_provider provider = { { .ptr = (void *)body }, read_text };
	int32_t id = nghttp2_submit_request(client.session, NULL, pairs, 5, body ? &provider : NULL,
					    NULL);

	ck_assert_int_gt(id, 0);
	*stream_of(id) = (struct stream){ 0 };
	return id;
}

static void setup(void)
{
	fixture_reset();
	fixture_start();
	connect_client();
}

static void teardown(void)
{
	nghttp2_session_del(client.session);
	close(client.fd);
	fixture_stop();
}

TEST(a_request_gets_its_answer)
{
	struct stream *stream = finish_stream(request("GET", "/v1/shelves/a/books/b", NULL));

	ck_assert_int_eq(stream->status, 200);
	ck_assert_ptr_nonnull(strstr(stream->body, "\"name\":\"shelves/a/books/b\""));
}

TEST(a_body_arrives)
{
	struct stream *stream =
		finish_stream(request("POST", "/v1/shelves/a/books", "{\"title\":\"T\"}"));

	ck_assert_int_eq(stream->status, 200);
	ck_assert_str_eq(stream->body, "{\"name\":\"shelves/a/books/new\",\"title\":\"T\"}");
}

TEST(many_at_once_do_not_wait_for_each_other)
{
	int32_t slow = request("GET", "/v1/failures/100", NULL), ids[9];
	char path[64];

	for (int i = 0; i < 9; i++) {
		snprintf(path, sizeof(path), "/v1/files/%d", i);
		ids[i] = request("GET", path, NULL);
	}
	for (int i = 0; i < 9; i++) {
		snprintf(path, sizeof(path), "{\"name\":\"%d\"}", i);
		ck_assert_str_eq(finish_stream(ids[i])->body, path);
	}
	ck_assert(!stream_of(slow)->ended);
}

TEST(a_stream_that_is_given_up_cancels_its_call)
{
	int32_t slow = request("GET", "/v1/failures/100", NULL);

	flush_client();
	for (int i = 0; i < 1000 && !seen.running; i++)
		usleep(10000);
	nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, slow, NGHTTP2_CANCEL);
	flush_client();
	for (int i = 0; i < 1000 && !seen.cancelled; i++)
		usleep(10000);
	ck_assert_int_eq(seen.cancelled, 1);
	ck_assert_int_eq(finish_stream(request("GET", "/v1/files/a", NULL))->status, 200);
}

static void set_window(uint32_t size)
{
	const nghttp2_settings_entry setting = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, size };

	nghttp2_submit_settings(client.session, NGHTTP2_FLAG_NONE, &setting, 1);
}

static const struct {
	const char *path;
} answers[] = { { "/openapi.json" }, { "/v1/shelves/a/books/b:watch?size=3000" } };
TEST_EACH(an_answer_that_no_window_is_opened_for_is_given_up, answers)
{
	int32_t id;

	teardown();
	fixture_reset();
	fixture_gateway.write_timeout_ms = fixture_gateway.header_timeout_ms = 300;
	fixture_start();
	connect_client();
	set_window(0);
	id = request("GET", row->path, NULL);
	ck_assert_uint_eq(finish_stream(id)->error, NGHTTP2_CANCEL);
	for (int i = 0; i < 1000 && seen.running; i++)
		usleep(10000);
	ck_assert_int_eq(seen.running, 0);
	set_window(65535);
	ck_assert_int_eq(finish_stream(request("GET", "/v1/files/a", NULL))->status, 200);
}

TEST(an_answer_larger_than_the_window_comes_whole)
{
	int32_t id = request("GET", "/v1/shelves/a/books/b:watch?times=10&size=30000", NULL);

	ck_assert_int_eq(finish_stream(id)->status, 200);
	ck_assert_uint_gt(stream_of(id)->length, 300000);
}

TEST(an_early_answer_stops_the_upload)
{
	char *body = arena_alloc(fixture_memory, 2000001);
	struct stream *stream;

	memset(body, 'x', 2000000);
	body[2000000] = '\0';
	stream = finish_stream(request("POST", "/nothing", body));
	ck_assert_int_eq(stream->status, 404);
	ck_assert_uint_eq(stream->error, NGHTTP2_NO_ERROR);
	stream = finish_stream(request("POST", "/v1/shelves/a/books", body));
	ck_assert_int_eq(stream->status, 413);
	ck_assert_int_eq(finish_stream(request("GET", "/v1/files/a", NULL))->status, 200);
}

TEST(too_large_a_header_is_refused)
{
	char value[20000];
	nghttp2_nv pairs[] = { PAIR(":method", "GET"),
			       PAIR(":scheme", "http"),
			       PAIR(":authority", "a"),
			       PAIR(":path", "/v1/files/a"),
			       { (uint8_t *)"x-long", (uint8_t *)value, 6, sizeof(value),
				 NGHTTP2_NV_FLAG_NONE } };
	int32_t id;

	memset(value, 'v', sizeof(value));
	id = nghttp2_submit_request(client.session, NULL, pairs, 5, NULL, NULL);
	ck_assert_int_eq(finish_stream(id)->status, 431);
}

TEST(who_opens_and_resets_without_end_is_sent_away)
{
	for (int i = 0; i < 1000 && !client.goaways && !client.closed; i++) {
		const nghttp2_nv pairs[] = { PAIR(":method", "GET"), PAIR(":scheme", "http"),
					     PAIR(":authority", "a"),
					     PAIR(":path", "/v1/failures/100") };
		struct pollfd waiting = { .fd = client.fd, .events = POLLIN };
		uint8_t bytes[16384];
		int32_t id = nghttp2_submit_request(client.session, NULL, pairs, 4, NULL, NULL);
		ssize_t n;

		if (id < 0)
			break;
		flush_client();
		nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
		flush_client();
		while (poll(&waiting, 1, 0) == 1 &&
		       (n = recv(client.fd, bytes, sizeof(bytes), 0)) > 0)
			nghttp2_session_mem_recv(client.session, bytes, (size_t)n);
	}
	while (!client.goaways && !client.closed)
		turn();
	ck_assert(client.goaways || client.closed);
}

TEST(bytes_that_are_no_http_2_close_the_connection)
{
	int fd = fixture_connect(fixture_port);

	fixture_send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense nonsense nonsense");
	ck_assert(fixture_closed(fd));
}

TEST(a_drain_says_goodbye_and_lets_the_last_call_end)
{
	int32_t id = request("GET", "/v1/shelves/a/books/b:watch?times=3&size=3000", NULL);

	while (!stream_of(id)->status)
		turn();
	worker_drain(fixture_worker, 10000);
	ck_assert_int_eq(finish_stream(id)->status, 200);
	ck_assert_ptr_nonnull(strstr(stream_of(id)->body, "data:"));
	while (!client.closed)
		turn();
	ck_assert_int_ge(client.goaways, 1);
}

TEST_MAIN("http2", setup, teardown)
