/* Access tokens: compact JWS with Ed25519. Keys and JWKS are in token_keys.c, the authenticator in
 * token_authenticator.c. */
#include <common/token.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLAIM_MAX = 1024, VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING };

static const int64_t seconds_max = 253402300799; /* the end of the year 9999 */

static char *encode(struct arena *arena, const uint8_t *bytes, size_t size)
{
	size_t length = sodium_base64_encoded_len(size, VARIANT);

	return sodium_bin2base64(arena_alloc(arena, length), length, bytes, size, VARIANT);
}

/*
 * Signing
 */

static void set_text(json_t *claims, const char *name, const char *value)
{
	if (value && *value)
		json_object_set_new(claims, name, json_string(value));
}

static void set_time(json_t *claims, const char *name, int64_t unix_ms)
{
	if (unix_ms)
		json_object_set_new(claims, name, json_integer(unix_ms / 1000));
}

static char *print_claims(struct arena *arena, const struct token_claims *claims)
{
	cleanup(json_decrefp) json_t *json = json_object();
	char *text, *copy;

	set_text(json, "iss", claims->issuer);
	set_text(json, "aud", claims->audience);
	set_text(json, "sub", claims->subject);
	set_text(json, "sid", claims->session);
	set_text(json, "scope", claims->scope);
	set_text(json, "merge_from", claims->merge_from);
	set_text(json, "use", claims->use);
	set_text(json, "jti", claims->id);
	if (claims->guest)
		json_object_set_new(json, "guest", json_true());
	set_time(json, "iat", claims->issue_time);
	set_time(json, "nbf", claims->not_before);
	set_time(json, "exp", claims->expire_time);
	text = json_dumps(json, JSON_COMPACT);
	/* Strings that are no UTF-8 are not taken by jansson, so there is nothing else that can
	 * fail. */
	if (!text)
		abort();
	copy = arena_strndup(arena, text, strlen(text));
	free(text);
	return copy;
}

int token_sign(struct arena *arena, const struct token_private_key *key,
	       const struct token_claims *claims, const char **ret)
{
	char *header = arena_printf(arena, "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}",
				    key->public.kid);
	char *payload = print_claims(arena, claims), *input, *token;
	uint8_t signature[crypto_sign_BYTES];

	input = arena_printf(arena, "%s.%s", encode(arena, (const uint8_t *)header, strlen(header)),
			     encode(arena, (const uint8_t *)payload, strlen(payload)));
	crypto_sign_detached(signature, NULL, (const uint8_t *)input, strlen(input), key->secret);
	token = arena_printf(arena, "%s.%s", input, encode(arena, signature, sizeof(signature)));
	if (strlen(token) > TOKEN_SIZE_MAX)
		return -EMSGSIZE;
	*ret = token;
	return 0;
}

/*
 * Verifying
 */

/* A part of the token as a JSON object; NULL when it is none. `bytes` is at least as long as the
 * part. */
static json_t *read_object(const char *part, size_t length, uint8_t *bytes, size_t size)
{
	size_t n;
	json_error_t error;
	json_t *json;

	if (sodium_base642bin(bytes, size, part, length, NULL, &n, NULL, VARIANT))
		return NULL;
	json = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(json)) {
		json_decref(json);
		return NULL;
	}
	return json;
}

/* Takes the text of a claim; false when it is there and no text of a fair length. */
static bool take_text(struct arena *arena, const json_t *claims, const char *name, const char **ret)
{
	const json_t *value = json_object_get(claims, name);

	*ret = "";
	if (!value)
		return true;
	if (!json_is_string(value) || json_string_length(value) > CLAIM_MAX ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return false;
	*ret = arena_strndup(arena, json_string_value(value), json_string_length(value));
	return true;
}

static bool take_time(const json_t *claims, const char *name, int64_t *ret)
{
	const json_t *value = json_object_get(claims, name);

	*ret = 0;
	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > seconds_max)
		return false;
	*ret = json_integer_value(value) * 1000;
	return true;
}

