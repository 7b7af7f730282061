/* HTTP/1.1 as clients send it: in pieces, ahead, too much, too slowly, wrongly. */
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
	fixture_start();
}

static void teardown(void)
{
	fixture_stop();
}

static const char get[] = "GET /v1/files/%s HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(a_connection_is_used_again)
{
	int fd = fixture_connect(fixture_port);

	for (int i = 0; i < 50; i++) {
		struct answer answer;

		dprintf(fd, get, "a");
		answer = fixture_read(fd, false);
		ck_assert_int_eq(answer.status, 200);
		ck_assert_str_eq(answer_header(&answer, "connection"), "");
	}
}

/* Sends the request over and over, and takes no answer, until nothing is taken of it any more. How
 * many; 0: it would go on like that. */
static int send_ahead(int fd, const char *request)
{
	enum { ENOUGH = 48 << 20 }; /* far more than sockets hold */
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	size_t length = strlen(request), sent = 0;

	while (poll(&room, 1, 1500) == 1) {
		ssize_t n = send(fd, request + sent % length, length - sent % length, MSG_DONTWAIT);

		ck_assert_int_gt(n, 0);
		sent += (size_t)n;
		if (sent >= ENOUGH)
			return 0;
	}
	return (int)(sent / length);
}

TEST(who_takes_no_answers_is_asked_for_no_more_and_gets_them_later)
{
	char request[8000];
	int fd, n;

	/* An answer that is not taken is no idle connection. */
	fixture_stop();
	fixture_reset();
	fixture_gateway.idle_timeout_ms = 200;
	fixture_gateway.header_timeout_ms = 1000;
	fixture_start();
	snprintf(request, sizeof(request),
		 "GET /openapi.json HTTP/1.1\r\nHost: x\r\nX: %07000d\r\n\r\n", 0);
	fd = fixture_connect(fixture_port);
	n = send_ahead(fd, request);
	ck_assert_int_gt(n, 0);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(fixture_read(fd, false).status, 200);
	close(fd);
}

TEST(requests_sent_ahead_are_answered_in_their_order)
{
	int fd = fixture_connect(fixture_port);
	char name[16], body[64];

	for (int i = 0; i < 30; i++) {
		/* Some are answered at once, some by the service. */
		snprintf(name, sizeof(name), "%d", i);
		dprintf(fd, i % 3 ? get : "GET /nothing%s HTTP/1.1\r\nHost: x\r\n\r\n", name);
	}
	for (int i = 0; i < 30; i++) {
		struct answer answer = fixture_read(fd, false);

		snprintf(body, sizeof(body), "{\"name\":\"%d\"}", i);
		ck_assert_int_eq(answer.status, i % 3 ? 200 : 404);
		if (i % 3)
			ck_assert_str_eq(answer.body, body);
	}
}

TEST(a_request_may_come_byte_by_byte)
{
	static const char request[] =
		"POST /v1/shelves/a/books HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"tit\r\n9;x=y\r\nle\":\"T\"} "
		"\r\n0\r\nX-Trailer: no\r\n\r\n";
	int fd = fixture_connect(fixture_port);
	struct answer answer;

	for (const char *at = request; *at; at++) {
		fixture_send_bytes(fd, at, 1);
		usleep(200);
	}
	answer = fixture_read(fd, false);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(answer.body, "{\"name\":\"shelves/a/books/new\",\"title\":\"T\"}");
}

TEST(head_is_get_without_the_body)
{
	struct answer answer = ask("HEAD /v1/files/abc HTTP/1.1", NULL);

	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(answer_header(&answer, "content-length"), "14");
	ck_assert_uint_eq(answer.length, 0);
}

TEST(every_answer_has_an_id_and_what_keeps_browsers_safe)
{
	struct answer answer = ask("GET /v1/files/a HTTP/1.1\nX-Request-Id: mine-1", NULL);
	struct answer other = ask("GET /nothing HTTP/1.1\nX-Request-Id: bad id", NULL);

	ck_assert_str_eq(answer_header(&answer, "x-request-id"), "mine-1");
	ck_assert_uint_eq(strlen(answer_header(&other, "x-request-id")), 32);
	ck_assert_str_eq(answer_header(&other, "x-content-type-options"), "nosniff");
	ck_assert_ptr_nonnull(
		strstr(answer_header(&other, "content-security-policy"), "default-src 'none'"));
}

