/* Options: what the environment may hold. */
#include <crpc/config.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test.h>
#include <unistd.h>

static const char *text, *secret;
static int64_t number, wait_ms;
static bool flag;
static size_t bytes;
static char *error;

static const struct option options[] = {
	{ "TEXT", OPTION_STRING, &text, "hello", "a text" },
	{ "SECRET", OPTION_SECRET, &secret, "", "a secret" },
	{ "NUMBER", OPTION_INTEGER, &number, "5", "a number", -10, 10 },
	{ "FLAG", OPTION_BOOLEAN, &flag, "false", "a flag" },
	{ "WAIT", OPTION_DURATION, &wait_ms, "30s", "a time", 1000, 3600000 },
	{ "BYTES", OPTION_SIZE, &bytes, "4KiB", "a size" },
	{ 0 },
};
static const struct option *const tables[] = { options, NULL };

static void setup(void)
{
	clearenv();
	error = NULL;
}

static void teardown(void)
{
	free(error);
	error = NULL;
}

TEST(defaults_hold_where_nothing_is_set)
{
	ck_assert_int_eq(options_read("T_", tables, &error), 0);
	ck_assert_str_eq(text, "hello");
	ck_assert_str_eq(secret, "");
	ck_assert_int_eq(number, 5);
	ck_assert(!flag);
	ck_assert_int_eq(wait_ms, 30000);
	ck_assert_uint_eq(bytes, 4096);
}

static const struct {
	const char *name, *value;
	int64_t *to, expected;
} numbers[] = {
	{ "T_NUMBER", "-10", &number, -10 },    { "T_NUMBER", "10", &number, 10 },
	{ "T_WAIT", "1000ms", &wait_ms, 1000 }, { "T_WAIT", "2s", &wait_ms, 2000 },
	{ "T_WAIT", "3m", &wait_ms, 180000 },   { "T_WAIT", "1h", &wait_ms, 3600000 },
};

TEST_EACH(numbers_and_durations_are_read, numbers)
{
	setenv(row->name, row->value, 1);
	ck_assert_int_eq(options_read("T_", tables, &error), 0);
	ck_assert_int_eq(*row->to, row->expected);
}

static const struct {
	const char *value;
	size_t expected;
} sizes[] = { { "0", 0 },
	      { "7", 7 },
	      { "8B", 8 },
	      { "1KiB", 1024 },
	      { "16MiB", 16 << 20 },
	      { "2GiB", (size_t)2 << 30 } };

TEST_EACH(sizes_are_read, sizes)
{
	setenv("T_BYTES", row->value, 1);
	ck_assert_int_eq(options_read("T_", tables, &error), 0);
	ck_assert_uint_eq(bytes, row->expected);
}

static const struct {
	const char *name, *value, *error;
} refused[] = {
	{ "T_NUMBER", "11", "T_NUMBER is \"11\": it must be from -10 to 10" },
	{ "T_NUMBER", "x", "T_NUMBER is \"x\": it must be an integer" },
	{ "T_NUMBER", "", "T_NUMBER is \"\": it must be an integer" },
	{ "T_NUMBER", "5x", "T_NUMBER is \"5x\": it must be an integer" },
	{ "T_NUMBER", "99999999999999999999",
	  "T_NUMBER is \"99999999999999999999\": it must be an integer" },
	{ "T_WAIT", "5",
	  "T_WAIT is \"5\": it must be a duration such as 250ms, 30s, 15m, 12h or 30d" },
	{ "T_WAIT", "-5s",
	  "T_WAIT is \"-5s\": it must be a duration such as 250ms, 30s, 15m, 12h or 30d" },
	{ "T_WAIT", "2h", "T_WAIT is \"2h\": it must be from 1000 to 3600000 ms" },
	{ "T_WAIT", "999999999999999999d",
	  "T_WAIT is \"999999999999999999d\": it must be a duration such as 250ms, 30s, 15m, 12h "
	  "or 30d" },
	{ "T_BYTES", "4KB", "T_BYTES is \"4KB\": it must be a size such as 4KiB, 16MiB or 1GiB" },
	{ "T_FLAG", "yes", "T_FLAG is \"yes\": it must be true or false" },
	{ "T_TYPO", "1", "T_TYPO is no option of this program: --help lists them" },
	{ "T_TEXT_FILE", "/x", "T_TEXT_FILE is no option of this program: --help lists them" },
	{ "T_SECRET_FILE", "/no/such/file",
	  "T_SECRET_FILE names /no/such/file, which cannot be read: No such file or directory" },
};

TEST_EACH(a_bad_value_ends_the_start_with_a_line, refused)
{
	setenv(row->name, row->value, 1);
	ck_assert_int_eq(options_read("T_", tables, &error), -EINVAL);
	ck_assert_str_eq(error, row->error);
}

TEST(peers_and_other_programs_variables_are_left_alone)
{
	setenv("T_PEER_CATALOG", "dns:///catalog", 1);
	setenv("PATH", "/bin", 1);
	ck_assert_int_eq(options_read("T_", tables, &error), 0);
}

TEST(a_required_option_must_be_set)
{
	static const struct option required[] = {
		{ "URI", OPTION_STRING, &text, NULL, "the URI of the database" }, { 0 }
	};
	static const struct option *const more[] = { options, required, NULL };

	ck_assert_int_eq(options_read("T_", more, &error), -EINVAL);
	ck_assert_str_eq(error, "T_URI is not set: it must hold the URI of the database");
	free(error);
	setenv("T_URI", "x", 1);
	ck_assert_int_eq(options_read("T_", more, &error), 0);
	error = NULL;
}

TEST(a_secret_is_read_from_its_file_and_never_printed)
{
	char path[] = "/tmp/test-config-XXXXXX", page[4096] = "";
	int file = mkstemp(path);
	FILE *out, *whole = stdout;

	ck_assert_int_eq(write(file, "pass word\n", 10), 10);
	close(file);
	setenv("T_SECRET_FILE", path, 1);
	ck_assert_int_eq(options_read("T_", tables, &error), 0);
	ck_assert_str_eq(secret, "pass word");

	out = fmemopen(page, sizeof(page), "w");
	stdout = out;
	options_print("T_", tables);
	stdout = whole;
	fclose(out);
	ck_assert_ptr_nonnull(strstr(page, "T_NUMBER (integer, default 5)"));
	ck_assert_ptr_nonnull(strstr(page, "T_SECRET (secret)"));
	ck_assert_ptr_null(strstr(page, "pass"));

	setenv("T_SECRET", "other", 1);
	ck_assert_int_eq(options_read("T_", tables, &error), -EINVAL);
	ck_assert_str_eq(error, "T_SECRET and T_SECRET_FILE are both set: only one of them can be");
	unlink(path);
}

TEST_MAIN("config", setup, teardown)
