/* Auth for tests: its handlers with real stores, and who calls them. */
#pragma once

#include "auth_store.h"
#include "passwords.h"
#include "session_store.h"
#include <check.h>
#include <common/mongo.h>
#include <common/nats.h>
#include <common/outbox.h>
#include <common/redis.h>
#include <crpc/id.h>
#include <stores.h>
#include <string.h>
#include <test.h>

#define PASSWORD "seven blue lanterns"

static struct auth_service auth = {
	.access_ttl = 600000,
	.session_ttl = 3600000,
	.guest_session_ttl = 3600000,
	.guest_token_ttl = 7200000,
	.refresh_grace = 10000,
	.sessions_max = 4,
	.login_failures_max = 3,
	.lock_min = 30000,
	.lock_max = 100000,
	.key_rotation = 30LL * 24 * 3600000,
	.admin_email = "",
	.admin_password = "",
};
static struct auth_client *client;
static struct rpc_call *call;

static void begin(void)
{
	static const struct option *const options[] = { token_options, NULL };
	char *error;

	auth.admin_email = auth.admin_password = "";
	stores_mongo("auth");
	stores_redis();
	ck_assert_int_eq(options_read("NONE_", options, &error), 0);
	client = auth_client_local(&auth_service, &auth);
	call = rpc_call_new("test", 60000);
	ck_assert_int_eq(auth_set_up(&auth, call), 0);
}

static void end(void)
{
	client = auth_client_free(client);
	call = rpc_call_free(call);
	keys_forget();
	stores_close();
}

/* --- who calls --- */

static void by(struct rpc_caller caller)
{
	const char **texts[] = { &caller.user, &caller.session, &caller.merge_from, &caller.scope,
				 &caller.service };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (!*texts[i])
			*texts[i] = "";
	rpc_call_set_caller(call, &caller);
}

__attribute__((unused)) static void by_nobody(void)
{
	by((struct rpc_caller){ 0 });
}

__attribute__((unused)) static void by_users(void)
{
	by((struct rpc_caller){ .service = "users" });
}

__attribute__((unused)) static void by_admin(void)
{
	by((struct rpc_caller){ .user = "users/boss",
				.session = "sessions/boss",
				.scope = "auth.manage auth.read" });
}

/* Whoever has this session. */
__attribute__((unused)) static void by_session(const Session *session)
{
	by((struct rpc_caller){
		.user = session->user, .session = session->name, .guest = session->guest });
}

/* --- what they do --- */

struct person {
	const char *user, *email;
};

__attribute__((unused)) static struct person person_new(void)
{
	struct person person = { rpc_printf(call, "users/%s", rpc_id_new(call)) };
	Credential *credential;

	person.email = rpc_printf(call, "%s@example.com", person.user + 6);
	by_users();
	ck_assert_int_eq(
		auth_client_create_credential(client, call,
					      MSG(CreateCredentialRequest, .user = person.user,
						  .email = person.email, .password = PASSWORD,
						  .request_id = person.user),
					      &credential),
		0);
	by_nobody();
	return person;
}

__attribute__((unused)) static int log_in_with(const char *email, const char *password,
					       Session **ret)
{
	return auth_client_create_session(
		client, call, MSG(CreateSessionRequest, .email = email, .password = password), ret);
}

__attribute__((unused)) static Session *log_in(struct person person)
{
	Session *session;

	by_nobody();
	ck_assert_int_eq(log_in_with(person.email, PASSWORD, &session), 0);
	return session;
}

__attribute__((unused)) static int refresh(const char *token, Session **ret)
{
	by_nobody();
	return auth_client_refresh_session(client, call,
					   MSG(RefreshSessionRequest, .refresh_token = token), ret);
}

/* What the gateway looks at. */
__attribute__((unused)) static bool is_open(const Session *session)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;

	ck_assert_int_eq(
		redis_command(call, &reply, "EXISTS",
			      rpc_printf(call, "session:{%s}", strchr(session->name, '/') + 1)),
		0);
	return reply->integer;
}

__attribute__((unused)) static struct token_claims claims_of(const char *token)
{
	const struct token_expectation expectation = { token_issuer(), token_audience(), "access",
						       rpc_now_ms(call) };
	struct token_claims claims;
	struct token_keys keys;
	size_t length;
	const char *json;

	ck_assert_int_eq(keys_fetch(NULL, call, &json, &length), 0);
	ck_assert_int_eq(token_keys_parse(json, length, &keys), 0);
	ck_assert_int_eq(token_verify(rpc_arena(call), &keys, token, &expectation, &claims), 0);
	return claims;
}

__attribute__((unused)) static Credential *get_credential(const char *user)
{
	Credential *credential;

	by_admin();
	ck_assert_int_eq(
		auth_client_get_credential(
			client, call,
			MSG(GetCredentialRequest, .name = rpc_printf(call, "%s/credential", user)),
			&credential),
		0);
	return credential;
}

__attribute__((unused)) static int set_roles(const char *user, const char *etag, const char *role,
					     Credential **ret)
{
	Credential *credential = rpc_new(
		call, Credential, .name = rpc_printf(call, "%s/credential", user), .etag = etag);

	credential_add_roles(call, credential, "roles/customer");
	if (role)
		credential_add_roles(call, credential, role);
	by_admin();
	return auth_client_update_credential(
		client, call, MSG(UpdateCredentialRequest, .credential = credential), ret);
}

/* How often the log has it. */
__attribute__((unused)) static size_t logged(const char *user, const char *action)
{
	ListAuditEventsResponse *response;

	by_admin();
	ck_assert_int_eq(auth_client_list_audit_events(
				 client, call,
				 MSG(ListAuditEventsRequest, .page_size = 100,
				     .filter = rpc_printf(call, "user = \"%s\" AND action = %s",
							  user, action)),
				 &response),
			 0);
	return response->n_audit_events;
}

__attribute__((unused)) static void pass(int64_t ms)
{
	rpc_call_set_now(call, rpc_now_ms(call) + ms);
}
