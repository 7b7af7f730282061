/* Settling after a stop: whatever was on its way, it ends well, and money moves once. */
#include "settle.h"
#include "shop_of_tests.h"

/* Where a try stops, and how often the provider may have been asked to create an intent by then. */
static const struct stop {
	const char *at;
	enum fake_fault fault;
} stops[] = {
	{ "create", FAKE_LOST },          { "create", FAKE_ANSWER_LOST },
	{ "confirm", FAKE_CRASH_BEFORE }, { "confirm", FAKE_CRASH_AFTER },
	{ "confirm", FAKE_LOST },         { "confirm", FAKE_ANSWER_LOST },
};

static void expect_stop(int r, enum fake_fault fault)
{
	if (fault == FAKE_CRASH_BEFORE || fault == FAKE_CRASH_AFTER)
		ck_assert_int_eq(r, RPC_INTERNAL);
	else if (r)
		ck_assert_int_eq(r, RPC_UNAVAILABLE);
}

static void announce(enum fake_fault fault)
{
	if (fault == FAKE_CRASH_BEFORE || fault == FAKE_CRASH_AFTER)
		test_expect_log("a handler failed");
}

TEST_EACH(a_stopped_try_is_finished_by_the_sweeper, stops)
{
	Payment *payment;

	announce(row->fault);
	fake_fail(row->at, row->fault, 1);
	expect_stop(authorize("try-1", "pm_visa", 1000, &payment), row->fault);
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	ck_assert_int_eq(fake_in_state(INTENT_HELD), 1);
	ck_assert_int_eq(fake.n_confirms, 1);
	ck_assert_int_eq(told("PaymentAuthorized"), 1);
}

TEST_EACH(a_stopped_try_is_finished_by_its_repeat, stops)
{
	Payment *payment;

	announce(row->fault);
	fake_fail(row->at, row->fault, 1);
	expect_stop(authorize("try-1", "pm_visa", 1000, &payment), row->fault);
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	ck_assert_uint_eq(payment->n_attempts, 1);
	ck_assert_int_eq(fake_in_state(INTENT_HELD), 1);
	ck_assert_int_eq(told("PaymentAuthorized"), 1);
}

TEST_EACH(a_stopped_try_can_be_called_off, stops)
{
	Payment *payment;

	announce(row->fault);
	fake_fail(row->at, row->fault, 1);
	expect_stop(authorize("try-1", "pm_visa", 1000, &payment), row->fault);
	ck_assert_int_eq(void_it(&payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_CANCELED);
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_CANCELED);
	ck_assert_int_eq(fake_in_state(INTENT_HELD), 0);
	ck_assert_int_eq(told("PaymentVoided"), 1);
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_CANCELED);
}

/* Before the try is stored: an intent holds nothing as long as nobody confirms it. */
static const enum fake_fault early[] = { FAKE_CRASH_BEFORE, FAKE_CRASH_AFTER };

TEST_EACH(a_try_that_stopped_before_it_was_stored_is_made_by_its_repeat, early)
{
	PaymentRecord *none;
	Payment *payment;

	announce(*row);
	fake_fail("create", *row, 1);
	expect_stop(authorize("try-1", "pm_visa", 1000, &payment), *row);
	ck_assert_int_eq(payment_read(call, "7", &none), MONGO_NOT_FOUND);
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	ck_assert_uint_eq(payment->n_attempts, 1);
	ck_assert_int_eq(fake_in_state(INTENT_HELD), 1);
	ck_assert_int_eq(fake.n_confirms, 1);
	ck_assert_int_eq(told("PaymentAuthorized"), 1);
}

TEST_EACH(a_try_that_stopped_before_it_was_stored_can_be_called_off, early)
{
	Payment *payment;

	announce(*row);
	fake_fail("create", *row, 1);
	expect_stop(authorize("try-1", "pm_visa", 1000, &payment), *row);
	ck_assert_int_eq(void_it(&payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_CANCELED);
	sweep();
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_CLOSED));
	ck_assert_int_eq(fake.n_confirms, 0);
}

TEST_EACH(a_second_try_that_stopped_before_it_was_stored_is_made_by_its_repeat, early)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_declined", 1000, &payment), 0);
	announce(*row);
	fake_fail("create", *row, 1);
	expect_stop(authorize("try-2", "pm_visa", 1000, &payment), *row);
	ck_assert_uint_eq(stored()->payment->n_attempts, 1);
	ck_assert_int_eq(authorize("try-2", "pm_visa", 1000, &payment), 0);
	ck_assert_uint_eq(payment->n_attempts, 2);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	ck_assert_int_eq(fake_in_state(INTENT_HELD), 1);
}

