/* Operations: paths, parameters, bodies and answers of the document. */
#include "naming.h"
#include "openapi.h"
#include <assert.h>
#include <string.h>

/* --- paths --- */

/* "product" of "products", "category" of "categories" */
static const char *singular(struct arena *arena, const char *collection)
{
	size_t length = strlen(collection);

	if (length > 3 && !strcmp(collection + length - 3, "ies"))
		return arena_printf(arena, "%.*sy", (int)length - 3, collection);
	if (length > 4 &&
	    (!strcmp(collection + length - 4, "sses") || !strcmp(collection + length - 4, "xes")))
		return arena_strndup(arena, collection, length - 2);
	if (length > 1 && collection[length - 1] == 's')
		return arena_strndup(arena, collection, length - 1);
	return arena_printf(arena, "%sId", collection);
}

static const struct route_variable *variable_at(const struct template *template, size_t segment)
{
	for (size_t i = 0; i < template->n_variables; i++)
		if (segment >= template->variables[i].first &&
		    segment < (size_t) template->variables[i].first + template->variables[i].count)
			return &template->variables[i];
	return NULL;
}

/*
 * OpenAPI takes two paths that differ in their parameters' names alone for the same one twice, so
 * names follow from the literals before them where they can: /v1/products/{product}. The first of a
 * shape names the parameters of all.
 */
static const char *parameter_name(struct openapi *openapi, const struct template *template,
				  size_t segment)
{
	struct arena *arena = openapi->schema->arena;
	const struct route_variable *variable = variable_at(template, segment);

	const char *dot = variable ? strrchr(variable->field, '.') : NULL;

	/* a plain {provider} names itself; several segments do not */
	if (variable && variable->count == 1)
		return dot ? dot + 1 : variable->field;
	if (segment && template->segments[segment - 1].kind == SEGMENT_LITERAL &&
	    name_is_identifier(template->segments[segment - 1].literal))
		return singular(arena, template->segments[segment - 1].literal);
	return arena_printf(arena, "segment%zu", segment + 1);
}

static bool same_shape(const struct template *a, const struct template *b)
{
	return !template_compare(a, "", b, "");
}

const char *openapi_path(struct openapi *openapi, const struct binding *binding, const char **names)
{
	struct arena *arena = openapi->schema->arena;
	const struct template *template = &binding->template;
	const char *path = "";

	for (const struct binding *other = openapi->bindings; other < binding; other++) {
		if (same_shape(&other->template, template)) {
			template = &other->template;
			break;
		}
	}
	for (size_t i = 0; i < template->n_segments; i++) {
		if (template->segments[i].kind == SEGMENT_LITERAL) {
			path = arena_printf(arena, "%s/%s", path, template->segments[i].literal);
			continue;
		}
		names[i] = parameter_name(openapi, template, i);
		for (size_t j = 0; j < i; j++)
			if (names[j] && !strcmp(names[j], names[i]))
				names[i] = arena_printf(arena, "%s%zu", names[i], i + 1);
		path = arena_printf(arena, "%s/{%s}", path, names[i]);
	}
	return template->verb ? arena_printf(arena, "%s:%s", path, template->verb) : path;
}

/* --- bodies --- */

static json_t *content(const char *type, json_t *schema)
{
	return openapi_object(type, openapi_object("schema", schema));
}

static bool is_http_body(const struct message *message)
{
	return message && message->kind == RPC_KIND_HTTP_BODY;
}

static bool has_update_mask(const struct message *request)
{
	const struct field *field = schema_find_field(request, "update_mask");

	return field && field->message && field->message->kind == RPC_KIND_FIELD_MASK;
}

static void add_body(struct openapi *openapi, json_t *operation, const struct binding *binding)
{
	const struct method *method = binding->method;
	const char *name = binding->rule->body;
	const struct field *field;
	json_t *body, *schema;
	bool partial, required;

	if (!name)
		return;
	field = strcmp(name, "*") ? schema_find_field(method->request, name) : NULL;
	partial = field && has_update_mask(method->request);
	required = field && !partial && (field->behaviors & RPC_FIELD_REQUIRED);
	body = json_object();
	if (is_http_body(field ? field->message : method->request)) {
		openapi_set(body, "content", openapi_object("*/*", json_object()));
		required = true;
	} else {
		if (field && field->message && !field->repeated)
			schema = partial ? openapi_message_partial(openapi, field->message)
					 : openapi_message(openapi, field->message);
		else if (field)
			schema = openapi_field(openapi, field);
		else
			schema = openapi_request_body(openapi, binding);
		if (!schema)
			schema = openapi_object("type", openapi_text("object"));
		/* no body says as much as an empty object */
		required = required || (!field && json_object_get(schema, "required"));
		openapi_set(body, "content", content("application/json", schema));
	}
	if (required)
		openapi_set(body, "required", json_true());
	openapi_set(operation, "requestBody", body);
}

