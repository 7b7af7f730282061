/* Payments' rules, with the real documents and a provider that allows everything. */
#include "shop_of_tests.h"

TEST(an_amount_is_held_and_then_taken)
{
	Payment *payment;

	authorized(1250);
	ck_assert_int_eq(cents(stored()->payment->authorized), 1250);
	ck_assert_str_eq(stored()->payment->attempts[0]->card, "visa 4242");
	ck_assert_int_eq(told("PaymentAuthorized"), 1);
	ck_assert_int_eq(fake_captured(), 0);

	ck_assert_int_eq(capture(0, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_SUCCEEDED);
	ck_assert_int_eq(cents(payment->captured), 1250);
	ck_assert_str_eq(payment->etag, rpc_printf(call, "\"%d\"", (int)stored()->version));
	ck_assert_int_eq(told("PaymentCaptured"), 1);
	ck_assert_int_eq(fake_captured(), 1250);
	ck_assert_ptr_null(stored()->next_look_time);
	ck_assert_ptr_null(stored()->lease_expire_time);
}

TEST(a_purchase_asks_the_provider_three_times)
{
	captured(1250);
	ck_assert_int_eq(fake.n_calls, 3);
}

TEST(taking_a_part_lets_go_of_the_rest)
{
	Payment *payment;

	authorized(1000);
	ck_assert_int_eq(capture(400, &payment), 0);
	ck_assert_int_eq(cents(payment->captured), 400);
	ck_assert_int_eq(cents(payment->authorized), 1000);
	ck_assert_uint_eq(stored()->n_ledger, 3);
	ck_assert_int_eq(stored()->ledger[2]->kind, LEDGER_ENTRY_KIND_VOID);
	ck_assert_int_eq(cents(stored()->ledger[2]->amount), 600);
}

TEST(more_than_is_held_is_not_taken)
{
	Payment *payment;

	authorized(1000);
	ck_assert_int_eq(capture(1001, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, CAPTURE_TOO_LARGE));
	ck_assert_str_eq(rpc_error_meta(call, "authorized"), "10.00");
	ck_assert_int_eq(fake_captured(), 0);
}

TEST(another_currency_is_not_taken)
{
	Payment *payment;
	const CapturePaymentRequest *dollars =
		MSG(CapturePaymentRequest, .name = "payments/7", .request_id = "capture",
		    .amount = rpc_new(call, Money, .currency_code = "USD", .units = 1));

	authorized(1000);
	ck_assert_int_eq(payments_client_capture_payment(client, call, dollars, &payment),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, MONEY_INVALID));
}

TEST(taking_twice_takes_once)
{
	Payment *payment;

	captured(1000);
	ck_assert_int_eq(capture(0, &payment), 0);
	ck_assert_int_eq(capture(1000, &payment), 0);
	ck_assert_int_eq(capture_as("another", 1000, &payment), 0);
	ck_assert_int_eq(capture_as("another", 500, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_NOT_CAPTURABLE));
	ck_assert_int_eq(capture(500, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REQUEST_ID_REUSED));
	ck_assert_int_eq(fake.intents[0].times_captured, 1);
}

TEST(the_same_request_is_the_same_try)
{
	Payment *payment;

	authorized(1000);
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), 0);
	ck_assert_uint_eq(payment->n_attempts, 1);
	ck_assert_uint_eq(fake.n_intents, 1);
	ck_assert_int_eq(authorize("try-1", "pm_visa", 999, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_AMOUNT_DIFFERS));
	ck_assert_int_eq(authorize("try-1", "pm_other", 1000, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REQUEST_ID_REUSED));
	captured(1000);
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_SUCCEEDED);
}

static const struct {
	const char *request_id;
} strange_ids[] = {
	{ "\u00e4 / 7" },
	{ "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	  "89012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
	  "456789012345678901234567890123456789012345678901234567890123456789012345678901234" },
};
TEST_EACH(the_providers_key_fits_a_header_whatever_the_request_is_called, strange_ids)
{
	Payment *payment;

	ck_assert_int_eq(authorize(row->request_id, "pm_visa", 1000, &payment), 0);
	ck_assert_uint_le(strlen(fake.intents[0].key), 255);
	for (const char *at = fake.intents[0].key; *at; at++)
		ck_assert(*at > ' ' && *at <= '~');
}