/* A decline whose answer is lost. */
static const struct stop declines[] = {
	{ "confirm", FAKE_CRASH_AFTER },
	{ "confirm", FAKE_ANSWER_LOST },
	{ "get", FAKE_LOST },
	{ "get", FAKE_CRASH_BEFORE },
};
TEST_EACH(a_decline_that_nobody_heard_is_found_out, declines)
{
	Payment *payment;

	announce(row->fault);
	fake_fail(row->at, row->fault, 1);
	expect_stop(authorize("try-1", "pm_declined", 1000, &payment), row->fault);
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_PAYMENT_METHOD);
	ck_assert_str_eq(stored()->payment->attempts[0]->decline_code, "card_declined");
	ck_assert_int_eq(told("PaymentFailed"), 1);
}

static const enum fake_fault faults[] = { FAKE_CRASH_BEFORE, FAKE_CRASH_AFTER, FAKE_LOST,
					  FAKE_ANSWER_LOST };

TEST_EACH(a_stopped_capture_takes_the_money_once, faults)
{
	Payment *payment;

	authorized(1000);
	announce(*row);
	fake_fail("capture", *row, 1);
	expect_stop(capture(600, &payment), *row);
	/* What is meant to be taken can no longer be let go, nor taken otherwise. */
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_SUCCEEDED);
	ck_assert_int_eq(cents(stored()->payment->captured), 600);
	ck_assert_int_eq(fake_captured(), 600);
	ck_assert_int_eq(fake.intents[0].times_captured, 1);
	ck_assert_int_eq(told("PaymentCaptured"), 1);
}

TEST_EACH(a_stopped_capture_is_finished_by_its_repeat, faults)
{
	Payment *payment;

	authorized(1000);
	announce(*row);
	fake_fail("capture", *row, 1);
	expect_stop(capture(0, &payment), *row);
	ck_assert_int_eq(capture(0, &payment), 0);
	ck_assert_int_eq(fake_captured(), 1000);
}

TEST_EACH(a_stopped_capture_is_not_voided, faults)
{
	Payment *payment;

	authorized(1000);
	announce(*row);
	fake_fail("capture", *row, 1);
	expect_stop(capture(0, &payment), *row);
	ck_assert_int_eq(void_it(&payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_NOT_VOIDABLE));
	ck_assert_int_eq(fake_captured(), 1000);
}

TEST_EACH(a_stopped_void_is_finished_by_the_sweeper, faults)
{
	Payment *payment;

	authorized(1000);
	announce(*row);
	fake_fail("cancel", *row, 1);
	expect_stop(void_it(&payment), *row);
	ck_assert_int_eq(capture(0, &payment), RPC_FAILED_PRECONDITION);
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_CANCELED);
	ck_assert_int_eq(fake_in_state(INTENT_CANCELED), 1);
	ck_assert_int_eq(told("PaymentVoided"), 1);
}

TEST_EACH(a_stopped_refund_gives_back_once, faults)
{
	Refund *made;

	captured(1000);
	announce(*row);
	fake_fail("refund", *row, 1);
	expect_stop(refund("r1", 400, &made), *row);
	sweep();
	ck_assert_int_eq(stored()->payment->refunds[0]->state, REFUND_STATE_SUCCEEDED);
	ck_assert_int_eq(fake_refunded(), 400);
	ck_assert_int_eq(fake.n_sent_refunds, 1);
	ck_assert_int_eq(told("PaymentRefunded"), 1);
	ck_assert_int_eq(refund("r1", 400, &made), 0);
	ck_assert_int_eq(made->state, REFUND_STATE_SUCCEEDED);
	ck_assert_int_eq(fake_refunded(), 400);
}

TEST(what_may_be_on_its_way_is_not_sent_again)
{
	Refund *made;

	captured(1000);
	fake_fail("refund", FAKE_LOST, 1);
	ck_assert_int_eq(refund("r1", 400, &made), 0);
	ck_assert_int_eq(made->state, REFUND_STATE_PENDING);
	/* Its repeat and the sweeper ask, and leave it at that. */
	ck_assert_int_eq(refund("r1", 400, &made), 0);
	pass(10000);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_int_eq(made->state, REFUND_STATE_PENDING);
	ck_assert_int_eq(fake.n_sent_refunds, 0);
	pass(60000);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_int_eq(fake.n_sent_refunds, 1);
}

TEST(what_the_bank_works_on_is_called_off_when_it_is_done)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_slow", 1000, &payment), 0);
	ck_assert_int_eq(void_it(&payment), RPC_ABORTED);
	ck_assert(rpc_failed_with(call, PAYMENT_IN_PROGRESS));
	sweep();
	ck_assert_int_eq(stored()->intention, PAYMENT_RECORD_INTENTION_CANCEL);
	fake.intents[0].state = INTENT_HELD;
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_CANCELED);
	ck_assert_int_eq(fake_in_state(INTENT_CANCELED), 1);
	ck_assert_int_eq(told("PaymentAuthorized"), 0);
	ck_assert_int_eq(told("PaymentVoided"), 1);
}

