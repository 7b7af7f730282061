/* The gateway's own pages. */
#include "builtin.h"
#include "docs.h"
#include "encoding.h"
#include "etag.h"
#include "gateway.h"
#include "redis_async.h"
#include "response.h"
#include "sessions.h"
#include "upstream.h"
#include <crpc/metrics.h>
#include <stdlib.h>
#include <string.h>
#include <text.h>

static void answer_text(struct request *request, int status, const char *type, const char *text,
			size_t length)
{
	request->response.status = status;
	request->response.content_type = type;
	request->response.body = text;
	request->response.length = length;
	request_answer(request);
}

static void healthz(struct request *request)
{
	answer_text(request, 200, "application/json", "{\"alive\":true}", 14);
}

static void add_member(struct text *text, const char *separator, const char *key, const char *value)
{
	text_add(text, separator, strlen(separator));
	text_add_json_string(text, key, strlen(key));
	text_add_char(text, ':');
	text_add_json_string(text, value, strlen(value));
}

/*
 * Ready is who reaches any service at all: one that is away takes its own routes with it, and no
 * others. Redis takes limits and sessions. What is away is told.
 */
static void readyz(struct request *request)
{
	struct worker *worker = request->worker;
	struct text text = { .arena = rpc_arena(request->call) };
	const char *why = "", *domain;
	bool reached, ready = false;

	for (size_t i = 0; upstreams_domain(worker->gateway->upstreams, i, &reached); i++)
		ready |= reached;
	ready &= !worker->draining;
	text_add_literal(&text, "{\"ready\":");
	text_add(&text, ready ? "true" : "false", ready ? 4 : 5);
	add_member(
		&text, ",", "redis",
		!worker->redis ? "not configured: limits are this gateway's own, sessions cannot "
				 "be checked"
		: redis_async_ready(worker->redis)
			? "ready"
			: "away: limits are this gateway's own, requests with a token answer 503");
	add_member(&text, ",", "tokens", sessions_ready(worker->sessions, &why) ? "ready" : why);
	text_add_literal(&text, ",\"peers\":{");
	for (size_t i = 0; (domain = upstreams_domain(worker->gateway->upstreams, i, &reached));
	     i++)
		add_member(&text, i ? "," : "", domain, reached ? "ready" : "away");
	text_add_literal(&text, "}}");
	answer_text(request, ready ? 200 : 503, "application/json", text.data, text.length);
}

static void metrics(struct request *request)
{
	size_t length;
	char *page = metrics_print(&length), *copy;

	copy = arena_memdup(rpc_arena(request->call), page ? page : "", page ? length : 0);
	free(page);
	answer_text(request, 200, "text/plain; version=0.0.4; charset=utf-8", copy,
		    page ? length : 0);
}

static void answer_page(struct request *request, const struct docs_page *page)
{
	struct response *response = &request->response;
	const char *accept = request_header(request, "accept-encoding");
	bool gzip;

	response->status = 200;
	response->content_type = page->content_type;
	response->body = page->text;
	response->length = page->length;
	if (page->content_security_policy)
		response_header(response, "content-security-policy", page->content_security_policy);
	etag_apply(request, NULL);
	response_literal(response, "cache-control", "public, no-cache");
	gzip = page->gzip && accept && encoding_accepts_gzip(accept);
	if (response->status != 200 || gzip) /* else encoding_apply() says so */
		response_literal(response, "vary", "accept-encoding");
	/* Compressed once, at the start. */
	if (response->status == 200 && gzip) {
		response->body = page->gzip;
		response->length = page->gzip_length;
		response_literal(response, "content-encoding", "gzip");
		etag_weaken(request);
	}
	request_answer(request);
}

static void openapi(struct request *request)
{
	answer_page(request, docs_openapi(request->worker->gateway->docs));
}

static void docs(struct request *request)
{
	answer_page(request, docs_html(request->worker->gateway->docs));
}

static const struct builtin builtins[] = {
	{ "/docs", false, true, docs },       { "/healthz", true, true, healthz },
	{ "/metrics", true, false, metrics }, { "/openapi.json", false, true, openapi },
	{ "/readyz", true, true, readyz },
};

const struct builtin *builtin_find(bool admin, const char *path, size_t length)
{
	for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++) {
		const struct builtin *builtin = &builtins[i];

		if ((admin ? builtin->admin : builtin->public) && strlen(builtin->path) == length &&
		    !memcmp(builtin->path, path, length))
			return builtin;
	}
	return NULL;
}

void builtin_answer(struct request *request)
{
	if (!strcmp(request->method, "HEAD"))
		request->response.omit_body = true;
	if (request->response.omit_body || !strcmp(request->method, "GET")) {
		request->builtin->answer(request);
		return;
	}
	response_literal(&request->response, "allow", "GET, HEAD");
	rpc_fail_code(request->call, RPC_UNIMPLEMENTED, "The path takes GET and HEAD only.");
	request_answer_error(request, 405);
}
