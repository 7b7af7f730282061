/* Paying: the move to PAYING, and the answer to whoever asked for it. The rest is the saga's. */
#include "errors.msg.h"
#include "payments.msg.h"
#include "saga.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/names.h>
#include <string.h>

static OrderRecordAttempt *attempt_with(const OrderRecord *record, const struct answers_key *key)
{
	order_record_each_attempts(attempt, record)
		if (*key->request_id && !strcmp(attempt->request_key, key->key))
			return attempt;
	return NULL;
}

static int not_payable(struct rpc_call *call, const Order *order)
{
	return rpc_fail(call, ORDER_NOT_PAYABLE, { "order", order->name },
			{ "state", saga_state_name(order->state) });
}

static int paying(struct rpc_call *call, const Order *order)
{
	int r = rpc_fail(call, ORDER_PAYING, { "order", order->name });

	rpc_retry_after(call, 1000);
	return r;
}

/* What became of a try: the order as it is, or the refusal that was kept. */
static int answer(struct rpc_call *call, const struct answers_key *key, const OrderRecord *record,
		  Order **ret)
{
	const OrderRecordAttempt *attempt = attempt_with(record, key);
	OrderRecord *now;
	Order *none;
	int r;

	if (attempt->state != ORDER_RECORD_ATTEMPT_STATE_FAILED) {
		*ret = orders_view(call, record);
		return 0;
	}
	r = order_read(call, record->id, &now);
	if (r)
		return r;
	r = answers_find(call, key, now, &Order_descriptor, &none);
	if (r && r != ANSWERS_NONE)
		return r;
	if (*attempt->decline_code)
		return rpc_fail(call, ORDER_PAYMENT_DECLINED, { "order", now->order->name },
				{ "declineCode", attempt->decline_code });
	return not_payable(call, now->order);
}

/* The same request again: joins what is under way if nobody works on it now. */
static int repeat(struct orders_service *self, struct rpc_call *call, const struct answers_key *key,
		  OrderRecord *record, Order **ret)
{
	const OrderRecordAttempt *attempt = attempt_with(record, key);
	int r;

	if (attempt->body_hash.len != sizeof(key->body_hash) ||
	    memcmp(attempt->body_hash.data, key->body_hash, sizeof(key->body_hash)))
		return rpc_fail(call, REQUEST_ID_REUSED, { "requestId", key->request_id });
	if (record->order->state == ORDER_STATE_PAYING &&
	    attempt->state != ORDER_RECORD_ATTEMPT_STATE_AWAITING_CUSTOMER) {
		if (clock_ms(record->next_look_time) > rpc_now_ms(call))
			return answers_in_progress(call, key);
		r = order_lease(call, record, rpc_now_ms(call) + self->lease);
		if (r)
			return r == MONGO_NOT_MATCHED ? answers_in_progress(call, key) : r;
		r = saga_drive(self, call, &record);
		if (r && r != SAGA_WAITS && record->order->state == ORDER_STATE_PAYING)
			return r;
	}
	rpc_set_header(call, "http-idempotent-replayed", "true");
	return answer(call, key, record, ret);
}

static int check(struct rpc_call *call, const PayOrderRequest *req, const OrderRecord *record)
{
	const Order *order = record->order;

	if (order->state == ORDER_STATE_PAYING)
		return paying(call, order);
	if (order->state != ORDER_STATE_AWAITING_PAYMENT)
		return not_payable(call, order);
	if (record->n_attempts >= ORDERS_ATTEMPTS_MAX)
		return rpc_fail(call, PAYMENT_EXHAUSTED, { "payment", order->payment },
				{ "max", rpc_printf(call, "%d", ORDERS_ATTEMPTS_MAX) },
				{ "what", "tries" });
	return etag_check(call, order->name, req->etag, record->version);
}

static int claim(struct orders_service *self, struct rpc_call *call, const PayOrderRequest *req,
		 const struct answers_key *key, OrderRecord **record)
{
	OrderRecordAttempt *attempt =
		rpc_new(call, OrderRecordAttempt, .request_key = key->key,
			.payment_method = req->payment_method, .return_uri = req->return_uri);
	OrderRecord *draft = order_draft(call, *record);

	attempt->body_hash = (ProtobufCBinaryData){ .data = rpc_memdup(call, key->body_hash,
								       sizeof(key->body_hash)),
						    .len = sizeof(key->body_hash) };
	saga_begin_payment(self, call, draft, attempt);
	return saga_save(self, call, record, &(const struct saga_move){ .draft = draft });
}

/* Whoever pays has mostly been answered with the order just now. What this process has saved last is
 * enough to claim it, which fails if it was not the last; what would be refused is read. */
static OrderRecord *payable(struct rpc_call *call, const PayOrderRequest *req)
{
	OrderRecord *record = (OrderRecord *)recent_find(&orders_recent, call, name_id(req->name));

	return record && rpc_caller_is(call, record->order->user) &&
			       record->order->state == ORDER_STATE_AWAITING_PAYMENT &&
			       !record->n_attempts && !*req->etag &&
			       rpc_now_ms(call) < clock_ms(record->order->payment_due_time)
		       ? record
		       : NULL;
}

int orders_pay_order(struct orders_service *self, struct rpc_call *call, const PayOrderRequest *req,
		     Order **ret)
{
	struct answers_key key;
	OrderRecord *record;
	int r;

	answers_key(call, req, &key);
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		record = attempt == 1 ? payable(call, req) : NULL;
		r = record ? 0 : orders_find(call, req->name, NULL, &record);
		if (r)
			return r;
		if (attempt_with(record, &key))
			return repeat(self, call, &key, record, ret);
		/* What is still being placed, or is overdue, is brought to where it belongs first.
		 */
		if (record->order->state <= ORDER_STATE_AWAITING_PAYMENT) {
			r = saga_drive(self, call, &record);
			if (r && record->order->state == ORDER_STATE_PENDING)
				return r;
		}
		r = check(call, req, record);
		if (r)
			return r;
		r = claim(self, call, req, &key, &record);
		if (r != MONGO_NOT_MATCHED)
			break;
	}
	if (r)
		return r;
	crash_point("orders.pay.after_claim");
	r = saga_drive(self, call, &record);
	/* What is left to do after the payment is the sweeper's. */
	if (r && r != SAGA_WAITS && record->order->state == ORDER_STATE_PAYING)
		return r;
	return answer(call, &key, record, ret);
}
