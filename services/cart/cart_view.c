/* What a cart shows: prices, totals and warnings of this moment. */
#include "cart.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/money.h>
#include <common/names.h>
#include <common/tax.h>
#include <errno.h>
#include <string.h>

/* Goes on without a peer that does not answer. */
static int unless_away(struct rpc_call *call, int code)
{
	if (code != RPC_UNAVAILABLE && code != RPC_DEADLINE_EXCEEDED &&
	    code != RPC_RESOURCE_EXHAUSTED)
		return code;
	rpc_error_clear(call);
	return 0;
}

static void add_sku(struct rpc_call *call, BatchGetAvailabilityRequest *request, const char *sku)
{
	for (size_t i = 0; i < request->n_skus; i++)
		if (!strcmp(request->skus[i], sku))
			return;
	batch_get_availability_request_add_skus(call, request, sku);
}

static int ask_inventory(struct cart_service *self, struct rpc_call *call, const CartRecord *record,
			 struct cart_lookup *lookup)
{
	BatchGetAvailabilityRequest *request = rpc_new(call, BatchGetAvailabilityRequest);
	BatchGetAvailabilityResponse *response;
	int r;

	for (size_t i = 0; i < record->cart->n_items; i++)
		add_sku(call, request, record->cart->items[i]->sku);
	for (size_t i = 0; lookup->variants && i < lookup->variants->n_variants; i++)
		add_sku(call, request, lookup->variants->variants[i]->variant->sku);
	if (!request->n_skus)
		return 0;
	r = inventory_client_batch_get_availability(self->inventory, call, request, &response);
	if (!r)
		lookup->availabilities = response;
	return r;
}

static int ask_catalog(struct cart_service *self, struct rpc_call *call, const CartRecord *record,
		       const char *more, const char *currency, struct cart_lookup *lookup)
{
	BatchGetVariantsRequest *request =
		rpc_new(call, BatchGetVariantsRequest, .currency_code = currency);
	BatchGetVariantsResponse *response;
	int r;

	if (more)
		batch_get_variants_request_add_names(call, request, more);
	for (size_t i = 0; i < record->cart->n_items; i++)
		batch_get_variants_request_add_names(call, request,
						     record->cart->items[i]->variant);
	if (!request->n_names)
		return 0;
	r = catalog_client_batch_get_variants(self->catalog, call, request, &response);
	if (!r)
		lookup->variants = response;
	return r;
}

int cart_look_up_prices(struct cart_service *self, struct rpc_call *call, const CartRecord *record,
			struct cart_lookup *ret)
{
	struct cart_lookup lookup = { 0 };
	int r = unless_away(
		call, ask_catalog(self, call, record, NULL, record->cart->currency_code, &lookup));

	if (!r)
		*ret = lookup;
	return r;
}

int cart_look_up(struct cart_service *self, struct rpc_call *call, const CartRecord *record,
		 const char *more, const char *currency, struct cart_lookup *ret)
{
	struct cart_lookup lookup = { 0 };
	int r;

	r = ask_catalog(self, call, record, more, currency, &lookup);
	/* A cart is shown without prices of now; what is added must be known. */
	if (!more)
		r = unless_away(call, r);
	if (!r)
		r = unless_away(call, ask_inventory(self, call, record, &lookup));
	if (!r)
		*ret = lookup;
	return r;
}

const VariantDetails *cart_details_of(const struct cart_lookup *lookup, const char *variant)
{
	for (size_t i = 0; lookup->variants && i < lookup->variants->n_variants; i++)
		if (!strcmp(lookup->variants->variants[i]->variant->name, variant))
			return lookup->variants->variants[i];
	return NULL;
}

