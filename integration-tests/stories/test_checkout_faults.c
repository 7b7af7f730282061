/*
 * The checkout under the eight faults and inputs at which Online Boutique's was measured (README has
 * both): whatever happens, one charge of the total and one parcel for what was ordered, or a
 * refusal that says why.
 */
#include "shop.h"
#include <string.h>

enum { STOCK = 10, UNITS = 2 };

static void assert_sold_once(struct app *guest, const char *order, const char *tea)
{
	eventually(60, count_at(order_get(guest, order), "shipments") == 1);
	ck_assert_int_eq(stripe_charges(order), 1);
	ck_assert_int_eq(stripe_holds(order), 0);
	ck_assert_int_eq(stripe_captured_cents(order),
			 cents_at(order_get(guest, order), "totals.total"));
	ck_assert_int_eq(stripe_refunded_cents(order), 0);
	ck_assert_int_eq(stock_of(tea, "onHand"), STOCK - UNITS);
}

TEST(a_purchase_is_charged_and_shipped_once)
{
	const char *tea = product_new(1999, STOCK), *order;
	cleanup(app_freep) struct app *guest = guest_new();

	order = order_of_guest(guest, tea, UNITS);
	expect(order_pay(guest, order, VISA), 200);
	assert_sold_once(guest, order, tea);
}

/* Three tries while it is down, and one when it is back, each as a new request. */
TEST(shipping_that_is_down_costs_no_second_charge)
{
	const char *tea = product_new(1999, STOCK), *order;
	cleanup(app_freep) struct app *guest = guest_new();

	order = order_of_guest(guest, tea, UNITS);
	platform_do("stop %s", platform_replicas("shipping"));
	expect(order_pay(guest, order, VISA), 200);
	for (int i = 0; i < 2; i++)
		expect_error(order_pay(guest, order, VISA), 400, "ORDER_NOT_PAYABLE");
	platform_do("start %s", platform_replicas("shipping"));
	expect_error(order_pay(guest, order, VISA), 400, "ORDER_NOT_PAYABLE");
	assert_sold_once(guest, order, tea);
}

struct clicks {
	const char *token, *email, *method, *orders[2];
};

static void click_order(int i, void *data)
{
	struct clicks *clicks = data;
	struct app *app = app_new();
	struct response *order;

	app_use_token(app, clicks->token);
	order = order_place_once(app, clicks->email, clicks->method, unique("order"));
	clicks->orders[i] = order->status == 200 ? text("%s", id_at(order, "name")) : "";
	app_free(app);
}

static void click_pay(int i, void *data)
{
	struct clicks *clicks = data;
	struct app *app = app_new();

	app_use_token(app, clicks->token);
	order_pay(app, clicks->orders[i], VISA);
	app_free(app);
}

TEST(a_double_click_buys_once)
{
	const char *tea = product_new(1999, STOCK);
	cleanup(app_freep) struct app *guest = guest_new();
	struct clicks clicks = { .email = text("%s@example.com", unique("guest")) };

	cart_add(guest, tea, UNITS);
	clicks.token = app_access_token(guest);
	clicks.method = shipping_cheapest(guest);
	at_once(2, click_order, &clicks);
	ck_assert_str_ne(clicks.orders[0], "");
	ck_assert_str_eq(clicks.orders[0], clicks.orders[1]);
	at_once(2, click_pay, &clicks);
	eventually(60, order_is(guest, clicks.orders[0], "CONFIRMED"));
	assert_sold_once(guest, clicks.orders[0], tea);
}

TEST(a_cart_that_could_not_be_emptied_is_when_it_is_back)
{
	const char *tea = product_new(1999, STOCK), *order;
	cleanup(app_freep) struct app *guest = guest_new();
	struct response *cart;

	order = order_of_guest(guest, tea, UNITS);
	platform_do("stop %s", platform_replicas("cart"));
	expect(order_pay(guest, order, VISA), 200);
	platform_do("start %s", platform_replicas("cart"));
	eventually(60,
		   (cart = http_get(guest, "/v1/cart"))->status == 200 && !count_at(cart, "items"));
	expect_error(order_place_once(guest, "amina@example.com", "standard", unique("order")), 400,
		     "ORDER_CART_EMPTY");
	assert_sold_once(guest, order, tea);
}

TEST(an_empty_cart_is_no_order)
{
	cleanup(app_freep) struct app *guest = guest_new();

	expect_error(order_place_once(guest, "amina@example.com", "standard", unique("order")), 400,
		     "ORDER_CART_EMPTY");
}

TEST(goods_are_never_free_in_a_currency_without_a_price)
{
	static const char *const currencies[] = { "ZZZ", "AED" };
	const char *tea = product_new(1999, STOCK);

	for (int i = 0; i < 2; i++) {
		cleanup(app_freep) struct app *guest = guest_new();

		expect_error(http_post(guest, "/v1/cart/items",
				       "{'product': '%s', 'quantity': 3, 'currencyCode': '%s'}",
				       tea, currencies[i]),
			     400, "CURRENCY_UNSUPPORTED");
	}
}

TEST(a_million_units_and_minus_one_are_refused_by_name)
{
	static const int quantities[] = { 1000000, -1 };
	const char *tea = product_new(1999, STOCK);
	cleanup(app_freep) struct app *guest = guest_new();

	for (int i = 0; i < 2; i++) {
		struct response *refusal = expect_error(
			http_post(guest, "/v1/cart/items", "{'product': '%s', 'quantity': %d}", tea,
				  quantities[i]),
			400, NULL);

		ck_assert(error_names(refusal, "quantity"));
	}
	expect_error(http_post(guest, "/v1/cart/items", "{'product': '%s', 'quantity': %d}", tea,
			       STOCK + 1),
		     400, "CART_STOCK_INSUFFICIENT");
}

/* Whatever a test that failed has left. */
static void end(void)
{
	platform_do("start %s %s", platform_replicas("shipping"), platform_replicas("cart"));
	story_end();
}

TEST_MAIN("checkout_faults", story_begin, end)
