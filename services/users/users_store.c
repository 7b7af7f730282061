/* Users' documents. */
#include "users_store.h"
#include "users_events.ev.h"
#include <common/clock.h>
#include <common/names.h>
#include <common/page.h>
#include <common/secrets.h>
#include <ctype.h>
#include <sodium.h>
#include <string.h>

enum { SWEEP_MAX = 50 };

/* Sharded by _id. Staff look by address across shards; who logs in is found by auth. */
static const struct mongo_index users_indexes[] = {
	{ "stage -user.create_time -_id" },
	{ "stage user.update_time" },
	{ "email_key" },
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{},
};
MONGO_COLLECTION(users, .name = "users", .type = &UserRecord_descriptor, .indexes = users_indexes,
		 .outbox = true);
MONGO_COLLECTION(reset_requests, .name = "reset_requests", .type = &ResetRequestRecord_descriptor);

const char *user_email_key(struct rpc_call *call, const char *email)
{
	char *key = rpc_strdup(call, email);

	for (char *at = key; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return key;
}

static const char *stage_name(UserRecordStage stage)
{
	return document_enum(&UserRecordStage_descriptor, (int)stage);
}

/* The version that the event tells is the one after the change. */
#define USER_EVENT(call, record, Type, function)                                                   \
	({                                                                                         \
		souk_users_v1_##Type event_;                                                       \
		memset(&event_, 0, sizeof(event_));                                                \
		event_text(event_.user, (record)->user->name);                                     \
		event_.version = (record)->version + 1;                                            \
		function((call), &event_);                                                         \
	})

#define MAIL_EVENT(call, record, verification, Type, function)                                     \
	({                                                                                         \
		souk_users_v1_##Type event_;                                                       \
		memset(&event_, 0, sizeof(event_));                                                \
		event_text(event_.user, (record)->user->name);                                     \
		event_text(event_.verification,                                                    \
			   verification_name((call), (record), (verification)));                   \
		function((call), &event_);                                                         \
	})

/* What makes notification send the mail. */
static struct rpc_event *mail_event(struct rpc_call *call, const UserRecord *record,
				    const UserRecordVerification *verification)
{
	switch (verification->purpose) {
	case USER_RECORD_VERIFICATION_PURPOSE_EMAIL:
		return MAIL_EVENT(call, record, verification, EmailVerificationRequested,
				  users_event_email_verification_requested);
	case USER_RECORD_VERIFICATION_PURPOSE_PASSWORD_RESET:
		return MAIL_EVENT(call, record, verification, PasswordResetRequested,
				  users_event_password_reset_requested);
	default:
		return MAIL_EVENT(call, record, verification, RegistrationRepeated,
				  users_event_registration_repeated);
	}
}

static const bson_t *at_version(struct rpc_call *call, const UserRecord *record, const bson_t *more)
{
	const bson_t *filter = DOC(call, "version", BCON_INT64(record->version), "stage",
				   BCON_UTF8(stage_name(record->stage)));

	return more ? document_join(call, filter, more) : filter;
}

static int count_up(UserRecord *record, int r)
{
	if (!r)
		record->version++;
	return r;
}

/*
 * Reading
 */

int user_read(struct rpc_call *call, const char *id, UserRecord **ret)
{
	return mongo_get(call, &users, id, ret);
}

int user_answer(struct rpc_call *call, const char *id, const struct answers_key *key, User **ret)
{
	return answers_repeat(call, &users, id, key, &User_descriptor, ret);
}

int user_page(struct rpc_call *call, const ListUsersRequest *req, const bson_t *filter,
	      ListUsersResponse *response, UserRecord ***ret, size_t *n_ret)
{
	return page_list(
		call, &users, req, ret, n_ret, &response->next_page_token,
		.sort = "-user.create_time",
		.filter = document_join(call, DOC(call, "stage", BCON_UTF8("REGISTERED")), filter));
}

int user_find_stage(struct rpc_call *call, UserRecordStage stage, int64_t before_ms,
		    UserRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &users, ret, n_ret, .limit = SWEEP_MAX,
			  .filter = DOC(call, "stage", BCON_UTF8(stage_name(stage)),
					"user.update_time", "{", "$lt", BCON_DATE_TIME(before_ms),
					"}"));
}