const StockAvailability *cart_stock_of(const struct cart_lookup *lookup, const char *sku)
{
	static const StockAvailability unknown = { StockAvailability_BASE,
						   .available = CART_QUANTITY_MAX };

	for (size_t i = 0; lookup->availabilities && i < lookup->availabilities->n_availabilities;
	     i++)
		if (!strcmp(lookup->availabilities->availabilities[i]->sku, sku))
			return lookup->availabilities->availabilities[i];
	return &unknown;
}

void cart_refresh(CartRecord *record, const struct cart_lookup *lookup)
{
	for (size_t i = 0; i < record->cart->n_items; i++) {
		CartItem *item = record->cart->items[i];
		const VariantDetails *details = cart_details_of(lookup, item->variant);

		if (!details)
			continue;
		item->display_name = details->display_name;
		item->image_uri = details->image_uri;
		item->weight_grams = details->variant->weight_grams;
		if (details->variant->price)
			item->unit_price = details->variant->price;
	}
}

static void warn(struct rpc_call *call, Cart *cart, CartWarningCode code, const CartItem *item,
		 bool blocking, const char *message, const struct rpc_meta *metadata)
{
	CartWarning *warning =
		rpc_new(call, CartWarning, .code = code, .item = item ? item->name : "",
			.message = message, .blocking = blocking);

	for (; metadata && metadata->key; metadata++)
		cart_warning_add_metadata(call, warning,
					  rpc_new(call, CartWarningMetadataEntry,
						  .key = metadata->key, .value = metadata->value));
	cart_add_warnings(call, cart, warning);
}

static void warn_of_price(struct rpc_call *call, Cart *cart, const CartItem *item)
{
	const char *before, *now;
	int order;

	if (!item->seen_price || !item->unit_price ||
	    money_compare(item->unit_price, item->seen_price, &order) || !order)
		return;
	before = money_print(call, item->seen_price);
	now = money_print(call, item->unit_price);
	warn(call, cart, CART_WARNING_CODE_PRICE_CHANGED, item, order > 0,
	     rpc_printf(call, "The price of '%s' is %s now, not %s.", item->display_name, now,
			before),
	     (const struct rpc_meta[]){ { "old", before }, { "new", now }, { NULL, NULL } });
}

/* It can be ordered, and some of it is still to come. */
static void warn_of_backorder(struct rpc_call *call, Cart *cart, const CartItem *item,
			      const StockAvailability *stock)
{
	CartWarningCode code =
		stock->preorder ? CART_WARNING_CODE_PREORDER : CART_WARNING_CODE_BACKORDER;
	const char *quantity = rpc_printf(call, "%d", item->quantity - stock->available);
	const char *promise = stock->promise_time ? clock_text(call, stock->promise_time) : NULL;
	const char *when = promise ? rpc_printf(call, ", expected by %s", promise) : "";

	warn(call, cart, code, item, false,
	     rpc_printf(call,
			"Of '%s' %s are still to come%s; the order is sent when they are there.",
			item->display_name, quantity, when),
	     (const struct rpc_meta[]){ { "quantity", quantity },
					{ promise ? "promiseTime" : NULL, promise },
					{ NULL, NULL } });
}

static void warn_of_stock(struct rpc_call *call, Cart *cart, CartItem *item,
			  const StockAvailability *stock)
{
	int32_t available = stock->available + stock->backorderable;
	const char *left = rpc_printf(call, "%d", available);

	if (available >= item->quantity) {
		if (stock->available < item->quantity)
			warn_of_backorder(call, cart, item, stock);
		return;
	}
	item->orderable = false;
	if (available <= 0)
		warn(call, cart, CART_WARNING_CODE_OUT_OF_STOCK, item, true,
		     rpc_printf(call, "Nothing is left of '%s'.", item->display_name), NULL);
	else
		warn(call, cart, CART_WARNING_CODE_STOCK_INSUFFICIENT, item, true,
		     rpc_printf(call, "Of '%s' %s are left.", item->display_name, left),
		     (const struct rpc_meta[]){ { "available", left }, { NULL, NULL } });
}

