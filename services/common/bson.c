/* Documents: protobuf messages as BSON, driven by their descriptors. Reading is in bson_read.c. */
#include <common/bson.h>
#include <common/names.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * libbson refuses to append only beyond 2 GiB, which no message of a capped arena reaches, and ends
 * the process when there is no memory; so an append that fails is a fault of ours.
 */
static void must(bool appended)
{
	if (!appended)
		abort();
}

static void append_fields(bson_t *into, const ProtobufCMessage *message, bool top);

/* A key that is a path's step: '%' first of all, so that decoding is certain. Returns the length;
 * `to` holds 3 times the key, or more than 1. */
static size_t escape_key(char *to, const char *key)
{
	char *at = to;

	if (!*key)
		*at++ = '%';
	for (; *key; key++) {
		if (*key == '%' || *key == '.' || *key == '$')
			at += sprintf(at, "%%%02X", (unsigned char)*key);
		else
			*at++ = *key;
	}
	*at = 0;
	return (size_t)(at - to);
}

const char *document_key(struct rpc_call *call, const char *key)
{
	char *escaped = rpc_alloc(call, 3 * strlen(key) + 2);

	escape_key(escaped, key);
	return escaped;
}

const char *document_enum(const ProtobufCEnumDescriptor *descriptor, int value)
{
	const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(descriptor, value);

	return found ? found->name : "";
}

static void append_time(bson_t *into, const char *key, const ProtobufCMessage *timestamp)
{
	const ProtobufCMessageDescriptor *descriptor = timestamp->descriptor;
	int64_t seconds = *(int64_t *)rpc_field_value(timestamp, &descriptor->fields[0]);
	int32_t nanos = *(int32_t *)rpc_field_value(timestamp, &descriptor->fields[1]);

	must(bson_append_date_time(into, key, -1, seconds * 1000 + nanos / 1000000));
}

static enum rpc_kind kind_of(const ProtobufCMessageDescriptor *descriptor)
{
	const struct rpc_message_info *info = rpc_message_info(descriptor);

	return info ? info->kind : RPC_KIND_MESSAGE;
}

static bool is_map(const ProtobufCFieldDescriptor *field)
{
	const struct rpc_message_info *info;

	if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label != PROTOBUF_C_LABEL_REPEATED)
		return false;
	info = rpc_message_info(field->descriptor);
	return info && info->map_entry;
}

/* One value, the one that `value` points to. */
static void append_value(bson_t *into, const char *key, const ProtobufCFieldDescriptor *field,
			 const void *value)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		must(bson_append_int32(into, key, -1, *(const int32_t *)value));
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		must(bson_append_int64(into, key, -1, *(const uint32_t *)value));
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		/* BSON has no unsigned: the upper half is stored as negative numbers. */
		must(bson_append_int64(into, key, -1, *(const int64_t *)value));
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		must(bson_append_double(into, key, -1, (double)*(const float *)value));
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		must(bson_append_double(into, key, -1, *(const double *)value));
		break;
	case PROTOBUF_C_TYPE_BOOL:
		must(bson_append_bool(into, key, -1, *(const protobuf_c_boolean *)value));
		break;
	case PROTOBUF_C_TYPE_ENUM: {
		const ProtobufCEnumValue *named = protobuf_c_enum_descriptor_get_value(
			field->descriptor, *(const int *)value);

		if (named)
			must(bson_append_utf8(into, key, -1, named->name, -1));
		else
			must(bson_append_int32(into, key, -1, *(const int *)value));
		break;
	}
	case PROTOBUF_C_TYPE_STRING: {
		const char *string = *(const char *const *)value;

		must(bson_append_utf8(into, key, -1, string ? string : "", -1));
		break;
	}
	case PROTOBUF_C_TYPE_BYTES: {
		const ProtobufCBinaryData *bytes = value;

		must(bson_append_binary(into, key, -1, BSON_SUBTYPE_BINARY,
					bytes->data ? bytes->data : (const uint8_t *)"",
					(uint32_t)bytes->len));
		break;
	}
	case PROTOBUF_C_TYPE_MESSAGE:
		document_append_message(into, key, *(ProtobufCMessage *const *)value);
		break;
	}
}

