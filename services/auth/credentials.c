/* Credentials: what users log in with, how it is changed, who may do what. */
#include "auth_store.h"
#include "breaches.h"
#include "passwords.h"
#include "tokens.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/names.h>
#include <ctype.h>
#include <string.h>

/*
 * A change is one update of the credential, which also leaves its entry of the log in
 * `pending_audit`. What follows from it is done after that, and again by the sweeper if we are
 * stopped on the way:
 *
 *     1. the sessions with a lower epoch end; where an address was locked out and is no more, the
 *        failures are forgotten
 *     2. the entry goes into the log
 *     3. pending_audit is removed, or the whole document if the credential is deleted
 *
 * Until then no other change is begun: who wants to makes this one's end first.
 */

const char *credential_email_key(struct rpc_call *call, const char *email)
{
	char *key = rpc_strdup(call, email);

	for (char *at = key; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return key;
}

const char *credential_attempts_key(struct rpc_call *call, const char *email_key)
{
	return keyed_hash(call, "login attempts", email_key);
}

static const char *user_of(struct rpc_call *call, const CredentialRecord *record)
{
	return name_of(call, "users", record->id);
}

int credential_not_found(struct rpc_call *call, const char *user)
{
	return rpc_fail(call, CREDENTIAL_NOT_FOUND, { "user", user });
}

static Credential *view_stored(struct rpc_call *call, const CredentialRecord *record)
{
	Credential *credential = rpc_memdup(call, record->credential, sizeof(*credential));

	credential->etag = etag_of(call, record->version);
	return credential;
}

int credential_view(struct rpc_call *call, const CredentialRecord *record, Credential **ret)
{
	Credential *credential = view_stored(call, record);
	int64_t n_failures, until;
	int r;

	r = attempts_read(call, credential_attempts_key(call, record->email_key), &n_failures,
			  &until);
	if (r)
		return r;
	credential->failed_logins = (int32_t)n_failures;
	if (until)
		credential->unlock_time = clock_timestamp(call, until);
	if (until && credential->state == CREDENTIAL_STATE_ACTIVE)
		credential->state = CREDENTIAL_STATE_LOCKED_OUT;
	*ret = credential;
	return 0;
}

/*
 * Changing
 */

int credential_finish(struct rpc_call *call, const CredentialRecord *record, int32_t *n_ended)
{
	const AuditEvent *entry = record->pending_audit;
	int r;

	r = sessions_end_before(call, user_of(call, record),
				record->deleted ? INT64_MAX : record->session_epoch, entry,
				n_ended);
	if (!r && (entry->action == AUDIT_EVENT_ACTION_PASSWORD_RESET ||
		   entry->action == AUDIT_EVENT_ACTION_UNLOCKED))
		r = attempts_forget(call, credential_attempts_key(call, record->email_key));
	if (!r)
		r = audit_insert(call, entry, NULL);
	crash_point("auth.credential.before_settle");
	return r ? r : credential_settle(call, record);
}

int credential_change(struct auth_service *self, struct rpc_call *call,
		      const struct credential_change *change, CredentialRecord **ret,
		      int32_t *n_ended)
{
	CredentialRecord *record;
	int r;

	*n_ended = 0;
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, change->user));) {
		int64_t epoch;

		r = credential_read(call, name_id(change->user), &record);
		if (r == MONGO_NOT_FOUND)
			return credential_not_found(call, change->user);
		if (!r && record->pending_audit)
			r = credential_finish(call, record, n_ended);
		if (!r)
			r = etag_check(call, change->user, change->etag ? change->etag : "",
				       record->version);
		if (r)
			return r;
		epoch = record->session_epoch;
		r = change->edit(self, call, record, change->data);
		*ret = record;
		if (r)
			return r == CREDENTIAL_SAME ? 0 : r;
		record->pending_audit = audit_event(call, change->action, user_of(call, record),
						    change->detail ? change->detail : "");
		r = credential_save(call, record);
		if (r == MONGO_NOT_MATCHED)
			continue;
		if (r)
			return r;
		if (record->session_epoch > epoch && change->keep_session && *change->keep_session)
			r = session_renew(call, name_id(change->keep_session),
					  record->session_epoch);
		if (!r)
			r = credential_finish(call, record, n_ended);
		if (r) {
			/* The change stands, and the sweeper does the rest as soon as it can. */
			log_warning(
				call,
				"what follows from a change of a credential is left to the sweeper",
				{ "reason", rpc_error_message(call) });
			rpc_error_clear(call);
		}
		return 0;
	}
	return r;
}

