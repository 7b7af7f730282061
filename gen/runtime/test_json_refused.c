/* JSON and parameters that are refused: where and why; parameters that are taken. */
#include "any.msg.h"
#include "duration.msg.h"
#include "empty.msg.h"
#include "struct.msg.h"
#include "test_types.msg.h"
#include "timestamp.msg.h"
#include "wrappers.msg.h"
#include <crpc/json.h>
#include <errno.h>
#include <string.h>
#include <test.h>

static struct arena *arena;

/* Sorted by name, as the generated registry is. */
static const ProtobufCMessageDescriptor *const known_types[] = {
	&Scalars_descriptor, &Tiny_descriptor,       &Any_descriptor,    &Duration_descriptor,
	&Empty_descriptor,   &Int32Value_descriptor, &Struct_descriptor, &Value_descriptor,
};
static const struct rpc_type_registry types = { known_types,
						sizeof(known_types) / sizeof(*known_types) };
static const struct rpc_json_options strict = { .types = &types };

static void setup(void)
{
	arena = arena_new(16 << 20);
}

static void teardown(void)
{
	arena = arena_free(arena);
}

static const char *print_with(const struct rpc_json_options *options, const void *message)
{
	struct rpc_json_error error;
	size_t length;
	char *text = rpc_json_print(arena, options, message, &length, &error);

	ck_assert_msg(text != NULL, "%s: %s", error.field, error.message);
	ck_assert_uint_eq(strlen(text), length);
	return text;
}

