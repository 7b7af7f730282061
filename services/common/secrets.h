/* Secrets: keys derived from the one secret that all replicas of a service share. */
#pragma once

#include <crpc/config.h>
#include <stddef.h>
#include <stdint.h>

/*
 * SOUK_SECRET_KEY (or SOUK_SECRET_KEY_FILE): at least 32 characters, the same in all replicas of a
 * service, another in each service. Page tokens, guest tokens and hashes of one-time tokens are
 * keyed by what is derived from it, never by itself. Changing it makes page tokens invalid, no
 * more. Part of mongo_module's options.
 */
extern const char *secret_key; /* where the option is read to */
enum { SECRET_KEY_MIN = 32 };

/* HMAC-SHA-256 of `purpose` under the secret: the same for the same purpose, and telling nothing
 * about others. */
void secret_derive(const char *purpose, uint8_t ret[32]);
/* For tests, instead of the option. */
void secret_set(const char *secret);

/* base64url of `size` random bytes (at most 64), for one-time tokens; `ret` holds
 * sodium_base64_ENCODED_LEN(): at most 4 * size / 3 + 4 bytes. */
void secret_random(size_t size, char *ret);
