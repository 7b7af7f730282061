/* A service's process: options, server, health, metrics, signals. */
#include "server_private.h"
#include "service_private.h"
#include "thread.h"
#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	MODULES_MAX = 32,
	READY_STALE_MS = 6000,
	KILL_AFTER_S = 15,
	TRIM_S = 30,
	DEFAULT_THREADS = 4
};

/* What every service has; read before anything starts. */
static struct {
	const char *grpc_listen, *http_listen, *tls_dir, *log_level;
	int64_t threads, queue, streams, drain_ms, drain_delay_ms, connection_age_ms;
	size_t call_memory, message_size;
	bool compress, channelz, log_calls;
	const char *crash_at;
} arg;

static struct option options[] = {
	{ "GRPC_LISTEN", OPTION_STRING, &arg.grpc_listen, NULL,
	  "where gRPC is served, such as 127.0.0.1:7001" },
	{ "HTTP_LISTEN", OPTION_STRING, &arg.http_listen, NULL,
	  "where /healthz, /readyz and /metrics are served, such as 127.0.0.1:7101" },
	{ "TLS_DIR", OPTION_STRING, &arg.tls_dir, "",
	  "folder of tls.crt, tls.key and ca.crt; empty: plain text, on loopback only" },
	{ "THREADS", OPTION_INTEGER, &arg.threads, "4", "handlers that run at once", 1, 512 },
	{ "QUEUE", OPTION_INTEGER, &arg.queue, "256",
	  "calls that wait for a thread; more are refused", 1, 100000 },
	{ "STREAMS", OPTION_INTEGER, &arg.streams, "64", "streaming calls at once", 1, 10000 },
	{ "CALL_MEMORY", OPTION_SIZE, &arg.call_memory, "16MiB", "the most that one call may need",
	  64 << 10, 1 << 30 },
	{ "MESSAGE_SIZE", OPTION_SIZE, &arg.message_size, "4MiB", "the largest message", 1 << 10,
	  256 << 20 },
	{ "CONNECTION_AGE", OPTION_DURATION, &arg.connection_age_ms, "30m",
	  "after this clients connect anew, and so find new replicas", 1000, INT64_MAX },
	{ "DRAIN_DELAY", OPTION_DURATION, &arg.drain_delay_ms, "0s",
	  "how long it still takes calls after SIGTERM, while balancers learn that it goes" },
	{ "DRAIN_TIMEOUT", OPTION_DURATION, &arg.drain_ms, "25s",
	  "how long calls in flight may take after that" },
	{ "COMPRESS", OPTION_BOOLEAN, &arg.compress, "false",
	  "gzip for answers, to callers that take it" },
	{ "CHANNELZ", OPTION_BOOLEAN, &arg.channelz, "false",
	  "count what goes over channels and sockets, and serve it as grpc.channelz.v1" },
	{ "LOG_LEVEL", OPTION_STRING, &arg.log_level, "info", "debug, info, warning or error" },
	{ "LOG_CALLS", OPTION_BOOLEAN, &arg.log_calls, "false", "a log line for each call" },
#ifdef CRPC_CRASH_POINTS
	{ "CRASH_AT", OPTION_STRING, &arg.crash_at, "",
	  "the point at which the process kills itself; tests only" },
#endif
	{ 0 },
};

static char threads_default[12];

static int read_level(enum log_level *ret, char **error)
{
	static const char *const names[] = { "debug", "info", "warning", "error" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(arg.log_level, names[i])) {
			*ret = (enum log_level)i;
			return 0;
		}
	if (asprintf(error, "LOG_LEVEL is \"%s\": it must be debug, info, warning or error",
		     arg.log_level) < 0)
		abort();
	return -EINVAL;
}

static bool is_loopback(const char *listen)
{
	return !strncmp(listen, "127.", 4) || !strncmp(listen, "[::1]:", 6) ||
	       !strncmp(listen, "localhost:", 10);
}

