/*
 * Recalls: an order, some of its units, or one parcel is called off before a carrier has taken it.
 *
 * A recall is begun by one update, which says what is to be called off and refuses if that cannot
 * be any more. If a carrier may know of a parcel that it empties, the carrier calls that off first
 * (handover.c, by whoever holds the lease), and the last update ends the recall: with all parcels
 * called off, or, when the carrier had taken one meanwhile, with none. Those that it had called off
 * by then are handed over anew, under another key. A recall that nobody waits for any more is
 * finished by the sweeper, and its repeat finds how it ended.
 */
#include "consignment.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/names.h>
#include <crpc/id.h>
#include <string.h>
#include <unistd.h>

#define NOTHING CONSIGNMENT_RECORD_PARCEL_DETAIL_INTENTION_UNSPECIFIED
#define HAND_OVER CONSIGNMENT_RECORD_PARCEL_DETAIL_INTENTION_HAND_OVER
#define CALL_OFF CONSIGNMENT_RECORD_PARCEL_DETAIL_INTENTION_CALL_OFF

enum { TURNS_MAX = 100, PAUSE_US = 50000, MARGIN_MS = 300 };

/* A carrier that refused a parcel has never had it. */
static bool can_be_called_off(const ConsignmentRecord *record, size_t i)
{
	ShipmentState state = record->shipments[i]->state;

	return state == SHIPMENT_STATE_PENDING || state == SHIPMENT_STATE_PRE_TRANSIT ||
	       (state == SHIPMENT_STATE_EXCEPTION && !*record->parcel_details[i]->carrier_shipment);
}

bool recall_is_late(const ConsignmentRecord *draft)
{
	for (size_t i = 0; i < draft->n_shipments; i++)
		if (draft->parcel_details[i]->intention == CALL_OFF && !can_be_called_off(draft, i))
			return true;
	return false;
}

/* --- units --- */

/* Parcels that are called off are emptied first, then those that no carrier knows. */
static int order_of(const ConsignmentRecordParcelDetail *detail)
{
	return detail->called_off ? 0 : !detail->tries ? 1 : 2;
}

static void remove_line(Shipment *parcel, ConsignmentRecordParcelDetail *detail, size_t i)
{
	for (size_t j = i + 1; j < parcel->n_lines; j++) {
		parcel->lines[j - 1] = parcel->lines[j];
		detail->unit_grams[j - 1] = detail->unit_grams[j];
	}
	parcel->n_lines--;
	detail->n_unit_grams--;
}

static int32_t take_from(Shipment *parcel, ConsignmentRecordParcelDetail *detail,
			 const ShipmentLine *wanted, int32_t left)
{
	for (size_t i = 0; left && i < parcel->n_lines; i++) {
		ShipmentLine *line = parcel->lines[i];
		int32_t taken = line->quantity < left ? line->quantity : left;

		if (strcmp(name_id(line->line), name_id(wanted->line)))
			continue;
		left -= taken;
		line->quantity -= taken;
		parcel->weight_grams -= taken * detail->unit_grams[i];
		if (!line->quantity)
			remove_line(parcel, detail, i--);
	}
	if (!detail->tries)
		detail->declared_weight_grams = parcel->weight_grams;
	return left;
}

/* The parcels without the units; NULL when too few can be taken out. */
static ConsignmentRecord *without(struct rpc_call *call, const ConsignmentRecord *record,
				  const ConsignmentRecordRecall *recall)
{
	ConsignmentRecord *rest =
		(ConsignmentRecord *)rpc_message_copy(rpc_arena(call), &record->base);

	for (size_t i = 0; i < recall->n_lines; i++) {
		int32_t left = recall->lines[i]->quantity;

		for (int order = 0; order <= 2; order++)
			for (size_t j = 0; left && j < rest->n_shipments; j++)
				if (can_be_called_off(rest, j) &&
				    order_of(rest->parcel_details[j]) == order)
					left = take_from(rest->shipments[j],
							 rest->parcel_details[j], recall->lines[i],
							 left);
		if (left)
			return NULL;
	}
	return rest;
}

