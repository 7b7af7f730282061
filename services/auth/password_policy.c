/* Which passwords are too easy to guess. */
#include "passwords.h"
#include <ctype.h>
#include <string.h>
#include <zxcvbn.h>

/*
 * zxcvbn finds the cheapest way to put a password together from what attackers try: lists of
 * passwords, words and names, keyboards, sequences, repetitions, dates, with the usual decorations.
 * Its tables are constant and it keeps no state, so any thread may ask it.
 *
 * The time it takes grows with the fourth power of the length where digits stand for letters and
 * repeat (4545...): some 10 ms for 32 bytes, 1.4 s for 100. Anyone can send us that, so it gets the
 * first 32 bytes alone; where they are too easy, what follows does not help.
 */
static const double bits_min = 33.22; /* 10^10 guesses */

enum {
	JUDGED_MAX = 32, /* bytes */
	PART_MIN = 3,    /* shorter ones are in every password */
	WORDS_MAX = 12,
};

/* What is tried first for this account: its address, the parts of it, and our name. */
static void list_words(struct rpc_call *call, const char *email, const char *ret[WORDS_MAX + 1])
{
	const char *name = rpc_printf(call, "%.*s", (int)strcspn(email, "@"), email);
	size_t n = 0;

	ret[n++] = "souk";
	if (*email)
		ret[n++] = email;
	if (strlen(name) >= PART_MIN)
		ret[n++] = name;
	for (const char *at = email; *at && n < WORDS_MAX;) {
		size_t length = 0;

		while (isalnum((unsigned char)at[length]) || (unsigned char)at[length] >= 0x80)
			length++;
		if (length >= PART_MIN)
			ret[n++] = rpc_printf(call, "%.*s", (int)length, at);
		at += length ? length : 1;
	}
	ret[n] = NULL;
}

/* What most of it is. */
static const char *describe(const ZxcMatch_t *parts)
{
	const ZxcMatch_t *longest = parts;

	for (; parts; parts = parts->Next)
		if (parts->Length > longest->Length)
			longest = parts;
	if (longest && longest->Type & MULTIPLE_MATCH)
		return "it repeats too few characters";
	switch (longest ? longest->Type : NON_MATCH) {
	case DICTIONARY_MATCH:
	case DICT_LEET_MATCH:
		return "it is among those that everyone tries first";
	case USER_MATCH:
	case USER_LEET_MATCH:
		return "it is the address or the shop's name with little more";
	case REPEATS_MATCH:
		return "it repeats too few characters";
	case SEQUENCE_MATCH:
	case SPATIAL_MATCH:
		return "it goes along the keyboard or the alphabet";
	case DATE_MATCH:
	case YEAR_MATCH:
		return "it is a date with little more";
	default:
		return "it is too short";
	}
}

const char *password_weakness(struct rpc_call *call, const char *password, const char *email)
{
	const char *words[WORDS_MAX + 1], *problem = NULL;
	ZxcMatch_t *parts = NULL;

	list_words(call, email, words);
	if (ZxcvbnMatch(rpc_printf(call, "%.*s", JUDGED_MAX, password), words, &parts) < bits_min)
		problem = describe(parts);
	ZxcvbnFreeInfo(parts);
	return problem;
}
