/*
 * Payments: holding, taking and letting go of an order's money.
 *
 * The document of a payment says what is meant; settle.c does it at the provider and writes down
 * how it went. Invariants:
 *
 *   1. An order has one payment, with its id: whatever is done twice at once meets in one
 *      document.
 *   2. A try is named by its request id, for ever. At most one try is open; the next begins when
 *      the last is known to have failed.
 *   3. Each move below is one update with the version that was read as its condition, and the
 *      intention is stored before the provider is asked for what holds or moves money. A stop
 *      anywhere after that leaves an intention, which any replica finishes (payments_sweep). A
 *      new try's intent is made before the try is stored. A stop between the two leaves an intent
 *      that nobody knows: it holds nothing, and only who stored its id can confirm it. Whoever
 *      asked repeats the request, and the provider's key is made of the request's id, so that a
 *      provider that honours it gives the same intent again. A request whose try is not stored
 *      after all, because a void or its own repeat was faster, has its intent cancelled (let_go).
 *   4. A captured payment stays captured and a closed one closed, whatever the provider would
 *      allow: capture, void and a further try look at our document first. Captured is at most what
 *      was held; given back at most what was captured.
 *   5. Captures and voids happen once, so a repeat needs no stored answer: the payment itself
 *      tells it.
 *
 *     (no payment) --authorize_payment, the intent made--------------------------> PROCESSING
 *           |                                                                        |
 *           +--------authorize_payment--> REQUIRES_CONFIRMATION --apply_created------+
 *                                           ^        |                               |
 *                         authorize_payment |        | apply_unmade                  |
 *                                           |        v                               |
 *     CANCELED <--void_payment-- REQUIRES_PAYMENT_METHOD <--declined, canceled-------+
 *        ^                                                                           |
 *        |                                         REQUIRES_ACTION <----waiting------+
 *        |                                                 |                         |
 *        +--void_payment, settle_close-- REQUIRES_CAPTURE <+---------held------------+
 *                                               |
 *                                               +--capture_payment, captured--> SUCCEEDED
 *
 * void_payment closes a payment that is not captured from any state.
 */
#include "errors.msg.h"
#include "settle.h"
#include <common/clock.h>
#include <common/money.h>
#include <common/names.h>
#include <crpc/id.h>
#include <string.h>

const char *payments_state(const PaymentRecord *record)
{
	return document_enum(&PaymentState_descriptor, record->payment->state);
}

const char *payments_decimal(struct rpc_call *call, const Money *money)
{
	return strchr(money_print(call, money), ' ') + 1;
}

int payments_unavailable(struct payments_service *self, struct rpc_call *call)
{
	int r = rpc_fail(call, PROVIDER_UNAVAILABLE, { "provider", self->provider->id });

	rpc_retry_after(call, 2000);
	return r;
}

int payments_busy(struct rpc_call *call, const PaymentRecord *record)
{
	return rpc_fail(call, PAYMENT_IN_PROGRESS, { "payment", record->payment->name },
			{ "state", payments_state(record) });
}

int payments_find(struct rpc_call *call, const char *name, PaymentRecord **ret)
{
	int r = payment_read(call, name_id(name), ret);

	return r == MONGO_NOT_FOUND ? rpc_fail(call, PAYMENT_NOT_FOUND, { "payment", name }) : r;
}

PaymentRecord *payments_new(struct payments_service *self, struct rpc_call *call, const char *order,
			    const char *user)
{
	const char *id = name_id(order);

	return rpc_new(call, PaymentRecord, .id = id, .version = 1,
		       .payment = rpc_new(call, Payment, .name = name_of(call, "payments", id),
					  .order = name_of(call, "orders", id), .user = user,
					  .provider = self->provider->id,
					  .create_time = clock_now(call),
					  .update_time = clock_now(call)));
}

/* --- capture --- */

static int not_capturable(struct rpc_call *call, const PaymentRecord *record)
{
	return rpc_fail(call, PAYMENT_NOT_CAPTURABLE, { "payment", record->payment->name },
			{ "state", payments_state(record) });
}

