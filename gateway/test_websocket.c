/* Streams from the client as WebSockets: the handshake, messages, ends, limits, slow readers. */
#include "test/fixture.h"
#include "test/frames.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 6455, 1.3: of FRAMES_KEY */
#define KEY_ACCEPTED "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define DISCUSS "/v1/shelves/a/books/b:discuss"

static void setup(void)
{
	fixture_reset();
}

static void teardown(void)
{
	fixture_stop();
}

static void wait_for(_Atomic int *counter, int value)
{
	for (int i = 0; i < 1000 && *counter != value; i++)
		usleep(10000);
	ck_assert_int_eq(*counter, value);
}

/*
 * The handshake
 */

TEST(the_handshake_is_answered_as_the_standard_says)
{
	struct answer answer;
	int fd;

	fixture_start();
	fd = fixture_connect(fixture_port);
	answer = frames_shake_hands(fd, DISCUSS, "Sec-WebSocket-Protocol: other, crpc.json\r\n");
	ck_assert_int_eq(answer.status, 101);
	ck_assert_str_eq(answer_header(&answer, "sec-websocket-accept"), KEY_ACCEPTED);
	ck_assert_str_eq(answer_header(&answer, "connection"), "upgrade");
	ck_assert_str_eq(answer_header(&answer, "upgrade"), "websocket");
	ck_assert_str_eq(answer_header(&answer, "sec-websocket-protocol"), "crpc.json");
	close(fd);
}

static const struct {
	int status;
	const char *head;
} bad_handshakes[] = {
	{ 426, "GET " DISCUSS " HTTP/1.1" },
	{ 426, "GET " DISCUSS " HTTP/1.1\nConnection: upgrade\nUpgrade: h2c" },
	{ 426, "GET " DISCUSS " HTTP/1.1\nUpgrade: websocket\nSec-WebSocket-Version: "
	       "13\nSec-WebSocket-Key: " FRAMES_KEY },
	{ 426, "GET " DISCUSS " HTTP/1.1\nConnection: upgrade\nUpgrade: websocket\n"
	       "Sec-WebSocket-Version: 8\nSec-WebSocket-Key: " FRAMES_KEY },
	{ 400, "GET " DISCUSS " HTTP/1.1\nConnection: upgrade\nUpgrade: websocket\n"
	       "Sec-WebSocket-Version: 13" },
	{ 400, "GET " DISCUSS " HTTP/1.1\nConnection: upgrade\nUpgrade: websocket\n"
	       "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: short==" },
	{ 400, "GET " DISCUSS "?text=x HTTP/1.1\nConnection: upgrade\nUpgrade: websocket\n"
	       "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: " FRAMES_KEY },
	{ 400, "GET " DISCUSS " HTTP/1.1\nConnection: upgrade\nUpgrade: websocket\n"
	       "Sec-WebSocket-Version: 13\nSec-WebSocket-Protocol: "
	       "bearer.x\nSec-WebSocket-Key: " FRAMES_KEY },
	{ 403,
	  "GET " DISCUSS " HTTP/1.1\nConnection: upgrade\nUpgrade: websocket\n"
	  "Sec-WebSocket-Version: 13\nOrigin: https://evil.test\nSec-WebSocket-Key: " FRAMES_KEY },
	{ 405, "POST " DISCUSS " HTTP/1.1" },
	{ 405, "HEAD " DISCUSS " HTTP/1.1" },
};

TEST_EACH(a_request_that_is_no_handshake_is_refused, bad_handshakes)
{
	struct answer answer;

	fixture_start();
	answer = ask(row->head, NULL);
	ck_assert_int_eq(answer.status, row->status);
	if (row->status == 426)
		ck_assert_str_eq(answer_header(&answer, "upgrade"), "websocket");
}

static const struct {
	const char *origin;
	bool taken;
} page_origins[] = {
	{ "https://library.test", true },
	{ "https://shop.test", true },
	{ "https://shop.test.evil.test", false },
	{ "null", false },
};

