/*
 * What the provider says of an intent, written into the payment: each outcome is one update, whose
 * result is payment_save()'s. See settle.c.
 */
#include "ledger.h"
#include "settle_private.h"
#include <common/clock.h>
#include <common/money.h>
#include <string.h>

static void end_attempt(struct rpc_call *call, PaymentAttempt *attempt, PaymentAttemptState state)
{
	attempt->state = state;
	attempt->end_time = clock_now(call);
}

static void book_hold(struct work *work, PaymentAttempt *attempt, struct payment_change *change)
{
	Payment *payment = work->record->payment;

	payment->state = PAYMENT_STATE_REQUIRES_CAPTURE;
	payment->authorized = payment->amount;
	payment->authorize_time = clock_now(work->call);
	payment->redirect_uri = "";
	end_attempt(work->call, attempt, PAYMENT_ATTEMPT_STATE_AUTHORIZED);
	ledger_book(work->call, work->record, LEDGER_ENTRY_KIND_AUTHORIZATION,
		    payment->amount->currency_code, ledger_minor(payment->amount),
		    attempt->provider_intent);
	payment_tell(change, payment_authorized(work->call, work->record));
}

bool settle_is_over(const PaymentAttempt *attempt)
{
	return attempt->state == PAYMENT_ATTEMPT_STATE_CAPTURED ||
	       attempt->state == PAYMENT_ATTEMPT_STATE_DECLINED ||
	       attempt->state == PAYMENT_ATTEMPT_STATE_CANCELED;
}

static int waiting(struct work *work, PaymentAttempt *attempt, const struct provider_intent *intent)
{
	struct payment_change change = payment_begin(work->record);
	Payment *payment = work->record->payment;
	bool action = intent->state == INTENT_ACTION;
	PaymentState state = action ? PAYMENT_STATE_REQUIRES_ACTION : PAYMENT_STATE_PROCESSING;
	bool confirmed = work->record->intention == PAYMENT_RECORD_INTENTION_CONFIRM;

	if (!confirmed && payment->state == state &&
	    !strcmp(payment->redirect_uri, intent->redirect_uri))
		return 0;
	payment->state = state;
	payment->redirect_uri = intent->redirect_uri;
	attempt->state =
		action ? PAYMENT_ATTEMPT_STATE_AWAITING_CUSTOMER : PAYMENT_ATTEMPT_STATE_OPEN;
	if (confirmed)
		work->record->intention = PAYMENT_RECORD_INTENTION_UNSPECIFIED;
	return settle_commit(work, &change);
}

static int held(struct work *work, PaymentAttempt *attempt, const struct provider_intent *intent)
{
	struct payment_change change = payment_begin(work->record);

	/* Meant to be cancelled: nobody hears of the hold. */
	if (attempt->state == PAYMENT_ATTEMPT_STATE_AUTHORIZED ||
	    work->record->intention == PAYMENT_RECORD_INTENTION_CANCEL)
		return 0;
	book_hold(work, attempt, &change);
	work->record->intention = PAYMENT_RECORD_INTENTION_UNSPECIFIED;
	return settle_commit(work, &change);
}

/* How much: what the provider says, if it does; it is the one that took it. */
static int64_t amount_captured(const PaymentRecord *record, const struct provider_intent *intent)
{
	int64_t most = ledger_minor(record->payment->authorized ? record->payment->authorized
								: record->payment->amount);

	if (intent->captured >= 0)
		return intent->captured < most ? intent->captured : most;
	return record->capture_amount ? ledger_minor(record->capture_amount) : most;
}

