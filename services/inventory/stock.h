/* Changes of one SKU: every quantity moves through here. */
#pragma once

#include "inventory_store.h"

/*
 * What a change does: quantities by how much, and what is noted with it. All of it is one update of
 * one document.
 */
struct stock_change {
	StockMovementKind kind;
	int32_t on_hand, available, reserved, committed, damaged, safety, incoming;
	int32_t backordered; /* of the order `waits` */
	const char *waits;   /* an order whose backorder changes; or NULL */
	const char *cause, *actor;
	StockRecordClaim *open; /* a claim that begins; or NULL */
	StockRecordClaim *
		close; /* one that ends in `end_state`; or a tombstone of one that never was; or NULL */
	ReservationState end_state;
	StockRecordClaim *extend; /* one whose expire_time changes to `expire_time`; or NULL */
	Timestamp *expire_time;
	const char *done;          /* the key of an act that must not happen twice; or NULL */
	const StockItem *settings; /* how the SKU is kept from now on; or NULL */
	const struct answers_key *answer; /* the answer is the item as it is then; or NULL */
};

/* Nothing is to be changed: it has happened before, or does not apply. */
enum { STOCK_UNCHANGED = 300 };

/* Decides upon the record as it is; runs again when someone came between. 0 with the change,
 * STOCK_UNCHANGED, or an error. */
typedef int stock_decide(struct rpc_call *call, const StockRecord *record, void *data,
			 struct stock_change *ret);

/* Several SKUs as they were at one moment of this call, read at once. */
enum { STOCK_STRIPES = 64 };
struct stock_look {
	StockRecord **records;
	size_t n_records;
	unsigned changes[STOCK_STRIPES];
};
int stock_look_at(struct rpc_call *call, const char *const *skus, size_t n_skus,
		  struct stock_look *ret);

/*
 * Reads the SKU, lets `decide` say what changes, and writes it if the version is still that one.
 * The first time it takes what `look` (or NULL) saw, if nobody in this process has changed the SKU
 * since. 0 and STOCK_UNCHANGED leave the record as it is then in *ret; STOCK_ITEM_NOT_FOUND.
 */
int stock_change(struct rpc_call *call, const struct stock_look *look, const char *sku,
		 stock_decide *decide, void *data, StockRecord **ret);

/* Units that can be sold, and that can be sold beyond the stock. */
int32_t stock_sellable(const StockItem *item);
StockRecordClaim *stock_find_claim(const StockRecord *record, const char *order);
StockRecordClaim *stock_find_ended(const StockRecord *record, const char *order);
bool stock_is_done(const StockRecord *record, const char *key);

/* --- backorders.c --- */

/* The units of the order that wait for stock. */
int32_t backorder_of(const StockRecord *record, const char *order);
/* Lets the change's own backorder begin, shrink or end, and what is available after it go to those
 * who wait, the oldest first: completes the change, and sets the record's list. */
int backorders_settle(struct rpc_call *call, StockRecord *record, struct stock_change *change);
StockBackorder *backorder_view(struct rpc_call *call, const char *sku, int32_t quantity,
			       Timestamp *promise_time);
