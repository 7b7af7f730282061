/* The schema as the products read it, made of protoc's descriptors. */
#include "naming.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/*
 * Three passes: files, their types and services with names and options; then references between
 * types, since a file may use what stands below; then what is used, since names clash only among
 * what is written. Descriptors come from protoc, but nothing is believed: names that become C are
 * checked, indices and references are looked up.
 */
enum { PATH_MAX_DEPTH = 200, ERRORS_MAX = 50 };

struct path {
	int32_t at[PATH_MAX_DEPTH];
	size_t length;
};

void refuse(struct schema *schema, struct place place, const char *format, ...)
{
	va_list arguments;

	if (schema->n_errors++ >= ERRORS_MAX)
		return;
	if (schema->n_errors > 1)
		fputc('\n', schema->errors);
	if (place.file)
		fprintf(schema->errors, "%s:%d: ", place.file->name, place.line);
	va_start(arguments, format);
	vfprintf(schema->errors, format, arguments);
	va_end(arguments);
}

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

static int compare_path(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b)
{
	for (size_t i = 0; i < n_a && i < n_b; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return n_a < n_b ? -1 : n_a > n_b;
}

static int compare_locations(const void *a, const void *b)
{
	const Location *left = *(const Location *const *)a, *right = *(const Location *const *)b;

	return compare_path(left->path, left->n_path, right->path, right->n_path);
}

static void sort_locations(struct schema *schema, struct file *file)
{
	const Google__Protobuf__SourceCodeInfo *info = file->proto->source_code_info;

	if (!info || !info->n_location)
		return;
	file->locations = arena_memdup(schema->arena, info->location,
				       info->n_location * sizeof(*file->locations));
	file->n_locations = info->n_location;
	qsort(file->locations, file->n_locations, sizeof(*file->locations), compare_locations);
}

/* Where the element of this path stands, and its leading comment. */
static struct place locate(const struct file *file, const struct path *path, const char **comment)
{
	size_t low = 0, high = file->n_locations;

	*comment = "";
	while (low < high) {
		size_t middle = (low + high) / 2;
		const Location *location = file->locations[middle];
		int order = compare_path(path->at, path->length, location->path, location->n_path);

		if (!order) {
			*comment = text_or_empty(location->leading_comments);
			if (!**comment)
				*comment = text_or_empty(location->trailing_comments);
			return (struct place){ file, location->n_span ? location->span[0] + 1 : 1 };
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return (struct place){ file, 1 };
}

static struct path step(const struct path *path, int32_t field, size_t index)
{
	struct path longer = *path;

	longer.at[longer.length++] = field;
	longer.at[longer.length++] = (int32_t)index;
	return longer;
}

static const char *checked_name(struct schema *schema, struct place place, const char *name)
{
	if (name && name_is_identifier(name))
		return name;
	refuse(schema, place,
	       "'%s' is not a name; this is not what protoc sends, run the plugin from protoc",
	       text_or_empty(name));
	return "invalid";
}

static const char *join(struct schema *schema, const char *scope, const char *name)
{
	return *scope ? arena_printf(schema->arena, "%s.%s", scope, name) : name;
}

static enum rpc_kind kind_of(const char *full_name)
{
	static const struct {
		const char *name;
		enum rpc_kind kind;
	} kinds[] = {
		{ "google.protobuf.Any", RPC_KIND_ANY },
		{ "google.protobuf.Timestamp", RPC_KIND_TIMESTAMP },
		{ "google.protobuf.Duration", RPC_KIND_DURATION },
		{ "google.protobuf.Struct", RPC_KIND_STRUCT },
		{ "google.protobuf.Value", RPC_KIND_VALUE },
		{ "google.protobuf.ListValue", RPC_KIND_LIST_VALUE },
		{ "google.protobuf.FieldMask", RPC_KIND_FIELD_MASK },
		{ "google.protobuf.Empty", RPC_KIND_EMPTY },
		{ "google.protobuf.DoubleValue", RPC_KIND_WRAPPER },
		{ "google.protobuf.FloatValue", RPC_KIND_WRAPPER },
		{ "google.protobuf.Int64Value", RPC_KIND_WRAPPER },
		{ "google.protobuf.UInt64Value", RPC_KIND_WRAPPER },
		{ "google.protobuf.Int32Value", RPC_KIND_WRAPPER },
		{ "google.protobuf.UInt32Value", RPC_KIND_WRAPPER },
		{ "google.protobuf.BoolValue", RPC_KIND_WRAPPER },
		{ "google.protobuf.StringValue", RPC_KIND_WRAPPER },
		{ "google.protobuf.BytesValue", RPC_KIND_WRAPPER },
		{ "google.api.HttpBody", RPC_KIND_HTTP_BODY },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, full_name))
			return kinds[i].kind;
	return RPC_KIND_MESSAGE;
}

static void load_enumeration(struct schema *schema, struct file *file, struct message *parent,
			     const EnumDescriptorProto *proto, const struct path *path)
{
	static const char suffix[] = "ErrorReason";
	struct enumeration *enumeration = arena_alloc(schema->arena, sizeof(*enumeration));
	size_t length;

	enumeration->file = file;
	enumeration->parent = parent;
	enumeration->place = locate(file, path, &enumeration->comment);
	enumeration->name = checked_name(schema, enumeration->place, proto->name);
	enumeration->full_name =
		join(schema, parent ? parent->full_name : file->package, enumeration->name);
	enumeration->c_name = name_type(schema->arena, file, parent, enumeration->name);
	length = strlen(enumeration->name);
	enumeration->is_reasons =
		length >= sizeof(suffix) - 1 &&
		!strcmp(enumeration->name + length - (sizeof(suffix) - 1), suffix);
	enumeration->n_values = proto->n_value;
	enumeration->values =
		arena_alloc(schema->arena, proto->n_value * sizeof(*enumeration->values));
	for (size_t i = 0; i < proto->n_value; i++) {
		struct value *value = &enumeration->values[i];
		struct path here = step(path, 2, i);

		value->place = locate(file, &here, &value->comment);
		value->name = checked_name(schema, value->place, proto->value[i]->name);
		value->number = proto->value[i]->number;
		value->c_name = name_value(schema->arena, enumeration, value->name);
		options_read_value(schema, value,
				   proto->value[i]->options ? &proto->value[i]->options->base
							    : NULL);
		enumeration->is_reasons = enumeration->is_reasons || value->has_reason;
	}
	file->enumerations[file->n_enumerations++] = enumeration;
}

static void load_field(struct schema *schema, struct message *message, struct field *field,
		       const FieldDescriptorProto *proto, const struct path *path)
{
	static const ProtobufCType types[] = {
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_DOUBLE] =
			PROTOBUF_C_TYPE_DOUBLE,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FLOAT] =
			PROTOBUF_C_TYPE_FLOAT,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT64] =
			PROTOBUF_C_TYPE_INT64,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_UINT64] =
			PROTOBUF_C_TYPE_UINT64,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT32] =
			PROTOBUF_C_TYPE_INT32,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FIXED64] =
			PROTOBUF_C_TYPE_FIXED64,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FIXED32] =
			PROTOBUF_C_TYPE_FIXED32,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BOOL] = PROTOBUF_C_TYPE_BOOL,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING] =
			PROTOBUF_C_TYPE_STRING,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP] =
			PROTOBUF_C_TYPE_MESSAGE,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE] =
			PROTOBUF_C_TYPE_MESSAGE,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES] =
			PROTOBUF_C_TYPE_BYTES,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_UINT32] =
			PROTOBUF_C_TYPE_UINT32,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_ENUM] = PROTOBUF_C_TYPE_ENUM,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_SFIXED32] =
			PROTOBUF_C_TYPE_SFIXED32,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_SFIXED64] =
			PROTOBUF_C_TYPE_SFIXED64,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_SINT32] =
			PROTOBUF_C_TYPE_SINT32,
		[GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_SINT64] =
			PROTOBUF_C_TYPE_SINT64,
	};
	bool scalar;

	field->parent = message;
	field->place = locate(message->file, path, &field->comment);
	field->name = checked_name(schema, field->place, proto->name);
	field->json_name = proto->json_name ? proto->json_name : field->name;
	field->number = proto->number;
	if (field->number < 1 || field->number > 536870911)
		refuse(schema, field->place,
		       "%d is not a field's number; this is not what protoc sends, run the plugin "
		       "from protoc",
		       field->number);
	if (proto->has_type && (unsigned)proto->type < sizeof(types) / sizeof(*types) &&
	    proto->type)
		field->type = types[proto->type];
	else
		refuse(schema, field->place,
		       "the type of '%s' is unknown; this is not what protoc sends, run the plugin "
		       "from protoc",
		       field->name);
	field->is_group = proto->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP;
	field->repeated =
		proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
	field->proto3_optional = proto->has_proto3_optional && proto->proto3_optional;
	scalar = field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_BYTES &&
		 field->type != PROTOBUF_C_TYPE_MESSAGE;
	field->packed = field->repeated && scalar;
	if (proto->options && proto->options->has_packed)
		field->packed = field->packed && proto->options->packed;
	if (proto->has_oneof_index && !field->proto3_optional) {
		if ((size_t)proto->oneof_index < message->n_oneofs && !field->repeated)
			field->oneof = &message->oneofs[proto->oneof_index];
		else
			refuse(schema, field->place,
			       "'%s' is in no oneof; this is not what protoc sends, run the plugin "
			       "from protoc",
			       field->name);
	}
	options_read_field(schema, field, proto);
	if (field->proto3_optional)
		field->behaviors |= RPC_FIELD_OPTIONAL;
}

