/* Services: ops tables, the dispatcher's way into them, and what it must know of each method. */
#include "naming.h"
#include "products.h"
#include <inttypes.h>
#include <string.h>

enum { DEFAULT_TIMEOUT_MS = 10000, DEFAULT_MAX_REQUEST_BYTES = 1 << 20 };

static bool is_stream(const struct method *method)
{
	return method->client_streaming || method->server_streaming;
}

/* --- typed streams --- */

static void print_stream(struct output *out, struct arena *arena, const struct message *message)
{
	const char *name = message->snake_name, *type = message->c_name;
	const char *guard = arena_printf(arena, "CRPC_%s_STREAM", name_upper(arena, name));

	/* Another file may stream the same messages. */
	print(out, "\n#ifndef %s\n#define %s\n", guard, guard);
	print(out, "/* A stream of %s messages: under another name a struct rpc_stream. */\n",
	      type);
	print(out, "struct %s_writer;\nstruct %s_reader;\n", name, name);
	print(out,
	      "static inline int %s_writer_send(struct %s_writer *out, const %s *message)\n{\n"
	      "\treturn rpc_stream_send((struct rpc_stream *)out, &message->base);\n}\n",
	      name, name, type);
	print(out,
	      "static inline int %s_writer_close(struct %s_writer *out)\n{\n"
	      "\treturn rpc_stream_close_send((struct rpc_stream *)out);\n}\n",
	      name, name);
	print(out,
	      "static inline int %s_reader_next(struct %s_reader *in, %s **ret)\n{\n"
	      "\tProtobufCMessage *message;\n"
	      "\tint r = rpc_stream_next((struct rpc_stream *)in, &message);\n\n"
	      "\tif (!r)\n\t\t*ret = (%s *)message;\n\treturn r;\n}\n",
	      name, name, type, type);
	print(out,
	      "static inline struct %s_reader *%s_reader_free(struct %s_reader *in)\n{\n"
	      "\treturn (struct %s_reader *)rpc_stream_free((struct rpc_stream *)in);\n}\n"
	      "DEFINE_CLEANUP(struct %s_reader *, %s_reader_free)\n#endif\n",
	      name, name, name, name, name, name);
}

void print_streams(struct output *out, const struct file *file, struct schema *schema)
{
	const struct message **done;
	size_t n_done = 0, room = 0;

	for (size_t i = 0; i < file->n_services; i++)
		room += 2 * file->services[i].n_methods;
	done = arena_alloc(schema->arena, room * sizeof(*done));
	for (size_t i = 0; i < file->n_services; i++) {
		for (size_t j = 0; j < file->services[i].n_methods; j++) {
			const struct method *method = &file->services[i].methods[j];
			const struct message *streamed[] = {
				method->client_streaming ? method->request : NULL,
				/* a client reads the one answer to its stream in the same way */
				is_stream(method) ? method->response : NULL,
			};

			for (size_t k = 0; k < 2; k++) {
				bool known = !streamed[k];

				for (size_t l = 0; l < n_done; l++)
					known = known || done[l] == streamed[k];
				if (known)
					continue;
				done[n_done++] = streamed[k];
				print_stream(out, schema->arena, streamed[k]);
			}
		}
	}
}

/* --- the ops table --- */

static void print_member(struct output *out, const struct method *method)
{
	print_comment(out, "\t", method->comment);
	print(out, "\tint (*%s)(struct %s_service *self, struct rpc_call *call, ", method->c_name,
	      method->service->c_name);
	if (method->client_streaming)
		print(out, "struct %s_reader *in, ", method->request->snake_name);
	else
		print(out, "const %s *req, ", method->request->c_name);
	if (method->server_streaming)
		print(out, "struct %s_writer *out);\n", method->response->snake_name);
	else
		print(out, "%s **ret);\n", method->response->c_name);
}

