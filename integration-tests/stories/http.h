/* A mobile app: one device that speaks HTTP and JSON to the gateway, with the tokens of its
 * session. */
#pragma once

#include <crpc/cleanup.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What came back. Lives as long as the app that asked. */
struct response {
	char *request; /* "POST /v1/cart/items" */
	int status;    /* 0: nobody answered, and `body` says why */
	char *body;    /* ended by a NUL that is not in `size` */
	size_t size;
	json_t *json;  /* NULL where the body is no JSON */
	char *headers; /* as they came, a line each */
	struct response *next;
};

/* Used by one thread at a time. */
struct app;
struct app *app_new(void);
/* The same, to another address than SOUK_GATEWAY_URL. */
struct app *app_new_at(const char *url);
struct app *app_free(struct app *app);
DEFINE_CLEANUP(struct app *, app_free)

/* The tokens of a session answer go with every later call; NULL: none any more. */
void app_take_session(struct app *app, const struct response *session);
void app_use_token(struct app *app, const char *access_token); /* NULL: none */
const char *app_access_token(const struct app *app);
const char *app_refresh_token(const struct app *app);

/*
 * Bodies are written with ' for ", which only the format's own quotes become:
 *
 *     http_post(ann, "/v1/cart/items", "{'product': '%s', 'quantity': %d}", product, 2);
 */
struct response *http_get(struct app *app, const char *path, ...)
	__attribute__((format(printf, 2, 3)));
struct response *http_delete(struct app *app, const char *path, ...)
	__attribute__((format(printf, 2, 3)));
struct response *http_post(struct app *app, const char *path, const char *body, ...)
	__attribute__((format(printf, 3, 4)));
struct response *http_patch(struct app *app, const char *path, const char *body, ...)
	__attribute__((format(printf, 3, 4)));
/* With an Idempotency-Key. */
struct response *http_post_once(struct app *app, const char *key, const char *path,
				const char *body, ...) __attribute__((format(printf, 4, 5)));

/* Any request at all, broken ones too. */
struct request {
	const char *method, *path;
	const char *body;           /* NULL: none */
	size_t size;                /* of the body; 0: strlen(body) */
	const char *content_type;   /* NULL: application/json */
	const char *const *headers; /* "Name: value", NULL at the end; NULL: none */
	long timeout_ms;            /* 0: 30 s */
};
struct response *http_send(struct app *app, const struct request *request);
const char *response_header(const struct response *response, const char *name); /* NULL: none */

/*
 * What an answer says, by its path: "items.0.quantity", "totals.total". json_at() knows absent
 * (NULL); the others fail the test when there is nothing at the path, or something else. Numbers
 * may be written as strings, as int64 is.
 */
json_t *json_at(const struct response *response, const char *path);
json_t *json_path(json_t *json, const char *path);
const char *text_at(const struct response *response, const char *path);
int64_t number_at(const struct response *response, const char *path);
bool flag_at(const struct response *response, const char *path);     /* absent: false */
size_t count_at(const struct response *response, const char *path);  /* absent: 0 */
int64_t cents_at(const struct response *response, const char *path); /* a Money; absent: 0 */
/* The last segment of the name at the path: "products/tea" -> "tea". */
const char *id_at(const struct response *response, const char *path);
/* The element of an array whose `key` is `value`, or NULL. */
json_t *find_at(const struct response *response, const char *path, const char *key,
		const char *value);

/* Fails the test with the whole answer unless it has this status; returns the answer. */
#define expect(response, status) expect_status((response), (status), __FILE__, __LINE__)
struct response *expect_status(struct response *response, int status, const char *file, int line);
/* An AIP-193 error with this HTTP status and reason in its ErrorInfo; NULL: any reason. */
#define expect_error(response, status, reason)                                                     \
	expect_reason((response), (status), (reason), __FILE__, __LINE__)
struct response *expect_reason(struct response *response, int status, const char *reason,
			       const char *file, int line);
/* ErrorInfo.reason and the fields that BadRequest names, "" when there is none. */
const char *error_reason(const struct response *response);
bool error_names(const struct response *response, const char *field);
bool error_tells(const struct response *response, const char *field); /* the message speaks of it */
