/*
 * Paying: authorise, sell the reserved stock, capture; saga.c says what holds at each step.
 *
 * The three go through without a write in between: each is named by the order, so whoever comes
 * after a crash does them again from the step that was stored, and each peer knows what it has
 * done. A draft notes on the way what is done, and is stored when the money is taken or when
 * something is in the way.
 *
 * A try that failed leaves an order that another card can pay. Once the amount is held there is no
 * way back to that: stock that cannot be sold any more, or money that cannot be captured, end in
 * abandon().
 */
#include "errors.msg.h"
#include "payments.msg.h"
#include "saga.h"
#include <common/clock.h>
#include <common/names.h>
#include <string.h>

enum {
	GO_ON = 410, /* the step is done, which only the draft says */

	LOOK_AT_PROVIDER_MS = 3000,  /* the provider works on it, and no event has come */
	LOOK_AT_CUSTOMER_MS = 15000, /* the customer is at the bank's page */
	GRACE_MS = 10 * 60000,       /* more for who is at it: for another card after a decline */
};

void saga_hold_longer(struct orders_service *self, struct rpc_call *call, OrderRecord *draft)
{
	int64_t due = rpc_now_ms(call) + (self->ttl < GRACE_MS ? self->ttl : GRACE_MS);
	int64_t last = clock_ms(draft->reservation_expire_time) - GRACE_MS;

	if (due > last)
		due = last;
	if (due > clock_ms(draft->order->payment_due_time))
		draft->order->payment_due_time = clock_timestamp(call, due);
}

void saga_begin_payment(struct orders_service *self, struct rpc_call *call, OrderRecord *draft,
			OrderRecordAttempt *attempt)
{
	Order *order = draft->order;

	/* Whoever is paying gets the time for another card. */
	saga_hold_longer(self, call, draft);
	attempt->number = (int32_t)draft->n_attempts + 1;
	attempt->state = ORDER_RECORD_ATTEMPT_STATE_RUNNING;
	attempt->create_time = clock_now(call);
	order_record_add_attempts(call, draft, attempt);
	order->payment = name_of(call, "payments", draft->id);
	step_begin(call, order, ORDER_STEP_KIND_AUTHORIZE);
	history_add(call, order, ORDER_STATE_PAYING, "");
}

static OrderRecordAttempt *attempt_of(const OrderRecord *record)
{
	return record->attempts[record->n_attempts - 1];
}

static void end_attempt(OrderRecord *draft, OrderRecordAttemptState state)
{
	OrderRecordAttempt *attempt = attempt_of(draft);

	/* The token has served. */
	attempt->payment_method = attempt->return_uri = "";
	attempt->state = state;
	draft->order->next_action = NULL;
}

static const struct stored_answer *refusal_of_payment(struct rpc_call *call,
						      const OrderRecord *record)
{
	struct answers_key key =
		saga_key_of(attempt_of(record)->request_key, attempt_of(record)->body_hash);

	return answers_store_error(call, &key);
}

/* The try failed, and another may follow. The error that is recorded in `call` is the answer. */
static int decline(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		   OrderRecord *draft, const char *decline_code)
{
	end_attempt(draft, ORDER_RECORD_ATTEMPT_STATE_FAILED);
	attempt_of(draft)->decline_code = decline_code;
	draft->order->payment_state = ORDER_PAYMENT_STATE_UNPAID;
	step_end(call, draft->order, ORDER_STEP_KIND_AUTHORIZE, ORDER_STEP_STATE_FAILED,
		 saga_error_name(call, rpc_error_code(call)));
	history_add(call, draft->order, ORDER_STATE_AWAITING_PAYMENT,
		    rpc_printf(call, "the payment was declined (%s)", decline_code));
	return saga_save(self, call, record,
			 &(const struct saga_move){ .draft = draft,
						    .answer = refusal_of_payment(call, *record) });
}

/* The payment cannot come to a good end. The error that is recorded in `call` is the answer. */
static int abandon(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		   OrderRecord *draft, OrderStepKind kind, const char *note)
{
	const char *reason = saga_error_name(call, rpc_error_code(call));

	step_end(call, draft->order, kind, ORDER_STEP_STATE_FAILED, reason);
	end_attempt(draft, ORDER_RECORD_ATTEMPT_STATE_FAILED);
	saga_begin_cancellation(call, draft, reason, note);
	return saga_save(self, call, record,
			 &(const struct saga_move){ .draft = draft,
						    .answer = refusal_of_payment(call, *record) });
}

