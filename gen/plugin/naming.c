/* How names of a .proto read in C. */
#include "naming.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/*
 * C's keywords, and what common headers define as macros: a member or function of that name would
 * not compile, or would compile to something else.
 */
static const char *const reserved[] = {
	"BUFSIZ",        "CURL",     "DIR",       "EOF",        "EXIT_FAILURE", "EXIT_SUCCESS",
	"FILE",          "MSG",      "NULL",      "RAND_MAX",   "SRunner",      "Suite",
	"TCase",         "TEST",     "TTest",     "_Alignas",   "_Alignof",     "_Atomic",
	"_Bool",         "_Complex", "_Generic",  "_Imaginary", "_Noreturn",    "_Static_assert",
	"_Thread_local", "alignas",  "alignof",   "alloca",     "asm",          "assert",
	"auto",          "bool",     "break",     "case",       "char",         "cleanup",
	"complex",       "const",    "constexpr", "continue",   "default",      "do",
	"double",        "else",     "enum",      "errno",      "event_text",   "extern",
	"false",         "float",    "for",       "goto",       "htonl",        "htons",
	"i386",          "if",       "inline",    "int",        "isnan",        "linux",
	"long",          "noreturn", "nullptr",   "offsetof",   "ntohl",        "ntohs",
	"ptr_steal",     "register", "restrict",  "return",     "short",        "signed",
	"size_t",        "sizeof",   "st_atime",  "st_ctime",   "st_mtime",     "static",
	"static_assert", "stderr",   "stdin",     "stdout",     "struct",       "switch",
	"thread_local",  "true",     "typedef",   "typeof",     "union",        "unix",
	"unsigned",      "va_arg",   "va_copy",   "va_end",     "va_start",     "void",
	"volatile",      "while",
};

bool name_is_reserved(const char *name)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (!strcmp(reserved[i], name))
			return true;
	return false;
}

bool name_is_identifier(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (const char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '_')
			return false;
	return true;
}

static const char *words(struct arena *arena, const char *name, int (*convert)(int))
{
	size_t length = strlen(name);
	char *text = arena_alloc(arena, 2 * length + 1), *to = text;

	for (size_t i = 0; i < length; i++) {
		bool starts = isupper((unsigned char)name[i]) && i && name[i - 1] != '_' &&
			      (!isupper((unsigned char)name[i - 1]) ||
			       islower((unsigned char)name[i + 1]));

		if (starts)
			*to++ = '_';
		*to++ = (char)convert((unsigned char)name[i]);
	}
	return text;
}

const char *name_snake(struct arena *arena, const char *name)
{
	return words(arena, name, tolower);
}

const char *name_upper(struct arena *arena, const char *name)
{
	return words(arena, name, toupper);
}

const char *name_member(struct arena *arena, const char *name)
{
	return name_is_reserved(name) ? arena_printf(arena, "%s_", name) : name;
}

/* google.rpc.Status with the prefix Rpc is RpcStatus; grpc.health.v1.HealthCheckRequest with Health
 * stays as it is. */
static const char *prefixed(struct arena *arena, const char *prefix, const char *name)
{
	return strncmp(name, prefix, strlen(prefix)) ? arena_printf(arena, "%s%s", prefix, name)
						     : name;
}

const char *name_type(struct arena *arena, const struct file *file, const struct message *parent,
		      const char *name)
{
	if (!parent)
		return prefixed(arena, file->prefix, name);
	return arena_printf(arena, "%s%s", parent->c_name, name);
}

const char *name_value(struct arena *arena, const struct enumeration *enumeration,
		       const char *value)
{
	const char *outer = name_upper(arena, enumeration->c_name);
	const char *own = name_upper(arena, enumeration->name);
	size_t length = strlen(own);

	if (!strcmp(value, own)) /* google.protobuf.NullValue's NULL_VALUE */
		return outer;
	if (!strncmp(value, own, length) && value[length] == '_')
		value += length + 1;
	return arena_printf(arena, "%s_%s", outer, value);
}

const char *name_service(struct arena *arena, const struct file *file, const char *service)
{
	static const char suffix[] = "Service";
	size_t length = strlen(service), cut = sizeof(suffix) - 1;

	if (length > cut && !strcmp(service + length - cut, suffix))
		length -= cut;
	return name_snake(arena,
			  prefixed(arena, file->prefix, arena_strndup(arena, service, length)));
}

struct members {
	const char **names;
	size_t n_names;
};

static const char *unique(struct arena *arena, struct members *taken, const char *name)
{
	for (size_t i = 0; i < taken->n_names; i++) {
		if (strcmp(taken->names[i], name))
			continue;
		name = arena_printf(arena, "%s_", name);
		i = (size_t)-1;
	}
	taken->names[taken->n_names++] = name;
	return name;
}

