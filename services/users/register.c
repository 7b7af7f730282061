/* Registering and deleting users, together with auth; and the sweeper that finishes both. */
#include "errors.msg.h"
#include "users_store.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/lease.h>
#include <common/names.h>
#include <crpc/id.h>
#include <string.h>

enum { ABANDONED_MS = 2 * 60 * 1000, REFUSED_KEPT_MS = 24 * 3600 * 1000, LEASE_MS = 30 * 1000 };

/*
 * Registering
 */

static UserRecord *new_record(struct rpc_call *call, const CreateUserRequest *req, const char *id)
{
	User *user = rpc_new(call, User, .name = name_of(call, "users", id), .email = req->email,
			     .display_name = req->display_name,
			     .language_code = *req->language_code ? req->language_code : "en",
			     .create_time = clock_now(call), .update_time = clock_now(call));

	return rpc_new(call, UserRecord, .id = id, .user = user,
		       .stage = USER_RECORD_STAGE_REGISTERING,
		       .email_key = user_email_key(call, req->email));
}

/*
 * The document of the request, new or as an earlier try left it. The touch tells the sweeper that
 * somebody is at it: it deletes only what it has seen untouched.
 */
static int begin(struct rpc_call *call, const CreateUserRequest *req, const struct answers_key *key,
		 UserRecord **ret)
{
	UserRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, "users/-"));) {
		record = new_record(call, req, key->id);
		r = user_insert(call, record);
		if (r == MONGO_DUPLICATE) {
			r = user_read(call, key->id, &record);
			if (!r && record->stage == USER_RECORD_STAGE_REGISTERING)
				r = user_touch(call, record);
		}
		if (!r)
			*ret = record;
		if (r != MONGO_NOT_FOUND && r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

/* What the answer says is the same for a free and for a taken address. */
static User *answer_of(struct rpc_call *call, const UserRecord *record)
{
	UserRecord *after = rpc_memdup(call, record, sizeof(*record));

	after->version++;
	return users_view(call, after);
}

/* Makes the record what auth said that it is; the record is REGISTERING. */
static int settle(struct users_service *self, struct rpc_call *call, UserRecord *record, bool taken,
		  const struct answers_key *key, User **ret)
{
	User *answer = answer_of(call, record);
	const struct stored_answer *stored = key ? answers_store(call, key, answer) : NULL;
	int r;

	if (taken)
		r = user_refuse(call, record, stored);
	else
		r = user_register(
			call, record,
			verification_new(self, call, USER_RECORD_VERIFICATION_PURPOSE_EMAIL),
			stored);
	if (!r)
		*ret = answer;
	if (!r && taken && self->wake)
		self->wake();
	return r;
}

int users_create_user(struct users_service *self, struct rpc_call *call,
		      const CreateUserRequest *req, User **ret)
{
	/* A hash of the request is stored, and a password must be in none but its own. The same id
	 * of others is another. */
	CreateUserRequest without = *req;
	struct answers_key key;
	UserRecord *record;
	Credential *credential;
	bool taken;
	int r;

	without.password = "";
	if (*req->request_id)
		without.request_id = rpc_printf(call, "%s %s", req->request_id,
						user_email_key(call, req->email));
	answers_key(call, &without, &key);
	r = begin(call, req, &key, &record);
	if (r)
		return r;
	crash_point("users.create.after_insert");
	if (record->stage != USER_RECORD_STAGE_REGISTERING) {
		r = user_answer(call, record->id, &key, ret);
		if (r == ANSWERS_NONE)
			*ret = users_view(call, record);
		return r == ANSWERS_NONE ? 0 : r;
	}

	r = auth_client_create_credential(self->auth, call,
					  MSG(CreateCredentialRequest, .user = record->user->name,
					      .email = record->user->email,
					      .password = req->password, .request_id = record->id),
					  &credential);
	crash_point("users.create.after_credential");
	taken = r && rpc_failed_with(call, EMAIL_TAKEN);
	/* A weak password, or auth is away: the next try or the sweeper goes on. */
	if (r && !taken)
		return r;
	rpc_error_clear(call);

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, record->user->name));) {
		r = settle(self, call, record, taken, &key, ret);
		if (r != MONGO_NOT_MATCHED)
			return r;
		/* The same request, at the same time. */
		r = user_read(call, record->id, &record);
		if (r == MONGO_NOT_FOUND)
			return rpc_fail(call, WRITE_CONFLICT, { "name", "users/-" });
		if (!r && record->stage != USER_RECORD_STAGE_REGISTERING) {
			r = user_answer(call, record->id, &key, ret);
			if (r == ANSWERS_NONE) {
				*ret = users_view(call, record);
				r = 0;
			}
			return r;
		}
		if (r)
			return r;
	}
	return r;
}

/*
 * Deleting
 */

static int delete_credential(struct users_service *self, struct rpc_call *call, UserRecord *record)
{
	Empty *empty;
	int r;

	r = auth_client_delete_credential(
		self->auth, call, MSG(DeleteCredentialRequest, .user = record->user->name), &empty);
	if (!r)
		r = user_set_stage(call, record, USER_RECORD_STAGE_DELETED);
	return r == MONGO_NOT_MATCHED ? 0 : r; /* somebody else has */
}

