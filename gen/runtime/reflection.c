/* grpc.reflection: the server says what it serves, so that tools need no .proto files. */
#include "reflection.h"
#include "descriptor_names.h"
#include "server_private.h"
#include <error_details.msg.h>
#include <reflection.rpc.h>
#include <reflection_alpha.rpc.h>
#include <status.msg.h>
#include <string.h>

enum { FILES_MAX = 256 };

/* Files, each once, what one depends on after it. */
struct files {
	const struct rpc_file *list[FILES_MAX];
	size_t n;
};

static void files_add(struct files *files, const struct rpc_file *file)
{
	for (size_t i = 0; i < files->n; i++)
		if (files->list[i] == file)
			return;
	if (files->n == FILES_MAX)
		return;
	files->list[files->n++] = file;
	for (const struct rpc_file *const *dependency = file->dependencies;
	     dependency && *dependency; dependency++)
		files_add(files, *dependency);
}

/* All that the services need, and what the details of errors hold. Generated tables may hold the
 * same file twice; names tell. */
static void files_of_server(const struct rpc_server *server, struct files *files)
{
	files->n = 0;
	files_add(files, status_file);
	files_add(files, error_details_file);
	for (size_t i = 0; i < server->n_services; i++)
		if (server->services[i]->file)
			files_add(files, server->services[i]->file);
}

static void answer_error(struct rpc_call *call, ReflectionServerReflectionResponse *response,
			 const char *kind, const char *name)
{
	response->message_response_case =
		REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_ERROR_RESPONSE;
	response->error_response =
		rpc_new(call, ReflectionErrorResponse, .error_code = RPC_NOT_FOUND,
			.error_message = rpc_printf(call, "%s not found: %s", kind, name));
}

static void answer_file(struct rpc_call *call, ReflectionServerReflectionResponse *response,
			const struct rpc_file *file)
{
	ReflectionFileDescriptorResponse *answer = rpc_new(call, ReflectionFileDescriptorResponse);
	struct files *files = rpc_alloc(call, sizeof(*files));

	files_add(files, file);
	for (size_t i = 0; i < files->n; i++)
		reflection_file_descriptor_response_add_file_descriptor_proto(
			call, answer,
			(ProtobufCBinaryData){ files->list[i]->size,
					       (uint8_t *)files->list[i]->descriptor });
	response->message_response_case =
		REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	response->file_descriptor_response = answer;
}

static void by_name(struct rpc_call *call, const struct files *files, const char *name,
		    ReflectionServerReflectionResponse *response)
{
	for (size_t i = 0; i < files->n; i++)
		if (!strcmp(files->list[i]->name, name)) {
			answer_file(call, response, files->list[i]);
			return;
		}
	answer_error(call, response, "File", name);
}

static void by_symbol(struct rpc_call *call, const struct files *files, const char *symbol,
		      ReflectionServerReflectionResponse *response)
{
	for (size_t i = 0; i < files->n; i++)
		if (file_declares(files->list[i], symbol)) {
			answer_file(call, response, files->list[i]);
			return;
		}
	answer_error(call, response, "Symbol", symbol);
}

struct wanted {
	int32_t number;
	bool found;
};

static void see_extension(void *data, int32_t number)
{
	struct wanted *wanted = data;

	wanted->found |= number == wanted->number;
}

static void by_extension(struct rpc_call *call, const struct files *files,
			 const ReflectionExtensionRequest *request,
			 ReflectionServerReflectionResponse *response)
{
	struct wanted wanted = { request->extension_number, false };

	for (size_t i = 0; i < files->n; i++) {
		file_each_extension(files->list[i], request->containing_type, see_extension,
				    &wanted);
		if (wanted.found) {
			answer_file(call, response, files->list[i]);
			return;
		}
	}
	answer_error(
		call, response, "Extension",
		rpc_printf(call, "%s %d", request->containing_type, request->extension_number));
}

struct numbers {
	struct rpc_call *call;
	ReflectionExtensionNumberResponse *answer;
};

