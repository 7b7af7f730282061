/* The wire format: what is read, what is refused. */
#include "message_private.h"
#include "test_types.msg.h"
#include <crpc/message.h>
#include <string.h>
#include <test.h>

static struct arena *arena;

static void setup(void)
{
	arena = arena_new(16 << 20);
}

static void teardown(void)
{
	arena = arena_free(arena);
}

static void *unpack(const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t size)
{
	const char *error = "";
	ProtobufCMessage *message = rpc_unpack(arena, descriptor, bytes, size, &error);

	ck_assert_msg(message != NULL, "%s", error);
	return message;
}

static Shapes *filled(void)
{
	Shapes *shapes = (Shapes *)rpc_message_new(arena, &Shapes_descriptor);
	static int32_t numbers[] = { 0, -1, 300, INT32_MIN };
	static int64_t loose[] = { 0, -1, INT64_MAX };
	static const char *words[] = { "", "tea", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8d\xb5" };
	static double doubles[] = { 0.1, -1e300 };

	shapes->has_optional_int32 = true;
	shapes->optional_string = "";
	shapes->n_numbers = 4;
	shapes->numbers = numbers;
	shapes->n_loose_numbers = 3;
	shapes->loose_numbers = loose;
	shapes->n_words = 3;
	shapes->words = words;
	shapes->n_doubles = 2;
	shapes->doubles = doubles;
	shapes->scalar = (Scalars *)rpc_message_copy(
		arena, &MSG(Scalars, .int32_field = -1, .int64_field = INT64_MIN,
			    .uint32_field = UINT32_MAX, .uint64_field = UINT64_MAX,
			    .sint32_field = INT32_MIN, .sint64_field = -2, .fixed32_field = 7,
			    .fixed64_field = 8, .sfixed32_field = -9, .sfixed64_field = -10,
			    .float_field = 1.5f, .double_field = 0.1, .bool_field = true,
			    .string_field = "text", .bytes_field = { 3, (uint8_t *)"a\0b" },
			    .color = COLOR_INFRARED)
				->base);
	shapes->choice_case = SHAPES_CHOICE_MESSAGE;
	shapes->message = shapes->scalar;
	return shapes;
}

TEST(what_was_packed_comes_back_equal)
{
	Shapes *shapes = filled(), *back;
	ProtobufCBinaryData bytes = rpc_pack(arena, &shapes->base);

	back = unpack(&Shapes_descriptor, bytes.data, bytes.len);
	ck_assert(rpc_message_equal(&shapes->base, &back->base));
	ck_assert_str_eq(back->words[2], shapes->words[2]);
	ck_assert(back->has_optional_int32 && !*back->optional_string);
	ck_assert_mem_eq(back->scalar->bytes_field.data, "a\0b", 3);
	back->message->color = COLOR_RED;
	ck_assert(!rpc_message_equal(&shapes->base, &back->base));
}

TEST(libprotobuf_c_reads_the_same)
{
	Shapes *shapes = filled(), *theirs;
	ProtobufCBinaryData bytes = rpc_pack(arena, &shapes->base);

	theirs = (Shapes *)protobuf_c_message_unpack(&Shapes_descriptor, arena_allocator(arena),
						     bytes.len, bytes.data);
	ck_assert(rpc_message_equal(&shapes->base, &theirs->base));
}

static void check_packed(const ProtobufCMessage *message)
{
	ProtobufCBinaryData bytes = rpc_pack(arena, message);
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *theirs = arena_alloc(arena, size + 1);

	protobuf_c_message_pack(message, theirs);
	ck_assert_uint_eq(bytes.len, size);
	ck_assert(!size || !memcmp(bytes.data, theirs, size));
}

TEST(bytes_are_those_of_libprotobuf_c)
{
	static const uint64_t numbers[] = { 0,     1,          127,        128,       16383,
					    16384, UINT32_MAX, 1ull << 62, UINT64_MAX };
	Shapes *shapes = filled(), *inner = filled();
	Scalars *many[600];

	check_packed(&shapes->base);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		uint64_t number = numbers[i];

		check_packed(&MSG(Scalars, .int32_field = (int32_t)number,
				  .int64_field = (int64_t)number, .uint32_field = (uint32_t)number,
				  .uint64_field = number, .sint32_field = (int32_t)number,
				  .sint64_field = (int64_t)number, .double_field = i ? -0.5 : -0.0,
				  .float_field = i ? 1e-30f : -0.0f)
				      ->base);
	}
	/* More than fits at first, in messages in messages, and what was not understood. */
	for (size_t i = 0; i < 600; i++)
		many[i] = shapes->scalar;
	inner->n_scalars = shapes->n_scalars = 600;
	inner->scalars = shapes->scalars = many;
	check_packed(&shapes->base);
	shapes = unpack(&Shapes_descriptor, "\xfa\x7f\x03tea\x1a\x02\x01\x02", 10);
	ck_assert_uint_eq(shapes->base.n_unknown_fields, 1);
	check_packed(&shapes->base);
	check_packed(&MSG(Shapes)->base);
}

