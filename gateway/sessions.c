/* Who calls. */
#include "sessions.h"
#include "gateway.h"
#include "redis_async.h"
#include "upstream.h"
#include <common/hash.h>
#include <common/token.h>
#include <crpc/client.h>
#include <crpc/json.h>
#include <httpbody.msg.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
	REFRESH_MS = 5 * 60 * 1000,
	RETRY_MS = 1000,
	FETCH_TIMEOUT_MS = 5000,
	CACHE_SLOTS = 1024, /* tokens verified before: an Ed25519 verification costs more than the
			       rest of a request */
	SESSION_ID_MAX = 128,
	USER_MAX = 144,
};
static const char jwks_path[] = "/.well-known/jwks.json";

struct cached {
	uint64_t hash;
	char *token; /* NULL: free */
	int64_t expires_ms;
	char session[SESSION_ID_MAX + 1];
	char user[USER_MAX + 1]; /* "": a guest */
};

struct sessions {
	struct worker *worker;
	struct timer timer;
	struct token_keys keys;
	bool fetched, fixed;
	int64_t fetched_ms;     /* monotonic: the last try */
	struct rpc_call *fetch; /* under way */
	struct task fetch_done;
	int fetch_code;
	ProtobufCMessage *fetch_message;
	struct router_match route;
	struct request *waiting; /* for keys */
	uint64_t seed;
	struct cached cache[CACHE_SLOTS];
};

static int64_t unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Keys
 */

static int read_keys(void *data, struct rpc_call *call)
{
	struct sessions *sessions = data;
	const struct route *route = sessions->route.route;
	const ProtobufCMessage *message = sessions->fetch_message;
	const struct rpc_json_options options = { .types = sessions->worker->gateway->types };
	const HttpBody *body = (const HttpBody *)message;
	struct rpc_json_error error;
	struct token_keys keys;
	const char *json;
	size_t length;

	if (message->descriptor == &HttpBody_descriptor) {
		json = (const char *)body->data.data;
		length = body->data.len;
	} else if (route->response_body) {
		json = rpc_json_print_field(rpc_arena(call), &options, message,
					    protobuf_c_message_descriptor_get_field_by_name(
						    message->descriptor, route->response_body),
					    &length, &error);
	} else {
		json = rpc_json_print(rpc_arena(call), &options, message, &length, &error);
	}
	if (!json || token_keys_parse(json, length, &keys))
		return rpc_fail_code(call, RPC_INTERNAL, "the answer is no JWKS");
	sessions->keys = keys;
	sessions->fetched = true;
	return 0;
}

static void verify_waiting(struct sessions *sessions);

static void fetch_arrived(struct task *task)
{
	struct sessions *sessions = (void *)((char *)task - offsetof(struct sessions, fetch_done));
	struct rpc_call *call = sessions->fetch;

	if (!sessions->fetch_code)
		sessions->fetch_code = rpc_call_run(call, read_keys, sessions);
	if (sessions->fetch_code && sessions->fetched)
		log_warning(call, "the keys of access tokens cannot be fetched: the old ones stay",
			    { "reason", rpc_error_message(call) });
	sessions->fetch = rpc_call_free(call);
	loop_timer_set(&sessions->worker->loop, &sessions->timer,
		       sessions->fetch_code ? RETRY_MS : REFRESH_MS);
	verify_waiting(sessions);
}

static void fetch_done(void *data, struct rpc_call *call, int code, ProtobufCMessage *message)
{
	struct sessions *sessions = data;

	sessions->fetch_code = code;
	sessions->fetch_message = message;
	loop_post(&sessions->worker->loop, &sessions->fetch_done);
}

static void fetch_keys(struct sessions *sessions)
{
	const struct route *route = sessions->route.route;
	struct rpc_client *client =
		route ? upstreams_client(sessions->worker->gateway->upstreams, route) : NULL;
	ProtobufCMessage *message;

	sessions->fetched_ms = sessions->worker->loop.now_ms;
	if (!client || sessions->fetch || sessions->fixed)
		return;
	sessions->fetch = rpc_call_new(jwks_path, FETCH_TIMEOUT_MS);
	rpc_call_set_completions(sessions->fetch, sessions->worker->completions);
	message = rpc_alloc(sessions->fetch, route->method->request->sizeof_message);
	protobuf_c_message_init(route->method->request, message);
	if (!rpc_client_start(client, route->method, sessions->fetch, message, fetch_done,
			      sessions))
		return;
	sessions->fetch = rpc_call_free(sessions->fetch);
	loop_timer_set(&sessions->worker->loop, &sessions->timer, RETRY_MS);
}

