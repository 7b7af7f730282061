/* grpc.reflection, asked as a tool asks. */
#include "test.h"
#include "test/probe.h"
#include <reflection.rpc.h>
#include <string.h>

static struct probe probe;
static struct rpc_call *call;

static void setup(void)
{
	probe_start(&probe, &(struct rpc_server_options){ 0 });
	call = rpc_call_new("test", 20000);
}

static void teardown(void)
{
	rpc_call_free(call);
	probe_stop(&probe);
}

/* One question on a stream of its own. */
static ReflectionServerReflectionResponse *ask(const ReflectionServerReflectionRequest *request)
{
	struct reflection_server_reflection_client *client =
		reflection_server_reflection_client_new(probe.channel);
	struct reflection_server_reflection_request_writer *out;
	struct reflection_server_reflection_response_reader *in;
	ReflectionServerReflectionResponse *response = NULL, *copy;

	ck_assert_int_eq(
		reflection_server_reflection_client_server_reflection_info(client, call, &out, &in),
		0);
	ck_assert_int_eq(reflection_server_reflection_request_writer_send(out, request), 0);
	ck_assert_int_eq(reflection_server_reflection_response_reader_next(in, &response), 0);
	copy = (ReflectionServerReflectionResponse *)rpc_message_copy(rpc_arena(call),
								      &response->base);
	reflection_server_reflection_response_reader_free(in);
	reflection_server_reflection_client_free(client);
	return copy;
}

static ReflectionServerReflectionResponse *ask_symbol(const char *symbol)
{
	return ask(MSG(
		ReflectionServerReflectionRequest,
		.message_request_case =
			REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL,
		.file_containing_symbol = symbol));
}

static bool names_file(const ReflectionServerReflectionResponse *response, size_t i,
		       const char *name)
{
	const ProtobufCBinaryData *file =
		&response->file_descriptor_response->file_descriptor_proto[i];

	/* FileDescriptorProto.name is its first field. */
	return file->len > strlen(name) + 2 && file->data[0] == 0x0a &&
	       file->data[1] == strlen(name) && !memcmp(file->data + 2, name, strlen(name));
}

TEST(it_lists_the_services)
{
	ReflectionServerReflectionResponse *response =
		ask(MSG(ReflectionServerReflectionRequest,
			.message_request_case =
				REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_LIST_SERVICES,
			.list_services = ""));
	unsigned found = 0;

	for (size_t i = 0; i < response->list_services_response->n_service; i++) {
		const char *name = response->list_services_response->service[i]->name;

		found |= !strcmp(name, "crpc.test.v1.ProbeService") ? 1 : 0;
		found |= !strcmp(name, "grpc.health.v1.Health") ? 2 : 0;
		found |= !strcmp(name, "grpc.reflection.v1.ServerReflection") ? 4 : 0;
		found |= !strcmp(name, "grpc.reflection.v1alpha.ServerReflection") ? 8 : 0;
	}
	ck_assert_uint_eq(found, 15);
}

static const char *const symbols[] = {
	"crpc.test.v1.ProbeService",        "crpc.test.v1.ProbeService.Probe",
	"crpc.test.v1.ProbeRequest",        "crpc.test.v1.ProbeRequest.text",
	"crpc.test.v1.ProbeRequest.Action", "crpc.test.v1.ProbeRequest.FAIL",
	"crpc.test.v1.ProbeErrorReason",    "crpc.test.v1.PROBE_FAILED",
};

TEST_EACH(it_finds_the_file_of_a_symbol_and_all_that_it_needs, symbols)
{
	ReflectionServerReflectionResponse *response = ask_symbol(*row);
	bool dependency = false;

	ck_assert_int_eq(
		response->message_response_case,
		REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE);
	ck_assert(names_file(response, 0, "test_service.proto"));
	for (size_t i = 1; i < response->file_descriptor_response->n_file_descriptor_proto; i++)
		dependency |= names_file(response, i, "google/protobuf/descriptor.proto");
	ck_assert(dependency);
	ck_assert_str_eq(response->original_request->file_containing_symbol, *row);
}

TEST(it_describes_what_errors_hold)
{
	ck_assert(names_file(ask_symbol("google.rpc.ErrorInfo"), 0,
			     "google/rpc/error_details.proto"));
	ck_assert(names_file(ask_symbol("google.rpc.Status"), 0, "google/rpc/status.proto"));
	ck_assert(names_file(ask_symbol("grpc.reflection.v1alpha.ServerReflection"), 0,
			     "grpc/reflection/v1alpha/reflection.proto"));
}

static const char *const strangers[] = {
	"",
	"crpc",
	"crpc.test.v1",
	"crpc.test.v1.",
	"crpc.test.v1.Probe",
	"crpc.test.v1.ProbeService.Nothing",
	"ProbeService",
};

TEST_EACH(an_unknown_symbol_is_not_found, strangers)
{
	ReflectionServerReflectionResponse *response = ask_symbol(*row);

	ck_assert_int_eq(response->message_response_case,
			 REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_ERROR_RESPONSE);
	ck_assert_int_eq(response->error_response->error_code, RPC_NOT_FOUND);
}

TEST(it_finds_a_file_by_its_name)
{
	ReflectionServerReflectionResponse *response = ask(
		MSG(ReflectionServerReflectionRequest,
		    .message_request_case =
			    REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_BY_FILENAME,
		    .file_by_filename = "crpc/v1/options.proto"));

	ck_assert_int_eq(
		response->message_response_case,
		REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE);
	ck_assert(names_file(response, 0, "crpc/v1/options.proto"));
}

TEST(it_finds_extensions)
{
	ReflectionServerReflectionResponse *response = ask(MSG(
		ReflectionServerReflectionRequest,
		.message_request_case =
			REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION,
		.file_containing_extension = MSG(ReflectionExtensionRequest,
						 .containing_type = "google.protobuf.MethodOptions",
						 .extension_number = 51400)));

	ck_assert(names_file(response, 0, "crpc/v1/options.proto"));
	response = ask(MSG(
		ReflectionServerReflectionRequest,
		.message_request_case =
			REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE,
		.all_extension_numbers_of_type = "google.protobuf.MethodOptions"));
	ck_assert_uint_ge(response->all_extension_numbers_response->n_extension_number, 5);
}

TEST(v1alpha_is_served_too)
{
	static const struct rpc_method *v1;
	static struct rpc_method methods[1];
	static struct rpc_service service = { .name = "grpc.reflection.v1alpha.ServerReflection",
					      .methods = methods,
					      .n_methods = 1 };
	struct rpc_client *client;
	struct rpc_stream *stream;
	ProtobufCMessage *response;

	v1 = &reflection_server_reflection_service_descriptor.methods[0];
	methods[0] = *v1;
	methods[0].path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
	client = rpc_client_new(probe.channel, &service);
	ck_assert_int_eq(rpc_client_open(client, methods, call, NULL, &stream), 0);
	ck_assert_int_eq(
		rpc_stream_send(
			stream,
			&MSG(ReflectionServerReflectionRequest,
			     .message_request_case =
				     REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_LIST_SERVICES,
			     .list_services = "")
				 ->base),
		0);
	ck_assert_int_eq(rpc_stream_next(stream, &response), 0);
	rpc_stream_free(stream);
	rpc_client_free(client);
}

TEST_MAIN("reflection", setup, teardown)
