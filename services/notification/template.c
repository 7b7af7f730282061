/* Templates: reading and filling them. */
#include "template.h"
#include <string.h>

enum { DEPTH_MAX = 8, RENDERED_MAX = 1 << 20 };

struct out {
	char *bytes;
	size_t length, room;
	bool html, full;
};

/* One walk over a template: to check it (`data` NULL) or to fill it. */
struct walk {
	struct rpc_call *call;
	const char *source, *variables;
	const struct template_data *data;
	const struct template_values *line; /* inside of {{#lines}} */
	bool in_lines;
	int depth;
	const char *problem;
	struct out out;
};

void template_set(struct rpc_call *call, struct template_values *values, const char *name,
		  const char *value)
{
	values->pairs = rpc_array_room(rpc_arena(call), values->pairs, values->n, 1,
				       sizeof(*values->pairs));
	values->pairs[values->n++] = (struct rpc_meta){ name, value };
}

/* --- values --- */

static const char *value_in(const struct template_values *values, const char *name)
{
	for (size_t i = 0; values && i < values->n; i++)
		if (!strcmp(values->pairs[i].key, name))
			return values->pairs[i].value;
	return NULL;
}

static const char *value_of(const struct walk *walk, const char *name)
{
	const char *value = value_in(walk->line, name);

	if (!value)
		value = value_in(&walk->data->values, name);
	return value ? value : "";
}

