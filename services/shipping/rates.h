/* What shipping costs, and when it arrives. */
#pragma once

#include "address.msg.h"
#include "shipping.msg.h"
#include "shipping_quote.msg.h"
#include <crpc/service.h>

struct rate_goods {
	int32_t weight_grams;
	const char *currency_code;
	int64_t subtotal; /* in minor units, discounts taken off */
};

/* The first zone that the normalised address is in; NULL. */
const ShippingMethodZone *rates_zone(struct rpc_call *call, const ShippingMethod *method,
				     const Address *address);
/* The first rate of the zone that fits; NULL. */
const ShippingMethodRate *rates_find(const ShippingMethod *method, const ShippingMethodZone *zone,
				     const struct rate_goods *goods);
/* The price in minor units. */
int64_t rates_price(const ShippingMethodRate *rate, const struct rate_goods *goods);

/* RATE_INVALID, or INVALID_ARGUMENT that names a zone's field, unless the method's zones and rates
 * make sense. */
int rates_check(struct rpc_call *call, const ShippingMethod *method);

/*
 * When a parcel arrives that is paid for now. Working days are Monday to Friday but for holidays,
 * in the warehouse's time zone. From the cut-off on, and on days that are none, today counts as the
 * next working day.
 */
DeliveryPromise *calendar_promise(struct rpc_call *call, const ShippingMethod *method,
				  const ShippingMethodZone *zone);
/* Options: SOUK_WAREHOUSE_TIME_ZONE, SOUK_WAREHOUSE_HOLIDAYS. */
extern const struct service_module warehouse_module;
/* For tests, instead of the option. NULL, or what is wrong with the list. */
const char *calendar_set_holidays(const char *list);
