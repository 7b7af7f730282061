/* Outages: a store or a part of the outside world is gone or lies; nothing is lost, nothing happens
 * twice, and all comes back by itself. */
#include "grpc.h"
#include "shop.h"
#include <string.h>

/* How long a store is away. Ten minutes are asked of the platform; SOUK_OUTAGE_SECONDS=600 takes
 * them, with CK_TIMEOUT_MULTIPLIER=200. */
static int outage_seconds(void)
{
	const char *seconds = getenv("SOUK_OUTAGE_SECONDS");

	return seconds ? atoi(seconds) : 10;
}

struct purchase {
	struct app *app;
	const char *email, *order, *number, *product;
	int64_t total;
};

static struct purchase purchase_place(const char *product)
{
	struct purchase purchase = { .product = product };
	struct response *order;

	purchase.app = customer_new(&purchase.email);
	cart_add(purchase.app, product, 1);
	purchase.order = order_place(purchase.app, NULL);
	order = order_get(purchase.app, purchase.order);
	purchase.number = text("%s", text_at(order, "number"));
	purchase.total = cents_at(order, "totals.total");
	return purchase;
}

/* Paid once, told once: whatever happened on the way. */
static void purchase_check(struct purchase *purchase)
{
	/* An access token may not have lived as long as the outage. */
	app_take_session(purchase->app, expect(http_post(purchase->app, "/v1/sessions:refresh",
							 "{'refreshToken': '%s'}",
							 app_refresh_token(purchase->app)),
					       200));
	eventually(90, order_is(purchase->app, purchase->order, "CONFIRMED") ||
			       order_is(purchase->app, purchase->order, "COMPLETED"));
	ck_assert_int_eq(stripe_charges(purchase->order), 1);
	ck_assert_int_eq(stripe_holds(purchase->order), 0);
	ck_assert_int_eq(stripe_captured_cents(purchase->order), purchase->total);
	ck_assert_int_eq(stripe_refunded_cents(purchase->order), 0);
	eventually(90, mail_count(purchase->email, purchase->number) >= 1);
	eventually(90, count_at(expect(http_get(purchase->app, "/v1/cart"), 200), "items") == 0);
	eventually(90, order_is(purchase->app, purchase->order, "COMPLETED"));
	purchase->app = app_free(purchase->app);
}

/* Distinct mails that confirm the order: the subject of each topic is another, so the newest's
 * subject counts. */
static void mailed_once(const struct purchase *purchase, const char *subject)
{
	ck_assert_int_eq(mail_count(purchase->email, subject), 1);
}

/* Pays, with the same key again where the answer was lost. */
static void pay_through(struct purchase *purchase)
{
	const char *key = unique("pay");

	eventually(90, order_pay_once(purchase->app, purchase->order, VISA, key)->status == 200);
}

TEST(events_wait_for_a_message_server_that_is_away)
{
	struct purchase purchase = purchase_place(product_new(1000, 5));

	platform_do("stop nats");
	expect(order_pay(purchase.app, purchase.order, VISA),
	       200); /* money needs no message server */
	/* What is in the cart leaves it when the event comes, and is not sold twice until then. */
	ck_assert_uint_eq(count_at(expect(http_get(purchase.app, "/v1/cart"), 200), "items"), 1);
	ck_assert_str_eq(order_place(purchase.app, NULL), purchase.order);
	pause_ms(1000 * outage_seconds());
	platform_do("start nats");
	purchase_check(&purchase);
}

enum { MANY = 6 };

static void pay_one(int i, void *data)
{
	struct purchase *purchases = data;
	const char *key = unique("pay");

	if (i == MANY) {
		platform_do("kill nats");
		return;
	}
	for (int tries = 0; tries < 30; tries++) {
		if (order_pay_once(purchases[i].app, purchases[i].order, VISA, key)->status == 200)
			return;
		pause_ms(1000);
	}
}

