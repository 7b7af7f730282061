/*
 * Settling a payment: what our document means to do is done at the provider, and what the provider
 * says is written into our document.
 *
 * Anyone may settle at any time: the handler that stored an intention, its repeat, the sweeper
 * after a crash, a webhook's look, in any replica. Invariants:
 *
 *   1. The intention is in the document before the provider is asked for anything that holds or
 *      moves money, and leaves it in the same update that writes the outcome. Making an intent
 *      is not such a thing: authorize_payment has it made and then stores the try, meant to be
 *      confirmed, with the intent's id. See payments.c, 3.
 *   2. One settlement at a time holds the document's lease; the lease is a courtesy. What keeps
 *      money right are the version in each update's condition and rule 3 of provider.c.
 *   3. Whoever did not store the intention asks the provider first, because it may have been
 *      carried out already.
 *   4. In one settlement each intention is sent at most once. A doubt is followed by a question,
 *      and then by leaving it to a later look.
 *   5. An answer of the provider is applied to the document as it is then, read again if somebody
 *      changed it: a void that came meanwhile is seen, and no answer is lost.
 *
 * Intentions, and the functions that move them:
 *
 *     authorize_payment           capture_payment        void_payment
 *           |                            |                    |
 *         CREATE --apply_created--> CONFIRM     CAPTURE       CANCEL
 *           |  create()            |  confirm()   |  capture()  |  cancel()
 *      apply_unmade                +--------------+-------------+
 *           |                                     |
 *           v                            settle_apply_intent
 *      (no intention)  <--------------------------+
 *
 * authorize_payment stores CONFIRM when the provider has made the intent, and CREATE when it has
 * not said so.
 *
 * settle_apply_intent() chooses by what the provider says the intent is: ACTION and PROCESSING are
 * waiting(), HELD is held(), CAPTURED captured(), CANCELED canceled(), DECLINED declined().
 */
#include "settle.h"
#include "ledger.h"
#include "settle_private.h"
#include <common/clock.h>
#include <common/money.h>
#include <crpc/id.h>
#include <crpc/service.h>
#include <errno.h>
#include <string.h>
#include <time.h>

enum {
	LEASE_MARGIN_MS = 5000,
	WAIT_MAX_MS = 25000,
	WAIT_STEP_MS = 10,
	WAIT_STEP_MAX_MS = 200,
	APPLY_MAX = 8
};

int64_t settle_lease_end(const struct payments_service *self, const struct rpc_call *call)
{
	return rpc_now_ms(call) + self->stripe.timeout_ms + LEASE_MARGIN_MS;
}

PaymentAttempt *settle_attempt(const PaymentRecord *record)
{
	return record->payment->n_attempts
		       ? record->payment->attempts[record->payment->n_attempts - 1]
		       : NULL;
}

/* --- the document --- */

int settle_reload(struct work *work)
{
	int r = payment_read(work->call, work->of->id, &work->record);

	if (r)
		return r == MONGO_NOT_FOUND ? -ENOENT : r;
	if (strcmp(work->record->lease_holder, work->of->holder)) {
		work->of->holds = false;
		return SETTLE_BUSY;
	}
	return 0;
}

int settle_commit(struct work *work, struct payment_change *change)
{
	const PaymentRecord *record = work->record;
	int r;

	change->holder = work->of->holder;
	change->release = !record->intention && !payment_has_pending_refund(record);
	r = payment_save(work->call, change);
	if (!r && change->release)
		work->of->holds = false;
	return r;
}

int settle_apply(struct work *work, settle_apply_function *apply, const void *answer)
{
	int r = 0;

	for (int i = 0; i < APPLY_MAX; i++) {
		r = apply(work, answer);
		if (r != MONGO_NOT_MATCHED)
			return r;
		r = settle_reload(work);
		if (r)
			return r;
		work->of->fresh = false;
	}
	return SETTLE_BUSY;
}

/* Before each request: the lease lasts longer than it can take. */
int settle_hold(struct work *work)
{
	int64_t end = clock_ms(work->record->lease_expire_time), now = rpc_now_ms(work->call);
	int r;

	if (end - now > work->self->stripe.timeout_ms + LEASE_MARGIN_MS / 2)
		return 0;
	r = payment_renew(work->call, work->record, work->of->holder,
			  settle_lease_end(work->self, work->call));
	if (r != MONGO_NOT_MATCHED)
		return r;
	work->of->holds = false;
	return SETTLE_BUSY;
}

