/* grpc.health.v1: what serves and what does not, asked once or watched. */
#include "health.h"
#include "payload.h"
#include <health.rpc.h>
#include <stdlib.h>
#include <string.h>

enum { WATCHERS_MAX = 1024 };

struct service_health {
	struct service_health *next;
	char *name; /* "" is the server as a whole */
	bool known, serving;
	unsigned watchers;
};

/*
 * Every channel with health checking watches, all day: so no thread waits for a watcher. One lives
 * as two events on the server's queue: the message that is being sent, at most one, and the end of
 * the call. Each holds a reference to the call; the watcher goes with the end of the call.
 */
struct watcher {
	struct watcher *next, **link;
	struct health *health;
	struct service_health *service;
	struct server_call *sc;
	int told; /* the status sent last; -1: none */
	bool sending, ended;
};

struct health {
	struct rpc_server *server;
	pthread_mutex_t lock;
	struct service_health *services;
	struct watcher *watchers;
	unsigned n_watchers;
	bool ending;
};

static struct service_health *find(struct health *health, const char *name, bool make)
{
	struct service_health *service;

	for (service = health->services; service; service = service->next)
		if (!strcmp(service->name, name))
			return service;
	if (!make)
		return NULL;
	service = calloc(1, sizeof(*service));
	if (!service)
		abort();
	*service = (struct service_health){ .next = health->services, .name = strdup(name) };
	health->services = service;
	return service;
}

/* A name that is no service's is kept only as long as someone watches it. */
static void forget(struct health *health, struct service_health *service)
{
	struct service_health **link = &health->services;

	if (service->known || service->watchers)
		return;
	while (*link != service)
		link = &(*link)->next;
	*link = service->next;
	free(service->name);
	free(service);
}

static HealthCheckResponseServingStatus status_of(const struct service_health *service)
{
	if (!service || !service->known)
		return HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVICE_UNKNOWN;
	return service->serving ? HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVING
				: HEALTH_CHECK_RESPONSE_SERVING_STATUS_NOT_SERVING;
}

/*
 * Watching
 */

static void watcher_sent(struct core_event *event, bool ok);

static void watcher_send(struct watcher *watcher, grpc_op *ops, size_t n)
{
	struct server_call *sc = watcher->sc;

	sc->sent.run = watcher_sent;
	atomic_fetch_add_explicit(&sc->references, 1, memory_order_relaxed);
	if (core_start(sc->core, ops, n, &sc->sent))
		watcher->sending = true;
	else
		atomic_fetch_sub_explicit(&sc->references, 1,
					  memory_order_relaxed); /* the end holds another */
}

/* Sends what the watcher does not know yet; under the lock. */
static void watcher_step(struct watcher *watcher)
{
	HealthCheckResponseServingStatus status = status_of(watcher->service);
	struct server_call *sc = watcher->sc;
	grpc_slice reason = grpc_slice_from_static_string("The server is stopping.");
	grpc_op ops[2];
	size_t n = 0;

	if (watcher->sending || watcher->ended ||
	    (!watcher->health->ending && watcher->told == (int)status))
		return;
	memset(ops, 0, sizeof(ops));
	if (watcher->told < 0)
		ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
	if (watcher->health->ending) {
		watcher->ended = true;
		ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
		ops[n].data.send_status_from_server.status = GRPC_STATUS_UNAVAILABLE;
		ops[n++].data.send_status_from_server.status_details = &reason;
	} else {
		watcher->told = (int)status;
		sc->response = payload_pack(&MSG(HealthCheckResponse, .status = status)->base);
		payload_send_op(&ops[n++], sc->response, false);
	}
	watcher_send(watcher, ops, n);
}

static void watcher_sent(struct core_event *event, bool ok)
{
	struct server_call *sc =
		(struct server_call *)((char *)event - offsetof(struct server_call, sent));
	struct health *health = sc->server->health;

	pthread_mutex_lock(&health->lock);
	if (sc->response)
		grpc_byte_buffer_destroy(sc->response);
	sc->response = NULL;
	if (sc->watcher) {
		sc->watcher->sending = false;
		if (ok)
			watcher_step(sc->watcher);
	}
	pthread_mutex_unlock(&health->lock);
	server_call_unref(sc);
}

static void watcher_closed(struct core_event *event, bool ok)
{
	struct server_call *sc =
		(struct server_call *)((char *)event - offsetof(struct server_call, closed));
	struct health *health = sc->server->health;
	struct watcher *watcher = sc->watcher;

	(void)ok;
	pthread_mutex_lock(&health->lock);
	*watcher->link = watcher->next;
	if (watcher->next)
		watcher->next->link = watcher->link;
	watcher->service->watchers--;
	forget(health, watcher->service);
	health->n_watchers--;
	sc->watcher = NULL;
	pthread_mutex_unlock(&health->lock);
	free(watcher);
	server_call_unref(sc);
}

