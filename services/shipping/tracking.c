/*
 * Tracking: where a parcel is, by what was said about it.
 *
 *     PENDING ──▶ PRE_TRANSIT ──▶ IN_TRANSIT ──▶ OUT_FOR_DELIVERY, ATTEMPT_FAILED, ──▶ DELIVERED,
 *        └─────────────┴──▶ CANCELLED            AVAILABLE_FOR_PICKUP (these three     RETURNED
 *                                                among each other, by time)
 *
 *   1. A parcel never moves to the left, and never again from one of the ends.
 *   2. EXCEPTION may come at any time and goes when it moves on; of what happened before it, only
 *      an end counts.
 *   3. Each thing that was said stands once in the history, by state, time and who said it,
 *      whatever order it came in.
 */
#include "consignment.h"
#include <common/clock.h>
#include <stdlib.h>
#include <string.h>

static const int ranks[] = {
	[SHIPMENT_STATE_PENDING] = 0,        [SHIPMENT_STATE_PRE_TRANSIT] = 1,
	[SHIPMENT_STATE_IN_TRANSIT] = 2,     [SHIPMENT_STATE_OUT_FOR_DELIVERY] = 3,
	[SHIPMENT_STATE_ATTEMPT_FAILED] = 3, [SHIPMENT_STATE_AVAILABLE_FOR_PICKUP] = 3,
	[SHIPMENT_STATE_DELIVERED] = 4,      [SHIPMENT_STATE_RETURNED] = 4,
	[SHIPMENT_STATE_EXCEPTION] = 0,      [SHIPMENT_STATE_CANCELLED] = 4,
};
_Static_assert(sizeof(ranks) / sizeof(*ranks) == SHIPMENT_STATE_CANCELLED + 1,
	       "each state has a rank");
enum { RANK_TAKEN = 2, RANK_END = 4 };

bool tracking_has_ended(ShipmentState state)
{
	return ranks[state] == RANK_END;
}

const char *tracking_state(ShipmentState state)
{
	const ProtobufCEnumValue *value =
		protobuf_c_enum_descriptor_get_value(&ShipmentState_descriptor, state);

	return value ? value->name : "";
}

/* When it came to be where it is. */
static int64_t moved_ms(const Shipment *shipment)
{
	int64_t last = 0;

	for (size_t i = 0; i < shipment->n_tracking_events; i++)
		if (shipment->tracking_events[i]->state == shipment->state &&
		    clock_ms(shipment->tracking_events[i]->event_time) > last)
			last = clock_ms(shipment->tracking_events[i]->event_time);
	return last;
}

bool tracking_can_move(const Shipment *shipment, ShipmentState state, int64_t time_ms)
{
	ShipmentState from = shipment->state;

	if (tracking_has_ended(from) || state == from)
		return false;
	if (state == SHIPMENT_STATE_CANCELLED)
		return ranks[from] < RANK_TAKEN;
	if (tracking_has_ended(state))
		return true;
	if (state == SHIPMENT_STATE_EXCEPTION || from == SHIPMENT_STATE_EXCEPTION)
		return time_ms >= moved_ms(shipment) && state != SHIPMENT_STATE_PENDING;
	return ranks[state] > ranks[from] ||
	       (ranks[state] == ranks[from] && time_ms >= moved_ms(shipment));
}

bool tracking_knows(const Shipment *shipment, const struct carrier_event *event, const char *actor)
{
	for (size_t i = 0; i < shipment->n_tracking_events; i++) {
		const ShipmentTrackingEvent *known = shipment->tracking_events[i];

		if (known->state == event->state && clock_ms(known->event_time) == event->time_ms &&
		    !strcmp(known->actor, actor))
			return true;
	}
	return false;
}

/* In its place by time; the oldest go. */
static void insert(struct rpc_call *call, Shipment *shipment, ShipmentTrackingEvent *event)
{
	size_t i;

	if (shipment->n_tracking_events == SHIPPING_TRACKING_EVENTS_MAX)
		memmove(shipment->tracking_events, shipment->tracking_events + 1,
			--shipment->n_tracking_events * sizeof(*shipment->tracking_events));
	shipment_add_tracking_events(call, shipment, event);
	for (i = shipment->n_tracking_events - 1;
	     i &&
	     clock_ms(shipment->tracking_events[i - 1]->event_time) > clock_ms(event->event_time);
	     i--)
		shipment->tracking_events[i] = shipment->tracking_events[i - 1];
	shipment->tracking_events[i] = event;
}

bool tracking_note(struct rpc_call *call, Shipment *shipment, const struct carrier_event *event,
		   const char *actor)
{
	Timestamp *time = clock_timestamp(call, event->time_ms);
	bool moves = tracking_can_move(shipment, event->state, event->time_ms);

	if (tracking_knows(shipment, event, actor))
		return false;
	insert(call, shipment,
	       rpc_new(call, ShipmentTrackingEvent, .state = event->state,
		       .description = event->description, .event_time = time, .actor = actor));
	if (!moves)
		return true;
	shipment->state = event->state;
	if (ranks[event->state] >= RANK_TAKEN && event->state != SHIPMENT_STATE_CANCELLED &&
	    !shipment->ship_time)
		shipment->ship_time = time;
	if (event->state == SHIPMENT_STATE_DELIVERED)
		shipment->deliver_time = time;
	return true;
}

static int by_time(const void *a, const void *b)
{
	const struct carrier_event *left = a, *right = b;

	if (left->time_ms != right->time_ms)
		return left->time_ms < right->time_ms ? -1 : 1;
	return ranks[left->state] - ranks[right->state];
}

void tracking_take(struct rpc_call *call, Shipment *shipment, const struct carrier_parcel *parcel)
{
	size_t size = parcel->n_events * sizeof(*parcel->events);
	const char *actor = rpc_printf(call, "carriers/%s", shipment->carrier);
	struct carrier_event *events = rpc_memdup(call, parcel->events, size);

	qsort(events, parcel->n_events, sizeof(*events), by_time);
	for (size_t i = 0; i < parcel->n_events; i++)
		tracking_note(call, shipment, &events[i], actor);
}