/*
 * Registering and deleting
 */

int user_insert(struct rpc_call *call, UserRecord *record)
{
	record->version = 1;
	record->schema_version = 1;
	return mongo_insert(call, &users, record);
}

int user_touch(struct rpc_call *call, UserRecord *record)
{
	int r;

	r = mongo_update(call, &users, .id = record->id, .filter = at_version(call, record, NULL),
			 .update = DOC(call, "$set", "{", "user.update_time",
				       BCON_DATE_TIME(rpc_now_ms(call)), "}"));
	return count_up(record, r);
}

int user_register(struct rpc_call *call, UserRecord *record,
		  const UserRecordVerification *verification, const struct stored_answer *answer)
{
	int r;

	r = mongo_update(call, &users, .id = record->id, .filter = at_version(call, record, NULL),
			 .update = DOC(call, "$set", "{", "stage", BCON_UTF8("REGISTERED"), "}",
				       "$push", "{", "verifications",
				       BCON_DOCUMENT(document_of(call, verification)), "}"),
			 .events = EVENTS(USER_EVENT(call, record, UserRegistered,
						     users_event_user_registered),
					  mail_event(call, record, verification)),
			 .answer = answer);
	if (!r)
		record->stage = USER_RECORD_STAGE_REGISTERED;
	return count_up(record, r);
}

int user_refuse(struct rpc_call *call, UserRecord *record, const struct stored_answer *answer)
{
	int r;

	r = mongo_update(call, &users, .id = record->id, .filter = at_version(call, record, NULL),
			 .update = DOC(call, "$set", "{", "stage", BCON_UTF8("TAKEN"), "}"),
			 .answer = answer);
	if (!r)
		record->stage = USER_RECORD_STAGE_TAKEN;
	return count_up(record, r);
}

/* All of a person's that is not the name. */
static const bson_t *bare(struct rpc_call *call, const UserRecord *record, UserRecordStage stage)
{
	UserRecord *left = rpc_new(call, UserRecord, .stage = stage);
	static const char *const fields[] = { "user",  "addresses", "verifications",
					      "stage", "email_key", NULL };

	left->user =
		rpc_new(call, User, .name = record->user->name,
			.create_time = record->user->create_time, .update_time = clock_now(call));
	return document_of_fields(call, "", left, fields);
}

int user_erase(struct rpc_call *call, UserRecord *record)
{
	static const char *const answers[] = { "answers", NULL };
	const bson_t *none = document_of_fields(call, "", rpc_new(call, UserRecord), answers);
	int r;

	r = mongo_update(
		call, &users, .id = record->id, .filter = at_version(call, record, NULL),
		.update = DOC(call, "$set",
			      BCON_DOCUMENT(document_join(
				      call, bare(call, record, USER_RECORD_STAGE_DELETING), none))),
		.events = EVENTS(USER_EVENT(call, record, UserDeleted, users_event_user_deleted)));
	if (!r)
		record->stage = USER_RECORD_STAGE_DELETING;
	return count_up(record, r);
}

int user_set_stage(struct rpc_call *call, const UserRecord *record, UserRecordStage stage)
{
	return mongo_update(call, &users, .id = record->id,
			    .filter = at_version(call, record, NULL),
			    .update = DOC(call, "$set", BCON_DOCUMENT(bare(call, record, stage))));
}

int user_remove(struct rpc_call *call, const UserRecord *record)
{
	return mongo_delete(call, &users, record->id, at_version(call, record, NULL));
}

int user_sweep_answers(struct rpc_call *call)
{
	return answers_sweep(call, &users);
}

/*
 * Profiles
 */

