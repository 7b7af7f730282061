/* The OpenAPI 3.1 document of all routes. */
#include "openapi.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

json_t *openapi_text(const char *text)
{
	json_t *string = json_string(text);

	return string ? string : json_string("");
}

void openapi_set(json_t *object, const char *key, json_t *value)
{
	/* a key that is not UTF-8 is refused, and dropped */
	(void)json_object_set_new(object, key, value);
}

json_t *openapi_object(const char *key, json_t *value)
{
	json_t *object = json_object();

	if (key)
		openapi_set(object, key, value);
	return object;
}

const char *openapi_comment(struct arena *arena, const char *comment)
{
	char *text = arena_alloc(arena, strlen(comment) + 1), *to = text;
	bool start = true;

	for (; *comment; comment++) {
		if (start && *comment == ' ') {
			start = false;
			continue;
		}
		start = *comment == '\n';
		*to++ = *comment;
	}
	while (to > text && isspace((unsigned char)to[-1]))
		*--to = '\0';
	return text;
}

const char *openapi_summary(struct arena *arena, const char *comment)
{
	const char *text = openapi_comment(arena, comment);
	size_t length = 0;
	char *summary;

	/* up to the end of the first sentence or paragraph */
	while (text[length] && !(text[length] == '\n' && text[length + 1] == '\n')) {
		if (text[length] == '.' &&
		    (!text[length + 1] || isspace((unsigned char)text[length + 1])))
			break;
		length++;
	}
	summary = arena_strndup(arena, text, length);
	for (char *at = summary; *at; at++)
		if (*at == '\n')
			*at = ' ';
	return summary;
}

/* "Catalog" of CatalogService */
static const char *tag_of(struct arena *arena, const struct service *service)
{
	size_t length = strlen(service->name);

	if (length > 7 && !strcmp(service->name + length - 7, "Service"))
		length -= 7;
	return arena_strndup(arena, service->name, length);
}

static void add_tag(struct openapi *openapi, json_t *tags, const struct service *service)
{
	struct arena *arena = openapi->schema->arena;
	const char *name = tag_of(arena, service),
		   *comment = openapi_comment(arena, service->comment);
	json_t *tag, *other;
	size_t i;

	json_array_foreach(
		tags, i,
		other) if (!strcmp(json_string_value(json_object_get(other, "name")), name)) return;
	tag = openapi_object("name", openapi_text(name));
	if (*comment)
		openapi_set(tag, "description", openapi_text(comment));
	json_array_append_new(tags, tag);
}

/* Additional bindings of a method are operations of their own: Cart_GetCart, Cart_GetCart2. */
static const char *operation_id(struct openapi *openapi, const struct binding *binding)
{
	struct arena *arena = openapi->schema->arena;
	const struct method *method = binding->method;
	const char *tag = tag_of(arena, method->service);
	size_t index = (size_t)(binding->rule - method->rules);

	if (!index)
		return arena_printf(arena, "%s_%s", tag, method->name);
	return arena_printf(arena, "%s_%s%zu", tag, method->name, index + 1);
}

static void add_operation(struct openapi *openapi, json_t *paths, const struct binding *binding)
{
	struct arena *arena = openapi->schema->arena;
	const char *names[TEMPLATE_SEGMENTS_MAX] = { NULL };
	const char *path = openapi_path(openapi, binding, names);
	json_t *item = json_object_get(paths, path), *operation;
	char *method = arena_strndup(arena, binding->rule->http_method,
				     strlen(binding->rule->http_method));

	if (!item) {
		item = json_object();
		openapi_set(paths, path, item);
	}
	operation = openapi_operation(openapi, binding, names);
	json_array_append_new(json_object_get(operation, "tags"),
			      openapi_text(tag_of(arena, binding->method->service)));
	openapi_set(operation, "operationId", openapi_text(operation_id(openapi, binding)));
	for (char *at = method; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	openapi_set(item, method, operation);
}

static bool is_openapi_method(const char *method)
{
	static const char *const methods[] = { "GET",     "PUT",  "POST",  "DELETE",
					       "OPTIONS", "HEAD", "PATCH", "TRACE" };

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (!strcmp(methods[i], method))
			return true;
	return false;
}

static json_t *document(struct openapi *openapi)
{
	struct arena *arena = openapi->schema->arena;
	json_t *root = json_object(), *info = json_object(), *tags = json_array(),
	       *paths = json_object();
	json_t *components = json_object(), *bearer = json_object();
	char *title = arena_printf(arena, "%s", openapi->schema->aggregate);

	*title = (char)toupper((unsigned char)*title);
	openapi_set(root, "openapi", openapi_text("3.1.0"));
	openapi_set(info, "title", openapi_text(title));
	openapi_set(info, "version", openapi_text("v1"));
	openapi_set(root, "info", info);
	openapi_set(root, "tags", tags);
	openapi_set(root, "paths", paths);

	openapi_set(bearer, "type", openapi_text("http"));
	openapi_set(bearer, "scheme", openapi_text("bearer"));
	openapi_set(bearer, "bearerFormat", openapi_text("JWT"));
	openapi_set(bearer, "description", openapi_text("The access token of a session."));
	openapi_set(components, "securitySchemes", openapi_object("bearer", bearer));
	openapi->schemas = json_object();
	openapi_set(components, "schemas", openapi->schemas);
	openapi_add_headers(components);
	openapi_set(root, "components", components);
	openapi_add_error(openapi);

	for (size_t i = 0; i < openapi->n_bindings; i++) {
		const struct binding *binding = &openapi->bindings[i];

		if (!is_openapi_method(binding->rule->http_method))
			continue; /* `custom`: OpenAPI has no place for others */
		add_tag(openapi, tags, binding->method->service);
		add_operation(openapi, paths, binding);
	}
	return root;
}

void write_openapi(struct outputs *outputs)
{
	struct schema *schema = outputs->schema;
	const char *name = schema->aggregate;
	struct output *source =
		output_new(outputs, arena_printf(schema->arena, "%s_openapi.c", name));
	struct output *json =
		output_new(outputs, arena_printf(schema->arena, "%s_openapi.json", name));
	struct openapi openapi = { .schema = schema };
	char *pretty, *compact;
	json_t *root;

	openapi.bindings = routes_collect(schema, &openapi.n_bindings);
	root = document(&openapi);
	pretty = json_dumps(root, JSON_INDENT(2));
	compact = json_dumps(root, JSON_COMPACT);
	json_decref(root);

	print(json, "%s\n", pretty ? pretty : "{}");
	print_head(source, "all files");
	print(source,
	      "#include <crpc/route.h>\n\nextern const char %s_openapi[];\nextern const size_t "
	      "n_%s_openapi;\n\n",
	      name, name);
	print(source, "const char %s_openapi[] =", name);
	print_bytes(source, (const uint8_t *)(compact ? compact : "{}"),
		    compact ? strlen(compact) : 2);
	print(source, ";\nconst size_t n_%s_openapi = sizeof(%s_openapi) - 1;\n", name, name);
	free(pretty);
	free(compact);
}