static int captured(struct work *work, PaymentAttempt *attempt,
		    const struct provider_intent *intent)
{
	struct payment_change change = payment_begin(work->record);
	PaymentRecord *record = work->record;
	Payment *payment = record->payment;
	const char *currency = payment->amount->currency_code;
	int64_t amount = amount_captured(record, intent);

	if (attempt->state != PAYMENT_ATTEMPT_STATE_AUTHORIZED)
		book_hold(work, attempt, &change);
	payment->state = PAYMENT_STATE_SUCCEEDED;
	payment->captured = money_new(work->call, currency, amount);
	payment->capture_time = clock_now(work->call);
	attempt->state = PAYMENT_ATTEMPT_STATE_CAPTURED;
	record->intention = PAYMENT_RECORD_INTENTION_UNSPECIFIED;
	ledger_book(work->call, record, LEDGER_ENTRY_KIND_CAPTURE, currency, amount,
		    attempt->provider_intent);
	ledger_book(work->call, record, LEDGER_ENTRY_KIND_VOID, currency,
		    ledger_minor(payment->authorized) - amount, attempt->provider_intent);
	payment_tell(&change, payment_captured(work->call, record));
	return settle_commit(work, &change);
}

int settle_fail(struct work *work, PaymentAttempt *attempt, PaymentAttemptState state,
		const char *code)
{
	struct payment_change change = payment_begin(work->record);
	Payment *payment = work->record->payment;

	payment->state = PAYMENT_STATE_REQUIRES_PAYMENT_METHOD;
	payment->redirect_uri = "";
	end_attempt(work->call, attempt, state);
	attempt->decline_code = code;
	work->record->intention = PAYMENT_RECORD_INTENTION_UNSPECIFIED;
	payment_tell(&change, payment_failed(work->call, work->record));
	return settle_commit(work, &change);
}

int settle_close(struct work *work, PaymentAttempt *attempt)
{
	struct payment_change change = payment_begin(work->record);
	PaymentRecord *record = work->record;
	Payment *payment = record->payment;

	if (payment->state == PAYMENT_STATE_REQUIRES_CAPTURE)
		ledger_book(work->call, record, LEDGER_ENTRY_KIND_VOID,
			    payment->amount->currency_code, ledger_minor(payment->authorized),
			    attempt->provider_intent);
	payment->state = PAYMENT_STATE_CANCELED;
	payment->cancel_time = clock_now(work->call);
	payment->redirect_uri = "";
	if (attempt && !settle_is_over(attempt))
		end_attempt(work->call, attempt, PAYMENT_ATTEMPT_STATE_CANCELED);
	record->intention = PAYMENT_RECORD_INTENTION_UNSPECIFIED;
	payment_tell(&change, payment_voided(work->call, record));
	return settle_commit(work, &change);
}

/* By us, or by the provider: a hold does not last for ever. */
static int canceled(struct work *work, PaymentAttempt *attempt,
		    const struct provider_intent *intent)
{
	if (work->record->intention == PAYMENT_RECORD_INTENTION_CANCEL ||
	    attempt->state == PAYMENT_ATTEMPT_STATE_AUTHORIZED)
		return settle_close(work, attempt);
	return settle_fail(work, attempt, PAYMENT_ATTEMPT_STATE_CANCELED, "canceled");
}

static int declined(struct work *work, PaymentAttempt *attempt,
		    const struct provider_intent *intent)
{
	/* Cancelled all the same, so that it can never be tried again from elsewhere. */
	if (work->record->intention == PAYMENT_RECORD_INTENTION_CANCEL)
		return 0;
	return settle_fail(work, attempt, PAYMENT_ATTEMPT_STATE_DECLINED, intent->decline_code);
}

static int (*const outcomes[])(struct work *work, PaymentAttempt *attempt,
			       const struct provider_intent *intent) = {
	[INTENT_CREATED] = NULL,      [INTENT_ACTION] = waiting,    [INTENT_PROCESSING] = waiting,
	[INTENT_HELD] = held,         [INTENT_CAPTURED] = captured, [INTENT_CANCELED] = canceled,
	[INTENT_DECLINED] = declined,
};
_Static_assert(sizeof(outcomes) / sizeof(*outcomes) == N_INTENT_STATES,
	       "every state of an intent has an outcome");

int settle_apply_intent(struct work *work, const void *answer)
{
	const struct provider_intent *intent = answer;
	PaymentAttempt *attempt = settle_attempt(work->record);

	/* It was told of another try, or somebody wrote the outcome. */
	if (!attempt || strcmp(attempt->provider_intent, intent->id) || settle_is_over(attempt) ||
	    !outcomes[intent->state])
		return 0;
	return outcomes[intent->state](work, attempt, intent);
}