int user_save_profile(struct rpc_call *call, UserRecord *record)
{
	static const char *const fields[] = { "display_name",
					      "phone",
					      "language_code",
					      "default_shipping_address",
					      "default_billing_address",
					      "update_time",
					      NULL };
	int r;

	r = mongo_update(
		call, &users, .id = record->id, .filter = at_version(call, record, NULL),
		.update =
			DOC(call, "$set",
			    BCON_DOCUMENT(document_of_fields(call, "user.", record->user, fields))),
		.events = EVENTS(USER_EVENT(call, record, UserUpdated, users_event_user_updated)));
	return count_up(record, r);
}

/*
 * Proofs by mail
 */

static bson_t *verification_where(struct rpc_call *call, const UserRecordVerification *verification,
				  const bson_t *more)
{
	const bson_t *is = DOC(call, "verification_id", BCON_UTF8(verification->verification_id));

	return DOC(call, "verifications", "{", "$elemMatch",
		   BCON_DOCUMENT(more ? document_join(call, is, more) : is), "}");
}

static const bson_t *unused(struct rpc_call *call)
{
	return DOC(call, "use_time", "{", "$exists", BCON_BOOL(false), "}");
}

static const bson_t *with_token(struct rpc_call *call, const UserRecordVerification *verification)
{
	return document_join(call,
			     document_of_field(call, "token_hash", verification, "token_hash"),
			     unused(call));
}

int user_mark_verified(struct rpc_call *call, UserRecord *record,
		       const UserRecordVerification *verification)
{
	const bson_t *set = DOC(call, "user.email_verified", BCON_BOOL(true), "user.update_time",
				BCON_DATE_TIME(rpc_now_ms(call)));
	const bson_t *where = NULL;
	int r;

	if (verification) {
		where = verification_where(call, verification, with_token(call, verification));
		set = document_join(
			call, set,
			DOC(call, "verifications.$.use_time", BCON_DATE_TIME(rpc_now_ms(call))));
	}
	r = mongo_update(
		call, &users, .id = record->id, .filter = at_version(call, record, where),
		.update = DOC(call, "$set", BCON_DOCUMENT(set)),
		.events = EVENTS(USER_EVENT(call, record, UserUpdated, users_event_user_updated)));
	return count_up(record, r);
}

int user_add_verification(struct rpc_call *call, const UserRecord *record,
			  const UserRecordVerification *verification)
{
	size_t n = record->n_verifications;
	const char *next = rpc_printf(call, "verifications.%zu", n);
	const bson_t *filter = DOC(call, "stage", BCON_UTF8("REGISTERED"), next, "{", "$exists",
				   BCON_BOOL(false), "}", "verifications.verification_id", "{",
				   "$ne", BCON_UTF8(verification->verification_id), "}");

	/* The last one is still the last: so that the count of a day is of all that there are. */
	if (n)
		filter = document_join(
			call, filter,
			DOC(call, rpc_printf(call, "verifications.%zu.verification_id", n - 1),
			    BCON_UTF8(record->verifications[n - 1]->verification_id)));
	return mongo_update(call, &users, .id = record->id, .filter = filter,
			    .update = DOC(call, "$push", "{", "verifications", "{", "$each", "[",
					  BCON_DOCUMENT(document_of(call, verification)), "]",
					  "$slice", BCON_INT32(-USERS_VERIFICATIONS_MAX), "}", "}"),
			    .events = EVENTS(mail_event(call, record, verification)));
}

int user_set_token(struct rpc_call *call, const char *id,
		   const UserRecordVerification *verification)
{
	static const char *const fields[] = { "token_hash", "expire_time", NULL };

	return mongo_update(call, &users, .id = id, .keep_version = true,
			    .filter = verification_where(call, verification, unused(call)),
			    .update = DOC(call, "$set",
					  BCON_DOCUMENT(document_of_fields(call, "verifications.$.",
									   verification, fields))));
}

