/* Clients: a function for each method, over the runtime's untyped ones. */
#include "products.h"

static void print_signature(struct output *out, const struct method *method)
{
	const char *name = method->service->c_name;

	print(out, "int %s_client_%s(struct %s_client *client, struct rpc_call *call, ", name,
	      method->c_name, name);
	if (method->client_streaming)
		print(out, "struct %s_writer **out, struct %s_reader **in)",
		      method->request->snake_name, method->response->snake_name);
	else if (method->server_streaming)
		print(out, "const %s *req, struct %s_reader **ret)", method->request->c_name,
		      method->response->snake_name);
	else
		print(out, "const %s *req, %s **ret)", method->request->c_name,
		      method->response->c_name);
}

static void print_async_signature(struct output *out, const struct method *method)
{
	const char *name = method->service->c_name, *response = method->response->c_name;

	print(out,
	      "int %s_client_%s_async(struct %s_client *client, struct rpc_call *call, const %s "
	      "*req,\n"
	      "\t\t",
	      name, method->c_name, name, method->request->c_name);
	if (method->server_streaming)
		print(out,
		      "bool (*message)(void *data, struct rpc_call *call, %s *message),\n"
		      "\t\trpc_done_function *done, void *data)",
		      response);
	else
		print(out,
		      "void (*done)(void *data, struct rpc_call *call, int code, %s *ret), void "
		      "*data)",
		      response);
}

void print_client_header(struct output *out, const struct service *service)
{
	const char *name = service->c_name;

	print(out,
	      "\n/* A client of %s: under another name a struct rpc_client. Thread safe. "
	      "*/\nstruct %s_client;\n",
	      service->name, name);
	print(out,
	      "static inline struct %s_client *%s_client_new(struct rpc_channel *channel)\n{\n"
	      "\treturn (struct %s_client *)rpc_client_new(channel, &%s_service_descriptor);\n}\n",
	      name, name, name, name);
	print(out,
	      "static inline struct %s_client *%s_client_local(const struct %s_service_ops *ops, "
	      "struct %s_service *self)\n{\n"
	      "\treturn (struct %s_client *)rpc_client_local(&%s_service_descriptor, ops, "
	      "self);\n}\n",
	      name, name, name, name, name, name);
	print(out,
	      "static inline struct %s_client *%s_client_free(struct %s_client *client)\n{\n"
	      "\treturn (struct %s_client *)rpc_client_free((struct rpc_client *)client);\n}\n"
	      "DEFINE_CLEANUP(struct %s_client *, %s_client_free)\n\n",
	      name, name, name, name, name, name);
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct method *method = &service->methods[i];

		print_signature(out, method);
		print(out, ";\n");
		if (method->client_streaming)
			continue;
		print_async_signature(out, method);
		print(out, ";\n");
	}
}

static void print_blocking(struct output *out, const struct method *method, size_t index)
{
	const char *name = method->service->c_name;
	bool streams = method->client_streaming || method->server_streaming;

	print(out, "\n");
	print_signature(out, method);
	if (!streams) {
		print(out,
		      "\n{\n\tProtobufCMessage *message;\n\tint r;\n\n"
		      "\tr = rpc_client_call((struct rpc_client *)client, "
		      "&%s_service_methods[%zu], call, &req->base, &message);\n"
		      "\tif (!r)\n\t\t*ret = (%s *)message;\n\treturn r;\n}\n",
		      name, index, method->response->c_name);
		return;
	}
	print(out,
	      "\n{\n\tstruct rpc_stream *stream;\n\tint r;\n\n"
	      "\tr = rpc_client_open((struct rpc_client *)client, &%s_service_methods[%zu], call, "
	      "%s, &stream);\n"
	      "\tif (r)\n\t\treturn r;\n",
	      name, index, method->client_streaming ? "NULL" : "&req->base");
	if (method->client_streaming)
		print(out,
		      "\t*out = (struct %s_writer *)stream;\n\t*in = (struct %s_reader *)stream;\n",
		      method->request->snake_name, method->response->snake_name);
	else
		print(out, "\t*ret = (struct %s_reader *)stream;\n", method->response->snake_name);
	print(out, "\treturn 0;\n}\n");
}

static void print_async(struct output *out, const struct method *method, size_t index)
{
	print(out, "\n");
	print_async_signature(out, method);
	print(out,
	      "\n{\n\treturn rpc_client_start%s((struct rpc_client *)client, "
	      "&%s_service_methods[%zu], call, &req->base,\n",
	      method->server_streaming ? "_stream" : "", method->service->c_name, index);
	/* A pointer to one struct is passed as a pointer to another: the same in every ABI. */
	if (method->server_streaming)
		print(out, "\t\t(rpc_message_function *)message, done, data);\n}\n");
	else
		print(out, "\t\t(rpc_done_function *)done, data);\n}\n");
}

void print_client(struct output *out, const struct service *service)
{
	for (size_t i = 0; i < service->n_methods; i++) {
		print_blocking(out, &service->methods[i], i);
		if (!service->methods[i].client_streaming)
			print_async(out, &service->methods[i], i);
	}
}
