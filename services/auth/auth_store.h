/* Auth's documents: credentials, roles, keys, the log. */
#pragma once

#include "auth.h"
#include <common/answers.h>
#include <common/mongo.h>

/* Credentials. Results are those of mongo.h; a deleted one is not found. */
int credential_read(struct rpc_call *call, const char *id, CredentialRecord **ret);
int credential_read_by_email(struct rpc_call *call, const char *email_key, CredentialRecord **ret);
int credential_insert(struct rpc_call *call, CredentialRecord *record,
		      const struct stored_answer *answer);
/* Writes what can change of it, if its version is still the one that was read. */
int credential_save(struct rpc_call *call, CredentialRecord *record);
/* After a good login, if nothing has ended the user's sessions meanwhile: MONGO_NOT_MATCHED. `hash`
 * NULL: as it is. */
int credential_note_login(struct rpc_call *call, const CredentialRecord *record, const char *hash);
/* The pending entry is done; a deleted credential goes. */
int credential_settle(struct rpc_call *call, const CredentialRecord *record);
int credential_find_pending(struct rpc_call *call, CredentialRecord ***ret, size_t *n_ret);
/* Who may manage accounts, that one apart. */
int credential_count_admins(struct rpc_call *call, const char *except, int64_t *ret);
int credential_answer(struct rpc_call *call, const char *id, const struct answers_key *key,
		      Credential **ret);
int credential_sweep_answers(struct rpc_call *call);

int role_read(struct rpc_call *call, const char *id, RoleRecord **ret);
int role_read_all(struct rpc_call *call, const char *const *names, size_t n_names,
		  RoleRecord ***ret, size_t *n_ret);
int role_page(struct rpc_call *call, const ListRolesRequest *req, ListRolesResponse *response,
	      RoleRecord ***ret, size_t *n_ret);
int role_insert(struct rpc_call *call, RoleRecord *record); /* MONGO_DUPLICATE */
int role_complete(struct rpc_call *call, const RoleRecord *record);
int role_save(struct rpc_call *call, RoleRecord *record);

/* Keys that sign, will sign, or whose tokens are not yet dead; the newest first. */
int key_read_all(struct rpc_call *call, SigningKeyRecord ***ret, size_t *n_ret);
int key_insert(struct rpc_call *call, SigningKeyRecord *record);
int key_retire(struct rpc_call *call, const SigningKeyRecord *record, int64_t expire_ms);

/* Once for each name; `event` may be NULL. */
int audit_insert(struct rpc_call *call, const AuditEvent *event, struct rpc_event *const *events);
int audit_page(struct rpc_call *call, const ListAuditEventsRequest *req, const bson_t *filter,
	       ListAuditEventsResponse *response, AuditRecord ***ret, size_t *n_ret);
