/* Tokens and sessions at the gateway, with a real Redis; keys come from the platform's own JWKS
 * route. */
#include "test/fixture.h"
#include "test/frames.h"
#include <common/redis.h>
#include <common/token.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <stores.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct token_private_key key, other_key;
static char session[64];
static const char *subject = "users/ann";

static int64_t unix_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

static void publish(const struct token_keys *keys)
{
	fixture_jwks = token_keys_print(fixture_memory, keys);
}

static void open_session(void)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;

	ck_assert_int_eq(redis_command(test_call(), &reply, "SET",
				       rpc_printf(test_call(), "session:{%s}", session), "1", "EX",
				       "60"),
			 0);
}

static void end_session(void)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;

	ck_assert_int_eq(redis_command(test_call(), &reply, "DEL",
				       rpc_printf(test_call(), "session:{%s}", session)),
			 0);
}

static void setup(void)
{
	const uint8_t seed[32] = { 1 }, other_seed[32] = { 2 };

	subject = "users/ann";
	stores_redis();
	token_key_from_seed(seed, &key);
	token_key_from_seed(other_seed, &other_key);
	snprintf(session, sizeof(session), "test-%d-%d", (int)getpid(), rand());
	fixture_reset();
	fixture_gateway.redis_url = getenv("SOUK_TEST_REDIS_URL");
	fixture_gateway.unknown_key_ms = 500;
	fixture_gateway.heartbeat_ms = 200;
	fixture_start();
	publish(&(struct token_keys){ .keys = { key.public }, .n_keys = 1 });
	open_session();
}

static void teardown(void)
{
	fixture_stop();
	stores_close();
}

static const char *sign(const struct token_private_key *with, const char *use,
			int64_t expires_in_ms)
{
	const struct token_claims claims = {
		.issuer = "https://souk.local",
		.audience = "souk",
		.subject = subject,
		.session = rpc_printf(test_call(), "sessions/%s", session),
		.scope = "",
		.merge_from = "",
		.use = use,
		.id = "t",
		.issue_time = unix_ms() - 3600000,
		.not_before = unix_ms() - 3600000,
		.expire_time = unix_ms() + expires_in_ms,
	};
	const char *token = NULL;

	ck_assert_int_eq(token_sign(rpc_arena(test_call()), with, &claims, &token), 0);
	return token;
}

static struct answer ask_with(const char *path, const char *authorization)
{
	struct answer answer;

	/* Keys are fetched a moment after the start. */
	for (int i = 0; i < 200; i++) {
		answer = ask(rpc_printf(test_call(), "GET %s HTTP/1.1\nAuthorization: %s", path,
					authorization),
			     NULL);
		if (answer.status != 503)
			break;
		usleep(20000);
	}
	return answer;
}

static struct answer ask_as(const char *token)
{
	return ask_with("/v1/reader", rpc_printf(test_call(), "Bearer %s", token));
}

TEST(a_good_token_of_a_live_session_goes_on_with_the_call)
{
	struct answer answer = ask_as(sign(&key, "access", 60000));

	ck_assert_msg(answer.status == 200, "%d %s", answer.status, answer.body);
	ck_assert_str_eq(answer.body, "{\"name\":\"users/ann\",\"title\":\"sessions/s1\"}");
}

TEST(a_logout_takes_effect_at_once)
{
	const char *token = sign(&key, "access", 60000);
	struct answer answer;

	ck_assert_int_eq(ask_as(token).status, 200);
	end_session();
	answer = ask_as(token);
	ck_assert_int_eq(answer.status, 401);
	ck_assert_str_eq(answer_header(&answer, "www-authenticate"),
			 "Bearer error=\"invalid_token\"");
	open_session();
	ck_assert_int_eq(ask_as(token).status, 200);
}

TEST(no_token_is_for_the_service_to_judge)
{
	struct answer answer = ask("GET /v1/reader HTTP/1.1", NULL);

	ck_assert_int_eq(answer.status, 401);
	ck_assert_str_eq(answer_header(&answer, "www-authenticate"), "Bearer");
	ck_assert_int_eq(ask("GET /v1/files/a HTTP/1.1", NULL).status, 200);
}

