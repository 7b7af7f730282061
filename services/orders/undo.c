/*
 * The way back: money and stock of what will not be delivered.
 *
 * An order that was never paid has the steps VOID (if a payment was tried) and RELEASE. What is
 * taken back of a paid order is a reversal, of the whole order or of some units: its parcels are
 * recalled first, which may be refused and then undoes the reversal itself; then money and stock go
 * back, neither waiting for the other.
 *
 *   1. A reversal's id names its recall, its refund and its restocking, so that each happens once.
 *   2. A refund that the provider has refused for good is asked for anew under another name, until
 *      the money is back.
 *   3. An order ends by the update in which the last of these is noted as done, never before.
 */
#include "payments.msg.h"
#include "saga.h"
#include "shipping.msg.h"
#include <common/clock.h>
#include <common/money.h>
#include <string.h>

enum { LOOK_AT_REFUND_MS = 15000, REFUND_PAUSE_MS = 60000, REFUND_PAUSE_MAX_MS = 6 * 3600000 };

static bool runs(const OrderRecord *record, OrderStepKind kind)
{
	return step_is(record->order, kind, ORDER_STEP_STATE_RUNNING);
}

bool undo_is_pending(const OrderRecord *record)
{
	return reversal_next(record) || runs(record, ORDER_STEP_KIND_VOID) ||
	       runs(record, ORDER_STEP_KIND_RELEASE);
}

void undo_begin(struct rpc_call *call, OrderRecord *draft)
{
	Order *order = draft->order;

	if (!order->pay_time) {
		if (draft->n_attempts)
			step_begin(call, order, ORDER_STEP_KIND_VOID);
		step_begin(call, order, ORDER_STEP_KIND_RELEASE);
		return;
	}
	reversal_take_rest(call, order, reversal_add_of_all(call, draft));
	step_begin(call, order, ORDER_STEP_KIND_RECALL);
}

/* --- saving --- */

/* The draft is the last step back: the order has reached its end with it. */
static struct rpc_event *finish(struct rpc_call *call, OrderRecord *draft)
{
	if (undo_is_pending(draft))
		return NULL;
	if (draft->order->state != ORDER_STATE_CONFIRMED)
		backorders_note(call, draft->order, NULL, 0);
	if (draft->order->state == ORDER_STATE_EXPIRED)
		return announce_expired(call, draft);
	if (draft->order->state != ORDER_STATE_CANCELLING)
		return saga_complete(call, draft);
	history_add(call, draft->order, ORDER_STATE_CANCELLED, "");
	return announce_cancelled(call, draft);
}

/* `told` is the reversal, of a paid order that goes on, that has ended with this; or NULL. */
static int save(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		OrderRecord *draft, const OrderRecordReversal *told)
{
	struct rpc_event *events[3] = { 0 };
	size_t n = 0;

	if (told && reversal_is_done(told) && told->amount &&
	    draft->order->state == ORDER_STATE_CONFIRMED)
		events[n++] = announce_lines_cancelled(call, draft, told);
	events[n] = finish(call, draft);
	return saga_save(self, call, record,
			 &(const struct saga_move){ .draft = draft, .events = events });
}

/* --- parcels --- */

static const RecallShipmentsRequest *recall_request(struct rpc_call *call,
						    const OrderRecord *record,
						    const OrderRecordReversal *reversal)
{
	const Order *order = record->order;
	RecallShipmentsRequest *request =
		rpc_new(call, RecallShipmentsRequest, .order = order->name);

	if (reversal_is_of_all(reversal))
		return request;
	request->request_id = rpc_printf(call, "%s.%s", record->id, reversal->reversal_id);
	for (size_t i = 0; i < reversal->n_units; i++)
		recall_shipments_request_add_lines(
			call, request,
			rpc_new(call, CreateShipmentsRequestLine, .sku = reversal->units[i]->sku,
				.line = rpc_printf(call, "%s/lines/%s", order->name,
						   reversal->units[i]->line),
				.quantity = reversal->units[i]->quantity));
	return request;
}

