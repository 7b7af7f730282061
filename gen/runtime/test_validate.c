/* Requests against their schema: each rule by rows. */
#include "error_details.msg.h"
#include "status.msg.h"
#include "test_types.msg.h"
#include <crpc/call.h>
#include <crpc/json.h>
#include <string.h>
#include <test.h>

static const struct rpc_json_options options = { 0 };

static void *read_json(const ProtobufCMessageDescriptor *descriptor, const char *text)
{
	struct rpc_json_error error;
	ProtobufCMessage *message = NULL;
	int r = rpc_json_parse(rpc_arena(test_call()), &options, descriptor, text, strlen(text),
			       &message, &error);

	ck_assert_msg(r == 0, "%s: %s: %s", text, error.field, error.message);
	return message;
}

/* "field: description; field: description", as the caller gets it. */
static const char *violations(void)
{
	struct arena *arena = rpc_arena(test_call());
	ProtobufCBinaryData bytes = rpc_error_status(test_call());
	const char *error = NULL, *text = "";
	RpcStatus *status = (RpcStatus *)rpc_unpack(arena, &RpcStatus_descriptor, bytes.data,
						    bytes.len, &error);

	ck_assert_ptr_nonnull(status);
	for (size_t i = 0; i < status->n_details; i++) {
		RpcBadRequest *bad;

		if (!strstr(status->details[i]->type_url, "google.rpc.BadRequest"))
			continue;
		bad = (RpcBadRequest *)rpc_unpack(arena, &RpcBadRequest_descriptor,
						  status->details[i]->value.data,
						  status->details[i]->value.len, &error);
		for (size_t j = 0; j < bad->n_field_violations; j++)
			text = arena_printf(arena, "%s%s%s: %s", text, *text ? "; " : "",
					    bad->field_violations[j]->field,
					    bad->field_violations[j]->description);
	}
	return text;
}

static const char *validate(const ProtobufCMessageDescriptor *descriptor, const char *text)
{
	int r = rpc_validate(test_call(), read_json(descriptor, text));

	if (!r)
		return "";
	ck_assert_int_eq(r, RPC_INVALID_ARGUMENT);
	return violations();
}

/* --- fields with one rule each ---------------------------------------------------------------- */

