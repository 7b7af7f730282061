/* Tokens that were verified a moment ago: a table of fixed size, the newest of a slot stays. */
#include "token_cache.h"
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024, TEXTS_MAX = 512 };

/* What rpc_caller wants of the claims; those that are longer are verified each time. */
static struct entry {
	uint8_t hash[TOKEN_HASH_SIZE];
	uint64_t keys_version;
	int64_t not_before, expire_time;
	bool guest;
	char texts[]; /* subject, session, scope, merge_from, each ended by a NUL */
} *slots[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t key[crypto_generichash_KEYBYTES];
static pthread_once_t key_made = PTHREAD_ONCE_INIT;

static void make_key(void)
{
	crypto_generichash_keygen(key);
}

void token_cache_hash(const char *token, uint8_t ret[TOKEN_HASH_SIZE])
{
	pthread_once(&key_made, make_key);
	crypto_generichash(ret, TOKEN_HASH_SIZE, (const uint8_t *)token, strlen(token), key,
			   sizeof(key));
}

/* The hash is keyed, so nobody outside chooses who shares a slot. */
static struct entry **slot_of(const uint8_t hash[TOKEN_HASH_SIZE])
{
	uint32_t number;

	memcpy(&number, hash, sizeof(number));
	return &slots[number % SLOTS];
}

static const char *take_text(struct arena *arena, const char **texts)
{
	size_t length = strlen(*texts);
	const char *text = arena_strndup(arena, *texts, length);

	*texts += length + 1;
	return text;
}

bool token_cache_find(struct arena *arena, const uint8_t hash[TOKEN_HASH_SIZE],
		      uint64_t keys_version, struct token_claims *ret)
{
	struct token_claims claims = { .issuer = "", .audience = "", .use = "", .id = "" };
	char copy[TEXTS_MAX];
	const char *texts = copy;
	const struct entry *entry;
	bool found;

	pthread_mutex_lock(&lock);
	entry = *slot_of(hash);
	found = entry && entry->keys_version == keys_version &&
		!memcmp(entry->hash, hash, TOKEN_HASH_SIZE);
	if (found) {
		size_t size = 0;

		for (int i = 0; i < 4; i++)
			size += strlen(entry->texts + size) + 1;
		memcpy(copy, entry->texts, size);
		claims.not_before = entry->not_before;
		claims.expire_time = entry->expire_time;
		claims.guest = entry->guest;
	}
	pthread_mutex_unlock(&lock);
	if (!found)
		return false;
	/* Outside of the lock, since a full arena unwinds. */
	claims.subject = take_text(arena, &texts);
	claims.session = take_text(arena, &texts);
	claims.scope = take_text(arena, &texts);
	claims.merge_from = take_text(arena, &texts);
	*ret = claims;
	return true;
}

void token_cache_note(const uint8_t hash[TOKEN_HASH_SIZE], uint64_t keys_version,
		      const struct token_claims *claims)
{
	const char *const texts[] = { claims->subject, claims->session, claims->scope,
				      claims->merge_from };
	size_t size = 0, at = 0;
	struct entry *entry, *old;

	for (int i = 0; i < 4; i++)
		size += strlen(texts[i]) + 1;
	if (size > TEXTS_MAX)
		return;
	entry = malloc(sizeof(*entry) + size);
	if (!entry)
		return;
	*entry = (struct entry){ .keys_version = keys_version,
				 .not_before = claims->not_before,
				 .expire_time = claims->expire_time,
				 .guest = claims->guest };
	memcpy(entry->hash, hash, TOKEN_HASH_SIZE);
	for (int i = 0; i < 4; i++) {
		size_t length = strlen(texts[i]) + 1;

		memcpy(entry->texts + at, texts[i], length);
		at += length;
	}
	pthread_mutex_lock(&lock);
	old = *slot_of(hash);
	*slot_of(hash) = entry;
	pthread_mutex_unlock(&lock);
	free(old);
}