/* --- answers --- */

struct status {
	int code; /* google.rpc.Code */
	const char *http;
	const char *title;
};

static const struct status statuses[] = {
	{ RPC_INVALID_ARGUMENT, "400", "The request is not valid." },
	{ RPC_FAILED_PRECONDITION, "400", "The request is not valid." },
	{ RPC_OUT_OF_RANGE, "400", "The request is not valid." },
	{ RPC_UNAUTHENTICATED, "401", "The caller has no valid token." },
	{ RPC_PERMISSION_DENIED, "403", "The caller may not do this." },
	{ RPC_NOT_FOUND, "404", "There is no such thing." },
	{ RPC_ALREADY_EXISTS, "409", "The request conflicts with the present state." },
	{ RPC_ABORTED, "409", "The request conflicts with the present state." },
	{ RPC_RESOURCE_EXHAUSTED, "429", "Too much was asked for." },
	{ RPC_UNIMPLEMENTED, "501", "The service does not do this." },
	{ RPC_UNAVAILABLE, "503", "The service cannot answer now; try again." },
	{ RPC_DEADLINE_EXCEEDED, "504", "The service did not answer in time." },
};

/* What tells how much may be asked for, and when again. */
static const struct limit_header {
	const char *name, *description;
} limit_headers[] = {
	{ "Retry-After", "The seconds until it may be tried again." },
	{ "RateLimit",
	  "The limit that is nearest to its end, with `r`, the requests that are left, "
	  "and `t`, the seconds until there are more. On every answer where there is a limit." },
	{ "RateLimit-Policy", "That limit, with `q`, the requests, and `w`, the seconds that they "
			      "are for." },
};

static void add_header(json_t *headers, const char *name, const char *description)
{
	json_t *header = openapi_object("description", openapi_text(description));

	openapi_set(header, "schema", openapi_object("type", openapi_text("string")));
	openapi_set(headers, name, header);
}

void openapi_add_headers(json_t *components)
{
	json_t *headers = json_object();

	for (size_t i = 0; i < sizeof(limit_headers) / sizeof(*limit_headers); i++)
		add_header(headers, limit_headers[i].name, limit_headers[i].description);
	add_header(
		headers, "ETag",
		"What this answer is known by, for If-None-Match; and for If-Match of a change.");
	openapi_set(components, "headers", headers);
}

/* Where a client can say what it has, see openapi_parameters.c. */
static void add_etag(json_t *responses)
{
	json_t *etag = openapi_object("$ref", openapi_text("#/components/headers/ETag"));

	openapi_set(json_object_get(responses, "200"), "headers", openapi_object("ETag", etag));
	openapi_set(responses, "304",
		    openapi_object("description",
				   openapi_text("The client has it already, by If-None-Match.")));
}

static json_t *refer_to_limit_headers(struct openapi *openapi)
{
	json_t *headers = json_object();

	for (size_t i = 0; i < sizeof(limit_headers) / sizeof(*limit_headers); i++) {
		const char *name = limit_headers[i].name;

		openapi_set(headers, name,
			    openapi_object("$ref", openapi_text(arena_printf(
							   openapi->schema->arena,
							   "#/components/headers/%s", name))));
	}
	return headers;
}

static void add_failure(struct openapi *openapi, json_t *responses, const char *http,
			const char *title, const char *line)
{
	struct arena *arena = openapi->schema->arena;
	json_t *response = json_object_get(responses, http), *schema;
	const char *before = title;

	if (response) {
		before = json_string_value(json_object_get(response, "description"));
	} else {
		response = json_object();
		schema = openapi_object("$ref", openapi_text("#/components/schemas/Error"));
		openapi_set(responses, http, response);
		openapi_set(response, "description", openapi_text(title));
		if (!strcmp(http, "429"))
			openapi_set(response, "headers", refer_to_limit_headers(openapi));
		openapi_set(response, "content", content("application/json", schema));
	}
	if (line)
		openapi_set(response, "description",
			    openapi_text(arena_printf(arena, "%s%s%s", before,
						      before == title ? "\n\n" : "\n", line)));
}

