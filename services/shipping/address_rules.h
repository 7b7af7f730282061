/* What countries ask of addresses. Tables, for addresses.c alone. */
#pragma once

#include <stdbool.h>

/*
 * Postal codes: N is a digit, A a letter, X either; digits and small letters stand for themselves;
 * ' ' and '-' are written so and may be left out by whoever types. Alternatives are separated by
 * '|', the first is the commonest. "" is a country without postal codes.
 */
struct country_rules {
	char code[3];
	const char *postal_code;
	const char *example;
	const struct region *regions; /* where an address needs one; ended by {} */
};

struct region {
	const char *code, *name;
};

/* NULL for a country about whose addresses nothing is known, which takes any. */
const struct country_rules *country_rules(const char *code);
/* Whether ISO 3166-1 has assigned the code. */
bool country_is_known(const char *code);
