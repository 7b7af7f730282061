/* Breaches: what is in the file is found, whatever else is in it does no harm. */
#include "breaches.h"
#include <crpc/call.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test.h>
#include <unistd.h>

enum { PASSWORDS = 200, LINE = 64 };

static char path[] = "/tmp/test-breaches-XXXXXX";
static char *error;

static void setup(void)
{
	int made = mkstemp(path);

	ck_assert_int_ge(made, 0);
	close(made);
}

static void teardown(void)
{
	breaches_close();
	unlink(path);
	strcpy(path + strlen(path) - 6, "XXXXXX");
	free(error);
	error = NULL;
}

static void write_text(const char *text)
{
	FILE *out = fopen(path, "w");

	fputs(text, out);
	ck_assert_int_eq(fclose(out), 0);
}

static const char *password_of(int number)
{
	return rpc_printf(test_call(), "leaked password %d", number);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* A sorted file of passwords 0 to n - 1, with counts of one to ten digits. */
static void write_sorted(int n, const char *newline, bool last_too, char lines[][LINE])
{
	FILE *out = fopen(path, "w");

	for (int i = 0; i < n; i++) {
		uint8_t digest[EVP_MAX_MD_SIZE];
		const char *password = password_of(i);
		unsigned length;
		int64_t count = 1;

		ck_assert(
			EVP_Digest(password, strlen(password), digest, &length, EVP_sha1(), NULL));
		for (unsigned at = 0; at < length; at++)
			sprintf(lines[i] + 2 * at, "%02X", digest[at]);
		for (int zeros = i % 10; zeros; zeros--)
			count *= 10;
		sprintf(lines[i] + 2 * length, ":%lld", (long long)count);
	}
	qsort(lines, (size_t)n, LINE, compare);
	for (int i = 0; i < n; i++)
		fprintf(out, "%s%s", lines[i], i < n - 1 || last_too ? newline : "");
	ck_assert_int_eq(fclose(out), 0);
}

static bool contains(const char *password)
{
	bool found;

	ck_assert_int_eq(breaches_contain(password, &found), 0);
	return found;
}

static const struct shape {
	int n;
	const char *newline;
	bool last_too; /* ends the last line */
} shapes[] = {
	{ 1, "\n", true },         { 1, "\r\n", true },         { 1, "\n", false },
	{ 2, "\n", true },         { 2, "\r\n", false },        { 3, "\r\n", true },
	{ PASSWORDS, "\n", true }, { PASSWORDS, "\r\n", true }, { PASSWORDS, "\r\n", false },
};

TEST_EACH(each_line_is_found_and_nothing_else, shapes)
{
	char lines[PASSWORDS][LINE];

	write_sorted(row->n, row->newline, row->last_too, lines);
	ck_assert_int_eq(breaches_open(path, &error), 0);
	for (int i = 0; i < row->n; i++)
		ck_assert_msg(contains(password_of(i)), "%d", i);
	for (int i = row->n; i < row->n + PASSWORDS; i++)
		ck_assert_msg(!contains(password_of(i)), "%d", i);
}

TEST(without_a_file_nothing_has_leaked)
{
	ck_assert_int_eq(breaches_open("", &error), 0);
	ck_assert(!contains("password"));
}

/* The first is of "password", as it is published. */
#define PASSWORDS_LINE "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3861493"
#define LOW "0000000000000000000000000000000000000001:1"
#define NEXT "A000000000000000000000000000000000000000:1"
#define HIGH "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF:1"

TEST(a_hash_is_the_one_that_is_published)
{
	write_text(LOW "\r\n" PASSWORDS_LINE "\r\n" HIGH "\r\n");
	ck_assert_int_eq(breaches_open(path, &error), 0);
	ck_assert(contains("password"));
	ck_assert(!contains("Password"));
}

static const struct unusable {
	const char *text, *problem;
} unusable[] = {
	{ "", "empty" },
	{ "\n", "first or last line" },
	{ "password\nqwerty\n", "first or last line" },
	{ "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8:3861493\n", "first or last line" },
	{ "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8\n", "first or last line" },
	{ "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:\n", "first or last line" },
	{ "\xef\xbb\xbf" LOW "\n" HIGH "\n", "first or last line" },
	{ LOW "\n" HIGH "\nand more\n", "first or last line" },
	{ LOW "\n" HIGH "\n\n", "first or last line" },
	{ HIGH "\n" LOW "\n", "not sorted" },
	{ LOW "\n" LOW "\n", "not sorted" },
};

TEST_EACH(a_file_that_is_none_stops_the_start, unusable)
{
	write_text(row->text);
	ck_assert_int_eq(breaches_open(path, &error), -EINVAL);
	ck_assert_msg(strstr(error, row->problem), "%s", error);
	ck_assert_ptr_nonnull(strstr(error, path));
}

static const char *const no_files[] = { "/nowhere/to/be/found", "/tmp" };

TEST_EACH(so_does_what_cannot_be_read, no_files)
{
	ck_assert_int_eq(breaches_open(*row, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, *row));
}

static const char *const damages[] = {
	"\n",
	"\r\n",
	"no hash\n",
	"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8 3861493\n",
	"55555555555555555555555555555555555555555555555555555555555555555555555555555555555555555"
	"55555555555555555555555555555555555555555555555555555555555555555555555555555555555555555"
	"55555555555555555555555555555555555555555555555555555555555555555555555555555555555555555",
};

TEST_EACH(a_damaged_line_is_an_error_and_not_the_end_of_the_list, damages)
{
	bool found;

	write_text(rpc_printf(test_call(), LOW "\n%s" NEXT "\n" HIGH "\n", *row));
	ck_assert_int_eq(breaches_open(path, &error), 0);
	ck_assert_int_eq(breaches_contain("password", &found), -EBADMSG);
}

TEST(a_file_that_is_cut_short_is_an_error)
{
	char lines[PASSWORDS][LINE];
	bool found;

	write_sorted(PASSWORDS, "\n", true, lines);
	ck_assert_int_eq(breaches_open(path, &error), 0);
	ck_assert_int_eq(truncate(path, 100), 0);
	ck_assert_int_eq(breaches_contain("password", &found), -EIO);
}

TEST_MAIN("breaches", setup, teardown)
