/* The outbox's relay: learns which documents have events, publishes, waits for the acks, takes the
 * events out. */
#include "mongo_private.h"
#include "outbox_noted.h"
#include "store.msg.h"
#include <common/clock.h>
#include <common/nats.h>
#include <common/outbox.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A document's events go out at once; that they are out is noted here and written down for many
 * documents by one update, SENT_MS later, when most of them have told all that is to be told of one
 * request. What is only in memory may be lost: events go out again.
 *
 *     noted  what this process wrote with events, to be published from memory or read
 *            (outbox_noted.c)
 *     sent   events that the bus has and that still stand in their documents; belongs to the one
 *            thread that relays
 *
 * What a process that died, or a bus that was away, left behind is found by looking through the
 * collections: at the start, after a failure, and now and then for what other replicas left.
 */
enum {
	INTERVAL_MS = 1000,
	DOCUMENTS_MAX = 64,
	EVENTS_MAX = 512,
	SENT_MAX = 2 * EVENTS_MAX,
	SENT_MS = 3000,
	SENT_OF_DOCUMENT = MONGO_OUTBOX_MAX / 4, /* so many do not wait, for there is a limit */
	LOOK_MS = 5000,
	LEFT_MS = 2 * SENT_MS, /* older than that, and nobody else is at it */
	STOP_MS = 2000,
};

static struct service *owner;

struct document {
	const struct mongo_collection *collection;
	char *id;
};

static struct {
	struct sent {
		struct document document;
		char *event;
	} events[SENT_MAX];
	size_t n;
	int64_t since_ms;
} sent;

/* What the turn took of `noted`; of the relay's thread too. */
static struct {
	struct outbox_noted documents[DOCUMENTS_MAX];
	size_t n;
} taken;

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
	int64_t oldest_ms, before_ms; /* only documents with an event before that */
	bool more;                    /* than fit */
	bool crowded;                 /* a document has many events that are sent */
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

static bool is_sent(const struct mongo_collection *collection, const char *id, const char *event)
{
	for (size_t i = 0; i < sent.n; i++)
		if (sent.events[i].document.collection == collection &&
		    !strcmp(sent.events[i].event, event) && !strcmp(sent.events[i].document.id, id))
			return true;
	return false;
}

static size_t count_sent(const struct mongo_collection *collection, const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < sent.n; i++)
		n += sent.events[i].document.collection == collection &&
		     !strcmp(sent.events[i].document.id, id);
	return n;
}

static void add_event(struct turn *turn, struct pending *pending, struct rpc_event *event)
{
	if (!turn->oldest_ms || event->time_ms < turn->oldest_ms)
		turn->oldest_ms = event->time_ms;
	turn->events[turn->n_events++] = event;
	pending->n++;
}

static int gather(void *data, struct rpc_call *call, const bson_t *document)
{
	struct turn *turn = data;
	struct pending *pending = rpc_alloc(call, sizeof(*pending));
	size_t n_sent = 0;
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
	while (bson_iter_next(&child)) {
		struct rpc_event *event;

		if (turn->n_events == EVENTS_MAX) {
			outbox_note(turn->collection, pending->id, NULL);
			turn->more = true;
			break;
		}
		r = read_event(call, &child, &event);
		/* It blocks its document, and no other. */
		if (r)
			outbox_noted_distrust(turn->collection, pending->id);
		if (r || (!pending->n && turn->before_ms && event->time_ms >= turn->before_ms))
			break;
		/* What is sent stands before what is not. */
		if (is_sent(turn->collection, pending->id, event->id)) {
			n_sent++;
			continue;
		}
		add_event(turn, pending, event);
	}
	if (pending->n)
		turn->documents = pending;
	turn->crowded |= n_sent + pending->n >= SENT_OF_DOCUMENT;
	return 0;
}

/* What a write gave, without reading its document. */
static void gather_given(struct rpc_call *call, const struct outbox_noted *document,
			 struct turn *turn)
{
	struct pending *pending = rpc_alloc(call, sizeof(*pending));
	size_t n_sent = count_sent(document->collection, document->id);

	*pending = (struct pending){ .collection = document->collection,
				     .id = document->id,
				     .first = turn->n_events,
				     .next = turn->documents };
	for (struct outbox_given *given = document->first; given; given = given->next)
		/* Else its document was read meanwhile. */
		if (!is_sent(document->collection, document->id, given->event.id))
			add_event(turn, pending, &given->event);
	if (pending->n)
		turn->documents = pending;
	turn->crowded |= n_sent + pending->n >= SENT_OF_DOCUMENT;
}

static int read_taken(struct rpc_call *call, struct turn *turn)
{
	int r = 0;

	mongo_each_collection(collection)
	{
		const char *ids[DOCUMENTS_MAX];
		size_t n_ids = 0;

		for (size_t i = 0; i < taken.n; i++)
			if (taken.documents[i].read && taken.documents[i].collection == collection)
				ids[n_ids++] = taken.documents[i].id;
		if (r || !n_ids)
			continue;
		turn->collection = collection;
		r = mongo_each(call, collection,
			       &(struct mongo_query){
				       .filter = DOC(call, "_id",
						     BCON_DOCUMENT(document_in(call, ids, n_ids))),
				       .projection = DOC(call, "outbox", BCON_INT32(1)) },
			       gather, turn);
	}
	return r;
}

/* Documents that this process wrote. */
static int gather_noted(struct rpc_call *call, struct turn *turn)
{
	taken.n = outbox_noted_take(taken.documents, DOCUMENTS_MAX, EVENTS_MAX, &turn->more);
	for (size_t i = 0; i < taken.n; i++)
		if (!taken.documents[i].read)
			gather_given(call, &taken.documents[i], turn);
	return read_taken(call, turn);
}

