/* Money: google.type.Money with exact integer arithmetic. */
#include "errors.msg.h"
#include <common/money.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ISO 4217, active codes, by the digits of their minor unit. Funds, metals and test codes are left
 * out: nothing is sold for them. */
static const struct {
	int digits;
	const char *codes;
} currencies[] = {
	{ 0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF" },
	{ 2, "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP "
	     "BYN BZD CAD CDF CHF CNY COP CRC "
	     "CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL "
	     "HTG HUF IDR ILS INR IRR JMD "
	     "KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
	     "MWK MXN MYR MZN NAD NGN NIO "
	     "NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE "
	     "SOS SRD SSP STN SVC SYP SZL "
	     "THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWL" },
	{ 3, "BHD IQD JOD KWD LYD OMR TND" },
	{ 4, "CLF UYW" },
};

enum { NANOS = 1000000000 };
static const int64_t powers[] = { 1, 10, 100, 1000, 10000 };

int money_digits(const char *currency_code)
{
	if (strlen(currency_code) != 3 || strchr(currency_code, ' '))
		return -1;
	for (size_t i = 0; i < sizeof(currencies) / sizeof(currencies[0]); i++)
		if (strstr(currencies[i].codes, currency_code))
			return currencies[i].digits;
	return -1;
}

int money_minor(const Money *money, int64_t *ret)
{
	int digits = money_digits(money->currency_code);
	int64_t minor, step;

	if (digits < 0)
		return MONEY_UNKNOWN_CURRENCY;
	step = NANOS / powers[digits];
	if (money->nanos <= -NANOS || money->nanos >= NANOS || money->nanos % step)
		return MONEY_BAD_NANOS;
	if ((money->units > 0 && money->nanos < 0) || (money->units < 0 && money->nanos > 0))
		return MONEY_BAD_NANOS;
	if (__builtin_mul_overflow(money->units, powers[digits], &minor) ||
	    __builtin_add_overflow(minor, money->nanos / step, &minor))
		return MONEY_OVERFLOW;
	*ret = minor;
	return 0;
}

Money *money_new(struct rpc_call *call, const char *currency_code, int64_t minor)
{
	int digits = money_digits(currency_code);

	if (digits < 0)
		abort();
	return rpc_new(call, Money, .currency_code = rpc_strdup(call, currency_code),
		       .units = minor / powers[digits],
		       .nanos = (int32_t)(minor % powers[digits] * (NANOS / powers[digits])));
}

int money_check(struct rpc_call *call, const char *field, const Money *money, int64_t least,
		int64_t *ret)
{
	int64_t minor = 0;
	int r = money ? money_minor(money, &minor) : MONEY_UNKNOWN_CURRENCY;
	const char *problem = NULL;

	if (!money)
		problem = "it is missing";
	else if (r)
		problem = money_problem(call, r, money);
	else if (minor < least)
		problem =
			rpc_printf(call, "it is less than %s",
				   money_print(call, money_new(call, money->currency_code, least)));
	if (problem)
		return rpc_fail(call, MONEY_INVALID, { "field", field }, { "problem", problem });
	*ret = minor;
	return 0;
}

int money_add(int64_t a, int64_t b, int64_t *ret)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return MONEY_OVERFLOW;
	*ret = sum;
	return 0;
}

int money_subtract(int64_t a, int64_t b, int64_t *ret)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return MONEY_OVERFLOW;
	*ret = difference;
	return 0;
}

int money_times(int64_t amount, int64_t quantity, int64_t *ret)
{
	int64_t product;

	if (__builtin_mul_overflow(amount, quantity, &product))
		return MONEY_OVERFLOW;
	*ret = product;
	return 0;
}

int money_part(int64_t amount, int64_t numerator, int64_t denominator, int64_t *ret)
{
	__int128 product = (__int128)amount * numerator;
	__int128 quotient = product / denominator, twice = product % denominator * 2;

	if (twice < 0)
		twice = -twice;
	if (twice > denominator || (twice == denominator && quotient % 2))
		quotient += product < 0 ? -1 : 1;
	if (quotient > INT64_MAX || quotient < INT64_MIN)
		return MONEY_OVERFLOW;
	*ret = (int64_t)quotient;
	return 0;
}