static void watcher_new(struct health *health, struct server_call *sc, const char *name)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	grpc_op op = { .op = GRPC_OP_RECV_CLOSE_ON_SERVER };

	if (!watcher)
		abort();
	op.data.recv_close_on_server.cancelled = &sc->core_cancelled;
	sc->closed.run = watcher_closed;
	sc->watcher = watcher;
	pthread_mutex_lock(&health->lock);
	*watcher = (struct watcher){ .next = health->watchers,
				     .link = &health->watchers,
				     .health = health,
				     .service = find(health, name, true),
				     .sc = sc,
				     .told = -1 };
	if (watcher->next)
		watcher->next->link = &watcher->next;
	health->watchers = watcher;
	watcher->service->watchers++;
	health->n_watchers++;
	/* The reference that came with the call is the end's. */
	core_start(sc->core, &op, 1, &sc->closed);
	watcher_step(watcher);
	pthread_mutex_unlock(&health->lock);
}

/* Runs as the handler of Watch, so that what every request undergoes is done to this one too. */
static int begin_watch(struct health_service *self, struct rpc_call *call,
		       const HealthCheckRequest *req, struct health_check_response_writer *out)
{
	struct health *health = (struct health *)self;
	unsigned n;

	(void)out;
	pthread_mutex_lock(&health->lock);
	n = health->n_watchers;
	pthread_mutex_unlock(&health->lock);
	if (n >= WATCHERS_MAX)
		return rpc_fail(call, &crpc_reasons[REASON_OVERLOADED]);
	watcher_new(health, call->transport, req->service);
	return 0;
}

void health_watch(struct server_call *sc)
{
	struct rpc_call *call = server_call_begin(sc);
	struct dispatch request = { .served = &sc->method->served, .payload = sc->payload };
	int code;

	call->poll = NULL;
	code = dispatch(call, &request);
	if (code)
		server_call_finish(sc, call, code, NULL);
	else
		rpc_call_free(call); /* `sc` is the watcher's, perhaps gone already */
}

/*
 * Asking and telling
 */

static int check(struct health_service *self, struct rpc_call *call, const HealthCheckRequest *req,
		 HealthCheckResponse **ret)
{
	struct health *health = (struct health *)self;
	HealthCheckResponseServingStatus status;

	pthread_mutex_lock(&health->lock);
	status = status_of(find(health, req->service, false));
	pthread_mutex_unlock(&health->lock);
	if (status == HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVICE_UNKNOWN)
		return rpc_fail_code(call, RPC_NOT_FOUND, "No service is named '%s' here.",
				     req->service);
	*ret = rpc_new(call, HealthCheckResponse, .status = status);
	return 0;
}

void health_know(struct health *health, const char *name)
{
	struct service_health *service;

	pthread_mutex_lock(&health->lock);
	service = find(health, name, true);
	service->known = service->serving = true;
	pthread_mutex_unlock(&health->lock);
}

void health_set(struct health *health, const char *name, bool serving)
{
	pthread_mutex_lock(&health->lock);
	for (struct service_health *service = health->services; service; service = service->next)
		if (service->known && (!*name || !strcmp(service->name, name)))
			service->serving = serving;
	for (struct watcher *watcher = health->watchers; watcher; watcher = watcher->next)
		watcher_step(watcher);
	pthread_mutex_unlock(&health->lock);
}

void health_end(struct health *health)
{
	pthread_mutex_lock(&health->lock);
	health->ending = true;
	for (struct watcher *watcher = health->watchers; watcher; watcher = watcher->next)
		watcher_step(watcher);
	pthread_mutex_unlock(&health->lock);
}

static const struct health_service_ops health_ops = {
	.check = check,
	.watch = begin_watch,
};

static enum serve_how how(const struct rpc_method *method)
{
	return method->server_streaming ? SERVE_WATCH : SERVE_INLINE;
}

void health_serve(struct health *health)
{
	server_add(health->server, &health_service_descriptor, &health_ops, health, how);
}

struct health *health_new(struct rpc_server *server)
{
	struct health *health = calloc(1, sizeof(*health));

	if (!health)
		abort();
	health->server = server;
	pthread_mutex_init(&health->lock, NULL);
	health_know(health, "");
	return health;
}

struct health *health_free(struct health *health)
{
	struct service_health *next;

	if (!health)
		return NULL;
	for (struct service_health *service = health->services; service; service = next) {
		next = service->next;
		free(service->name);
		free(service);
	}
	pthread_mutex_destroy(&health->lock);
	free(health);
	return NULL;
}