TEST(a_refund_that_arrives_late_is_found)
{
	Refund *made;

	captured(1000);
	fake_fail("refund", FAKE_ANSWER_LOST, 1);
	ck_assert_int_eq(refund("r1", 400, &made), 0);
	ck_assert_int_eq(made->state, REFUND_STATE_SUCCEEDED);
	ck_assert_int_eq(fake.n_sent_refunds, 1);
}

TEST(a_refund_that_is_refused_for_good_can_be_made_anew)
{
	Refund *made;

	captured(1000);
	fake_fail("refund", FAKE_REFUSES, 1);
	ck_assert_int_eq(refund("r1", 1000, &made), 0);
	ck_assert_int_eq(made->state, REFUND_STATE_FAILED);
	ck_assert_int_eq(told("RefundFailed"), 1);
	ck_assert_int_eq(refund("r2", 1000, &made), 0);
	ck_assert_int_eq(made->state, REFUND_STATE_SUCCEEDED);
	ck_assert_int_eq(fake_refunded(), 1000);
}

TEST(a_provider_that_is_away_changes_nothing)
{
	Payment *payment;

	authorized(1000);
	fake_fail("", FAKE_LOST, 1000);
	ck_assert_int_eq(capture(0, &payment), RPC_UNAVAILABLE);
	ck_assert(rpc_failed_with(call, PROVIDER_UNAVAILABLE));
	sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	fake_fail("", FAKE_FINE, 0);
	for (int i = 0; i < 5; i++)
		sweep();
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_SUCCEEDED);
	ck_assert_int_eq(fake_captured(), 1000);
}

TEST(a_refused_capture_is_our_fault_and_stays_meant)
{
	Payment *payment;

	authorized(1000);
	test_expect_log("a handler failed");
	fake_fail("capture", FAKE_REFUSES, 1);
	ck_assert_int_eq(capture(0, &payment), RPC_INTERNAL);
	ck_assert_int_eq(stored()->intention, PAYMENT_RECORD_INTENTION_CAPTURE);
	ck_assert_int_eq(capture(0, &payment), 0);
}

TEST(a_try_that_is_refused_by_the_provider_has_failed)
{
	Payment *payment;

	fake_fail("create", FAKE_REFUSES, 1);
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_REQUIRES_PAYMENT_METHOD);
	ck_assert_str_eq(payment->attempts[0]->decline_code, "refused");
}

/* --- what comes while the provider is being asked --- */

/* Whether it can be done while the try holds the lease: only before there is a try. */
static void void_and_expect(bool done)
{
	static const VoidPaymentRequest *request;
	struct rpc_call *other = rpc_call_new("void", 1200);
	struct payments_client *too = payments_client_local(&payments_service, &service);
	Payment *payment;

	/* The lease is the try's: the void is stored, and waits no longer than its caller does. */
	set_caller(other, "", "", "orders");
	request = rpc_new(other, VoidPaymentRequest, .name = "payments/7", .request_id = "void");
	ck_assert_int_eq(!payments_client_void_payment(too, other, request, &payment), done);
	payments_client_free(too);
	rpc_call_free(other);
}

static void void_meanwhile(void)
{
	void_and_expect(false);
}

static void void_before(void)
{
	void_and_expect(true);
}

static void refund_meanwhile(void)
{
	struct rpc_call *other = rpc_call_new("refund", 1200);
	struct payments_client *too = payments_client_local(&payments_service, &service);
	Refund *asked =
		       rpc_new(other, Refund,
			       .amount = rpc_new(other, Money, .currency_code = "EUR", .units = 2)),
	       *made;

	set_caller(other, "", "", "orders");
	ck_assert_int_eq(
		payments_client_create_refund(too, other,
					      MSG(CreateRefundRequest, .parent = "payments/7",
						  .refund = asked, .request_id = "r2"),
					      &made),
		0);
	ck_assert_int_eq(made->state, REFUND_STATE_PENDING);
	payments_client_free(too);
	rpc_call_free(other);
}

TEST(a_refund_that_comes_during_another_is_made_with_it)
{
	Refund *made;

	captured(1000);
	fake.during_at = "refund";
	fake.during = refund_meanwhile;
	ck_assert_int_eq(refund("r1", 300, &made), 0);
	ck_assert_int_eq(made->state, REFUND_STATE_SUCCEEDED);
	ck_assert_int_eq(stored()->payment->refunds[1]->state, REFUND_STATE_SUCCEEDED);
	ck_assert_int_eq(fake_refunded(), 500);
	ck_assert_int_eq(fake.n_sent_refunds, 2);
}

