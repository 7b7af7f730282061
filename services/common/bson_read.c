/* Documents: protobuf messages from BSON, driven by their descriptors; every byte is checked. */
#include <common/bson.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 100 };

/* Where in the document we are; printed only when something is wrong. */
struct step {
	const struct step *up;
	const char *name;
	int depth;
};

struct reader {
	struct arena *arena;
	const char *why;
};

static void print_path(char *to, size_t size, const struct step *step)
{
	size_t length;

	if (!step)
		return;
	print_path(to, size, step->up);
	length = strlen(to);
	snprintf(to + length, size - length, "%s%.64s", length ? "." : "", step->name);
}

/* Names the field and what is wrong with it, never its value. */
static int refuse(struct reader *reader, const struct step *step, const char *problem)
{
	char path[256] = "";

	print_path(path, sizeof(path), step);
	reader->why = arena_printf(reader->arena, "The document's field '%s' %s.", path, problem);
	return -EBADMSG;
}

static int read_fields(struct reader *reader, const struct step *step, bson_iter_t *iter,
		       ProtobufCMessage *message, bool top);

static int read_integer(struct reader *reader, const struct step *step, const bson_iter_t *iter,
			int64_t least, int64_t most, int64_t *ret)
{
	int64_t value;

	switch (bson_iter_type(iter)) {
	case BSON_TYPE_INT32:
		value = bson_iter_int32(iter);
		break;
	case BSON_TYPE_INT64:
		value = bson_iter_int64(iter);
		break;
	case BSON_TYPE_DOUBLE: {
		/* A shell writes every number as one. */
		double number = bson_iter_double(iter);

		if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0) ||
		    number != (double)(int64_t)number)
			return refuse(reader, step, "is not a whole number");
		value = (int64_t)number;
		break;
	}
	default:
		return refuse(reader, step, "is not a number");
	}
	if (value < least || value > most)
		return refuse(reader, step, "is out of range");
	*ret = value;
	return 0;
}

static int read_double(struct reader *reader, const struct step *step, const bson_iter_t *iter,
		       double *ret)
{
	switch (bson_iter_type(iter)) {
	case BSON_TYPE_DOUBLE:
		*ret = bson_iter_double(iter);
		return 0;
	case BSON_TYPE_INT32:
	case BSON_TYPE_INT64:
		*ret = (double)bson_iter_as_int64(iter);
		return 0;
	default:
		return refuse(reader, step, "is not a number");
	}
}

static int read_string(struct reader *reader, const struct step *step, const bson_iter_t *iter,
		       const char **ret)
{
	const char *text;
	uint32_t length;

	if (!BSON_ITER_HOLDS_UTF8(iter))
		return refuse(reader, step, "is not a string");
	text = bson_iter_utf8(iter, &length);
	if (!bson_utf8_validate(text, length, false))
		return refuse(reader, step, "is not valid UTF-8 or holds a NUL");
	*ret = arena_strndup(reader->arena, text, length);
	return 0;
}

static int read_enum(struct reader *reader, const struct step *step, const bson_iter_t *iter,
		     const ProtobufCEnumDescriptor *descriptor, int *ret)
{
	const ProtobufCEnumValue *value;
	int64_t number = 0;
	uint32_t length;
	const char *name;
	int r;

	if (!BSON_ITER_HOLDS_UTF8(iter)) {
		r = read_integer(reader, step, iter, INT32_MIN, INT32_MAX, &number);
		if (!r)
			*ret = (int)number;
		return r;
	}
	name = bson_iter_utf8(iter, &length);
	value = strlen(name) == length
			? protobuf_c_enum_descriptor_get_value_by_name(descriptor, name)
			: NULL;
	if (!value)
		return refuse(reader, step, "has a name that its enum does not have");
	*ret = value->value;
	return 0;
}

static int read_bytes(struct reader *reader, const struct step *step, const bson_iter_t *iter,
		      ProtobufCBinaryData *ret)
{
	bson_subtype_t subtype;
	const uint8_t *bytes;
	uint32_t length;

	if (!BSON_ITER_HOLDS_BINARY(iter))
		return refuse(reader, step, "is not binary");
	bson_iter_binary(iter, &subtype, &length, &bytes);
	ret->data = length ? arena_memdup(reader->arena, bytes, length) : NULL;
	ret->len = length;
	return 0;
}

static enum rpc_kind kind_of(const ProtobufCMessageDescriptor *descriptor)
{
	const struct rpc_message_info *info = rpc_message_info(descriptor);

	return info ? info->kind : RPC_KIND_MESSAGE;
}

