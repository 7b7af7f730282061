/*
 * Settling refunds.
 *
 *     create_refund --> PENDING --send, find: apply_refund--> SUCCEEDED
 *                          |                                      | the bank sent it back:
 *                          |                                      | apply_refund
 *                          +---send, find: apply_refund--> FAILED <
 *
 * A refund is counted in `refunded`, and booked, from the moment it is stored; when it fails the
 * booking is reversed. So the sum of what is stored is the most that can ever be given back,
 * whatever the provider does with it.
 */
#include "ledger.h"
#include "settle_private.h"
#include <common/clock.h>
#include <common/money.h>
#include <crpc/service.h>
#include <string.h>

static Refund *refund_named(const PaymentRecord *record, const char *name)
{
	for (size_t i = 0; i < record->payment->n_refunds; i++)
		if (!strcmp(record->payment->refunds[i]->name, name))
			return record->payment->refunds[i];
	return NULL;
}

static PaymentRecordRefundDetail *detail_of(const PaymentRecord *record, const char *name)
{
	for (size_t i = 0; i < record->n_refund_details; i++)
		if (!strcmp(record->refund_details[i]->refund, strrchr(name, '/') + 1))
			return record->refund_details[i];
	return NULL;
}

const Refund *settle_next_refund(const struct work *work)
{
	const Payment *payment = work->record->payment;

	for (size_t i = 0; i < payment->n_refunds; i++) {
		const Refund *refund = payment->refunds[i];
		bool tried = false;

		if (refund->state != REFUND_STATE_PENDING &&
		    !(work->of->check_refunds && refund->state == REFUND_STATE_SUCCEEDED))
			continue;
		for (size_t j = 0; j < work->n_tried && !tried; j++)
			tried = !strcmp(work->tried[j], refund->name);
		if (!tried)
			return refund;
	}
	return NULL;
}

static void take_back(struct work *work, Refund *refund)
{
	Payment *payment = work->record->payment;
	const char *currency = refund->amount->currency_code;
	int64_t amount = ledger_minor(refund->amount);

	payment->refunded =
		money_new(work->call, currency, ledger_minor(payment->refunded) - amount);
	ledger_book(work->call, work->record, LEDGER_ENTRY_KIND_REFUND_REVERSAL, currency, amount,
		    refund->name);
}

struct outcome {
	const char *name;
	struct provider_refund of;
};

static int apply_refund(struct work *work, const void *answer)
{
	static const RefundState states[] = { [REFUND_WORKING] = REFUND_STATE_PENDING,
					      [REFUND_DONE] = REFUND_STATE_SUCCEEDED,
					      [REFUND_REFUSED] = REFUND_STATE_FAILED };
	const struct outcome *outcome = answer;
	struct payment_change change = payment_begin(work->record);
	Refund *refund = refund_named(work->record, outcome->name);
	RefundState state = states[outcome->of.state];

	change.refunds = true;
	if (refund->state == REFUND_STATE_FAILED ||
	    (refund->state == REFUND_STATE_SUCCEEDED && state != REFUND_STATE_FAILED))
		return 0;
	if (state == REFUND_STATE_PENDING && !strcmp(refund->provider_refund, outcome->of.id))
		return 0;
	refund->state = state;
	refund->provider_refund = outcome->of.id;
	if (state != REFUND_STATE_PENDING)
		refund->end_time = clock_now(work->call);
	if (state == REFUND_STATE_SUCCEEDED)
		payment_tell(&change, payment_refunded(work->call, work->record, refund));
	if (state == REFUND_STATE_FAILED) {
		refund->failure_code =
			*outcome->of.failure_code ? outcome->of.failure_code : "refused";
		take_back(work, refund);
		payment_tell(&change, payment_refund_failed(work->call, work->record, refund));
	}
	return settle_commit(work, &change);
}

/* It is about to be sent again: nobody else does so soon. */
static int apply_sending(struct work *work, const void *answer)
{
	struct payment_change change = payment_begin(work->record);

	change.refunds = true;
	detail_of(work->record, answer)->send_time = clock_now(work->call);
	return settle_commit(work, &change);
}