TEST(a_second_try_waits_for_the_end_of_the_first)
{
	Payment *payment;

	authorized(1000);
	ck_assert_int_eq(authorize("try-2", "pm_visa", 1000, &payment), RPC_ABORTED);
	ck_assert(rpc_failed_with(call, PAYMENT_IN_PROGRESS));
	ck_assert_str_eq(rpc_error_meta(call, "state"), "REQUIRES_CAPTURE");
	captured(1000);
	ck_assert_int_eq(authorize("try-2", "pm_visa", 1000, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_CLOSED));
	ck_assert_uint_eq(fake.n_intents, 1);
}

TEST(a_declined_card_leaves_a_payment_that_another_card_pays)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_declined", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_REQUIRES_PAYMENT_METHOD);
	ck_assert_int_eq(payment->attempts[0]->state, PAYMENT_ATTEMPT_STATE_DECLINED);
	ck_assert_str_eq(payment->attempts[0]->decline_code, "card_declined");
	ck_assert_int_eq(told("PaymentFailed"), 1);
	ck_assert_int_eq(capture(0, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_NOT_CAPTURABLE));

	ck_assert_int_eq(authorize("try-2", "pm_visa", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	ck_assert_int_eq(payment->attempts[1]->number, 2);
	ck_assert_uint_eq(fake.n_intents, 2);
	/* The first one's answer stays what it was. */
	ck_assert_int_eq(authorize("try-1", "pm_declined", 1000, &payment), 0);
	ck_assert_int_eq(payment->attempts[0]->state, PAYMENT_ATTEMPT_STATE_DECLINED);
}

TEST(tries_come_to_an_end)
{
	Payment *payment;

	for (int i = 0; i < PAYMENT_ATTEMPTS_MAX; i++)
		ck_assert_int_eq(
			authorize(rpc_printf(call, "try-%d", i), "pm_declined", 1000, &payment), 0);
	ck_assert_int_eq(authorize("one more", "pm_visa", 1000, &payment), RPC_RESOURCE_EXHAUSTED);
	ck_assert(rpc_failed_with(call, PAYMENT_EXHAUSTED));
}

static const char *const bad_methods[] = {
	"4242424242424242",
	"4242 4242 4242 4242",
	"4000-0566-5566-5556",
	"12345",
	"tok_visa",
	"pm_unknown",
	"pm_visa\" or 1",
	"users/bob/paymentMethods/x",
	"users/ann/paymentMethods/none",
};
TEST_EACH(what_is_no_token_is_refused_and_never_kept, bad_methods)
{
	PaymentRecord *record;
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", *row, 1000, &payment), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PAYMENT_METHOD_INVALID));
	if (!strcmp(*row, "pm_unknown")) /* only the provider can know */
		return;
	ck_assert_int_eq(payment_read(call, "7", &record), MONGO_NOT_FOUND);
	ck_assert_int_eq(fake.n_calls, 0);
}

TEST(an_amount_of_nothing_is_refused)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_visa", 0, &payment), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, MONEY_INVALID));
}

TEST(what_the_provider_does_not_know_stays_refused)
{
	Payment *payment;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(authorize("try-1", "pm_unknown", 1000, &payment),
				 RPC_INVALID_ARGUMENT);
		ck_assert(rpc_failed_with(call, PAYMENT_METHOD_INVALID));
	}
	ck_assert_uint_eq(stored()->payment->n_attempts, 1);
	ck_assert_int_eq(authorize("try-2", "pm_visa", 1000, &payment), 0);
}

TEST(the_customer_approves_at_the_bank)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_action", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_REQUIRES_ACTION);
	ck_assert_int_eq(payment->attempts[0]->state, PAYMENT_ATTEMPT_STATE_AWAITING_CUSTOMER);
	ck_assert_str_eq(payment->redirect_uri, "https://bank.example/approve");
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_ACTION);
	ck_assert_int_eq(told("PaymentAuthorized"), 0);

	fake.intents[0].state = INTENT_HELD;
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	ck_assert_str_eq(stored()->payment->redirect_uri, "");
	ck_assert_int_eq(told("PaymentAuthorized"), 1);
}

