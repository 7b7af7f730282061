/* Messages to JSON, driven by descriptors, in one pass and without a tree. */
#include "json_private.h"
#include <errno.h>
#include <math.h>

struct printer {
	struct text text;
	const struct rpc_json_options *options;
	struct rpc_json_error *error; /* or NULL */
	const struct field_path *path;
	int depth;
};

static bool print_message(struct printer *printer, const ProtobufCMessage *message);

static __attribute__((format(printf, 2, 3))) bool fail(struct printer *printer, const char *format,
						       ...)
{
	va_list arguments;

	va_start(arguments, format);
	json_error_set(printer->error, printer->path, printer->text.length, format, arguments);
	va_end(arguments);
	return false;
}

/* --- values ---------------------------------------------------------------------------------- */

static void print_floating(struct printer *printer, double value, bool is_float)
{
	if (isnan(value))
		text_add_literal(&printer->text, "\"NaN\"");
	else if (isinf(value) && value > 0)
		text_add_literal(&printer->text, "\"Infinity\"");
	else if (isinf(value))
		text_add_literal(&printer->text, "\"-Infinity\"");
	else if (is_float)
		json_print_float(&printer->text, (float)value);
	else
		json_print_double(&printer->text, value);
}

static void print_enum(struct printer *printer, const ProtobufCFieldDescriptor *field,
		       int32_t number)
{
	const ProtobufCEnumValue *value;

	if (is_null_value(field)) {
		text_add_literal(&printer->text, "null");
		return;
	}
	value = protobuf_c_enum_descriptor_get_value(field->descriptor, number);
	if (value)
		text_add_json_string(&printer->text, value->name, strlen(value->name));
	else
		text_add_integer(&printer->text, number);
}

static bool print_value(struct printer *printer, const ProtobufCFieldDescriptor *field,
			const void *value)
{
	struct text *text = &printer->text;
	const char *string;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		text_add_integer(text, *(const int32_t *)value);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		text_add_unsigned(text, *(const uint32_t *)value);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		text_add_char(text, '"');
		text_add_integer(text, *(const int64_t *)value);
		text_add_char(text, '"');
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		text_add_char(text, '"');
		text_add_unsigned(text, *(const uint64_t *)value);
		text_add_char(text, '"');
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		print_floating(printer, (double)*(const float *)value, true);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		print_floating(printer, *(const double *)value, false);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		if (*(const protobuf_c_boolean *)value)
			text_add_literal(text, "true");
		else
			text_add_literal(text, "false");
		break;
	case PROTOBUF_C_TYPE_ENUM:
		print_enum(printer, field, *(const int32_t *)value);
		break;
	case PROTOBUF_C_TYPE_STRING:
		string = *(const char *const *)value;
		text_add_json_string(text, string ? string : "", string ? strlen(string) : 0);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		text_add_char(text, '"');
		json_print_base64(text, value);
		text_add_char(text, '"');
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (*(ProtobufCMessage *const *)value)
			return print_message(printer, *(ProtobufCMessage *const *)value);
		text_add_literal(text, "null");
		break;
	}
	return true;
}

static bool print_list(struct printer *printer, const ProtobufCMessage *message,
		       const ProtobufCFieldDescriptor *field)
{
	struct field_path step = { .outer = printer->path };
	const char *element = *(const char *const *)rpc_field_value(message, field);
	size_t n = *rpc_field_count(message, field), size = rpc_type_size(field->type);

	printer->path = &step;
	text_add_char(&printer->text, '[');
	for (step.index = 0; step.index < n; step.index++, element += size) {
		if (step.index)
			text_add_char(&printer->text, ',');
		if (!print_value(printer, field, element))
			return false;
	}
	text_add_char(&printer->text, ']');
	printer->path = step.outer;
	return true;
}

