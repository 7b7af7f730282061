/* Values that stand as text in JSON: numbers, base64, times, durations, field masks. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "json_private.h"

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
			decimal.exact = !__builtin_mul_overflow(decimal.digits, 10u, &decimal.digits);
		zeros = 0;
		decimal.exact = decimal.exact && !__builtin_mul_overflow(decimal.digits, 10u, &decimal.digits) &&
		                !__builtin_add_overflow(decimal.digits, (unsigned)(*at - '0'), &decimal.digits);
	}
	exponent += zeros;
	if (at < end)
		exponent += parse_exponent(at + 1, end);
	if (!decimal.digits && decimal.exact)
		exponent = 0;
	decimal.exponent = exponent > 1000000 ? 1000000 : exponent < -1000000 ? -1000000 : (int)exponent;
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
	static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
		                         1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	struct decimal decimal;
	double value;

	if (!parse_decimal(text, length, &decimal))
		return parse_special(text, length, ret);
	/* Both factors are exact as doubles, so that one operation rounds once. */
	if (decimal.exact && decimal.digits < (1ull << 53) && decimal.exponent >= -22 && decimal.exponent <= 22) {
		value = (double)decimal.digits;
		value = decimal.exponent < 0 ? value / powers[-decimal.exponent] : value * powers[decimal.exponent];
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

static void print_digits(struct text *text, uint32_t value, int count)
{
	char digits[10];

	for (int i = count; i-- > 0; value /= 10)
		digits[i] = (char)('0' + value % 10);
	text_add(text, digits, (size_t)count);
}

/* Whole numbers, which most are, without printf. */
static bool print_whole(struct text *text, double value)
{
	if (!(fabs(value) < 1e15) || value != (double)(int64_t)value || (value == 0 && signbit(value)))
		return false;
	text_add_integer(text, (int64_t)value);
	return true;
}

/*
 * Decimals of up to six places, such as prices and ratings, without printf: digits and power of ten are exact as doubles, so the
 * quotient is what a reader gets, and the first that gives the value back is the shortest.
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
		print_digits(text, (uint32_t)(digits % (uint64_t)power), places);
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
bool json_parse_base64(struct arena *arena, const char *text, size_t length, ProtobufCBinaryData *ret)
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
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
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

/* --- times ----------------------------------------------------------------------------------- */

enum { NANOS_PER_SECOND = 1000000000 };
static const int64_t TIMESTAMP_MIN = -62135596800, TIMESTAMP_MAX = 253402300799; /* 0001-01-01, 9999-12-31 */
static const int64_t DURATION_MAX = 315576000000;                                /* 10,000 years */

bool timestamp_is_valid(int64_t seconds, int32_t nanos)
{
	return seconds >= TIMESTAMP_MIN && seconds <= TIMESTAMP_MAX && nanos >= 0 && nanos < NANOS_PER_SECOND;
}

bool duration_is_valid(int64_t seconds, int32_t nanos)
{
	return seconds >= -DURATION_MAX && seconds <= DURATION_MAX && nanos > -NANOS_PER_SECOND &&
	       nanos < NANOS_PER_SECOND && !(seconds > 0 && nanos < 0) && !(seconds < 0 && nanos > 0);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, by Howard Hinnant's algorithm (years of March to February). */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t era, year_of_era, day_of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t era, day_of_era, year_of_era, day_of_year, shifted;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	day_of_era = days - era * 146097;
	year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	shifted = (5 * day_of_year + 2) / 153;
	*day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
	*month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

/* 0, 3, 6 or 9 digits. */
static void print_fraction(struct text *text, uint32_t nanos)
{
	if (!nanos)
		return;
	text_add_char(text, '.');
	if (nanos % 1000000 == 0)
		print_digits(text, nanos / 1000000, 3);
	else if (nanos % 1000 == 0)
		print_digits(text, nanos / 1000, 6);
	else
		print_digits(text, nanos, 9);
}

bool json_print_timestamp(struct text *text, int64_t seconds, int32_t nanos)
{
	int64_t days = seconds / 86400, rest = seconds % 86400;
	int year, month, day;

	if (!timestamp_is_valid(seconds, nanos))
		return false;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	date_from_days(days, &year, &month, &day);
	text_add_char(text, '"');
	print_digits(text, (uint32_t)year, 4);
	text_add_char(text, '-');
	print_digits(text, (uint32_t)month, 2);
	text_add_char(text, '-');
	print_digits(text, (uint32_t)day, 2);
	text_add_char(text, 'T');
	print_digits(text, (uint32_t)(rest / 3600), 2);
	text_add_char(text, ':');
	print_digits(text, (uint32_t)(rest / 60 % 60), 2);
	text_add_char(text, ':');
	print_digits(text, (uint32_t)(rest % 60), 2);
	print_fraction(text, (uint32_t)nanos);
	text_add_literal(text, "Z\"");
	return true;
}

bool json_print_duration(struct text *text, int64_t seconds, int32_t nanos)
{
	if (!duration_is_valid(seconds, nanos))
		return false;
	text_add_char(text, '"');
	if (seconds < 0 || nanos < 0)
		text_add_char(text, '-');
	text_add_unsigned(text, (uint64_t)(seconds < 0 ? -seconds : seconds));
	print_fraction(text, (uint32_t)(nanos < 0 ? -nanos : nanos));
	text_add_literal(text, "s\"");
	return true;
}

/* Exactly `count` digits, moving on; -1 when they are not there. */
static int parse_digits(const char **at, const char *end, int count)
{
	int value = 0;

	if (end - *at < count)
		return -1;
	for (int i = 0; i < count; i++) {
		char c = *(*at)++;

		if (!is_digit(c))
			return -1;
		value = value * 10 + (c - '0');
	}
	return value;
}

static bool parse_char(const char **at, const char *end, char wanted)
{
	if (*at == end || **at != wanted)
		return false;
	(*at)++;
	return true;
}

/* "" or a point and 1 to 9 digits; false when there are more. */
static bool parse_fraction(const char **at, const char *end, int32_t *nanos)
{
	int32_t value = 0;
	int digits = 0;

	*nanos = 0;
	if (!parse_char(at, end, '.'))
		return true;
	while (*at < end && is_digit(**at) && digits < 9) {
		value = value * 10 + (*(*at)++ - '0');
		digits++;
	}
	if (!digits || (*at < end && is_digit(**at)))
		return false;
	for (; digits < 9; digits++)
		value *= 10;
	*nanos = value;
	return true;
}

static int days_in_month(int year, int month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* "Z" or "+01:00", in seconds east. */
static bool parse_zone(const char **at, const char *end, int *offset)
{
	int sign, hours, minutes;

	*offset = 0;
	if (parse_char(at, end, 'Z'))
		return true;
	if (*at == end || (**at != '+' && **at != '-'))
		return false;
	sign = *(*at)++ == '-' ? -1 : 1;
	hours = parse_digits(at, end, 2);
	if (hours < 0 || hours > 23 || !parse_char(at, end, ':'))
		return false;
	minutes = parse_digits(at, end, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	*offset = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool json_parse_timestamp(const char *text, size_t length, int64_t *seconds, int32_t *nanos)
{
	const char *at = text, *end = text + length;
	int year, month, day, hour, minute, second, offset;
	int32_t fraction;
	int64_t result;

	year = parse_digits(&at, end, 4);
	if (year < 1 || !parse_char(&at, end, '-'))
		return false;
	month = parse_digits(&at, end, 2);
	if (month < 1 || month > 12 || !parse_char(&at, end, '-'))
		return false;
	day = parse_digits(&at, end, 2);
	if (day < 1 || day > days_in_month(year, month) || !parse_char(&at, end, 'T'))
		return false;
	hour = parse_digits(&at, end, 2);
	if (hour < 0 || hour > 23 || !parse_char(&at, end, ':'))
		return false;
	minute = parse_digits(&at, end, 2);
	if (minute < 0 || minute > 59 || !parse_char(&at, end, ':'))
		return false;
	second = parse_digits(&at, end, 2);
	if (second < 0 || second > 59 || !parse_fraction(&at, end, &fraction) || !parse_zone(&at, end, &offset) ||
	    at != end)
		return false;
	result = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	if (!timestamp_is_valid(result, fraction))
		return false;
	*seconds = result;
	*nanos = fraction;
	return true;
}

bool json_parse_duration(const char *text, size_t length, int64_t *seconds, int32_t *nanos)
{
	const char *at = text, *end = text + length;
	bool negative = parse_char(&at, end, '-');
	int64_t whole = 0;
	int32_t fraction;

	if (at == end || !is_digit(*at))
		return false;
	for (; at < end && is_digit(*at); at++)
		if (whole <= DURATION_MAX)
			whole = whole * 10 + (*at - '0');
	if (!parse_fraction(&at, end, &fraction) || !parse_char(&at, end, 's') || at != end)
		return false;
	if (!duration_is_valid(whole, fraction))
		return false;
	*seconds = negative ? -whole : whole;
	*nanos = negative ? -fraction : fraction;
	return true;
}

/* --- field masks ----------------------------------------------------------------------------- */

bool json_print_mask_path(struct text *text, const char *path)
{
	for (; *path; path++) {
		if ((*path >= 'a' && *path <= 'z') || is_digit(*path) || *path == '.') {
			text_add_char(text, *path);
			continue;
		}
		if (*path++ != '_' || *path < 'a' || *path > 'z')
			return false; /* would not come back as it was */
		text_add_char(text, (char)(*path - 0x20));
	}
	return true;
}

char *json_parse_mask_path(struct arena *arena, const char *text, size_t length)
{
	struct text path = { .arena = arena };

	for (size_t i = 0; i < length; i++) {
		if (text[i] >= 'A' && text[i] <= 'Z') {
			text_add_char(&path, '_');
			text_add_char(&path, (char)(text[i] | 0x20));
		} else if ((text[i] >= 'a' && text[i] <= 'z') || is_digit(text[i]) || text[i] == '.') {
			text_add_char(&path, text[i]);
		} else {
			return NULL;
		}
	}
	text_add_char(&path, '\0');
	return path.data;
}
