/* JSON Schemas of messages, by the proto3 JSON mapping. */
#include "openapi.h"
#include <math.h>
#include <string.h>

static json_t *typed(const char *type, const char *format)
{
	json_t *object = openapi_object("type", openapi_text(type));

	if (format)
		openapi_set(object, "format", openapi_text(format));
	return object;
}

static json_t *nullable(json_t *schema)
{
	json_t *types = json_array();

	json_array_append(types, json_object_get(schema, "type"));
	json_array_append_new(types, openapi_text("null"));
	openapi_set(schema, "type", types);
	return schema;
}

static json_t *scalar(ProtobufCType type)
{
	json_t *object;

	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return typed("integer", "int32");
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		object = typed("integer", "uint32");
		openapi_set(object, "minimum", json_integer(0));
		return object;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		object = typed("string", "int64"); /* JavaScript's numbers end at 2^53 */
		openapi_set(object, "pattern", openapi_text("^-?[0-9]{1,19}$"));
		return object;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		object = typed("string", "uint64");
		openapi_set(object, "pattern", openapi_text("^[0-9]{1,20}$"));
		return object;
	case PROTOBUF_C_TYPE_FLOAT:
		return typed("number", "float");
	case PROTOBUF_C_TYPE_DOUBLE:
		return typed("number", "double");
	case PROTOBUF_C_TYPE_BOOL:
		return typed("boolean", NULL);
	case PROTOBUF_C_TYPE_BYTES:
		object = typed("string", NULL);
		openapi_set(object, "contentEncoding", openapi_text("base64"));
		return object;
	default:
		return typed("string", NULL);
	}
}

static json_t *reference(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "#/components/schemas/%s", name);
	return openapi_object("$ref", openapi_text(path));
}

static json_t *enumeration_reference(struct openapi *openapi, const struct enumeration *enumeration)
{
	struct arena *arena = openapi->schema->arena;
	const char *description = openapi_comment(arena, enumeration->comment);
	json_t *object, *values;

	if (!strcmp(enumeration->full_name, "google.protobuf.NullValue"))
		return typed("null", NULL);
	if (json_object_get(openapi->schemas, enumeration->c_name))
		return reference(enumeration->c_name);
	object = typed("string", NULL);
	values = json_array();
	for (size_t i = 0; i < enumeration->n_values; i++) {
		const char *comment = openapi_comment(arena, enumeration->values[i].comment);

		json_array_append_new(values, openapi_text(enumeration->values[i].name));
		if (*comment)
			description = arena_printf(arena, "%s%s- `%s`: %s", description,
						   *description ? (i ? "\n" : "\n\n") : "",
						   enumeration->values[i].name, comment);
	}
	openapi_set(object, "enum", values);
	if (*description)
		openapi_set(object, "description", openapi_text(description));
	openapi_set(openapi->schemas, enumeration->c_name, object);
	return reference(enumeration->c_name);
}

/* The types whose JSON is their own. NULL for the others. */
static json_t *well_known(const struct message *message)
{
	json_t *object;

	switch (message->kind) {
	case RPC_KIND_TIMESTAMP:
		return typed("string", "date-time");
	case RPC_KIND_DURATION:
		object = typed("string", NULL);
		openapi_set(object, "pattern", openapi_text("^-?[0-9]+(\\.[0-9]{1,9})?s$"));
		return object;
	case RPC_KIND_FIELD_MASK:
		return typed("string", NULL);
	case RPC_KIND_STRUCT:
	case RPC_KIND_EMPTY:
		return typed("object", NULL);
	case RPC_KIND_VALUE:
	case RPC_KIND_HTTP_BODY:
		return json_object();
	case RPC_KIND_LIST_VALUE:
		object = typed("array", NULL);
		openapi_set(object, "items", json_object());
		return object;
	case RPC_KIND_WRAPPER:
		return message->n_fields ? nullable(scalar(message->fields[0].type))
					 : json_object();
	case RPC_KIND_ANY:
		object = typed("object", NULL);
		openapi_set(object, "properties", openapi_object("@type", typed("string", NULL)));
		openapi_set(object, "required", json_pack("[s]", "@type"));
		openapi_set(object, "additionalProperties", json_true());
		return object;
	default:
		return NULL;
	}
}

static bool is_required(const struct field *field)
{
	return field->behaviors & RPC_FIELD_REQUIRED;
}

/* An empty string is unset, where a field may be unset. */
static bool may_not_be_empty(const struct field *field)
{
	return field->repeated || is_required(field);
}

static json_t *bound(double number)
{
	return fabs(number) < 1e15 && number == floor(number) ? json_integer((json_int_t)number)
							      : json_real(number);
}

static void add_number_rules(json_t *object, const struct field *field)
{
	bool text = json_object_get(object, "type") &&
		    !strcmp(json_string_value(json_object_get(object, "type")), "string");

	/* 64-bit numbers are strings in JSON, which have no least value */
	if (text)
		return;
	if (field->rules->has_min)
		openapi_set(object, "minimum", bound(field->rules->min));
	if (field->rules->has_max)
		openapi_set(object, "maximum", bound(field->rules->max));
}

