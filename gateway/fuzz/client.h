/* A client of a whole gateway without services, in one process, for the harnesses that send it
 * bytes. */
#pragma once

#include "../connection.h"
#include "../docs.h"
#include "../gateway.h"
#include "../router.h"
#include "../upstream.h"
#include <crpc/log.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct route library_routes[];
extern const size_t n_library_routes;
extern const struct rpc_type_registry library_types;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct worker *worker;

static void set_up(void)
{
	static struct gateway gateway = {
		.http_tls_dir = "",
		.tls_dir = "",
		.redis_url = "",
		.token_issuer = "",
		.token_audience = "",
		.connections_max = 10,
		.requests_max = 10,
		.streams_max = 10,
		.connection_streams_max = 10,
		.message_max = 100000,
		.header_timeout_ms = 10000,
		.body_timeout_ms = 10000,
		.idle_timeout_ms = 10000,
		.write_timeout_ms = 10000,
		.linger_ms = 0,
		.heartbeat_ms = 10000,
		.limit_window_ms = 60000,
		.limit_requests = 1000000000,
	};
	char *error = NULL;

	log_set_level(LOG_LEVEL_ERROR);
	gateway.routes = library_routes;
	gateway.n_routes = n_library_routes;
	gateway.types = &library_types;
	gateway.router = router_new(library_routes, n_library_routes, &error);
	gateway.docs = docs_new("{}", 2, "<p>", 3);
	gateway.upstreams = upstreams_new(&gateway, &error);
	worker = worker_new(&gateway, &error);
	if (!gateway.router || !gateway.upstreams || !worker)
		abort();
}

/* Parsed, routed, transcoded, refused, answered. What comes back must be an answer. */
static void exchange(const uint8_t *bytes, size_t size)
{
	static char answer[1 << 20];
	bool http2 = size >= 24 && !memcmp(bytes, "PRI * HTTP/2.0", 14);
	size_t sent = 0, used = 0;
	int pair[2];

	if (!worker)
		set_up();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
		abort();
	if (!connection_new(worker, pair[0], "192.0.2.1", NULL, false))
		abort();
	/* Two pieces, so that no state is met at the front of a read only. */
	for (int turn = 0; turn < 40; turn++) {
		size_t piece = turn ? size - sent : size / 2;
		ssize_t n = send(pair[1], bytes + sent, piece, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		loop_turn(&worker->loop, 0);
		n = recv(pair[1], answer + used, sizeof(answer) - used, 0);
		used += n > 0 ? (size_t)n : 0;
		if (turn > 2 && (n <= 0 || used == sizeof(answer)))
			break;
	}
	if (used && !http2 && (used < 9 || memcmp(answer, "HTTP/1.1 ", 9)))
		abort();
	close(pair[1]);
	while (worker->n_connections)
		loop_turn(&worker->loop, 0);
	if (worker->n_requests)
		abort();
}
