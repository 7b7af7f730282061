/* Many at once, in two replicas: one charge, and never more given back than was taken. */
#include "shop_of_tests.h"
#include <pthread.h>

enum { CLIENTS = 12 };

/* What a client does; its result and what it was told. */
struct racer {
	int i, code, (*run)(struct racer *racer);
	struct rpc_call *call;
	struct payments_client *client;
	Payment *payment;
	Refund *refund;
	const char *reason;
};

static struct payments_service replicas[2];
static pthread_barrier_t gate;

static void *race(void *data)
{
	struct racer *racer = data;

	pthread_barrier_wait(&gate);
	racer->code = racer->run(racer);
	racer->reason = rpc_error_reason(racer->call);
	return NULL;
}

static void at_once(struct racer racers[CLIENTS], int (*run)(struct racer *racer))
{
	pthread_t threads[CLIENTS];

	pthread_barrier_init(&gate, NULL, CLIENTS);
	for (int i = 0; i < 2; i++)
		replicas[i] = service;
	for (int i = 0; i < CLIENTS; i++) {
		racers[i] = (struct racer){
			.i = i,
			.run = run,
			.call = rpc_call_new("racer", 60000),
			.client = payments_client_local(&payments_service, &replicas[i % 2]),
		};
		set_caller(racers[i].call, "users/ann", "", "orders");
		ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&gate);
}

static void disband(struct racer racers[CLIENTS])
{
	for (int i = 0; i < CLIENTS; i++) {
		payments_client_free(racers[i].client);
		rpc_call_free(racers[i].call);
	}
}

static int count(const struct racer racers[CLIENTS], int code)
{
	int n = 0;

	for (int i = 0; i < CLIENTS; i++)
		n += racers[i].code == code;
	return n;
}

static int try_as(struct racer *racer, const char *request_id)
{
	const AuthorizePaymentRequest *request = rpc_new(
		racer->call, AuthorizePaymentRequest, .order = "orders/7", .user = "users/ann",
		.amount = rpc_new(racer->call, Money, .currency_code = "EUR", .units = 10),
		.payment_method = "pm_visa", .request_id = request_id);

	return payments_client_authorize_payment(racer->client, racer->call, request,
						 &racer->payment);
}

static int same_try(struct racer *racer)
{
	return try_as(racer, "try-1");
}

static int own_try(struct racer *racer)
{
	return try_as(racer, rpc_printf(racer->call, "try-%d", racer->i));
}

static int take_all(struct racer *racer)
{
	const CapturePaymentRequest *request = rpc_new(racer->call, CapturePaymentRequest,
						       .name = "payments/7", .request_id = "c");

	return payments_client_capture_payment(racer->client, racer->call, request,
					       &racer->payment);
}

static int take_or_let_go(struct racer *racer)
{
	const VoidPaymentRequest *request =
		rpc_new(racer->call, VoidPaymentRequest, .name = "payments/7", .request_id = "v");

	if (racer->i % 2)
		return take_all(racer);
	return payments_client_void_payment(racer->client, racer->call, request, &racer->payment);
}

static int give_back(struct racer *racer, const char *request_id)
{
	Refund *asked =
		rpc_new(racer->call, Refund,
			.amount = rpc_new(racer->call, Money, .currency_code = "EUR", .units = 3));
	const CreateRefundRequest *request =
		rpc_new(racer->call, CreateRefundRequest, .parent = "payments/7", .refund = asked,
			.request_id = request_id);

	return payments_client_create_refund(racer->client, racer->call, request, &racer->refund);
}

static int give_back_three(struct racer *racer)
{
	return give_back(racer, rpc_printf(racer->call, "r%d", racer->i));
}

static int give_back_the_same(struct racer *racer)
{
	return give_back(racer, "r");
}

static int look_after(struct racer *racer)
{
	rpc_call_set_now(racer->call, rpc_now_ms(racer->call) + 120000);
	return payments_sweep(&replicas[racer->i % 2], racer->call);
}

