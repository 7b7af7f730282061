/* Hashes: FNV-1a, for places in tables in memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Another `seed` is another function: drawn at random, whoever chooses the bytes cannot choose their
 * place. All bits are alike, so that `%` may take the low ones. */
static inline uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t length)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ seed;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
	return hash ^ hash >> 32;
}

static inline uint64_t hash_text(uint64_t seed, const char *text)
{
	return hash_bytes(seed, text, strlen(text));
}
