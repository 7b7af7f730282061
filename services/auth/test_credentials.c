/* Credentials: creating, passwords, roles, locks, and what a stop on the way leaves to the
 * sweeper. */
#include "breaches.h"
#include "test_auth.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void setup(void)
{
	begin();
}

static int create(const char *user, const char *email, const char *password, const char *request_id,
		  Credential **ret)
{
	by_users();
	return auth_client_create_credential(client, call,
					     MSG(CreateCredentialRequest, .user = user,
						 .email = email, .password = password,
						 .request_id = request_id),
					     ret);
}

static int change_password(const Session *session, const char *from, const char *to)
{
	Empty *empty;

	by_session(session);
	return auth_client_change_password(client, call,
					   MSG(ChangePasswordRequest, .name = "me",
					       .current_password = from, .new_password = to),
					   &empty);
}

/* --- creating --- */

TEST(creating_again_with_the_same_request_gives_the_same_and_stores_no_hash_of_the_password)
{
	struct person ann = person_new();
	Credential *credential;

	ck_assert_int_eq(create(ann.user, ann.email, "eleven tin whistles", ann.user, &credential),
			 0);
	ck_assert_str_eq(credential->user, ann.user);
	/* Had the request's hash held the password, another one would have been refused. */
	by_nobody();
	ck_assert_int_eq(log_in_with(ann.email, "eleven tin whistles", &(Session *){ NULL }),
			 RPC_UNAUTHENTICATED);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(credential_sweep(&auth, call), 0);
	ck_assert_uint_eq(logged(ann.user, "CREATED"), 1);
}

TEST(an_address_is_of_one_user_in_any_spelling)
{
	struct person ann = person_new();
	char *email = rpc_strdup(call, ann.email);
	Credential *credential;

	for (char *at = email; *at; at++)
		*at = *at >= 'a' && *at <= 'z' ? (char)(*at - 32) : *at;
	ck_assert_int_eq(create("users/other", email, PASSWORD, "r1", &credential),
			 RPC_ALREADY_EXISTS);
	ck_assert(rpc_failed_with(call, EMAIL_TAKEN));
	ck_assert(!strstr(rpc_error_message(call), "@"));
}

TEST(a_taken_address_costs_as_much_as_a_free_one)
{
	struct person ann = person_new();
	Credential *credential;
	unsigned before = password_computations(), taken;

	ck_assert_int_eq(create("users/other", ann.email, PASSWORD, "r1", &credential),
			 RPC_ALREADY_EXISTS);
	taken = password_computations() - before;
	before = password_computations();
	ck_assert_int_eq(create("users/other", rpc_printf(call, "x%s", ann.email), PASSWORD, "r2",
				&credential),
			 0);
	ck_assert_uint_eq(password_computations() - before, taken);
}

TEST(a_weak_password_is_refused_with_the_reason)
{
	Credential *credential;

	ck_assert_int_eq(create("users/ann", "ann@example.com", "password1", "r1", &credential),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PASSWORD_WEAK));
	ck_assert_ptr_nonnull(rpc_error_meta(call, "problem"));
}

TEST(a_leaked_password_is_refused_wherever_one_is_set)
{
	struct person ann = person_new();
	Session *session = log_in(ann);
	char path[] = "/tmp/test-credentials-XXXXXX", *error;
	/* SHA-1 of "nine copper kettles" */
	static const char line[] = "53026D20EDA0EB56C0CF6991189EEA3D4708C7F7:7\r\n";
	Credential *credential;
	int file = mkstemp(path);

	ck_assert_int_eq(write(file, line, sizeof(line) - 1), sizeof(line) - 1);
	close(file);
	ck_assert_int_eq(breaches_open(path, &error), 0);
	unlink(path);
	ck_assert_int_eq(create("users/leaked", "leaked@example.com", "nine copper kettles", "r1",
				&credential),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PASSWORD_WEAK));
	ck_assert_ptr_nonnull(strstr(rpc_error_message(call), "leaked"));
	ck_assert_int_eq(change_password(session, PASSWORD, "nine copper kettles"),
			 RPC_INVALID_ARGUMENT);
	by_users();
	ck_assert_int_eq(auth_client_reset_credential_password(
				 client, call,
				 MSG(ResetCredentialPasswordRequest, .user = ann.user,
				     .new_password = "nine copper kettles"),
				 &credential),
			 RPC_INVALID_ARGUMENT);
	breaches_close();
	ck_assert_int_eq(change_password(session, PASSWORD, "nine copper kettles"), 0);
}

