/* What the kubelet and Prometheus ask a service: /healthz, /readyz, /metrics. */
#include "service_private.h"
#include "thread.h"
#include <errno.h>
#include <http_parser.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/*
 * One thread, one answer a connection, which is then closed. A connection is HEAD (its request is
 * read) -> ANSWER (which is sent) -> END (what the client still sends is thrown away until it
 * closes: a socket closed with unread bytes takes back the answer). All of it within
 * CONNECTION_MS. Where all places are taken, the oldest connection makes room, so that nobody who
 * only holds connections keeps a probe out.
 *
 * A library would do as well; those of Debian bring a TLS of their own, a quarter MiB a process.
 */

enum { CONNECTIONS_MAX = 32, CONNECTION_MS = 15000, HEAD_MAX = 4096, OUT_OF_DESCRIPTORS_MS = 100 };

enum state { STATE_HEAD, STATE_ANSWER, STATE_END };

struct connection {
	enum state state;
	int64_t until_ms;
	http_parser parser;
	size_t read;   /* of the head */
	char path[64]; /* longer ones are not here */
	size_t path_length;
	bool asked;
	char *answer;
	size_t length, sent;
};

enum { FD_STOP, FD_LISTENER, FD_FIRST };

struct service_http {
	struct service *service;
	pthread_t thread;
	struct pollfd fds[FD_FIRST + CONNECTIONS_MAX]; /* fd -1: a free place */
	struct connection connections[CONNECTIONS_MAX];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * The answer
 */

static void answer(struct connection *connection, const char *status, const char *type,
		   const char *text)
{
	bool head_only = connection->asked && connection->parser.method == HTTP_HEAD;
	char date[64];
	struct tm utc;
	int length;

	gmtime_r(&(time_t){ time(NULL) }, &utc);
	strftime(date, sizeof(date), "%a, %d %b %Y %T GMT", &utc);
	length = asprintf(&connection->answer,
			  "HTTP/1.1 %s\r\nDate: %s\r\nContent-Type: text/plain; %scharset=utf-8\r\n"
			  "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
			  status, date, type, strlen(text), head_only ? "" : text);
	if (length < 0)
		abort();
	connection->length = (size_t)length;
	connection->state = STATE_ANSWER;
}

static void answer_metrics(struct connection *connection)
{
	size_t length;
	char *text = metrics_print(&length);

	if (text)
		answer(connection, "200 OK", "version=0.0.4; ", text);
	else
		answer(connection, "503 Service Unavailable", "", "No memory is left.\n");
	free(text);
}

static void answer_readiness(struct service_http *http, struct connection *connection)
{
	char why[320];

	service_readiness(http->service, why, sizeof(why) - 1);
	if (!*why)
		return answer(connection, "200 OK", "", "ready\n");
	strcat(why, "\n");
	answer(connection, "503 Service Unavailable", "", why);
}

static void answer_request(struct service_http *http, struct connection *connection)
{
	const char *path = connection->path;

	if (connection->parser.method != HTTP_GET && connection->parser.method != HTTP_HEAD)
		answer(connection, "405 Method Not Allowed", "", "Only GET is answered here.\n");
	else if (!strcmp(path, "/healthz"))
		answer(connection, "200 OK", "", "alive\n");
	else if (!strcmp(path, "/readyz"))
		answer_readiness(http, connection);
	else if (!strcmp(path, "/metrics"))
		answer_metrics(connection);
	else
		answer(connection, "404 Not Found", "",
		       "Here are /healthz, /readyz and /metrics.\n");
}

/*
 * The request
 */

/* Comes in pieces. The longest path that is kept is longer than those that are here. */
static int hear_url(http_parser *parser, const char *bytes, size_t length)
{
	struct connection *connection = parser->data;
	size_t room = sizeof(connection->path) - 1 - connection->path_length;

	if (length > room)
		length = room;
	memcpy(connection->path + connection->path_length, bytes, length);
	connection->path_length += length;
	return 0;
}

/* Stops the parser: what follows the head is not looked at. */
static int hear_end(http_parser *parser)
{
	struct connection *connection = parser->data;

	connection->path[strcspn(connection->path, "?#")] = '\0';
	connection->asked = true;
	return -1;
}

static const http_parser_settings settings = { .on_url = hear_url,
					       .on_headers_complete = hear_end };

static void hear(struct service_http *http, struct connection *connection, const char *bytes,
		 size_t length)
{
	size_t parsed = http_parser_execute(&connection->parser, &settings, bytes, length);

	connection->read += length;
	if (connection->asked)
		answer_request(http, connection);
	else if (parsed != length)
		answer(connection, "400 Bad Request", "", "This is no HTTP/1 request.\n");
	else if (connection->read > HEAD_MAX)
		answer(connection, "431 Request Header Fields Too Large", "",
		       "The request's head is too long.\n");
}

/*
 * Connections
 */

static void close_place(struct service_http *http, size_t place)
{
	free(http->connections[place].answer);
	close(http->fds[FD_FIRST + place].fd);
	http->fds[FD_FIRST + place] = (struct pollfd){ .fd = -1 };
	http->connections[place] = (struct connection){ 0 };
}

/* A free one, or the oldest connection's. */
static size_t make_place(struct service_http *http)
{
	size_t oldest = 0;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (http->fds[FD_FIRST + i].fd < 0)
			return i;
		if (http->connections[i].until_ms < http->connections[oldest].until_ms)
			oldest = i;
	}
	close_place(http, oldest);
	return oldest;
}

