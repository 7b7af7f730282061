/* What a schema may not say. Each refusal names the line, what is wrong, and what to do. */
#include "naming.h"
#include "products.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

enum {
	RATE_SECONDS_MAX = 24 * 3600,
	TIMEOUT_MS_MAX = 24 * 3600 * 1000,
	REQUEST_BYTES_MAX = 64 << 20,
};

/* --- fields --- */

static bool is_number(const struct field *field)
{
	return field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_BYTES &&
	       field->type != PROTOBUF_C_TYPE_MESSAGE && field->type != PROTOBUF_C_TYPE_BOOL &&
	       field->type != PROTOBUF_C_TYPE_ENUM;
}

/* "products/{product}/variants/{variant}": names and variables in turn, such as
 * users/{user}/credential too */
static bool is_resource_pattern(const char *pattern)
{
	bool variable = false;

	while (*pattern) {
		size_t length = strcspn(pattern, "/");
		size_t inner = *pattern == '{' ? 1 : 0;

		if (!length || (inner && pattern[length - 1] != '}') || length <= 2 * inner)
			return false;
		for (size_t i = inner; i < length - inner; i++)
			if (!isalnum((unsigned char)pattern[i]) && pattern[i] != '_' &&
			    pattern[i] != '-')
				return false;
		variable = variable || inner;
		pattern += length;
		if (*pattern && !*++pattern)
			return false;
	}
	return variable;
}

static void check_rules(struct schema *schema, const struct field *field)
{
	const struct rpc_rules *rules = field->rules;
	const char *name = field->parent->map_entry ? field->parent->name : field->name;
	bool text = field->type == PROTOBUF_C_TYPE_STRING;

	if ((rules->has_min || rules->has_max) && !is_number(field))
		refuse(schema, field->place,
		       "min and max bound numbers, and '%s' is none; take them away", name);
	if ((rules->has_min && !isfinite(rules->min)) || (rules->has_max && !isfinite(rules->max)))
		refuse(schema, field->place,
		       "a bound of '%s' is no finite number; leave it out instead", name);
	if (rules->has_min && rules->has_max && rules->min > rules->max)
		refuse(schema, field->place, "no number is from %g to %g; swap the bounds of '%s'",
		       rules->min, rules->max, name);
	if ((rules->min_len || rules->max_len) && !text && field->type != PROTOBUF_C_TYPE_BYTES)
		refuse(schema, field->place,
		       "min_len and max_len are for strings and bytes, and '%s' is neither; take "
		       "them away",
		       name);
	if (rules->max_len && rules->min_len > rules->max_len)
		refuse(schema, field->place, "no length is from %u to %u; swap the bounds of '%s'",
		       rules->min_len, rules->max_len, name);
	if (text && !rules->max_len && rules->min_len > 1024)
		refuse(schema, field->place,
		       "min_len of '%s' is above the default max_len of 1024; set max_len too",
		       name);
	if ((rules->min_items || rules->max_items) && !field->repeated)
		refuse(schema, field->place,
		       "min_items and max_items are for repeated fields and maps, and '%s' is "
		       "none; take them away",
		       name);
	if (rules->max_items && rules->min_items > rules->max_items)
		refuse(schema, field->place,
		       "no number of elements is from %u to %u; swap the bounds of '%s'",
		       rules->min_items, rules->max_items, name);
	if (field->repeated && !rules->max_items && rules->min_items > 1000)
		refuse(schema, field->place,
		       "min_items of '%s' is above the default max_items of 1000; set max_items "
		       "too",
		       name);
	if ((rules->format || rules->resource) && !text)
		refuse(schema, field->place,
		       "format and resource are for strings, and '%s' is none; take them away",
		       name);
	if ((unsigned)rules->format > RPC_FORMAT_ANY)
		refuse(schema, field->place,
		       "the format %d of '%s' is unknown; use one of crpc.v1.Rules.Format",
		       rules->format, name);
	if (rules->resource && !is_resource_pattern(rules->resource))
		refuse(schema, field->place,
		       "'%s' names no resource; write it like products/{product}", rules->resource);
}

