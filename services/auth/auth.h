/* Auth: sessions and their tokens, credentials, roles, the keys that sign, the log of it all. */
#pragma once

#include "auth.rpc.h"
#include "auth_store.msg.h"
#include <common/token.h>
#include <crpc/service.h>

struct session;
struct answers_key;

struct auth_service {
	int64_t access_ttl, session_ttl, guest_session_ttl, guest_token_ttl, refresh_grace;
	int64_t sessions_max; /* of one user */
	int64_t login_failures_max, lock_min, lock_max;
	int64_t key_rotation;
	const char *admin_email, *admin_password;
};
extern const struct auth_service_ops auth_service;

/* Ready as soon as there are roles, an administrator if one was asked for, and a key to sign with.
 * After mongo_module. */
extern const struct service_module auth_module;
extern struct auth_service *auth_module_service;
/* The same once, for tests. */
int auth_set_up(struct auth_service *self, struct rpc_call *call);

/*
 * The log. Each entry is written once, whoever writes it how often: its name is its id.
 */
AuditEvent *audit_event(struct rpc_call *call, AuditEventAction action, const char *user,
			const char *detail);
/* The event that a user's session is over; of a guest's there is none: NULL. */
struct rpc_event *audit_session_revoked(struct rpc_call *call, const struct session *session,
					const char *reason);

/*
 * Sessions (sessions.c).
 */
/* Ends the user's sessions that are of a lower epoch, and notes each in the log. */
int sessions_end_before(struct rpc_call *call, const char *user, int64_t epoch,
			const AuditEvent *cause, int32_t *n_ret);
/* Checks a password for a login or another proof, `record` NULL: of an unknown address. *ret:
 * whether it is right; LOGIN_LOCKED. Failures are counted and noted. Both kinds of failure do the
 * same work. */
int login_check(struct auth_service *self, struct rpc_call *call, const CredentialRecord *record,
		const char *email_key, const char *password, bool *ret);
int auth_create_guest_session(struct auth_service *self, struct rpc_call *call,
			      const CreateGuestSessionRequest *req, Session **ret);
int auth_create_session(struct auth_service *self, struct rpc_call *call,
			const CreateSessionRequest *req, Session **ret);
int auth_refresh_session(struct auth_service *self, struct rpc_call *call,
			 const RefreshSessionRequest *req, Session **ret);
int auth_get_session(struct auth_service *self, struct rpc_call *call, const GetSessionRequest *req,
		     Session **ret);
int auth_list_sessions(struct auth_service *self, struct rpc_call *call,
		       const ListSessionsRequest *req, ListSessionsResponse **ret);
int auth_delete_session(struct auth_service *self, struct rpc_call *call,
			const DeleteSessionRequest *req, Empty **ret);
int auth_revoke_sessions(struct auth_service *self, struct rpc_call *call,
			 const RevokeSessionsRequest *req, RevokeSessionsResponse **ret);

/*
 * Credentials (credentials.c).
 */
/* Addresses that go to the same mailbox are one: in lower case. */
const char *credential_email_key(struct rpc_call *call, const char *email);
/* Under what the failures of a login are counted: says nothing of the address. */
const char *credential_attempts_key(struct rpc_call *call, const char *email_key);
/*
 * A change of a credential: `edit` alters what was read, which is saved with its version in the
 * condition; then the entry goes into the log and the sessions that the change ended are ended.
 * Stopped after the save, the sweeper goes on. `edit` returns CREDENTIAL_SAME when there is nothing
 * to do.
 */
enum { CREDENTIAL_SAME = 280 };
struct credential_change {
	const char *user, *etag;
	int (*edit)(struct auth_service *self, struct rpc_call *call, CredentialRecord *record,
		    const void *data);
	const void *data;
	AuditEventAction action;
	const char *detail;
	const char *keep_session; /* goes on although the change ends sessions; "" or NULL: none */
};
int credential_change(struct auth_service *self, struct rpc_call *call,
		      const struct credential_change *change, CredentialRecord **ret,
		      int32_t *n_ended);
