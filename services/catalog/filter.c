/*
 * Filters of lists (AIP-160, the part that a shop needs): comparisons joined by AND.
 *
 *     filter     = comparison { " AND " comparison }
 *     comparison = field operator value
 *     operator   = "=" | "!=" | "<" | "<=" | ">" | ">="
 *     value      = word | '"' text '"', with \" and \\ inside
 *
 * Each comparison becomes a condition of the query; field names come from a table, values are never part of a path.
 */
#include <common/bson.h>
#include <common/money.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "catalog_store.h"
#include "errors.msg.h"

enum { COMPARISONS_MAX = 10 };

struct comparison {
	const char *field, *operator, *value;
};

struct parser {
	struct rpc_call *call;
	const char *text, *at;
	const char *currency;
	bool has_state;
	/* One a path, so that two bounds of one field are one range of its index. */
	struct {
		const char *path;
		bson_t condition;
	} parts[COMPARISONS_MAX];
	size_t n_parts, n_comparisons;
};

static int refuse(struct parser *parser, const char *problem)
{
	return rpc_fail(parser->call, FILTER_INVALID, { "filter", parser->text }, { "problem", problem });
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
	static const char *const operators[] = { "!=", "<=", ">=", "=", "<", ">" };
	struct comparison comparison = { 0 };
	int r;

	skip_spaces(parser);
	comparison.field = take(parser, strcspn(parser->at, " \t\n\"=<>!"));
	if (!*comparison.field)
		return refuse(parser, "a field's name is missing");
	skip_spaces(parser);
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators) && !comparison.operator; i++)
		if (!strncmp(parser->at, operators[i], strlen(operators[i])))
			comparison.operator = take(parser, strlen(operators[i]));
	if (!comparison.operator)
		return refuse(parser, "after a field comes one of =, !=, <, <=, >, >=");
	skip_spaces(parser);
	r = take_value(parser, &comparison.value);
	if (r)
		return r;
	skip_spaces(parser);
	*ret = comparison;
	return 0;
}

static const char *mongo_operator(const char *operator)
{
	static const char *const pairs[][2] = { { "=", "$eq" },  { "!=", "$ne" }, { "<", "$lt" },
		                                { "<=", "$lte" }, { ">", "$gt" },  { ">=", "$gte" } };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (!strcmp(pairs[i][0], operator))
			return pairs[i][1];
	return NULL;
}

static int add(struct parser *parser, const struct comparison *comparison, const char *path, const bson_t *value)
{
	const char *operator = mongo_operator(comparison->operator);
	bson_iter_t iter;
	size_t i = 0;

	while (i < parser->n_parts && strcmp(parser->parts[i].path, path))
		i++;
	if (i == parser->n_parts) {
		parser->parts[i].path = path;
		bson_init(&parser->parts[i].condition);
		parser->n_parts++;
	}
	if (bson_has_field(&parser->parts[i].condition, operator))
		return refuse(parser, rpc_printf(parser->call, "'%s' is compared twice by %s", comparison->field,
		                                 comparison->operator));
	bson_iter_init_find(&iter, value, "value");
	bson_append_iter(&parser->parts[i].condition, operator, -1, &iter);
	return 0;
}

static bool is_equality(const struct comparison *comparison)
{
	return !strcmp(comparison->operator, "=") || !strcmp(comparison->operator, "!=");
}

static int add_text(struct parser *parser, const struct comparison *comparison, const char *path)
{
	if (!is_equality(comparison))
		return refuse(parser, "texts are compared by = and != only");
	return add(parser, comparison, path, DOC(parser->call, "value", BCON_UTF8(comparison->value)));
}

static int add_one_of(struct parser *parser, const struct comparison *comparison, const char *path,
                      const ProtobufCEnumDescriptor *values)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(values, comparison->value);

	if (!value || !value->value)
		return refuse(parser, rpc_printf(parser->call, "'%s' is no value of %s", comparison->value, comparison->field));
	return add_text(parser, comparison, path);
}

static int add_price(struct parser *parser, const struct comparison *comparison)
{
	int digits = money_digits(parser->currency);
	char *end;
	double value = strtod(comparison->value, &end);

	if (*end || end == comparison->value || !isfinite(value) || value < 0 || value > 1e12)
		return refuse(parser, "a price is a number such as 12.50");
	return add(parser, comparison, rpc_printf(parser->call, "from_prices.%s", parser->currency),
	           DOC(parser->call, "value", BCON_INT64(llround(value * pow(10, digits)))));
}

