/*
 * Random walks: orders, customers, banks, webhooks, sweepers and faults of the provider come in any
 * order, also into one another; when everything has come to rest, what the provider holds, took and
 * gave back is what our document says.
 */
#include "settle.h"
#include "slow_provider.h"
#include <walk.h>

enum {
	STEPS = 24,
	RESTS = 8,
	KEYS = 64,
	LATES = 16,
	WEBHOOKS = 64,
	AMOUNT = 1000,
	LATE_MS = 14000
};

static struct walk {
	int n_keys;
	struct {
		char name[320];
		int64_t amount;
		bool refused;
	} refunds[KEYS];  /* as they were answered, by key */
	int64_t captured; /* as it was answered */
	bool voided, returned;
	bool closes, takes;             /* was meant so by the document */
	bool hold_ended;                /* by the bank */
	bool dies;                      /* a fault is ahead that ends in an error of ours */
	const struct happening *during; /* comes while the provider is asked */
	struct {
		const char *type;
		int intent;
	} webhooks[WEBHOOKS];
	int n_webhooks;
} walk;

static int key(void)
{
	/* Now and then one that was used before. */
	return walk.n_keys && !below(3) ? below(walk.n_keys) : walk.n_keys++;
}

/* A call each, as a server has it: one that does not wait for who works on the payment. */
static struct rpc_call *call_now(void)
{
	PaymentRecord *record;
	struct rpc_call *made = rpc_call_new("walk", 60000);

	rpc_call_set_now(made, rpc_now_ms(made) + later_ms);
	if (!payment_read(made, "7", &record) && !payment_is_free(made, record)) {
		rpc_call_free(made);
		made = rpc_call_new("walk", 999);
		rpc_call_set_now(made, rpc_now_ms(made) + later_ms);
	}
	set_caller(made, "users/ann", "", "orders");
	return made;
}

/* --- what may happen --- */

/* Whatever is refused has a reason that its caller can understand. */
static int sane(int r)
{
	ck_assert_msg(r == RPC_OK || r == RPC_ABORTED || r == RPC_UNAVAILABLE ||
			      r == RPC_DEADLINE_EXCEEDED || r == RPC_FAILED_PRECONDITION ||
			      r == RPC_INVALID_ARGUMENT || r == RPC_NOT_FOUND || walk.dies,
		      "walk %u is told %d", dice.number, r);
	return r;
}

static void authorizes(int how)
{
	static const char *const cards[] = { "pm_visa", "pm_declined", "pm_action", "pm_slow",
					     "pm_visa", "pm_unknown",  "pm_action", "pm_visa" };
	int k = key();
	Payment *payment;

	sane(authorize(rpc_printf(call, "a%d", k), cards[k % 8], k % 5 ? AMOUNT : 700, &payment));
}

static void captures(int how)
{
	static const int64_t amounts[] = { 0, 0, 600, 400 };
	int k = key();
	Payment *payment;

	if (sane(capture_as(rpc_printf(call, "c%d", k), amounts[k % 4], &payment)))
		return;
	ck_assert(!walk.captured || walk.captured == cents(payment->captured));
	ck_assert(!amounts[k % 4] || amounts[k % 4] == cents(payment->captured));
	walk.captured = cents(payment->captured);
}

static void voids(int how)
{
	Payment *payment;

	walk.voided |= !sane(void_it(&payment));
}

static Refund *asked_back(int k)
{
	static const int64_t amounts[] = { 0, 100, 300, 600 };
	int64_t amount = amounts[k % 4];
	Refund *asked = rpc_new(call, Refund, .amount = amount ? euro(amount) : NULL);

	if (k % 4 < 2)
		return asked;
	asked->shipping = euro(50);
	refund_add_lines(
		call, asked,
		rpc_new(call, RefundLine, .line = "1", .quantity = 1, .amount = euro(amount - 50)));
	return asked;
}

static void refunds(int how)
{
	int k = key();
	Refund *made;
	int r = payments_client_create_refund(client, call,
					      MSG(CreateRefundRequest, .parent = "payments/7",
						  .refund = asked_back(k),
						  .request_id = rpc_printf(call, "r%d", k)),
					      &made);

	if (!sane(r)) {
		ck_assert(!walk.refunds[k].refused);
		if (*walk.refunds[k].name) {
			ck_assert_str_eq(walk.refunds[k].name, made->name);
			ck_assert_int_eq(walk.refunds[k].amount, cents(made->amount));
		}
		snprintf(walk.refunds[k].name, sizeof(walk.refunds[k].name), "%s", made->name);
		walk.refunds[k].amount = cents(made->amount);
	} else if (rpc_failed_with(call, REFUND_TOO_LARGE)) {
		ck_assert(!*walk.refunds[k].name);
		walk.refunds[k].refused = true;
	}
}