/* The same, answered with the credential as it is then. */
int credential_change_and_view(struct auth_service *self, struct rpc_call *call,
			       const struct credential_change *change, Credential **ret);
/* The credential with its failed logins. */
int credential_view(struct rpc_call *call, const CredentialRecord *record, Credential **ret);
int credential_not_found(struct rpc_call *call, const char *user); /* CREDENTIAL_NOT_FOUND */
/* Finishes the change that the record's pending entry stands for. */
int credential_finish(struct rpc_call *call, const CredentialRecord *record, int32_t *n_ended);
int credential_sweep(void *data, struct rpc_call *call);
/* Stores a new credential; MONGO_DUPLICATE as of mongo.h. */
int credential_create(struct rpc_call *call, const char *user, const char *email,
		      const char *password, const char *role, const struct answers_key *key,
		      CredentialRecord **ret);
int auth_change_password(struct auth_service *self, struct rpc_call *call,
			 const ChangePasswordRequest *req, Empty **ret);
int auth_create_credential(struct auth_service *self, struct rpc_call *call,
			   const CreateCredentialRequest *req, Credential **ret);
int auth_lookup_credential(struct auth_service *self, struct rpc_call *call,
			   const LookupCredentialRequest *req, Credential **ret);
int auth_reset_credential_password(struct auth_service *self, struct rpc_call *call,
				   const ResetCredentialPasswordRequest *req, Credential **ret);
int auth_delete_credential(struct auth_service *self, struct rpc_call *call,
			   const DeleteCredentialRequest *req, Empty **ret);

/*
 * What staff do to credentials (staff.c).
 */
int auth_get_credential(struct auth_service *self, struct rpc_call *call,
			const GetCredentialRequest *req, Credential **ret);
int auth_update_credential(struct auth_service *self, struct rpc_call *call,
			   const UpdateCredentialRequest *req, Credential **ret);
int auth_lock_credential(struct auth_service *self, struct rpc_call *call,
			 const LockCredentialRequest *req, Credential **ret);
int auth_unlock_credential(struct auth_service *self, struct rpc_call *call,
			   const UnlockCredentialRequest *req, Credential **ret);

/*
 * Roles (roles.c).
 */
int roles_set_up(struct rpc_call *call);
/* What these roles permit together, separated by spaces. */
int roles_scope(struct rpc_call *call, const char *const *roles, size_t n_roles, const char **ret);
/* ROLE_UNKNOWN. */
int roles_check(struct rpc_call *call, const char *const *roles, size_t n_roles);
int auth_list_roles(struct auth_service *self, struct rpc_call *call, const ListRolesRequest *req,
		    ListRolesResponse **ret);
int auth_update_role(struct auth_service *self, struct rpc_call *call, const UpdateRoleRequest *req,
		     Role **ret);

/*
 * Keys (keys.c).
 */
/* Reads the keys, makes one when it is time, and hands them to the authenticator. For
 * service_every(). */
int keys_tend(void *data, struct rpc_call *call);
bool keys_known(void);
int keys_sign(struct rpc_call *call, const struct token_claims *claims, const char **ret);
/* Guest tokens have a key of their own, which no service but this one takes. */
int keys_sign_guest(struct rpc_call *call, const struct token_claims *claims, const char **ret);
int keys_verify_guest(struct rpc_call *call, const char *token, struct token_claims *ret);
void keys_forget(void); /* for tests: as after a restart */
int keys_fetch(void *data, struct rpc_call *call, const char **json,
	       size_t *length); /* a token_fetch_function */
int auth_get_jwks(struct auth_service *self, struct rpc_call *call, const GetJwksRequest *req,
		  HttpBody **ret);
int auth_rotate_signing_key(struct auth_service *self, struct rpc_call *call,
			    const RotateSigningKeyRequest *req, RotateSigningKeyResponse **ret);
