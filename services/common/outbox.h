/* The outbox: events leave with the change that made them, or not at all. */
#pragma once

#include <common/mongo.h>

/*
 * mongo_insert() and mongo_update() push events into `outbox[]` of the document they write. The
 * relay of this module, in every replica, finds documents with a non-empty outbox (partial index,
 * so the search costs what is pending), publishes each document's events in order with Nats-Msg-Id
 * = event id, waits for JetStream's ack, and only then pulls them by id. Invariants:
 *
 *     an event that is stored is published at least once; a crash anywhere repeats, never loses
 *     events of one document are published in the order in which they were pushed, by each relay
 *     relaying changes nothing but `outbox`: version and etag stay
 *     two relays at once do no harm: JetStream drops what it saw in the last two minutes,
 *     consumers drop the rest by event id
 *
 * Metrics: outbox_published_total, outbox_oldest_seconds. Crash points:
 * outbox.relay.before_publish, after_publish, after_pull.
 *
 * In main.c after the modules it needs: .modules = MODULES(&mongo_module, &nats_module,
 * &outbox_module)
 */
extern const struct service_module outbox_module;

/* One turn over all collections: above 0 when there may be more. For tests; the module calls it on
 * a timer and after each write. */
int outbox_relay(void *data, struct rpc_call *call);

/* Makes the relay look at once; mongo.c calls it after a write with events. Any thread. */
void outbox_wake(void);