static void deliver(int n)
{
	const char *text = rpc_printf(call, "evt_%d %s pi_%d", n, walk.webhooks[n].type,
				      walk.webhooks[n].intent);
	HttpBody *body = rpc_new(call, HttpBody, .content_type = "application/json",
				 .data = { strlen(text), (uint8_t *)text });
	Empty *empty;

	rpc_set_request_header(call, "fake-signature", "good");
	sane(payments_client_receive_payment_webhook(
		client, call, MSG(ReceivePaymentWebhookRequest, .provider = "fake", .body = body),
		&empty));
}

static void webhook_about(int intent, const char *type)
{
	ck_assert_int_lt(walk.n_webhooks, WEBHOOKS);
	walk.webhooks[walk.n_webhooks].type = type;
	walk.webhooks[walk.n_webhooks].intent = intent;
	deliver(walk.n_webhooks++);
}

static void webhook_comes(int how)
{
	if (how % 3 == 0 && walk.n_webhooks)
		deliver(below(walk.n_webhooks));
	else
		webhook_about(1 + below((int)fake.n_intents + 1),
			      how % 2 ? "payment_intent.updated" : "charge.refund.updated");
}

static void bank_decides(int how)
{
	enum intent_state *state =
		fake.n_intents ? &fake.intents[how % (int)fake.n_intents].state : NULL;

	if (!state)
		return;
	if (*state == INTENT_ACTION || *state == INTENT_PROCESSING) {
		*state = how % 4 ? INTENT_HELD : INTENT_DECLINED;
	} else if (*state == INTENT_HELD && !below(6)) {
		*state = INTENT_CANCELED; /* a hold does not last for ever */
		walk.hold_ended = true;
	}
}

static void bank_refunds(int how)
{
	enum refund_state *state =
		fake.n_refunds ? &fake.refunds[how % (int)fake.n_refunds].state : NULL;

	fake.refund_state = how % 3 ? REFUND_DONE : REFUND_WORKING;
	if (!state)
		return;
	if (*state == REFUND_WORKING) {
		*state = how % 4 ? REFUND_DONE : REFUND_REFUSED;
	} else if (*state == REFUND_DONE && how % 4 == 0) {
		*state = REFUND_REFUSED; /* the card's account is closed: it came back */
		walk.returned = true;
	}
}

static void fails(int how)
{
	static const char *const places[] = { "create", "confirm", "get",  "capture",
					      "cancel", "refund",  "find", "" };
	static const enum fake_fault faults[] = { FAKE_LOST,    FAKE_ANSWER_LOST,
						  FAKE_REFUSES, FAKE_CRASH_BEFORE,
						  FAKE_LOST,    FAKE_CRASH_AFTER };

	fake_fail(places[how % 8], faults[below(6)], 1 + below(2));
}

static void is_slow(int how)
{
	network.late_ms = network.slow_ms = below(LONG_MS);
	*(how % 2 ? &network.next_late : &network.next_slow) = 1 + below(4);
}

static void waits(int how)
{
	time_passes(call, how * 1000);
}

static void sweeps(int how)
{
	time_passes(call, how % 2 ? 6000 : 0);
	ck_assert(payments_sweep(&service, call) >= 0 || walk.dies);
}

/* The process that had begun to work on it is gone. */
static void dies(int how)
{
	PaymentRecord *record;

	if (!payment_read(call, "7", &record) && payment_is_free(call, record))
		ck_assert_int_eq(payment_take(call, record, "a process that is gone",
					      settle_lease_end(&service, call)),
				 0);
}

static void comes_between(int how);

static const struct happening happenings[] = {
	{ "authorizes", authorizes, 8 },
	{ "captures", captures, 4 },
	{ "voids", voids, 2 },
	{ "refunds", refunds, 8 },
	{ "webhook comes", webhook_comes, 4 },
	{ "bank decides", bank_decides, 4 },
	{ "bank refunds", bank_refunds, 3 },
	{ "fails", fails, 6 },
	{ "is slow", is_slow, 4 },
	{ "waits", waits, 4 },
	{ "sweeps", sweeps, 4 },
	{ "dies", dies, 1 },
	{ "comes between", comes_between, 5 },
};

