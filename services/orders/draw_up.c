/* Drawing an order up: what is in the caller's cart, at what it costs now, to whom it goes and how.
 * All that can be refused is refused here, before anything is stored. */
#include "errors.msg.h"
#include "saga.h"
#include <common/money.h>
#include <common/names.h>
#include <common/tax.h>
#include <errno.h>
#include <string.h>

enum { WEIGHT_MAX = 1000000000 };

static int take_address(struct orders_service *self, struct rpc_call *call,
			const CreateOrderRequest *req, Address **ret)
{
	const char *user = rpc_caller(call)->user, *name;
	UserAddress *saved;
	int r;

	if (req->destination_case == CREATE_ORDER_REQUEST_DESTINATION_SHIPPING_ADDRESS) {
		*ret = req->shipping_address;
		return 0;
	}
	if (req->destination_case != CREATE_ORDER_REQUEST_DESTINATION_ADDRESS_ID ||
	    !*req->address_id)
		return rpc_fail(call, ORDER_ADDRESS_REQUIRED);
	name = req->address_id;
	if (!strchr(name, '/') || !strncmp(name, "users/me/", strlen("users/me/")))
		name = name_join(call, user, "addresses", name_id(name));
	r = users_client_get_address(self->users, call, MSG(GetAddressRequest, .name = name),
				     &saved);
	if (r)
		return r;
	/* As a service we are admitted to all addresses. */
	if (strncmp(saved->name, user, strlen(user)) || saved->name[strlen(user)] != '/')
		return rpc_fail(call, NOT_OWNER, { "name", req->address_id });
	*ret = rpc_new(call, Address, .recipient = saved->recipient, .n_lines = saved->n_lines,
		       .lines = saved->lines, .city = saved->city, .region = saved->region,
		       .postal_code = saved->postal_code, .country_code = saved->country_code,
		       .phone = saved->phone);
	return 0;
}

static int take_cart(struct orders_service *self, struct rpc_call *call,
		     const CreateOrderRequest *req, Cart **ret)
{
	Cart *cart;
	int r;

	/* Prices are the catalogue's, and stock is asked for when it is reserved. */
	r = cart_client_get_cart(self->cart, call,
				 MSG(GetCartRequest, .view = GET_CART_REQUEST_VIEW_BASIC), &cart);
	if (r)
		return r;
	if (*req->cart_etag && strcmp(req->cart_etag, "*") && strcmp(req->cart_etag, cart->etag))
		return rpc_fail(call, ORDER_CART_CHANGED, { "etag", cart->etag });
	if (!cart->n_items)
		return rpc_fail(call, ORDER_CART_EMPTY);
	*ret = cart;
	return 0;
}

static int take_variants(struct orders_service *self, struct rpc_call *call, const Cart *cart,
			 BatchGetVariantsResponse **ret)
{
	BatchGetVariantsRequest *request =
		rpc_new(call, BatchGetVariantsRequest, .currency_code = cart->currency_code);

	cart_each_items(item, cart)
		batch_get_variants_request_add_names(call, request, item->variant);
	return catalog_client_batch_get_variants(self->catalog, call, request, ret);
}

static const char *decimal(struct rpc_call *call, const Money *money)
{
	const char *text = money_print(call, money), *space = strchr(text, ' '); /* "EUR 12.50" */

	return space ? space + 1 : text;
}

static int price_changed(struct rpc_call *call, const char *what, const Money *old,
			 const Money *new)
{
	return rpc_fail(call, ORDER_PRICE_CHANGED, { "what", what }, { "old", decimal(call, old) },
			{ "new", decimal(call, new) }, { "currencyCode", new->currency_code });
}

static int add_line(struct rpc_call *call, Order *order, const CartItem *item,
		    const BatchGetVariantsResponse *known, bool compare)
{
	const VariantDetails *details = NULL;
	int rises = 0;

	for (size_t i = 0; i < known->n_variants; i++)
		if (!strcmp(known->variants[i]->variant->name, item->variant))
			details = known->variants[i];
	if (!details || !details->sellable || !details->variant->price)
		return rpc_fail(call, ORDER_ITEM_UNAVAILABLE, { "sku", item->sku });
	if (compare && item->seen_price &&
	    !money_compare(details->variant->price, item->seen_price, &rises) && rises > 0)
		return price_changed(call, details->variant->sku, item->seen_price,
				     details->variant->price);
	order_add_lines(
		call, order,
		rpc_new(call, OrderLine,
			.name = rpc_printf(call, "%s/lines/%zu", order->name, order->n_lines + 1),
			.product = details->product, .variant = details->variant->name,
			.sku = details->variant->sku, .display_name = details->display_name,
			.image_uri = details->image_uri, .quantity = item->quantity,
			.unit_price = details->variant->price,
			.weight_grams = details->variant->weight_grams,
			.tax_rate_millionths = tax_rate(order->shipping_address->country_code,
							details->tax_class)));
	return 0;
}