TEST(a_void_that_comes_before_the_try_is_stored_closes_and_its_intent_is_cancelled)
{
	Payment *payment;

	fake.during_at = "create";
	fake.during = void_before;
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PAYMENT_CLOSED));
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_CANCELED);
	ck_assert_int_eq(fake.n_confirms, 0);
	ck_assert_int_eq(fake_in_state(INTENT_CANCELED), 1);
}

static void try_meanwhile(void)
{
	struct rpc_call *other = rpc_call_new("test", 60000), *own = call;
	Payment *payment;

	set_caller(other, "users/ann", "", "orders");
	call = other;
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), 0);
	call = own;
	rpc_call_free(other);
}

TEST(a_repeat_that_is_stored_first_is_the_try_and_the_other_intent_is_cancelled)
{
	Payment *payment;

	fake.during_at = "create";
	fake.during = try_meanwhile;
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	ck_assert_uint_eq(payment->n_attempts, 1);
	ck_assert_int_eq(fake_in_state(INTENT_HELD), 1);
	ck_assert_int_eq(fake_in_state(INTENT_CANCELED), 1);
	ck_assert_int_eq(fake.n_confirms, 1);
}

TEST(a_void_that_comes_during_a_try_wins)
{
	Payment *payment;

	fake.during_at = "confirm";
	fake.during = void_meanwhile;
	ck_assert_int_eq(authorize("try-1", "pm_visa", 1000, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_CANCELED);
	ck_assert_int_eq(fake_in_state(INTENT_HELD), 0);
	ck_assert_int_eq(fake_in_state(INTENT_CANCELED), 1);
	ck_assert_int_eq(told("PaymentAuthorized"), 0);
	ck_assert_int_eq(told("PaymentVoided"), 1);
}

TEST(a_void_that_comes_during_a_capture_loses)
{
	Payment *payment;

	authorized(1000);
	fake.during_at = "capture";
	fake.during = void_meanwhile;
	ck_assert_int_eq(capture(0, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_SUCCEEDED);
	ck_assert_int_eq(fake_captured(), 1000);
}

static void be_taken_over(void)
{
	struct rpc_call *other = rpc_call_new("sweep", 10000);

	/* The replica was stopped for so long that another one goes on with its work. */
	rpc_call_set_now(other, rpc_now_ms(call) + 60000);
	ck_assert_int_eq(payments_sweep(&service, other), 0);
	rpc_call_free(other);
}

static const char *const steps[] = { "create", "confirm", "capture" };
TEST_EACH(a_replica_that_slept_too_long_does_no_harm, steps)
{
	Payment *payment;

	fake.during_at = *row;
	fake.during = be_taken_over;
	if (authorize("try-1", "pm_visa", 1000, &payment))
		ck_assert_int_eq(rpc_error_code(call), RPC_ABORTED);
	if (!strcmp(*row, "capture")) {
		ck_assert_int_eq(capture(0, &payment), 0);
		ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_SUCCEEDED);
	} else {
		sweep();
		ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
		ck_assert_int_eq(fake_in_state(INTENT_HELD), 1);
	}
	ck_assert_int_eq(told("PaymentAuthorized"), 1);
}

TEST(a_lease_that_a_crash_left_runs_out)
{
	PaymentRecord *record;
	Payment *payment;

	authorized(1000);
	record = stored();
	ck_assert_int_eq(payment_take(call, record, "a process that is gone",
				      settle_lease_end(&service, call)),
			 0);
	as("users/ann", "", "orders");
	rpc_call_free(call);
	call = rpc_call_new("test", 1200);
	set_caller(call, "", "", "orders");
	ck_assert_int_eq(capture(0, &payment), RPC_ABORTED);
	ck_assert(rpc_failed_with(call, PAYMENT_IN_PROGRESS));
	pass(30000);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_SUCCEEDED);
}

TEST(looks_become_rarer)
{
	PaymentRecord *record;
	int64_t first, second;

	authorized(1000);
	record = stored();
	first = payment_look_time(call, record) - rpc_now_ms(call);
	record->looks = 3;
	second = payment_look_time(call, record) - rpc_now_ms(call);
	ck_assert_int_eq(second, 8 * first);
	record->looks = 1000;
	ck_assert_int_eq(payment_look_time(call, record) - rpc_now_ms(call), 6 * 3600 * 1000);
}

TEST(books_that_do_not_agree_are_not_written)
{
	PaymentRecord *record;
	struct payment_change change;

	authorized(1000);
	record = stored();
	change = payment_begin(record);
	record->payment->state = PAYMENT_STATE_SUCCEEDED;
	record->payment->captured = euro(1000);
	ck_assert_int_eq(payment_save(call, &change), -EINVAL);
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
}

TEST_MAIN("payments settling", setup, teardown)