TEST(the_same_try_at_once_holds_once)
{
	struct racer racers[CLIENTS];

	at_once(racers, same_try);
	ck_assert_int_ge(count(racers, 0), 1);
	ck_assert_int_eq(count(racers, 0) + count(racers, RPC_ABORTED), CLIENTS);
	for (int i = 0; i < CLIENTS; i++)
		if (!racers[i].code)
			ck_assert_int_eq(racers[i].payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	disband(racers);
	/* The provider of the tests makes one for each; the others are let go of. */
	ck_assert_int_eq(fake.n_confirms, 1);
	ck_assert_int_eq(fake_in_state(INTENT_HELD), 1);
	ck_assert_int_eq(fake_in_state(INTENT_CANCELED), (int)fake.n_intents - 1);
	ck_assert_int_eq(told("PaymentAuthorized"), 1);
}

TEST(many_tries_at_once_hold_once)
{
	struct racer racers[CLIENTS];

	at_once(racers, own_try);
	ck_assert_int_eq(count(racers, 0), 1);
	ck_assert_int_eq(count(racers, RPC_ABORTED), CLIENTS - 1);
	disband(racers);
	ck_assert_int_eq(fake.n_confirms, 1);
	ck_assert_int_eq(fake_in_state(INTENT_HELD), 1);
	ck_assert_uint_eq(stored()->payment->n_attempts, 1);
}

TEST(taking_at_once_takes_once)
{
	struct racer racers[CLIENTS];

	authorized(1000);
	at_once(racers, take_all);
	ck_assert_int_ge(count(racers, 0), 1);
	ck_assert_int_eq(count(racers, 0) + count(racers, RPC_ABORTED), CLIENTS);
	disband(racers);
	ck_assert_int_eq(fake.intents[0].times_captured, 1);
	ck_assert_int_eq(fake_captured(), 1000);
	ck_assert_int_eq(told("PaymentCaptured"), 1);
}

TEST(taking_and_letting_go_at_once_does_one_of_them)
{
	struct racer racers[CLIENTS];

	authorized(1000);
	at_once(racers, take_or_let_go);
	disband(racers);
	sweep();
	if (stored()->payment->state == PAYMENT_STATE_SUCCEEDED) {
		ck_assert_int_eq(fake_captured(), 1000);
		ck_assert_int_eq(told("PaymentVoided"), 0);
	} else {
		ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_CANCELED);
		ck_assert_int_eq(fake_captured(), 0);
		ck_assert_int_eq(fake_in_state(INTENT_CANCELED), 1);
		ck_assert_int_eq(told("PaymentVoided"), 1);
	}
}

TEST(refunds_at_once_never_exceed_what_was_taken)
{
	struct racer racers[CLIENTS];
	int64_t refunded;

	captured(1000);
	at_once(racers, give_back_three);
	ck_assert_int_le(count(racers, 0), 3);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert(!racers[i].code || racers[i].code == RPC_ABORTED ||
			  !strcmp(racers[i].reason, "REFUND_TOO_LARGE"));
	disband(racers);
	sweep();
	refunded = cents(stored()->payment->refunded);
	ck_assert_int_gt(refunded, 0);
	ck_assert_int_le(refunded, 900);
	ck_assert_int_eq(fake_refunded(), refunded);
	ck_assert_int_eq(fake.n_sent_refunds, refunded / 300);
}

TEST(the_same_refund_at_once_is_given_once)
{
	struct racer racers[CLIENTS];

	captured(1000);
	at_once(racers, give_back_the_same);
	ck_assert_int_ge(count(racers, 0), 1);
	disband(racers);
	sweep();
	ck_assert_int_eq(fake_refunded(), 300);
	ck_assert_int_eq(fake.n_sent_refunds, 1);
	ck_assert_int_eq(told("PaymentRefunded"), 1);
}

TEST(sweepers_at_once_finish_a_capture_and_a_refund_once)
{
	struct racer racers[CLIENTS];
	Payment *payment;
	Refund *made;

	authorized(1000);
	fake_fail("capture", FAKE_LOST, 1);
	ck_assert_int_eq(capture(0, &payment), RPC_UNAVAILABLE);
	at_once(racers, look_after);
	disband(racers);
	ck_assert_int_eq(fake.intents[0].times_captured, 1);
	ck_assert_int_eq(stored()->payment->state, PAYMENT_STATE_SUCCEEDED);

	fake_fail("refund", FAKE_LOST, 1);
	ck_assert_int_eq(refund("r1", 300, &made), 0);
	at_once(racers, look_after);
	disband(racers);
	ck_assert_int_eq(fake.n_sent_refunds, 1);
	ck_assert_int_eq(fake_refunded(), 300);
}

TEST_MAIN("payments races", setup, teardown)
