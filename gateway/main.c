/* The gateway's process: options, start, signals, stop. */
#include "clients.h"
#include "cors.h"
#include "docs.h"
#include "gateway.h"
#include "listener.h"
#include "router.h"
#include "upstream.h"
#include "worker.h"
#include <crpc/crpc.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Generated over all protos. */
extern const struct route souk_routes[];
extern const size_t n_souk_routes;
extern const struct rpc_type_registry souk_types;
extern const char souk_openapi[];
extern const size_t n_souk_openapi;

static struct gateway gateway = { .unknown_key_ms = 10000 };
static const char *log_level;

static const struct option options[] = {
	{ "HTTP_LISTEN", OPTION_STRING, &gateway.listen, "127.0.0.1:8080",
	  "where clients come in" },
	{ "ADMIN_LISTEN", OPTION_STRING, &gateway.admin_listen, "127.0.0.1:7100",
	  "where /metrics, /healthz and /readyz are served; not for the public" },
	{ "HTTP_TLS_DIR", OPTION_STRING, &gateway.http_tls_dir, "",
	  "folder of tls.crt and tls.key for clients; empty: plain text, for a proxy in front" },
	{ "TLS_DIR", OPTION_STRING, &gateway.tls_dir, "",
	  "folder of tls.crt, tls.key and ca.crt for the services" },
	{ "REDIS_URL", OPTION_SECRET, &gateway.redis_url, "",
	  "redis://user:password@host:port/database: sessions and limits" },
	{ "TOKEN_ISSUER", OPTION_STRING, &gateway.token_issuer, "https://souk.local",
	  "who issues access tokens: their `iss`" },
	{ "TOKEN_AUDIENCE", OPTION_STRING, &gateway.token_audience, "souk",
	  "whom access tokens are for: their `aud`" },
	{ "CORS_ORIGINS", OPTION_STRING, &gateway.cors_origins, "",
	  "web origins that may call, separated by commas; *: all" },
	{ "FORWARDED_HOPS", OPTION_INTEGER, &gateway.forwarded_hops, "0",
	  "proxies in front whose X-Forwarded-For is believed", 0, 8 },
	{ "WORKERS", OPTION_INTEGER, &gateway.workers, "1",
	  "event loops, each on a thread of its own", 1, 64 },
	{ "RATE_LIMIT", OPTION_INTEGER, &gateway.limit_requests, "600",
	  "requests of a client in a window; 0: no limit", 0, 1000000000 },
	{ "RATE_LIMIT_WINDOW", OPTION_DURATION, &gateway.limit_window_ms, "1m",
	  "the window of the rate limit", 1000, 86400000 },
	{ "RATE_LIMIT_METHODS_OFF", OPTION_BOOLEAN, &gateway.limit_methods_off, "false",
	  "no limits of methods' own, such as logins: for tests" },
	{ "MAX_CONNECTIONS", OPTION_INTEGER, &gateway.connections_max, "10000",
	  "connections of a worker", 1, 1000000 },
	{ "MAX_CLIENT_CONNECTIONS", OPTION_INTEGER, &gateway.client_connections_max, "500",
	  "connections of one address, of all workers; 0: no limit. Off behind proxies", 0,
	  1000000 },
	{ "MAX_REQUESTS", OPTION_INTEGER, &gateway.requests_max, "2000",
	  "requests of a worker at once; beyond: 503", 1, 1000000 },
	{ "MAX_STREAMS", OPTION_INTEGER, &gateway.streams_max, "1000",
	  "event streams of a worker at once; beyond: 503", 1, 1000000 },
	{ "MAX_CONNECTION_STREAMS", OPTION_INTEGER, &gateway.connection_streams_max, "100",
	  "requests at once on one HTTP/2 connection", 1, 1000 },
	{ "MAX_MESSAGE", OPTION_SIZE, &gateway.message_max, "8MiB",
	  "the largest answer of a service" },
	{ "HEADER_TIMEOUT", OPTION_DURATION, &gateway.header_timeout_ms, "10s",
	  "for the TLS handshake and a request's header", 100, 3600000 },
	{ "BODY_TIMEOUT", OPTION_DURATION, &gateway.body_timeout_ms, "30s", "for a request's body",
	  100, 3600000 },
	{ "IDLE_TIMEOUT", OPTION_DURATION, &gateway.idle_timeout_ms, "75s",
	  "how long an idle connection is kept", 100, 3600000 },
	{ "WRITE_TIMEOUT", OPTION_DURATION, &gateway.write_timeout_ms, "30s",
	  "how long a client may take nothing of its answer", 100, 3600000 },
	{ "LINGER", OPTION_DURATION, &gateway.linger_ms, "2s",
	  "how long a refused client may go on sending", 100, 60000 },
	{ "HEARTBEAT", OPTION_DURATION, &gateway.heartbeat_ms, "15s",
	  "between comments on a quiet event stream", 100, 3600000 },
	{ "DRAIN_TIMEOUT", OPTION_DURATION, &gateway.drain_timeout_ms, "20s",
	  "how long a stop waits for requests", 0, 3600000 },
	{ "ACCESS_LOG", OPTION_BOOLEAN, &gateway.access_log, "true", "a line for each request" },
	{ "LOG_LEVEL", OPTION_STRING, &log_level, "info", "debug, info, warning or error" },
	{ 0 },
};

