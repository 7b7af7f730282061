/*
 * The saga: what becomes of an order, one conditional update at a time.
 *
 * Invariants, under any number of replicas, repeats and crashes:
 *   1. The order's document alone decides. A move is one update with the version that was read in
 *      its filter (order_save), so of all who would move an order from one state one wins, and the
 *      others read again.
 *   2. The document says what is going to be done before it is done: a step is RUNNING in it before
 *      its peer is called, and ends by the update that begins the next one. Steps that follow each
 *      other anyway may do so without an update in between (paying.c). After a crash anywhere the
 *      sweeper finds the order by `next_look_time` and goes on from the running step.
 *   3. Each call to a peer is named by the order (and the try, or the reversal), so that doing a
 *      step twice does its work once. A lease, `next_look_time` ahead of now, only saves double
 *      work; nothing depends on it.
 *   4. An order exists before stock is reserved, stock is reserved before money is asked for, the
 *      stock is sold before money is taken, and money is taken before anything is shipped.
 *   5. No parcel is asked for while a line has a backordered_quantity. It is noted before the order
 *      can be paid, and never below what inventory still owes of the units that are left; that the
 *      goods are all there is an update of its own before shipping is called. So who cancels lines
 *      of an order that waits knows by the version that no parcel holds them.
 *   6. An order that leaves towards CANCELLING or EXPIRED holds as steps and reversals all that
 *      must go back, and reaches CANCELLED, or stands still in EXPIRED, only when all of it is
 *      back. What goes back has a name too, and goes back once.
 *   7. An order is COMPLETED, and looked at no more, only when nothing of it is under way: what is
 *      being taken back of an order whose last parcel arrives keeps it CONFIRMED.
 *   8. `open_cart` is set exactly while the order can still be paid: from the moment in PENDING at
 *      which it takes its cart, in AWAITING_PAYMENT and PAYING. An order that has not taken its
 *      cart has reserved nothing. `basket` is set with it, and stays when the order is paid.
 *
 *     create_order, claim_cart
 *        v
 *     PENDING --reserve--> AWAITING_PAYMENT --pay_order--> PAYING --capture--> CONFIRMED
 *        |                   |  |      ^                   | | |                | |  ^
 *     reserve                |  |      +------decline------+ | |    take_shipment |  | recall
 *        v                   |  |                            | |                | |  | (the carrier
 *     REJECTED               |  |                            | |     COMPLETED <+ |  |  was faster)
 *                            |  |                            | +---abandon---+    v  |
 *                            |  +-------cancel_order---------|-------------+-> CANCELLING
 *                    wait_for_payment                        |                     |
 *                            v                               |             undo_advance
 *                         EXPIRED <----wait_for_customer-----+                     v
 *                                                                             CANCELLED
 *
 * The arrow from CONFIRMED to CANCELLING is cancel_order too. The steps of PAYING are authorize,
 * commit and capture (paying.c); of CONFIRMED ship; those of CANCELLING and EXPIRED are in undo.c.
 * A stock that is gone when it is to be sold (commit), and money that cannot be taken after all
 * (capture), end in abandon: void and restock.
 */
#include "saga.h"
#include <common/clock.h>
#include <common/names.h>
#include <string.h>

/*
 * Saving
 */

static int64_t next_look(struct orders_service *self, struct rpc_call *call,
			 const OrderRecord *draft)
{
	const Order *order = draft->order;

	switch (order->state) {
	case ORDER_STATE_PENDING:
	case ORDER_STATE_PAYING:
	case ORDER_STATE_CANCELLING:
		return rpc_now_ms(call) + self->lease;
	case ORDER_STATE_AWAITING_PAYMENT:
		return clock_ms(order->payment_due_time);
	case ORDER_STATE_CONFIRMED:
		if (step_is(order, ORDER_STEP_KIND_SHIP, ORDER_STEP_STATE_RUNNING))
			return rpc_now_ms(call) + self->lease;
		__attribute__((fallthrough));
	case ORDER_STATE_EXPIRED:
		return undo_is_pending(draft) ? rpc_now_ms(call) + self->lease : 0;
	default:
		return 0;
	}
}