TEST_EACH(pages_of_this_host_and_of_the_list_may_call, page_origins)
{
	static const char *const origins[] = { "https://shop.test", NULL };
	int fd;

	fixture_gateway.origins = origins;
	fixture_start();
	fd = fixture_connect(fixture_port);
	ck_assert_int_eq(
		frames_shake_hands(fd, DISCUSS,
				   arena_printf(fixture_memory, "Origin: %s\r\n", row->origin))
			.status,
		row->taken ? 101 : 403);
	close(fd);
}

TEST(a_refused_call_ends_the_socket_with_its_code)
{
	int fd;

	fixture_start();
	fd = frames_open("/v1/reader:introduce");
	ck_assert_ptr_nonnull(strstr(frames_hear_end(fd, 4016), "TOKEN_MISSING: "));
}

TEST(sockets_are_limited_like_other_streams)
{
	int fd, other;

	fixture_gateway.streams_max = 1;
	fixture_start();
	fd = frames_open(DISCUSS);
	other = fixture_connect(fixture_port);
	ck_assert_int_eq(frames_shake_hands(other, DISCUSS, "").status, 503);
	frames_send(fd, FRAME_FIN | FRAME_CLOSE, "\x03\xe8", 2);
	frames_hear_end(fd, 1000);
	for (int i = 0; i < 200; i++) {
		struct answer answer = frames_shake_hands(other, DISCUSS, "");

		if (answer.status == 101)
			break;
		ck_assert_int_lt(i, 199);
		usleep(10000);
	}
	close(other);
}

/*
 * Messages
 */

TEST(messages_go_both_ways_with_what_the_path_names)
{
	int fd;

	fixture_start();
	fd = frames_open(DISCUSS);
	frames_say(fd, "{\"text\": \"one\"}");
	ck_assert_str_eq(frames_hear(fd),
			 "{\"book\":\"shelves/a/books/b\",\"text\":\"one\",\"number\":1}");
	frames_say(fd, "{\"text\": \"two\", \"times\": 2, \"book\": \"another\"}");
	for (int i = 0; i < 2; i++)
		ck_assert_str_eq(frames_hear(fd),
				 "{\"book\":\"shelves/a/books/b\",\"text\":\"two\","
				 "\"number\":2,\"times\":2}");
	frames_say(fd, "{\"text\": \"end\"}");
	ck_assert_str_eq(frames_hear_end(fd, 1000), "");
}

TEST(messages_sent_ahead_are_taken_in_their_order)
{
	enum { N = 500 };
	int fd;

	fixture_start();
	fd = frames_open(DISCUSS);
	for (int i = 0; i < N; i++)
		frames_say(fd, "{}");
	for (int i = 1; i <= N; i++)
		ck_assert_str_eq(frames_hear(fd),
				 arena_printf(fixture_memory,
					      "{\"book\":\"shelves/a/books/b\",\"number\":%d}", i));
	close(fd);
	wait_for(&seen.cancelled, 1);
}

TEST(a_message_sent_with_the_handshake_is_not_lost)
{
	static const uint8_t frame[] = { FRAME_FIN | FRAME_TEXT, 0x82, 0, 0, 0, 0, '{', '}' };
	struct answer answer;
	int fd;

	fixture_start();
	fd = fixture_connect(fixture_port);
	fixture_send_bytes(fd, "GET " DISCUSS " HTTP/1.1\r\n",
			   strlen("GET " DISCUSS " HTTP/1.1\r\n"));
	{
		char text[512];
		int n = snprintf(text, sizeof(text),
				 "Host: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
				 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " FRAMES_KEY
				 "\r\n\r\n");

		memcpy(text + n, frame, sizeof(frame));
		fixture_send_bytes(fd, text, (size_t)n + sizeof(frame));
	}
	answer = fixture_read(fd, false);
	ck_assert_int_eq(answer.status, 101);
	ck_assert_ptr_nonnull(strstr(frames_hear(fd), "\"number\":1"));
	close(fd);
}

