/* Who calls: the access token is verified, and its session must still exist in Redis, so that a
 * logout takes effect at once. */
#pragma once

#include "request.h"

/*
 * The keys come from the platform's own JWKS, found by its path among the routes: which service
 * that is, the gateway does not know. They are fetched at the start, every 5 minutes, and when a
 * token names a key that is not among them (at most every 10 s).
 */
struct sessions;
struct sessions *sessions_new(struct worker *worker);
struct sessions *sessions_free(struct sessions *sessions);
/* Whether tokens can be verified now; if not, why. */
bool sessions_ready(const struct sessions *sessions, const char **why);

/*
 * 0: no token came, or a good one that goes on with the call; or WAIT_SESSION is set and
 * request_waited() comes, with an error recorded if the session is over. UNAUTHENTICATED for a bad
 * token, on public routes too; UNAVAILABLE when it cannot be checked.
 */
int sessions_check(struct request *request);
/* Again, for a stream that has been open for long: request_waited(WAIT_SESSION) comes if 1 is
 * returned; else as above. */
int sessions_check_again(struct request *request);

/* For tests: these keys, and none are fetched. */
struct token_keys;
void sessions_set_keys(struct sessions *sessions, const struct token_keys *keys);