struct recent orders_recent = RECENT_INIT(&OrderRecord_descriptor);

int saga_save(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
	      const struct saga_move *move)
{
	int64_t look = move->look ? move->look : next_look(self, call, move->draft);
	bool tells = move->events && *move->events;
	int r;

	move->draft->next_look_time = look ? clock_timestamp(call, look) : NULL;
	r = order_save(call, *record, move->draft, tells ? move->events : NULL, move->answer);
	if (r)
		return r;
	*record = move->draft;
	recent_note(&orders_recent, call, (*record)->id, &(*record)->base);
	orders_watch_wake((*record)->id);
	return 0;
}

int saga_look_again(struct rpc_call *call, OrderRecord *record, int64_t ms)
{
	int r = order_lease(call, record, rpc_now_ms(call) + ms);

	return r && r != MONGO_NOT_MATCHED ? r : SAGA_WAITS;
}

/*
 * PENDING
 */

static const ReserveStockRequest *reserve_request(struct rpc_call *call, const OrderRecord *record)
{
	ReserveStockRequest *request =
		rpc_new(call, ReserveStockRequest, .order = record->order->name,
			.expire_time = record->reservation_expire_time);

	order_each_lines(line, record->order)
		reserve_stock_request_add_lines(
			call, request,
			rpc_new(call, StockLine, .sku = line->sku, .quantity = line->quantity));
	return request;
}

static int short_of(struct rpc_call *call, const ReserveStockResponse *response)
{
	const StockShortage *first =
		response->n_shortages ? response->shortages[0] : rpc_new(call, StockShortage);
	const char *all = "";

	for (size_t i = 0; i < response->n_shortages; i++)
		all = rpc_printf(call, "%s%s%s=%d", all, i ? "," : "", response->shortages[i]->sku,
				 response->shortages[i]->available);
	return rpc_fail(call, ORDER_STOCK_INSUFFICIENT, { "sku", first->sku },
			{ "available", rpc_printf(call, "%d", first->available) },
			{ "requested", rpc_printf(call, "%d", first->requested) },
			{ "shortages", all });
}

struct answers_key saga_key_of(const char *request_key, ProtobufCBinaryData body_hash)
{
	struct answers_key key = { .request_id = request_key, .key = request_key, .id = "" };

	if (body_hash.len == sizeof(key.body_hash))
		memcpy(key.body_hash, body_hash.data, sizeof(key.body_hash));
	return key;
}

static const struct stored_answer *refusal_of_creation(struct rpc_call *call,
						       const OrderRecord *record)
{
	const StoredAnswer *first = record->n_answers ? record->answers[0] : NULL;
	struct answers_key key;

	if (!first)
		return NULL;
	key = saga_key_of(first->key, first->body_hash);
	return answers_store_error(call, &key);
}

/* The error that is recorded in `call` is the answer. */
static int reject(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	OrderRecord *draft = order_draft(call, *record);

	step_end(call, draft->order, ORDER_STEP_KIND_RESERVE, ORDER_STEP_STATE_FAILED,
		 saga_error_name(call, rpc_error_code(call)));
	order_leave_cart(draft);
	draft->order->cancel_time = clock_now(call);
	draft->order->cancel_reason = saga_error_name(call, rpc_error_code(call));
	history_add(call, draft->order, ORDER_STATE_REJECTED, "the stock could not be reserved");
	return saga_save(self, call, record,
			 &(const struct saga_move){ .draft = draft,
						    .answer = refusal_of_creation(call, *record) });
}

/* A line that was found short before a crash of inventory's has ended there: what it has reserved
 * of the others is given back. */
static int reject_ended(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	int r;

	r = undo_reservation(self, call, *record);
	if (r)
		return saga_postpone(self, call, record, ORDER_STEP_KIND_RESERVE, r);
	rpc_fail(call, ORDER_STOCK_LOST, { "order", (*record)->order->name });
	return reject(self, call, record);
}

