/* The OpenAPI document, in parts. Objects are the caller's. */
#pragma once

#include "products.h"
#include <jansson.h>

struct openapi {
	struct schema *schema;
	json_t *schemas; /* components.schemas, filled as messages are met */
	const struct binding *bindings;
	size_t n_bindings;
};

/* A string; what is not UTF-8 becomes "". */
json_t *openapi_text(const char *text);
/* A comment as Markdown: without the space that follows each `//`. */
const char *openapi_comment(struct arena *arena, const char *comment);
const char *openapi_summary(struct arena *arena, const char *comment);
void openapi_set(json_t *object, const char *key, json_t *value);
json_t *openapi_object(const char *key,
		       json_t *value); /* with one member, or none when key is NULL */

/* --- schemas --- */

/* What `message` is in JSON: a reference to components.schemas, or its own form. */
json_t *openapi_message(struct openapi *openapi, const struct message *message);
/* The same with nothing required: the body of an update. */
json_t *openapi_message_partial(struct openapi *openapi, const struct message *message);
/* The body of a request whose path fields stand in the URL. NULL when nothing is left to say. */
json_t *openapi_request_body(struct openapi *openapi, const struct binding *binding);
/* A field with its rules, description and behavior. */
json_t *openapi_field(struct openapi *openapi, const struct field *field);
bool openapi_path_holds(const struct template *template, const struct field *field);

/* --- operations --- */

/* "/v1/products/{product}", and the names of its parameters in order. */
const char *openapi_path(struct openapi *openapi, const struct binding *binding,
			 const char **names);
json_t *openapi_operation(struct openapi *openapi, const struct binding *binding,
			  const char *const *names);
/* Path, query and header parameters. */
json_t *openapi_parameters(struct openapi *openapi, const struct binding *binding,
			   const char *const *names);
json_t *openapi_responses(struct openapi *openapi, const struct method *method,
			  const struct http_rule *rule);
void openapi_add_error(struct openapi *openapi);
/* components.headers, that answers refer to. */
void openapi_add_headers(json_t *components);
/* Whether the answer has an ETag. */
bool openapi_is_cacheable(const struct method *method, const struct http_rule *rule);
