/* Tokens and key sets from outside: the text as a token, as claims that were signed, as a JWKS. */
#include <common/token.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING };

struct input {
	const uint8_t *bytes;
	size_t size;
};

static struct token_private_key key;

static const char *encode(struct rpc_call *call, const void *bytes, size_t size)
{
	size_t length = sodium_base64_encoded_len(size, VARIANT);

	return sodium_bin2base64(rpc_alloc(call, length), length, bytes, size, VARIANT);
}

static int verify(void *data, struct rpc_call *call)
{
	static const struct token_expectation expectation = { "i", "a", "access", 1700000000000 };
	struct token_keys keys = { .keys = { key.public }, .n_keys = 1 };
	struct input *input = data;
	struct token_claims claims;
	uint8_t signature[crypto_sign_BYTES];
	const char *text = arena_strndup(rpc_arena(call), (const char *)input->bytes, input->size),
		   *header, *signed_part;

	/* Nobody without the key makes one. */
	if (!token_verify(rpc_arena(call), &keys, text, &expectation, &claims))
		abort();
	header = rpc_printf(call, "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", key.public.kid);
	signed_part = rpc_printf(call, "%s.%s", encode(call, header, strlen(header)),
				 encode(call, input->bytes, input->size));
	crypto_sign_detached(signature, NULL, (const uint8_t *)signed_part, strlen(signed_part),
			     key.secret);
	token_verify(
		rpc_arena(call), &keys,
		rpc_printf(call, "%s.%s", signed_part, encode(call, signature, sizeof(signature))),
		&expectation, &claims);
	token_keys_parse((const char *)input->bytes, input->size, &keys);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };
	struct rpc_call *call = rpc_call_new("fuzz", 10000);

	if (!*key.public.kid)
		token_key_from_seed((const uint8_t[32]){ 1 }, &key);
	rpc_call_run(call, verify, &input);
	rpc_call_free(call);
	return 0;
}
