/* What is in a cart: put in, changed, priced, ordered and left. */
#include "test_cart.h"
#include "errors.msg.h"
#include <common/clock.h>
#include <pthread.h>

TEST(an_unused_cart_is_there_and_empty)
{
	const Cart *got = get();

	ck_assert_str_eq(got->name, "carts/ann");
	ck_assert_uint_eq(got->n_items, 0);
	ck_assert_str_eq(got->subtotal->currency_code, "EUR");
}

TEST(a_basic_view_asks_nobody)
{
	Cart *full, *got;

	ck_assert_int_eq(add("tea", 2, &full), 0);
	catalog.away = inventory.away = true;
	ck_assert_int_eq(cart_client_get_cart(
				 client, call,
				 MSG(GetCartRequest, .view = GET_CART_REQUEST_VIEW_BASIC), &got),
			 0);
	ck_assert_uint_eq(got->n_items, 1);
	ck_assert_int_eq(got->items[0]->quantity, 2);
	ck_assert_str_eq(got->items[0]->sku, full->items[0]->sku);
	ck_assert_int_eq(got->items[0]->seen_price->units, 4);
	ck_assert_str_eq(got->etag, full->etag);
	ck_assert_uint_eq(got->n_warnings, 0);
	ck_assert_ptr_null(got->total);
}

TEST(adding_a_product_twice_adds_up)
{
	Cart *got;

	ck_assert_int_eq(add("tea", 2, &got), 0);
	ck_assert_int_eq(add("products/tea", 3, &got), 0);
	ck_assert_uint_eq(got->n_items, 1);
	ck_assert_int_eq(got->items[0]->quantity, 5);
	ck_assert_int_eq(got->subtotal->units, 20);
	ck_assert_int_eq(got->unit_count, 5);
}

TEST(the_same_request_adds_once)
{
	const AddCartItemRequest *request =
		MSG(AddCartItemRequest, .product = "tea", .quantity = 2, .request_id = "r");
	Cart *got;

	ck_assert_int_eq(cart_client_add_cart_item(client, call, request, &got), 0);
	ck_assert_int_eq(cart_client_add_cart_item(client, call, request, &got), 0);
	ck_assert_int_eq(got->items[0]->quantity, 2);
}

static const struct {
	const char *product, *variant;
	int32_t quantity;
	int code;
	const char *reason;
} refusals[] = {
	{ "none", "", 1, RPC_NOT_FOUND, "CART_PRODUCT_NOT_FOUND" },
	{ "many", "", 1, RPC_INVALID_ARGUMENT, "VARIANT_REQUIRED" },
	{ "", "", 1, RPC_INVALID_ARGUMENT, "" },
	{ "tea", "", 51, RPC_FAILED_PRECONDITION, "CART_STOCK_INSUFFICIENT" },
	{ "tea", "", 0, RPC_INVALID_ARGUMENT, "" },
	{ "tea", "", -1, RPC_INVALID_ARGUMENT, "" },
	{ "tea", "", 100, RPC_INVALID_ARGUMENT, "" },
};
TEST_EACH(what_cannot_be_bought_is_refused, refusals)
{
	Cart *got;

	ck_assert_int_eq(
		cart_client_add_cart_item(client, call,
					  MSG(AddCartItemRequest, .product = row->product,
					      .variant = row->variant, .quantity = row->quantity),
					  &got),
		row->code);
	if (*row->reason)
		ck_assert_str_eq(rpc_error_reason(call), row->reason);
	ck_assert_uint_eq(get()->n_items, 0);
}

TEST(a_variant_is_named_by_its_id_or_whole)
{
	Cart *got;

	ck_assert_int_eq(cart_client_add_cart_item(client, call,
						   MSG(AddCartItemRequest, .product = "many",
						       .variant = "red", .quantity = 1),
						   &got),
			 0);
	ck_assert_int_eq(cart_client_add_cart_item(client, call,
						   MSG(AddCartItemRequest,
						       .variant = "products/many/variants/red",
						       .quantity = 1),
						   &got),
			 0);
	ck_assert_uint_eq(got->n_items, 1);
	ck_assert_str_eq(got->items[0]->variant, "products/many/variants/red");
}