/* The carrier was faster: the order goes on as if nothing had been asked. */
static int give_up(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		   const OrderRecordReversal *reversal)
{
	OrderRecord *draft = order_draft(call, *record);
	struct answers_key key = saga_key_of(reversal->request_key, reversal->body_hash);
	bool whole = reversal_is_of_all(reversal);
	OrderRecordReversal *all;

	step_end(call, draft->order, ORDER_STEP_KIND_RECALL, ORDER_STEP_STATE_FAILED,
		 saga_error_name(call, rpc_error_code(call)));
	reversal_remove(draft, reversal);
	if (whole) {
		draft->order->cancel_time = NULL;
		draft->order->cancel_reason = "";
	} else {
		reversal_restore_units(draft, reversal);
	}
	/* It is being cancelled whole meanwhile: the units go with it. */
	all = reversal_of_all(draft);
	if (all) {
		reversal_take_rest(call, draft->order, all);
		step_begin(call, draft->order, ORDER_STEP_KIND_RECALL);
	}
	history_add(call, draft->order, whole ? ORDER_STATE_CONFIRMED : 0,
		    "the carrier has it already, so nothing was cancelled");
	rpc_fail(call, ORDER_NOT_CANCELLABLE, { "order", draft->order->name },
		 { "state", "SHIPPED" });
	return saga_save(self, call, record,
			 &(const struct saga_move){ .draft = draft,
						    .events = EVENTS(saga_complete(call, draft)),
						    .answer = answers_store_error(call, &key) });
}

static int recall(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		  const OrderRecordReversal *reversal)
{
	RecallShipmentsResponse *response;
	OrderRecord *draft;
	int r;

	r = shipping_client_recall_shipments(self->shipping, call,
					     recall_request(call, *record, reversal), &response);
	if (saga_is_refusal(r))
		return give_up(self, call, record, reversal);
	if (r)
		return saga_postpone(self, call, record, ORDER_STEP_KIND_RECALL, r);
	crash_point("orders.cancel.after_recall");
	draft = order_draft(call, *record);
	reversal_same(draft, reversal)->shipment_done = true;
	step_end(call, draft->order, ORDER_STEP_KIND_RECALL, ORDER_STEP_STATE_DONE, "");
	/* A shipment that was being made is none any more. */
	step_end(call, draft->order, ORDER_STEP_KIND_SHIP, ORDER_STEP_STATE_FAILED, "RECALLED");
	step_begin(call, draft->order, ORDER_STEP_KIND_REFUND);
	step_begin(call, draft->order, ORDER_STEP_KIND_RESTOCK);
	shipments_take_all(call, draft, response->shipments, response->n_shipments);
	return save(self, call, record, draft, NULL);
}

/* --- money --- */

static const CreateRefundRequest *refund_request(struct rpc_call *call, const OrderRecord *record,
						 const OrderRecordReversal *reversal)
{
	Refund *refund = rpc_new(call, Refund, .amount = reversal->amount,
				 .reason = REFUND_REASON_ORDER_CANCELLED);

	for (size_t i = 0; reversal->amount && i < reversal->n_units; i++)
		refund_add_lines(
			call, refund,
			rpc_new(call, RefundLine, .quantity = reversal->units[i]->quantity,
				.line = rpc_printf(call, "%s/lines/%s", record->order->name,
						   reversal->units[i]->line),
				.amount = reversal->units[i]->amount));
	return rpc_new(call, CreateRefundRequest, .parent = record->order->payment,
		       .refund = refund,
		       .request_id = rpc_printf(call, "%s.%s.%d", record->id, reversal->reversal_id,
						reversal->refunds_failed));
}

static int refunded(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		    const OrderRecordReversal *reversal, const Money *amount)
{
	OrderRecord *draft = order_draft(call, *record);
	OrderRecordReversal *done = reversal_same(draft, reversal);

	done->money_done = true;
	if (amount)
		done->amount = (Money *)rpc_message_copy(rpc_arena(call), &amount->base);
	reversal_note_refunded(call, draft);
	step_end(call, draft->order, ORDER_STEP_KIND_REFUND, ORDER_STEP_STATE_DONE, "");
	history_add(call, draft->order, 0, "refunded");
	return save(self, call, record, draft, done);
}

/* The provider has refused this refund for good; the next one has another name, and all that is
 * left if less is left than we want. */
