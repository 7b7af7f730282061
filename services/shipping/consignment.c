/*
 * Consignments: all parcels of an order in one document.
 *
 * What always holds in a document of the collection `consignments`:
 *
 *   1. There is one for an order, made by CreateShipments or by the recall that came before it.
 *   2. `recalled` is for good: then no parcel is to be shipped, and none is made any more.
 *   3. A parcel whose `tries` is 0 is not known to any carrier. `tries` counts before the carrier
 *      is asked.
 *   4. A parcel is handed over under one key and with one body for each generation, so that asking
 *      again finds the same.
 *   5. While `recall` is set, the parcels that it empties have the intention CALL_OFF and keep
 *      their state. They become CANCELLED together, in the update that ends the recall, or none
 *      does.
 *   6. `next_look_time` is set while anything is left to do or to be asked; a crash leaves it at
 *      the end of the lease at the latest.
 *
 * A parcel's intention, each arrow one update:
 *
 *     shipments.c: create          handover.c: note_handover
 *     ───────────▶ HAND_OVER ──────────────────────────────▶ nothing (the carrier has it)
 *                      │  recall.c: begin                        │  begin
 *                      ▼                                         ▼
 *                  CALL_OFF ◀────────────────────────────────────┘
 *                      │  recall_advance: CANCELLED, or back to what it was when the carrier
 *                      ▼                  was faster
 */
#include "consignment.h"
#include "shipping_events.ev.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/names.h>
#include <string.h>

enum { PAUSE_MS = 1000, PAUSE_MAX_MS = 5 * 60000, REFUSED_PAUSE_MS = 15 * 60000, PAUSES = 10 };

/*
 * What is told
 */

#define FILL_LINES(event, shipment)                                                                \
	do {                                                                                       \
		const size_t max_ = sizeof((event)->lines) / sizeof(*(event)->lines);              \
		for (size_t i_ = 0; i_ < (shipment)->n_lines && i_ < max_; i_++) {                 \
			event_text((event)->lines[i_].line, (shipment)->lines[i_]->line);          \
			event_text((event)->lines[i_].sku, (shipment)->lines[i_]->sku);            \
			(event)->lines[i_].quantity = (shipment)->lines[i_]->quantity;             \
			(event)->lines_count = (pb_size_t)(i_ + 1);                                \
		}                                                                                  \
	} while (0)

/* All events begin alike. */
#define FILL(event, of, detail)                                                                    \
	do {                                                                                       \
		event_text((event)->shipment, (of)->name);                                         \
		event_text((event)->order, (of)->order);                                           \
		event_text((event)->user, (of)->user);                                             \
		event_text((event)->carrier, (of)->carrier);                                       \
		(event)->version = (detail)->version;                                              \
		FILL_LINES(event, of);                                                             \
	} while (0)

/* Events hold up to 100 lines: too large for a thread's stack. */
static struct rpc_event *created(struct rpc_call *call, const Shipment *shipment,
				 const ConsignmentRecordParcelDetail *detail)
{
	souk_shipping_v1_ShipmentCreated *event = rpc_alloc(call, sizeof(*event));

	FILL(event, shipment, detail);
	event_text(event->state, tracking_state(shipment->state));
	return shipping_event_shipment_created(call, event);
}

static struct rpc_event *delivered(struct rpc_call *call, const Shipment *shipment,
				   const ConsignmentRecordParcelDetail *detail)
{
	souk_shipping_v1_ShipmentDelivered *event = rpc_alloc(call, sizeof(*event));

	FILL(event, shipment, detail);
	event->deliver_time_ms = clock_ms(shipment->deliver_time);
	event_text(event->tracking_number, shipment->tracking_number);
	return shipping_event_shipment_delivered(call, event);
}

static struct rpc_event *updated(struct rpc_call *call, const Shipment *before,
				 const Shipment *shipment,
				 const ConsignmentRecordParcelDetail *detail)
{
	souk_shipping_v1_ShipmentUpdated *event = rpc_alloc(call, sizeof(*event));

	FILL(event, shipment, detail);
	event_text(event->state, tracking_state(shipment->state));
	event_text(event->previous_state, tracking_state(before->state));
	event_text(event->tracking_number, shipment->tracking_number);
	event_text(event->tracking_uri, shipment->tracking_uri);
	return shipping_event_shipment_updated(call, event);
}

static bool lines_differ(const Shipment *a, const Shipment *b)
{
	if (a->n_lines != b->n_lines)
		return true;
	for (size_t i = 0; i < a->n_lines; i++)
		if (!rpc_message_equal(&a->lines[i]->base, &b->lines[i]->base))
			return true;
	return false;
}

