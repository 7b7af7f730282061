/* Documents: what messages look like in BSON, and what is refused when reading. */
#include "probe_store.msg.h"
#include <common/bson.h>
#include <common/clock.h>
#include <common/money.h>
#include <errno.h>
#include <string.h>
#include <test.h>

static struct rpc_call *call;

static void setup(void)
{
	call = rpc_call_new("test", 10000);
}

static void teardown(void)
{
	call = rpc_call_free(call);
}

/* The document as relaxed extended JSON. */
static const char *json(const bson_t *document)
{
	char *text = bson_as_relaxed_extended_json(document, NULL);
	const char *copy = rpc_strdup(call, text);

	bson_free(text);
	return copy;
}

static ProbeRecord *read_back(const bson_t *document)
{
	ProtobufCMessage *message = NULL;
	const char *why = "";
	int r = document_read(rpc_arena(call), &ProbeRecord_descriptor, document, &message, &why);

	ck_assert_msg(!r, "%s", why);
	return (ProbeRecord *)message;
}

static const char *refusal(const bson_t *document)
{
	ProtobufCMessage *message = NULL;
	const char *why = "";

	ck_assert_int_eq(
		document_read(rpc_arena(call), &ProbeRecord_descriptor, document, &message, &why),
		-EBADMSG);
	ck_assert_ptr_null(message);
	return why;
}

TEST(an_empty_record_holds_its_scalars_and_nothing_else)
{
	ProbeRecord *record = rpc_new(call, ProbeRecord);

	ck_assert_str_eq(
		json(document_of_record(call, record)),
		"{ \"_id\" : \"\", \"version\" : 0, \"user\" : \"\", \"state\" : "
		"\"STATE_UNSPECIFIED\", "
		"\"count\" : 0, \"large\" : 0, \"fraction\" : 0.0, \"flag\" : false, "
		"\"data\" : { \"$binary\" : { \"base64\" : \"\", \"subType\" : \"00\" } }, "
		"\"small\" : 0, \"rough\" : 0.0 }");
	ck_assert(rpc_message_equal(&record->base,
				    &read_back(document_of_record(call, record))->base));
}

TEST(every_shape_of_field_comes_back_as_it_went)
{
	static uint8_t bytes[] = { 0, 1, 255 };
	ProbeLine *line = rpc_new(call, ProbeLine, .id = "l1", .quantity = 3);
	ProbeRecord *record = rpc_new(
		call, ProbeRecord, .id = "p1", .version = INT64_MAX, .user = "users/ann",
		.state = PROBE_RECORD_STATE_DONE, .count = INT32_MIN, .large = UINT64_MAX,
		.small = UINT32_MAX, .fraction = 0.1, .rough = 0.5F, .flag = true,
		.time = clock_timestamp(call, -1), .pause = clock_duration(call, 1500),
		.price = money_new(call, "EUR", -1250), .kind_case = PROBE_RECORD_KIND_NUMBER,
		.number = 0, .has_limit = true, .note = "");
	ProbeRecord *read;

	record->data = (ProtobufCBinaryData){ .data = bytes, .len = sizeof(bytes) };
	probe_record_add_lines(call, record, line);
	probe_record_add_lines(call, record, rpc_new(call, ProbeLine));
	probe_record_add_tags(call, record, "ä\xf0\x9f\x8d\xb5");
	probe_record_add_tags(call, record, "");
	probe_record_add_states(call, record, PROBE_RECORD_STATE_ACTIVE);
	probe_record_add_times(call, record, clock_timestamp(call, 1700000000123));
	probe_record_add_named(
		call, record, rpc_new(call, ProbeRecordNamedEntry, .key = "a.b$c%", .value = line));
	probe_record_add_named(call, record,
			       rpc_new(call, ProbeRecordNamedEntry, .key = "", .value = line));
	probe_record_add_numbered(call, record,
				  rpc_new(call, ProbeRecordNumberedEntry, .key = -7, .value = 8));
	record->nest = rpc_new(call, ProbeNest, .nest = rpc_new(call, ProbeNest));
	read = read_back(document_of_record(call, record));
	ck_assert(rpc_message_equal(&record->base, &read->base));
	ck_assert_int_eq(read->kind_case, PROBE_RECORD_KIND_NUMBER);
	ck_assert(read->has_limit);
	ck_assert_str_eq(read->note, "");
}