static int read_message(struct reader *reader, const struct step *step, const bson_iter_t *iter,
			const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **ret)
{
	ProtobufCMessage *message = rpc_message_new(reader->arena, descriptor);
	bson_iter_t child;
	int r;

	if (kind_of(descriptor) == RPC_KIND_TIMESTAMP) {
		int64_t unix_ms, ms;

		if (!BSON_ITER_HOLDS_DATE_TIME(iter))
			return refuse(reader, step, "is not a date");
		unix_ms = bson_iter_date_time(iter);
		ms = unix_ms % 1000 < 0 ? unix_ms % 1000 + 1000 : unix_ms % 1000;
		*(int64_t *)rpc_field_value(message, &descriptor->fields[0]) =
			unix_ms / 1000 - (unix_ms % 1000 < 0);
		*(int32_t *)rpc_field_value(message, &descriptor->fields[1]) =
			(int32_t)ms * 1000000;
		*ret = message;
		return 0;
	}
	if (!BSON_ITER_HOLDS_DOCUMENT(iter))
		return refuse(reader, step, "is not an object");
	if (!bson_iter_recurse(iter, &child))
		return refuse(reader, step, "is broken");
	r = read_fields(reader, step, &child, message, false);
	if (!r)
		*ret = message;
	return r;
}

/* Into a place of the field's type. */
static int read_value(struct reader *reader, const struct step *step, const bson_iter_t *iter,
		      const ProtobufCFieldDescriptor *field, void *to)
{
	int64_t number = 0;
	double fraction = 0;
	int r;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		r = read_integer(reader, step, iter, INT32_MIN, INT32_MAX, &number);
		*(int32_t *)to = (int32_t)number;
		return r;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		r = read_integer(reader, step, iter, 0, UINT32_MAX, &number);
		*(uint32_t *)to = (uint32_t)number;
		return r;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return read_integer(reader, step, iter, INT64_MIN, INT64_MAX, to);
	case PROTOBUF_C_TYPE_FLOAT:
		r = read_double(reader, step, iter, &fraction);
		*(float *)to = (float)fraction;
		return r;
	case PROTOBUF_C_TYPE_DOUBLE:
		return read_double(reader, step, iter, to);
	case PROTOBUF_C_TYPE_BOOL:
		if (!BSON_ITER_HOLDS_BOOL(iter))
			return refuse(reader, step, "is not true or false");
		*(protobuf_c_boolean *)to = bson_iter_bool(iter);
		return 0;
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(reader, step, iter, field->descriptor, to);
	case PROTOBUF_C_TYPE_STRING:
		return read_string(reader, step, iter, to);
	case PROTOBUF_C_TYPE_BYTES:
		return read_bytes(reader, step, iter, to);
	case PROTOBUF_C_TYPE_MESSAGE:
		return read_message(reader, step, iter, field->descriptor, to);
	}
	return refuse(reader, step, "has a type that documents do not know");
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The reverse of document_key(). */
static int unescape_key(struct reader *reader, const struct step *step, const char *key,
			const char **ret)
{
	char *text = arena_strndup(reader->arena, key, strlen(key)), *to = text;

	if (!bson_utf8_validate(key, strlen(key), false))
		return refuse(reader, step, "is not valid UTF-8");
	if (!strcmp(key, "%"))
		*text = 0;
	else {
		for (; *key; key++) {
			if (*key != '%') {
				*to++ = *key;
				continue;
			}
			if (hex_digit(key[1]) < 0 || hex_digit(key[2]) < 0 ||
			    (hex_digit(key[1]) | hex_digit(key[2])) == 0)
				return refuse(reader, step, "is a key with a broken escape");
			*to++ = (char)(hex_digit(key[1]) * 16 + hex_digit(key[2]));
			key += 2;
		}
		*to = 0;
		/* Escapes in a foreign document may spell anything. */
		if (!bson_utf8_validate(text, strlen(text), false))
			return refuse(reader, step, "is not valid UTF-8");
	}
	*ret = text;
	return 0;
}

static int read_map_key(struct reader *reader, const struct step *step,
			const ProtobufCFieldDescriptor *field, const char *key, void *to)
{
	bool is_unsigned =
		field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_FIXED32 ||
		field->type == PROTOBUF_C_TYPE_UINT64 || field->type == PROTOBUF_C_TYPE_FIXED64;
	uint64_t number;
	char *end;

	if (field->type == PROTOBUF_C_TYPE_STRING)
		return unescape_key(reader, step, key, to);
	if (field->type == PROTOBUF_C_TYPE_BOOL) {
		if (strcmp(key, "true") && strcmp(key, "false"))
			return refuse(reader, step, "is a key that is not true or false");
		*(protobuf_c_boolean *)to = key[0] == 't';
		return 0;
	}
	errno = 0;
	number = is_unsigned ? strtoull(key, &end, 10) : (uint64_t)strtoll(key, &end, 10);
	if (errno || !*key || *end || strspn(key, "-0123456789") != strlen(key) ||
	    (is_unsigned && *key == '-'))
		return refuse(reader, step, "is a key that is no number");
	if (rpc_type_size(field->type) == 8) {
		*(uint64_t *)to = number;
		return 0;
	}
	if (is_unsigned ? number > UINT32_MAX
			: (int64_t)number < INT32_MIN || (int64_t)number > INT32_MAX)
		return refuse(reader, step, "is a key out of range");
	*(uint32_t *)to = (uint32_t)number;
	return 0;
}

