/* A worker: one thread with its loop, and what all its connections share. */
#pragma once

#include "buffer.h"
#include "loop.h"
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

struct connection;
struct gateway;
struct listener;
struct access_log;
struct request;
struct redis_async;
struct limits;
struct sessions;
struct encoder;
struct rpc_completions;

enum { READ_SIZE = 64 * 1024 };

struct worker {
	struct loop loop;
	struct source source;
	struct rpc_completions *completions; /* of calls to the peers */
	const struct gateway *gateway;
	struct connection *connections;
	unsigned n_connections;
	struct listener *listeners[2];
	SSL_CTX *tls; /* NULL: plain text */
	struct timer tls_timer;
	unsigned n_requests, n_streams; /* under way */
	bool draining;
	_Atomic bool drain_asked;
	struct task drain;
	struct timer drain_timer;
	int64_t drain_timeout_ms;

	struct request *pool; /* requests to use again */
	unsigned n_pool;
	struct redis_async *redis;
	struct limits *limits;
	struct sessions *sessions;
	struct encoder *encoder;
	struct access_log *access_log;
	uint64_t random[2];
	char date[32]; /* of the header Date */
	int64_t date_second;
	struct buffer head;      /* of the answer that is being written */
	char scratch[READ_SIZE]; /* what is being read */
};

/* NULL with *error (malloc()ed). Listens when the gateway says where. */
struct worker *worker_new(const struct gateway *gateway, char **error);
struct worker *worker_free(struct worker *worker);
/* Quick, not secret: ids. */
uint64_t worker_random(struct worker *worker);
/* "Thu, 26 Nov 2026 13:00:00 GMT" */
const char *worker_date(struct worker *worker);
/* There is room for one more. */
void worker_connection_closed(struct worker *worker);
/* Stops accepting, winds down what is open; the loop stops when all is closed or `timeout_ms` has
 * passed. Any thread; only the first time counts. */
void worker_drain(struct worker *worker, int64_t timeout_ms);
