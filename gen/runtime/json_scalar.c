/* Values that stand as text in JSON: numbers and bytes. */
#include "json_private.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* --- numbers --------------------------------------------------------------------------------- */

/* RFC 8259: no plus, no leading zero, digits after the point. */
size_t json_number_length(const char *text, const char *end)
{
	const char *at = text;

	if (at < end && *at == '-')
		at++;
	if (at == end || !is_digit(*at))
		return 0;
	if (*at++ != '0')
		while (at < end && is_digit(*at))
			at++;
	if (at < end && *at == '.') {
		if (++at == end || !is_digit(*at))
			return 0;
		while (at < end && is_digit(*at))
			at++;
	}
	if (at < end && (*at | 0x20) == 'e') {
		if (++at < end && (*at == '+' || *at == '-'))
			at++;
		if (at == end || !is_digit(*at))
			return 0;
		while (at < end && is_digit(*at))
			at++;
	}
	return (size_t)(at - text);
}

/* A number as digits times a power of ten. */
struct decimal {
	bool negative;
	uint64_t digits; /* without zeros at the end */
	int exponent;
	bool exact; /* all digits fit */
};

static int parse_exponent(const char *at, const char *end)
{
	bool negative = at < end && *at == '-';
	int value = 0;

	if (at < end && (*at == '-' || *at == '+'))
		at++;
	for (; at < end; at++)
		if (value < 100000)
			value = value * 10 + (*at - '0');
	return negative ? -value : value;
}

static bool parse_decimal(const char *text, size_t length, struct decimal *ret)
{
	struct decimal decimal = { .exact = true };
	const char *at = text, *end = text + length;
	int64_t exponent = 0, zeros = 0; /* zeros: at the end so far, not multiplied in */
	bool fraction = false;

	if (!length || json_number_length(text, end) != length)
		return false;
	if (*at == '-') {
		decimal.negative = true;
		at++;
	}
	for (; at < end && (*at | 0x20) != 'e'; at++) {
		if (*at == '.') {
			fraction = true;
			continue;
		}
		exponent -= fraction;
		if (*at == '0') {
			zeros += decimal.digits != 0;
			continue;
		}
		for (; zeros && decimal.exact; zeros--)
			decimal.exact =
				!__builtin_mul_overflow(decimal.digits, 10u, &decimal.digits);
		zeros = 0;
		decimal.exact = decimal.exact &&
				!__builtin_mul_overflow(decimal.digits, 10u, &decimal.digits) &&
				!__builtin_add_overflow(decimal.digits, (unsigned)(*at - '0'),
							&decimal.digits);
	}
	exponent += zeros;
	if (at < end)
		exponent += parse_exponent(at + 1, end);
	if (!decimal.digits && decimal.exact)
		exponent = 0;
	decimal.exponent = exponent > 1000000    ? 1000000
			   : exponent < -1000000 ? -1000000
						 : (int)exponent;
	*ret = decimal;
	return true;
}

bool json_parse_integer(const char *text, size_t length, bool *negative, uint64_t *magnitude)
{
	struct decimal decimal;

	if (!parse_decimal(text, length, &decimal) || !decimal.exact || decimal.exponent < 0)
		return false;
	for (; decimal.exponent && decimal.digits; decimal.exponent--)
		if (__builtin_mul_overflow(decimal.digits, 10u, &decimal.digits))
			return false;
	*negative = decimal.negative;
	*magnitude = decimal.digits;
	return true;
}

static bool is_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && !memcmp(text, word, length);
}

static bool parse_special(const char *text, size_t length, double *ret)
{
	if (is_word(text, length, "NaN"))
		*ret = (double)NAN;
	else if (is_word(text, length, "Infinity"))
		*ret = (double)INFINITY;
	else if (is_word(text, length, "-Infinity"))
		*ret = -(double)INFINITY;
	else
		return false;
	return true;
}

bool json_parse_double(struct arena *arena, const char *text, size_t length, double *ret)
{
	static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
					 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
					 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	struct decimal decimal;
	double value;

	if (!parse_decimal(text, length, &decimal))
		return parse_special(text, length, ret);
	/* Both factors are exact as doubles, so that one operation rounds once. */
	if (decimal.exact && decimal.digits < (1ull << 53) && decimal.exponent >= -22 &&
	    decimal.exponent <= 22) {
		value = (double)decimal.digits;
		value = decimal.exponent < 0 ? value / powers[-decimal.exponent]
					     : value * powers[decimal.exponent];
		*ret = decimal.negative ? -value : value;
		return true;
	}
	value = strtod(arena_strndup(arena, text, length), NULL);
	if (!isfinite(value))
		return false;
	*ret = value;
	return true;
}

