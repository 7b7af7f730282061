/* Access tokens: what is accepted, and everything else. */
#include <common/token.h>
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <string.h>
#include <test.h>

enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING };

static const int64_t now = 1700000000000;
static struct rpc_call *call;
static int fetches;
static struct token_private_key key;
static struct token_keys keys;
static struct token_claims claims;
static const struct token_expectation expectation = { "https://souk.test", "souk", "access",
						      1700000000000 };

static void setup(void)
{
	uint8_t seed[32] = { 1 };

	call = rpc_call_new("test", 10000);
	rpc_call_set_now(call, now);
	fetches = 0;
	token_set_source(NULL, NULL);
	token_set_keys(&(struct token_keys){ 0 });
	token_key_from_seed(seed, &key);
	keys = (struct token_keys){ .keys = { key.public }, .n_keys = 1 };
	claims = (struct token_claims){
		.issuer = "https://souk.test",
		.audience = "souk",
		.subject = "users/ann",
		.session = "sessions/s1",
		.scope = "orders.manage catalog.edit",
		.merge_from = "users/guest1",
		.use = "access",
		.id = "t1",
		.guest = true,
		.issue_time = now,
		.not_before = now,
		.expire_time = now + 600000,
	};
}

static void teardown(void)
{
	call = rpc_call_free(call);
}

static const char *sign(void)
{
	const char *token = NULL;

	ck_assert_int_eq(token_sign(rpc_arena(call), &key, &claims, &token), 0);
	return token;
}

static int verify(const char *token, struct token_claims *ret)
{
	return token_verify(rpc_arena(call), &keys, token, &expectation, ret);
}

static int verdict(const char *token)
{
	struct token_claims read = { 0 };
	int r = verify(token, &read);

	ck_assert(!r || !read.subject);
	return r;
}

/* A token of any header and payload, well signed. */
static const char *forge(const char *header, const char *payload)
{
	char a[4096], b[8192], c[128], *input;
	uint8_t signature[crypto_sign_BYTES];

	sodium_bin2base64(a, sizeof(a), (const uint8_t *)header, strlen(header), VARIANT);
	sodium_bin2base64(b, sizeof(b), (const uint8_t *)payload, strlen(payload), VARIANT);
	input = rpc_printf(call, "%s.%s", a, b);
	crypto_sign_detached(signature, NULL, (const uint8_t *)input, strlen(input), key.secret);
	sodium_bin2base64(c, sizeof(c), signature, sizeof(signature), VARIANT);
	return rpc_printf(call, "%s.%s", input, c);
}

static const char *header_of(const char *alg)
{
	return rpc_printf(call, "{\"alg\":\"%s\",\"kid\":\"%s\"}", alg, key.public.kid);
}

TEST(claims_come_back_as_they_were_signed)
{
	struct token_claims read;

	ck_assert_int_eq(verify(sign(), &read), 0);
	ck_assert_str_eq(read.subject, "users/ann");
	ck_assert_str_eq(read.session, "sessions/s1");
	ck_assert_str_eq(read.scope, "orders.manage catalog.edit");
	ck_assert_str_eq(read.merge_from, "users/guest1");
	ck_assert_str_eq(read.id, "t1");
	ck_assert(read.guest);
	ck_assert_int_eq(read.expire_time, now + 600000);
}

TEST(no_byte_of_a_token_can_be_changed)
{
	char *token = rpc_strdup(call, sign());

	for (size_t i = 0; token[i]; i++) {
		char kept = token[i];

		token[i] = kept == 'A' ? 'B' : 'A';
		ck_assert_int_ne(verdict(token), 0);
		token[i] = kept;
	}
	ck_assert_int_eq(verdict(token), 0);
	for (size_t length = strlen(token); length-- > 0;) {
		token[length] = 0;
		ck_assert_int_ne(verdict(token), 0);
	}
}

static const char *const algorithms[] = { "none",  "None",  "HS256",   "RS256",
					  "ES256", "eddsa", "Ed25519", "" };

TEST_EACH(there_is_one_algorithm, algorithms)
{
	const char *payload = "{\"iss\":\"https://"
			      "souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":\"users/"
			      "eve\",\"exp\":9999999999}";

	ck_assert_int_eq(verdict(forge(header_of(*row), payload)), TOKEN_MALFORMED);
	ck_assert_int_eq(verdict(forge(header_of("EdDSA"), payload)), 0);
}