static const struct {
	const ProtobufCMessageDescriptor *descriptor;
	const char *text, *field, *message;
} refused[] = {
	/* broken text */
	{ &Scalars_descriptor, "", "", "Must be an object." },
	{ &Scalars_descriptor, "{", "", "The text is not JSON: a string is missing at byte 1." },
	{ &Scalars_descriptor, "{\"int32Field\"}", "",
	  "The text is not JSON: a colon is missing at byte 13." },
	{ &Scalars_descriptor, "{\"int32Field\":1", "",
	  "The text is not JSON: a comma or a closing brace is missing at byte 15." },
	{ &Scalars_descriptor, "{\"int32Field\":1,}", "",
	  "The text is not JSON: a string is missing at byte 16." },
	{ &Scalars_descriptor, "{\"int32Field\":}", "",
	  "The text is not JSON: a value is missing at byte 14." },
	{ &Scalars_descriptor, "{} x", "",
	  "The text is not JSON: something follows the value at byte 3." },
	{ &Scalars_descriptor, "{int32Field:1}", "",
	  "The text is not JSON: a string is missing at byte 1." },
	{ &Scalars_descriptor, "{\"int32Field\":+1}", "",
	  "The text is not JSON: a value is missing at byte 14." },
	{ &Scalars_descriptor, "{\"int32Field\":01}", "",
	  "The text is not JSON: a comma or a closing brace is missing at byte 15." },
	{ &Scalars_descriptor, "{\"doubleField\":1.}", "",
	  "The text is not JSON: a value is missing at byte 15." },
	{ &Scalars_descriptor, "{\"doubleField\":.5}", "",
	  "The text is not JSON: a value is missing at byte 15." },
	{ &Scalars_descriptor, "{\"doubleField\":NaN}", "",
	  "The text is not JSON: a value is missing at byte 15." },
	{ &Scalars_descriptor, "{\"boolField\":True}", "",
	  "The text is not JSON: a value is missing at byte 13." },
	{ &Scalars_descriptor, "{\"stringField\":\"a", "",
	  "The text is not JSON: the string does not end at byte 17." },
	{ &Scalars_descriptor, "{\"stringField\":\"a\\", "",
	  "The text is not JSON: the string does not end at byte 18." },
	{ &Scalars_descriptor, "{\"stringField\":\"\\x\"}", "",
	  "The text is not JSON: there is no such escape at byte 17." },
	{ &Scalars_descriptor, "{\"stringField\":\"\\u12g4\"}", "",
	  "The text is not JSON: four hex digits are missing after \\u at byte 18." },
	{ &Scalars_descriptor, "{\"stringField\":\"\\ud800\"}", "",
	  "The text is not JSON: half of a surrogate pair stands alone at byte 22." },
	{ &Scalars_descriptor, "{\"stringField\":\"\\udc00\\ud800\"}", "",
	  "The text is not JSON: half of a surrogate pair stands alone at byte 22." },
	{ &Scalars_descriptor, "{\"stringField\":\"\\ud800\\u0041\"}", "",
	  "The text is not JSON: half of a surrogate pair stands alone at byte 22." },
	{ &Scalars_descriptor, "{\"stringField\":\"\n\"}", "",
	  "The text is not JSON: a control character stands in a string at byte 16." },
	{ &Scalars_descriptor, "{\"stringField\":\"\xff\"}", "",
	  "The text is not JSON: the string is not UTF-8 at byte 16." },
	{ &Scalars_descriptor, "{\"stringField\":\"\xed\xa0\x80\"}", "",
	  "The text is not JSON: the string is not UTF-8 at byte 16." },
	{ &Scalars_descriptor, "{\"stringField\":\"a\\u0000b\"}", "string_field",
	  "A string must not hold a NUL." },
	{ &Scalars_descriptor, "{'int32Field':1}", "",
	  "The text is not JSON: a string is missing at byte 1." },
	{ &Scalars_descriptor, "{/**/}", "",
	  "The text is not JSON: a string is missing at byte 1." },
	{ &Scalars_descriptor, "null", "", "Must be an object." },
	{ &Scalars_descriptor, "[]", "", "Must be an object." },
	/* integers */
	{ &Scalars_descriptor, "{\"int32Field\":2147483648}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":-2147483649}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":0.5}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":1e-1}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":1e99999999999}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":\" 1\"}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":\"1 \"}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":\"\"}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":\"0x1\"}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":\"+1\"}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":\"007\"}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":true}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"int32Field\":{}}", "int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Scalars_descriptor, "{\"uint32Field\":-1}", "uint32_field",
	  "Must be an integer from 0 to 4294967295." },
	{ &Scalars_descriptor, "{\"uint64Field\":18446744073709551616}", "uint64_field",
	  "Must be an integer from 0 to 18446744073709551615." },
	{ &Scalars_descriptor, "{\"int64Field\":9223372036854775808}", "int64_field",
	  "Must be an integer from -9223372036854775808 to 9223372036854775807." },
	{ &Scalars_descriptor, "{\"int32Field\":1,\"int32_field\":2}", "int32_field",
	  "Must not be given twice." },
	/* other scalars */
	{ &Scalars_descriptor, "{\"doubleField\":1e309}", "double_field",
	  "Must be a number that a double can hold." },
	{ &Scalars_descriptor, "{\"floatField\":3.5e38}", "float_field",
	  "Must be a number that a float can hold." },
	{ &Scalars_descriptor, "{\"doubleField\":\"nan\"}", "double_field",
	  "Must be a number that a double can hold." },
	{ &Scalars_descriptor, "{\"doubleField\":\"1,5\"}", "double_field",
	  "Must be a number that a double can hold." },
	{ &Scalars_descriptor, "{\"boolField\":\"true\"}", "bool_field", "Must be true or false." },
	{ &Scalars_descriptor, "{\"boolField\":1}", "bool_field", "Must be true or false." },
	{ &Scalars_descriptor, "{\"stringField\":5}", "string_field", "Must be a string." },
	{ &Scalars_descriptor, "{\"stringField\":[\"x\"]}", "string_field", "Must be a string." },
	{ &Scalars_descriptor, "{\"bytesField\":\"a\"}", "bytes_field", "Must be base64." },
	{ &Scalars_descriptor, "{\"bytesField\":\"a=b=\"}", "bytes_field", "Must be base64." },
	{ &Scalars_descriptor, "{\"bytesField\":\"====\"}", "bytes_field", "Must be base64." },
	{ &Scalars_descriptor, "{\"color\":\"blue\"}", "color",
	  "Must be one of INFRARED, RED, BLUE." },
	{ &Scalars_descriptor, "{\"color\":\"2\"}", "color",
	  "Must be one of INFRARED, RED, BLUE." },
	{ &Scalars_descriptor, "{\"color\":1.5}", "color", "Must be one of INFRARED, RED, BLUE." },
	{ &Scalars_descriptor, "{\"colour\":1}", "colour", "There is no such field in Scalars." },
	/* paths */
	{ &Shapes_descriptor, "{\"scalars\":[{},{\"int32Field\":\"x\"}]}", "scalars[1].int32_field",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Shapes_descriptor, "{\"labels\":{\"color\":5}}", "labels[color]", "Must be a string." },
	{ &Shapes_descriptor, "{\"children\":{\"5\":{\"next\":{\"words\":[\"a\",null]}}}}",
	  "children[5].next.words[1]", "Must not be null." },
	{ &Shapes_descriptor, "{\"numbers\":5}", "numbers", "Must be an array." },
	{ &Shapes_descriptor, "{\"numbers\":[1,[2]]}", "numbers[1]",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Shapes_descriptor, "{\"labels\":[]}", "labels", "Must be an object." },
	{ &Shapes_descriptor, "{\"labels\":{\"a\":\"1\",\"a\":\"2\"}}", "labels",
	  "Must not hold a key twice." },
	{ &Shapes_descriptor, "{\"labels\":{\"a\":null}}", "labels[a]", "Must not be null." },
	{ &Shapes_descriptor, "{\"children\":{\"x\":{}}}", "children[x]",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ &Shapes_descriptor, "{\"flags\":{\"1\":\"RED\"}}", "flags[1]", "Must be true or false." },
	{ &Shapes_descriptor, "{\"scalar\":5}", "scalar", "Must be an object." },
	{ &Shapes_descriptor, "{\"scalars\":[null]}", "scalars[0]", "Must not be null." },
	{ &Shapes_descriptor, "{\"text\":\"a\",\"number\":1}", "number",
	  "Must not be given beside text: only one of them can be." },
	{ &Shapes_descriptor, "{\"nothing\":null,\"number\":1}", "number",
	  "Must not be given beside nothing: only one of them can be." },
	{ &Shapes_descriptor, "{\"numbers\":[1,]}", "",
	  "The text is not JSON: a value is missing at byte 14." },
	/* well-known types */
	{ &Shapes_descriptor, "{\"time\":\"0000-01-01T00:00:00Z\"}", "time",
	  "Must be a time such as 2024-05-17T09:30:00Z." },
	{ &Shapes_descriptor, "{\"time\":\"10000-01-01T00:00:00Z\"}", "time",
	  "Must be a time such as 2024-05-17T09:30:00Z." },
	{ &Shapes_descriptor, "{\"time\":\"2023-02-29T00:00:00Z\"}", "time",
	  "Must be a time such as 2024-05-17T09:30:00Z." },
	{ &Shapes_descriptor, "{\"time\":\"2024-01-01T00:00:00\"}", "time",
	  "Must be a time such as 2024-05-17T09:30:00Z." },
	{ &Shapes_descriptor, "{\"time\":\"2024-01-01t00:00:00z\"}", "time",
	  "Must be a time such as 2024-05-17T09:30:00Z." },
	{ &Shapes_descriptor, "{\"time\":\"2024-01-01T24:00:00Z\"}", "time",
	  "Must be a time such as 2024-05-17T09:30:00Z." },
	{ &Shapes_descriptor, "{\"time\":\"2024-01-01T00:00:00.Z\"}", "time",
	  "Must be a time such as 2024-05-17T09:30:00Z." },
	{ &Shapes_descriptor, "{\"time\":\"2024-01-01T00:00:00.0123456789Z\"}", "time",
	  "Must be a time such as 2024-05-17T09:30:00Z." },
	{ &Shapes_descriptor, "{\"time\":\"0001-01-01T00:00:00+00:01\"}", "time",
	  "Must be a time such as 2024-05-17T09:30:00Z." },
	{ &Shapes_descriptor, "{\"time\":5}", "time", "Must be a string." },
	{ &Shapes_descriptor, "{\"duration\":\"1\"}", "duration",
	  "Must be a duration in seconds, such as 90s or 1.5s." },
	{ &Shapes_descriptor, "{\"duration\":\"1.s\"}", "duration",
	  "Must be a duration in seconds, such as 90s or 1.5s." },
	{ &Shapes_descriptor, "{\"duration\":\"315576000001s\"}", "duration",
	  "Must be a duration in seconds, such as 90s or 1.5s." },
	{ &Shapes_descriptor, "{\"duration\":\"99999999999999999999999s\"}", "duration",
	  "Must be a duration in seconds, such as 90s or 1.5s." },
	{ &Shapes_descriptor, "{\"mask\":\"display_name\"}", "mask",
	  "Must be names of fields, separated by commas, such as displayName,price." },
	{ &Shapes_descriptor, "{\"mask\":\"a,,b\"}", "mask",
	  "Must be names of fields, separated by commas, such as displayName,price." },
	{ &Shapes_descriptor, "{\"value\":1e999}", "value",
	  "Must be a number that a double can hold." },
	{ &Shapes_descriptor, "{\"any\":{\"x\":1}}", "any",
	  "Must say in \"@type\" of which type it is." },
	{ &Shapes_descriptor, "{\"any\":{\"@type\":\"no.slash\"}}", "any",
	  "Its \"@type\" must be a type URL, such as type.googleapis.com/google.type.Money." },
	{ &Shapes_descriptor, "{\"any\":{\"@type\":\"t/no.such.Type\"}}", "any",
	  "Its \"@type\" names a type that is not known here: no.such.Type." },
	{ &Shapes_descriptor, "{\"any\":{\"@type\":\"t/google.protobuf.Duration\"}}", "any",
	  "Must hold a \"value\"." },
	{ &Shapes_descriptor,
	  "{\"any\":{\"@type\":\"t/google.protobuf.Duration\",\"value\":\"1s\",\"x\":1}}", "any",
	  "Must hold \"@type\" and \"value\" and nothing else." },
	{ &Shapes_descriptor, "{\"any\":{\"@type\":\"t/crpc.test.v1.Scalars\",\"x\":1}}", "any.x",
	  "There is no such field in Scalars." },
	{ &Shapes_descriptor, "{\"wrappedNumber\":{}}", "wrapped_number",
	  "Must be an integer from -9223372036854775808 to 9223372036854775807." },
};

