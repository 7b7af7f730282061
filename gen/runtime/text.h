/* Text: buffers that grow in an arena or are cut at their end, UTF-8, JSON strings. Internal to the
 * runtime. */
#pragma once

#include <crpc/arena.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* With an arena the buffer grows; without, what does not fit is left out and `cut` says so. */
struct text {
	char *data;
	size_t length, capacity;
	struct arena *arena;
	bool cut;
};

/* Room for `size` more bytes: where to write them, or NULL when the buffer is cut. The caller adds
 * to `length`. */
char *text_room_slow(struct text *text, size_t size);
static inline char *text_room(struct text *text, size_t size)
{
	if (__builtin_expect(size <= text->capacity - text->length, 1))
		return text->data + text->length;
	return text_room_slow(text, size);
}

static inline void text_add(struct text *text, const char *bytes, size_t size)
{
	char *to = size ? text_room(text, size) : NULL;

	if (!to)
		return;
	memcpy(to, bytes, size);
	text->length += size;
}
static inline void text_add_char(struct text *text, char character)
{
	char *to = text_room(text, 1);

	if (!to)
		return;
	*to = character;
	text->length++;
}
#define text_add_literal(text, literal) text_add((text), (literal), sizeof(literal) - 1)
void text_add_integer(struct text *text, int64_t value);
void text_add_unsigned(struct text *text, uint64_t value);
void text_add_digits(struct text *text, uint32_t value, int count); /* zeros before */

/* A JSON string in its quotes. What is not UTF-8 becomes U+FFFD. */
void text_add_json_string(struct text *text, const char *string, size_t length);

/* The beginning of an object's member: ',"name":', the first one's without the comma. */
void text_add_json_name(struct text *text, const char *name, bool first);

/* The length of the valid UTF-8 without controls, quotes and backslashes that `bytes` begin with:
 * what a JSON string holds as it is. */
size_t json_plain_prefix(const char *bytes, size_t size);

/* The length of the valid UTF-8 without NUL that `bytes` begin with; `size` when all is well. */
size_t utf8_valid_prefix(const char *bytes, size_t size);
/* Writes a code point (not a surrogate): the bytes it took, 1 to 4. */
size_t utf8_put(char *to, uint32_t code_point);