/*
 * Each part is first rounded towards zero; what is then missing, fewer units than there are parts,
 * goes one by one to the parts that lost most.
 */
int money_split(int64_t amount, const int64_t *weights, size_t n, int64_t *parts)
{
	__int128 sum = 0;
	int64_t rest = amount, sign = amount < 0 ? -1 : 1;

	for (size_t i = 0; i < n; i++)
		sum += weights[i];
	if (sum > INT64_MAX)
		return MONEY_OVERFLOW;
	for (size_t i = 0; i < n; i++) {
		parts[i] = (int64_t)((__int128)amount * weights[i] / sum);
		rest -= parts[i];
	}
	for (; rest; rest -= sign) {
		size_t best = n;
		__int128 most = 0;

		for (size_t i = 0; i < n; i++) {
			__int128 lost =
				((__int128)amount * weights[i] - (__int128)parts[i] * sum) * sign;

			/* A part that was given its unit has lost less than nothing. */
			if (lost > most) {
				most = lost;
				best = i;
			}
		}
		parts[best] += sign;
	}
	return 0;
}

static bool is_nothing(const Money *money)
{
	return !money || !*money->currency_code;
}

int money_sum(struct rpc_call *call, const Money *a, const Money *b, Money **ret)
{
	int64_t left = 0, right, sum;
	int r;

	if (!is_nothing(a)) {
		if (strcmp(a->currency_code, b->currency_code))
			return MONEY_MISMATCH;
		r = money_minor(a, &left);
		if (r)
			return r;
	}
	r = money_minor(b, &right);
	if (!r)
		r = money_add(left, right, &sum);
	if (r)
		return r;
	*ret = money_new(call, b->currency_code, sum);
	return 0;
}

int money_compare(const Money *a, const Money *b, int *ret)
{
	int64_t left, right;
	int r;

	if (strcmp(a->currency_code, b->currency_code))
		return MONEY_MISMATCH;
	r = money_minor(a, &left);
	if (!r)
		r = money_minor(b, &right);
	if (r)
		return r;
	*ret = (left > right) - (left < right);
	return 0;
}

bool money_equal(const Money *a, const Money *b)
{
	return !strcmp(a->currency_code, b->currency_code) && a->units == b->units &&
	       a->nanos == b->nanos;
}

const char *money_print(struct rpc_call *call, const Money *money)
{
	int digits = money_digits(money->currency_code);
	bool negative = money->units < 0 || money->nanos < 0;
	uint64_t units = negative ? -(uint64_t)money->units : (uint64_t)money->units;
	int32_t nanos = negative ? -money->nanos : money->nanos;

	if (digits <= 0)
		return rpc_printf(call, "%s%s %" PRIu64, negative ? "-" : "", money->currency_code,
				  units);
	return rpc_printf(call, "%s%s %" PRIu64 ".%0*" PRId64, negative ? "-" : "",
			  money->currency_code, units, digits, nanos / (NANOS / powers[digits]));
}

const char *money_problem(struct rpc_call *call, int code, const Money *money)
{
	int digits = money_digits(money->currency_code);

	switch (code) {
	case MONEY_UNKNOWN_CURRENCY:
		return rpc_printf(call, "'%s' is no currency of ISO 4217", money->currency_code);
	case MONEY_BAD_NANOS:
		if (money->nanos <= -NANOS || money->nanos >= NANOS)
			return "nanos is not between -999999999 and 999999999";
		if ((money->units > 0 && money->nanos < 0) ||
		    (money->units < 0 && money->nanos > 0))
			return "units and nanos have different signs";
		return rpc_printf(call, "it has more digits than %s, which has %d",
				  money->currency_code, digits);
	case MONEY_MISMATCH:
		return "it is in another currency";
	default:
		return "it is too large";
	}
}
