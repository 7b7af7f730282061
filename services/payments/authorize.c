/* Tries to hold an order's money: a try is named by its request, and its intent is made before it is
 * stored. See payments.c, 2 and 3. */
#include "errors.msg.h"
#include "settle_private.h"
#include <common/clock.h>
#include <common/money.h>
#include <common/names.h>
#include <crpc/id.h>
#include <string.h>

/* A try on its way into the document. */
struct attempt {
	const AuthorizePaymentRequest *req;
	struct answers_key key;
	const char *token, *customer;
	int64_t amount;
	bool refused; /* for good, because of what is stored */
	bool asked;   /* for an intent, once: `made` */
	struct settle_made made;
	struct settlement settlement;
};

static void add_attempt(struct rpc_call *call, PaymentRecord *record, const struct attempt *try)
{
	Payment *payment = record->payment;
	int32_t number = (int32_t)payment->n_attempts + 1;
	uint8_t *hash = rpc_memdup(call, try->key.body_hash, sizeof(try->key.body_hash));

	payment_add_attempts(call, payment,
			     rpc_new(call, PaymentAttempt, .number = number,
				     .state = PAYMENT_ATTEMPT_STATE_OPEN,
				     .create_time = clock_now(call)));
	payment_record_add_attempt_details(
		call, record,
		rpc_new(call, PaymentRecordAttemptDetail, .number = number,
			.request_id = try->req->request_id,
			.body_hash = { .data = hash, .len = sizeof(try->key.body_hash) },
			.provider_method = try->token, .provider_customer = try->customer,
			.return_uri = try->req->return_uri, .amount = try->req->amount));
	payment->amount = try->req->amount;
	payment->state = PAYMENT_STATE_REQUIRES_CONFIRMATION;
	record->intention = PAYMENT_RECORD_INTENTION_CREATE;
}

static const PaymentRecordAttemptDetail *try_of(const PaymentRecord *record, const char *request_id)
{
	for (size_t i = 0; i < record->n_attempt_details; i++)
		if (!strcmp(record->attempt_details[i]->request_id, request_id))
			return record->attempt_details[i];
	return NULL;
}

/* The same request id is the same try, and cannot be about something else. */
static int check_same(struct rpc_call *call, const PaymentRecord *record,
		      const PaymentRecordAttemptDetail *detail, const struct attempt *try)
{
	if (!money_equal(detail->amount, try->req->amount))
		return rpc_fail(call, PAYMENT_AMOUNT_DIFFERS, { "payment", record->payment->name },
				{ "amount", payments_decimal(call, detail->amount) },
				{ "requested", payments_decimal(call, try->req->amount) });
	if (detail->body_hash.len != sizeof(try->key.body_hash) ||
	    memcmp(detail->body_hash.data, try->key.body_hash, sizeof(try->key.body_hash)))
		return rpc_fail(call, REQUEST_ID_REUSED, { "requestId", try->req->request_id });
	return 0;
}

static int check_open(struct rpc_call *call, const PaymentRecord *record, const struct attempt *try)
{
	const Payment *payment = record->payment;

	if (*payment->user && strcmp(payment->user, try->req->user))
		return rpc_fail(call, NOT_OWNER, { "name", payment->name });
	if (payment->state == PAYMENT_STATE_SUCCEEDED || payment->state == PAYMENT_STATE_CANCELED)
		return rpc_fail(call, PAYMENT_CLOSED, { "payment", payment->name },
				{ "state", payments_state(record) });
	if (payment->state != PAYMENT_STATE_REQUIRES_PAYMENT_METHOD)
		return payments_busy(call, record);
	if (payment->n_attempts >= PAYMENT_ATTEMPTS_MAX)
		return rpc_fail(call, PAYMENT_EXHAUSTED, { "payment", payment->name },
				{ "max", rpc_printf(call, "%d", PAYMENT_ATTEMPTS_MAX) },
				{ "what", "tries" });
	return 0;
}

