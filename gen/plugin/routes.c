/* Routes of google.api.http over all files, and the registry of types. */
#include "products.h"
#include <stdlib.h>
#include <string.h>

/* --- what a binding may say --- */

static void check_variable(struct schema *schema, const struct method *method,
			   const struct http_rule *rule, const struct template *template,
			   const struct route_variable *variable)
{
	const struct field *field = schema_find_field(method->request, variable->field);
	bool one = variable->count == 1 && template->segments[variable->first].kind == SEGMENT_ONE;

	if (!field)
		refuse(schema, method->place, "'%s' in %s is no field of %s; name one",
		       variable->field, rule->template, method->request->name);
	else if (field->repeated || field->message || field->type == PROTOBUF_C_TYPE_BYTES)
		refuse(schema, method->place,
		       "'%s' in %s cannot stand in a path; use a string, a number or an enum",
		       variable->field, rule->template);
	else if (!one && field->type != PROTOBUF_C_TYPE_STRING)
		refuse(schema, method->place,
		       "'%s' in %s takes several segments but is no string; make it one",
		       variable->field, rule->template);
	for (const struct route_variable *other = template->variables; other < variable; other++)
		if (!strcmp(other->field, variable->field))
			refuse(schema, method->place, "'%s' stands twice in %s; take one away",
			       variable->field, rule->template);
}

/* A stream of the client's needs a WebSocket, and that begins with GET. */
static void check_stream(struct schema *schema, const struct method *method,
			 const struct http_rule *rule)
{
	if (method->client_streaming && strcmp(rule->http_method, "GET"))
		refuse(schema, method->place,
		       "'%s' streams from the client, so it is reached by a WebSocket, which "
		       "begins with GET; write get",
		       method->name);
	if (method->client_streaming && rule->response_body)
		refuse(schema, method->place,
		       "'%s' streams from the client, so each answer is a message; leave "
		       "response_body out",
		       method->name);
}

static void check_body(struct schema *schema, const struct method *method,
		       const struct http_rule *rule)
{
	const struct field *field;

	if (rule->body &&
	    (!strcmp(rule->http_method, "GET") || !strcmp(rule->http_method, "DELETE")))
		refuse(schema, method->place,
		       "%s %s has a body, which that HTTP method does not take; leave body out",
		       rule->http_method, rule->template);
	if (rule->body && strcmp(rule->body, "*")) {
		field = strchr(rule->body, '.') ? NULL
						: schema_find_field(method->request, rule->body);
		if (!field)
			refuse(schema, method->place,
			       "the body '%s' is no field of %s; name one, or \"*\"", rule->body,
			       method->request->name);
		else if (field->repeated && !field->message)
			refuse(schema, method->place,
			       "the body '%s' is a list; put it in a message", rule->body);
	}
	if (rule->response_body && (strchr(rule->response_body, '.') ||
				    !schema_find_field(method->response, rule->response_body)))
		refuse(schema, method->place, "the response_body '%s' is no field of %s; name one",
		       rule->response_body, method->response->name);
}