/* In all of them the REQUIRED color is given. */
static const struct {
	const char *member; /* of Ruled */
	const char *violation;
} ruled[] = {
	{ "\"email\":\"ann@example.com\"", "" },
	{ "\"email\":\"a.b+c_d@mail.example.co\"", "" },
	{ "\"email\":\"\"", "" },
	{ "\"email\":\"ann\"", "email: Must be an e-mail address." },
	{ "\"email\":\"@example.com\"", "email: Must be an e-mail address." },
	{ "\"email\":\"ann@\"", "email: Must be an e-mail address." },
	{ "\"email\":\"ann@example\"", "email: Must be an e-mail address." },
	{ "\"email\":\"ann@example..com\"", "email: Must be an e-mail address." },
	{ "\"email\":\"ann@-example.com\"", "email: Must be an e-mail address." },
	{ "\"email\":\"ann@127.0.0.1\"", "email: Must be an e-mail address." },
	{ "\"email\":\".ann@example.com\"", "email: Must be an e-mail address." },
	{ "\"email\":\"ann.@example.com\"", "email: Must be an e-mail address." },
	{ "\"email\":\"a..n@example.com\"", "email: Must be an e-mail address." },
	{ "\"email\":\"a@b@example.com\"", "email: Must be an e-mail address." },
	{ "\"email\":\"ann@example.com\\r\\nBcc: x@example.com\"",
	  "email: Must be an e-mail address." },
	{ "\"email\":\"ann smith@example.com\"", "email: Must be an e-mail address." },
	{ "\"email\":\"12345678901234567890123456789012345678901234567890123456789012345@example."
	  "com\"",
	  "email: Must be an e-mail address." },
	{ "\"currency\":\"EUR\"", "" },
	{ "\"currency\":\"eur\"", "currency: Must be a currency code of ISO 4217, such as EUR." },
	{ "\"currency\":\"EURO\"", "currency: Must be a currency code of ISO 4217, such as EUR." },
	{ "\"country\":\"DE\"", "" },
	{ "\"country\":\"DEU\"", "country: Must be a country code of ISO 3166-1, such as DE." },
	{ "\"phone\":\"+491701234567\"", "" },
	{ "\"phone\":\"+123456\"", "" },
	{ "\"phone\":\"+12345\"", "phone: Must be a phone number such as +491701234567." },
	{ "\"phone\":\"01701234567\"", "phone: Must be a phone number such as +491701234567." },
	{ "\"phone\":\"+0491701234\"", "phone: Must be a phone number such as +491701234567." },
	{ "\"phone\":\"+1234567890123456\"",
	  "phone: Must be a phone number such as +491701234567." },
	{ "\"phone\":\"+49 170 1234567\"", "phone: Must be a phone number such as +491701234567." },
	{ "\"language\":\"en\"", "" },
	{ "\"language\":\"de-AT\"", "" },
	{ "\"language\":\"zh-Hant-TW\"", "" },
	{ "\"language\":\"e\"", "language: Must be a language tag, such as en or de-AT." },
	{ "\"language\":\"en_US\"", "language: Must be a language tag, such as en or de-AT." },
	{ "\"language\":\"en-\"", "language: Must be a language tag, such as en or de-AT." },
	{ "\"language\":\"en-toolongsubtag\"",
	  "language: Must be a language tag, such as en or de-AT." },
	{ "\"uri\":\"https://example.com/a?b=%20c#d\"", "" },
	{ "\"uri\":\"http://[::1]:8080\"", "" },
	{ "\"uri\":\"ftp://example.com\"", "uri: Must be an http or https URI." },
	{ "\"uri\":\"javascript:alert(1)\"", "uri: Must be an http or https URI." },
	{ "\"uri\":\"https://\"", "uri: Must be an http or https URI." },
	{ "\"uri\":\"https:///path\"", "uri: Must be an http or https URI." },
	{ "\"uri\":\"https://user:secret@example.com\"", "uri: Must be an http or https URI." },
	{ "\"uri\":\"https://example.com/a b\"", "uri: Must be an http or https URI." },
	{ "\"uri\":\"https://example.com/%2\"", "uri: Must be an http or https URI." },
	{ "\"uri\":\"https://example.com/\\\"\"", "uri: Must be an http or https URI." },
	{ "\"id\":\"A-z_0.9~\"", "" },
	{ "\"id\":\"a/b\"", "id: Must be an id: 1 to 128 of A-Z a-z 0-9 - . _ ~" },
	{ "\"id\":\"..\"", "id: Must be an id: 1 to 128 of A-Z a-z 0-9 - . _ ~" },
	{ "\"id\":\"\xc3\xa4\"", "id: Must be an id: 1 to 128 of A-Z a-z 0-9 - . _ ~" },
	{ "\"anything\":\"\\u0001\\u009f\"", "" },
	{ "\"text\":\"tab\\tand\\nnewline \xe2\x82\xac\"", "" },
	{ "\"text\":\"\\u0001\"", "text: Must not hold control characters." },
	{ "\"text\":\"\\r\"", "text: Must not hold control characters." },
	{ "\"text\":\"\\u007f\"", "text: Must not hold control characters." },
	{ "\"text\":\"\\u0085\"", "text: Must not hold control characters." },
	{ "\"text\":\"\\u00a0\"", "" },
	{ "\"number\":0.5", "" },
	{ "\"number\":2", "" },
	{ "\"number\":0", "" },
	{ "\"number\":0.49", "number: Must be from 0.5 to 2." },
	{ "\"number\":2.01", "number: Must be from 0.5 to 2." },
	{ "\"number\":\"NaN\"", "number: Must be from 0.5 to 2." },
	{ "\"number\":\"Infinity\"", "number: Must be from 0.5 to 2." },
	{ "\"optionalNumber\":\"1\"", "" },
	{ "\"optionalNumber\":\"0\"", "optional_number: Must be at least 1." },
	{ "\"numbers\":[0,9,10]", "numbers[2]: Must be from 0 to 9." },
	{ "\"data\":\"YWI=\"", "" },
	{ "\"data\":\"YQ==\"", "data: Must not be shorter than 2 bytes." },
	{ "\"data\":\"YWJjZGU=\"", "data: Must not be longer than 4 bytes." },
	{ "\"product\":\"products/tea\"", "" },
	{ "\"product\":\"a/b\"", "product: Must be a name like products/{product}." },
	{ "\"product\":\"carts/tea\"", "product: Must be a name like products/{product}." },
	{ "\"product\":\"products/\"", "product: Must be a name like products/{product}." },
	{ "\"product\":\"products/..\"", "product: Must be a name like products/{product}." },
	{ "\"product\":\"products/tea/x\"", "product: Must be a name like products/{product}." },
	{ "\"product\":\"t e a\"", "product: Must be a name like products/{product}." },
	{ "\"variant\":\"products/tea/variants/100g\"", "" },
	{ "\"variant\":\"100g\"",
	  "variant: Must be a name like products/{product}/variants/{variant}." },
	{ "\"products\":[\"tea\",\"x/y\"]",
	  "products[1]: Must be a name like products/{product}." },
	{ "\"labels\":{\"a\":\"\\u0001\"}", "labels[a]: Must not hold control characters." },
	{ "\"parts\":{\"a\":{\"quantity\":1},\"b\":{\"quantity\":100}}",
	  "parts[b].quantity: Must be from 1 to 99." },
	{ "\"parts\":{\"a\":{\"quantity\":1},\"b\":{\"quantity\":1},\"c\":{\"quantity\":1}}",
	  "parts: Must not have more than 2 elements." },
	{ "\"money\":{\"currencyCode\":\"EUR\",\"units\":\"1\",\"nanos\":500000000}", "" },
	{ "\"money\":{\"currencyCode\":\"EUR\",\"units\":\"-1\",\"nanos\":-5}", "" },
	{ "\"money\":{\"units\":\"1\"}",
	  "money.currency_code: Must be a currency code of ISO 4217, such as EUR." },
	{ "\"money\":{\"currencyCode\":\"EUR\",\"nanos\":1000000000}",
	  "money.nanos: Must be from -999999999 to 999999999." },
	{ "\"money\":{\"currencyCode\":\"EUR\",\"units\":\"1\",\"nanos\":-1}",
	  "money.nanos: Must have the same sign as units." },
	{ "\"color\":77", "color: Must be a value of Color." },
};

