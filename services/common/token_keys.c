/* Keys of access tokens: making them from a seed, JWKS (RFC 7517, 8037). */
#include <common/token.h>
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING, JWKS_MAX = 65536, PUBLIC_TEXT = 44 };

/* RFC 7638: the hash of the required members in alphabetical order. */
static void name_key(struct token_public_key *key)
{
	char text[PUBLIC_TEXT], json[128];
	uint8_t hash[crypto_hash_sha256_BYTES];

	sodium_bin2base64(text, sizeof(text), key->key, sizeof(key->key), VARIANT);
	snprintf(json, sizeof(json), "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", text);
	crypto_hash_sha256(hash, (const uint8_t *)json, strlen(json));
	sodium_bin2base64(key->kid, sizeof(key->kid), hash, sizeof(hash), VARIANT);
}

void token_key_from_seed(const uint8_t seed[32], struct token_private_key *ret)
{
	crypto_sign_seed_keypair(ret->public.key, ret->secret, seed);
	name_key(&ret->public);
}

static bool has(const json_t *key, const char *name, const char *value)
{
	const char *text = json_string_value(json_object_get(key, name));

	return text && !strcmp(text, value);
}

/* Whether it is a key that we can verify with. */
static bool read_key(const json_t *json, struct token_public_key *ret)
{
	const json_t *use = json_object_get(json, "use"), *alg = json_object_get(json, "alg");
	const char *x = json_string_value(json_object_get(json, "x"));
	const char *kid = json_string_value(json_object_get(json, "kid"));
	size_t size;

	if (!has(json, "kty", "OKP") || !has(json, "crv", "Ed25519") || !x || !kid ||
	    strlen(kid) >= sizeof(ret->kid))
		return false;
	if ((use && !has(json, "use", "sig")) || (alg && !has(json, "alg", "EdDSA")))
		return false;
	if (sodium_base642bin(ret->key, sizeof(ret->key), x, strlen(x), NULL, &size, NULL,
			      VARIANT) ||
	    size != sizeof(ret->key))
		return false;
	snprintf(ret->kid, sizeof(ret->kid), "%s", kid);
	return true;
}

int token_keys_parse(const char *text, size_t length, struct token_keys *ret)
{
	json_t *json =
		length <= JWKS_MAX ? json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
	json_t *list = json_object_get(json, "keys"), *element;
	struct token_keys keys = { 0 };
	size_t i;
	int r = json_is_array(list) ? 0 : -EBADMSG;

	json_array_foreach(list, i, element) if (keys.n_keys < TOKEN_KEYS_MAX &&
						 read_key(element, &keys.keys[keys.n_keys]))
		keys.n_keys++;
	json_decref(json);
	if (!r)
		*ret = keys;
	return r;
}

const char *token_keys_print(struct arena *arena, const struct token_keys *keys)
{
	const char *text = "";

	for (size_t i = 0; i < keys->n_keys; i++) {
		char x[PUBLIC_TEXT];

		sodium_bin2base64(x, sizeof(x), keys->keys[i].key, sizeof(keys->keys[i].key),
				  VARIANT);
		text = arena_printf(arena,
				    "%s%s{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\","
				    "\"alg\":\"EdDSA\","
				    "\"kid\":\"%s\",\"x\":\"%s\"}",
				    text, i ? "," : "", keys->keys[i].kid, x);
	}
	return arena_printf(arena, "{\"keys\":[%s]}", text);
}
