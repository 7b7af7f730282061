/* Query strings. */
#include "query.h"
#include "percent.h"
#include <string.h>

/* As HTML forms write it: '+' is a space. NULL: a broken escape. */
static char *unescape(struct arena *arena, const char *text, size_t length, size_t *ret)
{
	char *plain = arena_alloc(arena, length + 1);
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '%') {
			int byte = length - i >= 3 ? percent_byte(text + i) : -1;

			if (byte < 0)
				return NULL;
			plain[used++] = (char)byte;
			i += 2;
		} else {
			plain[used++] = text[i] == '+' ? ' ' : text[i];
		}
	}
	plain[used] = '\0';
	*ret = used;
	return plain;
}

int query_next(struct query *query, struct arena *arena, struct query_pair *ret)
{
	while (query->at < query->end) {
		const char *start = query->at;
		const char *end = memchr(start, '&', (size_t)(query->end - start)), *equals;

		if (!end)
			end = query->end;
		query->at = end + 1;
		if (end == start)
			continue;
		equals = memchr(start, '=', (size_t)(end - start));
		ret->name = unescape(arena, start, (size_t)((equals ? equals : end) - start),
				     &ret->name_length);
		equals = equals ? equals + 1 : end;
		ret->value = unescape(arena, equals, (size_t)(end - equals), &ret->value_length);
		return ret->name && ret->value ? 1 : -1;
	}
	return 0;
}
