/* Methods: the ways to ship that the shop offers, kept by staff. */
#include "errors.msg.h"
#include "rates.h"
#include "shipping_store.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/mask.h>
#include <common/names.h>
#include <string.h>

static bool is_staff(const struct rpc_call *call)
{
	return rpc_caller_may(call, "shipping.read") || rpc_caller_may(call, "shipping.manage");
}

static ShippingMethod *view(struct rpc_call *call, const ShippingMethodRecord *record)
{
	ShippingMethod *method = rpc_memdup(call, record->shipping_method, sizeof(*method));

	method->etag = etag_of(call, record->version);
	return method;
}

static int not_found(struct rpc_call *call, const char *name)
{
	return rpc_fail(call, SHIPPING_METHOD_NOT_FOUND, { "shippingMethod", name });
}

int methods_find(struct rpc_call *call, const char *name, ShippingMethodRecord **ret)
{
	int r = method_read(call, name_id(name), ret);

	return r == MONGO_NOT_FOUND ? not_found(call, name) : r;
}

int methods_find_ordered(struct rpc_call *call, const char *name, const ShippingMethod **ret)
{
	ListShippingMethodsResponse *offered;
	ShippingMethodRecord *record;
	int r = methods_offered(call, &offered);

	if (r)
		return r;
	list_shipping_methods_response_each_shipping_methods(
		method, offered) if (!strcmp(name_id(method->name), name_id(name)))
	{
		*ret = method;
		return 0;
	}
	/* It was ordered while it was. */
	r = methods_find(call, name, &record);
	if (!r)
		*ret = record->shipping_method;
	return r;
}

/* One that is not deleted. */
static int find(struct rpc_call *call, const char *name, ShippingMethodRecord **ret)
{
	ShippingMethodRecord *record;
	int r = methods_find(call, name, &record);

	if (!r && record->deleted)
		return not_found(call, name);
	if (!r)
		*ret = record;
	return r;
}

int shipping_get_shipping_method(struct shipping_service *self, struct rpc_call *call,
				 const GetShippingMethodRequest *req, ShippingMethod **ret)
{
	ShippingMethodRecord *record;
	int r;

	r = find(call, req->name, &record);
	if (!r && !record->shipping_method->active && !is_staff(call))
		return not_found(call, req->name);
	if (!r)
		*ret = view(call, record);
	return r;
}

int shipping_list_shipping_methods(struct shipping_service *self, struct rpc_call *call,
				   const ListShippingMethodsRequest *req,
				   ListShippingMethodsResponse **ret)
{
	ListShippingMethodsResponse *response = rpc_new(call, ListShippingMethodsResponse);
	ShippingMethodRecord **records;
	size_t n_records;
	int r;

	r = method_page(call, req, is_staff(call), response, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		list_shipping_methods_response_add_shipping_methods(call, response,
								    view(call, records[i]));
	*ret = response;
	return 0;
}

static int check(struct shipping_service *self, struct rpc_call *call, const ShippingMethod *method)
{
	struct carrier *carrier;
	int r = shipping_carrier(self, call, method->carrier, &carrier);

	return r ? r : rates_check(call, method);
}

/* The id was used before: by a method that was deleted, it can be used again. */
static int revive(struct rpc_call *call, ShippingMethodRecord *record,
		  const struct answers_key *key, ShippingMethod **ret)
{
	ShippingMethodRecord *there;
	int r;

	r = method_answered(call, record->id, key, ret);
	if (r != ANSWERS_NONE)
		return r;
	r = method_read(call, record->id, &there);
	if (!r && !there->deleted)
		return rpc_fail(call, SHIPPING_METHOD_ALREADY_EXISTS,
				{ "shippingMethod", record->shipping_method->name });
	if (r)
		return r;
	record->version = there->version;
	record->shipping_method->etag = etag_of(call, there->version + 1);
	r = method_write(call, record, answers_store(call, key, record->shipping_method));
	if (r == MONGO_NOT_MATCHED)
		return rpc_fail(call, WRITE_CONFLICT, { "name", record->shipping_method->name });
	if (!r)
		*ret = record->shipping_method;
	return r;
}

int shipping_create_shipping_method(struct shipping_service *self, struct rpc_call *call,
				    const CreateShippingMethodRequest *req, ShippingMethod **ret)
{
	ShippingMethod *method = rpc_memdup(call, req->shipping_method, sizeof(*method));
	ShippingMethodRecord *record =
		rpc_new(call, ShippingMethodRecord, .shipping_method = method, .schema_version = 1);
	struct answers_key key;
	int r;

	r = check(self, call, method);
	if (r)
		return r;
	answers_key(call, req, &key);
	record->id = *req->shipping_method_id ? req->shipping_method_id : key.id;
	method->name = name_of(call, "shippingMethods", record->id);
	method->create_time = method->update_time = clock_now(call);
	method->etag = etag_of(call, 1);
	r = method_insert(call, record, answers_store(call, &key, method));
	if (r == MONGO_DUPLICATE)
		return revive(call, record, &key, ret);
	if (!r)
		*ret = method;
	return r;
}

/* Takes over the fields that the request changes. */
static void change(const UpdateShippingMethodRequest *req, ShippingMethod *method)
{
	const ShippingMethod *from = req->shipping_method;

#define TAKE(field)                                                                                \
	if (mask_has(req->update_mask, from, #field))                                              \
	method->field = from->field
#define TAKE_LIST(field)                                                                           \
	if (mask_has(req->update_mask, from, #field))                                              \
	method->n_##field = from->n_##field, method->field = from->field
	TAKE(display_name);
	TAKE(description);
	TAKE(carrier);
	TAKE(carrier_service);
	TAKE(active);
	TAKE_LIST(zones);
	TAKE_LIST(rates);
	TAKE(handling_days);
	TAKE(cutoff_hour);
	TAKE(max_parcel_grams);
	TAKE(position);
#undef TAKE
#undef TAKE_LIST
}

int shipping_update_shipping_method(struct shipping_service *self, struct rpc_call *call,
				    const UpdateShippingMethodRequest *req, ShippingMethod **ret)
{
	static const char *const fields[] = { "display_name", "description",
					      "carrier",      "carrier_service",
					      "active",       "zones",
					      "rates",        "handling_days",
					      "cutoff_hour",  "max_parcel_grams",
					      "position",     NULL };
	const char *name = req->shipping_method->name;
	ShippingMethodRecord *record;
	int r;

	r = mask_check(call, req->update_mask, fields);
	if (r)
		return r;
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, name));) {
		r = find(call, name, &record);
		if (!r)
			r = etag_check(call, name, req->shipping_method->etag, record->version);
		if (r)
			return r;
		change(req, record->shipping_method);
		r = check(self, call, record->shipping_method);
		if (r)
			return r;
		record->shipping_method->update_time = clock_now(call);
		r = method_write(call, record, NULL);
		if (r == MONGO_NOT_MATCHED)
			continue;
		record->version++;
		if (!r)
			*ret = view(call, record);
		return r;
	}
	return r;
}

int shipping_delete_shipping_method(struct shipping_service *self, struct rpc_call *call,
				    const DeleteShippingMethodRequest *req, Empty **ret)
{
	ShippingMethodRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = methods_find(call, req->name, &record);
		if (r || record->deleted)
			return r;
		r = etag_check(call, req->name, req->etag, record->version);
		if (r)
			return r;
		record->deleted = true;
		r = method_write(call, record, NULL);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}
