/* The ledger: bookings in double entry, appended and never changed. */
#pragma once

#include "payments_store.msg.h"

/* Books an amount on the record in memory; nothing when it is 0. Accounts follow from the kind. */
void ledger_book(struct rpc_call *call, PaymentRecord *record, LedgerEntryKind kind,
		 const char *currency_code, int64_t amount, const char *reference);
/* Of an amount of the document, which was checked when it came; 0 for none. */
int64_t ledger_minor(const Money *money);
/* What has arrived at the account and not left it, in minor units. */
int64_t ledger_balance(const PaymentRecord *record, LedgerEntryAccount account);
/* Whether the bookings sum up to what the payment says: held, taken and given back. */
bool ledger_agrees(const PaymentRecord *record);