TEST(a_bank_that_takes_its_time_is_waited_for)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_slow", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_PROCESSING);
	fake.intents[0].state = INTENT_DECLINED;
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_PAYMENT_METHOD);
	ck_assert_int_eq(told("PaymentFailed"), 1);
}

TEST(a_void_lifts_the_hold_and_closes)
{
	Payment *payment;

	authorized(1000);
	ck_assert_int_eq(void_it(&payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_CANCELED);
	ck_assert_int_eq(payment->attempts[0]->state, PAYMENT_ATTEMPT_STATE_CANCELED);
	ck_assert_int_eq(fake_in_state(INTENT_CANCELED), 1);
	ck_assert_int_eq(told("PaymentVoided"), 1);
	ck_assert_int_eq(void_it(&payment), 0);
	ck_assert_int_eq(told("PaymentVoided"), 1);

	/* The provider would take the money even now. */
	ck_assert_int_eq(capture(0, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_NOT_CAPTURABLE));
	ck_assert_int_eq(authorize("try-2", "pm_visa", 1000, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_CLOSED));
	ck_assert_int_eq(fake_captured(), 0);
}

TEST(a_void_that_overtakes_its_try_wins)
{
	Payment *payment;

	ck_assert_int_eq(void_it(&payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_CANCELED);
	ck_assert_str_eq(payment->order, "orders/7");
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_CLOSED));
	ck_assert_int_eq(fake.n_calls, 0);
}

TEST(after_a_decline_a_void_closes_without_asking_anyone)
{
	Payment *payment;
	int calls;

	ck_assert_int_eq(authorize("try-1", "pm_declined", 1000, &payment), 0);
	calls = fake.n_calls;
	ck_assert_int_eq(void_it(&payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_CANCELED);
	ck_assert_int_eq(payment->attempts[0]->state, PAYMENT_ATTEMPT_STATE_DECLINED);
	ck_assert_int_eq(fake.n_calls, calls);
}

TEST(a_try_that_waits_for_the_customer_can_be_called_off)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_action", 1000, &payment), 0);
	ck_assert_int_eq(void_it(&payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_CANCELED);
	ck_assert_int_eq(fake_in_state(INTENT_CANCELED), 1);
}

TEST(what_is_captured_is_not_voided)
{
	Payment *payment;

	captured(1000);
	ck_assert_int_eq(void_it(&payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_NOT_VOIDABLE));
}

TEST(a_hold_that_ends_by_itself_closes_the_payment)
{
	Payment *payment;

	authorized(1000);
	fake.intents[0].state = INTENT_CANCELED;
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_CANCELED);
	ck_assert_int_eq(told("PaymentVoided"), 1);
	ck_assert_int_eq(capture(0, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_NOT_CAPTURABLE));
}

TEST(money_is_given_back_in_parts_and_never_more_than_was_taken)
{
	Refund *first, *second, *third;

	captured(1000);
	ck_assert_int_eq(refund("r1", 300, &first), 0);
	ck_assert_int_eq(first->state, REFUND_STATE_SUCCEEDED);
	ck_assert_int_eq(refund("r2", 701, &second), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REFUND_TOO_LARGE));
	ck_assert_str_eq(rpc_error_meta(call, "refundable"), "7.00");
	ck_assert_int_eq(refund("r3", 0, &third), 0);
	ck_assert_int_eq(cents(third->amount), 700);
	ck_assert_int_eq(refund("r4", 0, &third), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REFUND_TOO_LARGE));
	ck_assert_int_eq(cents(stored()->payment->refunded), 1000);
	ck_assert_int_eq(fake_refunded(), 1000);
	ck_assert_int_eq(told("PaymentRefunded"), 2);
}

TEST(the_same_request_refunds_once_for_ever)
{
	Refund *first, *again;

	captured(1000);
	ck_assert_int_eq(refund("r1", 300, &first), 0);
	pass(INT64_C(48) * 3600 * 1000);
	ck_assert_int_eq(refund("r1", 300, &again), 0);
	ck_assert_str_eq(first->name, again->name);
	ck_assert_int_eq(refund("r1", 200, &again), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REQUEST_ID_REUSED));
	/* The service's sweeper repeats what it began for a person. */
	set_caller(call, "", "", "orders");
	ck_assert_int_eq(refund("r1", 300, &again), 0);
	ck_assert_str_eq(first->name, again->name);
	ck_assert_int_eq(fake_refunded(), 300);
}

