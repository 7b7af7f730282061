/*
 * Handing over: what is done at the carrier for an order's parcels, and what the carrier says of
 * them.
 *
 * A turn has three parts. It takes the order's lease and counts a try of each parcel that the
 * carrier will be asked to take or to let go; asks the carrier, without a write in between; and
 * notes all that it has learnt in one update. New parcels are stored with the first part done. A
 * crash at any point is repaired by the next turn:
 * what was asked is asked again under the same key. The lease only keeps two from doing the same
 * work: what is noted is true whoever learnt it, and what it says of an earlier generation of a
 * parcel is dropped.
 */
#include "consignment.h"
#include <common/clock.h>
#include <common/names.h>
#include <crpc/id.h>
#include <sodium.h>
#include <string.h>

#define NOTHING CONSIGNMENT_RECORD_PARCEL_DETAIL_INTENTION_UNSPECIFIED
#define HAND_OVER CONSIGNMENT_RECORD_PARCEL_DETAIL_INTENTION_HAND_OVER
#define CALL_OFF CONSIGNMENT_RECORD_PARCEL_DETAIL_INTENTION_CALL_OFF

enum { BATCH = 20 };

struct doing consignment_handing_over = DOING_INIT;

enum deed { NONE, GIVE, GIVE_AND_CALL_OFF, TAKE_BACK, LOOK };

/* What a turn does for a parcel, and what came of it. */
struct outcome {
	enum deed deed;
	int32_t generation;
	bool answered;
	bool refused; /* the carrier does not take it */
	bool called_off;
	bool under_way;
	bool known; /* `parcel` is what the carrier says of it */
	struct carrier_parcel parcel;
	const char *why;
};

struct turn {
	struct shipping_service *self;
	struct carrier *carrier;
	const char *holder;
	bool if_due;
	int64_t lease_ms;
	struct outcome outcomes[SHIPPING_PARCELS_MAX];
	bool silent; /* the carrier did not answer */
	const struct stored_answer *answer;
};

/*
 * Taking the lease
 */

static enum deed deed_for(const ConsignmentRecord *record, size_t i)
{
	const ConsignmentRecordParcelDetail *detail = record->parcel_details[i];

	if (tracking_has_ended(record->shipments[i]->state) || detail->called_off)
		return NONE;
	if (detail->intention == CALL_OFF)
		return *detail->carrier_shipment ? TAKE_BACK : GIVE_AND_CALL_OFF;
	if (detail->intention == HAND_OVER)
		return GIVE;
	return *detail->carrier_shipment ? LOOK : NONE;
}

static int take(struct rpc_call *call, ConsignmentRecord *draft, void *data)
{
	int64_t now = rpc_now_ms(call);
	const struct turn *turn = data;

	if (*draft->lease_holder && clock_ms(draft->lease_expire_time) > now)
		return CONSIGNMENT_BUSY;
	if (turn->if_due && (!draft->next_look_time || clock_ms(draft->next_look_time) > now))
		return CONSIGNMENT_BUSY;
	consignment_hold(turn->self, call, draft);
	return 0;
}

void consignment_hold(struct shipping_service *self, struct rpc_call *call,
		      ConsignmentRecord *record)
{
	record->lease_holder = rpc_id_new(call);
	record->lease_expire_time = record->next_look_time =
		clock_timestamp(call, rpc_now_ms(call) + self->lease_ms);
	for (size_t i = 0; i < record->n_shipments && i < SHIPPING_PARCELS_MAX; i++) {
		enum deed deed = deed_for(record, i);

		if (deed != NONE && deed != LOOK)
			record->parcel_details[i]->tries++;
	}
}

int consignment_take(struct shipping_service *self, struct rpc_call *call, ConsignmentRecord *known,
		     ConsignmentRecord **ret)
{
	return consignment_change_from(call, known, known->id, take, &(struct turn){ .self = self },
				       NULL, ret);
}

/*
 * Asking
 */

static int give(struct turn *turn, struct rpc_call *call, const ConsignmentRecord *record, size_t i,
		struct outcome *outcome)
{
	const ConsignmentRecordParcelDetail *detail = record->parcel_details[i];
	const char *key = !detail->generation
				  ? detail->shipment
				  : rpc_printf(call, "%s.%d", detail->shipment, detail->generation);
	int r;

	crash_point("shipping.handover.before_call");
	if (outcome->deed == GIVE)
		doing_begin(&consignment_handing_over, detail->shipment, turn->self->lease_ms);
	r = turn->carrier->ops->hand_over(
		turn->carrier, call,
		&(const struct carrier_handover){ .key = key,
						  .reference = detail->shipment,
						  .service = record->carrier_service,
						  .address = record->shipments[i]->address,
						  .weight_grams = detail->declared_weight_grams },
		&outcome->parcel, &outcome->why);
	crash_point("shipping.handover.after_call");
	outcome->known = !r;
	outcome->refused = r == CARRIER_REFUSED;
	return r == CARRIER_REFUSED ? 0 : r;
}

