/*
 * Refunds: what was taken, given back in parts.
 *
 * A refund is named by its request id: its own id is made from that and from who asks, so the same
 * request finds the same refund for ever, and settle_refund.c sends it once. It counts from the
 * moment it is stored: see there.
 */
#include "errors.msg.h"
#include "ledger.h"
#include "settle.h"
#include <common/clock.h>
#include <common/money.h>
#include <common/names.h>
#include <crpc/id.h>
#include <string.h>

struct giving_back {
	const CreateRefundRequest *req;
	struct answers_key key;
	const char *actor, *id, *name;
	struct settlement settlement;
};

/* A service asks in its own name, whatever person it acts for: its sweeper repeats what it began
 * for one. */
static const char *actor_of(struct rpc_call *call)
{
	return rpc_caller_is_service(call, "orders") ? "services/orders" : rpc_caller(call)->user;
}

static Refund *refund_of(const PaymentRecord *record, const char *name)
{
	for (size_t i = 0; i < record->payment->n_refunds; i++)
		if (!strcmp(record->payment->refunds[i]->name, name))
			return record->payment->refunds[i];
	return NULL;
}

static int add_part(struct rpc_call *call, const char *field, const char *currency,
		    const Money *part, int64_t *sum)
{
	int64_t amount;
	int r = money_check(call, field, part, 0, &amount);

	if (r)
		return r;
	if (strcmp(part->currency_code, currency))
		return rpc_fail(call, MONEY_INVALID, { "field", field },
				{ "problem", rpc_printf(call, "the payment is in %s", currency) });
	return money_add(*sum, amount, sum) ? rpc_fail(call, MONEY_INVALID, { "field", field },
						       { "problem", "it is too large" })
					    : 0;
}

/* How much: what is said, or what the parts add up to, or -1: all that is left. */
static int amount_of(struct rpc_call *call, const Refund *refund, const char *currency,
		     int64_t *ret)
{
	int64_t sum = 0, said = 0;
	bool parts = refund->n_lines || refund->shipping;
	int r = 0;

	for (size_t i = 0; !r && i < refund->n_lines; i++)
		r = add_part(call, rpc_printf(call, "refund.lines[%zu].amount", i), currency,
			     refund->lines[i]->amount, &sum);
	if (!r && refund->shipping)
		r = add_part(call, "refund.shipping", currency, refund->shipping, &sum);
	if (!r && refund->amount)
		r = add_part(call, "refund.amount", currency, refund->amount, &said);
	if (r)
		return r;
	if (parts && refund->amount && said != sum)
		return rpc_fail(call, REFUND_SUM_WRONG,
				{ "amount", payments_decimal(call, refund->amount) },
				{ "sum", payments_decimal(call, money_new(call, currency, sum)) });
	*ret = parts ? sum : refund->amount ? said : -1;
	if (!*ret)
		return rpc_fail(call, MONEY_INVALID, { "field", "refund.amount" },
				{ "problem", "it must be above 0" });
	return 0;
}

static int too_large(struct rpc_call *call, const PaymentRecord *record,
		     const struct giving_back *giving, int64_t left, int64_t asked)
{
	const char *currency = record->payment->captured->currency_code;
	int r = rpc_fail(
		call, REFUND_TOO_LARGE, { "payment", record->payment->name },
		{ "refundable", payments_decimal(call, money_new(call, currency, left)) },
		{ "requested",
		  asked < 0 ? "more" : payments_decimal(call, money_new(call, currency, asked)) });
	/* A refusal is an answer: the same request gets it again, though a failed refund may have
	 * made room. */
	int noted = payment_note_answer(call, record, answers_store_error(call, &giving->key));

	return noted > 0 && noted < N_RPC_CODES ? noted : r;
}

static int refundable(struct rpc_call *call, const PaymentRecord *record,
		      const struct giving_back *giving, int64_t *ret)
{
	const Payment *payment = record->payment;
	int64_t asked, left;
	int r;

	if (payment->state != PAYMENT_STATE_SUCCEEDED)
		return rpc_fail(call, PAYMENT_NOT_REFUNDABLE, { "payment", payment->name },
				{ "state", payments_state(record) });
	r = amount_of(call, giving->req->refund, payment->captured->currency_code, &asked);
	if (r)
		return r;
	left = ledger_balance(record, LEDGER_ENTRY_ACCOUNT_PROVIDER);
	if (asked > left || !left)
		return too_large(call, record, giving, left, asked);
	if (payment->n_refunds >= PAYMENT_REFUNDS_MAX)
		return rpc_fail(call, PAYMENT_EXHAUSTED, { "payment", payment->name },
				{ "max", rpc_printf(call, "%d", PAYMENT_REFUNDS_MAX) },
				{ "what", "refunds" });
	*ret = asked < 0 ? left : asked;
	return 0;
}

