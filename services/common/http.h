/* Asking others over HTTP: one request, one answer, both bounded in time and size. */
#pragma once

#include <crpc/call.h>

/* No answer that can be used: it may have happened, and may still happen. */
enum { HTTP_NO_ANSWER = 280 };

struct http_request {
	const char *method;         /* "GET", "POST" */
	const char *url;            /* http or https */
	const char *const *headers; /* lines, ended by NULL; or NULL */
	const char *body;           /* sent with POST; NULL: none */
	int64_t timeout_ms;         /* never beyond the call's deadline */
	size_t answer_max;          /* in bytes; a longer answer is none */
};

struct http_answer {
	long status;
	const char *body; /* in the call's arena, ended by a NUL that is not counted; never NULL */
	size_t length;
	const char *content_type; /* "" when the server says none */
};

/*
 * Connections are kept and used again, by one thread at a time; redirects are not followed. 0 with
 * whatever status was answered, or HTTP_NO_ANSWER with *why, half a sentence that names nothing of
 * the request. Thread safe.
 */
int http_send(struct rpc_call *call, const struct http_request *request, struct http_answer *ret,
	      const char **why);
