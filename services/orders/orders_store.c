/*
 * The orders' documents.
 *
 * orders  sharded by user: what a user's lists and the unique indexes on its cart need is in one
 * place. Reads by id alone ask each shard for one index entry. The Rust server for development
 * (secantusd-rs 0.5.3-beta.193) keeps the unique entry that an insert made when an update changes
 * the field, so there a cart's second order cannot be inserted with its cart, and takes it by
 * an update (create.c). One thing has to change before the collection is sharded:
 * MongoDB takes a unique index there only behind the shard key, so `number` must be a plain one
 * (numbers are drawn of 2^40, and looked up together with the customer's address).
 */
#include "orders_store.h"
#include <common/clock.h>
#include <common/names.h>
#include <common/page.h>
#include <string.h>

enum { REJECTED_KEPT_SECONDS = 24 * 3600 };

static const struct mongo_index order_indexes[] = {
	{ "user open_cart", .unique = true, .name = "open_cart",
	  .partial = MONGO_JSON({ "open_cart" : { "$gt" : "" } }) },
	{ "user basket", .unique = true, .name = "basket",
	  .partial = MONGO_JSON({ "basket" : { "$gt" : "" } }) },
	{ "number_key", .unique = true, .name = "number" },
	{ "user -order.create_time -_id" },
	{ "-order.create_time -_id" },
	{ "next_look_time",
	  .partial = MONGO_JSON(
		  { "next_look_time" : { "$gt" : { "$date" : { "$numberLong" : "0" } } } }) },
	{ "user answers.key", .partial = ANSWERS_PARTIAL },
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{ "order.cancel_time", .ttl_seconds = REJECTED_KEPT_SECONDS,
	  .partial = MONGO_JSON({ "order.state" : "REJECTED" }) },
	{},
};
MONGO_COLLECTION(orders, .name = "orders", .type = &OrderRecord_descriptor,
		 .indexes = order_indexes, .outbox = true);

int order_insert(struct rpc_call *call, const OrderRecord *record,
		 const struct stored_answer *answer)
{
	return mongo_insert(call, &orders, record, .answer = answer);
}

int order_read(struct rpc_call *call, const char *id, OrderRecord **ret)
{
	return mongo_get(call, &orders, id, ret);
}

int order_read_open(struct rpc_call *call, const char *user, const char *cart, OrderRecord **ret)
{
	return mongo_find_one(
		call, &orders, ret,
		.filter = DOC(call, "user", BCON_UTF8(user), "open_cart", BCON_UTF8(cart)));
}

int order_read_bought(struct rpc_call *call, const char *user, const char *etag, OrderRecord **ret)
{
	if (!*etag) /* of an order from before carts' etags were noted */
		return MONGO_NOT_FOUND;
	return mongo_find_one(
		call, &orders, ret,
		.filter = DOC(call, "user", BCON_UTF8(user), "basket", BCON_UTF8(etag)));
}

int order_read_answered(struct rpc_call *call, const char *user, const char *key, OrderRecord **ret)
{
	return mongo_find_one(
		call, &orders, ret,
		.filter = DOC(call, "user", BCON_UTF8(user), "answers.key", BCON_UTF8(key)));
}

int order_read_by_number(struct rpc_call *call, const char *number_key, const char *email_key,
			 OrderRecord **ret)
{
	return mongo_find_one(call, &orders, ret,
			      .filter = DOC(call, "number_key", BCON_UTF8(number_key), "email_key",
					    BCON_UTF8(email_key), "order.state", "{", "$ne",
					    BCON_UTF8("REJECTED"), "}"));
}

int order_page(struct rpc_call *call, const ListOrdersRequest *req, const bson_t *filter,
	       const char **next_ret, OrderRecord ***ret, size_t *n_ret)
{
	return page_list(call, &orders, req, ret, n_ret, next_ret, .filter = filter,
			 .sort = "-order.create_time",
			 .projection = DOC(call, "order.steps", BCON_INT32(0), "order.history",
					   BCON_INT32(0), "answers", BCON_INT32(0), "outbox",
					   BCON_INT32(0), "attempts", BCON_INT32(0), "reversals",
					   BCON_INT32(0)));
}

