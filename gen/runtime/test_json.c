/* The proto3 JSON mapping: what is read, and how it is written again. */
#include "any.msg.h"
#include "duration.msg.h"
#include "empty.msg.h"
#include "struct.msg.h"
#include "test_types.msg.h"
#include "timestamp.msg.h"
#include "wrappers.msg.h"
#include <crpc/json.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <test.h>
#include <time.h>

static struct arena *arena;

/* Sorted by name, as the generated registry is. */
static const ProtobufCMessageDescriptor *const known_types[] = {
	&Scalars_descriptor, &Tiny_descriptor,       &Any_descriptor,    &Duration_descriptor,
	&Empty_descriptor,   &Int32Value_descriptor, &Struct_descriptor, &Value_descriptor,
};
static const struct rpc_type_registry types = { known_types,
						sizeof(known_types) / sizeof(*known_types) };
static const struct rpc_json_options strict = { .types = &types };
static const struct rpc_json_options lenient = { .types = &types, .ignore_unknown_fields = true };

static void setup(void)
{
	arena = arena_new(16 << 20);
}

static void teardown(void)
{
	arena = arena_free(arena);
}

static void *parse_with(const struct rpc_json_options *options,
			const ProtobufCMessageDescriptor *descriptor, const char *text)
{
	/* A copy of its exact length, so that a read past its end is seen. */
	size_t length = strlen(text);
	char *exact = arena_memdup(arena, text, length);
	struct rpc_json_error error;
	ProtobufCMessage *message = NULL;
	int r = rpc_json_parse(arena, options, descriptor, exact, length, &message, &error);

	ck_assert_msg(r == 0, "%s: %s: %s", text, error.field, error.message);
	return message;
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

struct row {
	const ProtobufCMessageDescriptor *descriptor;
	const char *text, *printed; /* NULL: as the text */
};

static const struct row accepted[] = {
	{ &Scalars_descriptor, "{}", NULL },
	{ &Scalars_descriptor, " \n\t\r{ } ", "{}" },
	/* integers */
	{ &Scalars_descriptor, "{\"int32Field\":-2147483648}", NULL },
	{ &Scalars_descriptor, "{\"int32Field\":2147483647}", NULL },
	{ &Scalars_descriptor, "{\"int32Field\":\"12\"}", "{\"int32Field\":12}" },
	{ &Scalars_descriptor, "{\"int32Field\":1e3}", "{\"int32Field\":1000}" },
	{ &Scalars_descriptor, "{\"int32Field\":\"1E+3\"}", "{\"int32Field\":1000}" },
	{ &Scalars_descriptor, "{\"int32Field\":1.5e1}", "{\"int32Field\":15}" },
	{ &Scalars_descriptor, "{\"int32Field\":100000e-2}", "{\"int32Field\":1000}" },
	{ &Scalars_descriptor, "{\"int32Field\":100000.000}", "{\"int32Field\":100000}" },
	{ &Scalars_descriptor, "{\"int32Field\":-1.0}", "{\"int32Field\":-1}" },
	{ &Scalars_descriptor, "{\"int32Field\":-0}", "{}" },
	{ &Scalars_descriptor, "{\"int32Field\":0e999999999999}", "{}" },
	{ &Scalars_descriptor, "{\"int32_field\":5}", "{\"int32Field\":5}" },
	{ &Scalars_descriptor, "{\"int64Field\":-9223372036854775808}",
	  "{\"int64Field\":\"-9223372036854775808\"}" },
	{ &Scalars_descriptor, "{\"int64Field\":\"9223372036854775807\"}", NULL },
	{ &Scalars_descriptor, "{\"uint32Field\":4294967295}", NULL },
	{ &Scalars_descriptor, "{\"uint64Field\":\"18446744073709551615\"}", NULL },
	{ &Scalars_descriptor, "{\"uint64Field\":18446744073709551615.0e0}",
	  "{\"uint64Field\":\"18446744073709551615\"}" },
	{ &Scalars_descriptor,
	  "{\"sint32Field\":-1,\"sint64Field\":\"-2\",\"fixed32Field\":3,\"fixed64Field\":\"4\","
	  "\"sfixed32Field\":-5,\"sfixed64Field\":\"-6\"}",
	  NULL },
	/* floating point */
	{ &Scalars_descriptor, "{\"doubleField\":0.1}", NULL },
	{ &Scalars_descriptor, "{\"doubleField\":1}", NULL },
	{ &Scalars_descriptor, "{\"doubleField\":-12.000001}", NULL },
	{ &Scalars_descriptor, "{\"doubleField\":4.6}", NULL },
	{ &Scalars_descriptor, "{\"doubleField\":123456789.987654}", NULL },
	{ &Scalars_descriptor, "{\"doubleField\":0.001}", NULL },
	{ &Scalars_descriptor, "{\"doubleField\":1.0000001}", NULL },
	{ &Scalars_descriptor, "{\"stringField\":\"exactly sixteen!\",\"bytesField\":\"YQ==\"}",
	  NULL },
	{ &Scalars_descriptor, "{\"stringField\":\"seven\\n7\"}", NULL },
	{ &Scalars_descriptor, "{\"stringField\":\"\\\\ten bytes!\"}", NULL },
	{ &Scalars_descriptor, "{\"stringField\":\"ab\\\"cd\"}", NULL },
	{ &Scalars_descriptor, "{\"stringField\":\"seventeen bytes \\t!\"}", NULL },
	{ &Scalars_descriptor, "{\"doubleField\":-0.0}", "{}" },
	{ &Scalars_descriptor, "{\"doubleField\":\"1.5e2\"}", "{\"doubleField\":150}" },
	{ &Scalars_descriptor, "{\"doubleField\":1.7976931348623157e+308}", NULL },
	{ &Scalars_descriptor, "{\"doubleField\":2.2250738585072014e-308}", NULL },
	{ &Scalars_descriptor, "{\"doubleField\":5e-324}",
	  "{\"doubleField\":4.94065645841247e-324}" },
	{ &Scalars_descriptor, "{\"doubleField\":0.30000000000000004}", NULL },
	{ &Scalars_descriptor, "{\"doubleField\":123456789012345680}",
	  "{\"doubleField\":1.2345678901234568e+17}" },
	{ &Scalars_descriptor, "{\"doubleField\":9007199254740993}",
	  "{\"doubleField\":9007199254740992}" },
	{ &Scalars_descriptor, "{\"doubleField\":\"NaN\",\"floatField\":\"NaN\"}",
	  "{\"floatField\":\"NaN\",\"doubleField\":\"NaN\"}" },
	{ &Scalars_descriptor, "{\"doubleField\":\"-Infinity\"}", NULL },
	{ &Scalars_descriptor, "{\"floatField\":\"Infinity\"}", NULL },
	{ &Scalars_descriptor, "{\"floatField\":0.1}", NULL },
	{ &Scalars_descriptor, "{\"floatField\":3.4028235e+38}", NULL },
	{ &Scalars_descriptor, "{\"floatField\":1.17549435e-38}",
	  "{\"floatField\":1.1754944e-38}" },
	{ &Scalars_descriptor, "{\"floatField\":16777217}", "{\"floatField\":16777216}" },
	/* strings, bytes, bools */
	{ &Scalars_descriptor, "{\"stringField\":\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"}",
	  "{\"stringField\":\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\"}" },
	{ &Scalars_descriptor, "{\"stringField\":\"\\u00e4\\u20ac\\ud83c\\udf75\"}",
	  "{\"stringField\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8d\xb5\"}" },
	{ &Scalars_descriptor, "{\"stringField\":\"\\u001f\\u007f\"}",
	  "{\"stringField\":\"\\u001f\x7f\"}" },
	{ &Scalars_descriptor, "{\"stringField\":\"eight by eight \xe2\x82\xac and on\"}", NULL },
	{ &Scalars_descriptor, "{\"\\u0073tringField\":\"x\"}", "{\"stringField\":\"x\"}" },
	{ &Scalars_descriptor, "{\"bytesField\":\"AAEC/v8=\"}", NULL },
	{ &Scalars_descriptor, "{\"bytesField\":\"-_8\"}", "{\"bytesField\":\"+/8=\"}" },
	{ &Scalars_descriptor, "{\"bytesField\":\"YQ\"}", "{\"bytesField\":\"YQ==\"}" },
	{ &Scalars_descriptor, "{\"bytesField\":\"\"}", "{}" },
	{ &Scalars_descriptor, "{\"boolField\":true}", NULL },
	{ &Scalars_descriptor, "{\"boolField\":false}", "{}" },
	/* enums */
	{ &Scalars_descriptor, "{\"color\":\"BLUE\"}", NULL },
	{ &Scalars_descriptor, "{\"color\":\"CRIMSON\"}", "{\"color\":\"RED\"}" },
	{ &Scalars_descriptor, "{\"color\":2}", "{\"color\":\"BLUE\"}" },
	{ &Scalars_descriptor, "{\"color\":-1}", "{\"color\":\"INFRARED\"}" },
	{ &Scalars_descriptor, "{\"color\":77}", NULL },
	/* null is unset */
	{ &Scalars_descriptor,
	  "{\"int32Field\":null,\"stringField\":null,\"color\":null,\"bytesField\":null}", "{}" },
	{ &Shapes_descriptor,
	  "{\"numbers\":null,\"labels\":null,\"scalar\":null,\"time\":null,\"text\":null}", "{}" },
	/* presence */
	{ &Shapes_descriptor, "{\"optionalInt32\":0,\"optionalString\":\"\"}", NULL },
	{ &Shapes_descriptor, "{\"scalar\":{}}", NULL },
	/* repeated, maps, oneofs */
	{ &Shapes_descriptor,
	  "{\"numbers\":[1,-2,\"3\"],\"words\":[\"\",\"x\"],\"colors\":[\"RED\",2],\"doubles\":[0."
	  "5,1e300],"
	  "\"scalars\":[{},{\"int32Field\":1}],\"blobs\":[\"\",\"YQ==\"]}",
	  "{\"numbers\":[1,-2,3],\"words\":[\"\",\"x\"],\"scalars\":[{},{\"int32Field\":1}],"
	  "\"colors\":[\"RED\",\"BLUE\"],"
	  "\"blobs\":[\"\",\"YQ==\"],\"doubles\":[0.5,1e+300]}" },
	{ &Shapes_descriptor, "{\"numbers\":[]}", "{}" },
	{ &Shapes_descriptor, "{\"looseNumbers\":[\"1\",\"2\"]}", NULL },
	{ &Shapes_descriptor, "{\"labels\":{\"a\":\"1\",\"\":\"2\",\"\\\"\":\"3\"}}", NULL },
	{ &Shapes_descriptor, "{\"children\":{\"-5\":{\"numbers\":[1]},\"7\":{}}}", NULL },
	{ &Shapes_descriptor, "{\"flags\":{\"true\":\"RED\",\"false\":\"COLOR_UNSPECIFIED\"}}",
	  NULL },
	{ &Shapes_descriptor, "{\"text\":\"\"}", NULL },
	{ &Shapes_descriptor, "{\"number\":0}", NULL },
	{ &Shapes_descriptor, "{\"nothing\":null}", NULL },
	{ &Shapes_descriptor, "{\"nothing\":\"NULL_VALUE\"}", "{\"nothing\":null}" },
	{ &Shapes_descriptor, "{\"text\":\"x\",\"number\":null}", "{\"text\":\"x\"}" },
	{ &Shapes_descriptor, "{\"number\":null,\"text\":\"x\"}", "{\"text\":\"x\"}" },
	{ &Shapes_descriptor, "{\"Spelled-Out\":\"x\"}", NULL },
	{ &Shapes_descriptor, "{\"spelled\":\"x\"}", "{\"Spelled-Out\":\"x\"}" },
	/* times */
	{ &Shapes_descriptor, "{\"time\":\"1970-01-01T00:00:00Z\"}", NULL },
	{ &Shapes_descriptor, "{\"time\":\"0001-01-01T00:00:00Z\"}", NULL },
	{ &Shapes_descriptor, "{\"time\":\"9999-12-31T23:59:59.999999999Z\"}", NULL },
	{ &Shapes_descriptor, "{\"time\":\"2024-02-29T12:00:00.5Z\"}",
	  "{\"time\":\"2024-02-29T12:00:00.500Z\"}" },
	{ &Shapes_descriptor, "{\"time\":\"2024-02-29T12:00:00.000100Z\"}", NULL },
	{ &Shapes_descriptor, "{\"time\":\"2024-03-01T00:30:00+01:00\"}",
	  "{\"time\":\"2024-02-29T23:30:00Z\"}" },
	{ &Shapes_descriptor, "{\"time\":\"1969-12-31T23:59:59.999Z\"}", NULL },
	{ &Shapes_descriptor, "{\"time\":\"1972-06-30T23:59:59-08:00\"}",
	  "{\"time\":\"1972-07-01T07:59:59Z\"}" },
	{ &Shapes_descriptor, "{\"duration\":\"0s\"}", NULL },
	{ &Shapes_descriptor, "{\"duration\":\"-0.5s\"}", "{\"duration\":\"-0.500s\"}" },
	{ &Shapes_descriptor, "{\"duration\":\"315576000000s\"}", NULL },
	{ &Shapes_descriptor, "{\"duration\":\"1.000000001s\"}", NULL },
	/* masks */
	{ &Shapes_descriptor, "{\"mask\":\"displayName,price.currencyCode\"}", NULL },
	{ &Shapes_descriptor, "{\"mask\":\"\"}", NULL },
	/* Struct, Value, ListValue */
	{ &Shapes_descriptor, "{\"structure\":{\"a\":1,\"b\":[true,null,{\"c\":\"d\"}],\"e\":{}}}",
	  NULL },
	{ &Shapes_descriptor, "{\"value\":null}", NULL },
	{ &Shapes_descriptor, "{\"value\":[1.5,\"x\",[],{}]}", NULL },
	{ &Shapes_descriptor, "{\"values\":[null,1,\"x\"]}", NULL },
	{ &Shapes_descriptor, "{\"list\":[]}", NULL },
	/* wrappers */
	{ &Shapes_descriptor,
	  "{\"wrappedNumber\":\"0\",\"wrappedString\":\"\",\"wrappedBytes\":\"YQ==\","
	  "\"wrappedBool\":false}",
	  NULL },
	{ &Shapes_descriptor, "{\"wrappedNumber\":null}", "{}" },
	{ &Shapes_descriptor, "{\"wrappedNumber\":5}", "{\"wrappedNumber\":\"5\"}" },
	/* Any */
	{ &Shapes_descriptor, "{\"any\":{}}", NULL },
	{ &Shapes_descriptor,
	  "{\"any\":{\"@type\":\"type.googleapis.com/crpc.test.v1.Scalars\",\"int32Field\":1}}",
	  NULL },
	{ &Shapes_descriptor,
	  "{\"any\":{\"int32Field\":1,\"@type\":\"t.example/crpc.test.v1.Scalars\"}}",
	  "{\"any\":{\"@type\":\"t.example/crpc.test.v1.Scalars\",\"int32Field\":1}}" },
	{ &Shapes_descriptor,
	  "{\"any\":{\"@type\":\"type.googleapis.com/"
	  "google.protobuf.Duration\",\"value\":\"1.500s\"}}",
	  NULL },
	{ &Shapes_descriptor,
	  "{\"any\":{\"value\":{\"a\":[1]},\"@type\":\"type.googleapis.com/"
	  "google.protobuf.Struct\"}}",
	  "{\"any\":{\"@type\":\"type.googleapis.com/"
	  "google.protobuf.Struct\",\"value\":{\"a\":[1]}}}" },
	{ &Shapes_descriptor,
	  "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Any\",\"value\":"
	  "{\"@type\":\"type.googleapis.com/google.protobuf.Int32Value\",\"value\":7}}}",
	  NULL },
	{ &Shapes_descriptor, "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Empty\"}}",
	  NULL },
	/* well-known types by themselves */
	{ &Value_descriptor, "\"x\"", NULL },
	{ &Int32Value_descriptor, "5", NULL },
	{ &Duration_descriptor, "\"3s\"", NULL },
	{ &Empty_descriptor, "{}", NULL },
};