static int add_lines(struct orders_service *self, struct rpc_call *call,
		     const CreateOrderRequest *req, const Cart *cart, Order *order)
{
	BatchGetVariantsResponse *known;
	int r;

	r = take_variants(self, call, cart, &known);
	if (r)
		return r;
	cart_each_items(item, cart) {
		r = add_line(call, order, item, known, !req->expected_total);
		if (r)
			return r;
	}
	r = amounts_spread_discount(call, order, amounts_minor(cart->discount));
	return r ? r : amounts_add_up(call, order);
}

static int32_t weight_of(const Order *order)
{
	int64_t sum = 0;

	order_each_lines(line, order)
		sum += (int64_t)line->weight_grams * line->quantity;
	return sum < WEIGHT_MAX ? (int32_t)sum : WEIGHT_MAX;
}

static int add_shipping(struct orders_service *self, struct rpc_call *call,
			const CreateOrderRequest *req, Order *order)
{
	int64_t goods = amounts_minor(order->totals->subtotal) -
			amounts_minor(order->totals->discount),
		tax;
	const char *currency = order->currency_code;
	ShippingQuote *quote;
	int r;

	r = shipping_client_quote_rates(self->shipping, call,
					MSG(QuoteRatesRequest, .address = order->shipping_address,
					    .weight_grams = weight_of(order),
					    .subtotal = money_new(call, currency, goods),
					    .shipping_method = req->shipping_method),
					&quote);
	if (r)
		return r;
	shipping_quote_each_methods(option, quote)
		if (!strcmp(option->name, req->shipping_method))
			order->shipping_option = option;
	if (!order->shipping_option || !order->shipping_option->price ||
	    strcmp(order->shipping_option->price->currency_code, currency))
		return rpc_fail(call, ORDER_SHIPPING_UNAVAILABLE,
				{ "shippingMethod", req->shipping_method });
	order->totals->shipping = order->shipping_option->price;
	if (tax_of(amounts_minor(order->totals->shipping),
		   tax_rate_of_shipping(order->shipping_address->country_code), &tax))
		return -EOVERFLOW;
	order->totals->shipping_tax = money_new(call, currency, tax);
	return amounts_add_up(call, order);
}

static int check_total(struct rpc_call *call, const CreateOrderRequest *req, const Order *order)
{
	int64_t expected;
	int r;

	if (!req->expected_total)
		return 0;
	r = money_check(call, "expected_total", req->expected_total, 0, &expected);
	if (r)
		return r;
	if (strcmp(req->expected_total->currency_code, order->currency_code))
		return rpc_fail(call, MONEY_INVALID, { "field", "expected_total" },
				{ "problem", rpc_printf(call, "the cart's currency is %s",
							order->currency_code) });
	if (amounts_minor(order->totals->total) > expected)
		return price_changed(call, "total", req->expected_total, order->totals->total);
	return 0;
}

int orders_draw_up(struct orders_service *self, struct rpc_call *call,
		   const CreateOrderRequest *req, const char *id, Order **ret,
		   const char **etag_ret)
{
	const struct rpc_caller *caller = rpc_caller(call);
	Money *none;
	Order *order;
	Cart *cart;
	int r;

	if (caller->guest && !*req->email)
		return rpc_fail(call, ORDER_EMAIL_REQUIRED);
	order = rpc_new(call, Order, .name = name_of(call, "orders", id),
			.user = rpc_strdup(call, caller->user), .guest = caller->guest,
			.email = req->email, .note = req->note);
	r = take_address(self, call, req, &order->shipping_address);
	if (!r)
		r = take_cart(self, call, req, &cart);
	if (r)
		return r;
	order->billing_address =
		req->billing_address ? req->billing_address : order->shipping_address;
	order->cart = cart->name;
	order->currency_code = cart->currency_code;
	none = money_new(call, cart->currency_code, 0);
	order->totals = rpc_new(call, OrderTotals, .shipping = none, .shipping_tax = none,
				.paid = none, .refunded = none);
	r = add_lines(self, call, req, cart, order);
	if (!r)
		r = add_shipping(self, call, req, order);
	if (!r)
		r = check_total(call, req, order);
	if (r)
		return r;
	*ret = order;
	*etag_ret = cart->etag;
	return 0;
}
