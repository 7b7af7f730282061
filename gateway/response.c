/* An answer's head. */
#include "response.h"
#include "cors.h"
#include "encoding.h"
#include "gateway.h"
#include "rate_limits.h"
#include <string.h>
#include <text.h>

const char *response_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 101, "Switching Protocols" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 422, "Unprocessable Content" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 499, "Client Closed Request" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

void response_add(struct response *response, const char *name, size_t name_length,
		  const char *value, size_t value_length)
{
	if (response->n_headers < RESPONSE_HEADERS_MAX)
		response->headers[response->n_headers++] =
			(struct header){ name, value, name_length, value_length };
}

void response_header(struct response *response, const char *name, const char *value)
{
	response_add(response, name, strlen(name), value, strlen(value));
}

const char *response_find(const struct response *response, const char *name)
{
	size_t length = strlen(name);

	for (unsigned i = 0; i < response->n_headers; i++)
		if (response->headers[i].name_length == length &&
		    !memcmp(response->headers[i].name, name, length))
			return response->headers[i].value;
	return NULL;
}

static void add_limit(struct request *request, const char *name, size_t name_length, int64_t number,
		      int64_t seconds, const char *number_key, const char *seconds_key)
{
	struct text text = { .arena = rpc_arena(request->call) };

	text_add_char(&text, '"');
	text_add(&text, request->limit.policy, strlen(request->limit.policy));
	text_add_char(&text, '"');
	text_add(&text, number_key, 3);
	text_add_integer(&text, number);
	text_add(&text, seconds_key, 3);
	text_add_integer(&text, seconds);
	response_add(&request->response, name, name_length, text.data, text.length);
}

/* The draft's form (draft-ietf-httpapi-ratelimit-headers): "policy";r=remaining;t=seconds. */
static void add_limits(struct request *request)
{
	if (!request->limited)
		return;
	add_limit(request, "ratelimit-policy", 16, request->limit.limit, request->limit.window_s,
		  ";q=", ";w=");
	add_limit(request, "ratelimit", 9, request->limit.remaining, request->limit.reset_s,
		  ";r=", ";t=");
}

static void add_caching(struct request *request)
{
	struct response *response = &request->response;

	if (response_find(response, "cache-control"))
		return;
	/* A tag lets a client ask again cheaply; without one nothing is worth keeping, least of all
	 * a token. */
	if (response_find(response, "etag"))
		response_literal(response, "cache-control", "private, no-cache");
	else
		response_literal(response, "cache-control", "no-store");
}

void response_finish(struct request *request)
{
	struct response *response = &request->response;
	struct worker *worker = request->worker;
	const char *id = rpc_request_id(request->call);

	if (!response->body)
		response->length = 0;
	encoding_apply(request);
	if (response->content_type)
		response_header(response, "content-type", response->content_type);
	response_add(response, "date", 4, worker_date(worker), 29);
	response_header(response, "x-request-id", id);
	add_caching(request);
	add_limits(request);
	cors_apply(request);
	response_literal(response, "x-content-type-options", "nosniff");
	response_literal(response, "x-frame-options", "DENY");
	response_literal(response, "referrer-policy", "no-referrer");
	if (!response_find(response, "content-security-policy"))
		response_literal(response, "content-security-policy",
				 "default-src 'none'; frame-ancestors 'none'");
	if (request->connection->tls)
		response_literal(response, "strict-transport-security", "max-age=31536000");
}