/* Fields first, in their order, so that what is added for them gives way and not they. */
void name_fields(struct arena *arena, struct message *message)
{
	struct members taken = {
		.names = arena_alloc(arena, (2 * message->n_fields + message->n_oneofs + 1) *
						    sizeof(char *)),
	};

	taken.names[taken.n_names++] = "base";
	for (size_t i = 0; i < message->n_fields; i++) {
		struct field *field = &message->fields[i];

		field->c_name = unique(arena, &taken, name_member(arena, field->name));
	}
	for (size_t i = 0; i < message->n_fields; i++) {
		struct field *field = &message->fields[i];

		if (field->repeated)
			field->count_name =
				unique(arena, &taken, arena_printf(arena, "n_%s", field->name));
		else if (field->proto3_optional && field->type != PROTOBUF_C_TYPE_STRING &&
			 field->type != PROTOBUF_C_TYPE_MESSAGE)
			field->has_name =
				unique(arena, &taken, arena_printf(arena, "has_%s", field->name));
		if (field->oneof)
			field->case_constant =
				arena_printf(arena, "%s_%s_%s", name_upper(arena, message->c_name),
					     name_upper(arena, field->oneof->name),
					     name_upper(arena, field->name));
	}
	for (size_t i = 0; i < message->n_oneofs; i++) {
		struct oneof *oneof = &message->oneofs[i];
		const char *upper = name_upper(arena, message->c_name);
		char *camel = arena_alloc(arena, strlen(oneof->name) + 1), *to = camel;
		bool start = true;

		for (const char *at = oneof->name; *at; at++) {
			if (*at == '_') {
				start = true;
				continue;
			}
			*to++ = start ? (char)toupper((unsigned char)*at) : *at;
			start = false;
		}
		oneof->case_name =
			unique(arena, &taken, arena_printf(arena, "%s_case", oneof->name));
		oneof->case_type = arena_printf(arena, "%s%sCase", message->c_name, camel);
		oneof->not_set =
			arena_printf(arena, "%s_%s_NOT_SET", upper, name_upper(arena, oneof->name));
	}
}

/*
 * C has one space of names: what two files call the same cannot stand in one program, so it is
 * refused here and not by the linker. Everything that a header declares is listed.
 */
struct said {
	const char *name;
	struct place place;
	const char *what;
};

struct said_list {
	struct arena *arena;
	struct said *items;
	size_t n, room;
};

static void say(struct said_list *list, const char *name, struct place place, const char *what)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct said *items = arena_alloc(list->arena, room * sizeof(*items));

		if (list->n)
			memcpy(items, list->items, list->n * sizeof(*items));
		list->items = items;
		list->room = room;
	}
	list->items[list->n++] = (struct said){ name, place, what };
}

static void say_message(struct said_list *list, const struct message *message)
{
	say(list, message->c_name, message->place, message->full_name);
	for (size_t i = 0; i < message->n_oneofs; i++) {
		say(list, message->oneofs[i].case_type, message->oneofs[i].place,
		    message->full_name);
		say(list, message->oneofs[i].not_set, message->oneofs[i].place, message->full_name);
	}
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct field *field = &message->fields[i];

		if (field->oneof)
			say(list, field->case_constant, field->place, message->full_name);
		if (!field->repeated || message->map_entry)
			continue;
		say(list, arena_printf(list->arena, "%s_add_%s", message->snake_name, field->name),
		    field->place, message->full_name);
		say(list, arena_printf(list->arena, "%s_each_%s", message->snake_name, field->name),
		    field->place, message->full_name);
	}
}

static void say_file(struct said_list *list, const struct file *file)
{
	for (size_t i = 0; i < file->n_messages; i++)
		say_message(list, file->messages[i]);
	for (size_t i = 0; i < file->n_enumerations; i++) {
		const struct enumeration *enumeration = file->enumerations[i];

		say(list, enumeration->c_name, enumeration->place, enumeration->full_name);
		for (size_t j = 0; j < enumeration->n_values; j++) {
			const struct value *value = &enumeration->values[j];

			say(list, value->c_name, value->place, enumeration->full_name);
			if (enumeration->is_reasons && value->number &&
			    strcmp(value->name, value->c_name))
				say(list, value->name, value->place, enumeration->full_name);
		}
	}
	for (size_t i = 0; i < file->n_services; i++) {
		const struct service *service = &file->services[i];

		say(list, arena_printf(list->arena, "%s_service", service->c_name), service->place,
		    service->full_name);
		for (size_t j = 0; j < service->n_methods; j++)
			say(list,
			    arena_printf(list->arena, "%s_client_%s", service->c_name,
					 service->methods[j].c_name),
			    service->methods[j].place, service->full_name);
	}
}

static void say_events(struct said_list *list, const struct schema *schema, const struct file *file)
{
	const char *domain = schema_domain(schema, file);

	say(list, arena_printf(list->arena, "%s_events", domain), (struct place){ file, 1 },
	    file->name);
	for (size_t i = 0; i < file->n_messages; i++)
		if (file->messages[i]->is_event)
			say(list,
			    arena_printf(list->arena, "%s_event_%s", domain,
					 name_snake(list->arena, file->messages[i]->name)),
			    file->messages[i]->place, file->messages[i]->full_name);
}

static int compare_said(const void *a, const void *b)
{
	const struct said *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	if (!order)
		order = strcmp(left->place.file->name, right->place.file->name);
	return order ? order : left->place.line - right->place.line;
}

void name_check(struct schema *schema)
{
	struct said_list list = { .arena = schema->arena };

	for (size_t i = 0; i < schema->n_files; i++)
		if (schema->files[i].used && !schema->files[i].has_events)
			say_file(&list, &schema->files[i]);
		else if (schema->files[i].generate)
			say_events(&list, schema, &schema->files[i]);
	if (list.n)
		qsort(list.items, list.n, sizeof(*list.items), compare_said);
	for (size_t i = 0; i < list.n; i++) {
		const struct said *said = &list.items[i];

		if (name_is_reserved(said->name))
			refuse(schema, said->place,
			       "%s would be %s in C, which C or a common header has for itself; "
			       "rename it, or give its "
			       "package a prefix (--crpc_opt=prefix:%s=...)",
			       said->what, said->name, said->place.file->package);
		if (i && !strcmp(said->name, said[-1].name))
			refuse(schema, said->place,
			       "the C name %s (of %s) is already that of %s at %s:%d; rename one, "
			       "or give a "
			       "third party's package a prefix (--crpc_opt=prefix:%s=...)",
			       said->name, said->what, said[-1].what, said[-1].place.file->name,
			       said[-1].place.line, said->place.file->package);
	}
}
