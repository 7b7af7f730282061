/* Backorders: what is bought beyond the stock is paid at once, and sent when it came. */
#include "shop.h"
#include <string.h>

static void sell_ahead(const char *product, const char *policy, int limit)
{
	expect(http_patch(staff(), text("/v1/stockItems/%s", product_sku(product)),
			  "{'backorderPolicy': '%s', 'backorderLimit': %d, "
			  "'promiseTime': '2032-05-01T00:00:00Z'}",
			  policy, limit),
	       200);
}

static void receive(const char *product, int units)
{
	expect(http_post_once(staff(), unique("stock"),
			      text("/v1/stockItems/%s:adjust", product_sku(product)),
			      "{'delta': %d, 'reason': 'RECEIVED'}", units),
	       200);
}

static bool is_shown(struct app *app, const char *product, const char *state, int quantity)
{
	struct response *shown = expect(http_get(app, "/v1/products/%s", product), 200);
	const char *of = "variants.0.availability";

	return json_at(shown, text("%s.state", of)) &&
	       !strcmp(text_at(shown, text("%s.state", of)), state) &&
	       number_at(shown, text("%s.quantity", of)) == quantity;
}

static int64_t waiting(struct app *app, const char *order)
{
	struct response *placed = order_get(app, order);

	return json_at(placed, "lines.0.backorderedQuantity")
		       ? number_at(placed, "lines.0.backorderedQuantity")
		       : 0;
}

static bool has_parcel(struct app *app, const char *order)
{
	return json_at(order_get(app, order), "shipments.0.name");
}

TEST(what_is_bought_beyond_the_stock_is_sent_when_it_came)
{
	const char *lamp = product_new(2500, 1), *tea = product_new(900, 5), *order, *other;
	const char *email = text("%s@example.com", unique("waiting")), *said;
	cleanup(app_freep) struct app *guest = guest_new(), *next = guest_new();
	struct response *cart;

	expect_error(http_post(guest, "/v1/cart/items", "{'product': '%s', 'quantity': 3}", lamp),
		     400, "CART_STOCK_INSUFFICIENT");
	sell_ahead(lamp, "BACKORDER", 3);
	cart = cart_add(guest, lamp, 3);
	ck_assert_uint_eq(count_at(cart, "warnings"), 1);
	ck_assert_str_eq(text_at(cart, "warnings.0.code"), "BACKORDER");
	ck_assert_str_eq(text_at(cart, "warnings.0.metadata.quantity"), "2");
	ck_assert_str_eq(text_at(cart, "warnings.0.metadata.promiseTime"), "2032-05-01T00:00:00Z");
	order = order_place(guest, email);
	ck_assert_int_eq(waiting(guest, order), 2);
	ck_assert_str_eq(text_at(order_get(guest, order), "lines.0.promiseTime"),
			 "2032-05-01T00:00:00Z");
	eventually(30, is_shown(next, lamp, "BACKORDER", 1));
	expect_error(http_post(next, "/v1/cart/items", "{'product': '%s', 'quantity': 2}", lamp),
		     400, "CART_STOCK_INSUFFICIENT");

	/* It is paid, and does not leave, though what is paid later does. */
	expect(order_pay(guest, order, VISA), 200);
	ck_assert(order_is(guest, order, "CONFIRMED"));
	ck_assert_int_eq(stock_of(lamp, "onHand"), 0);
	ck_assert_int_eq(stock_of(lamp, "committed"), 3);
	ck_assert_int_eq(stock_of(lamp, "backordered"), 2);
	said = json_string_value(json_object_get(
		mail_await(email, text_at(order_get(guest, order), "number"), 30), "text"));
	ck_assert_ptr_nonnull(strstr(said, "we expect the rest by 2032-05-01"));
	other = order_of_guest(next, tea, 1);
	expect(order_pay(next, other, VISA), 200);
	eventually(60, has_parcel(next, other));
	ck_assert(!has_parcel(guest, order));

	/* A policy that is withdrawn leaves those who have bought alone. */
	sell_ahead(lamp, "DENY", 0);
	receive(lamp, 1);
	eventually(60, waiting(guest, order) == 1);
	ck_assert(!has_parcel(guest, order));
	receive(lamp, 4);
	eventually(60, has_parcel(guest, order));
	ck_assert_int_eq(waiting(guest, order), 0);
	ck_assert_int_eq(stock_available(lamp), 3);
	eventually(30, is_shown(next, lamp, "LOW_STOCK", 3));
	eventually(120, stock_of(lamp, "committed") == 0); /* the parcel has left */
}

TEST(a_preorder_that_is_cancelled_leaves_what_comes_to_others)
{
	const char *book = product_new(3000, 0), *order, *other;
	cleanup(app_freep) struct app *guest = guest_new(), *next = guest_new();
	int64_t total;

	sell_ahead(book, "PREORDER", 10);
	eventually(30, is_shown(guest, book, "PREORDER", 10));
	order = order_of_guest(guest, book, 2);
	expect(order_pay(guest, order, VISA), 200);
	other = order_of_guest(next, book, 1);
	expect(order_pay(next, other, VISA), 200);
	total = cents_at(order_get(guest, order), "totals.total");
	expect(http_post(guest, text("/v1/orders/%s:cancel", order), "{}"), 200);
	eventually(60, order_is(guest, order, "CANCELLED"));
	ck_assert_int_eq(stripe_refunded_cents(order), total);
	ck_assert_int_eq(stock_of(book, "backordered"), 1);
	receive(book, 1);
	eventually(60, has_parcel(next, other));
	ck_assert_int_eq(stock_available(book), 0);
}

TEST_MAIN("backorders", story_begin, story_end)
