/* Rate limits, with a real Redis and without. */
#include "test/fixture.h"
#include <common/redis.h>
#include <stdio.h>
#include <stdlib.h>
#include <stores.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Each test is a client of its own, known by the address that a proxy in front names. */
static char head[256];

static const char *from(const char *request)
{
	snprintf(head, sizeof(head), "%s HTTP/1.1\nX-Forwarded-For: 192.0.2.1, 2001:db8:%x:%x::7",
		 request, (unsigned)getpid() & 0xffff, (unsigned)rand() & 0xffff);
	return head;
}

static void setup(void)
{
	stores_redis();
	srand((unsigned)time(NULL) ^ (unsigned)getpid());
	fixture_reset();
	fixture_gateway.redis_url = getenv("SOUK_TEST_REDIS_URL");
	fixture_gateway.forwarded_hops = 1;
	fixture_gateway.limit_window_ms = 86400000;
}

static void teardown(void)
{
	fixture_stop();
	stores_close();
}

/* Until the gateway's connection to Redis stands. */
static void wait_for_redis(void)
{
	for (int i = 0; i < 500; i++) {
		if (strstr(ask("GET /readyz HTTP/1.1", NULL).body, "\"redis\":\"ready\""))
			return;
		usleep(10000);
	}
	ck_abort_msg("the gateway does not find Redis");
}

TEST(a_client_is_told_what_is_left_and_then_to_wait)
{
	struct answer answer;
	const char *request;

	fixture_gateway.limit_requests = 5;
	fixture_start();
	request = from("GET /v1/files/a");
	for (int i = 4; i >= 0; i--) {
		char left[64];

		answer = ask(request, NULL);
		ck_assert_int_eq(answer.status, 200);
		ck_assert_str_eq(answer_header(&answer, "ratelimit-policy"),
				 "\"default\";q=5;w=86400");
		snprintf(left, sizeof(left), "\"default\";r=%d;t=", i);
		ck_assert_ptr_nonnull(strstr(answer_header(&answer, "ratelimit"), left));
	}
	answer = ask(request, NULL);
	ck_assert_int_eq(answer.status, 429);
	ck_assert_int_gt(atoi(answer_header(&answer, "retry-after")), 0);
	ck_assert_ptr_nonnull(strstr(answer.body, "RESOURCE_EXHAUSTED"));
	/* Others are not concerned. */
	ck_assert_int_eq(ask(from("GET /v1/files/a"), NULL).status, 200);
}

TEST(what_other_gateways_counted_counts)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	char address[64], *key;
	const char *request;

	fixture_gateway.limit_requests = 100;
	fixture_start();
	wait_for_redis();
	request = from("GET /v1/files/a");
	snprintf(address, sizeof(address), "%s", strrchr(request, ' ') + 1);
	*strstr(address, "::7") = '\0';
	key = rpc_printf(test_call(), "ratelimit:{ip:%s::}:%lld", address,
			 (long long)time(NULL) / 86400);
	ck_assert_int_eq(redis_command(test_call(), &reply, "SET", key, "99", "EX", "60"), 0);
	ck_assert_int_eq(ask(request, NULL).status,
			 200); /* the 100th of all: the gateway learns so after a moment */
	for (int i = 0; i < 100; i++) {
		if (ask(request, NULL).status == 429)
			return;
		usleep(20000);
	}
	ck_abort_msg("what Redis knows was not taken");
}

TEST(a_methods_own_limit_is_exact)
{
	struct answer answer;
	const char *request;

	fixture_start();
	wait_for_redis();
	request = from("POST /v1/bell:ring");
	for (int i = 2; i >= 0; i--) {
		char left[64];

		answer = ask(request, NULL);
		ck_assert_int_eq(answer.status, 200);
		snprintf(left, sizeof(left), "\"Ring\";r=%d;t=", i);
		ck_assert_ptr_nonnull(strstr(answer_header(&answer, "ratelimit"), left));
	}
	answer = ask(request, NULL);
	ck_assert_int_eq(answer.status, 429);
	ck_assert_str_eq(answer_header(&answer, "ratelimit-policy"), "\"Ring\";q=3;w=3600");
	ck_assert_int_eq(ask(from("POST /v1/bell:ring"), NULL).status, 200);
}

TEST(methods_own_limits_can_be_off)
{
	const char *request;

	fixture_gateway.limit_methods_off = true;
	fixture_start();
	wait_for_redis();
	request = from("POST /v1/bell:ring");
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(ask(request, NULL).status, 200);
}

TEST(without_redis_the_methods_limit_is_off_and_is_said_to_be)
{
	const char *request;

	fixture_gateway.redis_url = "redis://127.0.0.1:1";
	fixture_start();
	request = from("POST /v1/bell:ring");
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(ask(request, NULL).status, 200);
	ck_assert_ptr_nonnull(strstr(ask("GET /readyz HTTP/1.1", NULL).body, "\"redis\":\"away"));
}

TEST_MAIN("rate_limits", setup, teardown)
