/* Tax: the rate by where goods are shipped to and how they are taxed; what cart shows and orders
 * charge. */
#pragma once

#include "catalog.msg.h"
#include <crpc/call.h>

/*
 * Prices are without tax. The tax is worked out for each line on its subtotal less its discount,
 * and once on shipping, rounded half to even each time (tax_of); a total's tax is the sum of these
 * and is never worked out anew. So what a line shows is what it adds.
 *
 * Goods are taxed where they are delivered (EU: Directive 2006/112/EC, art. 33). A country that is
 * not in the table is not taxed: exports are free of VAT, duties are the customer's; the United
 * States and Canada tax by state, city and the seller's nexus, which no table of countries knows.
 */

/* In millionths: 190000 is 19 %. `country_code` as in addresses ("DE"); an unspecified class is
 * STANDARD. */
int32_t tax_rate(const char *country_code, ProductTaxClass tax_class);
/* Of shipping: the standard rate, whatever is in the parcel. */
int32_t tax_rate_of_shipping(const char *country_code);

/* The tax on an amount in minor units. MONEY_OVERFLOW or 0. */
int tax_of(int64_t amount, int32_t rate, int64_t *ret);
