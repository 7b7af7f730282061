/* W3C trace context: which trace a call belongs to, and which span of it the call is. */
#include "trace.h"
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* xoroshiro128+, seeded once a thread: a system call for each span would cost more than the span.
 */
static __thread uint64_t state[2];

static uint64_t rotate(uint64_t value, int bits)
{
	return (value << bits) | (value >> (64 - bits));
}

uint64_t trace_random(void)
{
	uint64_t a = state[0], b = state[1], result;

	if (!(a | b)) {
		if (getrandom(state, sizeof(state), 0) != sizeof(state)) {
			struct timespec now;

			clock_gettime(CLOCK_REALTIME, &now);
			state[0] = (uint64_t)now.tv_nsec << 20 | 1;
			state[1] = (uintptr_t)&state ^ (uint64_t)now.tv_sec;
		}
		a = state[0];
		b = state[1];
	}
	result = a + b;
	b ^= a;
	state[0] = rotate(a, 24) ^ b ^ (b << 16);
	state[1] = rotate(b, 37);
	return result ? result : 1;
}

static int hex_digit(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	return -1; /* upper case is not allowed by the standard */
}

static bool hex_parse(const char *text, uint8_t *to, size_t size)
{
	uint8_t any = 0;

	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		to[i] = (uint8_t)(high << 4 | low);
		any |= to[i];
	}
	return any; /* an id of zeros is invalid */
}

static bool trace_parse(struct trace *trace, const char *text, size_t length)
{
	int high, low;

	/* A later version may append fields; version ff is invalid. */
	if (length < TRACEPARENT_LENGTH || text[2] != '-' || text[35] != '-' || text[52] != '-')
		return false;
	if (hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0 || !memcmp(text, "ff", 2))
		return false;
	if (length > TRACEPARENT_LENGTH &&
	    (!memcmp(text, "00", 2) || text[TRACEPARENT_LENGTH] != '-'))
		return false;
	high = hex_digit(text[53]);
	low = hex_digit(text[54]);
	if (high < 0 || low < 0)
		return false;
	if (!hex_parse(text + 3, trace->trace_id, 16) || !hex_parse(text + 36, trace->parent_id, 8))
		return false;
	trace->flags = low & 1;
	return true;
}

void trace_begin(struct trace *trace, const char *traceparent, size_t length)
{
	uint64_t random = trace_random();

	if (!traceparent || !trace_parse(trace, traceparent, length)) {
		uint64_t id[2] = { trace_random(), trace_random() };

		memcpy(trace->trace_id, id, sizeof(trace->trace_id));
		memset(trace->parent_id, 0, sizeof(trace->parent_id));
		trace->flags = 1;
	}
	memcpy(trace->span_id, &random, sizeof(trace->span_id));
}

static char *hex_print(char *to, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	return to;
}

void trace_make_id(char *to)
{
	uint64_t id[2] = { trace_random(), trace_random() };

	*hex_print(to, (const uint8_t *)id, sizeof(id)) = '\0';
}

void trace_print(const struct trace *trace, char *to)
{
	memcpy(to, "00-", 3);
	to = hex_print(to + 3, trace->trace_id, 16);
	*to++ = '-';
	to = hex_print(to, trace->span_id, 8);
	*to++ = '-';
	to = hex_print(to, &trace->flags, 1);
	*to = '\0';
}