TEST(enums_are_names_times_are_dates_and_only_the_records_id_is_the_documents)
{
	ProbeRecord *record =
		rpc_new(call, ProbeRecord, .id = "p1", .state = PROBE_RECORD_STATE_ACTIVE,
			.time = clock_timestamp(call, 1700000000123));
	const bson_t *document;
	bson_iter_t iter, found;

	probe_record_add_lines(call, record, rpc_new(call, ProbeLine, .id = "l1"));
	document = document_of_record(call, record);
	ck_assert(bson_iter_init_find(&iter, document, "_id"));
	ck_assert(!bson_has_field(document, "id"));
	ck_assert(bson_iter_init_find(&iter, document, "state") && BSON_ITER_HOLDS_UTF8(&iter));
	ck_assert_str_eq(bson_iter_utf8(&iter, NULL), "ACTIVE");
	ck_assert(bson_iter_init_find(&iter, document, "time") && BSON_ITER_HOLDS_DATE_TIME(&iter));
	ck_assert_int_eq(bson_iter_date_time(&iter), 1700000000123);
	ck_assert(bson_iter_init(&iter, document) &&
		  bson_iter_find_descendant(&iter, "lines.0.id", &found));
	ck_assert_str_eq(document_enum(&ProbeRecordState_descriptor, PROBE_RECORD_STATE_DONE),
			 "DONE");
	ck_assert_str_eq(document_enum(&ProbeRecordState_descriptor, 99), "");
}

TEST(a_number_without_a_name_stays_a_number)
{
	ProbeRecord *record = rpc_new(call, ProbeRecord, .state = (ProbeRecordState)99);

	ck_assert_int_eq(read_back(document_of_record(call, record))->state, 99);
}

TEST(a_maps_key_is_one_step_of_a_path)
{
	ck_assert_str_eq(document_key(call, "a.b"), "a%2Eb");
	ck_assert_str_eq(document_key(call, "$set"), "%24set");
	ck_assert_str_eq(document_key(call, "100%"), "100%25");
	ck_assert_str_eq(document_key(call, ""), "%");
}

TEST(a_field_that_is_unset_replaces_what_was_there)
{
	static const char *const fields[] = { "time", "tags", "user", NULL };
	ProbeRecord *record = rpc_new(call, ProbeRecord, .user = "u");

	ck_assert_str_eq(json(document_of_fields(call, "p.", record, fields)),
			 "{ \"p.time\" : null, \"p.tags\" : [  ], \"p.user\" : \"u\" }");
	ck_assert_str_eq(json(document_of_field(call, "x", record, "state")),
			 "{ \"x\" : \"STATE_UNSPECIFIED\" }");
}

TEST(a_document_may_hold_more_than_its_reader_knows)
{
	ProbeRecord *read = read_back(DOC(call, "_id", BCON_UTF8("p"), "colour", "[", BCON_INT32(1),
					  "]", "user", BCON_NULL));

	ck_assert_str_eq(read->id, "p");
	ck_assert_str_eq(read->user, "");
}

TEST(a_shells_numbers_are_read_when_they_are_whole)
{
	ck_assert_int_eq(read_back(DOC(call, "count", BCON_DOUBLE(7)))->count, 7);
	ck_assert_int_eq(read_back(DOC(call, "count", BCON_INT64(7)))->count, 7);
	ck_assert_str_eq(refusal(DOC(call, "count", BCON_DOUBLE(7.5))),
			 "The document's field 'count' is not a whole number.");
}