static bool mentions(const char *comment, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = strstr(comment, word); at; at = strstr(at + 1, word)) {
		bool starts = at == comment || !(name_is_identifier((char[]){ at[-1], '\0' }) ||
						 (at[-1] >= '0' && at[-1] <= '9'));
		bool ends = !name_is_identifier((char[]){ at[length], '\0' }) &&
			    !(at[length] >= '0' && at[length] <= '9');

		if (starts && ends)
			return true;
	}
	return false;
}

/* Of one status: the errors that the method's comment names are those that it answers. */
static void add_reasons(struct openapi *openapi, json_t *responses, const struct method *method,
			const struct status *status)
{
	struct arena *arena = openapi->schema->arena;

	for (size_t i = 0; i < openapi->schema->n_files; i++) {
		const struct file *file = &openapi->schema->files[i];

		for (size_t j = 0; j < file->n_enumerations; j++) {
			const struct enumeration *enumeration = file->enumerations[j];

			for (size_t k = 0; k < enumeration->n_values; k++) {
				const struct value *value = &enumeration->values[k];

				if (value->has_reason && value->code == status->code &&
				    mentions(method->comment, value->name))
					add_failure(openapi, responses, status->http, status->title,
						    arena_printf(arena, "- `%s`: %s", value->name,
								 value->message));
			}
		}
	}
}

static void add_failures(struct openapi *openapi, json_t *responses, const struct method *method)
{
	struct arena *arena = openapi->schema->arena;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		const struct status *status = &statuses[i];

		if (method->access.level != RPC_LEVEL_PUBLIC &&
		    (status->code == RPC_UNAUTHENTICATED || status->code == RPC_PERMISSION_DENIED))
			add_failure(openapi, responses, status->http, status->title, NULL);
		if (method->has_rate_limit && status->code == RPC_RESOURCE_EXHAUSTED)
			add_failure(openapi, responses, status->http,
				    arena_printf(arena, "More than %lld requests in %lld s.",
						 (long long)method->rate_requests,
						 (long long)method->rate_seconds),
				    NULL);
		add_reasons(openapi, responses, method, status);
	}
	add_failure(openapi, responses, "default", "Any other failure.", NULL);
}

static json_t *success(struct openapi *openapi, const struct method *method,
		       const struct http_rule *rule)
{
	const struct field *field =
		rule->response_body ? schema_find_field(method->response, rule->response_body)
				    : NULL;
	const struct message *message = field ? field->message : method->response;
	const char *name = method->response->name;
	json_t *response = json_object(), *schema, *events;

	if (is_http_body(message) && !(field && field->repeated)) {
		openapi_set(response, "description",
			    openapi_text("The bytes, in the type that Content-Type says."));
		openapi_set(response, "content", openapi_object("*/*", json_object()));
		return response;
	}
	schema = field ? openapi_field(openapi, field) : openapi_message(openapi, message);
	if (method->server_streaming) {
		events = openapi_object("type", openapi_text("string"));
		openapi_set(events, "contentMediaType", openapi_text("application/json"));
		openapi_set(events, "contentSchema", schema);
		openapi_set(
			response, "description",
			openapi_text(arena_printf(
				openapi->schema->arena,
				"Server-sent events; the data of each is one %s in JSON.", name)));
		openapi_set(response, "content", content("text/event-stream", events));
		return response;
	}
	openapi_set(response, "description",
		    openapi_text(method->response->kind == RPC_KIND_EMPTY
					 ? "Done; an empty object."
					 : arena_printf(openapi->schema->arena, "The %s.", name)));
	openapi_set(response, "content", content("application/json", schema));
	return response;
}