static int take_back(struct turn *turn, struct rpc_call *call, const char *carrier_shipment,
		     struct outcome *outcome)
{
	int r = turn->carrier->ops->call_off(turn->carrier, call, carrier_shipment, &outcome->why);

	crash_point("shipping.recall.after_call");
	/* A parcel that the carrier has forgotten goes nowhere. */
	outcome->called_off = !r || r == CARRIER_NOT_FOUND;
	outcome->under_way = r == CARRIER_UNDER_WAY || r == CARRIER_REFUSED;
	if (outcome->under_way) {
		r = turn->carrier->ops->look(turn->carrier, call, carrier_shipment,
					     &outcome->parcel, &outcome->why);
		outcome->known = !r;
	}
	return outcome->called_off || outcome->under_way ? 0 : r;
}

static int act(struct turn *turn, struct rpc_call *call, const ConsignmentRecord *record, size_t i)
{
	struct outcome *outcome = &turn->outcomes[i];
	const char *carrier_shipment = record->parcel_details[i]->carrier_shipment;
	int r = 0;

	switch (outcome->deed) {
	case GIVE:
	case GIVE_AND_CALL_OFF:
		r = give(turn, call, record, i, outcome);
		/* Whether an earlier try has reached the carrier is not known: now it has, and is
		 * called off. */
		if (!r && outcome->deed == GIVE_AND_CALL_OFF && outcome->refused)
			outcome->called_off = true;
		else if (!r && outcome->deed == GIVE_AND_CALL_OFF)
			r = take_back(turn, call, outcome->parcel.id, outcome);
		break;
	case TAKE_BACK:
		r = take_back(turn, call, carrier_shipment, outcome);
		break;
	case LOOK:
		r = turn->carrier->ops->look(turn->carrier, call, carrier_shipment,
					     &outcome->parcel, &outcome->why);
		outcome->known = !r;
		break;
	case NONE:
		break;
	}
	outcome->answered = !r;
	return r;
}

/* One parcel after the other; a carrier that does not answer is not asked for the rest. */
static int act_all(struct turn *turn, struct rpc_call *call, const ConsignmentRecord *record)
{
	int64_t end = turn->lease_ms - turn->self->lease_ms / 3;
	int r;

	for (size_t i = 0; i < record->n_shipments && i < SHIPPING_PARCELS_MAX; i++) {
		if (turn->outcomes[i].deed == NONE)
			continue;
		if (rpc_now_ms(call) > end)
			break;
		r = act(turn, call, record, i);
		if (r < 0)
			return r;
		/* One that it does not know says nothing of the others. */
		turn->silent |= r && r != CARRIER_NOT_FOUND;
		if (turn->silent)
			break;
	}
	return 0;
}

/*
 * Noting
 */

static void add_tracking_key(struct rpc_call *call, ConsignmentRecord *draft,
			     const Shipment *shipment)
{
	const char *key = rpc_printf(call, "%s/%s", shipment->carrier, shipment->tracking_number);

	for (size_t i = 0; i < draft->n_tracking_keys; i++)
		if (!strcmp(draft->tracking_keys[i], key))
			return;
	consignment_record_add_tracking_keys(call, draft, key);
}

static void note_handover(struct rpc_call *call, ConsignmentRecord *draft, size_t i,
			  const struct carrier_parcel *parcel)
{
	ConsignmentRecordParcelDetail *detail = draft->parcel_details[i];
	Shipment *shipment = draft->shipments[i];

	/* It was an exception because the carrier had refused it. */
	if (shipment->state == SHIPMENT_STATE_EXCEPTION)
		shipment->state = SHIPMENT_STATE_PENDING;
	detail->carrier_shipment = parcel->id;
	detail->label_uri = parcel->label_uri;
	detail->tries = 1;
	shipment->tracking_number = parcel->tracking_number;
	shipment->tracking_uri = parcel->tracking_uri;
	add_tracking_key(call, draft, shipment);
	if (detail->intention == HAND_OVER)
		detail->intention = NOTHING;
}

static void note_refusal(struct rpc_call *call, ConsignmentRecord *draft, size_t i,
			 const struct outcome *outcome)
{
	Shipment *shipment = draft->shipments[i];
	const struct carrier_event event = {
		SHIPMENT_STATE_EXCEPTION,
		rpc_printf(call, "The carrier does not take the parcel: %s.", outcome->why),
		rpc_now_ms(call)
	};

	if (shipment->state != SHIPMENT_STATE_EXCEPTION)
		tracking_note(call, shipment, &event,
			      rpc_printf(call, "carriers/%s", shipment->carrier));
}

static void note_outcome(struct rpc_call *call, ConsignmentRecord *draft, size_t i,
			 const struct outcome *outcome)
{
	ConsignmentRecordParcelDetail *detail = draft->parcel_details[i];
	Shipment *shipment = draft->shipments[i];

	if (!outcome->answered && !outcome->known)
		return;
	if (detail->generation != outcome->generation || tracking_has_ended(shipment->state))
		return;
	if (outcome->known && !*detail->carrier_shipment)
		note_handover(call, draft, i, &outcome->parcel);
	if (outcome->refused && detail->intention == HAND_OVER)
		note_refusal(call, draft, i, outcome);
	if (outcome->called_off && detail->intention == CALL_OFF)
		detail->called_off = true;
	else if (outcome->known)
		tracking_take(call, shipment, &outcome->parcel);
}

