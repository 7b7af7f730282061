/*
 * Crashes: kill -9 at every point of the sources where it could hurt. Whatever the process was at,
 * within a minute after its restart each order is paid and fulfilled, or cancelled and refunded,
 * without a hand; and an app that repeats what it did not hear about is never charged twice.
 */
#include "grpc.h"
#include "shop.h"
#include <string.h>

enum { STOCK = 50, UNITS = 2 };

static const struct crash {
	const char *service, *point;
} crashes[] = {
#include "crash_points.h"
};

struct journey {
	struct app *app;
	const char *tea, *email, *order, *number, *line;
	int64_t total;
};

/* An app that got no answer, or none that says how it went, asks again with the same key. */
static bool is_unknown(const struct response *response)
{
	return response->status == 0 || response->status >= 500 || response->status == 409;
}

#define INSIST(request)                                                                            \
	({                                                                                         \
		struct response *answer_;                                                          \
		eventually(60, !is_unknown(answer_ = (request)));                                  \
		answer_;                                                                           \
	})

static void open_cart(struct journey *journey)
{
	const char *key = unique("add");

	journey->app = app_new();
	journey->email = text("%s@example.com", unique("guest"));
	app_take_session(journey->app,
			 expect(INSIST(http_post(journey->app, "/v1/sessions:guest", "{}")), 200));
	expect(INSIST(http_post_once(journey->app, key, "/v1/cart/items",
				     "{'product': '%s', 'quantity': %d}", journey->tea, UNITS)),
	       200);
}

/* The guest becomes a customer, and the cart comes along. */
static void sign_up(struct journey *journey)
{
	const char *key = unique("sign-up");

	expect(INSIST(http_post_once(journey->app, key, "/v1/users",
				     "{'email': '%s', 'password': '%s'}", journey->email,
				     PASSWORD)),
	       200);
	expect(INSIST(log_in(journey->app, journey->email, PASSWORD)), 200);
	ck_assert_int_eq(number_at(expect(INSIST(http_get(journey->app, "/v1/cart")), 200),
				   "items.0.quantity"),
			 UNITS);
}

static void order_cart(struct journey *journey)
{
	const char *key = unique("order"), *method;
	struct response *answer;

	answer = expect(INSIST(http_post(journey->app, "/v1/cart:quoteShipping",
					 "{'address': " BERLIN "}")),
			200);
	method = text_at(answer, "methods.0.name");
	answer = expect(INSIST(order_place_once(journey->app, journey->email, method, key)), 200);
	journey->order = text("%s", id_at(answer, "name"));
	journey->number = text("%s", text_at(answer, "number"));
	journey->line = text("%s", text_at(answer, "lines.0.name"));
	journey->total = cents_at(answer, "totals.total");
}

static void place(struct journey *journey)
{
	open_cart(journey);
	order_cart(journey);
}

static struct response *pay(struct journey *journey, const char *card)
{
	const char *key = unique("pay");

	return INSIST(order_pay_once(journey->app, journey->order, card, key));
}

static void cancel(struct journey *journey)
{
	INSIST(http_post(journey->app, text("/v1/orders/%s:cancel", journey->order), "{}"));
}

static void buy(struct journey *journey)
{
	place(journey);
	pay(journey, VISA);
}

static void buy_as_a_customer(struct journey *journey)
{
	open_cart(journey);
	sign_up(journey);
	order_cart(journey);
	pay(journey, VISA);
	INSIST(http_delete(journey->app, "/v1/sessions/current"));
	app_take_session(journey->app, NULL);
	expect(INSIST(log_in(journey->app, journey->email, PASSWORD)), 200);
}

static void buy_with_the_second_card(struct journey *journey)
{
	place(journey);
	pay(journey, DECLINED);
	pay(journey, VISA);
}

static void buy_and_cancel(struct journey *journey)
{
	place(journey);
	pay(journey, VISA);
	cancel(journey);
}

static void buy_and_cancel_a_unit(struct journey *journey)
{
	const char *key = unique("cancel");

	place(journey);
	pay(journey, VISA);
	INSIST(http_post_once(journey->app, key, text("/v1/orders/%s:cancelLines", journey->order),
			      "{'lines': [{'line': '%s', 'quantity': 1}]}", journey->line));
}

