/* Users: profiles, and the table of what is served where. */
#include "users_store.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/filter.h>
#include <common/mask.h>
#include <common/names.h>
#include <ctype.h>
#include <string.h>

User *users_view(struct rpc_call *call, const UserRecord *record)
{
	User *user = rpc_memdup(call, record->user, sizeof(*user));

	user->etag = etag_of(call, record->version);
	return user;
}

int users_not_found(struct rpc_call *call, const char *user)
{
	return rpc_fail(call, USER_NOT_FOUND, { "user", user });
}

int users_find(struct rpc_call *call, const char *name, UserRecord **ret)
{
	UserRecord *record;
	int r;

	r = user_read(call, name_id(name), &record);
	if (r == MONGO_NOT_FOUND || (!r && record->stage != USER_RECORD_STAGE_REGISTERED))
		return users_not_found(call, name);
	if (!r)
		*ret = record;
	return r;
}

static int get_user(struct users_service *self, struct rpc_call *call, const GetUserRequest *req,
		    User **ret)
{
	UserRecord *record;
	int r;

	r = users_find(call, req->name, &record);
	if (!r)
		*ret = users_view(call, record);
	return r;
}

/* Addresses are found in any spelling: what the filter compares `email_key` with is made one. */
static void lower_email(bson_t *filter)
{
	bson_iter_t iter, operators;

	if (!bson_iter_init_find(&iter, filter, "email_key"))
		return;
	if (BSON_ITER_HOLDS_DOCUMENT(&iter) && bson_iter_recurse(&iter, &operators)) {
		while (bson_iter_next(&operators))
			if (BSON_ITER_HOLDS_UTF8(&operators))
				for (char *at = (char *)(uintptr_t)bson_iter_utf8(&operators, NULL);
				     *at; at++)
					*at = (char)tolower((unsigned char)*at);
	} else if (BSON_ITER_HOLDS_UTF8(&iter)) {
		for (char *at = (char *)(uintptr_t)bson_iter_utf8(&iter, NULL); *at; at++)
			*at = (char)tolower((unsigned char)*at);
	}
}

static int list_users(struct users_service *self, struct rpc_call *call,
		      const ListUsersRequest *req, ListUsersResponse **ret)
{
	static const struct filter_field fields[] = {
		{ "email", "email_key", FILTER_TEXT },
		{ "email_verified", "user.email_verified", FILTER_BOOL },
		{ "create_time", "user.create_time", FILTER_TIME },
		{},
	};
	ListUsersResponse *response = rpc_new(call, ListUsersResponse);
	cleanup(bson_freep) bson_t *filter = bson_new();
	UserRecord **records;
	size_t n_records;
	int r;

	r = filter_read(call, req->filter, fields, filter);
	if (r)
		return r;
	lower_email(filter);
	r = user_page(call, req, filter, response, &records, &n_records);
	for (size_t i = 0; !r && i < n_records; i++)
		list_users_response_add_users(call, response, users_view(call, records[i]));
	if (!r)
		*ret = response;
	return r;
}

/* A default is an address of the book, in its full name; empty: none. */
static int set_default(struct rpc_call *call, const UserRecord *record, const char *wanted,
		       const char **ret)
{
	const UserAddress *address = users_find_address(record, wanted);
	const char *of = strchr(wanted, '/') ? name_of(call, "users", name_parent_id(call, wanted))
					     : record->user->name;

	if (*wanted && (!address || (strcmp(of, record->user->name) && strcmp(of, "users/me"))))
		return rpc_fail(call, ADDRESS_NOT_FOUND, { "address", wanted });
	*ret = *wanted ? address->name : "";
	return 0;
}

/* What the mask names, of the wanted user. */
static int apply(struct rpc_call *call, const UpdateUserRequest *req, UserRecord *record)
{
	const User *wanted = req->user;
	User *user = record->user;
	int r = 0;

	if (mask_has(req->update_mask, wanted, "display_name"))
		user->display_name = wanted->display_name;
	if (mask_has(req->update_mask, wanted, "phone"))
		user->phone = wanted->phone;
	if (mask_has(req->update_mask, wanted, "language_code"))
		user->language_code = *wanted->language_code ? wanted->language_code : "en";
	if (mask_has(req->update_mask, wanted, "default_shipping_address"))
		r = set_default(call, record, wanted->default_shipping_address,
				&user->default_shipping_address);
	if (!r && mask_has(req->update_mask, wanted, "default_billing_address"))
		r = set_default(call, record, wanted->default_billing_address,
				&user->default_billing_address);
	user->update_time = clock_now(call);
	return r;
}

static int update_user(struct users_service *self, struct rpc_call *call,
		       const UpdateUserRequest *req, User **ret)
{
	static const char *const fields[] = { "display_name",
					      "phone",
					      "language_code",
					      "default_shipping_address",
					      "default_billing_address",
					      NULL };
	UserRecord *record;
	int r;

	r = mask_check(call, req->update_mask, fields);
	if (r)
		return r;
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->user->name));) {
		r = users_find(call, req->user->name, &record);
		if (!r)
			r = etag_check(call, req->user->name, req->user->etag, record->version);
		if (!r)
			r = apply(call, req, record);
		if (r)
			return r;
		r = user_save_profile(call, record);
		if (!r)
			*ret = users_view(call, record);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

const struct users_service_ops users_service = {
	.create_user = users_create_user,
	.get_user = get_user,
	.list_users = list_users,
	.update_user = update_user,
	.delete_user = users_delete_user,
	.request_email_verification = users_request_email_verification,
	.verify_email = users_verify_email,
	.request_password_reset = users_request_password_reset,
	.reset_password = users_reset_password,
	.issue_verification_token = users_issue_verification_token,
	.create_address = users_create_address,
	.get_address = users_get_address,
	.list_addresses = users_list_addresses,
	.update_address = users_update_address,
	.delete_address = users_delete_address,
};
