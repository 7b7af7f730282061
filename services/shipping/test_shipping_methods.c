/* Methods and quotes against the real server. */
#include "test_shipping.h"
#include <common/money.h>

static ShippingQuote *quote(const char *country, const char *postal_code, int32_t grams,
			    const char *currency, int64_t cents)
{
	Address *address = berlin();
	ShippingQuote *quoted;
	int r;

	address->country_code = country;
	address->postal_code = postal_code;
	r = shipping_client_quote_rates(client, call,
					MSG(QuoteRatesRequest, .address = address,
					    .weight_grams = grams,
					    .subtotal = money_new(call, currency, cents)),
					&quoted);
	ck_assert_msg(!r, "%s", rpc_error_message(call));
	return quoted;
}

/* "economy 2.90 standard 4.90" */
static const char *offers(const ShippingQuote *of)
{
	const char *text = "";

	for (size_t i = 0; i < of->n_methods; i++)
		text = rpc_printf(call, "%s%s%s %s", text, *text ? ", " : "",
				  of->methods[i]->name + strlen("shippingMethods/"),
				  money_print(call, of->methods[i]->price));
	return text;
}

TEST(the_seeded_methods_are_offered_the_cheapest_first)
{
	ck_assert_str_eq(offers(quote("DE", "12047", 500, "EUR", 1000)),
			 "economy EUR 2.90, standard EUR 4.90, express EUR 12.90");
	ck_assert_str_eq(offers(quote("DE", "12047", 5000, "EUR", 1000)),
			 "standard EUR 4.90, express EUR 12.90");
	ck_assert_str_eq(offers(quote("DE", "12047", 5000, "EUR", 5000)),
			 "standard EUR 0.00, express EUR 12.90");
	ck_assert_str_eq(offers(quote("FR", "75001", 5000, "USD", 1000)),
			 "standard USD 13.90, express USD 26.90");
	ck_assert_str_eq(offers(quote("KE", "00100", 500, "EUR", 1000)), "");
	ck_assert_str_eq(offers(quote("DE", "12047", 500, "JPY", 1000)), "");
	/* More than can be shipped in parcels of 30 kg. */
	ck_assert_str_eq(offers(quote("DE", "12047", 300001, "EUR", 1000)), "");
}

TEST(a_quote_says_what_would_make_it_free_and_how_long_it_holds)
{
	ShippingQuote *quoted = quote("DE", "12047", 5000, "EUR", 1000);

	ck_assert_str_eq(money_print(call, quoted->methods[0]->free_from), "EUR 50.00");
	ck_assert_ptr_null(quoted->methods[1]->free_from);
	ck_assert_int_eq(clock_ms(quoted->expire_time), now_ms + 60000);
	ck_assert_int_eq(quoted->methods[0]->promise->min_days, 2);
	ck_assert_str_eq(quoted->methods[0]->carrier, "sandbox");
}

TEST(an_address_that_is_none_is_refused)
{
	Address *address = berlin();
	ShippingQuote *none;

	address->postal_code = "1204";
	ck_assert_int_eq(shipping_client_quote_rates(client, call,
						     MSG(QuoteRatesRequest, .address = address,
							 .subtotal = money_new(call, "EUR", 100)),
						     &none),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, SHIPPING_ADDRESS_INVALID));
	ck_assert_str_eq(rpc_error_meta(call, "field"), "postalCode");
}

TEST(an_address_is_checked_without_an_error)
{
	ValidateAddressResponse *checked;
	Address *address = berlin();

	address->postal_code = "1204";
	ck_assert_int_eq(
		shipping_client_validate_address(
			client, call, MSG(ValidateAddressRequest, .address = address), &checked),
		0);
	ck_assert(!checked->valid);
	ck_assert_str_eq(checked->problems[0]->description,
			 "'postalCode' is not a postal code of DE, such as 12047.");
}

static ShippingMethod *by_balloon(void)
{
	ShippingMethod *method =
		rpc_new(call, ShippingMethod, .display_name = "Balloon", .carrier = "sandbox",
			.carrier_service = "balloon", .active = true, .position = 1);
	ShippingMethodZone *zone =
		rpc_new(call, ShippingMethodZone, .zone = "home", .min_days = 1, .max_days = 9);

	shipping_method_zone_add_country_codes(call, zone, "DE");
	shipping_method_add_zones(call, method, zone);
	shipping_method_add_rates(call, method,
				  rpc_new(call, ShippingMethodRate, .zone = "home",
					  .price = money_new(call, "EUR", 100)));
	return method;
}

static int create(ShippingMethod *method, const char *request_id, ShippingMethod **ret)
{
	return shipping_client_create_shipping_method(
		client, call,
		MSG(CreateShippingMethodRequest, .shipping_method = method,
		    .shipping_method_id = "balloon", .request_id = request_id),
		ret);
}

