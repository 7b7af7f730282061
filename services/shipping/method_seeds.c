/* The methods that a shop begins with. Staff change them; what they changed or deleted is not
 * touched again. */
#include "shipping_store.h"
#include <common/clock.h>
#include <common/money.h>
#include <common/names.h>
#include <stdatomic.h>
#include <string.h>

#define EU "AT BE BG CY CZ DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
#define EUROPE "GB CH NO LI IS MC SM VA AD"
#define AMERICA "US CA"
#define PACIFIC "AU NZ JP SG KR HK"

/* Amounts in euro and US dollar cents, the same figures for both but for rounding by hand. */
struct seed_rate {
	const char *zone;
	int32_t min_grams, max_grams;
	int32_t eur, usd;
	int32_t below_eur, below_usd; /* only below this value of goods; 0: any */
	int32_t free_eur, free_usd;   /* free from; 0: never */
};

struct seed_zone {
	const char *zone, *countries;
	int32_t min_days, max_days;
};

static const struct seed {
	const char *id, *display_name, *description, *carrier_service;
	int32_t handling_days, cutoff_hour, max_parcel_grams, position;
	struct seed_zone zones[6];
	struct seed_rate rates[16];
} seeds[] = {
	{
		"economy",
		"Economy",
		"For small things that can wait: up to 1 kg, tracked.",
		"economy",
		1,
		12,
		1000,
		20,
		{ { "de", "DE", 2, 4 }, { "eu", EU, 4, 8 } },
		{ { "de", 0, 1001, 290, 320, 5000, 5500 },
		  { "eu", 0, 1001, 590, 640, 5000, 5500 } },
	},
	{
		"standard",
		"Standard",
		"Tracked from door to door.",
		"standard",
		1,
		14,
		30000,
		10,
		{ { "de", "DE", 1, 3 },
		  { "eu", EU, 2, 5 },
		  { "europe", EUROPE, 3, 7 },
		  { "america", AMERICA, 5, 10 },
		  { "pacific", PACIFIC, 6, 12 } },
		{ { "de", 0, 10000, 490, 540, 0, 0, 5000, 5500 },
		  { "de", 10000, 0, 990, 1090 },
		  { "eu", 0, 2000, 890, 970, 0, 0, 15000, 16500 },
		  { "eu", 2000, 10000, 1290, 1390, 0, 0, 15000, 16500 },
		  { "eu", 10000, 0, 1990, 2190 },
		  { "europe", 0, 2000, 1490, 1590 },
		  { "europe", 2000, 10000, 2490, 2690 },
		  { "europe", 10000, 0, 3990, 4290 },
		  { "america", 0, 2000, 1990, 2190 },
		  { "america", 2000, 10000, 4490, 4890 },
		  { "america", 10000, 0, 8990, 9790 },
		  { "pacific", 0, 2000, 2490, 2690 },
		  { "pacific", 2000, 10000, 5490, 5990 },
		  { "pacific", 10000, 0, 10990, 11990 } },
	},
	{
		"express",
		"Express",
		"Handed over the same day when ordered by 15:00.",
		"express",
		0,
		15,
		30000,
		30,
		{ { "de", "DE", 1, 1 },
		  { "eu", EU, 1, 2 },
		  { "europe", EUROPE, 2, 3 },
		  { "america", AMERICA, 2, 4 } },
		{ { "de", 0, 10000, 1290, 1390 },
		  { "de", 10000, 0, 2490, 2690 },
		  { "eu", 0, 10000, 2490, 2690 },
		  { "eu", 10000, 0, 4990, 5390 },
		  { "europe", 0, 10000, 3490, 3790 },
		  { "europe", 10000, 0, 6990, 7590 },
		  { "america", 0, 10000, 5990, 6490 } },
	},
};

static Money *amount(struct rpc_call *call, const char *currency, int32_t minor)
{
	return minor ? money_new(call, currency, minor) : NULL;
}

static void add_rate(struct rpc_call *call, ShippingMethod *method, const struct seed_rate *seed,
		     bool usd)
{
	const char *currency = usd ? "USD" : "EUR";

	shipping_method_add_rates(
		call, method,
		rpc_new(call, ShippingMethodRate, .zone = seed->zone,
			.price = amount(call, currency, usd ? seed->usd : seed->eur),
			.min_weight_grams = seed->min_grams, .max_weight_grams = seed->max_grams,
			.max_subtotal =
				amount(call, currency, usd ? seed->below_usd : seed->below_eur),
			.free_from =
				amount(call, currency, usd ? seed->free_usd : seed->free_eur)));
}

static void add_zone(struct rpc_call *call, ShippingMethod *method, const struct seed_zone *seed)
{
	ShippingMethodZone *zone = rpc_new(call, ShippingMethodZone, .zone = seed->zone,
					   .min_days = seed->min_days, .max_days = seed->max_days);

	for (const char *at = seed->countries; *at; at += 2 + (at[2] == ' '))
		shipping_method_zone_add_country_codes(call, zone, rpc_printf(call, "%.2s", at));
	shipping_method_add_zones(call, method, zone);
}

static int plant(struct rpc_call *call, const struct seed *seed)
{
	ShippingMethod *method = rpc_new(
		call, ShippingMethod, .name = name_of(call, "shippingMethods", seed->id),
		.display_name = seed->display_name, .description = seed->description,
		.carrier = "sandbox", .carrier_service = seed->carrier_service, .active = true,
		.handling_days = seed->handling_days, .cutoff_hour = seed->cutoff_hour,
		.max_parcel_grams = seed->max_parcel_grams, .position = seed->position,
		.create_time = clock_now(call), .update_time = clock_now(call));
	int r;

	for (const struct seed_zone *zone = seed->zones; zone->zone; zone++)
		add_zone(call, method, zone);
	for (const struct seed_rate *rate = seed->rates; rate->zone; rate++) {
		add_rate(call, method, rate, false);
		add_rate(call, method, rate, true);
	}
	r = method_insert(call,
			  rpc_new(call, ShippingMethodRecord, .id = seed->id,
				  .shipping_method = method, .schema_version = 1),
			  NULL);
	return r == MONGO_DUPLICATE ? 0 : r;
}

int methods_seed(struct rpc_call *call)
{
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(seeds) / sizeof(*seeds); i++)
		r = plant(call, &seeds[i]);
	return r;
}

static int seed(void *data, struct rpc_call *call)
{
	return methods_seed(call);
}

/* The database may come later than we do. */
static bool ready(const char **why)
{
	static atomic_bool done;

	if (!done) {
		cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("shipping.seed", 4000);

		done = !rpc_call_run(call, seed, NULL);
	}
	*why = "the methods of shipping are not stored yet";
	return done;
}

const struct service_module methods_module = { .name = "methods", .ready = ready };
