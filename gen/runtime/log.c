/* JSON log lines on stderr. */
#include "text.h"
#include <crpc/call.h>
#include <crpc/log.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A line never exceeds LINE_MAX: PIPE_BUF, so that lines of several processes in one pipe stay
 * whole. */
enum { LINE_MAX_BYTES = 4096, VALUE_MAX = 1024, TAIL = 64 };

static _Atomic enum log_level least_level = LOG_LEVEL_INFO;
static char service_name[64];
static void (*_Atomic hook)(enum log_level level, const char *line);

static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};

void log_set_level(enum log_level least)
{
	least_level = least;
}

bool log_enabled(enum log_level level)
{
	return level >= least_level || hook;
}

/* Before the first thread. */
void log_set_service(const char *name)
{
	size_t length = strnlen(name, sizeof(service_name) - 1);

	memcpy(service_name, name, length);
	service_name[length] = '\0';
}

void log_set_hook(void (*new_hook)(enum log_level level, const char *line))
{
	hook = new_hook;
}

const char *log_errno(int code)
{
	const char *text = strerrordesc_np(code < 0 ? -code : code);

	return text ? text : "Unknown error";
}

static void add_time(struct text *line)
{
	struct timespec now;
	struct tm parts;
	char digits[40];
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	length = strftime(digits, sizeof(digits), "\"%Y-%m-%dT%H:%M:%S.", &parts);
	text_add(line, digits, length);
	text_add(line,
		 (char[]){ (char)('0' + now.tv_nsec / 100000000),
			   (char)('0' + now.tv_nsec / 10000000 % 10),
			   (char)('0' + now.tv_nsec / 1000000 % 10), 'Z', '"' },
		 5);
}

/* Leaves out what would make the line too long; cuts a long value at a character. */
static void add_pair(struct text *line, const char *key, const char *value, size_t length)
{
	size_t before = line->length;

	if (length > VALUE_MAX)
		length = utf8_valid_prefix(value, VALUE_MAX);
	text_add_char(line, ',');
	text_add_json_string(line, key, strnlen(key, VALUE_MAX));
	text_add_char(line, ':');
	text_add_json_string(line, value, length);
	if (line->cut || line->capacity - line->length < TAIL) {
		line->length = before;
		line->cut = true;
	}
}

/* 00-<32 hex: trace>-<16 hex: span>-<flags> */
static void add_trace(struct text *line, const struct rpc_call *call)
{
	const char *traceparent = rpc_traceparent(call), *request_id = rpc_request_id(call);

	if (traceparent && strlen(traceparent) == 55) {
		add_pair(line, "trace_id", traceparent + 3, 32);
		add_pair(line, "span_id", traceparent + 36, 16);
	}
	if (request_id && *request_id)
		add_pair(line, "request_id", request_id, strlen(request_id));
}

void log_write(enum log_level level, const struct rpc_call *call, const char *sentence,
	       const struct rpc_meta *pairs)
{
	char bytes[LINE_MAX_BYTES];
	struct text line = { .data = bytes, .capacity = sizeof(bytes) - 1 };
	void (*to_hook)(enum log_level, const char *) = hook;
	const char *rest;
	size_t length;

	if (level < least_level && !to_hook)
		return;

	text_add_literal(&line, "{\"time\":");
	add_time(&line);
	add_pair(&line, "level", level_names[level], strlen(level_names[level]));
	if (*service_name)
		add_pair(&line, "service", service_name, strlen(service_name));
	add_pair(&line, "message", sentence, strlen(sentence));
	if (call)
		add_trace(&line, call);
	for (; pairs->key; pairs++)
		if (pairs->value)
			add_pair(&line, pairs->key, pairs->value, strlen(pairs->value));
	if (line.cut)
		text_add_literal(&line, ",\"cut\":true");
	text_add_char(&line, '}');
	line.data[line.length] = '\0';
	if (to_hook)
		to_hook(level, line.data);
	if (level < least_level)
		return;

	line.data[line.length++] = '\n';
	/* There is nobody left to tell when stderr is gone. */
	for (rest = line.data, length = line.length; length;) {
		ssize_t written = write(STDERR_FILENO, rest, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			break;
		rest += written;
		length -= (size_t)written;
	}
}