TEST(staff_make_change_and_delete_methods)
{
	ShippingMethod *made, *method = by_balloon();
	Empty *none;

	ck_assert_int_eq(create(method, "r1", &made), 0);
	ck_assert_str_eq(made->name, "shippingMethods/balloon");
	ck_assert_int_eq(create(method, "r1", &made), 0);
	ck_assert_int_eq(create(method, "r2", &made), RPC_ALREADY_EXISTS);
	ck_assert_str_eq(offers(quote("DE", "12047", 5000, "EUR", 1000)),
			 "balloon EUR 1.00, standard EUR 4.90, express EUR 12.90");

	method->name = made->name;
	method->etag = made->etag;
	method->rates[0]->price = money_new(call, "EUR", 200);
	ck_assert_int_eq(shipping_client_update_shipping_method(
				 client, call,
				 MSG(UpdateShippingMethodRequest, .shipping_method = method),
				 &made),
			 0);
	ck_assert_int_eq(shipping_client_update_shipping_method(
				 client, call,
				 MSG(UpdateShippingMethodRequest, .shipping_method = method),
				 &made),
			 RPC_ABORTED);
	ck_assert_str_eq(offers(quote("DE", "12047", 5000, "EUR", 1000)),
			 "balloon EUR 2.00, standard EUR 4.90, express EUR 12.90");

	/* Whoever ordered by it still gets their parcel. */
	ck_assert_int_eq(
		shipping_client_delete_shipping_method(
			client, call, MSG(DeleteShippingMethodRequest, .name = "balloon"), &none),
		0);
	ck_assert_int_eq(
		shipping_client_delete_shipping_method(
			client, call, MSG(DeleteShippingMethodRequest, .name = "balloon"), &none),
		0);
	ck_assert_int_eq(
		shipping_client_get_shipping_method(
			client, call, MSG(GetShippingMethodRequest, .name = "balloon"), &made),
		RPC_NOT_FOUND);
	ck_assert_str_eq(offers(quote("DE", "12047", 5000, "EUR", 1000)),
			 "standard EUR 4.90, express EUR 12.90");
	{
		CreateShipmentsRequest *request = order_of("orders/o", 1, 1);
		CreateShipmentsResponse *shipped;

		request->shipping_method = "shippingMethods/balloon";
		ck_assert_int_eq(shipping_client_create_shipments(client, call, request, &shipped),
				 0);
	}
	method->etag = "";
	ck_assert_int_eq(create(method, "r3", &made), 0);
	ck_assert_str_eq(made->etag, "\"4\"");
}

TEST(seeds_do_not_come_back)
{
	Empty *none;

	ck_assert_int_eq(
		shipping_client_delete_shipping_method(
			client, call, MSG(DeleteShippingMethodRequest, .name = "express"), &none),
		0);
	ck_assert_int_eq(methods_seed(call), 0);
	ck_assert_str_eq(offers(quote("DE", "12047", 5000, "EUR", 1000)), "standard EUR 4.90");
}

TEST(customers_see_what_is_offered_alone)
{
	ShippingMethod *method = by_balloon(), *made;
	ListShippingMethodsResponse *page;
	struct rpc_call *anyone = call_as("", "gateway", "");

	method->active = false;
	ck_assert_int_eq(create(method, "", &made), 0);
	ck_assert_int_eq(
		shipping_client_list_shipping_methods(
			client, anyone, MSG(ListShippingMethodsRequest, .page_size = 2), &page),
		0);
	ck_assert_uint_eq(page->n_shipping_methods, 2);
	ck_assert_str_eq(page->shipping_methods[0]->name, "shippingMethods/standard");
	ck_assert_int_eq(shipping_client_list_shipping_methods(
				 client, anyone,
				 MSG(ListShippingMethodsRequest, .page_size = 2,
				     .page_token = page->next_page_token),
				 &page),
			 0);
	ck_assert_uint_eq(page->n_shipping_methods, 1);
	ck_assert_str_eq(page->next_page_token, "");
	ck_assert_int_eq(shipping_client_list_shipping_methods(
				 client, call, MSG(ListShippingMethodsRequest), &page),
			 0);
	ck_assert_uint_eq(page->n_shipping_methods, 4);
	ck_assert_int_eq(
		shipping_client_get_shipping_method(
			client, anyone, MSG(GetShippingMethodRequest, .name = "balloon"), &made),
		RPC_NOT_FOUND);
	ck_assert_int_eq(create(by_balloon(), "", &made), RPC_ALREADY_EXISTS);
	rpc_call_free(anyone);
}

TEST(a_method_with_a_wrong_rate_or_carrier_is_refused)
{
	ShippingMethod *method = by_balloon(), *none;

	method->rates[0]->zone = "moon";
	ck_assert_int_eq(create(method, "", &none), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, RATE_INVALID));
	method = by_balloon();
	method->carrier = "pigeon";
	ck_assert_int_eq(create(method, "", &none), RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, CARRIER_UNKNOWN));
}

TEST_MAIN("methods", setup, teardown)