static bool print_map(struct printer *printer, const ProtobufCMessage *message,
		      const ProtobufCFieldDescriptor *field)
{
	const ProtobufCFieldDescriptor *fields =
		((const ProtobufCMessageDescriptor *)field->descriptor)->fields;
	ProtobufCMessage *const *entries =
		*(ProtobufCMessage *const *const *)rpc_field_value(message, field);
	size_t n = *rpc_field_count(message, field);
	bool quoted =
		fields[0].type == PROTOBUF_C_TYPE_STRING || rpc_type_size(fields[0].type) == 8;

	text_add_char(&printer->text, '{');
	for (size_t i = 0; i < n; i++) {
		struct field_path step = { .outer = printer->path,
					   .is_key = true,
					   .length = PATH_TERMINATED };

		if (fields[0].type == PROTOBUF_C_TYPE_STRING)
			step.name = *(const char **)rpc_field_value(entries[i], &fields[0]);
		else
			memcpy(&step.index, rpc_field_value(entries[i], &fields[0]),
			       rpc_type_size(fields[0].type));

		if (i)
			text_add_char(&printer->text, ',');
		if (!quoted)
			text_add_char(&printer->text, '"');
		if (!print_value(printer, &fields[0], rpc_field_value(entries[i], &fields[0])))
			return false;
		if (!quoted)
			text_add_char(&printer->text, '"');
		text_add_char(&printer->text, ':');
		printer->path = &step;
		if (!print_value(printer, &fields[1], rpc_field_value(entries[i], &fields[1])))
			return false;
		printer->path = step.outer;
	}
	text_add_char(&printer->text, '}');
	return true;
}

static bool print_field_value(struct printer *printer, const ProtobufCMessage *message,
			      const ProtobufCFieldDescriptor *field)
{
	if (field_is_map(field))
		return print_map(printer, message, field);
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return print_list(printer, message, field);
	return print_value(printer, field, rpc_field_value(message, field));
}

/* --- messages -------------------------------------------------------------------------------- */

/* With always_print_fields: what has no presence of its own. */
static bool is_printed(const struct printer *printer, const ProtobufCMessage *message,
		       const ProtobufCFieldDescriptor *field)
{
	if (rpc_field_present(message, field))
		return true;
	if (!printer->options->always_print_fields)
		return false;
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return true;
	return field->label == PROTOBUF_C_LABEL_NONE && field->type != PROTOBUF_C_TYPE_MESSAGE &&
	       !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
}

/* The members of an object, after `first` when there is something before them. */
static bool print_fields(struct printer *printer, const ProtobufCMessage *message, bool first)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	const struct rpc_field_info *infos = rpc_message_info(descriptor)->fields;
	struct field_path step = { .outer = printer->path, .length = PATH_TERMINATED };

	printer->path = &step;
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		const char *name = printer->options->preserve_proto_field_names
					   ? field->name
					   : infos[i].json_name;

		if (!is_printed(printer, message, field))
			continue;
		text_add_json_name(&printer->text, name, first);
		first = false;
		step.name = field->name;
		if (!print_field_value(printer, message, field))
			return false;
	}
	printer->path = step.outer;
	return true;
}

/* Kinds whose JSON is no object of their fields; in an Any they stand under "value". */
static bool is_special(enum rpc_kind kind)
{
	return kind != RPC_KIND_MESSAGE && kind != RPC_KIND_EMPTY && kind != RPC_KIND_HTTP_BODY;
}

static bool print_any(struct printer *printer, const ProtobufCMessage *any)
{
	const ProtobufCFieldDescriptor *fields = any->descriptor->fields;
	const char *url = *(const char *const *)rpc_field_value(any, &fields[0]), *name, *error;
	const ProtobufCBinaryData *bytes = rpc_field_value(any, &fields[1]);
	const ProtobufCMessageDescriptor *descriptor;
	const ProtobufCMessage *message;

	if ((!url || !*url) && !bytes->len) {
		text_add_literal(&printer->text, "{}");
		return true;
	}
	name = url ? strrchr(url, '/') : NULL;
	if (!name)
		return fail(printer, "The Any has no type URL.");
	name++;
	descriptor = rpc_type_find(printer->options->types, name, strlen(name));
	if (!descriptor)
		return fail(printer,
			    "The Any holds a message of the type %.100s, which is not known here.",
			    name);
	message = rpc_unpack(printer->text.arena, descriptor, bytes->data, bytes->len, &error);
	if (!message)
		return fail(printer, "The Any cannot be read: %s", error);

	text_add_literal(&printer->text, "{\"@type\":");
	text_add_json_string(&printer->text, url, strlen(url));
	if (is_special(message_kind(descriptor))) {
		text_add_literal(&printer->text, ",\"value\":");
		if (!print_message(printer, message))
			return false;
	} else if (!print_fields(printer, message, false)) {
		return false;
	}
	text_add_char(&printer->text, '}');
	return true;
}

