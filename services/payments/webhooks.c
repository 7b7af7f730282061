/*
 * Webhooks: a provider says that something happened, and we look.
 *
 *   1. Nothing is read before signature and age are checked on the raw body, and of the body only
 *      ids and the type are kept.
 *   2. The event is noted by its id before we answer, so the same event twice is one note; the
 *      answer is 200 for what we do not know, too.
 *   3. What it says is never believed: the payment is settled by asking the provider, unless
 *      nothing can become of it any more. A webhook that never comes changes nothing in the end,
 *      because the sweeper asks about every payment that is not final.
 *
 *     receive --> RECEIVED --process--> PROCESSED
 *                   ^  |                    |
 *                   |  +-----process--> IGNORED
 *                   +------replay-----------+
 *
 * IGNORED is what is about nothing of ours for a minute: an event can overtake our note of an id.
 */
#include "settle_private.h"
#include <common/clock.h>
#include <common/names.h>
#include <crpc/id.h>
#include <string.h>

enum { UNKNOWN_MS = 60000, AGAIN_MS = 2000, BATCH = 20 };

static bool is_about_refunds(const WebhookEvent *event)
{
	return strstr(event->type, "refund") != NULL;
}

/* The payment is captured, which it was to be, and stays so: asking would teach us nothing. */
static bool is_old_news(const PaymentRecord *payment, const WebhookEvent *event)
{
	const PaymentAttempt *attempt = settle_attempt(payment);

	return attempt && attempt->state == PAYMENT_ATTEMPT_STATE_CAPTURED &&
	       !strcmp(attempt->provider_intent, event->reference) && !payment->intention &&
	       !payment_has_pending_refund(payment) && !is_about_refunds(event);
}

/* Notes the event, and has it processed if there is anything to be done. */
static int take_note(struct payments_service *self, struct rpc_call *call, WebhookRecord *record)
{
	WebhookEvent *event = record->webhook_event;
	PaymentRecord *payment = payment_recall_by_intent(call, event->reference);
	bool done = payment && is_old_news(payment, event);
	int r = 0;

	/* What is captured stays so: having been right once is enough. */
	if (!done && *event->reference) {
		r = payment_read_by_intent(call, event->reference, &payment);
		done = !r && is_old_news(payment, event);
	}
	if (r && r != MONGO_NOT_FOUND)
		return r;
	if (done) {
		event->payment = payment->payment->name;
		event->process_time = event->create_time;
		event->state = WEBHOOK_EVENT_STATE_PROCESSED;
		record->next_look_time = NULL;
	}
	r = webhook_note(call, record);
	if (r)
		return r;
	crash_point("payments.webhook.after_note");
	if (self->service && !done)
		service_wake(self->service, "sweep");
	return 0;
}

int payments_receive_payment_webhook(struct payments_service *self, struct rpc_call *call,
				     const ReceivePaymentWebhookRequest *req, Empty **ret)
{
	const struct payment_provider_ops *ops = self->provider->ops;
	struct provider_problem why = { 0 };
	struct provider_webhook webhook;
	WebhookRecord *record;
	const char *id;
	int r;

	if (strcmp(req->provider, self->provider->id))
		return rpc_fail(call, WEBHOOK_PROVIDER_UNKNOWN, { "provider", req->provider });
	r = ops->webhook_read(self->provider, call, rpc_header(call, ops->signature_header),
			      req->body->data, &webhook, &why);
	if (r == PROVIDER_FORGED)
		return rpc_fail(call, WEBHOOK_SIGNATURE_INVALID, { "problem", why.problem });
	if (r)
		return r;
	id = rpc_printf(call, "%s.%s", self->provider->id, webhook.id);
	record = rpc_new(call, WebhookRecord, .id = id, .next_look_time = clock_now(call),
			 .webhook_event = rpc_new(
				 call, WebhookEvent, .name = name_of(call, "webhookEvents", id),
				 .provider = self->provider->id, .type = webhook.type,
				 .reference = webhook.reference,
				 .state = WEBHOOK_EVENT_STATE_RECEIVED,
				 .create_time = clock_now(call)));
	return take_note(self, call, record);
}

/* The payment that the event is about, as the provider says it is. */
static int look(struct payments_service *self, struct rpc_call *call, const WebhookEvent *event,
		const PaymentRecord *found)
{
	struct settlement settlement = { .id = found->id,
					 .holder = rpc_id_new(call),
					 .look = true,
					 .check_refunds = is_about_refunds(event) };
	PaymentRecord *record;
	int r;

	r = payment_settle(self, call, &settlement, &record);
	return r ? r : payment_settle_stray(self, call, record, event->reference);
}

