/* Deliveries against the real server: each event once, and nobody's address in any document. */
#include "letter.h"
#include "test_notification.h"
#include "topics.h"
#include <pthread.h>

TEST(an_order_that_is_paid_is_confirmed_once)
{
	hear_paid("e1", "orders/o1");
	hear_paid("e1", "orders/o1");
	send_all();
	ck_assert_int_eq(n_mails, 1);
	ck_assert_str_eq(mails[0].to, "amina@example.com");
	ck_assert_str_eq(mails[0].subject, "Your order SK-1 is confirmed");
	ck_says(mails[0].text, "Hello Amina & Co,\n");
	ck_says(mails[0].text, "2 × Mint tea: EUR 10.00\n");
	ck_says(mails[0].text, "Total: EUR 14.90\n");
	ck_says(mails[0].text, "Sonnenallee 12, 12047 Berlin, DE");
	ck_says(mails[0].text, "https://shop.example/orders/o1");
	ck_says(mails[0].html, "Hello Amina &amp; Co,");
	ck_says(mails[0].html, "<a href=\"https://shop.example/orders/o1\"");
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_SENT);
	ck_assert_str_eq(delivery_of(0)->template, "notificationTemplates/order-confirmed.en");
	ck_assert_str_eq(told(), "NotificationSent");
	/* Another order's event is another mail. */
	hear_paid("e2", "orders/o1");
	send_all();
	ck_assert_int_eq(n_mails, 2);
	ck_assert_str_ne(mails[0].message_id, mails[1].message_id);
}

TEST(an_order_that_waits_for_stock_is_not_said_to_be_packed)
{
	hear_paid("e1", "orders/o1");
	send_all();
	ck_says(mails[0].text, "and we are packing");
	ck_says(mails[0].text, "It should arrive between 2027-03-02 and 2027-03-04.");
	ck_assert_ptr_null(strstr(mails[0].text, "in stock"));
	shop.waiting = 1;
	hear_paid("e2", "orders/o1");
	send_all();
	ck_says(mails[1].text, "We have received your payment:");
	ck_says(mails[1].text, "Not all of it is in stock yet. When it is here");
	ck_assert_ptr_null(strstr(mails[1].text, "It should arrive"));
	shop.promise_ms = 1800000000000;
	shop.language = "de";
	hear_paid("e3", "orders/o1");
	send_all();
	ck_says(mails[2].text, "den Rest erwarten wir bis zum 2027-01-15.");
}

TEST(a_guest_gets_mails_where_the_order_says)
{
	shop.guest = true;
	shop.order_email = "guest@example.com";
	hear_paid("e1", "orders/o1");
	send_all();
	ck_assert_str_eq(mails[0].to, "guest@example.com");
	ck_says(mails[0].text, "Hello Amina Haddad,");
	shop.region = "BE";
	hear_paid("e2", "orders/o1");
	send_all();
	ck_says(mails[1].text, "Sonnenallee 12, 12047 Berlin, BE, DE");
}

TEST(a_mail_is_in_the_language_of_its_reader)
{
	shop.language = "de-AT";
	hear_paid("e1", "orders/o1");
	shop.language = "de-AT";
	send_all();
	ck_assert_str_eq(mails[0].subject, "Deine Bestellung SK-1 ist bestätigt");
	shop.language = "tlh";
	hear_paid("e2", "orders/o1");
	send_all();
	ck_assert_str_eq(mails[1].subject, "Your order SK-1 is confirmed");
}

static void *send_at_once(void *data)
{
	struct rpc_call *own = call_as("", "notification", "");

	while (notification_send(&service, own) > 0)
		;
	rpc_call_free(own);
	return NULL;
}

TEST(many_senders_send_each_mail_once)
{
	pthread_t threads[6];

	for (int i = 0; i < 10; i++)
		hear_paid(rpc_printf(call, "e%d", i), "orders/o1");
	for (int i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, send_at_once, NULL);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	send_all();
	ck_assert_int_eq(n_mails, 10);
}

TEST(a_busy_server_is_tried_again_and_the_mail_stays_the_same)
{
	const char *first;

	hear_paid("e1", "orders/o1");
	mail_result = MAIL_DOUBT;
	send_all();
	ck_assert_int_eq(n_mails, 1);
	first = rpc_strdup(call, mails[0].message_id);
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_PENDING);
	ck_assert_str_eq(delivery_of(0)->error, "451 4.3.0 try again later");
	send_all(); /* not before its time */
	ck_assert_int_eq(n_mails, 1);
	later(2001);
	mail_result = 0;
	send_all();
	ck_assert_int_eq(n_mails, 2);
	ck_assert_str_eq(mails[1].message_id, first);
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_SENT);
	ck_assert_int_eq(delivery_of(0)->tries, 2);
	ck_assert_str_eq(delivery_of(0)->error, "");
}