static void check_message(struct schema *schema, const struct message *message)
{
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct field *field = &message->fields[i];

		if (field->is_group)
			refuse(schema, field->place,
			       "'%s' is a group; make it a message of its own", field->name);
		if (field->rules)
			check_rules(schema, field);
		if ((field->behaviors & RPC_FIELD_REQUIRED) &&
		    (field->behaviors & RPC_FIELD_OUTPUT_ONLY))
			refuse(schema, field->place,
			       "'%s' is REQUIRED of clients and OUTPUT_ONLY, which is theirs not "
			       "to say; take one away",
			       field->name);
		if (!message->file->has_events && field->message &&
		    field->message->file->has_events)
			refuse(schema, field->place,
			       "'%s' is of %s, which is in a file of events and so nanopb's; move "
			       "the type to another file",
			       field->name, field->message->full_name);
		if (!message->file->has_events && field->enumeration &&
		    field->enumeration->file->has_events)
			refuse(schema, field->place,
			       "'%s' is of %s, which is in a file of events and so nanopb's; move "
			       "the type to another file",
			       field->name, field->enumeration->full_name);
		/* JSON is read in both spellings, so neither may mean two fields. */
		for (size_t j = 0; j < message->n_fields; j++) {
			const struct field *other = &message->fields[j];

			if (j < i && !strcmp(field->json_name, other->json_name))
				refuse(schema, field->place,
				       "JSON calls both '%s' and '%s' \"%s\"; rename one, or give "
				       "it a json_name",
				       other->name, field->name, field->json_name);
			else if (j != i && !strcmp(field->json_name, other->name) &&
				 strcmp(field->json_name, other->json_name))
				refuse(schema, field->place,
				       "JSON calls '%s' \"%s\", which is also the name of another "
				       "field; rename one",
				       field->name, field->json_name);
		}
	}
	if (message->n_fields > UINT16_MAX)
		refuse(schema, message->place, "'%s' has more than 65535 fields; split it",
		       message->name);
}

/* --- reasons --- */

static bool braces_match(const char *text)
{
	while (*text) {
		size_t length;

		text += strcspn(text, "{}");
		if (!*text)
			return true;
		if (*text++ == '}')
			return false;
		length = strcspn(text, "{}");
		if (!length || text[length] != '}')
			return false;
		for (size_t i = 0; i < length; i++)
			if (!isalnum((unsigned char)text[i]) && text[i] != '_')
				return false;
		text += length + 1;
	}
	return true;
}

/* errno.h's names are macros: EINVAL */
static bool is_errno_name(const char *name)
{
	if (*name != 'E' || !name[1])
		return false;
	for (; *name; name++)
		if (!isupper((unsigned char)*name) && !isdigit((unsigned char)*name))
			return false;
	return true;
}

static void check_reasons(struct schema *schema, const struct enumeration *enumeration)
{
	static const char suffix[] = "ErrorReason";
	size_t length = strlen(enumeration->name);

	if (length < sizeof(suffix) ||
	    strcmp(enumeration->name + length - (sizeof(suffix) - 1), suffix)) {
		refuse(schema, enumeration->place,
		       "'%s' has reasons but is not named so; call it <Service>ErrorReason",
		       enumeration->name);
		return;
	}
	for (size_t i = 0; i < enumeration->n_values; i++) {
		const struct value *value = &enumeration->values[i];

		if (!value->number) {
			if (value->has_reason)
				refuse(schema, value->place,
				       "the zero of an enum is never sent; take the reason from "
				       "'%s'",
				       value->name);
			continue;
		}
		if (!value->has_reason)
			refuse(schema, value->place,
			       "'%s' has no code and no message; write [(crpc.v1.reason) = { code: "
			       "5 message: \"...\" }]",
			       value->name);
		else if (value->code < 1 || value->code >= N_RPC_CODES)
			refuse(schema, value->place,
			       "%d is not the code of an error; use 1 to 16 of google.rpc.Code",
			       value->code);
		else if (!*value->message)
			refuse(schema, value->place,
			       "'%s' has no message; write a sentence for a developer",
			       value->name);
		else if (!braces_match(value->message))
			refuse(schema, value->place,
			       "the braces in the message of '%s' do not match; write {key} for "
			       "metadata",
			       value->name);
		if (is_errno_name(value->name) || name_is_reserved(value->name))
			refuse(schema, value->place,
			       "'%s' is a macro of C; call the reason something longer",
			       value->name);
	}
}

/* --- methods --- */

static void check_access(struct schema *schema, const struct method *method)
{
	const struct rpc_access *access = &method->access;
	const struct field *owner;

	if (!method->has_access) {
		refuse(schema, method->place,
		       "'%s' does not say who may call it; write option (crpc.v1.access) = { "
		       "level: ... }",
		       method->name);
		return;
	}
	if ((unsigned)access->level > RPC_LEVEL_USER)
		refuse(schema, method->place,
		       "the level %d of '%s' is unknown; use PUBLIC, SESSION or USER",
		       access->level, method->name);
	for (size_t i = 0; access->callers && access->callers[i]; i++)
		if (!*access->callers[i])
			refuse(schema, method->place, "a caller of '%s' has no name; take it away",
			       method->name);
	if (!access->owner)
		return;
	if (access->level < RPC_LEVEL_SESSION)
		refuse(schema, method->place,
		       "'%s' has an owner, but admits whoever has none; set level to SESSION or "
		       "USER",
		       method->name);
	owner = schema_find_field(method->request, access->owner);
	if (!owner)
		refuse(schema, method->place, "the owner '%s' is no field of %s; name one",
		       access->owner, method->request->name);
	else if (owner->type != PROTOBUF_C_TYPE_STRING || owner->repeated)
		refuse(schema, method->place,
		       "the owner '%s' is not a string; name the field that holds the user's name",
		       access->owner);
}