static const char id_pattern[] = "[A-Za-z0-9._~-]{1,128}";

/* "products/{product}" is a name, or the id alone where it is the only variable. */
static const char *resource_pattern(struct arena *arena, const char *resource)
{
	const char *variable = strchr(resource, '{'), *pattern = "";
	bool id_is_enough = variable && !strchr(variable, '/');

	if (id_is_enough)
		return arena_printf(arena, "(%.*s)?%s", (int)(variable - resource), resource,
				    id_pattern);
	while (*resource) {
		size_t length = strcspn(resource, "/");

		pattern = *resource == '{'
				  ? arena_printf(arena, "%s%s", pattern, id_pattern)
				  : arena_printf(arena, "%s%.*s", pattern, (int)length, resource);
		resource += length;
		if (*resource == '/') {
			pattern = arena_printf(arena, "%s/", pattern);
			resource++;
		}
	}
	return pattern;
}

static void add_text_rules(struct arena *arena, json_t *object, const struct field *field)
{
	static const char *const patterns[] = {
		[RPC_FORMAT_CURRENCY] = "[A-Z]{3}",
		[RPC_FORMAT_COUNTRY] = "[A-Z]{2}",
		[RPC_FORMAT_PHONE] = "\\+[1-9][0-9]{5,14}",
		[RPC_FORMAT_LANGUAGE] = "([A-Za-z]{2,3}|[A-Za-z]{5,8})(-[A-Za-z0-9]{1,8})*",
		[RPC_FORMAT_ID] = id_pattern,
		[RPC_FORMAT_ANY] = NULL,
	};
	const char *pattern = field->rules->resource
				      ? resource_pattern(arena, field->rules->resource)
				      : patterns[field->rules->format];

	if (field->type != PROTOBUF_C_TYPE_STRING)
		return;
	if (field->rules->min_len && may_not_be_empty(field))
		openapi_set(object, "minLength", json_integer(field->rules->min_len));
	if (field->rules->max_len)
		openapi_set(object, "maxLength", json_integer(field->rules->max_len));
	if (field->rules->format == RPC_FORMAT_EMAIL)
		openapi_set(object, "format", openapi_text("email"));
	else if (field->rules->format == RPC_FORMAT_URI)
		openapi_set(object, "format", openapi_text("uri"));
	if (pattern)
		openapi_set(object, "pattern",
			    openapi_text(arena_printf(
				    arena, may_not_be_empty(field) ? "^%s$" : "^(%s)?$", pattern)));
}

static json_t *element(struct openapi *openapi, const struct field *field)
{
	json_t *object;

	if (field->enumeration) {
		object = enumeration_reference(openapi, field->enumeration);
		/* the zero says nothing */
		if (is_required(field) && !field->repeated && field->enumeration->n_values)
			openapi_set(
				object, "not",
				json_pack("{s:s}", "const", field->enumeration->values[0].name));
		return object;
	}
	if (field->message)
		return openapi_message(openapi, field->message);
	object = scalar(field->type);
	if (is_required(field) && !field->repeated &&
	    (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES))
		openapi_set(object, "minLength", json_integer(1));
	if (field->rules) {
		add_number_rules(object, field);
		add_text_rules(openapi->schema->arena, object, field);
	}
	return object;
}

static json_t *shape(struct openapi *openapi, const struct field *field)
{
	json_t *object;

	if (field->behaviors & RPC_FIELD_MAP) {
		object = typed("object", NULL);
		openapi_set(object, "additionalProperties",
			    element(openapi, field->message->sorted[1]));
		if (field->rules && field->rules->min_items)
			openapi_set(object, "minProperties", json_integer(field->rules->min_items));
		if (field->rules && field->rules->max_items)
			openapi_set(object, "maxProperties", json_integer(field->rules->max_items));
		return object;
	}
	if (field->repeated) {
		object = typed("array", NULL);
		openapi_set(object, "items", element(openapi, field));
		if (field->rules && field->rules->min_items)
			openapi_set(object, "minItems", json_integer(field->rules->min_items));
		if (field->rules && field->rules->max_items)
			openapi_set(object, "maxItems", json_integer(field->rules->max_items));
		return object;
	}
	return element(openapi, field);
}

static const char *describe(struct openapi *openapi, const struct field *field)
{
	struct arena *arena = openapi->schema->arena;
	const char *text = openapi_comment(arena, field->comment), *others = "";

	if (field->rules && field->rules->resource)
		text = arena_printf(arena, "%s%sNames a `%s`; a bare id is enough.", text,
				    *text ? "\n\n" : "", field->rules->resource);
	if (!field->oneof)
		return text;
	for (size_t i = 0; i < field->parent->n_fields; i++) {
		const struct field *other = &field->parent->fields[i];

		if (other->oneof == field->oneof && other->number != field->number)
			others = arena_printf(arena, "%s%s`%s`", others, *others ? ", " : "",
					      other->json_name);
	}
	return *others ? arena_printf(arena, "%s%sNot together with %s.", text, *text ? "\n\n" : "",
				      others)
		       : text;
}