static int compare_fields(const void *a, const void *b)
{
	const struct field *left = *(struct field *const *)a, *right = *(struct field *const *)b;

	return left->number < right->number ? -1 : left->number > right->number;
}

static void load_message(struct schema *schema, struct file *file, struct message *parent,
			 const DescriptorProto *proto, const struct path *path)
{
	struct message *message = arena_alloc(schema->arena, sizeof(*message));

	message->file = file;
	message->parent = parent;
	message->place = locate(file, path, &message->comment);
	message->name = checked_name(schema, message->place, proto->name);
	message->full_name =
		join(schema, parent ? parent->full_name : file->package, message->name);
	message->c_name = name_type(schema->arena, file, parent, message->name);
	message->snake_name = name_snake(schema->arena, message->c_name);
	message->map_entry = proto->options && proto->options->map_entry;
	message->kind = kind_of(message->full_name);
	options_read_message(schema, message, proto);
	file->has_events = file->has_events || message->is_event;
	file->messages[file->n_messages++] = message;

	/* protoc puts the oneofs that it makes for `optional` last */
	message->oneofs =
		arena_alloc(schema->arena, proto->n_oneof_decl * sizeof(*message->oneofs));
	for (size_t i = 0; i < proto->n_oneof_decl; i++) {
		struct oneof *oneof = &message->oneofs[i];
		struct path here = step(path, 8, i);

		oneof->message = message;
		oneof->place = locate(file, &here, &oneof->comment);
		oneof->name = checked_name(schema, oneof->place, proto->oneof_decl[i]->name);
		message->n_oneofs++;
	}
	message->n_fields = proto->n_field;
	message->fields = arena_alloc(schema->arena, proto->n_field * sizeof(*message->fields));
	message->sorted = arena_alloc(schema->arena, proto->n_field * sizeof(*message->sorted));
	for (size_t i = 0; i < proto->n_field; i++) {
		struct path here = step(path, 2, i);

		message->sorted[i] = &message->fields[i];
		load_field(schema, message, &message->fields[i], proto->field[i], &here);
	}
	if (message->n_fields)
		qsort(message->sorted, message->n_fields, sizeof(*message->sorted), compare_fields);
	for (size_t i = 1; i < message->n_fields; i++)
		if (message->sorted[i]->number == message->sorted[i - 1]->number)
			refuse(schema, message->sorted[i]->place,
			       "the field number %d is said twice; give '%s' another",
			       message->sorted[i]->number, message->sorted[i]->name);
	for (size_t i = message->n_oneofs; i > 0; i--) {
		bool real = false;

		for (size_t j = 0; j < message->n_fields; j++)
			real = real || message->fields[j].oneof == &message->oneofs[i - 1];
		if (real)
			break;
		message->n_oneofs--;
	}
	name_fields(schema->arena, message);

	if (path->length + 4 > PATH_MAX_DEPTH) {
		refuse(schema, message->place, "messages are nested too deep; move '%s' to the top",
		       message->name);
		return;
	}
	for (size_t i = 0; i < proto->n_nested_type; i++) {
		struct path here = step(path, 3, i);

		load_message(schema, file, message, proto->nested_type[i], &here);
	}
	for (size_t i = 0; i < proto->n_enum_type; i++) {
		struct path here = step(path, 4, i);

		load_enumeration(schema, file, message, proto->enum_type[i], &here);
	}
}

