/* Passwords: what is too easy to guess, and that hashing costs the same for whoever asks. */
#include "passwords.h"
#include <stdlib.h>
#include <string.h>
#include <test.h>

static const char *const easy[] = {
	"password",   "Password1!",   "P4ssw0rd",       "passwort123",
	"12345678",   "87654321",     "abcdefgh",       "qwertyuiop",
	"QWERTZ1234", "aaaaaaaa",     "abababab",       "abcabcabcabc",
	"iloveyou2",  "letmein!!",    "admin123456",    "ann.lee@example.com",
	"ann.lee1",   "1q2w1q2w1q2w", "xyxyxyxyxyxyxy", "1qaz2wsx",
	"zaq12wsx",   "1q2w3e4r",     "q1w2e3r4t5",     "asdf1234",
	"a1b2c3d4",   "Facebook1",    "sunshine99!",    "C0caC0la"
};

TEST_EACH(what_everyone_tries_first_is_weak, easy)
{
	ck_assert_msg(password_weakness(test_call(), *row, "ann.lee@example.com"), "'%s' passed",
		      *row);
}

static const char *const fair[] = {
	"seven blue lanterns", "correct horse battery",       "Tr0ub4dor&3",
	"k7#mQ2vX9p",          "love is a purple orange",     "nine copper kettles",
	"ab12cd34ef",          "mein kleiner gruener kaktus", "\xc3\xa4pfel und birnen"
};

TEST_EACH(what_takes_guessing_is_not, fair)
{
	const char *problem = password_weakness(test_call(), *row, "ann.lee@example.com");

	ck_assert_msg(!problem, "'%s': %s", *row, problem);
}

TEST(a_hash_fits_its_password_and_no_other)
{
	const char *hash, *again;
	bool good;

	ck_assert_int_eq(password_hash(test_call(), "seven blue lanterns", &hash), 0);
	ck_assert_int_eq(password_hash(test_call(), "seven blue lanterns", &again), 0);
	ck_assert_str_ne(hash, again);
	ck_assert_int_eq(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
	ck_assert_int_eq(password_verify(test_call(), hash, "seven blue lanterns", &good), 0);
	ck_assert(good);
	ck_assert_int_eq(password_verify(test_call(), hash, "seven blue lantern", &good), 0);
	ck_assert(!good);
	ck_assert(!password_outdated(hash));
}

TEST(an_unknown_account_costs_as_much_as_a_known_one)
{
	const char *hash;
	unsigned before;
	bool good;

	ck_assert_int_eq(password_hash(test_call(), "seven blue lanterns", &hash), 0);
	before = password_computations();
	ck_assert_int_eq(password_verify(test_call(), hash, "wrong", &good), 0);
	ck_assert_uint_eq(password_computations(), before + 1);
	ck_assert_int_eq(password_verify(test_call(), NULL, "wrong", &good), 0);
	ck_assert(!good);
	ck_assert_uint_eq(password_computations(), before + 2);
}

TEST(a_hash_of_other_parameters_is_outdated)
{
	static const struct option *const options[] = { password_options, NULL };
	const char *hash;
	char *error;
	bool good;

	ck_assert_int_eq(password_hash(test_call(), "seven blue lanterns", &hash), 0);
	setenv("OTHER_PASSWORD_MEMORY", "8MiB", true);
	ck_assert_int_eq(options_read("OTHER_", options, &error), 0);
	ck_assert(password_outdated(hash));
	ck_assert_int_eq(password_verify(test_call(), hash, "seven blue lanterns", &good), 0);
	ck_assert(good);
	setenv("OTHER_PASSWORD_MEMORY", "19MiB", true); /* for the tests to come */
	ck_assert_int_eq(options_read("OTHER_", options, &error), 0);
}

TEST_MAIN("passwords", NULL, NULL)
