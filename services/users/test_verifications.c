/* Proofs by mail: addresses and passwords, tokens that work once, and not for long. */
#include "test_users.h"

static void setup(void)
{
	begin();
}

static int verify(const char *token)
{
	VerifyEmailResponse *response;

	return users_client_verify_email(client, call, MSG(VerifyEmailRequest, .token = token),
					 &response);
}

static int request_verification(void)
{
	Empty *empty;

	return users_client_request_email_verification(
		client, call, MSG(RequestEmailVerificationRequest, .name = "me"), &empty);
}

static int request_reset(const char *email)
{
	Empty *empty;
	int r;

	by_nobody();
	r = users_client_request_password_reset(
		client, call, MSG(RequestPasswordResetRequest, .email = email), &empty);
	return r ? r : sweep();
}

static int reset(const char *token, const char *password)
{
	Empty *empty;

	return users_client_reset_password(
		client, call, MSG(ResetPasswordRequest, .token = token, .password = password),
		&empty);
}

TEST(an_address_is_verified_by_the_token_of_its_mail)
{
	User *user = user_new("ann@example.com"), *got;
	const char *token = token_of(user);

	ck_assert_int_eq(verify(token), 0);
	ck_assert_int_eq(get("me", &got), 0);
	ck_assert(got->email_verified);
	/* A repeat does nothing more. */
	ck_assert_int_eq(verify(token), 0);
	ck_assert_str_eq(events_of(user), "UserRegistered EmailVerificationRequested UserUpdated");
	ck_assert_int_eq(request_verification(), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, EMAIL_ALREADY_VERIFIED));
}

TEST(no_other_token_works)
{
	User *user = user_new("ann@example.com"), *bob = user_new("bob@example.com");
	const char *token = token_of(user), *of_bob = token_of(bob);
	char *altered = rpc_strdup(call, token);
	const char *tokens[] = { "x",
				 "..",
				 altered,
				 rpc_printf(call, "%s.%s", user->name + 6, strchr(of_bob, '.') + 1),
				 rpc_printf(call, "nobody.%s", strchr(token, '.') + 1),
				 rpc_printf(call, "%sA", token) };

	altered[strlen(altered) - 5] = altered[strlen(altered) - 5] == 'A' ? 'B' : 'A';
	for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
		ck_assert_int_eq(verify(tokens[i]), RPC_INVALID_ARGUMENT);
		ck_assert(rpc_failed_with(call, VERIFICATION_TOKEN_INVALID));
	}
	ck_assert_int_eq(reset(token, "nine copper kettles"),
			 RPC_INVALID_ARGUMENT); /* it is for something else */
	ck_assert_int_eq(verify(token), 0);
}

TEST(a_token_that_was_made_anew_voids_the_first_and_each_expires)
{
	User *user = user_new("ann@example.com");
	const char *first = token_of(user), *second = token_of(user);

	ck_assert_str_ne(first, second);
	ck_assert_int_eq(verify(first), RPC_INVALID_ARGUMENT);
	pass(users.email_token_ttl + 1);
	ck_assert_int_eq(verify(second), RPC_INVALID_ARGUMENT);
}

TEST(a_newer_mail_voids_the_earlier_ones_and_there_are_five_a_day)
{
	User *user = user_new("ann@example.com");
	IssueVerificationTokenResponse *response;
	const char *first = token_of(user),
		   *old = verification_name(call, record_of(user),
					    record_of(user)->verifications[0]);

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(request_verification(), 0);
	ck_assert_int_eq(request_verification(), RPC_RESOURCE_EXHAUSTED);
	ck_assert(rpc_failed_with(call, VERIFICATION_TOO_OFTEN));
	ck_assert_str_eq(rpc_error_meta(call, "max"), "5");
	ck_assert_int_eq(verify(first), RPC_INVALID_ARGUMENT);
	by_notification();
	ck_assert_int_eq(
		users_client_issue_verification_token(
			client, call, MSG(IssueVerificationTokenRequest, .name = old), &response),
		RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, VERIFICATION_NOT_FOUND));
	ck_assert_int_eq(verify(token_of(user)), 0);
}

TEST(tokens_are_made_for_notification_alone_and_stored_as_hashes)
{
	User *user = user_new("ann@example.com");
	const char *name = verification_name(call, record_of(user),
					     record_of(user)->verifications[0]),
		   *token;
	IssueVerificationTokenResponse *response;
	UserRecord *record;

	ck_assert_int_eq(
		users_client_issue_verification_token(
			client, call, MSG(IssueVerificationTokenRequest, .name = name), &response),
		RPC_PERMISSION_DENIED);
	token = token_of(user);
	record = record_of(user);
	ck_assert_uint_eq(record->verifications[0]->token_hash.len, 32);
	ck_assert_ptr_null(
		memmem(record->verifications[0]->token_hash.data, 32, strrchr(token, '.') + 1, 8));
	/* A mail that is too late is not sent. */
	pass(users.email_token_ttl + 1);
	by_notification();
	ck_assert_int_eq(
		users_client_issue_verification_token(
			client, call, MSG(IssueVerificationTokenRequest, .name = name), &response),
		RPC_NOT_FOUND);
}

