/* Auth: the log, the set-up at the first start, and the table of what is served where. */
#include "auth_store.h"
#include "passwords.h"
#include <common/clock.h>
#include <common/filter.h>
#include <common/names.h>
#include <crpc/id.h>
#include <string.h>

/*
 * The log
 */

static const char *actor_of(struct rpc_call *call)
{
	const struct rpc_caller *caller = rpc_caller(call);

	if (*caller->user)
		return caller->user;
	return name_of(call, "services", *caller->service ? caller->service : "auth");
}

/* The part of the caller's address that the log keeps: an IPv4's first three numbers, an IPv6's
 * first three groups. */
static const char *network_of(struct rpc_call *call)
{
	const char *address = rpc_header(call, "x-forwarded-for");
	char *network, *end;

	if (!address || strlen(address) > 64)
		return "";
	network = rpc_strdup(call, address);
	end = strrchr(network, '.');
	if (end && !strchr(network, ':')) {
		*end = '\0';
		return rpc_printf(call, "%s.0", network);
	}
	end = network;
	for (int groups = 0; groups < 3 && *end; groups++)
		end += strcspn(end + (*end == ':'), ":") + (*end == ':');
	*end = '\0';
	return rpc_printf(call, "%s::", network);
}

AuditEvent *audit_event(struct rpc_call *call, AuditEventAction action, const char *user,
			const char *detail)
{
	return rpc_new(call, AuditEvent, .name = name_of(call, "auditEvents", rpc_id_new(call)),
		       .action = action, .user = user, .actor = actor_of(call),
		       .session = rpc_caller(call)->session, .detail = detail,
		       .network = network_of(call), .create_time = clock_now(call));
}

static int list_audit_events(struct auth_service *self, struct rpc_call *call,
			     const ListAuditEventsRequest *req, ListAuditEventsResponse **ret)
{
	static const struct filter_field fields[] = {
		{ "user", "audit_event.user", FILTER_TEXT },
		{ "action", "audit_event.action", FILTER_ENUM, &AuditEventAction_descriptor },
		{ "create_time", "audit_event.create_time", FILTER_TIME },
		{},
	};
	ListAuditEventsResponse *response = rpc_new(call, ListAuditEventsResponse);
	cleanup(bson_freep) bson_t *filter = bson_new();
	AuditRecord **records;
	size_t n_records;
	int r;

	r = filter_read(call, req->filter, fields, filter);
	if (!r)
		r = audit_page(call, req, filter, response, &records, &n_records);
	for (size_t i = 0; !r && i < n_records; i++)
		list_audit_events_response_add_audit_events(call, response,
							    records[i]->audit_event);
	if (!r)
		*ret = response;
	return r;
}

/*
 * Set-up
 */

/* What makes an account that stands there already the administrator's: a new password too, since
 * whoever made it is not known. */
static int make_admin(struct auth_service *self, struct rpc_call *call, CredentialRecord *record,
		      const void *data)
{
	bool has = false;

	for (size_t i = 0; i < record->credential->n_roles; i++)
		has |= !strcmp(record->credential->roles[i], "roles/admin");
	if (!has)
		credential_add_roles(call, record->credential, "roles/admin");
	record->credential->state = CREDENTIAL_STATE_ACTIVE;
	record->credential->password_time = clock_now(call);
	record->password_hash = data;
	record->session_epoch++;
	return 0;
}

/* Only when nobody may manage accounts: who took the role away from this one meant it. */
static int set_up_admin(struct auth_service *self, struct rpc_call *call)
{
	const char *email_key = credential_email_key(call, self->admin_email), *hash;
	struct credential_change change = { .edit = make_admin,
					    .action = AUDIT_EVENT_ACTION_ROLES_CHANGED,
					    .detail = "set up as administrator" };
	CredentialRecord *record;
	int32_t n_ended;
	int64_t n;
	int r;

	r = credential_count_admins(call, "", &n);
	if (r || n)
		return r;
	r = credential_create(
		call, name_of(call, "users", rpc_id_derive(call, "administrator", email_key)),
		email_key, self->admin_password, "roles/admin", NULL, &record);
	if (r != MONGO_DUPLICATE)
		return r;
	r = credential_read_by_email(call, email_key, &record);
	if (!r)
		r = password_hash(call, self->admin_password, &hash);
	if (r)
		return r;
	change.user = name_of(call, "users", record->id);
	change.data = hash;
	return credential_change(self, call, &change, &record, &n_ended);
}

int auth_set_up(struct auth_service *self, struct rpc_call *call)
{
	int r;

	r = roles_set_up(call);
	if (!r && *self->admin_email && *self->admin_password)
		r = set_up_admin(self, call);
	return r ? r : keys_tend(self, call);
}

/*
 * Module
 */

enum { SET_UP_MS = 4500 };

struct auth_service *auth_module_service;
static bool is_set_up;

static int set_up(void *data, struct rpc_call *call)
{
	return auth_set_up(data, call);
}

static int start(struct service *service, char **error)
{
	token_set_source(keys_fetch, NULL);
	service_set_authenticator(service, &token_authenticator);
	return 0;
}

static bool ready(const char **why)
{
	struct rpc_call *call;

	if (!is_set_up) {
		call = rpc_call_new("SetUp", SET_UP_MS);
		is_set_up = !rpc_call_run(call, set_up, auth_module_service);
		rpc_call_free(call);
	}
	if (is_set_up && keys_known())
		return true;
	*why = "Roles, administrator and signing keys are not there yet: the database does not "
	       "answer.";
	return false;
}

static void stop(void)
{
	token_set_source(NULL, NULL);
}

const struct service_module auth_module = {
	.name = "auth",
	.options = token_options,
	.start = start,
	.ready = ready,
	.stop = stop,
};

const struct auth_service_ops auth_service = {
	.create_guest_session = auth_create_guest_session,
	.create_session = auth_create_session,
	.refresh_session = auth_refresh_session,
	.get_session = auth_get_session,
	.list_sessions = auth_list_sessions,
	.delete_session = auth_delete_session,
	.revoke_sessions = auth_revoke_sessions,
	.get_jwks = auth_get_jwks,
	.change_password = auth_change_password,
	.create_credential = auth_create_credential,
	.lookup_credential = auth_lookup_credential,
	.reset_credential_password = auth_reset_credential_password,
	.delete_credential = auth_delete_credential,
	.get_credential = auth_get_credential,
	.update_credential = auth_update_credential,
	.lock_credential = auth_lock_credential,
	.unlock_credential = auth_unlock_credential,
	.list_roles = auth_list_roles,
	.update_role = auth_update_role,
	.rotate_signing_key = auth_rotate_signing_key,
	.list_audit_events = list_audit_events,
};