static int read_options(const struct service_config *config, const char *prefix,
			const struct option **tables, char **error)
{
	enum log_level level;
	size_t n = 0;
	int r;

	snprintf(threads_default, sizeof(threads_default), "%d",
		 config->threads ? config->threads : DEFAULT_THREADS);
	for (struct option *option = options; option->name; option++)
		if (!strcmp(option->name, "THREADS"))
			option->default_text = threads_default;
	tables[n++] = options;
	if (config->options)
		tables[n++] = config->options;
	for (const struct service_module *const *module = config->modules;
	     module && *module && n < MODULES_MAX; module++)
		if ((*module)->options)
			tables[n++] = (*module)->options;
	tables[n] = NULL;
	r = options_read(prefix, tables, error);
	if (r)
		return r;
	r = read_level(&level, error);
	if (r)
		return r;
	if (!*arg.tls_dir && !is_loopback(arg.grpc_listen)) {
		if (asprintf(error,
			     "%sTLS_DIR is empty and %sGRPC_LISTEN is %s: without certificates "
			     "gRPC is served on loopback only",
			     prefix, prefix, arg.grpc_listen) < 0)
			abort();
		return -EINVAL;
	}
	log_set_level(level);
	return 0;
}

static void print_help(const struct service_config *config, const char *prefix,
		       const struct option *const *tables)
{
	printf("%s: %s\n\nOptions are environment variables:\n\n", config->name, config->summary);
	options_print(prefix, tables);
	printf("\n%sPEER_<NAME> says where a peer is: dns:///cart:7003, "
	       "ipv4:127.0.0.1:7003,127.0.0.1:8003, xds:///cart.\n",
	       prefix);
}

/*
 * Readiness
 */

void service_readiness(struct service *service, char *why, size_t size)
{
	pthread_mutex_lock(&service->lock);
	if (service->stopping)
		snprintf(why, size, "The service is stopping.");
	else if (service->asking && monotonic_ms() - service->asking_since_ms > READY_STALE_MS)
		snprintf(why, size, "%s does not say whether it is ready.", service->asking);
	else
		snprintf(why, size, "%s", service->why);
	pthread_mutex_unlock(&service->lock);
}

static void note_asking(struct service *service, const char *name)
{
	pthread_mutex_lock(&service->lock);
	service->asking = name;
	service->asking_since_ms = monotonic_ms();
	pthread_mutex_unlock(&service->lock);
}

static bool ask_modules(struct service *service, const char **name, const char **why)
{
	const struct service_module *const *module;

	for (module = service->config->modules; module && *module; module++) {
		bool ready;

		if (!(*module)->ready)
			continue;
		*why = "It is not ready.";
		*name = (*module)->name;
		note_asking(service, *name);
		ready = (*module)->ready(why);
		note_asking(service, NULL);
		if (!ready)
			return false;
	}
	return true;
}

static void look(struct service *service, bool first)
{
	const char *name = "", *why = "";
	bool ready = ask_modules(service, &name, &why), stopping, changed;

	pthread_mutex_lock(&service->lock);
	stopping = service->stopping;
	changed = first || ready != service->ready;
	service->ready = ready;
	if (ready)
		service->why[0] = '\0';
	else
		snprintf(service->why, sizeof(service->why), "%s: %s", name, why);
	pthread_mutex_unlock(&service->lock);
	if (!changed || stopping)
		return;
	rpc_server_set_serving(service->server, "", ready);
	if (ready)
		log_info(NULL, "the service is ready");
	else
		log_warning(NULL, "the service is not ready", { "module", name }, { "why", why });
}

static void *watch_readiness(void *data)
{
	struct service *service = data;
	struct timespec until;

	look(service, true);
	pthread_mutex_lock(&service->lock);
	while (!service->stopping) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		if (pthread_cond_timedwait(&service->changed, &service->lock, &until) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&service->lock);
		look(service, false);
		pthread_mutex_lock(&service->lock);
	}
	pthread_mutex_unlock(&service->lock);
	return NULL;
}

/*
 * Start and stop
 */

