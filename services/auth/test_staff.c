/* What staff do to credentials: roles given and taken, accounts locked, and that an administrator
 * stays. */
#include "test_auth.h"
#include <pthread.h>

enum { THREADS = 6 };

static void setup(void)
{
	begin();
}

TEST(a_role_that_is_given_permits_and_one_that_is_taken_ends_the_sessions)
{
	struct person ann = person_new();
	Session *before = log_in(ann), *session;
	Credential *credential;

	ck_assert_str_eq(claims_of(before->access_token).scope, "");
	ck_assert_int_eq(set_roles(ann.user, "", "roles/merchandiser", &credential), 0);
	ck_assert(is_open(before));
	session = log_in(ann);
	ck_assert_str_eq(claims_of(session->access_token).scope,
			 "catalog.manage inventory.read inventory.manage");
	ck_assert_int_eq(refresh(before->refresh_token, &before), 0);
	ck_assert_ptr_nonnull(strstr(claims_of(before->access_token).scope, "catalog.manage"));
	ck_assert_int_eq(set_roles(ann.user, credential->etag, NULL, &credential), 0);
	ck_assert(!is_open(session) && !is_open(before));
	ck_assert_uint_eq(credential->n_roles, 1);
	ck_assert_uint_eq(logged(ann.user, "ROLES_CHANGED"), 2);
}

TEST(roles_are_changed_at_the_version_that_was_seen)
{
	struct person ann = person_new();
	Credential *credential;

	ck_assert_int_eq(set_roles(ann.user, "\"77\"", "roles/support", &credential), RPC_ABORTED);
	ck_assert_int_eq(set_roles(ann.user, "", "roles/emperor", &credential),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, ROLE_UNKNOWN));
	ck_assert_int_eq(set_roles("users/nobody", "", "roles/support", &credential),
			 RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, CREDENTIAL_NOT_FOUND));
	by((struct rpc_caller){ .user = ann.user, .scope = "auth.read" });
	ck_assert_int_eq(
		auth_client_update_credential(
			client, call,
			MSG(UpdateCredentialRequest,
			    .credential = rpc_new(call, Credential, .name = "users/a/credential")),
			&credential),
		RPC_PERMISSION_DENIED);
}

static int lock(const char *user, bool lock)
{
	const char *name = rpc_printf(call, "%s/credential", user);
	Credential *credential;

	by_admin();
	if (lock)
		return auth_client_lock_credential(
			client, call, MSG(LockCredentialRequest, .name = name, .reason = "fraud"),
			&credential);
	return auth_client_unlock_credential(
		client, call, MSG(UnlockCredentialRequest, .name = name), &credential);
}

TEST(a_locked_account_is_told_so_only_with_its_password)
{
	struct person ann = person_new();
	Session *session = log_in(ann), *next;

	ck_assert_int_eq(lock(ann.user, true), 0);
	ck_assert_int_eq(lock(ann.user, true), 0);
	ck_assert(!is_open(session));
	ck_assert_int_eq(get_credential(ann.user)->state, CREDENTIAL_STATE_LOCKED);
	by_nobody();
	ck_assert_int_eq(log_in_with(ann.email, "wrong", &next), RPC_UNAUTHENTICATED);
	ck_assert_int_eq(log_in_with(ann.email, PASSWORD, &next), RPC_PERMISSION_DENIED);
	ck_assert(rpc_failed_with(call, ACCOUNT_LOCKED));
	ck_assert_int_eq(lock(ann.user, false), 0);
	log_in(ann);
	ck_assert_uint_eq(logged(ann.user, "LOCKED"), 1);
	ck_assert_uint_eq(logged(ann.user, "UNLOCKED"), 1);
}

TEST(unlocking_forgets_failed_logins)
{
	struct person ann = person_new();
	Session *session;

	for (int i = 0; i < auth.login_failures_max; i++)
		ck_assert_int_eq(log_in_with(ann.email, "wrong", &session), RPC_UNAUTHENTICATED);
	ck_assert_int_eq(lock(ann.user, false), 0);
	log_in(ann);
}

TEST(the_last_admin_stays)
{
	struct person ann = person_new(), bob = person_new();
	Credential *credential;

	ck_assert_int_eq(set_roles(ann.user, "", "roles/admin", &credential), 0);
	ck_assert_int_eq(set_roles(ann.user, "", NULL, &credential), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, LAST_ADMIN));
	ck_assert_int_eq(lock(ann.user, true), RPC_FAILED_PRECONDITION);
	ck_assert_int_eq(set_roles(bob.user, "", "roles/admin", &credential), 0);
	ck_assert_int_eq(set_roles(ann.user, "", NULL, &credential), 0);
	ck_assert_int_eq(set_roles(bob.user, "", NULL, &credential), RPC_FAILED_PRECONDITION);
}

struct demotion {
	pthread_t thread;
	const char *user;
	int code;
};

static void *demote(void *data)
{
	struct demotion *demotion = data;
	struct rpc_call *own = rpc_call_new("race", 60000);
	Credential *credential =
		rpc_new(own, Credential, .name = rpc_printf(own, "%s/credential", demotion->user));

	credential_add_roles(own, credential, "roles/customer");
	rpc_call_set_caller(
		own, &(struct rpc_caller){ "users/boss", "sessions/boss", "", "auth.manage", "" });
	demotion->code = auth_client_update_credential(
		client, own, MSG(UpdateCredentialRequest, .credential = credential), &credential);
	rpc_call_free(own);
	return NULL;
}

TEST(admins_who_are_all_demoted_at_once_leave_one)
{
	struct demotion demotions[THREADS];
	Credential *credential;
	int n = 0;

	for (int i = 0; i < THREADS; i++) {
		demotions[i].user = person_new().user;
		ck_assert_int_eq(set_roles(demotions[i].user, "", "roles/admin", &credential), 0);
	}
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&demotions[i].thread, NULL, demote, &demotions[i]),
				 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(demotions[i].thread, NULL);
		n += !demotions[i].code;
	}
	ck_assert_int_eq(n, THREADS - 1);
}

TEST_MAIN("staff", setup, end)
