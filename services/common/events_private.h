/* Consuming events: the consumer, for events.c, events_deliver.c and the tests. */
#pragma once

#include "nats_private.h"
#include <common/events.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
	ACK_WAIT_MS = 30000, /* without an answer the server delivers again */
	REFUSALS_KEPT = 256,
	ACKS_MAX = 32,
};

struct binding {
	const struct rpc_event_domain *domain;
	const void *ops;
	void *self;
};

struct refusal {
	char id[64];
	int count;
};

struct events_consumer {
	char domain[NATS_NAME_MAX];  /* whose stream: "orders", "dlq" */
	char durable[NATS_NAME_MAX]; /* "cart_orders" */
	char filter[NATS_SUBJECT_MAX];
	char service[NATS_NAME_MAX];
	bool is_replay; /* of what souk-dlq sends back */
	const struct binding *bindings;
	atomic_size_t n_bindings; /* of a replay it grows while a service starts */
	struct binding own;       /* where the bindings are one */

	natsSubscription *subscription; /* of the inbox, to which the server sends */
	natsInbox *inbox;
	int asked; /* messages that the server may still send */
	int64_t asked_until_ms;
	char *acks[ACKS_MAX]; /* where to, of what is handled and not acknowledged yet */
	int n_acks;
	int64_t acks_since_ms;
	struct refusal refusals[REFUSALS_KEPT];
	size_t next_refusal;
	bool is_away; /* logged once for each time */
	pthread_t thread;
	bool has_thread;
};

/* One try, to the end of it: false when what it needs is away. */
bool events_settle(struct events_consumer *consumer, natsMsg *message);

/* What becomes of it, in JetStream's words: "-NAK". */
void events_answer(natsMsg *message, const char *word);
/* Acknowledges what is handled. */
void events_send_acks(struct events_consumer *consumer);

/* The consumer of what souk-dlq sends back. */
struct events_consumer *events_replay_consumer_new(const char *service,
						   const struct rpc_event_domain *domain,
						   const void *ops, void *self);
/* All pauses between refusals, so that a test need not wait for minutes. */
void events_refusal_delays_set(int64_t ms);
