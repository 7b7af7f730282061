/* Zones, rates, promises and parcels. */
#include "consignment.h"
#include "rates.h"
#include <common/money.h>
#include <string.h>
#include <test.h>

static struct rpc_call *call;
static ShippingMethod *method;

static Money *eur(int64_t cents)
{
	return money_new(call, "EUR", cents);
}

static ShippingMethodZone *zone(const char *name, const char *countries)
{
	ShippingMethodZone *made =
		rpc_new(call, ShippingMethodZone, .zone = name, .min_days = 1, .max_days = 3);

	for (; *countries; countries += 2)
		shipping_method_zone_add_country_codes(call, made,
						       rpc_printf(call, "%.2s", countries));
	shipping_method_add_zones(call, method, made);
	return made;
}

static ShippingMethodRate *rate(const char *of, int64_t cents)
{
	ShippingMethodRate *made =
		rpc_new(call, ShippingMethodRate, .zone = of, .price = eur(cents));

	shipping_method_add_rates(call, method, made);
	return made;
}

static void setup(void)
{
	call = test_call();
	method = rpc_new(call, ShippingMethod);
	ck_assert_ptr_null(calendar_set_holidays(""));
}

static const char *zone_of(const char *country, const char *region, const char *postal_code)
{
	const ShippingMethodZone *found =
		rates_zone(call, method,
			   rpc_new(call, Address, .country_code = country, .region = region,
				   .postal_code = postal_code));

	return found ? found->zone : "none";
}

TEST(the_first_zone_that_fits_counts)
{
	ShippingMethodZone *islands = zone("islands", "GB"), *west = zone("west", "US");

	shipping_method_zone_add_postal_code_prefixes(call, islands, "HS");
	shipping_method_zone_add_postal_code_prefixes(call, islands, "ze 1");
	shipping_method_zone_add_regions(call, west, "CA");
	zone("home", "GBDE");
	ck_assert_str_eq(zone_of("GB", "", "HS1 2AA"), "islands");
	ck_assert_str_eq(zone_of("GB", "", "ZE1 0AA"), "islands");
	ck_assert_str_eq(zone_of("GB", "", "SW1A 1AA"), "home");
	ck_assert_str_eq(zone_of("DE", "", "12047"), "home");
	ck_assert_str_eq(zone_of("US", "CA", "94103"), "west");
	ck_assert_str_eq(zone_of("US", "NY", "10001"), "none");
	ck_assert_str_eq(zone_of("FR", "", "75001"), "none");
}

static int64_t price_of(int32_t grams, int64_t cents, const char *currency)
{
	const struct rate_goods goods = { grams, currency, cents };
	const ShippingMethodRate *found = rates_find(method, method->zones[0], &goods);

	return found ? rates_price(found, &goods) : -1;
}

TEST(a_rate_is_chosen_by_weight_value_and_currency)
{
	ShippingMethodRate *light, *heavy, *dear;

	zone("home", "DE");
	rate("elsewhere", 1);
	dear = rate("home", 100);
	dear->min_subtotal = eur(20000);
	light = rate("home", 490);
	light->max_weight_grams = 2000;
	light->free_from = eur(5000);
	heavy = rate("home", 990);
	heavy->min_weight_grams = 2000;
	heavy->max_weight_grams = 10000;
	heavy->max_subtotal = eur(20000);
	ck_assert_int_eq(price_of(0, 1000, "EUR"), 490);
	ck_assert_int_eq(price_of(1999, 4999, "EUR"), 490);
	ck_assert_int_eq(price_of(1999, 5000, "EUR"), 0);
	ck_assert_int_eq(price_of(2000, 5000, "EUR"), 990);
	ck_assert_int_eq(price_of(9999, 19999, "EUR"), 990);
	ck_assert_int_eq(price_of(9999, 20000, "EUR"), 100);
	ck_assert_int_eq(price_of(10000, 100, "EUR"), -1);
	ck_assert_int_eq(price_of(100, 100, "USD"), -1);
}

