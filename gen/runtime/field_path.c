/* Where in a message something is, as errors name it. */
#include "message_private.h"
#include <string.h>

void field_path_print(const struct field_path *path, struct text *text)
{
	if (!path)
		return;
	field_path_print(path->outer, text);
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
	text_add(text, path->name,
		 path->length == PATH_TERMINATED ? strlen(path->name) : path->length);
	if (path->is_key)
		text_add_char(text, ']');
}
