/* Users for tests: handlers with real documents, and an auth that does as it is told. */
#pragma once

#include "users_store.h"
#include <check.h>
#include <common/mongo.h>
#include <common/nats.h>
#include <common/outbox.h>
#include <crpc/id.h>
#include <pthread.h>
#include <stores.h>
#include <string.h>
#include <test.h>

#define PASSWORD "seven blue lanterns"

enum { CREDENTIALS_MAX = 32 };

/* Auth as users sees it. */
struct auth_service {
	pthread_mutex_t lock;
	struct {
		char user[160], email[256], password[128];
	} credentials[CREDENTIALS_MAX];
	int n_created, n_resets, n_deleted;
	bool away;         /* nothing is done */
	bool answers_lost; /* what is asked for is done, and the answer does not come */
};

static struct auth_service auth = { .lock = PTHREAD_MUTEX_INITIALIZER };
static struct users_service users = { .email_token_ttl = 3 * 86400000,
				      .reset_token_ttl = 3600000,
				      .mail_delay_max = 86400000 };
static struct users_client *client;
static struct rpc_call *call;

static int lost(struct auth_service *self, struct rpc_call *in)
{
	return self->answers_lost ? rpc_fail_code(in, RPC_UNAVAILABLE, "The answer was lost.") : 0;
}

static int away(struct auth_service *self, struct rpc_call *in)
{
	return self->away ? rpc_fail_code(in, RPC_UNAVAILABLE, "Auth is away.") : 0;
}

/* Where it stands; by user or by email; -1. */
static int credential_of(const char *user, const char *email)
{
	for (int i = 0; i < CREDENTIALS_MAX; i++)
		if (*auth.credentials[i].user &&
		    ((user && !strcmp(auth.credentials[i].user, user)) ||
		     (email && !strcasecmp(auth.credentials[i].email, email))))
			return i;
	return -1;
}

static int fake_create(struct auth_service *self, struct rpc_call *in,
		       const CreateCredentialRequest *req, Credential **ret)
{
	int r = away(self, in), at;

	if (!r && !strcmp(req->password, "password"))
		r = rpc_fail(in, PASSWORD_WEAK, { "problem", "it is known" });
	if (r)
		return r;
	pthread_mutex_lock(&self->lock);
	at = credential_of(req->user, NULL);
	if (at < 0 && credential_of(NULL, req->email) >= 0) {
		r = rpc_fail(in, EMAIL_TAKEN);
	} else if (at < 0) {
		for (at = 0; *self->credentials[at].user;)
			at++;
		snprintf(self->credentials[at].user, sizeof(self->credentials[at].user), "%s",
			 req->user);
		snprintf(self->credentials[at].email, sizeof(self->credentials[at].email), "%s",
			 req->email);
		snprintf(self->credentials[at].password, sizeof(self->credentials[at].password),
			 "%s", req->password);
		self->n_created++;
	}
	pthread_mutex_unlock(&self->lock);
	*ret = rpc_new(in, Credential, .user = req->user);
	return r ? r : lost(self, in);
}

static int fake_lookup(struct auth_service *self, struct rpc_call *in,
		       const LookupCredentialRequest *req, Credential **ret)
{
	bool by_user = req->key_case == LOOKUP_CREDENTIAL_REQUEST_KEY_USER;
	int r = away(self, in),
	    at = credential_of(by_user ? req->user : NULL, by_user ? NULL : req->email);

	if (r)
		return r;
	if (at < 0)
		return rpc_fail(in, CREDENTIAL_NOT_FOUND, { "user", "" });
	*ret = rpc_new(in, Credential, .user = rpc_strdup(in, auth.credentials[at].user));
	return 0;
}

static int fake_reset(struct auth_service *self, struct rpc_call *in,
		      const ResetCredentialPasswordRequest *req, Credential **ret)
{
	int r = away(self, in), at = credential_of(req->user, NULL);

	if (!r && !strcmp(req->new_password, "password"))
		r = rpc_fail(in, PASSWORD_WEAK, { "problem", "it is known" });
	if (r)
		return r;
	pthread_mutex_lock(&self->lock);
	snprintf(self->credentials[at].password, sizeof(self->credentials[at].password), "%s",
		 req->new_password);
	self->n_resets++;
	pthread_mutex_unlock(&self->lock);
	*ret = rpc_new(in, Credential, .user = req->user);
	return lost(self, in);
}

