/*
 * The ledger of a payment.
 *
 *     CUSTOMER --AUTHORIZATION--> HELD --CAPTURE--> PROVIDER --REFUND--> CUSTOMER
 *              <------VOID-------                            <-REVERSAL-
 *
 *   1. Each booking takes from one account what it gives to the other, so the three accounts
 *      always sum up to 0.
 *   2. HELD is what is held now. PROVIDER is what was captured less what was given back, refunds
 *      under way included.
 *   3. Bookings are appended by the update that changes the payment, and no update touches one
 *      that is there.
 */
#include "ledger.h"
#include <common/clock.h>
#include <common/money.h>

static const struct {
	LedgerEntryAccount debit, credit;
} accounts[] = {
	[LEDGER_ENTRY_KIND_AUTHORIZATION] = { LEDGER_ENTRY_ACCOUNT_CUSTOMER,
					      LEDGER_ENTRY_ACCOUNT_HELD },
	[LEDGER_ENTRY_KIND_VOID] = { LEDGER_ENTRY_ACCOUNT_HELD, LEDGER_ENTRY_ACCOUNT_CUSTOMER },
	[LEDGER_ENTRY_KIND_CAPTURE] = { LEDGER_ENTRY_ACCOUNT_HELD, LEDGER_ENTRY_ACCOUNT_PROVIDER },
	[LEDGER_ENTRY_KIND_REFUND] = { LEDGER_ENTRY_ACCOUNT_PROVIDER,
				       LEDGER_ENTRY_ACCOUNT_CUSTOMER },
	[LEDGER_ENTRY_KIND_REFUND_REVERSAL] = { LEDGER_ENTRY_ACCOUNT_CUSTOMER,
						LEDGER_ENTRY_ACCOUNT_PROVIDER },
};
_Static_assert(sizeof(accounts) / sizeof(*accounts) == LEDGER_ENTRY_KIND_REFUND_REVERSAL + 1,
	       "every kind has accounts");

void ledger_book(struct rpc_call *call, PaymentRecord *record, LedgerEntryKind kind,
		 const char *currency_code, int64_t amount, const char *reference)
{
	if (!amount)
		return;
	payment_record_add_ledger(call, record,
				  rpc_new(call, LedgerEntry,
					  .name = rpc_printf(call, "payments/%s/ledgerEntries/%zu",
							     record->id, record->n_ledger + 1),
					  .kind = kind, .debit = accounts[kind].debit,
					  .credit = accounts[kind].credit,
					  .amount = money_new(call, currency_code, amount),
					  .reference = reference, .create_time = clock_now(call)));
}

int64_t ledger_minor(const Money *money)
{
	int64_t amount = 0;

	return money && !money_minor(money, &amount) ? amount : 0;
}

int64_t ledger_balance(const PaymentRecord *record, LedgerEntryAccount account)
{
	int64_t balance = 0;

	for (size_t i = 0; i < record->n_ledger; i++) {
		const LedgerEntry *entry = record->ledger[i];

		if (entry->credit == account)
			balance += ledger_minor(entry->amount);
		if (entry->debit == account)
			balance -= ledger_minor(entry->amount);
	}
	return balance;
}

bool ledger_agrees(const PaymentRecord *record)
{
	const Payment *payment = record->payment;
	int64_t held = ledger_balance(record, LEDGER_ENTRY_ACCOUNT_HELD);
	int64_t kept = ledger_balance(record, LEDGER_ENTRY_ACCOUNT_PROVIDER);

	return held == (payment->state == PAYMENT_STATE_REQUIRES_CAPTURE
				? ledger_minor(payment->authorized)
				: 0) &&
	       kept == ledger_minor(payment->captured) - ledger_minor(payment->refunded) &&
	       kept >= 0 && ledger_minor(payment->captured) <= ledger_minor(payment->authorized);
}
