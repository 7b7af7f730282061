/* The cart belongs to the person: it follows from guest to customer, from device to device, and
 * outlives sessions. */
#include "shop.h"
#include <string.h>

static int64_t quantity_in_cart(struct app *app, const char *product)
{
	struct response *cart = expect(http_get(app, "/v1/cart"), 200);
	json_t *item = find_at(cart, "items", "product", text("products/%s", product));

	return item ? json_integer_value(json_object_get(item, "quantity")) : 0;
}

TEST(a_guests_cart_is_merged_at_login_and_the_larger_quantity_wins)
{
	const char *tea = product_new(1000, 50), *coffee = product_new(2000, 50), *email;
	cleanup(app_freep) struct app *before = customer_new(&email);
	cleanup(app_freep) struct app *phone = guest_new();

	cart_add(before, tea, 5);
	cart_add(phone, tea, 2);
	cart_add(phone, coffee, 3);
	expect(log_in(phone, email, PASSWORD), 200);
	ck_assert_int_eq(quantity_in_cart(phone, tea), 5);
	ck_assert_int_eq(quantity_in_cart(phone, coffee), 3);
	ck_assert_int_eq(quantity_in_cart(before, coffee), 3); /* it is one cart */
}

TEST(a_login_repeated_with_the_same_guest_merges_once)
{
	const char *tea = product_new(1000, 50), *email;
	cleanup(app_freep) struct app *laptop = customer_new(&email);
	cleanup(app_freep) struct app *phone = guest_new();
	const char *guest_token = text("%s", app_access_token(phone));
	struct response *cart;

	cart_add(phone, tea, 2);
	expect(log_in(phone, email, PASSWORD), 200);
	ck_assert_int_eq(quantity_in_cart(phone, tea), 2);
	cart = expect(http_get(phone, "/v1/cart"), 200);
	expect(http_delete(phone, "/v1/cart/items/%s", id_at(cart, "items.0.name")), 200);

	/* What was taken out does not come back with the next login of the same guest. */
	app_use_token(phone, guest_token);
	expect(log_in(phone, email, PASSWORD), 200);
	ck_assert_int_eq(quantity_in_cart(phone, tea), 0);
	ck_assert_int_eq(quantity_in_cart(laptop, tea), 0);
}

TEST(who_logs_out_shops_on_as_a_guest_and_brings_that_along_to_the_next_login)
{
	const char *tea = product_new(1000, 50), *coffee = product_new(2000, 50), *email;
	cleanup(app_freep) struct app *laptop = customer_new(&email);
	cleanup(app_freep) struct app *phone = guest_new();
	const char *guest_token = text("%s", app_access_token(phone));

	cart_add(phone, tea, 2);
	expect(log_in(phone, email, PASSWORD), 200);
	ck_assert_int_eq(quantity_in_cart(phone, tea), 2);
	expect(http_delete(phone, "/v1/sessions/current"), 200);

	app_use_token(phone, guest_token);
	ck_assert_int_eq(quantity_in_cart(phone, tea), 0);
	cart_add(phone, coffee, 1);
	expect(log_in(phone, email, PASSWORD), 200);
	ck_assert_int_eq(quantity_in_cart(phone, tea), 2);
	ck_assert_int_eq(quantity_in_cart(phone, coffee), 1);
	ck_assert_int_eq(quantity_in_cart(laptop, coffee), 1);
}

TEST(the_cart_is_there_after_logout_and_on_a_second_device)
{
	const char *tea = product_new(1000, 50), *email;
	cleanup(app_freep) struct app *phone = customer_new(&email);
	cleanup(app_freep) struct app *tablet = app_new();

	cart_add(phone, tea, 4);
	expect(http_delete(phone, "/v1/sessions/current"), 200);
	expect_error(http_get(phone, "/v1/cart"), 401,
		     NULL); /* at once, though the token would last for minutes */
	app_take_session(phone, NULL);
	expect(log_in(phone, email, PASSWORD), 200);
	ck_assert_int_eq(quantity_in_cart(phone, tea), 4);
	expect(log_in(tablet, email, PASSWORD), 200);
	ck_assert_int_eq(quantity_in_cart(tablet, tea), 4);
}

TEST(a_flushed_redis_logs_people_out_and_loses_no_cart)
{
	const char *tea = product_new(1000, 50), *email;
	cleanup(app_freep) struct app *phone = customer_new(&email);
	cleanup(app_freep) struct app *guest = app_new();
	struct response *session = expect(http_post(guest, "/v1/sessions:guest", "{}"), 200);
	const char *guest_token = text("%s", text_at(session, "guestToken"));

	app_take_session(guest, session);
	cart_add(phone, tea, 4);
	cart_add(guest, tea, 7);
	platform_redis("FLUSHALL");

	expect_error(http_get(phone, "/v1/cart"), 401, NULL);
	app_take_session(phone, NULL);
	expect(log_in(phone, email, PASSWORD), 200);
	ck_assert_int_eq(quantity_in_cart(phone, tea), 4);

	app_take_session(guest, NULL);
	app_take_session(guest, expect(http_post(guest, "/v1/sessions:guest",
						 "{'guestToken': '%s'}", guest_token),
				       200));
	ck_assert_int_eq(quantity_in_cart(guest, tea), 7);
}

struct adding {
	const char *email, *product;
	int statuses[8];
};

static void add_one(int i, void *data)
{
	struct adding *adding = data;
	struct app *device = app_new();

	if (log_in(device, adding->email, PASSWORD)->status == 200)
		adding->statuses[i] = http_post(device, "/v1/cart/items",
						"{'product': '%s', 'quantity': 1}", adding->product)
					      ->status;
	app_free(device);
}

TEST(two_devices_never_undo_each_other)
{
	struct adding adding = { .product = product_new(1000, 50) };
	cleanup(app_freep) struct app *phone = customer_new(&adding.email);

	at_once(8, add_one, &adding);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(adding.statuses[i], 200);
	ck_assert_int_eq(quantity_in_cart(phone, adding.product), 8);
}

TEST_MAIN("cart merge", story_begin, story_end)