static void load_service(struct schema *schema, struct file *file, struct service *service,
			 const ServiceDescriptorProto *proto, const struct path *path)
{
	service->file = file;
	service->place = locate(file, path, &service->comment);
	service->name = checked_name(schema, service->place, proto->name);
	service->full_name = join(schema, file->package, service->name);
	service->c_name = name_service(schema->arena, file, service->name);
	service->n_methods = proto->n_method;
	service->methods = arena_alloc(schema->arena, proto->n_method * sizeof(*service->methods));
	for (size_t i = 0; i < proto->n_method; i++) {
		struct method *method = &service->methods[i];
		struct path here = step(path, 2, i);

		method->service = service;
		method->place = locate(file, &here, &method->comment);
		method->name = checked_name(schema, method->place, proto->method[i]->name);
		method->c_name =
			name_member(schema->arena, name_snake(schema->arena, method->name));
		method->client_streaming = proto->method[i]->client_streaming;
		method->server_streaming = proto->method[i]->server_streaming;
		options_read_method(schema, method, proto->method[i]);
		if (!method->has_access) {
			const char *level = schema_setting(schema, "access", service->full_name);

			method->has_access = level != NULL;
			if (level)
				method->access.level = !strcmp(level, "public") ? RPC_LEVEL_PUBLIC
						       : !strcmp(level, "session")
							       ? RPC_LEVEL_SESSION
							       : RPC_LEVEL_USER;
		}
	}
}