TEST(a_refusal_is_an_answer_too)
{
	Refund *refused;

	captured(1000);
	fake.refund_state = REFUND_REFUSED;
	ck_assert_int_eq(refund("r1", 600, &refused), 0);
	ck_assert_int_eq(refused->state, REFUND_STATE_FAILED);
	fake.refund_state = REFUND_WORKING;
	ck_assert_int_eq(refund("r2", 600, &refused), 0);
	ck_assert_int_eq(refund("r3", 600, &refused), RPC_FAILED_PRECONDITION);
	fake.refunds[1].state = REFUND_REFUSED;
	sweep();
	ck_assert_int_eq(refund("r3", 600, &refused), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REFUND_TOO_LARGE));
	ck_assert_int_eq(refund("r4", 600, &refused), 0);
}

TEST(lines_and_shipping_add_up_to_the_refund)
{
	Refund *made, *asked = rpc_new(call, Refund, .shipping = euro(250), .note = "broken");
	const CreateRefundRequest *request = MSG(CreateRefundRequest, .parent = "payments/7",
						 .request_id = "r1", .refund = asked);

	captured(1000);
	refund_add_lines(call, asked,
			 rpc_new(call, RefundLine, .line = "orders/7/lines/1", .quantity = 1,
				 .amount = euro(350)));
	asked->amount = euro(500);
	ck_assert_int_eq(payments_client_create_refund(client, call, request, &made),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, REFUND_SUM_WRONG));
	ck_assert_str_eq(rpc_error_meta(call, "sum"), "6.00");
	asked->amount = NULL;
	ck_assert_int_eq(payments_client_create_refund(client, call, request, &made), 0);
	ck_assert_int_eq(cents(made->amount), 600);
	ck_assert_uint_eq(stored()->payment->refunds[0]->n_lines, 1);
	ck_assert_str_eq(stored()->payment->refunds[0]->actor, "services/orders");
}

TEST(what_is_not_taken_is_not_given_back)
{
	Refund *refused;

	ck_assert_int_eq(refund("r1", 100, &refused), RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, PAYMENT_NOT_FOUND));
	authorized(1000);
	ck_assert_int_eq(refund("r1", 100, &refused), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_NOT_REFUNDABLE));
	ck_assert_uint_eq(fake.n_refunds, 0);
}

TEST(a_refund_that_fails_is_booked_back)
{
	Refund *made;

	captured(1000);
	fake.refund_state = REFUND_WORKING;
	ck_assert_int_eq(refund("r1", 1000, &made), 0);
	ck_assert_int_eq(made->state, REFUND_STATE_PENDING);
	ck_assert_int_eq(cents(stored()->payment->refunded), 1000);
	fake.refunds[0].state = REFUND_REFUSED;
	sweep();
	ck_assert_int_eq(stored()->payment->refunds[0]->state, REFUND_STATE_FAILED);
	ck_assert_str_eq(stored()->payment->refunds[0]->failure_code, "lost_card");
	ck_assert_int_eq(cents(stored()->payment->refunded), 0);
	ck_assert_int_eq(stored()->ledger[3]->kind, LEDGER_ENTRY_KIND_REFUND_REVERSAL);
	ck_assert_int_eq(told("RefundFailed"), 1);
	ck_assert_ptr_null(stored()->next_look_time);
}

TEST(a_refund_under_way_is_watched_to_its_end)
{
	Refund *made;

	captured(1000);
	fake.refund_state = REFUND_WORKING;
	ck_assert_int_eq(refund("r1", 400, &made), 0);
	sweep();
	ck_assert_int_eq(told("PaymentRefunded"), 0);
	fake.refunds[0].state = REFUND_DONE;
	sweep();
	sweep();
	ck_assert_int_eq(stored()->payment->refunds[0]->state, REFUND_STATE_SUCCEEDED);
	ck_assert_int_eq(told("PaymentRefunded"), 1);
	ck_assert_uint_eq(fake.n_refunds, 1);
}

