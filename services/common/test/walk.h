/* Random walks: tests in which whatever may happen, happens in any order. */
#pragma once

#pragma GCC diagnostic ignored "-Wunused-function" /* each test program uses its part */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A walk has a number that says all of it. SOUK_TEST_WALKS=300 makes more of them than the usual
 * ones (CK_TIMEOUT_MULTIPLIER=100 gives them the time), SOUK_TEST_WALK=17 that one alone, with its
 * steps printed.
 *
 *     TEST_EACH(whatever_happens_the_books_fit, walk_parts)
 *     {
 *             walk_all(*row, go);
 *     }
 */
enum { WALKS = 40, WALK_PARTS = 4 }; /* parts run as tests of their own, in parallel */
static const unsigned walk_parts[WALK_PARTS] = { 0, 1, 2, 3 };

static struct {
	unsigned number, seed;
	bool tells;
} dice;

static int below(int n)
{
	return (int)(rand_r(&dice.seed) / (RAND_MAX / n + 1U)) % n;
}

static void tell(const char *what, int how)
{
	if (dice.tells)
		fprintf(stderr, "  %s %d\n", what, how);
}

struct happening {
	const char *name;
	void (*run)(int how);
	int weight; /* how often it is among all */
};

/* One of them. */
#define happen(happenings) happen_((happenings), sizeof(happenings) / sizeof(*(happenings)))
static void happen_(const struct happening *happenings, size_t n)
{
	int left = 0, how;

	for (size_t i = 0; i < n; i++)
		left += happenings[i].weight;
	left = below(left);
	how = below(60);
	while (left >= happenings->weight)
		left -= happenings++->weight;
	tell(happenings->name, how);
	happenings->run(how);
}

static unsigned walk_number(const char *variable, unsigned otherwise)
{
	const char *value = getenv(variable);

	return value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

static void walk_all(unsigned part, void (*go)(void))
{
	unsigned only = walk_number("SOUK_TEST_WALK", 0), n = walk_number("SOUK_TEST_WALKS", WALKS);

	for (unsigned i = 1 + part; i <= (only ? only : n); i += WALK_PARTS) {
		if (only && i != only)
			continue;
		dice.number = i;
		dice.seed = i * 2654435761U;
		dice.tells = only;
		go();
	}
}