static int open_for_payment(struct orders_service *self, struct rpc_call *call,
			    OrderRecord **record, const ReserveStockResponse *reserved)
{
	OrderRecord *draft = order_draft(call, *record);
	int r;

	backorders_note(call, draft->order, reserved->backorders, reserved->n_backorders);
	step_end(call, draft->order, ORDER_STEP_KIND_RESERVE, ORDER_STEP_STATE_DONE, "");
	history_add(call, draft->order, ORDER_STATE_AWAITING_PAYMENT, "");
	r = saga_save(self, call, record,
		      &(const struct saga_move){ .draft = draft,
						 .events = EVENTS(announce_created(call, draft)) });
	if (!r)
		crash_point("orders.create.after_open");
	return r;
}

static int reserve(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	const Order *order = (*record)->order;
	ReserveStockResponse *response;
	int r;

	/* It did not come so far as to take its cart, and will not be heard of. */
	if (!*(*record)->open_cart) {
		r = order_forget(call, *record);
		return r && r != MONGO_NOT_MATCHED ? r : SAGA_DONE;
	}
	if (rpc_now_ms(call) >= clock_ms(order->payment_due_time)) {
		r = undo_reservation(self, call, *record);
		if (r)
			return saga_postpone(self, call, record, ORDER_STEP_KIND_RESERVE, r);
		rpc_fail(call, ORDER_NOT_PAYABLE, { "order", order->name }, { "state", "EXPIRED" });
		return reject(self, call, record);
	}
	r = inventory_client_reserve_stock(self->inventory, call, reserve_request(call, *record),
					   &response);
	if (saga_is_refusal(r))
		return reject_ended(self, call, record);
	if (r)
		return saga_postpone(self, call, record, ORDER_STEP_KIND_RESERVE, r);
	crash_point("orders.create.after_reserve");
	if (response->reserved)
		return open_for_payment(self, call, record, response);
	short_of(call, response);
	return reject(self, call, record);
}

/*
 * AWAITING_PAYMENT
 */

static void begin_expiry(struct rpc_call *call, OrderRecord *draft)
{
	Order *order = draft->order;

	order_leave_cart(draft);
	order->next_action = NULL;
	order->cancel_time = clock_now(call);
	order->cancel_reason = "not paid in time";
	undo_begin(call, draft);
	history_add(call, order, ORDER_STATE_EXPIRED, "not paid in time");
}

int saga_expire(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	OrderRecord *draft = order_draft(call, *record);
	int r;

	if (draft->n_attempts) {
		OrderRecordAttempt *attempt = draft->attempts[draft->n_attempts - 1];

		attempt->state = ORDER_RECORD_ATTEMPT_STATE_FAILED;
		attempt->payment_method = attempt->return_uri = "";
		step_end(call, draft->order, ORDER_STEP_KIND_AUTHORIZE, ORDER_STEP_STATE_FAILED,
			 "EXPIRED");
	}
	begin_expiry(call, draft);
	r = saga_save(self, call, record, &(const struct saga_move){ .draft = draft });
	if (!r)
		crash_point("orders.expire.after_claim");
	return r;
}

static int wait_for_payment(struct orders_service *self, struct rpc_call *call,
			    OrderRecord **record)
{
	if (rpc_now_ms(call) < clock_ms((*record)->order->payment_due_time))
		return SAGA_DONE;
	return saga_expire(self, call, record);
}

/*
 * CONFIRMED
 */

struct rpc_event *saga_complete(struct rpc_call *call, OrderRecord *draft)
{
	const Order *order = draft->order;

	if (order->state != ORDER_STATE_CONFIRMED ||
	    order->fulfilment_state != ORDER_FULFILMENT_STATE_DELIVERED ||
	    step_is(order, ORDER_STEP_KIND_SHIP, ORDER_STEP_STATE_RUNNING) ||
	    undo_is_pending(draft))
		return NULL;
	history_add(call, draft->order, ORDER_STATE_COMPLETED, "");
	return announce_completed(call, draft);
}

