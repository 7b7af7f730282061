/* Who sent a token: the authenticator of services and gateway, with auth's keys fetched and
 * kept. */
#include "auth.rpc.h"
#include "token_cache.h"
#include <common/clock.h>
#include <common/token.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { REFRESH_MS = 300000, UNKNOWN_KEY_MS = 10000, FIRST_MS = 1000, FETCH_MS = 3000 };

static struct {
	const char *issuer, *audience;
} options = { "https://souk.local", "souk" };

/*
 * Readers copy the keys under the lock. One thread fetches at a time, without the lock; the others
 * go on with the keys that are there. `next_ms` is when a fetch is due, `allowed_ms` when an
 * unknown kid may ask for one earlier: whoever sends nonsense must not make us ask auth each time.
 */
static struct {
	pthread_mutex_t lock;
	struct token_keys keys;
	uint64_t keys_version; /* counts up when they become others */
	bool is_fetching;
	int64_t next_ms, allowed_ms;
	token_fetch_function *fetch;
	void *data;
} store = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Under the lock. */
static void take_keys(const struct token_keys *keys)
{
	if (keys->n_keys != store.keys.n_keys ||
	    memcmp(keys->keys, store.keys.keys, keys->n_keys * sizeof(*keys->keys)))
		store.keys_version++;
	store.keys = *keys;
}

void token_set_keys(const struct token_keys *keys)
{
	pthread_mutex_lock(&store.lock);
	take_keys(keys);
	pthread_mutex_unlock(&store.lock);
}

void token_set_source(token_fetch_function *fetch, void *data)
{
	pthread_mutex_lock(&store.lock);
	store.fetch = fetch;
	store.data = data;
	store.next_ms = store.allowed_ms = 0;
	pthread_mutex_unlock(&store.lock);
}

struct fetching {
	struct token_keys keys;
	bool is_done;
};

static int fetch_keys(void *data, struct rpc_call *call)
{
	struct fetching *fetching = data;
	const char *json;
	size_t length;
	int r = store.fetch(store.data, call, &json, &length);

	if (r)
		return r;
	r = token_keys_parse(json, length, &fetching->keys);
	fetching->is_done = !r && fetching->keys.n_keys;
	return r;
}

/* Fetches when it is due. */
static void refresh(bool for_unknown_key)
{
	int64_t now = clock_monotonic_ms();
	struct fetching fetching = { 0 };
	struct rpc_call *call;
	bool due;

	pthread_mutex_lock(&store.lock);
	due = store.fetch && !store.is_fetching &&
	      (now >= store.next_ms || (for_unknown_key && now >= store.allowed_ms));
	if (due)
		store.is_fetching = true;
	pthread_mutex_unlock(&store.lock);
	if (!due)
		return;

	/* A call of its own: the keys are not for this caller alone, and its deadline is not
	 * theirs. */
	call = rpc_call_new("GetJwks", FETCH_MS);
	rpc_call_run(call, fetch_keys, &fetching);
	rpc_call_free(call);

	pthread_mutex_lock(&store.lock);
	store.is_fetching = false;
	store.next_ms = now + (fetching.is_done ? REFRESH_MS : FIRST_MS);
	store.allowed_ms = now + (store.keys.n_keys ? UNKNOWN_KEY_MS : FIRST_MS);
	if (fetching.is_done)
		take_keys(&fetching.keys);
	pthread_mutex_unlock(&store.lock);
}

static void copy_keys(struct token_keys *ret, uint64_t *version_ret)
{
	pthread_mutex_lock(&store.lock);
	*ret = store.keys;
	*version_ret = store.keys_version;
	pthread_mutex_unlock(&store.lock);
}

static bool has_keys(void)
{
	bool has;

	pthread_mutex_lock(&store.lock);
	has = store.keys.n_keys;
	pthread_mutex_unlock(&store.lock);
	return has;
}

static uint64_t keys_version(void)
{
	uint64_t version;

	pthread_mutex_lock(&store.lock);
	version = store.keys_version;
	pthread_mutex_unlock(&store.lock);
	return version;
}

/* With the keys that are there. */
static int verify(struct rpc_call *call, const char *token, const uint8_t hash[TOKEN_HASH_SIZE],
		  struct token_claims *ret)
{
	struct token_expectation expectation = { options.issuer, options.audience, "access",
						 rpc_now_ms(call) };
	struct token_keys keys;
	uint64_t version;
	int r;

	copy_keys(&keys, &version);
	r = token_verify(rpc_arena(call), &keys, token, &expectation, ret);
	if (!r)
		token_cache_note(hash, version, ret);
	return r;
}

int token_authenticate(struct rpc_call *call, const char *token, struct rpc_caller *ret)
{
	uint8_t hash[TOKEN_HASH_SIZE];
	struct token_claims claims;
	int r;

	refresh(false);
	token_cache_hash(token, hash);
	if (token_cache_find(rpc_arena(call), hash, keys_version(), &claims))
		r = token_check_times(&claims, rpc_now_ms(call));
	else
		r = verify(call, token, hash, &claims);
	if (r == TOKEN_UNKNOWN_KEY) {
		refresh(true);
		if (!has_keys()) {
			r = rpc_fail_code(call, RPC_UNAVAILABLE,
					  "Tokens cannot be checked yet; try again soon.");
			rpc_retry_after(call, 1000);
			return r;
		}
		r = verify(call, token, hash, &claims);
	}
	if (r)
		return rpc_fail_code(call, RPC_UNAUTHENTICATED, "%s", token_problem(r));
	ret->user = claims.subject;
	ret->session = claims.session;
	ret->merge_from = claims.merge_from;
	ret->scope = claims.scope;
	ret->guest = claims.guest;
	ret->expire_time = claims.expire_time;
	return 0;
}

static int authenticate(void *data, struct rpc_call *call, const char *token,
			struct rpc_caller *ret)
{
	(void)data;
	return token_authenticate(call, token, ret);
}

const struct rpc_authenticator token_authenticator = { .authenticate = authenticate };

const char *token_issuer(void)
{
	return options.issuer;
}

const char *token_audience(void)
{
	return options.audience;
}

/*
 * Module
 */

static struct auth_client *auth;

static int fetch_from_auth(void *data, struct rpc_call *call, const char **json, size_t *length)
{
	HttpBody *body;
	int r;

	(void)data;
	r = auth_client_get_jwks(auth, call, MSG(GetJwksRequest), &body);
	if (r)
		return r;
	*json = (const char *)body->data.data;
	*length = body->data.len;
	return 0;
}

static int start(struct service *service, char **error)
{
	(void)error;
	auth = auth_client_new(service_peer(service, "auth"));
	token_set_source(fetch_from_auth, NULL);
	service_set_authenticator(service, &token_authenticator);
	return 0;
}

static bool ready(const char **why)
{
	refresh(false);
	if (has_keys())
		return true;
	*why = "The keys that check access tokens are not there: auth does not answer at "
	       "SOUK_PEER_AUTH.";
	return false;
}

static void stop(void)
{
	token_set_source(NULL, NULL);
	auth = auth_client_free(auth);
}

const struct option token_options[] = {
	{ "TOKEN_ISSUER", OPTION_STRING, &options.issuer, "https://souk.local",
	  "who issues access tokens: their `iss`" },
	{ "TOKEN_AUDIENCE", OPTION_STRING, &options.audience, "souk",
	  "whom access tokens are for: their `aud`" },
	{ 0 },
};

const struct service_module token_module = {
	.name = "token",
	.options = token_options,
	.start = start,
	.ready = ready,
	.stop = stop,
};
