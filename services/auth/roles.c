/* Roles: what their holders may do. */
#include "auth_store.h"
#include <common/etag.h>
#include <common/mask.h>
#include <common/names.h>
#include <string.h>

#define EVERYTHING                                                                                 \
	"auth.read", "auth.manage", "users.read", "users.manage", "catalog.manage",                \
		"inventory.read", "inventory.manage", "orders.read", "orders.manage",              \
		"payments.read", "payments.manage", "shipping.read", "shipping.manage",            \
		"notification.read", "notification.manage"

/* What stands there at first; operators change it by UpdateRole. What is one's own takes no
 * permission. */
static const struct {
	const char *id, *display_name;
	const char *permissions[32];
} first_roles[] = {
	{ "customer", "Customer", {} },
	{ "support",
	  "Support",
	  { "users.read", "auth.read", "orders.read", "orders.manage", "payments.read",
	    "shipping.read", "inventory.read", "notification.read", "notification.manage" } },
	{ "merchandiser",
	  "Merchandiser",
	  { "catalog.manage", "inventory.read", "inventory.manage" } },
	{ "fulfilment",
	  "Fulfilment",
	  { "inventory.read", "inventory.manage", "orders.read", "shipping.read",
	    "shipping.manage" } },
	{ "admin", "Administrator", { EVERYTHING } },
};

int roles_set_up(struct rpc_call *call)
{
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(first_roles) / sizeof(*first_roles); i++) {
		Role *role = rpc_new(call, Role, .name = name_of(call, "roles", first_roles[i].id),
				     .display_name = first_roles[i].display_name);
		RoleRecord *record =
			rpc_new(call, RoleRecord, .id = first_roles[i].id, .role = role);

		for (const char *const *permission = first_roles[i].permissions; *permission;
		     permission++)
			role_add_permissions(call, role, *permission);
		r = role_insert(call, record);
		if (r != MONGO_DUPLICATE)
			continue;
		/* What a new version of a service asks for, its administrators may do. */
		r = strcmp(record->id, "admin") ? 0 : role_complete(call, record);
	}
	return r;
}

static bool has_permission(const Role *role, const char *permission)
{
	for (size_t i = 0; i < role->n_permissions; i++)
		if (!strcmp(role->permissions[i], permission))
			return true;
	return false;
}

int roles_scope(struct rpc_call *call, const char *const *roles, size_t n_roles, const char **ret)
{
	RoleRecord **records;
	const char *scope = "";
	size_t n_records;
	int r;

	r = role_read_all(call, roles, n_roles, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++) {
		for (size_t j = 0; j < records[i]->role->n_permissions; j++) {
			const char *permission = records[i]->role->permissions[j];
			bool known = false;

			for (size_t before = 0; !known && before < i; before++)
				known = has_permission(records[before]->role, permission);
			if (!known)
				scope = rpc_printf(call, "%s%s%s", scope, *scope ? " " : "",
						   permission);
		}
	}
	*ret = scope;
	return 0;
}

int roles_check(struct rpc_call *call, const char *const *roles, size_t n_roles)
{
	RoleRecord **records;
	size_t n_records;
	int r;

	r = role_read_all(call, roles, n_roles, &records, &n_records);
	for (size_t i = 0; !r && i < n_roles; i++) {
		bool known = false;

		for (size_t j = 0; !known && j < n_records; j++)
			known = !strcmp(records[j]->id, name_id(roles[i]));
		if (!known)
			r = rpc_fail(call, ROLE_UNKNOWN, { "role", roles[i] });
	}
	return r;
}

static Role *view(struct rpc_call *call, const RoleRecord *record)
{
	Role *role = rpc_memdup(call, record->role, sizeof(*role));

	role->etag = etag_of(call, record->version);
	return role;
}

int auth_list_roles(struct auth_service *self, struct rpc_call *call, const ListRolesRequest *req,
		    ListRolesResponse **ret)
{
	ListRolesResponse *response = rpc_new(call, ListRolesResponse);
	RoleRecord **records;
	size_t n_records;
	int r;

	r = role_page(call, req, response, &records, &n_records);
	for (size_t i = 0; !r && i < n_records; i++)
		list_roles_response_add_roles(call, response, view(call, records[i]));
	if (!r)
		*ret = response;
	return r;
}

/* A scope is a list that is separated by spaces: a permission that holds one would be two. */
static int check_permissions(struct rpc_call *call, const Role *role)
{
	for (size_t i = 0; i < role->n_permissions; i++)
		if (role->permissions[i][strspn(role->permissions[i],
						"abcdefghijklmnopqrstuvwxyz0123456789._-")])
			rpc_violate(call, rpc_printf(call, "role.permissions[%zu]", i),
				    "must be of the form 'orders.manage': lower case letters, "
				    "digits, '.', '_' and '-'");
	return rpc_violations(call);
}

int auth_update_role(struct auth_service *self, struct rpc_call *call, const UpdateRoleRequest *req,
		     Role **ret)
{
	static const char *const fields[] = { "display_name", "permissions", NULL };
	const Role *wanted = req->role;
	RoleRecord *record;
	int r;

	r = mask_check(call, req->update_mask, fields);
	if (!r)
		r = check_permissions(call, wanted);
	if (r)
		return r;
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, wanted->name));) {
		r = role_read(call, name_id(wanted->name), &record);
		if (r == MONGO_NOT_FOUND)
			return rpc_fail(call, ROLE_UNKNOWN, { "role", wanted->name });
		if (!r)
			r = etag_check(call, wanted->name, wanted->etag, record->version);
		if (r)
			return r;
		if (mask_has(req->update_mask, wanted, "display_name"))
			record->role->display_name = wanted->display_name;
		if (mask_has(req->update_mask, wanted, "permissions")) {
			record->role->n_permissions = wanted->n_permissions;
			record->role->permissions = wanted->permissions;
		}
		if (!strcmp(record->id, "admin") && !has_permission(record->role, "auth.manage"))
			return rpc_fail(call, LAST_ADMIN);
		/* First the log: a change that it does not know would be worse than one that did
		 * not come about. */
		r = audit_insert(
			call,
			audit_event(call, AUDIT_EVENT_ACTION_ROLE_CHANGED, "", record->role->name),
			NULL);
		if (!r)
			r = role_save(call, record);
		if (!r)
			*ret = view(call, record);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}