TEST(a_list_of_leaked_passwords_that_breaks_lets_none_pass)
{
	char path[] = "/tmp/test-credentials-XXXXXX", *error;
	Credential *credential;
	int file = mkstemp(path);

	ck_assert_int_eq(dprintf(file, "%040d:1\n", 1), 43);
	ck_assert_int_eq(breaches_open(path, &error), 0);
	ck_assert_int_eq(ftruncate(file, 20), 0);
	close(file);
	unlink(path);
	test_expect_log("SOUK_BREACHED_PASSWORDS");
	ck_assert_int_eq(create("users/x", "x@example.com", PASSWORD, "r1", &credential),
			 RPC_INTERNAL);
	ck_assert_ptr_null(strstr(rpc_error_message(call), "SOUK_"));
	breaches_close();
}

TEST(persons_and_other_services_create_nothing)
{
	Credential *credential;

	by_admin();
	ck_assert_int_eq(
		auth_client_create_credential(client, call,
					      MSG(CreateCredentialRequest, .user = "users/x",
						  .email = "x@example.com", .password = PASSWORD,
						  .request_id = "1"),
					      &credential),
		RPC_PERMISSION_DENIED);
}

enum { THREADS = 6 };
struct racer {
	const char *email;
	pthread_t thread;
	int code, number;
};

static void *register_once(void *data)
{
	struct racer *racer = data;
	struct rpc_call *own = rpc_call_new("race", 60000);
	const char *user = rpc_printf(own, "users/racer%d", racer->number);
	Credential *credential;

	rpc_call_set_caller(own, &(struct rpc_caller){ "", "", "", "", "users" });
	racer->code = auth_client_create_credential(client, own,
						    MSG(CreateCredentialRequest, .user = user,
							.email = racer->email, .password = PASSWORD,
							.request_id = user),
						    &credential);
	rpc_call_free(own);
	return NULL;
}

TEST(of_many_who_take_an_address_at_once_one_gets_it)
{
	struct racer racers[THREADS];
	int n = 0;

	for (int i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ .email = "race@example.com", .number = i };
		ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, register_once, &racers[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(racers[i].thread, NULL);
		n += !racers[i].code;
		ck_assert(!racers[i].code || racers[i].code == RPC_ALREADY_EXISTS);
	}
	ck_assert_int_eq(n, 1);
}

TEST(a_user_is_looked_up_by_address_and_by_name)
{
	struct person ann = person_new();
	Credential *credential;

	by_users();
	ck_assert_int_eq(
		auth_client_lookup_credential(client, call,
					      MSG(LookupCredentialRequest,
						  .key_case = LOOKUP_CREDENTIAL_REQUEST_KEY_EMAIL,
						  .email = ann.email),
					      &credential),
		0);
	ck_assert_str_eq(credential->user, ann.user);
	ck_assert_int_eq(
		auth_client_lookup_credential(client, call,
					      MSG(LookupCredentialRequest,
						  .key_case = LOOKUP_CREDENTIAL_REQUEST_KEY_USER,
						  .user = "users/nobody"),
					      &credential),
		RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, CREDENTIAL_NOT_FOUND));
}

/* --- passwords --- */

