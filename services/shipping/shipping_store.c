/*
 * Shipping's documents.
 *
 * consignments  sharded by _id, the order's id. Every change is one update with the version in its
 * condition. methods       small, never sharded. webhooks      sharded by _id; goes after 90 days.
 */
#include "shipping_store.h"
#include <common/clock.h>
#include <common/page.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DUE MONGO_JSON({ "next_look_time" : { "$gt" : { "$date" : { "$numberLong" : "0" } } } })
enum { METHODS_MAX = 100, METHODS_KEPT_MS = 2000, WEBHOOK_KEPT_SECONDS = 90 * 24 * 3600 };

static const struct mongo_index consignment_indexes[] = {
	{ "tracking_keys" },
	{ "next_look_time", .partial = DUE },
	{ "-create_time -_id" },
	{ "shipments.state -create_time -_id" },
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{},
};
MONGO_COLLECTION(consignments, .name = "consignments", .type = &ConsignmentRecord_descriptor,
		 .indexes = consignment_indexes, .outbox = true);

static const struct mongo_index method_indexes[] = {
	{ "shipping_method.position _id" },
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{},
};
MONGO_COLLECTION(methods, .name = "methods", .type = &ShippingMethodRecord_descriptor,
		 .indexes = method_indexes);

static const struct mongo_index webhook_indexes[] = {
	{ "next_look_time", .partial = DUE },
	{ "create_time", .ttl_seconds = WEBHOOK_KEPT_SECONDS },
	{},
};
MONGO_COLLECTION(webhooks, .name = "webhooks", .type = &CarrierWebhookRecord_descriptor,
		 .indexes = webhook_indexes);

static const bson_t *is_due(struct rpc_call *call)
{
	return DOC(call, "next_look_time", "{", "$gt", BCON_DATE_TIME(0), "$lte",
		   BCON_DATE_TIME(rpc_now_ms(call)), "}");
}

static const bson_t *earliest_first(struct rpc_call *call)
{
	return DOC(call, "next_look_time", BCON_INT32(1));
}

/*
 * Consignments
 */

int consignment_insert(struct rpc_call *call, ConsignmentRecord *record)
{
	record->version = 1;
	return mongo_insert(call, &consignments, record);
}

int consignment_read(struct rpc_call *call, const char *order, ConsignmentRecord **ret)
{
	return mongo_get(call, &consignments, order, ret);
}

int consignment_read_by_tracking(struct rpc_call *call, const char *tracking_key,
				 ConsignmentRecord **ret)
{
	return mongo_find_one(call, &consignments, ret,
			      .filter = DOC(call, "tracking_keys", BCON_UTF8(tracking_key)));
}

int consignment_write(struct rpc_call *call, const ConsignmentRecord *was,
		      const ConsignmentRecord *draft, struct rpc_event *const *events,
		      const struct stored_answer *answer)
{
	/* What is left out is never changed after the insert. */
	static const char *const fields[] = { "shipments",         "parcel_details", "recalled",
					      "tracking_keys",     "next_look_time", "lease_holder",
					      "lease_expire_time", "recall",         NULL };
	const bson_t *set = document_of_changes(call, "", was, draft, fields);

	return mongo_update(call, &consignments, .id = was->id,
			    .filter = DOC(call, "version", BCON_INT64(was->version)),
			    .update =
				    bson_empty(set) ? NULL : DOC(call, "$set", BCON_DOCUMENT(set)),
			    .events = events, .answer = answer);
}

int consignment_due(struct rpc_call *call, int64_t limit, ConsignmentRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &consignments, ret, n_ret, .filter = is_due(call),
			  .sort = earliest_first(call), .limit = limit,
			  .projection = DOC(call, "_id", BCON_INT32(1)));
}

int consignment_nudge(struct rpc_call *call, const char *order)
{
	int64_t now = rpc_now_ms(call);

	/* A new version: who works on it must see that it was nudged. */
	return mongo_update(
		call, &consignments, .id = order,
		.filter = DOC(call, "next_look_time", "{", "$gt", BCON_DATE_TIME(now), "}"),
		.update = DOC(call, "$set", "{", "next_look_time", BCON_DATE_TIME(now), "}"));
}

int consignment_list(struct rpc_call *call, const bson_t *filter, int64_t create_ms,
		     const char *order, int64_t limit, ConsignmentRecord ***ret, size_t *n_ret)
{
	bson_t *from = bson_copy(filter);

	if (create_ms >= 0)
		BCON_APPEND(from, "$or", "[", "{", "create_time", "{", "$lt",
			    BCON_DATE_TIME(create_ms), "}", "}", "{", "create_time",
			    BCON_DATE_TIME(create_ms), "_id", "{", "$lte", BCON_UTF8(order), "}",
			    "}", "]");
	return mongo_find(call, &consignments, ret, n_ret, .filter = document_keep(call, from),
			  .limit = limit,
			  .sort = DOC(call, "create_time", BCON_INT32(-1), "_id", BCON_INT32(-1)),
			  .projection =
				  DOC(call, "answers", BCON_INT32(0), "outbox", BCON_INT32(0)));
}

int consignment_sweep_answers(struct rpc_call *call)
{
	return answers_sweep(call, &consignments);
}

/*
 * Methods
 *
 * Those that are offered are asked for by every cart and order, and changed once in a while: a
 * process keeps them for a moment, packed, and forgets them when it changes one itself.
 */

