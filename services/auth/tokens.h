/* The tokens of a session: what goes with calls, what is exchanged, what makes a guest the same
 * again. */
#pragma once

#include "auth.h"
#include "session_store.h"

/* Makes a new session's seed. */
void session_seed(struct rpc_call *call, struct session *session);
/* The answer with tokens: those of the session's present generation. The same state gives the same
 * tokens. */
int session_answer(struct auth_service *self, struct rpc_call *call, const struct session *session,
		   Session **ret);
/* The answer without. */
Session *session_view(struct auth_service *self, struct rpc_call *call,
		      const struct session *session);
int64_t session_ttl(const struct auth_service *self, const struct session *session);

/* A refresh token taken apart, nothing of it believed yet; false: it is none. */
struct refresh_token {
	const char *session;
	int64_t generation;
	const char *mac;
};
bool refresh_token_read(struct rpc_call *call, const char *token, struct refresh_token *ret);
/* Whether it is one that the session was given, at whatever time. */
bool refresh_token_is_of(struct rpc_call *call, const struct refresh_token *token,
			 const struct session *session);

/* The guest whom the token names, as "users/{user}"; GUEST_TOKEN_INVALID. */
int guest_token_read(struct rpc_call *call, const char *token, const char **ret);

/* A hash of `text` that only who has our secret can make, for keys that must not say what they are
 * of. */
const char *keyed_hash(struct rpc_call *call, const char *purpose, const char *text);
/* The guest of a request id: the same for the same one from the same place, for 24 h. */
int guest_of_request(struct rpc_call *call, const char *request_id, const char **ret);
