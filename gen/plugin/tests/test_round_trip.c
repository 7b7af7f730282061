/* What the generated descriptors pack is what protoc packs: each message goes through protoc's text
 * form and back, byte for byte. */
#include "enums.msg.h"
#include "maps.msg.h"
#include "messages.msg.h"
#include "oneof.msg.h"
#include "optional.msg.h"
#include "well_known.msg.h"
#include <crpc/call.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test.h>
#include <unistd.h>

static struct rpc_call *call;

static void setup(void)
{
	call = rpc_call_new("test", 0);
}

static void teardown(void)
{
	call = rpc_call_free(call);
}

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	ck_assert_msg(value, "%s is not set; run this test by meson", name);
	return value;
}

/* protoc's options for imports: our folder and those of others */
static char *imports(const char *folder)
{
	char *roots = rpc_strdup(call, variable("PROTO_ROOTS")), *root;
	char *options = rpc_printf(call, "-I '%s/%s'", variable("PROTO_TESTS"), folder);

	while ((root = strsep(&roots, ":")))
		options = rpc_printf(call, "%s -I '%s'", options, root);
	return options;
}

/* Bytes to bytes: protoc prints them as text and reads the text again. */
static ProtobufCBinaryData through_protoc(const char *folder, const char *type,
					  ProtobufCBinaryData bytes)
{
	char path[] = "/tmp/crpc-round-trip-XXXXXX";
	const char *options = imports(folder);
	uint8_t *answer = rpc_alloc(call, bytes.len + 65536);
	size_t length;
	char *command;
	FILE *pipe;
	int file = mkstemp(path);

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(write(file, bytes.data, bytes.len), (ssize_t)bytes.len);
	close(file);
	command =
		rpc_printf(call,
			   "set -e; '%s' %s --decode=%s %s.proto <%s >%s.txt;"
			   "'%s' %s --encode=%s --deterministic_output %s.proto <%s.txt; rm %s.txt",
			   variable("PROTOC"), options, type, folder, path, path,
			   variable("PROTOC"), options, type, folder, path, path);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	length = fread(answer, 1, bytes.len + 65536, pipe);
	ck_assert_int_eq(pclose(pipe), 0);
	unlink(path);
	return (ProtobufCBinaryData){ length, answer };
}

/* No bytes may be NULL, which memcmp() must not be given. */
static void expect_bytes(ProtobufCBinaryData is, ProtobufCBinaryData expected)
{
	ck_assert_uint_eq(is.len, expected.len);
	if (expected.len)
		ck_assert_mem_eq(is.data, expected.data, expected.len);
}

#define check(folder, message) check_message(folder, &(message)->base)
static ProtobufCMessage *check_message(const char *folder, const ProtobufCMessage *message)
{
	ProtobufCBinaryData ours = rpc_pack(rpc_arena(call), message), theirs, again;
	const char *error = NULL;
	ProtobufCMessage *back;

	theirs = through_protoc(folder, message->descriptor->name, ours);
	expect_bytes(theirs, ours);

	back = rpc_unpack(rpc_arena(call), message->descriptor, theirs.data, theirs.len, &error);
	ck_assert_msg(back, "%s", error);
	ck_assert(rpc_message_equal(message, back));
	again = rpc_pack(rpc_arena(call), back);
	expect_bytes(again, ours);
	return back;
}

#define BYTES(text) ((ProtobufCBinaryData){ sizeof(text) - 1, (uint8_t *)(text) })

TEST(every_scalar_goes_through_protoc_and_back)
{
	Scalars *scalars =
		rpc_new(call, Scalars, .a_double = -DBL_MAX, .a_float = FLT_MIN,
			.an_int32 = INT32_MIN, .an_int64 = INT64_MIN, .a_uint32 = UINT32_MAX,
			.a_uint64 = UINT64_MAX, .a_sint32 = INT32_MIN, .a_sint64 = INT64_MIN,
			.a_fixed32 = UINT32_MAX, .a_fixed64 = UINT64_MAX, .an_sfixed32 = INT32_MIN,
			.an_sfixed64 = INT64_MIN, .a_bool = true, .a_string = "\u00e9 \"quoted\"\n",
			.some_bytes = BYTES("\0\xff\n"), .leaf = MSG(Leaf, .leaf = MSG(Leaf)));

	check("messages", scalars);
}

TEST(unset_fields_are_not_sent)
{
	Scalars *scalars = rpc_new(call, Scalars);

	ck_assert_uint_eq(protobuf_c_message_get_packed_size(&scalars->base), 0);
	scalars = (Scalars *)check("messages", scalars);
	ck_assert_str_eq(scalars->a_string, "");
	ck_assert_ptr_null(scalars->leaf);
}

