/* What protoc hands on by --crpc_opt. */
#include "naming.h"
#include <errno.h>
#include <string.h>

static int read_setting(struct schema *schema, const char *word)
{
	static const char *const kinds[] = { "prefix", "access", "stem", "rules", "reflect" };
	const char *colon = strchr(word, ':');
	const char *equals = colon ? strchr(colon, '=') : NULL;
	struct setting *setting = &schema->settings[schema->n_settings];

	if (!equals || equals == colon + 1 || !equals[1])
		return -EINVAL;
	*setting = (struct setting){
		.kind = arena_strndup(schema->arena, word, (size_t)(colon - word)),
		.key = arena_strndup(schema->arena, colon + 1, (size_t)(equals - colon - 1)),
		.value = equals + 1,
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i], setting->kind))
			continue;
		if (i == 0 && !name_is_identifier(setting->value))
			return -EINVAL;
		if (i == 1 && strcmp(setting->value, "public") &&
		    strcmp(setting->value, "session") && strcmp(setting->value, "user"))
			return -EINVAL;
		if (i == 2 && strpbrk(setting->value, "\"\\*? \n"))
			return -EINVAL;
		if (i == 3 && strcmp(setting->value, "none"))
			return -EINVAL;
		if (i == 4 && !name_is_identifier(setting->value))
			return -EINVAL;
		schema->n_settings++;
		return 0;
	}
	return -EINVAL;
}

int schema_read_parameter(struct schema *schema, const char *parameter)
{
	char *text = arena_strndup(schema->arena, parameter, strlen(parameter)), *rest = text,
	     *word;

	schema->settings =
		arena_alloc(schema->arena, (strlen(text) / 2 + 1) * sizeof(*schema->settings));
	while ((word = strsep(&rest, ","))) {
		if (!*word)
			continue;
		if (!strcmp(word, "flat")) {
			schema->flat = true;
		} else if (!strncmp(word, "aggregate=", 10) && name_is_identifier(word + 10)) {
			schema->aggregate = word + 10;
		} else if (read_setting(schema, word)) {
			refuse(schema, (struct place){ 0 },
			       "the parameter '%s' is unknown; use flat, aggregate=NAME, "
			       "prefix:PACKAGE=PREFIX, "
			       "access:PACKAGE=public|session|user, rules:PACKAGE=none, "
			       "stem:FILE=STEM or reflect:FILE=NAME",
			       word);
			return -EINVAL;
		}
	}
	return 0;
}

const char *schema_setting(const struct schema *schema, const char *kind, const char *name)
{
	const char *value = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < schema->n_settings; i++) {
		const struct setting *setting = &schema->settings[i];
		size_t length = strlen(setting->key);

		if (strcmp(setting->kind, kind) || length < longest ||
		    strncmp(setting->key, name, length))
			continue;
		if (name[length] && name[length] != '.')
			continue;
		value = setting->value;
		longest = length;
	}
	return value;
}

struct field *schema_find_field(const struct message *message, const char *path)
{
	struct field *field = NULL;

	while (message && *path) {
		size_t length = strcspn(path, ".");

		field = NULL;
		for (size_t i = 0; i < message->n_fields; i++)
			if (strlen(message->fields[i].name) == length &&
			    !strncmp(message->fields[i].name, path, length))
				field = &message->fields[i];
		if (!field)
			return NULL;
		path += length;
		if (!*path)
			return field;
		path++;
		message = field->repeated ? NULL : field->message;
	}
	return NULL;
}

const char *schema_platform(const struct schema *schema, const struct file *file)
{
	return arena_strndup(schema->arena, file->package, strcspn(file->package, "."));
}

static bool is_version(const char *part)
{
	return *part == 'v' && part[1] >= '0' && part[1] <= '9';
}

const char *schema_domain(const struct schema *schema, const struct file *file)
{
	const char *package = file->package;
	const char *last = strrchr(package, '.');
	size_t length = strlen(package);
	const char *domain;

	if (last && is_version(last + 1))
		length = (size_t)(last - package);
	domain = arena_strndup(schema->arena, package, length);
	last = strrchr(domain, '.');
	return last ? last + 1 : domain;
}
