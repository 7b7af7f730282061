/* Webhooks are noted once and looked at; saved methods stay the user's. */
#include "shop_of_tests.h"

static int receive(const char *body, const char *signature)
{
	HttpBody *bytes = rpc_new(call, HttpBody, .content_type = "application/json",
				  .data = { strlen(body), (uint8_t *)body });
	Empty *empty;

	rpc_set_request_header(call, "fake-signature", signature);
	return payments_client_receive_payment_webhook(
		client, call, MSG(ReceivePaymentWebhookRequest, .provider = "fake", .body = bytes),
		&empty);
}

static WebhookEvent *noted(const char *id)
{
	WebhookRecord *record;

	ck_assert_int_eq(webhook_read(call, id, &record), 0);
	return record->webhook_event;
}

TEST(a_webhook_makes_us_look_and_is_not_believed)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_action", 1000, &payment), 0);
	ck_assert_int_eq(receive("evt_1 payment_intent.succeeded pi_1", "good"), 0);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_ACTION);
	ck_assert_int_eq(noted("fake.evt_1")->state, WEBHOOK_EVENT_STATE_PROCESSED);
	ck_assert_str_eq(noted("fake.evt_1")->payment, "payments/7");

	fake.intents[0].state = INTENT_HELD;
	ck_assert_int_eq(receive("evt_2 payment_intent.payment_failed pi_1", "good"), 0);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
}

TEST(the_same_webhook_is_noted_once)
{
	authorized(1000);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(receive("evt_1 payment_intent.x pi_1", "good"), 0);
	ck_assert_int_eq(noted("fake.evt_1")->deliveries, 3);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_int_eq(noted("fake.evt_1")->state, WEBHOOK_EVENT_STATE_PROCESSED);
}

TEST(what_a_captured_payment_has_behind_it_is_noted_and_not_asked_about)
{
	WebhookRecord **due;
	size_t n;

	captured(1000);
	ck_assert_int_eq(receive("evt_1 payment_intent.succeeded pi_1", "good"), 0);
	ck_assert_int_eq(noted("fake.evt_1")->state, WEBHOOK_EVENT_STATE_PROCESSED);
	ck_assert_str_eq(noted("fake.evt_1")->payment, "payments/7");
	ck_assert_int_eq(receive("evt_2 charge.refund.updated pi_1", "good"), 0);
	ck_assert_int_eq(webhook_due(call, 10, &due, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(due[0]->id, "fake.evt_2");
}

TEST(a_forged_webhook_is_refused_and_not_noted)
{
	WebhookRecord *record;

	ck_assert_int_eq(receive("evt_1 payment_intent.x pi_1", "bad"), RPC_UNAUTHENTICATED);
	ck_assert(rpc_failed_with(call, WEBHOOK_SIGNATURE_INVALID));
	ck_assert_int_eq(webhook_read(call, "fake.evt_1", &record), MONGO_NOT_FOUND);
}

TEST(a_webhook_of_another_provider_is_refused)
{
	Empty *empty;

	ck_assert_int_eq(payments_client_receive_payment_webhook(
				 client, call,
				 MSG(ReceivePaymentWebhookRequest, .provider = "paypal",
				     .body = rpc_new(call, HttpBody)),
				 &empty),
			 RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, WEBHOOK_PROVIDER_UNKNOWN));
}

TEST(a_webhook_that_overtakes_our_note_is_looked_at_later)
{
	ck_assert_int_eq(receive("evt_1 payment_intent.x pi_1", "good"), 0);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_int_eq(noted("fake.evt_1")->state, WEBHOOK_EVENT_STATE_RECEIVED);
	authorized(1000);
	pass(5000);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_int_eq(noted("fake.evt_1")->state, WEBHOOK_EVENT_STATE_PROCESSED);
}

TEST(a_webhook_about_nothing_of_ours_is_ignored_in_the_end)
{
	ck_assert_int_eq(receive("evt_1 customer.created cus_9", "good"), 0);
	sweep();
	ck_assert_int_eq(noted("fake.evt_1")->state, WEBHOOK_EVENT_STATE_IGNORED);
}

TEST(a_look_that_fails_is_repeated)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_action", 1000, &payment), 0);
	fake_fail("get", FAKE_LOST, 1);
	ck_assert_int_eq(receive("evt_1 payment_intent.x pi_1", "good"), 0);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_str_eq(noted("fake.evt_1")->error, "PROVIDER_UNAVAILABLE");
	fake.intents[0].state = INTENT_HELD;
	pass(5000);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_str_eq(noted("fake.evt_1")->error, "");
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
}