TEST(each_prefix_of_a_message_is_read_or_refused)
{
	Shapes *shapes = filled();
	ProtobufCBinaryData bytes = rpc_pack(arena, &shapes->base);

	for (size_t length = 0; length < bytes.len; length++) {
		uint8_t *exact = arena_memdup(arena, bytes.data, length);

		rpc_unpack(arena, &Shapes_descriptor, exact, length, NULL);
	}
}

static const struct {
	const char *bytes;
	size_t size;
	const char *error;
} refused[] = {
	{ "\x08", 1, "The field int32_field of crpc.test.v1.Scalars is cut or overlong." },
	{ "\x72\x05tea", 5, "The message ends in the middle of a field." },
	{ "\x3d\x00\x00\x00", 4, "The message ends in the middle of a field." },
	{ "\x61\x00\x00\x00\x00\x00\x00\x00", 8, "The message ends in the middle of a field." },
	{ "\x72\x03te\x00", 5, "The field string_field of crpc.test.v1.Scalars holds a NUL." },
	{ "\x72\x01\xff", 3, "The field string_field of crpc.test.v1.Scalars is not UTF-8." },
	{ "\x72\x02\xc0\xaf", 4, "The field string_field of crpc.test.v1.Scalars is not UTF-8." },
	{ "\x72\x03\xed\xa0\x80", 5,
	  "The field string_field of crpc.test.v1.Scalars is not UTF-8." },
	{ "\x72\x04\xf4\x90\x80\x80", 6,
	  "The field string_field of crpc.test.v1.Scalars is not UTF-8." },
	{ "\x72\x02\xe2\x82", 4, "The field string_field of crpc.test.v1.Scalars is not UTF-8." },
	{ "\x00\x00", 2,
	  "The bytes are not a protobuf message: a field has an impossible number or wire type." },
	{ "\x0e\x00", 2,
	  "The bytes are not a protobuf message: a field has an impossible number or wire type." },
	{ "\x0f\x00", 2,
	  "The bytes are not a protobuf message: a field has an impossible number or wire type." },
	{ "\x80\x80\x80\x80\x80\x01\x00", 7,
	  "The bytes are not a protobuf message: a field has an impossible number or wire type." },
	{ "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12,
	  "The field int32_field of crpc.test.v1.Scalars is cut or overlong." },
	{ "\x72\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11,
	  "The message ends in the middle of a field." },
	{ "\xa4\x06", 2, "The message ends a group that it has not begun." },
	{ "\xa3\x06\x08\x01", 4, "The message ends in the middle of a field." },
	{ "\xa3\x06\xac\x06", 4, "The message ends a group that it has not begun." },
};

TEST_EACH(malformed_bytes_are_refused_with_a_sentence, refused)
{
	uint8_t *exact = arena_memdup(arena, row->bytes, row->size);
	const char *error = NULL;

	ck_assert_ptr_null(rpc_unpack(arena, &Scalars_descriptor, exact, row->size, &error));
	ck_assert_pstr_eq(error, row->error);
}

