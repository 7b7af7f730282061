/* Auth's documents. */
#include "auth_store.h"
#include <common/clock.h>
#include <common/names.h>
#include <common/page.h>
#include <string.h>

enum { AUDIT_KEPT_S = 366 * 24 * 3600, KEYS_MAX = 100 };

/*
 * Not sharded: an address is unique over all of them. It never changes, and is free when the
 * document is gone (a unique entry that an update should move would stay where it was on SecantusDB
 * 0.5.3-beta.193).
 */
static const struct mongo_index credentials_indexes[] = {
	{ "email_key", .unique = true },
	{ "pending_audit.name", .partial = MONGO_JSON({ "pending_audit.name" : { "$gt" : "" } }) },
	{ "credential.roles" },
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{},
};
MONGO_COLLECTION(credentials, .name = "credentials", .type = &CredentialRecord_descriptor,
		 .indexes = credentials_indexes);
MONGO_COLLECTION(roles, .name = "roles", .type = &RoleRecord_descriptor);

static const struct mongo_index keys_indexes[] = { { "expire_time", .ttl_seconds = -1 }, {} };
MONGO_COLLECTION(keys, .name = "keys", .type = &SigningKeyRecord_descriptor,
		 .indexes = keys_indexes);

/* Sharded by _id. */
static const struct mongo_index audit_indexes[] = {
	{ "-audit_event.create_time -_id" },
	{ "audit_event.user -audit_event.create_time -_id" },
	{ "audit_event.action -audit_event.create_time -_id" },
	{ "audit_event.create_time", .ttl_seconds = AUDIT_KEPT_S },
	{},
};
MONGO_COLLECTION(audit, .name = "audit", .type = &AuditRecord_descriptor, .indexes = audit_indexes,
		 .outbox = true);

/*
 * Credentials
 */

int credential_read(struct rpc_call *call, const char *id, CredentialRecord **ret)
{
	return mongo_find_one(call, &credentials, ret,
			      .filter =
				      DOC(call, "_id", BCON_UTF8(id), "deleted", BCON_BOOL(false)));
}

int credential_read_by_email(struct rpc_call *call, const char *email_key, CredentialRecord **ret)
{
	return mongo_find_one(call, &credentials, ret,
			      .filter = DOC(call, "email_key", BCON_UTF8(email_key), "deleted",
					    BCON_BOOL(false)));
}

int credential_insert(struct rpc_call *call, CredentialRecord *record,
		      const struct stored_answer *answer)
{
	record->schema_version = 1;
	record->version = 1;
	return mongo_insert(call, &credentials, record, .answer = answer);
}

int credential_save(struct rpc_call *call, CredentialRecord *record)
{
	static const char *const of_credential[] = { "roles", "state", "password_time", NULL };
	static const char *const of_record[] = { "email_key",     "password_hash", "session_epoch",
						 "pending_audit", "deleted",       NULL };
	const bson_t *set = document_join(
		call, document_of_fields(call, "credential.", record->credential, of_credential),
		document_of_fields(call, "", record, of_record));
	int r;

	r = mongo_update(call, &credentials, .id = record->id,
			 .filter = DOC(call, "version", BCON_INT64(record->version)),
			 .update = DOC(call, "$set", BCON_DOCUMENT(set)));
	if (!r)
		record->version++;
	return r;
}

int credential_note_login(struct rpc_call *call, const CredentialRecord *record, const char *hash)
{
	return mongo_update(call, &credentials, .id = record->id, .keep_version = true,
			    .filter = DOC(call, "session_epoch", BCON_INT64(record->session_epoch),
					  "deleted", BCON_BOOL(false), "credential.state",
					  BCON_UTF8("ACTIVE")),
			    .update = DOC(call, "$set", "{", "credential.login_time",
					  BCON_DATE_TIME(rpc_now_ms(call)), "password_hash",
					  BCON_UTF8(hash ? hash : record->password_hash), "}"));
}

int credential_settle(struct rpc_call *call, const CredentialRecord *record)
{
	const bson_t *pending =
		DOC(call, "pending_audit.name", BCON_UTF8(record->pending_audit->name));
	int r;

	if (record->deleted)
		r = mongo_delete(call, &credentials, record->id, pending);
	else
		r = mongo_update(
			call, &credentials, .id = record->id, .keep_version = true,
			.filter = pending,
			.update = DOC(call, "$unset", "{", "pending_audit", BCON_UTF8(""), "}"));
	return r == MONGO_NOT_MATCHED ? 0 : r; /* somebody else has */
}

int credential_find_pending(struct rpc_call *call, CredentialRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &credentials, ret, n_ret, .limit = 50,
			  .filter =
				  DOC(call, "pending_audit.name", "{", "$gt", BCON_UTF8(""), "}"));
}