TEST(an_empty_message_ends_what_the_client_says_and_the_answer_comes)
{
	int fd;

	fixture_start();
	fd = frames_open("/v1/shelves/a/books/b:countNotes");
	frames_say(fd, "{\"text\": \"one\"}");
	frames_say(fd, "{\"text\": \"three\"}");
	frames_say(fd, "");
	ck_assert_str_eq(frames_hear(fd), "{\"number\":2,\"times\":8}");
	ck_assert_str_eq(frames_hear_end(fd, 1000), "");
}

TEST(a_message_after_the_last_is_an_error)
{
	int fd;

	fixture_start();
	fd = frames_open(DISCUSS);
	fixture_send_bytes(fd, "\x81\x80\0\0\0\0\x81\x82\0\0\0\0{}", 14);
	frames_hear_end(fd, 4003);
}

TEST(pieces_of_a_message_are_put_together_and_pings_answered_between_them)
{
	const char *text;
	size_t length;
	int fd;

	fixture_start();
	fd = frames_open(DISCUSS);
	frames_send(fd, FRAME_TEXT, "{\"te", 4);
	frames_send(fd, FRAME_FIN | FRAME_PING, "hello", 5);
	ck_assert_int_eq(frames_read(fd, &text, &length), FRAME_PONG);
	ck_assert_str_eq(text, "hello");
	frames_send(fd, FRAME_CONTINUATION, "xt\":", 4);
	frames_send(fd, FRAME_FIN | FRAME_CONTINUATION, "\"x\"}", 4);
	ck_assert_ptr_nonnull(strstr(frames_hear(fd), "\"text\":\"x\""));
	close(fd);
}

/*
 * Ends
 */

TEST(the_handlers_error_ends_the_socket_with_its_code_and_reason)
{
	int fd;

	fixture_start();
	fd = frames_open(DISCUSS);
	frames_say(fd, "{\"text\": \"fail\"}");
	ck_assert_str_eq(frames_hear_end(fd, 4005),
			 "BOOK_NOT_FOUND: No book is named 'shelves/a/books/b'.");
}

static const struct {
	int code, first;
	const char *payload;
} bad_messages[] = {
	{ 4003, FRAME_FIN | FRAME_TEXT, "{" },
	{ 4003, FRAME_FIN | FRAME_TEXT, "{\"texts\": 1}" },
	{ 4003, FRAME_FIN | FRAME_TEXT, "[]" },
	{ 1003, FRAME_FIN | FRAME_BINARY, "x" },
	{ 1007, FRAME_FIN | FRAME_TEXT, "\"\xff\"" },
	{ 1002, FRAME_FIN | FRAME_CONTINUATION, "x" },
	{ 1002, FRAME_FIN | 3, "x" },
	{ 1002, FRAME_FIN | 0x40 | FRAME_TEXT, "x" },
	{ 1005, FRAME_PING, "x" },
};

TEST_EACH(what_is_no_message_ends_the_socket_and_the_call, bad_messages)
{
	int fd;

	fixture_start();
	fd = frames_open(DISCUSS);
	wait_for(&seen.running, 1);
	frames_send(fd, row->first, row->payload, strlen(row->payload));
	frames_hear_end(fd, row->code);
	wait_for(&seen.cancelled, 1);
}

TEST(an_unmasked_frame_ends_the_socket)
{
	int fd;

	fixture_start();
	fd = frames_open(DISCUSS);
	fixture_send_bytes(fd, "\x81\x02{}", 4);
	frames_hear_end(fd, 1002);
}

TEST(a_message_larger_than_the_methods_limit_ends_the_socket)
{
	char *text;
	int fd;

	fixture_start();
	text = arena_alloc(fixture_memory, 100010);
	memset(text, 'x', 100001);
	fd = frames_open(DISCUSS);
	frames_send(fd, FRAME_FIN | FRAME_TEXT, text, 100001);
	frames_hear_end(fd, 1009);
}

