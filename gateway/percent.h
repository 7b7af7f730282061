/* Percent-encoding of URLs. */
#pragma once

#include <stddef.h>

/* The byte that the escape at `text` ("%2F") stands for; -1 when it is none. */
int percent_byte(const char *text);

/*
 * Writes what `text` stands for: the length, greater than `capacity` when it does not fit. Escapes
 * of bytes in `keep` stay escaped. Broken escapes are copied as they are.
 */
size_t percent_decode(char *to, size_t capacity, const char *text, size_t length, const char *keep);
