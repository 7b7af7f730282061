/* One HTTP request and its answer. */
#include "request.h"
#include "access_log.h"
#include "errors.h"
#include "response.h"
#include "sse.h"
#include "websocket.h"
#include <crpc/client.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
	POOL_MAX = 64,
	BODY_KEEP = 16 * 1024,
};

static int64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct request *request_new(struct connection *connection)
{
	struct worker *worker = connection->worker;
	struct request *request = worker->pool;
	struct buffer body = { 0 };
	char *head = NULL;

	if (request) {
		worker->pool = request->next;
		worker->n_pool--;
		body = request->body;
		head = request->head;
	} else {
		request = malloc(sizeof(*request));
		head = malloc(REQUEST_HEAD_MAX);
		if (!request || !head) {
			free(request);
			free(head);
			return NULL;
		}
	}
	/* Not the arrays: they are long, and their counts say what is in them. */
	memset(request, 0, offsetof(struct request, headers));
	memset((char *)request + offsetof(struct request, head_used), 0,
	       offsetof(struct request, match) - offsetof(struct request, head_used));
	memset((char *)request + offsetof(struct request, builtin), 0,
	       sizeof(*request) - offsetof(struct request, builtin));
	request->match.route = NULL;
	request->body = body;
	request->head = head;
	request->worker = worker;
	request->connection = connection;
	request->start_us = monotonic_us();
	worker->n_requests++;
	return request;
}

void request_free(struct request *request)
{
	struct worker *worker = request->worker;

	sse_free(request);
	websocket_free(request);
	buffer_deinit(&request->outgoing.pending);
	request->call = rpc_call_free(request->call);
	worker->n_requests--;
	if (worker->n_pool == POOL_MAX) {
		buffer_deinit(&request->body);
		free(request->head);
		free(request);
	} else {
		buffer_clear(&request->body, BODY_KEEP);
		request->next = worker->pool;
		worker->pool = request;
		worker->n_pool++;
	}
	if (worker->draining)
		worker_connection_closed(worker);
}

void request_pool_free(struct worker *worker)
{
	struct request *next;

	for (struct request *request = worker->pool; request; request = next) {
		next = request->next;
		buffer_deinit(&request->body);
		free(request->head);
		free(request);
	}
	worker->pool = NULL;
	worker->n_pool = 0;
}

/* Puts bytes on the head, where they may stand already. NULL: no room. */
static char *add_to_head(struct request *request, const char *bytes, size_t length)
{
	char *at = request->head + request->head_used;

	if (length + 1 > REQUEST_HEAD_MAX - request->head_used)
		return NULL;
	memmove(at, bytes, length);
	at[length] = '\0';
	request->head_used += length + 1;
	return at;
}