static int refund_anew(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		       const OrderRecordReversal *reversal, const char *why, bool all)
{
	OrderRecord *draft = order_draft(call, *record);
	OrderRecordReversal *again = reversal_same(draft, reversal);
	int64_t pause = REFUND_PAUSE_MS;
	int r;

	for (int32_t i = 0; i < again->refunds_failed && pause < REFUND_PAUSE_MAX_MS; i++)
		pause *= 2;
	again->refunds_failed++;
	if (all)
		again->amount = NULL;
	step_end(call, draft->order, ORDER_STEP_KIND_REFUND, ORDER_STEP_STATE_FAILED, why);
	step_begin(call, draft->order, ORDER_STEP_KIND_REFUND);
	r = saga_save(self, call, record,
		      &(const struct saga_move){ .draft = draft,
						 .look = all ? 0 : rpc_now_ms(call) + pause });
	return r || all ? r : SAGA_WAITS;
}

static int refund(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		  const OrderRecordReversal *reversal)
{
	Refund *refund;
	int r;

	r = payments_client_create_refund(self->payments, call,
					  refund_request(call, *record, reversal), &refund);
	if (r && rpc_failed_with(call, REFUND_TOO_LARGE) && reversal->amount)
		return refund_anew(self, call, record, reversal, "REFUND_TOO_LARGE", true);
	/* Staff have given it back already. */
	if (r && (rpc_failed_with(call, PAYMENT_NOT_REFUNDABLE) ||
		  rpc_failed_with(call, REFUND_TOO_LARGE)))
		return refunded(self, call, record, reversal,
				money_new(call, (*record)->order->currency_code, 0));
	if (r)
		return saga_postpone(self, call, record, ORDER_STEP_KIND_REFUND, r);
	crash_point("orders.cancel.after_refund");
	if (refund->state == REFUND_STATE_FAILED)
		return refund_anew(self, call, record, reversal,
				   rpc_strdup(call, refund->failure_code), false);
	if (refund->state == REFUND_STATE_SUCCEEDED)
		return refunded(self, call, record, reversal, refund->amount);
	r = order_lease(call, *record, rpc_now_ms(call) + LOOK_AT_REFUND_MS);
	return r && r != MONGO_NOT_MATCHED ? r : SAGA_WAITS;
}

/* It was captured after all: then it is given back. */
static int refund_instead(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	OrderRecord *draft = order_draft(call, *record);
	OrderRecordReversal *reversal = reversal_add_of_all(call, draft);
	Order *order = draft->order;

	reversal->shipment_done = reversal->stock_done = true;
	order->payment_state = ORDER_PAYMENT_STATE_PAID;
	order->totals->paid = order->totals->total;
	step_end(call, order, ORDER_STEP_KIND_VOID, ORDER_STEP_STATE_FAILED,
		 "PAYMENT_NOT_VOIDABLE");
	step_begin(call, order, ORDER_STEP_KIND_REFUND);
	return save(self, call, record, draft, NULL);
}

static int void_payment(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	OrderRecord *draft;
	Payment *payment;
	int r;

	r = payments_client_void_payment(
		self->payments, call,
		MSG(VoidPaymentRequest, .name = (*record)->order->payment,
		    .request_id = rpc_printf(call, "%s.void", (*record)->id)),
		&payment);
	if (r && rpc_failed_with(call, PAYMENT_NOT_VOIDABLE))
		return refund_instead(self, call, record);
	if (r)
		return saga_postpone(self, call, record, ORDER_STEP_KIND_VOID, r);
	crash_point("orders.cancel.after_void");
	draft = order_draft(call, *record);
	if (draft->order->payment_state == ORDER_PAYMENT_STATE_AUTHORIZED)
		draft->order->payment_state = ORDER_PAYMENT_STATE_VOIDED;
	step_end(call, draft->order, ORDER_STEP_KIND_VOID, ORDER_STEP_STATE_DONE, "");
	return save(self, call, record, draft, NULL);
}

/* --- stock --- */

static int put_back(struct orders_service *self, struct rpc_call *call, const OrderRecord *record,
		    RestockStockRequest *request, const char *what)
{
	RestockStockResponse *response;

	if (!request->n_lines)
		return 0;
	request->order = record->order->name;
	request->request_id = rpc_printf(call, "%s.%s", record->id, what);
	return inventory_client_restock_stock(self->inventory, call, request, &response);
}

