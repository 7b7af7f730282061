/* The inside of a service's process. */
#pragma once

#include <crpc/service.h>
#include <pthread.h>
#include <stdatomic.h>

struct service_timer;
struct service_http;

struct service_peer {
	struct service_peer *next;
	char *name;
	struct rpc_channel *channel;
};

struct service {
	const struct service_config *config;
	const char *prefix; /* of environment variables */
	struct rpc_server *server;
	struct service_peer *peers;
	struct service_timer *timers;
	struct service_http *http;
	bool started; /* timers run */

	/* Readiness, found out by a thread of its own. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t watcher;
	bool watching, stopping;
	bool ready;
	char why[256];      /* not; a sentence */
	const char *asking; /* the module that is being asked now; or NULL */
	int64_t asking_since_ms;
};

/* Copies why the service is not ready into `why`, "" when it is. */
void service_readiness(struct service *service, char *why, size_t size);

/* service_timer.c */
void service_timers_start(struct service *service);
void service_timers_stop(struct service *service);

/* service_http.c: /healthz, /readyz, /metrics. NULL with *error. */
struct service_http *service_http_start(struct service *service, const char *listen, char **error);
struct service_http *service_http_stop(struct service_http *http);