static const CreateShipmentsRequest *shipments_request(struct rpc_call *call,
						       const OrderRecord *record)
{
	const Order *order = record->order;
	CreateShipmentsRequest *request =
		rpc_new(call, CreateShipmentsRequest, .order = order->name, .user = order->user,
			.address = order->shipping_address,
			.shipping_method = order->shipping_option->name);

	order_each_lines(line, order)
		if (amounts_units_left(line))
			create_shipments_request_add_lines(
				call, request,
				rpc_new(call, CreateShipmentsRequestLine, .line = line->name,
					.sku = line->sku, .display_name = line->display_name,
					.quantity = amounts_units_left(line),
					.weight_grams = line->weight_grams));
	return request;
}

static int ship(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	CreateShipmentsResponse *response;
	OrderRecord *draft;
	int r;

	if (backorders_wait((*record)->order))
		return backorders_look(self, call, record);
	r = shipping_client_create_shipments(self->shipping, call, shipments_request(call, *record),
					     &response);
	/* The money is taken: what shipping refuses waits for staff, and is tried again now and
	 * then. */
	if (r)
		return saga_postpone(self, call, record, ORDER_STEP_KIND_SHIP, r);
	crash_point("orders.pay.after_shipments");
	draft = order_draft(call, *record);
	step_end(call, draft->order, ORDER_STEP_KIND_SHIP, ORDER_STEP_STATE_DONE, "");
	shipments_take_all(call, draft, response->shipments, response->n_shipments);
	return saga_save(self, call, record,
			 &(const struct saga_move){ .draft = draft,
						    .events = EVENTS(saga_complete(call, draft)) });
}

static int fulfil(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	const char *id = (*record)->id;
	int r;

	if (!step_is((*record)->order, ORDER_STEP_KIND_SHIP, ORDER_STEP_STATE_RUNNING))
		return undo_is_pending(*record) ? undo_advance(self, call, record) : SAGA_DONE;
	doing_begin(&orders_shipping_now, id, self->lease);
	r = ship(self, call, record);
	doing_end(&orders_shipping_now, id);
	if (!r || r == MONGO_NOT_MATCHED || !undo_is_pending(*record))
		return r;
	/* Stock that goes back does not wait for shipping, nor for the stock of others. */
	return undo_advance(self, call, record);
}

/*
 * CANCELLING
 */

void saga_begin_cancellation(struct rpc_call *call, OrderRecord *draft, const char *reason,
			     const char *note)
{
	order_leave_cart(draft);
	draft->order->next_action = NULL;
	draft->order->cancel_time = clock_now(call);
	draft->order->cancel_reason = reason;
	undo_begin(call, draft);
	history_add(call, draft->order, ORDER_STATE_CANCELLING, note);
}

/*
 * Driving
 */

typedef int advance_function(struct orders_service *self, struct rpc_call *call,
			     OrderRecord **record);

/* One step of what a state is waiting for; a state that is not named waits for nothing of ours. */
static advance_function *const advances[] = {
	[ORDER_STATE_PENDING] = reserve,         [ORDER_STATE_AWAITING_PAYMENT] = wait_for_payment,
	[ORDER_STATE_PAYING] = saga_pay,         [ORDER_STATE_CONFIRMED] = fulfil,
	[ORDER_STATE_CANCELLING] = undo_advance, [ORDER_STATE_EXPIRED] = undo_advance,
	[ORDER_STATE_REJECTED] = NULL,
};
_Static_assert(sizeof(advances) / sizeof(*advances) == ORDER_STATE_REJECTED + 1,
	       "every state has its place");

static int advance(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	OrderState state = (*record)->order->state;
	advance_function *next =
		(size_t)state < sizeof(advances) / sizeof(*advances) ? advances[state] : NULL;

	return next ? next(self, call, record) : SAGA_DONE;
}

int saga_drive(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	const char *id = (*record)->id, *name = (*record)->order->name;
	int r, attempt = 0;

	for (;;) {
		r = advance(self, call, record);
		if (r == MONGO_NOT_MATCHED) {
			r = mongo_attempt(call, &attempt, name);
			if (!r)
				r = order_read(call, id, record);
			if (r == MONGO_NOT_FOUND)
				return rpc_fail(call, ORDER_NOT_FOUND, { "order", name });
		}
		if (r)
			return r == SAGA_DONE ? 0 : r;
	}
}
