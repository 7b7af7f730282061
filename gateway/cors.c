/* Which web pages may call us. */
#include "cors.h"
#include "gateway.h"
#include "response.h"
#include <stdlib.h>
#include <string.h>

enum { ORIGINS_MAX = 64 };

const char *const *cors_origins(const char *text)
{
	static const char *origins[ORIGINS_MAX + 1];
	size_t n = 0;

	if (!text)
		return NULL;
	for (text += strspn(text, " ,"); *text && n < ORIGINS_MAX; text += strspn(text, " ,")) {
		size_t length = strcspn(text, " ,");

		origins[n++] = strndup(text, length);
		text += length;
	}
	return n ? origins : NULL;
}

/* What to answer to this origin; NULL: nothing. */
static const char *admitted(const struct request *request)
{
	const char *origin = request_header(request, "origin");
	const char *const *origins = request->worker->gateway->origins;

	for (; origin && origins && *origins; origins++) {
		if (!strcmp(*origins, "*"))
			return "*";
		if (!strcmp(*origins, origin))
			return *origins;
	}
	return NULL;
}

bool cors_admits(const struct request *request)
{
	return admitted(request) != NULL;
}

bool cors_is_preflight(const struct request *request)
{
	return !strcmp(request->method, "OPTIONS") && request->match.methods;
}

void cors_answer_preflight(struct request *request)
{
	const struct router *router = request->worker->gateway->router;
	struct response *response = &request->response;
	const char *allow = router_allow(router, request->match.methods, rpc_arena(request->call));

	response->status = 204;
	response_header(response, "allow", allow);
	if (admitted(request) && request_header(request, "access-control-request-method")) {
		response_header(response, "access-control-allow-methods", allow);
		response_literal(response, "access-control-allow-headers",
				 "authorization, content-type, idempotency-key, if-match, "
				 "if-none-match, last-event-id, traceparent, x-request-id");
		response_literal(response, "access-control-max-age", "600");
	}
	request_answer(request);
}

void cors_apply(struct request *request)
{
	struct response *response = &request->response;
	const char *origin = admitted(request);

	if (!request->worker->gateway->origins)
		return;
	response_literal(response, "vary", "origin");
	if (!origin)
		return;
	response_header(response, "access-control-allow-origin", origin);
	response_literal(response, "access-control-expose-headers",
			 "etag, idempotent-replayed, link, location, ratelimit, ratelimit-policy, "
			 "retry-after, x-request-id");
}