static void append_map(bson_t *into, const char *key, const ProtobufCFieldDescriptor *field,
		       const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *entry_type = field->descriptor;
	ProtobufCMessage *const *entries =
		*(ProtobufCMessage *const **)rpc_field_value(message, field);
	size_t n = *rpc_field_count(message, field);
	bson_t map;

	must(bson_append_document_begin(into, key, -1, &map));
	for (size_t i = 0; i < n; i++) {
		const void *entry_key = rpc_field_value(entries[i], &entry_type->fields[0]);
		char number[24], *escaped = NULL;

		switch (entry_type->fields[0].type) {
		case PROTOBUF_C_TYPE_STRING:
			escaped = malloc(3 * strlen(*(const char *const *)entry_key) + 2);
			must(escaped != NULL);
			escape_key(escaped, *(const char *const *)entry_key);
			break;
		case PROTOBUF_C_TYPE_BOOL:
			strcpy(number, *(const protobuf_c_boolean *)entry_key ? "true" : "false");
			break;
		case PROTOBUF_C_TYPE_INT32:
		case PROTOBUF_C_TYPE_SINT32:
		case PROTOBUF_C_TYPE_SFIXED32:
			snprintf(number, sizeof(number), "%" PRId32, *(const int32_t *)entry_key);
			break;
		case PROTOBUF_C_TYPE_UINT32:
		case PROTOBUF_C_TYPE_FIXED32:
			snprintf(number, sizeof(number), "%" PRIu32, *(const uint32_t *)entry_key);
			break;
		case PROTOBUF_C_TYPE_UINT64:
		case PROTOBUF_C_TYPE_FIXED64:
			snprintf(number, sizeof(number), "%" PRIu64, *(const uint64_t *)entry_key);
			break;
		default:
			snprintf(number, sizeof(number), "%" PRId64, *(const int64_t *)entry_key);
			break;
		}
		append_value(&map, escaped ? escaped : number, &entry_type->fields[1],
			     rpc_field_value(entries[i], &entry_type->fields[1]));
		free(escaped);
	}
	must(bson_append_document_end(into, &map));
}

static void append_array(bson_t *into, const char *key, const ProtobufCFieldDescriptor *field,
			 const ProtobufCMessage *message)
{
	const char *elements = *(const char *const *)rpc_field_value(message, field);
	size_t n = *rpc_field_count(message, field), size = rpc_type_size(field->type);
	bson_t array;

	must(bson_append_array_begin(into, key, -1, &array));
	for (size_t i = 0; i < n; i++) {
		char buffer[16];
		const char *index;

		bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof(buffer));
		append_value(&array, index, field, elements + i * size);
	}
	must(bson_append_array_end(into, &array));
}

/* The field under a key, whether it is set or not. */
static void append_field(bson_t *into, const char *key, const ProtobufCFieldDescriptor *field,
			 const ProtobufCMessage *message)
{
	if (is_map(field))
		append_map(into, key, field, message);
	else if (field->label == PROTOBUF_C_LABEL_REPEATED)
		append_array(into, key, field, message);
	else
		append_value(into, key, field, rpc_field_value(message, field));
}

/* Whether a field without a value is written all the same: so it is for scalars without
 * presence. */
static bool is_always_written(const ProtobufCFieldDescriptor *field)
{
	return field->label == PROTOBUF_C_LABEL_NONE && field->type != PROTOBUF_C_TYPE_MESSAGE &&
	       !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
}

static void append_fields(bson_t *into, const ProtobufCMessage *message, bool top)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;

	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		const char *key = top && !strcmp(field->name, "id") ? "_id" : field->name;

		if (is_always_written(field) || rpc_field_present(message, field))
			append_field(into, key, field, message);
	}
}

void document_append(bson_t *into, const ProtobufCMessage *message)
{
	append_fields(into, message, true);
}

