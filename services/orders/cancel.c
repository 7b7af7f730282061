/* Cancelling: the move to CANCELLING, or the reversal of some lines. Giving money and stock back is
 * the saga's. */
#include "errors.msg.h"
#include "saga.h"
#include <common/etag.h>
#include <common/money.h>
#include <common/names.h>
#include <string.h>

/* Whether the order can be cancelled, wholly or in part: nobody is paying it, and nothing has left.
 */
static int check(struct rpc_call *call, const Order *order)
{
	int r;

	if (order->state == ORDER_STATE_PAYING) {
		r = rpc_fail(call, ORDER_PAYING, { "order", order->name });
		rpc_retry_after(call, 1000);
		return r;
	}
	if (order->state == ORDER_STATE_AWAITING_PAYMENT)
		return 0;
	if (order->state != ORDER_STATE_CONFIRMED)
		return rpc_fail(call, ORDER_NOT_CANCELLABLE, { "order", order->name },
				{ "state", saga_state_name(order->state) });
	if (order->fulfilment_state != ORDER_FULFILMENT_STATE_UNFULFILLED)
		return rpc_fail(call, ORDER_NOT_CANCELLABLE, { "order", order->name },
				{ "state", "SHIPPED" });
	return 0;
}

/* Brings the order to where it can be judged: placed, or expired. */
static int settle(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	int r;

	if ((*record)->order->state > ORDER_STATE_AWAITING_PAYMENT)
		return 0;
	r = saga_drive(self, call, record);
	return (*record)->order->state == ORDER_STATE_PENDING ? r : 0;
}

static int claim(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		 const char *reason)
{
	OrderRecord *draft = order_draft(call, *record);

	saga_begin_cancellation(call, draft, *reason ? reason : "cancelled", reason);
	return saga_save(self, call, record, &(const struct saga_move){ .draft = draft });
}

/* Gives back what can be given back now; the sweeper does the rest. */
static int finish(struct orders_service *self, struct rpc_call *call, OrderRecord *record,
		  Order **ret)
{
	int r;

	r = saga_drive(self, call, &record);
	if (r < 0)
		return r;
	if (record->order->state == ORDER_STATE_CONFIRMED)
		return rpc_fail(call, ORDER_NOT_CANCELLABLE, { "order", record->order->name },
				{ "state", "SHIPPED" });
	*ret = orders_view(call, record);
	return 0;
}

int orders_cancel_order(struct orders_service *self, struct rpc_call *call,
			const CancelOrderRequest *req, Order **ret)
{
	OrderRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = orders_find(call, req->name, "orders.manage", &record);
		if (!r)
			r = settle(self, call, &record);
		if (r)
			return r;
		if (record->order->state == ORDER_STATE_CANCELLED) {
			*ret = orders_view(call, record);
			return 0;
		}
		if (record->order->state == ORDER_STATE_CANCELLING)
			return finish(self, call, record, ret);
		r = check(call, record->order);
		if (!r)
			r = etag_check(call, req->name, req->etag, record->version);
		if (!r)
			r = claim(self, call, &record, req->reason);
		if (r != MONGO_NOT_MATCHED)
			break;
	}
	if (r)
		return r;
	crash_point("orders.cancel.after_claim");
	return finish(self, call, record, ret);
}

/*
 * Some lines
 */

static OrderLine *line_named(const Order *order, const char *name)
{
	order_each_lines(line, order)
		if (!strcmp(name_id(line->name), name_id(name)))
			return line;
	return NULL;
}

/* The units of a line that the request wants cancelled; ORDER_LINE_NOT_FOUND. */
static int wanted(struct rpc_call *call, const Order *order,
		  const CancelOrderLinesRequestLine *asked, OrderLine **line, int32_t *ret)
{
	OrderLine *found = line_named(order, asked->line);
	int32_t left = found ? amounts_units_left(found) : 0;

	if (!left || asked->quantity > left)
		return rpc_fail(call, ORDER_LINE_NOT_FOUND, { "line", asked->line },
				{ "left", rpc_printf(call, "%d", left) });
	*line = found;
	*ret = asked->quantity ? asked->quantity : left;
	return 0;
}