static const struct {
	const char *payload;
	int verdict;
} payloads[] = {
	{ "[]", TOKEN_MALFORMED },
	{ "{}", TOKEN_MALFORMED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":\"users/a\"}",
	  TOKEN_MALFORMED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"exp\":9999999999}",
	  TOKEN_MALFORMED },
	{ "{\"iss\":\"https://"
	  "souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":7,\"exp\":9999999999}",
	  TOKEN_MALFORMED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":[\"souk\"],\"use\":\"access\",\"sub\":\"users/"
	  "a\",\"exp\":9999999999}",
	  TOKEN_MALFORMED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":\"users/"
	  "a\",\"exp\":\"9999999999\"}",
	  TOKEN_MALFORMED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":\"users/"
	  "a\",\"exp\":-1}",
	  TOKEN_MALFORMED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":\"users/"
	  "a\",\"exp\":1e99}",
	  TOKEN_MALFORMED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":\"users/"
	  "a\",\"exp\":9999999999,\"exp\":1}",
	  TOKEN_MALFORMED },
	{ "{\"iss\":\"https://"
	  "souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":\"users\\u0000/"
	  "a\",\"exp\":9999999999}",
	  TOKEN_MALFORMED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":\"users/"
	  "a\",\"exp\":9999999999,\"guest\":1}",
	  TOKEN_MALFORMED },
	{ "{\"iss\":\"https://evil.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":\"users/"
	  "a\",\"exp\":9999999999}",
	  TOKEN_MISUSED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":\"other\",\"use\":\"access\",\"sub\":\"users/"
	  "a\",\"exp\":9999999999}",
	  TOKEN_MISUSED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":\"souk\",\"use\":\"guest\",\"sub\":\"users/"
	  "a\",\"exp\":9999999999}",
	  TOKEN_MISUSED },
	{ "{\"iss\":\"https://souk.test\",\"aud\":\"souk\",\"sub\":\"users/a\",\"exp\":9999999999}",
	  TOKEN_MISUSED },
};

TEST_EACH(claims_are_checked_though_they_are_signed, payloads)
{
	ck_assert_int_eq(verdict(forge(header_of("EdDSA"), row->payload)), row->verdict);
}

TEST(a_header_that_asks_for_more_is_refused)
{
	const char *payload = "{\"iss\":\"https://"
			      "souk.test\",\"aud\":\"souk\",\"use\":\"access\",\"sub\":\"users/"
			      "a\",\"exp\":9999999999}";
	const char *kid = key.public.kid;

	ck_assert_int_eq(
		verdict(forge(rpc_printf(call,
					 "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"crit\":[\"b64\"]}",
					 kid),
			      payload)),
		TOKEN_MALFORMED);
	ck_assert_int_eq(
		verdict(forge(rpc_printf(call,
					 "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"refresh\"}",
					 kid),
			      payload)),
		TOKEN_MALFORMED);
	ck_assert_int_eq(verdict(forge("{\"alg\":\"EdDSA\"}", payload)), TOKEN_MALFORMED);
	ck_assert_int_eq(verdict(forge("{\"alg\":\"EdDSA\",\"kid\":\"other\"}", payload)),
			 TOKEN_UNKNOWN_KEY);
}

TEST(clocks_may_differ_by_half_a_minute)
{
	claims.expire_time = now - 29000;
	ck_assert_int_eq(verdict(sign()), 0);
	claims.expire_time = now - 30000;
	ck_assert_int_eq(verdict(sign()), TOKEN_EXPIRED);
	claims.expire_time = now + 60000;
	claims.not_before = now + 30000;
	ck_assert_int_eq(verdict(sign()), 0);
	claims.not_before = now + 31000;
	ck_assert_int_eq(verdict(sign()), TOKEN_NOT_YET);
}

TEST(a_token_has_a_size)
{
	char scope[TOKEN_SIZE_MAX];
	const char *token = NULL;

	memset(scope, 'a', sizeof(scope) - 1);
	scope[sizeof(scope) - 1] = 0;
	claims.scope = scope;
	ck_assert_int_eq(token_sign(rpc_arena(call), &key, &claims, &token), -EMSGSIZE);
	scope[1500] = 0;
	ck_assert_int_eq(verdict(sign()), TOKEN_MALFORMED); /* a claim has a size, too */
	ck_assert_int_eq(verdict(rpc_printf(call, "%s%04000d", sign(), 0)), TOKEN_MALFORMED);
}

TEST(keys_go_through_jwks)
{
	const char *json = token_keys_print(rpc_arena(call), &keys);
	struct token_keys read;

	ck_assert_int_eq(token_keys_parse(json, strlen(json), &read), 0);
	ck_assert_uint_eq(read.n_keys, 1);
	ck_assert_str_eq(read.keys[0].kid, key.public.kid);
	ck_assert_int_eq(memcmp(read.keys[0].key, key.public.key, 32), 0);
}

