/* Descriptors of files, as reflection serves them: the file's own and those of all that it imports.
 */
#include "products.h"

static void print_file(struct output *out, struct schema *schema, const struct file *file,
		       bool *printed)
{
	Google__Protobuf__FileDescriptorProto proto = *file->proto;
	size_t index = file->index;
	uint8_t *bytes;
	size_t size;

	if (printed[index])
		return;
	printed[index] = true;
	for (size_t i = 0; i < file->n_dependencies; i++)
		print_file(out, schema, file->dependencies[i], printed);

	proto.source_code_info = NULL; /* comments are for readers of the .proto */
	size = protobuf_c_message_get_packed_size(&proto.base);
	bytes = arena_alloc(schema->arena, size + 1);
	protobuf_c_message_pack(&proto.base, bytes);
	print(out, "\n/* %s */\nstatic const uint8_t file_%zu_descriptor[] =", file->name, index);
	print_bytes(out, bytes, size);
	print(out,
	      ";\nstatic const struct rpc_file file_%zu = {\n\t.name = \"%s\",\n"
	      "\t.descriptor = file_%zu_descriptor,\n\t.size = sizeof(file_%zu_descriptor) - 1,\n"
	      "\t.dependencies = (const struct rpc_file *const[]){ ",
	      index, file->name, index, index);
	for (size_t i = 0; i < file->n_dependencies; i++)
		print(out, "&file_%zu, ", file->dependencies[i]->index);
	print(out, "NULL },\n};\n");
}

void print_files(struct output *out, struct schema *schema, const struct file *file)
{
	bool *printed = arena_alloc(schema->arena, schema->n_files);

	print_file(out, schema, file, printed);
}
