/* More buyers than goods, all at once: exactly as many orders are paid as there were goods. */
#include "shop.h"
#include <string.h>

enum { BUYERS = 40, STOCK = 10 };

struct buyer {
	const char *order; /* NULL: not placed */
	int placed, paid;  /* HTTP statuses */
	const char *reason;
	char *token;
};

struct race {
	const char *product;
	struct buyer buyers[BUYERS];
};

/* An app that is not told in time how it went asks again with the same key; the first request may
 * still be at it. */
#define INSIST(request)                                                                            \
	({                                                                                         \
		struct response *answer_ = (request);                                              \
		for (int i_ = 0; i_ < 20 && is_unknown(answer_, i_); i_++) {                       \
			pause_ms(500);                                                             \
			answer_ = (request);                                                       \
		}                                                                                  \
		answer_;                                                                           \
	})

static bool is_unknown(const struct response *answer, int tries)
{
	return answer->status == 503 || answer->status == 504 || (tries && answer->status == 409);
}

/* From guest to paid; statuses are judged by the test's own thread. */
static void buy(int i, void *data)
{
	struct race *race = data;
	struct buyer *buyer = &race->buyers[i];
	struct app *app = app_new();
	struct response *answer = INSIST(http_post(app, "/v1/sessions:guest", "{}"));
	const char *key = unique("key"), *email = text("%s@example.com", unique("buyer")), *method;

	buyer->reason = "";
	if (answer->status != 200)
		goto out;
	app_take_session(app, answer);
	buyer->token = text("%s", app_access_token(app));
	answer = INSIST(http_post_once(app, key, "/v1/cart/items",
				       "{'product': '%s', 'quantity': 1}", race->product));
	if (answer->status != 200)
		goto refused;
	answer = INSIST(http_post(app, "/v1/cart:quoteShipping", "{'address': " BERLIN "}"));
	if (answer->status != 200)
		goto refused;
	method = text_at(answer, "methods.0.name");
	answer = INSIST(order_place_once(app, email, method, key));
	buyer->placed = answer->status;
	if (answer->status != 200)
		goto refused;
	buyer->order = text("%s", id_at(answer, "name"));
	answer = INSIST(order_pay_once(app, buyer->order, VISA, key));
	buyer->paid = answer->status;
	if (answer->status == 200)
		goto out;
refused:
	buyer->reason = text("%s: %d %s", answer->request, answer->status, answer->body);
out:
	app_free(app);
}

TEST(forty_buyers_of_ten_get_ten)
{
	static struct race race;
	cleanup(app_freep) struct app *app = app_new();
	int paid = 0;

	race.product = product_new(2500, STOCK);
	at_once(BUYERS, buy, &race);
	for (int i = 0; i < BUYERS; i++) {
		const struct buyer *buyer = &race.buyers[i];

		paid += buyer->paid == 200;
		if (buyer->paid == 200)
			continue;
		ck_assert_msg(strstr(buyer->reason, "STOCK_INSUFFICIENT"),
			      "who gets nothing is told that the stock is short, and not: %s",
			      buyer->reason);
	}
	ck_assert_int_eq(paid, STOCK);
	ck_assert_int_eq(stock_available(race.product), 0);
	ck_assert_int_eq(stock_of(race.product, "onHand"), 0);
	ck_assert_int_eq(stock_of(race.product, "reserved"), 0);

	/* The payment server says the same: one charge for each paid order, and none for the
	 * others. */
	for (int i = 0; i < BUYERS; i++) {
		const struct buyer *buyer = &race.buyers[i];

		if (!buyer->order)
			continue;
		app_use_token(app, buyer->token);
		ck_assert_int_eq(stripe_charges(buyer->order), 1);
		ck_assert_int_eq(stripe_holds(buyer->order), 0);
		ck_assert_int_eq(stripe_captured_cents(buyer->order),
				 cents_at(order_get(app, buyer->order), "totals.total"));
	}
}

TEST(the_movements_of_a_sku_add_up_to_its_stock)
{
	const char *tea = product_new(1200, 7), *order, *next = "";
	cleanup(app_freep) struct app *guest = guest_new();
	int64_t sum = 0;

	order = order_of_guest(guest, tea, 2);
	expect(order_pay(guest, order, VISA), 200);
	order = order_of_guest(guest, tea, 1);
	expect(http_post(guest, text("/v1/orders/%s:cancel", order), "{}"), 200);
	eventually(30, stock_available(tea) == 5);
	/* received, reserved, sold, reserved, released */
	eventually(30, count_at(expect(http_get(staff(), "/v1/stockItems/%s/movements",
						product_sku(tea)),
				       200),
				"movements") >= 5);
	do {
		struct response *page =
			expect(http_get(staff(), "/v1/stockItems/%s/movements?pageToken=%s",
					product_sku(tea), next),
			       200);

		for (size_t i = 0; i < count_at(page, "movements"); i++) {
			const char *path = text("movements.%zu.onHandChange", i);

			sum += json_at(page, path) ? number_at(page, path) : 0;
		}
		next = json_at(page, "nextPageToken") ? text_at(page, "nextPageToken") : "";
	} while (*next);
	ck_assert_int_eq(sum, stock_of(tea, "onHand"));
}

TEST_MAIN("stock race", story_begin, story_end)