static void run_between(void)
{
	struct rpc_call *outer = call;

	call = call_now();
	tell(walk.during->name, -1);
	walk.during->run(below(60));
	rpc_call_free(call);
	call = outer;
}

static void comes_between(int how)
{
	static const int fit[] = { 0, 1, 2, 3, 3, 4, 5, 10 }; /* takes little time */

	walk.during = &happenings[fit[how % 8]];
	network.during = run_between;
	network.after = below(2);
}

/* --- what must be --- */

#define HOLDS(what)                                                                                \
	ck_assert_msg((what), "walk %u, after step %d: not so: %s", dice.number, walk_step, #what)

static int walk_step;

static void check_always(void)
{
	PaymentRecord *record;

	if (!payment_read(call, "7", &record)) {
		walk.closes |= record->intention == PAYMENT_RECORD_INTENTION_CANCEL;
		walk.takes |= record->intention == PAYMENT_RECORD_INTENTION_CAPTURE;
	}
	HOLDS(fake_in_state(INTENT_HELD) + fake_in_state(INTENT_CAPTURED) <= 1);
	HOLDS(fake_refunded() <= fake_captured());
	for (size_t i = 0; i < fake.n_intents; i++)
		HOLDS(fake.intents[i].times_captured <= 1);
}

static void banks_make_up_their_minds(void)
{
	for (size_t i = 0; i < fake.n_intents; i++)
		if (fake.intents[i].state == INTENT_PROCESSING)
			fake.intents[i].state = INTENT_HELD;
	for (size_t i = 0; i < fake.n_refunds; i++)
		if (fake.refunds[i].state == REFUND_WORKING)
			fake.refunds[i].state = REFUND_DONE;
}

/* Nothing fails any more, and nobody does anything. */
static void come_to_rest(void)
{
	fake.fault_count = network.next_late = network.next_slow = 0;
	network.during = NULL;
	fake.refund_state = REFUND_DONE;
	arrive_until(call, INT64_MAX);
	/* Nobody asks about what was given back once, so this is one webhook that must come. */
	for (size_t i = 0; walk.returned && i < fake.n_intents; i++)
		webhook_about((int)i + 1, "charge.refund.updated");
	for (int i = 0; i < RESTS; i++) {
		banks_make_up_their_minds();
		time_passes(call, 7 * 3600 * 1000);
		while (payments_sweep(&service, call) > 0)
			;
	}
}

static const struct fake_refund *given_back(const char *name)
{
	const struct fake_refund *found = NULL;

	for (size_t i = 0; i < fake.n_refunds; i++)
		if (!strcmp(fake.refunds[i].name, name)) {
			HOLDS(!found);
			found = &fake.refunds[i];
		}
	return found;
}

static void check_refunds(const PaymentRecord *record)
{
	const Payment *payment = record->payment;
	int succeeded = 0, failed = 0, returned = 0;

	for (size_t i = 0; i < payment->n_refunds; i++) {
		const Refund *refund = payment->refunds[i];
		const struct fake_refund *given = given_back(refund->name);

		HOLDS(refund->state != REFUND_STATE_PENDING);
		HOLDS((refund->state == REFUND_STATE_SUCCEEDED) ==
		      (given && given->state == REFUND_DONE));
		HOLDS(!given || given->amount == cents(refund->amount));
		succeeded += refund->state == REFUND_STATE_SUCCEEDED;
		failed += refund->state == REFUND_STATE_FAILED;
		returned += given && given->state == REFUND_REFUSED;
		for (size_t j = 0; j < i; j++)
			HOLDS(strcmp(refund->name, payment->refunds[j]->name));
	}
	HOLDS(fake_refunded() == cents(payment->refunded));
	HOLDS(told("RefundFailed") == failed);
	HOLDS(told("PaymentRefunded") >= succeeded);
	HOLDS(told("PaymentRefunded") <= succeeded + returned);
	for (int k = 0; k < walk.n_keys; k++) {
		bool known = !*walk.refunds[k].name;

		for (size_t i = 0; !known && i < payment->n_refunds; i++)
			known = !strcmp(payment->refunds[i]->name, walk.refunds[k].name);
		HOLDS(known);
	}
}

static void check_tries(const PaymentRecord *record)
{
	const Payment *payment = record->payment;
	int open = 0, failed = 0, held = 0;

	for (size_t i = 0; i < payment->n_attempts; i++) {
		PaymentAttemptState state = payment->attempts[i]->state;

		open += state == PAYMENT_ATTEMPT_STATE_OPEN ||
			state == PAYMENT_ATTEMPT_STATE_AWAITING_CUSTOMER;
		failed += *payment->attempts[i]->decline_code != '\0';
		for (size_t j = 0; j < i; j++)
			HOLDS(strcmp(record->attempt_details[i]->request_id,
				     record->attempt_details[j]->request_id));
	}
	for (size_t i = 0; i < record->n_ledger; i++)
		held += record->ledger[i]->kind == LEDGER_ENTRY_KIND_AUTHORIZATION;
	HOLDS(open == fake_in_state(INTENT_ACTION));
	HOLDS(open == (payment->state == PAYMENT_STATE_REQUIRES_ACTION));
	HOLDS(told("PaymentAuthorized") == held);
	HOLDS(told("PaymentFailed") == failed);
}

static void check_all(void)
{
	PaymentRecord *record;
	const Payment *payment;
	WebhookRecord **due;
	size_t n_due;

	HOLDS(!webhook_due(call, 100, &due, &n_due) && !n_due);
	if (payment_read(call, "7", &record) == MONGO_NOT_FOUND) {
		HOLDS(fake_in_state(INTENT_CREATED) == (int)fake.n_intents);
		return;
	}
	record = stored();
	payment = record->payment;
	tell("is in state", (int)payment->state);
	HOLDS(!record->intention && payment_is_free(call, record));
	HOLDS(payment->state != PAYMENT_STATE_PROCESSING &&
	      payment->state != PAYMENT_STATE_REQUIRES_CONFIRMATION);
	HOLDS(fake_in_state(INTENT_HELD) == (payment->state == PAYMENT_STATE_REQUIRES_CAPTURE));
	HOLDS(fake_in_state(INTENT_CAPTURED) == (payment->state == PAYMENT_STATE_SUCCEEDED));
	HOLDS(fake_captured() == cents(payment->captured));
	HOLDS(!walk.captured || walk.captured == cents(payment->captured));
	HOLDS(!walk.takes || walk.hold_ended || payment->state == PAYMENT_STATE_SUCCEEDED);
	HOLDS(!(walk.voided || walk.closes) || payment->state == PAYMENT_STATE_CANCELED);
	HOLDS(told("PaymentCaptured") == (payment->state == PAYMENT_STATE_SUCCEEDED));
	HOLDS(told("PaymentVoided") ==
	      (payment->state == PAYMENT_STATE_CANCELED && payment->n_attempts));
	check_tries(record);
	check_refunds(record);
}

static void begin(void)
{
	setup();
	network_begin();
	walk = (struct walk){ 0 };
}

static void go(void)
{
	teardown();
	begin();
	for (walk_step = 0; walk_step < STEPS; walk_step++) {
		rpc_call_free(call);
		call = call_now();
		walk.dies = fake.fault_count && fake.fault >= FAKE_REFUSES;
		happen(happenings);
		check_always();
	}
	as_orders();
	come_to_rest();
	check_all();
}

/* What a process that is killed logs here, where it goes on to live. */
static void expect_deaths(void)
{
	Payment *payment;

	test_expect_log("a handler failed");
	fake_fail("confirm", FAKE_CRASH_BEFORE, 1);
	ck_assert_int_eq(authorize("a0", "pm_visa", AMOUNT, &payment), RPC_INTERNAL);
	test_expect_log("a payment cannot be settled");
	fake_fail("get", FAKE_CRASH_BEFORE, 1);
	pass(60000);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
}

TEST_EACH(whatever_happens_the_provider_holds_took_and_gave_what_the_payment_says, walk_parts)
{
	expect_deaths();
	walk_all(*row, go);
}

TEST(a_refund_that_waited_for_others_is_on_its_way_from_when_it_was_sent)
{
	Refund *made;

	captured(AMOUNT);
	fake.refund_state = REFUND_WORKING;
	ck_assert_int_eq(refund("r1", 100, &made), 0);
	ck_assert_int_eq(refund("r2", 100, &made), 0);
	network.slow_ms = network.late_ms = LONG_MS;
	network.next_slow = 2; /* the two are asked about first */
	network.next_late = 1;
	ck_assert_int_eq(refund("r3", 100, &made), 0);
	as_orders();
	time_passes(call, 6000);
	ck_assert_int_eq(payments_sweep(&service, call), 0);
	ck_assert_uint_eq(fake.n_refunds, 2);
	time_passes(call, LONG_MS);
	ck_assert_uint_eq(fake.n_refunds, 3);
	sweep();
	ck_assert_uint_eq(fake.n_refunds, 3);
}

TEST_MAIN("payments_walks", begin, teardown)