static void add_number(void *data, int32_t number)
{
	struct numbers *numbers = data;

	reflection_extension_number_response_add_extension_number(numbers->call, numbers->answer,
								  number);
}

static void extension_numbers(struct rpc_call *call, const struct files *files, const char *type,
			      ReflectionServerReflectionResponse *response)
{
	struct numbers numbers = { call, rpc_new(call, ReflectionExtensionNumberResponse,
						 .base_type_name = rpc_strdup(call, type)) };
	bool known = false;

	for (size_t i = 0; i < files->n; i++) {
		known |= file_declares(files->list[i], type);
		file_each_extension(files->list[i], type, add_number, &numbers);
	}
	if (!known) {
		answer_error(call, response, "Type", type);
		return;
	}
	response->message_response_case =
		REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
	response->all_extension_numbers_response = numbers.answer;
}

static void list_services(struct rpc_call *call, const struct rpc_server *server,
			  ReflectionServerReflectionResponse *response)
{
	ReflectionListServiceResponse *answer = rpc_new(call, ReflectionListServiceResponse);

	for (size_t i = 0; i < server->n_services; i++)
		reflection_list_service_response_add_service(
			call, answer,
			rpc_new(call, ReflectionServiceResponse,
				.name = server->services[i]->name));
	response->message_response_case =
		REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	response->list_services_response = answer;
}

static ReflectionServerReflectionResponse *answer(struct rpc_call *call,
						  const struct rpc_server *server,
						  const struct files *files,
						  ReflectionServerReflectionRequest *req)
{
	ReflectionServerReflectionResponse *response =
		rpc_new(call, ReflectionServerReflectionResponse, .valid_host = req->host,
			.original_request = req);

	switch (req->message_request_case) {
	case REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_BY_FILENAME:
		by_name(call, files, req->file_by_filename, response);
		break;
	case REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		by_symbol(call, files, req->file_containing_symbol, response);
		break;
	case REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
		by_extension(call, files, req->file_containing_extension, response);
		break;
	case REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
		extension_numbers(call, files, req->all_extension_numbers_of_type, response);
		break;
	case REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_LIST_SERVICES:
		list_services(call, server, response);
		break;
	case REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_NOT_SET:
		return NULL;
	}
	return response;
}

static int server_reflection_info(struct reflection_server_reflection_service *self,
				  struct rpc_call *call,
				  struct reflection_server_reflection_request_reader *in,
				  struct reflection_server_reflection_response_writer *out)
{
	const struct rpc_server *server = (const struct rpc_server *)self;
	struct files *files = rpc_alloc(call, sizeof(*files));
	ReflectionServerReflectionRequest *req;
	int r;

	files_of_server(server, files);
	while (!(r = reflection_server_reflection_request_reader_next(in, &req))) {
		ReflectionServerReflectionResponse *response = answer(call, server, files, req);

		if (!response)
			return rpc_fail_code(call, RPC_INVALID_ARGUMENT,
					     "The request asks for nothing.");
		r = reflection_server_reflection_response_writer_send(out, response);
		if (r)
			return r;
	}
	return r == RPC_STREAM_END ? 0 : r;
}

static const struct reflection_server_reflection_service_ops reflection_ops = {
	.server_reflection_info = server_reflection_info,
};

/* v1alpha is v1 under another name, with the same messages on the wire. */
static struct rpc_method alpha_methods[1];
static struct rpc_service alpha_descriptor;
static pthread_once_t alpha_once = PTHREAD_ONCE_INIT;

static void alpha_make(void)
{
	alpha_descriptor = reflection_alpha_server_reflection_service_descriptor;
	alpha_methods[0] = reflection_server_reflection_service_descriptor.methods[0];
	alpha_methods[0].path = alpha_descriptor.methods[0].path;
	alpha_descriptor.methods = alpha_methods;
}

void reflection_serve(struct rpc_server *server)
{
	pthread_once(&alpha_once, alpha_make);
	server_add(server, &reflection_server_reflection_service_descriptor, &reflection_ops,
		   server, NULL);
	server_add(server, &alpha_descriptor, &reflection_ops, server, NULL);
}