TEST_EACH(a_field_is_held_to_its_rule, ruled)
{
	const char *color = strstr(row->member, "\"color\"") ? "" : ",\"color\":\"RED\"";

	ck_assert_str_eq(validate(&Ruled_descriptor, arena_printf(rpc_arena(test_call()), "{%s%s}",
								  row->member, color)),
			 row->violation);
}

TEST(bare_ids_become_names)
{
	Ruled *ruled_message =
		read_json(&Ruled_descriptor,
			  "{\"color\":1,\"product\":\"tea\",\"products\":[\"a\",\"products/b\"]}");

	ck_assert_int_eq(rpc_validate(test_call(), &ruled_message->base), 0);
	ck_assert_str_eq(ruled_message->product, "products/tea");
	ck_assert_str_eq(ruled_message->products[0], "products/a");
	ck_assert_str_eq(ruled_message->products[1], "products/b");
}

TEST(lengths_count_characters_not_bytes)
{
	Thing *thing =
		MSG(Thing, .display_name =
				   "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
				   "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");

	ck_assert_int_eq(rpc_validate(test_call(), &thing->base), 0);
	thing->display_name = "\xe2\x82\xac"; /* three bytes, one character */
	ck_assert_int_eq(rpc_validate(test_call(), &thing->base), RPC_INVALID_ARGUMENT);
	ck_assert_str_eq(violations(), "display_name: Must not be shorter than 2 characters.");
}

TEST(without_a_rule_a_string_has_at_most_1024_characters_and_a_list_1000_elements)
{
	char long_text[1026];
	static const char *texts[1001];
	Ruled *ruled_message = MSG(Ruled, .color = COLOR_RED, .text = long_text);

	memset(long_text, 'x', sizeof(long_text));
	long_text[1024] = '\0';
	ck_assert_int_eq(rpc_validate(test_call(), &ruled_message->base), 0);
	long_text[1024] = 'x';
	long_text[1025] = '\0';
	for (size_t i = 0; i < 1001; i++)
		texts[i] = "x";
	ruled_message->products = texts;
	ruled_message->n_products = 1001;
	ck_assert_int_eq(rpc_validate(test_call(), &ruled_message->base), RPC_INVALID_ARGUMENT);
	ck_assert_str_eq(violations(), "text: Must not be longer than 1024 characters.; "
				       "products: Must not have more than 1000 elements.");
}

TEST(times_are_held_to_their_ranges)
{
	Ruled *ruled_message =
		MSG(Ruled, .color = COLOR_RED, .time = MSG(Timestamp, .seconds = 253402300800),
		    .duration = MSG(Duration, .seconds = 1, .nanos = -1));

	ck_assert_int_eq(rpc_validate(test_call(), &ruled_message->base), RPC_INVALID_ARGUMENT);
	ck_assert_str_eq(violations(), "duration: Must be a duration of at most 10,000 years, "
				       "seconds and nanos of one sign.; "
				       "time: Must be a time from the year 1 to 9999.");
}

/* --- required, output only -------------------------------------------------------------------- */

