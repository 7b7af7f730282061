/* A service's process: options, server, health, metrics, signals. What main.c says is only what
 * differs. */
#pragma once

#include <crpc/client.h>
#include <crpc/config.h>
#include <crpc/log.h>
#include <crpc/metrics.h>
#include <crpc/server.h>
#include <signal.h>

struct service;

/*
 * What a process needs beside the service itself: a store, a bus. Started in the order of the list
 * before start(), stopped in the reverse order after the drain. `ready` says whether it answers
 * now; the service is NOT_SERVING while one says no, and *why is a sentence for /readyz and the
 * log. It is asked every second, on a thread of its own, and must return within 5 s.
 */
struct service_module {
	const char *name; /* "mongodb" */
	const struct option *options;
	int (*start)(struct service *service, char **error);
	bool (*ready)(const char **why);
	void (*stop)(void);
};

/* .modules = MODULES(&mongo_module, &token_module) */
#define MODULES(...) ((const struct service_module *const[]){ __VA_ARGS__, NULL })

struct service_config {
	const char *name;             /* "cart" */
	const char *summary;          /* "Keeps the shopping carts." */
	const struct option *options; /* ended by an option without a name; or NULL */
	const struct service_module *const *modules; /* NULL-terminated; or NULL */
	const char *prefix; /* of environment variables; SERVICE_MAIN: CRPC_PREFIX of the build */
	int threads; /* default of THREADS; 0: 4. More for services that wait on the outside world
		      */
	int (*start)(struct service *service, char **error);
	void (*stop)(void); /* after the drain, before the modules stop; or NULL */
};

/*
 * Runs a service: reads the options (--help prints them), starts modules and service, serves gRPC
 * on GRPC_LISTEN and /healthz, /readyz and /metrics on HTTP_LISTEN, drains on SIGTERM and SIGINT.
 * Exit codes: 0 stopped, 1 failed, 2 bad options. Names of options are without their prefix here.
 */
int service_run(const struct service_config *config, int argc, char **argv);
/* Waits for one of the signals, which are blocked in all threads, and returns it. Every half minute
 * it gives the system back what a burst needed and the allocator kept. service_run() does this; it
 * is here for the main thread of a process that is no service. */
int service_wait_for_signal(const sigset_t *signals);
#ifndef CRPC_PREFIX
#define CRPC_PREFIX "CRPC_"
#endif
#define SERVICE_MAIN(...)                                                                          \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return service_run(                                                                \
			&(const struct service_config){ .prefix = CRPC_PREFIX, __VA_ARGS__ },      \
			argc, argv);                                                               \
	}

const char *service_name(const struct service *service);
struct rpc_server *service_server(struct service *service);
/* The channel to a peer, at PEER_<NAME>; made at the first asking, lives as long as the process.
 * Never NULL: a bad target ends the start with a sentence. */
struct rpc_channel *service_peer(struct service *service, const char *name);
void service_set_authenticator(struct service *service,
			       const struct rpc_authenticator *authenticator);

/*
 * Work on a timer, on a thread of its own: `run` once every interval, spread by a tenth at random;
 * returns > 0 to be run again at once because there is more. Stopped before the modules. A negative
 * result is logged as an error with `name`.
 */
void service_every(struct service *service, const char *name, int64_t interval_ms,
		   int (*run)(void *data, struct rpc_call *call), void *data);
/* Runs it soon, from any thread. */
void service_wake(struct service *service, const char *name);

/*
 * Test builds only (-Dcrash_points=true): CRASH_AT=orders.pay.after_confirm kills the process
 * (SIGKILL) at that point. Each point reached is counted in the metric
 * crash_point_passed{point=...}.
 */
#ifdef CRPC_CRASH_POINTS
void crash_point(const char *name);
#else
#define crash_point(name) ((void)0)
#endif