TEST(a_payment_is_seen_by_its_payer_and_by_staff)
{
	const GetPaymentRequest *get = MSG(GetPaymentRequest, .name = "payments/7");
	Payment *payment;
	Refund *made;

	captured(1000);
	ck_assert_int_eq(refund("r1", 100, &made), 0);
	ck_assert_str_eq(made->provider_refund, "re_1");
	as("users/ann", "", "gateway");
	ck_assert_int_eq(payments_client_get_payment(client, call, get, &payment), 0);
	ck_assert_str_eq(payment->attempts[0]->card, "visa 4242");
	ck_assert_str_eq(payment->attempts[0]->provider_intent, "");
	ck_assert_str_eq(payment->refunds[0]->provider_refund, "");
	as("users/bob", "", "gateway");
	ck_assert_int_eq(payments_client_get_payment(client, call, get, &payment),
			 RPC_PERMISSION_DENIED);
	ck_assert(rpc_failed_with(call, NOT_OWNER));
	ck_assert_int_eq(
		payments_client_get_payment(
			client, call, MSG(GetPaymentRequest, .name = "payments/none"), &payment),
		RPC_PERMISSION_DENIED);
	as("users/eve", "payments.read", "gateway");
	ck_assert_int_eq(payments_client_get_payment(client, call, get, &payment), 0);
	ck_assert_str_eq(payment->attempts[0]->provider_intent, "pi_1");
	ck_assert_int_eq(
		payments_client_get_payment(
			client, call, MSG(GetPaymentRequest, .name = "payments/none"), &payment),
		RPC_NOT_FOUND);
}

TEST(only_orders_moves_money)
{
	Payment *payment;
	Refund *made;

	as("users/ann", "", "gateway");
	ck_assert_int_ne(authorize("try-1", "pm_visa", 1000, &payment), 0);
	ck_assert_int_ne(capture(0, &payment), 0);
	ck_assert_int_ne(void_it(&payment), 0);
	ck_assert_int_eq(refund("r1", 1, &made), RPC_PERMISSION_DENIED);
	ck_assert_int_eq(fake.n_calls, 0);
}

TEST(payments_are_listed_by_state)
{
	ListPaymentsResponse *page;
	Payment *payment;

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(payments_client_authorize_payment(
					 client, call,
					 MSG(AuthorizePaymentRequest, .user = "users/ann",
					     .order = rpc_printf(call, "orders/%d", i),
					     .amount = euro(100), .request_id = "try",
					     .payment_method = i % 2 ? "pm_declined" : "pm_visa"),
					 &payment),
				 0);
	as("users/eve", "payments.read", "gateway");
	ck_assert_int_eq(payments_client_list_payments(
				 client, call,
				 MSG(ListPaymentsRequest, .page_size = 2,
				     .filter = "state = REQUIRES_CAPTURE AND user = \"users/ann\""),
				 &page),
			 0);
	ck_assert_uint_eq(page->n_payments, 2);
	ck_assert_str_ne(page->next_page_token, "");
	ck_assert_int_eq(
		payments_client_list_payments(
			client, call, MSG(ListPaymentsRequest, .filter = "card = 4242"), &page),
		RPC_INVALID_ARGUMENT);
}

TEST(the_ledger_is_listed_in_pages)
{
	ListLedgerEntriesRequest *request;
	ListLedgerEntriesResponse *page;
	Refund *made;
	size_t seen = 0;

	captured(1000);
	ck_assert_int_eq(refund("r1", 100, &made), 0);
	as("users/eve", "payments.read", "gateway");
	request = rpc_new(call, ListLedgerEntriesRequest, .parent = "payments/7", .page_size = 2);
	do {
		ck_assert_int_eq(payments_client_list_ledger_entries(client, call, request, &page),
				 0);
		for (size_t i = 0; i < page->n_ledger_entries; i++)
			ck_assert_str_eq(page->ledger_entries[i]->name,
					 rpc_printf(call, "payments/7/ledgerEntries/%zu", ++seen));
		request->page_token = page->next_page_token;
	} while (*request->page_token);
	ck_assert_uint_eq(seen, 3);
}

TEST_MAIN("payments", setup, teardown)
