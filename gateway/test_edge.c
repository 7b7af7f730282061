/* The edge's work: CORS, limits on what clients may take, slow clients, the access log, draining. */
#include "access_log.h"
#include "clients.h"
#include "cors.h"
#include "test/fixture.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char logged[65536];

static void keep_line(const char *line)
{
	size_t used;

	pthread_mutex_lock(&lock);
	used = strlen(logged);
	snprintf(logged + used, sizeof(logged) - used, "%s\n", line);
	pthread_mutex_unlock(&lock);
}

/* A line is written when the answer is with the connection: a moment after the client has it. */
static const char *wait_for_line(const char *part)
{
	const char *found = NULL;

	for (int i = 0; !found && i < 500; i++) {
		pthread_mutex_lock(&lock);
		found = strstr(logged, part);
		pthread_mutex_unlock(&lock);
		if (!found)
			usleep(10000);
	}
	return found;
}

static void setup(void)
{
	logged[0] = '\0';
	access_log_set_hook(keep_line);
	fixture_reset();
}

static void teardown(void)
{
	fixture_stop();
	access_log_set_hook(NULL);
}

static const char *const two_origins[] = { "https://shop.example", "https://admin.example", NULL };
static const char *const any_origin[] = { "*", NULL };

TEST(a_page_of_an_admitted_origin_may_call)
{
	struct answer answer;

	fixture_gateway.origins = two_origins;
	fixture_start();
	answer = ask("OPTIONS /v1/shelves/a/books HTTP/1.1\nOrigin: https://admin.example\n"
		     "Access-Control-Request-Method: POST",
		     NULL);
	ck_assert_int_eq(answer.status, 204);
	ck_assert_str_eq(answer_header(&answer, "access-control-allow-origin"),
			 "https://admin.example");
	ck_assert_str_eq(answer_header(&answer, "access-control-allow-methods"),
			 "HEAD, POST, GET, OPTIONS");
	ck_assert_ptr_nonnull(
		strstr(answer_header(&answer, "access-control-allow-headers"), "idempotency-key"));
	ck_assert_str_eq(answer_header(&answer, "vary"), "origin");

	answer = ask("GET /v1/files/a HTTP/1.1\nOrigin: https://shop.example", NULL);
	ck_assert_str_eq(answer_header(&answer, "access-control-allow-origin"),
			 "https://shop.example");
	ck_assert_ptr_nonnull(
		strstr(answer_header(&answer, "access-control-expose-headers"), "x-request-id"));
	/* Errors, too: the page must be able to read them. */
	answer = ask("GET /nothing HTTP/1.1\nOrigin: https://shop.example", NULL);
	ck_assert_str_eq(answer_header(&answer, "access-control-allow-origin"),
			 "https://shop.example");
}

TEST(a_page_of_another_origin_may_not)
{
	struct answer answer;

	fixture_gateway.origins = two_origins;
	fixture_start();
	answer = ask("OPTIONS /v1/files/a HTTP/1.1\nOrigin: https://evil.example\n"
		     "Access-Control-Request-Method: GET",
		     NULL);
	ck_assert_int_eq(answer.status, 204);
	ck_assert_str_eq(answer_header(&answer, "allow"), "HEAD, GET, OPTIONS");
	ck_assert_str_eq(answer_header(&answer, "access-control-allow-origin"), "");
	ck_assert_str_eq(answer_header(&answer, "access-control-allow-methods"), "");
}

TEST(all_origins_may_be_admitted_and_none_is_by_default)
{
	struct answer answer;

	fixture_gateway.origins = any_origin;
	fixture_start();
	answer = ask("GET /v1/files/a HTTP/1.1\nOrigin: https://a.example", NULL);
	ck_assert_str_eq(answer_header(&answer, "access-control-allow-origin"), "*");
	fixture_stop();

	fixture_reset();
	fixture_start();
	answer = ask("GET /v1/files/a HTTP/1.1\nOrigin: https://a.example", NULL);
	ck_assert_str_eq(answer_header(&answer, "access-control-allow-origin"), "");
	ck_assert_int_eq(ask("OPTIONS /nothing HTTP/1.1", NULL).status, 404);
}

static const char *const no_origins[] = {
	"shop.example",
	"https://shop.example/",
	"https://shop.example/shop",
	"https://Shop.example",
	"://shop.example",
	"https://a.example https://",
	"https://",
};

TEST_EACH(what_no_browser_would_send_is_no_origin, no_origins)
{
	const char *const *origins;
	char *error = NULL;

	fixture_start();
	ck_assert_int_eq(cors_origins(*row, &origins, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "is no origin"));
	free(error);
}