static int add_variant(int i, Cart **ret)
{
	const char *variant = rpc_printf(call, "v%d", i);

	return cart_client_add_cart_item(
		client, call,
		MSG(AddCartItemRequest, .product = "many", .variant = variant, .quantity = 1), ret);
}

static void fill_cart(void)
{
	CartRecord *record;

	ck_assert_int_eq(cart_load(&cart, call, &record), 0);
	for (int i = 0; i < CART_ITEMS_MAX; i++) {
		const char *variant = rpc_printf(call, "products/many/variants/v%d", i);
		const char *id = cart_item_id(call, variant);

		cart_add_items(call, record->cart,
			       rpc_new(call, CartItem,
				       .name = name_join(call, record->cart->name, "items", id),
				       .product = "products/many", .variant = variant,
				       .sku = rpc_printf(call, "many-v%d", i), .quantity = 1));
	}
	ck_assert_int_eq(cart_save(call, record, NULL), 0);
}

TEST(a_full_cart_takes_more_of_what_it_holds_and_nothing_else)
{
	Cart *got = NULL;

	fill_cart();
	ck_assert_int_eq(add_variant(CART_ITEMS_MAX, &got), RPC_RESOURCE_EXHAUSTED);
	ck_assert(rpc_failed_with(call, CART_FULL));
	ck_assert_int_eq(add_variant(0, &got), 0);
	ck_assert_uint_eq(got->n_warnings, 0);
	ck_assert_int_eq(got->unit_count, CART_ITEMS_MAX + 1);
	ck_assert_int_eq(got->subtotal->units, 4 * (CART_ITEMS_MAX + 1));
}

TEST(an_item_holds_ninety_nine_units)
{
	Cart *got;

	inventory.available = 1000;
	ck_assert_int_eq(add("tea", 60, &got), 0);
	ck_assert_int_eq(add("tea", 40, &got), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, CART_QUANTITY_TOO_LARGE));
	ck_assert_int_eq(add("tea", 39, &got), 0);
	ck_assert_int_eq(got->items[0]->quantity, CART_QUANTITY_MAX);
}

TEST(an_item_is_changed_and_taken_out)
{
	const char *item;
	Cart *got;

	ck_assert_int_eq(add("tea", 2, &got), 0);
	item = name_id(got->items[0]->name);
	ck_assert_int_eq(cart_client_update_cart_item(
				 client, call,
				 MSG(UpdateCartItemRequest, .item = item, .quantity = 7), &got),
			 0);
	ck_assert_int_eq(got->items[0]->quantity, 7);
	ck_assert_int_eq(cart_client_update_cart_item(client, call,
						      MSG(UpdateCartItemRequest, .item = item,
							  .quantity = 8, .etag = "\"1\""),
						      &got),
			 RPC_ABORTED);
	ck_assert_int_eq(cart_client_remove_cart_item(
				 client, call, MSG(RemoveCartItemRequest, .item = item), &got),
			 0);
	ck_assert_uint_eq(got->n_items, 0);
	ck_assert_int_eq(cart_client_remove_cart_item(
				 client, call, MSG(RemoveCartItemRequest, .item = item), &got),
			 RPC_NOT_FOUND);
}

TEST(a_cart_has_one_currency_until_it_is_empty)
{
	Cart *got;

	ck_assert_int_eq(cart_client_add_cart_item(client, call,
						   MSG(AddCartItemRequest, .product = "tea",
						       .quantity = 1, .currency_code = "USD"),
						   &got),
			 0);
	ck_assert_str_eq(got->total->currency_code, "USD");
	ck_assert_int_eq(cart_client_add_cart_item(client, call,
						   MSG(AddCartItemRequest, .product = "cup",
						       .quantity = 1, .currency_code = "EUR"),
						   &got),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, CART_CURRENCY_MISMATCH));
	ck_assert_int_eq(cart_client_clear_cart(client, call, MSG(ClearCartRequest), &got), 0);
	ck_assert_int_eq(cart_client_add_cart_item(client, call,
						   MSG(AddCartItemRequest, .product = "cup",
						       .quantity = 1, .currency_code = "EUR"),
						   &got),
			 0);
	ck_assert_int_eq(cart_client_add_cart_item(client, call,
						   MSG(AddCartItemRequest, .product = "cup",
						       .quantity = 1, .currency_code = "ZZZ"),
						   &got),
			 RPC_FAILED_PRECONDITION);
}