static int fail(char *error)
{
	log_error(NULL, "cannot start", { "reason", error ? error : "out of memory" });
	free(error);
	return EXIT_FAILURE;
}

static int set_log_level(void)
{
	static const char *const levels[] = { "debug", "info", "warning", "error" };

	for (int i = 0; i < 4; i++) {
		if (!strcmp(log_level, levels[i])) {
			log_set_level((enum log_level)i);
			return 0;
		}
	}
	return -EINVAL;
}

/* A connection is a descriptor. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int set_up(char **error)
{
	gateway.routes = souk_routes;
	gateway.n_routes = n_souk_routes;
	gateway.types = &souk_types;
	if (cors_origins(gateway.cors_origins, &gateway.origins, error))
		return -1;
	gateway.router = router_new(gateway.routes, gateway.n_routes, error);
	if (!gateway.router)
		return -1;
	gateway.docs = docs_new(souk_openapi, n_souk_openapi, docs_html_text, docs_html_length);
	if (!gateway.docs)
		return -1;
	gateway.clients = clients_new();
	if (!gateway.clients)
		return -1;
	gateway.upstreams = upstreams_new(&gateway, error);
	return gateway.upstreams ? 0 : -1;
}

static void *run_worker(void *data)
{
	loop_run(&((struct worker *)data)->loop);
	return NULL;
}

static struct worker *make_worker(bool first, char **error)
{
	struct worker *worker = worker_new(&gateway, error);

	if (!worker)
		return NULL;
	worker->listeners[0] = listener_new(worker, gateway.listen, false, error);
	if (worker->listeners[0] && first)
		worker->listeners[1] = listener_new(worker, gateway.admin_listen, true, error);
	if (!worker->listeners[0] || (first && !worker->listeners[1]))
		return worker_free(worker);
	return worker;
}

static int run(char **error)
{
	struct worker *workers[64] = { NULL };
	pthread_t threads[64];
	int64_t n = 0, started = 0;
	sigset_t signals;
	int r = -1;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	if (set_up(error))
		goto out;
	for (; n < gateway.workers; n++) {
		workers[n] = make_worker(!n, error);
		if (!workers[n])
			goto out;
	}
	for (; started < n; started++)
		if (pthread_create(&threads[started], NULL, run_worker, workers[started]))
			goto out;
	log_info(NULL, "serving", { "listen", gateway.listen }, { "admin", gateway.admin_listen });
	service_wait_for_signal(&signals);
	log_info(NULL, "draining");
	r = 0;
out:
	for (int64_t i = 0; i < started; i++)
		worker_drain(workers[i], r ? 0 : gateway.drain_timeout_ms);
	for (int64_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	for (int64_t i = 0; i < n; i++)
		worker_free(workers[i]);
	gateway.upstreams = upstreams_free(gateway.upstreams);
	gateway.clients = clients_free(gateway.clients);
	gateway.router = router_free((struct router *)gateway.router);
	gateway.docs = docs_free((struct docs *)gateway.docs);
	cors_origins_free(gateway.origins);
	return r;
}

int main(int argc, char **argv)
{
	const struct option *const tables[] = { options, NULL };
	char *error = NULL;
	int r;

	if (argc > 1 && !strcmp(argv[1], "--help")) {
		puts("gateway: HTTP and JSON in front of the services. SOUK_PEER_<DOMAIN> is where "
		     "each of them is.\n");
		options_print("SOUK_", tables);
		return EXIT_SUCCESS;
	}
	log_set_service("gateway");
	r = options_read("SOUK_", tables, &error);
	if (r || set_log_level()) {
		fprintf(stderr, "gateway: %s\n",
			error ? error : "SOUK_LOG_LEVEL must be debug, info, warning or error");
		return 2;
	}
	raise_descriptors();
	if (run(&error))
		return fail(error);
	log_info(NULL, "stopped");
	return EXIT_SUCCESS;
}
