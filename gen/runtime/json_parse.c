/* JSON to messages, driven by descriptors, in one pass and without a tree. */
#include "json_value.h"
#include <errno.h>

static bool parse_message(struct json_parser *parser, ProtobufCMessage *message);

/* --- fields ---------------------------------------------------------------------------------- */

/* null means unset, but for the two types that have a null of their own. */
static bool takes_null(const ProtobufCFieldDescriptor *field)
{
	return is_null_value(field) || (field->type == PROTOBUF_C_TYPE_MESSAGE &&
					message_kind(field->descriptor) == RPC_KIND_VALUE);
}

static enum json_result parse_value(struct json_parser *parser,
				    const ProtobufCFieldDescriptor *field,
				    ProtobufCMessage *existing, union json_value *ret)
{
	if (json_peek(parser) == 'n') {
		if (!takes_null(field)) {
			json_fail(parser, "Must not be null.");
			return JSON_FAILED;
		}
		if (field->type == PROTOBUF_C_TYPE_ENUM) {
			ret->int32 = 0;
			return json_literal(parser, "null") ? JSON_SET : JSON_FAILED;
		}
	}
	if (field->type != PROTOBUF_C_TYPE_MESSAGE)
		return json_scalar(parser, field, ret);
	ret->message = existing ? existing : rpc_message_new(parser->arena, field->descriptor);
	return parse_message(parser, ret->message) ? JSON_SET : JSON_FAILED;
}

static bool parse_list(struct json_parser *parser, ProtobufCMessage *message,
		       const ProtobufCFieldDescriptor *field)
{
	struct field_path step = { .outer = parser->path };
	bool begun = false;
	int r;

	if (json_peek(parser) != '[')
		return json_fail(parser, "Must be an array.");
	parser->path = &step;
	for (; (r = json_element(parser, &begun)) > 0; step.index++) {
		union json_value value;
		enum json_result result = parse_value(parser, field, NULL, &value);

		if (result == JSON_FAILED)
			return false;
		if (result == JSON_SET)
			json_store(parser, message, field, &value);
	}
	parser->path = step.outer;
	return r == 0;
}

static bool parse_map(struct json_parser *parser, ProtobufCMessage *message,
		      const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *type = field->descriptor;
	const ProtobufCFieldDescriptor *fields = type->fields;
	size_t *n = rpc_field_count(message, field);
	bool begun = false;
	struct slice key;
	int r;

	if (json_peek(parser) != '{')
		return json_fail(parser, "Must be an object.");
	while ((r = json_member(parser, &begun, &key)) > 0) {
		struct field_path step = { .outer = parser->path,
					   .name = key.bytes,
					   .length = key.length,
					   .is_key = true };
		union json_value name, value;
		ProtobufCMessage *entry;
		enum json_result result;

		parser->path = &step;
		if (json_scalar_from_text(parser, &fields[0], &key, &name) != JSON_SET)
			return false;
		result = parse_value(parser, &fields[1], NULL, &value);
		if (result == JSON_FAILED)
			return false;
		parser->path = step.outer;
		if (result == JSON_SKIPPED)
			continue;
		entry = rpc_message_new(parser->arena, type);
		json_store(parser, entry, &fields[0], &name);
		json_store(parser, entry, &fields[1], &value);
		json_store(parser, message, field, &(union json_value){ .message = entry });
	}
	if (r)
		return false;
	if (map_deduplicate(parser->arena, *(ProtobufCMessage ***)rpc_field_value(message, field),
			    *n) != *n)
		return json_fail(parser, "Must not hold a key twice.");
	return true;
}

