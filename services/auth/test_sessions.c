/* Sessions: guests, logins, refreshes, devices, and what Redis may forget. */
#include "test_auth.h"
#include <pthread.h>

static void setup(void)
{
	begin();
}

static Session *guest(const char *token)
{
	Session *session;

	by_nobody();
	ck_assert_int_eq(auth_client_create_guest_session(
				 client, call, MSG(CreateGuestSessionRequest, .guest_token = token),
				 &session),
			 0);
	return session;
}

/* As if Redis had lost it. */
static void lose(const Session *session)
{
	cleanup(redis_reply_freep) redisReply *one = NULL, *all = NULL;

	ck_assert_int_eq(
		redis_command(call, &one, "DEL",
			      rpc_printf(call, "session:{%s}", strchr(session->name, '/') + 1)),
		0);
	ck_assert_int_eq(
		redis_command(call, &all, "DEL", rpc_printf(call, "sessions:{%s}", session->user)),
		0);
}

TEST(a_guest_is_the_same_again_with_the_guest_token)
{
	Session *first = guest(""), *second, *other;

	ck_assert(first->guest && is_open(first));
	lose(first);
	second = guest(first->guest_token);
	other = guest("");
	ck_assert_str_eq(second->user, first->user);
	ck_assert_str_ne(second->name, first->name);
	ck_assert_str_ne(other->user, first->user);
}

TEST(a_guest_token_that_is_not_ours_or_too_old_is_refused)
{
	Session *first = guest(""), *session;
	char *forged = rpc_strdup(call, first->guest_token);
	const char *const tokens[] = { forged, "nonsense", first->access_token };

	forged[strlen(forged) - 10] ^= 1;
	for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
		ck_assert_int_eq(auth_client_create_guest_session(
					 client, call,
					 MSG(CreateGuestSessionRequest, .guest_token = tokens[i]),
					 &session),
				 RPC_UNAUTHENTICATED);
		ck_assert(rpc_failed_with(call, GUEST_TOKEN_INVALID));
	}
	pass(auth.guest_token_ttl + TOKEN_SKEW_MS + 1000);
	ck_assert_int_eq(auth_client_create_guest_session(
				 client, call,
				 MSG(CreateGuestSessionRequest, .guest_token = first->guest_token),
				 &session),
			 RPC_UNAUTHENTICATED);
}

TEST(a_guest_token_opens_no_method)
{
	const struct token_expectation expectation = { token_issuer(), token_audience(), "access",
						       rpc_now_ms(call) };
	struct token_claims claims;
	struct token_keys keys;
	const char *json;
	size_t length;

	ck_assert_int_eq(keys_fetch(NULL, call, &json, &length), 0);
	ck_assert_int_eq(token_keys_parse(json, length, &keys), 0);
	ck_assert_int_eq(
		token_verify(rpc_arena(call), &keys, guest("")->guest_token, &expectation, &claims),
		TOKEN_UNKNOWN_KEY);
}

TEST(the_same_request_gets_the_same_guest)
{
	const char *id = rpc_id_new(call);
	Session *first, *second;

	ck_assert_int_eq(
		auth_client_create_guest_session(
			client, call, MSG(CreateGuestSessionRequest, .request_id = id), &first),
		0);
	ck_assert_int_eq(
		auth_client_create_guest_session(
			client, call, MSG(CreateGuestSessionRequest, .request_id = id), &second),
		0);
	ck_assert_str_eq(first->user, second->user);
}

