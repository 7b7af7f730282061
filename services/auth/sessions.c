/* Sessions: opened by guests and at login, refreshed, listed, ended. */
#include "auth_events.ev.h"
#include "auth_store.h"
#include "passwords.h"
#include "tokens.h"
#include <common/clock.h>
#include <common/names.h>
#include <common/page.h>
#include <crpc/id.h>
#include <ctype.h>
#include <string.h>

/*
 * A session is in Redis; its document is the credential, whose session_epoch it must carry. Logging
 * in and ending a user's sessions may happen at the same time:
 *
 *     logging in  writes the session to Redis, then notes the login in the credential if the epoch
 *                 is still the one that was read; if not, the session is ended again
 *     ending      raises the epoch first, then ends what is in Redis with a lower one
 *
 * So none is left, whoever is first, and what Redis kept in spite of that is refused at the next
 * refresh.
 */

enum { DEVICE_MAX = 80 };

/* As the user calls it, or what the User-Agent says of it, in printable characters. */
static const char *device_name(struct rpc_call *call, const char *given)
{
	const char *agent = rpc_header(call, "x-forwarded-user-agent");
	char *name;

	if (*given || !agent)
		return given;
	name = arena_strndup(rpc_arena(call), agent, strnlen(agent, DEVICE_MAX));
	for (char *at = name; *at; at++)
		if (!isprint((unsigned char)*at))
			*at = ' ';
	return name;
}

struct rpc_event *audit_session_revoked(struct rpc_call *call, const struct session *session,
					const char *reason)
{
	souk_auth_v1_SessionRevoked event;

	if (session->guest)
		return NULL;
	memset(&event, 0, sizeof(event));
	event_text(event.session, name_of(call, "sessions", session->id));
	event_text(event.user, session->user);
	event_text(event.reason, reason);
	return auth_event_session_revoked(call, &event);
}

static const char *action_name(AuditEventAction action)
{
	return protobuf_c_enum_descriptor_get_value(&AuditEventAction_descriptor, (int)action)
		->name;
}

/*
 * Tells and ends it; once in the log, however often this is repeated. Told first, so that whoever
 * is stopped on the way and begins again finds the session still there; ended even if it cannot be
 * told.
 */
static int end_session(struct rpc_call *call, const struct session *session,
		       AuditEventAction action, const char *reason)
{
	AuditEvent *event = audit_event(call, action, session->user,
					action == AUDIT_EVENT_ACTION_SESSION_REVOKED ? reason : "");
	bool there;
	int told, r;

	event->name = name_of(call, "auditEvents", rpc_id_derive(call, "session end", session->id));
	event->session = name_of(call, "sessions", session->id);
	told = audit_insert(call, event, EVENTS(audit_session_revoked(call, session, reason)));
	crash_point("auth.session.before_end");
	r = session_end(call, session, &there);
	return r ? r : told;
}

int sessions_end_before(struct rpc_call *call, const char *user, int64_t epoch,
			const AuditEvent *cause, int32_t *n_ret)
{
	struct session **sessions;
	size_t n_sessions;
	int r;

	r = session_list(call, user, &sessions, &n_sessions);
	*n_ret = 0;
	for (size_t i = 0; !r && i < n_sessions; i++) {
		if (sessions[i]->epoch >= epoch)
			continue;
		r = end_session(call, sessions[i], AUDIT_EVENT_ACTION_SESSION_REVOKED,
				action_name(cause->action));
		++*n_ret;
	}
	return r;
}

static int write_session(struct auth_service *self, struct rpc_call *call,
			 const struct session *session)
{
	struct session **ended;
	int r;

	r = session_write(call, session, session_ttl(self, session), self->sessions_max, &ended);
	for (; !r && *ended; ended++)
		r = end_session(call, *ended, AUDIT_EVENT_ACTION_SESSION_REVOKED, "SESSIONS_MAX");
	return r;
}

static struct session *new_session(struct rpc_call *call, const char *user, const char *device)
{
	struct session *session = rpc_alloc(call, sizeof(*session));
	int64_t now = rpc_now_ms(call);

	*session = (struct session){ .id = rpc_id_new(call),
				     .user = user,
				     .roles = "",
				     .merge_from = "",
				     .device = device_name(call, device),
				     .generation = 1,
				     .create_ms = now,
				     .use_ms = now };
	session_seed(call, session);
	return session;
}

/*
 * Guests
 */

int auth_create_guest_session(struct auth_service *self, struct rpc_call *call,
			      const CreateGuestSessionRequest *req, Session **ret)
{
	struct session *session = new_session(call, "", "");
	int r = 0;

	session->guest = true;
	if (*req->guest_token)
		r = guest_token_read(call, req->guest_token, &session->user);
	else if (*req->request_id)
		r = guest_of_request(call, req->request_id, &session->user);
	else
		session->user = name_of(call, "users", rpc_id_new(call));
	if (!r)
		r = write_session(self, call, session);
	if (!r)
		r = session_answer(self, call, session, ret);
	return r;
}