/* What a member of an object says about its field. JSON_SKIPPED: nothing. */
static enum json_result parse_field(struct json_parser *parser, ProtobufCMessage *message,
				    const ProtobufCFieldDescriptor *field)
{
	ProtobufCMessage *existing = NULL;
	union json_value value;
	enum json_result result;

	if (json_peek(parser) == 'n' &&
	    (field->label == PROTOBUF_C_LABEL_REPEATED || !takes_null(field)))
		return json_literal(parser, "null") ? JSON_SKIPPED : JSON_FAILED;
	if (field_is_map(field))
		return parse_map(parser, message, field) ? JSON_SET : JSON_FAILED;
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return parse_list(parser, message, field) ? JSON_SET : JSON_FAILED;

	if (field->type == PROTOBUF_C_TYPE_MESSAGE && rpc_field_present(message, field))
		existing = *(ProtobufCMessage **)rpc_field_value(message, field);
	result = parse_value(parser, field, existing, &value);
	if (result == JSON_SET)
		json_store(parser, message, field, &value);
	return result;
}

/* --- objects --------------------------------------------------------------------------------- */

/* Which fields an object has named, so that none is named twice and no oneof has two members. */
struct seen {
	uint64_t few;
	uint64_t *bits; /* &few, or of the arena */
};

static bool is_seen(const struct seen *seen, unsigned index)
{
	return seen->bits[index / 64] >> index % 64 & 1;
}

static bool note_seen(struct json_parser *parser, struct seen *seen,
		      const ProtobufCMessageDescriptor *descriptor,
		      const ProtobufCFieldDescriptor *field)
{
	unsigned index = (unsigned)(field - descriptor->fields);

	if (is_seen(seen, index))
		return json_fail(parser, "Must not be given twice.");
	seen->bits[index / 64] |= 1ull << index % 64;
	return true;
}

static bool check_oneof(struct json_parser *parser, const struct seen *seen,
			const ProtobufCMessageDescriptor *descriptor,
			const ProtobufCFieldDescriptor *field)
{
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *other = &descriptor->fields[i];

		if (other != field && (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
		    is_seen(seen, i) && other->quantifier_offset == field->quantifier_offset)
			return json_fail(parser,
					 "Must not be given beside %s: only one of them can be.",
					 other->name);
	}
	return true;
}

static bool parse_member(struct json_parser *parser, ProtobufCMessage *message,
			 const ProtobufCFieldDescriptor *field, struct seen *seen)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	bool in_oneof = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;

	if (!note_seen(parser, seen, descriptor, field))
		return false;
	if (in_oneof && (json_peek(parser) != 'n' || takes_null(field)) &&
	    !check_oneof(parser, seen, descriptor, field))
		return false;
	switch (parse_field(parser, message, field)) {
	case JSON_FAILED:
		return false;
	case JSON_SKIPPED:
		/* A null does not take the oneof, so it is not seen, as far as the other members
		 * go. */
		if (in_oneof)
			seen->bits[(field - descriptor->fields) / 64] &=
				~(1ull << (field - descriptor->fields) % 64);
		return true;
	case JSON_SET:
		return true;
	}
	return false;
}

static bool is_key(const struct slice *key, const char *name)
{
	return key->length == strlen(name) && !memcmp(key->bytes, name, key->length);
}

/* Members of an object are mostly in the order of the fields. */
static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
						  const struct slice *key, unsigned *next)
{
	const struct rpc_field_info *infos = rpc_message_info(descriptor)->fields;
	const ProtobufCFieldDescriptor *field;

	if (*next < descriptor->n_fields && is_key(key, infos[*next].json_name))
		return &descriptor->fields[(*next)++];
	field = rpc_field_by_json_name(descriptor, key->bytes, key->length);
	if (field)
		*next = (unsigned)(field - descriptor->fields) + 1;
	return field;
}

