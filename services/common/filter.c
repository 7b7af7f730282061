/* Filters of lists: comparisons joined by AND, as a query. */
#include "errors.msg.h"
#include <common/bson.h>
#include <common/filter.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COMPARISONS_MAX = 10 };

static const char *const operators[][2] = { { "!=", "$ne" }, { "<=", "$lte" }, { ">=", "$gte" },
					    { "=", "$eq" },  { "<", "$lt" },   { ">", "$gt" } };

struct comparison {
	const struct filter_field *field;
	const char *path;     /* in the document */
	const char *operator; /* the database's */
	const char *value;
};

struct parser {
	struct rpc_call *call;
	const char *text, *at;
	const struct filter_field *fields;
	struct comparison comparisons[COMPARISONS_MAX];
	size_t n;
};

static int refuse(struct parser *parser, const char *problem)
{
	return rpc_fail(parser->call, FILTER_INVALID, { "filter", parser->text },
			{ "problem", problem });
}

static void skip_spaces(struct parser *parser)
{
	parser->at += strspn(parser->at, " \t\n");
}

static const char *take(struct parser *parser, size_t length)
{
	const char *word = rpc_printf(parser->call, "%.*s", (int)length, parser->at);

	parser->at += length;
	return word;
}

/* `options.` takes `options.colour`: what follows is a key of the map, never a path. */
static const char *path_of(struct parser *parser, const struct filter_field *field,
			   const char *name)
{
	size_t length = strlen(field->name);

	if (field->type != FILTER_FACT)
		return strcmp(field->name, name) ? NULL : field->path;
	if (strncmp(field->name, name, length) || !name[length])
		return NULL;
	return rpc_printf(parser->call, "%s.%s", field->path,
			  document_key(parser->call, name + length));
}

static int take_field(struct parser *parser, struct comparison *ret)
{
	const char *name = take(parser, strcspn(parser->at, " \t\n\"=<>!")), *known = "";

	if (!*name)
		return refuse(parser, "a field's name is missing");
	for (const struct filter_field *field = parser->fields; field->name; field++) {
		ret->path = path_of(parser, field, name);
		if (ret->path) {
			ret->field = field;
			return 0;
		}
		known = rpc_printf(parser->call, "%s%s%s%s", known, *known ? ", " : "", field->name,
				   field->type == FILTER_FACT ? "{name}" : "");
	}
	return refuse(parser,
		      rpc_printf(parser->call, "'%s' is no field; fields are %s", name, known));
}

static int take_operator(struct parser *parser, const char **ret)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
		if (!strncmp(parser->at, operators[i][0], strlen(operators[i][0]))) {
			parser->at += strlen(operators[i][0]);
			*ret = operators[i][1];
			return 0;
		}
	return refuse(parser, "after a field comes one of =, !=, <, <=, >, >=");
}

static int take_value(struct parser *parser, const char **ret)
{
	char *value, *to;

	if (*parser->at != '"') {
		size_t length = strcspn(parser->at, " \t\n\"=<>!");

		if (!length)
			return refuse(parser, "a value is missing");
		*ret = take(parser, length);
		return 0;
	}
	value = to = rpc_alloc(parser->call, strlen(parser->at) + 1);
	for (parser->at++; *parser->at != '"'; parser->at++) {
		if (*parser->at == '\\' && parser->at[1])
			parser->at++;
		if (!*parser->at)
			return refuse(parser, "a quote is not closed");
		*to++ = *parser->at;
	}
	parser->at++;
	*ret = value;
	return 0;
}

static int take_comparison(struct parser *parser, struct comparison *ret)
{
	struct comparison comparison = { 0 };
	int r;

	r = take_field(parser, &comparison);
	skip_spaces(parser);
	if (!r)
		r = take_operator(parser, &comparison.operator);
	skip_spaces(parser);
	if (!r)
		r = take_value(parser, &comparison.value);
	skip_spaces(parser);
	if (r)
		return r;
	for (size_t i = 0; i < parser->n; i++)
		if (!strcmp(parser->comparisons[i].path, comparison.path) &&
		    !strcmp(parser->comparisons[i].operator, comparison.operator))
			return refuse(parser,
				      rpc_printf(parser->call, "'%s' is compared twice alike",
						 comparison.field->name));
	*ret = comparison;
	return 0;
}

static int take_all(struct parser *parser)
{
	int r;

	skip_spaces(parser);
	while (*parser->at) {
		if (parser->n == COMPARISONS_MAX)
			return refuse(parser, "a filter has at most 10 comparisons");
		r = take_comparison(parser, &parser->comparisons[parser->n]);
		if (r)
			return r;
		parser->n++;
		if (!*parser->at)
			break;
		if (strncmp(parser->at, "AND", 3) || !isspace((unsigned char)parser->at[3]))
			return refuse(parser, "comparisons are joined by AND");
		parser->at += 3;
		skip_spaces(parser);
		if (!*parser->at)
			return refuse(parser, "after AND comes a comparison");
	}
	return 0;
}