/*
 * Users
 */

static int locked(struct rpc_call *call, int64_t until)
{
	int r = rpc_fail(call, LOGIN_LOCKED);

	rpc_retry_after(call, until - rpc_now_ms(call));
	return r;
}

static int note_failure(struct rpc_call *call, const CredentialRecord *record, bool locks)
{
	const char *user = record ? name_of(call, "users", record->id) : "";
	int r;

	r = audit_insert(call, audit_event(call, AUDIT_EVENT_ACTION_LOGIN_FAILED, user, ""), NULL);
	if (!r && locks)
		r = audit_insert(
			call, audit_event(call, AUDIT_EVENT_ACTION_LOCKED, user, "failed logins"),
			NULL);
	return r;
}

int login_check(struct auth_service *self, struct rpc_call *call, const CredentialRecord *record,
		const char *email_key, const char *password, bool *ret)
{
	const struct attempts_limits limits = { self->login_failures_max, self->lock_min,
						self->lock_max };
	const char *key = credential_attempts_key(call, email_key);
	int64_t n_failures, until;
	bool good, locks;
	int r;

	r = attempts_read(call, key, &n_failures, &until);
	if (r)
		return r;
	if (until)
		return locked(call, until);
	r = password_verify(call, record ? record->password_hash : NULL, password, &good);
	if (!r)
		r = attempts_settle(call, key, good, &limits, &until, &locks);
	if (r)
		return r;
	if (until)
		return locked(call, until);
	if (!good)
		r = note_failure(call, record, locks);
	if (!r)
		*ret = good;
	return r;
}

static const char *join_roles(struct rpc_call *call, const Credential *credential)
{
	const char *roles = "";

	for (size_t i = 0; i < credential->n_roles; i++)
		roles = rpc_printf(call, "%s%s%s", roles, i ? " " : "", credential->roles[i]);
	return roles;
}

static struct rpc_event *created_event(struct rpc_call *call, const struct session *session)
{
	souk_auth_v1_SessionCreated event;

	memset(&event, 0, sizeof(event));
	event_text(event.session, name_of(call, "sessions", session->id));
	event_text(event.user, session->user);
	event_text(event.merge_from, session->merge_from);
	return auth_event_session_created(call, &event);
}

/* The session stands only if the login could be noted. */
static int open_session(struct auth_service *self, struct rpc_call *call,
			const CredentialRecord *record, const char *new_hash,
			const struct session *session)
{
	AuditEvent *event = audit_event(call, AUDIT_EVENT_ACTION_LOGIN, session->user, "");
	bool there;
	int r;

	r = write_session(self, call, session);
	if (r)
		return r;
	crash_point("auth.login.after_session");
	event->session = name_of(call, "sessions", session->id);
	event->actor = session->user;
	r = credential_note_login(call, record, new_hash);
	if (!r)
		r = audit_insert(call, event, EVENTS(created_event(call, session)));
	if (!r)
		return 0;
	if (session_end(call, session, &there))
		log_warning(call, "a session that nobody was given could not be ended",
			    { "session", session->id });
	return r == MONGO_NOT_MATCHED ? rpc_fail(call, CREDENTIALS_INVALID) : r;
}

int auth_create_session(struct auth_service *self, struct rpc_call *call,
			const CreateSessionRequest *req, Session **ret)
{
	const char *email_key = credential_email_key(call, req->email), *new_hash = NULL;
	const struct rpc_caller *caller = rpc_caller(call);
	CredentialRecord *record = NULL;
	struct session *session;
	bool good;
	int r;

	r = credential_read_by_email(call, email_key, &record);
	if (r && r != MONGO_NOT_FOUND)
		return r;
	r = login_check(self, call, record, email_key, req->password, &good);
	if (r)
		return r;
	if (!good)
		return rpc_fail(call, CREDENTIALS_INVALID);
	if (record->credential->state == CREDENTIAL_STATE_LOCKED)
		return rpc_fail(call, ACCOUNT_LOCKED);
	if (password_outdated(record->password_hash))
		r = password_hash(call, req->password, &new_hash);
	if (r)
		return r;

	session = new_session(call, name_of(call, "users", record->id), req->device_name);
	session->roles = join_roles(call, record->credential);
	session->epoch = record->session_epoch;
	if (caller->guest)
		session->merge_from = caller->user;
	r = open_session(self, call, record, new_hash, session);
	return r ? r : session_answer(self, call, session, ret);
}

/*
 * Refreshing
 */

static int refresh_invalid(struct rpc_call *call)
{
	return rpc_fail(call, REFRESH_TOKEN_INVALID);
}

