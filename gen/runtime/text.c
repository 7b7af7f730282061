/* Text: buffers, UTF-8, JSON strings. */
#include "text.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char digits[20];
	size_t first = sizeof(digits);

	for (; value >= 100; value /= 100) {
		first -= 2;
		memcpy(digits + first, pairs + value % 100 * 2, 2);
	}
	if (value >= 10) {
		first -= 2;
		memcpy(digits + first, pairs + value * 2, 2);
	} else {
		digits[--first] = (char)('0' + value);
	}
	text_add(text, digits + first, sizeof(digits) - first);
}

void text_add_digits(struct text *text, uint32_t value, int count)
{
	char digits[10];

	for (int i = count; i-- > 0; value /= 10)
		digits[i] = (char)('0' + value % 10);
	text_add(text, digits, (size_t)count);
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

/* The length of the character that `bytes` begin with, 0 when they are not UTF-8 (RFC 3629's
 * table). */
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
		return (first == 0xe0 && bytes[1] < 0xa0) || (first == 0xed && bytes[1] > 0x9f) ? 0
												: 3;
	if (size < 4 || (bytes[3] & 0xc0) != 0x80)
		return 0;
	return (first == 0xf0 && bytes[1] < 0x90) || (first == 0xf4 && bytes[1] > 0x8f) ? 0 : 4;
}

/*
 * Most text is plain ASCII, so that many bytes are looked at at once: 16 where the processor has
 * SSE2, as all x86-64 have, else eight. A short text is covered by two words that overlap.
 */
#define EACH_BYTE(byte) (0x0101010101010101ull * (byte))

static inline uint64_t load_8(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint64_t load_4(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* ASCII without NUL. A borrow reaches a higher byte only from one that is a hit itself. */
static inline bool is_ascii(uint8_t byte)
{
	return byte - 1u < 0x7f;
}

static inline bool words_are_ascii(uint64_t a, uint64_t b)
{
	return !(((a - EACH_BYTE(1)) | a | (b - EACH_BYTE(1)) | b) & EACH_BYTE(0x80));
}

/* What a JSON string holds as it is: ASCII but controls, quote and backslash. */
static inline bool is_plain(uint8_t byte)
{
	return byte - 0x20u < 0x60 && byte != '"' && byte != '\\';
}

static inline uint64_t special_bits(uint64_t word)
{
	uint64_t quote = word ^ EACH_BYTE('"'), slash = word ^ EACH_BYTE('\\');

	return word | (word - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (slash - EACH_BYTE(1));
}

static inline bool words_are_plain(uint64_t a, uint64_t b)
{
	return !((special_bits(a) | special_bits(b)) & EACH_BYTE(0x80));
}

/* The length of the ASCII, or of the plain bytes, that `bytes` begin with; may stop short of it
 * within the last 15. */
#ifdef __SSE2__
static inline size_t ascii_prefix(const uint8_t *bytes, size_t size)
{
	size_t i = 0;

	for (; size - i >= 16; i += 16) {
		__m128i block = _mm_loadu_si128((const __m128i *)(bytes + i));
		/* As signed bytes, 0x80 and more are below zero. */
		int hits = _mm_movemask_epi8(_mm_cmplt_epi8(block, _mm_set1_epi8(1)));

		if (hits)
			return i + (size_t)__builtin_ctz((unsigned)hits);
	}
	return i;
}

static inline size_t plain_prefix(const uint8_t *bytes, size_t size)
{
	size_t i = 0;

	for (; size - i >= 16; i += 16) {
		__m128i block = _mm_loadu_si128((const __m128i *)(bytes + i));
		__m128i special = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
		int hits;

		special = _mm_or_si128(special, _mm_cmpeq_epi8(block, _mm_set1_epi8('"')));
		special = _mm_or_si128(special, _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
		hits = _mm_movemask_epi8(special);
		if (hits)
			return i + (size_t)__builtin_ctz((unsigned)hits);
	}
	return i;
}
#else
static inline size_t ascii_prefix(const uint8_t *bytes, size_t size)
{
	size_t i = 0;

	while (size - i >= 8 && words_are_ascii(load_8(bytes + i), EACH_BYTE(1)))
		i += 8;
	return i;
}

static inline size_t plain_prefix(const uint8_t *bytes, size_t size)
{
	size_t i = 0;

	while (size - i >= 8 && words_are_plain(load_8(bytes + i), EACH_BYTE(' ')))
		i += 8;
	return i;
}
#endif

size_t utf8_valid_prefix(const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t i = 0;

	if (size >= 8 && size <= 16 && words_are_ascii(load_8(bytes), load_8(bytes + size - 8)))
		return size;
	if (size >= 4 && size < 8 &&
	    words_are_ascii(load_4(bytes) | load_4(bytes + size - 4) << 32, EACH_BYTE(1)))
		return size;
	for (;;) {
		size_t length;

		i += ascii_prefix(bytes + i, size - i);
		while (i < size && is_ascii(bytes[i]))
			i++;
		if (i == size || !bytes[i])
			return i;
		length = utf8_character(bytes + i, size - i);
		if (!length)
			return i;
		i += length;
	}
}

size_t json_plain_prefix(const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t i = 0;

	for (;;) {
		size_t length;

		i += plain_prefix(bytes + i, size - i);
		while (i < size && is_plain(bytes[i]))
			i++;
		if (i == size || bytes[i] < 0x80)
			return i;
		length = utf8_character(bytes + i, size - i);
		if (!length)
			return i;
		i += length;
	}
}

/* The same of a whole string, most of which are short. */
static inline size_t plain_length(const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;

	if (size >= 8 && size <= 16 && words_are_plain(load_8(bytes), load_8(bytes + size - 8)))
		return size;
	if (size >= 4 && size < 8 &&
	    words_are_plain(load_4(bytes) | load_4(bytes + size - 4) << 32, EACH_BYTE(' ')))
		return size;
	return json_plain_prefix(text, size);
}

static void escape(struct text *text, uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";
	char unicode[] = { '\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15] };
	static const char short_forms[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
	};
	char short_form = byte < 0x20                   ? short_forms[byte]
			  : byte == '"' || byte == '\\' ? (char)byte
							: 0;

	if (short_form)
		text_add(text, (char[]){ '\\', short_form }, 2);
	else
		text_add(text, unicode, sizeof(unicode));
}

void text_add_json_name(struct text *text, const char *name, bool first)
{
	size_t length = strlen(name);
	char *to = plain_length(name, length) == length ? text_room(text, length + 4) : NULL;

	if (!to) {
		if (!first)
			text_add_char(text, ',');
		text_add_json_string(text, name, length);
		text_add_char(text, ':');
		return;
	}
	text->length += length + 4 - first;
	if (!first)
		*to++ = ',';
	*to++ = '"';
	memcpy(to, name, length);
	to[length] = '"';
	to[length + 1] = ':';
}

void text_add_json_string(struct text *text, const char *string, size_t length)
{
	size_t plain = plain_length(string, length);
	char *to;

	if (plain == length && (to = text_room(text, length + 2))) {
		*to++ = '"';
		memcpy(to, string, length);
		to[length] = '"';
		text->length += length + 2;
		return;
	}
	text_add_char(text, '"');
	for (;;) {
		text_add(text, string, plain);
		if (plain == length)
			break;
		if ((uint8_t)string[plain] < 0x80)
			escape(text, (uint8_t)string[plain]);
		else
			text_add_literal(text, "\xef\xbf\xbd");
		string += plain + 1;
		length -= plain + 1;
		plain = json_plain_prefix(string, length);
	}
	text_add_char(text, '"');
}