/* --- carrying out --- */

static const char *key_of(struct work *work, const char *what)
{
	const PaymentAttempt *attempt = settle_attempt(work->record);

	/* Another one for each settlement: a provider repeats its 500 for the same key. */
	return rpc_printf(work->call, "%s/attempts/%d/%s/%d", work->record->payment->name,
			  attempt ? attempt->number : 0, what, work->record->looks);
}

static int tell(struct work *work, const char *action, int code, const struct provider_problem *why)
{
	provider_log(work->call, work->self->provider, work->record->payment->name, action, code,
		     why);
	return code;
}

static int look(struct work *work)
{
	const struct payment_provider_ops *ops = work->self->provider->ops;
	const PaymentAttempt *attempt = settle_attempt(work->record);
	struct provider_problem why = { 0 };
	struct provider_intent intent;
	int r = settle_hold(work);

	work->looked = true;
	if (r)
		return r;
	r = ops->intent_get(work->self->provider, work->call, attempt->provider_intent, &intent,
			    &why);
	if (r == PROVIDER_DOUBT || r == PROVIDER_REFUSED) {
		tell(work, "get", r, &why);
		return SETTLE_DOUBT;
	}
	if (r)
		return r;
	work->seen = intent.state;
	return settle_apply(work, settle_apply_intent, &intent);
}

int settle_make(struct payments_service *self, struct rpc_call *call, const PaymentRecord *record,
		const char *key, struct settle_made *ret)
{
	const PaymentRecordAttemptDetail *detail =
		record->attempt_details[record->n_attempt_details - 1];
	const struct provider_try try = {
		.key = key,
		.payment = record->payment->name,
		.order = record->payment->order,
		.attempt = detail->number,
		.currency_code = detail->amount->currency_code,
		.amount = ledger_minor(detail->amount),
		.method = detail->provider_method,
		.customer = detail->provider_customer,
	};

	*ret = (struct settle_made){ 0 };
	ret->r = self->provider->ops->intent_create(self->provider, call, &try, &ret->intent,
						    &ret->why);
	crash_point("payments.authorize.after_create");
	return ret->r < 0 ? ret->r : 0;
}

void settle_take_intent(struct rpc_call *call, PaymentRecord *record,
			const struct provider_intent *intent)
{
	PaymentAttempt *attempt = settle_attempt(record);

	attempt->provider_intent = intent->id;
	attempt->card = intent->card;
	payment_record_add_provider_intents(call, record, intent->id);
	record->payment->state = PAYMENT_STATE_PROCESSING;
	record->intention = PAYMENT_RECORD_INTENTION_CONFIRM;
}

/* The intent is known by its id, and may be confirmed by it. */
static int apply_created(struct work *work, const void *answer)
{
	const struct provider_intent *intent = answer;
	struct payment_change change = payment_begin(work->record);
	PaymentRecord *record = work->record;
	int r;

	if (record->intention != PAYMENT_RECORD_INTENTION_CREATE)
		return strcmp(settle_attempt(record)->provider_intent, intent->id) ? SETTLE_ORPHAN
										   : 0;
	settle_take_intent(work->call, record, intent);
	r = settle_commit(work, &change);
	if (!r)
		work->of->fresh = true;
	return r;
}

/* The provider will not have this try, and knows nothing of it. */
static int apply_unmade(struct work *work, const void *answer)
{
	const struct provider_problem *why = answer;
	const char *code = why->method  ? ATTEMPT_METHOD_INVALID
			   : *why->code ? why->code
					: "refused";

	if (work->record->intention != PAYMENT_RECORD_INTENTION_CREATE)
		return 0;
	return settle_fail(work, settle_attempt(work->record), PAYMENT_ATTEMPT_STATE_DECLINED,
			   code);
}