OrderRecord *order_draft(struct rpc_call *call, const OrderRecord *was)
{
	OrderRecord *draft = (OrderRecord *)rpc_message_copy(rpc_arena(call), &was->base);

	draft->version = was->version + 1;
	draft->order->update_time = clock_now(call);
	return draft;
}

void order_take_cart(OrderRecord *draft)
{
	draft->open_cart = name_id(draft->order->cart);
	draft->basket = draft->cart_etag;
}

void order_leave_cart(OrderRecord *draft)
{
	draft->open_cart = draft->basket = "";
}

int order_save(struct rpc_call *call, const OrderRecord *was, const OrderRecord *draft,
	       struct rpc_event *const *events, const struct stored_answer *answer)
{
	/* What is left out is never changed after the insert. */
	static const char *const of_order[] = { "state",    "payment_state",    "fulfilment_state",
						"lines",    "totals",           "shipments",
						"payment",  "next_action",      "steps",
						"history",  "payment_due_time", "update_time",
						"pay_time", "cancel_time",      "cancel_reason",
						NULL };
	static const char *const of_record[] = { "open_cart",      "basket",   "contents_hash",
						 "next_look_time", "attempts", "reversals",
						 "seen_versions",  "replaced", NULL };
	const bson_t *set = document_join(
		call, document_of_changes(call, "order.", was->order, draft->order, of_order),
		document_of_changes(call, "", was, draft, of_record));

	return mongo_update(call, &orders, .id = was->id,
			    .filter = DOC(call, "user", BCON_UTF8(was->user), "version",
					  BCON_INT64(was->version)),
			    .update = DOC(call, "$set", BCON_DOCUMENT(set)), .events = events,
			    .answer = answer);
}

int order_forget(struct rpc_call *call, const OrderRecord *record)
{
	return mongo_delete(call, &orders, record->id,
			    DOC(call, "user", BCON_UTF8(record->user), "open_cart", BCON_UTF8(""),
				"order.state", BCON_UTF8("PENDING")));
}

int order_add_answer(struct rpc_call *call, const OrderRecord *record,
		     const struct stored_answer *answer)
{
	return mongo_update(call, &orders, .id = record->id,
			    .filter = DOC(call, "user", BCON_UTF8(record->user)), .answer = answer,
			    .keep_version = true);
}

int order_find_due(struct rpc_call *call, int64_t limit, OrderRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &orders, ret, n_ret,
			  .filter = DOC(call, "next_look_time", "{", "$gt", BCON_DATE_TIME(0),
					"$lte", BCON_DATE_TIME(rpc_now_ms(call)), "}"),
			  .sort = DOC(call, "next_look_time", BCON_INT32(1)), .limit = limit);
}

int order_lease(struct rpc_call *call, OrderRecord *record, int64_t until)
{
	int r = mongo_update(
		call, &orders, .id = record->id,
		.filter = DOC(call, "user", BCON_UTF8(record->user), "next_look_time",
			      BCON_DATE_TIME(clock_ms(record->next_look_time))),
		.update = DOC(call, "$set", "{", "next_look_time", BCON_DATE_TIME(until), "}"),
		.keep_version = true);

	if (!r)
		record->next_look_time = clock_timestamp(call, until);
	return r;
}

int order_has_changed(struct rpc_call *call, const char *id, int64_t version, bool *ret)
{
	int64_t same;
	int r = mongo_count(call, &orders,
			    DOC(call, "_id", BCON_UTF8(id), "version", BCON_INT64(version)), 1,
			    &same);

	if (!r)
		*ret = !same;
	return r;
}

int order_sweep_answers(struct rpc_call *call)
{
	return answers_sweep(call, &orders);
}
