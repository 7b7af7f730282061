/* Errors in JSON. */
#include "errors.h"
#include <any.msg.h>
#include <crpc/json.h>
#include <duration.msg.h>
#include <error_details.msg.h>
#include <status.msg.h>
#include <string.h>
#include <text.h>

static const int http_statuses[] = {
	[RPC_OK] = 200,
	[RPC_CANCELLED] = 499,
	[RPC_UNKNOWN] = 500,
	[RPC_INVALID_ARGUMENT] = 400,
	[RPC_DEADLINE_EXCEEDED] = 504,
	[RPC_NOT_FOUND] = 404,
	[RPC_ALREADY_EXISTS] = 409,
	[RPC_PERMISSION_DENIED] = 403,
	[RPC_RESOURCE_EXHAUSTED] = 429,
	[RPC_FAILED_PRECONDITION] = 400,
	[RPC_ABORTED] = 409,
	[RPC_OUT_OF_RANGE] = 400,
	[RPC_UNIMPLEMENTED] = 501,
	[RPC_INTERNAL] = 500,
	[RPC_UNAVAILABLE] = 503,
	[RPC_DATA_LOSS] = 500,
	[RPC_UNAUTHENTICATED] = 401,
};
_Static_assert(sizeof(http_statuses) / sizeof(*http_statuses) == N_RPC_CODES,
	       "a status for each code");

/* What a Status may hold in `details`; of another type it would be bytes that nobody can read, and
 * is left out. */
static const ProtobufCMessageDescriptor *const detail_types[] = {
	&RpcBadRequest_descriptor,
	&RpcDebugInfo_descriptor,
	&RpcErrorInfo_descriptor,
	&RpcHelp_descriptor,
	&RpcLocalizedMessage_descriptor,
	&RpcPreconditionFailure_descriptor,
	&RpcQuotaFailure_descriptor,
	&RpcRequestInfo_descriptor,
	&RpcResourceInfo_descriptor,
	&RpcRetryInfo_descriptor,
	NULL,
};
static const struct rpc_type_registry details_registry = {
	detail_types, sizeof(detail_types) / sizeof(*detail_types) - 1
};

int error_http_status(int code)
{
	return code >= 0 && code < N_RPC_CODES ? http_statuses[code] : 500;
}

static int64_t retry_delay(struct rpc_call *call, const Any *any)
{
	const RpcRetryInfo *retry;
	const char *name = strrchr(any->type_url, '/'), *problem;

	if (!name || strcmp(name + 1, RpcRetryInfo_descriptor.name))
		return 0;
	retry = (const RpcRetryInfo *)rpc_unpack(rpc_arena(call), &RpcRetryInfo_descriptor,
						 any->value.data, any->value.len, &problem);
	return retry && retry->retry_delay
		       ? retry->retry_delay->seconds * 1000 + retry->retry_delay->nanos / 1000000
		       : 0;
}

static void add_details(struct text *text, struct rpc_call *call, const RpcStatus *status,
			int64_t *retry_ms)
{
	const struct rpc_json_options options = { .types = &details_registry };
	const char *separator = "";

	for (size_t i = 0; i < status->n_details; i++) {
		struct rpc_json_error error;
		size_t length;
		char *json;

		json = rpc_json_print(rpc_arena(call), &options, &status->details[i]->base, &length,
				      &error);
		if (!json)
			continue;
		*retry_ms += retry_delay(call, status->details[i]);
		text_add(text, separator, strlen(separator));
		text_add(text, json, length);
		separator = ",";
	}
}

const char *error_print(struct rpc_call *call, int http_status, size_t *length, int64_t *retry_ms)
{
	ProtobufCBinaryData packed = rpc_error_status(call);
	struct text text = { .arena = rpc_arena(call) };
	const char *message = rpc_error_message(call), *problem;
	const RpcStatus *status;
	int code = rpc_error_code(call);

	status = (const RpcStatus *)rpc_unpack(rpc_arena(call), &RpcStatus_descriptor, packed.data,
					       packed.len, &problem);
	text_add_literal(&text, "{\"error\":{\"code\":");
	text_add_integer(&text, http_status ? http_status : error_http_status(code));
	text_add_literal(&text, ",\"status\":");
	text_add_json_string(&text, rpc_code_name(code), strlen(rpc_code_name(code)));
	text_add_literal(&text, ",\"message\":");
	text_add_json_string(&text, message, strlen(message));
	text_add_literal(&text, ",\"details\":[");
	*retry_ms = 0;
	if (status)
		add_details(&text, call, status, retry_ms);
	text_add_literal(&text, "]}}");
	*length = text.length;
	text_add_char(&text, '\0');
	return text.data;
}