TEST(a_login_gives_a_token_that_the_jwks_verifies)
{
	struct person ann = person_new();
	Session *visitor = guest(""), *session;
	struct token_claims claims;

	by_session(visitor);
	ck_assert_int_eq(log_in_with(ann.email, PASSWORD, &session), 0);
	claims = claims_of(session->access_token);
	ck_assert_str_eq(claims.subject, ann.user);
	ck_assert_str_eq(claims.session, session->name);
	ck_assert_str_eq(claims.merge_from, visitor->user);
	ck_assert(!claims.guest && is_open(session));
	ck_assert_str_eq(session->roles[0], "roles/customer");
	ck_assert_uint_eq(logged(ann.user, "LOGIN"), 1);
	/* In any spelling. */
	by_nobody();
	ck_assert_int_eq(
		log_in_with(rpc_printf(call, "%c%s", ann.email[0] - (ann.email[0] >= 'a' ? 32 : 0),
				       ann.email + 1),
			    PASSWORD, &session),
		0);
}

TEST(an_unknown_address_and_a_wrong_password_are_not_told_apart)
{
	struct person ann = person_new();
	const char *unknown = rpc_printf(call, "x%s", ann.email), *said;
	unsigned before, known_cost;
	Session *session;

	before = password_computations();
	ck_assert_int_eq(log_in_with(ann.email, "wrong", &session), RPC_UNAUTHENTICATED);
	ck_assert(rpc_failed_with(call, CREDENTIALS_INVALID));
	known_cost = password_computations() - before;
	said = rpc_strdup(call, rpc_error_message(call));
	before = password_computations();
	ck_assert_int_eq(log_in_with(unknown, "wrong", &session), RPC_UNAUTHENTICATED);
	ck_assert_str_eq(rpc_error_message(call), said);
	ck_assert_uint_eq(password_computations() - before, known_cost);
	ck_assert_uint_eq(logged(ann.user, "LOGIN_FAILED"), 1);
	ck_assert_uint_eq(logged("", "LOGIN_FAILED"), 1);
}

static void fail_logins(const char *email, int64_t n)
{
	Session *session;

	by_nobody();
	while (n-- > 0) {
		ck_assert_int_eq(log_in_with(email, "wrong", &session), RPC_UNAUTHENTICATED);
		ck_assert(rpc_failed_with(call, CREDENTIALS_INVALID));
	}
}

TEST(failures_lock_an_address_known_or_not_and_the_lock_passes)
{
	struct person ann = person_new();
	const char *emails[] = { ann.email, rpc_printf(call, "x%s", ann.email) };
	Session *session;

	for (size_t i = 0; i < 2; i++) {
		fail_logins(emails[i], auth.login_failures_max);
		/* The right password tells nothing either. */
		ck_assert_int_eq(log_in_with(emails[i], PASSWORD, &session),
				 RPC_RESOURCE_EXHAUSTED);
		ck_assert(rpc_failed_with(call, LOGIN_LOCKED));
	}
	ck_assert_uint_eq(logged(ann.user, "LOCKED"), 1);
	by_nobody();
	pass(auth.lock_min + 1);
	ck_assert_int_eq(log_in_with(ann.email, PASSWORD, &session), 0);
	/* A good login forgets the failures. */
	fail_logins(ann.email, auth.login_failures_max - 1);
	ck_assert_int_eq(log_in_with(ann.email, PASSWORD, &session), 0);
}

TEST(each_further_failure_locks_twice_as_long_up_to_a_limit)
{
	struct person ann = person_new();
	static const int64_t pauses[] = { 30000, 60000, 100000, 100000 };
	Session *session;

	pass(0); /* from here on time stands */
	fail_logins(ann.email, auth.login_failures_max - 1);
	for (size_t i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		fail_logins(ann.email, 1);
		pass(pauses[i] - 1);
		ck_assert_int_eq(log_in_with(ann.email, PASSWORD, &session),
				 RPC_RESOURCE_EXHAUSTED);
		pass(1);
	}
	ck_assert_int_eq(log_in_with(ann.email, PASSWORD, &session), 0);
}

/* --- at once --- */

enum { THREADS = 12 };

struct racer {
	int (*run)(struct rpc_call *call, const void *data, struct racer *self);
	const void *data;
	pthread_t thread;
	int code;
	bool counted;
	char text[256];
};

