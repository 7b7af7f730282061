/* The keys that sign access tokens: made, rotated, served, kept until their last token is dead. */
#include "auth_store.h"
#include "httpbody.msg.h"
#include <common/clock.h>
#include <common/lease.h>
#include <common/names.h>
#include <common/secrets.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

/*
 *     a key signs from its sign_time until the next one's
 *     it is in the JWKS from its making until the last of its tokens has expired
 *     a key of the regular rotation is in the JWKS for KEY_LEAD before it signs, so that nobody
 *         meets a token of an unknown one
 *     a key made by hand signs at once: services ask for the JWKS when they meet it
 *     seeds are sealed under SOUK_SECRET_KEY; what cannot be opened, since that was changed, still
 *         verifies but signs no more
 */
enum {
	KEY_LEAD_MS = 10 * 60 * 1000,
	KEY_MARGIN_MS = 2 * 60 * 1000,
	LEASE_MS = 30 * 1000,
	SEED = crypto_sign_SEEDBYTES
};

struct signing_key {
	struct token_private_key private;
	int64_t sign_ms;
};

static struct {
	pthread_mutex_t lock;
	struct token_keys public;
	struct signing_key signing[TOKEN_KEYS_MAX]; /* those that we can open, the newest first */
	size_t n_signing;
} keys = { .lock = PTHREAD_MUTEX_INITIALIZER };

/*
 * Records
 */

static ProtobufCBinaryData seal(struct rpc_call *call, const uint8_t seed[SEED])
{
	size_t size = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + SEED;
	uint8_t key[32], *sealed = rpc_alloc(call, size);

	secret_derive("signing keys", key);
	randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
	crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, seed, SEED, sealed, key);
	sodium_memzero(key, sizeof(key));
	return (ProtobufCBinaryData){ .data = sealed, .len = size };
}

static bool open_key(const SigningKeyRecord *record, struct signing_key *ret)
{
	const ProtobufCBinaryData *sealed = &record->sealed_seed;
	uint8_t key[32], seed[SEED];
	bool opened;

	if (sealed->len != crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + SEED)
		return false;
	secret_derive("signing keys", key);
	opened = !crypto_secretbox_open_easy(seed, sealed->data + crypto_secretbox_NONCEBYTES,
					     sealed->len - crypto_secretbox_NONCEBYTES,
					     sealed->data, key);
	if (opened) {
		token_key_from_seed(seed, &ret->private);
		ret->sign_ms = clock_ms(record->sign_time);
	}
	sodium_memzero(key, sizeof(key));
	sodium_memzero(seed, sizeof(seed));
	return opened;
}

static int make_key(struct rpc_call *call, int64_t sign_ms, const char **ret)
{
	SigningKeyRecord *record = rpc_new(call, SigningKeyRecord, .create_time = clock_now(call),
					   .sign_time = clock_timestamp(call, sign_ms));
	struct token_private_key key;
	uint8_t seed[SEED];
	AuditEvent *event;
	int r;

	randombytes_buf(seed, sizeof(seed));
	token_key_from_seed(seed, &key);
	record->id = rpc_strdup(call, key.public.kid);
	record->public_key = (ProtobufCBinaryData){ .data = rpc_memdup(call, key.public.key,
								       sizeof(key.public.key)),
						    .len = sizeof(key.public.key) };
	record->sealed_seed = seal(call, seed);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(&key, sizeof(key));

	/* First the log, so that there is no key that it does not know. */
	event = audit_event(call, AUDIT_EVENT_ACTION_KEY_ROTATED, "", record->id);
	r = audit_insert(call, event, NULL);
	if (!r)
		r = key_insert(call, record);
	if (!r)
		*ret = record->id;
	return r;
}

/* What the records say, for the authenticator and for signing. Records are the newest first. */
static void publish(struct rpc_call *call, SigningKeyRecord *const *records, size_t n_records)
{
	struct token_keys *public = rpc_alloc(call, sizeof(*public));
	struct signing_key *signing = rpc_alloc(call, TOKEN_KEYS_MAX * sizeof(*signing));
	size_t n_signing = 0;

	for (size_t i = 0; i < n_records && i < TOKEN_KEYS_MAX; i++) {
		struct token_public_key *key = &public->keys[public->n_keys];

		if (records[i]->public_key.len != sizeof(key->key) ||
		    strlen(records[i]->id) >= sizeof(key->kid))
			continue;
		memcpy(key->key, records[i]->public_key.data, sizeof(key->key));
		strcpy(key->kid, records[i]->id);
		public->n_keys++;
		n_signing += open_key(records[i], &signing[n_signing]);
	}
	pthread_mutex_lock(&keys.lock);
	keys.public = *public;
	memcpy(keys.signing, signing, n_signing * sizeof(*signing));
	keys.n_signing = n_signing;
	pthread_mutex_unlock(&keys.lock);
	token_set_keys(public);
	sodium_memzero(signing, n_signing * sizeof(*signing));
}

/* A key that was followed by another goes when the last token that it may have signed has expired.
 */
static int retire(struct auth_service *self, struct rpc_call *call,
		  SigningKeyRecord *const *records, size_t n_records)
{
	int r = 0;

	for (size_t i = 1; !r && i < n_records; i++)
		if (!records[i]->expire_time)
			r = key_retire(call, records[i],
				       clock_ms(records[i - 1]->sign_time) + self->access_ttl +
					       KEY_MARGIN_MS);
	return r;
}

