/* Formats of strings, for validate.c. */
#pragma once

#include <crpc/message.h>

/* NULL, or what the text, which is valid UTF-8, must be: a sentence. */
const char *format_check(enum rpc_format format, const char *text);
/* The full name that `name`, full or a bare id, stands for; NULL when it is neither. */
const char *resource_normalise(struct arena *arena, const char *name, const char *pattern);