TEST_EACH(json_is_read_and_written_again, accepted)
{
	const char *expected = row->printed ? row->printed : row->text;
	ProtobufCMessage *message = parse_with(&strict, row->descriptor, row->text), *back;
	ProtobufCBinaryData bytes = rpc_pack(arena, message);
	const char *error = "";

	ck_assert_str_eq(print_with(&strict, message), expected);
	/* What was printed, and what was packed, says the same. */
	back = parse_with(&strict, row->descriptor, expected);
	ck_assert_str_eq(print_with(&strict, back), expected);
	back = rpc_unpack(arena, row->descriptor, bytes.data, bytes.len, &error);
	ck_assert_msg(back != NULL, "%s", error);
	ck_assert(rpc_message_equal(message, back));
}

static const struct row ignored[] = {
	{ &Scalars_descriptor, "{\"x\":[1,{\"y\":null}],\"int32Field\":1,\"z\":\"\\u0041\"}",
	  "{\"int32Field\":1}" },
	{ &Scalars_descriptor, "{\"color\":\"MAUVE\"}", "{}" },
	{ &Shapes_descriptor, "{\"colors\":[\"MAUVE\",\"RED\"]}", "{\"colors\":[\"RED\"]}" },
	{ &Shapes_descriptor, "{\"flags\":{\"true\":\"MAUVE\",\"false\":\"RED\"}}",
	  "{\"flags\":{\"false\":\"RED\"}}" },
	{ &Shapes_descriptor,
	  "{\"any\":{\"@type\":\"t/google.protobuf.Duration\",\"x\":1,\"value\":\"1s\"}}",
	  "{\"any\":{\"@type\":\"t/google.protobuf.Duration\",\"value\":\"1s\"}}" },
};

