/* What runs out: an order that nobody pays, a token that is too old. */
#include "shop.h"
#include <string.h>

/* Sooner than usual, until these processes are started again. */
#define SOON "SOUK_ORDER_TTL=5s"
#define SOON_ENOUGH "SOUK_ORDER_TTL=20s" /* to look at what is reserved until then */
#define SOON_TOKENS "SOUK_ACCESS_TOKEN_TTL=60s"

TEST(the_stock_of_an_order_that_nobody_pays_is_free_again)
{
	const char *tea = product_new(1500, 10), *order;
	cleanup(app_freep) struct app *guest = guest_new();

	platform_restart("orders orders-2 " SOON_ENOUGH);
	order = order_of_guest(guest, tea, 7);
	ck_assert_int_eq(stock_available(tea), 3);
	platform_restart("orders orders-2");
	eventually(60, order_is(guest, order, "EXPIRED"));
	eventually(60, stock_available(tea) == 10);
	ck_assert_int_eq(stock_of(tea, "reserved"), 0);
	expect_error(order_pay(guest, order, VISA), 400, "ORDER_NOT_PAYABLE");
	ck_assert_int_eq(stripe_charges(order), 0);

	/* The cart is still there, and can be ordered anew. */
	ck_assert_int_eq(number_at(expect(http_get(guest, "/v1/cart"), 200), "items.0.quantity"),
			 7);
	expect(order_pay(guest, order_place(guest, "guest@example.com"), VISA), 200);
	ck_assert_int_eq(stock_of(tea, "onHand"), 3);
}

TEST(a_payment_in_the_last_moment_is_either_taken_or_refused_whole)
{
	const char *tea = product_new(1500, 10), *order;
	cleanup(app_freep) struct app *guest = guest_new();
	struct response *answer;

	platform_restart("orders orders-2 " SOON);
	order = order_of_guest(guest, tea, 2);
	pause_ms(4900);
	answer = order_pay(guest, order, VISA);
	platform_restart("orders orders-2");
	eventually(60, order_is(guest, order, "CONFIRMED") || order_is(guest, order, "EXPIRED") ||
			       order_is(guest, order, "CANCELLED"));
	if (order_is(guest, order, "CONFIRMED")) {
		ck_assert_int_eq(answer->status, 200);
		ck_assert_int_eq(stripe_charges(order), 1);
		eventually(30, stock_of(tea, "onHand") == 8);
	} else {
		ck_assert_int_ne(answer->status, 200);
		eventually(60, stripe_captured_cents(order) == stripe_refunded_cents(order) &&
				       !stripe_holds(order));
		eventually(60, stock_available(tea) == 10);
	}
}

TEST(an_expired_token_is_refused_and_refreshed)
{
	cleanup(app_freep) struct app *guest = app_new();

	platform_restart("auth " SOON_TOKENS);
	app_take_session(guest, expect(http_post(guest, "/v1/sessions:guest", "{}"), 200));
	eventually(120, http_get(guest, "/v1/cart")->status == 401);
	app_use_token(guest, NULL); /* a bad token is refused on public paths too */
	app_take_session(guest,
			 expect(http_post(guest, "/v1/sessions:refresh", "{'refreshToken': '%s'}",
					  app_refresh_token(guest)),
				200));
	expect(http_get(guest, "/v1/cart"), 200);
	platform_restart("auth");
}

TEST_MAIN("expiry", story_begin, story_end)
