/* Money: exact, checked, rounded half to even. */
#include "errors.msg.h"
#include <common/money.h>
#include <test.h>

static struct rpc_call *call;

static void setup(void)
{
	call = rpc_call_new("test", 10000);
}

static void teardown(void)
{
	call = rpc_call_free(call);
}

static int minor_of(const char *currency, int64_t units, int32_t nanos, int64_t *ret)
{
	return money_minor(MSG(Money, .currency_code = currency, .units = units, .nanos = nanos),
			   ret);
}

static const struct {
	const char *currency;
	int64_t units;
	int32_t nanos;
	int result;
	int64_t minor;
	const char *text;
} amounts[] = {
	{ "EUR", 12, 500000000, 0, 1250, "EUR 12.50" },
	{ "EUR", 0, -50000000, 0, -5, "-EUR 0.05" },
	{ "EUR", -3, 0, 0, -300, "-EUR 3.00" },
	{ "JPY", 1200, 0, 0, 1200, "JPY 1200" },
	{ "KWD", 1, 5000000, 0, 1005, "KWD 1.005" },
	{ "UYW", 1, 100000, 0, 10001, "UYW 1.0001" },
	{ "EUR", 0, 1000000, MONEY_BAD_NANOS, 0, NULL },
	{ "JPY", 0, 500000000, MONEY_BAD_NANOS, 0, NULL },
	{ "EUR", 1, -10000000, MONEY_BAD_NANOS, 0, NULL },
	{ "EUR", -1, 10000000, MONEY_BAD_NANOS, 0, NULL },
	{ "EUR", 0, 1000000000, MONEY_BAD_NANOS, 0, NULL },
	{ "XXX", 1, 0, MONEY_UNKNOWN_CURRENCY, 0, NULL },
	{ "eur", 1, 0, MONEY_UNKNOWN_CURRENCY, 0, NULL },
	{ "", 1, 0, MONEY_UNKNOWN_CURRENCY, 0, NULL },
	{ "R U", 1, 0, MONEY_UNKNOWN_CURRENCY, 0, NULL },
	{ "EUR", INT64_MAX, 0, MONEY_OVERFLOW, 0, NULL },
	{ "JPY", INT64_MAX, 0, 0, INT64_MAX, "JPY 9223372036854775807" },
	{ "JPY", INT64_MIN, 0, 0, INT64_MIN, "-JPY 9223372036854775808" },
};

TEST_EACH(an_amount_is_a_whole_number_of_minor_units, amounts)
{
	int64_t minor = 0;
	Money *money;

	ck_assert_int_eq(minor_of(row->currency, row->units, row->nanos, &minor), row->result);
	if (row->result)
		return;
	ck_assert_int_eq(minor, row->minor);
	money = money_new(call, row->currency, minor);
	ck_assert_int_eq(money->units, row->units);
	ck_assert_int_eq(money->nanos, row->nanos);
	ck_assert_str_eq(money_print(call, money), row->text);
}

static const struct {
	int64_t amount, numerator, denominator, part;
} parts[] = {
	{ 1000, 1900, 10000, 190 },
	{ 1050, 1000, 10000, 105 },
	{ 5, 1, 2, 2 },
	{ 15, 1, 10, 2 },
	{ 25, 1, 10, 2 },
	{ 35, 1, 10, 4 },
	{ -5, 1, 2, -2 },
	{ -15, 1, 10, -2 },
	{ 26, 1, 10, 3 },
	{ -26, 1, 10, -3 },
	{ 1, 1, 3, 0 },
	{ 2, 1, 3, 1 },
	{ INT64_MAX, 1, 1, INT64_MAX },
};

TEST_EACH(a_part_is_rounded_half_to_even, parts)
{
	int64_t part;

	ck_assert_int_eq(money_part(row->amount, row->numerator, row->denominator, &part), 0);
	ck_assert_int_eq(part, row->part);
}

TEST(overflow_is_told_and_changes_nothing)
{
	int64_t value = 7;

	ck_assert_int_eq(money_add(INT64_MAX, 1, &value), MONEY_OVERFLOW);
	ck_assert_int_eq(money_subtract(INT64_MIN, 1, &value), MONEY_OVERFLOW);
	ck_assert_int_eq(money_times(INT64_MAX, 2, &value), MONEY_OVERFLOW);
	ck_assert_int_eq(money_part(INT64_MAX, 2, 1, &value), MONEY_OVERFLOW);
	ck_assert_int_eq(value, 7);
}

TEST(a_split_adds_up)
{
	int64_t weights[] = { 1, 1, 1, 0 }, ret[4], sum;

	for (int64_t amount = -20; amount <= 20; amount++) {
		ck_assert_int_eq(money_split(amount, weights, 4, ret), 0);
		sum = 0;
		for (int i = 0; i < 4; i++)
			sum += ret[i];
		ck_assert_int_eq(sum, amount);
		ck_assert_int_eq(ret[3], 0);
	}
	ck_assert_int_eq(money_split(100, weights, 3, ret), 0);
	ck_assert_int_eq(ret[0], 34);
	ck_assert_int_eq(ret[1], 33);
	ck_assert_int_eq(ret[2], 33);
	ck_assert_int_eq(
		money_split(INT64_MAX, (const int64_t[]){ INT64_MAX / 2, INT64_MAX / 2 }, 2, ret),
		0);
	ck_assert_int_eq(ret[0] - INT64_MAX + ret[1], 0);
}

TEST(two_currencies_do_not_mix)
{
	Money *sum = NULL;
	int order;

	ck_assert_int_eq(
		money_sum(call, money_new(call, "EUR", 1), money_new(call, "USD", 1), &sum),
		MONEY_MISMATCH);
	ck_assert_int_eq(
		money_compare(money_new(call, "EUR", 1), money_new(call, "USD", 1), &order),
		MONEY_MISMATCH);
	ck_assert_int_eq(money_sum(call, NULL, money_new(call, "EUR", 1), &sum), 0);
	ck_assert_int_eq(money_sum(call, sum, money_new(call, "EUR", 99), &sum), 0);
	ck_assert(money_equal(sum, money_new(call, "EUR", 100)));
	ck_assert_int_eq(money_compare(sum, money_new(call, "EUR", 101), &order), 0);
	ck_assert_int_eq(order, -1);
}

TEST(a_bad_amount_is_refused_by_its_field)
{
	int64_t minor;

	ck_assert_int_eq(money_check(call, "price", MSG(Money, .currency_code = "EUR", .nanos = 1),
				     0, &minor),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, MONEY_INVALID));
	ck_assert_str_eq(
		rpc_error_message(call),
		"The amount in 'price' is not valid: it has more digits than EUR, which has 2.");
	ck_assert_int_eq(money_check(call, "price", money_new(call, "EUR", 4), 5, &minor),
			 RPC_INVALID_ARGUMENT);
	ck_assert_str_eq(rpc_error_message(call),
			 "The amount in 'price' is not valid: it is less than EUR 0.05.");
	ck_assert_int_eq(money_check(call, "price", NULL, 0, &minor), RPC_INVALID_ARGUMENT);
	ck_assert_int_eq(money_check(call, "price", money_new(call, "EUR", 5), 5, &minor), 0);
	ck_assert_int_eq(minor, 5);
}

TEST_MAIN("money", setup, teardown)