static struct {
	pthread_mutex_t lock;
	int64_t until_ms;
	unsigned changes;
	ProtobufCBinaryData packed;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int forget(int r)
{
	pthread_mutex_lock(&kept.lock);
	kept.until_ms = 0;
	kept.changes++;
	pthread_mutex_unlock(&kept.lock);
	return r;
}

/* A copy of what is kept, of our own; NULL. *changes_ret says of which state a reading will be. */
static uint8_t *recall(size_t *size_ret, unsigned *changes_ret)
{
	uint8_t *copy = NULL;

	pthread_mutex_lock(&kept.lock);
	*changes_ret = kept.changes;
	*size_ret = kept.packed.len;
	if (kept.until_ms > clock_monotonic_ms())
		copy = malloc(kept.packed.len + 1);
	if (copy)
		memcpy(copy, kept.packed.data, kept.packed.len);
	pthread_mutex_unlock(&kept.lock);
	return copy;
}

static void keep(const ListShippingMethodsResponse *offered, unsigned changes)
{
	ProtobufCBinaryData packed = { .len = protobuf_c_message_get_packed_size(&offered->base) };

	packed.data = malloc(packed.len + 1);
	if (!packed.data)
		return;
	protobuf_c_message_pack(&offered->base, packed.data);
	pthread_mutex_lock(&kept.lock);
	if (kept.changes == changes) {
		free(kept.packed.data);
		kept.packed = packed;
		kept.until_ms = clock_monotonic_ms() + METHODS_KEPT_MS;
		packed.data = NULL;
	}
	pthread_mutex_unlock(&kept.lock);
	free(packed.data);
}

static int read_offered(struct rpc_call *call, ListShippingMethodsResponse *offered)
{
	ShippingMethodRecord **records;
	size_t n_records;
	int r = mongo_find(
		call, &methods, &records, &n_records, .limit = METHODS_MAX,
		.filter = DOC(call, "shipping_method.active", BCON_BOOL(true), "deleted",
			      BCON_BOOL(false)),
		.sort = DOC(call, "shipping_method.position", BCON_INT32(1), "_id", BCON_INT32(1)),
		.projection = DOC(call, "answers", BCON_INT32(0)));

	for (size_t i = 0; !r && i < n_records; i++)
		list_shipping_methods_response_add_shipping_methods(call, offered,
								    records[i]->shipping_method);
	return r;
}

int methods_offered(struct rpc_call *call, ListShippingMethodsResponse **ret)
{
	unsigned changes;
	size_t size;
	uint8_t *copy = recall(&size, &changes);
	int r;

	if (copy) {
		*ret = (ListShippingMethodsResponse *)rpc_unpack(
			rpc_arena(call), &ListShippingMethodsResponse_descriptor, copy, size, NULL);
		free(copy);
		return *ret ? 0 : -ENOMEM;
	}
	*ret = rpc_new(call, ListShippingMethodsResponse);
	r = read_offered(call, *ret);
	if (!r)
		keep(*ret, changes);
	return r;
}

int method_insert(struct rpc_call *call, const ShippingMethodRecord *record,
		  const struct stored_answer *answer)
{
	return forget(mongo_insert(call, &methods, record, .answer = answer));
}

int method_read(struct rpc_call *call, const char *id, ShippingMethodRecord **ret)
{
	return mongo_get(call, &methods, id, ret);
}

int method_write(struct rpc_call *call, const ShippingMethodRecord *record,
		 const struct stored_answer *answer)
{
	static const char *const fields[] = { "shipping_method", "deleted", NULL };

	return forget(mongo_update(
		call, &methods, .id = record->id,
		.filter = DOC(call, "version", BCON_INT64(record->version)),
		.update = DOC(call, "$set",
			      BCON_DOCUMENT(document_of_fields(call, "", record, fields))),
		.answer = answer));
}

int method_page(struct rpc_call *call, const ListShippingMethodsRequest *req, bool all,
		ListShippingMethodsResponse *response, ShippingMethodRecord ***ret, size_t *n_ret)
{
	const bson_t *filter = all ? DOC(call, "deleted", BCON_BOOL(false))
				   : DOC(call, "deleted", BCON_BOOL(false),
					 "shipping_method.active", BCON_BOOL(true));

	return page_list(call, &methods, req, ret, n_ret, &response->next_page_token,
			 .filter = filter, .sort = "shipping_method.position",
			 .projection = DOC(call, "answers", BCON_INT32(0)));
}

int method_answered(struct rpc_call *call, const char *id, const struct answers_key *key,
		    ShippingMethod **ret)
{
	return answers_repeat(call, &methods, id, key, &ShippingMethod_descriptor, ret);
}

int method_sweep_answers(struct rpc_call *call)
{
	return answers_sweep(call, &methods);
}

/*
 * Webhooks
 */

int webhook_insert(struct rpc_call *call, const CarrierWebhookRecord *record)
{
	return mongo_insert(call, &webhooks, record);
}

int webhook_due(struct rpc_call *call, int64_t limit, CarrierWebhookRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &webhooks, ret, n_ret, .filter = is_due(call),
			  .sort = earliest_first(call), .limit = limit);
}

int webhook_look_again(struct rpc_call *call, const CarrierWebhookRecord *record, int64_t look_ms)
{
	const bson_t *when = look_ms ? DOC(call, "next_look_time", BCON_DATE_TIME(look_ms), "tries",
					   BCON_INT32(record->tries + 1))
				     : DOC(call, "next_look_time", BCON_NULL);

	return mongo_update(call, &webhooks, .id = record->id, .keep_version = true,
			    .update = DOC(call, "$set", BCON_DOCUMENT(when)));
}