TEST(lists_are_packed_as_protoc_packs_them)
{
	Lists *lists = rpc_new(call, Lists);

	for (int i = -3; i < 5; i++) {
		lists_add_doubles(call, lists, i / 4.0);
		lists_add_floats(call, lists, (float)i / 4);
		lists_add_int32s(call, lists, i);
		lists_add_int64s(call, lists, i * INT64_C(10000000000));
		lists_add_uint32s(call, lists, (uint32_t)i);
		lists_add_uint64s(call, lists, (uint64_t)i);
		lists_add_sint32s(call, lists, i);
		lists_add_sint64s(call, lists, i);
		lists_add_fixed32s(call, lists, (uint32_t)i);
		lists_add_fixed64s(call, lists, (uint64_t)i);
		lists_add_sfixed32s(call, lists, i);
		lists_add_sfixed64s(call, lists, i);
		lists_add_bools(call, lists, i & 1);
		lists_add_strings(call, lists, rpc_printf(call, "%d", i));
		lists_add_blobs(call, lists, BYTES("\0"));
		lists_add_leaves(call, lists, rpc_new(call, Leaf));
		lists_add_unpacked(call, lists, i);
	}
	check("messages", lists);
}

TEST(a_list_is_walked_in_order)
{
	Lists *lists = rpc_new(call, Lists);
	const char *joined = "";
	int64_t sum = 0;

	lists_each_strings(text, lists) ck_abort_msg("an empty list has the element '%s'", text);
	for (int i = 0; i < 100; i++) {
		lists_add_int64s(call, lists, i);
		lists_add_strings(call, lists, rpc_printf(call, "%d,", i));
	}
	lists_each_int64s(number, lists)
	{
		if (number == 50)
			break;
		sum += number;
	}
	lists_each_strings(text, lists) joined = rpc_printf(call, "%s%s", joined, text);
	ck_assert_int_eq(sum, 49 * 50 / 2);
	ck_assert_int_eq(strncmp(joined, "0,1,2,3,4,5,6,7,8,9,10,", 23), 0);
}

TEST(fields_are_found_whatever_their_numbers)
{
	Numbers *numbers = rpc_new(call, Numbers, .last = "last", .zeta = "zeta", .alpha = "alpha",
				   .beta = "beta", .far = "far", .farther = "farther");
	const ProtobufCMessageDescriptor *descriptor = &Numbers_descriptor;

	check("messages", numbers);
	ck_assert_str_eq(protobuf_c_message_descriptor_get_field(descriptor, 536870911)->name,
			 "last");
	ck_assert_str_eq(protobuf_c_message_descriptor_get_field(descriptor, 100001)->name,
			 "farther");
	ck_assert_ptr_null(protobuf_c_message_descriptor_get_field(descriptor, 3));
	ck_assert_ptr_null(protobuf_c_message_descriptor_get_field(descriptor, 99999));
	for (unsigned i = 0; i < descriptor->n_fields; i++)
		ck_assert_ptr_eq(protobuf_c_message_descriptor_get_field_by_name(
					 descriptor, descriptor->fields[i].name),
				 &descriptor->fields[i]);
}

TEST(a_message_without_fields_is_empty)
{
	check("messages", rpc_new(call, Nothing));
}

TEST(presence_tells_zero_from_unset)
{
	Presence *presence =
		rpc_new(call, Presence, .has_number_ = true, .text = "", .has_blob = true,
			.has_flag = true, .has_kind = true, .inner = MSG(Presence));

	presence = (Presence *)check("optional", presence);
	ck_assert(presence->has_number_ && presence->has_blob && presence->has_flag &&
		  presence->has_kind);
	ck_assert_str_eq(presence->text, "");
	ck_assert_ptr_null(presence->inner->text);
	ck_assert(!presence->inner->has_number_);
}