static int doubt(struct work *work, const char *action, int code,
		 const struct provider_problem *why)
{
	provider_log(work->call, work->self->provider, work->record->payment->name, action, code,
		     why);
	return SETTLE_DOUBT;
}

/* Whether the provider has it: 0 applied, PROVIDER_NOT_FOUND, or SETTLE_DOUBT. */
static int find(struct work *work, const char *name)
{
	struct payment_provider *provider = work->self->provider;
	struct outcome outcome = { .name = name };
	struct provider_problem why = { 0 };
	int r = settle_hold(work);

	if (r)
		return r;
	r = provider->ops->refund_find(provider, work->call,
				       settle_attempt(work->record)->provider_intent, name,
				       &outcome.of, &why);
	if (r == PROVIDER_DOUBT || r == PROVIDER_REFUSED)
		return doubt(work, "find refund", r, &why);
	return r ? r : settle_apply(work, apply_refund, &outcome);
}

static int send(struct work *work, const char *name)
{
	static const char *const reasons[] = {
		[REFUND_REASON_UNSPECIFIED] = "requested_by_customer",
		[REFUND_REASON_REQUESTED_BY_CUSTOMER] = "requested_by_customer",
		[REFUND_REASON_DUPLICATE] = "duplicate",
		[REFUND_REASON_FRAUDULENT] = "fraudulent",
		[REFUND_REASON_ORDER_CANCELLED] = "order_cancelled"
	};
	struct payment_provider *provider = work->self->provider;
	const Refund *refund = refund_named(work->record, name);
	struct outcome outcome = { .name = name };
	struct provider_problem why = { 0 };
	int r = settle_hold(work), found;

	if (r)
		return r;
	r = provider->ops->refund_create(
		provider, work->call,
		&(const struct provider_giving_back){
			.key = name,
			.intent = settle_attempt(work->record)->provider_intent,
			.refund = name,
			.currency_code = refund->amount->currency_code,
			.amount = ledger_minor(refund->amount),
			.reason = reasons[refund->reason],
		},
		&outcome.of, &why);
	crash_point("payments.refund.after_provider");
	if (!r)
		return settle_apply(work, apply_refund, &outcome);
	if (r < 0)
		return r;
	/* Refused, because an earlier sending has arrived after all? Lost on the way back? The list
	 * knows. */
	found = find(work, name);
	if (found != PROVIDER_NOT_FOUND)
		return found;
	if (r == PROVIDER_DOUBT)
		return doubt(work, "refund", r, &why);
	provider_log(work->call, provider, work->record->payment->name, "refund", r, &why);
	outcome.of = (struct provider_refund){ .id = "",
					       .state = REFUND_REFUSED,
					       .failure_code = why.code };
	return settle_apply(work, apply_refund, &outcome);
}

static int64_t send_ms(const struct work *work, const char *name)
{
	return clock_ms(detail_of(work->record, name)->send_time);
}

int settle_refund(struct work *work, const char *name)
{
	bool fresh = work->of->refund && !strcmp(work->of->refund, name);
	int64_t timeout_ms = work->self->stripe.timeout_ms;
	int r = 0;

	work->tried[work->n_tried++] = name;
	if (!fresh) {
		r = find(work, name);
		if (r != PROVIDER_NOT_FOUND)
			return r;
		/* What was sent last may still be on its way. */
		if (refund_named(work->record, name)->state != REFUND_STATE_PENDING ||
		    send_ms(work, name) + 2 * timeout_ms > rpc_now_ms(work->call))
			return 0;
		r = settle_apply(work, apply_sending, name);
	} else if (send_ms(work, name) + timeout_ms < rpc_now_ms(work->call)) {
		/* It was stored to be sent at once, and waited for others. */
		r = settle_apply(work, apply_sending, name);
	}
	return r ? r : send(work, name);
}