/* --- passwords --- */

TEST(a_forgotten_password_is_reset_once_and_the_address_counts_as_verified)
{
	User *user = user_new("ann@example.com"), *got;
	const char *token;

	ck_assert_int_eq(request_reset("ANN@example.com"), 0);
	ck_assert_ptr_nonnull(strstr(events_of(user), "PasswordResetRequested"));
	token = token_of(user);
	ck_assert_int_eq(reset(token, "password"), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PASSWORD_WEAK));
	ck_assert_int_eq(reset(token, "nine copper kettles"), 0);
	ck_assert_str_eq(auth.credentials[0].password, "nine copper kettles");
	ck_assert_int_eq(reset(token, "thirteen brass bells"), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, VERIFICATION_TOKEN_INVALID));
	ck_assert_int_eq(auth.n_resets, 1);
	ck_assert_int_eq(get("me", &got), 0);
	ck_assert(got->email_verified);
}

TEST(a_reset_that_auth_could_not_do_can_be_tried_again)
{
	User *user = user_new("ann@example.com");
	const char *token;

	ck_assert_int_eq(request_reset("ann@example.com"), 0);
	token = token_of(user);
	auth.away = true;
	ck_assert_int_eq(reset(token, "nine copper kettles"), RPC_UNAVAILABLE);
	auth.away = false;
	ck_assert_int_eq(reset(token, "nine copper kettles"), 0);
}

TEST(an_unknown_address_gets_the_same_answer_and_no_mail)
{
	User *user = user_new("ann@example.com");

	ck_assert_int_eq(request_reset("nobody@example.com"), 0);
	ck_assert_ptr_null(strstr(events_of(user), "PasswordResetRequested"));
	ck_assert_int_eq(request_reset("bob@example.com"), 0);
}

TEST(the_answer_comes_while_auth_is_away_and_the_mail_later)
{
	User *user = user_new("ann@example.com");

	auth.away = true;
	ck_assert_int_eq(request_reset("ann@example.com"), 0);
	ck_assert_ptr_null(strstr(events_of(user), "PasswordResetRequested"));
	auth.away = false;
	ck_assert_int_eq(sweep(), 0);
	ck_assert_ptr_nonnull(strstr(events_of(user), "PasswordResetRequested"));
}

TEST(there_are_five_reset_mails_a_day_and_an_hour_for_each)
{
	User *user = user_new("ann@example.com");
	const char *token;

	for (int i = 0; i < 7; i++)
		ck_assert_int_eq(request_reset("ann@example.com"), 0);
	ck_assert_int_eq(verification_count(call, record_of(user),
					    USER_RECORD_VERIFICATION_PURPOSE_PASSWORD_RESET),
			 5);
	token = token_of(user);
	pass(users.reset_token_ttl + 1);
	ck_assert_int_eq(reset(token, "nine copper kettles"), RPC_INVALID_ARGUMENT);
}

enum { THREADS = 8 };

struct racer {
	pthread_t thread;
	pthread_barrier_t *barrier;
	const char *token;
	int code;
};

static void *reset_once(void *data)
{
	struct racer *racer = data;
	struct rpc_call *own = rpc_call_new("race", 60000);
	Empty *empty;

	rpc_call_set_caller(own, &(struct rpc_caller){ "", "", "", "", "users" });
	pthread_barrier_wait(racer->barrier);
	racer->code = users_client_reset_password(
		client, own,
		MSG(ResetPasswordRequest, .token = racer->token, .password = "nine copper kettles"),
		&empty);
	rpc_call_free(own);
	return NULL;
}

TEST(of_many_who_use_a_token_at_once_one_sets_the_password)
{
	struct racer racers[THREADS];
	pthread_barrier_t barrier;
	User *user = user_new("ann@example.com");

	ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (int round = 1; round <= USERS_MAILS_A_DAY; round++) {
		const char *token;

		ck_assert_int_eq(request_reset("ann@example.com"), 0);
		token = token_of(user);
		for (int i = 0; i < THREADS; i++) {
			racers[i] = (struct racer){ .token = token, .barrier = &barrier };
			ck_assert_int_eq(
				pthread_create(&racers[i].thread, NULL, reset_once, &racers[i]), 0);
		}
		for (int i = 0; i < THREADS; i++)
			pthread_join(racers[i].thread, NULL);
		ck_assert_int_eq(auth.n_resets, round);
	}
	pthread_barrier_destroy(&barrier);
}

TEST_MAIN("verifications", setup, end)
