/* JSON as text, RFC 8259 and no more: no comments, no trailing commas, no bare words. */
#include "json_lex.h"
#include <stdio.h>

void json_error_set(struct rpc_json_error *error, const struct field_path *path, size_t offset,
		    const char *format, va_list arguments)
{
	struct text field;

	if (!error)
		return;
	*error = (struct rpc_json_error){ .offset = offset };
	field = (struct text){ .data = error->field, .capacity = sizeof(error->field) - 1 };
	field_path_print(path, &field);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
}

static const struct rpc_json_options default_options;

struct json_parser json_parser(struct arena *arena, const struct rpc_json_options *options,
			       const char *text, size_t length, struct rpc_json_error *error)
{
	return (struct json_parser){
		.start = text,
		.at = text,
		.end = text + length,
		.arena = arena,
		.options = options ? options : &default_options,
		.error = error,
	};
}

bool json_broken(struct json_parser *parser, const char *what)
{
	parser->path = NULL;
	return json_fail(parser, "The text is not JSON: %s at byte %zu.", what,
			 (size_t)(parser->at - parser->start));
}

bool json_fail(struct json_parser *parser, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	json_error_set(parser->error, parser->path, (size_t)(parser->at - parser->start), format,
		       arguments);
	va_end(arguments);
	return false;
}

char json_peek_slowly(struct json_parser *parser)
{
	while (parser->at < parser->end) {
		char c = *parser->at;

		if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
			return c;
		parser->at++;
	}
	return '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits after a \u; -1 when they are not there. */
static int32_t unicode_escape(const char *at, const char *end)
{
	int32_t value = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_value(at[i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static bool add_unicode(struct json_parser *parser, struct text *string)
{
	int32_t code_point = unicode_escape(parser->at, parser->end), low;
	char *to;

	if (code_point < 0)
		return json_broken(parser, "four hex digits are missing after \\u");
	if (!code_point)
		return json_fail(parser, "A string must not hold a NUL.");
	parser->at += 4;
	if (code_point >= 0xdc00 && code_point < 0xe000)
		return json_broken(parser, "half of a surrogate pair stands alone");
	if (code_point >= 0xd800 && code_point < 0xdc00) {
		low = parser->end - parser->at >= 6 && parser->at[0] == '\\' && parser->at[1] == 'u'
			      ? unicode_escape(parser->at + 2, parser->end)
			      : -1;
		if (low < 0xdc00 || low >= 0xe000)
			return json_broken(parser, "half of a surrogate pair stands alone");
		parser->at += 6;
		code_point = 0x10000 + ((code_point - 0xd800) << 10) + (low - 0xdc00);
	}
	to = text_room(string, 4);
	string->length += utf8_put(to, (uint32_t)code_point);
	return true;
}

static bool add_escape(struct json_parser *parser, struct text *string)
{
	static const char meaning[128] = {
		['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
		['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
	};
	char c;

	if (parser->at == parser->end)
		return json_broken(parser, "the string does not end");
	c = *parser->at;
	if (c == 'u') {
		parser->at++;
		return add_unicode(parser, string);
	}
	if (c < 0 || !meaning[(int)c])
		return json_broken(parser, "there is no such escape");
	parser->at++;
	text_add_char(string, meaning[(int)c]);
	return true;
}

static bool string_with_escapes(struct json_parser *parser, const char *begin, struct slice *ret)
{
	struct text string = { .arena = parser->arena };

	text_add(&string, begin, (size_t)(parser->at - begin));
	for (;;) {
		size_t plain = json_plain_prefix(parser->at, (size_t)(parser->end - parser->at));

		text_add(&string, parser->at, plain);
		parser->at += plain;
		if (parser->at == parser->end)
			return json_broken(parser, "the string does not end");
		if (*parser->at == '"')
			break;
		if (*parser->at != '\\')
			return json_broken(parser,
					   *parser->at & 0x80
						   ? "the string is not UTF-8"
						   : "a control character stands in a string");
		parser->at++;
		if (!add_escape(parser, &string))
			return false;
	}
	parser->at++;
	text_add_char(&string, '\0');
	*ret = (struct slice){ string.data, string.length - 1, true };
	return true;
}

bool json_quoted(struct json_parser *parser, struct slice *ret)
{
	const char *begin;

	if (json_peek(parser) != '"')
		return json_broken(parser, "a string is missing");
	begin = ++parser->at;
	parser->at += json_plain_prefix(begin, (size_t)(parser->end - begin));
	if (parser->at == parser->end || *parser->at != '"')
		return string_with_escapes(parser, begin, ret);
	*ret = (struct slice){ begin, (size_t)(parser->at - begin), false };
	parser->at++;
	return true;
}

bool json_number(struct json_parser *parser, struct slice *ret)
{
	size_t length;

	json_peek(parser);
	length = json_number_length(parser->at, parser->end);
	if (!length)
		return json_broken(parser, "a value is missing");
	*ret = (struct slice){ parser->at, length, false };
	parser->at += length;
	return true;
}

bool json_literal(struct json_parser *parser, const char *word)
{
	size_t length = strlen(word);

	json_peek(parser);
	if ((size_t)(parser->end - parser->at) < length || memcmp(parser->at, word, length))
		return json_broken(parser, "a value is missing");
	parser->at += length;
	return true;
}

/* Opens at the first call, closes at the end: 1 when an element follows. */
static int step(struct json_parser *parser, bool *begun, char open, char close)
{
	bool first = !*begun;
	char c = json_peek(parser);

	if (first) {
		if (c != open) {
			json_broken(parser,
				    open == '{' ? "an object is missing" : "an array is missing");
			return -1;
		}
		if (parser->depth == DEPTH_MAX) {
			json_fail(parser, "The JSON is nested more than %d deep.", DEPTH_MAX);
			return -1;
		}
		parser->depth++;
		parser->at++;
		*begun = true;
		c = json_peek(parser);
	}
	if (c == close) {
		parser->at++;
		parser->depth--;
		return 0;
	}
	if (first)
		return 1;
	if (c != ',') {
		json_broken(parser, close == '}' ? "a comma or a closing brace is missing"
						 : "a comma or a closing bracket is missing");
		return -1;
	}
	parser->at++;
	return 1;
}

int json_member(struct json_parser *parser, bool *begun, struct slice *key)
{
	int r = step(parser, begun, '{', '}');

	if (r <= 0)
		return r;
	if (!json_quoted(parser, key))
		return -1;
	if (json_peek(parser) != ':') {
		json_broken(parser, "a colon is missing");
		return -1;
	}
	parser->at++;
	return 1;
}

int json_element(struct json_parser *parser, bool *begun)
{
	return step(parser, begun, '[', ']');
}

bool json_skip(struct json_parser *parser)
{
	struct slice ignored;
	bool begun = false;
	int r;

	switch (json_peek(parser)) {
	case '{':
		while ((r = json_member(parser, &begun, &ignored)) > 0)
			if (!json_skip(parser))
				return false;
		return r == 0;
	case '[':
		while ((r = json_element(parser, &begun)) > 0)
			if (!json_skip(parser))
				return false;
		return r == 0;
	case '"':
		return json_quoted(parser, &ignored);
	case 't':
		return json_literal(parser, "true");
	case 'f':
		return json_literal(parser, "false");
	case 'n':
		return json_literal(parser, "null");
	default:
		return json_number(parser, &ignored);
	}
}

bool json_end(struct json_parser *parser)
{
	json_peek(parser);
	return parser->at == parser->end || json_broken(parser, "something follows the value");
}
