/* The outbox: events leave with the change that made them, or not at all. */
#pragma once

#include <common/mongo.h>

/*
 * mongo_insert() and mongo_update() push events into `outbox[]` of the document they write, and
 * give them to the relay of this module, which publishes a document's events in order with
 * Nats-Msg-Id = event id, waits for JetStream's ack, and only then pulls them by id: those of many
 * documents by one update, up to three seconds later. Where others may have pushed before, it reads the
 * document instead (outbox_noted.c knows when). At its start, after a failure and every few seconds
 * it finds what others left by a partial index. Invariants:
 *
 *     an event that is stored is published at least once; a crash anywhere repeats, never loses
 *     events of one document are published in the order in which they were pushed, by each relay
 *     who pushes events counts the version up: at one version there is one set of them
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

/*
 * For mongo_read.c and mongo_write.c, any thread.
 */

/* What is known of a write with events. */
struct outbox_write {
	struct rpc_event *const *events;
	bool is_new;       /* the document was not there before */
	int64_t condition; /* else the version that was in the update's condition */
	int64_t version;   /* the version that the write made; 0: it has none */
};
/* A document was written with events; `id` NULL: it is not known by its id; `write` NULL: who came
 * before is not known. */
void outbox_note(const struct mongo_collection *collection, const char *id,
		 const struct outbox_write *write);
/* A document was written without events: made (`condition` 0), or changed at that version. */
void outbox_kept(const struct mongo_collection *collection, const char *id, int64_t condition,
		 int64_t version);
/* A document was read, and no event waits in it. */
void outbox_seen_empty(const struct mongo_collection *collection, const char *id, int64_t version);
/* Somebody waits for room in a full outbox. */
void outbox_make_room(void);

/* For outbox_noted.c: the relay has something to do. */
void outbox_wake(void);
