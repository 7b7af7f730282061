/* What shipping costs: zones, weight bands, bands of value, and free from. */
#include "rates.h"
#include "addresses.h"
#include <common/money.h>
#include <string.h>
#include <strings.h>

static bool is_among(const char *text, char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(list[i], text))
			return true;
	return false;
}

static bool begins_so(struct rpc_call *call, const ShippingMethodZone *zone,
		      const char *postal_code)
{
	const char *compact = address_compact(call, postal_code);

	for (size_t i = 0; i < zone->n_postal_code_prefixes; i++) {
		const char *prefix = address_compact(call, zone->postal_code_prefixes[i]);

		if (!strncmp(compact, prefix, strlen(prefix)))
			return true;
	}
	return false;
}

const ShippingMethodZone *rates_zone(struct rpc_call *call, const ShippingMethod *method,
				     const Address *address)
{
	for (size_t i = 0; i < method->n_zones; i++) {
		const ShippingMethodZone *zone = method->zones[i];

		if (!is_among(address->country_code, (char *const *)zone->country_codes,
			      zone->n_country_codes))
			continue;
		if (zone->n_regions &&
		    !is_among(address->region, (char *const *)zone->regions, zone->n_regions))
			continue;
		if (zone->n_postal_code_prefixes && !begins_so(call, zone, address->postal_code))
			continue;
		return zone;
	}
	return NULL;
}

/* Amounts were checked when the method was stored; one that is not there is `none`. */
static int64_t minor_of(const Money *money, int64_t none)
{
	int64_t minor;

	return money && !money_minor(money, &minor) ? minor : none;
}

const ShippingMethodRate *rates_find(const ShippingMethod *method, const ShippingMethodZone *zone,
				     const struct rate_goods *goods)
{
	for (size_t i = 0; i < method->n_rates; i++) {
		const ShippingMethodRate *rate = method->rates[i];

		if (strcmp(rate->zone, zone->zone) || !rate->price ||
		    strcmp(rate->price->currency_code, goods->currency_code))
			continue;
		if (goods->weight_grams < rate->min_weight_grams ||
		    (rate->max_weight_grams && goods->weight_grams >= rate->max_weight_grams))
			continue;
		if (goods->subtotal < minor_of(rate->min_subtotal, 0) ||
		    goods->subtotal >= minor_of(rate->max_subtotal, INT64_MAX))
			continue;
		return rate;
	}
	return NULL;
}

int64_t rates_price(const ShippingMethodRate *rate, const struct rate_goods *goods)
{
	return goods->subtotal >= minor_of(rate->free_from, INT64_MAX) ? 0
								       : minor_of(rate->price, 0);
}

/* --- whether they make sense --- */

static const ShippingMethodZone *zone_named(const ShippingMethod *method, const char *name)
{
	for (size_t i = 0; i < method->n_zones; i++)
		if (!strcmp(method->zones[i]->zone, name))
			return method->zones[i];
	return NULL;
}

static const char *amount_problem(struct rpc_call *call, const ShippingMethodRate *rate,
				  const Money *money, const char *field)
{
	int64_t minor;
	int r;

	if (!money)
		return NULL;
	if (strcmp(money->currency_code, rate->price->currency_code))
		return rpc_printf(call, "its %s is in another currency than its price", field);
	r = money_minor(money, &minor);
	if (r)
		return rpc_printf(call, "its %s is no amount: %s", field,
				  money_problem(call, r, money));
	return minor < 0 ? rpc_printf(call, "its %s is below 0", field) : NULL;
}

static const char *rate_problem(struct rpc_call *call, const ShippingMethod *method,
				const ShippingMethodRate *rate)
{
	const char *problem = NULL;

	if (!zone_named(method, rate->zone))
		return "its zone is none of the method's";
	if (!rate->price)
		return "it has no price";
	problem = amount_problem(call, rate, rate->price, "price");
	if (!problem)
		problem = amount_problem(call, rate, rate->min_subtotal, "min_subtotal");
	if (!problem)
		problem = amount_problem(call, rate, rate->max_subtotal, "max_subtotal");
	if (!problem)
		problem = amount_problem(call, rate, rate->free_from, "free_from");
	if (problem)
		return problem;
	if (rate->max_weight_grams && rate->min_weight_grams >= rate->max_weight_grams)
		return "no weight is within its bounds";
	if (minor_of(rate->min_subtotal, 0) >= minor_of(rate->max_subtotal, INT64_MAX))
		return "no value is within its bounds";
	return NULL;
}

int rates_check(struct rpc_call *call, const ShippingMethod *method)
{
	for (size_t i = 0; i < method->n_zones; i++) {
		const ShippingMethodZone *zone = method->zones[i];

		if (zone->max_days < zone->min_days)
			rpc_violate(call,
				    rpc_printf(call, "shipping_method.zones[%zu].max_days", i),
				    "must not be less than min_days");
		if (zone_named(method, zone->zone) != zone)
			rpc_violate(call, rpc_printf(call, "shipping_method.zones[%zu].zone", i),
				    "stands in the method twice");
	}
	for (size_t i = 0; i < method->n_rates; i++) {
		const char *problem = rate_problem(call, method, method->rates[i]);

		if (problem)
			return rpc_fail(call, RATE_INVALID, { "rate", rpc_printf(call, "%zu", i) },
					{ "problem", problem });
	}
	return rpc_violations(call);
}
