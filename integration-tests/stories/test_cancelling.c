/* Cancelling: what was paid and not handed over yet comes back, whole or in part, and the stock
 * with it. */
#include "shop.h"
#include <string.h>

TEST(a_paid_order_is_cancelled_refunded_and_put_back)
{
	const char *tea = product_new(1500, 10), *email;
	cleanup(app_freep) struct app *amina = customer_new(&email);
	const char *order, *number;
	int64_t total;

	cart_add(amina, tea, 4);
	order = order_place(amina, NULL);
	expect(order_pay(amina, order, VISA), 200);
	number = text_at(order_get(amina, order), "number");
	total = cents_at(order_get(amina, order), "totals.total");
	ck_assert_int_eq(stock_of(tea, "onHand"), 6);

	expect(http_post(amina, text("/v1/orders/%s:cancel", order), "{}"), 200);
	eventually(60, order_is(amina, order, "CANCELLED"));
	ck_assert_str_eq(text_at(order_get(amina, order), "paymentState"), "REFUNDED");
	ck_assert_int_eq(stripe_captured_cents(order), total);
	ck_assert_int_eq(stripe_refunded_cents(order), total);
	eventually(30, stock_of(tea, "onHand") == 10);
	expect(http_post(amina, text("/v1/orders/%s:cancel", order), "{}"),
	       200); /* again: nothing more */
	ck_assert_int_eq(stripe_refunded_cents(order), total);
	eventually(30, mail_count(email, number) >= 2); /* confirmed, then cancelled */
}

TEST(an_order_that_a_changed_cart_replaces_is_nobodys_news)
{
	const char *tea = product_new(1500, 10), *email, *first, *second;
	cleanup(app_freep) struct app *amina = customer_new(&email);

	cart_add(amina, tea, 1);
	first = order_place(amina, NULL);
	cart_add(amina, tea, 1);
	second = order_place(amina, NULL);
	ck_assert(order_is(amina, first, "CANCELLED"));
	ck_assert_int_eq(stock_of(tea, "reserved"), 2);
	expect(order_pay(amina, second, VISA), 200);
	mail_await(email, text_at(order_get(amina, second), "number"), 30);
	ck_assert_int_eq(mail_count(email, text_at(order_get(amina, first), "number")), 0);
}

TEST(some_units_are_cancelled_and_their_part_is_refunded)
{
	const char *tea = product_new(1000, 10), *coffee = product_new(3000, 10), *order,
		   *line = NULL;
	cleanup(app_freep) struct app *amina = customer_new(NULL);
	struct response *paid, *answer;
	int64_t share = 0;

	cart_add(amina, tea, 4);
	cart_add(amina, coffee, 1);
	order = order_place(amina, NULL);
	expect(order_pay(amina, order, VISA), 200);
	paid = order_get(amina, order);
	for (size_t i = 0; i < count_at(paid, "lines"); i++) {
		if (strcmp(text_at(paid, text("lines.%zu.sku", i)), product_sku(tea)))
			continue;
		line = text_at(paid, text("lines.%zu.name", i));
		share = cents_at(paid, text("lines.%zu.total", i)) / 4;
	}
	ck_assert_ptr_nonnull(line);
	answer = http_post_once(amina, unique("cancel"), text("/v1/orders/%s:cancelLines", order),
				"{'lines': [{'line': '%s', 'quantity': 1}]}", line);
	expect(answer, 200);
	eventually(60, stripe_refunded_cents(order) == share);
	eventually(30, stock_of(tea, "onHand") == 7);
	ck_assert_int_eq(stock_of(coffee, "onHand"), 9);
	eventually(30,
		   !strcmp(text_at(order_get(amina, order), "paymentState"), "PARTIALLY_REFUNDED"));
	ck_assert(order_is(amina, order, "CONFIRMED"));
	expect_error(http_post_once(amina, unique("cancel"),
				    text("/v1/orders/%s:cancelLines", order),
				    "{'lines': [{'line': '%s', 'quantity': 4}]}", line),
		     400, "ORDER_LINE_NOT_FOUND");

	/* What is left is cancelled too, and no cent more than was paid is given back. */
	expect(http_post(amina, text("/v1/orders/%s:cancel", order), "{}"), 200);
	eventually(60, order_is(amina, order, "CANCELLED"));
	ck_assert_int_eq(stripe_refunded_cents(order), cents_at(paid, "totals.total"));
	eventually(30, stock_of(tea, "onHand") == 10 && stock_of(coffee, "onHand") == 10);
}

TEST(staff_refunds_no_more_than_was_paid)
{
	const char *tea = product_new(5000, 10), *order, *payment, *refunds;
	cleanup(app_freep) struct app *amina = customer_new(NULL);
	int64_t total;

	cart_add(amina, tea, 1);
	order = order_place(amina, NULL);
	expect(order_pay(amina, order, VISA), 200);
	total = cents_at(order_get(amina, order), "totals.total");
	payment = text("%s", text_at(order_get(amina, order), "payment"));
	refunds = text("/v1/%s/refunds", payment);
	expect(http_post_once(staff(), unique("refund"), refunds,
			      "{'amount': {'currencyCode': 'EUR', 'units': '20'}}"),
	       200);
	eventually(30, stripe_refunded_cents(order) == 2000);
	expect_error(http_post_once(staff(), unique("refund"), refunds,
				    "{'amount': {'currencyCode': 'EUR', 'units': '%d'}}",
				    (int)(total / 100)),
		     400, NULL);
	ck_assert_int_eq(stripe_refunded_cents(order), 2000);
	ck_assert_int_eq(cents_at(expect(http_get(staff(), "/v1/%s", payment), 200), "refunded"),
			 2000);
}

/* The parcel stays at the warehouse. */
static void begin(void)
{
	story_begin();
	outside_behave();
	carrier("{'interval_ms': 600000}");
}

static void end(void)
{
	outside_behave();
	story_end();
}

TEST_MAIN("cancelling", begin, end)
