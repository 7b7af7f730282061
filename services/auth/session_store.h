/* Sessions in Redis: their state, whose they are, and how often logins failed. */
#pragma once

#include <crpc/call.h>

/*
 * Keys:
 *     session:{<id>}        hash: the session; gone when it is over, which is what the gateway
 *                           looks at
 *     sessions:{<user>}     sorted set: the ids of a user's sessions by their last use; may hold
 *                           some that are over
 *     guest:{<key>}         string: the guest of a request id, for 24 h
 *     attempts:{<key>}      hash: failed logins with an address
 *
 * All may be lost: then everyone logs in again, guests with their guest token.
 */

/* Seed and generation make the refresh token, together with a secret that is not in Redis: see
 * tokens.c. */
struct session {
	const char *id;
	const char *user;  /* "users/{user}" */
	const char *roles; /* "roles/a roles/b" as of the last token */
	const char *device, *merge_from;
	const char *seed; /* of the refresh tokens */
	bool guest;
	int64_t epoch;      /* of the credential when it was opened: ended by a higher one */
	int64_t generation; /* of the refresh token that is good now */
	int64_t create_ms, use_ms;
};

enum { SESSION_GONE = 240 };

/* Stores a new session and drops the user's oldest beyond `max`: those are told in *ended,
 * NULL-terminated. */
int session_write(struct rpc_call *call, const struct session *session, int64_t ttl_ms, int64_t max,
		  struct session ***ended);
int session_read(struct rpc_call *call, const char *id, struct session **ret); /* SESSION_GONE */
/* Whether it was there. */
int session_end(struct rpc_call *call, const struct session *session, bool *ret);
/* The user's, the one used last first. */
int session_list(struct rpc_call *call, const char *user, struct session ***ret, size_t *n_ret);
/* Lets it go on in a newer epoch. */
int session_renew(struct rpc_call *call, const char *id, int64_t epoch);

/* The user that stands under the key, or `fresh` from now on. */
int guest_remember(struct rpc_call *call, const char *key, const char *fresh, const char **ret);

/* The exchange of a refresh token of `generation`: who comes first gets the next one. */
enum session_exchange {
	SESSION_EXCHANGED,
	SESSION_REPEATED, /* the one before, within `grace_ms`: the same tokens again */
	SESSION_REUSED,
	SESSION_UNKNOWN, /* gone, or a generation that never was */
};
int session_exchange(struct rpc_call *call, struct session *session, int64_t generation,
		     const char *roles, int64_t grace_ms, int64_t ttl_ms,
		     enum session_exchange *ret);

/*
 * Failures of a login. A lock begins with the failure that reaches `max`, lasts `min_ms` and twice
 * as long each time; failures are forgotten a day after the last. While a lock lasts nothing is
 * counted and nothing is said: a check that began before the lock and ends in it counts as made in
 * it, so that no more than `max` guesses are ever answered, however many run at once.
 */
struct attempts_limits {
	int64_t max, min_ms, max_ms;
};
/* *locked_until in ms; 0: not locked. */
int attempts_read(struct rpc_call *call, const char *key, int64_t *n_failures,
		  int64_t *locked_until);
/* After the check: `good` forgets the failures. *locked_until: this one met a lock. *locks: this
 * one begins one. */
int attempts_settle(struct rpc_call *call, const char *key, bool good,
		    const struct attempts_limits *limits, int64_t *locked_until, bool *locks);
int attempts_forget(struct rpc_call *call, const char *key);
