/* A request of protoc in, its answer out. */
#include "plugin.h"
#include "products.h"
#include "wire.h"
#include <crpc/arena.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef Google__Protobuf__Compiler__CodeGeneratorResponse CodeGeneratorResponse;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse__File ResponseFile;

/* protoc itself nests at most 32 deep; a request nests two levels more, and options a few. */
enum { DEPTH_MAX = 64 };
/* A request of all of this platform's files takes some MB. */
#define MEMORY_MAX ((size_t)1 << 30)

struct run {
	struct arena *arena;
	const uint8_t *request;
	size_t size;
	struct outputs outputs;
	struct schema schema;
	char *refusals;
	size_t refusals_size;
	uint8_t *ret;
	size_t ret_size;
	const char *error;
};

static void write_products(struct outputs *outputs)
{
	struct schema *schema = outputs->schema;

	if (schema->aggregate) {
		write_routes(outputs);
		write_openapi(outputs);
		return;
	}
	for (size_t i = 0; i < schema->n_files; i++) {
		const struct file *file = &schema->files[i];

		if (!file->generate)
			continue;
		if (file->has_events) {
			write_events(outputs, file);
			continue;
		}
		write_messages(outputs, file);
		if (file->n_services)
			write_services(outputs, file);
	}
}

/* The lists are the arena's; the answer is packed before it goes. */
static void pack_response(struct run *run)
{
	CodeGeneratorResponse response = GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
	ResponseFile *files = arena_alloc(run->arena, run->outputs.n * sizeof(*files));
	ResponseFile **list = arena_alloc(run->arena, run->outputs.n * sizeof(*list));

	response.has_supported_features = true;
	response.supported_features =
		GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_PROTO3_OPTIONAL;
	if (run->schema.n_errors) {
		response.error = run->refusals;
	} else {
		for (struct output *out = run->outputs.first; out; out = out->next) {
			ResponseFile *file = &files[response.n_file];

			google__protobuf__compiler__code_generator_response__file__init(file);
			file->name = (char *)out->name;
			file->content = out->text;
			list[response.n_file++] = file;
		}
		response.file = list;
	}
	run->ret_size = protobuf_c_message_get_packed_size(&response.base);
	run->ret = malloc(run->ret_size + 1);
	if (run->ret)
		protobuf_c_message_pack(&response.base, run->ret);
}

static int run_in_arena(void *data)
{
	struct run *run = data;
	struct schema *schema = &run->schema;
	CodeGeneratorRequest *request;

	if (!wire_depth_ok(&google__protobuf__compiler__code_generator_request__descriptor,
			   run->request, run->size, DEPTH_MAX)) {
		run->error = "the input is no CodeGeneratorRequest, or it nests too deep; run the "
			     "plugin from protoc";
		return -EINVAL;
	}
	request = google__protobuf__compiler__code_generator_request__unpack(
		arena_allocator(run->arena), run->size, run->request);
	if (!request) {
		run->error = "the input is no CodeGeneratorRequest; run the plugin from protoc";
		return -EINVAL;
	}
	schema->request = request;
	if (!schema_read_parameter(schema, request->parameter ? request->parameter : "") &&
	    !schema_load(schema)) {
		check_schema(schema);
		if (!schema->n_errors)
			write_products(&run->outputs);
	}
	outputs_close(&run->outputs);
	fflush(schema->errors);
	pack_response(run);
	return run->ret ? 0 : -ENOMEM;
}

int plugin_run(const uint8_t *request, size_t size, uint8_t **ret, size_t *ret_size,
	       const char **error)
{
	struct run run = { .arena = arena_new(MEMORY_MAX), .request = request, .size = size };
	int r;

	run.schema.arena = run.arena;
	run.schema.errors = open_memstream(&run.refusals, &run.refusals_size);
	if (!run.schema.errors)
		abort();
	run.outputs = (struct outputs){ .schema = &run.schema, .last = &run.outputs.first };
	r = arena_run(run.arena, run_in_arena, &run);
	if (r == -ENOMEM)
		run.error = "the schema takes more than 1 GiB of memory; split it";
	if (!r) {
		*ret = run.ret;
		*ret_size = run.ret_size;
	} else {
		*error = run.error;
		r = -EINVAL;
	}
	outputs_free(&run.outputs);
	fclose(run.schema.errors);
	free(run.refusals);
	arena_free(run.arena);
	return r;
}