static void refused(const char *problem)
{
	ck_assert_int_ne(rates_check(call, method), 0);
	ck_assert(rpc_failed_with(call, RATE_INVALID));
	ck_assert_str_eq(rpc_error_meta(call, "rate"), "0");
	ck_assert_msg(strstr(rpc_error_meta(call, "problem"), problem), "%s",
		      rpc_error_meta(call, "problem"));
	rpc_error_clear(call);
}

TEST(a_rate_that_cannot_be_right_is_refused)
{
	ShippingMethodRate *only;

	zone("home", "DE");
	only = rate("away", 490);
	refused("zone");
	only->zone = "home";
	ck_assert_int_eq(rates_check(call, method), 0);
	only->free_from = money_new(call, "USD", 5000);
	refused("free_from is in another currency");
	only->free_from = NULL;
	only->price = rpc_new(call, Money, .currency_code = "EUR", .units = -1);
	refused("below 0");
	only->price = rpc_new(call, Money, .currency_code = "EUR", .nanos = 1);
	refused("price is no amount");
	only->price = eur(490);
	only->min_weight_grams = only->max_weight_grams = 100;
	refused("weight");
	only->min_weight_grams = 0;
	only->min_subtotal = only->max_subtotal = eur(100);
	refused("value");
}

TEST(a_zone_with_its_days_the_wrong_way_round_is_refused)
{
	zone("home", "DE")->min_days = 5;
	ck_assert_int_eq(rates_check(call, method), RPC_INVALID_ARGUMENT);
}

/* Friday, 4 December 2026, 13:00 UTC. */
#define FRIDAY 1796389200000LL
#define HOUR (3600 * 1000LL)

static const struct promise {
	int64_t now;
	int32_t handling, cutoff, min, max;
	const char *earliest, *latest;
} promises[] = {
	{ FRIDAY, 0, 14, 0, 1, "2026-12-04", "2026-12-07" },
	{ FRIDAY, 0, 13, 0, 1, "2026-12-07",
	  "2026-12-09" }, /* past the cut-off; Tuesday is a holiday */
	{ FRIDAY, 0, 24, 0, 1, "2026-12-04", "2026-12-07" },
	{ FRIDAY, 0, 0, 0, 1, "2026-12-04", "2026-12-07" }, /* none is 24 */
	{ FRIDAY, 1, 14, 1, 3, "2026-12-09", "2026-12-11" },
	{ FRIDAY + 24 * HOUR, 0, 14, 0, 1, "2026-12-07",
	  "2026-12-09" }, /* Saturday counts as Monday */
	{ FRIDAY + 25 * HOUR, 0, 14, 0, 1, "2026-12-07", "2026-12-09" }, /* after the cut-off too */
	{ FRIDAY, 0, 14, 10, 20, "2026-12-21", "2027-01-06" }, /* Christmas and New Year */
};

TEST_EACH(days_are_counted_when_people_work, promises)
{
	DeliveryPromise *promise;
	ShippingMethodZone *home = zone("home", "DE");

	ck_assert_ptr_null(calendar_set_holidays("01-01,12-25,2026-12-08"));
	rpc_call_set_now(call, row->now);
	method->handling_days = row->handling;
	method->cutoff_hour = row->cutoff;
	home->min_days = row->min;
	home->max_days = row->max;
	promise = calendar_promise(call, method, home);
	ck_assert_int_eq(promise->min_days, row->handling + row->min);
	ck_assert_int_eq(promise->max_days, row->handling + row->max);
	ck_assert_str_eq(promise->earliest_date, row->earliest);
	ck_assert_str_eq(promise->latest_date, row->latest);
}

