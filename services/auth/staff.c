/* What staff do to credentials: see them, give and take roles, lock. */
#include "auth_store.h"
#include <common/lease.h>
#include <common/mask.h>
#include <common/names.h>
#include <pthread.h>
#include <string.h>

enum { LEASE_MS = 30 * 1000 };

int auth_get_credential(struct auth_service *self, struct rpc_call *call,
			const GetCredentialRequest *req, Credential **ret)
{
	const char *id = name_parent_id(call, req->name);
	CredentialRecord *record;
	int r;

	r = credential_read(call, id, &record);
	if (r == MONGO_NOT_FOUND)
		return credential_not_found(call, name_of(call, "users", id));
	return r ? r : credential_view(call, record, ret);
}

static bool has_role(const Credential *credential, const char *role)
{
	for (size_t i = 0; i < credential->n_roles; i++)
		if (!strcmp(credential->roles[i], role))
			return true;
	return false;
}

/*
 * Somebody must stay who may manage accounts. Two who take it from each other at once would both
 * find the other: so these changes come one after another, here by the mutex and among replicas by
 * the lease.
 */
static pthread_mutex_t admins_lock = PTHREAD_MUTEX_INITIALIZER;

static int take_admin(struct auth_service *self, struct rpc_call *call,
		      const CredentialRecord *record)
{
	int64_t n;
	int r;

	if (!has_role(record->credential, "roles/admin"))
		return 0;
	r = credential_count_admins(call, record->id, &n);
	return r || n ? r : rpc_fail(call, LAST_ADMIN);
}

struct locked_change {
	struct auth_service *self;
	const struct credential_change *change;
	Credential **ret;
};

static int change_locked(void *data, struct rpc_call *call)
{
	const struct locked_change *locked = data;

	return credential_change_and_view(locked->self, call, locked->change, locked->ret);
}

static int change_one_by_one(struct auth_service *self, struct rpc_call *call,
			     const struct credential_change *change, Credential **ret)
{
	struct locked_change locked = { self, change, ret };
	int r;

	pthread_mutex_lock(&admins_lock);
	if (lease_take(call, "admins", LEASE_MS)) {
		/* A full arena must not leave the lock taken. */
		r = rpc_call_run(call, change_locked, &locked);
		lease_release(call, "admins");
	} else {
		r = rpc_fail_code(call, RPC_ABORTED,
				  "Somebody else is changing what accounts may do; try again.");
		rpc_retry_after(call, 1000);
	}
	pthread_mutex_unlock(&admins_lock);
	return r;
}

static int set_roles(struct auth_service *self, struct rpc_call *call, CredentialRecord *record,
		     const void *data)
{
	const Credential *wanted = data;
	Credential *old = rpc_memdup(call, record->credential, sizeof(*old));
	Credential *credential = record->credential;
	bool taken = false, given = false;
	int r;

	if (has_role(old, "roles/admin") && !has_role(wanted, "roles/admin")) {
		r = take_admin(self, call, record);
		if (r)
			return r;
	}
	credential->n_roles = 0;
	credential->roles = NULL;
	credential_add_roles(call, credential, "roles/customer");
	for (size_t i = 0; i < wanted->n_roles; i++)
		if (!has_role(credential, wanted->roles[i]))
			credential_add_roles(call, credential, wanted->roles[i]);
	for (size_t i = 0; i < old->n_roles; i++)
		taken |= !has_role(credential, old->roles[i]);
	for (size_t i = 0; i < credential->n_roles; i++)
		given |= !has_role(old, credential->roles[i]);
	record->session_epoch += taken;
	return taken || given ? 0 : CREDENTIAL_SAME;
}

static const char *list_roles(struct rpc_call *call, const Credential *credential)
{
	const char *text = "";

	for (size_t i = 0; i < credential->n_roles; i++)
		text = rpc_printf(call, "%s%s%s", text, i ? ", " : "", credential->roles[i]);
	return text;
}

int auth_update_credential(struct auth_service *self, struct rpc_call *call,
			   const UpdateCredentialRequest *req, Credential **ret)
{
	static const char *const fields[] = { "roles", NULL };
	const Credential *wanted = req->credential;
	const char *id = name_parent_id(call, wanted->name);
	struct credential_change change = { .user = name_of(call, "users", id),
					    .etag = wanted->etag,
					    .edit = set_roles,
					    .data = wanted,
					    .action = AUDIT_EVENT_ACTION_ROLES_CHANGED };
	CredentialRecord *record;
	int r;

	r = mask_check(call, req->update_mask, fields);
	if (!r)
		r = roles_check(call, wanted->roles, wanted->n_roles);
	if (r)
		return r;
	r = credential_read(call, id, &record);
	if (r == MONGO_NOT_FOUND)
		return credential_not_found(call, change.user);
	if (r)
		return r;
	if (!mask_has(req->update_mask, wanted, "roles"))
		return credential_view(call, record, ret);
	change.detail = rpc_printf(call, "from %s to %s", list_roles(call, record->credential),
				   list_roles(call, wanted));
	return change_one_by_one(self, call, &change, ret);
}

static int lock(struct auth_service *self, struct rpc_call *call, CredentialRecord *record,
		const void *data)
{
	int r;

	if (record->credential->state == CREDENTIAL_STATE_LOCKED)
		return CREDENTIAL_SAME;
	r = take_admin(self, call, record);
	record->credential->state = CREDENTIAL_STATE_LOCKED;
	record->session_epoch++;
	return r;
}

int auth_lock_credential(struct auth_service *self, struct rpc_call *call,
			 const LockCredentialRequest *req, Credential **ret)
{
	const struct credential_change change = { .user = name_of(call, "users",
								  name_parent_id(call, req->name)),
						  .edit = lock,
						  .action = AUDIT_EVENT_ACTION_LOCKED,
						  .detail = req->reason };

	return change_one_by_one(self, call, &change, ret);
}

/* Failed logins are forgotten too, so there is something to do even if nothing is changed here. */
static int unlock(struct auth_service *self, struct rpc_call *call, CredentialRecord *record,
		  const void *data)
{
	record->credential->state = CREDENTIAL_STATE_ACTIVE;
	return 0;
}

int auth_unlock_credential(struct auth_service *self, struct rpc_call *call,
			   const UnlockCredentialRequest *req, Credential **ret)
{
	const struct credential_change change = { .user = name_of(call, "users",
								  name_parent_id(call, req->name)),
						  .edit = unlock,
						  .action = AUDIT_EVENT_ACTION_UNLOCKED,
						  .detail = req->reason };

	return credential_change_and_view(self, call, &change, ret);
}
