/* What payments tells others: that money was held, taken, refused or given back. */
#include "ledger.h"
#include "payments_events.ev.h"
#include "payments_store.h"
#include <common/money.h>

static void fill_money(souk_type_v1_EventMoney *to, bool *has, const Money *from)
{
	if (!from)
		return;
	event_text(to->currency_code, from->currency_code);
	to->units = from->units;
	to->nanos = from->nanos;
	*has = true;
}

/* What all events of a payment begin with. */
#define PAYMENT_EVENT(Event, record_)                                                              \
	({                                                                                         \
		const PaymentRecord *record__ = (record_);                                         \
		souk_payments_v1_##Event *event_ = rpc_alloc(call, sizeof(*event_));               \
		event_text(event_->payment, record__->payment->name);                              \
		event_text(event_->order, record__->payment->order);                               \
		event_text(event_->user, record__->payment->user);                                 \
		event_->version = record__->version + 1;                                           \
		event_;                                                                            \
	})

static const PaymentAttempt *last_attempt(const PaymentRecord *record)
{
	return record->payment->attempts[record->payment->n_attempts - 1];
}

struct rpc_event *payment_authorized(struct rpc_call *call, const PaymentRecord *record)
{
	souk_payments_v1_PaymentAuthorized *event = PAYMENT_EVENT(PaymentAuthorized, record);

	fill_money(&event->amount, &event->has_amount, record->payment->authorized);
	event->attempt = last_attempt(record)->number;
	return payments_event_payment_authorized(call, event);
}

struct rpc_event *payment_captured(struct rpc_call *call, const PaymentRecord *record)
{
	souk_payments_v1_PaymentCaptured *event = PAYMENT_EVENT(PaymentCaptured, record);

	fill_money(&event->amount, &event->has_amount, record->payment->captured);
	return payments_event_payment_captured(call, event);
}

struct rpc_event *payment_failed(struct rpc_call *call, const PaymentRecord *record)
{
	souk_payments_v1_PaymentFailed *event = PAYMENT_EVENT(PaymentFailed, record);

	fill_money(&event->amount, &event->has_amount, record->payment->amount);
	event->attempt = last_attempt(record)->number;
	event_text(event->decline_code, last_attempt(record)->decline_code);
	return payments_event_payment_failed(call, event);
}

struct rpc_event *payment_voided(struct rpc_call *call, const PaymentRecord *record)
{
	return payments_event_payment_voided(call, PAYMENT_EVENT(PaymentVoided, record));
}

struct rpc_event *payment_refunded(struct rpc_call *call, const PaymentRecord *record,
				   const Refund *refund)
{
	souk_payments_v1_PaymentRefunded *event = PAYMENT_EVENT(PaymentRefunded, record);
	int64_t refunded = 0;

	/* Only what is done, unlike payment.refunded. */
	for (size_t i = 0; i < record->payment->n_refunds; i++) {
		if (record->payment->refunds[i]->state == REFUND_STATE_SUCCEEDED)
			refunded += ledger_minor(record->payment->refunds[i]->amount);
	}
	event_text(event->refund, refund->name);
	fill_money(&event->amount, &event->has_amount, refund->amount);
	fill_money(&event->refunded, &event->has_refunded,
		   money_new(call, refund->amount->currency_code, refunded));
	fill_money(&event->captured, &event->has_captured, record->payment->captured);
	return payments_event_payment_refunded(call, event);
}

struct rpc_event *payment_refund_failed(struct rpc_call *call, const PaymentRecord *record,
					const Refund *refund)
{
	souk_payments_v1_RefundFailed *event = PAYMENT_EVENT(RefundFailed, record);

	event_text(event->refund, refund->name);
	fill_money(&event->amount, &event->has_amount, refund->amount);
	event_text(event->failure_code, refund->failure_code);
	return payments_event_refund_failed(call, event);
}
