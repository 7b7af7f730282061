/* Access tokens: compact JWS with Ed25519 (JWT, RFC 7519, 7515, 8037), signed by auth, verified by
 * everyone. */
#pragma once

#include <crpc/server.h>
#include <crpc/service.h>

/*
 * The algorithm is fixed: a header that says anything but {"alg":"EdDSA","kid":...} (`typ` may be
 * "at+jwt" or "JWT") is refused, so there is no `none` and no confusion of keys. A token is at most
 * 4 KiB; claims are checked for type, length and presence before use. Clocks may differ by 30 s.
 */
enum { TOKEN_SIZE_MAX = 4096, TOKEN_KEYS_MAX = 16, TOKEN_SKEW_MS = 30000 };

/* Strings are never NULL: "" when the claim is not there. Times in ms, though the token holds
 * seconds. */
struct token_claims {
	const char *issuer, *audience;
	const char *subject;    /* sub: "users/{user}" */
	const char *session;    /* sid: "sessions/{session}" */
	const char *scope;      /* permissions, separated by spaces */
	const char *merge_from; /* the user whose cart this login takes over */
	const char *use;        /* what it is for, and is checked for: "access", "guest" (reopens a
				 * guest's session) */
	const char *id;         /* jti */
	bool guest;
	int64_t issue_time, not_before, expire_time;
};

struct token_public_key {
	char kid[44]; /* RFC 7638 thumbprint */
	uint8_t key[32];
};
struct token_keys {
	struct token_public_key keys[TOKEN_KEYS_MAX];
	size_t n_keys;
};
struct token_private_key {
	struct token_public_key public;
	uint8_t secret[64]; /* as libsodium keeps it: seed and public key */
};

/* From a seed of 32 bytes, so that a stored key gives the same kid. */
void token_key_from_seed(const uint8_t seed[32], struct token_private_key *ret);

/* In the arena; -EMSGSIZE when the claims make it larger than TOKEN_SIZE_MAX. */
int token_sign(struct arena *arena, const struct token_private_key *key,
	       const struct token_claims *claims, const char **ret);

/* What the token must be besides well signed. */
struct token_expectation {
	const char *issuer, *audience, *use;
	int64_t now_ms;
};
enum {
	TOKEN_MALFORMED = 260, /* no token of ours: size, base64url, JSON, header or claims */
	TOKEN_UNKNOWN_KEY,     /* the kid is not among the keys */
	TOKEN_FORGED,          /* the signature does not fit */
	TOKEN_EXPIRED,
	TOKEN_NOT_YET, /* before nbf */
	TOKEN_MISUSED, /* another issuer, audience or use */
};
/* 0 with claims in the arena, or one of these. Never blocks. */
int token_verify(struct arena *arena, const struct token_keys *keys, const char *token,
		 const struct token_expectation *expectation, struct token_claims *ret);
/* What of this depends on the time alone: 0, TOKEN_EXPIRED or TOKEN_NOT_YET. */
int token_check_times(const struct token_claims *claims, int64_t now_ms);
const char *token_problem(int code); /* "The access token has expired." */

/* JWKS (RFC 7517). Keys that are not Ed25519 signature keys are skipped. -EBADMSG when it is no
 * JWKS. */
int token_keys_parse(const char *json, size_t length, struct token_keys *ret);
const char *token_keys_print(struct arena *arena, const struct token_keys *keys);

/*
 * The authenticator of a service and of the gateway: verifies with the keys that it has, asks
 * `fetch` for the present JWKS when a kid is unknown (at most once in 10 s) and every 5 minutes,
 * and keeps the old ones when auth is away.
 */
/* *json is of the call's arena. */
typedef int token_fetch_function(void *data, struct rpc_call *call, const char **json,
				 size_t *length);
void token_set_source(token_fetch_function *fetch, void *data);
/* Keys at hand: auth's own, a test's. */
void token_set_keys(const struct token_keys *keys);
/* As rpc_authenticator wants it; fails with UNAUTHENTICATED and a sentence, UNAVAILABLE when there
 * are no keys yet and auth is away. */
int token_authenticate(struct rpc_call *call, const char *token, struct rpc_caller *ret);
extern const struct rpc_authenticator token_authenticator;

/*
 * Sets the authenticator of the service and fetches from auth's GetJwks at SOUK_PEER_AUTH. Options:
 * SOUK_TOKEN_ISSUER ("https://souk.local"), SOUK_TOKEN_AUDIENCE ("souk"). Ready as soon as keys are
 * known. Every service but auth lists it; auth itself sets its keys.
 */
extern const struct service_module token_module;
/* The options alone, for auth. */
extern const struct option token_options[];
const char *token_issuer(void);
const char *token_audience(void);