TEST(a_webhook_is_replayed_by_staff)
{
	const ReplayWebhookEventRequest *unknown;
	WebhookEvent *event;
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_action", 1000, &payment), 0);
	ck_assert_int_eq(receive("evt_1 payment_intent.x pi_1", "good"), 0);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	fake.intents[0].state = INTENT_HELD;
	as("users/eve", "payments.manage", "gateway");
	ck_assert_int_eq(payments_client_replay_webhook_event(
				 client, call,
				 MSG(ReplayWebhookEventRequest, .name = "webhookEvents/fake.evt_1"),
				 &event),
			 0);
	ck_assert_int_eq(event->state, WEBHOOK_EVENT_STATE_PROCESSED);
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	unknown = MSG(ReplayWebhookEventRequest, .name = "webhookEvents/fake.evt_9");
	ck_assert_int_eq(payments_client_replay_webhook_event(client, call, unknown, &event),
			 RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, WEBHOOK_EVENT_NOT_FOUND));
}

TEST(webhooks_are_listed_by_payment)
{
	ListWebhookEventsResponse *page;

	authorized(1000);
	ck_assert_int_eq(receive("evt_1 payment_intent.x pi_1", "good"), 0);
	ck_assert_int_eq(receive("evt_2 customer.created cus_9", "good"), 0);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	as("users/eve", "payments.read", "gateway");
	ck_assert_int_eq(payments_client_list_webhook_events(
				 client, call,
				 MSG(ListWebhookEventsRequest,
				     .filter = "payment = \"payments/7\" AND state = PROCESSED"),
				 &page),
			 0);
	ck_assert_uint_eq(page->n_webhook_events, 1);
	ck_assert_str_eq(page->webhook_events[0]->reference, "pi_1");
}

TEST(a_bank_that_sends_a_refund_back_is_heard_of)
{
	Refund *made;

	captured(1000);
	ck_assert_int_eq(refund("r1", 400, &made), 0);
	fake.refunds[0].state = REFUND_REFUSED;
	ck_assert_int_eq(receive("evt_1 refund.failed pi_1", "good"), 0);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_int_eq(stored()->payment->refunds[0]->state, REFUND_STATE_FAILED);
	ck_assert_int_eq(cents(stored()->payment->refunded), 0);
	ck_assert_int_eq(told("RefundFailed"), 1);
}

TEST(a_hold_by_a_try_that_is_closed_is_lifted)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_declined", 1000, &payment), 0);
	ck_assert_int_eq(authorize("try-2", "pm_visa", 1000, &payment), 0);
	fake.intents[0].state = INTENT_HELD; /* somebody tried the first one again, elsewhere */
	ck_assert_int_eq(receive("evt_1 payment_intent.amount_capturable_updated pi_1", "good"), 0);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_int_eq(fake.intents[0].state, INTENT_CANCELED);
	ck_assert_int_eq(fake.intents[1].state, INTENT_HELD);
}

/* --- saved methods --- */

static int save(const char *token, const char *request_id, PaymentMethod **ret)
{
	return payments_client_create_payment_method(
		client, call,
		MSG(CreatePaymentMethodRequest, .parent = "users/ann", .request_id = request_id,
		    .payment_method = rpc_new(call, PaymentMethod, .token = token)),
		ret);
}

static int delete(const char *name)
{
	Empty *empty;

	return payments_client_delete_payment_method(
		client, call, MSG(DeletePaymentMethodRequest, .name = name), &empty);
}

static void as_ann(void)
{
	as("users/ann", "", "gateway");
}

