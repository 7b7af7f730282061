/*
 * Webhooks: a carrier tells that something happened.
 *
 * What it tells is only a reason to look: the event is noted by its id, once, and answered; then
 * the sweeper finds the parcel and has the carrier asked where it is. An event may be about a
 * parcel whose number we have not heard yet, because the answer to its handing over is on its way
 * or was lost: such a one is looked for again for a day.
 */
#include "errors.msg.h"
#include "shipping_store.h"
#include <common/clock.h>
#include <string.h>

enum { BATCH = 50, PAUSE_MS = 1000, PAUSE_MAX_MS = 3600000, GIVEN_UP_MS = 24 * 3600000 };

int shipping_receive_carrier_webhook(struct shipping_service *self, struct rpc_call *call,
				     const ReceiveCarrierWebhookRequest *req, Empty **ret)
{
	struct carrier_webhook event;
	struct carrier *carrier;
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
	r = webhook_insert(call, rpc_new(call, CarrierWebhookRecord,
					 .id = rpc_printf(call, "%s.%s", carrier->id, event.id),
					 .tracking_key = rpc_printf(call, "%s/%s", carrier->id,
								    event.tracking_number),
					 .create_time = clock_now(call),
					 .next_look_time = clock_now(call), .schema_version = 1));
	crash_point("shipping.webhook.after_insert");
	if (r == MONGO_DUPLICATE)
		return 0;
	if (!r && self->service)
		service_wake(self->service, "webhooks");
	return r;
}

/* When to look for the parcel again; 0: never. */
static int64_t next_look(struct rpc_call *call, const CarrierWebhookRecord *record)
{
	int64_t pause = PAUSE_MS, now = rpc_now_ms(call);

	for (int32_t i = 0; i < record->tries && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	return now - clock_ms(record->create_time) > GIVEN_UP_MS ? 0 : now + pause;
}

static int look(struct rpc_call *call, const CarrierWebhookRecord *record)
{
	ConsignmentRecord *consignment;
	int r;

	r = consignment_read_by_tracking(call, record->tracking_key, &consignment);
	if (r == MONGO_NOT_FOUND)
		return webhook_look_again(call, record, next_look(call, record));
	if (!r)
		r = consignment_nudge(call, consignment->id);
	/* It is looked at anyway, or nothing can happen to it any more. */
	if (r && r != MONGO_NOT_MATCHED)
		return r;
	crash_point("shipping.webhook.after_nudge");
	return webhook_look_again(call, record, 0);
}

int shipping_sweep_webhooks(void *data, struct rpc_call *call)
{
	CarrierWebhookRecord **records;
	size_t n_records;
	int r;

	r = webhook_due(call, BATCH, &records, &n_records);
	for (size_t i = 0; !r && i < n_records; i++) {
		r = look(call, records[i]);
		if (r == MONGO_NOT_MATCHED)
			r = 0;
	}
	if (!r && n_records)
		shipping_wake(data);
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
