/* Passwords: argon2id, a few at a time, and which ones are too easy to guess. */
#pragma once

#include <crpc/call.h>
#include <crpc/config.h>

/*
 * Options: SOUK_PASSWORD_MEMORY, SOUK_PASSWORD_PASSES, SOUK_PASSWORD_HASHES. Hashing takes memory
 * on purpose, so only so many are made at once; who comes later waits, up to the call's deadline.
 */
extern const struct option password_options[];

/* 0 with the hash in the arena: libsodium's text, with salt and parameters. */
int password_hash(struct rpc_call *call, const char *password, const char **ret);
/* `hash` NULL: there is no such account. It takes as long as for one that there is, and *ret is
 * false. */
int password_verify(struct rpc_call *call, const char *hash, const char *password, bool *ret);
/* Whether the hash was made with other parameters than are set now. */
bool password_outdated(const char *hash);
/* Why it is too easy to guess, the middle of a sentence; NULL: it is not. `email` is what the user
 * logs in with. */
const char *password_weakness(struct rpc_call *call, const char *password, const char *email);
/* How many were computed so far, to make or to check: for tests. */
unsigned password_computations(void);
