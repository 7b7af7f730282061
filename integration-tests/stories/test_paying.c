/* Paying: money moves once, whatever the app repeats; what was paid for nothing comes back. */
#include "shop.h"
#include <string.h>

#define ASKED_ABOUT "4000002500003155" /* localstripe's card whose bank asks the customer */

struct payers {
	const char *order, *token, *keys[4], *states[4], *reasons[4];
	int statuses[4];
};

/* Statuses of answers are judged by the test's own thread. */
static void pay(int i, void *data)
{
	struct payers *payers = data;
	struct app *app = app_new();
	struct response *answer;

	app_use_token(app, payers->token);
	answer = order_pay_once(app, payers->order, VISA, payers->keys[i]);
	payers->statuses[i] = answer->status;
	payers->states[i] = text("%s", json_is_string(json_at(answer, "paymentState"))
					       ? text_at(answer, "paymentState")
					       : "");
	payers->reasons[i] = text("%s", error_reason(answer));
	app_free(app);
}

static int paid(const struct payers *payers, int n)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		count += payers->statuses[i] == 200 && !strcmp(payers->states[i], "PAID");
	return count;
}

TEST(paying_twice_at_once_gives_one_charge)
{
	const char *tea = product_new(1999, 10);
	cleanup(app_freep) struct app *guest = guest_new();
	const char *order = order_of_guest(guest, tea, 2);
	struct payers payers = { .order = order,
				 .token = app_access_token(guest),
				 .keys = { unique("pay"), unique("pay"), unique("pay"),
					   unique("pay") } };

	at_once(4, pay, &payers);
	eventually(60, order_is(guest, order, "CONFIRMED"));
	ck_assert_int_ge(paid(&payers, 4), 1);
	for (int i = 0; i < 4; i++) { /* the others are told why: it is being paid, or is paid */
		if (payers.statuses[i] == 200)
			continue;
		ck_assert_msg(!strcmp(payers.reasons[i], "ORDER_PAYING") ||
				      !strcmp(payers.reasons[i], "ORDER_NOT_PAYABLE"),
			      "%d %s", payers.statuses[i], payers.reasons[i]);
	}
	ck_assert_int_eq(stripe_charges(order), 1);
	ck_assert_int_eq(stripe_holds(order), 0);
	ck_assert_int_eq(stripe_captured_cents(order),
			 cents_at(order_get(guest, order), "totals.total"));
	ck_assert_int_eq(stock_of(tea, "onHand"), 8);
}

TEST(the_same_key_at_once_gives_one_charge_and_one_answer)
{
	const char *tea = product_new(1999, 10), *key = unique("pay");
	cleanup(app_freep) struct app *guest = guest_new();
	const char *order = order_of_guest(guest, tea, 1);
	struct payers payers = { .order = order,
				 .token = app_access_token(guest),
				 .keys = { key, key, key, key } };
	struct response *repeated;

	at_once(4, pay, &payers);
	for (int i = 0; i < 4; i++)
		ck_assert_msg(payers.statuses[i] == 200 || payers.statuses[i] == 409, "%d %s",
			      payers.statuses[i], payers.reasons[i]);
	repeated = expect(order_pay_once(guest, order, VISA, key), 200);
	ck_assert_str_eq(text_at(repeated, "paymentState"), "PAID");
	ck_assert_int_eq(stripe_intents(order), 1);
	ck_assert_int_eq(stripe_charges(order), 1);
}

TEST(the_same_key_gives_the_same_answer)
{
	const char *tea = product_new(1500, 10), *place_key = unique("order"),
		   *pay_key = unique("pay");
	cleanup(app_freep) struct app *guest = guest_new();
	const char *method, *email = text("%s@example.com", unique("guest"));
	struct response *first, *again;

	cart_add(guest, tea, 1);
	method = shipping_cheapest(guest);
	first = expect(order_place_once(guest, email, method, place_key), 200);
	again = expect(order_place_once(guest, email, method, place_key), 200);
	ck_assert(json_equal(json_at(first, "name"), json_at(again, "name")));
	ck_assert(json_equal(json_at(first, "number"), json_at(again, "number")));
	ck_assert_int_eq(stock_of(tea, "reserved"), 1);
	expect_error(order_place_once(guest, "someone.else@example.com", method, place_key), 400,
		     "REQUEST_ID_REUSED");

	first = expect(order_pay_once(guest, id_at(first, "name"), VISA, pay_key), 200);
	again = expect(order_pay_once(guest, id_at(first, "name"), VISA, pay_key), 200);
	ck_assert(json_equal(json_at(first, "paymentState"), json_at(again, "paymentState")));
	ck_assert_int_eq(stripe_intents(id_at(first, "name")), 1);
	expect_error(order_pay_once(guest, id_at(first, "name"), "pm_card_mastercard", pay_key),
		     400, "REQUEST_ID_REUSED");
}