static size_t count_messages(DescriptorProto *const *messages, size_t n, size_t *enumerations)
{
	size_t count = n;

	for (size_t i = 0; i < n; i++) {
		*enumerations += messages[i]->n_enum_type;
		count += count_messages(messages[i]->nested_type, messages[i]->n_nested_type,
					enumerations);
	}
	return count;
}

static const char *stem_of(struct schema *schema, const char *name)
{
	const char *given = NULL, *slash = strrchr(name, '/');
	const char *start = schema->flat && slash ? slash + 1 : name;
	size_t length = strlen(start);

	for (size_t i = 0; i < schema->n_settings; i++)
		if (!strcmp(schema->settings[i].kind, "stem") &&
		    !strcmp(schema->settings[i].key, name))
			given = schema->settings[i].value;
	if (given)
		return given;
	if (length > 6 && !strcmp(start + length - 6, ".proto"))
		length -= 6;
	return arena_strndup(schema->arena, start, length);
}

static void load_file(struct schema *schema, struct file *file, const FileDescriptorProto *proto)
{
	struct path path = { .length = 0 };
	const char *prefix;
	size_t n_messages, n_enumerations = proto->n_enum_type;

	file->index = (size_t)(file - schema->files);
	file->proto = proto;
	file->name = text_or_empty(proto->name);
	file->package = text_or_empty(proto->package);
	file->proto3 = proto->syntax && !strcmp(proto->syntax, "proto3");
	file->stem = stem_of(schema, file->name);
	prefix = schema_setting(schema, "prefix", file->package);
	file->prefix = text_or_empty(prefix);
	for (const char *at = file->name; *at; at++)
		if ((unsigned char)*at < ' ' || strchr("\"\\*?", *at))
			refuse(schema, (struct place){ file, 1 },
			       "a file's name has no such character; rename it");
	for (size_t i = 0; i < schema->request->n_file_to_generate; i++)
		file->generate =
			file->generate || !strcmp(schema->request->file_to_generate[i], file->name);
	sort_locations(schema, file);

	n_messages = count_messages(proto->message_type, proto->n_message_type, &n_enumerations);
	file->messages = arena_alloc(schema->arena, n_messages * sizeof(*file->messages));
	file->enumerations =
		arena_alloc(schema->arena, n_enumerations * sizeof(*file->enumerations));
	for (size_t i = 0; i < proto->n_message_type; i++) {
		struct path here = step(&path, 4, i);

		load_message(schema, file, NULL, proto->message_type[i], &here);
	}
	for (size_t i = 0; i < proto->n_enum_type; i++) {
		struct path here = step(&path, 5, i);

		load_enumeration(schema, file, NULL, proto->enum_type[i], &here);
	}
	file->services = arena_alloc(schema->arena, proto->n_service * sizeof(*file->services));
	file->n_services = proto->n_service;
	for (size_t i = 0; i < proto->n_service; i++) {
		struct path here = step(&path, 6, i);

		load_service(schema, file, &file->services[i], proto->service[i], &here);
	}
}

int schema_load(struct schema *schema)
{
	const CodeGeneratorRequest *request = schema->request;

	schema->n_files = request->n_proto_file;
	schema->files = arena_alloc(schema->arena, schema->n_files * sizeof(*schema->files));
	for (size_t i = 0; i < schema->n_files; i++)
		load_file(schema, &schema->files[i], request->proto_file[i]);
	if (schema->n_errors)
		return -EINVAL;
	return schema_resolve(schema);
}