/* Amounts in minor units while they are added up. */
struct totals {
	const char *currency, *country;
	int64_t subtotal, tax;
};

static int add_item(struct rpc_call *call, Cart *cart, CartItem *item,
		    const struct cart_lookup *lookup, struct totals *totals)
{
	const VariantDetails *details = cart_details_of(lookup, item->variant);
	ProductTaxClass tax_class = details ? details->tax_class : PRODUCT_TAX_CLASS_STANDARD;
	int64_t price, total, tax = 0;
	int r;

	item->orderable = !lookup->variants || (details && details->sellable);
	if (!item->orderable || !item->unit_price) {
		warn(call, cart, CART_WARNING_CODE_UNAVAILABLE, item, true,
		     rpc_printf(call, "'%s' is not on sale any more.", item->display_name), NULL);
		item->total = money_new(call, totals->currency, 0);
		return 0;
	}
	r = money_minor(item->unit_price, &price);
	if (!r)
		r = money_times(price, item->quantity, &total);
	if (!r)
		r = money_add(totals->subtotal, total, &totals->subtotal);
	if (!r && *totals->country)
		r = tax_of(total, tax_rate(totals->country, tax_class), &tax);
	if (!r)
		r = money_add(totals->tax, tax, &totals->tax);
	if (r)
		return -ERANGE; /* 100 items of 99 units at the dearest price do not get here */
	item->total = money_new(call, totals->currency, total);
	warn_of_price(call, cart, item);
	warn_of_stock(call, cart, item, cart_stock_of(lookup, item->sku));
	return 0;
}

static int add_shipping(struct rpc_call *call, Cart *cart, const CartRecordDestination *destination,
			struct totals *totals, int64_t *total)
{
	int64_t shipping, tax;
	int r;

	if (money_minor(destination->price, &shipping) ||
	    strcmp(destination->price->currency_code, totals->currency))
		return 0;
	r = tax_of(shipping, tax_rate_of_shipping(totals->country), &tax);
	if (!r)
		r = money_add(totals->tax, tax, &totals->tax);
	if (!r)
		r = money_add(*total, shipping, total);
	if (!r)
		r = money_add(*total, totals->tax, total);
	if (r)
		return -ERANGE;
	cart->shipping = money_new(call, totals->currency, shipping);
	cart->tax = money_new(call, totals->currency, totals->tax);
	return 0;
}

int cart_view(struct cart_service *self, struct rpc_call *call, const CartRecord *record,
	      const struct cart_lookup *lookup, Cart **ret)
{
	const CartRecordDestination *destination = record->destination;
	Cart *cart = rpc_memdup(call, record->cart, sizeof(*record->cart));
	struct totals totals = { .currency = cart->currency_code, .country = "" };
	int64_t total;
	int r = 0;

	if (destination && destination->cart_version != record->version)
		destination = NULL;
	if (destination)
		totals.country = destination->country_code;
	if (!lookup->variants && cart->n_items)
		warn(call, cart, CART_WARNING_CODE_STALE, NULL, false,
		     "Prices could not be looked up; those shown are the last known.", NULL);
	else if (!lookup->availabilities && cart->n_items)
		warn(call, cart, CART_WARNING_CODE_STALE, NULL, false,
		     "Stock could not be looked up.", NULL);
	cart->unit_count = 0;
	for (size_t i = 0; !r && i < cart->n_items; i++) {
		r = add_item(call, cart, cart->items[i], lookup, &totals);
		cart->unit_count += cart->items[i]->quantity;
	}
	total = totals.subtotal;
	if (!r && destination && cart->n_items)
		r = add_shipping(call, cart, destination, &totals, &total);
	if (r)
		return r;
	cart->subtotal = money_new(call, totals.currency, totals.subtotal);
	cart->discount = money_new(call, totals.currency, 0);
	cart->total = money_new(call, totals.currency, total);
	cart->etag = etag_of(call, record->version);
	*ret = cart;
	return 0;
}
