/* The outbox's relay: finds documents with events, publishes, waits for the acks, takes the events
 * out. */
#include "mongo_private.h"
#include "store.msg.h"
#include <common/clock.h>
#include <common/nats.h>
#include <common/outbox.h>
#include <errno.h>
#include <string.h>

enum { INTERVAL_MS = 1000, DOCUMENTS_MAX = 64, EVENTS_MAX = 512 };

static struct service *owner;

/* The events of one document, as they stand in it; in the order in which they were pushed. */
struct pending {
	const struct mongo_collection *collection;
	const char *id;
	size_t first, n; /* among all events of the turn */
	struct pending *next;
};

struct turn {
	const struct mongo_collection *collection;
	struct rpc_event *events[EVENTS_MAX];
	size_t n_events;
	struct pending *documents;
	int64_t oldest_ms;
	bool more; /* than fit */
};

static int read_event(struct rpc_call *call, const bson_iter_t *iter, struct rpc_event **ret)
{
	ProtobufCMessage *message;
	const OutboxEvent *stored;
	struct rpc_event *event;
	const uint8_t *bytes;
	const char *why = "it is no object";
	uint32_t size;
	bson_t element;
	bool is_read = false;

	if (BSON_ITER_HOLDS_DOCUMENT(iter)) {
		bson_iter_document(iter, &size, &bytes);
		is_read = bson_init_static(&element, bytes, size) &&
			  !document_read_embedded(rpc_arena(call), &OutboxEvent_descriptor,
						  &element, &message, &why);
	}
	if (!is_read) {
		log_error(call, "an event in an outbox cannot be read", { "error", why });
		return -EBADMSG;
	}
	stored = (const OutboxEvent *)message;
	event = rpc_alloc(call, sizeof(*event));
	*event = (struct rpc_event){
		.id = stored->id,
		.type = stored->type,
		.subject = stored->bus_subject,
		.about = stored->subject,
		.traceparent = stored->traceparent,
		.time_ms = clock_ms(stored->time),
		.payload = stored->payload,
	};
	*ret = event;
	return 0;
}

static int gather(void *data, struct rpc_call *call, const bson_t *document)
{
	struct turn *turn = data;
	struct pending *pending = rpc_alloc(call, sizeof(*pending));
	bson_iter_t iter, child;
	int r;

	if (!bson_iter_init_find(&iter, document, "_id") || !BSON_ITER_HOLDS_UTF8(&iter))
		return 0;
	*pending = (struct pending){
		.collection = turn->collection,
		.id = rpc_strdup(call, bson_iter_utf8(&iter, NULL)),
		.first = turn->n_events,
		.next = turn->documents,
	};
	if (!bson_iter_init_find(&iter, document, "outbox") || !BSON_ITER_HOLDS_ARRAY(&iter) ||
	    !bson_iter_recurse(&iter, &child))
		return 0;
	while (turn->n_events < EVENTS_MAX && bson_iter_next(&child)) {
		r = read_event(call, &child, &turn->events[turn->n_events]);
		/* It blocks its document, and no other. */
		if (r)
			break;
		if (!turn->oldest_ms || turn->events[turn->n_events]->time_ms < turn->oldest_ms)
			turn->oldest_ms = turn->events[turn->n_events]->time_ms;
		turn->n_events++;
		pending->n++;
	}
	if (pending->n)
		turn->documents = pending;
	turn->more |= turn->n_events == EVENTS_MAX;
	return 0;
}

/* Takes out those of the document's events that are stored on the bus. */
static int pull(struct rpc_call *call, const struct turn *turn, const struct pending *pending,
		size_t n_acked)
{
	cleanup(bson_freep) bson_t *ids = bson_new();
	int r;

	for (size_t i = 0; i < pending->n && pending->first + i < n_acked; i++) {
		char buffer[16];
		const char *index;

		bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof(buffer));
		bson_append_utf8(ids, index, -1, turn->events[pending->first + i]->id, -1);
	}
	if (bson_empty(ids))
		return 0;
	r = mongo_update(call, pending->collection, .id = pending->id, .keep_version = true,
			 .update = DOC(call, "$pull", "{", "outbox", "{", "id", "{", "$in",
				       BCON_ARRAY(ids), "}", "}", "}"));
	/* The document may be gone by now, or another relay was faster. */
	return r == MONGO_NOT_MATCHED ? 0 : r;
}

static void measure(struct rpc_call *call, const struct turn *turn, size_t n_acked)
{
	int64_t age = turn->oldest_ms ? rpc_now_ms(call) - turn->oldest_ms : 0;

	metric_add(
		metric_counter("outbox_published_total", NULL, "Events that the relay published."),
		(double)n_acked);
	metric_set(metric_gauge("outbox_oldest_seconds", NULL,
				"Age of the oldest event that waited at the relay's last turn."),
		   (double)age / 1000);
}

int outbox_relay(void *data, struct rpc_call *call)
{
	struct turn *turn = rpc_alloc(call, sizeof(*turn));
	size_t n_acked = 0;
	int r = 0, result;

	(void)data;
	mongo_each_collection(collection)
	{
		size_t before = turn->n_events;

		if (!collection->outbox || turn->n_events == EVENTS_MAX)
			continue;
		turn->collection = collection;
		r = mongo_each(
			call, collection,
			&(struct mongo_query){
				.filter = DOC(call, "outbox.id", "{", "$gt", BCON_UTF8(""), "}"),
				.projection = DOC(call, "outbox", BCON_INT32(1)),
				.limit = DOCUMENTS_MAX },
			gather, turn);
		if (r)
			return r > 0 ? 0 : r; /* the database is away: ready() says so */
		turn->more |= turn->n_events - before >= DOCUMENTS_MAX;
	}
	if (!turn->n_events) {
		measure(call, turn, 0);
		return 0;
	}
	crash_point("outbox.relay.before_publish");
	result = nats_publish(call, turn->events, turn->n_events, &n_acked);
	crash_point("outbox.relay.after_publish");
	for (struct pending *pending = turn->documents; pending; pending = pending->next) {
		r = pull(call, turn, pending, n_acked);
		if (r)
			return r > 0 ? 0 : r;
	}
	crash_point("outbox.relay.after_pull");
	measure(call, turn, n_acked);
	if (result)
		return result > 0 ? 0 : result; /* the bus is away: nats.c has said so */
	return turn->more;
}

/*
 * Module
 */

void outbox_wake(void)
{
	if (owner)
		service_wake(owner, "outbox");
}

static int start(struct service *service, char **error)
{
	(void)error;
	owner = service;
	service_every(service, "outbox", INTERVAL_MS, outbox_relay, NULL);
	return 0;
}

static void stop(void)
{
	owner = NULL;
}

const struct service_module outbox_module = {
	.name = "outbox",
	.start = start,
	.stop = stop,
};