TEST(a_wrong_type_is_refused_by_the_fields_path)
{
	ck_assert_str_eq(refusal(DOC(call, "lines", "[", "{", "}", "{", "quantity",
				     BCON_UTF8("secret"), "}", "]")),
			 "The document's field 'lines.1.quantity' is not a number.");
	ck_assert_str_eq(refusal(DOC(call, "time", BCON_INT64(5))),
			 "The document's field 'time' is not a date.");
	ck_assert_str_eq(refusal(DOC(call, "lines", "{", "}")),
			 "The document's field 'lines' is not an array.");
	ck_assert_str_eq(refusal(DOC(call, "named", BCON_INT32(1))),
			 "The document's field 'named' is not an object.");
	ck_assert_str_eq(refusal(DOC(call, "flag", BCON_INT32(1))),
			 "The document's field 'flag' is not true or false.");
	ck_assert_str_eq(refusal(DOC(call, "user", BCON_INT32(1))),
			 "The document's field 'user' is not a string.");
	ck_assert_str_eq(refusal(DOC(call, "data", BCON_UTF8("x"))),
			 "The document's field 'data' is not binary.");
	ck_assert_str_eq(refusal(DOC(call, "state", BCON_UTF8("LOST"))),
			 "The document's field 'state' has a name that its enum does not have.");
}

TEST(a_number_out_of_range_is_refused)
{
	ck_assert_str_eq(refusal(DOC(call, "count", BCON_INT64(1LL << 40))),
			 "The document's field 'count' is out of range.");
	ck_assert_str_eq(refusal(DOC(call, "small", BCON_INT32(-1))),
			 "The document's field 'small' is out of range.");
}

TEST(broken_text_is_refused)
{
	cleanup(bson_freep) bson_t *nul = bson_new(), *broken = bson_new(), *key = bson_new();
	bson_t child;

	bson_append_utf8(nul, "user", -1, "a\0b", 3);
	ck_assert_str_eq(refusal(nul),
			 "The document's field 'user' is not valid UTF-8 or holds a NUL.");
	bson_append_utf8(broken, "user", -1, "\xc3(", 2);
	ck_assert_str_eq(refusal(broken),
			 "The document's field 'user' is not valid UTF-8 or holds a NUL.");
	bson_append_document_begin(key, "named", -1, &child);
	bson_append_document(&child, "%00", -1, DOC(call, "quantity", BCON_INT32(1)));
	bson_append_document_end(key, &child);
	ck_assert_str_eq(refusal(key),
			 "The document's field 'named.%00' is a key with a broken escape.");
}

TEST(nesting_has_an_end)
{
	bson_t *inner = bson_new();

	for (int i = 0; i < 200; i++) {
		bson_t *outer = BCON_NEW("nest", BCON_DOCUMENT(inner));

		bson_destroy(inner);
		inner = outer;
	}
	ck_assert_ptr_nonnull(strstr(refusal(inner), "is nested too deeply"));
	bson_destroy(inner);
}

TEST(broken_bson_is_refused)
{
	const bson_t *whole = DOC(call, "user", BCON_UTF8("ann"), "lines", "[", "{", "quantity",
				  BCON_INT32(1), "}", "]");
	uint32_t length = whole->len;

	/* Each byte in turn is another: whatever is read of it, nothing is read beyond. */
	for (uint32_t i = 4; i < length - 1; i++)
		for (int flip = 1; flip < 256; flip *= 2) {
			uint8_t *bytes = rpc_memdup(call, bson_get_data(whole), length);
			ProtobufCMessage *message;
			const char *why;
			bson_t document;

			bytes[i] = (uint8_t)(bytes[i] ^ flip);
			if (bson_init_static(&document, bytes, length))
				document_read(rpc_arena(call), &ProbeRecord_descriptor, &document,
					      &message, &why);
		}
}

TEST_MAIN("bson", setup, teardown)
