/* Changing the cart. What it shows is in cart_view.c, a guest's cart is folded in by cart_merge.c. */
#include "cart.h"
#include "cart_store.h"
#include "errors.msg.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/money.h>
#include <common/names.h>
#include <crpc/id.h>
#include <string.h>

const char *cart_item_id(struct rpc_call *call, const char *variant)
{
	return rpc_id_derive(call, "cart item", variant);
}

CartItem *cart_find_item(const CartRecord *record, const char *id)
{
	for (size_t i = 0; i < record->cart->n_items; i++)
		if (!strcmp(name_id(record->cart->items[i]->name), id))
			return record->cart->items[i];
	return NULL;
}

void cart_take_out(CartRecord *record, const CartItem *item)
{
	Cart *cart = record->cart;
	size_t kept = 0;

	for (size_t i = 0; i < cart->n_items; i++)
		if (cart->items[i] != item)
			cart->items[kept++] = cart->items[i];
	cart->n_items = kept;
}

static int check_currency(struct cart_service *self, struct rpc_call *call, const char *currency)
{
	for (const char *at = self->currencies; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, currency, 3))
			return 0;
	}
	return rpc_fail(call, CURRENCY_UNSUPPORTED, { "currencyCode", currency },
			{ "allowed", self->currencies });
}

/* What is in the cart decides its currency; an empty one takes what is asked for. */
static int choose_currency(struct cart_service *self, struct rpc_call *call, Cart *cart,
			   const char *asked)
{
	if (!*asked || !strcmp(asked, cart->currency_code))
		return 0;
	if (cart->n_items)
		return rpc_fail(call, CART_CURRENCY_MISMATCH,
				{ "currencyCode", cart->currency_code }, { "requested", asked });
	cart->currency_code = asked;
	return check_currency(self, call, asked);
}

static int show(struct cart_service *self, struct rpc_call *call, CartRecord *record, Cart **ret)
{
	struct cart_lookup lookup;
	int r;

	r = cart_look_up(self, call, record, NULL, record->cart->currency_code, &lookup);
	if (r)
		return r;
	cart_refresh(record, &lookup);
	return cart_view(self, call, record, &lookup, ret);
}

static int get_cart(struct cart_service *self, struct rpc_call *call, const GetCartRequest *req,
		    Cart **ret)
{
	CartRecord *record;
	int r;

	r = cart_load(self, call, &record);
	if (r)
		return r;
	if (*req->currency_code && !record->cart->n_items) {
		r = choose_currency(self, call, record->cart, req->currency_code);
		if (r)
			return r;
	}
	if (req->view != GET_CART_REQUEST_VIEW_BASIC)
		return show(self, call, record, ret);
	*ret = record->cart;
	record->cart->etag = etag_of(call, record->version);
	return 0;
}

/* --- adding --- */

/* The name to ask the catalogue for: a variant's, or a product's that has but one. */
static int wanted_name(struct rpc_call *call, const AddCartItemRequest *req, const char **ret)
{
	if (strchr(req->variant, '/'))
		*ret = req->variant;
	else if (*req->variant && *req->product)
		*ret = name_join(call, req->product, "variants", req->variant);
	else
		*ret = req->product;
	if (**ret)
		return 0;
	rpc_violate(call, "product", "is missing: name a product, or a variant by its full name");
	return rpc_violations(call);
}

static int find_details(struct rpc_call *call, const struct cart_lookup *lookup, const char *wanted,
			const VariantDetails **ret)
{
	const BatchGetVariantsResponse *variants = lookup->variants;

	for (size_t i = 0; i < variants->n_missing; i++)
		if (!strcmp(variants->missing[i], wanted))
			return rpc_fail(call, CART_PRODUCT_NOT_FOUND, { "product", wanted });
	for (size_t i = 0; i < variants->n_ambiguous; i++)
		if (!strcmp(variants->ambiguous[i], wanted))
			return rpc_fail(call, VARIANT_REQUIRED, { "product", wanted });
	/* What was asked for first is answered first. */
	if (!variants->n_variants)
		return rpc_fail(call, CART_PRODUCT_NOT_FOUND, { "product", wanted });
	*ret = variants->variants[0];
	return 0;
}