int credential_sweep(void *data, struct rpc_call *call)
{
	CredentialRecord **records;
	size_t n_records;
	int32_t n_ended;
	int r;

	r = credential_find_pending(call, &records, &n_records);
	for (size_t i = 0; !r && i < n_records; i++)
		r = credential_finish(call, records[i], &n_ended);
	return r ? r : credential_sweep_answers(call);
}

/*
 * Creating and finding
 */

static int weak(struct rpc_call *call, const char *password, const char *email)
{
	const char *problem = password_weakness(call, password, email);
	bool leaked = false;
	int r;

	r = problem ? 0 : breaches_contain(password, &leaked);
	if (r) {
		log_error(call, "the file of SOUK_BREACHED_PASSWORDS is damaged",
			  { "reason", strerror(-r) });
		return rpc_fail_code(call, RPC_INTERNAL,
				     "Whether the password has leaked cannot be found out now.");
	}
	if (leaked)
		problem = "it leaked from somewhere and is on lists that attackers try";
	return problem ? rpc_fail(call, PASSWORD_WEAK, { "problem", problem }) : 0;
}

int credential_create(struct rpc_call *call, const char *user, const char *email,
		      const char *password, const char *role, const struct answers_key *key,
		      CredentialRecord **ret)
{
	Credential *credential =
		rpc_new(call, Credential, .name = rpc_printf(call, "%s/credential", user),
			.user = user, .state = CREDENTIAL_STATE_ACTIVE,
			.create_time = clock_now(call), .password_time = clock_now(call));
	CredentialRecord *record = rpc_new(
		call, CredentialRecord, .id = name_id(user), .credential = credential,
		.email_key = credential_email_key(call, email), .version = 1, .session_epoch = 1);
	int r;

	credential_add_roles(call, credential, "roles/customer");
	if (role)
		credential_add_roles(call, credential, role);
	record->pending_audit = audit_event(call, AUDIT_EVENT_ACTION_CREATED, user, "");
	r = password_hash(call, password, &record->password_hash);
	if (!r)
		r = credential_insert(call, record,
				      key ? answers_store(call, key, view_stored(call, record))
					  : NULL);
	if (r)
		return r;
	crash_point("auth.credential.after_insert");
	/* What is left is the sweeper's: a free address is to cost no more writes than a taken one.
	 */
	*ret = record;
	return 0;
}

int auth_create_credential(struct auth_service *self, struct rpc_call *call,
			   const CreateCredentialRequest *req, Credential **ret)
{
	/* A hash of the request is stored, and a password must be in no hash but its own. */
	CreateCredentialRequest without = *req;
	CredentialRecord *record;
	struct answers_key key;
	int r;

	without.password = "";
	answers_key(call, &without, &key);
	r = weak(call, req->password, req->email);
	if (!r)
		r = credential_create(call, req->user, req->email, req->password, NULL, &key,
				      &record);
	if (r == MONGO_DUPLICATE) {
		r = credential_answer(call, name_id(req->user), &key, ret);
		return r == ANSWERS_NONE ? rpc_fail(call, EMAIL_TAKEN) : r;
	}
	if (!r)
		*ret = view_stored(call, record);
	return r;
}

int auth_lookup_credential(struct auth_service *self, struct rpc_call *call,
			   const LookupCredentialRequest *req, Credential **ret)
{
	const char *user = "";
	CredentialRecord *record;
	int r;

	if (req->key_case == LOOKUP_CREDENTIAL_REQUEST_KEY_EMAIL) {
		r = credential_read_by_email(call, credential_email_key(call, req->email), &record);
	} else {
		user = req->key_case == LOOKUP_CREDENTIAL_REQUEST_KEY_USER ? req->user : "";
		r = credential_read(call, name_id(user), &record);
	}
	if (r == MONGO_NOT_FOUND)
		return credential_not_found(call, user);
	return r ? r : credential_view(call, record, ret);
}