TEST_EACH(unknown_things_are_ignored_when_asked, ignored)
{
	ck_assert_str_eq(print_with(&strict, parse_with(&lenient, row->descriptor, row->text)),
			 row->printed);
}

/* `depth` arrays around nothing. */
static const char *deep(size_t depth)
{
	char *text = arena_alloc(arena, depth * 2 + 1);

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	return text;
}

TEST(nesting_is_limited_to_100)
{
	const char *too_deep = deep(101), *absurd = deep(100000);
	struct rpc_json_error error;
	ProtobufCMessage *message = NULL;
	const char *unknown = arena_printf(arena, "{\"x\":%s}", absurd);

	ck_assert_str_eq(print_with(&strict, parse_with(&strict, &Value_descriptor, deep(100))),
			 deep(100));
	ck_assert_int_eq(rpc_json_parse(arena, &strict, &Value_descriptor, too_deep,
					strlen(too_deep), &message, &error),
			 -EINVAL);
	ck_assert_str_eq(error.message, "The JSON is nested more than 100 deep.");
	ck_assert_int_eq(rpc_json_parse(arena, &strict, &Value_descriptor, absurd, strlen(absurd),
					&message, &error),
			 -EINVAL);
	ck_assert_int_eq(rpc_json_parse(arena, &lenient, &Scalars_descriptor, unknown,
					strlen(unknown), &message, &error),
			 -EINVAL);
}