static void *race(void *data)
{
	struct racer *racer = data;

	/* Who is not told in time asks again, as an app does. */
	racer->code = RPC_DEADLINE_EXCEEDED;
	for (int i = 0; i < 10 && racer->code == RPC_DEADLINE_EXCEEDED; i++) {
		struct rpc_call *own = rpc_call_new("race", 60000);

		racer->code = racer->run(own, racer->data, racer);
		rpc_call_free(own);
	}
	return NULL;
}

static void race_all(struct racer *racers,
		     int (*run)(struct rpc_call *, const void *, struct racer *), const void *data)
{
	for (int i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ .run = run, .data = data };
		ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(racers[i].thread, NULL);
}

static int guess(struct rpc_call *own, const void *data, struct racer *self)
{
	Session *session;
	int r = auth_client_create_session(
		client, own, MSG(CreateSessionRequest, .email = data, .password = "wrong"),
		&session);

	self->counted = r && rpc_failed_with(own, CREDENTIALS_INVALID);
	return r;
}

TEST(guesses_at_once_are_answered_no_more_often_than_one_after_the_other)
{
	struct person ann = person_new();
	struct racer racers[THREADS];
	int answered = 0;

	race_all(racers, guess, ann.email);
	for (int i = 0; i < THREADS; i++)
		answered += racers[i].counted;
	ck_assert_int_eq(answered, (int)auth.login_failures_max);
}

static int refresh_once(struct rpc_call *own, const void *data, struct racer *self)
{
	Session *session;
	int r = auth_client_refresh_session(
		client, own, MSG(RefreshSessionRequest, .refresh_token = data), &session);

	if (!r)
		snprintf(self->text, sizeof(self->text), "%s", session->refresh_token);
	return r;
}

TEST(a_refresh_token_used_at_once_by_many_is_exchanged_once)
{
	Session *session = log_in(person_new()), *next;
	struct racer racers[THREADS];

	race_all(racers, refresh_once, session->refresh_token);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(racers[i].code, 0);
		ck_assert_str_eq(racers[i].text, racers[0].text);
	}
	ck_assert_str_ne(racers[0].text, session->refresh_token);
	ck_assert_int_eq(refresh(racers[0].text, &next), 0);
}

/* --- refreshing --- */

TEST(a_refresh_that_is_repeated_soon_gets_the_same_tokens)
{
	Session *session = log_in(person_new()), *first, *second;

	pass(1000);
	ck_assert_int_eq(refresh(session->refresh_token, &first), 0);
	pass(auth.refresh_grace);
	ck_assert_int_eq(refresh(session->refresh_token, &second), 0);
	ck_assert_str_eq(first->refresh_token, second->refresh_token);
	ck_assert_str_eq(first->access_token, second->access_token);
	ck_assert_str_ne(first->access_token, session->access_token);
	ck_assert_str_eq(first->name, session->name);
}

TEST(a_refresh_token_that_is_used_again_later_ends_the_session)
{
	struct person ann = person_new();
	Session *session = log_in(ann), *next, *none;

	ck_assert_int_eq(refresh(session->refresh_token, &next), 0);
	pass(auth.refresh_grace + 1);
	ck_assert_int_eq(refresh(session->refresh_token, &none), RPC_UNAUTHENTICATED);
	ck_assert(rpc_failed_with(call, REFRESH_TOKEN_REUSED));
	ck_assert(!is_open(session));
	ck_assert_int_eq(refresh(next->refresh_token, &none), RPC_UNAUTHENTICATED);
	ck_assert(rpc_failed_with(call, REFRESH_TOKEN_INVALID));
	ck_assert_uint_eq(logged(ann.user, "REFRESH_REUSED"), 1);
}

TEST(a_token_of_many_exchanges_ago_is_still_known_as_used)
{
	Session *session = log_in(person_new()), *next = session, *none;

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(refresh(next->refresh_token, &next), 0);
	ck_assert_int_eq(refresh(session->refresh_token, &none), RPC_UNAUTHENTICATED);
	ck_assert(rpc_failed_with(call, REFRESH_TOKEN_REUSED));
}