/* What is to be captured: all, or what is asked for. */
static int capture_amount(struct rpc_call *call, const PaymentRecord *record, const Money *asked,
			  const Money **ret)
{
	const Money *held = record->payment->authorized;
	int order;

	if (!asked) {
		*ret = held;
		return 0;
	}
	if (money_compare(asked, held, &order))
		return rpc_fail(call, MONEY_INVALID, { "field", "amount" },
				{ "problem",
				  rpc_printf(call, "the payment is in %s", held->currency_code) });
	if (order > 0)
		return rpc_fail(call, CAPTURE_TOO_LARGE, { "payment", record->payment->name },
				{ "authorized", payments_decimal(call, held) },
				{ "requested", payments_decimal(call, asked) });
	*ret = asked;
	return 0;
}

/* As this process wrote it last, if nothing has to be refused for that: who captures mostly comes
 * right after who held, and the update fails if somebody was between. */
static PaymentRecord *capturable(struct rpc_call *call, const CapturePaymentRequest *req)
{
	PaymentRecord *record = payment_recall(call, name_id(req->name));

	return record && record->payment->state == PAYMENT_STATE_REQUIRES_CAPTURE &&
			       !record->intention &&
			       (!req->amount ||
				money_equal(req->amount, record->payment->authorized))
		       ? record
		       : NULL;
}

/* The amount is not what is, or is to be, captured. */
static int other_amount(struct rpc_call *call, const PaymentRecord *record,
			const CapturePaymentRequest *req,
			int (*otherwise)(struct rpc_call *, const PaymentRecord *))
{
	if (!strcmp(record->capture_request_id, req->request_id))
		return rpc_fail(call, REQUEST_ID_REUSED, { "requestId", req->request_id });
	return otherwise(call, record);
}

/* Stores what is to be captured, unless it is stored or done. */
static int begin_capture(struct payments_service *self, struct rpc_call *call,
			 const CapturePaymentRequest *req, bool first,
			 struct settlement *settlement)
{
	PaymentRecord *record = first ? capturable(call, req) : NULL;
	struct payment_change change;
	const Money *amount;
	int r;

	r = record ? 0 : payments_find(call, req->name, &record);
	if (r)
		return r;
	if (record->payment->state == PAYMENT_STATE_SUCCEEDED)
		return req->amount && !money_equal(req->amount, record->payment->captured)
			       ? other_amount(call, record, req, not_capturable)
			       : 0;
	if (record->payment->state != PAYMENT_STATE_REQUIRES_CAPTURE ||
	    record->intention == PAYMENT_RECORD_INTENTION_CANCEL)
		return not_capturable(call, record);
	r = capture_amount(call, record, req->amount, &amount);
	if (r)
		return r;
	if (record->intention)
		return money_equal(amount, record->capture_amount)
			       ? 0
			       : other_amount(call, record, req, payments_busy);
	change = payment_begin(record);
	record->intention = PAYMENT_RECORD_INTENTION_CAPTURE;
	record->capture_amount = (Money *)amount;
	record->capture_request_id = req->request_id;
	if (payment_is_free(call, record)) {
		change.take = settlement->holder;
		change.lease_expire_ms = settle_lease_end(self, call);
	}
	r = payment_save(call, &change);
	if (r)
		return r;
	crash_point("payments.capture.after_store");
	settlement->record = record;
	settlement->holds = settlement->fresh = change.take;
	return 0;
}

static int capture_payment(struct payments_service *self, struct rpc_call *call,
			   const CapturePaymentRequest *req, Payment **ret)
{
	struct settlement settlement = { .id = name_id(req->name),
					 .holder = rpc_id_new(call),
					 .wait = true };
	PaymentRecord *record;
	int64_t minor;
	int r;

	r = req->amount ? money_check(call, "amount", req->amount, 1, &minor) : 0;
	if (r)
		return r;
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = begin_capture(self, call, req, attempt == 1, &settlement);
		if (r != MONGO_NOT_MATCHED)
			break;
	}
	if (!r)
		r = payment_settle(self, call, &settlement, &record);
	if (r && r != SETTLE_DOUBT && r != SETTLE_BUSY)
		return r;
	if (record->payment->state == PAYMENT_STATE_CANCELED)
		return not_capturable(call, record);
	if (record->payment->state != PAYMENT_STATE_SUCCEEDED)
		return r == SETTLE_BUSY ? payments_busy(call, record)
					: payments_unavailable(self, call);
	*ret = payments_view(call, record);
	return 0;
}