static int authorized(struct rpc_call *call, OrderRecord *draft)
{
	end_attempt(draft, ORDER_RECORD_ATTEMPT_STATE_AUTHORIZED);
	draft->order->payment_state = ORDER_PAYMENT_STATE_AUTHORIZED;
	step_end(call, draft->order, ORDER_STEP_KIND_AUTHORIZE, ORDER_STEP_STATE_DONE, "");
	step_begin(call, draft->order, ORDER_STEP_KIND_COMMIT);
	history_add(call, draft->order, 0, "");
	return GO_ON;
}

/* The customer or the provider must do something first. */
static int wait_for_customer(struct orders_service *self, struct rpc_call *call,
			     OrderRecord **record, OrderRecord *draft, const Payment *payment)
{
	bool action = payment->state == PAYMENT_STATE_REQUIRES_ACTION;
	int64_t pause = action ? LOOK_AT_CUSTOMER_MS : LOOK_AT_PROVIDER_MS;
	const char *uri = action ? payment->redirect_uri : "";
	const OrderNextAction *known = (*record)->order->next_action;
	int r;

	if (rpc_now_ms(call) >= clock_ms((*record)->order->payment_due_time))
		return saga_expire(self, call, record);
	if (!strcmp(known ? known->redirect_uri : "", uri))
		return saga_look_again(call, *record, pause);
	draft->order->next_action =
		*uri ? rpc_new(call, OrderNextAction, .redirect_uri = rpc_strdup(call, uri)) : NULL;
	attempt_of(draft)->state = action ? ORDER_RECORD_ATTEMPT_STATE_AWAITING_CUSTOMER
					  : ORDER_RECORD_ATTEMPT_STATE_RUNNING;
	r = saga_save(
		self, call, record,
		&(const struct saga_move){ .draft = draft, .look = rpc_now_ms(call) + pause });
	return r ? r : SAGA_WAITS;
}

static int not_payable(struct rpc_call *call, const Order *order)
{
	return rpc_fail(call, ORDER_NOT_PAYABLE, { "order", order->name },
			{ "state", "CANCELLED" });
}

static int closed(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		  OrderRecord *draft)
{
	not_payable(call, draft->order);
	return abandon(self, call, record, draft, ORDER_STEP_KIND_AUTHORIZE,
		       "the payment was closed");
}

static int declined(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		    OrderRecord *draft, const Payment *payment)
{
	const char *code =
		payment->n_attempts ? payment->attempts[payment->n_attempts - 1]->decline_code : "";

	/* The amount was held once, so that the stock may be sold: whoever saw it did not come to
	 * say so. */
	if (payment->authorize_time)
		return closed(self, call, record, draft);
	if (!*code)
		code = "declined";
	rpc_fail(call, ORDER_PAYMENT_DECLINED, { "order", (*record)->order->name },
		 { "declineCode", code });
	return decline(self, call, record, draft, rpc_strdup(call, code));
}

static int authorize(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		     OrderRecord *draft)
{
	const Order *order = (*record)->order;
	const OrderRecordAttempt *attempt = attempt_of(*record);
	Payment *payment;
	int r;

	r = payments_client_authorize_payment(
		self->payments, call,
		MSG(AuthorizePaymentRequest, .order = order->name, .user = order->user,
		    .amount = order->totals->total, .payment_method = attempt->payment_method,
		    .return_uri = attempt->return_uri,
		    .request_id = rpc_printf(call, "%s.%d", (*record)->id, attempt->number)),
		&payment);
	if (rpc_failed_with(call, PAYMENT_CLOSED) && r)
		return closed(self, call, record, draft);
	if (saga_is_refusal(r) ||
	    (r && (rpc_failed_with(call, PAYMENT_EXHAUSTED) || rpc_failed_with(call, NOT_OWNER))))
		return decline(self, call, record, draft, "refused");
	if (r)
		return saga_postpone_draft(self, call, record, draft, ORDER_STEP_KIND_AUTHORIZE, r);
	crash_point("orders.pay.after_authorize");
	switch (payment->state) {
	case PAYMENT_STATE_REQUIRES_CAPTURE:
	case PAYMENT_STATE_SUCCEEDED:
		return authorized(call, draft);
	case PAYMENT_STATE_REQUIRES_PAYMENT_METHOD:
		return declined(self, call, record, draft, payment);
	case PAYMENT_STATE_CANCELED:
		return closed(self, call, record, draft);
	default:
		return wait_for_customer(self, call, record, draft, payment);
	}
}