static OrderRecordReversal *new_reversal(struct rpc_call *call, const struct answers_key *key,
					 const char *suffix)
{
	return rpc_new(
		call, OrderRecordReversal, .reversal_id = rpc_printf(call, "%s%s", key->id, suffix),
		.request_key = key->key,
		.body_hash = { .data = rpc_memdup(call, key->body_hash, sizeof(key->body_hash)),
			       .len = sizeof(key->body_hash) });
}

static void add_unit(struct rpc_call *call, OrderRecordReversal *reversal, const OrderLine *line,
		     int32_t quantity, Money *amount)
{
	order_record_reversal_add_units(call, reversal,
					rpc_new(call, OrderRecordReversalUnit,
						.line = name_id(line->name), .sku = line->sku,
						.quantity = quantity, .amount = amount));
}

/* Of a paid order: the units' part of the price comes back. */
static int reverse_paid(struct rpc_call *call, const CancelOrderLinesRequest *req,
			const struct answers_key *key, OrderRecord *draft)
{
	OrderRecordReversal *reversal = new_reversal(call, key, "");
	bool no_parcel = backorders_wait(draft->order);
	OrderLine *line;
	int32_t quantity;
	Money *part;
	int r;

	for (size_t i = 0; i < req->n_lines; i++) {
		r = wanted(call, draft->order, req->lines[i], &line, &quantity);
		if (!r)
			r = amounts_refund(call, line, quantity, &part);
		if (!r)
			r = money_sum(call, reversal->amount, part, &reversal->amount);
		if (r)
			return r;
		add_unit(call, reversal, line, quantity, part);
		line->cancelled_quantity += quantity;
		backorders_cancel(line, quantity);
	}
	reversal->money_done =
		!amounts_minor(reversal->amount); /* what cost nothing gives nothing back */
	order_record_add_reversals(call, draft, reversal);
	reversal->shipment_done = no_parcel;
	if (no_parcel) {
		step_begin(call, draft->order, ORDER_STEP_KIND_REFUND);
		step_begin(call, draft->order, ORDER_STEP_KIND_RESTOCK);
	} else {
		step_begin(call, draft->order, ORDER_STEP_KIND_RECALL);
	}
	return 0;
}

/*
 * Of an unpaid order: it costs less. A line that goes as a whole leaves the reservation; of a line
 * of which some units stay, the reservation, which knows lines only, is sold as it is and the
 * cancelled units are put back then.
 */
static int reprice_unpaid(struct rpc_call *call, const CancelOrderLinesRequest *req,
			  const struct answers_key *key, OrderRecord *draft,
			  OrderRecordReversal *told)
{
	OrderRecordReversal *later = new_reversal(call, key, ".sold");
	OrderLine *line;
	int32_t quantity;
	int64_t discount;
	int r;

	later->money_done = later->shipment_done = true;
	for (size_t i = 0; i < req->n_lines; i++) {
		r = wanted(call, draft->order, req->lines[i], &line, &quantity);
		if (!r)
			r = money_part(amounts_minor(line->discount),
				       amounts_units_left(line) - quantity,
				       amounts_units_left(line), &discount);
		if (r)
			return r;
		line->discount = money_new(call, draft->order->currency_code, discount);
		line->cancelled_quantity += quantity;
		backorders_cancel(line, quantity);
		add_unit(call, told, line, quantity, NULL);
		if (amounts_units_left(line))
			add_unit(call, later, line, quantity, NULL);
		else
			reversal_drop_line(draft, line);
	}
	if (later->n_units)
		order_record_add_reversals(call, draft, later);
	draft->contents_hash =
		(ProtobufCBinaryData){ 0 }; /* it is not what the cart holds any more */
	return amounts_add_up(call, draft->order);
}

static bool nothing_left(const Order *order)
{
	order_each_lines(line, order)
		if (amounts_units_left(line))
			return false;
	return true;
}

/* Nothing is left: the whole order goes, shipping with it. */
static OrderRecord *draft_of_all(struct rpc_call *call, const CancelOrderLinesRequest *req,
				 const struct answers_key *key, const OrderRecord *record)
{
	const OrderRecordReversal *of_request = new_reversal(call, key, "");
	OrderRecord *draft = order_draft(call, record);
	size_t before = draft->n_reversals;

	saga_begin_cancellation(call, draft, *req->reason ? req->reason : "cancelled", req->reason);
	if (draft->n_reversals > before) {
		draft->reversals[before]->request_key = of_request->request_key;
		draft->reversals[before]->body_hash = of_request->body_hash;
	}
	return draft;
}