static void release_taken(void)
{
	outbox_noted_release(taken.documents, taken.n);
	taken.n = 0;
}

/* All documents that have events. */
static int gather_all(struct rpc_call *call, struct turn *turn)
{
	int r = 0;

	mongo_each_collection(collection)
	{
		size_t before = turn->n_events;

		if (r || !collection->outbox || turn->n_events == EVENTS_MAX)
			continue;
		turn->collection = collection;
		r = mongo_each(
			call, collection,
			&(struct mongo_query){
				.filter = DOC(call, "outbox.id", "{", "$gt", BCON_UTF8(""), "}"),
				.projection = DOC(call, "outbox", BCON_INT32(1)),
				.limit = DOCUMENTS_MAX },
			gather, turn);
		turn->more |= turn->n_events - before >= DOCUMENTS_MAX;
	}
	return r;
}

static void note_sent(const struct turn *turn, size_t n_acked)
{
	for (struct pending *pending = turn->documents; pending; pending = pending->next)
		for (size_t i = 0; i < pending->n && pending->first + i < n_acked; i++)
			sent.events[sent.n++] = (struct sent){
				{ pending->collection, strdup(pending->id) },
				strdup(turn->events[pending->first + i]->id),
			};
}

static void forget_sent(void)
{
	for (size_t i = 0; i < sent.n; i++) {
		free(sent.events[i].document.id);
		free(sent.events[i].event);
	}
	sent.n = 0;
}

int outbox_settle(struct rpc_call *call)
{
	int r = 0;

	mongo_each_collection(collection)
	{
		const char **ids = rpc_alloc(call, (sent.n + 1) * sizeof(*ids));
		const char **events = rpc_alloc(call, (sent.n + 1) * sizeof(*events));
		size_t n_ids = 0, n_events = 0;
		int64_t n;

		for (size_t i = 0; i < sent.n; i++) {
			const struct document *document = &sent.events[i].document;

			if (document->collection != collection)
				continue;
			events[n_events++] = sent.events[i].event;
			/* A document's events stand one after another. */
			if (!n_ids || strcmp(ids[n_ids - 1], document->id))
				ids[n_ids++] = document->id;
		}
		if (r || !n_events)
			continue;
		r = mongo_update_many(
			call, collection,
			DOC(call, "_id", BCON_DOCUMENT(document_in(call, ids, n_ids))),
			DOC(call, "$pull", "{", "outbox", "{", "id",
			    BCON_DOCUMENT(document_in(call, events, n_events)), "}", "}"),
			&n);
	}
	if (!r)
		forget_sent();
	return r;
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

static int gather_turn(struct rpc_call *call, struct turn *turn)
{
	static int64_t looked_ms;
	bool lost = outbox_noted_take_lost();
	int r;

	if (!lost && rpc_now_ms(call) - looked_ms < LOOK_MS)
		return gather_noted(call, turn);
	if (!lost)
		turn->before_ms = rpc_now_ms(call) - LEFT_MS;
	r = outbox_settle(call);
	if (!r)
		r = gather_all(call, turn);
	if (r)
		return r;
	looked_ms = rpc_now_ms(call);
	if (turn->more)
		outbox_noted_lose();
	turn->more = true; /* and then what is noted */
	return 0;
}

static int settle_turn(struct rpc_call *call, const struct turn *turn)
{
	bool full = outbox_noted_take_full();
	int r;

	if (!sent.n || !(full || turn->crowded || sent.n + EVENTS_MAX > SENT_MAX ||
			 rpc_now_ms(call) - sent.since_ms >= SENT_MS))
		return 0;
	r = outbox_settle(call);
	crash_point("outbox.relay.after_pull");
	/* They are published again. */
	if (r && sent.n + EVENTS_MAX > SENT_MAX) {
		forget_sent();
		outbox_noted_lose();
	}
	return r;
}

static int relay(struct rpc_call *call)
{
	struct turn *turn = rpc_alloc(call, sizeof(*turn));
	size_t n_acked = 0;
	int r, result = 0;

	r = gather_turn(call, turn);
	if (r) {
		outbox_noted_lose();
		return r > 0 ? 0 : r; /* the database is away: ready() says so */
	}
	if (turn->n_events) {
		crash_point("outbox.relay.before_publish");
		result = nats_publish(call, turn->events, turn->n_events, &n_acked);
		crash_point("outbox.relay.after_publish");
		if (!sent.n)
			sent.since_ms = rpc_now_ms(call);
		note_sent(turn, n_acked);
	}
	r = settle_turn(call, turn);
	measure(call, turn, n_acked);
	if (result) {
		outbox_noted_lose();
		return result > 0 ? 0 : result; /* the bus is away: nats.c has said so */
	}
	return r > 0 ? 0 : r ? r : turn->more;
}

int outbox_relay(void *data, struct rpc_call *call)
{
	int r;

	(void)data;
	/* The last turn was cut short. */
	if (taken.n) {
		release_taken();
		outbox_noted_lose();
	}
	r = relay(call);
	release_taken();
	return r;
}

/*
 * Module
 */

void outbox_wake(void)
{
	if (owner)
		service_wake(owner, "outbox");
}

static int settle(void *data, struct rpc_call *call)
{
	(void)data;
	return outbox_settle(call);
}

static int start(struct service *service, char **error)
{
	(void)error;
	owner = service;
	service_every(service, "outbox", INTERVAL_MS, outbox_relay, NULL);
	return 0;
}

/* What the next process need not publish again. */
static void stop(void)
{
	cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("outbox", STOP_MS);

	owner = NULL;
	if (sent.n)
		rpc_call_run(call, settle, NULL);
}

const struct service_module outbox_module = {
	.name = "outbox",
	.start = start,
	.stop = stop,
};