TEST(a_killed_message_server_loses_and_repeats_no_mail)
{
	struct purchase purchases[MANY];
	const char *tea = product_new(1000, 50);

	for (int i = 0; i < MANY; i++)
		purchases[i] = purchase_place(tea);
	at_once(MANY + 1, pay_one, purchases);
	for (int i = 0; i < MANY; i++) {
		json_t *mail = mail_await(purchases[i].email, purchases[i].number, 90);
		const char *subject =
			text("%s", json_string_value(json_object_get(mail, "subject")));

		purchase_check(&purchases[i]);
		mailed_once(&purchases[i], subject);
	}
	ck_assert_int_eq(stock_of(tea, "onHand"), 50 - MANY);
}

static int health(const char *service)
{
	struct grpc_answer answer =
		grpc_send(&(struct grpc_call){ .service = service,
					       .method = "/grpc.health.v1.Health/Check",
					       .certificate = "dev" });

	/* HealthCheckResponse: the status is field 1, a varint: 1 SERVING, 2 NOT_SERVING. */
	return answer.status == 0 && answer.size == 2 ? answer.body[1] : -answer.status;
}

static const char *const with_documents[] = { "catalog",      "users",    "cart",
					      "orders",       "payments", "inventory",
					      "notification", "auth",     "shipping" };

static bool all_are(int status)
{
	for (size_t i = 0; i < sizeof(with_documents) / sizeof(*with_documents); i++)
		if (health(with_documents[i]) != status)
			return false;
	return true;
}

TEST(without_the_database_services_say_so_and_come_back_by_themselves)
{
	const char *tea = product_new(1000, 5);
	struct purchase before = purchase_place(tea), after;
	int ends[sizeof(with_documents) / sizeof(*with_documents)];

	eventually(30, all_are(1));
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		ends[i] = platform_ends(with_documents[i]);
	/* What is stored and not told yet waits in the database. */
	expect(order_pay(before.app, before.order, VISA), 200);
	platform_do("stop mongodb");
	eventually(60, all_are(2));
	expect_error(http_get(before.app, "/v1/cart"), 503, NULL);
	pause_ms(1000 * outage_seconds());
	platform_do("start mongodb");
	eventually(90, all_are(1));
	for (size_t i = 0; i < sizeof(with_documents) / sizeof(*with_documents); i++)
		ck_assert_int_eq(platform_ends(with_documents[i]),
				 ends[i]); /* none was restarted */
	purchase_check(&before);
	after = purchase_place(tea);
	pay_through(&after);
	purchase_check(&after);
}

TEST(a_killed_database_loses_nothing_that_was_answered)
{
	const char *tea = product_new(1000, 50);
	struct purchase first = purchase_place(tea), second = purchase_place(tea);

	expect(order_pay(first.app, first.order, VISA), 200);
	platform_do("kill mongodb");
	pay_through(&second);
	purchase_check(&first);
	purchase_check(&second);
	ck_assert_int_eq(stock_of(tea, "onHand"), 48);
}

TEST(mails_wait_for_notification)
{
	struct purchase purchase;

	platform_do("stop notification");
	purchase = purchase_place(product_new(1000, 5));
	expect(order_pay(purchase.app, purchase.order, VISA), 200);
	platform_do("start notification");
	purchase_check(&purchase);
}

TEST(a_mail_server_that_is_busy_or_loses_its_answer_gets_each_mail_once)
{
	struct purchase busy = purchase_place(product_new(1000, 5)),
			lost = purchase_place(product_new(1000, 5));
	const char *subject;

	mail_await(lost.email, "", 30); /* the verifications are through */
	mail_await(busy.email, "", 30);
	inbox("{'reply': '451 4.3.0 try again later', 'count': 2}");
	expect(order_pay(busy.app, busy.order, VISA), 200);
	subject = text("%s", json_string_value(json_object_get(
				     mail_await(busy.email, busy.number, 120), "subject")));
	mailed_once(&busy, subject);
	inbox("{'lose_answer': true, 'count': 1}");
	expect(order_pay(lost.app, lost.order, VISA), 200);
	subject = text("%s", json_string_value(json_object_get(
				     mail_await(lost.email, lost.number, 120), "subject")));
	purchase_check(&busy);
	purchase_check(&lost);
	mailed_once(&lost, subject); /* by Message-ID: what was sent again is the same mail */
}