int credential_count_admins(struct rpc_call *call, const char *except, int64_t *ret)
{
	return mongo_count(call, &credentials,
			   DOC(call, "credential.roles", BCON_UTF8("roles/admin"), "deleted",
			       BCON_BOOL(false), "credential.state", BCON_UTF8("ACTIVE"), "_id",
			       "{", "$ne", BCON_UTF8(except), "}"),
			   1, ret);
}

int credential_answer(struct rpc_call *call, const char *id, const struct answers_key *key,
		      Credential **ret)
{
	return answers_repeat(call, &credentials, id, key, &Credential_descriptor, ret);
}

int credential_sweep_answers(struct rpc_call *call)
{
	return answers_sweep(call, &credentials);
}

/*
 * Roles
 */

static const char *const role_fields[] = { "display_name", "permissions", NULL };

int role_read(struct rpc_call *call, const char *id, RoleRecord **ret)
{
	return mongo_get(call, &roles, id, ret);
}

int role_read_all(struct rpc_call *call, const char *const *names, size_t n_names,
		  RoleRecord ***ret, size_t *n_ret)
{
	return mongo_find(
		call, &roles, ret, n_ret,
		.filter = DOC(call, "_id", BCON_DOCUMENT(document_in_ids(call, names, n_names))));
}

int role_page(struct rpc_call *call, const ListRolesRequest *req, ListRolesResponse *response,
	      RoleRecord ***ret, size_t *n_ret)
{
	ListRolesRequest sized = *req;

	if (!sized.page_size)
		sized.page_size = PAGE_SIZE_MAX;
	return page_list(call, &roles, &sized, ret, n_ret, &response->next_page_token);
}

int role_insert(struct rpc_call *call, RoleRecord *record)
{
	record->schema_version = 1;
	return mongo_insert(call, &roles, record);
}

int role_complete(struct rpc_call *call, const RoleRecord *record)
{
	bson_t *each = document_of_field(call, "$each", record->role, "permissions");
	int r;

	r = mongo_update(call, &roles, .id = record->id, .keep_version = true,
			 .update = DOC(call, "$addToSet", "{", "role.permissions",
				       BCON_DOCUMENT(each), "}"));
	return r == MONGO_NOT_MATCHED ? 0 : r;
}

int role_save(struct rpc_call *call, RoleRecord *record)
{
	int r;

	r = mongo_update(call, &roles, .id = record->id,
			 .filter = DOC(call, "version", BCON_INT64(record->version)),
			 .update = DOC(call, "$set",
				       BCON_DOCUMENT(document_of_fields(call, "role.", record->role,
									role_fields))));
	if (!r)
		record->version++;
	return r;
}

/*
 * Keys
 */

int key_read_all(struct rpc_call *call, SigningKeyRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &keys, ret, n_ret, .limit = KEYS_MAX,
			  .sort = DOC(call, "sign_time", BCON_INT32(-1), "_id", BCON_INT32(-1)),
			  .filter = DOC(call, "$or", "[", "{", "expire_time", "{", "$exists",
					BCON_BOOL(false), "}", "}", "{", "expire_time", "{", "$gt",
					BCON_DATE_TIME(rpc_now_ms(call)), "}", "}", "]"));
}

int key_insert(struct rpc_call *call, SigningKeyRecord *record)
{
	record->schema_version = 1;
	return mongo_insert(call, &keys, record);
}

int key_retire(struct rpc_call *call, const SigningKeyRecord *record, int64_t expire_ms)
{
	int r;

	r = mongo_update(
		call, &keys, .id = record->id, .keep_version = true,
		.filter = DOC(call, "expire_time", "{", "$exists", BCON_BOOL(false), "}"),
		.update = DOC(call, "$set", "{", "expire_time", BCON_DATE_TIME(expire_ms), "}"));
	return r == MONGO_NOT_MATCHED ? 0 : r;
}

/*
 * The log
 */

int audit_insert(struct rpc_call *call, const AuditEvent *event, struct rpc_event *const *events)
{
	AuditRecord *record = rpc_new(call, AuditRecord, .id = name_id(event->name),
				      .audit_event = (AuditEvent *)event, .schema_version = 1);
	int r;

	r = mongo_insert(call, &audit, record, .events = events);
	return r == MONGO_DUPLICATE ? 0 : r;
}

int audit_page(struct rpc_call *call, const ListAuditEventsRequest *req, const bson_t *filter,
	       ListAuditEventsResponse *response, AuditRecord ***ret, size_t *n_ret)
{
	return page_list(call, &audit, req, ret, n_ret, &response->next_page_token,
			 .filter = filter, .sort = "-audit_event.create_time");
}