static int claim_lines(struct orders_service *self, struct rpc_call *call,
		       const CancelOrderLinesRequest *req, const struct answers_key *key,
		       OrderRecord **record)
{
	OrderRecordReversal *told = rpc_new(call, OrderRecordReversal);
	OrderRecord *draft = order_draft(call, *record);
	bool paid = draft->order->state == ORDER_STATE_CONFIRMED;
	struct rpc_event *event = NULL;
	int r;

	if (draft->n_reversals + 1 >= ORDERS_REVERSALS_MAX)
		return rpc_fail_code(call, RPC_RESOURCE_EXHAUSTED,
				     "The order has been cancelled in part %d times.",
				     ORDERS_REVERSALS_MAX);
	r = paid ? reverse_paid(call, req, key, draft)
		 : reprice_unpaid(call, req, key, draft, told);
	if (r)
		return r;
	if (nothing_left(draft->order)) {
		draft = draft_of_all(call, req, key, *record);
	} else {
		history_add(call, draft->order, 0,
			    *req->reason ? req->reason : "some units were cancelled");
		if (!paid)
			event = announce_lines_cancelled(call, draft, told);
	}
	return saga_save(
		self, call, record,
		&(const struct saga_move){ .draft = draft,
					   .events = event ? EVENTS(event) : NULL,
					   .answer = answers_store(call, key, (Order *)NULL) });
}

/* Done by this request or an earlier one: gives back what can be given back now, and answers what
 * became of it. */
static int finish_lines(struct orders_service *self, struct rpc_call *call,
			const struct answers_key *key, OrderRecord *record, Order **ret)
{
	Order *none;
	int r;

	r = saga_drive(self, call, &record);
	if (r < 0)
		return r;
	/* A carrier that was faster has turned the answer into a refusal. */
	r = order_read(call, record->id, &record);
	if (!r)
		r = answers_find(call, key, record, &Order_descriptor, &none);
	if (r && r != ANSWERS_NONE)
		return r;
	*ret = orders_view(call, record);
	return 0;
}

/* A recall of some units finds its parcel only when there is one. */
static int ship_first(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	int r;

	if (!step_is((*record)->order, ORDER_STEP_KIND_SHIP, ORDER_STEP_STATE_RUNNING) ||
	    backorders_wait((*record)->order))
		return 0;
	r = saga_drive(self, call, record);
	return step_is((*record)->order, ORDER_STEP_KIND_SHIP, ORDER_STEP_STATE_RUNNING) ? r : 0;
}

static int check_lines(struct rpc_call *call, const CancelOrderLinesRequest *req,
		       const OrderRecord *record)
{
	for (size_t i = 0; i < req->n_lines; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(name_id(req->lines[i]->line), name_id(req->lines[j]->line))) {
				rpc_violate(call, rpc_printf(call, "lines[%zu].line", i),
					    "stands in the request twice");
				return rpc_violations(call);
			}
	return etag_check(call, req->name, req->etag, record->version);
}

int orders_cancel_order_lines(struct orders_service *self, struct rpc_call *call,
			      const CancelOrderLinesRequest *req, Order **ret)
{
	struct answers_key key;
	OrderRecord *record;
	Order *first;
	int r;

	answers_key(call, req, &key);
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = orders_find(call, req->name, "orders.manage", &record);
		if (r)
			return r;
		r = answers_find(call, &key, record, &Order_descriptor, &first);
		if (!r)
			return finish_lines(self, call, &key, record, ret);
		if (r != ANSWERS_NONE)
			return r;
		r = settle(self, call, &record);
		if (!r)
			r = check(call, record->order);
		if (!r)
			r = check_lines(call, req, record);
		if (!r)
			r = ship_first(self, call, &record);
		if (!r)
			r = claim_lines(self, call, req, &key, &record);
		if (r != MONGO_NOT_MATCHED)
			break;
	}
	if (r)
		return r;
	crash_point("orders.cancel.after_lines_claim");
	/* What fails now is released when the rest is sold. */
	if (record->order->state == ORDER_STATE_AWAITING_PAYMENT)
		undo_cancelled_lines(self, call, record->order);
	return finish_lines(self, call, &key, record, ret);
}