static bool is_listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = strstr(list, name); at; at = strstr(at + 1, name))
		if ((at == list || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

/* --- what comes out --- */

static void put(struct walk *walk, const char *text, size_t length)
{
	struct out *out = &walk->out;

	if (out->length + length > RENDERED_MAX)
		out->full = true;
	if (out->full || !walk->data || !length)
		return;
	if (out->length + length > out->room) {
		char *longer = rpc_alloc(walk->call, 2 * (out->length + length) + 1024);

		if (out->length)
			memcpy(longer, out->bytes, out->length);
		out->bytes = longer;
		out->room = 2 * (out->length + length) + 1024;
	}
	memcpy(out->bytes + out->length, text, length);
	out->length += length;
}

static void put_value(struct walk *walk, const char *value)
{
	if (!walk->out.html) {
		put(walk, value, strlen(value));
		return;
	}
	for (; *value; value++) {
		switch (*value) {
		case '&':
			put(walk, "&amp;", 5);
			break;
		case '<':
			put(walk, "&lt;", 4);
			break;
		case '>':
			put(walk, "&gt;", 4);
			break;
		case '"':
			put(walk, "&quot;", 6);
			break;
		case '\'':
			put(walk, "&#39;", 5);
			break;
		default:
			put(walk, value, 1);
		}
	}
}

/* --- tags --- */

struct tag {
	char kind; /* '#', '^', '/', or 0 for a variable */
	const char *name;
	const char *begin, *end; /* of the text around it */
};

static int refuse(struct walk *walk, const char *problem)
{
	if (!walk->problem)
		walk->problem = problem;
	return -1;
}

/* A tag of a part that is alone on its line takes the line with it. */
static void take_line(const struct walk *walk, struct tag *tag)
{
	bool starts = tag->begin == walk->source || tag->begin[-1] == '\n';

	if (tag->kind && starts && *tag->end == '\n')
		tag->end++;
}

static int read_tag(struct walk *walk, const char *begin, struct tag *ret)
{
	const char *close = strstr(begin, "}}"), *at = begin + 2;
	struct tag tag = { .begin = begin };
	size_t length;

	if (!close)
		return refuse(walk, "a '{{' is not closed by '}}'");
	tag.end = close + 2;
	if (*at == '#' || *at == '^' || *at == '/')
		tag.kind = *at++;
	at += strspn(at, " ");
	length = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
	if (!length || at + length + strspn(at + length, " ") != close)
		return refuse(
			walk,
			"between '{{' and '}}' stands the name of a variable, such as {{name}}");
	tag.name = rpc_printf(walk->call, "%.*s", (int)length, at);
	take_line(walk, &tag);
	*ret = tag;
	return 0;
}

static int check_name(struct walk *walk, const char *name)
{
	if (walk->in_lines && is_listed(TEMPLATE_LINE, name))
		return 0;
	if (is_listed(walk->variables, name))
		return 0;
	return refuse(walk, rpc_printf(walk->call, "there is no variable '%s'; there are: %s", name,
				       walk->variables));
}

static int walk_over(struct walk *walk, const char **at, const char *part, bool live);

/* The part's text once for each line; without any, it is read over. */
static int walk_lines(struct walk *walk, const char **at, bool live)
{
	const char *begin = *at;
	size_t n = live && walk->data ? walk->data->n_lines : 0;
	int r = 0;

	walk->in_lines = true;
	for (size_t i = 0; !r && i < n; i++) {
		*at = begin;
		walk->line = &walk->data->lines[i];
		r = walk_over(walk, at, "lines", true);
	}
	walk->line = NULL;
	if (!n)
		r = walk_over(walk, at, "lines", false);
	walk->in_lines = false;
	return r;
}

static int walk_part(struct walk *walk, const struct tag *tag, const char **at, bool live)
{
	bool lines = !strcmp(tag->name, "lines") && tag->kind == '#', has;
	int r;

	if (lines && walk->in_lines)
		return refuse(walk, "{{#lines}} stands within {{#lines}}");
	if (++walk->depth > DEPTH_MAX)
		return refuse(walk, "parts stand too deep within each other");
	if (lines) {
		r = walk_lines(walk, at, live);
	} else {
		has = walk->data && (!strcmp(tag->name, "lines") ? walk->data->n_lines > 0
								 : *value_of(walk, tag->name));
		r = walk_over(walk, at, tag->name, live && has == (tag->kind == '#'));
	}
	walk->depth--;
	return r;
}

/* To the end of the part, or of all. Without `live` nothing comes out. */
static int walk_over(struct walk *walk, const char **at, const char *part, bool live)
{
	const char *begin;
	struct tag tag;
	int r = 0;

	while ((begin = strstr(*at, "{{"))) {
		if (live)
			put(walk, *at, (size_t)(begin - *at));
		r = read_tag(walk, begin, &tag);
		if (r)
			return r;
		*at = tag.end;
		if (tag.kind == '/')
			return part && !strcmp(tag.name, part)
				       ? 0
				       : refuse(walk,
						rpc_printf(walk->call, "{{/%s}} closes nothing",
							   tag.name));
		if (!walk->data)
			r = check_name(walk, tag.name);
		if (!r && tag.kind)
			r = walk_part(walk, &tag, at, live);
		else if (!r && !strcmp(tag.name, "lines"))
			r = refuse(walk, "lines are a part: {{#lines}}...{{/lines}}");
		else if (!r && live && walk->data)
			put_value(walk, value_of(walk, tag.name));
		if (r)
			return r;
	}
	if (part)
		return refuse(walk, rpc_printf(walk->call, "{{#%s}} is not closed", part));
	if (live)
		put(walk, *at, strlen(*at));
	*at += strlen(*at);
	return 0;
}

const char *template_problem(struct rpc_call *call, const char *source, const char *variables)
{
	struct walk walk = { .call = call, .source = source, .variables = variables };
	const char *at = source;

	return walk_over(&walk, &at, NULL, true) ? walk.problem : NULL;
}

int template_render(struct rpc_call *call, const char *source, const struct template_data *data,
		    bool html, const char **ret)
{
	struct walk walk = { .call = call,
			     .source = source,
			     .variables = "",
			     .data = data,
			     .out = { .html = html } };
	const char *at = source;

	/* It was checked when it was stored; were it not as it should, what there is of it is
	 * better than nothing. */
	walk_over(&walk, &at, NULL, true);
	if (walk.out.full)
		return TEMPLATE_TOO_LARGE;
	put(&walk, "", 1);
	*ret = walk.out.bytes;
	return 0;
}