static int append_enum(struct parser *parser, const struct comparison *comparison, bson_t *into)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(
		comparison->field->values, comparison->value);

	if (!value || !value->value)
		return refuse(parser, rpc_printf(parser->call, "'%s' is no value of %s",
						 comparison->value, comparison->field->name));
	bson_append_utf8(into, comparison->operator, - 1, comparison->value, -1);
	return 0;
}

/* RFC 3339, to the millisecond. */
static bool read_time(const char *text, int64_t *ret)
{
	struct tm parts = { 0 };
	const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	int hours = 0, minutes = 0, length = 0, sign, scale = 100;
	int64_t ms = 0;

	if (!at)
		return false;
	if (*at == '.')
		for (at++; isdigit((unsigned char)*at); at++, scale /= 10)
			ms += (*at - '0') * scale;
	sign = *at == '+' ? 1 : -1;
	if (*at == '+' || *at == '-') {
		if (sscanf(at + 1, "%2d:%2d%n", &hours, &minutes, &length) != 2 || length != 5 ||
		    at[6] || hours > 23 || minutes > 59)
			return false;
	} else if (strcmp(at, "Z")) {
		return false;
	}
	*ret = ((int64_t)timegm(&parts) - sign * (hours * 3600 + minutes * 60)) * 1000 + ms;
	return true;
}

static int append_time(struct parser *parser, const struct comparison *comparison, bson_t *into)
{
	int64_t ms;

	if (!read_time(comparison->value, &ms))
		return refuse(parser, "a time is written like 2026-05-04T12:00:00Z");
	bson_append_date_time(into, comparison->operator, - 1, ms);
	return 0;
}

static int append_number(struct parser *parser, const struct comparison *comparison, bson_t *into)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(comparison->value, &end, 10);
	if (errno || *end || end == comparison->value)
		return refuse(parser, rpc_printf(parser->call, "'%s' is a whole number",
						 comparison->field->name));
	bson_append_int64(into, comparison->operator, - 1, value);
	return 0;
}

static int append_bool(struct parser *parser, const struct comparison *comparison, bson_t *into)
{
	bool value = !strcmp(comparison->value, "true");

	if (!value && strcmp(comparison->value, "false"))
		return refuse(parser, rpc_printf(parser->call, "'%s' is true or false",
						 comparison->field->name));
	bson_append_bool(into, comparison->operator, - 1, value);
	return 0;
}

static int append_decimal(struct parser *parser, const struct comparison *comparison, bson_t *into)
{
	const struct filter_field *field = comparison->field;
	char *end;
	double value = strtod(comparison->value, &end);

	if (*end || end == comparison->value || !isfinite(value) || fabs(value) > 1e12)
		return refuse(parser, rpc_printf(parser->call, "'%s' is a number such as 12.50",
						 field->name));
	if (field->type == FILTER_FRACTION)
		bson_append_double(into, comparison->operator, - 1, value);
	else
		bson_append_int64(into, comparison->operator, - 1,
				  llround(value * pow(10, field->digits)));
	return 0;
}

static int append(struct parser *parser, const struct comparison *comparison, bson_t *into)
{
	enum filter_type type = comparison->field->type;
	bool ordered = type == FILTER_TIME || type == FILTER_NUMBER || type == FILTER_FRACTION ||
		       type == FILTER_AMOUNT;

	if (!ordered && strcmp(comparison->operator, "$eq") && strcmp(comparison->operator, "$ne"))
		return refuse(parser, rpc_printf(parser->call, "'%s' is compared by = and != only",
						 comparison->field->name));
	switch (type) {
	case FILTER_ENUM:
		return append_enum(parser, comparison, into);
	case FILTER_TIME:
		return append_time(parser, comparison, into);
	case FILTER_NUMBER:
		return append_number(parser, comparison, into);
	case FILTER_BOOL:
		return append_bool(parser, comparison, into);
	case FILTER_FRACTION:
	case FILTER_AMOUNT:
		return append_decimal(parser, comparison, into);
	case FILTER_TEXT:
	case FILTER_FACT:
		break;
	}
	bson_append_utf8(into, comparison->operator, - 1, comparison->value, -1);
	return 0;
}

int filter_read(struct rpc_call *call, const char *text, const struct filter_field *fields,
		bson_t *into)
{
	struct parser parser = { .call = call, .text = text, .at = text, .fields = fields };
	int r;

	r = take_all(&parser);
	/* One entry a path: two bounds of a field are one range of its index. */
	for (size_t i = 0; !r && i < parser.n; i++) {
		cleanup(bson_freep) bson_t *conditions = bson_new();
		const char *path = parser.comparisons[i].path;
		bson_iter_t iter;

		if (bson_iter_init_find(&iter, into, path))
			continue;
		for (size_t j = i; !r && j < parser.n; j++)
			if (!strcmp(parser.comparisons[j].path, path))
				r = append(&parser, &parser.comparisons[j], conditions);
		if (!r)
			bson_append_document(into, path, -1, conditions);
	}
	return r;
}
