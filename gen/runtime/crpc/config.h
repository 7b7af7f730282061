/* Options: environment variables only, typed, with default and help in one table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
	OPTION_STRING,   /* const char * */
	OPTION_SECRET,   /* const char *; never printed. NAME_FILE names a file that holds it */
	OPTION_INTEGER,  /* int64_t, from min to max */
	OPTION_BOOLEAN,  /* bool: true, false, 1, 0 */
	OPTION_DURATION, /* int64_t in ms: "250ms", "30s", "15m", "12h", "30d" */
	OPTION_SIZE,     /* size_t in bytes: "4KiB", "16MiB" */
};

struct option {
	const char *name; /* without its prefix: "CART_IDLE_TTL" */
	enum option_type type;
	void *value;
	const char *default_text; /* NULL: required; "": empty is fine */
	const char *help;
	int64_t min, max; /* of integers and durations (ms); both 0: any not below 0 */
};

/*
 * Reads the tables (NULL-terminated list of tables, each ended by an option without a name) from
 * the environment. 0, or -EINVAL with *error a line that names the variable, what it holds and what
 * it may hold; an unknown variable that begins with the prefix is an error too, unless it is
 * PEER_*. Strings live as long as the process.
 */
int options_read(const char *prefix, const struct option *const *tables, char **error);
void options_print(const char *prefix, const struct option *const *tables); /* --help */