json_t *openapi_field(struct openapi *openapi, const struct field *field)
{
	json_t *object = shape(openapi, field);
	const char *description = describe(openapi, field);

	if (*description)
		openapi_set(object, "description", openapi_text(description));
	if (field->behaviors & RPC_FIELD_OUTPUT_ONLY)
		openapi_set(object, "readOnly", json_true());
	if (field->behaviors & RPC_FIELD_INPUT_ONLY)
		openapi_set(object, "writeOnly", json_true());
	return object;
}

/* Of a oneof at most one: no two of its members are there. Without what the path holds. */
static json_t *exclusions(const json_t *members, const struct message *message)
{
	json_t *pairs = json_array();

	for (size_t i = 0; i < message->n_fields; i++) {
		const struct field *a = &message->fields[i];

		for (size_t j = i + 1; a->oneof && j < message->n_fields; j++) {
			const struct field *b = &message->fields[j];

			if (b->oneof == a->oneof && json_object_get(members, a->json_name) &&
			    json_object_get(members, b->json_name))
				json_array_append_new(pairs, json_pack("{s:[s,s]}", "required",
								       a->json_name, b->json_name));
		}
	}
	return pairs;
}

static json_t *properties(struct openapi *openapi, const struct message *message,
			  const struct binding *without, bool partial)
{
	json_t *object = typed("object", NULL), *members = json_object(), *required = json_array(),
	       *pairs;
	const char *description = openapi_comment(openapi->schema->arena, message->comment);

	if (*description)
		openapi_set(object, "description", openapi_text(description));
	for (size_t i = 0; i < message->n_fields; i++) {
		struct field field = message->fields[i];

		/* what stands in the path or in Idempotency-Key is not said again */
		if (without && (openapi_path_holds(&without->template, &field) ||
				&message->fields[i] == without->method->request_id))
			continue;
		if (partial)
			field.behaviors &= ~(uint32_t)RPC_FIELD_REQUIRED;
		if (partial && (field.behaviors & RPC_FIELD_IDENTIFIER))
			field.rules = NULL; /* the path says it, whatever the body does */
		openapi_set(members, field.json_name, openapi_field(openapi, &field));
		if (is_required(&field))
			json_array_append_new(required, openapi_text(field.json_name));
	}
	pairs = exclusions(members, message);
	if (json_array_size(pairs) == 1)
		openapi_set(object, "not", json_incref(json_array_get(pairs, 0)));
	else if (json_array_size(pairs))
		openapi_set(object, "not", openapi_object("anyOf", json_incref(pairs)));
	json_decref(pairs);
	if (json_object_size(members))
		openapi_set(object, "properties", members);
	else
		json_decref(members);
	if (json_array_size(required))
		openapi_set(object, "required", required);
	else
		json_decref(required);
	return object;
}

/* google.type says it in comments only, and rpc_validate() holds to it. */
static void add_money_rules(json_t *money)
{
	json_t *members = json_object_get(money, "properties"),
	       *currency = json_object_get(members, "currencyCode"),
	       *nanos = json_object_get(members, "nanos");

	if (!currency || !nanos)
		return;
	openapi_set(currency, "pattern", openapi_text("^[A-Z]{3}$"));
	openapi_set(nanos, "minimum", json_integer(-999999999));
	openapi_set(nanos, "maximum", json_integer(999999999));
	openapi_set(money, "required", json_pack("[s]", "currencyCode"));
}

static json_t *component(struct openapi *openapi, const struct message *message, const char *name,
			 bool partial)
{
	json_t *object;

	if (!json_object_get(openapi->schemas, name)) {
		/* first its place: a message may hold itself */
		openapi_set(openapi->schemas, name, json_object());
		object = properties(openapi, message, NULL, partial);
		if (!strcmp(message->full_name, "google.type.Money"))
			add_money_rules(object);
		json_object_update(json_object_get(openapi->schemas, name), object);
		json_decref(object);
	}
	return reference(name);
}

json_t *openapi_message(struct openapi *openapi, const struct message *message)
{
	json_t *object = well_known(message);

	return object ? object : component(openapi, message, message->c_name, false);
}

json_t *openapi_message_partial(struct openapi *openapi, const struct message *message)
{
	json_t *object = well_known(message);

	if (object)
		return object;
	return component(openapi, message,
			 arena_printf(openapi->schema->arena, "%sPatch", message->c_name), true);
}

json_t *openapi_request_body(struct openapi *openapi, const struct binding *binding)
{
	const struct message *request = binding->method->request;
	json_t *object = well_known(request);

	if (!object)
		object = properties(openapi, request, binding, false);
	else if (request->kind == RPC_KIND_EMPTY)
		json_object_del(object, "properties");
	if (!json_object_get(object, "properties") && request->kind != RPC_KIND_STRUCT) {
		json_decref(object);
		return NULL;
	}
	return object;
}

bool openapi_path_holds(const struct template *template, const struct field *field)
{
	for (size_t i = 0; i < template->n_variables; i++)
		if (!strcmp(template->variables[i].field, field->name))
			return true;
	return false;
}