TEST(an_any_in_an_any_cannot_nest_without_end)
{
	ProtobufCBinaryData bytes = { 0 };
	struct rpc_json_error error;
	Any *any;

	for (int i = 0; i < 300; i++)
		bytes = rpc_pack(
			arena,
			&MSG(Any, .type_url = "t/google.protobuf.Any", .value = bytes)->base);
	any = MSG(Any, .type_url = "t/google.protobuf.Any", .value = bytes);
	ck_assert_ptr_null(rpc_json_print(arena, &strict, &any->base, NULL, &error));
	ck_assert_str_eq(error.message, "The message is nested too deep.");
}

TEST(fields_are_set_in_a_message_that_is_there)
{
	Shapes *shapes = MSG(Shapes, .optional_int32 = 1, .has_optional_int32 = true,
			     .scalar = MSG(Scalars, .int32_field = 5));
	static const char text[] = "{\"scalar\":{\"stringField\":\"x\"},\"words\":[\"a\"]}";
	ProtobufCMessage *message = &shapes->base;
	struct rpc_json_error error;

	ck_assert_int_eq(rpc_json_parse(arena, &strict, &Shapes_descriptor, text, strlen(text),
					&message, &error),
			 0);
	ck_assert_ptr_eq(message, shapes);
	ck_assert_str_eq(print_with(&strict, shapes),
			 "{\"optionalInt32\":1,\"words\":[\"a\"],\"scalar\":{\"int32Field\":5,"
			 "\"stringField\":\"x\"}}");
}

