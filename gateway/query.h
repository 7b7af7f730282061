/* Query strings: name=value pairs, unescaped. */
#pragma once

#include <crpc/arena.h>
#include <stdbool.h>

enum { QUERY_PAIRS_MAX = 100 };

struct query {
	const char *at, *end;
};
struct query_pair {
	char *name, *value; /* of the arena, NUL-terminated */
	size_t name_length, value_length;
};

/* 1 with the next pair; 0 at the end; -1 for an escape that is none. */
int query_next(struct query *query, struct arena *arena, struct query_pair *ret);
