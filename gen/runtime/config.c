/* Options from the environment. */
#include <crpc/cleanup.h>
#include <crpc/config.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum { SECRET_FILE_MAX = 64 * 1024, NAME_MAX_LENGTH = 128 };

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit time_units[] = {
	{ "ms", 1 },      { "s", 1000 },     { "m", 60000 },
	{ "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};
static const struct unit size_units[] = {
	{ "", 1 },          { "B", 1 },         { "KiB", 1 << 10 },
	{ "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { NULL, 0 },
};
static const char *const type_names[] = {
	[OPTION_STRING] = "text",       [OPTION_SECRET] = "secret",
	[OPTION_INTEGER] = "integer",   [OPTION_BOOLEAN] = "true or false",
	[OPTION_DURATION] = "duration", [OPTION_SIZE] = "size",
};

static void file_close(FILE *file)
{
	if (file)
		fclose(file);
}
DEFINE_CLEANUP(FILE *, file_close)

/* Strings live as long as the process: the list keeps what a later reading replaces. */
struct kept {
	struct kept *next;
	char text[];
};
static struct kept *kept;

static const char *keep(const char *text, size_t length)
{
	struct kept *copy = malloc(sizeof(*copy) + length + 1);

	if (!copy)
		abort();
	memcpy(copy->text, text, length);
	copy->text[length] = '\0';
	copy->next = kept;
	kept = copy;
	return copy->text;
}

static __attribute__((format(printf, 2, 3))) int refuse(char **error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(error, format, arguments) < 0)
		abort();
	va_end(arguments);
	return -EINVAL;
}

/* A whole number and one of the units; false on anything else, overflow too. */
static bool parse_quantity(const char *text, const struct unit *units, int64_t *ret)
{
	char *end;
	long long number;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno)
		return false;
	for (; units->name; units++)
		if (!strcmp(end, units->name))
			return !__builtin_mul_overflow((int64_t)number, units->factor, ret);
	return false;
}

static bool parse_integer(const char *text, int64_t *ret)
{
	char *end;
	long long number;

	if (!isdigit((unsigned char)text[*text == '-']))
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || *end)
		return false;
	*ret = number;
	return true;
}

static bool in_range(const struct option *option, int64_t value)
{
	if (!option->min && !option->max)
		return value >= 0;
	return value >= option->min && value <= option->max;
}

static int refuse_range(const char *name, const struct option *option, const char *text,
			char **error)
{
	const char *unit = option->type == OPTION_DURATION ? " ms" : "";

	if (!option->min && !option->max)
		return refuse(error, "%s is \"%s\": it must not be below 0", name, text);
	return refuse(error, "%s is \"%s\": it must be from %lld to %lld%s", name, text,
		      (long long)option->min, (long long)option->max, unit);
}

static int set(const struct option *option, const char *name, const char *text, char **error)
{
	int64_t value;

	switch (option->type) {
	case OPTION_STRING:
	case OPTION_SECRET:
		*(const char **)option->value = keep(text, strlen(text));
		return 0;
	case OPTION_INTEGER:
		if (!parse_integer(text, &value))
			return refuse(error, "%s is \"%s\": it must be an integer", name, text);
		if (!in_range(option, value))
			return refuse_range(name, option, text, error);
		*(int64_t *)option->value = value;
		return 0;
	case OPTION_DURATION:
		if (!parse_quantity(text, time_units, &value))
			return refuse(error,
				      "%s is \"%s\": it must be a duration such as 250ms, 30s, "
				      "15m, 12h or 30d",
				      name, text);
		if (!in_range(option, value))
			return refuse_range(name, option, text, error);
		*(int64_t *)option->value = value;
		return 0;
	case OPTION_SIZE:
		if (!parse_quantity(text, size_units, &value))
			return refuse(error,
				      "%s is \"%s\": it must be a size such as 4KiB, 16MiB or 1GiB",
				      name, text);
		if (!in_range(option, value))
			return refuse_range(name, option, text, error);
		*(size_t *)option->value = (size_t)value;
		return 0;
	case OPTION_BOOLEAN:
		if (!strcmp(text, "true") || !strcmp(text, "1"))
			*(bool *)option->value = true;
		else if (!strcmp(text, "false") || !strcmp(text, "0"))
			*(bool *)option->value = false;
		else
			return refuse(error, "%s is \"%s\": it must be true or false", name, text);
		return 0;
	}
	return refuse(error, "%s has an option type that does not exist", name);
}