static void take(struct service_http *http)
{
	int fd = accept4(http->fds[FD_LISTENER].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *connection;
	size_t place;

	if (fd < 0) {
		/* Out of descriptors the listener stays readable: do not turn without end. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			poll(http->fds, 1, OUT_OF_DESCRIPTORS_MS);
		return;
	}
	place = make_place(http);
	http->fds[FD_FIRST + place] = (struct pollfd){ .fd = fd, .events = POLLIN };
	connection = &http->connections[place];
	connection->until_ms = now_ms() + CONNECTION_MS;
	http_parser_init(&connection->parser, HTTP_REQUEST);
	connection->parser.data = connection;
}

/* False: the connection is over. */
static bool turn(struct service_http *http, struct connection *connection, struct pollfd *polled)
{
	char bytes[1024];
	ssize_t n;

	if (connection->state != STATE_ANSWER) {
		n = recv(polled->fd, bytes, sizeof(bytes), 0);
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		if (connection->state == STATE_HEAD)
			hear(http, connection, bytes, (size_t)n);
	}
	if (connection->state == STATE_ANSWER) {
		n = send(polled->fd, connection->answer + connection->sent,
			 connection->length - connection->sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		connection->sent += n > 0 ? (size_t)n : 0;
		if (connection->sent == connection->length) {
			connection->state = STATE_END;
			shutdown(polled->fd, SHUT_WR);
		}
	}
	polled->events = connection->state == STATE_ANSWER ? POLLOUT : POLLIN;
	return true;
}

static void *serve(void *data)
{
	struct service_http *http = data;
	bool any = false;

	while (poll(http->fds, FD_FIRST + CONNECTIONS_MAX, any ? 1000 : -1) >= 0 ||
	       errno == EINTR) {
		int64_t now = now_ms();

		if (http->fds[FD_STOP].revents)
			break;
		any = false;
		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			struct pollfd *polled = &http->fds[FD_FIRST + i];

			if (polled->fd < 0)
				continue;
			if (now >= http->connections[i].until_ms ||
			    (polled->revents && !turn(http, &http->connections[i], polled)))
				close_place(http, i);
			else
				any = true;
		}
		if (http->fds[FD_LISTENER].revents) {
			take(http);
			any = true;
		}
	}
	return NULL;
}

/*
 * Start and stop
 */

/* "127.0.0.1:7101", "[::1]:7101", ":7101" for all addresses. */
static int resolve(const char *listen, struct addrinfo **ret)
{
	const char *colon = strrchr(listen, ':');
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM };
	char host[256];
	size_t length;

	if (!colon || (size_t)(colon - listen) >= sizeof(host))
		return -EINVAL;
	length = (size_t)(colon - listen);
	if (length >= 2 && listen[0] == '[' && listen[length - 1] == ']') {
		listen++;
		length -= 2;
	}
	memcpy(host, listen, length);
	host[length] = '\0';
	return getaddrinfo(length ? host : NULL, colon + 1, &hints, ret) ? -EINVAL : 0;
}

/* The socket, or -1. */
static int listen_on(const char *where)
{
	struct addrinfo *address = NULL;
	int fd;

	if (resolve(where, &address))
		return -1;
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
		if (bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, SOMAXCONN)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(address);
	return fd;
}

static void free_http(struct service_http *http)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (http->fds[FD_FIRST + i].fd >= 0)
			close_place(http, i);
	close(http->fds[FD_LISTENER].fd);
	close(http->fds[FD_STOP].fd);
	free(http);
}

struct service_http *service_http_start(struct service *service, const char *listen, char **error)
{
	int listener = listen_on(listen), stop;
	struct service_http *http;

	if (listener < 0) {
		if (asprintf(error,
			     "cannot listen on %s for HTTP: not an address of this host, or in use",
			     listen) < 0)
			abort();
		return NULL;
	}
	http = calloc(1, sizeof(*http));
	stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!http || stop < 0)
		abort();
	http->service = service;
	http->fds[FD_STOP] = (struct pollfd){ .fd = stop, .events = POLLIN };
	http->fds[FD_LISTENER] = (struct pollfd){ .fd = listener, .events = POLLIN };
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		http->fds[FD_FIRST + i].fd = -1;
	if (thread_start(&http->thread, THREAD_STACK_SMALL, "metrics", serve, http))
		abort();
	return http;
}

struct service_http *service_http_stop(struct service_http *http)
{
	if (!http)
		return NULL;
	eventfd_write(http->fds[FD_STOP].fd, 1);
	pthread_join(http->thread, NULL);
	free_http(http);
	return NULL;
}
