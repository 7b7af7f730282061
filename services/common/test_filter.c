/* Filters of lists, as queries. */
#include "errors.msg.h"
#include "orders.msg.h"
#include "test.h"
#include <common/bson.h>
#include <common/filter.h>
#include <string.h>

static struct rpc_call *call;
static const struct filter_field fields[] = {
	{ "state", "order.state", FILTER_ENUM, &OrderState_descriptor },
	{ "number", "order.number", FILTER_TEXT },
	{ "create_time", "order.create_time", FILTER_TIME },
	{ "quantity", "quantity", FILTER_NUMBER },
	{ "price", "prices.EUR", FILTER_AMOUNT, .digits = 2 },
	{ "rating", "rating", FILTER_FRACTION },
	{ "options.", "options", FILTER_FACT },
	{},
};

static void setup(void)
{
	call = rpc_call_new("test", 1000);
}

static void teardown(void)
{
	call = rpc_call_free(call);
}

static const struct {
	const char *text, *query;
} good[] = {
	{ "", "{ }" },
	{ "state = CONFIRMED", "{ \"order.state\" : { \"$eq\" : \"CONFIRMED\" } }" },
	{ "number=\"a \\\"b\\\" c\"", "{ \"order.number\" : { \"$eq\" : \"a \\\"b\\\" c\" } }" },
	{ "quantity >= 3 AND quantity < 9", "{ \"quantity\" : { \"$gte\" : { \"$numberLong\" : "
					    "\"3\" }, \"$lt\" : { \"$numberLong\" : \"9\" } } }" },
	{ "price < 12.5 AND rating > 4.5",
	  "{ \"prices.EUR\" : { \"$lt\" : { \"$numberLong\" : \"1250\" } }, \"rating\" : { \"$gt\" "
	  ": { \"$numberDouble\" : \"4.5\" } } }" },
	{ "options.colour = red AND options.$where = x",
	  "{ \"options.colour\" : { \"$eq\" : \"red\" }, \"options.%24where\" : { \"$eq\" : \"x\" "
	  "} }" },
	{ " create_time > \"1970-01-01T00:00:01.5Z\" ",
	  "{ \"order.create_time\" : { \"$gt\" : { \"$date\" : { \"$numberLong\" : \"1500\" } } } "
	  "}" },
	{ "create_time <= 1970-01-01T01:00:00+01:00",
	  "{ \"order.create_time\" : { \"$lte\" : { \"$date\" : { \"$numberLong\" : \"0\" } } } "
	  "}" },
};

TEST_EACH(comparisons_become_conditions, good)
{
	cleanup(bson_freep) bson_t *query = bson_new();
	char *json;

	ck_assert_int_eq(filter_read(call, row->text, fields, query), 0);
	json = bson_as_canonical_extended_json(query, NULL);
	ck_assert_str_eq(json, row->query);
	bson_free(json);
}

static const struct {
	const char *text, *problem;
} bad[] = {
	{ "colour = red", "'colour' is no field" },
	{ "price = ten", "'price' is a number" },
	{ "options. = red", "'options.' is no field" },
	{ "state CONFIRMED", "after a field comes" },
	{ "state = NOWHERE", "is no value of state" },
	{ "state > CONFIRMED", "= and != only" },
	{ "number = \"open", "not closed" },
	{ "number =", "value is missing" },
	{ "state = CONFIRMED OR state = PAYING", "joined by AND" },
	{ "state = CONFIRMED AND", "joined by AND" },
	{ "state = CONFIRMED AND ", "after AND" },
	{ "state != PAYING AND state != EXPIRED", "twice alike" },
	{ "create_time > yesterday", "a time is written" },
	{ "create_time > 1970-01-01T01:00:00", "a time is written" },
	{ "quantity = 3x", "whole number" },
	{ "quantity = 99999999999999999999", "whole number" },
	{ "= 3", "name is missing" },
};

TEST_EACH(what_is_wrong_is_said, bad)
{
	cleanup(bson_freep) bson_t *query = bson_new();

	ck_assert_int_eq(filter_read(call, row->text, fields, query), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, FILTER_INVALID));
	ck_assert_msg(strstr(rpc_error_message(call), row->problem) != NULL, "%s",
		      rpc_error_message(call));
}

TEST_MAIN("filter", setup, teardown)