TEST(money_and_orders_need_a_key)
{
	const char *tea = product_new(1500, 10);
	cleanup(app_freep) struct app *guest = guest_new();
	const char *order = order_of_guest(guest, tea, 1);

	expect_error(http_post(guest, "/v1/orders",
			       "{'shippingAddress': " BERLIN ", 'shippingMethod': 'standard'}"),
		     400, NULL);
	expect_error(
		http_post(guest, text("/v1/orders/%s:pay", order), "{'paymentMethod': '" VISA "'}"),
		400, NULL);
	ck_assert_int_eq(stripe_intents(order), 0);
}

TEST(a_declined_card_leaves_an_order_that_another_card_pays)
{
	const char *tea = product_new(1500, 10), *key = unique("pay");
	cleanup(app_freep) struct app *guest = guest_new();
	const char *order = order_of_guest(guest, tea, 1);

	expect_error(order_pay_once(guest, order, DECLINED, key), 400, "ORDER_PAYMENT_DECLINED");
	expect_error(order_pay_once(guest, order, DECLINED, key), 400,
		     "ORDER_PAYMENT_DECLINED"); /* a refusal is an answer */
	ck_assert_int_eq(stripe_intents(order), 1);
	ck_assert(order_is(guest, order, "AWAITING_PAYMENT"));
	ck_assert_int_eq(stock_of(tea, "reserved"), 1); /* still kept for this order */

	expect(order_pay(guest, order, VISA), 200);
	ck_assert_int_eq(stripe_charges(order), 1);
	ck_assert_int_eq(stripe_captured_cents(order),
			 cents_at(order_get(guest, order), "totals.total"));
	expect_error(order_pay(guest, order, VISA), 400, "ORDER_NOT_PAYABLE");
	ck_assert_int_eq(stripe_charges(order), 1);
}

TEST(an_unpaid_order_is_cancelled_and_its_stock_is_free)
{
	const char *tea = product_new(1500, 10);
	cleanup(app_freep) struct app *guest = guest_new();
	const char *order = order_of_guest(guest, tea, 4);

	ck_assert_int_eq(stock_available(tea), 6);
	expect(http_post(guest, text("/v1/orders/%s:cancel", order),
			 "{'reason': 'changed my mind'}"),
	       200);
	eventually(30, order_is(guest, order, "CANCELLED"));
	eventually(30, stock_available(tea) == 10);
	expect_error(order_pay(guest, order, VISA), 400, "ORDER_NOT_PAYABLE");
	ck_assert_int_eq(stripe_charges(order), 0);
}

TEST(one_cart_has_one_open_order)
{
	const char *tea = product_new(1500, 10), *email = text("%s@example.com", unique("guest")),
		   *first, *second;
	cleanup(app_freep) struct app *guest = guest_new();

	cart_add(guest, tea, 1);
	first = order_place(guest, email);
	ck_assert_str_eq(order_place(guest, email), first); /* the same contents */
	cart_add(guest, tea, 1);
	second = order_place(guest, email);
	ck_assert_str_ne(second, first);
	ck_assert(order_is(guest, first, "CANCELLED"));
	eventually(30, stock_of(tea, "reserved") == 2);
}

TEST(what_is_added_while_paying_is_neither_lost_nor_charged)
{
	const char *tea = product_new(1000, 10), *coffee = product_new(3000, 10);
	cleanup(app_freep) struct app *guest = guest_new();
	const char *order = order_of_guest(guest, tea, 1);
	int64_t total = cents_at(order_get(guest, order), "totals.total");

	cart_add(guest, coffee, 2);
	expect(order_pay(guest, order, VISA), 200);
	ck_assert_int_eq(stripe_captured_cents(order), total);
	eventually(30, count_at(expect(http_get(guest, "/v1/cart"), 200), "items") == 1);
	ck_assert_str_eq(id_at(expect(http_get(guest, "/v1/cart"), 200), "items.0.product"),
			 coffee);
}

TEST(a_price_that_rose_is_refused_and_one_that_fell_is_passed_on)
{
	const char *tea = product_new(1000, 10), *email = text("%s@example.com", unique("guest"));
	const char *variant =
		text("/v1/products/%s/variants/%s?updateMask=prices", tea, product_sku(tea));
	static const char price[] =
		"{'prices': [{'amount': {'currencyCode': 'EUR', 'units': '%d'}}]}";
	cleanup(app_freep) struct app *guest = guest_new();
	const char *method;
	struct response *order;

	cart_add(guest, tea, 1);
	method = shipping_cheapest(guest);
	expect(http_patch(staff(), variant, price, 12), 200);
	expect_error(order_place_once(guest, email, method, unique("order")), 400,
		     "ORDER_PRICE_CHANGED");
	expect(http_patch(staff(), variant, price, 8), 200);
	order = expect(order_place_once(guest, email, method, unique("order")), 200);
	ck_assert_int_eq(cents_at(order, "totals.subtotal"), 800);
}

