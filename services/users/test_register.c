/* Registering and deleting: free and taken addresses, and every place where it may stop. */
#include "test_users.h"

static void setup(void)
{
	begin();
}

TEST(a_new_user_is_registered_and_a_mail_is_due)
{
	User *user = user_new("Ann@Example.com"), *got;

	ck_assert_int_eq(get("me", &got), 0);
	ck_assert_str_eq(got->name, user->name);
	ck_assert_str_eq(got->email, "Ann@Example.com");
	ck_assert_str_eq(got->language_code, "en");
	ck_assert_str_eq(got->etag, user->etag);
	ck_assert(!got->email_verified);
	ck_assert_str_eq(events_of(user), "UserRegistered EmailVerificationRequested");
	by_person("users/other", "");
	ck_assert_int_eq(get(user->name, &got), RPC_PERMISSION_DENIED);
	by_person("users/staff", "users.read");
	ck_assert_int_eq(get(user->name, &got), 0);
	ck_assert_int_eq(get("users/nobody", &got), RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, USER_NOT_FOUND));
}

TEST(a_taken_address_answers_like_a_free_one_and_its_owner_is_told)
{
	User *ann = user_new("ann@example.com"), *taken, *again, *got;

	ck_assert_int_eq(create("ANN@example.com", "another good password", "r1", &taken), 0);
	ck_assert_str_ne(taken->name, ann->name);
	ck_assert_str_eq(taken->email, "ANN@example.com");
	ck_assert_str_eq(taken->etag, ann->etag);
	ck_assert_ptr_nonnull(taken->create_time);
	/* A repeat of the request is the first answer, as it would be of a free one. */
	pass(5000);
	ck_assert_int_eq(create("ANN@example.com", "another good password", "r1", &again), 0);
	ck_assert(rpc_message_equal(&taken->base, &again->base));
	ck_assert_int_eq(auth.n_created, 1);

	ck_assert_int_eq(sweep(), 0);
	ck_assert_int_eq(sweep(), 0);
	ck_assert_str_eq(events_of(ann),
			 "UserRegistered EmailVerificationRequested RegistrationRepeated");
	ck_assert_int_eq(create("ANN@example.com", "another good password", "r1", &again), 0);
	ck_assert(rpc_message_equal(&taken->base, &again->base));
	by_person(taken->name, "");
	ck_assert_int_eq(get(taken->name, &got), RPC_NOT_FOUND);
	/* And after a day nothing is left of it. */
	pass(25 * 3600 * 1000);
	ck_assert_int_eq(sweep(), 0);
	ck_assert_int_eq(user_read(call, taken->name + 6, &(UserRecord *){ NULL }),
			 MONGO_NOT_FOUND);
}

TEST(the_mail_to_the_owner_has_no_token_and_there_are_few_a_day)
{
	User *ann = user_new("ann@example.com"), *taken;
	IssueVerificationTokenResponse *response;
	UserRecord *record;

	for (int i = 0; i < 7; i++)
		ck_assert_int_eq(create("ann@example.com", PASSWORD, "", &taken), 0);
	ck_assert_int_eq(sweep(), 0);
	record = record_of(ann);
	ck_assert_int_eq(verification_count(call, record,
					    USER_RECORD_VERIFICATION_PURPOSE_REGISTRATION_REPEATED),
			 5);
	by_notification();
	ck_assert_int_eq(
		users_client_issue_verification_token(
			client, call,
			MSG(IssueVerificationTokenRequest,
			    .name = verification_name(call, record, record->verifications[1])),
			&response),
		0);
	ck_assert_str_eq(response->token, "");
	ck_assert_str_eq(response->user->email, "ann@example.com");
}

TEST(the_same_request_registers_once_and_stores_no_hash_of_the_password)
{
	User *first, *second;

	ck_assert_int_eq(create("ann@example.com", PASSWORD, "r1", &first), 0);
	ck_assert_int_eq(create("ann@example.com", "another password", "r1", &second), 0);
	ck_assert_str_eq(first->name, second->name);
	ck_assert_str_eq(auth.credentials[0].password, PASSWORD);
	/* An id that somebody else has used too is not theirs. */
	ck_assert_int_eq(create("bob@example.com", PASSWORD, "r1", &second), 0);
	ck_assert_str_ne(first->name, second->name);
}

TEST(a_weak_password_is_refused_and_the_request_may_come_again_with_a_better_one)
{
	User *user;

	ck_assert_int_eq(create("ann@example.com", "password", "r1", &user), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PASSWORD_WEAK));
	ck_assert_int_eq(create("ann@example.com", PASSWORD, "r1", &user), 0);
	ck_assert_int_eq(auth.n_created, 1);
}

TEST(when_auth_is_away_nothing_is_registered_and_a_repeat_does_it)
{
	User *user;

	auth.away = true;
	ck_assert_int_eq(create("ann@example.com", PASSWORD, "r1", &user), RPC_UNAVAILABLE);
	auth.away = false;
	ck_assert_int_eq(create("ann@example.com", PASSWORD, "r1", &user), 0);
	ck_assert_str_eq(events_of(user), "UserRegistered EmailVerificationRequested");
}

