/* Which web pages may call us. */
#include "cors.h"
#include "gateway.h"
#include "response.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As browsers send it, to the letter: a scheme and a host in lower case, without a slash behind. */
static bool is_origin(const char *origin)
{
	const char *host = strstr(origin, "://");

	if (!strcmp(origin, "*"))
		return true;
	if (!host || host == origin || !host[3] || strchr(host + 3, '/'))
		return false;
	for (const char *at = origin; *at; at++)
		if (isupper((unsigned char)*at))
			return false;
	return true;
}

int cors_origins(const char *text, const char *const **ret, char **error)
{
	const char **origins = calloc(strlen(text) / 2 + 2, sizeof(*origins));
	size_t n = 0;

	if (!origins)
		return -ENOMEM;
	for (text += strspn(text, " ,"); *text; text += strspn(text, " ,")) {
		size_t length = strcspn(text, " ,");
		char *origin = strndup(text, length);

		if (!origin) {
			cors_origins_free(origins);
			return -ENOMEM;
		}
		origins[n++] = origin;
		text += length;
		if (is_origin(origin))
			continue;
		if (asprintf(error,
			     "SOUK_CORS_ORIGINS: '%s' is no origin; write one like "
			     "https://shop.example, without a path, or *",
			     origin) < 0)
			*error = NULL;
		cors_origins_free(origins);
		return -EINVAL;
	}
	if (!n)
		free(origins);
	*ret = n ? origins : NULL;
	return 0;
}

void cors_origins_free(const char *const *origins)
{
	for (size_t i = 0; origins && origins[i]; i++)
		free((char *)origins[i]);
	free((void *)origins);
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