static bool parse_fields(struct json_parser *parser, ProtobufCMessage *message, bool in_any)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	struct seen seen = { .bits = &seen.few };
	unsigned next = 0;
	bool begun = false;
	struct slice key;
	int r;

	if (json_peek(parser) != '{')
		return json_fail(parser, "Must be an object.");
	if (descriptor->n_fields > 64)
		seen.bits = arena_alloc(parser->arena,
					(descriptor->n_fields + 63) / 64 * sizeof(*seen.bits));
	while ((r = json_member(parser, &begun, &key)) > 0) {
		const ProtobufCFieldDescriptor *field = find_field(descriptor, &key, &next);
		struct field_path step = { .outer = parser->path, .length = PATH_TERMINATED };

		parser->path = &step;
		if (field) {
			step.name = field->name;
			if (!parse_member(parser, message, field, &seen))
				return false;
		} else if ((in_any && is_key(&key, "@type")) ||
			   parser->options->ignore_unknown_fields) {
			if (!json_skip(parser))
				return false;
		} else {
			step.name = key.bytes;
			step.length = key.length;
			return json_fail(parser, "There is no such field in %.100s.",
					 descriptor->short_name);
		}
		parser->path = step.outer;
	}
	return r == 0;
}

/* --- google.protobuf.Any --------------------------------------------------------------------- */

/* Looks ahead for the type, which may stand anywhere in it. 1; 0: the object is empty; -1. */
static int find_type(struct json_parser parser, struct slice *ret)
{
	bool begun = false, empty = true;
	struct slice key;
	int r;

	while ((r = json_member(&parser, &begun, &key)) > 0) {
		empty = false;
		if (is_key(&key, "@type"))
			return json_quoted(&parser, ret) ? 1 : -1;
		if (!json_skip(&parser))
			return -1;
	}
	if (r == 0 && !empty) {
		json_fail(&parser, "Must say in \"@type\" of which type it is.");
		return -1;
	}
	return r;
}

/* {"@type": ..., "value": ...} of types whose JSON is no object of fields. */
static bool parse_any_value(struct json_parser *parser, ProtobufCMessage *message)
{
	struct field_path step = { .outer = parser->path,
				   .name = "value",
				   .length = PATH_TERMINATED };
	bool begun = false, set = false;
	struct slice key;
	int r;

	while ((r = json_member(parser, &begun, &key)) > 0) {
		if (is_key(&key, "@type")) {
			if (!json_skip(parser))
				return false;
			continue;
		}
		if (!is_key(&key, "value")) {
			if (!parser->options->ignore_unknown_fields)
				return json_fail(
					parser,
					"Must hold \"@type\" and \"value\" and nothing else.");
			if (!json_skip(parser))
				return false;
			continue;
		}
		parser->path = &step;
		if (set)
			return json_fail(parser, "Must not be given twice.");
		set = true;
		if (!parse_message(parser, message))
			return false;
		parser->path = step.outer;
	}
	if (r)
		return false;
	return set || json_fail(parser, "Must hold a \"value\".");
}

static bool parse_any(struct json_parser *parser, ProtobufCMessage *any)
{
	const ProtobufCFieldDescriptor *fields = any->descriptor->fields;
	const ProtobufCMessageDescriptor *descriptor;
	const char *name, *end;
	ProtobufCMessage *message;
	union json_value value;
	enum rpc_kind kind;
	struct slice url;
	int r;

	if (json_peek(parser) != '{')
		return json_fail(parser, "Must be an object.");
	r = find_type(*parser, &url);
	if (r <= 0)
		return r == 0 && json_skip(parser);
	end = url.bytes + url.length;
	name = memrchr(url.bytes, '/', url.length);
	if (!name || name == url.bytes || name + 1 == end)
		return json_fail(parser, "Its \"@type\" must be a type URL, such as "
					 "type.googleapis.com/google.type.Money.");
	name++;
	descriptor = rpc_type_find(parser->options->types, name, (size_t)(end - name));
	if (!descriptor)
		return json_fail(parser, "Its \"@type\" names a type that is not known here: %.*s.",
				 (int)(end - name > 100 ? 100 : end - name), name);

	message = rpc_message_new(parser->arena, descriptor);
	kind = message_kind(descriptor);
	if (kind == RPC_KIND_MESSAGE || kind == RPC_KIND_HTTP_BODY || kind == RPC_KIND_EMPTY) {
		if (!parse_fields(parser, message, true))
			return false;
	} else if (!parse_any_value(parser, message)) {
		return false;
	}
	value.string = arena_strndup(parser->arena, url.bytes, url.length);
	json_store(parser, any, &fields[0], &value);
	value.bytes = rpc_pack(parser->arena, message);
	json_store(parser, any, &fields[1], &value);
	return true;
}

