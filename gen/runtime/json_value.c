/* Single values of fields from JSON and from query strings. */
#include "json_value.h"
#include <inttypes.h>

static bool is_unsigned(ProtobufCType type)
{
	return type == PROTOBUF_C_TYPE_UINT32 || type == PROTOBUF_C_TYPE_FIXED32 ||
	       type == PROTOBUF_C_TYPE_UINT64 || type == PROTOBUF_C_TYPE_FIXED64;
}

static bool is_integer(ProtobufCType type)
{
	return type != PROTOBUF_C_TYPE_FLOAT && type != PROTOBUF_C_TYPE_DOUBLE &&
	       type != PROTOBUF_C_TYPE_BOOL && type != PROTOBUF_C_TYPE_ENUM &&
	       type != PROTOBUF_C_TYPE_STRING && type != PROTOBUF_C_TYPE_BYTES &&
	       type != PROTOBUF_C_TYPE_MESSAGE;
}

/* What most integers are: a few digits and nothing else. */
static bool parse_plain_integer(const struct slice *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (!text->length || text->length > 18 || (text->bytes[0] == '0' && text->length > 1))
		return false;
	for (size_t i = 0; i < text->length; i++) {
		unsigned digit = (unsigned)(uint8_t)text->bytes[i] - '0';

		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

/* Integers may come as 1e3 and 2.0, too. */
static bool parse_integer(const struct slice *text, bool without_sign, unsigned bits, uint64_t *ret)
{
	uint64_t magnitude,
		most = without_sign ? UINT64_MAX >> (64 - bits) : UINT64_MAX >> (65 - bits);
	bool negative = false;

	if (!parse_plain_integer(text, &magnitude) &&
	    !json_parse_integer(text->bytes, text->length, &negative, &magnitude))
		return false;
	if (negative) {
		if (magnitude > (without_sign ? 0 : most + 1))
			return false;
		magnitude = 0 - magnitude;
	} else if (magnitude > most) {
		return false;
	}
	*ret = magnitude;
	return true;
}

static bool fail_integer(struct json_parser *parser, ProtobufCType type)
{
	bool small = rpc_type_size(type) == 4;

	if (is_unsigned(type))
		return json_fail(parser, "Must be an integer from 0 to %" PRIu64 ".",
				 small ? (uint64_t)UINT32_MAX : UINT64_MAX);
	return json_fail(parser, "Must be an integer from %" PRId64 " to %" PRId64 ".",
			 small ? (int64_t)INT32_MIN : INT64_MIN,
			 small ? (int64_t)INT32_MAX : INT64_MAX);
}

static const ProtobufCEnumValue *find_enum_value(const ProtobufCEnumDescriptor *type,
						 const struct slice *name)
{
	unsigned low = 0, high = type->n_value_names;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const ProtobufCEnumValueIndex *value = &type->values_by_name[middle];
		int order = strncmp(name->bytes, value->name, name->length);

		if (!order && value->name[name->length])
			order = -1;
		if (!order)
			return &type->values[value->index];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static bool fail_enum(struct json_parser *parser, const ProtobufCEnumDescriptor *type)
{
	char names[128];
	struct text text = { .data = names, .capacity = sizeof(names) - 1 };
	bool cut = false;

	for (unsigned i = 0; i < type->n_values && !cut; i++) {
		const char *name = type->values[i].name;

		if (!type->values[i].value && type->n_values > 1)
			continue; /* the zero says "none", which is no advice */
		cut = text.length + strlen(name) + 2 > text.capacity;
		if (cut)
			break;
		if (text.length)
			text_add_literal(&text, ", ");
		text_add(&text, name, strlen(name));
	}
	names[text.length] = '\0';
	return json_fail(parser, "Must be one of %s%s.", names, cut ? ", ..." : "");
}

static enum json_result parse_enum(struct json_parser *parser,
				   const ProtobufCFieldDescriptor *field, const struct slice *text,
				   union json_value *ret)
{
	const ProtobufCEnumValue *value = find_enum_value(field->descriptor, text);
	uint64_t number;

	if (value) {
		ret->int32 = value->value;
		return JSON_SET;
	}
	if (parse_integer(text, false, 32, &number)) {
		ret->int32 = (int32_t)number;
		return JSON_SET;
	}
	if (parser->options->ignore_unknown_fields)
		return JSON_SKIPPED;
	fail_enum(parser, field->descriptor);
	return JSON_FAILED;
}

static char *own_string(struct json_parser *parser, const struct slice *text)
{
	return text->owned ? (char *)text->bytes
			   : arena_strndup(parser->arena, text->bytes, text->length);
}

static bool is_word(const struct slice *text, const char *word)
{
	return text->length == strlen(word) && !memcmp(text->bytes, word, text->length);
}

static bool parse_text(struct json_parser *parser, const ProtobufCFieldDescriptor *field,
		       const struct slice *text, union json_value *ret)
{
	uint64_t integer;

	switch (field->type) {
	case PROTOBUF_C_TYPE_FLOAT:
		return json_parse_float(parser->arena, text->bytes, text->length, &ret->float_) ||
		       json_fail(parser, "Must be a number that a float can hold.");
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_parse_double(parser->arena, text->bytes, text->length, &ret->double_) ||
		       json_fail(parser, "Must be a number that a double can hold.");
	case PROTOBUF_C_TYPE_BOOL:
		ret->boolean = is_word(text, "true");
		return ret->boolean || is_word(text, "false") ||
		       json_fail(parser, "Must be true or false.");
	case PROTOBUF_C_TYPE_STRING:
		ret->string = own_string(parser, text);
		return true;
	case PROTOBUF_C_TYPE_BYTES:
		return json_parse_base64(parser->arena, text->bytes, text->length, &ret->bytes) ||
		       json_fail(parser, "Must be base64.");
	default:
		if (!parse_integer(text, is_unsigned(field->type),
				   rpc_type_size(field->type) == 4 ? 32 : 64, &integer))
			return fail_integer(parser, field->type);
		if (rpc_type_size(field->type) == 4)
			ret->uint32 = (uint32_t)integer;
		else
			ret->uint64 = integer;
		return true;
	}
}

enum json_result json_scalar_from_text(struct json_parser *parser,
				       const ProtobufCFieldDescriptor *field,
				       const struct slice *text, union json_value *ret)
{
	if (field->type == PROTOBUF_C_TYPE_ENUM)
		return parse_enum(parser, field, text, ret);
	return parse_text(parser, field, text, ret) ? JSON_SET : JSON_FAILED;
}

/* What the field takes, for when the JSON is of another kind. */
static enum json_result fail_kind(struct json_parser *parser, const ProtobufCFieldDescriptor *field)
{
	if (is_integer(field->type))
		fail_integer(parser, field->type);
	else if (field->type == PROTOBUF_C_TYPE_BOOL)
		json_fail(parser, "Must be true or false.");
	else if (field->type == PROTOBUF_C_TYPE_ENUM)
		fail_enum(parser, field->descriptor);
	else if (field->type == PROTOBUF_C_TYPE_FLOAT || field->type == PROTOBUF_C_TYPE_DOUBLE)
		json_fail(parser, "Must be a number.");
	else
		json_fail(parser, "Must be a string.");
	return JSON_FAILED;
}

enum json_result json_scalar(struct json_parser *parser, const ProtobufCFieldDescriptor *field,
			     union json_value *ret)
{
	bool is_text =
		field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES;
	struct slice text;
	char c = json_peek(parser);

	switch (c) {
	case '"':
		if (field->type == PROTOBUF_C_TYPE_BOOL)
			return fail_kind(parser, field);
		if (!json_quoted(parser, &text))
			return JSON_FAILED;
		/* An enum's number is a number, not a string. */
		if (field->type == PROTOBUF_C_TYPE_ENUM &&
		    !find_enum_value(field->descriptor, &text) &&
		    !parser->options->ignore_unknown_fields)
			return fail_kind(parser, field);
		break;
	case 't':
	case 'f':
		if (!json_literal(parser, c == 't' ? "true" : "false"))
			return JSON_FAILED;
		if (field->type != PROTOBUF_C_TYPE_BOOL)
			return fail_kind(parser, field);
		ret->boolean = c == 't';
		return JSON_SET;
	case '{':
	case '[':
	case 'n':
		return fail_kind(parser, field);
	default:
		if (!json_number(parser, &text))
			return JSON_FAILED;
		if (is_text || field->type == PROTOBUF_C_TYPE_BOOL)
			return fail_kind(parser, field);
		break;
	}
	return json_scalar_from_text(parser, field, &text, ret);
}

void json_store(struct json_parser *parser, ProtobufCMessage *message,
		const ProtobufCFieldDescriptor *field, const union json_value *value)
{
	void *slot = field_slot(parser->arena, message, field);

	/* By fixed sizes, which the compiler turns into moves. */
	switch (rpc_type_size(field->type)) {
	case 4:
		memcpy(slot, value, 4);
		break;
	case 8:
		memcpy(slot, value, 8);
		break;
	default:
		memcpy(slot, value, rpc_type_size(field->type));
		break;
	}
}

static bool set_mask(struct json_parser *parser, ProtobufCMessage *message,
		     const struct slice *text)
{
	const char *at = text->bytes, *end = at + text->length, *comma;

	rpc_field_clear(message, &message->descriptor->fields[0]);
	while (at < end) {
		char *path;

		comma = memchr(at, ',', (size_t)(end - at));
		if (!comma)
			comma = end;
		path = json_parse_mask_path(parser->arena, at, (size_t)(comma - at));
		if (!path || !*path)
			return json_fail(parser, "Must be names of fields, separated by commas, "
						 "such as displayName,price.");
		json_store(parser, message, &message->descriptor->fields[0],
			   &(union json_value){ .string = path });
		at = comma + 1;
	}
	return true;
}

bool json_text_message(struct json_parser *parser, ProtobufCMessage *message,
		       const struct slice *text)
{
	enum rpc_kind kind = message_kind(message->descriptor);
	const ProtobufCFieldDescriptor *fields = message->descriptor->fields;
	int64_t *seconds;
	int32_t *nanos;

	if (kind == RPC_KIND_FIELD_MASK)
		return set_mask(parser, message, text);
	seconds = rpc_field_value(message, &fields[0]);
	nanos = rpc_field_value(message, &fields[1]);
	if (kind == RPC_KIND_TIMESTAMP)
		return json_parse_timestamp(text->bytes, text->length, seconds, nanos) ||
		       json_fail(parser, "Must be a time such as 2024-05-17T09:30:00Z.");
	return json_parse_duration(text->bytes, text->length, seconds, nanos) ||
	       json_fail(parser, "Must be a duration in seconds, such as 90s or 1.5s.");
}