TEST(one_field_is_read_and_written_as_a_body)
{
	const ProtobufCFieldDescriptor *field =
		rpc_field_by_json_name(&Shapes_descriptor, "scalars", 7);
	Shapes *shapes = (Shapes *)rpc_message_new(arena, &Shapes_descriptor);
	static const char text[] = "[{\"int32Field\":1},{}]", wrong[] = "[{\"int32Field\":\"\"}]";
	struct rpc_json_error error;
	size_t length;

	ck_assert_int_eq(rpc_json_parse_field(arena, &strict, &shapes->base, field, text,
					      strlen(text), &error),
			 0);
	ck_assert_uint_eq(shapes->n_scalars, 2);
	ck_assert_str_eq(
		rpc_json_print_field(arena, &strict, &shapes->base, field, &length, &error), text);
	ck_assert_int_eq(rpc_json_parse_field(arena, &strict, &shapes->base, field, wrong,
					      strlen(wrong), &error),
			 -EINVAL);
	ck_assert_str_eq(error.field, "scalars[0].int32_field");
}

TEST(options_change_names_and_defaults)
{
	static const struct rpc_json_options options = { .always_print_fields = true,
							 .preserve_proto_field_names = true };

	ck_assert_str_eq(print_with(&options, MSG(Scalars, .int32_field = 1)),
			 "{\"int32_field\":1,\"int64_field\":\"0\",\"uint32_field\":0,\"uint64_"
			 "field\":\"0\","
			 "\"sint32_field\":0,\"sint64_field\":\"0\",\"fixed32_field\":0,\"fixed64_"
			 "field\":\"0\","
			 "\"sfixed32_field\":0,\"sfixed64_field\":\"0\",\"float_field\":0,\"double_"
			 "field\":0,"
			 "\"bool_field\":false,\"string_field\":\"\",\"bytes_field\":\"\","
			 "\"color\":\"COLOR_UNSPECIFIED\"}");
	ck_assert_str_eq(print_with(&options, MSG(Tiny)), "{\"number\":0}");
	ck_assert_str_eq(print_with(&options, MSG(Shapes)),
			 "{\"numbers\":[],\"loose_numbers\":[],\"words\":[],\"scalars\":[],"
			 "\"colors\":[],\"labels\":{},"
			 "\"children\":{},\"flags\":{},\"values\":[],\"blobs\":[],\"doubles\":[],"
			 "\"spelled\":\"\"}");
}

