/* Redis: commands of arguments, scripts, and what happens when it goes away. */
#include "errors.msg.h"
#include <common/redis.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stores.h>
#include <string.h>
#include <test.h>
#include <unistd.h>

static struct rpc_call *call;

static void setup(void)
{
	stores_redis();
	call = rpc_call_new("test", 20000);
}

static void teardown(void)
{
	call = rpc_call_free(call);
	stores_close();
}

static const char *key_of(const char *name)
{
	return rpc_printf(call, "test:%d:%s", (int)getpid(), name);
}

TEST(arguments_are_taken_as_they_are)
{
	static const char *const values[] = { "a b", "%s %d", "\"quoted\"", "line\r\nSET x y\r\n",
					      "" };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		cleanup(redis_reply_freep) redisReply *set = NULL, *got = NULL;

		ck_assert_int_eq(
			redis_command(call, &set, "SET", key_of("a"), values[i], "PX", "60000"), 0);
		ck_assert_int_eq(redis_command(call, &got, "GET", key_of("a")), 0);
		ck_assert_int_eq(got->type, REDIS_REPLY_STRING);
		ck_assert_str_eq(got->str, values[i]);
	}
}

TEST(bytes_come_back_as_they_went)
{
	cleanup(redis_reply_freep) redisReply *set = NULL, *got = NULL;
	const char *key = key_of("bytes");
	ProtobufCBinaryData arguments[] = {
		{ .data = (uint8_t *)"SET", .len = 3 },
		{ .data = (uint8_t *)(uintptr_t)key, .len = strlen(key) },
		{ .data = (uint8_t *)"a\0b", .len = 3 },
		{ .data = (uint8_t *)"EX", .len = 2 },
		{ .data = (uint8_t *)"60", .len = 2 },
	};

	ck_assert_int_eq(redis_command_bytes(call, &set, 5, arguments), 0);
	ck_assert_int_eq(redis_command(call, &got, "GET", key), 0);
	ck_assert_uint_eq(got->len, 3);
	ck_assert_int_eq(memcmp(got->str, "a\0b", 3), 0);
}

TEST(a_wrong_command_is_our_fault_and_logged)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;

	test_expect_log("the session store refused a command");
	ck_assert_int_eq(redis_command(call, &reply, "NOSUCHCOMMAND"), -EPROTO);
	ck_assert_ptr_null(reply);
}

TEST(a_script_runs_also_after_the_server_forgot_it)
{
	static struct redis_script script = {
		.source = "redis.call('SET', KEYS[1], ARGV[1], 'EX', 60) return "
			  "redis.call('INCRBY', KEYS[1], 1)"
	};
	const char *key = key_of("script");

	for (int i = 0; i < 3; i++) {
		cleanup(redis_reply_freep) redisReply *reply = NULL, *flushed = NULL;

		ck_assert_int_eq(redis_run(call, &reply, &script, 1, key, "41"), 0);
		ck_assert_int_eq(reply->integer, 42);
		ck_assert_int_eq(redis_command(call, &flushed, "SCRIPT", "FLUSH"), 0);
	}
}

static void *increment(void *data)
{
	struct rpc_call *own = rpc_call_new("test", 20000);

	for (int i = 0; i < 50; i++) {
		cleanup(redis_reply_freep) redisReply *reply = NULL;

		if (redis_command(own, &reply, "INCR", data))
			break;
	}
	rpc_call_free(own);
	return NULL;
}

TEST(threads_share_the_pool)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL, *deleted = NULL;
	const char *key = key_of("shared");
	pthread_t threads[24];

	for (int i = 0; i < 24; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, increment, (void *)(uintptr_t)key), 0);
	for (int i = 0; i < 24; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(redis_command(call, &reply, "GET", key), 0);
	ck_assert_str_eq(reply->str, "1200");
	ck_assert_int_eq(redis_command(call, &deleted, "DEL", key), 0);
}

TEST(a_connection_that_the_server_closed_is_not_used)
{
	cleanup(redis_reply_freep) redisReply *id = NULL, *killed = NULL, *reply = NULL;

	ck_assert_int_eq(redis_command(call, &id, "CLIENT", "ID"), 0);
	ck_assert_int_eq(redis_command(call, &killed, "CLIENT", "KILL", "ID",
				       rpc_printf(call, "%lld", id->integer), "SKIPME", "no"),
			 0);
	/* It closes after its answer: a command sent in between would be lost, and is told so. */
	usleep(200000);
	ck_assert_int_eq(redis_command(call, &reply, "PING"), 0);
	ck_assert_str_eq(reply->str, "PONG");
}

TEST(a_server_that_is_away_is_unavailable_with_its_name)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	char *error = NULL;
	const char *why = "";

	redis_close();
	ck_assert_int_eq(redis_open("redis://127.0.0.1:1", &error), 0);
	ck_assert_int_eq(redis_command(call, &reply, "PING"), RPC_UNAVAILABLE);
	ck_assert(rpc_failed_with(call, DEPENDENCY_UNAVAILABLE));
	ck_assert_str_eq(rpc_error_meta(call, "dependency"), "session store");
	ck_assert(!redis_module.ready(&why));
}

static const char *const bad_urls[] = { "http://x", "redis://", "redis://host:0",
					"redis://host:port", "redis://host/x" };

TEST_EACH(a_url_that_is_none_stops_the_start, bad_urls)
{
	char *error = NULL;

	redis_close();
	ck_assert_int_eq(redis_open(*row, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "SOUK_REDIS_URL"));
	free(error);
}

TEST_MAIN("redis", setup, teardown)
