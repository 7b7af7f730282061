/* How a call ends: codes, sentences, and google.rpc.Status with its details. */
#include "call_private.h"
#include "text.h"
#include <any.msg.h>
#include <duration.msg.h>
#include <error_details.msg.h>
#include <status.msg.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[] = {
	"OK",
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
};
_Static_assert(sizeof(code_names) / sizeof(code_names[0]) == N_RPC_CODES, "a name for each code");

#define CRPC_REASON(id, code, message) [REASON_##id] = { "crpc", #id, message, RPC_##code }
const struct rpc_reason crpc_reasons[] = {
	CRPC_REASON(TOKEN_MISSING, UNAUTHENTICATED,
		    "{method} needs a session: send its access token as `authorization: Bearer`."),
	CRPC_REASON(TOKEN_INVALID, UNAUTHENTICATED, "The access token is not valid."),
	CRPC_REASON(LOGIN_REQUIRED, PERMISSION_DENIED,
		    "{method} needs a login; a guest's session is not enough."),
	CRPC_REASON(ACCESS_DENIED, PERMISSION_DENIED, "The caller may not call {method}."),
	CRPC_REASON(NOT_OWNER, PERMISSION_DENIED, "'{field}' must name the caller."),
	CRPC_REASON(OVERLOADED, RESOURCE_EXHAUSTED,
		    "The service has too many calls at once; try again soon."),
	CRPC_REASON(DRAINING, UNAVAILABLE,
		    "The service is stopping; try again, another replica will answer."),
	CRPC_REASON(PEER_UNAVAILABLE, UNAVAILABLE,
		    "{peer} has failed too often; it is not asked for a moment."),
	CRPC_REASON(PEER_UNREACHABLE, UNAVAILABLE,
		    "{peer} does not answer at the moment; try again soon."),
	CRPC_REASON(MESSAGE_MALFORMED, INVALID_ARGUMENT,
		    "The request is not a valid {type}. {problem}"),
	CRPC_REASON(MESSAGE_MISSING, INVALID_ARGUMENT,
		    "The call ended without its request message."),
	CRPC_REASON(MESSAGE_TOO_LARGE, RESOURCE_EXHAUSTED,
		    "The request has {size} bytes; {method} takes {limit}."),
	CRPC_REASON(CALL_TOO_LARGE, RESOURCE_EXHAUSTED,
		    "The call needs more memory than one call may have."),
	CRPC_REASON(NOT_IMPLEMENTED, UNIMPLEMENTED, "No method is named '{method}' here."),
	CRPC_REASON(INTERNAL, INTERNAL,
		    "The service failed; its log has the request id {request_id}."),
};
_Static_assert(sizeof(crpc_reasons) / sizeof(crpc_reasons[0]) == N_REASONS,
	       "a text for each reason");

const char *rpc_code_name(int code)
{
	return code >= 0 && code < N_RPC_CODES ? code_names[code] : "UNKNOWN";
}

static const char *meta_find(const struct rpc_meta *meta, const char *key, size_t length)
{
	for (; meta && meta->key; meta++)
		if (!strncmp(meta->key, key, length) && !meta->key[length])
			return meta->value;
	return NULL;
}

/* The reason's message with {key} replaced. A key that nobody gave stays as it is: visible, and no
 * reason to fail. */
static const char *message_expand(struct rpc_call *call, const char *template,
				  const struct rpc_meta *meta)
{
	char buffer[ERROR_MESSAGE_MAX];
	size_t length = 0;

	while (*template && length < sizeof(buffer) - 1) {
		size_t key = *template == '{' ? strcspn(template + 1, "{}") : 0;
		const char *value = NULL;

		if (key && template[key + 1] == '}')
			value = meta_find(meta, template + 1, key);
		if (value) {
			size_t size = strnlen(value, sizeof(buffer) - 1 - length);

			memcpy(buffer + length, value, size);
			length += size;
			template += key + 2;
		} else {
			buffer[length++] = *template ++;
		}
	}
	/* Cut at a character, not within one. */
	return arena_strndup(call->arena, buffer, utf8_valid_prefix(buffer, length));
}

static int error_set(struct rpc_call *call, enum rpc_code code, const char *domain,
		     const char *reason, const struct rpc_meta *meta, const char *message)
{
	call->error = (struct rpc_error){
		.code = code, .domain = domain, .reason = reason, .meta = meta, .message = message
	};
	return code;
}