TEST(pauses_grow_and_after_two_days_it_has_failed)
{
	int tries = 0;

	hear_paid("e1", "orders/o1");
	mail_result = MAIL_DOUBT;
	for (int hours = 0; hours < 60; hours++) {
		send_all();
		later(3600001);
	}
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_FAILED);
	tries = delivery_of(0)->tries;
	ck_assert_int_ge(tries, 40);
	ck_assert_int_le(tries, 60);
	ck_assert_str_eq(told(), "NotificationFailed");
	later(3600001);
	send_all();
	ck_assert_int_eq(n_mails, tries);
}

TEST(a_mailbox_that_is_not_there_fails_at_once)
{
	hear_paid("e1", "orders/o1");
	mail_result = MAIL_REFUSED;
	send_all();
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_FAILED);
	later(3600001);
	send_all();
	ck_assert_int_eq(n_mails, 1);
}

/* A process that was killed after it took the delivery, before or after the server had the mail. */
TEST(a_try_that_stopped_is_repeated_when_its_lease_is_over)
{
	DeliveryRecord *record;

	hear_paid("e1", "orders/o1");
	ck_assert_int_eq(delivery_read(call, name_id(delivery_of(0)->name), &record), 0);
	ck_assert_int_eq(delivery_take(call, record, "a process that is no more", now_ms + 30000),
			 0);
	send_all();
	ck_assert_int_eq(n_mails, 0);
	later(30001);
	send_all();
	ck_assert_int_eq(n_mails, 1);
	ck_assert_str_eq(mails[0].message_id, delivery_of(0)->message_id);
}

/* What one that was believed dead has to say comes too late. */
TEST(who_lost_its_lease_does_not_overwrite_how_it_went)
{
	DeliveryRecord *slow;

	hear_paid("e1", "orders/o1");
	ck_assert_int_eq(delivery_read(call, name_id(delivery_of(0)->name), &slow), 0);
	ck_assert_int_eq(delivery_take(call, slow, "slow", now_ms + 30000), 0);
	later(30001);
	send_all();
	slow->delivery->state = DELIVERY_STATE_FAILED;
	slow->delivery->next_try_time = NULL;
	ck_assert_int_eq(delivery_note(call, slow, NULL), MONGO_NOT_MATCHED);
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_SENT);
}

TEST(services_that_are_away_are_asked_again)
{
	hear_paid("e1", "orders/o1");
	shop.away = true;
	send_all();
	ck_assert_int_eq(n_mails, 0);
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_PENDING);
	ck_assert_str_eq(delivery_of(0)->error, "UNAVAILABLE, while asking what to write");
	shop.away = false;
	later(2001);
	send_all();
	ck_assert_int_eq(n_mails, 1);
}

TEST(nobody_is_written_to_when_user_or_order_is_gone)
{
	hear_paid("e1", "orders/gone");
	hear_verification("e2", "users/gone/verifications/v1");
	send_all();
	ck_assert_int_eq(n_mails, 0);
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_DROPPED);
	ck_assert_int_eq(delivery_of(1)->state, DELIVERY_STATE_DROPPED);
	ck_assert_str_eq(told(), "");
}

TEST(a_declined_card_is_no_news_when_another_has_paid)
{
	souk_payments_v1_PaymentFailed event = { .amount = { "EUR", 14, 900000000 } };

	event_text(event.order, "orders/o1");
	event_text(event.user, "users/amina");
	shop.state = ORDER_STATE_AWAITING_PAYMENT;
	ck_assert_int_eq(
		notification_payments.payment_failed((void *)&service, call, &event, heard("e1")),
		0);
	send_all();
	ck_assert_int_eq(n_mails, 1);
	ck_assert_str_eq(mails[0].subject, "The payment for your order SK-1 did not go through");
	shop.state = ORDER_STATE_CONFIRMED;
	ck_assert_int_eq(
		notification_payments.payment_failed((void *)&service, call, &event, heard("e2")),
		0);
	send_all();
	ck_assert_int_eq(n_mails, 1);
}

TEST(a_parcel_is_told_of_as_it_moves)
{
	static const struct {
		const char *before, *state, *subject; /* NULL: nothing is said */
	} moves[] = {
		{ "PENDING", "PRE_TRANSIT", NULL },
		{ "PRE_TRANSIT", "IN_TRANSIT", "Your order SK-1 is on its way" },
		{ "IN_TRANSIT", "EXCEPTION",
		  "There is a problem with the delivery of your order SK-1" },
		{ "EXCEPTION", "IN_TRANSIT", NULL },
		{ "IN_TRANSIT", "IN_TRANSIT", NULL },
		{ "IN_TRANSIT", "OUT_FOR_DELIVERY", "Your order SK-1 arrives today" },
		{ "OUT_FOR_DELIVERY", "ATTEMPT_FAILED",
		  "There is a problem with the delivery of your order SK-1" },
		{ "PRE_TRANSIT", "CANCELLED", NULL },
	};
	int expected = 0;

	for (size_t i = 0; i < sizeof(moves) / sizeof(*moves); i++) {
		hear_moved(rpc_printf(call, "e%zu", i), moves[i].before, moves[i].state);
		send_all();
		expected += moves[i].subject != NULL;
		ck_assert_int_eq(n_mails, expected);
		if (moves[i].subject)
			ck_assert_str_eq(mails[n_mails - 1].subject, moves[i].subject);
	}
	ck_says(mails[n_mails - 1].text, "could not hand over your parcel");
	ck_says(mails[0].text, "1 × Mint tea\n"); /* what is in the parcel, not in the order */
	ck_says(mails[0].text, "Tracking number: N1\n");
	ck_silent(mails[0].html, "javascript:");
}