/* Stores the try; MONGO_NOT_MATCHED when somebody was faster. */
static int begin(struct payments_service *self, struct rpc_call *call, struct attempt *try)
{
	struct settlement *settlement = &try->settlement;
	const PaymentRecordAttemptDetail *known;
	struct payment_change change;
	PaymentRecord *record;
	bool insert;
	int r;

	r = payment_read(call, settlement->id, &record);
	insert = r == MONGO_NOT_FOUND;
	if (insert)
		record = payments_new(self, call, try->req->order, try->req->user);
	else if (r)
		return r;
	known = try_of(record, try->req->request_id);
	if (known)
		return check_same(call, record, known, try);
	r = insert ? 0 : check_open(call, record, try);
	try->refused = r && r != RPC_ABORTED;
	/* Only a new try looks at its payment method: a saved one may be gone when the request is
	 * repeated. */
	if (!r)
		r = payments_method(self, call, try->req->user, try->req->payment_method,
				    &try->token, &try->customer);
	if (r)
		return r;
	change = payment_begin(record);
	add_attempt(call, record, try);
	/* The key goes into a header of limited length: not with what others chose as an id. */
	if (!try->asked)
		r = settle_make(self, call, record,
				rpc_printf(call, "%s/tries/%s/create", record->payment->name,
					   rpc_id_derive(call, record->payment->name,
							 try->req->request_id)),
				&try->made);
	if (r)
		return r;
	try->asked = true;
	if (try->made.r)
		settlement->made = &try->made;
	else
		settle_take_intent(call, record, &try->made.intent);
	if (insert) {
		record->lease_holder = settlement->holder;
		record->lease_expire_time = clock_timestamp(call, settle_lease_end(self, call));
		r = payment_insert(call, record);
		r = r == MONGO_DUPLICATE ? MONGO_NOT_MATCHED : r;
	} else {
		change.take = settlement->holder;
		change.lease_expire_ms = settle_lease_end(self, call);
		r = payment_save(call, &change);
	}
	if (r)
		return r;
	crash_point("payments.authorize.after_store");
	settlement->record = record;
	settlement->holds = settlement->fresh = true;
	return 0;
}

/* How the try went. */
static int tell_try(struct payments_service *self, struct rpc_call *call, const struct attempt *try,
		    int settled, const PaymentRecord *record, Payment **ret)
{
	const PaymentRecordAttemptDetail *detail = try_of(record, try->req->request_id);
	const PaymentAttempt *attempt = record->payment->attempts[detail->number - 1];
	bool undecided = attempt->state == PAYMENT_ATTEMPT_STATE_OPEN && record->intention;

	if (undecided && settled == SETTLE_BUSY)
		return payments_busy(call, record);
	if (undecided)
		return payments_unavailable(self, call);
	if (!strcmp(attempt->decline_code, ATTEMPT_METHOD_INVALID))
		return rpc_fail(call, PAYMENT_METHOD_INVALID,
				{ "problem", "the payment provider does not know it" });
	*ret = payments_view(call, record);
	return 0;
}

/* The intent that was made for the try, if the try is stored with another, or not at all. It would
 * never be confirmed; it only looks better gone. */
static void let_go(struct payments_service *self, struct rpc_call *call, const struct attempt *try,
		   const PaymentRecord *record)
{
	const PaymentRecordAttemptDetail *detail =
		record ? try_of(record, try->req->request_id) : NULL;
	const char *stored =
		detail ? record->payment->attempts[detail->number - 1]->provider_intent : "";
	const char *id = try->made.intent.id;
	struct provider_intent now;
	struct provider_problem why;

	/* One that is not told yet may come to be the same. */
	if (!try->asked || try->made.r || !strcmp(stored, id) || (detail && !*stored))
		return;
	self->provider->ops->intent_cancel(self->provider, call, rpc_printf(call, "%s/cancel", id),
					   id, &now, &why);
}

int payments_authorize_payment(struct payments_service *self, struct rpc_call *call,
			       const AuthorizePaymentRequest *req, Payment **ret)
{
	struct attempt try = { .req = req,
			       .settlement = { .id = name_id(req->order),
					       .holder = rpc_id_new(call),
					       .wait = true } };
	PaymentRecord *record;
	int r;

	r = money_check(call, "amount", req->amount, 1, &try.amount);
	if (r)
		return r;
	answers_key(call, req, &try.key);
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->order));) {
		r = begin(self, call, &try);
		if (r != MONGO_NOT_MATCHED)
			break;
	}
	if (try.refused)
		let_go(self, call, &try, NULL);
	if (!r)
		r = payment_settle(self, call, &try.settlement, &record);
	if (r && r != SETTLE_DOUBT && r != SETTLE_BUSY)
		return r;
	let_go(self, call, &try, record);
	return tell_try(self, call, &try, r, record, ret);
}
