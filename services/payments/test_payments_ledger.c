/* Bookings balance, whatever happens to the money. */
#include "ledger.h"
#include "test.h"
#include <common/money.h>

static PaymentRecord *record;

static void setup(void)
{
	record = rpc_new(test_call(), PaymentRecord, .id = "7",
			 .payment = rpc_new(test_call(), Payment));
}

static void book(LedgerEntryKind kind, int64_t amount)
{
	ledger_book(test_call(), record, kind, "EUR", amount, "pi_1");
}

static void expect(int64_t customer, int64_t held, int64_t provider)
{
	ck_assert_int_eq(ledger_balance(record, LEDGER_ENTRY_ACCOUNT_CUSTOMER), customer);
	ck_assert_int_eq(ledger_balance(record, LEDGER_ENTRY_ACCOUNT_HELD), held);
	ck_assert_int_eq(ledger_balance(record, LEDGER_ENTRY_ACCOUNT_PROVIDER), provider);
	ck_assert_int_eq(customer + held + provider, 0);
}

static Money *euro(int64_t minor)
{
	return money_new(test_call(), "EUR", minor);
}

TEST(each_booking_takes_what_it_gives)
{
	expect(0, 0, 0);
	book(LEDGER_ENTRY_KIND_AUTHORIZATION, 1000);
	expect(-1000, 1000, 0);
	book(LEDGER_ENTRY_KIND_CAPTURE, 700);
	expect(-1000, 300, 700);
	book(LEDGER_ENTRY_KIND_VOID, 300);
	expect(-700, 0, 700);
	book(LEDGER_ENTRY_KIND_REFUND, 200);
	expect(-500, 0, 500);
	book(LEDGER_ENTRY_KIND_REFUND_REVERSAL, 200);
	expect(-700, 0, 700);
}

TEST(entries_are_numbered_without_a_gap_and_nothing_is_no_booking)
{
	book(LEDGER_ENTRY_KIND_AUTHORIZATION, 1000);
	book(LEDGER_ENTRY_KIND_VOID, 0);
	book(LEDGER_ENTRY_KIND_CAPTURE, 1000);
	ck_assert_uint_eq(record->n_ledger, 2);
	ck_assert_str_eq(record->ledger[0]->name, "payments/7/ledgerEntries/1");
	ck_assert_str_eq(record->ledger[1]->name, "payments/7/ledgerEntries/2");
}

static const struct {
	PaymentState state;
	int64_t authorized, captured, refunded;
	bool agrees;
} claims[] = {
	{ PAYMENT_STATE_SUCCEEDED, 1000, 700, 200, true },
	{ PAYMENT_STATE_SUCCEEDED, 1000, 700, 100, false },
	{ PAYMENT_STATE_SUCCEEDED, 1000, 800, 200, false },
	{ PAYMENT_STATE_SUCCEEDED, 600, 700, 200, false },
	{ PAYMENT_STATE_REQUIRES_CAPTURE, 1000, 700, 200, false },
};
TEST_EACH(a_payment_that_says_something_else_than_its_books_is_found_out, claims)
{
	book(LEDGER_ENTRY_KIND_AUTHORIZATION, 1000);
	book(LEDGER_ENTRY_KIND_CAPTURE, 700);
	book(LEDGER_ENTRY_KIND_VOID, 300);
	book(LEDGER_ENTRY_KIND_REFUND, 200);
	record->payment->state = row->state;
	record->payment->authorized = euro(row->authorized);
	record->payment->captured = euro(row->captured);
	record->payment->refunded = euro(row->refunded);
	ck_assert_int_eq(ledger_agrees(record), row->agrees);
}

TEST(more_given_back_than_taken_does_not_agree)
{
	book(LEDGER_ENTRY_KIND_AUTHORIZATION, 1000);
	book(LEDGER_ENTRY_KIND_CAPTURE, 1000);
	book(LEDGER_ENTRY_KIND_REFUND, 1001);
	record->payment->state = PAYMENT_STATE_SUCCEEDED;
	record->payment->authorized = record->payment->captured = euro(1000);
	record->payment->refunded = euro(1001);
	ck_assert(!ledger_agrees(record));
}

TEST_MAIN("payments ledger", setup, NULL)