static int start_modules(struct service *service, size_t *n, char **error)
{
	const struct service_module *const *modules = service->config->modules;

	for (*n = 0; modules && modules[*n]; (*n)++) {
		int r = modules[*n]->start ? modules[*n]->start(service, error) : 0;

		if (r)
			return r;
	}
	return 0;
}

static void stop_modules(struct service *service, size_t n)
{
	while (n--)
		if (service->config->modules[n]->stop)
			service->config->modules[n]->stop();
}

static int serve(struct service *service, char **error)
{
	int r = service->config->start ? service->config->start(service, error) : 0;

	if (r)
		return r;
	rpc_server_set_serving(service->server, "", false); /* until the modules have been asked */
	r = rpc_server_start(service->server, error);
	if (r)
		return r;
	r = thread_start(&service->watcher, THREAD_STACK, "readiness", watch_readiness, service);
	if (r)
		return r;
	service->watching = true;
	service_timers_start(service);
	return 0;
}

static void too_late(int signal)
{
	(void)signal;
	_exit(1);
}

/* Handlers that do not end are cut off: the process must not outlive its pod's grace. */
static void drain(struct service *service)
{
	signal(SIGALRM, too_late);
	alarm((unsigned)((arg.drain_delay_ms + arg.drain_ms) / 1000) + KILL_AFTER_S);
	pthread_mutex_lock(&service->lock);
	service->stopping = true;
	pthread_cond_broadcast(&service->changed);
	pthread_mutex_unlock(&service->lock);
	rpc_server_set_serving(service->server, "", false);
	usleep((useconds_t)(arg.drain_delay_ms * 1000));
	rpc_server_drain(service->server, arg.drain_ms);
}

static void close_all(struct service *service, bool started, size_t modules)
{
	struct service_peer *next;

	if (service->watching)
		pthread_join(service->watcher, NULL);
	service_timers_stop(service);
	service->server = rpc_server_free(service->server);
	if (started && service->config->stop)
		service->config->stop();
	stop_modules(service, modules);
	service_http_stop(service->http);
	for (struct service_peer *peer = service->peers; peer; peer = next) {
		next = peer->next;
		rpc_channel_free(peer->channel);
		free(peer->name);
		free(peer);
	}
}

int service_wait_for_signal(const sigset_t *signals)
{
	const struct timespec turn = { .tv_sec = TRIM_S };
	int number;

	while ((number = sigtimedwait(signals, NULL, &turn)) < 0)
		if (errno == EAGAIN)
			malloc_trim(0);
	return number;
}

static int run(struct service *service, const sigset_t *signals, char **error)
{
	bool started = false;
	size_t modules = 0;
	int r;

	service->server = rpc_server_new(
		&(struct rpc_server_options){
			.listen = arg.grpc_listen,
			.tls_dir = *arg.tls_dir ? arg.tls_dir : NULL,
			.threads = (int)arg.threads,
			.queue = (int)arg.queue,
			.streams = (int)arg.streams,
			.arena_cap = arg.call_memory,
			.max_message_bytes = arg.message_size,
			.max_connection_age_ms = arg.connection_age_ms,
			.channelz = arg.channelz,
			.compress = arg.compress,
			.log_calls = arg.log_calls,
		},
		error);
	snprintf(service->why, sizeof(service->why), "The service is starting.");
	service->http = service_http_start(service, arg.http_listen, error);
	r = service->http ? start_modules(service, &modules, error) : -EADDRINUSE;
	if (!r) {
		r = serve(service, error);
		started = !r;
	}
	if (!r) {
		log_info(NULL, "the service has started", { "grpc", arg.grpc_listen },
			 { "http", arg.http_listen },
			 { "tls", *arg.tls_dir ? arg.tls_dir : "none" });
		log_info(NULL, "the service stops",
			 { "signal", strsignal(service_wait_for_signal(signals)) });
	}
	drain(service);
	close_all(service, started, modules);
	return r;
}

/*
 * A caller that sends request after request is otherwise interrupted by us for each, in the middle
 * of its turn, and we sleep again before its next: two switches a call, where many calls could have
 * come at once. So being woken gives us an idle core, but nobody else's. Where that may not be
 * said, it is not.
 */