/* One event a change; what was only said about the parcel is none. */
static struct rpc_event *event_of(struct rpc_call *call, const Shipment *before,
				  const Shipment *after,
				  const ConsignmentRecordParcelDetail *detail)
{
	if (after->state == SHIPMENT_STATE_DELIVERED && before->state != SHIPMENT_STATE_DELIVERED)
		return delivered(call, after, detail);
	if (before->state != after->state ||
	    strcmp(before->tracking_number, after->tracking_number) ||
	    strcmp(before->tracking_uri, after->tracking_uri) || lines_differ(before, after))
		return updated(call, before, after, detail);
	return NULL;
}

/*
 * Changing
 */

static struct rpc_event *const *changes_of(struct rpc_call *call, const ConsignmentRecord *was,
					   ConsignmentRecord *draft)
{
	struct rpc_event **events =
		rpc_alloc(call, (2 * draft->n_shipments + 1) * sizeof(struct rpc_event *));
	size_t n = 0;

	for (size_t i = 0; i < draft->n_shipments; i++) {
		const Shipment *before = was->shipments[i];
		Shipment *after = draft->shipments[i];
		struct rpc_event *event;

		if (rpc_message_equal(&before->base, &after->base))
			continue;
		/* That it was made is told with the first that becomes of it. */
		if (draft->parcel_details[i]->version == 1)
			events[n++] = created(call, before, draft->parcel_details[i]);
		draft->parcel_details[i]->version++;
		after->update_time = clock_now(call);
		event = event_of(call, before, after, draft->parcel_details[i]);
		if (event)
			events[n++] = event;
	}
	return n ? events : NULL;
}

int consignment_change_from(struct rpc_call *call, ConsignmentRecord *known, const char *order,
			    consignment_decide *decide, void *data,
			    const struct stored_answer **answer, ConsignmentRecord **ret)
{
	ConsignmentRecord *was, *draft;
	int r;

	for (int attempt = 0;
	     !(r = mongo_attempt(call, &attempt, name_of(call, "orders", order)));) {
		if (answer)
			*answer = NULL;
		was = known;
		known = NULL;
		r = was ? 0 : consignment_read(call, order, &was);
		if (r)
			return r;
		draft = (ConsignmentRecord *)rpc_message_copy(rpc_arena(call), &was->base);
		r = decide(call, draft, data);
		if (r == CONSIGNMENT_UNCHANGED) {
			*ret = was;
			return 0;
		}
		if (r)
			return r;
		r = consignment_write(call, was, draft, changes_of(call, was, draft),
				      answer ? *answer : NULL);
		if (r == MONGO_NOT_MATCHED)
			continue;
		if (r)
			return r;
		draft->version++;
		*ret = draft;
		return 0;
	}
	return r;
}

int consignment_change(struct rpc_call *call, const char *order, consignment_decide *decide,
		       void *data, const struct stored_answer **answer, ConsignmentRecord **ret)
{
	return consignment_change_from(call, NULL, order, decide, data, answer, ret);
}

/*
 * Looking
 */

Shipment *consignment_view(struct rpc_call *call, const ConsignmentRecord *record, size_t i)
{
	Shipment *view = rpc_memdup(call, record->shipments[i], sizeof(*view));

	view->etag = etag_of(call, record->parcel_details[i]->version);
	return view;
}

const char *consignment_order_of(struct rpc_call *call, const char *shipment)
{
	const char *id = name_id(shipment), *number = strrchr(id, '-');

	return number ? rpc_printf(call, "%.*s", (int)(number - id), id) : "";
}

int consignment_index(const ConsignmentRecord *record, const char *shipment)
{
	for (size_t i = 0; i < record->n_parcel_details; i++)
		if (!strcmp(record->parcel_details[i]->shipment, name_id(shipment)))
			return (int)i;
	return -1;
}

static int64_t pause_after(int32_t tries, bool refused)
{
	int64_t pause = PAUSE_MS;

	if (!tries)
		return 0;
	for (int32_t i = 1; i < tries && i < PAUSES; i++)
		pause *= 2;
	if (refused && pause < REFUSED_PAUSE_MS)
		return tries < 3 ? pause : REFUSED_PAUSE_MS;
	return pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
}

Timestamp *consignment_next_look(struct rpc_call *call, const ConsignmentRecord *record,
				 int64_t poll_ms)
{
	int64_t now = rpc_now_ms(call), next = INT64_MAX, at;

	for (size_t i = 0; i < record->n_shipments; i++) {
		const Shipment *shipment = record->shipments[i];
		const ConsignmentRecordParcelDetail *detail = record->parcel_details[i];

		if (tracking_has_ended(shipment->state))
			continue;
		if (detail->intention && !detail->called_off)
			at = now + pause_after(detail->tries,
					       shipment->state == SHIPMENT_STATE_EXCEPTION);
		else
			at = now + poll_ms;
		if (at < next)
			next = at;
	}
	return next < INT64_MAX ? clock_timestamp(call, next) : NULL;
}
