/* Percent-encoding of URLs. */
#include "percent.h"
#include <string.h>

static int hex(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

int percent_byte(const char *text)
{
	int high = hex(text[1]), low = high < 0 ? -1 : hex(text[2]);

	return text[0] != '%' || low < 0 ? -1 : high << 4 | low;
}

static size_t put(char *to, size_t capacity, size_t at, int byte)
{
	if (at < capacity)
		to[at] = (char)byte;
	return at + 1;
}

size_t percent_decode(char *to, size_t capacity, const char *text, size_t length, const char *keep)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		int byte = length - i >= 3 ? percent_byte(text + i) : -1;

		if (byte >= 0 && !(keep && byte && strchr(keep, byte))) {
			used = put(to, capacity, used, byte);
			i += 2;
		} else {
			used = put(to, capacity, used, text[i]);
		}
	}
	return used;
}