/* What the reservation holds: lines that were cancelled as a whole are released. */
static const CommitReservationRequest *commit_request(struct rpc_call *call,
						      const OrderRecord *record)
{
	CommitReservationRequest *request =
		rpc_new(call, CommitReservationRequest, .order = record->order->name);

	order_each_lines(line, record->order)
		if (amounts_units_left(line))
			commit_reservation_request_add_lines(call, request,
							     rpc_new(call, StockLine,
								     .sku = line->sku,
								     .quantity = line->quantity));
	return request;
}

static int commit(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		  OrderRecord *draft)
{
	CommitReservationResponse *response;
	int r;

	r = undo_cancelled_lines(self, call, (*record)->order);
	if (!r)
		r = inventory_client_commit_reservation(self->inventory, call,
							commit_request(call, *record), &response);
	if (r && !saga_is_refusal(r))
		return saga_postpone_draft(self, call, record, draft, ORDER_STEP_KIND_COMMIT, r);
	crash_point("orders.pay.after_commit");
	if (r || response->n_missing_skus) {
		rpc_fail(call, ORDER_STOCK_LOST, { "order", (*record)->order->name });
		return abandon(self, call, record, draft, ORDER_STEP_KIND_COMMIT,
			       "the reserved stock was gone");
	}
	step_end(call, draft->order, ORDER_STEP_KIND_COMMIT, ORDER_STEP_STATE_DONE, "");
	step_begin(call, draft->order, ORDER_STEP_KIND_CAPTURE);
	return GO_ON;
}

static int captured(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		    OrderRecord *draft)
{
	Order *order = draft->order;
	int r;

	draft->open_cart = "";
	order->payment_state = ORDER_PAYMENT_STATE_PAID;
	order->totals->paid = order->totals->total;
	order->pay_time = order->update_time = clock_now(call);
	step_end(call, order, ORDER_STEP_KIND_CAPTURE, ORDER_STEP_STATE_DONE, "");
	step_begin(call, order, ORDER_STEP_KIND_SHIP);
	/* Units that were cancelled before are sold with the rest, and go back now. */
	if (undo_is_pending(draft))
		step_begin(call, order, ORDER_STEP_KIND_RESTOCK);
	history_add(call, order, ORDER_STATE_CONFIRMED, "");
	r = saga_save(self, call, record,
		      &(const struct saga_move){ .draft = draft,
						 .events = EVENTS(announce_paid(call, draft)) });
	if (r)
		return r;
	crash_point("orders.pay.before_shipments");
	/* Who has paid need not wait for what the carrier says. */
	if (!self->hands)
		return 0;
	hands_give(self->hands, call, &(*record)->base);
	return SAGA_WAITS;
}

static int capture(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		   OrderRecord *draft)
{
	const Order *order = draft->order;
	Payment *payment;
	int r;

	r = payments_client_capture_payment(
		self->payments, call,
		MSG(CapturePaymentRequest, .name = order->payment, .amount = order->totals->total,
		    .request_id = rpc_printf(call, "%s.capture", (*record)->id)),
		&payment);
	if (saga_is_refusal(r)) {
		not_payable(call, order);
		return abandon(self, call, record, draft, ORDER_STEP_KIND_CAPTURE,
			       "the amount could not be captured");
	}
	if (r)
		return saga_postpone_draft(self, call, record, draft, ORDER_STEP_KIND_CAPTURE, r);
	crash_point("orders.pay.after_capture");
	if (payment->state != PAYMENT_STATE_SUCCEEDED)
		return saga_look_again(call, *record, LOOK_AT_PROVIDER_MS);
	return captured(self, call, record, draft);
}

int saga_pay(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	OrderRecord *draft = order_draft(call, *record);
	int r = GO_ON;

	if (step_is(draft->order, ORDER_STEP_KIND_AUTHORIZE, ORDER_STEP_STATE_RUNNING))
		r = authorize(self, call, record, draft);
	if (r == GO_ON && step_is(draft->order, ORDER_STEP_KIND_COMMIT, ORDER_STEP_STATE_RUNNING))
		r = commit(self, call, record, draft);
	return r == GO_ON ? capture(self, call, record, draft) : r;
}
