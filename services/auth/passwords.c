/* Passwords: hashing them. Which ones are weak: password_policy.c. */
#include "passwords.h"
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* OWASP's Password Storage Cheat Sheet: argon2id with 19 MiB, 2 passes, 1 lane. */
static struct {
	size_t memory;
	int64_t passes, hashes;
} options = { 19 << 20, 2, 2 };

const struct option password_options[] = {
	{ "PASSWORD_MEMORY", OPTION_SIZE, &options.memory, "19MiB",
	  "memory that hashing a password takes (argon2id)" },
	{ "PASSWORD_PASSES", OPTION_INTEGER, &options.passes, "2", "passes over it", 1, 100 },
	{ "PASSWORD_HASHES", OPTION_INTEGER, &options.hashes, "2",
	  "passwords that are hashed at once", 1, 64 },
	{},
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	int64_t taken;
} slots = { .lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER };
static atomic_uint computations;

/* A hash that no password has, made with the present parameters. */
static struct {
	pthread_mutex_t lock;
	char hash[crypto_pwhash_STRBYTES];
	int64_t passes;
	size_t memory;
} dummy = { .lock = PTHREAD_MUTEX_INITIALIZER };

enum { WAIT_MAX_MS = 8000 };

static int busy(struct rpc_call *call)
{
	int r = rpc_fail_code(call, RPC_RESOURCE_EXHAUSTED,
			      "Too many passwords are being checked; try again soon.");

	rpc_retry_after(call, 1000);
	return r;
}

static int take_slot(struct rpc_call *call)
{
	int64_t wait = rpc_remaining_ms(call);
	struct timespec until;
	bool taken;
	int r = 0;

	if (wait > WAIT_MAX_MS)
		wait = WAIT_MAX_MS;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += wait / 1000;
	until.tv_nsec += wait % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&slots.lock);
	while (slots.taken >= options.hashes && !r)
		r = pthread_cond_timedwait(&slots.freed, &slots.lock, &until);
	taken = slots.taken < options.hashes;
	slots.taken += taken;
	pthread_mutex_unlock(&slots.lock);
	return taken ? 0 : busy(call);
}

static void give_slot(void)
{
	pthread_mutex_lock(&slots.lock);
	slots.taken--;
	pthread_cond_signal(&slots.freed);
	pthread_mutex_unlock(&slots.lock);
}

static int compute(const char *password, size_t length, char ret[crypto_pwhash_STRBYTES])
{
	atomic_fetch_add(&computations, 1);
	return crypto_pwhash_str_alg(ret, password, length, (unsigned long long)options.passes,
				     options.memory, crypto_pwhash_ALG_ARGON2ID13);
}

int password_hash(struct rpc_call *call, const char *password, const char **ret)
{
	char *hash = rpc_alloc(call, crypto_pwhash_STRBYTES);
	int r;

	r = take_slot(call);
	if (r)
		return r;
	r = compute(password, strlen(password), hash);
	give_slot();
	if (r) /* no memory */
		return busy(call);
	*ret = hash;
	return 0;
}

/* Made at the first asking, and when the parameters are others. */
static int copy_dummy(char ret[crypto_pwhash_STRBYTES])
{
	uint8_t nobodys[32];
	int r = 0;

	pthread_mutex_lock(&dummy.lock);
	if (dummy.passes != options.passes || dummy.memory != options.memory) {
		randombytes_buf(nobodys, sizeof(nobodys));
		r = crypto_pwhash_str_alg(dummy.hash, (const char *)nobodys, sizeof(nobodys),
					  (unsigned long long)options.passes, options.memory,
					  crypto_pwhash_ALG_ARGON2ID13);
		if (!r) {
			dummy.passes = options.passes;
			dummy.memory = options.memory;
		}
	}
	memcpy(ret, dummy.hash, crypto_pwhash_STRBYTES);
	pthread_mutex_unlock(&dummy.lock);
	return r;
}

int password_verify(struct rpc_call *call, const char *hash, const char *password, bool *ret)
{
	char unknown[crypto_pwhash_STRBYTES];
	bool known = hash && *hash, other = false;
	int r;

	r = take_slot(call);
	if (r)
		return r;
	r = copy_dummy(unknown);
	if (!r) {
		atomic_fetch_add(&computations, 1);
		errno = 0;
		r = crypto_pwhash_str_verify(known ? hash : unknown, password, strlen(password));
		other = r && errno == EINVAL; /* as libsodium says it; anything else is a lack of
						 memory */
	}
	give_slot();
	if (r && !other)
		return busy(call);
	*ret = known && !r;
	return 0;
}

bool password_outdated(const char *hash)
{
	return crypto_pwhash_str_needs_rehash(hash, (unsigned long long)options.passes,
					      options.memory) != 0;
}

unsigned password_computations(void)
{
	return atomic_load(&computations);
}
