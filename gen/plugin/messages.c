/* Messages: what a .msg.h declares. */
#include "naming.h"
#include "products.h"
#include <string.h>

static const char *scalar_type(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return "int32_t";
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return "uint32_t";
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return "int64_t";
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return "uint64_t";
	case PROTOBUF_C_TYPE_FLOAT:
		return "float";
	case PROTOBUF_C_TYPE_DOUBLE:
		return "double";
	case PROTOBUF_C_TYPE_BYTES:
		return "ProtobufCBinaryData";
	default:
		return "protobuf_c_boolean";
	}
}

/* The type of one value, with what belongs between it and a name: "int32_t ", "CartItem *". */
static const char *value_type(struct arena *arena, const struct field *field)
{
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return "const char *";
	if (field->message)
		return arena_printf(arena, "%s *", field->message->c_name);
	if (field->enumeration)
		return arena_printf(arena, "%s ", field->enumeration->c_name);
	return arena_printf(arena, "%s ", scalar_type(field->type));
}

static void print_field(struct output *out, struct arena *arena, const struct field *field,
			const char *indent)
{
	const char *type = value_type(arena, field);

	print_comment(out, indent, field->comment);
	if (field->repeated) {
		print(out, "%ssize_t %s;\n", indent, field->count_name);
		print(out, "%s%s*%s;\n", indent, type, field->c_name);
		return;
	}
	if (field->has_name)
		print(out, "%sprotobuf_c_boolean %s;\n", indent, field->has_name);
	print(out, "%s%s%s;\n", indent, type, field->c_name);
}

static void print_oneof_case(struct output *out, const struct message *message,
			     const struct oneof *oneof)
{
	print(out, "typedef enum %s {\n\t%s = 0,\n", oneof->case_type, oneof->not_set);
	for (size_t i = 0; i < message->n_fields; i++)
		if (message->fields[i].oneof == oneof)
			print(out, "\t%s = %d,\n", message->fields[i].case_constant,
			      message->fields[i].number);
	print(out, "} %s;\n\n", oneof->case_type);
}

static void print_struct(struct output *out, struct arena *arena, const struct message *message)
{
	print(out, "\n");
	for (size_t i = 0; i < message->n_oneofs; i++)
		print_oneof_case(out, message, &message->oneofs[i]);
	print_comment(out, "", message->comment);
	print(out, "struct %s {\n\tProtobufCMessage base;\n", message->c_name);
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct oneof *oneof = message->fields[i].oneof;

		if (!oneof) {
			print_field(out, arena, &message->fields[i], "\t");
			continue;
		}
		/* The members of a oneof stand together in a .proto. */
		if (i && message->fields[i - 1].oneof == oneof)
			continue;
		print_comment(out, "\t", oneof->comment);
		print(out, "\t%s %s;\n\tunion {\n", oneof->case_type, oneof->case_name);
		for (size_t j = i; j < message->n_fields; j++)
			if (message->fields[j].oneof == oneof)
				print_field(out, arena, &message->fields[j], "\t\t");
		print(out, "\t};\n");
	}
	print(out, "};\nextern const ProtobufCMessageDescriptor %s_descriptor;\n", message->c_name);

	print(out, "#define %s_BASE .base = PROTOBUF_C_MESSAGE_INIT(&%s_descriptor)",
	      message->c_name, message->c_name);
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct field *field = &message->fields[i];

		if (field->type == PROTOBUF_C_TYPE_STRING && !field->repeated && !field->oneof &&
		    !field->proto3_optional)
			print(out, ", \\\n\t.%s = protobuf_c_empty_string", field->c_name);
	}
	print(out, "\n");
}

static void print_list_helpers(struct output *out, struct arena *arena, const struct field *field)
{
	const struct message *message = field->parent;
	const char *type = value_type(arena, field);

	print(out,
	      "\nstatic inline void %s_add_%s(struct rpc_call *call, %s *to, %sitem)\n{\n"
	      "\tto->%s = rpc_array_room(rpc_arena(call), to->%s, to->%s, 1, sizeof(*to->%s));\n"
	      "\tto->%s[to->%s++] = item;\n}\n",
	      message->snake_name, field->name, message->c_name, type, field->c_name, field->c_name,
	      field->count_name, field->c_name, field->c_name, field->count_name);
	print(out,
	      "#define %s_each_%s(item, of) \\\n"
	      "\tfor (%s*item##_at = (of)->%s, %sitem; \\\n"
	      "\t     (size_t)(item##_at - (of)->%s) < (of)->%s && ((item) = *item##_at, true); "
	      "item##_at++)\n",
	      message->snake_name, field->name, type, field->c_name,
	      type[strlen(type) - 1] == '*' ? "*" : "", field->c_name, field->count_name);
}

/* Where `struct file`s have types that this one's fields use. */
static void print_includes(struct output *out, const struct schema *schema, const struct file *file)
{
	for (size_t i = 0; i < schema->n_files; i++) {
		const struct file *other = &schema->files[i];
		bool needed = false;

		if (other == file)
			continue;
		for (size_t j = 0; j < file->n_messages; j++) {
			const struct message *message = file->messages[j];

			for (size_t k = 0; k < message->n_fields; k++) {
				const struct field *field = &message->fields[k];

				needed = needed ||
					 (field->message && field->message->file == other) ||
					 (field->enumeration && field->enumeration->file == other);
			}
		}
		if (needed)
			print(out, "#include \"%s.msg.h\"\n", other->stem);
	}
}

static void print_header(struct output *out, struct schema *schema, const struct file *file)
{
	print_head(out, file->name);
	print(out, "#pragma once\n\n#include <crpc/call.h>\n");
	print_includes(out, schema, file);
	print(out, "\n");
	for (size_t i = 0; i < file->n_messages; i++)
		print(out, "typedef struct %s %s;\n", file->messages[i]->c_name,
		      file->messages[i]->c_name);
	for (size_t i = 0; i < file->n_enumerations; i++) {
		print_enumeration_header(out, file->enumerations[i]);
		if (file->enumerations[i]->is_reasons)
			print_reasons_header(out, file->enumerations[i]);
	}
	for (size_t i = 0; i < file->n_messages; i++) {
		const struct message *message = file->messages[i];

		print_struct(out, schema->arena, message);
		for (size_t j = 0; j < message->n_fields; j++)
			if (message->fields[j].repeated)
				print_list_helpers(out, schema->arena, &message->fields[j]);
	}
}

void write_messages(struct outputs *outputs, const struct file *file)
{
	struct schema *schema = outputs->schema;
	const char *reflected = schema_setting(schema, "reflect", file->name);
	struct output *header =
		output_new(outputs, arena_printf(schema->arena, "%s.msg.h", file->stem));
	struct output *source =
		output_new(outputs, arena_printf(schema->arena, "%s.msg.c", file->stem));

	print_header(header, schema, file);
	if (reflected)
		print(header, "\nextern const struct rpc_file *const %s;\n", reflected);

	print_head(source, file->name);
	print(source, "#include \"%s.msg.h\"\n", file->stem);
	if (reflected) {
		print(source, "#include <crpc/server.h>\n");
		print_files(source, schema, file);
		print(source, "const struct rpc_file *const %s = &file_%zu;\n", reflected,
		      file->index);
	}
	for (size_t i = 0; i < file->n_enumerations; i++) {
		print_enumeration(source, file->enumerations[i]);
		if (file->enumerations[i]->is_reasons)
			print_reasons(source, schema, file->enumerations[i]);
	}
	for (size_t i = 0; i < file->n_messages; i++)
		print_descriptor(source, file->messages[i]);
}