/* The answer to a change: the credential as it is now. */
int credential_change_and_view(struct auth_service *self, struct rpc_call *call,
			       const struct credential_change *change, Credential **ret)
{
	CredentialRecord *record;
	int32_t n_ended;
	int r;

	r = credential_change(self, call, change, &record, &n_ended);
	return r ? r : credential_view(call, record, ret);
}

/*
 * Passwords
 */

/* Sets it, and ends all sessions. `data` is the new one's hash. */
static int set_password(struct auth_service *self, struct rpc_call *call, CredentialRecord *record,
			const void *data)
{
	record->password_hash = data;
	record->credential->password_time = clock_now(call);
	record->session_epoch++;
	return 0;
}

/* The same for whoever knows the password that was checked: not if somebody has changed it
 * meanwhile. */
struct known_password {
	const char *old_hash, *new_hash;
};

static int replace_password(struct auth_service *self, struct rpc_call *call,
			    CredentialRecord *record, const void *data)
{
	const struct known_password *known = data;

	if (strcmp(record->password_hash, known->old_hash))
		return rpc_fail(call, CURRENT_PASSWORD_WRONG);
	return set_password(self, call, record, known->new_hash);
}

int auth_change_password(struct auth_service *self, struct rpc_call *call,
			 const ChangePasswordRequest *req, Empty **ret)
{
	struct known_password known;
	struct credential_change change = { .user = req->name,
					    .edit = replace_password,
					    .data = &known,
					    .action = AUDIT_EVENT_ACTION_PASSWORD_CHANGED,
					    .keep_session = rpc_caller(call)->session };
	CredentialRecord *record;
	int32_t n_ended;
	bool good;
	int r;

	r = credential_read(call, name_id(req->name), &record);
	if (r == MONGO_NOT_FOUND)
		return credential_not_found(call, req->name);
	if (!r)
		r = login_check(self, call, record, record->email_key, req->current_password,
				&good);
	if (r)
		return r;
	if (!good)
		return rpc_fail(call, CURRENT_PASSWORD_WRONG);
	known.old_hash = record->password_hash;
	r = weak(call, req->new_password, record->email_key);
	if (!r)
		r = password_hash(call, req->new_password, &known.new_hash);
	return r ? r : credential_change(self, call, &change, &record, &n_ended);
}

int auth_reset_credential_password(struct auth_service *self, struct rpc_call *call,
				   const ResetCredentialPasswordRequest *req, Credential **ret)
{
	struct credential_change change = { .user = req->user,
					    .edit = set_password,
					    .action = AUDIT_EVENT_ACTION_PASSWORD_RESET };
	CredentialRecord *record;
	const char *hash;
	int r;

	r = credential_read(call, name_id(req->user), &record);
	if (r == MONGO_NOT_FOUND)
		return credential_not_found(call, req->user);
	if (!r)
		r = weak(call, req->new_password, record->email_key);
	if (!r)
		r = password_hash(call, req->new_password, &hash);
	if (r)
		return r;
	change.data = hash;
	return credential_change_and_view(self, call, &change, ret);
}

static int forget_credential(struct auth_service *self, struct rpc_call *call,
			     CredentialRecord *record, const void *data)
{
	record->deleted = true;
	record->password_hash = "";
	record->session_epoch++;
	return 0;
}

int auth_delete_credential(struct auth_service *self, struct rpc_call *call,
			   const DeleteCredentialRequest *req, Empty **ret)
{
	const struct credential_change change = { .user = req->user,
						  .edit = forget_credential,
						  .action = AUDIT_EVENT_ACTION_DELETED };
	CredentialRecord *record;
	int32_t n_ended;
	int r;

	r = credential_change(self, call, &change, &record, &n_ended);
	return r && rpc_failed_with(call, CREDENTIAL_NOT_FOUND) ? 0 : r;
}