TEST(what_has_no_json_form_is_not_printed)
{
	struct rpc_json_error error;

	ck_assert_ptr_null(rpc_json_print(
		arena, &strict, &MSG(Shapes, .time = MSG(Timestamp, .seconds = 253402300800))->base,
		NULL, &error));
	ck_assert_str_eq(error.field, "time");
	ck_assert_ptr_null(rpc_json_print(
		arena, &strict,
		&MSG(Shapes, .duration = MSG(Duration, .seconds = 1, .nanos = -1))->base, NULL,
		&error));
	ck_assert_ptr_null(rpc_json_print(
		arena, &strict,
		&MSG(Shapes, .value = MSG(Value, .kind_case = VALUE_KIND_NUMBER_VALUE,
					  .number_value = (double)INFINITY))
			 ->base,
		NULL, &error));
	ck_assert_ptr_null(rpc_json_print(arena, &strict, &MSG(Shapes, .value = MSG(Value))->base,
					  NULL, &error));
	ck_assert_ptr_null(rpc_json_print(
		arena, &strict, &MSG(Shapes, .any = MSG(Any, .type_url = "t/no.such.Type"))->base,
		NULL, &error));
	ck_assert_str_eq(
		error.message,
		"The Any holds a message of the type no.such.Type, which is not known here.");
}

