/* Proofs by mail: asking for one, the token that goes into it, and what the token proves. */
#include "users_store.h"
#include <common/clock.h>
#include <common/names.h>
#include <common/secrets.h>
#include <crpc/id.h>
#include <sodium.h>
#include <string.h>

/*
 * A verification is asked for, and its event carries no more than its name. When the mail is about
 * to be sent notification asks for a token, whose hash is stored; another asking makes another and
 * voids the first. So:
 *
 *     a token is good only for the newest verification of its purpose, until it expires, once
 *     what is stored, logged and published opens nothing
 *
 * A token is `<user>.<verification>.<secret>`.
 */

enum { SECRET_SIZE = 32, SECRET_TEXT = 43, DAY_MS = 24 * 3600 * 1000 };

UserRecordVerification *verification_new(struct users_service *self, struct rpc_call *call,
					 UserRecordVerificationPurpose purpose)
{
	return rpc_new(call, UserRecordVerification, .verification_id = rpc_id_new(call),
		       .purpose = purpose, .create_time = clock_now(call),
		       .expire_time =
			       clock_timestamp(call, rpc_now_ms(call) + self->mail_delay_max));
}

const char *verification_name(struct rpc_call *call, const UserRecord *record,
			      const UserRecordVerification *verification)
{
	return name_join(call, record->user->name, "verifications", verification->verification_id);
}

int verification_count(struct rpc_call *call, const UserRecord *record,
		       UserRecordVerificationPurpose purpose)
{
	int n = 0;

	for (size_t i = 0; i < record->n_verifications; i++)
		n += record->verifications[i]->purpose == purpose &&
		     clock_ms(record->verifications[i]->create_time) + DAY_MS > rpc_now_ms(call);
	return n;
}

/*
 * Tokens
 */

static ProtobufCBinaryData
hash_secret(struct rpc_call *call, const UserRecordVerification *verification, const char *secret)
{
	const char *text = rpc_printf(call, "%s.%s", verification->verification_id, secret);
	uint8_t key[32], *mac = rpc_alloc(call, crypto_auth_hmacsha256_BYTES);

	secret_derive("verification token", key);
	crypto_auth_hmacsha256(mac, (const uint8_t *)text, strlen(text), key);
	sodium_memzero(key, sizeof(key));
	return (ProtobufCBinaryData){ .data = mac, .len = crypto_auth_hmacsha256_BYTES };
}

/* The verification, if no newer one of its purpose has replaced it. */
static UserRecordVerification *find(const UserRecord *record, const char *id)
{
	UserRecordVerification *found = NULL;

	for (size_t i = 0; i < record->n_verifications; i++) {
		UserRecordVerification *verification = record->verifications[i];

		if (!strcmp(verification->verification_id, id))
			found = verification;
		else if (found && verification->purpose == found->purpose &&
			 found->purpose != USER_RECORD_VERIFICATION_PURPOSE_REGISTRATION_REPEATED)
			return NULL;
	}
	return found;
}

static int token_invalid(struct rpc_call *call)
{
	return rpc_fail(call, VERIFICATION_TOKEN_INVALID);
}

/* Whose the token is and which verification it fits, used already or not;
 * VERIFICATION_TOKEN_INVALID. */
static int read_token(struct rpc_call *call, const char *token,
		      UserRecordVerificationPurpose purpose, UserRecord **ret,
		      UserRecordVerification **ret_verification)
{
	const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;
	UserRecordVerification *verification;
	ProtobufCBinaryData hash;
	UserRecord *record;
	int r;

	if (!second || strlen(second + 1) != SECRET_TEXT)
		return token_invalid(call);
	r = user_read(call, arena_strndup(rpc_arena(call), token, (size_t)(first - token)),
		      &record);
	if (r == MONGO_NOT_FOUND || (!r && record->stage != USER_RECORD_STAGE_REGISTERED))
		return token_invalid(call);
	if (r)
		return r;
	verification = find(
		record, arena_strndup(rpc_arena(call), first + 1, (size_t)(second - first - 1)));
	if (!verification || verification->purpose != purpose ||
	    clock_ms(verification->expire_time) <= rpc_now_ms(call))
		return token_invalid(call);
	hash = hash_secret(call, verification, second + 1);
	if (verification->token_hash.len != hash.len ||
	    sodium_memcmp(verification->token_hash.data, hash.data, hash.len))
		return token_invalid(call);
	*ret = record;
	*ret_verification = verification;
	return 0;
}

int users_issue_verification_token(struct users_service *self, struct rpc_call *call,
				   const IssueVerificationTokenRequest *req,
				   IssueVerificationTokenResponse **ret)
{
	IssueVerificationTokenResponse *response = rpc_new(call, IssueVerificationTokenResponse);
	UserRecordVerification *verification = NULL;
	char secret[2 * SECRET_TEXT];
	UserRecord *record;
	int64_t ttl;
	int r;

	r = user_read(call, name_parent_id(call, req->name), &record);
	if (!r && record->stage == USER_RECORD_STAGE_REGISTERED)
		verification = find(record, name_id(req->name));
	if (r && r != MONGO_NOT_FOUND)
		return r;
	if (!verification || verification->use_time ||
	    clock_ms(verification->expire_time) <= rpc_now_ms(call))
		return rpc_fail(call, VERIFICATION_NOT_FOUND, { "verification", req->name });

	response->user = users_view(call, record);
	response->expire_time = verification->expire_time;
	if (verification->purpose != USER_RECORD_VERIFICATION_PURPOSE_REGISTRATION_REPEATED) {
		ttl = verification->purpose == USER_RECORD_VERIFICATION_PURPOSE_EMAIL
			      ? self->email_token_ttl
			      : self->reset_token_ttl;
		secret_random(SECRET_SIZE, secret);
		verification->token_hash = hash_secret(call, verification, secret);
		verification->expire_time = response->expire_time =
			clock_timestamp(call, rpc_now_ms(call) + ttl);
		response->token = rpc_printf(call, "%s.%s.%s", record->id,
					     verification->verification_id, secret);
		r = user_set_token(call, record->id, verification);
		if (r == MONGO_NOT_MATCHED)
			return rpc_fail(call, VERIFICATION_NOT_FOUND,
					{ "verification", req->name });
		if (r)
			return r;
	}
	*ret = response;
	return 0;
}

