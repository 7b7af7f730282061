/*
 * Webhooks: a carrier tells that something happened.
 *
 * What it tells is only a reason to look, unless it is known or expected: before the carrier gets
 * its answer the parcel's document says that it is to be looked at now. An event may be about a
 * parcel whose number we have not heard yet, because the answer to its handing over is on its way
 * or was lost: such a one is noted by its id, and its parcel looked for again for a day.
 */
#include "consignment.h"
#include "errors.msg.h"
#include <common/clock.h>
#include <string.h>

enum { BATCH = 50, PAUSE_MS = 1000, PAUSE_MAX_MS = 3600000, GIVEN_UP_MS = 24 * 3600000 };

/* Has its parcels looked at: by a hand at once if nobody works on them. */
static int have_looked_at(struct shipping_service *self, struct rpc_call *call,
			  ConsignmentRecord *record)
{
	int r = CONSIGNMENT_BUSY;

	if (self->hands)
		r = consignment_take(self, call, record, &record);
	if (!r)
		hands_give(self->hands, call, &record->base);
	else if (r == CONSIGNMENT_BUSY)
		r = consignment_nudge(call, record->id);
	/* It is looked at anyway, or nothing can happen to it any more. */
	if (r && r != MONGO_NOT_MATCHED)
		return r;
	crash_point("shipping.webhook.after_note");
	return 0;
}

static int look(struct shipping_service *self, struct rpc_call *call,
		const CarrierWebhookRecord *webhook)
{
	const char *number = strchr(webhook->tracking_key, '/') + 1;
	const struct carrier_event event = { .state = webhook->state,
					     .time_ms = clock_ms(webhook->event_time) };
	ConsignmentRecord *consignment;
	int r;

	r = consignment_read_by_tracking(call, webhook->tracking_key, &consignment);
	if (r)
		return r;
	for (size_t i = 0; i < consignment->n_shipments; i++) {
		const Shipment *parcel = consignment->shipments[i];

		if (!strcmp(parcel->tracking_number, number) &&
		    (tracking_has_ended(parcel->state) ||
		     tracking_knows(parcel, &event,
				    rpc_printf(call, "carriers/%s", parcel->carrier))))
			return 0;
	}
	return have_looked_at(self, call, consignment);
}

/* That the carrier has been told of a parcel is no news while we tell it: it is faster than its
 * answer. */
static int is_expected(struct rpc_call *call, const struct carrier_webhook *webhook, bool *ret)
{
	ConsignmentRecord *record;
	int r, i;

	*ret = false;
	if (webhook->event.state != SHIPMENT_STATE_PRE_TRANSIT)
		return 0;
	if (doing_is(&consignment_handing_over, webhook->reference)) {
		*ret = true;
		return 0;
	}
	r = consignment_read(call, consignment_order_of(call, webhook->reference), &record);
	if (r)
		return r == MONGO_NOT_FOUND ? 0 : r;
	i = consignment_index(record, webhook->reference);
	*ret = i >= 0 && (record->parcel_details[i]->intention ==
				  CONSIGNMENT_RECORD_PARCEL_DETAIL_INTENTION_HAND_OVER ||
			  !strcmp(record->shipments[i]->tracking_number, webhook->tracking_number));
	return 0;
}

int shipping_receive_carrier_webhook(struct shipping_service *self, struct rpc_call *call,
				     const ReceiveCarrierWebhookRequest *req, Empty **ret)
{
	CarrierWebhookRecord *record;
	struct carrier_webhook event;
	struct carrier *carrier;
	bool expected;
	const char *why;
	int r;

	r = shipping_carrier(self, call, req->carrier, &carrier);
	if (r)
		return r;
	r = carrier->ops->webhook(carrier, call, rpc_header(call, carrier->ops->signature_header),
				  req->body->data, &event, &why);
	if (r == CARRIER_FORGED)
		return rpc_fail(call, CARRIER_SIGNATURE_INVALID, { "problem", why });
	if (r || !*event.id)
		return r;
	r = is_expected(call, &event, &expected);
	if (r || expected)
		return r;
	record = rpc_new(
		call, CarrierWebhookRecord, .id = rpc_printf(call, "%s.%s", carrier->id, event.id),
		.tracking_key = rpc_printf(call, "%s/%s", carrier->id, event.tracking_number),
		.state = event.event.state,
		.event_time = clock_timestamp(call, event.event.time_ms),
		.create_time = clock_now(call), .next_look_time = clock_now(call),
		.schema_version = 1);
	r = look(self, call, record);
	if (r == MONGO_NOT_FOUND)
		r = webhook_insert(call, record);
	return r == MONGO_DUPLICATE ? 0 : r;
}

/* When to look for the parcel again; 0: never. */
static int64_t next_look(struct rpc_call *call, const CarrierWebhookRecord *record)
{
	int64_t pause = PAUSE_MS, now = rpc_now_ms(call);

	for (int32_t i = 0; i < record->tries && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	return now - clock_ms(record->create_time) > GIVEN_UP_MS ? 0 : now + pause;
}

int shipping_sweep_webhooks(void *data, struct rpc_call *call)
{
	CarrierWebhookRecord **records;
	size_t n_records;
	int r;

	r = webhook_due(call, BATCH, &records, &n_records);
	for (size_t i = 0; !r && i < n_records; i++) {
		r = look(data, call, records[i]);
		if (!r || r == MONGO_NOT_FOUND)
			r = webhook_look_again(call, records[i],
					       r ? next_look(call, records[i]) : 0);
		if (r == MONGO_NOT_MATCHED)
			r = 0;
	}
	/* What the database could not do now is done by the next turn. */
	return r > 0 ? 0 : r ? r : n_records == BATCH;
}

int shipping_sweep_answers(void *data, struct rpc_call *call)
{
	int r = consignment_sweep_answers(call);

	if (!r)
		r = method_sweep_answers(call);
	return r > 0 ? 0 : r;
}
