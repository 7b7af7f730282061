/* The shopping cart: what somebody means to buy, what it would cost, and what stands in the way. */
#pragma once

#include "cart.rpc.h"
#include "cart_store.msg.h"
#include "catalog.rpc.h"
#include "inventory.rpc.h"
#include "orders_events.ev.h"
#include "shipping.rpc.h"
#include <crpc/service.h>

enum {
	CART_ITEMS_MAX = 100,
	CART_QUANTITY_MAX = 99,
};

/* What becomes of a guest's cart at login, beside the user's own. */
enum cart_merging {
	CART_MERGE_LARGER, /* all items; of what both have, the larger quantity */
	CART_MERGE_SUM,    /* all items; of what both have, both quantities */
	CART_MERGE_GUEST,  /* the guest's, unless it is empty */
	CART_MERGE_USER,   /* the user's, unless it is empty */
};

struct cart_service {
	const char *currencies; /* "EUR,USD"; the first is an empty cart's default */
	enum cart_merging merging;
	int64_t idle_ms; /* a cart untouched for so long is abandoned */
	struct catalog_client *catalog;
	struct inventory_client *inventory;
	struct shipping_client *shipping;
};
extern const struct cart_service_ops cart_service;

struct orders_listener {
	char unused;
};
extern const struct orders_events_ops cart_orders;

/* What the catalogue and inventory say now of what is in a cart. */
struct cart_lookup {
	const BatchGetVariantsResponse *variants; /* NULL: the catalogue does not answer */
	const BatchGetAvailabilityResponse *availabilities; /* NULL: inventory does not answer */
};

/*
 * Asks both of the items' variants, and of `more` (a variant or product name, or NULL). A service
 * that does not answer leaves its part NULL; another error is returned.
 */
int cart_look_up(struct cart_service *self, struct rpc_call *call, const CartRecord *record,
		 const char *more, const char *currency, struct cart_lookup *ret);
/* Only the catalogue, of the items' variants. */
int cart_look_up_prices(struct cart_service *self, struct rpc_call *call, const CartRecord *record,
			struct cart_lookup *ret);
const VariantDetails *cart_details_of(const struct cart_lookup *lookup, const char *variant);
/* What can be sold of a SKU; CART_QUANTITY_MAX units when inventory does not answer: an order asks
 * again. */
const StockAvailability *cart_stock_of(const struct cart_lookup *lookup, const char *sku);

/* Takes over what is known now of names, prices and weights, so that it is also what is last known. */
void cart_refresh(CartRecord *record, const struct cart_lookup *lookup);

/* The cart as its owner sees it: prices, totals and warnings of now. */
int cart_view(struct cart_service *self, struct rpc_call *call, const CartRecord *record,
	      const struct cart_lookup *lookup, Cart **ret);

/* "larger", "sum", "guest" or "user"; false: it is none of them. */
bool cart_merging_read(const char *name, enum cart_merging *ret);
/* The caller's cart, a guest's folded in where the login says so. One that was never used is empty,
 * of version 0, and not stored. */
int cart_load(struct cart_service *self, struct rpc_call *call, CartRecord **ret);
/* A cart that is in no merge: one that was stopped is ended. MONGO_NOT_FOUND. */
int cart_read_settled(struct rpc_call *call, const char *id, CartRecord **ret);
/* The caller's, a guest's taken back from a merge that was stopped. */
int cart_load_to_change(struct cart_service *self, struct rpc_call *call, CartRecord **ret);
/* What a new item is known by: it follows from the variant. */
const char *cart_item_id(struct rpc_call *call, const char *variant);
CartItem *cart_find_item(const CartRecord *record, const char *id);
void cart_take_out(CartRecord *record, const CartItem *item);

/* For service_every(): tells of carts that were left. */
int cart_sweep(void *data, struct rpc_call *call);
