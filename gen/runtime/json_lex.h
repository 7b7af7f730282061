/* JSON as text: the parser's place in it, strings, numbers, members, elements. Internal to the
 * runtime. */
#pragma once

#include "json_private.h"

struct json_parser {
	const char *start, *at, *end;
	struct arena *arena;
	const struct rpc_json_options *options;
	struct rpc_json_error *error; /* or NULL */
	const struct field_path *path;
	int depth;
};

struct slice {
	const char *bytes;
	size_t length;
	bool owned; /* a string of the arena with its NUL; else it lies in the text */
};

/* At the beginning of the text; options NULL: the defaults. */
struct json_parser json_parser(struct arena *arena, const struct rpc_json_options *options,
			       const char *text, size_t length, struct rpc_json_error *error);

/* All return false, or -1, with the parser's error set. */
bool json_broken(struct json_parser *parser, const char *what); /* the text is not JSON */
bool json_fail(struct json_parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The first byte of the next token, 0 at the end. */
char json_peek_slowly(struct json_parser *parser);
static inline char json_peek(struct json_parser *parser)
{
	if (__builtin_expect(parser->at<parser->end && * parser->at> ' ', 1))
		return *parser->at;
	return json_peek_slowly(parser);
}
bool json_quoted(struct json_parser *parser, struct slice *ret);
bool json_number(struct json_parser *parser, struct slice *ret);
bool json_literal(struct json_parser *parser, const char *word); /* null, true, false */
bool json_skip(struct json_parser *parser);                      /* a value of any kind */
bool json_end(struct json_parser *parser);                       /* nothing but spaces is left */

/* `*begun` is false before the first. 1: at the member's value, its key in *key; 0: after the
 * brace. */
int json_member(struct json_parser *parser, bool *begun, struct slice *key);
int json_element(struct json_parser *parser, bool *begun);