/*
 * Addresses
 */

int users_request_email_verification(struct users_service *self, struct rpc_call *call,
				     const RequestEmailVerificationRequest *req, Empty **ret)
{
	UserRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = users_find(call, req->name, &record);
		if (r)
			return r;
		if (record->user->email_verified)
			return rpc_fail(call, EMAIL_ALREADY_VERIFIED);
		if (verification_count(call, record, USER_RECORD_VERIFICATION_PURPOSE_EMAIL) >=
		    USERS_MAILS_A_DAY)
			return rpc_fail(call, VERIFICATION_TOO_OFTEN,
					{ "max", rpc_printf(call, "%d", USERS_MAILS_A_DAY) });
		r = user_add_verification(
			call, record,
			verification_new(self, call, USER_RECORD_VERIFICATION_PURPOSE_EMAIL));
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

int users_verify_email(struct users_service *self, struct rpc_call *call,
		       const VerifyEmailRequest *req, VerifyEmailResponse **ret)
{
	UserRecordVerification *verification;
	UserRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, "users/-"));) {
		r = read_token(call, req->token, USER_RECORD_VERIFICATION_PURPOSE_EMAIL, &record,
			       &verification);
		if (r)
			return r;
		/* A repeat by the same token has nothing to do. */
		if (!verification->use_time)
			r = user_mark_verified(call, record, verification);
		if (r == MONGO_NOT_MATCHED)
			continue;
		if (!r)
			*ret = rpc_new(call, VerifyEmailResponse, .user = record->user->name);
		return r;
	}
	return r;
}

/*
 * Passwords
 */

int users_request_password_reset(struct users_service *self, struct rpc_call *call,
				 const RequestPasswordResetRequest *req, Empty **ret)
{
	int r;

	r = reset_request_insert(call, req->email);
	if (!r && self->wake)
		self->wake();
	return r;
}

int verification_serve_reset(struct users_service *self, struct rpc_call *call,
			     const ResetRequestRecord *request)
{
	const UserRecordVerificationPurpose purpose =
		USER_RECORD_VERIFICATION_PURPOSE_PASSWORD_RESET;
	Credential *credential;
	UserRecord *record;
	int r;

	r = auth_client_lookup_credential(self->auth, call,
					  MSG(LookupCredentialRequest,
					      .key_case = LOOKUP_CREDENTIAL_REQUEST_KEY_EMAIL,
					      .email = request->email),
					  &credential);
	if (r && rpc_failed_with(call, CREDENTIAL_NOT_FOUND)) {
		rpc_error_clear(call);
		return 0;
	}
	if (r)
		return r;
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, credential->user));) {
		r = user_read(call, name_id(credential->user), &record);
		if (r == MONGO_NOT_FOUND || (!r && record->stage != USER_RECORD_STAGE_REGISTERED))
			return 0;
		if (r)
			return r;
		if (verification_count(call, record, purpose) >= USERS_MAILS_A_DAY)
			return 0;
		r = user_add_verification(call, record, verification_new(self, call, purpose));
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

/* Who resets by mail has the address. */
static int note_verified(struct rpc_call *call, UserRecord *record)
{
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, record->user->name));) {
		r = user_read(call, record->id, &record);
		if (!r &&
		    (record->user->email_verified || record->stage != USER_RECORD_STAGE_REGISTERED))
			return 0;
		if (!r)
			r = user_mark_verified(call, record, NULL);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

int users_reset_password(struct users_service *self, struct rpc_call *call,
			 const ResetPasswordRequest *req, Empty **ret)
{
	UserRecordVerification *verification;
	Credential *credential;
	UserRecord *record;
	int r;

	r = read_token(call, req->token, USER_RECORD_VERIFICATION_PURPOSE_PASSWORD_RESET, &record,
		       &verification);
	if (r)
		return r;
	if (verification->use_time)
		return token_invalid(call);
	/* First it is used, so that of two who have it one sets the password. */
	r = user_use_token(call, record->id, verification);
	if (r == MONGO_NOT_MATCHED)
		return token_invalid(call);
	if (r)
		return r;
	r = auth_client_reset_credential_password(self->auth, call,
						  MSG(ResetCredentialPasswordRequest,
						      .user = record->user->name,
						      .new_password = req->password),
						  &credential);
	if (r) {
		ProtobufCBinaryData status = rpc_error_status(call);

		/* Refused, or nobody knows: it can be tried again. */
		if (user_restore_token(call, record->id, verification))
			log_warning(call, "a token that was not used could not be restored",
				    { "user", record->user->name });
		return rpc_fail_status(call, r, status);
	}
	return note_verified(call, record);
}