void check_routes(struct schema *schema, const struct method *method)
{
	for (size_t i = 0; i < method->n_rules; i++) {
		const struct http_rule *rule = &method->rules[i];
		struct template template;
		const char *error;

		if (!*rule->http_method ||
		    (strcmp(rule->http_method, "*") &&
		     rule->http_method[strspn(rule->http_method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])) {
			refuse(schema, method->place,
			       "a route of '%s' has no HTTP method in capitals; write get, post, "
			       "put, patch, delete or custom, or the kind * for all",
			       method->name);
			continue;
		}
		error = template_parse(schema->arena, rule->template, &template);
		if (error) {
			refuse(schema, method->place, "the path '%s' is no template: %s",
			       rule->template, error);
			continue;
		}
		for (size_t j = 0; j < template.n_variables; j++)
			check_variable(schema, method, rule, &template, &template.variables[j]);
		check_body(schema, method, rule);
		check_stream(schema, method, rule);
	}
}

static int compare_bindings(const void *a, const void *b)
{
	const struct binding *left = a, *right = b;
	int order = template_compare(&left->template, left->rule->http_method, &right->template,
				     right->rule->http_method);

	if (!order)
		order = strcmp(left->method->place.file->name, right->method->place.file->name);
	return order ? order : left->method->place.line - right->method->place.line;
}

const struct binding *routes_collect(struct schema *schema, size_t *ret)
{
	struct binding *bindings;
	size_t n = 0, room = 0;

	for (size_t i = 0; i < schema->n_files; i++)
		for (size_t j = 0; schema->files[i].generate && j < schema->files[i].n_services;
		     j++)
			for (size_t k = 0; k < schema->files[i].services[j].n_methods; k++)
				room += schema->files[i].services[j].methods[k].n_rules;
	bindings = arena_alloc(schema->arena, room * sizeof(*bindings));
	for (size_t i = 0; i < schema->n_files; i++) {
		const struct file *file = &schema->files[i];

		for (size_t j = 0; file->generate && j < file->n_services; j++) {
			for (size_t k = 0; k < file->services[j].n_methods; k++) {
				const struct method *method = &file->services[j].methods[k];

				for (size_t l = 0; l < method->n_rules; l++) {
					bindings[n].method = method;
					bindings[n].rule = &method->rules[l];
					template_parse(schema->arena, method->rules[l].template,
						       &bindings[n++].template);
				}
			}
		}
	}
	if (n)
		qsort(bindings, n, sizeof(*bindings), compare_bindings);
	*ret = n;
	return bindings;
}

void check_ambiguous_routes(struct schema *schema)
{
	size_t n;
	const struct binding *bindings = routes_collect(schema, &n);

	for (size_t i = 1; i < n; i++) {
		const struct binding *left = &bindings[i - 1], *right = &bindings[i];

		if (!template_compare(&left->template, left->rule->http_method, &right->template,
				      right->rule->http_method))
			refuse(schema, right->method->place,
			       "%s %s of '%s' takes the same requests as %s of '%s' at %s:%d; "
			       "change one path",
			       right->rule->http_method, right->rule->template, right->method->name,
			       left->rule->template, left->method->name,
			       left->method->place.file->name, left->method->place.line);
	}
}

/* --- what is written --- */

static void print_route(struct output *out, const struct binding *binding)
{
	static const char *const kinds[] = { [SEGMENT_LITERAL] = "SEGMENT_LITERAL",
					     [SEGMENT_ONE] = "SEGMENT_ONE",
					     [SEGMENT_REST] = "SEGMENT_REST" };
	const struct template *template = &binding->template;
	const struct method *method = binding->method;

	print(out, "\t{ /* %s.%s */\n\t\t.http_method = \"%s\",\n\t\t.template = ",
	      method->service->full_name, method->name, binding->rule->http_method);
	print_string(out, binding->rule->template);
	print(out, ",\n\t\t.segments = (const struct route_segment[]){\n");
	for (size_t i = 0; i < template->n_segments; i++) {
		print(out, "\t\t\t{ %s, ", kinds[template->segments[i].kind]);
		if (template->segments[i].kind == SEGMENT_LITERAL)
			print_string(out, template->segments[i].literal);
		else
			print(out, "NULL");
		print(out, " },\n");
	}
	print(out, "\t\t},\n\t\t.n_segments = %zu,\n", template->n_segments);
	if (template->verb)
		print(out, "\t\t.verb = \"%s\",\n", template->verb);
	if (template->n_variables) {
		print(out, "\t\t.variables = (const struct route_variable[]){\n");
		for (size_t i = 0; i < template->n_variables; i++)
			print(out, "\t\t\t{ \"%s\", %d, %d },\n", template->variables[i].field,
			      template->variables[i].first, template->variables[i].count);
		print(out, "\t\t},\n\t\t.n_variables = %zu,\n", template->n_variables);
	}
	if (binding->rule->body)
		print(out, "\t\t.body = \"%s\",\n", binding->rule->body);
	if (binding->rule->response_body)
		print(out, "\t\t.response_body = \"%s\",\n", binding->rule->response_body);
	print(out,
	      "\t\t.service = &%s_service_descriptor,\n\t\t.method = "
	      "&%s_service_methods[%td],\n\t},\n",
	      method->service->c_name, method->service->c_name, method - method->service->methods);
}

static int compare_messages(const void *a, const void *b)
{
	return strcmp((*(const struct message *const *)a)->full_name,
		      (*(const struct message *const *)b)->full_name);
}

/* All messages that stand alone: an entry of a map does not. */
static const struct message **collect_messages(struct schema *schema, size_t *ret)
{
	const struct message **messages;
	size_t n = 0, room = 0;

	for (size_t i = 0; i < schema->n_files; i++)
		room += schema->files[i].n_messages;
	messages = arena_alloc(schema->arena, (room + 1) * sizeof(*messages));
	for (size_t i = 0; i < schema->n_files; i++) {
		const struct file *file = &schema->files[i];

		for (size_t j = 0; file->used && !file->has_events && j < file->n_messages; j++)
			if (!file->messages[j]->map_entry)
				messages[n++] = file->messages[j];
	}
	qsort(messages, n, sizeof(*messages), compare_messages);
	*ret = n;
	return messages;
}

static void print_includes(struct output *out, const struct schema *schema)
{
	for (size_t i = 0; i < schema->n_files; i++) {
		const struct file *file = &schema->files[i];

		if (!file->used || file->has_events)
			continue;
		if (file->generate && file->n_services)
			print(out, "#include \"%s.rpc.h\"\n", file->stem);
		else
			print(out, "#include \"%s.msg.h\"\n", file->stem);
	}
}

void write_routes(struct outputs *outputs)
{
	struct schema *schema = outputs->schema;
	const char *name = schema->aggregate;
	struct output *out = output_new(outputs, arena_printf(schema->arena, "%s_routes.c", name));
	size_t n_bindings, n_messages;
	const struct binding *bindings = routes_collect(schema, &n_bindings);
	const struct message **messages = collect_messages(schema, &n_messages);

	print_head(out, "all files");
	print(out, "#include <crpc/route.h>\n");
	print_includes(out, schema);
	print(out, "\nextern const struct route %s_routes[];\nextern const size_t n_%s_routes;\n",
	      name, name);
	print(out, "extern const struct rpc_type_registry %s_types;\n\n", name);
	print(out, "/*\n * Sorted segment by segment: a literal before * before **, literals as "
		   "strcmp() has them, a path before those that\n"
		   " * go on from it; then by verb, none first; then by HTTP method. No two take "
		   "the same requests.\n */\n");
	print(out, "const struct route %s_routes[] = {\n", name);
	for (size_t i = 0; i < n_bindings; i++)
		print_route(out, &bindings[i]);
	if (!n_bindings)
		print(out, "\t{ 0 },\n");
	print(out, "};\nconst size_t n_%s_routes = %zu;\n", name, n_bindings);

	print(out, "\nstatic const ProtobufCMessageDescriptor *const types[] = {\n");
	for (size_t i = 0; i < n_messages; i++)
		print(out, "\t&%s_descriptor, /* %s */\n", messages[i]->c_name,
		      messages[i]->full_name);
	print(out, "\tNULL,\n};\nconst struct rpc_type_registry %s_types = { types, %zu };\n", name,
	      n_messages);
}