static int create(struct work *work)
{
	struct payment_provider *provider = work->self->provider;
	struct settle_made made;
	int r = 0;

	if (work->of->made) {
		made = *work->of->made;
		work->of->made = NULL;
	} else {
		r = settle_hold(work);
		if (!r)
			r = settle_make(work->self, work->call, work->record,
					key_of(work, "create"), &made);
	}
	if (r)
		return r;
	if (made.r == PROVIDER_REFUSED) {
		if (!made.why.method)
			tell(work, "create", made.r, &made.why);
		return settle_apply(work, apply_unmade, &made.why);
	}
	if (made.r) {
		tell(work, "create", made.r, &made.why);
		return SETTLE_DOUBT;
	}
	r = settle_apply(work, apply_created, &made.intent);
	/* A void came meanwhile. The intent holds nothing and would never be confirmed; it only
	 * looks better gone. */
	if (r == SETTLE_ORPHAN) {
		if (provider->ops->intent_cancel(
			    provider, work->call,
			    rpc_printf(work->call, "%s/cancel", made.intent.id), made.intent.id,
			    &made.intent, &made.why) < 0)
			return -EIO;
		return 0;
	}
	return r;
}

static int confirm(struct work *work, const PaymentAttempt *attempt, struct provider_intent *ret,
		   struct provider_problem *why)
{
	struct payment_provider *provider = work->self->provider;
	const PaymentRecord *record = work->record;
	int r = provider->ops->intent_confirm(
		provider, work->call, key_of(work, "confirm"), attempt->provider_intent,
		record->attempt_details[record->n_attempt_details - 1]->return_uri, ret, why);

	crash_point("payments.authorize.after_confirm");
	return r;
}

static int capture(struct work *work, const PaymentAttempt *attempt, struct provider_intent *ret,
		   struct provider_problem *why)
{
	struct payment_provider *provider = work->self->provider;
	const Money *amount = work->record->capture_amount;
	int r = provider->ops->intent_capture(provider, work->call, key_of(work, "capture"),
					      attempt->provider_intent, amount->currency_code,
					      ledger_minor(amount), ret, why);

	crash_point("payments.capture.after_provider");
	return r;
}

static int cancel(struct work *work, const PaymentAttempt *attempt, struct provider_intent *ret,
		  struct provider_problem *why)
{
	struct payment_provider *provider = work->self->provider;
	int r = provider->ops->intent_cancel(provider, work->call, key_of(work, "cancel"),
					     attempt->provider_intent, ret, why);

	crash_point("payments.void.after_provider");
	return r;
}

static const struct {
	const char *name;
	int (*send)(struct work *work, const PaymentAttempt *attempt, struct provider_intent *ret,
		    struct provider_problem *why);
} actions[] = {
	[PAYMENT_RECORD_INTENTION_CONFIRM] = { "confirm", confirm },
	[PAYMENT_RECORD_INTENTION_CAPTURE] = { "capture", capture },
	[PAYMENT_RECORD_INTENTION_CANCEL] = { "cancel", cancel },
};

/* Confirms, captures or cancels; afterwards the intention is gone, or another, or the result is not
 * 0. */
static int carry_out(struct work *work)
{
	PaymentRecordIntention intention = work->record->intention;
	const PaymentAttempt *attempt = settle_attempt(work->record);
	struct provider_problem why = { 0 };
	struct provider_intent intent;
	int r;

	/* Called off before the provider's intent was known: none will ever be confirmed. */
	if (!attempt || !*attempt->provider_intent)
		return settle_close(work, settle_attempt(work->record));
	if (!work->of->fresh) {
		r = look(work);
		if (r || work->record->intention != intention)
			return r;
	}
	if (work->sent & 1u << intention)
		return SETTLE_DOUBT;
	work->sent |= 1u << intention;
	work->of->fresh = false;
	r = settle_hold(work);
	if (r)
		return r;
	r = actions[intention].send(work, settle_attempt(work->record), &intent, &why);
	if (!r)
		return settle_apply(work, settle_apply_intent, &intent);
	if (r == PROVIDER_DOUBT) {
		tell(work, actions[intention].name, r, &why);
		return 0; /* comes back here, and looks */
	}
	if (r != PROVIDER_REFUSED)
		return r;
	/* A decline says so when it is looked at, and what the provider works on it cancels later;
	 * anything else that is refused for good is our fault. */
	r = look(work);
	if (r || work->record->intention != intention)
		return r;
	if (intention == PAYMENT_RECORD_INTENTION_CANCEL && work->seen == INTENT_PROCESSING)
		return SETTLE_BUSY;
	tell(work, actions[intention].name, PROVIDER_REFUSED, &why);
	return -EPROTO;
}

