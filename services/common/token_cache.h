/* Tokens that were verified a moment ago. */
#pragma once

#include <common/token.h>

/*
 * One request of a customer passes several services, and each checks the token; the next request
 * brings the same one. A signature that was right stays right, so its claims are kept under a keyed
 * hash of the whole token; the token itself is not. What depends on time is checked anew each time,
 * and when the keys change (`keys_version`) nothing that was verified before counts any more.
 * Whether the session was ended is not asked here but at the gateway, for each request.
 */
enum { TOKEN_HASH_SIZE = 32 };

/* The name that the token has here. */
void token_cache_hash(const char *token, uint8_t ret[TOKEN_HASH_SIZE]);
/* The claims, in the arena; false when it was not verified, or with other keys. */
bool token_cache_find(struct arena *arena, const uint8_t hash[TOKEN_HASH_SIZE],
		      uint64_t keys_version, struct token_claims *ret);
void token_cache_note(const uint8_t hash[TOKEN_HASH_SIZE], uint64_t keys_version,
		      const struct token_claims *claims);