TEST(a_changed_price_is_said_and_a_rise_must_be_seen)
{
	const char *item;
	Cart *got;

	ck_assert_int_eq(add("tea", 2, &got), 0);
	item = name_id(got->items[0]->name);
	catalog.price = 5;
	got = get();
	ck_assert_uint_eq(got->n_warnings, 1);
	ck_assert_int_eq(got->warnings[0]->code, CART_WARNING_CODE_PRICE_CHANGED);
	ck_assert(got->warnings[0]->blocking);
	ck_assert_int_eq(got->subtotal->units, 10);
	ck_assert_int_eq(cart_client_update_cart_item(
				 client, call,
				 MSG(UpdateCartItemRequest, .item = item, .quantity = 2), &got),
			 0);
	ck_assert_uint_eq(got->n_warnings, 0);
	catalog.price = 3;
	ck_assert(!get()->warnings[0]->blocking);
}

TEST(what_is_short_or_gone_is_said)
{
	Cart *got;

	ck_assert_int_eq(add("tea", 10, &got), 0);
	inventory.available = 3;
	ck_assert_int_eq(get()->warnings[0]->code, CART_WARNING_CODE_STOCK_INSUFFICIENT);
	inventory.available = 0;
	ck_assert_int_eq(get()->warnings[0]->code, CART_WARNING_CODE_OUT_OF_STOCK);
	catalog.off_sale = true;
	got = get();
	ck_assert_int_eq(got->warnings[0]->code, CART_WARNING_CODE_UNAVAILABLE);
	ck_assert_int_eq(got->subtotal->units, 0);
}

static const char *metadata_of(const CartWarning *warning, const char *key)
{
	for (size_t i = 0; i < warning->n_metadata; i++)
		if (!strcmp(warning->metadata[i]->key, key))
			return warning->metadata[i]->value;
	return NULL;
}

TEST(what_is_still_to_come_is_said_and_can_be_ordered)
{
	Cart *got;

	inventory.available = 3;
	inventory.backorderable = 7;
	inventory.promise_time = clock_timestamp(call, 1800000000000);
	ck_assert_int_eq(add("tea", 3, &got), 0);
	ck_assert_uint_eq(got->n_warnings, 0);
	ck_assert_int_eq(add("tea", 7, &got), 0);
	ck_assert_uint_eq(got->n_warnings, 1);
	ck_assert_int_eq(got->warnings[0]->code, CART_WARNING_CODE_BACKORDER);
	ck_assert(!got->warnings[0]->blocking);
	ck_assert(got->items[0]->orderable);
	ck_assert_str_eq(metadata_of(got->warnings[0], "quantity"), "7");
	ck_assert_str_eq(metadata_of(got->warnings[0], "promiseTime"), "2027-01-15T08:00:00Z");
	ck_assert_int_eq(add("tea", 1, &got), RPC_FAILED_PRECONDITION);
	ck_assert_str_eq(rpc_error_meta(call, "available"), "10");
	inventory.preorder = true;
	inventory.promise_time = NULL;
	got = get();
	ck_assert_int_eq(got->warnings[0]->code, CART_WARNING_CODE_PREORDER);
	ck_assert_ptr_null(metadata_of(got->warnings[0], "promiseTime"));
	inventory.backorderable = 6;
	got = get();
	ck_assert_int_eq(got->warnings[0]->code, CART_WARNING_CODE_STOCK_INSUFFICIENT);
	ck_assert(!got->items[0]->orderable);
}

TEST(a_cart_is_shown_while_the_catalogue_is_away)
{
	Cart *got;

	ck_assert_int_eq(add("tea", 2, &got), 0);
	catalog.away = inventory.away = true;
	got = get();
	ck_assert_int_eq(got->warnings[0]->code, CART_WARNING_CODE_STALE);
	ck_assert_int_eq(got->subtotal->units, 8);
	ck_assert_int_eq(add("tea", 2, &got), RPC_UNAVAILABLE);
}

