/* The outbox: events leave with the change that made them, or not at all. */
#pragma once

#include <common/mongo.h>

/*
 * mongo_insert() and mongo_update() push events into `outbox[]` of the document they write, and
 * tell the relay of this module, which reads the document, publishes its events in order with
 * Nats-Msg-Id = event id, waits for JetStream's ack, and only then pulls them by id: those of many
 * documents by one update, about a second later. At its start, after a failure and every few
 * seconds it finds what others left by a partial index. Invariants:
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

/* One turn: above 0 when there may be more. For tests; the module calls it on a timer and after
 * each write. */
int outbox_relay(void *data, struct rpc_call *call);
/* Takes out at once what is published. For tests; else of the relay's thread. */
int outbox_settle(struct rpc_call *call);

/* For mongo_write.c, any thread: a document was written with events (NULL: one that is not known by
 * its id); somebody waits for room in a full outbox. */
void outbox_note(const struct mongo_collection *collection, const char *id);
void outbox_make_room(void);