/* --- the end of a recall --- */

static void cancel(struct rpc_call *call, Shipment *shipment, const char *actor)
{
	const struct carrier_event event = { SHIPMENT_STATE_CANCELLED, "The parcel was called off.",
					     rpc_now_ms(call) };

	/* The carrier may have said so before us. */
	tracking_note(call, shipment, &event, actor);
	shipment->state = SHIPMENT_STATE_CANCELLED;
}

static const struct stored_answer *end(struct rpc_call *call, ConsignmentRecord *draft)
{
	const ConsignmentRecordRecall *recall = draft->recall;
	struct answers_key key = { .request_id = recall->key, .key = recall->key, .id = "" };

	for (size_t i = 0; i < draft->n_shipments; i++) {
		if (draft->parcel_details[i]->intention != CALL_OFF)
			continue;
		cancel(call, draft->shipments[i], recall->actor);
		draft->parcel_details[i]->intention = NOTHING;
	}
	draft->recall = NULL;
	if (!recall->n_lines && !*recall->shipment)
		draft->recalled = true;
	if (recall->body_hash.len == sizeof(key.body_hash))
		memcpy(key.body_hash, recall->body_hash.data, sizeof(key.body_hash));
	return answers_store(call, &key, (RecallShipmentsResponse *)NULL);
}

static void hand_over_anew(ConsignmentRecordParcelDetail *detail, Shipment *shipment)
{
	detail->intention = HAND_OVER;
	detail->called_off = false;
	if (!detail->tries)
		return;
	detail->generation++;
	detail->tries = 0;
	detail->carrier_shipment = detail->label_uri = "";
	detail->declared_weight_grams = shipment->weight_grams;
	shipment->tracking_number = shipment->tracking_uri = "";
}

static void undo(ConsignmentRecord *draft)
{
	for (size_t i = 0; i < draft->n_shipments; i++) {
		ConsignmentRecordParcelDetail *detail = draft->parcel_details[i];

		if (detail->intention != CALL_OFF)
			continue;
		if (detail->called_off)
			hand_over_anew(detail, draft->shipments[i]);
		else
			detail->intention = *detail->carrier_shipment ? NOTHING : HAND_OVER;
	}
	draft->recall = NULL;
}

/* Other parcels than those that were called off would be left empty, since one of the others has
 * moved on. */
static bool empties_as_meant(const ConsignmentRecord *draft, const ConsignmentRecord *rest)
{
	for (size_t i = 0; i < draft->n_shipments; i++)
		if (draft->shipments[i]->n_lines && !rest->shipments[i]->n_lines &&
		    draft->parcel_details[i]->intention != CALL_OFF)
			return false;
	return true;
}

const struct stored_answer *recall_advance(struct rpc_call *call, ConsignmentRecord *draft,
					   bool taken)
{
	const ConsignmentRecord *rest;

	if (!taken && !recall_is_late(draft)) {
		for (size_t i = 0; i < draft->n_shipments; i++)
			if (draft->parcel_details[i]->intention == CALL_OFF &&
			    !draft->parcel_details[i]->called_off)
				return NULL;
		rest = without(call, draft, draft->recall);
		if (rest && empties_as_meant(draft, rest)) {
			draft->shipments = rest->shipments;
			draft->parcel_details = rest->parcel_details;
			return end(call, draft);
		}
	}
	undo(draft);
	return NULL;
}

/*
 * The beginning
 */

struct recalling {
	struct shipping_service *self;
	ConsignmentRecordRecall *recall;
	const struct answers_key *key; /* of a recall of some units */
	const char *name, *etag;       /* of one parcel */
	bool ask;                      /* where the parcels are is not asked yet */
	bool done;
	const struct stored_answer *answer;
};

static int refuse(struct rpc_call *call, const Shipment *shipment)
{
	return rpc_fail(call, SHIPMENT_NOT_CANCELLABLE, { "shipment", shipment->name },
			{ "state", tracking_state(shipment->state) });
}