/*
 * The customer's bank
 */

TEST(a_card_that_its_bank_asks_about_is_charged_once_the_customer_has_approved)
{
	const char *tea = product_new(1500, 10), *card = stripe_card(ASKED_ABOUT),
		   *key = unique("pay");
	cleanup(app_freep) struct app *guest = guest_new();
	const char *order = order_of_guest(guest, tea, 1);
	struct response *answer = expect(order_pay_once(guest, order, card, key), 200);

	ck_assert_str_eq(text_at(answer, "state"), "PAYING");
	ck_assert_int_eq(stripe_waiting(order), 1);
	ck_assert_int_eq(stripe_charges(order) + stripe_holds(order), 0);
	ck_assert_int_eq(stock_of(tea, "reserved"), 1);
	expect_error(order_pay(guest, order, VISA), 409, "ORDER_PAYING");

	ck_assert_int_eq(stripe_approve(order), 1);
	eventually(120, order_is(guest, order, "CONFIRMED"));
	answer = order_get(guest, order);
	ck_assert_str_eq(text_at(answer, "paymentState"), "PAID");
	ck_assert_int_eq(stripe_charges(order), 1);
	ck_assert_int_eq(stripe_intents(order), 1);
	ck_assert_int_eq(stripe_captured_cents(order), cents_at(answer, "totals.total"));
	ck_assert_int_eq(stock_of(tea, "onHand"), 9);
}

TEST(a_customer_who_fails_at_the_bank_can_pay_with_another_card)
{
	const char *tea = product_new(1500, 10), *card = stripe_card(ASKED_ABOUT);
	cleanup(app_freep) struct app *guest = guest_new();
	const char *order = order_of_guest(guest, tea, 1);

	ck_assert_str_eq(text_at(expect(order_pay(guest, order, card), 200), "state"), "PAYING");
	ck_assert_int_eq(stripe_refuse(order), 1);
	eventually(120, order_is(guest, order, "AWAITING_PAYMENT"));
	ck_assert_int_eq(stock_of(tea, "reserved"), 1);
	expect(order_pay(guest, order, VISA), 200);
	ck_assert_int_eq(stripe_charges(order), 1);
	ck_assert_int_eq(stripe_holds(order), 0);
}

/*
 * Saved methods
 */

TEST(a_saved_card_pays_until_it_is_deleted_and_pays_for_nobody_else)
{
	const char *tea = product_new(1500, 10), *token = stripe_card("4242424242424242"),
		   *key = unique("card"), *order, *name;
	cleanup(app_freep) struct app *amina = customer_new(NULL);
	cleanup(app_freep) struct app *other = guest_new();
	const char *others = order_of_guest(other, tea, 1);
	struct response *saved, *list;

	for (int i = 0; i < 2; i++) { /* the same request saves it once */
		saved = expect(http_post_once(amina, key, "/v1/users/me/paymentMethods",
					      "{'token': '%s', 'displayName': 'Blue card'}", token),
			       200);
		ck_assert_str_eq(text_at(saved, "lastFour"), "4242");
		ck_assert_str_eq(text_at(saved, "brand"), "visa");
		ck_assert_ptr_null(strstr(saved->body, token));
	}
	name = text_at(saved, "name");
	expect(http_post_once(amina, unique("card"), "/v1/users/me/paymentMethods",
			      "{'token': '%s'}", stripe_card("5555555555554444")),
	       200);
	list = expect(http_get(amina, "/v1/users/me/paymentMethods"), 200);
	ck_assert_uint_eq(count_at(list, "paymentMethods"), 2);
	ck_assert_str_eq(text_at(list, "paymentMethods.0.lastFour"), "4444"); /* the newest */
	ck_assert_str_eq(text_at(list, "paymentMethods.1.displayName"), "Blue card");

	expect_error(order_pay(other, others, name), 400, "PAYMENT_METHOD_INVALID");
	ck_assert_int_eq(stripe_intents(others), 0);

	cart_add(amina, tea, 1);
	order = order_place(amina, NULL);
	expect(order_pay(amina, order, name), 200);
	ck_assert_int_eq(stripe_charges(order), 1);
	ck_assert_int_eq(stripe_captured_cents(order),
			 cents_at(order_get(amina, order), "totals.total"));

	expect(http_delete(amina, "/v1/%s", name), 200);
	expect_error(http_delete(amina, "/v1/%s", name), 404, "PAYMENT_METHOD_NOT_FOUND");
	list = expect(http_get(amina, "/v1/users/me/paymentMethods"), 200);
	ck_assert_uint_eq(count_at(list, "paymentMethods"), 1);
	cart_add(amina, tea, 1);
	order = order_place(amina, NULL);
	expect_error(order_pay(amina, order, name), 400, "PAYMENT_METHOD_INVALID");
	ck_assert_int_eq(stripe_charges(order), 0);
}

TEST_MAIN("paying", story_begin, story_end)
