/* Tax rates and their rounding. */
#include "test.h"
#include <common/money.h>
#include <common/tax.h>

static const struct {
	const char *country;
	ProductTaxClass tax_class;
	int32_t rate;
} rates[] = {
	{ "DE", PRODUCT_TAX_CLASS_STANDARD, 190000 },
	{ "DE", PRODUCT_TAX_CLASS_UNSPECIFIED, 190000 },
	{ "DE", PRODUCT_TAX_CLASS_REDUCED, 70000 },
	{ "DE", PRODUCT_TAX_CLASS_EXEMPT, 0 },
	{ "FI", PRODUCT_TAX_CLASS_STANDARD, 255000 },
	{ "FR", PRODUCT_TAX_CLASS_REDUCED, 55000 },
	{ "US", PRODUCT_TAX_CLASS_STANDARD, 0 },
	{ "", PRODUCT_TAX_CLASS_STANDARD, 0 },
};

TEST_EACH(the_rate_follows_from_country_and_class, rates)
{
	ck_assert_int_eq(tax_rate(row->country, row->tax_class), row->rate);
}

TEST(shipping_is_taxed_at_the_standard_rate)
{
	ck_assert_int_eq(tax_rate_of_shipping("AT"), 200000);
}

static const struct {
	int64_t amount;
	int32_t rate;
	int64_t tax;
} taxes[] = {
	{ 1000, 190000, 190 }, { 50, 190000, 10 }, /* 9.5, to the even 10 */
	{ 250, 50000, 12 },                        /* 12.5, to the even 12 */
	{ 999, 255000, 255 },  { 0, 190000, 0 },   { 1, 190000, 0 },
};

TEST_EACH(half_a_unit_goes_to_the_even_one, taxes)
{
	int64_t tax;

	ck_assert_int_eq(tax_of(row->amount, row->rate, &tax), 0);
	ck_assert_int_eq(tax, row->tax);
}

TEST(what_is_too_large_is_said)
{
	int64_t tax;

	ck_assert_int_eq(tax_of(INT64_MAX, 2000000, &tax), MONEY_OVERFLOW);
}

TEST_MAIN("tax", NULL, NULL)