/* Names a parcel that has gone; else the first. */
static int refuse_units(struct rpc_call *call, const ConsignmentRecord *record)
{
	for (size_t i = 0; i < record->n_shipments; i++)
		if (!can_be_called_off(record, i))
			return refuse(call, record->shipments[i]);
	return refuse(call, record->shipments[0]);
}

static void call_off(ConsignmentRecordParcelDetail *detail)
{
	detail->intention = CALL_OFF;
	detail->called_off = !detail->tries;
	if (detail->tries)
		detail->tries = 1; /* at once, whatever the pauses of handing over had come to */
}

static int mark_units(struct rpc_call *call, ConsignmentRecord *draft, struct recalling *recalling)
{
	const ConsignmentRecord *rest = without(call, draft, recalling->recall);

	if (!rest)
		return refuse_units(call, draft);
	for (size_t i = 0; i < draft->n_shipments; i++) {
		if (rest->shipments[i]->n_lines || !draft->shipments[i]->n_lines)
			continue;
		call_off(draft->parcel_details[i]);
	}
	return 0;
}

static int mark_parcels(struct rpc_call *call, ConsignmentRecord *draft,
			struct recalling *recalling)
{
	const char *only = recalling->recall->shipment;

	for (size_t i = 0; i < draft->n_shipments; i++) {
		if (draft->shipments[i]->state == SHIPMENT_STATE_CANCELLED ||
		    (*only && strcmp(draft->parcel_details[i]->shipment, only)))
			continue;
		if (!can_be_called_off(draft, i))
			return refuse(call, draft->shipments[i]);
		call_off(draft->parcel_details[i]);
	}
	return 0;
}

/* How a recall that was begun before has ended, if it has. */
static int find_done(struct rpc_call *call, const ConsignmentRecord *draft,
		     struct recalling *recalling)
{
	RecallShipmentsResponse *none;
	int r = ANSWERS_NONE, i;

	if (*recalling->recall->shipment) {
		i = consignment_index(draft, recalling->name);
		if (i < 0)
			return rpc_fail(call, SHIPMENT_NOT_FOUND, { "shipment", recalling->name });
		recalling->done = draft->shipments[i]->state == SHIPMENT_STATE_CANCELLED;
		return recalling->done ? 0
				       : etag_check(call, recalling->name, recalling->etag,
						    draft->parcel_details[i]->version);
	}
	if (recalling->key) {
		r = answers_find(call, recalling->key, draft, &RecallShipmentsResponse_descriptor,
				 &none);
		recalling->done = !r;
		return r == ANSWERS_NONE ? 0 : r;
	}
	recalling->done = draft->recalled;
	return 0;
}

/* Of parcels that stay with the carrier, only what it says of them now is worth anything. */
static bool is_news_needed(const ConsignmentRecord *draft, const struct recalling *recalling)
{
	if (!recalling->ask || !recalling->recall->n_lines)
		return false;
	for (size_t i = 0; i < draft->n_shipments; i++)
		if (*draft->parcel_details[i]->carrier_shipment && can_be_called_off(draft, i))
			return true;
	return false;
}

static int begin(struct rpc_call *call, ConsignmentRecord *draft, void *data)
{
	struct recalling *recalling = data;
	int r;

	recalling->done = false;
	r = draft->recall ? 0 : find_done(call, draft, recalling);
	if (r)
		return r;
	if (draft->recall || recalling->done || is_news_needed(draft, recalling))
		return CONSIGNMENT_UNCHANGED;
	r = recalling->recall->n_lines ? mark_units(call, draft, recalling)
				       : mark_parcels(call, draft, recalling);
	if (r)
		return r;
	draft->recall = recalling->recall;
	draft->next_look_time = clock_now(call);
	recalling->answer = recall_advance(call, draft, false);
	return 0;
}

/* A recall that overtakes its order's shipping. */
static int forbid(struct rpc_call *call, const char *order)
{
	return consignment_insert(call,
				  rpc_new(call, ConsignmentRecord, .id = order, .recalled = true,
					  .create_time = clock_now(call), .schema_version = 1));
}

