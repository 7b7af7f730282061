/* Names, etags, times, derived keys. */
#include "errors.msg.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/names.h>
#include <common/secrets.h>
#include <string.h>
#include <test.h>

static struct rpc_call *call;

static void setup(void)
{
	call = rpc_call_new("test", 10000);
}

static void teardown(void)
{
	call = rpc_call_free(call);
}

TEST(the_id_is_the_last_segment)
{
	ck_assert_str_eq(name_id("products/tea"), "tea");
	ck_assert_str_eq(name_id("tea"), "tea");
	ck_assert_str_eq(name_id("users/ann/addresses/7"), "7");
	ck_assert_str_eq(name_id(""), "");
	ck_assert_str_eq(name_parent_id(call, "users/ann/addresses/7"), "ann");
	ck_assert_str_eq(name_of(call, "products", "tea"), "products/tea");
	ck_assert_str_eq(name_of(call, "products", ""), "");
	ck_assert_str_eq(name_of(call, "products", NULL), "");
	ck_assert_str_eq(name_join(call, "users/ann", "addresses", "7"), "users/ann/addresses/7");
}

TEST(a_name_is_its_collection_and_an_id)
{
	ck_assert(name_is("products/tea", "products"));
	ck_assert(!name_is("products/", "products"));
	ck_assert(!name_is("productsx/tea", "products"));
	ck_assert(!name_is("products/a/b", "products"));
	ck_assert(!name_is("products/a b", "products"));
	ck_assert(!name_is("users/tea", "products"));
}

TEST(an_etag_is_the_version_in_quotes)
{
	ck_assert_str_eq(etag_of(call, 7), "\"7\"");
	ck_assert_int_eq(etag_check(call, "carts/a", "\"7\"", 7), 0);
	ck_assert_int_eq(etag_check(call, "carts/a", "W/\"7\"", 7), 0);
	ck_assert_int_eq(etag_check(call, "carts/a", "7", 7), 0);
	ck_assert_int_eq(etag_check(call, "carts/a", "", 7), 0);
	ck_assert_int_eq(etag_check(call, "carts/a", "*", 7), 0);
	ck_assert_int_eq(etag_check(call, "carts/a", "\"17\"", 7), RPC_ABORTED);
	ck_assert(rpc_failed_with(call, ETAG_MISMATCH));
	ck_assert_str_eq(rpc_error_meta(call, "etag"), "\"7\"");
}

TEST(times_are_milliseconds_before_1970_too)
{
	static const int64_t times[] = { 0, 1, 999, 1000, -1, -999, -1000, -1001, 1700000000123 };

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		Timestamp *timestamp = clock_timestamp(call, times[i]);

		ck_assert_int_eq(clock_ms(timestamp), times[i]);
		ck_assert_int_ge(timestamp->nanos, 0);
		ck_assert_int_eq(clock_duration_ms(clock_duration(call, times[i])), times[i]);
	}
	ck_assert_int_eq(clock_ms(NULL), 0);
	ck_assert_int_eq(clock_duration_ms(MSG(Duration, .seconds = INT64_MAX)), INT64_MAX);
}

TEST(a_purpose_has_a_key_of_its_own)
{
	uint8_t a[32], b[32], again[32];
	char token[64];

	secret_set("0123456789abcdef0123456789abcdef");
	secret_derive("a", a);
	secret_derive("b", b);
	secret_derive("a", again);
	ck_assert_int_eq(memcmp(a, again, 32), 0);
	ck_assert_int_ne(memcmp(a, b, 32), 0);
	secret_random(32, token);
	ck_assert_uint_eq(strlen(token), 43);
}

TEST_MAIN("names", setup, teardown)