/* --- void --- */

/* For the order's first and last try, which may still be on its way. */
static int close_unborn(struct payments_service *self, struct rpc_call *call, const char *name)
{
	PaymentRecord *record = payments_new(self, call, name, "");
	int r;

	record->payment->state = PAYMENT_STATE_CANCELED;
	record->payment->cancel_time = clock_now(call);
	r = payment_insert(call, record);
	return r == MONGO_DUPLICATE ? MONGO_NOT_MATCHED : r;
}

/* Stores that the payment is to be closed, unless it is. */
static int begin_void(struct payments_service *self, struct rpc_call *call,
		      const VoidPaymentRequest *req, struct settlement *settlement)
{
	struct payment_change change;
	PaymentRecord *record;
	int r;

	r = payment_read(call, settlement->id, &record);
	if (r == MONGO_NOT_FOUND)
		return close_unborn(self, call, req->name);
	if (r)
		return r;
	/* What is being captured is captured first, and then it cannot be voided. */
	if (record->payment->state == PAYMENT_STATE_SUCCEEDED ||
	    record->payment->state == PAYMENT_STATE_CANCELED ||
	    record->intention == PAYMENT_RECORD_INTENTION_CAPTURE ||
	    record->intention == PAYMENT_RECORD_INTENTION_CANCEL)
		return 0;
	change = payment_begin(record);
	if (record->payment->state == PAYMENT_STATE_REQUIRES_PAYMENT_METHOD) {
		record->payment->state = PAYMENT_STATE_CANCELED;
		record->payment->cancel_time = clock_now(call);
		payment_tell(&change, payment_voided(call, record));
		return payment_save(call, &change);
	}
	record->intention = PAYMENT_RECORD_INTENTION_CANCEL;
	if (payment_is_free(call, record)) {
		change.take = settlement->holder;
		change.lease_expire_ms = settle_lease_end(self, call);
	}
	r = payment_save(call, &change);
	if (r)
		return r;
	crash_point("payments.void.after_store");
	settlement->record = record;
	settlement->holds = change.take;
	/* A try that a crash left may be anywhere: only of a hold it is known that there is
	 * something to cancel. */
	settlement->fresh = change.take && record->payment->state == PAYMENT_STATE_REQUIRES_CAPTURE;
	return 0;
}

static int void_payment(struct payments_service *self, struct rpc_call *call,
			const VoidPaymentRequest *req, Payment **ret)
{
	struct settlement settlement = { .id = name_id(req->name),
					 .holder = rpc_id_new(call),
					 .wait = true };
	PaymentRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = begin_void(self, call, req, &settlement);
		if (r != MONGO_NOT_MATCHED)
			break;
	}
	if (!r)
		r = payment_settle(self, call, &settlement, &record);
	if (r && r != SETTLE_DOUBT && r != SETTLE_BUSY)
		return r;
	if (record->payment->state == PAYMENT_STATE_SUCCEEDED)
		return rpc_fail(call, PAYMENT_NOT_VOIDABLE, { "payment", req->name });
	if (record->payment->state != PAYMENT_STATE_CANCELED)
		return r == SETTLE_BUSY ? payments_busy(call, record)
					: payments_unavailable(self, call);
	*ret = payments_view(call, record);
	return 0;
}

const struct payments_service_ops payments_service = {
	.authorize_payment = payments_authorize_payment,
	.capture_payment = capture_payment,
	.void_payment = void_payment,
	.create_refund = payments_create_refund,
	.get_payment = payments_get_payment,
	.list_payments = payments_list_payments,
	.list_ledger_entries = payments_list_ledger_entries,
	.receive_payment_webhook = payments_receive_payment_webhook,
	.list_webhook_events = payments_list_webhook_events,
	.replay_webhook_event = payments_replay_webhook_event,
	.create_payment_method = payments_create_payment_method,
	.list_payment_methods = payments_list_payment_methods,
	.delete_payment_method = payments_delete_payment_method,
};
