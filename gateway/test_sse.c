/* Server streams as events: shape, ids, ends, errors, slow readers, clients that leave. */
#include "test/fixture.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void setup(void)
{
	fixture_reset();
}

static void teardown(void)
{
	fixture_stop();
}

TEST(messages_are_events_and_the_end_is_one)
{
	struct answer answer;

	fixture_start();
	answer = ask("GET /v1/shelves/a/books/b:watch?times=2&size=3 HTTP/1.1", NULL);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(answer_header(&answer, "content-type"), "text/event-stream");
	ck_assert_str_eq(answer_header(&answer, "cache-control"), "no-store");
	ck_assert_str_eq(
		answer.body,
		"id: \"v0\"\ndata: "
		"{\"name\":\"shelves/a/books/b\",\"title\":\"yyy\",\"etag\":\"\\\"v0\\\"\"}\n\n"
		"id: \"v1\"\ndata: "
		"{\"name\":\"shelves/a/books/"
		"b\",\"title\":\"yyy\",\"pages\":1,\"etag\":\"\\\"v1\\\"\"}\n\n"
		"event: end\ndata: {}\n\n");
}

TEST(an_error_before_the_first_message_has_its_own_status)
{
	struct answer answer;

	fixture_start();
	answer = ask("GET /v1/shelves/a/books/missing:watch?times=2 HTTP/1.1", NULL);
	ck_assert_int_eq(answer.status, 404);
	ck_assert_ptr_nonnull(strstr(answer.body, "BOOK_NOT_FOUND"));
}

TEST(an_error_after_it_is_the_last_event)
{
	struct answer answer;

	fixture_start();
	answer = ask("GET /v1/shelves/a/books/b:watch?times=1&fail=true HTTP/1.1", NULL);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_ptr_nonnull(
		strstr(answer.body, "\n\nevent: error\ndata: {\"error\":{\"code\":404,"));
}

TEST(a_stream_goes_on_behind_the_last_event_that_the_client_has)
{
	struct answer answer;

	fixture_start();
	answer = ask("GET /v1/shelves/a/books/b:watch?times=4 HTTP/1.1\n"
		     "Last-Event-ID: \"v2\"",
		     NULL);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_int_eq(strncmp(answer.body, "id: \"v3\"\n", 9), 0);
	/* A page that reconnects asks for the same URL as at first. */
	answer = ask("GET /v1/shelves/a/books/b:watch?times=4&lastEtag=%22v0%22 HTTP/1.1\n"
		     "Last-Event-ID: \"v2\"",
		     NULL);
	ck_assert_int_eq(strncmp(answer.body, "id: \"v3\"\n", 9), 0);
	answer = ask("GET /v1/shelves/a/books/b:watch?times=4&lastEtag=%22v2%22 HTTP/1.1", NULL);
	ck_assert_int_eq(strncmp(answer.body, "id: \"v3\"\n", 9), 0);
}

TEST(events_have_no_id_where_the_method_cannot_go_on)
{
	struct answer answer;

	fixture_start();
	answer = ask("GET /v1/shelves/a:watch?times=2 HTTP/1.1\nLast-Event-ID: x", NULL);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_ptr_null(strstr(answer.body, "id: "));
}

TEST(the_connection_goes_on_after_a_stream)
{
	int fd;

	fixture_start();
	fd = fixture_connect(fixture_port);
	for (int i = 0; i < 3; i++) {
		fixture_send(fd,
			     "GET /v1/shelves/a/books/b:watch?times=3 HTTP/1.1\r\nHost: x\r\n\r\n");
		ck_assert_int_eq(fixture_read(fd, false).status, 200);
	}
}

TEST(http_1_0_gets_a_stream_that_ends_with_the_connection)
{
	char text[4096] = "";
	size_t used = 0;
	ssize_t n;
	int fd;

	fixture_start();
	fd = fixture_connect(fixture_port);
	fixture_send(fd, "GET /v1/shelves/a/books/b:watch?times=1 HTTP/1.0\r\n\r\n");
	while ((n = recv(fd, text + used, sizeof(text) - used - 1, 0)) > 0)
		used += (size_t)n;
	ck_assert_ptr_null(strstr(text, "chunked"));
	ck_assert_ptr_nonnull(strstr(text, "\r\n\r\nid: \"v0\"\ndata: {"));
	ck_assert_str_eq(text + used - 21, "event: end\ndata: {}\n\n");
}

static void wait_for(_Atomic int *counter, int value)
{
	for (int i = 0; i < 1000 && *counter != value; i++)
		usleep(10000);
	ck_assert_int_eq(*counter, value);
}

TEST(a_client_that_leaves_ends_the_call)
{
	int fd;

	fixture_start();
	fd = fixture_connect(fixture_port);
	fixture_send(fd, "GET /v1/shelves/a/books/b:watch HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(&seen.running, 1);
	close(fd);
	wait_for(&seen.cancelled, 1);
}

TEST(a_quiet_stream_is_kept_alive_by_comments)
{
	char text[8192] = "";
	size_t used = 0;
	int fd;

	fixture_gateway.heartbeat_ms = 100;
	fixture_start();
	fd = fixture_connect(fixture_port);
	fixture_send(fd, "GET /v1/shelves/a/books/b:watch HTTP/1.1\r\nHost: x\r\n\r\n");
	while (!strstr(text, "\r\n:\n\n\r\n")) {
		struct pollfd waiting = { .fd = fd, .events = POLLIN };
		ssize_t n;

		ck_assert_int_eq(poll(&waiting, 1, 10000), 1);
		n = recv(fd, text + used, sizeof(text) - used - 1, 0);
		ck_assert_int_gt(n, 0);
		used += (size_t)n;
	}
	close(fd);
}

TEST(a_slow_reader_stops_the_writer)
{
	char bytes[65536];
	size_t total = 0;
	int fd;

	fixture_start();
	fd = fixture_connect(fixture_port);
	/* 1,000 messages of 40 KB: more than all buffers on the way may hold. */
	fixture_send(fd, "GET /v1/shelves/a/books/b:watch?times=1000&size=40000 HTTP/1.1\r\nHost: "
			 "x\r\nConnection: close\r\n\r\n");
	wait_for(&seen.running, 1);
	usleep(300000);
	ck_assert_int_eq(seen.running, 1); /* it waits for us */
	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		ck_assert_int_ge(n, 0);
		if (!n)
			break;
		total += (size_t)n;
	}
	ck_assert_uint_gt(total, 1000 * 40000);
	wait_for(&seen.running, 0);
}

TEST(only_so_many_streams_at_once)
{
	struct answer answer;
	int fd;

	fixture_gateway.streams_max = 1;
	fixture_start();
	fd = fixture_connect(fixture_port);
	fixture_send(fd, "GET /v1/shelves/a/books/b:watch HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(&seen.running, 1);
	answer = ask("GET /v1/shelves/a/books/b:watch?times=1 HTTP/1.1", NULL);
	ck_assert_int_eq(answer.status, 503);
	ck_assert_str_eq(answer_header(&answer, "retry-after"), "1");
	close(fd);
	wait_for(&seen.cancelled, 1);
}

TEST_MAIN("sse", setup, teardown)