static bool print_time(struct printer *printer, const ProtobufCMessage *message, bool is_timestamp)
{
	const ProtobufCFieldDescriptor *fields = message->descriptor->fields;
	int64_t seconds = *(const int64_t *)rpc_field_value(message, &fields[0]);
	int32_t nanos = *(const int32_t *)rpc_field_value(message, &fields[1]);

	if (is_timestamp)
		return json_print_timestamp(&printer->text, seconds, nanos) ||
		       fail(printer, "The time is not within the years 1 to 9999.");
	return json_print_duration(&printer->text, seconds, nanos) ||
	       fail(printer, "The duration is longer than 10,000 years, or its seconds and nanos "
			     "have different signs.");
}

static bool print_mask(struct printer *printer, const ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *field = &message->descriptor->fields[0];
	const char *const *paths = *(const char *const *const *)rpc_field_value(message, field);
	size_t n = *rpc_field_count(message, field);

	text_add_char(&printer->text, '"');
	for (size_t i = 0; i < n; i++) {
		if (i)
			text_add_char(&printer->text, ',');
		if (!json_print_mask_path(&printer->text, paths[i]))
			return fail(printer,
				    "The field mask holds a path that has no lowerCamelCase form.");
	}
	text_add_char(&printer->text, '"');
	return true;
}

static bool print_dynamic(struct printer *printer, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	uint32_t which = *oneof_case(message, &descriptor->fields[0]);

	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

		if (field->id != which)
			continue;
		if (i == VALUE_NUMBER &&
		    !isfinite(*(const double *)rpc_field_value(message, field)))
			return fail(printer, "The google.protobuf.Value is no finite number.");
		if (i == VALUE_NULL)
			text_add_literal(&printer->text, "null");
		else
			return print_value(printer, field, rpc_field_value(message, field));
		return true;
	}
	return fail(printer, "The google.protobuf.Value holds nothing.");
}

static bool print_by_kind(struct printer *printer, const ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *first = message->descriptor->fields;

	switch (message_kind(message->descriptor)) {
	case RPC_KIND_ANY:
		return print_any(printer, message);
	case RPC_KIND_TIMESTAMP:
		return print_time(printer, message, true);
	case RPC_KIND_DURATION:
		return print_time(printer, message, false);
	case RPC_KIND_FIELD_MASK:
		return print_mask(printer, message);
	case RPC_KIND_STRUCT:
		return print_map(printer, message, first);
	case RPC_KIND_LIST_VALUE:
		return print_list(printer, message, first);
	case RPC_KIND_VALUE:
		return print_dynamic(printer, message);
	case RPC_KIND_WRAPPER:
		return print_value(printer, first, rpc_field_value(message, first));
	case RPC_KIND_MESSAGE:
	case RPC_KIND_EMPTY:
	case RPC_KIND_HTTP_BODY:
	case RPC_KIND_NULL_VALUE:
		break;
	}
	text_add_char(&printer->text, '{');
	if (!print_fields(printer, message, true))
		return false;
	text_add_char(&printer->text, '}');
	return true;
}

static bool print_message(struct printer *printer, const ProtobufCMessage *message)
{
	if (printer->depth == DEPTH_MAX * 2)
		return fail(printer, "The message is nested too deep.");
	printer->depth++;
	if (!print_by_kind(printer, message))
		return false;
	printer->depth--;
	return true;
}

static const struct rpc_json_options default_options;

static struct printer begin(struct arena *arena, const struct rpc_json_options *options,
			    struct rpc_json_error *error)
{
	return (struct printer){
		.text = { .arena = arena },
		.options = options ? options : &default_options,
		.error = error,
	};
}

static char *finish(struct printer *printer, size_t *length)
{
	text_add_char(&printer->text, '\0');
	if (length)
		*length = printer->text.length - 1;
	return printer->text.data;
}

char *rpc_json_print(struct arena *arena, const struct rpc_json_options *options,
		     const ProtobufCMessage *message, size_t *length, struct rpc_json_error *error)
{
	struct printer printer = begin(arena, options, error);

	return print_message(&printer, message) ? finish(&printer, length) : NULL;
}

char *rpc_json_print_field(struct arena *arena, const struct rpc_json_options *options,
			   const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
			   size_t *length, struct rpc_json_error *error)
{
	struct printer printer = begin(arena, options, error);
	struct field_path step = { .name = field->name, .length = PATH_TERMINATED };

	printer.path = &step;
	return print_field_value(&printer, message, field) ? finish(&printer, length) : NULL;
}