TEST(a_oneof_holds_the_member_that_its_case_names)
{
	Payment *payment =
		rpc_new(call, Payment, .payment_method_case = PAYMENT_PAYMENT_METHOD_CARD,
			.card = "", .second_case = PAYMENT_SECOND_RIGHT, .right = 0);

	payment = (Payment *)check("oneof", payment);
	ck_assert_int_eq(payment->payment_method_case, PAYMENT_PAYMENT_METHOD_CARD);
	ck_assert_str_eq(payment->card, "");
	ck_assert_int_eq(payment->second_case, PAYMENT_SECOND_RIGHT);

	payment = (Payment *)check(
		"oneof",
		rpc_new(call, Payment, .payment_method_case = PAYMENT_PAYMENT_METHOD_TRANSFER,
			.transfer = MSG(Transfer, .iban = "AT61"), .note = "urgent"));
	ck_assert_str_eq(payment->transfer->iban, "AT61");
	check("oneof", rpc_new(call, Payment, .payment_method_case = PAYMENT_PAYMENT_METHOD_OPAQUE,
			       .opaque = BYTES("\1")));
	check("oneof", rpc_new(call, Payment, .payment_method_case = PAYMENT_PAYMENT_METHOD_VOUCHER,
			       .voucher = VOUCHER_GIFT));
	check("oneof", rpc_new(call, Payment, .payment_method_case = PAYMENT_PAYMENT_METHOD_CASH,
			       .cash = 1.5));
	payment = (Payment *)check("oneof", rpc_new(call, Payment));
	ck_assert_int_eq(payment->payment_method_case, PAYMENT_PAYMENT_METHOD_NOT_SET);
}

/* Entries are in the order of their keys, as protoc's deterministic output has them. */
TEST(maps_are_lists_of_entries)
{
	Maps *maps = rpc_new(call, Maps), *inner = rpc_new(call, Maps);
	Thing *thing = rpc_new(call, Thing);

	maps_add_labels(call, maps, rpc_new(call, MapsLabelsEntry, .key = "a", .value = "1"));
	maps_add_labels(call, maps, rpc_new(call, MapsLabelsEntry, .key = "b", .value = "2"));
	maps_add_colors(call, maps,
			rpc_new(call, MapsColorsEntry, .key = true, .value = COLOR_RED));
	maps_add_blobs(call, maps,
		       rpc_new(call, MapsBlobsEntry, .key = UINT64_MAX, .value = BYTES("\0")));
	maps_add_labels(call, inner, rpc_new(call, MapsLabelsEntry, .key = "c", .value = "3"));
	thing_add_nested(call, thing,
			 rpc_new(call, ThingNestedEntry, .key = "inner", .value = inner));
	maps_add_things(call, maps, rpc_new(call, MapsThingsEntry, .key = -1, .value = thing));
	check("maps", maps);
}

TEST(enums_keep_values_that_they_do_not_know)
{
	Uses *uses = rpc_new(call, Uses, .state = USES_STATE_ACTIVE, .code = USES_HTTP_CODE_OK,
			     .order_state = 77, .alias = ALIAS_RUNNING, .inner = HOLDER_INNER_ONE);

	uses_add_levels(call, uses, LEVEL_LOWEST);
	uses_add_levels(call, uses, LEVEL_HIGH);
	uses_add_levels(call, uses, LEVEL_LOW);
	uses = (Uses *)check("enums", uses);
	ck_assert_int_eq(uses->order_state, 77);
	ck_assert_int_eq(uses->levels[0], INT32_MIN);
}

TEST(enum_values_are_found_by_number_and_by_name)
{
	ck_assert_str_eq(protobuf_c_enum_descriptor_get_value(&Level_descriptor, INT32_MIN)->name,
			 "LOWEST");
	ck_assert_str_eq(protobuf_c_enum_descriptor_get_value(&Level_descriptor, -1)->name, "LOW");
	ck_assert_ptr_null(protobuf_c_enum_descriptor_get_value(&Level_descriptor, 2));
	/* of aliases the first is printed, both are read */
	ck_assert_str_eq(protobuf_c_enum_descriptor_get_value(&Alias_descriptor, 1)->name,
			 "ALIAS_STARTED");
	ck_assert_int_eq(
		protobuf_c_enum_descriptor_get_value_by_name(&Alias_descriptor, "ALIAS_RUNNING")
			->value,
		1);
	ck_assert_int_eq(
		protobuf_c_enum_descriptor_get_value_by_name(&Alias_descriptor, "ALIAS_DONE")
			->value,
		2);
}

TEST(well_known_types_are_messages_on_the_wire)
{
	WellKnown *known = rpc_new(
		call, WellKnown, .time = MSG(Timestamp, .seconds = 1, .nanos = 2),
		.duration = MSG(Duration, .seconds = -1), .empty = MSG(Empty),
		.number = MSG(Int64Value, .value = 5),
		.body = MSG(HttpBody, .content_type = "text/plain", .data = BYTES("hello")));

	well_known_add_times(call, known, rpc_new(call, Timestamp, .seconds = 3));
	check("well_known", known);
}

TEST_MAIN("round_trip", setup, teardown)
