/* The saga: what saga.c, undo.c and the handlers that begin something share. */
#pragma once

#include "orders_store.h"
#include <common/doing.h>
#include <common/recent.h>

enum {
	SAGA_DONE = 400, /* nothing is left to do */
	SAGA_WAITS,      /* nothing can be done until something happens outside or a time has come:
			    `next_look_time` says when to look */
};

/*
 * Does what there is to do on the order, step by step, until nothing is left (0), it must wait
 * (SAGA_WAITS), or a step cannot be done now: its code, recorded in `call`, after it was noted in
 * the step for the sweeper. *record is read anew whenever others were faster.
 */
int saga_drive(struct orders_service *self, struct rpc_call *call, OrderRecord **record);

/* A change of the order that is ready to be saved. */
struct saga_move {
	OrderRecord *draft;
	struct rpc_event *const *events;    /* NULL-terminated; or NULL */
	const struct stored_answer *answer; /* or NULL */
	int64_t look;                       /* when to look at it next; 0: as its state asks for */
};
/* Saves and wakes the watchers; *record is the draft then. MONGO_NOT_MATCHED when somebody was
 * faster. */
int saga_save(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
	      const struct saga_move *move);

/* Orders as saga_save() has written them last. */
extern struct recent orders_recent;

/* Nothing has changed: only the time of the next look moves. SAGA_WAITS, or a code. */
int saga_look_again(struct rpc_call *call, OrderRecord *record, int64_t ms);
/* Of the request that something was begun for, as it was kept: for its refusal. */
struct answers_key saga_key_of(const char *request_key, ProtobufCBinaryData body_hash);

/* One step of PAYING. paying.c */
int saga_pay(struct orders_service *self, struct rpc_call *call, OrderRecord **record);
/* AWAITING_PAYMENT, PAYING -> EXPIRED */
int saga_expire(struct orders_service *self, struct rpc_call *call, OrderRecord **record);

/* --- moves that handlers begin; they alter a draft --- */

/* Moves `payment_due_time` on, as far as the reservation safely reaches: whoever is at it keeps the
 * stock. */
void saga_hold_longer(struct orders_service *self, struct rpc_call *call, OrderRecord *draft);
/* AWAITING_PAYMENT -> PAYING */
void saga_begin_payment(struct orders_service *self, struct rpc_call *call, OrderRecord *draft,
			OrderRecordAttempt *attempt);
/* CONFIRMED -> COMPLETED if all has arrived and nothing is under way any more; else NULL. */
struct rpc_event *saga_complete(struct rpc_call *call, OrderRecord *draft);
/* AWAITING_PAYMENT, PAYING, CONFIRMED -> CANCELLING, with what must be undone. */
void saga_begin_cancellation(struct rpc_call *call, OrderRecord *draft, const char *reason,
			     const char *note);

/* --- backorders.c --- */

/* Notes what inventory says of the lines that wait for stock; those it does not name wait no more. */
void backorders_note(struct rpc_call *call, Order *order, StockBackorder *const *backorders,
		     size_t n_backorders);
/* Units of the line are cancelled: those that wait go first, as inventory does it. */
void backorders_cancel(OrderLine *line, int32_t quantity);
/* Whether a line waits: then no parcel was asked for. */
bool backorders_wait(const Order *order);
/* Asks inventory whether stock came: 0 when the order has changed, SAGA_WAITS, or a code. */
int backorders_look(struct orders_service *self, struct rpc_call *call, OrderRecord **record);

/* --- undo.c --- */

/* What must be undone is noted in a draft, and then done. */
void undo_begin(struct rpc_call *call, OrderRecord *draft);
bool undo_is_pending(const OrderRecord *record);
/* One step back: 0 when there may be more, SAGA_DONE, SAGA_WAITS, or a code. For CANCELLING and
 * EXPIRED, and for lines cancelled in CONFIRMED. */
int undo_advance(struct orders_service *self, struct rpc_call *call, OrderRecord **record);
/* Gives back what an order that was never placed may have reserved. */
int undo_reservation(struct orders_service *self, struct rpc_call *call, const OrderRecord *record);

/* Releases the lines of an unpaid order that were cancelled as a whole. */
int undo_cancelled_lines(struct orders_service *self, struct rpc_call *call, const Order *order);

/* --- reversals.c: what is taken back of a paid order --- */

