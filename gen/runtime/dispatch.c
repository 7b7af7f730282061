/* Dispatch: everything between the bytes of a request and the handler. */
#include "dispatch.h"
#include "core.h"
#include "payload.h"
#include "tls.h"
#include <crpc/log.h>
#include <stdio.h>
#include <string.h>

struct metadata {
	const grpc_slice *authorization, *traceparent, *request_id;
};

static void find_metadata(const grpc_metadata_array *array, struct metadata *ret)
{
	for (size_t i = 0; i < array->count; i++) {
		const grpc_metadata *item = &array->metadata[i];

		if (core_slice_is(&item->key, "authorization", 13))
			ret->authorization = &item->value;
		else if (core_slice_is(&item->key, "traceparent", 11))
			ret->traceparent = &item->value;
		else if (core_slice_is(&item->key, "x-request-id", 12))
			ret->request_id = &item->value;
	}
}

/* The token of `authorization: Bearer`, "" when something else stands there, NULL when nothing
 * does. */
static const char *bearer_token(struct rpc_call *call, const grpc_slice *value)
{
	static const char SCHEME[] = "bearer ";
	const size_t length = sizeof(SCHEME) - 1;

	if (!value)
		return NULL;
	if (GRPC_SLICE_LENGTH(*value) < length ||
	    strncasecmp(core_slice_text(value), SCHEME, length))
		return "";
	return arena_strndup(call->arena, core_slice_text(value) + length,
			     GRPC_SLICE_LENGTH(*value) - length);
}

static const char *read_metadata(struct rpc_call *call)
{
	struct metadata found = { 0 };

	if (!call->metadata)
		return NULL;
	find_metadata(call->metadata, &found);
	if (found.traceparent)
		trace_begin(&call->trace, core_slice_text(found.traceparent),
			    GRPC_SLICE_LENGTH(*found.traceparent));
	else
		trace_begin(&call->trace, NULL, 0);
	if (found.request_id)
		call_set_request_id(call, core_slice_text(found.request_id),
				    GRPC_SLICE_LENGTH(*found.request_id));
	return bearer_token(call, found.authorization);
}

static int check_token(struct rpc_call *call, const struct rpc_authenticator *authenticator,
		       const char *token, struct rpc_caller *ret)
{
	if (!*token)
		return rpc_fail(call, &crpc_reasons[REASON_TOKEN_INVALID]);
	return authenticator->authenticate(authenticator->data, call, token, ret);
}

/* The caller's service was set by the transport: it is known by its certificate, not by a token. */
static int authenticate(struct rpc_call *call, const struct dispatch *dispatch, const char *token)
{
	struct rpc_caller person = { "", "", "", "", "", false, 0 };
	int r;

	if (!dispatch->authenticator || !token)
		return 0;
	r = check_token(call, dispatch->authenticator, token, &person);
	if (r) {
		/* A method for everyone is for those with an old token too, but they stay nobody.
		 */
		if (r == RPC_UNAUTHENTICATED &&
		    dispatch->served->method->access.level == RPC_LEVEL_PUBLIC) {
			rpc_error_clear(call);
			return 0;
		}
		return r;
	}
	person.service = call->caller.service;
	call->caller = person;
	call->token = token;
	return 0;
}

int dispatch_refuse_payload(struct rpc_call *call, const struct payload *payload, int problem)
{
	const char *size;

	if (problem != PAYLOAD_TOO_LARGE)
		return rpc_fail(call, &crpc_reasons[REASON_MESSAGE_MALFORMED],
				{ "type", payload->type->name }, { "problem", payload->problem });
	/* Of what came compressed only this is known. */
	size = payload->size > payload->limit ? rpc_printf(call, "%zu", payload->size)
					      : rpc_printf(call, "over %zu", payload->limit);
	return rpc_fail(call, &crpc_reasons[REASON_MESSAGE_TOO_LARGE], { "size", size },
			{ "method", call->method->path + 1 },
			{ "limit", rpc_printf(call, "%zu", payload->limit) });
}

static int read_request(struct rpc_call *call, struct dispatch *dispatch, ProtobufCMessage **ret)
{
	const struct rpc_method *method = dispatch->served->method;
	struct payload payload = { .type = method->request,
				   .limit = method->max_request_bytes ? method->max_request_bytes
								      : dispatch->max_bytes };
	int r;

	if (dispatch->request) {
		*ret = dispatch->request;
		return 0;
	}
	if (!dispatch->payload)
		return rpc_fail(call, &crpc_reasons[REASON_MESSAGE_MISSING]);
	r = payload_unpack(call->arena, dispatch->payload, &payload);
	if (r)
		return dispatch_refuse_payload(call, &payload, r);
	call->received_compressed = payload.compressed;
	*ret = payload.message;
	return 0;
}

