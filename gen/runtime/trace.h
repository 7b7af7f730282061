/* W3C trace context: which trace a call belongs to, and which span of it the call is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace {
	uint8_t trace_id[16];
	uint8_t span_id[8], parent_id[8]; /* parent: zero when the trace begins here */
	uint8_t flags;
};

enum { TRACEPARENT_LENGTH = 55 };

/* A span of its own: of the trace that `traceparent` names, or of a new one when it is NULL or not
 * well formed. */
void trace_begin(struct trace *trace, const char *traceparent, size_t length);
/* Writes TRACEPARENT_LENGTH characters and a NUL. */
void trace_print(const struct trace *trace, char *to);

/* Random numbers, quick and not secret: ids of spans and requests, the spread of timers. Never 0.
 */
uint64_t trace_random(void);
/* 32 hexadecimal digits and a NUL, for what needs no more than to differ. */
void trace_make_id(char *to);
