/* Well-known types that stand as text in JSON: Timestamp, Duration, FieldMask. */
#include "json_private.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

enum { NANOS_PER_SECOND = 1000000000 };
static const int64_t TIMESTAMP_MIN = -62135596800,
		     TIMESTAMP_MAX = 253402300799; /* 0001-01-01, 9999-12-31 */
static const int64_t DURATION_MAX = 315576000000;  /* 10,000 years */

bool timestamp_is_valid(int64_t seconds, int32_t nanos)
{
	return seconds >= TIMESTAMP_MIN && seconds <= TIMESTAMP_MAX && nanos >= 0 &&
	       nanos < NANOS_PER_SECOND;
}

bool duration_is_valid(int64_t seconds, int32_t nanos)
{
	return seconds >= -DURATION_MAX && seconds <= DURATION_MAX && nanos > -NANOS_PER_SECOND &&
	       nanos < NANOS_PER_SECOND && !(seconds > 0 && nanos < 0) &&
	       !(seconds < 0 && nanos > 0);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, by Howard Hinnant's algorithm (years
 * of March to February). */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t era, year_of_era, day_of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t era, day_of_era, year_of_era, day_of_year, shifted;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	day_of_era = days - era * 146097;
	year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
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
		text_add_digits(text, nanos / 1000000, 3);
	else if (nanos % 1000 == 0)
		text_add_digits(text, nanos / 1000, 6);
	else
		text_add_digits(text, nanos, 9);
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
	text_add_digits(text, (uint32_t)year, 4);
	text_add_char(text, '-');
	text_add_digits(text, (uint32_t)month, 2);
	text_add_char(text, '-');
	text_add_digits(text, (uint32_t)day, 2);
	text_add_char(text, 'T');
	text_add_digits(text, (uint32_t)(rest / 3600), 2);
	text_add_char(text, ':');
	text_add_digits(text, (uint32_t)(rest / 60 % 60), 2);
	text_add_char(text, ':');
	text_add_digits(text, (uint32_t)(rest % 60), 2);
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
	if (second < 0 || second > 59 || !parse_fraction(&at, end, &fraction) ||
	    !parse_zone(&at, end, &offset) || at != end)
		return false;
	result = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
		 offset;
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
		} else if ((text[i] >= 'a' && text[i] <= 'z') || is_digit(text[i]) ||
			   text[i] == '.') {
			text_add_char(&path, text[i]);
		} else {
			return NULL;
		}
	}
	text_add_char(&path, '\0');
	return path.data;
}