static void add_refund(struct rpc_call *call, PaymentRecord *record,
		       const struct giving_back *giving, int64_t amount)
{
	const Refund *asked = giving->req->refund;
	Payment *payment = record->payment;
	const char *currency = payment->captured->currency_code;
	uint8_t *hash = rpc_memdup(call, giving->key.body_hash, sizeof(giving->key.body_hash));

	payment->refunded = money_new(call, currency, ledger_minor(payment->refunded) + amount);
	payment_add_refunds(call, payment,
			    rpc_new(call, Refund, .name = giving->name,
				    .amount = money_new(call, currency, amount),
				    .reason = asked->reason ? asked->reason
							    : REFUND_REASON_REQUESTED_BY_CUSTOMER,
				    .lines = asked->lines, .n_lines = asked->n_lines,
				    .shipping = asked->shipping, .note = asked->note,
				    .state = REFUND_STATE_PENDING, .actor = giving->actor,
				    .create_time = clock_now(call)));
	payment_record_add_refund_details(
		call, record,
		rpc_new(call, PaymentRecordRefundDetail, .refund = giving->id,
			.body_hash = { .data = hash, .len = sizeof(giving->key.body_hash) },
			.send_time = giving->settlement.refund ? clock_now(call) : NULL));
	ledger_book(call, record, LEDGER_ENTRY_KIND_REFUND, currency, amount, giving->name);
}

static int check_same(struct rpc_call *call, const PaymentRecord *record,
		      const struct giving_back *giving)
{
	for (size_t i = 0; i < record->n_refund_details; i++) {
		const PaymentRecordRefundDetail *detail = record->refund_details[i];

		if (!strcmp(detail->refund, giving->id) &&
		    (detail->body_hash.len != sizeof(giving->key.body_hash) ||
		     memcmp(detail->body_hash.data, giving->key.body_hash,
			    sizeof(giving->key.body_hash))))
			return rpc_fail(call, REQUEST_ID_REUSED,
					{ "requestId", giving->req->request_id });
	}
	return 0;
}

/* Stores the refund, unless it is there; MONGO_NOT_MATCHED. */
static int begin(struct payments_service *self, struct rpc_call *call, struct giving_back *giving)
{
	struct settlement *settlement = &giving->settlement;
	struct payment_change change;
	PaymentRecord *record;
	Refund *refused;
	int64_t amount;
	int r;

	r = payments_find(call, giving->req->parent, &record);
	if (r)
		return r;
	/* Captured or not? That must be known first. */
	if (record->intention == PAYMENT_RECORD_INTENTION_CAPTURE) {
		struct settlement capture = { .id = settlement->id,
					      .holder = rpc_id_new(call),
					      .wait = true };

		r = payment_settle(self, call, &capture, &record);
		if (r == SETTLE_DOUBT || r == SETTLE_BUSY)
			return payments_unavailable(self, call);
		if (r)
			return r;
	}
	if (refund_of(record, giving->name))
		return check_same(call, record, giving);
	r = answers_find(call, &giving->key, record, &Refund_descriptor, &refused);
	if (r != ANSWERS_NONE)
		return r;
	r = refundable(call, record, giving, &amount);
	if (r)
		return r;
	change = payment_begin(record);
	change.refunds = true;
	/* Without the lease whoever has it sends the refund, or we do when it is free. */
	settlement->refund = NULL;
	if (payment_is_free(call, record)) {
		settlement->refund = giving->name;
		change.take = settlement->holder;
		change.lease_expire_ms = settle_lease_end(self, call);
	}
	add_refund(call, record, giving, amount);
	r = payment_save(call, &change);
	if (r)
		return r;
	crash_point("payments.refund.after_store");
	settlement->record = record;
	settlement->holds = change.take;
	return 0;
}

int payments_create_refund(struct payments_service *self, struct rpc_call *call,
			   const CreateRefundRequest *req, Refund **ret)
{
	struct giving_back giving = {
		.req = req,
		.actor = actor_of(call),
		.settlement = { .id = name_id(req->parent),
				.holder = rpc_id_new(call),
				.wait = true },
	};
	PaymentRecord *record;
	int r;

	answers_key(call, req, &giving.key);
	giving.id = rpc_id_derive(call, rpc_printf(call, "%s %s refund", req->parent, giving.actor),
				  req->request_id);
	giving.name = name_join(call, req->parent, "refunds", giving.id);
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->parent));) {
		r = begin(self, call, &giving);
		if (r != MONGO_NOT_MATCHED)
			break;
	}
	if (!r)
		r = payment_settle(self, call, &giving.settlement, &record);
	/* In doubt it is PENDING, and the sweeper goes on with it. */
	if (r && r != SETTLE_DOUBT && r != SETTLE_BUSY)
		return r;
	*ret = payments_view_refund(call, refund_of(record, giving.name));
	return 0;
}