TEST(a_made_up_refresh_token_ends_nothing)
{
	Session *session = log_in(person_new()), *next, *none;
	const char *id = strchr(session->name, '/') + 1;
	const char *mac = strrchr(session->refresh_token, '.') + 1;
	char *altered = rpc_strdup(call, session->refresh_token);
	const char *tokens[] = { "",
				 "..",
				 "a.b.c",
				 altered,
				 rpc_printf(call, "%s.2.%s", id, mac),
				 rpc_printf(call, "%s.0.%s", id, mac),
				 rpc_printf(call, "%s.1.", id),
				 rpc_printf(call, "%s}.1.%s", id, mac),
				 rpc_printf(call, "%s.99999999999999999999.%s", id, mac) };

	altered[strlen(altered) - 3] ^= 1;
	for (size_t i = 1; i < sizeof(tokens) / sizeof(*tokens); i++) {
		ck_assert_int_eq(refresh(tokens[i], &none), RPC_UNAUTHENTICATED);
		ck_assert(rpc_failed_with(call, REFRESH_TOKEN_INVALID));
	}
	ck_assert(is_open(session));
	ck_assert_int_eq(refresh(session->refresh_token, &next), 0);
}

TEST(a_session_that_redis_kept_in_spite_of_its_end_is_refused_at_the_refresh)
{
	struct person ann = person_new();
	Session *session = log_in(ann), *none;
	CredentialRecord *record;

	/* The epoch was raised, and we were stopped before Redis was told. */
	ck_assert_int_eq(credential_read(call, ann.user + 6, &record), 0);
	record->session_epoch++;
	ck_assert_int_eq(credential_save(call, record), 0);
	ck_assert_int_eq(refresh(session->refresh_token, &none), RPC_UNAUTHENTICATED);
	ck_assert(!is_open(session));
}

TEST(a_session_that_ends_while_it_is_refreshed_does_not_come_back)
{
	Session *session = log_in(person_new());
	enum session_exchange exchange;
	struct session *read;

	ck_assert_int_eq(session_read(call, strchr(session->name, '/') + 1, &read), 0);
	lose(session);
	ck_assert_int_eq(session_exchange(call, read, 1, "", 0, 60000, &exchange), 0);
	ck_assert_int_eq(exchange, SESSION_UNKNOWN);
	ck_assert_int_eq(session_renew(call, read->id, 7), 0);
	ck_assert(!is_open(session));
}

TEST(what_redis_loses_is_logged_out_and_no_more)
{
	struct person ann = person_new();
	Session *session = log_in(ann), *none;

	lose(session);
	ck_assert_int_eq(refresh(session->refresh_token, &none), RPC_UNAUTHENTICATED);
	ck_assert(rpc_failed_with(call, REFRESH_TOKEN_INVALID));
	ck_assert_str_eq(log_in(ann)->user, ann.user);
}

/* --- my devices --- */

static size_t list(const char *page, int32_t size, ListSessionsResponse **ret)
{
	ck_assert_int_eq(auth_client_list_sessions(
				 client, call,
				 MSG(ListSessionsRequest, .page_size = size, .page_token = page),
				 ret),
			 0);
	return (*ret)->n_sessions;
}

static int delete(const char *name)
{
	Empty *empty;

	return auth_client_delete_session(client, call, MSG(DeleteSessionRequest, .name = name),
					  &empty);
}

