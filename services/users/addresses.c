/* The address book. */
#include "users_store.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/mask.h>
#include <common/names.h>
#include <common/page.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

UserAddress *users_find_address(const UserRecord *record, const char *name)
{
	for (size_t i = 0; i < record->n_addresses; i++)
		if (!strcmp(name_id(record->addresses[i]->name), name_id(name)))
			return record->addresses[i];
	return NULL;
}

/* The user of the name and the address in the book; USER_NOT_FOUND, ADDRESS_NOT_FOUND. */
static int find(struct rpc_call *call, const char *name, UserRecord **ret,
		UserAddress **ret_address)
{
	const char *user = name_of(call, "users", name_parent_id(call, name));
	UserAddress *address;
	UserRecord *record;
	int r;

	r = users_find(call, user, &record);
	if (r)
		return r;
	address = users_find_address(record, name);
	if (!address)
		return rpc_fail(call, ADDRESS_NOT_FOUND, { "address", name });
	*ret = record;
	*ret_address = address;
	return 0;
}

/* Versions are counted in the etag itself. */
static int64_t version_of(const UserAddress *address)
{
	return strtoll(address->etag + (*address->etag == '"'), NULL, 10);
}

int users_create_address(struct users_service *self, struct rpc_call *call,
			 const CreateAddressRequest *req, UserAddress **ret)
{
	UserAddress *address = rpc_memdup(call, req->address, sizeof(*address));
	struct answers_key key;
	UserRecord *record;
	int r;

	answers_key(call, req, &key);
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->parent));) {
		r = users_find(call, req->parent, &record);
		if (r)
			return r;
		r = answers_find(call, &key, record, &UserAddress_descriptor, ret);
		if (r != ANSWERS_NONE)
			return r;
		if (record->n_addresses >= USERS_ADDRESSES_MAX)
			return rpc_fail(call, TOO_MANY_ADDRESSES,
					{ "max", rpc_printf(call, "%d", USERS_ADDRESSES_MAX) });
		address->name = name_join(call, record->user->name, "addresses", key.id);
		address->create_time = address->update_time = clock_now(call);
		address->etag = etag_of(call, 1);
		r = user_add_address(call, record, address, answers_store(call, &key, address));
		if (!r)
			*ret = address;
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

int users_get_address(struct users_service *self, struct rpc_call *call,
		      const GetAddressRequest *req, UserAddress **ret)
{
	UserRecord *record;

	return find(call, req->name, &record, ret);
}

/* The newest first. */
static struct page_key key_of(const void *row)
{
	const UserAddress *address = row;

	return (struct page_key){ -clock_ms(address->create_time), address->name };
}

int users_list_addresses(struct users_service *self, struct rpc_call *call,
			 const ListAddressesRequest *req, ListAddressesResponse **ret)
{
	ListAddressesResponse *response = rpc_new(call, ListAddressesResponse);
	UserRecord *record;
	int r;

	r = users_find(call, req->parent, &record);
	if (!r)
		r = page_rows(call, req, &record->addresses, &record->n_addresses, key_of,
			      &response->next_page_token);
	if (r)
		return r;
	response->addresses = record->addresses;
	response->n_addresses = record->n_addresses;
	*ret = response;
	return 0;
}

static const char *const address_fields[] = { "recipient", "lines",       "city",
					      "region",    "postal_code", "country_code",
					      "phone",     "label",       NULL };

/* The wanted values of what the mask names. */
static UserAddress *merge(struct rpc_call *call, const UserAddress *old,
			  const UpdateAddressRequest *req)
{
	UserAddress *address = rpc_memdup(call, old, sizeof(*address));

	for (const char *const *field = address_fields; *field; field++) {
		const ProtobufCFieldDescriptor *descriptor =
			protobuf_c_message_descriptor_get_field_by_name(&UserAddress_descriptor,
									*field);

		if (!mask_has(req->update_mask, req->address, *field))
			continue;
		if (descriptor->label == PROTOBUF_C_LABEL_REPEATED) {
			address->n_lines = req->address->n_lines;
			address->lines = req->address->lines;
		} else {
			*(const char **)((char *)address + descriptor->offset) =
				*(const char *const *)((const char *)req->address +
						       descriptor->offset);
		}
	}
	return address;
}

int users_update_address(struct users_service *self, struct rpc_call *call,
			 const UpdateAddressRequest *req, UserAddress **ret)
{
	UserAddress *old, *address;
	UserRecord *record;
	int r;

	r = mask_check(call, req->update_mask, address_fields);
	if (r)
		return r;
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->address->name));) {
		r = find(call, req->address->name, &record, &old);
		if (!r)
			r = etag_check(call, old->name, req->address->etag, version_of(old));
		if (r)
			return r;
		address = merge(call, old, req);
		address->update_time = clock_now(call);
		address->etag = etag_of(call, version_of(old) + 1);
		r = user_save_address(call, record, address, old->etag);
		if (!r)
			*ret = address;
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

int users_delete_address(struct users_service *self, struct rpc_call *call,
			 const DeleteAddressRequest *req, Empty **ret)
{
	UserAddress *address;
	UserRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = find(call, req->name, &record, &address);
		if (!r)
			r = etag_check(call, address->name, req->etag, version_of(address));
		if (r)
			return r;
		if (!strcmp(record->user->default_shipping_address, address->name))
			record->user->default_shipping_address = "";
		if (!strcmp(record->user->default_billing_address, address->name))
			record->user->default_billing_address = "";
		r = user_remove_address(call, record, address);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}