static const struct {
	const ProtobufCMessageDescriptor *descriptor;
	const char *text, *violations;
} requests[] = {
	{ &Ruled_descriptor, "{}", "color: Must be given." },
	{ &ThingRequest_descriptor, "{\"thing\":{\"displayName\":\"Tea\"}}", "" },
	{ &ThingRequest_descriptor, "{}", "thing: Must be given." },
	{ &Thing_descriptor, "{}", "display_name: Must be given." },
	{ &Thing_descriptor,
	  "{\"displayName\":\"Tea\",\"parts\":[{\"quantity\":1},{},{\"quantity\":100}]}",
	  "parts[1].quantity: Must be from 1 to 99.; parts[2].quantity: Must be from 1 to 99." },
	{ &Thing_descriptor,
	  "{\"displayName\":\"Tea\",\"parts\":[{\"quantity\":1},{\"quantity\":1},{\"quantity\":1},{"
	  "}]}",
	  "parts: Must not have more than 3 elements." },
	{ &Thing_descriptor,
	  "{\"displayName\":\"Tea\",\"name\":\"x/y\",\"price\":{\"currencyCode\":\"e\"}}",
	  "name: Must be a name like things/{thing}.; "
	  "price.currency_code: Must be a currency code of ISO 4217, such as EUR." },
	/* updates: what is not named is not asked for */
	{ &ThingRequest_descriptor, "{\"thing\":{\"color\":\"RED\"},\"updateMask\":\"color\"}",
	  "" },
	{ &ThingRequest_descriptor, "{\"thing\":{\"color\":\"RED\"}}", "" },
	{ &ThingRequest_descriptor,
	  "{\"thing\":{\"color\":\"RED\"},\"updateMask\":\"displayName\"}",
	  "thing.display_name: Must be given." },
	{ &ThingRequest_descriptor, "{\"thing\":{\"parts\":[{}]}}",
	  "thing.parts[0].quantity: Must be from 1 to 99." },
	{ &ThingRequest_descriptor, "{\"thing\":{},\"updateMask\":\"price.currencyCode,parts\"}",
	  "" },
	{ &ThingRequest_descriptor, "{\"thing\":{},\"updateMask\":\"nope\"}",
	  "update_mask: Must name fields of Thing: there is no nope." },
	{ &ThingRequest_descriptor, "{\"thing\":{},\"updateMask\":\"parts.quantity\"}",
	  "update_mask: Must name fields of Thing: there is no parts.quantity." },
	{ &ThingRequest_descriptor, "{\"thing\":{},\"updateMask\":\"price.nope\"}",
	  "update_mask: Must name fields of Thing: there is no price.nope." },
};

TEST_EACH(a_request_is_held_to_its_schema, requests)
{
	ck_assert_str_eq(validate(row->descriptor, row->text), row->violations);
}

TEST(a_mask_of_a_star_asks_for_all)
{
	static const char *star[] = { "*" };
	ThingRequest *request = MSG(ThingRequest, .thing = MSG(Thing),
				    .update_mask = MSG(FieldMask, .n_paths = 1, .paths = star));

	ck_assert_int_eq(rpc_validate(test_call(), &request->base), RPC_INVALID_ARGUMENT);
	ck_assert_str_eq(violations(), "thing.display_name: Must be given.");
}

TEST(what_only_the_service_sets_is_cleared)
{
	Thing *thing = MSG(Thing, .display_name = "Tea", .etag = "forged",
			   .create_time = MSG(Timestamp, .seconds = 1));

	ck_assert_int_eq(rpc_validate(test_call(), &thing->base), 0);
	ck_assert_str_eq(thing->etag, "");
	ck_assert_ptr_null(thing->create_time);
}

TEST(at_most_20_violations_are_listed)
{
	static int32_t wrong[30];
	const char *at, *text;
	size_t count = 1;
	Ruled *ruled_message = MSG(Ruled, .color = COLOR_RED, .n_numbers = 30, .numbers = wrong);

	for (size_t i = 0; i < 30; i++)
		wrong[i] = 10;
	ck_assert_int_eq(rpc_validate(test_call(), &ruled_message->base), RPC_INVALID_ARGUMENT);
	text = violations();
	for (at = text; (at = strchr(at, ';')); at++)
		count++;
	ck_assert_uint_eq(count, 20);
}

TEST(the_message_names_the_first_violation)
{
	validate(&Thing_descriptor, "{}");
	ck_assert_str_eq(rpc_error_message(test_call()), "display_name: Must be given.");
}

TEST_MAIN("validate", NULL, NULL)
