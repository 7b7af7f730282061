/* Enums and error reasons. */
#include "naming.h"
#include "products.h"
#include <stdlib.h>
#include <string.h>

void print_enumeration_header(struct output *out, const struct enumeration *enumeration)
{
	print(out, "\n");
	print_comment(out, "", enumeration->comment);
	print(out, "typedef enum %s {\n", enumeration->c_name);
	for (size_t i = 0; i < enumeration->n_values; i++) {
		const struct value *value = &enumeration->values[i];

		print_comment(out, "\t", value->comment);
		if (value->number == INT32_MIN) /* -2147483648 is no int */
			print(out, "\t%s = -2147483647 - 1,\n", value->c_name);
		else
			print(out, "\t%s = %d,\n", value->c_name, value->number);
	}
	print(out, "} %s;\nextern const ProtobufCEnumDescriptor %s_descriptor;\n",
	      enumeration->c_name, enumeration->c_name);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct value *left = *(const struct value *const *)a,
			   *right = *(const struct value *const *)b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return left < right ? -1 : 1; /* of aliases the first stands for the number */
}

struct named {
	const char *name;
	unsigned index;
};

static int compare_named(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

void print_enumeration(struct output *out, const struct enumeration *enumeration)
{
	const char *name = enumeration->c_name;
	size_t n = enumeration->n_values, n_unique = 0, n_ranges = 0;
	const struct value **sorted = calloc(n + 1, sizeof(*sorted));
	struct named *named = calloc(n + 1, sizeof(*named));

	if (!sorted || !named)
		abort();
	for (size_t i = 0; i < n; i++)
		sorted[i] = &enumeration->values[i];
	qsort(sorted, n, sizeof(*sorted), compare_numbers);

	print(out, "\nstatic const ProtobufCEnumValue %s_values[] = {\n", name);
	for (size_t i = 0; i < n; i++) {
		if (!i || sorted[i]->number != sorted[i - 1]->number) {
			print(out, "\t{ \"%s\", \"%s\", %s },\n", sorted[i]->name,
			      sorted[i]->c_name, sorted[i]->c_name);
			n_unique++;
		}
		named[i] = (struct named){ sorted[i]->name, (unsigned)n_unique - 1 };
	}
	print(out, "};\n\nstatic const ProtobufCIntRange %s_ranges[] = {\n", name);
	for (size_t i = 0, index = 0; i < n; i++) {
		if (i && sorted[i]->number == sorted[i - 1]->number)
			continue;
		if (!i || sorted[i]->number != (int64_t)sorted[i - 1]->number + 1) {
			print(out, "\t{ %s, %zu },\n", sorted[i]->c_name, index);
			n_ranges++;
		}
		index++;
	}
	print(out, "\t{ 0, %zu },\n};\n\n", n_unique);

	qsort(named, n, sizeof(*named), compare_named);
	print(out, "static const ProtobufCEnumValueIndex %s_by_name[] = {\n", name);
	for (size_t i = 0; i < n; i++)
		print(out, "\t{ \"%s\", %u },\n", named[i].name, named[i].index);
	print(out, "};\n\nconst ProtobufCEnumDescriptor %s_descriptor = {\n", name);
	print(out,
	      "\t.magic = PROTOBUF_C__ENUM_DESCRIPTOR_MAGIC,\n"
	      "\t.name = \"%s\",\n\t.short_name = \"%s\",\n\t.c_name = \"%s\",\n\t.package_name = "
	      "\"%s\",\n"
	      "\t.n_values = %zu,\n\t.values = %s_values,\n"
	      "\t.n_value_names = %zu,\n\t.values_by_name = %s_by_name,\n"
	      "\t.n_value_ranges = %zu,\n\t.value_ranges = %s_ranges,\n};\n",
	      enumeration->full_name, enumeration->name, name, enumeration->file->package, n_unique,
	      name, n, name, n_ranges, name);
	free(sorted);
	free(named);
}

void print_reasons_header(struct output *out, const struct enumeration *enumeration)
{
	print(out, "extern const struct rpc_reason %s_reasons[%zu];\n", enumeration->c_name,
	      enumeration->n_values);
	for (size_t i = 0; i < enumeration->n_values; i++) {
		const struct value *value = &enumeration->values[i];

		if (!value->has_reason)
			continue;
		print(out, "/* ");
		for (const char *at = value->message; *at; at++)
			print(out, at[0] == '*' && at[1] == '/' ? "%c " : "%c", *at);
		print(out, " */\n#define %s (&%s_reasons[%zu])\n", value->name, enumeration->c_name,
		      i);
	}
}

static const char *code_name(int code)
{
	static const char *const names[] = {
		"RPC_OK",
		"RPC_CANCELLED",
		"RPC_UNKNOWN",
		"RPC_INVALID_ARGUMENT",
		"RPC_DEADLINE_EXCEEDED",
		"RPC_NOT_FOUND",
		"RPC_ALREADY_EXISTS",
		"RPC_PERMISSION_DENIED",
		"RPC_RESOURCE_EXHAUSTED",
		"RPC_FAILED_PRECONDITION",
		"RPC_ABORTED",
		"RPC_OUT_OF_RANGE",
		"RPC_UNIMPLEMENTED",
		"RPC_INTERNAL",
		"RPC_UNAVAILABLE",
		"RPC_DATA_LOSS",
		"RPC_UNAUTHENTICATED",
	};
	_Static_assert(sizeof(names) / sizeof(*names) == N_RPC_CODES, "a code lacks its name");

	return code > 0 && code < N_RPC_CODES ? names[code] : "RPC_UNKNOWN";
}

void print_reasons(struct output *out, const struct schema *schema,
		   const struct enumeration *enumeration)
{
	const char *domain = schema_domain(schema, enumeration->file);
	const char *platform = schema_platform(schema, enumeration->file);

	print(out, "\nconst struct rpc_reason %s_reasons[%zu] = {\n", enumeration->c_name,
	      enumeration->n_values);
	for (size_t i = 0; i < enumeration->n_values; i++) {
		const struct value *value = &enumeration->values[i];

		print(out, "\t{ \"%s%s%s\", \"%s\",\n\t  ", domain,
		      strcmp(domain, platform) ? "." : "", strcmp(domain, platform) ? platform : "",
		      value->name);
		print_string(out, value->message);
		print(out, ", %s },\n", code_name(value->code));
	}
	print(out, "};\n");
}