TEST(a_changed_password_ends_all_other_sessions)
{
	struct person ann = person_new();
	Session *phone = log_in(ann), *tablet = log_in(ann), *next;

	ck_assert_int_eq(change_password(phone, "wrong", "nine copper kettles"),
			 RPC_PERMISSION_DENIED);
	ck_assert(rpc_failed_with(call, CURRENT_PASSWORD_WRONG));
	ck_assert_int_eq(change_password(phone, PASSWORD, "password"), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PASSWORD_WEAK));
	ck_assert_int_eq(change_password(phone, PASSWORD, "nine copper kettles"), 0);
	ck_assert(is_open(phone) && !is_open(tablet));
	ck_assert_int_eq(refresh(phone->refresh_token, &next), 0);
	ck_assert_int_eq(log_in_with(ann.email, PASSWORD, &next), RPC_UNAUTHENTICATED);
	ck_assert_int_eq(log_in_with(ann.email, "nine copper kettles", &next), 0);
	ck_assert_uint_eq(logged(ann.user, "PASSWORD_CHANGED"), 1);
	ck_assert_uint_eq(logged(ann.user, "SESSION_REVOKED"), 1);
	ck_assert_uint_eq(logged(ann.user, "LOGIN_FAILED"), 2);
}

TEST(wrong_current_passwords_lock_as_failed_logins_do)
{
	struct person ann = person_new();
	Session *session = log_in(ann);

	for (int i = 0; i < auth.login_failures_max; i++)
		ck_assert_int_eq(change_password(session, "wrong", "nine copper kettles"),
				 RPC_PERMISSION_DENIED);
	ck_assert_int_eq(change_password(session, PASSWORD, "nine copper kettles"),
			 RPC_RESOURCE_EXHAUSTED);
	ck_assert(rpc_failed_with(call, LOGIN_LOCKED));
	ck_assert_int_eq(get_credential(ann.user)->state, CREDENTIAL_STATE_LOCKED_OUT);
	ck_assert_int_eq(get_credential(ann.user)->failed_logins, (int)auth.login_failures_max);
	ck_assert(is_open(session)); /* who is logged in stays so */
}

TEST(a_reset_password_lifts_the_lock_and_ends_all_sessions)
{
	struct person ann = person_new();
	Session *session = log_in(ann), *next;
	Credential *credential;

	for (int i = 0; i < auth.login_failures_max; i++)
		ck_assert_int_eq(log_in_with(ann.email, "wrong", &next), RPC_UNAUTHENTICATED);
	by_users();
	ck_assert_int_eq(auth_client_reset_credential_password(
				 client, call,
				 MSG(ResetCredentialPasswordRequest, .user = ann.user,
				     .new_password = "nine copper kettles"),
				 &credential),
			 0);
	ck_assert_int_eq(credential->state, CREDENTIAL_STATE_ACTIVE);
	ck_assert(!is_open(session));
	by_nobody();
	ck_assert_int_eq(log_in_with(ann.email, "nine copper kettles", &next), 0);
	ck_assert_uint_eq(logged(ann.user, "PASSWORD_RESET"), 1);
}

TEST(a_deleted_credential_frees_its_address_and_ends_its_sessions)
{
	struct person ann = person_new();
	Session *session = log_in(ann), *next;
	Credential *credential;
	Empty *empty;

	by_users();
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(auth_client_delete_credential(
					 client, call,
					 MSG(DeleteCredentialRequest, .user = ann.user), &empty),
				 0);
	ck_assert(!is_open(session));
	ck_assert_int_eq(refresh(session->refresh_token, &next), RPC_UNAUTHENTICATED);
	ck_assert_int_eq(log_in_with(ann.email, PASSWORD, &next), RPC_UNAUTHENTICATED);
	ck_assert_int_eq(create("users/heir", ann.email, PASSWORD, "r9", &credential), 0);
	ck_assert_uint_eq(logged(ann.user, "DELETED"), 1);
}

struct changer {
	pthread_t thread;
	const char *user;
	int code, number;
};