static int check_quantity(struct rpc_call *call, const struct cart_lookup *lookup, const char *sku,
			  int32_t quantity)
{
	const StockAvailability *stock = cart_stock_of(lookup, sku);
	int32_t available = stock->available + stock->backorderable;

	if (quantity > CART_QUANTITY_MAX)
		return rpc_fail(call, CART_QUANTITY_TOO_LARGE,
				{ "quantity", rpc_printf(call, "%d", quantity) },
				{ "max", rpc_printf(call, "%d", CART_QUANTITY_MAX) });
	if (quantity > available)
		return rpc_fail(call, CART_STOCK_INSUFFICIENT, { "sku", sku },
				{ "available", rpc_printf(call, "%d", available) },
				{ "requested", rpc_printf(call, "%d", quantity) });
	return 0;
}

static int put_in(struct rpc_call *call, CartRecord *record, const struct cart_lookup *lookup,
		  const VariantDetails *details, int32_t quantity)
{
	const Variant *variant = details->variant;
	const char *id = cart_item_id(call, variant->name);
	CartItem *item = cart_find_item(record, id);
	Cart *cart = record->cart;
	int r;

	if (!details->sellable || !variant->price)
		return rpc_fail(call, CART_PRODUCT_UNAVAILABLE, { "product", details->product },
				{ "currencyCode", cart->currency_code });
	if (!item && cart->n_items >= CART_ITEMS_MAX)
		return rpc_fail(call, CART_FULL, { "max", rpc_printf(call, "%d", CART_ITEMS_MAX) });
	r = check_quantity(call, lookup, variant->sku, quantity + (item ? item->quantity : 0));
	if (r)
		return r;
	if (!item) {
		item = rpc_new(call, CartItem, .name = name_join(call, cart->name, "items", id),
			       .product = details->product, .variant = variant->name,
			       .sku = variant->sku, .create_time = clock_now(call));
		cart_add_items(call, cart, item);
	}
	item->quantity += quantity;
	item->seen_price = variant->price;
	return 0;
}

