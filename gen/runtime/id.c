/* Ids: UUIDv7 and UUIDv8 (RFC 9562) in Crockford's base32. */
#include <crpc/id.h>
#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum { UUID_SIZE = 16 };

/* 128 bits as 26 characters, the first of which has two bits. */
static const char *print(struct rpc_call *call, const uint8_t uuid[UUID_SIZE])
{
	static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
	char text[RPC_ID_LENGTH + 1];
	unsigned bits = 0;
	int have = 2, to = 0; /* two zeros before the first bit make 130, which is 26 times 5 */

	for (int i = 0; i < UUID_SIZE; i++) {
		bits = (bits << 8 | uuid[i]) & 0xffff;
		for (have += 8; have >= 5; have -= 5)
			text[to++] = alphabet[bits >> (have - 5) & 31];
	}
	text[to] = '\0';
	return rpc_strdup(call, text);
}

static void set_version(uint8_t uuid[UUID_SIZE], unsigned version)
{
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | version << 4);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

/*
 * 48 bits of milliseconds, 12 bits that count within one (RFC 9562 6.2, method 1), 62 random ones.
 * The counter begins at random in its lower half; when it is used up, or the clock goes back, the
 * last time counts on.
 */
static void next_time(uint64_t *ret_ms, unsigned *ret_count)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static uint64_t last_ms;
	static unsigned count;
	struct timespec now;
	uint64_t ms;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	pthread_mutex_lock(&lock);
	if (ms > last_ms) {
		last_ms = ms;
		count = randombytes_uniform(0x800);
	} else if (++count > 0xfff) {
		last_ms++;
		count = 0;
	}
	*ret_ms = last_ms;
	*ret_count = count;
	pthread_mutex_unlock(&lock);
}

const char *rpc_id_new(struct rpc_call *call)
{
	uint8_t uuid[UUID_SIZE];
	unsigned count;
	uint64_t ms;

	next_time(&ms, &count);
	randombytes_buf(uuid, sizeof(uuid));
	for (int i = 0; i < 6; i++)
		uuid[i] = (uint8_t)(ms >> (40 - 8 * i));
	uuid[6] = (uint8_t)(count >> 8);
	uuid[7] = (uint8_t)count;
	set_version(uuid, 7);
	return print(call, uuid);
}

const char *rpc_id_derive(struct rpc_call *call, const char *scope, const char *key)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;

	/* With the NUL between them no scope and key read like another pair. */
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const uint8_t *)scope, strlen(scope) + 1);
	crypto_hash_sha256_update(&state, (const uint8_t *)key, strlen(key));
	crypto_hash_sha256_final(&state, hash);
	set_version(hash, 8);
	return print(call, hash);
}