static int note(struct rpc_call *call, ConsignmentRecord *draft, void *data)
{
	struct turn *turn = data;
	bool nudged = draft->next_look_time && clock_ms(draft->next_look_time) < turn->lease_ms,
	     taken = false;
	bool mine = !strcmp(draft->lease_holder, turn->holder);

	for (size_t i = 0; i < draft->n_shipments && i < SHIPPING_PARCELS_MAX; i++) {
		note_outcome(call, draft, i, &turn->outcomes[i]);
		taken |= turn->outcomes[i].under_way &&
			 draft->parcel_details[i]->intention == CALL_OFF;
	}
	if (draft->recall)
		turn->answer = recall_advance(call, draft, taken);
	if (mine) {
		draft->lease_holder = "";
		draft->lease_expire_time = NULL;
		draft->next_look_time =
			nudged ? clock_now(call)
			       : consignment_next_look(call, draft, turn->self->poll_ms);
	}
	return 0;
}

static bool is_anything_left(const ConsignmentRecord *record)
{
	for (size_t i = 0; i < record->n_shipments; i++)
		if (record->parcel_details[i]->intention == CALL_OFF)
			return true;
	return false;
}

/* The second half of a turn: the lease is ours. */
static int carry_out(struct turn *turn, struct rpc_call *call, ConsignmentRecord **ret,
		     bool *pending_ret)
{
	ConsignmentRecord *record = *ret;
	int r, acted;

	crash_point("shipping.handover.after_take");
	turn->holder = record->lease_holder;
	turn->lease_ms = clock_ms(record->lease_expire_time);
	for (size_t i = 0; i < record->n_shipments && i < SHIPPING_PARCELS_MAX; i++)
		turn->outcomes[i] =
			(struct outcome){ .deed = deed_for(record, i),
					  .generation = record->parcel_details[i]->generation };
	acted = !record->n_shipments
			? 0
			: shipping_carrier(turn->self, call, record->shipments[0]->carrier,
					   &turn->carrier);
	if (!acted && record->n_shipments)
		acted = act_all(turn, call, record);
	r = consignment_change_from(call, record, record->id, note, turn, &turn->answer, &record);
	for (size_t i = 0; i < record->n_parcel_details && i < SHIPPING_PARCELS_MAX; i++)
		if (turn->outcomes[i].deed == GIVE)
			doing_end(&consignment_handing_over, record->parcel_details[i]->shipment);
	if (acted || r)
		return acted ? acted : r;
	crash_point("shipping.handover.after_note");
	*ret = record;
	*pending_ret = turn->silent || is_anything_left(record);
	return 0;
}

int consignment_work(struct shipping_service *self, struct rpc_call *call, const char *order,
		     bool if_due, bool *pending_ret)
{
	struct turn *turn = rpc_alloc(call, sizeof(*turn));
	ConsignmentRecord *record;
	int r;

	*turn = (struct turn){ .self = self, .if_due = if_due };
	r = consignment_change(call, order, take, turn, NULL, &record);
	return r ? r : carry_out(turn, call, &record, pending_ret);
}

int consignment_carry_on(struct shipping_service *self, struct rpc_call *call,
			 ConsignmentRecord **record)
{
	struct turn *turn = rpc_alloc(call, sizeof(*turn));
	bool pending;

	*turn = (struct turn){ .self = self };
	return carry_out(turn, call, record, &pending);
}

static int carry_on(void *data, struct rpc_call *call, ProtobufCMessage *given)
{
	ConsignmentRecord *record = (ConsignmentRecord *)given;

	return consignment_carry_on(data, call, &record);
}

/* One order's parcels; there may be more. */
int shipping_work(void *data, struct rpc_call *call)
{
	ConsignmentRecord **records;
	size_t n_records, first;
	bool pending;
	int r;

	r = consignment_due(call, BATCH, &records, &n_records);
	if (r)
		return r < 0 ? r : 0;
	/* Not all hands reach for the same. */
	first = n_records ? randombytes_uniform((uint32_t)n_records) : 0;
	for (size_t i = 0; i < n_records; i++) {
		const char *order = records[(first + i) % n_records]->id;

		r = consignment_work(data, call, order, true, &pending);
		if (!r)
			return n_records > 1;
		if (r < 0 || (r < N_RPC_CODES && r != RPC_ABORTED))
			log_warning(call, "an order's parcels could not be worked on",
				    { "order", order },
				    { "error", r < 0 ? log_errno(r) : rpc_error_message(call) });
		rpc_error_clear(call);
	}
	return 0;
}

const struct hands_work shipping_hands_work = { .type = &ConsignmentRecord_descriptor,
						.carry_on = carry_on,
						.look = shipping_work };
