/* Consuming events: durable, at least once, in batches, with dead letters. */
#pragma once

#include <common/mongo.h>
#include <common/nats.h>

/*
 * Consumes a domain's events; in start(), after nats_module is in the list of modules:
 *
 *     events_consume(service, &orders_events, &cart_orders, &listener);
 *
 * `ops` is the generated struct orders_events_ops; events whose member is NULL are passed over. The
 * durable consumer is `<service>_<domain>`; replicas share it; a new one begins with the oldest
 * event that the stream still has. Handlers run one at a time on a thread of the consumer, in a
 * call of their own that continues the event's trace, and are acknowledged after they return:
 *
 *     0                        the effect is stored
 *     negative, UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, CANCELLED
 *                              what it needs is away: nothing more is pulled, the event is kept in
 *                              progress and tried again with a growing pause, until it works.
 *                              Never used up.
 *     any other positive code, -EBADMSG (a stored document that cannot be read)
 *                              refused: redelivered after 1 s, 5 s, 15 s, 60 s; the fifth time it
 *                              goes to `souk.dlq.<service>` with the reason, and is terminated
 *                              once that is acked
 *     cannot be decoded        dead letter at once
 *
 * Delivery is at least once and ordered only as far as one subject goes without redeliveries:
 * handlers are idempotent by event->id and drop versions older than the one they know. Metrics:
 * events_consumed_total{domain,result}.
 *
 * Dead letters: `souk-dlq list <service>` shows them, `souk-dlq replay <service>` sends them to
 * that service, and to no other, once more.
 */
void events_consume(struct service *service, const struct rpc_event_domain *domain, const void *ops,
		    void *self);

/* For tests: handles what is there now and returns how many events were handled (acked, refused or
 * dead), or negative. */
struct events_consumer;
struct events_consumer *events_consumer_new(const char *service,
					    const struct rpc_event_domain *domain, const void *ops,
					    void *self, char **error);
int events_consumer_turn(struct events_consumer *consumer, int64_t wait_ms);
struct events_consumer *events_consumer_free(struct events_consumer *consumer);
DEFINE_CLEANUP(struct events_consumer *, events_consumer_free)

/*
 * Dedupe for effects that are no update of one of our documents (a mail): a collection of event ids
 * that go after 30 days. Where the effect is an update, mongo_update(.cause = event) does it in the
 * same write and needs none of this.
 *
 *     MONGO_COLLECTION(inbox, .name = "inbox", .type = &SeenEvent_descriptor,
 *                      .indexes = events_inbox_indexes);
 *
 * events_seen() says whether the effect was noted; events_note() notes it, after the effect: a
 * crash between the two repeats the effect, so the effect itself carries the event's id where it
 * can (a Message-ID, a request_id).
 */
extern const struct mongo_index events_inbox_indexes[];
int events_seen(struct rpc_call *call, const struct mongo_collection *inbox,
		const struct rpc_event *event, bool *ret);
int events_note(struct rpc_call *call, const struct mongo_collection *inbox,
		const struct rpc_event *event);