static int process(struct payments_service *self, struct rpc_call *call,
		   const WebhookRecord *record)
{
	WebhookEvent *event = record->webhook_event;
	int64_t now = rpc_now_ms(call), again = 0, age = now - clock_ms(event->create_time);
	PaymentRecord *payment;
	int r;

	r = *event->reference ? payment_read_by_intent(call, event->reference, &payment)
			      : MONGO_NOT_FOUND;
	if (r == MONGO_NOT_FOUND) {
		if (age >= UNKNOWN_MS)
			event->state = WEBHOOK_EVENT_STATE_IGNORED;
		else
			again = now + (age > AGAIN_MS ? age : AGAIN_MS);
		return webhook_save(call, record, again);
	}
	if (r)
		return r;
	event->payment = payment->payment->name;
	event->process_time = clock_timestamp(call, now);
	r = look(self, call, event, payment);
	if (r == SETTLE_BUSY || r == SETTLE_DOUBT) {
		event->error = r == SETTLE_DOUBT ? "PROVIDER_UNAVAILABLE" : "PAYMENT_IN_PROGRESS";
		again = now + (age > AGAIN_MS ? age : AGAIN_MS);
	} else if (r) {
		return r;
	} else {
		event->error = "";
		event->state = WEBHOOK_EVENT_STATE_PROCESSED;
	}
	return webhook_save(call, record, again);
}

int payments_list_webhook_events(struct payments_service *self, struct rpc_call *call,
				 const ListWebhookEventsRequest *req,
				 ListWebhookEventsResponse **ret)
{
	ListWebhookEventsResponse *response = rpc_new(call, ListWebhookEventsResponse);
	WebhookRecord **records;
	size_t n_records;
	int r;

	r = webhook_page(call, req, response, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		list_webhook_events_response_add_webhook_events(call, response,
								records[i]->webhook_event);
	*ret = response;
	return 0;
}

int payments_replay_webhook_event(struct payments_service *self, struct rpc_call *call,
				  const ReplayWebhookEventRequest *req, WebhookEvent **ret)
{
	WebhookRecord *record;
	int r;

	r = webhook_read(call, name_id(req->name), &record);
	if (r == MONGO_NOT_FOUND)
		return rpc_fail(call, WEBHOOK_EVENT_NOT_FOUND, { "event", req->name });
	if (r)
		return r;
	record->webhook_event->state = WEBHOOK_EVENT_STATE_RECEIVED;
	r = process(self, call, record);
	if (r)
		return r;
	*ret = record->webhook_event;
	return 0;
}

static int sweep_webhooks(struct payments_service *self, struct rpc_call *call, bool *more)
{
	WebhookRecord **records;
	size_t n_records;
	int r;

	r = webhook_due(call, BATCH, &records, &n_records);
	for (size_t i = 0; !r && i < n_records; i++)
		r = process(self, call, records[i]);
	if (!r)
		*more |= n_records == BATCH;
	return r;
}

/* What is not final, or what a crash left. A lease on each document, so all replicas may sweep at
 * once. */
static int sweep_payments(struct payments_service *self, struct rpc_call *call, bool *more)
{
	PaymentRecord **records, *record;
	size_t n_records;
	int r;

	r = payment_due(call, BATCH, &records, &n_records);
	if (r)
		return r;
	*more |= n_records == BATCH;
	for (size_t i = 0; i < n_records; i++) {
		struct settlement settlement = { .id = records[i]->id,
						 .holder = rpc_id_new(call),
						 .look = true };

		r = payment_settle(self, call, &settlement, &record);
		if (r == SETTLE_DOUBT) {
			/* The others would most likely wait for the same silence. */
			*more = false;
			return 0;
		}
		if (r == SETTLE_BUSY)
			continue;
		if (r > 0)
			return r;
		if (r < 0)
			log_error(call, "a payment cannot be settled",
				  { "payment", records[i]->id }, { "error", log_errno(r) });
	}
	return 0;
}

int payments_sweep(void *data, struct rpc_call *call)
{
	struct payments_service *self = data;
	bool more = false;
	int r;

	r = sweep_webhooks(self, call, &more);
	if (!r)
		r = sweep_payments(self, call, &more);
	return r ? r : more;
}

int payments_sweep_answers(void *data, struct rpc_call *call)
{
	int r = payment_sweep_answers(call);

	return r ? r : methods_sweep_answers(call);
}
