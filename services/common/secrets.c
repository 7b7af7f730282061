/* Secrets: keys derived from the one secret that all replicas of a service share. */
#include <common/secrets.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

const char *secret_key;

void secret_set(const char *secret)
{
	secret_key = secret;
}

void secret_derive(const char *purpose, uint8_t ret[32])
{
	crypto_auth_hmacsha256_state state;

	/* Signing with an empty key would look as if it worked. */
	if (!secret_key || !*secret_key)
		abort();
	crypto_auth_hmacsha256_init(&state, (const uint8_t *)secret_key, strlen(secret_key));
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)purpose, strlen(purpose));
	crypto_auth_hmacsha256_final(&state, ret);
}

void secret_random(size_t size, char *ret)
{
	uint8_t bytes[64];

	if (size > sizeof(bytes) || sodium_init() < 0)
		abort();
	randombytes_buf(bytes, size);
	sodium_bin2base64(ret,
			  sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
			  bytes, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof(bytes));
}