static int fake_delete(struct auth_service *self, struct rpc_call *in,
		       const DeleteCredentialRequest *req, Empty **ret)
{
	int r = away(self, in), at = credential_of(req->user, NULL);

	if (r)
		return r;
	if (at >= 0)
		memset(&self->credentials[at], 0, sizeof(self->credentials[at]));
	self->n_deleted++;
	return lost(self, in);
}

static const struct auth_service_ops fake_auth = {
	.create_credential = fake_create,
	.lookup_credential = fake_lookup,
	.reset_credential_password = fake_reset,
	.delete_credential = fake_delete,
};

static void begin(void)
{
	stores_mongo("users");
	memset(auth.credentials, 0, sizeof(auth.credentials));
	auth.n_created = auth.n_resets = auth.n_deleted = 0;
	auth.away = auth.answers_lost = false;
	users.auth = auth_client_local(&fake_auth, &auth);
	client = users_client_local(&users_service, &users);
	call = rpc_call_new("test", 60000);
}

static void end(void)
{
	client = users_client_free(client);
	users.auth = auth_client_free(users.auth);
	call = rpc_call_free(call);
	stores_close();
}

/* `service` is how auth knows us: between the two there is no network here that shows a
 * certificate. */
static void by_person(const char *user, const char *scope)
{
	rpc_call_set_caller(call, &(struct rpc_caller){ .user = user,
							.session = *user ? "sessions/s" : "",
							.merge_from = "",
							.scope = scope,
							.service = "users" });
}

__attribute__((unused)) static void by_nobody(void)
{
	by_person("", "");
}

__attribute__((unused)) static void by_notification(void)
{
	rpc_call_set_caller(call, &(struct rpc_caller){ "", "", "", "", "notification" });
}

__attribute__((unused)) static int create(const char *email, const char *password,
					  const char *request_id, User **ret)
{
	by_nobody();
	return users_client_create_user(client, call,
					MSG(CreateUserRequest, .email = email, .password = password,
					    .display_name = "Ann", .request_id = request_id),
					ret);
}

/* A new user; the caller from now on. */
__attribute__((unused)) static User *user_new(const char *email)
{
	User *user;

	ck_assert_int_eq(create(email, PASSWORD, "", &user), 0);
	by_person(user->name, "");
	return user;
}

__attribute__((unused)) static int get(const char *name, User **ret)
{
	return users_client_get_user(client, call, MSG(GetUserRequest, .name = name), ret);
}

__attribute__((unused)) static UserRecord *record_of(const User *user)
{
	UserRecord *record;

	ck_assert_int_eq(user_read(call, user->name + 6, &record), 0);
	return record;
}

__attribute__((unused)) static int sweep(void)
{
	by_person("", "");
	return users_sweep(&users, call);
}

__attribute__((unused)) static void pass(int64_t ms)
{
	rpc_call_set_now(call, rpc_now_ms(call) + ms);
}

/* The events that wait in the user's document, by their types, separated by spaces. */
struct outbox_types {
	char text[1024];
};

__attribute__((unused)) static const char *events_of(const User *user)
{
	UserRecord *record = record_of(user);
	const char *text = "";

	for (size_t i = 0; i < record->n_outbox; i++)
		text = rpc_printf(call, "%s%s%s", text, i ? " " : "",
				  strrchr(record->outbox[i]->type, '.') + 1);
	return text;
}

/* The token of the newest mail. */
__attribute__((unused)) static const char *token_of(const User *user)
{
	UserRecord *record = record_of(user);
	IssueVerificationTokenResponse *response;

	by_notification();
	ck_assert_int_eq(users_client_issue_verification_token(
				 client, call,
				 MSG(IssueVerificationTokenRequest,
				     .name = verification_name(
					     call, record,
					     record->verifications[record->n_verifications - 1])),
				 &response),
			 0);
	by_person(user->name, "");
	return response->token;
}
