/* Tax: the rate by where goods are shipped to and how they are taxed. */
#include <common/money.h>
#include <common/tax.h>
#include <string.h>

enum { MILLIONTHS = 1000000, BASIS_POINT = 100 };

/*
 * Basis points, as of January 2026. EU: the Commission's database "Taxes in Europe" (TEDB),
 * standard rate and the reduced rate for books and foodstuffs, where a country has several the one
 * for books. GB: VATA 1994 (5 % is its reduced rate; books at 0 % would be another class), CH:
 * MWSTG art. 25, NO: Stortingets vedtak om merverdiavgift, IS: act 50/1988.
 */
static const struct {
	char country[3];
	int standard, reduced;
} rates[] = {
	{ "AT", 2000, 1000 }, { "BE", 2100, 600 },  { "BG", 2000, 900 },  { "CH", 810, 260 },
	{ "CY", 1900, 500 },  { "CZ", 2100, 1200 }, { "DE", 1900, 700 },  { "DK", 2500, 2500 },
	{ "EE", 2400, 900 },  { "ES", 2100, 1000 }, { "FI", 2550, 1350 }, { "FR", 2000, 550 },
	{ "GB", 2000, 500 },  { "GR", 2400, 600 },  { "HR", 2500, 500 },  { "HU", 2700, 500 },
	{ "IE", 2300, 1350 }, { "IS", 2400, 1100 }, { "IT", 2200, 1000 }, { "LT", 2100, 500 },
	{ "LU", 1700, 300 },  { "LV", 2100, 1200 }, { "MC", 2000, 550 },  { "MT", 1800, 500 },
	{ "NL", 2100, 900 },  { "NO", 2500, 1500 }, { "PL", 2300, 500 },  { "PT", 2300, 600 },
	{ "RO", 2100, 1100 }, { "SE", 2500, 600 },  { "SI", 2200, 950 },  { "SK", 2300, 500 },
};

int32_t tax_rate(const char *country_code, ProductTaxClass tax_class)
{
	if (tax_class == PRODUCT_TAX_CLASS_EXEMPT)
		return 0;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		if (!strcmp(rates[i].country, country_code))
			return (tax_class == PRODUCT_TAX_CLASS_REDUCED ? rates[i].reduced
								       : rates[i].standard) *
			       BASIS_POINT;
	return 0;
}

int32_t tax_rate_of_shipping(const char *country_code)
{
	return tax_rate(country_code, PRODUCT_TAX_CLASS_STANDARD);
}

int tax_of(int64_t amount, int32_t rate, int64_t *ret)
{
	return money_part(amount, rate, MILLIONTHS, ret);
}