static int add_rating(struct parser *parser, const struct comparison *comparison)
{
	char *end;
	double value = strtod(comparison->value, &end);

	if (*end || end == comparison->value || !isfinite(value))
		return refuse(parser, "a rating is a number from 1 to 5");
	return add(parser, comparison, "product.rating.average", DOC(parser->call, "value", BCON_DOUBLE(value)));
}

static int add_time(struct parser *parser, const struct comparison *comparison)
{
	struct tm parts = { 0 };
	const char *end = strptime(comparison->value, "%Y-%m-%dT%H:%M:%SZ", &parts);

	if (!end || *end)
		return refuse(parser, "a time is written like 2026-05-04T12:00:00Z");
	return add(parser, comparison, "product.create_time",
	           DOC(parser->call, "value", BCON_DATE_TIME((int64_t)timegm(&parts) * 1000)));
}

/* `options.colour`: the part behind the point is a key of a map. */
static int add_fact(struct parser *parser, const struct comparison *comparison, const char *prefix, const char *path)
{
	const char *key = comparison->field + strlen(prefix);

	if (!*key)
		return refuse(parser, rpc_printf(parser->call, "after '%s' comes a name", prefix));
	return add_text(parser, comparison, rpc_printf(parser->call, "%s.%s", path, document_key(parser->call, key)));
}

static int add_comparison(struct parser *parser, const struct comparison *comparison)
{
	const char *field = comparison->field;

	if (!strcmp(field, "price"))
		return add_price(parser, comparison);
	if (!strcmp(field, "rating"))
		return add_rating(parser, comparison);
	if (!strcmp(field, "create_time"))
		return add_time(parser, comparison);
	if (!strcmp(field, "availability"))
		return add_one_of(parser, comparison, "stock_notes.availability.state", &VariantAvailabilityState_descriptor);
	if (!strcmp(field, "state") && catalog_is_staff(parser->call)) {
		parser->has_state = true;
		return add_one_of(parser, comparison, "product.state", &ProductState_descriptor);
	}
	if (!strncmp(field, "options.", strlen("options.")))
		return add_fact(parser, comparison, "options.", "product.variants.options");
	if (!strncmp(field, "attributes.", strlen("attributes.")))
		return add_fact(parser, comparison, "attributes.", "product.attributes");
	return refuse(parser, rpc_printf(parser->call,
	                                 "'%s' is no field; fields are price, rating, availability, create_time, "
	                                 "options.{name} and attributes.{name}",
	                                 field));
}

static int parse(struct parser *parser)
{
	skip_spaces(parser);
	while (*parser->at) {
		struct comparison comparison;
		int r;

		if (parser->n_comparisons++ == COMPARISONS_MAX)
			return refuse(parser, "a filter has at most 10 comparisons");
		r = take_comparison(parser, &comparison);
		if (!r)
			r = add_comparison(parser, &comparison);
		if (r)
			return r;
		if (!*parser->at)
			break;
		if (strncmp(parser->at, "AND", 3) || !isspace((unsigned char)parser->at[3]))
			return refuse(parser, "comparisons are joined by AND");
		parser->at += 3;
	}
	return 0;
}

int filter_parse(struct rpc_call *call, const char *text, const char *currency, const char *category, const bson_t **ret)
{
	struct parser parser = { .call = call, .text = text, .at = text, .currency = currency };
	bson_t *filter;
	int r;

	r = parse(&parser);
	/* Without a word of staff about it, a list shows what is on sale. */
	filter = parser.has_state ? BCON_NEW("deleted", BCON_BOOL(false)) : BCON_NEW("product.state", BCON_UTF8("ACTIVE"));
	BSON_APPEND_UTF8(filter, "category_path", *category ? category : CATEGORY_ROOT);
	for (size_t i = 0; i < parser.n_parts; i++) {
		BSON_APPEND_DOCUMENT(filter, parser.parts[i].path, &parser.parts[i].condition);
		bson_destroy(&parser.parts[i].condition);
	}
	filter = document_keep(call, filter);
	if (!r)
		*ret = filter;
	return r;
}