TEST(holidays_that_are_none_are_refused)
{
	ck_assert_ptr_nonnull(calendar_set_holidays("Christmas"));
	ck_assert_ptr_nonnull(calendar_set_holidays("13-01"));
	ck_assert_ptr_nonnull(calendar_set_holidays("12-25;12-26"));
	ck_assert_ptr_null(calendar_set_holidays("12-25,2026-12-26"));
}

/*
 * Parcels
 */

static void add(CreateShipmentsRequest *request, const char *sku, int32_t quantity, int32_t grams)
{
	create_shipments_request_add_lines(
		call, request,
		rpc_new(call, CreateShipmentsRequestLine, .sku = sku, .quantity = quantity,
			.line = rpc_printf(call, "orders/o/lines/%s", sku), .weight_grams = grams));
}

/* All units are in, none twice, and no parcel is too heavy unless it holds one unit alone. */
static void check(const CreateShipmentsRequest *request, const ConsignmentRecord *record,
		  int32_t max)
{
	for (size_t i = 0; i < request->n_lines; i++) {
		int32_t sum = 0;

		for (size_t j = 0; j < record->n_shipments; j++)
			for (size_t k = 0; k < record->shipments[j]->n_lines; k++)
				if (!strcmp(record->shipments[j]->lines[k]->line,
					    request->lines[i]->line))
					sum += record->shipments[j]->lines[k]->quantity;
		ck_assert_int_eq(sum, request->lines[i]->quantity);
	}
	for (size_t j = 0; j < record->n_shipments; j++) {
		const Shipment *parcel = record->shipments[j];

		ck_assert(parcel->weight_grams <= max ||
			  (parcel->n_lines == 1 && parcel->lines[0]->quantity == 1));
		ck_assert_uint_eq(record->parcel_details[j]->n_unit_grams, parcel->n_lines);
	}
}

TEST(goods_are_split_by_weight)
{
	CreateShipmentsRequest *request =
		rpc_new(call, CreateShipmentsRequest, .order = "orders/o");
	ConsignmentRecord *record = rpc_new(call, ConsignmentRecord, .id = "o");

	add(request, "FEATHER", 99, 0);
	add(request, "CUP", 10, 300);
	add(request, "LAMP", 3, 4000);
	add(request, "ANVIL", 1, 50000);
	ck_assert_int_eq(parcels_split(call, request, 10000, record), 0);
	check(request, record, 10000);
	/* The anvil alone, two lamps and some cups, one lamp and the rest. */
	ck_assert_uint_eq(record->n_shipments, 3);
	ck_assert_str_eq(record->shipments[0]->name, "shipments/o-1");
	ck_assert_str_eq(record->shipments[0]->lines[0]->sku, "ANVIL");
}

TEST(what_needs_too_many_parcels_is_refused)
{
	CreateShipmentsRequest *request =
		rpc_new(call, CreateShipmentsRequest, .order = "orders/o");
	ConsignmentRecord *record = rpc_new(call, ConsignmentRecord, .id = "o");

	add(request, "ANVIL", 21, 6000);
	ck_assert_int_ne(parcels_split(call, request, 10000, record), 0);
	ck_assert(rpc_failed_with(call, TOO_MANY_PARCELS));
}

/* What is quoted can be shipped: ten greatest weights, whatever the goods. */
TEST(ten_greatest_weights_never_need_too_many_parcels)
{
	for (int32_t grams = 100; grams <= 10000; grams += 37) {
		CreateShipmentsRequest *request =
			rpc_new(call, CreateShipmentsRequest, .order = "orders/o");
		ConsignmentRecord *record = rpc_new(call, ConsignmentRecord, .id = "o");
		int32_t left = 100000;

		for (int i = 0; left >= grams && i < 100; i++) {
			int32_t units = left / grams < 99 ? left / grams : 99;

			add(request, rpc_printf(call, "S%d", i), units, grams);
			left -= units * grams;
		}
		ck_assert_int_eq(parcels_split(call, request, 10000, record), 0);
		check(request, record, 10000);
	}
}

TEST_MAIN("rates", setup, NULL)