static void think_better_of_it(struct journey *journey)
{
	place(journey);
	cancel(journey);
}

/* The reservation is gone before it is paid, as if it had run out: what is held on the card must be
 * let go. */
static void lose_the_stock(struct journey *journey)
{
	struct wire release = {};

	place(journey);
	wire_text(&release, 1, text("orders/%s", journey->order));
	wire_text(&release, 2, product_sku(journey->tea));
	eventually(
		60,
		grpc_send(
			&(struct grpc_call){
				.service = "inventory",
				.method = "/souk.inventory.v1.InventoryService/ReleaseReservation",
				.message = &release,
				.certificate = "orders" })
				.status == 0);
	pay(journey, VISA);
}

static void let_it_expire(struct journey *journey)
{
	place(journey);
}

static void (*const journeys[])(struct journey *journey) = {
	buy_as_a_customer,
	buy_with_the_second_card,
	buy_and_cancel,
	buy_and_cancel_a_unit,
	think_better_of_it,
	lose_the_stock,
	buy,
};
/* One: the process that comes back lets orders live as long as usual. */
static void (*const expiring[])(struct journey *journey) = { let_it_expire };
enum {
	JOURNEYS = sizeof(journeys) / sizeof(*journeys),
	EXPIRING = sizeof(expiring) / sizeof(*expiring),
};

/* While a step is under way, what was asked may still be refused: a unit that is being cancelled is
 * sold after all if the carrier was faster. */
static bool is_under_way(const struct response *order)
{
	return find_at(order, "steps", "state", "RUNNING") != NULL;
}

/* Where the order has come to for good, if it has. */
static const char *end_state(const struct journey *journey)
{
	struct response *order = http_get(journey->app, "/v1/orders/%s", journey->order);

	return order->status != 200 || is_under_way(order) ? "UNKNOWN"
							   : text("%s", text_at(order, "state"));
}

static bool is_sold(const char *order_state)
{
	return !strcmp(order_state, "CONFIRMED") || !strcmp(order_state, "COMPLETED");
}

static bool is_off(const char *order_state)
{
	return !strcmp(order_state, "CANCELLED") || !strcmp(order_state, "EXPIRED");
}

/* Units that are sold: the money for them is here, once; for all others it is back. */
static int settle(const struct journey *journey)
{
	const char *now = "";
	struct response *order;

	eventually(60, (now = end_state(journey), is_sold(now) || is_off(now)));
	eventually(60, stripe_holds(journey->order) == 0);
	if (is_off(now)) {
		eventually(60, stripe_captured_cents(journey->order) ==
				       stripe_refunded_cents(journey->order));
		return 0;
	}
	ck_assert_int_eq(stripe_charges(journey->order), 1);
	ck_assert_int_eq(stripe_captured_cents(journey->order), journey->total);
	eventually(60,
		   stripe_refunded_cents(journey->order) ==
			   cents_at(order_get(journey->app, journey->order), "totals.refunded"));
	eventually(60, mail_count(journey->email, journey->number) >= 1);
	order = order_get(journey->app, journey->order);
	return UNITS - (json_at(order, "lines.0.cancelledQuantity")
				? number_at(order, "lines.0.cancelledQuantity")
				: 0);
}

static bool was_killed(const char *service)
{
	return platform_kills(service) + platform_kills(text("%s-2", service)) > 0;
}

