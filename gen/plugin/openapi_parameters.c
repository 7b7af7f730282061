/* Parameters of operations: in the path, the query and headers. */
#include "openapi.h"
#include <string.h>

enum { QUERY_DEPTH_MAX = 5 };

static json_t *parameter(const char *in, const char *name, bool required, json_t *schema)
{
	json_t *object = json_object();
	json_t *description = json_object_get(schema, "description");

	openapi_set(object, "name", openapi_text(name));
	openapi_set(object, "in", openapi_text(in));
	/* a parameter has its description beside the schema */
	if (description) {
		json_object_set(object, "description", description);
		json_object_del(schema, "description");
	}
	if (required)
		openapi_set(object, "required", json_true());
	openapi_set(object, "schema", schema);
	return object;
}

static void add_path(struct openapi *openapi, json_t *parameters, const struct binding *binding,
		     const char *const *names)
{
	const struct template *template = &binding->template;

	for (size_t i = 0; i < template->n_segments; i++) {
		const struct field *field = NULL;
		json_t *schema = NULL;

		if (!names[i])
			continue;
		for (size_t j = 0; j < template->n_variables; j++)
			if (template->variables[j].first == i && template->variables[j].count == 1)
				field = schema_find_field(binding->method->request,
							  template->variables[j].field);
		if (field)
			schema = openapi_field(openapi, field);
		if (!schema)
			schema = openapi_object("type", openapi_text("string"));
		if (template->segments[i].kind == SEGMENT_REST)
			openapi_set(schema, "description", openapi_text("May hold slashes."));
		json_array_append_new(parameters, parameter("path", names[i], true, schema));
	}
}

/* Whether a field can stand in a query: one value, or a list of them. */
static bool is_value(const struct field *field)
{
	if (!field->message)
		return true;
	switch (field->message->kind) {
	case RPC_KIND_TIMESTAMP:
	case RPC_KIND_DURATION:
	case RPC_KIND_FIELD_MASK:
	case RPC_KIND_WRAPPER:
		return true;
	default:
		return false;
	}
}

struct query {
	const struct binding *binding;
	const struct message *above[QUERY_DEPTH_MAX]; /* a message may hold itself */
	size_t depth;
};

static bool is_above(const struct query *query, const struct message *message)
{
	for (size_t i = 0; i < query->depth; i++)
		if (query->above[i] == message)
			return true;
	return false;
}

static bool in_path(const struct binding *binding, const char *path)
{
	for (size_t i = 0; i < binding->template.n_variables; i++)
		if (!strcmp(binding->template.variables[i].field, path))
			return true;
	return false;
}

static void add_query(struct openapi *openapi, json_t *parameters, struct query *query,
		      const struct message *message, const char *path, const char *json_path,
		      bool required)
{
	struct arena *arena = openapi->schema->arena;
	const struct binding *binding = query->binding;

	if (query->depth == QUERY_DEPTH_MAX || is_above(query, message))
		return;
	query->above[query->depth++] = message;
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct field *field = &message->fields[i];
		const char *name = arena_printf(arena, "%s%s", path, field->name);
		const char *json_name = arena_printf(arena, "%s%s", json_path, field->json_name);
		bool needed = required && (field->behaviors & RPC_FIELD_REQUIRED);

		if ((field->behaviors & (RPC_FIELD_OUTPUT_ONLY | RPC_FIELD_MAP)) ||
		    in_path(binding, name) || field == binding->method->request_id)
			continue;
		if (query->depth == 1 && binding->rule->body &&
		    !strcmp(binding->rule->body, field->name))
			continue;
		if (is_value(field)) {
			json_t *schema = openapi_field(openapi, field);

			json_object_del(schema, "writeOnly");
			json_array_append_new(parameters,
					      parameter("query", json_name, needed, schema));
		} else if (!field->repeated && field->message->kind == RPC_KIND_MESSAGE) {
			add_query(openapi, parameters, query, field->message,
				  arena_printf(arena, "%s.", name),
				  arena_printf(arena, "%s.", json_name), needed);
		}
	}
	query->depth--;
}

bool openapi_is_cacheable(const struct method *method, const struct http_rule *rule)
{
	return !strcmp(rule->http_method, "GET") && !method->server_streaming &&
	       !method->client_streaming;
}

/* If-Match is the field `etag` of the request, else of the resource that is its body. What POST
 * makes has had none. */
static bool takes_etag(struct openapi *openapi, const struct binding *binding)
{
	const struct message *request = binding->method->request;
	const char *body = binding->rule->body;

	if (binding->method->client_streaming)
		return false;
	return schema_find_field(request, "etag") ||
	       (body && strcmp(body, "*") && strcmp(binding->rule->http_method, "POST") &&
		schema_find_field(request, arena_printf(openapi->schema->arena, "%s.etag", body)));
}

static void add_header(json_t *parameters, const char *name, const char *description)
{
	json_t *schema = openapi_object("type", openapi_text("string"));

	openapi_set(schema, "description", openapi_text(description));
	json_array_append_new(parameters, parameter("header", name, false, schema));
}

static void add_headers(struct openapi *openapi, json_t *parameters, const struct binding *binding)
{
	const struct method *method = binding->method;
	struct arena *arena = openapi->schema->arena;
	json_t *schema;

	if (method->request_id) {
		bool required = method->request_id->behaviors & RPC_FIELD_REQUIRED;

		schema = json_pack("{s:s, s:i, s:i, s:s}", "type", "string", "minLength", 1,
				   "maxLength", 255, "description",
				   "A value of the client's own that no other request has, such as "
				   "a UUID. A repeat with the same "
				   "value and body gets the first answer.");
		json_array_append_new(parameters,
				      parameter("header", "Idempotency-Key", required, schema));
	}
	if (takes_etag(openapi, binding))
		add_header(parameters, "If-Match",
			   "The ETag, or `etag`, that the resource was last seen with. It is not "
			   "changed if it has another by now (409).");
	if (openapi_is_cacheable(method, binding->rule))
		add_header(parameters, "If-None-Match",
			   "ETags of answers that the client has: 304 if it would get one of them "
			   "again.");
	if (method->resumes)
		add_header(
			parameters, "Last-Event-ID",
			"The id of the last event that the client has; the stream goes on behind "
			"it.");
	for (size_t i = 0; i < method->n_http_headers; i++) {
		const char *name = method->http_headers[i];

		/* OpenAPI has other places for the first; the last are not the client's to choose */
		if (!strcmp(name, "accept") || !strcmp(name, "content-type") ||
		    !strcmp(name, "authorization") || !strcmp(name, "user-agent") ||
		    !strcmp(name, "x-forwarded-for"))
			continue;
		add_header(parameters, name,
			   arena_printf(arena, "Handed on to %s.", method->service->name));
	}
}

json_t *openapi_parameters(struct openapi *openapi, const struct binding *binding,
			   const char *const *names)
{
	json_t *parameters = json_array();
	struct query query = { .binding = binding };

	add_path(openapi, parameters, binding, names);
	/* a client that streams says it in frames */
	if (!binding->method->client_streaming &&
	    (!binding->rule->body || strcmp(binding->rule->body, "*")))
		add_query(openapi, parameters, &query, binding->method->request, "", "", true);
	add_headers(openapi, parameters, binding);
	return parameters;
}
