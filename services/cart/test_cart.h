/* The cart for tests: against the real server, with a catalogue, an inventory and a shipping of the
 * test. */
#pragma once

#include "cart_store.h"
#include <common/names.h>
#include <stores.h>
#include <string.h>
#include <test.h>

/* --- the peers --- */

struct catalog_service {
	int64_t price; /* whole euros, of every variant */
	bool away, off_sale;
};
struct inventory_service {
	int32_t available, backorderable;
	bool preorder;
	Timestamp *promise_time;
	bool away;
};
struct shipping_service {
	char unused;
};

static struct catalog_service catalog;
static struct inventory_service inventory;
static struct shipping_service shipping;

static int batch_get_variants(struct catalog_service *self, struct rpc_call *call,
			      const BatchGetVariantsRequest *req, BatchGetVariantsResponse **ret)
{
	BatchGetVariantsResponse *response = rpc_new(call, BatchGetVariantsResponse);

	if (self->away)
		return rpc_fail_code(call, RPC_UNAVAILABLE, "away");
	for (size_t i = 0; i < req->n_names; i++) {
		const char *product =
			name_of(call, "products", name_parent_id(call, req->names[i]));
		const char *id = strchr(req->names[i], '/') != strrchr(req->names[i], '/')
					 ? name_id(req->names[i])
					 : "std";
		const char *currency = *req->currency_code ? req->currency_code : "EUR";
		Variant *variant;

		if (!strcmp(product, "products/none")) {
			batch_get_variants_response_add_missing(call, response, req->names[i]);
			continue;
		}
		if (!strcmp(product, "products/many") && !strcmp(id, "std")) {
			batch_get_variants_response_add_ambiguous(call, response, req->names[i]);
			continue;
		}
		variant = rpc_new(call, Variant, .name = name_join(call, product, "variants", id),
				  .sku = rpc_printf(call, "%s-%s", name_id(product), id),
				  .weight_grams = 100,
				  .price = rpc_new(call, Money, .currency_code = currency,
						   .units = self->price));
		batch_get_variants_response_add_variants(
			call, response,
			rpc_new(call, VariantDetails, .variant = variant, .product = product,
				.display_name = name_id(product), .sellable = !self->off_sale));
	}
	*ret = response;
	return 0;
}
static const struct catalog_service_ops catalog_ops = { .batch_get_variants = batch_get_variants };

static int batch_get_availability(struct inventory_service *self, struct rpc_call *call,
				  const BatchGetAvailabilityRequest *req,
				  BatchGetAvailabilityResponse **ret)
{
	BatchGetAvailabilityResponse *response = rpc_new(call, BatchGetAvailabilityResponse);

	if (self->away)
		return rpc_fail_code(call, RPC_UNAVAILABLE, "away");
	for (size_t i = 0; i < req->n_skus; i++)
		batch_get_availability_response_add_availabilities(
			call, response,
			rpc_new(call, StockAvailability, .sku = req->skus[i],
				.available = self->available, .backorderable = self->backorderable,
				.preorder = self->preorder, .promise_time = self->promise_time));
	*ret = response;
	return 0;
}
static const struct inventory_service_ops inventory_ops = { .batch_get_availability =
								    batch_get_availability };

static int quote_rates(struct shipping_service *self, struct rpc_call *call,
		       const QuoteRatesRequest *req, ShippingQuote **ret)
{
	ShippingQuote *quote = rpc_new(call, ShippingQuote);

	ck_assert_int_eq(req->weight_grams, 200);
	shipping_quote_add_methods(
		call, quote,
		rpc_new(call, ShippingOption, .name = "shippingMethods/standard",
			.price = rpc_new(call, Money, .currency_code = "EUR", .units = 5)));
	*ret = quote;
	return 0;
}
static const struct shipping_service_ops shipping_ops = { .quote_rates = quote_rates };

/* --- the cart --- */

static struct cart_service cart = { .currencies = "EUR,USD", .idle_ms = 1000 };
static struct cart_client *client;
static struct rpc_call *call;

static const char *session = "sessions/1";

static struct rpc_call *call_of(const char *user, const char *merge_from)
{
	struct rpc_call *made = rpc_call_new("test", 30000);

	rpc_call_set_caller(made, &(const struct rpc_caller){ .user = user,
							      .session = session,
							      .scope = "",
							      .merge_from = merge_from,
							      .service = "cart" });
	return made;
}

static void as(const char *user, const char *merge_from)
{
	rpc_call_free(call);
	call = call_of(user, merge_from);
}

static void setup(void)
{
	stores_mongo("cart");
	catalog = (struct catalog_service){ .price = 4 };
	inventory = (struct inventory_service){ .available = 50 };
	cart.catalog = catalog_client_local(&catalog_ops, &catalog);
	cart.inventory = inventory_client_local(&inventory_ops, &inventory);
	cart.shipping = shipping_client_local(&shipping_ops, &shipping);
	client = cart_client_local(&cart_service, &cart);
	as("users/ann", "");
}

static void teardown(void)
{
	client = cart_client_free(client);
	cart.catalog = catalog_client_free(cart.catalog);
	cart.inventory = inventory_client_free(cart.inventory);
	cart.shipping = shipping_client_free(cart.shipping);
	call = rpc_call_free(call);
	stores_close();
}

static int add(const char *product, int32_t quantity, Cart **ret)
{
	return cart_client_add_cart_item(
		client, call, MSG(AddCartItemRequest, .product = product, .quantity = quantity),
		ret);
}

static Cart *get(void)
{
	Cart *got;

	ck_assert_int_eq(cart_client_get_cart(client, call, MSG(GetCartRequest), &got), 0);
	return got;
}

/* As the event says it of an order that was placed at that time. */
static __attribute__((unused)) void pay_placed(const char *order, const char *of, const char *sku,
					       int32_t quantity, int64_t placed_ms)
{
	souk_orders_v1_OrderPaid *event = rpc_alloc(call, sizeof(*event));

	event_text(event->order, order);
	event_text(event->cart, of);
	event->create_time_ms = placed_ms;
	event->lines_count = 1;
	event_text(event->lines[0].sku, sku);
	event->lines[0].quantity = quantity;
	ck_assert_int_eq(cart_orders.order_paid(NULL, call, event, NULL), 0);
}

static __attribute__((unused)) void pay(const char *order, const char *of, const char *sku,
					int32_t quantity)
{
	pay_placed(order, of, sku, quantity, rpc_now_ms(call));
}
