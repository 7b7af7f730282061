/* JSON log lines on stderr: a constant sentence, its data in pairs, the trace of the call. */
#pragma once

#include <crpc/status.h>
#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/*
 *     log_warning(call, "payment refused", { "order", order->name });
 *
 * `call` may be NULL outside a call. Values are never personal data, passwords, tokens or cards.
 * Library code does not log; a failure is logged once, by the outermost caller. Thread safe, one
 * write(2) a line.
 */
#define log_debug(call, sentence, ...) log_line_(LOG_LEVEL_DEBUG, call, sentence, __VA_ARGS__)
#define log_info(call, sentence, ...) log_line_(LOG_LEVEL_INFO, call, sentence, __VA_ARGS__)
#define log_warning(call, sentence, ...) log_line_(LOG_LEVEL_WARNING, call, sentence, __VA_ARGS__)
#define log_error(call, sentence, ...) log_line_(LOG_LEVEL_ERROR, call, sentence, __VA_ARGS__)
#define log_line_(level, call, sentence, ...)                                                      \
	log_write((level), (call), (sentence),                                                     \
		  (const struct rpc_meta[]){ __VA_ARGS__ __VA_OPT__(, ){ NULL, NULL } })
void log_write(enum log_level level, const struct rpc_call *call, const char *sentence,
	       const struct rpc_meta *pairs);

void log_set_level(enum log_level least);
bool log_enabled(enum log_level level); /* whether anyone sees such lines: pairs that cost are made
					   only then */
void log_set_service(const char *name); /* "service" in every line */
/* Tests: every line goes here too. */
void log_set_hook(void (*hook)(enum log_level level, const char *line));
/* Text of an errno-style code, negative or positive: "No such file or directory". Thread safe. */
const char *log_errno(int code);
