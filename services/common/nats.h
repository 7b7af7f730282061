/* The bus: the connection to NATS, the streams of JetStream, publishing, and wake-ups for
 * watchers. */
#pragma once

#include <crpc/event.h>
#include <crpc/service.h>

struct service_module;

/*
 * Options: SOUK_NATS_URL (a secret, since it may hold user and password; several separated by
 * commas), SOUK_NATS_CA_FILE for tls://, SOUK_NATS_PREFIX (tests: put before every subject, stream
 * and consumer, so that many share one server).
 *
 * Reconnects for ever. Streams are one a domain, `ORDERS` for `souk.orders.>`, made by whoever
 * needs one first, so that services start in any order: file storage, two minutes of dedupe,
 * SOUK_NATS_STREAM_AGE (30 days) or SOUK_NATS_STREAM_BYTES (1 GiB), the oldest go first,
 * SOUK_NATS_REPLICAS. A stream that exists is left as it is. Dead letters: stream `DLQ`,
 * `souk.dlq.<service>` and `souk.replay.<service>`.
 */
extern const struct service_module nats_module;

/* For tests and tools, instead of the module. */
int nats_open(const char *url, const char *service, const char *prefix, char **error);
void nats_close(void);

/*
 * Publishes to JetStream in order and waits for all acks. Events that are acked are counted in
 * *n_ret from the front: after a failure the first *n_ret are stored for sure, of the rest nothing
 * is known. 0, or UNAVAILABLE recorded in `call`. For facts that hang on no document (a search was
 * made); all others go through the outbox.
 */
int nats_publish(struct rpc_call *call, struct rpc_event *const *events, size_t n_events,
		 size_t *n_ret);

/*
 * Wake-ups for watchers (server streams, SSE): every replica gets each event that is published on
 * `subject` ("souk.orders.>") from now on, without acks and without a stored position; what is
 * missed while the connection is down is not made up for, so a watcher reads its document once
 * after listening, and again now and then. `notify` runs on the bus's thread and must not block.
 */
typedef void nats_notify_function(void *data, const struct rpc_event *event);
struct nats_listener;
int nats_listen(const char *subject, nats_notify_function *notify, void *data,
		struct nats_listener **ret);
/* After it returns `notify` runs no more. */
struct nats_listener *nats_listener_free(struct nats_listener *listener);
DEFINE_CLEANUP(struct nats_listener *, nats_listener_free)
