/* A mobile app over libcurl. */
#include "http.h"
#include "platform.h"
#include <check.h>
#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TIMEOUT_MS = 30000 };

struct app {
	CURL *curl;
	char *url;
	char *access_token, *refresh_token;
	struct response *responses;
};

struct app *app_new_at(const char *url)
{
	struct app *app = calloc(1, sizeof(*app));

	app->curl = curl_easy_init();
	app->url = strdup(url);
	return app;
}

struct app *app_new(void)
{
	return app_new_at(platform_variable("SOUK_GATEWAY_URL"));
}

struct app *app_free(struct app *app)
{
	struct response *response;

	if (!app)
		return NULL;
	while ((response = app->responses)) {
		app->responses = response->next;
		json_decref(response->json);
		free(response->request);
		free(response->headers);
		free(response->body);
		free(response);
	}
	curl_easy_cleanup(app->curl);
	free(app->access_token);
	free(app->refresh_token);
	free(app->url);
	free(app);
	return NULL;
}

static void replace(char **text, const char *with)
{
	free(*text);
	*text = with ? strdup(with) : NULL;
}

void app_use_token(struct app *app, const char *access_token)
{
	replace(&app->access_token, access_token);
}

void app_take_session(struct app *app, const struct response *session)
{
	replace(&app->access_token, session ? text_at(session, "accessToken") : NULL);
	replace(&app->refresh_token, session ? text_at(session, "refreshToken") : NULL);
}

const char *app_access_token(const struct app *app)
{
	return app->access_token;
}

const char *app_refresh_token(const struct app *app)
{
	return app->refresh_token;
}

struct buffer {
	char *bytes;
	size_t size;
};

static size_t collect(char *bytes, size_t one, size_t count, void *data)
{
	struct buffer *buffer = data;
	size_t size = one * count;

	buffer->bytes = realloc(buffer->bytes, buffer->size + size + 1);
	memcpy(buffer->bytes + buffer->size, bytes, size);
	buffer->size += size;
	buffer->bytes[buffer->size] = '\0';
	return size;
}

static struct response *send_once(struct app *app, const struct request *request)
{
	struct response *response = calloc(1, sizeof(*response));
	char *url = text("%s%s", app->url, request->path);
	struct buffer body = { calloc(1, 1), 0 }, headers = { calloc(1, 1), 0 };
	struct curl_slist *lines = NULL;
	CURLcode code;
	long status;

	response->request = strdup(text("%s %s", request->method, request->path));
	response->next = app->responses;
	app->responses = response;
	curl_easy_reset(app->curl);
	curl_easy_setopt(app->curl, CURLOPT_URL, url);
	curl_easy_setopt(app->curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(app->curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(app->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(app->curl, CURLOPT_TIMEOUT_MS,
			 request->timeout_ms ? request->timeout_ms : (long)TIMEOUT_MS);
	curl_easy_setopt(app->curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(app->curl, CURLOPT_WRITEDATA, &body);
	curl_easy_setopt(app->curl, CURLOPT_HEADERFUNCTION, collect);
	curl_easy_setopt(app->curl, CURLOPT_HEADERDATA, &headers);
	if (!strcmp(request->method, "HEAD"))
		curl_easy_setopt(app->curl, CURLOPT_NOBODY, 1L);
	if (request->body) {
		lines = curl_slist_append(lines, text("Content-Type: %s",
						      request->content_type ? request->content_type
									    : "application/json"));
		lines = curl_slist_append(lines, "Expect:");
		curl_easy_setopt(
			app->curl, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)(request->size ? request->size : strlen(request->body)));
		curl_easy_setopt(app->curl, CURLOPT_POSTFIELDS, request->body);
	}
	if (app->access_token)
		lines = curl_slist_append(lines,
					  text("Authorization: Bearer %s", app->access_token));
	for (const char *const *header = request->headers; header && *header; header++)
		lines = curl_slist_append(lines, *header);
	curl_easy_setopt(app->curl, CURLOPT_HTTPHEADER, lines);

	code = curl_easy_perform(app->curl);
	curl_slist_free_all(lines);
	if (code == CURLE_OK) {
		curl_easy_getinfo(app->curl, CURLINFO_RESPONSE_CODE, &status);
		response->status = status;
		response->json = json_loadb(body.bytes, body.size, JSON_DECODE_ANY, NULL);
	} else {
		free(body.bytes);
		body.bytes = strdup(curl_easy_strerror(code));
		body.size = strlen(body.bytes);
	}
	response->body = body.bytes;
	response->size = body.size;
	response->headers = headers.bytes;
	return response;
}

static bool may_repeat(const struct request *request)
{
	if (!strcmp(request->method, "GET") || !strcmp(request->method, "HEAD") ||
	    !strncmp(request->path, "/v1/sessions", strlen("/v1/sessions")))
		return true;
	for (const char *const *header = request->headers; header && *header; header++)
		if (!strncasecmp(*header, "Idempotency-Key:", strlen("Idempotency-Key:")))
			return true;
	return false;
}

/* What can be repeated is, for some seconds, when the answer asks for it: 503, as a service that
 * was restarted gives for a moment. */
struct response *http_send(struct app *app, const struct request *request)
{
	struct response *response = send_once(app, request);

	for (int attempt = 0; attempt < 20 && response->status == 503 && may_repeat(request);
	     attempt++) {
		pause_ms(250);
		response = send_once(app, request);
	}
	return response;
}

const char *response_header(const struct response *response, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = response->headers; *line; line += strcspn(line, "\n") + 1) {
		if (!strncasecmp(line, name, length) && line[length] == ':') {
			line += length + 1;
			line += strspn(line, " \t");
			return text("%.*s", (int)strcspn(line, "\r\n"), line);
		}
		if (!line[strcspn(line, "\n")])
			break;
	}
	return NULL;
}

/* The body's ' become ", its values stay what they are: formatted last. */
static char *body_text(const char *format, va_list arguments)
{
	cleanup(freep) char *quoted = strdup(format);
	char *body;

	for (char *at = quoted; (at = strchr(at, '\'')); at++)
		*at = '"';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	body = text_list(quoted, arguments);
#pragma GCC diagnostic pop
	return body;
}

#define FORMATTED(function, format, result)                                                        \
	({                                                                                         \
		va_list arguments_;                                                                \
		va_start(arguments_, format);                                                      \
		(result) = function((format), arguments_);                                         \
		va_end(arguments_);                                                                \
	})

struct response *http_get(struct app *app, const char *path, ...)
{
	char *full;

	FORMATTED(text_list, path, full);
	return http_send(app, &(struct request){ .method = "GET", .path = full });
}

struct response *http_delete(struct app *app, const char *path, ...)
{
	char *full;

	FORMATTED(text_list, path, full);
	return http_send(app, &(struct request){ .method = "DELETE", .path = full });
}

struct response *http_post(struct app *app, const char *path, const char *body, ...)
{
	char *full;

	FORMATTED(body_text, body, full);
	return http_send(app, &(struct request){ .method = "POST", .path = path, .body = full });
}

struct response *http_patch(struct app *app, const char *path, const char *body, ...)
{
	char *full;

	FORMATTED(body_text, body, full);
	return http_send(app, &(struct request){ .method = "PATCH", .path = path, .body = full });
}

struct response *http_post_once(struct app *app, const char *key, const char *path,
				const char *body, ...)
{
	const char *const headers[] = { text("Idempotency-Key: %s", key), NULL };
	char *full;

	FORMATTED(body_text, body, full);
	return http_send(
		app, &(struct request){
			     .method = "POST", .path = path, .body = full, .headers = headers });
}