bool reversal_is_done(const OrderRecordReversal *reversal);
bool reversal_is_of_all(const OrderRecordReversal *reversal);
OrderRecordReversal *reversal_next(const OrderRecord *record);   /* not done yet, or NULL */
OrderRecordReversal *reversal_of_all(const OrderRecord *record); /* or NULL */
OrderRecordReversal *reversal_same(const OrderRecord *draft, const OrderRecordReversal *as);
OrderRecordReversal *reversal_add_of_all(struct rpc_call *call, OrderRecord *draft);
/* Its units become all that is left of the order. */
void reversal_take_rest(struct rpc_call *call, const Order *order, OrderRecordReversal *reversal);
/* Its units are the order's again. */
void reversal_restore_units(OrderRecord *draft, const OrderRecordReversal *reversal);
void reversal_remove(OrderRecord *draft, const OrderRecordReversal *as);
/* No unit of the line is to be put back: it was never sold. */
void reversal_drop_line(OrderRecord *draft, const OrderLine *line);
/* Notes what all of them have given back; an event of payments' may know of more. */
void reversal_note_refunded(struct rpc_call *call, OrderRecord *draft);

/* --- progress.c: steps and history --- */

OrderStep *step_find(const Order *order, OrderStepKind kind); /* the last of its kind, or NULL */
bool step_is(const Order *order, OrderStepKind kind, OrderStepState state);
/* Nothing if one of that kind is running. */
void step_begin(struct rpc_call *call, Order *order, OrderStepKind kind);
/* The running step of that kind ends; nothing if there is none. */
void step_end(struct rpc_call *call, Order *order, OrderStepKind kind, OrderStepState state,
	      const char *error);
/* Adds to the history, and moves the order if `state` is not 0. */
void history_add(struct rpc_call *call, Order *order, OrderState state, const char *note);

const char *saga_state_name(OrderState state); /* "CONFIRMED" */
/* What a peer or we ourselves refuse with is final: repeating the request changes nothing. */
bool saga_is_refusal(int code);
/* The reason of the error recorded last, for a step. */
const char *saga_error_name(struct rpc_call *call, int code);
/* Notes that the step could not be done now and sets a time for the next try. Returns `code`, still
 * recorded. */
int saga_postpone(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		  OrderStepKind kind, int code);
/* The same with what the draft says already. */
int saga_postpone_draft(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
			OrderRecord *draft, OrderStepKind kind, int code);

/* --- amounts.c --- */

/* Works out lines and totals from unit prices, quantities, discounts and rates, and from
 * totals.shipping and shipping_tax. */
int amounts_add_up(struct rpc_call *call, Order *order);
/* Spreads a discount over the lines. */
int amounts_spread_discount(struct rpc_call *call, Order *order, int64_t discount);
/* Units of a line that can still be cancelled, and those that were in the price. */
int32_t amounts_units_left(const OrderLine *line);
int32_t amounts_units_paid(const OrderLine *line);
/* What the next `quantity` cancelled units of a paid line give back: all parts together are exactly
 * the line's total. */
int amounts_refund(struct rpc_call *call, const OrderLine *line, int32_t quantity, Money **ret);
int64_t amounts_minor(const Money *money); /* of our own amounts, 0 for NULL */

/* --- shipments.c --- */

/* Orders of which this process asks shipping for the parcels: until it has noted the answer, news of
 * them is told by the answer too. */
extern struct doing orders_shipping_now;

struct shipment_news {
	const char *shipment, *state, *carrier, *tracking_number, *tracking_uri;
	int64_t version;
	const struct shipment_news_line {
		const char *line;
		int32_t quantity;
	} *lines;
	size_t n_lines;
};
/* Takes in what shipping says of a parcel, unless something newer is known; *shipped tells that it
 * has left with this. False: nothing new. */
bool shipments_take(struct rpc_call *call, OrderRecord *draft, const struct shipment_news *news,
		    bool *shipped);
/* The same of an answer of shipping's. */
void shipments_take_all(struct rpc_call *call, OrderRecord *draft, Shipment *const *shipments,
			size_t n_shipments);

/* --- announce.c: the order's events, of a draft --- */

struct rpc_event *announce_created(struct rpc_call *call, const OrderRecord *record);
struct rpc_event *announce_paid(struct rpc_call *call, const OrderRecord *record);
struct rpc_event *announce_cancelled(struct rpc_call *call, const OrderRecord *record);
struct rpc_event *announce_lines_cancelled(struct rpc_call *call, const OrderRecord *record,
					   const OrderRecordReversal *reversal);
struct rpc_event *announce_expired(struct rpc_call *call, const OrderRecord *record);
struct rpc_event *announce_shipped(struct rpc_call *call, const OrderRecord *record,
				   const OrderShipment *shipment);
struct rpc_event *announce_completed(struct rpc_call *call, const OrderRecord *record);