void print_service_header(struct output *out, const struct service *service)
{
	const char *name = service->c_name;

	print(out, "\n/*\n * %s\n */\n\n", service->full_name);
	print(out, "struct %s_service; /* yours to define */\n", name);
	print_comment(out, "", service->comment);
	print(out, "struct %s_service_ops {\n", name);
	for (size_t i = 0; i < service->n_methods; i++)
		print_member(out, &service->methods[i]);
	if (!service->n_methods)
		print(out, "\tchar none; /* the service has no methods */\n");
	print(out, "};\n\nextern const struct rpc_method %s_service_methods[];\n", name);
	print(out, "extern const struct rpc_service %s_service_descriptor;\n\n", name);
	print(out,
	      "static inline void %s_service_serve(struct rpc_server *server, const struct "
	      "%s_service_ops *ops,\n"
	      "\t\tstruct %s_service *self)\n{\n\trpc_server_add(server, &%s_service_descriptor, "
	      "ops, self);\n}\n",
	      name, name, name, name);
}

/* --- the dispatcher's way in --- */

static void print_invoke(struct output *out, const struct method *method)
{
	const char *service = method->service->c_name;

	print(out,
	      "\nstatic int %s_%s_invoke(const void *table, void *self, struct rpc_call *call, "
	      "const void *in, void *out)\n{\n"
	      "\tconst struct %s_service_ops *ops = table;\n",
	      service, method->c_name, service);
	if (!method->server_streaming)
		print(out, "\t%s *ret = NULL;\n\tint r;\n", method->response->c_name);
	print(out,
	      "\n\tif (!ops->%s)\n\t\treturn rpc_fail_code(call, RPC_UNIMPLEMENTED, "
	      "\"%%s is not implemented.\", \"%s.%s\");\n",
	      method->c_name, method->service->full_name, method->name);
	if (method->server_streaming) {
		if (method->client_streaming)
			print(out,
			      "\treturn ops->%s(self, call, (struct %s_reader *)in, out);\n}\n",
			      method->c_name, method->request->snake_name);
		else
			print(out, "\treturn ops->%s(self, call, in, out);\n}\n", method->c_name);
		return;
	}
	if (method->client_streaming)
		print(out, "\tr = ops->%s(self, call, (struct %s_reader *)in, &ret);\n",
		      method->c_name, method->request->snake_name);
	else
		print(out, "\tr = ops->%s(self, call, in, &ret);\n", method->c_name);
	print(out, "\tif (!r)\n\t\t*(ProtobufCMessage **)out = (ProtobufCMessage *)ret;\n\treturn "
		   "r;\n}\n");
}

static void print_list(struct output *out, const char *member, const char *const *texts, size_t n)
{
	if (!n)
		return;
	print(out, "%s = (const char *const[]){ ", member);
	for (size_t i = 0; i < n; i++) {
		print_string(out, texts[i]);
		print(out, ", ");
	}
	print(out, "NULL },\n");
}

static void print_text(struct output *out, const char *member, const char *text)
{
	if (!text)
		return;
	print(out, "%s = ", member);
	print_string(out, text);
	print(out, ",\n");
}

static void print_access(struct output *out, const struct rpc_access *access)
{
	static const char *const levels[] = { "NONE", "PUBLIC", "SESSION", "USER" };
	size_t n_callers = 0;

	while (access->callers && access->callers[n_callers])
		n_callers++;
	print(out, "\t\t.access = {\n\t\t\t.level = RPC_LEVEL_%s,\n", levels[access->level & 3]);
	print_text(out, "\t\t\t.owner", access->owner);
	print_text(out, "\t\t\t.permission", access->permission);
	print_list(out, "\t\t\t.callers", access->callers, n_callers);
	print(out, "\t\t},\n");
}

