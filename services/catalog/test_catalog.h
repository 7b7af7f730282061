/* What the catalogue's tests have in common: its handlers with their documents, against the real
 * server. */
#pragma once

#include "catalog_store.h"
#include "errors.msg.h"
#include <stores.h>
#include <string.h>
#include <test.h>

static struct catalog_service catalog = { .currencies = "EUR,USD" };
static struct catalog_client *client;
static struct rpc_call *call;

static void as(const char *scope)
{
	rpc_call_free(call);
	call = rpc_call_new("test", 10000);
	rpc_call_set_caller(call, &(const struct rpc_caller){ .user = "users/ann",
							      .session = "sessions/1",
							      .scope = scope,
							      .merge_from = "",
							      .service = "" });
}

static void setup(void)
{
	stores_mongo("catalog");
	client = catalog_client_local(&catalog_service, &catalog);
	as("catalog.manage");
}

static void teardown(void)
{
	client = catalog_client_free(client);
	call = rpc_call_free(call);
	stores_close();
}

static __attribute__((unused)) Money *euro(int64_t units, int32_t nanos)
{
	return rpc_new(call, Money, .currency_code = "EUR", .units = units, .nanos = nanos);
}

static __attribute__((unused)) VariantPrice *price(Money *amount)
{
	return rpc_new(call, VariantPrice, .amount = amount);
}

static __attribute__((unused)) Variant *variant(const char *sku, Money *amount)
{
	Variant *made = rpc_new(call, Variant, .sku = sku, .weight_grams = 250);

	if (amount)
		variant_add_prices(call, made, price(amount));
	return made;
}

static __attribute__((unused)) int create(const char *id, Variant *of, Product **ret)
{
	Product *product = rpc_new(call, Product, .display_name = "Tea");

	if (of)
		product_add_variants(call, product, of);
	return catalog_client_create_product(
		client, call, MSG(CreateProductRequest, .product = product, .product_id = id), ret);
}

static __attribute__((unused)) void create_on_sale(const char *id, const char *sku, int64_t units)
{
	Product *product;

	ck_assert_int_eq(create(id, variant(sku, euro(units, 0)), &product), 0);
	ck_assert_int_eq(
		catalog_client_publish_product(
			client, call, MSG(PublishProductRequest, .name = product->name), &product),
		0);
}

static __attribute__((unused)) int get(const char *name, Product **ret)
{
	return catalog_client_get_product(client, call, MSG(GetProductRequest, .name = name), ret);
}

static __attribute__((unused)) void tell_levels(const char *sku, int64_t version,
						souk_inventory_v1_StockLevels levels)
{
	souk_inventory_v1_StockAdjusted event = { .version = version,
						  .has_levels = true,
						  .levels = levels };

	event_text(event.sku, sku);
	ck_assert_int_eq(catalog_inventory.stock_adjusted(NULL, call, &event, NULL), 0);
}

static __attribute__((unused)) void tell_stock(const char *sku, int64_t version, int32_t available)
{
	tell_levels(sku, version,
		    (souk_inventory_v1_StockLevels){ .available = available,
						     .low_stock_threshold = 3 });
}
