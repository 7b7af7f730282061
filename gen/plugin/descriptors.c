/* The tables by which libprotobuf-c and the runtime read a message. */
#include "products.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MAX_LEN = 1024, DEFAULT_MAX_ITEMS = 1000 };

static const char *type_name(ProtobufCType type)
{
	static const char *const names[] = {
		[PROTOBUF_C_TYPE_INT32] = "INT32",       [PROTOBUF_C_TYPE_SINT32] = "SINT32",
		[PROTOBUF_C_TYPE_SFIXED32] = "SFIXED32", [PROTOBUF_C_TYPE_INT64] = "INT64",
		[PROTOBUF_C_TYPE_SINT64] = "SINT64",     [PROTOBUF_C_TYPE_SFIXED64] = "SFIXED64",
		[PROTOBUF_C_TYPE_UINT32] = "UINT32",     [PROTOBUF_C_TYPE_FIXED32] = "FIXED32",
		[PROTOBUF_C_TYPE_UINT64] = "UINT64",     [PROTOBUF_C_TYPE_FIXED64] = "FIXED64",
		[PROTOBUF_C_TYPE_FLOAT] = "FLOAT",       [PROTOBUF_C_TYPE_DOUBLE] = "DOUBLE",
		[PROTOBUF_C_TYPE_BOOL] = "BOOL",         [PROTOBUF_C_TYPE_ENUM] = "ENUM",
		[PROTOBUF_C_TYPE_STRING] = "STRING",     [PROTOBUF_C_TYPE_BYTES] = "BYTES",
		[PROTOBUF_C_TYPE_MESSAGE] = "MESSAGE",
	};

	return names[type];
}

static void print_field(struct output *out, const struct field *field)
{
	const char *message = field->parent->c_name;
	bool optional = field->proto3_optional;

	print(out, "\t{\n\t\t.name = \"%s\",\n\t\t.id = %d,\n", field->name, field->number);
	print(out, "\t\t.label = PROTOBUF_C_LABEL_%s,\n\t\t.type = PROTOBUF_C_TYPE_%s,\n",
	      field->repeated ? "REPEATED"
	      : optional      ? "OPTIONAL"
			      : "NONE",
	      type_name(field->type));
	if (field->repeated)
		print(out, "\t\t.quantifier_offset = offsetof(%s, %s),\n", message,
		      field->count_name);
	else if (field->oneof)
		print(out, "\t\t.quantifier_offset = offsetof(%s, %s),\n", message,
		      field->oneof->case_name);
	else if (field->has_name)
		print(out, "\t\t.quantifier_offset = offsetof(%s, %s),\n", message,
		      field->has_name);
	print(out, "\t\t.offset = offsetof(%s, %s),\n", message, field->c_name);
	if (field->message)
		print(out, "\t\t.descriptor = &%s_descriptor,\n", field->message->c_name);
	else if (field->enumeration)
		print(out, "\t\t.descriptor = &%s_descriptor,\n", field->enumeration->c_name);
	if (field->type == PROTOBUF_C_TYPE_STRING && !field->repeated && !field->oneof && !optional)
		print(out, "\t\t.default_value = protobuf_c_empty_string,\n");
	if (field->packed)
		print(out, "\t\t.flags = PROTOBUF_C_FIELD_FLAG_PACKED,\n");
	else if (field->oneof)
		print(out, "\t\t.flags = PROTOBUF_C_FIELD_FLAG_ONEOF,\n");
	print(out, "\t},\n");
}

struct key {
	const char *name;
	size_t index;
};

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct key *)a)->name, ((const struct key *)b)->name);
}

/* The indices of the fields sorted by name. */
static void print_order(struct output *out, const struct message *message, bool by_json_name)
{
	struct key *keys = calloc(message->n_fields + 1, sizeof(*keys));

	if (!keys)
		abort();
	for (size_t i = 0; i < message->n_fields; i++)
		keys[i] = (struct key){ by_json_name ? message->sorted[i]->json_name
						     : message->sorted[i]->name,
					i };
	qsort(keys, message->n_fields, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < message->n_fields; i++)
		print(out, "\t%zu, /* %s */\n", keys[i].index,
		      message->sorted[keys[i].index]->name);
	free(keys);
}

static const char *format_name(enum rpc_format format)
{
	static const char *const names[] = { "TEXT",     "EMAIL", "CURRENCY", "COUNTRY", "PHONE",
					     "LANGUAGE", "URI",   "ID",       "ANY" };

	return (unsigned)format < sizeof(names) / sizeof(*names) ? names[format] : "TEXT";
}

static void print_bound(struct output *out, const char *name, double bound)
{
	/* 17 digits give the same double back; a whole number reads better whole */
	if (bound == floor(bound) && fabs(bound) < 1e15)
		print(out, "\t.has_%s = true,\n\t.%s = %.0f,\n", name, name, bound);
	else
		print(out, "\t.has_%s = true,\n\t.%s = %.17g,\n", name, name, bound);
}