static int run_handler(struct rpc_call *call, struct dispatch *dispatch)
{
	const struct served_method *served = dispatch->served;
	const struct rpc_method *method = served->method;
	ProtobufCMessage *request = NULL;
	void *in = dispatch->stream, *out = dispatch->stream;
	bool owner;
	int r;

	if (call->core)
		call->caller.service = tls_peer_service(call->arena, call->core);
	r = authenticate(call, dispatch, read_metadata(call));
	if (r)
		return r;
	r = access_check(call, method, &owner);
	if (r)
		return r;
	if (!method->client_streaming) {
		r = read_request(call, dispatch, &request);
		if (r)
			return r;
		access_rewrite_owner(call, method, request);
		r = rpc_validate(call, request);
		if (r)
			return r;
		if (owner) {
			r = access_check_owner(call, method, request);
			if (r)
				return r;
		}
		in = request;
	}
	if (!method->server_streaming)
		out = &dispatch->response;
	return method->invoke(served->ops, served->self, call, in, out);
}

/* Makes of a handler's result a code with its error. */
static int settle(struct rpc_call *call, const struct dispatch *dispatch, int r)
{
	const char *path = dispatch->served->method->path;
	char number[16];

	/* A handler that gives up because of rpc_call_cancelled() need not know why that is. */
	if (r == RPC_CANCELLED && !rpc_remaining_ms(call))
		return rpc_fail_code(call, RPC_DEADLINE_EXCEEDED,
				     "The deadline passed before the call was done.");
	if (!r || (r > 0 && r == call->error.code))
		return r;
	if (r > 0 && r < N_RPC_CODES)
		return rpc_fail_code(call, r, "%s", rpc_code_name(r));
	snprintf(number, sizeof(number), "%d", r);
	log_error(call, "a handler failed", { "method", path + 1 }, { "result", number },
		  { "error", r < 0 ? log_errno(r) : "no gRPC code" });
	return rpc_fail(call, &crpc_reasons[REASON_INTERNAL],
			{ "request_id", rpc_request_id(call) });
}

static int run_all(void *data, struct rpc_call *call)
{
	struct dispatch *dispatch = data;
	int r;

	if (rpc_remaining_ms(call) <= 0) /* it waited too long for a thread */
		r = rpc_fail_code(call, RPC_DEADLINE_EXCEEDED,
				  "The deadline passed before the call began.");
	else
		r = settle(call, dispatch, run_handler(call, dispatch));
	if (r)
		rpc_error_status(call);
	return r;
}

int dispatch(struct rpc_call *call, struct dispatch *dispatch)
{
	const struct rpc_method *method = dispatch->served->method;
	int64_t longest;
	int r;

	call->method = method;
	if (method->timeout_ms) {
		longest = monotonic_ms() + method->timeout_ms;
		if (call->deadline_ms > longest)
			call->deadline_ms = longest;
	}
	r = rpc_call_run(call, run_all, dispatch);
	if (r)
		dispatch->response = NULL;
	return r;
}

static struct metric *duration_metric(struct served_method *served, int code)
{
	struct metric *metric =
		atomic_load_explicit(&served->durations[code], memory_order_acquire);
	char labels[256];

	if (!metric) {
		snprintf(labels, sizeof(labels), "method=\"%s\",code=\"%s\"",
			 served->method->path + 1, rpc_code_name(code));
		metric = metric_histogram("rpc_server_duration_seconds", labels,
					  "Time that calls took, by method and code.");
		atomic_store_explicit(&served->durations[code], metric, memory_order_release);
	}
	return metric;
}

void dispatch_count(struct rpc_call *call, struct served_method *served, int code,
		    int64_t started_ns, bool access_log)
{
	enum log_level level = access_log ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
	double seconds = (double)(monotonic_ns() - started_ns) / 1e9;
	struct rpc_meta pairs[6] = { { NULL, NULL } };
	char milliseconds[32];
	size_t n = 0;

	metric_observe(duration_metric(served, code), seconds);
	if (!log_enabled(level))
		return;
	snprintf(milliseconds, sizeof(milliseconds), "%.3f", seconds * 1000);
	pairs[n++] = (struct rpc_meta){ "method", served->method->path + 1 };
	pairs[n++] = (struct rpc_meta){ "code", rpc_code_name(code) };
	pairs[n++] = (struct rpc_meta){ "ms", milliseconds };
	if (code)
		pairs[n++] = (struct rpc_meta){ "reason", call->error.reason };
	if (*call->caller.service)
		pairs[n++] = (struct rpc_meta){ "caller", call->caller.service };
	log_write(level, call, "call", pairs);
}