TEST(an_order_that_a_new_one_replaces_is_not_told_of_as_cancelled)
{
	souk_orders_v1_OrderCancelled *cancelled = rpc_alloc(call, sizeof(*cancelled));

	event_text(cancelled->order, "orders/o1");
	event_text(cancelled->user, "users/amina");
	cancelled->replaced = true;
	ck_assert_int_eq(
		notification_orders.order_cancelled((void *)&service, call, cancelled, heard("e1")),
		0);
	send_all();
	ck_assert_int_eq(n_mails, 0);
	cancelled->replaced = false;
	ck_assert_int_eq(
		notification_orders.order_cancelled((void *)&service, call, cancelled, heard("e2")),
		0);
	send_all();
	ck_assert_int_eq(n_mails, 1);
}

TEST(an_event_that_is_too_old_is_no_news)
{
	struct rpc_event *event = heard("e1");
	souk_orders_v1_OrderPaid paid = { 0 };

	event->time_ms = now_ms - 3 * 24 * 3600000LL;
	event_text(paid.order, "orders/o1");
	ck_assert_int_eq(notification_orders.order_paid((void *)&service, call, &paid, event), 0);
	send_all();
	ck_assert_int_eq(n_mails, 0);
}

/*
 * Tokens
 */

TEST(a_link_carries_a_fresh_token_that_is_kept_nowhere)
{
	hear_verification("e1", "users/amina/verifications/v1");
	mail_result = MAIL_DOUBT;
	send_all();
	ck_says(mails[0].text, "https://shop.example/verify-email?token=fresh-1\n");
	later(2001);
	mail_result = 0;
	send_all();
	ck_says(mails[1].text, "https://shop.example/verify-email?token=fresh-2\n");
	ck_says(mails[1].html, "href=\"https://shop.example/verify-email?token=fresh-2\"");
	ck_assert(!database_holds("fresh-"));
	ck_assert(!database_holds("amina@example.com"));
	ck_assert(!database_holds("Amina &"));
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_SENT);
}

TEST(a_link_that_was_used_is_not_sent_again)
{
	hear_verification("e1", "users/amina/verifications/used");
	send_all();
	ck_assert_int_eq(n_mails, 0);
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_DROPPED);
}

/*
 * The log
 */

TEST(staff_see_deliveries_and_repeat_one)
{
	ListDeliveriesResponse *page;
	Delivery *again, *twice;

	hear_paid("e1", "orders/o1");
	hear_verification("e2", "users/amina/verifications/v1");
	ck_assert_int_eq(notification_client_list_deliveries(
				 client, call,
				 MSG(ListDeliveriesRequest,
				     .filter = "state = PENDING AND topic = ORDER_CONFIRMED"),
				 &page),
			 0);
	ck_assert_uint_eq(page->n_deliveries, 1);
	ck_assert_int_eq(notification_client_resend_delivery(
				 client, call,
				 MSG(ResendDeliveryRequest, .name = page->deliveries[0]->name),
				 &again),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, DELIVERY_PENDING));
	send_all();
	ck_assert_int_eq(n_mails, 2);
	ck_assert_int_eq(notification_client_resend_delivery(client, call,
							     MSG(ResendDeliveryRequest,
								 .name = page->deliveries[0]->name,
								 .request_id = "r1"),
							     &again),
			 0);
	ck_assert_int_eq(notification_client_resend_delivery(client, call,
							     MSG(ResendDeliveryRequest,
								 .name = page->deliveries[0]->name,
								 .request_id = "r1"),
							     &twice),
			 0);
	ck_assert_str_eq(again->name, twice->name);
	ck_assert_str_eq(again->cause, page->deliveries[0]->name);
	ck_assert_str_ne(again->message_id, page->deliveries[0]->message_id);
	send_all();
	ck_assert_int_eq(n_mails, 3);
	ck_assert_int_eq(
		notification_client_get_delivery(
			client, call, MSG(GetDeliveryRequest, .name = again->name), &again),
		0);
	ck_assert_int_eq(again->state, DELIVERY_STATE_SENT);
	ck_assert_int_eq(notification_client_get_delivery(
				 client, call, MSG(GetDeliveryRequest, .name = "nothing"), &again),
			 RPC_NOT_FOUND);
}

TEST_MAIN("deliveries", setup, teardown)