TEST(a_saved_method_pays_and_never_shows_its_token)
{
	PaymentMethod *method;
	Payment *payment;
	const char *name;

	as_ann();
	ck_assert_int_eq(save("pm_visa", "s1", &method), 0);
	ck_assert_str_eq(method->token, "");
	ck_assert_str_eq(method->last_four, "4242");
	name = strdup(method->name);
	as_orders();
	ck_assert_int_eq(authorize("try-1", name, 1000, &payment), 0);
	ck_assert_str_eq(stored()->attempt_details[0]->provider_method, "pm_saved_1");
	ck_assert_str_eq(stored()->attempt_details[0]->provider_customer, "cus_1");
	free((char *)name);
}

TEST(the_same_request_saves_once)
{
	ListPaymentMethodsResponse *page;
	PaymentMethod *first, *again;

	as_ann();
	ck_assert_int_eq(save("pm_visa", "s1", &first), 0);
	ck_assert_int_eq(save("pm_visa", "s1", &again), 0);
	ck_assert_str_eq(first->name, again->name);
	ck_assert_int_eq(save("pm_other", "s1", &again), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REQUEST_ID_REUSED));
	ck_assert_int_eq(
		payments_client_list_payment_methods(
			client, call, MSG(ListPaymentMethodsRequest, .parent = "users/me"), &page),
		0);
	ck_assert_uint_eq(page->n_payment_methods, 1);
}

TEST(saved_methods_are_listed_the_newest_first_and_end_somewhere)
{
	ListPaymentMethodsRequest *request;
	ListPaymentMethodsResponse *page;
	PaymentMethod *method, *last = NULL;
	size_t seen = 0;

	as_ann();
	for (int i = 0; i < PAYMENT_METHODS_MAX; i++) {
		if (i % 2)
			pass(1000);
		ck_assert_int_eq(save("pm_visa", "", &method), 0);
	}
	ck_assert_int_eq(save("pm_visa", "", &method), RPC_RESOURCE_EXHAUSTED);
	ck_assert(rpc_failed_with(call, TOO_MANY_PAYMENT_METHODS));
	request = rpc_new(call, ListPaymentMethodsRequest, .parent = "users/ann", .page_size = 3);
	do {
		ck_assert_int_eq(payments_client_list_payment_methods(client, call, request, &page),
				 0);
		for (size_t i = 0; i < page->n_payment_methods; i++, seen++) {
			method = page->payment_methods[i];
			if (last)
				ck_assert_int_ge(last->create_time->seconds,
						 method->create_time->seconds);
			last = method;
		}
		request->page_token = page->next_page_token;
	} while (*request->page_token);
	ck_assert_uint_eq(seen, PAYMENT_METHODS_MAX);
	ck_assert_uint_eq(fake.n_customers, 1);
}

TEST(a_deleted_method_pays_no_more)
{
	PaymentMethod *method;
	Payment *payment;
	char *name;

	as_ann();
	ck_assert_int_eq(save("pm_visa", "s1", &method), 0);
	name = strdup(method->name);
	ck_assert_int_eq(delete (name), 0);
	ck_assert_int_eq(delete (name), RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, PAYMENT_METHOD_NOT_FOUND));
	as_orders();
	ck_assert_int_eq(authorize("try-1", name, 1000, &payment), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PAYMENT_METHOD_INVALID));
	free(name);
}

TEST(methods_are_their_users)
{
	PaymentMethod *method;

	as("users/bob", "", "gateway");
	ck_assert_int_eq(save("pm_visa", "s1", &method), RPC_PERMISSION_DENIED);
	ck_assert_int_eq(delete ("users/ann/paymentMethods/x"), RPC_PERMISSION_DENIED);
}

TEST(a_method_that_the_provider_does_not_take_is_not_saved)
{
	PaymentMethod *method;

	as_ann();
	ck_assert_int_eq(save("4242424242424242", "s1", &method), RPC_INVALID_ARGUMENT);
	ck_assert_int_eq(save("pm_unknown", "s2", &method), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PAYMENT_METHOD_INVALID));
	fake_fail("attach", FAKE_LOST, 1);
	ck_assert_int_eq(save("pm_visa", "s3", &method), RPC_UNAVAILABLE);
	ck_assert(rpc_failed_with(call, PROVIDER_UNAVAILABLE));
	ck_assert_int_eq(save("pm_visa", "s3", &method), 0);
}

TEST_MAIN("payments webhooks", setup, teardown)