static int read_map(struct reader *reader, const struct step *up, const bson_iter_t *iter,
		    const ProtobufCFieldDescriptor *field, ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *entry_type = field->descriptor;
	bson_iter_t child;
	int r;

	if (!BSON_ITER_HOLDS_DOCUMENT(iter))
		return refuse(reader, up, "is not an object");
	if (!bson_iter_recurse(iter, &child))
		return refuse(reader, up, "is broken");
	while (bson_iter_next(&child)) {
		const char *key = bson_iter_key(&child);
		struct step step = { up, key, up->depth + 1 };
		ProtobufCMessage *entry = rpc_message_new(reader->arena, entry_type);

		r = read_map_key(reader, &step, &entry_type->fields[0], key,
				 rpc_field_value(entry, &entry_type->fields[0]));
		if (!r)
			r = read_value(reader, &step, &child, &entry_type->fields[1],
				       rpc_field_value(entry, &entry_type->fields[1]));
		if (r)
			return r;
		*(ProtobufCMessage **)rpc_field_set(reader->arena, message, field) = entry;
	}
	return child.err_off ? refuse(reader, up, "is broken") : 0;
}

static int read_array(struct reader *reader, const struct step *up, const bson_iter_t *iter,
		      const ProtobufCFieldDescriptor *field, ProtobufCMessage *message)
{
	bson_iter_t child;
	int r;

	if (!BSON_ITER_HOLDS_ARRAY(iter))
		return refuse(reader, up, "is not an array");
	if (!bson_iter_recurse(iter, &child))
		return refuse(reader, up, "is broken");
	while (bson_iter_next(&child)) {
		struct step step = { up, bson_iter_key(&child), up->depth + 1 };

		r = read_value(reader, &step, &child, field,
			       rpc_field_set(reader->arena, message, field));
		if (r)
			return r;
	}
	return child.err_off ? refuse(reader, up, "is broken") : 0;
}

static bool is_map(const ProtobufCFieldDescriptor *field)
{
	const struct rpc_message_info *info;

	if (field->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	info = rpc_message_info(field->descriptor);
	return info && info->map_entry;
}

static int read_fields(struct reader *reader, const struct step *up, bson_iter_t *iter,
		       ProtobufCMessage *message, bool top)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	unsigned expected = 0; /* documents keep the order in which the codec wrote them */
	int r;

	if (up && up->depth > DEPTH_MAX)
		return refuse(reader, up, "is nested too deeply");
	while (bson_iter_next(iter)) {
		const char *key = bson_iter_key(iter),
			   *name = top && !strcmp(key, "_id") ? "id" : key;
		struct step step = { up, key, up ? up->depth + 1 : 1 };
		const ProtobufCFieldDescriptor *field;

		if (expected < descriptor->n_fields &&
		    !strcmp(descriptor->fields[expected].name, name))
			field = &descriptor->fields[expected];
		else
			field = protobuf_c_message_descriptor_get_field_by_name(descriptor, name);
		if (!field || BSON_ITER_HOLDS_NULL(iter))
			continue;
		expected = (unsigned)(field - descriptor->fields) + 1;
		/* A key that comes twice: the last counts, as everywhere. */
		rpc_field_clear(message, field);
		if (field->label != PROTOBUF_C_LABEL_REPEATED)
			r = read_value(reader, &step, iter, field,
				       rpc_field_set(reader->arena, message, field));
		else if (is_map(field))
			r = read_map(reader, &step, iter, field, message);
		else
			r = read_array(reader, &step, iter, field, message);
		if (r)
			return r;
	}
	if (iter->err_off)
		return up ? refuse(reader, up, "is broken")
			  : refuse(reader, &(struct step){ .name = "", .depth = 1 }, "is broken");
	return 0;
}

static int read_document(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
			 const bson_t *document, ProtobufCMessage **ret, const char **why, bool top)
{
	struct reader reader = { .arena = arena };
	ProtobufCMessage *message = rpc_message_new(arena, descriptor);
	bson_iter_t iter;
	int r;

	if (!bson_iter_init(&iter, document)) {
		*why = "The document is broken.";
		return -EBADMSG;
	}
	r = read_fields(&reader, NULL, &iter, message, top);
	if (r)
		*why = reader.why;
	else
		*ret = message;
	return r;
}

int document_read(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
		  const bson_t *document, ProtobufCMessage **ret, const char **why)
{
	return read_document(arena, descriptor, document, ret, why, true);
}

int document_read_embedded(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
			   const bson_t *document, ProtobufCMessage **ret, const char **why)
{
	return read_document(arena, descriptor, document, ret, why, false);
}