static void print_method(struct output *out, const struct method *method)
{
	static const char *const idempotencies[] = { "RPC_NOT_IDEMPOTENT", "RPC_NO_SIDE_EFFECTS",
						     "RPC_IDEMPOTENT" };
	int64_t timeout_ms = method->has_timeout ? method->timeout_ms
			     : is_stream(method) ? 0
						 : DEFAULT_TIMEOUT_MS;

	print(out, "\t{\n\t\t.name = \"%s\",\n\t\t.path = \"/%s/%s\",\n", method->name,
	      method->service->full_name, method->name);
	print(out, "\t\t.request = &%s_descriptor,\n\t\t.response = &%s_descriptor,\n",
	      method->request->c_name, method->response->c_name);
	if (method->client_streaming)
		print(out, "\t\t.client_streaming = true,\n");
	if (method->server_streaming)
		print(out, "\t\t.server_streaming = true,\n");
	if (method->idempotency)
		print(out, "\t\t.idempotency = %s,\n", idempotencies[method->idempotency % 3]);
	print_access(out, &method->access);
	if (timeout_ms)
		print(out, "\t\t.timeout_ms = %" PRId64 ",\n", timeout_ms);
	print(out, "\t\t.max_request_bytes = %" PRId64 ",\n",
	      method->max_request_bytes ? method->max_request_bytes : DEFAULT_MAX_REQUEST_BYTES);
	print_list(out, "\t\t.http_headers", method->http_headers, method->n_http_headers);
	if (method->request_id) {
		print(out, "\t\t.request_id = \"%s\",\n", method->request_id->name);
		if (method->request_id->behaviors & RPC_FIELD_REQUIRED)
			print(out, "\t\t.request_id_required = true,\n");
	}
	if (method->has_rate_limit)
		print(out,
		      "\t\t.rate_limit_requests = %" PRId64 ",\n\t\t.rate_limit_seconds = %" PRId64
		      ",\n",
		      method->rate_requests, method->rate_seconds);
	if (method->resumes)
		print(out, "\t\t.resume_request = \"%s\",\n\t\t.resume_response = \"%s\",\n",
		      method->resume_request, method->resume_response);
	print(out, "\t\t.invoke = %s_%s_invoke,\n\t},\n", method->service->c_name, method->c_name);
}

void print_service(struct output *out, const struct service *service)
{
	const char *name = service->c_name;

	for (size_t i = 0; i < service->n_methods; i++)
		print_invoke(out, &service->methods[i]);
	print(out, "\nconst struct rpc_method %s_service_methods[] = {\n", name);
	for (size_t i = 0; i < service->n_methods; i++)
		print_method(out, &service->methods[i]);
	if (!service->n_methods)
		print(out, "\t{ 0 },\n");
	print(out,
	      "};\n\nconst struct rpc_service %s_service_descriptor = {\n\t.name = \"%s\",\n"
	      "\t.methods = %s_service_methods,\n\t.n_methods = %zu,\n\t.file = &file_%zu,\n};\n",
	      name, service->full_name, name, service->n_methods, service->file->index);
}

static bool uses(const struct file *file, const struct file *other)
{
	for (size_t i = 0; i < file->n_services; i++)
		for (size_t j = 0; j < file->services[i].n_methods; j++)
			if (file->services[i].methods[j].request->file == other ||
			    file->services[i].methods[j].response->file == other)
				return true;
	return false;
}

void write_services(struct outputs *outputs, const struct file *file)
{
	struct schema *schema = outputs->schema;
	struct output *header =
		output_new(outputs, arena_printf(schema->arena, "%s.rpc.h", file->stem));
	struct output *source =
		output_new(outputs, arena_printf(schema->arena, "%s.rpc.c", file->stem));

	print_head(header, file->name);
	print(header, "#pragma once\n\n#include <crpc/client.h>\n");
	for (size_t i = 0; i < schema->n_files; i++)
		if (&schema->files[i] == file || uses(file, &schema->files[i]))
			print(header, "#include \"%s.msg.h\"\n", schema->files[i].stem);
	print_streams(header, file, schema);
	for (size_t i = 0; i < file->n_services; i++) {
		print_service_header(header, &file->services[i]);
		print_client_header(header, &file->services[i]);
	}

	print_head(source, file->name);
	print(source, "#include \"%s.rpc.h\"\n", file->stem);
	print_files(source, schema, file);
	for (size_t i = 0; i < file->n_services; i++) {
		print_service(source, &file->services[i]);
		print_client(source, &file->services[i]);
	}
}