/* --- the work --- */

static bool is_open(const PaymentRecord *record)
{
	const PaymentAttempt *attempt = settle_attempt(record);

	return attempt && !settle_is_over(attempt) && *attempt->provider_intent;
}

static bool has_work(const struct work *work)
{
	const PaymentRecord *record = work->record;

	return record->intention || settle_next_refund(work) ||
	       (work->of->look && !work->looked && is_open(record));
}

static int step(struct work *work)
{
	const Refund *refund;

	if (work->record->intention == PAYMENT_RECORD_INTENTION_CREATE) {
		if (work->sent & 1u << PAYMENT_RECORD_INTENTION_CREATE)
			return SETTLE_DOUBT;
		work->sent |= 1u << PAYMENT_RECORD_INTENTION_CREATE;
		return create(work);
	}
	if (work->record->intention)
		return carry_out(work);
	refund = settle_next_refund(work);
	return refund ? settle_refund(work, refund->name) : look(work);
}

static bool wait_a_moment(struct rpc_call *call, int64_t *waited_ms)
{
	int64_t step_ms = WAIT_STEP_MS + *waited_ms / 8;

	if (*waited_ms >= WAIT_MAX_MS || rpc_call_cancelled(call) || rpc_remaining_ms(call) < 1000)
		return false;
	step_ms = step_ms < WAIT_STEP_MAX_MS ? step_ms : WAIT_STEP_MAX_MS;
	nanosleep(&(struct timespec){ .tv_nsec = step_ms * 1000000L }, NULL);
	*waited_ms += step_ms;
	return true;
}

/* Until the lease is ours, or there is nothing to do. */
static int take(struct work *work)
{
	struct settlement *of = work->of;
	int64_t waited_ms = 0;
	int r;

	for (;;) {
		r = payment_read(work->call, of->id, &work->record);
		if (r)
			return r == MONGO_NOT_FOUND ? -ENOENT : r;
		if (!has_work(work))
			return 0;
		r = MONGO_NOT_MATCHED;
		if (payment_is_free(work->call, work->record))
			r = payment_take(work->call, work->record, of->holder,
					 settle_lease_end(work->self, work->call));
		if (r != MONGO_NOT_MATCHED) {
			of->holds = !r;
			return r;
		}
		if (!of->wait || !wait_a_moment(work->call, &waited_ms))
			return SETTLE_BUSY;
	}
}

int payment_settle(struct payments_service *self, struct rpc_call *call,
		   struct settlement *settlement, PaymentRecord **ret)
{
	struct work work = {
		.self = self, .call = call, .of = settlement, .record = settlement->record
	};
	int r = 0;

	if (!settlement->holds)
		r = take(&work);
	while (!r && settlement->holds && has_work(&work))
		r = step(&work);
	if (settlement->holds) {
		int released = payment_release(call, settlement->id, settlement->holder);

		r = r ? r : released;
	}
	if (!r || r == SETTLE_DOUBT || r == SETTLE_BUSY)
		*ret = work.record;
	return r;
}

int payment_settle_stray(struct payments_service *self, struct rpc_call *call,
			 const PaymentRecord *record, const char *intent)
{
	struct payment_provider *provider = self->provider;
	const PaymentAttempt *attempt = settle_attempt(record);
	struct provider_problem why = { 0 };
	struct provider_intent now;
	int r;

	if (attempt && !strcmp(attempt->provider_intent, intent) &&
	    (!settle_is_over(attempt) || attempt->state == PAYMENT_ATTEMPT_STATE_CAPTURED))
		return 0;
	r = provider->ops->intent_get(provider, call, intent, &now, &why);
	if (!r && now.state == INTENT_CAPTURED)
		log_error(call, "the payment provider took money by a try that is closed",
			  { "payment", record->payment->name }, { "intent", intent });
	else if (!r && now.state == INTENT_HELD)
		r = provider->ops->intent_cancel(
			provider, call, rpc_printf(call, "%s/cancel", intent), intent, &now, &why);
	if (r > 0) {
		provider_log(call, provider, record->payment->name, "look", r, &why);
		return SETTLE_DOUBT;
	}
	return r;
}
