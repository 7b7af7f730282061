/* Quotes: by which methods goods can be sent somewhere, at which price; and addresses. */
#include "addresses.h"
#include "rates.h"
#include "shipping_store.h"
#include <common/clock.h>
#include <common/money.h>
#include <common/names.h>
#include <stdlib.h>
#include <string.h>

/*
 * First-fit fills all parcels but one by more than half, so this many greatest weights never need
 * more than SHIPPING_PARCELS_MAX: what is quoted can be shipped.
 */
enum { WEIGHTS_MAX = SHIPPING_PARCELS_MAX / 2 };

struct priced {
	ShippingOption *option;
	int64_t price;
	int32_t position;
};

static int cheapest_first(const void *a, const void *b)
{
	const struct priced *left = a, *right = b;

	if (left->price != right->price)
		return left->price < right->price ? -1 : 1;
	if (left->position != right->position)
		return left->position < right->position ? -1 : 1;
	return strcmp(left->option->name, right->option->name);
}

static bool is_light_enough(const ShippingMethod *method, const struct rate_goods *goods)
{
	int64_t most =
		method->max_parcel_grams ? method->max_parcel_grams : SHIPPING_PARCEL_GRAMS_DEFAULT;

	return goods->weight_grams <= most * WEIGHTS_MAX;
}

static bool price(struct shipping_service *self, struct rpc_call *call,
		  const ShippingMethod *method, const Address *address,
		  const struct rate_goods *goods, struct priced *ret)
{
	const ShippingMethodZone *zone = rates_zone(call, method, address);
	const ShippingMethodRate *rate = zone ? rates_find(method, zone, goods) : NULL;
	int64_t amount;

	if (!rate || !is_light_enough(method, goods))
		return false;
	amount = rates_price(rate, goods);
	*ret = (struct priced){
		.option = rpc_new(call, ShippingOption, .name = method->name,
				  .display_name = method->display_name,
				  .price = money_new(call, goods->currency_code, amount),
				  .carrier = method->carrier,
				  .promise = calendar_promise(call, method, zone),
				  .free_from = rate->free_from),
		.price = amount,
		.position = method->position,
	};
	return true;
}

static int addressee(struct rpc_call *call, const Address *from, Address **ret)
{
	struct address_problem problems[ADDRESS_PROBLEMS_MAX];
	size_t n;
	Address *address = address_normalise(call, from, problems, &n);

	if (n)
		return rpc_fail(call, SHIPPING_ADDRESS_INVALID, { "field", problems[0].field },
				{ "problem", problems[0].problem });
	*ret = address;
	return 0;
}

int shipping_quote_rates(struct shipping_service *self, struct rpc_call *call,
			 const QuoteRatesRequest *req, ShippingQuote **ret)
{
	struct rate_goods goods = { .weight_grams = req->weight_grams,
				    .currency_code = req->subtotal->currency_code };
	ShippingQuote *quote = rpc_new(call, ShippingQuote);
	const char *only = name_id(req->shipping_method);
	ListShippingMethodsResponse *offered;
	struct priced *priced;
	size_t n = 0;
	Address *address;
	int r;

	r = money_check(call, "subtotal", req->subtotal, 0, &goods.subtotal);
	if (!r)
		r = addressee(call, req->address, &address);
	if (!r)
		r = methods_offered(call, &offered);
	if (r)
		return r;
	priced = rpc_alloc(call, (offered->n_shipping_methods + 1) * sizeof(*priced));
	list_shipping_methods_response_each_shipping_methods(
		method, offered) if ((!*only || !strcmp(name_id(method->name), only)) &&
				     price(self, call, method, address, &goods, &priced[n])) n++;
	qsort(priced, n, sizeof(*priced), cheapest_first);
	for (size_t i = 0; i < n; i++)
		shipping_quote_add_methods(call, quote, priced[i].option);
	quote->expire_time = clock_timestamp(call, rpc_now_ms(call) + self->quote_ms);
	*ret = quote;
	return 0;
}