TEST(a_quote_gives_the_cart_shipping_and_tax)
{
	Address *address = rpc_new(call, Address, .recipient = "Ann", .city = "Vienna",
				   .postal_code = "1010", .country_code = "AT");
	ShippingQuote *quote;
	Cart *got;

	ck_assert_int_eq(cart_client_quote_shipping(client, call,
						    MSG(QuoteShippingRequest, .address = address),
						    &quote),
			 RPC_INVALID_ARGUMENT);
	address_add_lines(call, address, "Ring 1");
	ck_assert_int_eq(cart_client_quote_shipping(client, call,
						    MSG(QuoteShippingRequest, .address = address),
						    &quote),
			 RPC_FAILED_PRECONDITION);
	ck_assert_int_eq(add("tea", 2, &got), 0);
	ck_assert_int_eq(cart_client_quote_shipping(client, call,
						    MSG(QuoteShippingRequest, .address = address),
						    &quote),
			 0);
	got = get();
	ck_assert_int_eq(got->shipping->units, 5);
	/* 8.00 and 5.00 at 20 %: 1.60 and 1.00 */
	ck_assert_int_eq(got->tax->units, 2);
	ck_assert_int_eq(got->tax->nanos, 600000000);
	ck_assert_int_eq(got->total->units, 15);
	ck_assert_int_eq(add("tea", 1, &got), 0);
	ck_assert_ptr_null(got->shipping);
}

TEST(what_was_ordered_is_taken_out_once_and_what_was_added_stays)
{
	Cart *got;

	ck_assert_int_eq(add("tea", 5, &got), 0);
	ck_assert_int_eq(add("cup", 1, &got), 0);
	pay("orders/1", "carts/ann", "tea-std", 3);
	pay("orders/1", "carts/ann", "tea-std", 3);
	got = get();
	ck_assert_uint_eq(got->n_items, 2);
	ck_assert_int_eq(got->items[0]->quantity, 2);
	pay("orders/2", "carts/ann", "tea-std", 3);
	ck_assert_uint_eq(get()->n_items, 1);
}

TEST(a_cart_that_was_left_is_told_of_once)
{
	CartRecord *record;
	Cart *got;

	ck_assert_int_eq(add("tea", 5, &got), 0);
	ck_assert_int_eq(cart_sweep(&cart, call), 0);
	rpc_call_set_now(call, rpc_now_ms(call) + 5000);
	ck_assert_int_eq(cart_sweep(&cart, call), 0);
	ck_assert_int_eq(cart_sweep(&cart, call), 0);
	ck_assert_int_eq(cart_read(call, "ann", &record), 0);
	ck_assert_uint_eq(record->n_outbox, 2);
	ck_assert_str_eq(record->outbox[1]->type, "souk.cart.v1.CartAbandoned");
	/* It says what is at stake: 5 of 4 euros, as the wire has it. */
	ck_assert_ptr_nonnull(memmem(record->outbox[1]->payload.data,
				     record->outbox[1]->payload.len, "EUR\x10\x14", 5));
}

enum { DEVICES = 8, EACH = 5 };

static void *put_from_a_device(void *data)
{
	struct rpc_call *own = call_of("users/ann", "");
	Cart *got;
	int r = 0;

	for (int i = 0; !r && i < EACH; i++) {
		do {
			r = cart_client_add_cart_item(
				client, own,
				MSG(AddCartItemRequest, .product = data, .quantity = 1), &got);
		} while (r == RPC_ABORTED);
	}
	rpc_call_free(own);
	return (void *)(intptr_t)r;
}

TEST(two_devices_never_undo_each_other)
{
	static const char *const products[] = { "tea", "cup" };
	pthread_t devices[DEVICES];
	const Cart *got;

	for (int i = 0; i < DEVICES; i++)
		pthread_create(&devices[i], NULL, put_from_a_device, (void *)products[i % 2]);
	for (int i = 0; i < DEVICES; i++) {
		void *result;

		pthread_join(devices[i], &result);
		ck_assert_ptr_null(result);
	}
	got = get();
	ck_assert_uint_eq(got->n_items, 2);
	ck_assert_int_eq(got->unit_count, DEVICES * EACH);
}

TEST_MAIN("cart", setup, teardown)