TEST(broken_utf8_is_printed_as_replacement_characters)
{
	ck_assert_str_eq(print_with(&strict, MSG(Scalars, .string_field = "a\xff\xe2\x82z")),
			 "{\"stringField\":\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"}");
}

/* Random bits as doubles and floats: printed, they read back as the same. */
TEST(floating_point_survives_text)
{
	uint64_t state = 88172645463325252ull;

	for (int i = 0; i < 20000; i++) {
		Scalars *scalars = MSG(Scalars), *back;
		uint32_t low;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		low = (uint32_t)(state >> 13);
		memcpy(&scalars->double_field, &state, 8);
		memcpy(&scalars->float_field, &low, 4);
		if (!isfinite(scalars->double_field) || !isfinite(scalars->float_field))
			continue;
		back = parse_with(&strict, &Scalars_descriptor, print_with(&strict, scalars));
		ck_assert_mem_eq(&back->double_field, &scalars->double_field, 8);
		ck_assert_mem_eq(&back->float_field, &scalars->float_field, 4);
		arena_reset(arena);
	}
}

/* Decimals of few digits: our short way gives what strtod() gives. */
TEST(numbers_are_rounded_as_strtod_rounds)
{
	uint64_t state = 1;

	for (int i = 0; i < 20000; i++) {
		Scalars *scalars, *back;
		const char *number;

		state = state * 6364136223846793005u + 1442695040888963407u;
		number = arena_printf(arena, "%llu.%llue%d", (unsigned long long)(state >> 40),
				      (unsigned long long)(state & 0xffff),
				      (int)(state >> 20 & 63) - 32);
		scalars = parse_with(&strict, &Scalars_descriptor,
				     arena_printf(arena, "{\"doubleField\":%s,\"floatField\":%s}",
						  number, number));
		ck_assert(scalars->double_field == strtod(number, NULL));
		back = parse_with(&strict, &Scalars_descriptor, print_with(&strict, scalars));
		ck_assert(back->double_field == scalars->double_field &&
			  back->float_field == scalars->float_field);
		ck_assert(scalars->float_field == strtof(number, NULL));
		arena_reset(arena);
	}
}

/* Each day of two centuries and the ends of others. */
TEST(dates_agree_with_the_c_library)
{
	for (int64_t day = -40000; day < 60000; day++) {
		time_t seconds = day * 86400 + 3661;
		char expected[64];
		struct tm parts;
		Timestamp *back;

		gmtime_r(&seconds, &parts);
		strftime(expected, sizeof(expected), "\"%Y-%m-%dT%H:%M:%SZ\"", &parts);
		ck_assert_str_eq(print_with(&strict, MSG(Timestamp, .seconds = seconds)), expected);
		back = parse_with(&strict, &Timestamp_descriptor, expected);
		ck_assert_int_eq(back->seconds, seconds);
		arena_reset(arena);
	}
}

TEST_MAIN("json", setup, teardown)