static int restock(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		   const OrderRecordReversal *reversal)
{
	RestockStockRequest *request = rpc_new(call, RestockStockRequest);
	OrderRecordReversal *done;
	OrderRecord *draft;
	int r;

	for (size_t i = 0; i < reversal->n_units; i++)
		restock_stock_request_add_lines(call, request,
						rpc_new(call, StockLine,
							.sku = reversal->units[i]->sku,
							.quantity = reversal->units[i]->quantity));
	r = put_back(self, call, *record, request, reversal->reversal_id);
	if (r)
		return saga_postpone(self, call, record, ORDER_STEP_KIND_RESTOCK, r);
	crash_point("orders.cancel.after_restock");
	draft = order_draft(call, *record);
	done = reversal_same(draft, reversal);
	done->stock_done = true;
	step_end(call, draft->order, ORDER_STEP_KIND_RESTOCK, ORDER_STEP_STATE_DONE, "");
	return save(self, call, record, draft, done);
}

static bool is_among(const char *sku, const char *const *skus, size_t n_skus)
{
	for (size_t i = 0; i < n_skus; i++)
		if (!strcmp(skus[i], sku))
			return true;
	return false;
}

/* Reserved units become free; those that were sold meanwhile are put back. */
static int free_stock(struct orders_service *self, struct rpc_call *call, const OrderRecord *record)
{
	ReleaseReservationRequest *request =
		rpc_new(call, ReleaseReservationRequest, .order = record->order->name);
	RestockStockRequest *sold = rpc_new(call, RestockStockRequest);
	bool all_sold = step_is(record->order, ORDER_STEP_KIND_COMMIT, ORDER_STEP_STATE_DONE);
	ReleaseReservationResponse *response = NULL;
	int r;

	order_each_lines(line, record->order)
		release_reservation_request_add_skus(call, request, line->sku);
	r = all_sold ? 0
		     : inventory_client_release_reservation(self->inventory, call, request,
							    &response);
	if (r)
		return r;
	order_each_lines(line, record->order)
		if (amounts_units_left(line) &&
		    (all_sold || is_among(line->sku, (const char *const *)response->committed_skus,
					  response->n_committed_skus)))
			restock_stock_request_add_lines(call, sold,
							rpc_new(call, StockLine, .sku = line->sku,
								.quantity = line->quantity));
	return put_back(self, call, record, sold, "release");
}

int undo_cancelled_lines(struct orders_service *self, struct rpc_call *call, const Order *order)
{
	ReleaseReservationRequest *request =
		rpc_new(call, ReleaseReservationRequest, .order = order->name);
	ReleaseReservationResponse *response;

	order_each_lines(line, order)
		if (!amounts_units_left(line))
			release_reservation_request_add_skus(call, request, line->sku);
	return request->n_skus ? inventory_client_release_reservation(self->inventory, call,
								      request, &response)
			       : 0;
}

int undo_reservation(struct orders_service *self, struct rpc_call *call, const OrderRecord *record)
{
	return free_stock(self, call, record);
}

static int release(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	OrderRecord *draft;
	int r;

	r = free_stock(self, call, *record);
	if (r)
		return saga_postpone(self, call, record, ORDER_STEP_KIND_RELEASE, r);
	crash_point("orders.cancel.after_release");
	draft = order_draft(call, *record);
	/* Units that were cancelled before payment are among them. */
	order_record_each_reversals(reversal, draft)
		reversal->stock_done = true;
	step_end(call, draft->order, ORDER_STEP_KIND_RELEASE, ORDER_STEP_STATE_DONE, "");
	return save(self, call, record, draft, NULL);
}

/* --- one step --- */

static int advance_money(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	const OrderRecordReversal *reversal = reversal_next(*record);

	if (reversal && !reversal->money_done)
		return refund(self, call, record, reversal);
	if (runs(*record, ORDER_STEP_KIND_VOID))
		return void_payment(self, call, record);
	return SAGA_DONE;
}

static int advance_stock(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	const OrderRecordReversal *reversal = reversal_next(*record);

	if (runs(*record, ORDER_STEP_KIND_RELEASE))
		return release(self, call, record);
	if (reversal && !reversal->stock_done)
		return restock(self, call, record, reversal);
	return SAGA_DONE;
}

int undo_advance(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	const OrderRecordReversal *reversal = reversal_next(*record);
	int money, stock;

	if (reversal && !reversal->shipment_done)
		return recall(self, call, record, reversal);
	money = advance_money(self, call, record);
	if (!money || money == MONGO_NOT_MATCHED)
		return money;
	stock = advance_stock(self, call, record);
	if (stock == SAGA_DONE && money != SAGA_DONE)
		return money;
	return stock;
}