/* Shapes in Shapes in ...: `depth` of them around nothing. */
static ProtobufCBinaryData nested(size_t depth)
{
	uint8_t *bytes = arena_alloc(arena, depth * 8), *at = bytes + depth * 8;
	size_t size = 0;

	for (size_t i = 0; i < depth; i++) {
		size_t length = size;
		uint8_t digits[5];
		int n = 0;

		do {
			digits[n++] = (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
			length >>= 7;
		} while (length);
		at -= n + 1;
		at[0] = 12 << 3 | 2;
		memcpy(at + 1, digits, (size_t)n);
		size += (size_t)n + 1;
	}
	return (ProtobufCBinaryData){ size, at };
}

TEST(nesting_is_limited_to_100)
{
	ProtobufCBinaryData fits = nested(99), deep = nested(100), absurd = nested(10000);
	const char *error;

	unpack(&Shapes_descriptor, fits.data, fits.len);
	ck_assert_ptr_null(rpc_unpack(arena, &Shapes_descriptor, deep.data, deep.len, &error));
	ck_assert_str_eq(error, "The message is nested more than 100 deep.");
	ck_assert_ptr_null(rpc_unpack(arena, &Shapes_descriptor, absurd.data, absurd.len, &error));
}

TEST(unknown_fields_survive)
{
	TinyLater *later = MSG(TinyLater, .number = 1, .word = "new", .wide = 5, .narrow = 6,
			       .scalars = MSG(Scalars, .string_field = "deep"));
	ProtobufCBinaryData bytes = rpc_pack(arena, &later->base);
	Tiny *tiny = unpack(&Tiny_descriptor, bytes.data, bytes.len);
	TinyLater *back;

	ck_assert_int_eq(tiny->number, 1);
	tiny = (Tiny *)rpc_message_copy(arena, &tiny->base);
	bytes = rpc_pack(arena, &tiny->base);
	back = unpack(&TinyLater_descriptor, bytes.data, bytes.len);
	ck_assert(rpc_message_equal(&later->base, &back->base));
}

TEST(unknown_groups_are_passed_over_and_kept)
{
	static const char bytes[] = "\xa3\x06\x0b\x08\x05\x0c\x12\x01x\xa4\x06\x08\x07";
	Tiny *tiny = unpack(&Tiny_descriptor, bytes, sizeof(bytes) - 1);
	ProtobufCBinaryData back = rpc_pack(arena, &tiny->base);

	ck_assert_int_eq(tiny->number, 7);
	ck_assert_uint_eq(tiny->base.n_unknown_fields, 1);
	ck_assert_uint_eq(back.len, sizeof(bytes) - 1);
}

TEST(unknown_fields_are_limited)
{
	uint8_t *bytes = arena_alloc(arena, 20002);
	const char *error;

	for (size_t i = 0; i < 20002; i += 2) {
		bytes[i] = 2 << 3;
		bytes[i + 1] = 1;
	}
	ck_assert_ptr_nonnull(rpc_unpack(arena, &Tiny_descriptor, bytes, 20000, &error));
	ck_assert_ptr_null(rpc_unpack(arena, &Tiny_descriptor, bytes, 20002, &error));
	ck_assert_str_eq(error, "The message has more than 10000 unknown fields.");
}

TEST(a_field_of_another_wire_type_is_unknown)
{
	Scalars *scalars = unpack(&Scalars_descriptor, "\x0d\x01\x00\x00\x00", 5);

	ck_assert_int_eq(scalars->int32_field, 0);
	ck_assert_uint_eq(scalars->base.n_unknown_fields, 1);
}

TEST(numbers_come_packed_or_not_and_mixed)
{
	/* numbers: 1, [2, 3], 4; loose_numbers packed */
	Shapes *shapes =
		unpack(&Shapes_descriptor, "\x18\x01\x1a\x02\x02\x03\x18\x04\x22\x02\x05\x06", 12);

	ck_assert_uint_eq(shapes->n_numbers, 4);
	for (int32_t i = 0; i < 4; i++)
		ck_assert_int_eq(shapes->numbers[i], i + 1);
	ck_assert_uint_eq(shapes->n_loose_numbers, 2);
	ck_assert_int_eq(shapes->loose_numbers[1], 6);
}

TEST(a_message_that_comes_twice_is_merged)
{
	/* scalar { int32: 1 }, scalar { int64: 2 } */
	Shapes *shapes = unpack(&Shapes_descriptor, "\x5a\x02\x08\x01\x5a\x02\x10\x02", 8);

	ck_assert_int_eq(shapes->scalar->int32_field, 1);
	ck_assert_int_eq(shapes->scalar->int64_field, 2);
}

TEST(merging_has_a_limit)
{
	uint8_t bytes[2 * 102];
	const char *error;

	for (size_t i = 0; i < sizeof(bytes); i += 2) {
		bytes[i] = 11 << 3 | 2;
		bytes[i + 1] = 0;
	}
	ck_assert_ptr_nonnull(rpc_unpack(arena, &Shapes_descriptor, bytes, 2 * 101, &error));
	ck_assert_ptr_null(rpc_unpack(arena, &Shapes_descriptor, bytes, sizeof(bytes), &error));
	ck_assert_str_eq(error, "The field scalar of crpc.test.v1.Shapes comes too often.");
}

TEST(of_a_oneof_the_last_member_stays)
{
	/* text "a", number 5, message { int32: 1 } */
	Shapes *shapes = unpack(&Shapes_descriptor,
				"\x6a\x01"
				"a"
				"\x70\x05\x7a\x02\x08\x01",
				9);

	ck_assert_int_eq(shapes->choice_case, SHAPES_CHOICE_MESSAGE);
	ck_assert_int_eq(shapes->message->int32_field, 1);
	shapes = unpack(&Shapes_descriptor,
			"\x7a\x02\x08\x01\x6a\x01"
			"a",
			7);
	ck_assert_int_eq(shapes->choice_case, SHAPES_CHOICE_TEXT);
	ck_assert_str_eq(shapes->text, "a");
}

TEST(of_equal_keys_the_last_counts)
{
	/* labels: a=1, b=2, a=3 */
	Shapes *shapes = unpack(&Shapes_descriptor,
				"\x42\x06\x0a\x01"
				"a"
				"\x12\x01"
				"1"
				"\x42\x06\x0a\x01"
				"b"
				"\x12\x01"
				"2"
				"\x42\x06\x0a\x01"
				"a"
				"\x12\x01"
				"3",
				24);

	ck_assert_uint_eq(shapes->n_labels, 2);
	ck_assert_str_eq(shapes->labels[0]->key, "a");
	ck_assert_str_eq(shapes->labels[0]->value, "3");
	ck_assert_str_eq(shapes->labels[1]->key, "b");
}

TEST(large_maps_find_equal_keys_too)
{
	Shapes *shapes = (Shapes *)rpc_message_new(arena, &Shapes_descriptor);
	ProtobufCBinaryData bytes;
	Shapes *back;

	shapes->labels = arena_alloc(arena, 1000 * sizeof(*shapes->labels));
	for (shapes->n_labels = 0; shapes->n_labels < 1000; shapes->n_labels++)
		shapes->labels[shapes->n_labels] = (ShapesLabelsEntry *)rpc_message_copy(
			arena, &MSG(ShapesLabelsEntry,
				    .key = arena_printf(arena, "%zu", shapes->n_labels % 700),
				    .value = arena_printf(arena, "%zu", shapes->n_labels))
					->base);
	bytes = rpc_pack(arena, &shapes->base);
	back = unpack(&Shapes_descriptor, bytes.data, bytes.len);
	ck_assert_uint_eq(back->n_labels, 700);
	ck_assert_str_eq(back->labels[5]->value, "705");
	ck_assert_str_eq(back->labels[699]->value, "699");
}

TEST(a_map_value_that_did_not_come_is_empty)
{
	Shapes *shapes = unpack(&Shapes_descriptor, "\x4a\x02\x08\x01\x42\x00", 6);

	ck_assert_uint_eq(shapes->n_children, 1);
	ck_assert_ptr_nonnull(shapes->children[0]->value);
	ck_assert_str_eq(shapes->labels[0]->key, "");
	ck_assert_str_eq(shapes->labels[0]->value, "");
}

static int unpack_bomb(void *data)
{
	ProtobufCBinaryData *bytes = data;

	return rpc_unpack(arena, &Shapes_descriptor, bytes->data, bytes->len, NULL) ? 1 : 2;
}

TEST(two_bytes_an_element_run_into_the_cap)
{
	ProtobufCBinaryData bomb = { 1 << 20, arena_alloc(arena, 1 << 20) };

	for (size_t i = 0; i < bomb.len; i += 2)
		bomb.data[i] = 6 << 3 | 2; /* scalars {} */
	ck_assert_int_eq(arena_run(arena, unpack_bomb, &bomb), -12 /* ENOMEM */);
}

TEST(fields_are_found_by_both_spellings)
{
	ck_assert_str_eq(rpc_field_by_json_name(&Shapes_descriptor, "wrappedNumber", 13)->name,
			 "wrapped_number");
	ck_assert_str_eq(rpc_field_by_json_name(&Shapes_descriptor, "wrapped_number", 14)->name,
			 "wrapped_number");
	ck_assert_str_eq(rpc_field_by_json_name(&Shapes_descriptor, "Spelled-Out", 11)->name,
			 "spelled");
	ck_assert_ptr_null(rpc_field_by_json_name(&Shapes_descriptor, "wrapped", 7));
	ck_assert_ptr_null(rpc_field_by_json_name(&Shapes_descriptor, "wrappedNumberX", 14));
	ck_assert_ptr_null(rpc_field_by_json_name(&Shapes_descriptor, "", 0));
	ck_assert_ptr_null(
		rpc_field_by_json_name(&Shapes_descriptor, "wrappedNumber\0not ours", 22));
}

TEST(maps_are_equal_in_any_order)
{
	ShapesLabelsEntry *a = MSG(ShapesLabelsEntry, .key = "a", .value = "1"),
			  *b = MSG(ShapesLabelsEntry, .key = "b", .value = "2"),
			  *c = MSG(ShapesLabelsEntry, .key = "b", .value = "3");
	Shapes *one = MSG(Shapes, .n_labels = 2, .labels = (ShapesLabelsEntry *[]){ a, b }),
	       *other = MSG(Shapes, .n_labels = 2, .labels = (ShapesLabelsEntry *[]){ b, a }),
	       *third = MSG(Shapes, .n_labels = 2, .labels = (ShapesLabelsEntry *[]){ c, a });

	ck_assert(rpc_message_equal(&one->base, &other->base));
	ck_assert(!rpc_message_equal(&one->base, &third->base));
}

TEST(appending_moves_the_array_only_at_powers_of_two)
{
	const ProtobufCFieldDescriptor *field =
		rpc_field_by_json_name(&Shapes_descriptor, "numbers", 7);
	Shapes *shapes = (Shapes *)rpc_message_new(arena, &Shapes_descriptor);

	for (int32_t i = 0; i < 1000; i++) {
		*(int32_t *)rpc_field_set(arena, &shapes->base, field) = i;
		arena_alloc(arena, 1); /* so that it cannot grow in place */
	}
	ck_assert_uint_eq(shapes->n_numbers, 1000);
	for (int32_t i = 0; i < 1000; i++)
		ck_assert_int_eq(shapes->numbers[i], i);
	rpc_field_clear(&shapes->base, field);
	ck_assert_uint_eq(shapes->n_numbers, 0);
}

TEST_MAIN("wire", setup, teardown)