json_t *openapi_responses(struct openapi *openapi, const struct method *method,
			  const struct http_rule *rule)
{
	struct arena *arena = openapi->schema->arena;
	json_t *responses = json_object(), *response;

	if (method->client_streaming) {
		response = openapi_object(
			"description",
			openapi_text(arena_printf(
				arena,
				"A WebSocket: each text frame to the server is one %s in JSON, "
				"each from it one %s.",
				method->request->name, method->response->name)));
		openapi_set(responses, "101", response);
	} else {
		openapi_set(responses, "200", success(openapi, method, rule));
	}
	if (openapi_is_cacheable(method, rule))
		add_etag(responses);
	add_failures(openapi, responses, method);
	return responses;
}

/* AIP-193. Quotes are single here, so that it can be read. */
static const char error_schema[] =
	"{'type': 'object', 'description': 'Why a request failed.', 'required': ['error'], "
	"'properties': {'error': {"
	"  'type': 'object', 'required': ['code', 'status', 'message'], 'properties': {"
	"    'code': {'type': 'integer', 'format': 'int32', 'description': 'The HTTP status.'},"
	"    'status': {'type': 'string', 'description': 'The code of google.rpc.Code.', 'enum': ["
	"      'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', "
	"'ALREADY_EXISTS',"
	"      'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', "
	"'OUT_OF_RANGE',"
	"      'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED']},"
	"    'message': {'type': 'string', 'description': 'A sentence for a developer.'},"
	"    'details': {'type': 'array', 'description': 'What programs read: google.rpc.ErrorInfo "
	"with the reason, "
	"google.rpc.BadRequest with the fields, google.rpc.RetryInfo.', 'items': {"
	"      'type': 'object', 'required': ['@type'], 'properties': {'@type': {'type': "
	"'string'}},"
	"      'additionalProperties': true}}}}}}";

void openapi_add_error(struct openapi *openapi)
{
	char *text = arena_strndup(openapi->schema->arena, error_schema, sizeof(error_schema) - 1);
	json_t *error;

	for (char *at = text; *at; at++)
		if (*at == '\'')
			*at = '"';
	error = json_loads(text, 0, NULL);
	assert(error);
	openapi_set(openapi->schemas, "Error", error);
}

/* --- the whole --- */

static json_t *security(const struct rpc_access *access)
{
	json_t *alternatives = json_array(), *roles = json_array();

	if (access->level == RPC_LEVEL_PUBLIC)
		json_array_append_new(alternatives, json_object());
	if (access->level == RPC_LEVEL_NONE && access->permission)
		json_array_append_new(roles, openapi_text(access->permission));
	json_array_append_new(alternatives, openapi_object("bearer", roles));
	return alternatives;
}

static const char *who(struct arena *arena, const struct rpc_access *access)
{
	const char *persons = access->level == RPC_LEVEL_PUBLIC ? ""
			      : access->level == RPC_LEVEL_SESSION
				      ? "Needs a session, a guest's too."
			      : access->level == RPC_LEVEL_USER ? "Needs a user who has logged in."
								: "";

	if (access->owner && *persons)
		persons = arena_printf(arena, "%s Only for the owner.", persons);
	if (!access->permission || access->level == RPC_LEVEL_PUBLIC)
		return persons;
	if (!*persons)
		return arena_printf(arena, "Needs the permission `%s`.", access->permission);
	return arena_printf(arena, "%s The permission `%s` is enough instead.", persons,
			    access->permission);
}

json_t *openapi_operation(struct openapi *openapi, const struct binding *binding,
			  const char *const *names)
{
	struct arena *arena = openapi->schema->arena;
	const struct method *method = binding->method;
	const char *summary = openapi_summary(arena, method->comment);
	const char *description = openapi_comment(arena, method->comment);
	const char *access = who(arena, &method->access);
	json_t *operation = openapi_object("tags", json_array()), *parameters;

	if (*summary)
		openapi_set(operation, "summary", openapi_text(summary));
	if (*access)
		description = arena_printf(arena, "%s%s%s", description, *description ? "\n\n" : "",
					   access);
	if (*description)
		openapi_set(operation, "description", openapi_text(description));
	parameters = openapi_parameters(openapi, binding, names);
	if (json_array_size(parameters))
		openapi_set(operation, "parameters", parameters);
	else
		json_decref(parameters);
	add_body(openapi, operation, binding);
	openapi_set(operation, "responses", openapi_responses(openapi, method, binding->rule));
	openapi_set(operation, "security", security(&method->access));
	return operation;
}