static void refresh(struct timer *timer)
{
	fetch_keys((void *)((char *)timer - offsetof(struct sessions, timer)));
}

struct sessions *sessions_new(struct worker *worker)
{
	struct sessions *sessions = calloc(1, sizeof(*sessions));

	if (!sessions)
		return NULL;
	sessions->worker = worker;
	sessions->timer.expired = refresh;
	sessions->fetch_done.run = fetch_arrived;
	sessions->seed = worker_random(worker);
	if (worker->gateway->router)
		router_match(worker->gateway->router, "GET", jwks_path, sizeof(jwks_path) - 1,
			     &sessions->route);
	loop_timer_set(&worker->loop, &sessions->timer, 0);
	return sessions;
}

struct sessions *sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return NULL;
	loop_timer_clear(&sessions->worker->loop, &sessions->timer);
	if (sessions->fetch) {
		rpc_call_cancel(sessions->fetch);
		while (sessions->fetch)
			loop_turn(&sessions->worker->loop, 100);
		loop_timer_clear(&sessions->worker->loop, &sessions->timer);
	}
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		free(sessions->cache[i].token);
	free(sessions);
	return NULL;
}

bool sessions_ready(const struct sessions *sessions, const char **why)
{
	if (sessions->fetched)
		return true;
	*why = sessions->route.route
		       ? "the keys of access tokens are not fetched yet: requests with a token "
			 "answer 503"
		       : "no route serves /.well-known/jwks.json: requests with a token answer 503";
	return false;
}

void sessions_set_keys(struct sessions *sessions, const struct token_keys *keys)
{
	sessions->keys = *keys;
	sessions->fetched = sessions->fixed = true;
}

/*
 * Tokens
 */

static int unauthenticated(struct request *request, const char *why)
{
	return rpc_fail_code(request->call, RPC_UNAUTHENTICATED, "%s", why);
}

/* 0, TOKEN_UNKNOWN_KEY, or UNAUTHENTICATED. */
static int verify(struct request *request, const char *token, size_t length, struct cached *ret)
{
	struct sessions *sessions = request->worker->sessions;
	const struct gateway *gateway = request->worker->gateway;
	const struct token_expectation expectation = { gateway->token_issuer,
						       gateway->token_audience, "access",
						       unix_ms() };
	uint64_t hash = hash_bytes(sessions->seed, token, length);
	struct cached *slot = &sessions->cache[hash % CACHE_SLOTS];
	struct token_claims claims;
	const char *id;
	int r;

	if (slot->token && slot->hash == hash && !strcmp(slot->token, token) &&
	    slot->expires_ms > expectation.now_ms) {
		*ret = *slot;
		return 0;
	}
	r = token_verify(rpc_arena(request->call), &sessions->keys, token, &expectation, &claims);
	if (r == TOKEN_UNKNOWN_KEY)
		return r;
	if (r)
		return unauthenticated(request, token_problem(r));
	id = strrchr(claims.session, '/');
	id = id ? id + 1 : claims.session;
	if (!*id || strlen(id) > SESSION_ID_MAX || strlen(claims.subject) > USER_MAX)
		return unauthenticated(request, "The access token is of no session.");

	free(slot->token);
	*slot = (struct cached){ .hash = hash,
				 .token = strndup(token, length),
				 .expires_ms = claims.expire_time };
	snprintf(slot->session, sizeof(slot->session), "%s", id);
	snprintf(slot->user, sizeof(slot->user), "%s", claims.guest ? "" : claims.subject);
	*ret = *slot;
	return 0;
}

static void session_looked_up(struct redis_wait *wait, redisReply *reply)
{
	struct request *request = (void *)((char *)wait - offsetof(struct request, session_wait));

	if (!reply || reply->type != REDIS_REPLY_INTEGER) {
		rpc_fail_code(request->call, RPC_UNAVAILABLE,
			      "The session cannot be checked now; try again soon.");
		rpc_retry_after(request->call, 1000);
	} else if (!reply->integer) {
		unauthenticated(request, "The session is over: log in again.");
	}
	request_waited(request, WAIT_SESSION);
}

