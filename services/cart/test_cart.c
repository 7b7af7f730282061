/* The cart against the real server, with a catalogue, an inventory and a shipping of the test. */
#include "cart_store.h"
#include "errors.msg.h"
#include <common/clock.h>
#include <common/names.h>
#include <pthread.h>
#include <stores.h>
#include <string.h>
#include <test.h>

/* --- the peers --- */

struct catalog_service {
	int64_t price; /* whole euros, of every variant */
	bool away, off_sale;
};
struct inventory_service {
	int32_t available;
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
				.available = self->available));
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

TEST(an_unused_cart_is_there_and_empty)
{
	const Cart *got = get();

	ck_assert_str_eq(got->name, "carts/ann");
	ck_assert_uint_eq(got->n_items, 0);
	ck_assert_str_eq(got->subtotal->currency_code, "EUR");
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

TEST(a_guests_cart_is_folded_in_once)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	ck_assert_int_eq(add("cup", 1, &got), 0);
	as("users/ann", "");
	ck_assert_int_eq(add("tea", 2, &got), 0);
	as("users/ann", "users/guest");
	got = get();
	ck_assert_uint_eq(got->n_items, 2);
	ck_assert_int_eq(got->items[0]->quantity, 5);
	ck_assert_int_eq(cart_client_remove_cart_item(
				 client, call,
				 MSG(RemoveCartItemRequest, .item = name_id(got->items[1]->name)),
				 &got),
			 0);
	ck_assert_uint_eq(get()->n_items, 1);
	as("users/guest", "");
	ck_assert_uint_eq(get()->n_items, 0);
}

static const struct {
	const char *merging;
	int32_t tea, cups, empty; /* what is held then; of tea, where the user had nothing */
} mergings[] = {
	{ "larger", 60, 1, 60 },
	{ "sum", 99, 1, 60 },
	{ "guest", 60, 0, 60 },
	{ "user", 50, 1, 60 },
};
TEST_EACH(a_guests_cart_is_folded_in_as_the_operator_chose, mergings)
{
	Cart *got;

	ck_assert(cart_merging_read(row->merging, &cart.merging));
	ck_assert(!cart_merging_read("all", &cart.merging));
	inventory.available = 1000;
	as("users/guest", "");
	ck_assert_int_eq(add("tea", 60, &got), 0);
	as("users/guest2", "");
	ck_assert_int_eq(add("tea", 60, &got), 0);
	as("users/guest3", "");
	ck_assert_uint_eq(get()->n_items, 0);
	as("users/ann", "");
	ck_assert_int_eq(add("cup", 1, &got), 0);
	ck_assert_int_eq(add("tea", 50, &got), 0);
	as("users/ann", "users/guest3"); /* who put nothing in takes nothing away */
	ck_assert_int_eq(get()->unit_count, 51);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, row->tea + row->cups);
	as("users/bob", "users/guest2");
	ck_assert_int_eq(get()->unit_count, row->empty);
	cart.merging = CART_MERGE_LARGER;
}

/* As a login of Ann's that went no further left it. */
static void freeze(const char *login)
{
	CartRecord *guest;

	ck_assert_int_eq(cart_read(call, "guest", &guest), 0);
	ck_assert_int_eq(cart_freeze(call, guest, "carts/ann", login), 0);
}

TEST(who_logs_out_is_a_guest_again_and_the_next_login_folds_in_what_is_new)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 5);
	ck_assert_int_eq(cart_client_clear_cart(client, call, MSG(ClearCartRequest), &got), 0);
	as("users/guest", "");
	ck_assert_int_eq(add("cup", 2, &got), 0);
	ck_assert_int_eq(got->unit_count, 2);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 0);
	session = "sessions/2";
	as("users/ann", "users/guest");
	got = get();
	ck_assert_int_eq(got->unit_count, 2);
	ck_assert_str_eq(got->items[0]->product, "products/cup");
	session = "sessions/1";
}

TEST(what_was_folded_in_before_the_stop_is_not_folded_in_again)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 5);
	for (int i = 0; i < 2; i++) {
		as("users/guest", "");
		ck_assert_int_eq(add("cup", 2, &got), 0);
		freeze("sessions/1");
		if (!i) { /* the next login finds it so */
			session = "sessions/2";
			as("users/ann", "users/guest");
			ck_assert_int_eq(get()->unit_count, 5);
		}
		session = "sessions/1";
		as("users/guest", ""); /* so does the guest */
		ck_assert_int_eq(add("pot", 1, &got), 0);
		ck_assert_int_eq(got->unit_count, 1);
		ck_assert_int_eq(cart_client_clear_cart(client, call, MSG(ClearCartRequest), &got),
				 0);
	}
}

TEST(what_is_not_folded_in_yet_is_the_guests_who_comes_back)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	freeze("sessions/1");
	ck_assert_int_eq(add("tea", 1, &got), 0);
	ck_assert_int_eq(got->unit_count, 6);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 6);
}

TEST(a_fold_that_was_stopped_goes_on)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	freeze("sessions/1");
	as("users/bob", "users/guest");
	ck_assert_uint_eq(get()->n_items, 0); /* it is frozen for ann */
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->items[0]->quantity, 5);
	ck_assert_int_eq(get()->items[0]->quantity, 5);
}

static void pay(const char *order, const char *sku, int32_t quantity)
{
	souk_orders_v1_OrderPaid *event = rpc_alloc(call, sizeof(*event));

	event_text(event->order, order);
	event_text(event->cart, "carts/ann");
	event->lines_count = 1;
	event_text(event->lines[0].sku, sku);
	event->lines[0].quantity = quantity;
	ck_assert_int_eq(cart_orders.order_paid(NULL, call, event, NULL), 0);
}

TEST(what_was_ordered_is_taken_out_once_and_what_was_added_stays)
{
	Cart *got;

	ck_assert_int_eq(add("tea", 5, &got), 0);
	ck_assert_int_eq(add("cup", 1, &got), 0);
	pay("orders/1", "tea-std", 3);
	pay("orders/1", "tea-std", 3);
	got = get();
	ck_assert_uint_eq(got->n_items, 2);
	ck_assert_int_eq(got->items[0]->quantity, 2);
	pay("orders/2", "tea-std", 3);
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