static const struct {
	const char *request;
	int status;
} refused[] = {
	{ "nonsense\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n\r\n", 400 }, /* no Host */
	{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
	{ "GET / HTTP/2.7\r\nHost: a\r\n\r\n", 505 },
	{ "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n0\r\n\r\n",
	  400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
	  400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400 },
	{ "POST /v1/shelves/a/books HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", 413 },
	{ "POST /v1/shelves/a/books HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: "
	  "2\r\n\r\n",
	  417 },
	{ "GET /v1/files/a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
};

TEST_EACH(what_is_no_http_is_refused_and_the_connection_closed, refused)
{
	int fd = fixture_connect(fixture_port);
	struct answer answer;

	fixture_send(fd, row->request);
	answer = fixture_read(fd, false);
	ck_assert_msg(answer.status == row->status, "%s: %d %s", row->request, answer.status,
		      answer.body);
	ck_assert_ptr_nonnull(strstr(answer.body, "{\"error\":{"));
	ck_assert_str_eq(answer_header(&answer, "connection"), "close");
	ck_assert(fixture_closed(fd));
}

TEST(a_header_has_limits)
{
	char *many = arena_alloc(fixture_memory, 40000), *to = many;
	struct answer answer;
	int fd;

	to += sprintf(to, "GET /v1/files/a HTTP/1.1\nA: ");
	memset(to, 'a', 17000);
	ck_assert_int_eq(ask(many, NULL).status, 431);

	to = many + sprintf(many, "GET /v1/files/a HTTP/1.1");
	for (int i = 0; i < 70; i++)
		to += sprintf(to, "\nX-%d: y", i);
	*to = '\0';
	ck_assert_int_eq(ask(many, NULL).status, 431);

	fd = fixture_connect(fixture_port);
	to = many + sprintf(many, "GET /");
	memset(to, 'a', 9000);
	strcpy(to + 9000, " HTTP/1.1\r\nHost: a\r\n\r\n");
	fixture_send(fd, many);
	answer = fixture_read(fd, false);
	ck_assert_int_eq(answer.status, 414);
}

TEST(an_endless_body_of_unknown_length_is_stopped)
{
	int fd = fixture_connect(fixture_port);
	char chunk[1024];

	fixture_send(fd, "POST /v1/shelves/a/books HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
			 "chunked\r\n\r\n");
	memset(chunk, 'x', sizeof(chunk));
	for (int i = 0; i < 2000; i++) {
		fixture_send(fd, "400\r\n");
		fixture_send_bytes(fd, chunk, sizeof(chunk));
		fixture_send(fd, "\r\n");
	}
	ck_assert_int_eq(fixture_read(fd, false).status, 413);
	ck_assert(fixture_closed(fd));
}

TEST(a_small_refused_body_leaves_the_connection_open)
{
	int fd = fixture_connect(fixture_port);
	struct answer answer;

	fixture_send(fd, "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde");
	answer = fixture_read(fd, false);
	ck_assert_int_eq(answer.status, 404);
	ck_assert_str_eq(answer_header(&answer, "connection"), "");
	dprintf(fd, get, "a");
	ck_assert_int_eq(fixture_read(fd, false).status, 200);
}

TEST(a_client_that_asks_first_is_told_to_go_on)
{
	int fd = fixture_connect(fixture_port);

	fixture_send(fd, "POST /v1/shelves/a/books HTTP/1.1\r\nHost: a\r\nContent-Length: "
			 "2\r\nExpect: 100-continue\r\n\r\n");
	ck_assert_int_eq(fixture_read(fd, false).status, 100);
	fixture_send(fd, "{}");
	ck_assert_int_eq(fixture_read(fd, false).status, 200);

	fd = fixture_connect(fixture_port);
	fixture_send(fd, "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: "
			 "100-continue\r\n\r\n");
	ck_assert_int_eq(fixture_read(fd, false).status, 404);
	ck_assert(fixture_closed(fd));
}

TEST(an_upgrade_is_passed_over)
{
	struct answer answer = ask("GET /v1/files/a HTTP/1.1\nConnection: Upgrade, "
				   "HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABk",
				   NULL);

	ck_assert_int_eq(answer.status, 200);
}

TEST(http_1_0_closes_unless_asked_to_stay)
{
	int fd = fixture_connect(fixture_port);
	struct answer answer;

	fixture_send(fd, "GET /v1/files/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	answer = fixture_read(fd, false);
	ck_assert_str_eq(answer_header(&answer, "connection"), "keep-alive");
	fixture_send(fd, "GET /v1/files/a HTTP/1.0\r\n\r\n");
	answer = fixture_read(fd, false);
	ck_assert_str_eq(answer_header(&answer, "connection"), "close");
	ck_assert(fixture_closed(fd));
}

TEST(a_client_that_leaves_cancels_its_call)
{
	int fd = fixture_connect(fixture_port);

	dprintf(fd, "GET /v1/failures/100 HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 1000 && !seen.running; i++)
		usleep(10000);
	ck_assert_int_eq(seen.running, 1);
	close(fd);
	for (int i = 0; i < 1000 && !seen.cancelled; i++)
		usleep(10000);
	ck_assert_int_eq(seen.cancelled, 1);
}

TEST(metrics_are_behind_the_other_door)
{
	int fd = fixture_connect(fixture_admin_port);
	struct answer answer;

	ck_assert_int_eq(ask("GET /metrics HTTP/1.1", NULL).status, 404);
	ck_assert_int_eq(ask("GET /v1/files/a HTTP/1.1", NULL).status, 200);
	fixture_send(fd, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	answer = fixture_read(fd, false);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_ptr_nonnull(strstr(
		answer.body,
		"http_server_request_duration_seconds_count{http_route=\"/v1/files/{path=**}\","
		"http_request_method=\"GET\",http_response_status_code=\"200\"} "));
	fixture_send(fd, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
	answer = fixture_read(fd, false);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_ptr_nonnull(strstr(answer.body, "\"peers\":{\"library\":\"ready\"}"));
	fixture_send(fd, "GET /v1/files/a HTTP/1.1\r\nHost: a\r\n\r\n");
	ck_assert_int_eq(fixture_read(fd, false).status, 404);
}

TEST_MAIN("http1", setup, teardown)