/* Whether the session's user may still have it, and what roles they have now. */
static int check_user(struct rpc_call *call, const struct session *session, const char **roles)
{
	CredentialRecord *record;
	bool there;
	int r;

	*roles = "";
	if (session->guest)
		return 0;
	r = credential_read(call, name_id(session->user), &record);
	if (r == MONGO_NOT_FOUND ||
	    (!r && (record->session_epoch > session->epoch ||
		    record->credential->state == CREDENTIAL_STATE_LOCKED))) {
		r = session_end(call, session, &there);
		return r ? r : refresh_invalid(call);
	}
	if (!r)
		*roles = join_roles(call, record->credential);
	return r;
}

int auth_refresh_session(struct auth_service *self, struct rpc_call *call,
			 const RefreshSessionRequest *req, Session **ret)
{
	enum session_exchange exchange;
	struct refresh_token token;
	struct session *session;
	const char *roles;
	int r;

	if (!refresh_token_read(call, req->refresh_token, &token))
		return refresh_invalid(call);
	r = session_read(call, token.session, &session);
	if (r == SESSION_GONE || (!r && !refresh_token_is_of(call, &token, session)))
		return refresh_invalid(call);
	if (!r)
		r = check_user(call, session, &roles);
	if (!r)
		r = session_exchange(call, session, token.generation, roles, self->refresh_grace,
				     session_ttl(self, session), &exchange);
	if (r)
		return r;
	switch (exchange) {
	case SESSION_EXCHANGED:
	case SESSION_REPEATED:
		return session_answer(self, call, session, ret);
	case SESSION_REUSED:
		r = end_session(call, session, AUDIT_EVENT_ACTION_REFRESH_REUSED, "REFRESH_REUSED");
		return r ? r : rpc_fail(call, REFRESH_TOKEN_REUSED);
	default:
		return refresh_invalid(call);
	}
}

/*
 * My devices
 */

static int find_session(struct rpc_call *call, const char *name, struct session **ret)
{
	const struct rpc_caller *caller = rpc_caller(call);
	struct session *session;
	int r;

	r = session_read(call, name_id(!strcmp(name, "sessions/current") ? caller->session : name),
			 &session);
	if (r == SESSION_GONE || (!r && strcmp(session->user, caller->user)))
		return rpc_fail(call, SESSION_NOT_FOUND, { "session", name });
	if (!r)
		*ret = session;
	return r;
}

int auth_get_session(struct auth_service *self, struct rpc_call *call, const GetSessionRequest *req,
		     Session **ret)
{
	struct session *session;
	int r;

	r = find_session(call, req->name, &session);
	if (!r)
		*ret = session_view(self, call, session);
	return r;
}

/* What was used last comes first. */
static struct page_key key_of(const void *row)
{
	const struct session *session = row;

	return (struct page_key){ -session->use_ms, session->id };
}

int auth_list_sessions(struct auth_service *self, struct rpc_call *call,
		       const ListSessionsRequest *req, ListSessionsResponse **ret)
{
	ListSessionsResponse *response = rpc_new(call, ListSessionsResponse);
	struct session **sessions;
	size_t n_sessions;
	int r;

	r = session_list(call, rpc_caller(call)->user, &sessions, &n_sessions);
	if (!r)
		r = page_rows(call, req, &sessions, &n_sessions, key_of,
			      &response->next_page_token);
	if (r)
		return r;
	for (size_t i = 0; i < n_sessions; i++)
		list_sessions_response_add_sessions(call, response,
						    session_view(self, call, sessions[i]));
	*ret = response;
	return 0;
}

int auth_delete_session(struct auth_service *self, struct rpc_call *call,
			const DeleteSessionRequest *req, Empty **ret)
{
	struct session *session;
	int r;

	r = find_session(call, req->name, &session);
	if (r)
		return r;
	return end_session(call, session, AUDIT_EVENT_ACTION_LOGOUT, "LOGOUT");
}

/* The sessions end by the credential's epoch, as a change of the password ends them; guests have no
 * credential. */
static int raise_epoch(struct auth_service *self, struct rpc_call *call, CredentialRecord *record,
		       const void *data)
{
	record->session_epoch++;
	return 0;
}

int auth_revoke_sessions(struct auth_service *self, struct rpc_call *call,
			 const RevokeSessionsRequest *req, RevokeSessionsResponse **ret)
{
	const char *current = req->keep_current && rpc_caller_is(call, req->user)
				      ? rpc_caller(call)->session
				      : "";
	const struct credential_change change = { .user = req->user,
						  .edit = raise_epoch,
						  .keep_session = current,
						  .action = AUDIT_EVENT_ACTION_SESSION_REVOKED,
						  .detail = "all" };
	RevokeSessionsResponse *response = rpc_new(call, RevokeSessionsResponse);
	CredentialRecord *record;
	int r;

	r = credential_change(self, call, &change, &record, &response->revoked_count);
	if (!r)
		*ret = response;
	return r;
}