int users_delete_user(struct users_service *self, struct rpc_call *call,
		      const DeleteUserRequest *req, Empty **ret)
{
	UserRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = user_read(call, name_id(req->name), &record);
		if (!r && record->stage == USER_RECORD_STAGE_DELETED)
			return 0;
		if (!r && record->stage == USER_RECORD_STAGE_DELETING)
			return delete_credential(self, call, record);
		if (r == MONGO_NOT_FOUND || (!r && record->stage != USER_RECORD_STAGE_REGISTERED))
			return users_not_found(call, req->name);
		if (!r)
			r = etag_check(call, req->name, req->etag, record->version);
		if (r)
			return r;
		r = user_erase(call, record);
		if (!r)
			return delete_credential(self, call, record);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

/*
 * Sweeping
 */

typedef int sweep_one(struct users_service *self, struct rpc_call *call, UserRecord *record);

static int lookup(struct users_service *self, struct rpc_call *call,
		  const LookupCredentialRequest *req, Credential **ret)
{
	int r;

	*ret = NULL;
	r = auth_client_lookup_credential(self->auth, call, req, ret);
	if (r && rpc_failed_with(call, CREDENTIAL_NOT_FOUND)) {
		rpc_error_clear(call);
		r = 0;
	}
	return r;
}

static int finish_registering(struct users_service *self, struct rpc_call *call, UserRecord *record)
{
	Credential *credential;
	User *user;
	int r;

	r = lookup(self, call,
		   MSG(LookupCredentialRequest, .key_case = LOOKUP_CREDENTIAL_REQUEST_KEY_USER,
		       .user = record->user->name),
		   &credential);
	if (r)
		return r;
	return credential ? settle(self, call, record, false, NULL, &user)
			  : user_remove(call, record);
}

/* Tells the owner of the address that somebody tried to register it; once for each try, and not
 * more often than mails may be sent. */
static int tell_owner(struct users_service *self, struct rpc_call *call, UserRecord *record)
{
	UserRecordVerification *verification = verification_new(
		self, call, USER_RECORD_VERIFICATION_PURPOSE_REGISTRATION_REPEATED);
	Credential *credential;
	UserRecord *owner;
	int r;

	r = lookup(self, call,
		   MSG(LookupCredentialRequest, .key_case = LOOKUP_CREDENTIAL_REQUEST_KEY_EMAIL,
		       .email = record->email_key),
		   &credential);
	if (r)
		return r;
	verification->verification_id = rpc_id_derive(call, "registration repeated", record->id);
	r = credential ? user_read(call, name_id(credential->user), &owner) : MONGO_NOT_FOUND;
	if (!r && verification_count(call, owner, verification->purpose) < USERS_MAILS_A_DAY)
		r = user_add_verification(call, owner, verification);
	if (r == MONGO_NOT_MATCHED) {
		/* Told already, or another mail came in between: then once more. */
		r = user_read(call, owner->id, &owner);
		for (size_t i = 0; !r && i < owner->n_verifications; i++)
			if (!strcmp(owner->verifications[i]->verification_id,
				    verification->verification_id))
				return user_set_stage(call, record, USER_RECORD_STAGE_REFUSED);
		return r ? r
		       : owner->stage == USER_RECORD_STAGE_REGISTERED
			       ? 0
			       : user_set_stage(call, record, USER_RECORD_STAGE_REFUSED);
	}
	/* An address without a user, such as the first administrator's, has nobody to be told. */
	return r && r != MONGO_NOT_FOUND ? r
					 : user_set_stage(call, record, USER_RECORD_STAGE_REFUSED);
}

static int forget_refusal(struct users_service *self, struct rpc_call *call, UserRecord *record)
{
	return user_remove(call, record);
}

static int sweep_stage(struct users_service *self, struct rpc_call *call, UserRecordStage stage,
		       int64_t age_ms, sweep_one *one)
{
	UserRecord **records;
	size_t n_records;
	int r;

	r = user_find_stage(call, stage, rpc_now_ms(call) - age_ms, &records, &n_records);
	for (size_t i = 0; !r && i < n_records; i++) {
		r = one(self, call, records[i]);
		if (r == MONGO_NOT_MATCHED || r == MONGO_NOT_FOUND)
			r = 0;
	}
	return r;
}

static int sweep_resets(struct users_service *self, struct rpc_call *call)
{
	ResetRequestRecord **requests;
	size_t n_requests;
	int r;

	r = reset_request_find(call, &requests, &n_requests);
	for (size_t i = 0; !r && i < n_requests; i++) {
		r = verification_serve_reset(self, call, requests[i]);
		if (!r)
			r = reset_request_remove(call, requests[i]);
	}
	return r;
}

int users_sweep(void *data, struct rpc_call *call)
{
	struct users_service *self = data;
	int r;

	if (!lease_take(call, "sweep", LEASE_MS))
		return 0;
	r = sweep_resets(self, call);
	if (!r)
		r = sweep_stage(self, call, USER_RECORD_STAGE_TAKEN, -1, tell_owner);
	if (!r)
		r = sweep_stage(self, call, USER_RECORD_STAGE_DELETING, 0, delete_credential);
	if (!r)
		r = sweep_stage(self, call, USER_RECORD_STAGE_REGISTERING, ABANDONED_MS,
				finish_registering);
	if (!r)
		r = sweep_stage(self, call, USER_RECORD_STAGE_REFUSED, REFUSED_KEPT_MS,
				forget_refusal);
	if (!r)
		r = user_sweep_answers(call);
	/* Auth is away: it will be tried again at the next turn. */
	return r == RPC_UNAVAILABLE ? 0 : r;
}