TEST(a_client_that_closes_cancels_the_call)
{
	int fd;

	fixture_start();
	fd = frames_open(DISCUSS);
	wait_for(&seen.running, 1);
	frames_send(fd, FRAME_FIN | FRAME_CLOSE, "\x0f\xa0over", 6);
	frames_hear_end(fd, 4000);
	wait_for(&seen.cancelled, 1);
}

TEST(a_client_that_goes_cancels_the_call)
{
	int fd;

	fixture_start();
	fd = frames_open(DISCUSS);
	wait_for(&seen.running, 1);
	close(fd);
	wait_for(&seen.cancelled, 1);
}

TEST(a_quiet_socket_is_pinged_and_a_dead_one_closed)
{
	const char *text;
	int fd;

	fixture_gateway.heartbeat_ms = 100;
	fixture_gateway.idle_timeout_ms = 1500;
	fixture_start();
	fd = frames_open(DISCUSS);
	for (int i = 0; i < 20; i++) { /* alive, although it says nothing */
		ck_assert_int_eq(frames_read(fd, &text, NULL), FRAME_PING);
		frames_send(fd, FRAME_FIN | FRAME_PONG, "", 0);
	}
	frames_hear_end(fd, 1001);
}

TEST(a_drain_says_good_bye)
{
	int fd;

	fixture_start();
	fd = frames_open(DISCUSS);
	wait_for(&seen.running, 1);
	worker_drain(fixture_worker, 5000);
	frames_hear_end(fd, 1001);
	wait_for(&seen.cancelled, 1);
}

/*
 * Flow control
 */

/* Counts until nothing has moved for a while. */
static int settled(_Atomic int *counter)
{
	int last = -1;

	while (*counter != last) {
		last = *counter;
		usleep(300000);
	}
	return last;
}

TEST(a_client_that_reads_nothing_stops_the_peer)
{
	char *text;
	int fd, answers;

	fixture_start();
	text = arena_alloc(fixture_memory, 50010);
	fd = frames_open(DISCUSS);
	strcpy(text, "{\"times\":1000000,\"text\":\"");
	memset(text + strlen(text), 'x', 50000 - strlen(text));
	strcat(text, "\"}");
	frames_say(fd, text);
	frames_hear(fd);
	answers = settled(&seen.answers);
	/* Kernel, backlog and gRPC's window hold some; not all of it by far. */
	ck_assert_int_gt(answers, 0);
	ck_assert_int_lt(answers, 2000);
	for (int i = 0; i < answers + 10; i++) /* and it goes on */
		frames_hear(fd);
	close(fd);
	wait_for(&seen.cancelled, 1);
}

TEST(a_peer_that_reads_nothing_stops_the_client)
{
	char *text;
	uint8_t head[14] = { FRAME_FIN | FRAME_TEXT, 0x80 | 126, 50000 >> 8, 50000 & 0xff };
	size_t at = 0, sent = 0;
	int fd, notes;

	fixture_start();
	text = arena_alloc(fixture_memory, 50010);
	/* The first note is answered for ever, and we take none of the answers. */
	fd = frames_open(DISCUSS);
	frames_say(fd, "{\"times\":100000000}");
	wait_for(&seen.notes, 1);
	strcpy(text, "{\"text\":\"");
	memset(text + strlen(text), 'x', 50000 - strlen(text));
	memcpy(text + 49998, "\"}", 2);
	for (int quiet = 0; quiet < 50;) {
		const uint8_t *from = at < 8 ? head + at : (const uint8_t *)text + at - 8;
		size_t left = at < 8 ? 8 - at : 50008 - at;
		ssize_t n = send(fd, from, left, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			usleep(10000);
			quiet++;
			continue;
		}
		quiet = 0;
		sent += (size_t)n;
		at = (at + (size_t)n) % 50008;
		ck_assert_uint_lt(sent, 64 * 1024 * 1024);
	}
	notes = seen.notes;
	ck_assert_int_eq(notes, 1);
	close(fd);
	wait_for(&seen.cancelled, 1);
}

TEST_MAIN("websocket", setup, teardown)
