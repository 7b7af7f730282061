/* A gateway before a library. */
#include "fixture.h"
#include "../clients.h"
#include "../docs.h"
#include "../listener.h"
#include "../router.h"
#include "../upstream.h"
#include "library.h"
#include <errno.h>
#include <library.rpc.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

extern const struct route library_routes[];
extern const size_t n_library_routes;
extern const struct rpc_type_registry library_types;
extern const char library_openapi[];
extern const size_t n_library_openapi;

struct gateway fixture_gateway;
struct worker *fixture_worker;
int fixture_port, fixture_admin_port;
struct arena *fixture_memory;
static struct rpc_server *server;
static pthread_t thread;

/*
 * The gateway
 */

/* Believes what it is told: the gateway verifies. */
static int authenticate(void *data, struct rpc_call *call, const char *token,
			struct rpc_caller *ret)
{
	*ret = (struct rpc_caller){ "users/ann", "sessions/s1", "", "", "", false, INT64_MAX };
	return 0;
}
static const struct rpc_authenticator authenticator = { authenticate, NULL };

void fixture_reset(void)
{
	fixture_gateway = (struct gateway){
		.listen = "127.0.0.1:0",
		.admin_listen = "127.0.0.1:0",
		.http_tls_dir = "",
		.tls_dir = "",
		.redis_url = "",
		.token_issuer = "https://souk.local",
		.token_audience = "souk",
		.workers = 1,
		.connections_max = 100,
		.requests_max = 100,
		.streams_max = 10,
		.connection_streams_max = 10,
		.message_max = 8 * 1024 * 1024,
		.header_timeout_ms = 10000,
		.body_timeout_ms = 10000,
		.idle_timeout_ms = 10000,
		.write_timeout_ms = 10000,
		.linger_ms = 500,
		.heartbeat_ms = 10000,
		.drain_timeout_ms = 10000,
		.limit_window_ms = 60000,
		.unknown_key_ms = 10000,
		.access_log = true,
		.routes = library_routes,
		.n_routes = n_library_routes,
		.types = &library_types,
	};
}

void fixture_library_serves(bool serving)
{
	rpc_server_set_serving(server, "", serving);
}

static void *run(void *data)
{
	loop_run(&fixture_worker->loop);
	return NULL;
}

void fixture_start(void)
{
	const struct rpc_server_options options = { .listen = "127.0.0.1:0",
						    .threads = 4,
						    .queue = 100,
						    .streams = 20,
						    .arena_cap = 8 * 1024 * 1024,
						    .max_message_bytes = 8 * 1024 * 1024,
						    .authenticator = &authenticator };
	struct gateway *gateway = &fixture_gateway;
	char *error = NULL, address[64];

	memset(&seen, 0, sizeof(seen));
	fixture_memory = arena_new(256 * 1024 * 1024);
	server = rpc_server_new(&options, &error);
	ck_assert_msg(server, "%s", error);
	library_service_serve(server, &library, NULL);
	ck_assert_msg(!rpc_server_start(server, &error), "%s", error);
	rpc_server_set_serving(server, "", true);
	rpc_server_set_serving(server, "gateway.library.v1.LibraryService", true);
	snprintf(address, sizeof(address), "ipv4:127.0.0.1:%d", rpc_server_port(server));
	setenv("SOUK_PEER_LIBRARY", address, 1);

	gateway->router = router_new(gateway->routes, gateway->n_routes, &error);
	ck_assert_msg(gateway->router, "%s", error);
	gateway->docs =
		docs_new(library_openapi, n_library_openapi, docs_html_text, docs_html_length);
	gateway->clients = clients_new();
	gateway->upstreams = upstreams_new(gateway, &error);
	ck_assert_msg(gateway->upstreams, "%s", error);
	fixture_worker = worker_new(gateway, &error);
	ck_assert_msg(fixture_worker, "%s", error);
	fixture_worker->listeners[0] = listener_new(fixture_worker, gateway->listen, false, &error);
	fixture_worker->listeners[1] =
		listener_new(fixture_worker, gateway->admin_listen, true, &error);
	ck_assert_msg(fixture_worker->listeners[0] && fixture_worker->listeners[1], "%s", error);
	fixture_port = listener_port(fixture_worker->listeners[0]);
	fixture_admin_port = listener_port(fixture_worker->listeners[1]);
	ck_assert_int_eq(pthread_create(&thread, NULL, run, NULL), 0);
}

void fixture_stop(void)
{
	struct gateway *gateway = &fixture_gateway;

	worker_drain(fixture_worker, 2000);
	pthread_join(thread, NULL);
	fixture_worker = worker_free(fixture_worker);
	gateway->upstreams = upstreams_free(gateway->upstreams);
	gateway->clients = clients_free(gateway->clients);
	gateway->router = router_free((struct router *)gateway->router);
	gateway->docs = docs_free((struct docs *)gateway->docs);
	rpc_server_drain(server, 2000);
	server = rpc_server_free(server);
	fixture_memory = arena_free(fixture_memory);
}

