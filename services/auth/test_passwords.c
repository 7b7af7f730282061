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

static const char *const own[] = { "ann.lee",     "Ann.Lee1985", "leeann99",  "annleeexample",
				   "ann@lee@ann", "souksouk",    "Souk2026!", "4nn.l33.souk" };

TEST_EACH(what_is_the_accounts_or_the_shops_own_is_weak, own)
{
	ck_assert_msg(password_weakness(test_call(), *row, "Ann.Lee@example.com"), "'%s' passed",
		      *row);
}

TEST(what_says_why_fits_the_password)
{
	static const struct {
		const char *password, *why;
	} rows[] = {
		{ "sunshine", "everyone tries" }, { "ann.lee99", "address" },
		{ "xyxyxyxyxyxyxy", "repeats" },  { "efghijkl", "alphabet" },
		{ "17.04.1985", "date" },         { "xk7#", "short" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *why =
			password_weakness(test_call(), rows[i].password, "ann.lee@example.com");

		ck_assert_msg(why && strstr(why, rows[i].why), "'%s': %s", rows[i].password,
			      why ? why : "passed");
	}
}

TEST(a_long_one_is_judged_by_its_beginning)
{
	char *same = rpc_alloc(test_call(), 513), *fair_first = rpc_alloc(test_call(), 513);

	memset(same, 'a', 512);
	memset(fair_first, 'a', 512);
	memcpy(fair_first, "k7#mQ2vX9p", 10);
	same[512] = fair_first[512] = '\0';
	ck_assert_ptr_null(password_weakness(test_call(), fair_first, "ann.lee@example.com"));
	memcpy(same + 32, "k7#mQ2vX9p", 10); /* no further: its time grows with the fourth power */
	ck_assert_ptr_nonnull(password_weakness(test_call(), same, "ann.lee@example.com"));
}

TEST(an_address_may_have_any_number_of_parts)
{
	const char *address = "aaa.bbb.ccc.ddd.eee.fff.ggg.hhh.iii.jjj.kkk.lll.mmm.nnn@example.com";

	ck_assert_ptr_nonnull(password_weakness(test_call(), "aaabbbccc", address));
	ck_assert_ptr_null(password_weakness(test_call(), "seven blue lanterns", address));
	ck_assert_ptr_null(password_weakness(test_call(), "seven blue lanterns", ""));
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