static void check_limits(struct schema *schema, const struct method *method)
{
	if (method->has_timeout && (method->timeout_ms < 1 || method->timeout_ms > TIMEOUT_MS_MAX))
		refuse(schema, method->place,
		       "the timeout of '%s' is not from 1 ms to 1 day; choose one that is",
		       method->name);
	if (method->has_rate_limit && (method->rate_requests < 1 || method->rate_seconds < 1 ||
				       method->rate_seconds > RATE_SECONDS_MAX))
		refuse(schema, method->place,
		       "the rate limit of '%s' is not some requests in 1 s to 1 day; set requests "
		       "and per",
		       method->name);
	if (method->max_request_bytes < 0 || method->max_request_bytes > REQUEST_BYTES_MAX)
		refuse(schema, method->place,
		       "max_request_bytes of '%s' is not from 1 to 64 MiB; choose one that is",
		       method->name);
	for (size_t i = 0; i < method->n_http_headers; i++) {
		const char *header = method->http_headers[i];
		bool valid = *header != '\0';

		for (; *header; header++)
			valid = valid && (islower((unsigned char)*header) ||
					  isdigit((unsigned char)*header) || *header == '-' ||
					  *header == '_');
		if (!valid)
			refuse(schema, method->place,
			       "'%s' is no header's name in lower case; correct http_headers of "
			       "'%s'",
			       method->http_headers[i], method->name);
	}
}

static void check_resume_field(struct schema *schema, const struct method *method,
			       const struct message *message, const char *name)
{
	const struct field *field =
		!name || strchr(name, '.') ? NULL : schema_find_field(message, name);

	if (!field || field->repeated || field->type != PROTOBUF_C_TYPE_STRING)
		refuse(schema, method->place, "'%s' of resume is no string field of %s; name one",
		       name ? name : "", message->name);
}

static void check_resume(struct schema *schema, const struct method *method)
{
	if (!method->resumes)
		return;
	if (!method->server_streaming || method->client_streaming)
		refuse(schema, method->place,
		       "'%s' is no stream from the server alone, so it has nowhere to go on; take "
		       "resume away",
		       method->name);
	check_resume_field(schema, method, method->request, method->resume_request);
	check_resume_field(schema, method, method->response, method->resume_response);
}

static void check_service(struct schema *schema, const struct service *service)
{
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct method *method = &service->methods[i];

		check_access(schema, method);
		check_limits(schema, method);
		check_resume(schema, method);
		check_routes(schema, method);
		if (method->request->file->has_events || method->response->file->has_events)
			refuse(schema, method->place,
			       "'%s' takes or returns a type of a file of events, which is "
			       "nanopb's; move the type to another file",
			       method->name);
	}
}

/* --- events --- */

static void check_event(struct schema *schema, const struct message *message)
{
	const struct field *subject = NULL;
	size_t capitals = 0;

	for (const char *at = message->name; *at; at++)
		capitals += isupper((unsigned char)*at) ? 1 : 0;
	if (message->parent || capitals < 2 || !isupper((unsigned char)*message->name))
		refuse(schema, message->place,
		       "'%s' is not named like an event; write a noun and a verb in the past "
		       "tense, such as OrderPaid, at the top",
		       message->name);
	for (size_t i = 0; i < message->n_fields; i++)
		if (!strcmp(message->fields[i].name, message->event_subject))
			subject = &message->fields[i];
	if (!*message->event_subject)
		refuse(schema, message->place,
		       "the event '%s' does not say what it is about; set subject to the field "
		       "that holds a name",
		       message->name);
	else if (!subject)
		refuse(schema, message->place,
		       "'%s' has no field '%s' for its subject; name one that it has",
		       message->name, message->event_subject);
	else if (subject->type != PROTOBUF_C_TYPE_STRING || subject->repeated || subject->oneof ||
		 subject->proto3_optional)
		refuse(schema, subject->place,
		       "'%s' is the event's subject, and so one plain string; make it one",
		       subject->name);
}

static void check_file(struct schema *schema, const struct file *file)
{
	if (!file->proto3) {
		refuse(schema, (struct place){ file, 1 },
		       "only proto3 is supported; write syntax = \"proto3\"");
		return;
	}
	if (file->has_events && file->n_services)
		refuse(schema, file->services[0].place,
		       "the file holds events, and so no service; move '%s' to another file",
		       file->services[0].name);
	for (size_t i = 0; i < file->n_messages; i++) {
		check_message(schema, file->messages[i]);
		if (file->messages[i]->is_event)
			check_event(schema, file->messages[i]);
	}
	for (size_t i = 0; i < file->n_enumerations; i++)
		if (file->enumerations[i]->is_reasons)
			check_reasons(schema, file->enumerations[i]);
	for (size_t i = 0; i < file->n_services; i++)
		check_service(schema, &file->services[i]);
}

void check_schema(struct schema *schema)
{
	for (size_t i = 0; i < schema->n_files; i++)
		if (schema->files[i].generate)
			check_file(schema, &schema->files[i]);
	if (schema->n_errors)
		return;
	name_check(schema);
	check_ambiguous_routes(schema);
}
