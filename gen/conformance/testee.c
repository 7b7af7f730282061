/* The program that the protobuf conformance suite tests: messages in one format in, in another out,
 * by the runtime's codecs. */
#include "any.msg.h"
#include "conformance.msg.h"
#include "duration.msg.h"
#include "empty.msg.h"
#include "field_mask.msg.h"
#include "struct.msg.h"
#include "test_messages_proto3.msg.h"
#include "timestamp.msg.h"
#include "wrappers.msg.h"
#include <crpc/crpc.h>
#include <crpc/json.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_MAX = 64 << 20, ARENA_MAX = 256 << 20 };

static const ProtobufCMessageDescriptor *const types[] = {
	&Any_descriptor,         &BoolValue_descriptor,  &BytesValue_descriptor,
	&DoubleValue_descriptor, &Duration_descriptor,   &Empty_descriptor,
	&FieldMask_descriptor,   &FloatValue_descriptor, &Int32Value_descriptor,
	&Int64Value_descriptor,  &ListValue_descriptor,  &StringValue_descriptor,
	&Struct_descriptor,      &Timestamp_descriptor,  &UInt32Value_descriptor,
	&UInt64Value_descriptor, &Value_descriptor,      &TestAllTypesProto3_descriptor,
};
static const struct rpc_type_registry registry = { types, sizeof(types) / sizeof(*types) };

struct job {
	struct arena *arena;
	const uint8_t *bytes;
	size_t size;
	ProtobufCBinaryData answer; /* packed, of the arena */
};

static const char *explain(struct arena *arena, const struct rpc_json_error *error)
{
	return arena_printf(arena, "%s%s%s", error->field, *error->field ? ": " : "",
			    error->message);
}

/* The message of the request, or NULL with the reason. */
static ProtobufCMessage *read_payload(struct arena *arena, const ConformanceRequest *request,
				      const char **reason)
{
	struct rpc_json_options options = {
		.types = &registry,
		.ignore_unknown_fields =
			request->test_category == TEST_CATEGORY_JSON_IGNORE_UNKNOWN_PARSING_TEST,
	};
	struct rpc_json_error error;
	ProtobufCMessage *message = NULL;

	if (request->payload_case == CONFORMANCE_REQUEST_PAYLOAD_PROTOBUF_PAYLOAD)
		return rpc_unpack(arena, &TestAllTypesProto3_descriptor,
				  request->protobuf_payload.data, request->protobuf_payload.len,
				  reason);
	if (!rpc_json_parse(arena, &options, &TestAllTypesProto3_descriptor, request->json_payload,
			    strlen(request->json_payload), &message, &error))
		return message;
	*reason = explain(arena, &error);
	return NULL;
}

static void write_payload(struct arena *arena, const ProtobufCMessage *message, WireFormat format,
			  ConformanceResponse *response)
{
	struct rpc_json_options options = { .types = &registry };
	struct rpc_json_error error;

	if (format == WIRE_FORMAT_PROTOBUF) {
		response->protobuf_payload = rpc_pack(arena, message);
		response->result_case = CONFORMANCE_RESPONSE_RESULT_PROTOBUF_PAYLOAD;
		return;
	}
	response->json_payload = rpc_json_print(arena, &options, message, NULL, &error);
	response->result_case = CONFORMANCE_RESPONSE_RESULT_JSON_PAYLOAD;
	if (!response->json_payload) {
		response->serialize_error = explain(arena, &error);
		response->result_case = CONFORMANCE_RESPONSE_RESULT_SERIALIZE_ERROR;
	}
}

static void answer(struct arena *arena, const ConformanceRequest *request,
		   ConformanceResponse *response)
{
	bool reads = request->payload_case == CONFORMANCE_REQUEST_PAYLOAD_PROTOBUF_PAYLOAD ||
		     request->payload_case == CONFORMANCE_REQUEST_PAYLOAD_JSON_PAYLOAD;
	bool writes = request->requested_output_format == WIRE_FORMAT_PROTOBUF ||
		      request->requested_output_format == WIRE_FORMAT_JSON;
	ProtobufCMessage *message;

	if (!strcmp(request->message_type, "conformance.FailureSet")) {
		response->protobuf_payload = rpc_pack(arena, &MSG(FailureSet)->base);
		response->result_case = CONFORMANCE_RESPONSE_RESULT_PROTOBUF_PAYLOAD;
		return;
	}
	response->result_case = CONFORMANCE_RESPONSE_RESULT_SKIPPED;
	if (strcmp(request->message_type, TestAllTypesProto3_descriptor.name) != 0) {
		response->skipped = "proto3 only";
	} else if (!reads || !writes) {
		response->skipped = "protobuf and JSON only";
	} else {
		message = read_payload(arena, request, &response->parse_error);
		if (message)
			write_payload(arena, message, request->requested_output_format, response);
		else
			response->result_case = CONFORMANCE_RESPONSE_RESULT_PARSE_ERROR;
	}
}

static int run(void *data)
{
	ConformanceResponse *response = MSG(ConformanceResponse);
	struct job *job = data;
	ProtobufCMessage *request;

	response->result_case = CONFORMANCE_RESPONSE_RESULT_PARSE_ERROR;
	request = rpc_unpack(job->arena, &ConformanceRequest_descriptor, job->bytes, job->size,
			     &response->parse_error);
	if (request)
		answer(job->arena, (ConformanceRequest *)request, response);
	job->answer = rpc_pack(job->arena, &response->base);
	return 0;
}

/* A length of four bytes, little endian, then as many bytes. False at the end of the input. */
static bool serve_one(void)
{
	struct job job = { 0 };
	uint32_t length;
	uint8_t *bytes;

	if (fread(&length, sizeof(length), 1, stdin) != 1)
		return false;
	job.size = le32toh(length);
	bytes = job.size <= REQUEST_MAX ? malloc(job.size + 1) : NULL;
	if (!bytes || fread(bytes, 1, job.size, stdin) != job.size) {
		fprintf(stderr, "testee: a request of %zu bytes is cut or too long\n", job.size);
		exit(1);
	}
	job.bytes = bytes;
	job.arena = arena_new(ARENA_MAX);
	if (arena_run(job.arena, run, &job)) {
		fprintf(stderr, "testee: a request needs more than the arena's %d bytes\n",
			ARENA_MAX);
		exit(1);
	}
	length = htole32((uint32_t)job.answer.len);
	fwrite(&length, sizeof(length), 1, stdout);
	fwrite(job.answer.data, 1, job.answer.len, stdout);
	if (fflush(stdout)) {
		perror("testee: cannot answer");
		exit(1);
	}
	arena_free(job.arena);
	free(bytes);
	return true;
}

int main(void)
{
	while (serve_one())
		;
	return 0;
}