bool json_parse_float(struct arena *arena, const char *text, size_t length, float *ret)
{
	struct decimal decimal;
	double special;
	float value;

	if (!parse_decimal(text, length, &decimal)) {
		if (!parse_special(text, length, &special))
			return false;
		*ret = (float)special;
		return true;
	}
	/* Not by way of a double, which would round twice. */
	if (decimal.exact && decimal.digits < (1u << 24) && !decimal.exponent) {
		value = (float)decimal.digits;
		*ret = decimal.negative ? -value : value;
		return true;
	}
	value = strtof(arena_strndup(arena, text, length), NULL);
	if (!isfinite(value))
		return false;
	*ret = value;
	return true;
}

/* Whole numbers, which most are, without printf. */
static bool print_whole(struct text *text, double value)
{
	if (!(fabs(value) < 1e15) || value != (double)(int64_t)value ||
	    (value == 0 && signbit(value)))
		return false;
	text_add_integer(text, (int64_t)value);
	return true;
}

/*
 * Decimals of up to six places, such as prices and ratings, without printf: digits and power of ten
 * are exact as doubles, so the quotient is what a reader gets, and the first that gives the value
 * back is the shortest.
 */
static bool print_short(struct text *text, double value)
{
	double power = 1, magnitude = fabs(value);

	if (!(magnitude >= 1e-3 && magnitude < 1e9))
		return false;
	for (int places = 1; places <= 6; places++) {
		uint64_t digits;

		power *= 10;
		digits = (uint64_t)(magnitude * power + 0.5);
		if ((double)digits / power != magnitude)
			continue;
		if (value < 0)
			text_add_char(text, '-');
		text_add_unsigned(text, digits / (uint64_t)power);
		text_add_char(text, '.');
		text_add_digits(text, (uint32_t)(digits % (uint64_t)power), places);
		return true;
	}
	return false;
}

void json_print_double(struct text *text, double value)
{
	char digits[32];
	int length = 0;

	if (print_whole(text, value) || print_short(text, value))
		return;
	for (int precision = 15; precision <= 17; precision++) {
		length = snprintf(digits, sizeof(digits), "%.*g", precision, value);
		if (precision == 17 || strtod(digits, NULL) == value)
			break;
	}
	text_add(text, digits, (size_t)length);
}

void json_print_float(struct text *text, float value)
{
	char digits[32];
	int length = 0;

	if (print_whole(text, (double)value))
		return;
	for (int precision = 6; precision <= 9; precision++) {
		length = snprintf(digits, sizeof(digits), "%.*g", precision, (double)value);
		if (precision == 9 || strtof(digits, NULL) == value)
			break;
	}
	text_add(text, digits, (size_t)length);
}

/* --- bytes ----------------------------------------------------------------------------------- */

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

/* The standard and the URL alphabet, padded or not. */
bool json_parse_base64(struct arena *arena, const char *text, size_t length,
		       ProtobufCBinaryData *ret)
{
	uint8_t *bytes, *to;
	uint32_t bits = 0;

	if (length && length % 4 == 0 && text[length - 1] == '=')
		length -= text[length - 2] == '=' ? 2 : 1;
	if (length % 4 == 1)
		return false;
	bytes = to = arena_alloc(arena, length / 4 * 3 + 3);
	for (size_t i = 0; i < length; i++) {
		int value = base64_value(text[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 == 3) {
			*to++ = (uint8_t)(bits >> 16);
			*to++ = (uint8_t)(bits >> 8);
			*to++ = (uint8_t)bits;
		}
	}
	if (length % 4 == 2) {
		*to++ = (uint8_t)(bits >> 4);
	} else if (length % 4 == 3) {
		*to++ = (uint8_t)(bits >> 10);
		*to++ = (uint8_t)(bits >> 2);
	}
	*ret = (ProtobufCBinaryData){ (size_t)(to - bytes), to == bytes ? NULL : bytes };
	return true;
}

void json_print_base64(struct text *text, const ProtobufCBinaryData *bytes)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *at = bytes->data;
	size_t left = bytes->len;
	char *to = text_room(text, left / 3 * 4 + 4);

	if (!to)
		return;
	for (; left >= 3; left -= 3, at += 3) {
		*to++ = alphabet[at[0] >> 2];
		*to++ = alphabet[(at[0] & 3) << 4 | at[1] >> 4];
		*to++ = alphabet[(at[1] & 15) << 2 | at[2] >> 6];
		*to++ = alphabet[at[2] & 63];
	}
	if (left) {
		uint8_t second = left == 2 ? at[1] : 0;

		*to++ = alphabet[at[0] >> 2];
		*to++ = alphabet[(at[0] & 3) << 4 | second >> 4];
		*to++ = left == 2 ? alphabet[(second & 15) << 2] : '=';
		*to++ = '=';
	}
	text->length = (size_t)(to - text->data);
}
