/* Text: buffers, UTF-8, JSON strings. */
#include "text.h"

char *text_room_slow(struct text *text, size_t size)
{
	size_t capacity = text->capacity ? text->capacity : 128;

	if (text->cut)
		return NULL;
	if (!text->arena) {
		text->cut = true;
		return NULL;
	}
	while (capacity - text->length < size && capacity <= SIZE_MAX / 4)
		capacity *= 2;
	/* Beyond the arena's cap this does not come back. */
	if (text->data)
		text->data = arena_resize_last(text->arena, text->data, text->capacity, capacity);
	else
		text->data = arena_alloc(text->arena, capacity);
	text->capacity = capacity;
	return text->data + text->length;
}

void text_add_unsigned(struct text *text, uint64_t value)
{
	char digits[20];
	size_t first = sizeof(digits);

	do {
		digits[--first] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	text_add(text, digits + first, sizeof(digits) - first);
}

void text_add_integer(struct text *text, int64_t value)
{
	if (value < 0) {
		text_add_char(text, '-');
		text_add_unsigned(text, 0 - (uint64_t)value);
	} else {
		text_add_unsigned(text, (uint64_t)value);
	}
}

size_t utf8_put(char *to, uint32_t code_point)
{
	if (code_point < 0x80) {
		to[0] = (char)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		to[0] = (char)(0xc0 | code_point >> 6);
		to[1] = (char)(0x80 | (code_point & 0x3f));
		return 2;
	}
	if (code_point < 0x10000) {
		to[0] = (char)(0xe0 | code_point >> 12);
		to[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code_point & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code_point >> 18);
	to[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code_point & 0x3f));
	return 4;
}

/* The length of the character that `bytes` begin with, 0 when they are not UTF-8 (RFC 3629's table). */
static size_t utf8_character(const uint8_t *bytes, size_t size)
{
	uint8_t first = bytes[0];

	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	if (first < 0xe0)
		return size >= 2 && (bytes[1] & 0xc0) == 0x80 ? 2 : 0;
	if (size < 3 || (bytes[1] & 0xc0) != 0x80 || (bytes[2] & 0xc0) != 0x80)
		return 0;
	if (first < 0xf0)
		return (first == 0xe0 && bytes[1] < 0xa0) || (first == 0xed && bytes[1] > 0x9f) ? 0 : 3;
	if (size < 4 || (bytes[3] & 0xc0) != 0x80)
		return 0;
	return (first == 0xf0 && bytes[1] < 0x90) || (first == 0xf4 && bytes[1] > 0x8f) ? 0 : 4;
}

#define EACH_BYTE(byte) (0x0101010101010101ull * (byte))

/* Whether one of eight bytes is 0x80 or more, or 0. */
static inline bool not_plain(uint64_t word)
{
	return ((word - EACH_BYTE(0x01)) | word) & EACH_BYTE(0x80);
}

size_t utf8_valid_prefix(const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t i = 0;

	while (i < size) {
		uint64_t word;
		size_t length;

		while (size - i >= 8) {
			memcpy(&word, bytes + i, 8);
			if (not_plain(word))
				break;
			i += 8;
		}
		if (i == size || !bytes[i])
			break;
		length = utf8_character(bytes + i, size - i);
		if (!length)
			break;
		i += length;
	}
	return i;
}

/* Bytes of a JSON string that cannot stand as they are: controls, the quote, the backslash, and what may be broken UTF-8. */
static inline bool is_special(uint8_t byte)
{
	return byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x80;
}

static inline bool has_special(uint64_t word)
{
	uint64_t quote = word ^ EACH_BYTE('"'), slash = word ^ EACH_BYTE('\\');

	/* Each subtraction sets the top bit where the byte was below; borrows only make more true, never less. */
	return (word | (word - EACH_BYTE(0x20)) | (quote - EACH_BYTE(0x01)) | (slash - EACH_BYTE(0x01))) &
	       EACH_BYTE(0x80);
}

static void escape(struct text *text, uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";
	char unicode[] = { '\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15] };
	static const char short_forms[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
	};
	char short_form = byte < 0x20 ? short_forms[byte] : byte == '"' || byte == '\\' ? (char)byte : 0;

	if (short_form)
		text_add(text, (char[]){ '\\', short_form }, 2);
	else
		text_add(text, unicode, sizeof(unicode));
}

size_t json_plain_prefix(const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t i = 0;

	for (;;) {
		uint64_t word;
		size_t character;

		while (size - i >= 8) {
			memcpy(&word, bytes + i, 8);
			if (has_special(word))
				break;
			i += 8;
		}
		while (i < size && !is_special(bytes[i]))
			i++;
		if (i == size || bytes[i] < 0x80)
			return i;
		character = utf8_character(bytes + i, size - i);
		if (!character)
			return i;
		i += character;
	}
}

void text_add_json_string(struct text *text, const char *string, size_t length)
{
	text_add_char(text, '"');
	for (;;) {
		size_t plain = json_plain_prefix(string, length);

		text_add(text, string, plain);
		if (plain == length)
			break;
		if ((uint8_t)string[plain] < 0x80)
			escape(text, (uint8_t)string[plain]);
		else
			text_add_literal(text, "\xef\xbf\xbd");
		string += plain + 1;
		length -= plain + 1;
	}
	text_add_char(text, '"');
}