TEST_EACH(json_is_refused_with_its_place_and_a_sentence, refused)
{
	size_t length = strlen(row->text);
	char *exact = arena_memdup(arena, row->text, length);
	struct rpc_json_error error;
	ProtobufCMessage *message = NULL;

	ck_assert_int_eq(
		rpc_json_parse(arena, &strict, row->descriptor, exact, length, &message, &error),
		-EINVAL);
	ck_assert_ptr_null(message);
	ck_assert_str_eq(error.message, row->message);
	ck_assert_str_eq(error.field, row->field);
}

/* --- query and path parameters --------------------------------------------------------------- */

static const struct {
	const char *path, *text, *printed;
} parameters[] = {
	{ "optionalInt32", "5", "{\"optionalInt32\":5}" },
	{ "optional_int32", "-5", "{\"optionalInt32\":-5}" },
	{ "optional_string", "a \"quote\"", "{\"optionalString\":\"a \\\"quote\\\"\"}" },
	{ "scalar.boolField", "true", "{\"scalar\":{\"boolField\":true}}" },
	{ "next.next.scalar.int64_field", "7",
	  "{\"next\":{\"next\":{\"scalar\":{\"int64Field\":\"7\"}}}}" },
	{ "words", "", "{\"words\":[\"\"]}" },
	{ "scalar.color", "BLUE", "{\"scalar\":{\"color\":\"BLUE\"}}" },
	{ "scalar.color", "2", "{\"scalar\":{\"color\":\"BLUE\"}}" },
	{ "scalar.bytesField", "YQ", "{\"scalar\":{\"bytesField\":\"YQ==\"}}" },
	{ "scalar.doubleField", "1e3", "{\"scalar\":{\"doubleField\":1000}}" },
	{ "wrappedNumber", "9", "{\"wrappedNumber\":\"9\"}" },
	{ "wrappedString", "x", "{\"wrappedString\":\"x\"}" },
	{ "wrappedBool", "false", "{\"wrappedBool\":false}" },
	{ "time", "2024-05-17T09:30:00Z", "{\"time\":\"2024-05-17T09:30:00Z\"}" },
	{ "duration", "1.5s", "{\"duration\":\"1.500s\"}" },
	{ "mask", "displayName,price", "{\"mask\":\"displayName,price\"}" },
	{ "text", "t", "{\"text\":\"t\"}" },
	{ "Spelled-Out", "t", "{\"Spelled-Out\":\"t\"}" },
};