static void interrupt_nobody(void)
{
	sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
}

int service_run(const struct service_config *config, int argc, char **argv)
{
	const struct option *tables[MODULES_MAX + 1];
	struct service service = { .config = config,
				   .prefix = config->prefix ? config->prefix : CRPC_PREFIX };
	pthread_condattr_t monotonic;
	char *error = NULL;
	sigset_t signals;
	int r;

	r = read_options(config, service.prefix, tables, &error);
	if (argc > 1) {
		if (!strcmp(argv[1], "--help")) {
			print_help(config, service.prefix, tables);
			free(error);
			return 0;
		}
		fprintf(stderr, "%s: there is no argument '%s'; --help lists the options\n",
			config->name, argv[1]);
		return 2;
	}
	if (r) {
		fprintf(stderr, "%s: %s\n", config->name, error);
		free(error);
		return 2;
	}
	/* Threads of libraries get arenas of their own otherwise, and each keeps what it once
	 * needed. */
	mallopt(M_ARENA_MAX, 2);
	log_set_service(config->name);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	interrupt_nobody();
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before the first thread, which inherits it */
	signal(SIGPIPE, SIG_IGN);
	pthread_mutex_init(&service.lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&service.changed, &monotonic);
	pthread_condattr_destroy(&monotonic);

	r = run(&service, &signals, &error);
	if (r)
		log_error(NULL, "the service could not start",
			  { "error", error ? error : log_errno(r) });
	free(error);
	pthread_cond_destroy(&service.changed);
	pthread_mutex_destroy(&service.lock);
	return r ? 1 : 0;
}

const char *service_name(const struct service *service)
{
	return service->config->name;
}

struct rpc_server *service_server(struct service *service)
{
	return service->server;
}

void service_set_authenticator(struct service *service,
			       const struct rpc_authenticator *authenticator)
{
	service->server->options.authenticator = authenticator;
}

/* A peer's address is known only when it is asked for: so a bad one ends the start here. */
static _Noreturn void refuse_peer(const struct service *service, const char *variable,
				  const char *problem)
{
	fprintf(stderr, "%s: %s %s\n", service->config->name, variable, problem);
	exit(2);
}

struct rpc_channel *service_peer(struct service *service, const char *name)
{
	struct service_peer *peer;
	char variable[128], *error = NULL;
	const char *target;
	int n;

	for (peer = service->peers; peer; peer = peer->next)
		if (!strcmp(peer->name, name))
			return peer->channel;
	n = snprintf(variable, sizeof(variable), "%sPEER_%s", service->prefix, name);
	for (int i = 0; i < n && i < (int)sizeof(variable) - 1; i++)
		variable[i] = variable[i] == '-' ? '_' : (char)toupper((unsigned char)variable[i]);
	target = getenv(variable);
	if (!target || !*target)
		refuse_peer(service, variable,
			    "is not set: it says where the peer is, such as dns:///cart:7003");
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		abort();
	peer->name = strdup(name);
	peer->channel = rpc_channel_new(
		&(struct rpc_channel_options){ .target = target,
					       .tls_dir = *arg.tls_dir ? arg.tls_dir : NULL,
					       .authority = name,
					       .max_message_bytes = arg.message_size,
					       .channelz = arg.channelz,
					       .health_check = true },
		&error);
	if (!peer->channel)
		refuse_peer(service, variable, error);
	peer->next = service->peers;
	service->peers = peer;
	return peer->channel;
}

/*
 * Crash points
 */

#ifdef CRPC_CRASH_POINTS
void crash_point(const char *name)
{
	char labels[160];

	snprintf(labels, sizeof(labels), "point=\"%.128s\"", name);
	metric_add(metric_counter("crash_point_passed", labels,
				  "How often the point was passed; test builds only."),
		   1);
	if (arg.crash_at && !strcmp(arg.crash_at, name))
		kill(getpid(), SIGKILL);
}
#endif