/* A secret's file without its last newline, as `kubectl create secret` and editors write it. */
static int read_secret(const char *name, const char *path, const struct option *option,
		       char **error)
{
	char bytes[SECRET_FILE_MAX + 1];
	cleanup(file_closep) FILE *file = fopen(path, "re");
	size_t length;

	if (!file)
		return refuse(error, "%s names %s, which cannot be read: %s", name, path,
			      strerror(errno));
	length = fread(bytes, 1, sizeof(bytes), file);
	if (ferror(file))
		return refuse(error, "%s names %s, which cannot be read", name, path);
	if (length > SECRET_FILE_MAX)
		return refuse(error, "%s names %s, which is larger than %d bytes", name, path,
			      SECRET_FILE_MAX);
	if (length && bytes[length - 1] == '\n')
		length--;
	*(const char **)option->value = keep(bytes, length);
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

static int read_option(const char *prefix, const struct option *option, char **error)
{
	char name[NAME_MAX_LENGTH], file_name[NAME_MAX_LENGTH + 8];
	const char *text, *path = NULL;

	snprintf(name, sizeof(name), "%s%s", prefix, option->name);
	text = getenv(name);
	if (option->type == OPTION_SECRET) {
		snprintf(file_name, sizeof(file_name), "%s_FILE", name);
		path = getenv(file_name);
		if (path && text)
			return refuse(error, "%s and %s are both set: only one of them can be",
				      name, file_name);
		if (path)
			return read_secret(file_name, path, option, error);
	}
	if (!text)
		text = option->default_text;
	if (!text)
		return refuse(error, "%s is not set: it must hold %s", name, option->help);
	return set(option, name, text, error);
}

static bool is_known(const char *name, size_t length, const struct option *const *tables)
{
	for (; *tables; tables++) {
		for (const struct option *option = *tables; option->name; option++) {
			size_t own = strlen(option->name);

			if (!strncmp(name, option->name, own) &&
			    (length == own || (option->type == OPTION_SECRET && length == own + 5 &&
					       !strncmp(name + own, "_FILE", 5))))
				return true;
		}
	}
	return false;
}

static int refuse_unknown(const char *prefix, const struct option *const *tables, char **error)
{
	size_t length = strlen(prefix);

	for (char **variable = environ; variable && *variable; variable++) {
		const char *name = *variable + length;

		if (strncmp(*variable, prefix, length) || !strncmp(name, "PEER_", 5))
			continue;
		if (!is_known(name, strcspn(name, "="), tables))
			return refuse(error, "%.*s is no option of this program: --help lists them",
				      (int)strcspn(*variable, "="), *variable);
	}
	return 0;
}

int options_read(const char *prefix, const struct option *const *tables, char **error)
{
	int r = refuse_unknown(prefix, tables, error);

	for (const struct option *const *table = tables; !r && *table; table++)
		for (const struct option *option = *table; !r && option->name; option++)
			r = read_option(prefix, option, error);
	return r;
}

void options_print(const char *prefix, const struct option *const *tables)
{
	for (; *tables; tables++) {
		for (const struct option *option = *tables; option->name; option++) {
			printf("  %s%s (%s", prefix, option->name, type_names[option->type]);
			if (!option->default_text)
				printf(", required");
			else if (*option->default_text && option->type != OPTION_SECRET)
				printf(", default %s", option->default_text);
			printf(")\n      %s\n", option->help);
		}
	}
}