TEST(my_sessions_are_listed_and_one_is_ended)
{
	struct person ann = person_new();
	Session *phone = log_in(ann), *tablet, *stranger = log_in(person_new()), *got;
	ListSessionsResponse *sessions;

	pass(1000);
	tablet = log_in(ann);
	by_session(phone);
	ck_assert_uint_eq(list("", 0, &sessions), 2);
	ck_assert_str_eq(sessions->sessions[0]->name, tablet->name);
	ck_assert(!sessions->sessions[0]->current && sessions->sessions[1]->current);
	ck_assert_str_eq(sessions->sessions[0]->access_token, "");
	ck_assert_str_eq(sessions->sessions[0]->refresh_token, "");

	by_session(stranger);
	ck_assert_int_eq(delete (tablet->name), RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, SESSION_NOT_FOUND));
	ck_assert(is_open(tablet));
	by_session(phone);
	ck_assert_int_eq(delete (tablet->name), 0);
	ck_assert(!is_open(tablet));
	ck_assert_int_eq(delete (tablet->name), RPC_NOT_FOUND);
	ck_assert_int_eq(auth_client_get_session(client, call,
						 MSG(GetSessionRequest, .name = "current"), &got),
			 0);
	ck_assert_str_eq(got->name, phone->name);
	ck_assert_int_eq(delete ("sessions/current"), 0);
	ck_assert(!is_open(phone));
	ck_assert_uint_eq(logged(ann.user, "LOGOUT"), 2);
}

TEST(a_list_of_sessions_goes_page_by_page)
{
	struct person ann = person_new();
	Session *first = log_in(ann);
	ListSessionsResponse *sessions;

	pass(10);
	log_in(ann);
	log_in(ann); /* in the same millisecond */
	by_session(first);
	ck_assert_uint_eq(list("", 2, &sessions), 2);
	ck_assert_str_ne(sessions->next_page_token, "");
	ck_assert_uint_eq(list(sessions->next_page_token, 2, &sessions), 1);
	ck_assert_str_eq(sessions->sessions[0]->name, first->name);
	ck_assert_str_eq(sessions->next_page_token, "");
}

TEST(beyond_the_limit_the_session_used_longest_ago_ends)
{
	struct person ann = person_new();
	Session *first = log_in(ann), *last = NULL;
	ListSessionsResponse *sessions;

	for (int i = 0; i < auth.sessions_max; i++) {
		pass(1000);
		last = log_in(ann);
	}
	ck_assert(!is_open(first) && is_open(last));
	by_session(last);
	ck_assert_uint_eq(list("", 0, &sessions), (size_t)auth.sessions_max);
}

TEST(all_sessions_end_at_once_or_all_but_mine)
{
	struct person ann = person_new();
	Session *phone = log_in(ann), *tablet = log_in(ann), *next;
	RevokeSessionsResponse *response;

	by_session(phone);
	ck_assert_int_eq(auth_client_revoke_sessions(
				 client, call,
				 MSG(RevokeSessionsRequest, .user = "me", .keep_current = true),
				 &response),
			 0);
	ck_assert_int_eq(response->revoked_count, 1);
	ck_assert(is_open(phone) && !is_open(tablet));
	ck_assert_int_eq(refresh(phone->refresh_token, &next), 0);
	by_admin();
	ck_assert_int_eq(auth_client_revoke_sessions(
				 client, call,
				 MSG(RevokeSessionsRequest, .user = ann.user, .keep_current = true),
				 &response),
			 0);
	ck_assert(!is_open(phone));
	by_session(phone);
	ck_assert_int_eq(auth_client_revoke_sessions(
				 client, call, MSG(RevokeSessionsRequest, .user = "users/somebody"),
				 &response),
			 RPC_PERMISSION_DENIED);
}

TEST(logins_and_ends_of_users_are_told_and_those_of_guests_are_not)
{
	Session *session, *visitor;
	unsigned long before;

	stores_nats();
	before = stores_stream_messages("auth");
	session = log_in(person_new());
	visitor = guest("");
	by_session(visitor);
	ck_assert_int_eq(delete ("current"), 0);
	by_session(session);
	ck_assert_int_eq(delete ("current"), 0);
	while (outbox_relay(NULL, call) > 0)
		;
	ck_assert_uint_eq(stores_stream_messages("auth") - before, 2);
}

TEST_MAIN("sessions", setup, end)