static int add_cart_item(struct cart_service *self, struct rpc_call *call,
			 const AddCartItemRequest *req, Cart **ret)
{
	const VariantDetails *details;
	struct cart_lookup lookup;
	struct answers_key key;
	CartRecord *record;
	const char *wanted;
	int r;

	r = wanted_name(call, req, &wanted);
	if (r)
		return r;
	answers_key(call, req, &key);
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, "The cart"));) {
		Cart *answer = NULL;

		r = cart_load_to_change(self, call, &record);
		if (r)
			return r;
		r = answers_find(call, &key, record, &Cart_descriptor, &answer);
		if (r != ANSWERS_NONE)
			return r ? r : show(self, call, record, ret);
		r = choose_currency(self, call, record->cart, req->currency_code);
		if (!r)
			r = cart_look_up(self, call, record, wanted, record->cart->currency_code,
					 &lookup);
		if (!r)
			r = find_details(call, &lookup, wanted, &details);
		if (!r)
			r = put_in(call, record, &lookup, details, req->quantity);
		if (r)
			return r;
		cart_refresh(record, &lookup);
		r = cart_save(call, record, answers_store(call, &key, (Cart *)NULL));
		if (!r)
			return cart_view(self, call, record, &lookup, ret);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

/* --- changing --- */

/* Changes the contents of the record; runs again when someone came between. */
typedef int cart_change(struct rpc_call *call, CartRecord *record, const struct cart_lookup *lookup,
			const void *req);

static int change_cart(struct cart_service *self, struct rpc_call *call, const char *etag,
		       cart_change *change, const void *req, Cart **ret)
{
	struct cart_lookup lookup;
	CartRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, "The cart"));) {
		r = cart_load_to_change(self, call, &record);
		if (!r)
			r = etag_check(call, record->cart->name, etag, record->version);
		if (!r)
			r = cart_look_up(self, call, record, NULL, record->cart->currency_code,
					 &lookup);
		if (r)
			return r;
		cart_refresh(record, &lookup);
		r = change(call, record, &lookup, req);
		if (!r)
			r = cart_save(call, record, NULL);
		if (!r)
			return cart_view(self, call, record, &lookup, ret);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

static int set_quantity(struct rpc_call *call, CartRecord *record, const struct cart_lookup *lookup,
			const void *data)
{
	const UpdateCartItemRequest *req = data;
	CartItem *item = cart_find_item(record, name_id(req->item));
	int r;

	if (!item)
		return rpc_fail(call, CART_ITEM_NOT_FOUND, { "item", req->item });
	r = check_quantity(call, lookup, item->sku, req->quantity);
	if (r)
		return r;
	item->quantity = req->quantity;
	item->seen_price = item->unit_price;
	return 0;
}

static int update_cart_item(struct cart_service *self, struct rpc_call *call,
			    const UpdateCartItemRequest *req, Cart **ret)
{
	return change_cart(self, call, req->etag, set_quantity, req, ret);
}

static int remove_item(struct rpc_call *call, CartRecord *record, const struct cart_lookup *lookup,
		       const void *data)
{
	const RemoveCartItemRequest *req = data;
	const CartItem *item = cart_find_item(record, name_id(req->item));

	if (!item)
		return rpc_fail(call, CART_ITEM_NOT_FOUND, { "item", req->item });
	cart_take_out(record, item);
	return 0;
}

static int remove_cart_item(struct cart_service *self, struct rpc_call *call,
			    const RemoveCartItemRequest *req, Cart **ret)
{
	return change_cart(self, call, req->etag, remove_item, req, ret);
}

static int clear(struct rpc_call *call, CartRecord *record, const struct cart_lookup *lookup,
		 const void *data)
{
	record->cart->n_items = 0;
	return 0;
}

static int clear_cart(struct cart_service *self, struct rpc_call *call, const ClearCartRequest *req,
		      Cart **ret)
{
	return change_cart(self, call, req->etag, clear, req, ret);
}

/* --- shipping --- */

static int quote_shipping(struct cart_service *self, struct rpc_call *call,
			  const QuoteShippingRequest *req, ShippingQuote **ret)
{
	QuoteRatesRequest *rates = rpc_new(call, QuoteRatesRequest, .address = req->address);
	struct cart_lookup lookup;
	ShippingQuote *quote;
	CartRecord *record;
	Cart *cart;
	int64_t weight = 0;
	int r;

	r = cart_load(self, call, &record);
	if (!r && !record->cart->n_items)
		return rpc_fail(call, CART_EMPTY);
	/* Weights and prices decide; what is left is asked when it is ordered. */
	if (!r)
		r = cart_look_up_prices(self, call, record, &lookup);
	if (r)
		return r;
	cart_refresh(record, &lookup);
	r = cart_view(self, call, record, &lookup, &cart);
	if (r)
		return r;
	for (size_t i = 0; i < cart->n_items; i++)
		weight += (int64_t)cart->items[i]->weight_grams * cart->items[i]->quantity;
	rates->weight_grams = (int32_t)weight;
	rates->subtotal = cart->subtotal;
	r = shipping_client_quote_rates(self->shipping, call, rates, &quote);
	if (r)
		return r;
	if (quote->n_methods) {
		r = cart_note_destination(call, record,
					  rpc_new(call, CartRecordDestination,
						  .country_code = req->address->country_code,
						  .region = req->address->region,
						  .postal_code = req->address->postal_code,
						  .price = quote->methods[0]->price,
						  .cart_version = record->version));
		if (r && r != MONGO_NOT_MATCHED)
			return r;
	}
	*ret = quote;
	return 0;
}

int cart_sweep(void *data, struct rpc_call *call)
{
	const struct cart_service *self = data;
	CartRecord **records;
	size_t n_records;
	int r;

	r = cart_find_idle(call, rpc_now_ms(call) - self->idle_ms, &records, &n_records);
	for (size_t i = 0; !r && i < n_records; i++) {
		r = cart_tell_abandoned(call, records[i]);
		if (r == MONGO_NOT_MATCHED)
			r = 0;
	}
	if (!r)
		r = cart_trim(call);
	return r ? r : n_records == 100;
}

const struct cart_service_ops cart_service = {
	.get_cart = get_cart,
	.add_cart_item = add_cart_item,
	.update_cart_item = update_cart_item,
	.remove_cart_item = remove_cart_item,
	.clear_cart = clear_cart,
	.quote_shipping = quote_shipping,
};