int error_set_static(struct rpc_call *call, const struct rpc_reason *reason)
{
	return error_set(call, reason->code, reason->domain, reason->name, NULL, reason->message);
}

int rpc_fail_reason(struct rpc_call *call, const struct rpc_reason *reason,
		    const struct rpc_meta *meta)
{
	struct rpc_meta *copy = NULL;
	size_t n = 0;

	while (meta && meta[n].key)
		n++;
	if (n) {
		copy = arena_alloc(call->arena, (n + 1) * sizeof(*copy));
		for (size_t i = 0; i < n; i++) {
			copy[i].key = rpc_strdup(call, meta[i].key);
			copy[i].value = rpc_strdup(call, meta[i].value ? meta[i].value : "");
		}
	}
	return error_set(call, reason->code, reason->domain, reason->name, copy,
			 message_expand(call, reason->message, copy));
}

int rpc_fail_code(struct rpc_call *call, enum rpc_code code, const char *format, ...)
{
	char buffer[ERROR_MESSAGE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(buffer, sizeof(buffer), format, arguments);
	va_end(arguments);
	return error_set(
		call, code, "crpc", rpc_code_name(code), NULL,
		arena_strndup(call->arena, buffer, utf8_valid_prefix(buffer, strlen(buffer))));
}

void rpc_violate(struct rpc_call *call, const char *field, const char *format, ...)
{
	char buffer[ERROR_MESSAGE_MAX];
	struct violation *violation;
	va_list arguments;

	if (call->n_violations++ >= VIOLATIONS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(buffer, sizeof(buffer), format, arguments);
	va_end(arguments);
	violation = arena_alloc(call->arena, sizeof(*violation));
	violation->field = rpc_strdup(call, field);
	violation->description = rpc_strdup(call, buffer);
	*call->last_violation = violation;
	call->last_violation = &violation->next;
}

int rpc_violations(struct rpc_call *call)
{
	const struct violation *first = call->violations;

	if (!first)
		return 0;
	return rpc_fail_code(call, RPC_INVALID_ARGUMENT, "%s: %s", first->field,
			     first->description);
}

void rpc_retry_after(struct rpc_call *call, int64_t milliseconds)
{
	call->error.retry_ms = milliseconds;
	call->error.status = (ProtobufCBinaryData){ 0, NULL };
}

int rpc_error_code(const struct rpc_call *call)
{
	return call->error.code;
}

const char *rpc_error_message(const struct rpc_call *call)
{
	return call->error.message;
}

const char *rpc_error_reason(const struct rpc_call *call)
{
	return call->error.reason;
}

const char *rpc_error_meta(const struct rpc_call *call, const char *key)
{
	return meta_find(call->error.meta, key, strlen(key));
}

void rpc_error_clear(struct rpc_call *call)
{
	call->error = (struct rpc_error){ .message = "", .reason = "", .domain = "" };
	call->violations = NULL;
	call->last_violation = &call->violations;
	call->n_violations = 0;
}

int rpc_failed_with(const struct rpc_call *call, const struct rpc_reason *reason)
{
	return call->error.code && !strcmp(call->error.reason, reason->name) &&
	       !strcmp(call->error.domain, reason->domain);
}

void error_copy(struct rpc_call *to, const struct rpc_call *from)
{
	to->error = from->error;
	to->violations = from->violations;
	to->last_violation = from->violations ? from->last_violation : &to->violations;
	to->n_violations = from->n_violations;
}

/*
 * google.rpc.Status and its details
 */

static Any *pack_any(struct rpc_call *call, const ProtobufCMessage *message)
{
	return rpc_new(
		call, Any,
		.type_url = rpc_printf(call, "type.googleapis.com/%s", message->descriptor->name),
		.value = rpc_pack(call->arena, message));
}

static Any *pack_error_info(struct rpc_call *call)
{
	const struct rpc_error *error = &call->error;
	RpcErrorInfo info = { RpcErrorInfo_BASE, .reason = error->reason, .domain = error->domain };
	size_t n = 0;

	while (error->meta && error->meta[n].key)
		n++;
	info.metadata = arena_alloc(call->arena, (n + 1) * sizeof(*info.metadata));
	for (size_t i = 0; i < n; i++)
		info.metadata[info.n_metadata++] =
			rpc_new(call, RpcErrorInfoMetadataEntry, .key = error->meta[i].key,
				.value = error->meta[i].value);
	return pack_any(call, &info.base);
}

static Any *pack_bad_request(struct rpc_call *call)
{
	RpcBadRequest bad = { RpcBadRequest_BASE };

	bad.field_violations =
		arena_alloc(call->arena, VIOLATIONS_MAX * sizeof(*bad.field_violations));
	for (const struct violation *violation = call->violations; violation;
	     violation = violation->next)
		bad.field_violations[bad.n_field_violations++] =
			rpc_new(call, RpcBadRequestFieldViolation, .field = violation->field,
				.description = violation->description);
	return pack_any(call, &bad.base);
}

static Any *pack_retry_info(struct rpc_call *call)
{
	int64_t ms = call->error.retry_ms;

	return pack_any(call, &MSG(RpcRetryInfo,
				   .retry_delay = MSG(Duration, .seconds = ms / 1000,
						      .nanos = (int32_t)(ms % 1000) * 1000000))
				       ->base);
}

ProtobufCBinaryData rpc_error_status(const struct rpc_call *asked)
{
	struct rpc_call *call = (struct rpc_call *)asked; /* packed when first asked for */
	struct rpc_error *error = &call->error;
	RpcStatus status = { RpcStatus_BASE, .code = error->code, .message = error->message };
	Any *details[3];

	if (!error->code || error->status.len)
		return error->status;
	status.details = details;
	details[status.n_details++] = pack_error_info(call);
	if (error->code == RPC_INVALID_ARGUMENT && call->violations)
		details[status.n_details++] = pack_bad_request(call);
	if (error->retry_ms)
		details[status.n_details++] = pack_retry_info(call);
	error->status = rpc_pack(call->arena, &status.base);
	/* Trailers have a limit of their own; code, sentence and reason matter most. */
	while (error->status.len > ERROR_STATUS_MAX && status.n_details) {
		status.n_details--;
		error->status = rpc_pack(call->arena, &status.base);
	}
	return error->status;
}

static const void *unpack_any(struct rpc_call *call, const Any *any,
			      const ProtobufCMessageDescriptor *descriptor)
{
	const char *name = strrchr(any->type_url, '/');
	const char *problem;

	if (!name || strcmp(name + 1, descriptor->name))
		return NULL;
	return rpc_unpack(call->arena, descriptor, any->value.data, any->value.len, &problem);
}

static void read_details(struct rpc_call *call, const uint8_t *bytes, size_t size)
{
	struct rpc_error *error = &call->error;
	const RpcErrorInfo *info;
	const RpcStatus *status;
	const char *problem;

	status = (const RpcStatus *)rpc_unpack(call->arena, &RpcStatus_descriptor, bytes, size,
					       &problem);
	if (!status)
		return;
	error->status = (ProtobufCBinaryData){ size, arena_memdup(call->arena, bytes, size) };
	for (size_t i = 0; i < status->n_details; i++) {
		const RpcRetryInfo *retry;
		struct rpc_meta *meta;

		info = unpack_any(call, status->details[i], &RpcErrorInfo_descriptor);
		if (info) {
			error->reason = info->reason;
			error->domain = info->domain;
			meta = arena_alloc(call->arena, (info->n_metadata + 1) * sizeof(*meta));
			for (size_t j = 0; j < info->n_metadata; j++)
				meta[j] = (struct rpc_meta){ info->metadata[j]->key,
							     info->metadata[j]->value };
			error->meta = meta;
			continue;
		}
		retry = unpack_any(call, status->details[i], &RpcRetryInfo_descriptor);
		if (retry && retry->retry_delay)
			error->retry_ms = retry->retry_delay->seconds * 1000 +
					  retry->retry_delay->nanos / 1000000;
	}
}

int error_from_peer(struct rpc_call *call, int code, const char *details, size_t details_length,
		    const uint8_t *status, size_t status_size)
{
	if (code < 0 || code >= N_RPC_CODES)
		code = RPC_UNKNOWN; /* a peer may send any number */
	rpc_error_clear(call);
	if (!code)
		return 0;
	error_set(call, code, "", "", NULL, arena_strndup(call->arena, details, details_length));
	if (status_size)
		read_details(call, status, status_size);
	return code;
}

int rpc_fail_status(struct rpc_call *call, int code, ProtobufCBinaryData status)
{
	const char *message = "", *problem;
	const RpcStatus *kept = (const RpcStatus *)rpc_unpack(call->arena, &RpcStatus_descriptor,
							      status.data, status.len, &problem);

	if (kept)
		message = kept->message;
	return error_from_peer(call, code, message, strlen(message), status.data, status.len);
}