TEST(the_kid_is_the_thumbprint_of_rfc_8037)
{
	/* Appendix A.3: the key and its thumbprint. */
	const char *json = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"x\",\"x\":"
			   "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
	uint8_t seed[32];
	struct token_private_key example;
	struct token_keys read;
	size_t size;

	ck_assert_int_eq(token_keys_parse(json, strlen(json), &read), 0);
	ck_assert_int_eq(sodium_base642bin(seed, sizeof(seed),
					   "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", 43, NULL,
					   &size, NULL, VARIANT),
			 0);
	token_key_from_seed(seed, &example);
	ck_assert_int_eq(memcmp(read.keys[0].key, example.public.key, 32), 0);
	ck_assert_str_eq(example.public.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST(keys_that_are_no_signature_keys_are_skipped)
{
	const char *json = "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\"},{\"kty\":\"OKP\",\"crv\":"
			   "\"X25519\",\"kid\":\"b\",\"x\":\"AA\"},"
			   "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"c\",\"x\":\"AA\"},7]}";
	struct token_keys read;

	ck_assert_int_eq(token_keys_parse(json, strlen(json), &read), 0);
	ck_assert_uint_eq(read.n_keys, 0);
	ck_assert_int_eq(token_keys_parse("{}", 2, &read), -EBADMSG);
	ck_assert_int_eq(token_keys_parse("nonsense", 8, &read), -EBADMSG);
	ck_assert_int_eq(token_keys_parse("", 0, &read), -EBADMSG);
}

/*
 * The authenticator
 */

static int fetch(void *data, struct rpc_call *own, const char **json, size_t *length)
{
	const struct token_keys *served = data;

	fetches++;
	if (!served->n_keys)
		return rpc_fail_code(own, RPC_UNAVAILABLE, "Away.");
	*json = token_keys_print(rpc_arena(own), served);
	*length = strlen(*json);
	return 0;
}

static int authenticate(const char *token)
{
	struct rpc_caller caller = { .service = "gateway" };
	int r = token_authenticate(call, token, &caller);

	if (!r) {
		ck_assert_str_eq(caller.user, "users/ann");
		ck_assert_str_eq(caller.service, "gateway");
		ck_assert(caller.guest);
	}
	return r;
}

static void use_default_names(void)
{
	claims.issuer = token_issuer();
	claims.audience = token_audience();
}

TEST(keys_are_fetched_once_and_again_for_a_key_that_is_not_known)
{
	struct token_keys served = keys;

	use_default_names();
	token_set_source(fetch, &served);
	ck_assert_int_eq(authenticate(sign()), 0);
	ck_assert_int_eq(authenticate(sign()), 0);
	ck_assert_int_eq(fetches, 1);
	/* Another key, which auth does not have either: it is not asked for each such token. */
	key.public.kid[0] ^= 1;
	ck_assert_int_eq(authenticate(sign()), RPC_UNAUTHENTICATED);
	ck_assert_int_eq(authenticate(sign()), RPC_UNAUTHENTICATED);
	ck_assert_int_eq(fetches, 1);
}

TEST(without_keys_nobody_is_refused_for_good)
{
	struct token_keys served = { 0 };

	use_default_names();
	token_set_source(fetch, &served);
	ck_assert_int_eq(authenticate(sign()), RPC_UNAVAILABLE);
	ck_assert_int_eq(authenticate("nonsense"), RPC_UNAUTHENTICATED);
}

TEST(a_token_that_was_verified_expires_all_the_same)
{
	const char *token;

	use_default_names();
	token_set_keys(&keys);
	token = sign();
	for (int again = 0; again < 2; again++)
		ck_assert_int_eq(authenticate(token), 0);
	rpc_call_set_now(call, claims.expire_time + TOKEN_SKEW_MS);
	ck_assert_int_eq(authenticate(token), RPC_UNAUTHENTICATED);
}

TEST(a_token_that_was_verified_ends_with_its_key)
{
	const uint8_t seed[32] = { 2 };
	struct token_private_key other;
	const char *token;

	use_default_names();
	token_set_keys(&keys);
	token = sign();
	ck_assert_int_eq(authenticate(token), 0);
	token_key_from_seed(seed, &other);
	token_set_keys(&(struct token_keys){ .keys = { other.public }, .n_keys = 1 });
	ck_assert_int_eq(authenticate(token), RPC_UNAUTHENTICATED);
}

TEST(no_other_token_passes_for_one_that_was_verified)
{
	char *token;
	size_t length;

	use_default_names();
	token_set_keys(&keys);
	token = rpc_strdup(call, sign());
	length = strlen(token);
	ck_assert_int_eq(authenticate(token), 0);
	token[length - 10] ^= 1;
	ck_assert_int_eq(authenticate(token), RPC_UNAUTHENTICATED);
}

TEST(what_was_verified_says_the_same_the_second_time)
{
	struct rpc_caller first = { 0 }, second = { 0 };
	const char *token;

	use_default_names();
	token_set_keys(&keys);
	token = sign();
	ck_assert_int_eq(token_authenticate(call, token, &first), 0);
	ck_assert_int_eq(token_authenticate(call, token, &second), 0);
	ck_assert_str_eq(second.user, first.user);
	ck_assert_str_eq(second.session, "sessions/s1");
	ck_assert_str_eq(second.scope, "orders.manage catalog.edit");
	ck_assert_str_eq(second.merge_from, "users/guest1");
	ck_assert(second.guest);
	ck_assert_int_eq(second.expire_time, first.expire_time);
}

TEST(a_guests_token_opens_no_method)
{
	use_default_names();
	token_set_keys(&keys);
	claims.use = "guest";
	ck_assert_int_eq(authenticate(sign()), RPC_UNAUTHENTICATED);
	ck_assert_str_eq(rpc_error_message(call), "The token was issued for something else.");
}

TEST_MAIN("token", setup, teardown)
