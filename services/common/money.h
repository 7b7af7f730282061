/* Money: google.type.Money with exact integer arithmetic. */
#pragma once

#include "money.msg.h"
#include <crpc/call.h>

/*
 * An amount is a whole number of the currency's minor units (ISO 4217: yen 0 digits, euro 2, dinar
 * 3), held in an int64. Messages are checked at the edge with money_check() and turned into minor
 * units with money_minor(); sums, products and taxes are integers with overflow checked;
 * money_new() turns the result back. units and nanos of a message have the same sign.
 *
 * Rounding: half to even, once per line, in money_part(); nothing else rounds.
 *
 * Results: 0, or one of these, to be handled:
 */
enum {
	MONEY_UNKNOWN_CURRENCY = 240, /* no currency of ISO 4217 */
	MONEY_BAD_NANOS, /* signs mixed, nanos out of range, or digits beyond the minor unit */
	MONEY_OVERFLOW,  /* beyond int64 */
	MONEY_MISMATCH,  /* two currencies */
};

/* Digits after the point: 0, 2, 3 or 4; -1 for an unknown currency. */
int money_digits(const char *currency_code);

int money_minor(const Money *money, int64_t *ret);
/* An amount as a message of the arena; the currency is known, else it aborts (ask money_digits()
 * first). */
Money *money_new(struct rpc_call *call, const char *currency_code, int64_t minor);

/* Refuses what money_minor() refuses with MONEY_INVALID that names `field`; `least` in minor units.
 * 0 with *ret in minor units. */
int money_check(struct rpc_call *call, const char *field, const Money *money, int64_t least,
		int64_t *ret);

/* Integers: MONEY_OVERFLOW or 0. */
int money_add(int64_t a, int64_t b, int64_t *ret);
int money_subtract(int64_t a, int64_t b, int64_t *ret);
int money_times(int64_t amount, int64_t quantity, int64_t *ret);
/* amount × numerator ÷ denominator, rounded half to even: a tax of 19% is (amount, 1900, 10000),
 * the tax within a gross price (amount, 1900, 11900). The intermediate product is 128 bits wide.
 * denominator > 0. */
int money_part(int64_t amount, int64_t numerator, int64_t denominator, int64_t *ret);
/* Splits `amount` by weights so that the parts add up exactly: largest remainders first, ties to
 * the earlier. For discounts over lines, partial refunds. Weights are not negative and their sum is
 * not 0. */
int money_split(int64_t amount, const int64_t *weights, size_t n, int64_t *parts);

/* Messages: MONEY_MISMATCH, or what money_minor() says. *ret is of the arena. A NULL or empty `a`
 * counts as nothing yet. */
int money_sum(struct rpc_call *call, const Money *a, const Money *b, Money **ret);
/* -1, 0, 1 in *ret. */
int money_compare(const Money *a, const Money *b, int *ret);
bool money_equal(const Money *a, const Money *b); /* same currency, same amount */

/* For mails and logs: "EUR 12.50", "JPY 1200", "-EUR 0.05". */
const char *money_print(struct rpc_call *call, const Money *money);

/* What went wrong, for a message: "it has more digits than EUR, which has 2". */
const char *money_problem(struct rpc_call *call, int code, const Money *money);
