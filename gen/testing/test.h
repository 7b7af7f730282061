/* Tests: TEST(a_sentence_of_the_rule) {...} over Check, found by the linker, no list to keep. */
#pragma once

#include <check.h>
#include <crpc/call.h>
#include <crpc/log.h>
#include <stddef.h>

/*
 *     TEST(adding_a_product_twice_adds_up) {
 *             ck_assert_int_eq(...);
 *     }
 *     TEST_MAIN("cart", setup, teardown)      setup and teardown run around each test; NULL: none
 *
 * A test fails when an error was logged in it that it did not announce with test_expect_log().
 * Each test runs in a process of its own; not so under sanitizers, in a debugger, or with
 * CK_FORK=no.
 */
#define TEST(name) TEST_REGISTER_(name, 1)

/* A test for each row of a table: the body sees `row`. */
#define TEST_EACH(name, rows)                                                                      \
	static void test_row_##name(const __typeof__((rows)[0]) *row);                             \
	TEST_REGISTER_(name, (int)(sizeof(rows) / sizeof((rows)[0])))                              \
	{                                                                                          \
		test_row_##name(&(rows)[_i]);                                                      \
	}                                                                                          \
	static void test_row_##name(const __typeof__((rows)[0]) *row)

#define TEST_MAIN(suite, setup, teardown)                                                          \
	int main(void)                                                                             \
	{                                                                                          \
		return test_main((suite), (setup), (teardown));                                    \
	}

/* A call for the present test: the same at each asking, freed after the test's teardown. */
struct rpc_call *test_call(void);

/* This error will be logged: the sentence, once or more; it failing to come fails the test. */
void test_expect_log(const char *sentence);

struct test_entry {
	const TTest *test;
	int rows;
};
#define TEST_REGISTER_(name, n_rows)                                                               \
	static void test_##name(int _i);                                                           \
	static const TTest test_##name##_test = { #name, test_##name, __FILE__, __LINE__ };        \
	__attribute__((used, retain,                                                               \
		       section("tests"))) static const struct test_entry test_##name##_entry = {   \
		&test_##name##_test, (n_rows)                                                      \
	};                                                                                         \
	static void test_##name(int _i)

int test_main(const char *suite, void (*setup)(void), void (*teardown)(void));
