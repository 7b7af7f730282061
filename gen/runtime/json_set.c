/* One field of a message from a text, as paths and query strings have it. */
#include "json_value.h"
#include <errno.h>

/* The last field of a path, the messages before it made; NULL with the error set. */
static const ProtobufCFieldDescriptor *walk(struct json_parser *parser, ProtobufCMessage **message,
					    const char *path, size_t length)
{
	const char *at = path, *end = path + length;

	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		const char *dot = memchr(at, '.', (size_t)(end - at));
		const ProtobufCFieldDescriptor *field;
		ProtobufCMessage **inner;

		if (!dot)
			dot = end;
		field = rpc_field_by_json_name((*message)->descriptor, at, (size_t)(dot - at));
		if (!field) {
			json_fail(parser, "There is no such field in %.100s.",
				  (*message)->descriptor->short_name);
			return NULL;
		}
		if (dot == end)
			return field;
		if (field->type != PROTOBUF_C_TYPE_MESSAGE ||
		    field->label == PROTOBUF_C_LABEL_REPEATED ||
		    message_kind(field->descriptor) != RPC_KIND_MESSAGE) {
			json_fail(parser, "Its part %s has no fields that can be set in this way.",
				  field->name);
			return NULL;
		}
		inner = rpc_field_set(parser->arena, *message, field);
		if (!*inner)
			*inner = rpc_message_new(parser->arena, field->descriptor);
		*message = *inner;
		at = dot + 1;
	}
	json_fail(parser, "The path is too long.");
	return NULL;
}

static bool set_from_text(struct json_parser *parser, ProtobufCMessage *message,
			  const ProtobufCFieldDescriptor *field, const struct slice *text)
{
	union json_value value;
	enum rpc_kind kind;

	if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
		if (json_scalar_from_text(parser, field, text, &value) != JSON_SET)
			return false;
		json_store(parser, message, field, &value);
		return true;
	}
	kind = message_kind(field->descriptor);
	value.message = rpc_message_new(parser->arena, field->descriptor);
	if (kind == RPC_KIND_WRAPPER) {
		if (!set_from_text(parser, value.message, &value.message->descriptor->fields[0],
				   text))
			return false;
	} else if (kind == RPC_KIND_TIMESTAMP || kind == RPC_KIND_DURATION ||
		   kind == RPC_KIND_FIELD_MASK) {
		if (!json_text_message(parser, value.message, text))
			return false;
	} else {
		return json_fail(
			parser,
			"A message cannot be given as a parameter: name one of its fields.");
	}
	json_store(parser, message, field, &value);
	return true;
}

int rpc_json_set(struct arena *arena, ProtobufCMessage *message, const char *path,
		 size_t path_length, const char *text, size_t text_length,
		 struct rpc_json_error *error)
{
	struct json_parser parser = json_parser(arena, NULL, text, text_length, error);
	struct field_path step = { .name = path, .length = path_length };
	struct slice value = { text, text_length, false };
	const ProtobufCFieldDescriptor *field;
	size_t valid;

	parser.path = &step;
	field = walk(&parser, &message, path, path_length);
	if (!field)
		return -EINVAL;
	valid = utf8_valid_prefix(text, text_length);
	if (valid < text_length) {
		json_fail(&parser, text[valid] ? "Must be UTF-8." : "Must not hold a NUL.");
		return -EINVAL;
	}
	return set_from_text(&parser, message, field, &value) ? 0 : -EINVAL;
}
