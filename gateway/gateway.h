/* The gateway: its options, and what all workers share and nobody changes once they run. */
#pragma once

#include <crpc/config.h>
#include <crpc/route.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clients;
struct docs;
struct router;
struct upstreams;

struct gateway {
	/* Options, see main.c. */
	const char *listen, *admin_listen, *http_tls_dir, *tls_dir, *redis_url, *cors_origins;
	const char *token_issuer, *token_audience;
	int64_t workers, forwarded_hops;
	int64_t connections_max, client_connections_max, requests_max, streams_max,
		connection_streams_max;
	size_t message_max;
	int64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms, linger_ms,
		heartbeat_ms;
	int64_t drain_timeout_ms, unknown_key_ms;
	int64_t limit_requests, limit_window_ms;
	bool limit_methods_off;
	bool access_log;

	const struct route *routes;
	size_t n_routes;
	const struct rpc_type_registry *types;
	const struct router *router;
	struct upstreams *upstreams;
	struct clients *clients;
	const struct docs *docs;
	const char *const *origins; /* NULL-terminated, of cors_origins; or NULL */
};