/* What the payment server, or the way to it, does to the calls of one payment. */
static const struct {
	const char *what, *control;
} payment_faults[] = {
	{ "the intent is made and nobody says so",
	  "{'calls': 'lose_answer', 'method': 'POST', 'match': '/payment_intents', 'delay_ms': 0, "
	  "'count': 1}" },
	{ "the card is charged and nobody says so",
	  "{'calls': 'lose_answer', 'method': 'POST', 'match': '/confirm', 'delay_ms': 0, 'count': "
	  "1}" },
	{ "the money is captured and nobody says so",
	  "{'calls': 'lose_answer', 'method': 'POST', 'match': '/capture', 'delay_ms': 0, 'count': "
	  "1}" },
	{ "an error instead of the confirmation",
	  "{'calls': 'error', 'method': 'POST', 'match': '/confirm', 'count': 1}" },
	{ "an error after the confirmation",
	  "{'calls': 'error_after', 'method': 'POST', 'match': '/confirm', 'count': 1}" },
	{ "an error after the capture",
	  "{'calls': 'error_after', 'method': 'POST', 'match': '/capture', 'count': 1}" },
	{ "the line is cut before the confirmation",
	  "{'calls': 'drop', 'method': 'POST', 'match': '/confirm', 'count': 1}" },
	{ "the confirmation stalls", "{'calls': 'stall', 'method': 'POST', 'match': '/confirm', "
				     "'delay_ms': 8000, 'count': 1}" },
	{ "no webhook ever comes", "{'webhooks': 'drop', 'webhook_count': -1}" },
	{ "webhooks come twice", "{'webhooks': 'twice', 'webhook_count': -1}" },
	{ "webhooks come late", "{'webhooks': 'late', 'delay_ms': 5000, 'webhook_count': -1}" },
	{ "webhooks are forged", "{'webhooks': 'forged', 'webhook_count': -1}" },
};

TEST_EACH(whatever_the_payment_server_does_the_order_is_paid_once, payment_faults)
{
	struct purchase purchase = purchase_place(product_new(1990, 5));

	payment_proxy("{'reset': true}");
	payment_proxy("%s", row->control);
	pay_through(&purchase);
	purchase_check(&purchase);
	ck_assert_msg(payment_proxy_faults() > 0 || strstr(row->control, "'webhooks'"),
		      "it did not come to: %s", row->what);
}

static const struct {
	const char *what, *control;
} carrier_faults[] = {
	{ "the parcel is taken and nobody says so",
	  "{'create': 'lose_answer', 'create_count': 1}" },
	{ "the carrier has errors", "{'create': 'error', 'create_count': 2}" },
	{ "webhooks come twice", "{'webhooks': 'twice'}" },
	{ "webhooks come out of order", "{'webhooks': 'out_of_order'}" },
	{ "no webhook ever comes", "{'webhooks': 'none'}" },
};

TEST_EACH(whatever_the_carrier_does_the_parcel_arrives_once, carrier_faults)
{
	struct purchase purchase = purchase_place(product_new(1990, 5));

	carrier("%s", row->control);
	pay_through(&purchase);
	eventually(90, count_at(order_get(purchase.app, purchase.order), "shipments") == 1);
	purchase_check(&purchase);
}

/* A test that failed has not tidied up. */
static void begin(void)
{
	platform_do("start redis nats mongodb notification");
	story_begin();
	outside_behave();
}

static void end(void)
{
	outside_behave();
	story_end();
}

TEST_MAIN("outages", begin, end)