TEST(origins_are_read_from_a_list)
{
	const char *const *origins;
	char *error = NULL;

	fixture_start();
	ck_assert_int_eq(
		cors_origins(" https://a.example,http://b.example:3000 , *", &origins, &error), 0);
	ck_assert_str_eq(origins[0], "https://a.example");
	ck_assert_str_eq(origins[1], "http://b.example:3000");
	ck_assert_str_eq(origins[2], "*");
	ck_assert_ptr_null(origins[3]);
	cors_origins_free(origins);
	ck_assert_int_eq(cors_origins(" , ", &origins, &error), 0);
	ck_assert_ptr_null(origins);
}

TEST(a_header_that_does_not_end_in_time_is_given_up)
{
	struct answer answer;
	int fd;

	fixture_gateway.header_timeout_ms = 200;
	fixture_start();
	fd = fixture_connect(fixture_port);
	fixture_send(fd, "GET /v1/files/a HTTP/1.1\r\nHost: ");
	answer = fixture_read(fd, false);
	ck_assert_int_eq(answer.status, 408);
	ck_assert(fixture_closed(fd));
	close(fd);

	fd = fixture_connect(fixture_port); /* says nothing at all */
	ck_assert(fixture_closed(fd));
	close(fd);
}

TEST(a_body_that_does_not_end_in_time_is_given_up)
{
	int fd;

	fixture_gateway.body_timeout_ms = 200;
	fixture_gateway.header_timeout_ms = 300;
	fixture_start();
	fd = fixture_connect(fixture_port);
	fixture_send(fd,
		     "POST /v1/shelves/a/books HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
	ck_assert_int_eq(fixture_read(fd, false).status, 408);
	ck_assert(fixture_closed(fd));
	close(fd);
}

TEST(an_idle_connection_is_closed)
{
	int fd;

	fixture_gateway.idle_timeout_ms = 200;
	fixture_gateway.header_timeout_ms = 300;
	fixture_start();
	fd = fixture_connect(fixture_port);
	fixture_send(fd, "GET /v1/files/a HTTP/1.1\r\nHost: a\r\n\r\n");
	ck_assert_int_eq(fixture_read(fd, false).status, 200);
	ck_assert(fixture_closed(fd));
	close(fd);
}

static void wait_for_running(int value)
{
	for (int i = 0; i < 1000 && seen.running != value; i++)
		usleep(10000);
	ck_assert_int_eq(seen.running, value);
}

TEST(beyond_so_many_requests_at_once_more_are_shed)
{
	struct answer answer;
	int busy;

	fixture_gateway.requests_max = 1;
	fixture_start();
	busy = fixture_connect(fixture_port);
	fixture_send(busy, "GET /v1/failures/100 HTTP/1.1\r\nHost: a\r\n\r\n");
	wait_for_running(1);
	answer = ask("GET /v1/files/a HTTP/1.1", NULL);
	ck_assert_int_eq(answer.status, 503);
	ck_assert_str_eq(answer_header(&answer, "retry-after"), "1");
	close(busy);
	wait_for_running(0);
	for (int i = 0; i < 500 && answer.status != 200; i++) {
		answer = ask("GET /v1/files/a HTTP/1.1", NULL);
		usleep(10000);
	}
	ck_assert_int_eq(answer.status, 200);
}

TEST(beyond_so_many_connections_more_wait_for_their_turn)
{
	static const char request[] = "GET /v1/files/a HTTP/1.1\r\nHost: a\r\n\r\n";
	int fds[3];

	fixture_gateway.connections_max = 2;
	fixture_start();
	for (int i = 0; i < 3; i++)
		fds[i] = fixture_connect(fixture_port);
	for (int i = 0; i < 2; i++) {
		fixture_send(fds[i], request);
		ck_assert_int_eq(fixture_read(fds[i], false).status, 200);
	}
	fixture_send(fds[2], request);
	close(fds[0]);
	ck_assert_int_eq(fixture_read(fds[2], false).status, 200);
	close(fds[1]);
	close(fds[2]);
}

TEST(a_client_has_so_many_connections_and_no_more)
{
	int fds[4], more;

	fixture_gateway.client_connections_max = 4;
	fixture_start();
	for (int i = 0; i < 4; i++) {
		fds[i] = fixture_connect(fixture_port);
		fixture_send(fds[i], "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
		ck_assert_int_eq(fixture_read(fds[i], false).status, 200);
	}
	more = fixture_connect(fixture_port);
	ck_assert(fixture_closed(more));
	close(more);
	/* The probes' door is another. */
	more = fixture_connect(fixture_admin_port);
	fixture_send(more, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
	ck_assert_int_eq(fixture_read(more, false).status, 200);
	close(more);
	close(fds[0]);
	for (int i = 0;; i++) {
		ck_assert_int_lt(i, 200);
		more = fixture_connect(fixture_port);
		fixture_send(more, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
		if (fixture_read(more, false).status == 200)
			break;
		close(more);
		usleep(10000);
	}
	for (int i = 1; i < 4; i++)
		close(fds[i]);
	close(more);
}

TEST(clients_are_told_apart_by_address_or_household)
{
	struct clients *clients = clients_new();

	fixture_start();
	ck_assert(clients_enter(clients, "192.0.2.1", 1));
	ck_assert(!clients_enter(clients, "192.0.2.1", 1));
	ck_assert(clients_enter(clients, "192.0.2.2", 1));
	ck_assert(clients_enter(clients, "2001:db8:1:2::1", 1));
	ck_assert(!clients_enter(clients, "2001:db8:1:2:ffff::1", 1));
	ck_assert(clients_enter(clients, "2001:db8:1:3::1", 1));
	clients_leave(clients, "2001:db8:1:2:ffff::1");
	ck_assert(clients_enter(clients, "2001:db8:1:2::2", 1));
	clients_free(clients);
}

TEST(a_refused_client_that_stays_costs_nothing)
{
	uint64_t turns;
	int fd;

	fixture_start();
	fd = fixture_connect(fixture_port);
	fixture_send(fd, "NONSENSE\r\n\r\n");
	ck_assert_int_eq(fixture_read(fd, false).status, 400);
	turns = fixture_worker->loop.turns;
	ck_assert(fixture_closed(fd)); /* its end is said */
	usleep(300000);                /* and ours not */
	ck_assert_uint_lt(fixture_worker->loop.turns - turns, 100);
	close(fd);
}

/*
 * Readiness
 */

static struct answer readyz(void)
{
	return ask("GET /readyz HTTP/1.1", NULL);
}

static void await_readiness(int status)
{
	for (int i = 0; i < 500 && readyz().status != status; i++)
		usleep(10000);
	ck_assert_int_eq(readyz().status, status);
}

TEST(ready_is_who_reaches_a_service)
{
	fixture_start();
	await_readiness(200);
	ck_assert_ptr_nonnull(strstr(readyz().body, "\"library\":\"ready\""));
	fixture_library_serves(false);
	await_readiness(503);
	ck_assert_ptr_nonnull(strstr(readyz().body, "\"ready\":false"));
	ck_assert_ptr_nonnull(strstr(readyz().body, "\"library\":\"away\""));
	fixture_library_serves(true);
	await_readiness(200);
}

TEST(the_log_says_what_was_asked_and_keeps_what_is_private)
{
	static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
	char head[512];
	const char *line;

	fixture_start();
	snprintf(head, sizeof(head),
		 "GET /v1/shelves/secret-shelf/books?tags=secret-tag HTTP/1.1\nTraceparent: %s\n"
		 "X-Request-Id: seen-1\nCookie: secret-cookie",
		 trace);
	ck_assert_int_eq(ask(head, NULL).status, 200);
	line = wait_for_line("\"request_id\":\"seen-1\"");
	ck_assert_ptr_nonnull(line);
	ck_assert_ptr_nonnull(
		strstr(logged, "\"method\":\"GET\",\"route\":\"/v1/{parent=shelves/*}/books\","
			       "\"status\":200,"));
	ck_assert_ptr_nonnull(strstr(logged, "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\""));
	ask("GET /secret-path HTTP/1.1\nAuthorization: Bearer secret-token", NULL);
	ck_assert_ptr_nonnull(wait_for_line("\"route\":\"unmatched\",\"status\":404"));
	ck_assert_ptr_null(strstr(logged, "secret"));
}

TEST(a_client_that_left_is_logged_as_such)
{
	int fd;

	fixture_start();
	fd = fixture_connect(fixture_port);
	fixture_send(fd, "GET /v1/failures/100 HTTP/1.1\r\nHost: a\r\n\r\n");
	wait_for_running(1);
	close(fd);
	ck_assert_ptr_nonnull(wait_for_line("\"route\":\"/v1/failures/{code}\",\"status\":499"));
	wait_for_running(0);
}

TEST(a_drain_ends_idle_connections_and_waits_for_busy_ones)
{
	struct answer answer;
	int idle, busy;

	fixture_start();
	idle = fixture_connect(fixture_port);
	busy = fixture_connect(fixture_port);
	fixture_send(idle, "GET /v1/files/a HTTP/1.1\r\nHost: a\r\n\r\n");
	ck_assert_int_eq(fixture_read(idle, false).status, 200);
	/* The kernel would take all of it at once. */
	setsockopt(busy, SOL_SOCKET, SO_RCVBUF, &(int){ 64 * 1024 }, sizeof(int));
	fixture_send(
		busy,
		"GET /v1/shelves/a/books/b:watch?times=200&size=40000 HTTP/1.1\r\nHost: a\r\n\r\n");
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = busy, .events = POLLIN }, 1, 10000), 1);
	worker_drain(fixture_worker, 10000);
	ck_assert(fixture_closed(idle));
	answer = fixture_read(busy, false);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(answer.body + answer.length - 21, "event: end\ndata: {}\n\n");
	ck_assert(fixture_closed(busy));
	close(idle);
	close(busy);
}

TEST_MAIN("edge", setup, teardown)