TEST(the_sweeper_registers_whom_auth_knows_and_forgets_whom_it_does_not)
{
	User *user, *got;

	auth.answers_lost = true;
	ck_assert_int_eq(create("ann@example.com", PASSWORD, "r1", &user), RPC_UNAVAILABLE);
	auth.answers_lost = false;
	auth.away = true;
	ck_assert_int_eq(create("bob@example.com", PASSWORD, "r2", &user), RPC_UNAVAILABLE);
	auth.away = false;

	/* Not yet: they may still be at it. */
	ck_assert_int_eq(sweep(), 0);
	by_person(auth.credentials[0].user, "");
	ck_assert_int_eq(get(auth.credentials[0].user, &got), RPC_NOT_FOUND);
	pass(3 * 60 * 1000);
	ck_assert_int_eq(sweep(), 0);
	by_person(auth.credentials[0].user, "");
	ck_assert_int_eq(get(auth.credentials[0].user, &got), 0);
	ck_assert_str_eq(events_of(got), "UserRegistered EmailVerificationRequested");
	ck_assert_int_eq(create("ann@example.com", PASSWORD, "r1", &user), 0);
	ck_assert_str_eq(user->name, got->name);
	/* The other one registers anew. */
	ck_assert_int_eq(create("bob@example.com", PASSWORD, "r2", &user), 0);
	ck_assert_int_eq(auth.n_created, 2);
}

TEST(the_sweeper_leaves_alone_what_was_touched_since_it_looked)
{
	UserRecord *record;
	User *user;

	auth.away = true;
	ck_assert_int_eq(create("ann@example.com", PASSWORD, "r1", &user), RPC_UNAVAILABLE);
	pass(3 * 60 * 1000);
	ck_assert_int_eq(create("ann@example.com", PASSWORD, "r1", &user), RPC_UNAVAILABLE);
	auth.away = false;
	ck_assert_int_eq(sweep(), 0);
	/* It is still there: this is no new document. */
	ck_assert_int_eq(create("ann@example.com", PASSWORD, "r1", &user), 0);
	record = record_of(user);
	ck_assert_int_ge(record->version, 4);
}

enum { THREADS = 8 };

struct racer {
	pthread_t thread;
	const char *request_id;
	int code;
	char name[160];
};

static void *register_once(void *data)
{
	struct racer *racer = data;
	struct rpc_call *own = rpc_call_new("race", 60000);
	User *user;

	rpc_call_set_caller(own, &(struct rpc_caller){ "", "", "", "", "users" });
	racer->code =
		users_client_create_user(client, own,
					 MSG(CreateUserRequest, .email = "race@example.com",
					     .password = PASSWORD, .request_id = racer->request_id),
					 &user);
	if (!racer->code)
		snprintf(racer->name, sizeof(racer->name), "%s", user->name);
	rpc_call_free(own);
	return NULL;
}

static void race(struct racer racers[THREADS], const char *request_id)
{
	for (int i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ .request_id = request_id };
		ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, register_once, &racers[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(racers[i].thread, NULL);
		ck_assert_int_eq(racers[i].code, 0);
	}
}

TEST(of_many_who_register_an_address_at_once_one_is_its_user_and_all_get_an_answer)
{
	struct racer racers[THREADS];
	int n_users = 0;
	User *got;

	race(racers, "");
	ck_assert_int_eq(auth.n_created, 1);
	by_person("users/staff", "users.read");
	for (int i = 0; i < THREADS; i++)
		n_users += !get(racers[i].name, &got);
	ck_assert_int_eq(n_users, 1);
}

TEST(the_same_request_at_once_registers_once)
{
	struct racer racers[THREADS];

	race(racers, "r1");
	ck_assert_int_eq(auth.n_created, 1);
	for (int i = 1; i < THREADS; i++)
		ck_assert_str_eq(racers[i].name, racers[0].name);
	ck_assert_str_eq(events_of(rpc_new(call, User, .name = racers[0].name)),
			 "UserRegistered EmailVerificationRequested");
}

/* --- deleting --- */

static int delete(const char *name, const char *etag)
{
	Empty *empty;

	return users_client_delete_user(client, call,
					MSG(DeleteUserRequest, .name = name, .etag = etag), &empty);
}

TEST(a_deleted_user_is_erased_and_the_address_is_free)
{
	User *user = user_new("ann@example.com"), *got;
	UserRecord *record;

	ck_assert_int_eq(delete ("users/other", ""), RPC_PERMISSION_DENIED);
	ck_assert_int_eq(delete ("me", "\"99\""), RPC_ABORTED);
	ck_assert_int_eq(delete ("me", user->etag), 0);
	ck_assert_int_eq(delete (user->name, ""), 0);
	ck_assert_int_eq(get(user->name, &got), RPC_NOT_FOUND);
	record = record_of(user);
	ck_assert_int_eq(record->stage, USER_RECORD_STAGE_DELETED);
	ck_assert_str_eq(record->user->email, "");
	ck_assert_str_eq(record->user->display_name, "");
	ck_assert_str_eq(record->email_key, "");
	ck_assert_uint_eq(record->n_answers + record->n_verifications + record->n_addresses, 0);
	ck_assert_ptr_nonnull(strstr(events_of(user), "UserDeleted"));
	ck_assert_int_eq(auth.n_deleted, 1);
	ck_assert_str_ne(user_new("ann@example.com")->name, user->name);
}

TEST(a_deletion_that_was_stopped_is_finished_by_the_sweeper)
{
	User *user = user_new("ann@example.com");

	auth.away = true;
	ck_assert_int_eq(delete ("me", ""), RPC_UNAVAILABLE);
	ck_assert_int_eq(record_of(user)->stage, USER_RECORD_STAGE_DELETING);
	ck_assert_str_eq(record_of(user)->user->email, "");
	auth.away = false;
	pass(1000);
	ck_assert_int_eq(sweep(), 0);
	ck_assert_int_eq(record_of(user)->stage, USER_RECORD_STAGE_DELETED);
	ck_assert_int_eq(auth.n_deleted, 1);
}

TEST_MAIN("register", setup, end)
