/* A service that answers in every way that a method can, its server and a client, for tests. */
#pragma once

#include <crpc/crpc.h>
#include <pthread.h>
#include <test_service.rpc.h>

struct probe_service {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;                 /* BLOCK goes on */
	int running, most;         /* handlers now, and the most at once */
	int calls;                 /* of Probe and Look */
	int cancelled;             /* handlers that saw the caller go */
	struct probe_client *peer; /* of CALL_PEER */
};
extern const struct probe_service_ops probe_service;

struct probe {
	struct probe_service service;
	struct rpc_server *server;
	struct rpc_channel *channel;
	struct probe_client *client;
};

/* `options` may leave out everything; it listens on a free port of loopback. */
void probe_start(struct probe *probe, const struct rpc_server_options *options);
void probe_stop(struct probe *probe);
/* Another channel to it. */
struct rpc_channel *probe_channel(const struct probe *probe, const char *tls_dir,
				  const char *authority);
void probe_open(struct probe_service *service);
/* Waits until so many handlers are running, or have seen their callers go. */
void probe_await_running(struct probe_service *service, int running);
void probe_await_cancelled(struct probe_service *service, int cancelled);

/* Tokens "user", "user+permission", "guest:user"; the rest is invalid. */
extern const struct rpc_authenticator probe_authenticator;

/* Calls Probe with a call of its own for the time of the test. */
int probe_ask(struct probe *probe, struct rpc_call *call, const ProbeRequest *request);