TEST_EACH(a_parameter_sets_its_field, parameters)
{
	Shapes *shapes = (Shapes *)rpc_message_new(arena, &Shapes_descriptor);
	struct rpc_json_error error;
	int r = rpc_json_set(arena, &shapes->base, row->path, strlen(row->path), row->text,
			     strlen(row->text), &error);

	ck_assert_msg(r == 0, "%s: %s", error.field, error.message);
	ck_assert_str_eq(print_with(&strict, shapes), row->printed);
}

TEST(a_repeated_parameter_appends)
{
	Shapes *shapes = (Shapes *)rpc_message_new(arena, &Shapes_descriptor);
	struct rpc_json_error error;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rpc_json_set(arena, &shapes->base, "colors", 6, "RED", 3, &error),
				 0);
	ck_assert_uint_eq(shapes->n_colors, 3);
}

static const struct {
	const char *path, *text;
	size_t length;
	const char *field, *message;
} wrong_parameters[] = {
	{ "nope", "1", 1, "nope", "There is no such field in Shapes." },
	{ "scalar.nope", "1", 1, "scalar.nope", "There is no such field in Scalars." },
	{ "", "1", 1, "", "There is no such field in Shapes." },
	{ "scalar.", "1", 1, "scalar.", "There is no such field in Scalars." },
	{ ".scalar", "1", 1, ".scalar", "There is no such field in Shapes." },
	{ "scalars.int32_field", "1", 1, "scalars.int32_field",
	  "Its part scalars has no fields that can be set in this way." },
	{ "words.x", "1", 1, "words.x",
	  "Its part words has no fields that can be set in this way." },
	{ "time.seconds", "1", 1, "time.seconds",
	  "Its part time has no fields that can be set in this way." },
	{ "labels", "1", 1, "labels",
	  "A message cannot be given as a parameter: name one of its fields." },
	{ "scalar", "{}", 2, "scalar",
	  "A message cannot be given as a parameter: name one of its fields." },
	{ "optionalInt32", "", 0, "optionalInt32",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ "optionalInt32", "1 ", 2, "optionalInt32",
	  "Must be an integer from -2147483648 to 2147483647." },
	{ "optional_string", "a\0b", 3, "optional_string", "Must not hold a NUL." },
	{ "optional_string", "\xff", 1, "optional_string", "Must be UTF-8." },
	{ "scalar.boolField", "yes", 3, "scalar.boolField", "Must be true or false." },
	{ "scalar.color", "PINK", 4, "scalar.color", "Must be one of INFRARED, RED, BLUE." },
};

TEST_EACH(a_wrong_parameter_is_refused, wrong_parameters)
{
	Shapes *shapes = (Shapes *)rpc_message_new(arena, &Shapes_descriptor);
	struct rpc_json_error error;

	ck_assert_int_eq(rpc_json_set(arena, &shapes->base, row->path, strlen(row->path), row->text,
				      row->length, &error),
			 -EINVAL);
	ck_assert_str_eq(error.field, row->field);
	ck_assert_str_eq(error.message, row->message);
}

TEST_MAIN("json_refused", setup, teardown)