/* With the defaults filled in, so that the runtime needs none of them where a rule stands. */
static void print_rules(struct output *out, const struct field *field)
{
	const struct rpc_rules *rules = field->rules;
	uint32_t max_len = rules->max_len, max_items = rules->max_items;

	if (!max_len && field->type == PROTOBUF_C_TYPE_STRING)
		max_len = DEFAULT_MAX_LEN;
	if (!max_items && field->repeated)
		max_items = DEFAULT_MAX_ITEMS;
	print(out, "\nstatic const struct rpc_rules %s_%s_rules = {\n", field->parent->c_name,
	      field->name);
	if (rules->has_min)
		print_bound(out, "min", rules->min);
	if (rules->has_max)
		print_bound(out, "max", rules->max);
	if (rules->min_len)
		print(out, "\t.min_len = %" PRIu32 ",\n", rules->min_len);
	if (max_len)
		print(out, "\t.max_len = %" PRIu32 ",\n", max_len);
	if (rules->min_items)
		print(out, "\t.min_items = %" PRIu32 ",\n", rules->min_items);
	if (max_items)
		print(out, "\t.max_items = %" PRIu32 ",\n", max_items);
	if (rules->format)
		print(out, "\t.format = RPC_FORMAT_%s,\n", format_name(rules->format));
	if (rules->resource) {
		print(out, "\t.resource = ");
		print_string(out, rules->resource);
		print(out, ",\n");
	}
	print(out, "};\n");
}

static void print_flags(struct output *out, uint32_t flags)
{
	static const char *const names[] = { "REQUIRED",   "OUTPUT_ONLY", "INPUT_ONLY", "IMMUTABLE",
					     "IDENTIFIER", "MAP",         "OPTIONAL" };
	const char *between = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!(flags & 1u << i))
			continue;
		print(out, "%sRPC_FIELD_%s", between, names[i]);
		between = " | ";
	}
	if (!*between)
		print(out, "0");
}

static void print_info(struct output *out, const struct message *message)
{
	static const char *const kinds[] = {
		[RPC_KIND_MESSAGE] = "MESSAGE",       [RPC_KIND_ANY] = "ANY",
		[RPC_KIND_TIMESTAMP] = "TIMESTAMP",   [RPC_KIND_DURATION] = "DURATION",
		[RPC_KIND_STRUCT] = "STRUCT",         [RPC_KIND_VALUE] = "VALUE",
		[RPC_KIND_LIST_VALUE] = "LIST_VALUE", [RPC_KIND_NULL_VALUE] = "NULL_VALUE",
		[RPC_KIND_FIELD_MASK] = "FIELD_MASK", [RPC_KIND_EMPTY] = "EMPTY",
		[RPC_KIND_WRAPPER] = "WRAPPER",       [RPC_KIND_HTTP_BODY] = "HTTP_BODY",
	};
	const char *name = message->c_name;

	if (message->n_fields) {
		print(out, "\nstatic const struct rpc_field_info %s_field_info[] = {\n", name);
		for (size_t i = 0; i < message->n_fields; i++) {
			const struct field *field = message->sorted[i];

			print(out, "\t{ ");
			print_string(out, field->json_name);
			print(out, ", ");
			print_flags(out, field->behaviors);
			if (field->rules)
				print(out, ", &%s_%s_rules },\n", name, field->name);
			else
				print(out, ", NULL },\n");
		}
		print(out, "};\n\nstatic const uint16_t %s_by_json_name[] = {\n", name);
		print_order(out, message, true);
		print(out, "};\n");
	}
	print(out, "\nstatic const struct rpc_message_info %s_info = {\n\t.kind = RPC_KIND_%s,\n",
	      name, kinds[message->kind]);
	if (message->n_fields)
		print(out,
		      "\t.fields = %s_field_info,\n\t.fields_sorted_by_json_name = "
		      "%s_by_json_name,\n",
		      name, name);
	if (message->map_entry)
		print(out, "\t.map_entry = true,\n");
	print(out, "};\n");
}

static size_t print_ranges(struct output *out, const struct message *message)
{
	size_t n_ranges = 0;

	print(out, "};\n\nstatic const ProtobufCIntRange %s_ranges[] = {\n", message->c_name);
	for (size_t i = 0; i < message->n_fields; i++) {
		if (i && message->sorted[i]->number == message->sorted[i - 1]->number + 1)
			continue;
		print(out, "\t{ %d, %zu },\n", message->sorted[i]->number, i);
		n_ranges++;
	}
	print(out, "\t{ 0, %zu },\n};\n", message->n_fields);
	return n_ranges;
}

void print_descriptor(struct output *out, const struct message *message)
{
	const char *name = message->c_name;
	size_t n_ranges = 0;

	for (size_t i = 0; i < message->n_fields; i++)
		if (message->sorted[i]->rules)
			print_rules(out, message->sorted[i]);
	if (message->n_fields) {
		print(out, "\nstatic const ProtobufCFieldDescriptor %s_fields[] = {\n", name);
		for (size_t i = 0; i < message->n_fields; i++)
			print_field(out, message->sorted[i]);
		print(out, "};\n\nstatic const unsigned %s_by_name[] = {\n", name);
		print_order(out, message, false);
		n_ranges = print_ranges(out, message);
	}
	print_info(out, message);
	print(out,
	      "\nstatic void %s_init(ProtobufCMessage *message)\n{\n"
	      "\t*(%s *)message = (%s){ %s_BASE };\n}\n",
	      name, name, name, name);
	print(out,
	      "\nconst ProtobufCMessageDescriptor %s_descriptor = {\n"
	      "\t.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,\n"
	      "\t.name = \"%s\",\n\t.short_name = \"%s\",\n\t.c_name = \"%s\",\n\t.package_name = "
	      "\"%s\",\n"
	      "\t.sizeof_message = sizeof(%s),\n\t.n_fields = %zu,\n",
	      name, message->full_name, message->name, name, message->file->package, name,
	      message->n_fields);
	if (message->n_fields)
		print(out,
		      "\t.fields = %s_fields,\n\t.fields_sorted_by_name = %s_by_name,\n"
		      "\t.n_field_ranges = %zu,\n\t.field_ranges = %s_ranges,\n",
		      name, name, n_ranges, name);
	print(out, "\t.message_init = %s_init,\n\t.reserved1 = (void *)&%s_info,\n};\n", name,
	      name);
}
