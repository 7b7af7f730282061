/* Path templates of google.api.http. */
#include "template.h"
#include <string.h>

/*
 * Template = "/" Segments [ ":" Verb ]     Segments = Segment { "/" Segment }
 * Segment  = "*" | "**" | Literal | "{" FieldPath [ "=" Segments ] "}"
 */
struct parser {
	struct arena *arena;
	const char *at;
	struct template *template;
};

static const char *segments(struct parser *parser, bool in_variable);

static const char *add(struct parser *parser, struct route_segment segment)
{
	struct template *template = parser->template;

	if (template->n_segments &&
	    template->segments[template->n_segments - 1].kind == SEGMENT_REST)
		return "`**` takes all that follows; put it last";
	if (template->n_segments == TEMPLATE_SEGMENTS_MAX)
		return "it has more than 32 segments; make it shorter";
	template->segments[template->n_segments++] = segment;
	return NULL;
}

static const char *variable(struct parser *parser)
{
	struct template *template = parser->template;
	struct route_variable *variable = &template->variables[template->n_variables];
	size_t length = strcspn(parser->at, "=}");
	const char *error;

	if (template->n_variables == TEMPLATE_VARIABLES_MAX)
		return "it has more than 16 variables; take some away";
	if (!length || !parser->at[length])
		return "a variable is written {field} or {field=segments}; close the brace";
	template->n_variables++;
	variable->field = arena_strndup(parser->arena, parser->at, length);
	variable->first = (uint8_t) template->n_segments;
	parser->at += length;
	if (*parser->at == '=') {
		parser->at++;
		error = segments(parser, true);
	} else {
		error = add(parser, (struct route_segment){ .kind = SEGMENT_ONE });
	}
	if (error)
		return error;
	if (*parser->at++ != '}')
		return "a variable is written {field} or {field=segments}; close the brace";
	variable->count = (uint8_t)(template->n_segments - variable->first);
	return NULL;
}

static const char *segment(struct parser *parser, bool in_variable)
{
	size_t length;

	if (*parser->at == '{') {
		if (in_variable)
			return "a variable stands within a variable; write its segments out";
		parser->at++;
		return variable(parser);
	}
	if (*parser->at == '*') {
		bool rest = parser->at[1] == '*';

		parser->at += rest ? 2 : 1;
		return add(parser,
			   (struct route_segment){ .kind = rest ? SEGMENT_REST : SEGMENT_ONE });
	}
	length = strcspn(parser->at, "/:{}*=");
	if (!length)
		return "a segment is empty; write a name, * or {field}";
	if (length > TEMPLATE_LITERAL_MAX)
		return "a segment is longer than 255 bytes; make it shorter";
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)parser->at[i] <= ' ' || strchr("\"?#%\\\x7f", parser->at[i]))
			return "a segment holds a character that no path has; take it away";
	parser->at += length;
	return add(parser,
		   (struct route_segment){
			   .kind = SEGMENT_LITERAL,
			   .literal = arena_strndup(parser->arena, parser->at - length, length),
		   });
}

static const char *segments(struct parser *parser, bool in_variable)
{
	const char *error;

	do {
		error = segment(parser, in_variable);
	} while (!error && *parser->at == '/' && parser->at++);
	return error;
}

const char *template_parse(struct arena *arena, const char *text, struct template *ret)
{
	struct parser parser = { arena, text, ret };
	const char *error;

	*ret = (struct template){ .n_segments = 0 };
	if (*parser.at++ != '/')
		return "it does not begin with a slash; write /v1/...";
	error = segments(&parser, false);
	if (error)
		return error;
	if (*parser.at == ':') {
		ret->verb = ++parser.at;
		parser.at +=
			strspn(parser.at,
			       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
		if (parser.at == ret->verb)
			return "the verb after the colon is empty; write one such as :cancel";
	}
	if (*parser.at)
		return "it does not end where a template ends; look for a stray character";
	return NULL;
}

static int compare_segments(const struct route_segment *a, const struct route_segment *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->kind == SEGMENT_LITERAL ? strcmp(a->literal, b->literal) : 0;
}

int template_compare(const struct template *a, const char *a_method, const struct template *b,
		     const char *b_method)
{
	int order;

	for (size_t i = 0; i < a->n_segments && i < b->n_segments; i++) {
		order = compare_segments(&a->segments[i], &b->segments[i]);
		if (order)
			return order;
	}
	if (a->n_segments != b->n_segments)
		return a->n_segments < b->n_segments ? -1 : 1;
	order = strcmp(a->verb ? a->verb : "", b->verb ? b->verb : "");
	return order ? order : strcmp(a_method, b_method);
}