/* One more step towards the end. 0: look again. */
static int drive(struct rpc_call *call, struct recalling *recalling,
		 const ConsignmentRecord *record)
{
	bool pending;
	int r;

	if (rpc_remaining_ms(call) < MARGIN_MS || rpc_call_cancelled(call))
		return shipping_carrier_unavailable(call, record->shipments[0]->carrier);
	r = consignment_work(recalling->self, call, record->id, false, &pending);
	if (r == CONSIGNMENT_BUSY) {
		usleep(PAUSE_US);
		return 0;
	}
	recalling->ask = false;
	if (!r && pending)
		return shipping_carrier_unavailable(call, record->shipments[0]->carrier);
	return r;
}

static int recall(struct rpc_call *call, const char *order, struct recalling *recalling,
		  ConsignmentRecord **ret)
{
	bool all = !recalling->recall->n_lines && !*recalling->recall->shipment;
	int r;

	for (int turn = 0; turn < TURNS_MAX; turn++) {
		r = consignment_change(call, order, begin, recalling, &recalling->answer, ret);
		if (r == MONGO_NOT_FOUND && all) {
			r = forbid(call, order);
			if (r && r != MONGO_DUPLICATE)
				return r;
			continue;
		}
		if (r || recalling->done)
			return r;
		if ((*ret)->recall)
			crash_point("shipping.recall.after_begin");
		if ((*ret)->recall || is_news_needed(*ret, recalling))
			r = drive(call, recalling, *ret);
		if (r)
			return r;
	}
	return shipping_carrier_unavailable(call, "");
}

int shipping_recall_shipments(struct shipping_service *self, struct rpc_call *call,
			      const RecallShipmentsRequest *req, RecallShipmentsResponse **ret)
{
	RecallShipmentsResponse *response = rpc_new(call, RecallShipmentsResponse);
	struct recalling recalling = { .self = self, .ask = true };
	ConsignmentRecord *record = NULL;
	struct answers_key key;
	int r;

	recalling.recall = rpc_new(call, ConsignmentRecordRecall, .actor = shipping_actor(call));
	if (req->n_lines) {
		answers_key(call, req, &key);
		/* Not in the caller's name: the repeat may come in nobody's. */
		key.request_id = *req->request_id ? req->request_id : rpc_id_new(call);
		key.key = rpc_id_derive(call, req->order, key.request_id);
		recalling.key = &key;
		recalling.recall->key = key.key;
		recalling.recall->body_hash =
			(ProtobufCBinaryData){ .data = rpc_memdup(call, key.body_hash,
								  sizeof(key.body_hash)),
					       .len = sizeof(key.body_hash) };
	}
	for (size_t i = 0; i < req->n_lines; i++)
		consignment_record_recall_add_lines(call, recalling.recall,
						    rpc_new(call, ShipmentLine,
							    .line = req->lines[i]->line,
							    .quantity = req->lines[i]->quantity));
	r = recall(call, name_id(req->order), &recalling, &record);
	if (r == MONGO_NOT_FOUND)
		return rpc_fail(call, SHIPMENT_NOT_FOUND, { "shipment", req->order });
	if (r)
		return r;
	for (size_t i = 0; record && i < record->n_shipments; i++)
		recall_shipments_response_add_shipments(call, response,
							consignment_view(call, record, i));
	*ret = response;
	return 0;
}

int shipping_cancel_shipment(struct shipping_service *self, struct rpc_call *call,
			     const CancelShipmentRequest *req, Shipment **ret)
{
	struct recalling recalling = { .self = self, .name = req->name, .etag = req->etag };
	ConsignmentRecord *record;
	int r;

	recalling.recall = rpc_new(call, ConsignmentRecordRecall, .shipment = name_id(req->name),
				   .actor = shipping_actor(call));
	r = recall(call, consignment_order_of(call, req->name), &recalling, &record);
	if (r == MONGO_NOT_FOUND)
		return rpc_fail(call, SHIPMENT_NOT_FOUND, { "shipment", req->name });
	if (!r)
		*ret = consignment_view(call, record, (size_t)consignment_index(record, req->name));
	return r;
}