/* Whether the newest can sign and is young enough. */
static bool is_due(struct auth_service *self, struct rpc_call *call,
		   SigningKeyRecord *const *records, size_t n_records)
{
	struct signing_key newest;
	bool due = true;

	if (n_records && open_key(records[0], &newest)) {
		due = rpc_now_ms(call) + KEY_LEAD_MS >= newest.sign_ms + self->key_rotation;
		sodium_memzero(&newest, sizeof(newest));
	}
	return due;
}

int keys_tend(void *data, struct rpc_call *call)
{
	struct auth_service *self = data;
	SigningKeyRecord **records;
	size_t n_records;
	const char *id;
	bool may_sign;
	int r;

	r = key_read_all(call, &records, &n_records);
	if (!r && is_due(self, call, records, n_records) &&
	    lease_take(call, "signing-key", LEASE_MS)) {
		/* Another replica may have come first. */
		r = key_read_all(call, &records, &n_records);
		if (!r && is_due(self, call, records, n_records)) {
			struct signing_key *newest = rpc_alloc(call, sizeof(*newest));

			may_sign = n_records && open_key(records[0], newest);
			r = make_key(call, rpc_now_ms(call) + (may_sign ? KEY_LEAD_MS : 0), &id);
			if (!r)
				r = key_read_all(call, &records, &n_records);
		}
		lease_release(call, "signing-key");
	}
	if (r)
		return r;
	publish(call, records, n_records);
	return retire(self, call, records, n_records);
}

bool keys_known(void)
{
	bool known;

	pthread_mutex_lock(&keys.lock);
	known = keys.n_signing;
	pthread_mutex_unlock(&keys.lock);
	return known;
}

void keys_forget(void)
{
	pthread_mutex_lock(&keys.lock);
	keys.public.n_keys = keys.n_signing = 0;
	pthread_mutex_unlock(&keys.lock);
}

/*
 * Signing
 */

int keys_sign(struct rpc_call *call, const struct token_claims *claims, const char **ret)
{
	struct token_private_key key;
	bool found = false;
	int r;

	pthread_mutex_lock(&keys.lock);
	for (size_t i = 0; !found && i < keys.n_signing; i++) {
		/* The oldest signs before its time rather than none. */
		found = keys.signing[i].sign_ms <= rpc_now_ms(call) || i + 1 == keys.n_signing;
		key = keys.signing[i].private;
	}
	pthread_mutex_unlock(&keys.lock);
	if (!found) {
		r = rpc_fail_code(call, RPC_UNAVAILABLE,
				  "There is no key to sign tokens with yet; try again soon.");
		rpc_retry_after(call, 1000);
		return r;
	}
	r = token_sign(rpc_arena(call), &key, claims, ret);
	sodium_memzero(&key, sizeof(key));
	return r;
}

static void guest_key(struct token_private_key *ret)
{
	uint8_t seed[SEED];

	secret_derive("guest tokens", seed);
	token_key_from_seed(seed, ret);
	sodium_memzero(seed, sizeof(seed));
}

int keys_sign_guest(struct rpc_call *call, const struct token_claims *claims, const char **ret)
{
	struct token_private_key key;
	int r;

	guest_key(&key);
	r = token_sign(rpc_arena(call), &key, claims, ret);
	sodium_memzero(&key, sizeof(key));
	return r;
}

int keys_verify_guest(struct rpc_call *call, const char *token, struct token_claims *ret)
{
	const struct token_expectation expectation = { token_issuer(), token_audience(), "guest",
						       rpc_now_ms(call) };
	struct token_keys public = { .n_keys = 1 };
	struct token_private_key key;

	guest_key(&key);
	public.keys[0] = key.public;
	sodium_memzero(&key, sizeof(key));
	return token_verify(rpc_arena(call), &public, token, &expectation, ret);
}

/*
 * Serving
 */

/* What the documents say, so that a key that another replica made a moment ago is there; while they
 * are away, what is known. */
static int read_jwks(struct rpc_call *call, const char **ret)
{
	struct token_keys *known = rpc_alloc(call, sizeof(*known));
	SigningKeyRecord **records;
	size_t n_records;
	int r;

	r = key_read_all(call, &records, &n_records);
	if (!r)
		publish(call, records, n_records);
	pthread_mutex_lock(&keys.lock);
	*known = keys.public;
	pthread_mutex_unlock(&keys.lock);
	if (!known->n_keys) {
		if (!r) {
			r = rpc_fail_code(call, RPC_UNAVAILABLE,
					  "There are no keys yet; try again soon.");
			rpc_retry_after(call, 1000);
		}
		return r;
	}
	rpc_error_clear(call);
	*ret = token_keys_print(rpc_arena(call), known);
	return 0;
}

int keys_fetch(void *data, struct rpc_call *call, const char **json, size_t *length)
{
	int r;

	(void)data;
	r = read_jwks(call, json);
	if (!r)
		*length = strlen(*json);
	return r;
}

int auth_get_jwks(struct auth_service *self, struct rpc_call *call, const GetJwksRequest *req,
		  HttpBody **ret)
{
	const char *json;
	int r;

	r = read_jwks(call, &json);
	if (r)
		return r;
	rpc_set_header(call, "http-cache-control", "public, max-age=300");
	*ret = rpc_new(call, HttpBody, .content_type = "application/jwk-set+json",
		       .data = { .data = (uint8_t *)json, .len = strlen(json) });
	return 0;
}

int auth_rotate_signing_key(struct auth_service *self, struct rpc_call *call,
			    const RotateSigningKeyRequest *req, RotateSigningKeyResponse **ret)
{
	const char *id;
	int r;

	r = make_key(call, rpc_now_ms(call), &id);
	/* What is not done here is done at the next turn. */
	if (!r)
		r = keys_tend(self, call);
	if (!r)
		*ret = rpc_new(call, RotateSigningKeyResponse, .key_id = id);
	return r;
}