void document_append_message(bson_t *into, const char *key, const ProtobufCMessage *message)
{
	bson_t child;

	if (kind_of(message->descriptor) == RPC_KIND_TIMESTAMP) {
		append_time(into, key, message);
		return;
	}
	must(bson_append_document_begin(into, key, -1, &child));
	append_fields(&child, message, false);
	must(bson_append_document_end(into, &child));
}

enum { BSON_ALIGNMENT = 128 }; /* what the compiler believes of a bson_t */

bson_t *document_keep(struct rpc_call *call, bson_t *document)
{
	cleanup(bson_freep) bson_t *owned = document;
	uint8_t *bytes = rpc_memdup(call, bson_get_data(owned), owned->len);
	uintptr_t room = (uintptr_t)rpc_alloc(call, sizeof(bson_t) + BSON_ALIGNMENT);
	bson_t *kept = (bson_t *)((room + BSON_ALIGNMENT - 1) & ~(uintptr_t)(BSON_ALIGNMENT - 1));

	must(bson_init_static(kept, bytes, owned->len));
	return kept;
}

bson_t *document_of_record_(struct rpc_call *call, const ProtobufCMessage *message)
{
	bson_t *document = bson_new();

	append_fields(document, message, true);
	return document_keep(call, document);
}

bson_t *document_of_(struct rpc_call *call, const ProtobufCMessage *message)
{
	bson_t *document = bson_new();

	append_fields(document, message, false);
	return document_keep(call, document);
}

/* As append_field(), but what is unset is null. */
static void append_named(bson_t *into, const char *key, const ProtobufCMessage *message,
			 const char *name)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);

	must(field != NULL);
	if (field->label == PROTOBUF_C_LABEL_REPEATED || is_always_written(field) ||
	    rpc_field_present(message, field))
		append_field(into, key, field, message);
	else
		must(bson_append_null(into, key, -1));
}

bson_t *document_of_field_(struct rpc_call *call, const char *key, const ProtobufCMessage *message,
			   const char *field)
{
	bson_t *document = bson_new();

	append_named(document, key, message, field);
	return document_keep(call, document);
}

static void append_prefixed(bson_t *into, const char *prefix, const ProtobufCMessage *message,
			    const char *name)
{
	char key[256];

	must(snprintf(key, sizeof(key), "%s%s", prefix, name) < (int)sizeof(key));
	append_named(into, key, message, name);
}

bson_t *document_of_fields_(struct rpc_call *call, const char *prefix,
			    const ProtobufCMessage *message, const char *const *fields)
{
	bson_t *document = bson_new();

	for (; *fields; fields++)
		append_prefixed(document, prefix, message, *fields);
	return document_keep(call, document);
}

bson_t *document_of_changes_(struct rpc_call *call, const char *prefix, const ProtobufCMessage *was,
			     const ProtobufCMessage *is, const char *const *fields)
{
	bson_t *document = bson_new();

	for (; *fields; fields++) {
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field_by_name(is->descriptor, *fields);

		must(field != NULL);
		if (!rpc_field_equal(was, is, field))
			append_prefixed(document, prefix, is, *fields);
	}
	return document_keep(call, document);
}

bson_t *document_in(struct rpc_call *call, const char *const *texts, size_t n_texts)
{
	bson_t *in = bson_new(), array;
	char buffer[16];
	const char *index;

	BSON_APPEND_ARRAY_BEGIN(in, "$in", &array);
	for (size_t i = 0; i < n_texts; i++) {
		bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof(buffer));
		BSON_APPEND_UTF8(&array, index, texts[i]);
	}
	bson_append_array_end(in, &array);
	return document_keep(call, in);
}

bson_t *document_in_ids(struct rpc_call *call, const char *const *names, size_t n_names)
{
	const char **ids = rpc_alloc(call, n_names * sizeof(*ids) + 1);

	for (size_t i = 0; i < n_names; i++)
		ids[i] = name_id(names[i]);
	return document_in(call, ids, n_names);
}

bson_t *document_join(struct rpc_call *call, const bson_t *a, const bson_t *b)
{
	bson_t *joined = bson_copy(a);

	must(bson_concat(joined, b));
	return document_keep(call, joined);
}