/* Written by whoever makes sessions; gone when they end. */
static int look_up(struct request *request, const char *session)
{
	char key[SESSION_ID_MAX + 16];

	snprintf(key, sizeof(key), "session:{%s}", session);
	request->session_wait.done = session_looked_up;
	if (request->worker->redis &&
	    redis_async_send(request->worker->redis, &request->session_wait, 2,
			     (const char *const[]){ "EXISTS", key })) {
		request->waits |= WAIT_SESSION;
		return 0;
	}
	rpc_fail_code(request->call, RPC_UNAVAILABLE,
		      "The session cannot be checked now; try again soon.");
	rpc_retry_after(request->call, 1000);
	return RPC_UNAVAILABLE;
}

static int admit(struct request *request, const char *token, const struct cached *verified)
{
	request->token_expires_ms = verified->expires_ms;
	request->session = rpc_strdup(request->call, verified->session);
	/* A guest is limited by the address: sessions of guests are free. */
	if (*verified->user)
		request->client = rpc_printf(request->call, "user:%s", verified->user);
	request->token = token;
	rpc_call_set_token(request->call, token);
	return look_up(request, request->session);
}

static void wait_for_keys(struct sessions *sessions, struct request *request)
{
	request->waits |= WAIT_SESSION;
	request->next_for_keys = sessions->waiting;
	sessions->waiting = request;
}

/* Its token, NULL if it brought something else. */
static const char *bearer(const struct request *request)
{
	const char *authorization = request_header(request, "authorization");

	if (!authorization)
		return request->offered_token;
	if (strncasecmp(authorization, "Bearer ", 7))
		return NULL;
	authorization += 7;
	return authorization + strspn(authorization, " ");
}

int sessions_check(struct request *request)
{
	struct sessions *sessions = request->worker->sessions;
	const char *token = bearer(request);
	struct cached verified;
	size_t length;
	int r;

	if (!token && !request_header(request, "authorization"))
		return 0;
	if (!token)
		return unauthenticated(request, "Authorization takes a Bearer token.");
	length = strlen(token);
	if (!length || length > TOKEN_SIZE_MAX)
		return unauthenticated(request, token_problem(TOKEN_MALFORMED));

	if (!sessions->fetched) {
		rpc_fail_code(request->call, RPC_UNAVAILABLE,
			      "Access tokens cannot be verified yet; try again soon.");
		rpc_retry_after(request->call, 1000);
		return RPC_UNAVAILABLE;
	}
	r = verify(request, token, length, &verified);
	if (!r)
		return admit(request, token, &verified);
	if (r != TOKEN_UNKNOWN_KEY)
		return r;
	/* A new key, perhaps. */
	if (!sessions->fetch && sessions->worker->loop.now_ms - sessions->fetched_ms >=
					sessions->worker->gateway->unknown_key_ms)
		fetch_keys(sessions);
	if (!sessions->fetch)
		return unauthenticated(request, token_problem(TOKEN_UNKNOWN_KEY));
	wait_for_keys(sessions, request);
	return 0;
}

static void verify_waiting(struct sessions *sessions)
{
	struct request *request, *next = sessions->waiting;

	sessions->waiting = NULL;
	while ((request = next)) {
		const char *token = bearer(request);
		struct cached verified;
		int r;

		next = request->next_for_keys;
		if (request->done) {
			request_waited(request, WAIT_SESSION);
			continue;
		}
		r = verify(request, token, strlen(token), &verified);
		if (r == TOKEN_UNKNOWN_KEY)
			r = unauthenticated(request, token_problem(r));
		/* admit() waits again, now for Redis. */
		if (r || admit(request, token, &verified))
			request_waited(request, WAIT_SESSION);
	}
}

int sessions_check_again(struct request *request)
{
	if (!request->session)
		return 0;
	if (request->token_expires_ms <= unix_ms())
		return unauthenticated(request, token_problem(TOKEN_EXPIRED));
	return look_up(request, request->session);
}
