/* The tokens of a session. */
#include "tokens.h"
#include <common/clock.h>
#include <common/names.h>
#include <common/secrets.h>
#include <crpc/id.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/*
 * A refresh token is `<session>.<generation>.<MAC>`; the MAC is over both and the session's seed,
 * under a key that is derived from SOUK_SECRET_KEY. So:
 *
 *   1. Redis holds no token, and what it holds makes none without the secret; nor does the secret
 *      without the seed.
 *   2. Each generation's token can be recognised for ever, so that its reuse is noticed however
 *      late, and never taken for one that somebody made up.
 *   3. The same generation gives the same token, so that a repeat can be answered with what was
 *      lost.
 */

enum {
	VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
	MAC_TEXT = sodium_base64_ENCODED_LEN(crypto_auth_hmacsha256_BYTES,
					     sodium_base64_VARIANT_URLSAFE_NO_PADDING),
	SEED_SIZE = 32,
};

void session_seed(struct rpc_call *call, struct session *session)
{
	char *seed = rpc_alloc(call, 4 * SEED_SIZE / 3 + 4);

	secret_random(SEED_SIZE, seed);
	session->seed = seed;
}

static const char *refresh_mac(struct rpc_call *call, const struct session *session,
			       int64_t generation)
{
	return keyed_hash(
		call, "refresh token",
		rpc_printf(call, "%s.%" PRId64 ".%s", session->id, generation, session->seed));
}

bool refresh_token_read(struct rpc_call *call, const char *token, struct refresh_token *ret)
{
	const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;
	char *end;
	int64_t generation;

	if (!second || first == token || strlen(second + 1) != MAC_TEXT - 1)
		return false;
	generation = strtoll(first + 1, &end, 10);
	if (end != second || generation < 1 || generation > INT32_MAX)
		return false;
	*ret = (struct refresh_token){ arena_strndup(rpc_arena(call), token,
						     (size_t)(first - token)),
				       generation, second + 1 };
	return strspn(ret->session, "0123456789abcdefghijklmnopqrstuvwxyz") == strlen(ret->session);
}

bool refresh_token_is_of(struct rpc_call *call, const struct refresh_token *token,
			 const struct session *session)
{
	return !sodium_memcmp(token->mac, refresh_mac(call, session, token->generation),
			      MAC_TEXT - 1);
}

int64_t session_ttl(const struct auth_service *self, const struct session *session)
{
	return session->guest ? self->guest_session_ttl : self->session_ttl;
}

static void add_roles(struct rpc_call *call, Session *view, const char *roles)
{
	while (*roles) {
		size_t length = strcspn(roles, " ");

		session_add_roles(call, view, arena_strndup(rpc_arena(call), roles, length));
		roles += length + (roles[length] == ' ');
	}
}

Session *session_view(struct auth_service *self, struct rpc_call *call,
		      const struct session *session)
{
	Session *view = rpc_new(
		call, Session, .name = name_of(call, "sessions", session->id),
		.user = session->user, .guest = session->guest, .device_name = session->device,
		.create_time = clock_timestamp(call, session->create_ms),
		.use_time = clock_timestamp(call, session->use_ms),
		.session_expire_time =
			clock_timestamp(call, session->use_ms + session_ttl(self, session)));

	view->current = !strcmp(view->name, rpc_caller(call)->session);
	add_roles(call, view, session->roles);
	return view;
}

/* Seconds, as tokens have them. */
static int64_t whole(int64_t ms)
{
	return ms / 1000 * 1000;
}

int session_answer(struct auth_service *self, struct rpc_call *call, const struct session *session,
		   Session **ret)
{
	Session *answer = session_view(self, call, session);
	struct token_claims claims = {
		.issuer = token_issuer(),
		.audience = token_audience(),
		.subject = session->user,
		.session = answer->name,
		.merge_from = session->merge_from,
		.scope = "",
		.use = "access",
		.id = rpc_printf(call, "%s.%" PRId64, session->id, session->generation),
		.guest = session->guest,
		.issue_time = whole(session->use_ms),
		.expire_time = whole(session->use_ms + self->access_ttl),
	};
	int r = 0;

	if (answer->n_roles)
		r = roles_scope(call, answer->roles, answer->n_roles, &claims.scope);
	if (!r)
		r = keys_sign(call, &claims, &answer->access_token);
	if (!r && session->guest) {
		claims.use = "guest";
		claims.session = claims.id = "";
		claims.expire_time = whole(session->use_ms + self->guest_token_ttl);
		r = keys_sign_guest(call, &claims, &answer->guest_token);
	}
	if (r)
		return r;
	answer->expire_time = clock_timestamp(call, whole(session->use_ms + self->access_ttl));
	answer->refresh_token =
		rpc_printf(call, "%s.%" PRId64 ".%s", session->id, session->generation,
			   refresh_mac(call, session, session->generation));
	*ret = answer;
	return 0;
}

int guest_token_read(struct rpc_call *call, const char *token, const char **ret)
{
	struct token_claims claims;

	if (keys_verify_guest(call, token, &claims) || !claims.guest ||
	    !name_is(claims.subject, "users"))
		return rpc_fail(call, GUEST_TOKEN_INVALID);
	*ret = claims.subject;
	return 0;
}

const char *keyed_hash(struct rpc_call *call, const char *purpose, const char *text)
{
	uint8_t key[32], mac[crypto_auth_hmacsha256_BYTES];
	char *ret = rpc_alloc(call, MAC_TEXT);

	secret_derive(purpose, key);
	crypto_auth_hmacsha256(mac, (const uint8_t *)text, strlen(text), key);
	sodium_bin2base64(ret, MAC_TEXT, mac, sizeof(mac), VARIANT);
	sodium_memzero(key, sizeof(key));
	return ret;
}

int guest_of_request(struct rpc_call *call, const char *request_id, const char **ret)
{
	const char *from = rpc_header(call, "x-forwarded-for"),
		   *agent = rpc_header(call, "x-forwarded-user-agent");
	const char *place =
		rpc_printf(call, "%s\n%s\n%s", request_id, from ? from : "", agent ? agent : "");

	return guest_remember(call, keyed_hash(call, "guest request", place),
			      name_of(call, "users", rpc_id_new(call)), ret);
}
