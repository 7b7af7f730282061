/* References between types: which message, enum or import a name means. */
#include "schema.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct type {
	const char *full_name;
	struct message *message;
	struct enumeration *enumeration;
};

struct types {
	struct type *items;
	size_t n;
};

static int compare_types(const void *a, const void *b)
{
	return strcmp(((const struct type *)a)->full_name, ((const struct type *)b)->full_name);
}

static struct types collect_types(struct schema *schema)
{
	struct types types = { .n = 0 };
	size_t room = 0;

	for (size_t i = 0; i < schema->n_files; i++)
		room += schema->files[i].n_messages + schema->files[i].n_enumerations;
	types.items = arena_alloc(schema->arena, room * sizeof(*types.items));
	for (size_t i = 0; i < schema->n_files; i++) {
		const struct file *file = &schema->files[i];

		for (size_t j = 0; j < file->n_messages; j++)
			types.items[types.n++] = (struct type){ file->messages[j]->full_name,
								file->messages[j], NULL };
		for (size_t j = 0; j < file->n_enumerations; j++)
			types.items[types.n++] = (struct type){ file->enumerations[j]->full_name,
								NULL, file->enumerations[j] };
	}
	if (types.n)
		qsort(types.items, types.n, sizeof(*types.items), compare_types);
	return types;
}

static const struct type *find_type(const struct types *types, const char *name)
{
	struct type key = { .full_name = name && *name == '.' ? name + 1 : "" };

	return types->n ? bsearch(&key, types->items, types->n, sizeof(key), compare_types) : NULL;
}

static struct message *resolve_message(struct schema *schema, const struct types *types,
				       struct place place, const char *name)
{
	const struct type *type = find_type(types, name);

	if (type && type->message)
		return type->message;
	refuse(schema, place,
	       "the message '%s' is unknown; this is not what protoc sends, run the plugin from "
	       "protoc",
	       name ? name : "");
	return NULL;
}

/* A map's rules on its size stay; the others are about its values, and stand there, where whoever
 * walks messages finds them. */
static void hand_down_rules(struct schema *schema, struct field *map)
{
	struct field *value = map->message->n_fields == 2 ? map->message->sorted[1] : NULL;
	struct rpc_rules *of_map, *of_values;

	if (!value || !map->rules)
		return;
	of_map = arena_alloc(schema->arena, sizeof(*of_map));
	of_map->min_items = map->rules->min_items;
	of_map->max_items = map->rules->max_items;
	of_values = arena_memdup(schema->arena, map->rules, sizeof(*of_values));
	of_values->min_items = of_values->max_items = 0;
	map->rules = of_map;
	value->place = map->place;
	if (memcmp(of_values, &(struct rpc_rules){ 0 }, sizeof(*of_values)))
		value->rules = of_values;
}

static void resolve_field(struct schema *schema, const struct types *types, struct field *field,
			  const char *type_name)
{
	const struct type *type;

	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		field->message = resolve_message(schema, types, field->place, type_name);
		if (field->message && field->message->map_entry) {
			field->behaviors |= RPC_FIELD_MAP;
			hand_down_rules(schema, field);
		}
	} else if (field->type == PROTOBUF_C_TYPE_ENUM) {
		type = find_type(types, type_name);
		field->enumeration = type ? type->enumeration : NULL;
		if (!field->enumeration)
			refuse(schema, field->place,
			       "the enum '%s' is unknown; this is not what protoc sends, run the "
			       "plugin from protoc",
			       type_name ? type_name : "");
	}
}

static size_t resolve_messages(struct schema *schema, const struct types *types, struct file *file,
			       DescriptorProto *const *protos, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++) {
		struct message *message = file->messages[at++];

		for (size_t j = 0; j < message->n_fields; j++)
			resolve_field(schema, types, &message->fields[j],
				      protos[i]->field[j]->type_name);
		if (message->map_entry &&
		    (message->n_fields != 2 || message->sorted[0]->number != 1 ||
		     message->sorted[1]->number != 2 || message->fields[0].repeated ||
		     message->fields[1].repeated))
			refuse(schema, message->place,
			       "'%s' is no entry of a map; this is not what protoc sends, run the "
			       "plugin from protoc",
			       message->name);
		at = resolve_messages(schema, types, file, protos[i]->nested_type,
				      protos[i]->n_nested_type, at);
	}
	return at;
}

static struct field *find_request_id(const struct message *request)
{
	struct field *field = request ? schema_find_field(request, "request_id") : NULL;

	return field && field->type == PROTOBUF_C_TYPE_STRING && !field->repeated ? field : NULL;
}

static void resolve_file(struct schema *schema, const struct types *types, struct file *file)
{
	const FileDescriptorProto *proto = file->proto;

	file->dependencies =
		arena_alloc(schema->arena, proto->n_dependency * sizeof(*file->dependencies));
	for (size_t i = 0; i < proto->n_dependency; i++) {
		struct file *other = schema->files;

		while (other < file && strcmp(other->name, proto->dependency[i]) != 0)
			other++;
		if (other == file) {
			refuse(schema, (struct place){ file, 1 },
			       "the import '%s' does not come before; this is not what protoc "
			       "sends, run the plugin from protoc",
			       proto->dependency[i]);
			return;
		}
		file->dependencies[file->n_dependencies++] = other;
	}
	resolve_messages(schema, types, file, proto->message_type, proto->n_message_type, 0);
	for (size_t i = 0; i < file->n_services; i++) {
		struct service *service = &file->services[i];

		for (size_t j = 0; j < service->n_methods; j++) {
			const MethodDescriptorProto *method = proto->service[i]->method[j];

			service->methods[j].request = resolve_message(
				schema, types, service->methods[j].place, method->input_type);
			service->methods[j].response = resolve_message(
				schema, types, service->methods[j].place, method->output_type);
			service->methods[j].request_id =
				find_request_id(service->methods[j].request);
		}
	}
}

/* Files whose types stand in a used file's fields. Files are ordered: imports first. */
static void mark_used(struct schema *schema)
{
	for (size_t i = schema->n_files; i > 0; i--) {
		struct file *file = &schema->files[i - 1];

		file->used = file->used || file->generate;
		if (file->has_events)
			continue; /* nanopb's */
		for (size_t j = 0; file->used && j < file->n_messages; j++) {
			const struct message *message = file->messages[j];

			for (size_t k = 0; k < message->n_fields; k++) {
				if (message->fields[k].message)
					message->fields[k].message->file->used = true;
				if (message->fields[k].enumeration)
					message->fields[k].enumeration->file->used = true;
			}
		}
		for (size_t j = 0; file->used && j < file->n_services; j++) {
			for (size_t k = 0; k < file->services[j].n_methods; k++) {
				file->services[j].methods[k].request->file->used = true;
				file->services[j].methods[k].response->file->used = true;
			}
		}
	}
}

int schema_resolve(struct schema *schema)
{
	struct types types = collect_types(schema);

	for (size_t i = 0; i < schema->n_files; i++)
		resolve_file(schema, &types, &schema->files[i]);
	if (schema->n_errors)
		return -EINVAL;
	mark_used(schema);
	return 0;
}
