/* Where in a message JSON went wrong, and why. */
#include <stdio.h>
#include "json_private.h"

void json_path_print(const struct json_path *path, struct text *text)
{
	if (!path)
		return;
	json_path_print(path->outer, text);
	if (!path->name) {
		text_add_char(text, '[');
		text_add_unsigned(text, path->index);
		text_add_char(text, ']');
		return;
	}
	if (path->is_key)
		text_add_char(text, '[');
	else if (text->length)
		text_add_char(text, '.');
	text_add(text, path->name, path->length == PATH_TERMINATED ? strlen(path->name) : path->length);
	if (path->is_key)
		text_add_char(text, ']');
}

void json_error_set(struct rpc_json_error *error, const struct json_path *path, size_t offset, const char *format,
                    va_list arguments)
{
	struct text field;

	if (!error)
		return;
	*error = (struct rpc_json_error){ .offset = offset };
	field = (struct text){ .data = error->field, .capacity = sizeof(error->field) - 1 };
	json_path_print(path, &field);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
}