TEST(a_bad_token_is_refused_on_public_paths_too)
{
	const char *good = sign(&key, "access", 60000);
	char *forged = rpc_strdup(test_call(), good);
	const char *bad[] = {
		"",
		"nonsense",
		"a.b.c",
		forged,
		sign(&key, "access", -60000),
		sign(&key, "guest", 60000),
		sign(&other_key, "access", 60000),
	};

	forged[strlen(forged) - 10] ^= 1;
	ck_assert_int_eq(ask_as(good).status, 200);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct answer answer =
			ask_with("/v1/files/a", rpc_printf(test_call(), "Bearer %s", bad[i]));

		ck_assert_msg(answer.status == 401, "%zu: %d %s", i, answer.status, answer.body);
		ck_assert_ptr_null(strstr(answer.body, "eyJ")); /* what came is not repeated */
	}
	ck_assert_int_eq(ask_with("/v1/files/a", "Basic YTpi").status, 401);
}

TEST(a_token_that_expires_is_refused_though_it_was_good)
{
	/* Clocks may differ by 30 s: it was good for that long. */
	const char *token = sign(&key, "access", 1500 - TOKEN_SKEW_MS);

	ck_assert_int_eq(ask_as(token).status, 200);
	usleep(2500000);
	ck_assert_int_eq(ask_as(token).status, 401);
}

TEST(a_new_key_is_fetched_when_a_token_names_it)
{
	ck_assert_int_eq(ask_as(sign(&key, "access", 60000)).status, 200);
	publish(&(struct token_keys){ .keys = { key.public, other_key.public }, .n_keys = 2 });
	usleep(600000); /* not more often than that */
	ck_assert_int_eq(ask_as(sign(&other_key, "access", 60000)).status, 200);
	ck_assert_int_eq(ask_as(sign(&key, "access", 60000)).status, 200);
}

TEST(a_stream_ends_when_its_session_does)
{
	char text[8192] = "";
	size_t used = 0;
	ssize_t n;
	int fd;

	ck_assert_int_eq(ask_as(sign(&key, "access", 60000)).status, 200); /* keys are there */
	fd = fixture_connect(fixture_port);
	fixture_send(fd, rpc_printf(test_call(),
				    "GET /v1/shelves/a/books/b:watch HTTP/1.1\r\nHost: a\r\n"
				    "Connection: close\r\nAuthorization: Bearer %s\r\n\r\n",
				    sign(&key, "access", 60000)));
	for (int i = 0; i < 1000 && !seen.running; i++)
		usleep(10000);
	end_session();
	while ((n = recv(fd, text + used, sizeof(text) - used - 1, 0)) > 0)
		used += (size_t)n;
	ck_assert_ptr_nonnull(strstr(text, "event: error\ndata: {\"error\":{\"code\":401,"));
	close(fd);
}

TEST(a_user_is_one_client_whatever_the_session)
{
	const char *first = sign(&key, "access", 60000), *second;
	struct answer answer;

	ck_assert_int_eq(ask_as(first).status, 200); /* keys are there */
	subject = rpc_printf(test_call(), "users/%s", session);
	first = sign(&key, "access", 60000);
	second = sign(&key, "access", 90000); /* another token */
	fixture_gateway.limit_window_ms = 86400000;
	fixture_gateway.limit_requests = 2;
	ck_assert_int_eq(ask_as(first).status, 200);
	answer = ask_as(second);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_ptr_nonnull(strstr(answer_header(&answer, "ratelimit"), ";r=0;"));
	ck_assert_int_eq(ask_as(first).status, 429);
}

/* A browser can send no Authorization with a WebSocket. */
TEST(a_websocket_brings_its_token_as_a_subprotocol_and_ends_with_the_session)
{
	const char *token = sign(&key, "access", 60000);
	struct answer answer;
	int fd = fixture_connect(fixture_port);

	ck_assert_int_eq(ask_as(token).status, 200); /* keys are there */
	answer = frames_shake_hands(
		fd, "/v1/reader:introduce",
		rpc_printf(test_call(), "Sec-WebSocket-Protocol: crpc.json, bearer.%s\r\n", token));
	ck_assert_int_eq(answer.status, 101);
	ck_assert_str_eq(answer_header(&answer, "sec-websocket-protocol"), "crpc.json");
	frames_say(fd, "{}");
	ck_assert_str_eq(frames_hear(fd), "{\"text\":\"users/ann\"}");
	end_session();
	frames_hear_end(fd, 4016);
}

TEST(a_websocket_with_a_bad_token_is_refused)
{
	int fd = fixture_connect(fixture_port);

	ck_assert_int_eq(ask_as(sign(&key, "access", 60000)).status, 200);
	ck_assert_int_eq(
		frames_shake_hands(fd, "/v1/reader:introduce",
				   rpc_printf(test_call(),
					      "Sec-WebSocket-Protocol: crpc.json, bearer.%s\r\n",
					      sign(&other_key, "access", 60000)))
			.status,
		401);
	close(fd);
}

TEST_MAIN("sessions", setup, teardown)
