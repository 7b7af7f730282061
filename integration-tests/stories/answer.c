/* What an answer says, by paths into its JSON, and what a test expects of it. */
#include "http.h"
#include "platform.h"
#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

json_t *json_path(json_t *json, const char *path)
{
	while (json && *path) {
		size_t length = strcspn(path, ".");
		const char *key = text("%.*s", (int)length, path);

		json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10))
					   : json_object_get(json, key);
		path += length + (path[length] == '.');
	}
	return json;
}

json_t *json_at(const struct response *response, const char *path)
{
	return json_path(response->json, path);
}

static void missing(const struct response *response, const char *what, const char *path)
	__attribute__((noreturn));
static void missing(const struct response *response, const char *what, const char *path)
{
	ck_abort_msg("%s: there is no %s at '%s' in: %d %.2000s", response->request, what, path,
		     response->status, response->body);
	abort();
}

const char *text_at(const struct response *response, const char *path)
{
	json_t *json = json_at(response, path);

	if (!json_is_string(json))
		missing(response, "text", path);
	return json_string_value(json);
}

int64_t number_at(const struct response *response, const char *path)
{
	json_t *json = json_at(response, path);
	const char *digits = json_string_value(json);
	char *end;
	int64_t number;

	if (json_is_integer(json))
		return json_integer_value(json);
	number = strtoll(digits ? digits : "", &end, 10);
	if (!digits || !*digits || *end)
		missing(response, "number", path);
	return number;
}

bool flag_at(const struct response *response, const char *path)
{
	return json_is_true(json_at(response, path));
}

size_t count_at(const struct response *response, const char *path)
{
	return json_array_size(json_at(response, path));
}

int64_t cents_at(const struct response *response, const char *path)
{
	if (!json_at(response, path))
		return 0;
	return (json_at(response, text("%s.units", path))
			? number_at(response, text("%s.units", path))
			: 0) *
		       100 +
	       (json_at(response, text("%s.nanos", path))
			? number_at(response, text("%s.nanos", path))
			: 0) /
		       10000000;
}

const char *id_at(const struct response *response, const char *path)
{
	const char *name = text_at(response, path), *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

json_t *find_at(const struct response *response, const char *path, const char *key,
		const char *value)
{
	json_t *element;
	size_t i;

	json_array_foreach(json_at(response, path), i, element)
	{
		const char *found = json_string_value(json_path(element, key));

		if (found && !strcmp(found, value))
			return element;
	}
	return NULL;
}

struct response *expect_status(struct response *response, int status, const char *file, int line)
{
	if (response->status != status)
		_ck_assert_failed(file, line, "", "%s: %d was expected, and it answered %d %.2000s",
				  response->request, status, response->status, response->body);
	return response;
}

static json_t *detail(const struct response *response, const char *type)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_at(response, "error.details"), i, one)
	{
		const char *url = json_string_value(json_object_get(one, "@type"));

		if (url && !strcmp(url, text("type.googleapis.com/google.rpc.%s", type)))
			return one;
	}
	return NULL;
}

const char *error_reason(const struct response *response)
{
	const char *reason = json_string_value(json_path(detail(response, "ErrorInfo"), "reason"));

	return reason ? reason : "";
}

/* Paths of fields are spelled as in the proto or as in JSON: "page_size", "pageSize". */
static char *spelled(const char *name)
{
	char *plain = text("%s", name), *to = plain;

	for (const char *at = plain; *at; at++)
		if (*at != '_')
			*to++ = tolower((unsigned char)*at);
	*to = '\0';
	return plain;
}

bool error_tells(const struct response *response, const char *field)
{
	return strstr(spelled(text_at(response, "error.message")), spelled(field));
}

bool error_names(const struct response *response, const char *field)
{
	json_t *violation;
	size_t i;

	json_array_foreach(json_path(detail(response, "BadRequest"), "fieldViolations"), i,
			   violation)
	{
		const char *named = json_string_value(json_object_get(violation, "field"));

		if (named && !strcmp(spelled(named), spelled(field)))
			return true;
	}
	return false;
}

struct response *expect_reason(struct response *response, int status, const char *reason,
			       const char *file, int line)
{
	json_t *code = json_at(response, "error.code"),
	       *message = json_at(response, "error.message");

	expect_status(response, status, file, line);
	if (json_integer_value(code) != status || !json_is_string(message) ||
	    !*json_string_value(message) || !json_is_string(json_at(response, "error.status")))
		_ck_assert_failed(file, line, "", "%s: this is no error by AIP-193: %s",
				  response->request, response->body);
	if (reason && strcmp(error_reason(response), reason))
		_ck_assert_failed(file, line, "",
				  "%s: the reason %s was expected, and it is: %.2000s",
				  response->request, reason, response->body);
	return response;
}