static bool take_claims(struct arena *arena, const json_t *json, struct token_claims *ret)
{
	const json_t *guest = json_object_get(json, "guest");

	ret->guest = json_is_true(guest);
	return take_text(arena, json, "iss", &ret->issuer) &&
	       take_text(arena, json, "aud", &ret->audience) &&
	       take_text(arena, json, "sub", &ret->subject) &&
	       take_text(arena, json, "sid", &ret->session) &&
	       take_text(arena, json, "scope", &ret->scope) &&
	       take_text(arena, json, "merge_from", &ret->merge_from) &&
	       take_text(arena, json, "use", &ret->use) &&
	       take_text(arena, json, "jti", &ret->id) && (!guest || json_is_boolean(guest)) &&
	       take_time(json, "iat", &ret->issue_time) &&
	       take_time(json, "nbf", &ret->not_before) &&
	       take_time(json, "exp", &ret->expire_time) && *ret->subject && ret->expire_time;
}

/* {"alg":"EdDSA","kid":...}, perhaps with `typ`, and nothing that would have to be understood
 * (`crit`). */
static const struct token_public_key *find_key(const json_t *header, const struct token_keys *keys,
					       int *problem)
{
	const char *alg = json_string_value(json_object_get(header, "alg"));
	const char *kid = json_string_value(json_object_get(header, "kid"));
	const char *typ = json_string_value(json_object_get(header, "typ"));

	*problem = TOKEN_MALFORMED;
	if (!alg || strcmp(alg, "EdDSA") || !kid || json_object_get(header, "crit"))
		return NULL;
	if (json_object_get(header, "typ") &&
	    (!typ || (strcmp(typ, "at+jwt") && strcmp(typ, "JWT"))))
		return NULL;
	*problem = TOKEN_UNKNOWN_KEY;
	for (size_t i = 0; i < keys->n_keys; i++)
		if (!strcmp(keys->keys[i].kid, kid))
			return &keys->keys[i];
	return NULL;
}

int token_check_times(const struct token_claims *claims, int64_t now_ms)
{
	if (claims->expire_time + TOKEN_SKEW_MS <= now_ms)
		return TOKEN_EXPIRED;
	if (claims->not_before > now_ms + TOKEN_SKEW_MS)
		return TOKEN_NOT_YET;
	return 0;
}

int token_verify(struct arena *arena, const struct token_keys *keys, const char *token,
		 const struct token_expectation *expectation, struct token_claims *ret)
{
	cleanup(json_decrefp) json_t *header = NULL, *payload = NULL;
	uint8_t bytes[TOKEN_SIZE_MAX], signature[crypto_sign_BYTES];
	const char *first, *second;
	const struct token_public_key *key;
	struct token_claims claims = { 0 };
	size_t length = strnlen(token, TOKEN_SIZE_MAX + 1), size;
	int problem;

	if (length > TOKEN_SIZE_MAX)
		return TOKEN_MALFORMED;
	first = strchr(token, '.');
	second = first ? strchr(first + 1, '.') : NULL;
	if (!second || strchr(second + 1, '.'))
		return TOKEN_MALFORMED;
	header = read_object(token, (size_t)(first - token), bytes, sizeof(bytes));
	if (!header)
		return TOKEN_MALFORMED;
	key = find_key(header, keys, &problem);
	if (!key)
		return problem;
	if (sodium_base642bin(signature, sizeof(signature), second + 1, strlen(second + 1), NULL,
			      &size, NULL, VARIANT) ||
	    size != sizeof(signature))
		return TOKEN_MALFORMED;
	if (crypto_sign_verify_detached(signature, (const uint8_t *)token, (size_t)(second - token),
					key->key))
		return TOKEN_FORGED;
	payload = read_object(first + 1, (size_t)(second - first - 1), bytes, sizeof(bytes));
	if (!payload || !take_claims(arena, payload, &claims))
		return TOKEN_MALFORMED;
	if (strcmp(claims.issuer, expectation->issuer) ||
	    strcmp(claims.audience, expectation->audience) || strcmp(claims.use, expectation->use))
		return TOKEN_MISUSED;
	problem = token_check_times(&claims, expectation->now_ms);
	if (problem)
		return problem;
	*ret = claims;
	return 0;
}

const char *token_problem(int code)
{
	switch (code) {
	case TOKEN_UNKNOWN_KEY:
		return "The token was signed with a key that is not, or no longer, in use.";
	case TOKEN_FORGED:
		return "The token's signature is wrong.";
	case TOKEN_EXPIRED:
		return "The token has expired; get a new one with the refresh token.";
	case TOKEN_NOT_YET:
		return "The token is not valid yet.";
	case TOKEN_MISUSED:
		return "The token was issued for something else.";
	default:
		return "The token is malformed.";
	}
}