int request_add_header(struct request *request, const char *name, size_t name_length,
		       const char *value, size_t value_length)
{
	struct header *header = &request->headers[request->n_headers];
	char *copy, *text;

	if (request->n_headers == REQUEST_HEADERS_MAX ||
	    name_length + value_length + 2 > REQUEST_HEAD_MAX - request->head_used)
		return 431;
	/* The value first: when both stand in place, the name's NUL would cover its first byte. */
	copy = request->head + request->head_used;
	text = copy + name_length + 1;
	memmove(text, value, value_length);
	memmove(copy, name, name_length);
	copy[name_length] = '\0';
	while (value_length && (text[value_length - 1] == ' ' || text[value_length - 1] == '\t'))
		value_length--;
	text[value_length] = '\0';
	for (size_t i = 0; i < value_length; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
			return 400;
	for (size_t i = 0; i < name_length; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] |= 0x20;
	request->head_used += name_length + value_length + 2;
	*header = (struct header){ copy, text, name_length, value_length };
	request->n_headers++;
	return 0;
}

int request_set_target(struct request *request, const char *target, size_t length)
{
	char *question, *fragment;

	if (length > REQUEST_TARGET_MAX)
		return 414;
	request->target = add_to_head(request, target, length);
	if (!request->target)
		return 431;
	/* The absolute form (RFC 9112, 3.2.2) is for proxies, but every server must take it. */
	if (length > 8 && (!strncasecmp(request->target, "http://", 7) ||
			   !strncasecmp(request->target, "https://", 8))) {
		char *slash = strchr(request->target + 8, '/');

		if (!slash)
			return 400;
		length -= (size_t)(slash - request->target);
		request->target = slash;
	}
	fragment = memchr(request->target, '#', length);
	if (fragment)
		return 400;
	question = memchr(request->target, '?', length);
	request->target_length = length;
	request->path_length = question ? (size_t)(question - request->target) : length;
	if (question) {
		request->query = question + 1;
		request->query_length = length - request->path_length - 1;
	}
	return 0;
}

const char *request_header(const struct request *request, const char *name)
{
	size_t length = strlen(name);

	for (unsigned i = 0; i < request->n_headers; i++)
		if (request->headers[i].name_length == length &&
		    !memcmp(request->headers[i].name, name, length))
			return request->headers[i].value;
	return NULL;
}

static bool id_valid(const char *id)
{
	size_t length =
		strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._");

	return length && length <= 64 && !id[length];
}

void request_make_call(struct request *request, const char *name, int64_t timeout_ms)
{
	const char *id = request_header(request, "x-request-id"),
		   *traceparent = request_header(request, "traceparent");

	if (request->call)
		return;
	request->call = rpc_call_new(name, timeout_ms);
	rpc_call_set_completions(request->call, request->worker->completions);
	if (traceparent)
		rpc_call_set_traceparent(request->call, traceparent);
	if (id && id_valid(id))
		rpc_call_set_request_id(request->call, id);
	rpc_traceparent(request->call); /* made now: once the call is under way it is not ours to
					   change, the access log still wants it */
}

void request_done(struct request *request)
{
	access_log_add(request, monotonic_us() - request->start_us);
	request->done = true;
	request->connection = NULL;
	if (request->waits & WAIT_CALL && request->sse)
		sse_cancel(request);
	else if (request->waits & WAIT_CALL && request->websocket)
		websocket_cancel(request);
	else if (request->waits & WAIT_CALL)
		rpc_call_cancel(request->call);
	if (!request->waits)
		request_free(request);
}

void request_fail_protocol(struct request *request, int status, const char *message)
{
	static const struct {
		int status;
		enum rpc_code code;
		const char *message;
	} texts[] = {
		{ 400, RPC_INVALID_ARGUMENT, "The request is not well formed HTTP" },
		{ 408, RPC_DEADLINE_EXCEEDED, "The request took too long to arrive" },
		{ 414, RPC_INVALID_ARGUMENT, "The URL is too long" },
		{ 431, RPC_INVALID_ARGUMENT, "The header has too many fields or too many bytes" },
		{ 505, RPC_UNIMPLEMENTED, "HTTP/1.1, HTTP/1.0 and HTTP/2 are spoken here" },
	};
	size_t i = 0;

	while (i < sizeof(texts) / sizeof(*texts) - 1 && texts[i].status != status)
		i++;
	if (!request->method)
		request->method = "";
	request_make_call(request, "unmatched", 0);
	if (message)
		rpc_fail_code(request->call, texts[i].code, "%s: %s.", texts[i].message, message);
	else
		rpc_fail_code(request->call, texts[i].code, "%s.", texts[i].message);
	request_answer_error(request, status);
}

static int print_error(void *data, struct rpc_call *call)
{
	struct request *request = data;
	struct response *response = &request->response;
	int64_t retry_ms;

	response->body = error_print(call, response->status, &response->length, &retry_ms);
	if (!response->status)
		response->status = error_http_status(rpc_error_code(call));
	if (retry_ms > 0)
		response_header(response, "retry-after",
				rpc_printf(call, "%" PRId64, (retry_ms + 999) / 1000));
	if (response->status == 401)
		response_header(response, "www-authenticate",
				request_header(request, "authorization")
					? "Bearer error=\"invalid_token\""
					: "Bearer");
	return 0;
}

/* The call's memory is used up: an answer that needs none. */
static void answer_statically(struct request *request)
{
	static const char text[] =
		"{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":"
		"\"The call needs more memory than one call may have.\",\"details\":[]}}";

	request->response = (struct response){
		.status = 429,
		.content_type = "application/json",
		.body = text,
		.length = sizeof(text) - 1,
		.omit_body = request->response.omit_body,
	};
	response_literal(&request->response, "content-type", "application/json");
	response_literal(&request->response, "cache-control", "no-store");
}

static int finish_response(void *data, struct rpc_call *call)
{
	response_finish(data);
	return 0;
}

void request_answer_error(struct request *request, int status)
{
	request->response.status = status;
	request->response.content_type = "application/json";
	if (rpc_call_run(request->call, print_error, request))
		answer_statically(request);
	request_answer(request);
}

void request_answer(struct request *request)
{
	if (request->done || request->answered)
		return;
	request->answered = true;
	if (rpc_call_run(request->call, finish_response, request))
		answer_statically(request);
	request->connection->protocol->respond(request);
}

void request_writable(struct request *request)
{
	if (request->sse)
		sse_writable(request);
}