int user_use_token(struct rpc_call *call, const char *id,
		   const UserRecordVerification *verification)
{
	return mongo_update(
		call, &users, .id = id, .keep_version = true,
		.filter = verification_where(call, verification, with_token(call, verification)),
		.update = DOC(call, "$set", "{", "verifications.$.use_time",
			      BCON_DATE_TIME(rpc_now_ms(call)), "}"));
}

int user_restore_token(struct rpc_call *call, const char *id,
		       const UserRecordVerification *verification)
{
	return mongo_update(
		call, &users, .id = id, .keep_version = true,
		.filter = verification_where(call, verification, NULL),
		.update = DOC(call, "$unset", "{", "verifications.$.use_time", BCON_UTF8(""), "}"));
}

/*
 * The address book
 */

static const bson_t *address_where(struct rpc_call *call, const UserAddress *address,
				   const char *etag)
{
	return DOC(call, "addresses", "{", "$elemMatch", "{", "name", BCON_UTF8(address->name),
		   "etag", BCON_UTF8(etag), "}", "}");
}

int user_add_address(struct rpc_call *call, const UserRecord *record, const UserAddress *address,
		     const struct stored_answer *answer)
{
	const char *beyond = rpc_printf(call, "addresses.%d", USERS_ADDRESSES_MAX - 1);

	return mongo_update(call, &users, .id = record->id, .keep_version = true,
			    .filter = DOC(call, "stage", BCON_UTF8("REGISTERED"), beyond, "{",
					  "$exists", BCON_BOOL(false), "}", "addresses.name", "{",
					  "$ne", BCON_UTF8(address->name), "}"),
			    .update = DOC(call, "$push", "{", "addresses",
					  BCON_DOCUMENT(document_of(call, address)), "}"),
			    .answer = answer);
}

int user_save_address(struct rpc_call *call, const UserRecord *record, const UserAddress *address,
		      const char *etag)
{
	return mongo_update(call, &users, .id = record->id, .keep_version = true,
			    .filter = address_where(call, address, etag),
			    .update = DOC(call, "$set", "{", "addresses.$",
					  BCON_DOCUMENT(document_of(call, address)), "}"));
}

int user_remove_address(struct rpc_call *call, UserRecord *record, const UserAddress *address)
{
	static const char *const fields[] = { "default_shipping_address", "default_billing_address",
					      NULL };
	int r;

	r = mongo_update(
		call, &users, .id = record->id,
		.filter = at_version(call, record, address_where(call, address, address->etag)),
		.update =
			DOC(call, "$set",
			    BCON_DOCUMENT(document_of_fields(call, "user.", record->user, fields)),
			    "$pull", "{", "addresses", "{", "name", BCON_UTF8(address->name), "}",
			    "}"));
	return count_up(record, r);
}

/*
 * Mails that were asked for
 */

int reset_request_insert(struct rpc_call *call, const char *email)
{
	const char *email_key = user_email_key(call, email);
	uint8_t key[32], mac[crypto_auth_hmacsha256_BYTES];
	char id[2 * sizeof(mac) + 1];
	ResetRequestRecord *record = rpc_new(call, ResetRequestRecord, .email = email_key,
					     .create_time = clock_now(call), .schema_version = 1);
	int r;

	secret_derive("reset request", key);
	crypto_auth_hmacsha256(mac, (const uint8_t *)email_key, strlen(email_key), key);
	sodium_memzero(key, sizeof(key));
	record->id = sodium_bin2hex(id, sizeof(id), mac, sizeof(mac));
	r = mongo_insert(call, &reset_requests, record);
	return r == MONGO_DUPLICATE ? 0 : r;
}

int reset_request_find(struct rpc_call *call, ResetRequestRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &reset_requests, ret, n_ret, .limit = SWEEP_MAX);
}

int reset_request_remove(struct rpc_call *call, const ResetRequestRecord *record)
{
	int r;

	r = mongo_delete(call, &reset_requests, record->id, NULL);
	return r == MONGO_NOT_MATCHED ? 0 : r;
}