/*
 * Clients
 */

int fixture_connect(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void fixture_send_bytes(int fd, const void *bytes, size_t length)
{
	while (length) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);

		if (n < 0)
			return; /* refused already; the answer says why */
		bytes = (const char *)bytes + n;
		length -= (size_t)n;
	}
}

void fixture_send(int fd, const char *text)
{
	fixture_send_bytes(fd, text, strlen(text));
}

static ssize_t receive(int fd, char *to, size_t size)
{
	struct pollfd waiting = { .fd = fd, .events = POLLIN };

	ck_assert_msg(poll(&waiting, 1, 10000) == 1, "the gateway says nothing");
	return recv(fd, to, size, 0);
}

const char *answer_header(const struct answer *answer, const char *name)
{
	static char value[4096];
	size_t length = strlen(name);

	for (const char *line = answer->head; (line = strchr(line, '\n'));) {
		line++;
		if (!strncasecmp(line, name, length) && line[length] == ':') {
			snprintf(value, sizeof(value), "%.*s",
				 (int)strcspn(line + length + 2, "\r\n"), line + length + 2);
			return value;
		}
	}
	return "";
}

static size_t capacity_of(size_t length)
{
	size_t capacity = 64;

	while (capacity <= length)
		capacity *= 2;
	return capacity;
}

static void read_exactly(int fd, struct answer *answer, size_t length)
{
	size_t capacity = capacity_of(answer->length + length);

	if (!answer->length || capacity != capacity_of(answer->length)) {
		char *body = arena_alloc(fixture_memory, capacity);

		memcpy(body, answer->body, answer->length);
		answer->body = body;
	}
	while (length) {
		ssize_t n = receive(fd, answer->body + answer->length, length);

		ck_assert_msg(n > 0, "the body is cut short");
		answer->length += (size_t)n;
		length -= (size_t)n;
	}
	answer->body[answer->length] = '\0';
}

static void read_chunks(int fd, struct answer *answer)
{
	char line[32];

	for (;;) {
		size_t used = 0, length;
		char end[2];

		do {
			ck_assert_int_eq(receive(fd, line + used, 1), 1);
		} while (line[used++] != '\n');
		length = strtoul(line, NULL, 16);
		if (length)
			read_exactly(fd, answer, length);
		ck_assert_int_eq(receive(fd, end, 1) + receive(fd, end + 1, 1), 2);
		if (!length)
			return;
	}
}

struct answer fixture_read(int fd, bool head_only)
{
	struct answer answer = { .body = arena_strndup(fixture_memory, "", 0) };
	size_t used = 0;

	while (used < sizeof(answer.head) - 1) {
		ssize_t n = receive(fd, answer.head + used, 1);

		if (n <= 0)
			return answer;
		used++;
		if (used >= 4 && !memcmp(answer.head + used - 4, "\r\n\r\n", 4))
			break;
	}
	ck_assert_int_eq(sscanf(answer.head, "HTTP/1.1 %d", &answer.status), 1);
	if (head_only || answer.status == 304 || answer.status == 204 || answer.status == 100)
		return answer;
	if (!strcmp(answer_header(&answer, "transfer-encoding"), "chunked"))
		read_chunks(fd, &answer);
	else
		read_exactly(fd, &answer,
			     strtoul(answer_header(&answer, "content-length"), NULL, 10));
	return answer;
}

bool fixture_closed(int fd)
{
	struct pollfd waiting = { .fd = fd, .events = POLLIN };
	char bytes[4096];
	ssize_t n;

	do {
		if (poll(&waiting, 1, 10000) != 1)
			return false;
		n = recv(fd, bytes, sizeof(bytes), 0);
	} while (n > 0);
	return true;
}

struct answer ask(const char *head, const char *body)
{
	int fd = fixture_connect(fixture_port);
	size_t length = body ? strlen(body) : 0;
	char *request = arena_alloc(fixture_memory, strlen(head) * 2 + length + 200), *to = request;
	struct answer answer;

	for (const char *from = head; *from; from++) {
		if (*from == '\n')
			*to++ = '\r';
		*to++ = *from;
	}
	to += sprintf(to, "\r\nHost: library.test\r\n");
	if (body)
		to += sprintf(to, "Content-Length: %zu\r\n", length);
	to += sprintf(to, "\r\n%s", body ? body : "");
	fixture_send_bytes(fd, request, (size_t)(to - request));
	answer = fixture_read(fd, !strncmp(head, "HEAD", 4));
	close(fd);
	return answer;
}