TEST_EACH(a_crash_loses_neither_money_nor_stock, crashes)
{
	bool expires = strstr(row->point, ".expire."), tells = strstr(row->point, ".webhook.");
	void (*const *go)(struct journey * journey) = expires ? expiring : journeys;
	int n = 0, sold = 0, n_go = expires ? EXPIRING : JOURNEYS;
	struct journey done[JOURNEYS] = {};
	const char *tea = product_new(1300, STOCK);

	/* The carrier has news while the journey lasts. */
	if (tells)
		carrier("{'interval_ms': 1000}");
	platform_restart(text("%s SOUK_CRASH_AT=%s%s", platform_replicas(row->service), row->point,
			      expires ? " SOUK_ORDER_TTL=3s" : ""));
	/* Until the point is reached, and one journey more, for the replica that has not been hit.
	 */
	while (n < n_go) {
		bool hit = was_killed(row->service);

		done[n].tea = tea;
		go[n](&done[n]);
		n++;
		if (hit)
			break;
	}
	for (int i = 0; i < n; i++)
		sold += settle(&done[i]);
	ck_assert_msg(was_killed(row->service), "no journey came to the point %s of %s", row->point,
		      row->service);
	eventually(60, stock_of(tea, "reserved") == 0);
	eventually(60, stock_of(tea, "onHand") == STOCK - sold);
	ck_assert_int_eq(stock_available(tea), STOCK - sold);
	for (int i = 0; i < n; i++)
		app_free(done[i].app);
	/* No point is left armed in the replica that was not hit. */
	platform_restart(platform_replicas(row->service));
}

static const char *const killed[] = { "payments", "orders",   "inventory",
				      "cart",     "shipping", "gateway" };

struct busy {
	struct journey journeys[6];
	const char *service;
};

static void work(int i, void *data)
{
	struct busy *busy = data;

	if (i == 6) {
		pause_ms(150);
		platform_do("kill %s", busy->service);
		return;
	}
	buy(&busy->journeys[i]);
}

TEST_EACH(a_kill_in_the_middle_of_many_purchases_is_survived, killed)
{
	static struct busy busy;
	const char *tea = product_new(1300, STOCK);
	int sold = 0;

	busy.service = *row;
	for (int i = 0; i < 6; i++)
		busy.journeys[i].tea = tea;
	at_once(7, work, &busy);
	for (int i = 0; i < 6; i++)
		sold += settle(&busy.journeys[i]);
	eventually(60, stock_of(tea, "reserved") == 0);
	eventually(60, stock_of(tea, "onHand") == STOCK - sold);
	for (int i = 0; i < 6; i++)
		app_free(busy.journeys[i].app);
}

static const char *const killed_ahead[] = { "orders", "inventory", "shipping" };

/* Goods come unit by unit. */
static void receive(int i, void *data)
{
	struct busy *busy = data;
	const char *sku = product_sku(busy->journeys[0].tea);

	if (i) {
		platform_do("kill %s", busy->service);
		return;
	}
	for (int unit = 0; unit < 3 * UNITS; unit++) {
		const char *key = unique("stock");

		expect(INSIST(http_post_once(staff(), key, text("/v1/stockItems/%s:adjust", sku),
					     "{'delta': 1, 'reason': 'RECEIVED'}")),
		       200);
	}
}

/* Half of what is bought is there, and the other half comes later. */
TEST_EACH(a_kill_in_the_middle_of_many_backorders_is_survived, killed_ahead)
{
	static struct busy busy;
	const char *tea = product_new(1300, 3 * UNITS);
	int sold = 0;

	expect(http_patch(staff(), text("/v1/stockItems/%s", product_sku(tea)),
			  "{'backorderPolicy': 'BACKORDER', 'backorderLimit': %d}", 3 * UNITS),
	       200);
	busy.service = *row;
	for (int i = 0; i < 6; i++)
		busy.journeys[i].tea = tea;
	at_once(7, work, &busy);
	ck_assert_int_le(stock_of(tea, "backordered"), 3 * UNITS);
	at_once(2, receive, &busy);
	for (int i = 0; i < 6; i++)
		sold += settle(&busy.journeys[i]);
	eventually(60, stock_of(tea, "reserved") == 0);
	eventually(60, stock_of(tea, "onHand") == 6 * UNITS - sold);
	ck_assert_int_eq(stock_of(tea, "backordered"), 0);
	for (int i = 0; i < 6; i++)
		app_free(busy.journeys[i].app);
}

/* Slow enough that an order can still be cancelled after a crash. */
static void begin(void)
{
	story_begin();
	outside_behave();
	carrier("{'interval_ms': 20000}");
}

static void end(void)
{
	outside_behave();
	story_end();
}

TEST_MAIN("crashes", begin, end)