static void *change_once(void *data)
{
	struct changer *changer = data;
	struct rpc_call *own = rpc_call_new("race", 60000);
	Empty *empty;

	rpc_call_set_caller(own, &(struct rpc_caller){ changer->user, "sessions/s", "", "", "" });
	changer->code = auth_client_change_password(
		client, own,
		MSG(ChangePasswordRequest, .name = "me", .current_password = PASSWORD,
		    .new_password = rpc_printf(own, "nine copper kettles %d", changer->number)),
		&empty);
	rpc_call_free(own);
	return NULL;
}

TEST(of_many_who_change_a_password_at_once_one_does)
{
	struct changer changers[THREADS];
	struct person ann = person_new();
	int n = 0;

	for (int i = 0; i < THREADS; i++) {
		changers[i] = (struct changer){ .user = ann.user, .number = i };
		ck_assert_int_eq(
			pthread_create(&changers[i].thread, NULL, change_once, &changers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(changers[i].thread, NULL);
		n += !changers[i].code;
	}
	ck_assert_int_eq(n, 1);
}

/* --- stops on the way --- */

/* As a change leaves the document when we are stopped after the save. */
static void stop_after_save(const char *user, AuditEventAction action, bool delete)
{
	CredentialRecord *record;

	ck_assert_int_eq(credential_read(call, user + 6, &record), 0);
	record->session_epoch++;
	record->pending_audit = audit_event(call, action, user, "");
	record->deleted = delete;
	if (delete)
		record->password_hash = "";
	ck_assert_int_eq(credential_save(call, record), 0);
}

TEST(the_sweeper_finishes_a_change_that_a_stop_left)
{
	struct person ann = person_new();
	Session *session = log_in(ann);

	stop_after_save(ann.user, AUDIT_EVENT_ACTION_PASSWORD_CHANGED, false);
	ck_assert_uint_eq(logged(ann.user, "PASSWORD_CHANGED"), 0);
	ck_assert_int_eq(credential_sweep(&auth, call), 0);
	ck_assert_int_eq(credential_sweep(&auth, call), 0);
	ck_assert(!is_open(session));
	ck_assert_uint_eq(logged(ann.user, "PASSWORD_CHANGED"), 1);
	ck_assert_uint_eq(logged(ann.user, "SESSION_REVOKED"), 1);
	ck_assert(is_open(log_in(ann)));
}

TEST(the_sweeper_finishes_a_deletion)
{
	struct person ann = person_new();
	Session *session = log_in(ann);
	CredentialRecord **records;
	size_t n_records;

	stop_after_save(ann.user, AUDIT_EVENT_ACTION_DELETED, true);
	ck_assert_int_eq(credential_sweep(&auth, call), 0);
	ck_assert(!is_open(session));
	ck_assert_int_eq(credential_find_pending(call, &records, &n_records), 0);
	ck_assert_uint_eq(n_records, 0);
}

TEST(a_change_finishes_the_one_before)
{
	struct person ann = person_new();
	Session *session = log_in(ann);
	Credential *credential;

	stop_after_save(ann.user, AUDIT_EVENT_ACTION_PASSWORD_CHANGED, false);
	ck_assert_int_eq(set_roles(ann.user, "", "roles/support", &credential), 0);
	ck_assert(!is_open(session));
	ck_assert_uint_eq(logged(ann.user, "PASSWORD_CHANGED"), 1);
	ck_assert_uint_eq(logged(ann.user, "ROLES_CHANGED"), 1);
}

TEST(a_login_that_meets_the_end_of_all_sessions_leaves_none)
{
	struct person ann = person_new();
	CredentialRecord *record;

	/* What it has read is no more true when it wants to note the login. */
	ck_assert_int_eq(credential_read(call, ann.user + 6, &record), 0);
	stop_after_save(ann.user, AUDIT_EVENT_ACTION_PASSWORD_CHANGED, false);
	ck_assert_int_eq(credential_note_login(call, record, NULL), MONGO_NOT_MATCHED);
}

TEST_MAIN("credentials", setup, end)