/* --- messages by kind ------------------------------------------------------------------------ */

/* google.protobuf.Value: the JSON's own kind decides. */
static bool parse_dynamic(struct json_parser *parser, ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *fields = message->descriptor->fields, *field;
	union json_value value = { 0 };

	switch (json_peek(parser)) {
	case 'n':
		field = &fields[VALUE_NULL];
		break;
	case 't':
	case 'f':
		field = &fields[VALUE_BOOL];
		break;
	case '"':
		field = &fields[VALUE_STRING];
		break;
	case '{':
		field = &fields[VALUE_STRUCT];
		break;
	case '[':
		field = &fields[VALUE_LIST];
		break;
	default:
		field = &fields[VALUE_NUMBER];
		break;
	}
	if (parse_value(parser, field, NULL, &value) != JSON_SET)
		return false;
	json_store(parser, message, field, &value);
	return true;
}

static bool parse_wrapper(struct json_parser *parser, ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *field = &message->descriptor->fields[0];
	union json_value value;

	if (json_scalar(parser, field, &value) != JSON_SET)
		return false;
	json_store(parser, message, field, &value);
	return true;
}

static bool parse_message(struct json_parser *parser, ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *first = message->descriptor->fields;
	struct slice text;

	switch (message_kind(message->descriptor)) {
	case RPC_KIND_ANY:
		return parse_any(parser, message);
	case RPC_KIND_TIMESTAMP:
	case RPC_KIND_DURATION:
	case RPC_KIND_FIELD_MASK:
		if (json_peek(parser) != '"')
			return json_fail(parser, "Must be a string.");
		return json_quoted(parser, &text) && json_text_message(parser, message, &text);
	case RPC_KIND_STRUCT:
		return parse_map(parser, message, first);
	case RPC_KIND_LIST_VALUE:
		return parse_list(parser, message, first);
	case RPC_KIND_VALUE:
		return parse_dynamic(parser, message);
	case RPC_KIND_WRAPPER:
		return parse_wrapper(parser, message);
	case RPC_KIND_MESSAGE:
	case RPC_KIND_EMPTY:
	case RPC_KIND_HTTP_BODY:
	case RPC_KIND_NULL_VALUE:
		break;
	}
	return parse_fields(parser, message, false);
}

/* --- entrances ------------------------------------------------------------------------------- */

int rpc_json_parse(struct arena *arena, const struct rpc_json_options *options,
		   const ProtobufCMessageDescriptor *descriptor, const char *text, size_t length,
		   ProtobufCMessage **into, struct rpc_json_error *error)
{
	struct json_parser parser = json_parser(arena, options, text, length, error);
	ProtobufCMessage *message = *into ? *into : rpc_message_new(arena, descriptor);

	if (!parse_message(&parser, message) || !json_end(&parser))
		return -EINVAL;
	*into = message;
	return 0;
}

int rpc_json_parse_field(struct arena *arena, const struct rpc_json_options *options,
			 ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
			 const char *text, size_t length, struct rpc_json_error *error)
{
	struct json_parser parser = json_parser(arena, options, text, length, error);
	struct field_path step = { .name = field->name, .length = PATH_TERMINATED };

	parser.path = &step;
	if (parse_field(&parser, message, field) == JSON_FAILED || !json_end(&parser))
		return -EINVAL;
	return 0;
}
