/*
 * Inventory's documents.
 *
 * stock      sharded by _id, the SKU. Every change is one update with the version in its condition.
 * movements  sharded by sku. Moved here from `stock.movements`, many at a time; never changed.
 */
#include "inventory_store.h"
#include "stock.h"
#include <common/clock.h>
#include <common/filter.h>
#include <common/names.h>
#include <common/page.h>
#include <string.h>

enum {
	ENDED_MS = 24 * 60 * 60 * 1000,
	/* Beyond so many sales of a SKU in a day the oldest ended claims go sooner: a document has
	 * a size. */
	ENDED_MAX = 5000,
};
#define DONE_MS (30LL * 24 * 60 * 60 * 1000)

static const struct mongo_index stock_indexes[] = {
	{ "next_expire_time",
	  .partial = MONGO_JSON({ "next_expire_time" : { "$exists" : true } }) },
	{ "movements.id", .partial = MONGO_JSON({ "movements.id" : { "$gt" : "" } }) },
	{ "ended.end_time", .partial = MONGO_JSON({ "ended.end_time" : { "$exists" : true } }) },
	{ "done.time", .partial = MONGO_JSON({ "done.time" : { "$exists" : true } }) },
	{ "stock_item.state _id" },
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{},
};
MONGO_COLLECTION(stock, .name = "stock", .type = &StockRecord_descriptor, .indexes = stock_indexes,
		 .outbox = true);

static const struct mongo_index movement_indexes[] = {
	{ "sku movement.version _id" },
	{ "movement.create_time _id" },
	{ "movement.cause sku" },
	{},
};
MONGO_COLLECTION(movements, .name = "movements", .type = &MovementRecord_descriptor,
		 .indexes = movement_indexes);

int stock_read(struct rpc_call *call, const char *sku, StockRecord **ret)
{
	return mongo_get(call, &stock, sku, ret);
}

int stock_read_all(struct rpc_call *call, const char *const *skus, size_t n_skus,
		   StockRecord ***ret, size_t *n_ret)
{
	return mongo_find(
		call, &stock, ret, n_ret,
		.filter = DOC(call, "_id", BCON_DOCUMENT(document_in(call, skus, n_skus))),
		.limit = (int64_t)n_skus, .projection = DOC(call, "stock_item", BCON_INT32(1)));
}

int stock_read_whole(struct rpc_call *call, const char *const *skus, size_t n_skus,
		     StockRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &stock, ret, n_ret, .limit = (int64_t)n_skus,
			  .filter =
				  DOC(call, "_id", BCON_DOCUMENT(document_in(call, skus, n_skus))));
}

int stock_read_backorders(struct rpc_call *call, const char *const *skus, size_t n_skus,
			  StockRecord ***ret, size_t *n_ret)
{
	return mongo_find(
		call, &stock, ret, n_ret,
		.filter = DOC(call, "_id", BCON_DOCUMENT(document_in(call, skus, n_skus))),
		.limit = (int64_t)n_skus,
		.projection = DOC(call, "stock_item", BCON_INT32(1), "backorders", BCON_INT32(1)));
}

int stock_create(struct rpc_call *call, const char *sku)
{
	StockItem *item = rpc_new(call, StockItem, .name = name_of(call, "stockItems", sku),
				  .sku = sku, .low_stock_threshold = INVENTORY_LOW_STOCK_DEFAULT,
				  .create_time = clock_now(call), .update_time = clock_now(call),
				  .state = STOCK_ITEM_STATE_OUT_OF_STOCK);
	int r = mongo_insert(
		call, &stock,
		rpc_new(call, StockRecord, .id = sku, .stock_item = item, .schema_version = 1));

	return r == MONGO_DUPLICATE ? 0 : r;
}

/* What is noted with a change: claims that begin and end, the movement, the act. */
static void append_notes(struct rpc_call *call, bson_t *update, const StockRecord *record,
			 const struct stock_write *write)
{
	const struct stock_change *change = write->change;
	bson_t push, each, array;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$push", &push);
	if (change->open)
		document_append_message(&push, "claims", &change->open->base);
	if (change->backordered > 0)
		document_append_message(&push, "backorders",
					&record->backorders[record->n_backorders - 1]->base);
	if (change->close) {
		StockRecordClaim *ended = rpc_memdup(call, change->close, sizeof(*change->close));

		ended->state = change->end_state;
		ended->end_time = clock_now(call);
		BSON_APPEND_DOCUMENT_BEGIN(&push, "ended", &each);
		BSON_APPEND_ARRAY_BEGIN(&each, "$each", &array);
		document_append_message(&array, "0", &ended->base);
		bson_append_array_end(&each, &array);
		BSON_APPEND_INT32(&each, "$slice", -ENDED_MAX);
		bson_append_document_end(&push, &each);
	}
	if (write->movement)
		document_append_message(&push, "movements", &write->movement->base);
	if (change->done) {
		StockRecordDone *done = rpc_new(call, StockRecordDone, .key = change->done,
						.time = clock_now(call));

		document_append_message(&push, "done", &done->base);
	}
	bson_append_document_end(update, &push);
	if (change->close && stock_find_claim(record, change->close->order)) {
		bson_t *pull =
			DOC(call, "claims", "{", "order", BCON_UTF8(change->close->order), "}");

		BSON_APPEND_DOCUMENT(update, "$pull", pull);
	}
}

int stock_write(struct rpc_call *call, const StockRecord *record, const struct stock_write *write)
{
	static const char *const fields[] = { "on_hand",   "available",   "reserved",
					      "committed", "incoming",    "damaged",
					      "safety",    "backordered", "backorderable",
					      "state",     "update_time", NULL };
	static const char *const settings[] = { "low_stock_threshold", "backorder_policy",
						"backorder_limit", "promise_time", NULL };
	static const char *const backorders[] = { "backorders", NULL };
	const struct stock_change *change = write->change;
	bson_t *set =
		bson_copy(document_of_fields(call, "stock_item.", record->stock_item, fields));
	bson_t *update = bson_new();
	const bson_t *filter = DOC(call, "version", BCON_INT64(record->version - 1));

	if (change->settings)
		bson_concat(set,
			    document_of_fields(call, "stock_item.", record->stock_item, settings));
	if (change->backordered < 0)
		bson_concat(set, document_of_fields(call, "", record, backorders));
	if (write->first_expiry)
		BSON_APPEND_DATE_TIME(set, "next_expire_time", clock_ms(write->first_expiry));
	if (change->extend) {
		BSON_APPEND_DATE_TIME(set, "claims.$.expire_time", clock_ms(change->expire_time));
		filter = DOC(call, "version", BCON_INT64(record->version - 1), "claims.order",
			     BCON_UTF8(change->extend->order));
	}
	BSON_APPEND_DOCUMENT(update, "$set", set);
	bson_destroy(set);
	if (!write->first_expiry)
		BCON_APPEND(update, "$unset", "{", "next_expire_time", BCON_INT32(1), "}");
	if (change->open || change->close || change->done || write->movement)
		append_notes(call, update, record, write);
	return mongo_update(call, &stock, .id = record->id, .filter = filter,
			    .update = document_keep(call, update), .events = write->events,
			    .answer = write->answer);
}

int stock_page(struct rpc_call *call, const ListStockItemsRequest *req, const bson_t *filter,
	       ListStockItemsResponse *response, StockRecord ***ret, size_t *n_ret)
{
	return page_list(
		call, &stock, req, ret, n_ret, &response->next_page_token, .filter = filter,
		.projection = DOC(call, "stock_item", BCON_INT32(1), "version", BCON_INT32(1)));
}

int stock_find_expired(struct rpc_call *call, StockRecord **ret)
{
	return mongo_find_one(call, &stock, ret,
			      .filter = DOC(call, "next_expire_time", "{", "$lte",
					    BCON_DATE_TIME(rpc_now_ms(call)), "}"));
}

int stock_trim(struct rpc_call *call)
{
	int64_t ended = rpc_now_ms(call) - ENDED_MS, done = rpc_now_ms(call) - DONE_MS, n;
	int r;

	r = mongo_update_many(call, &stock,
			      DOC(call, "ended.end_time", "{", "$lt", BCON_DATE_TIME(ended), "}"),
			      DOC(call, "$pull", "{", "ended", "{", "end_time", "{", "$lt",
				  BCON_DATE_TIME(ended), "}", "}", "}"),
			      &n);
	if (!r)
		r = mongo_update_many(call, &stock,
				      DOC(call, "done.time", "{", "$lt", BCON_DATE_TIME(done), "}"),
				      DOC(call, "$pull", "{", "done", "{", "time", "{", "$lt",
					  BCON_DATE_TIME(done), "}", "}", "}"),
				      &n);
	return r ? r : answers_sweep(call, &stock);
}

int stock_was_sold(struct rpc_call *call, const StockRecord *record, const char *order, bool *ret)
{
	int64_t n;
	int r;

	for (size_t i = 0; i < record->n_movements; i++) {
		const StockMovement *movement = record->movements[i]->movement;

		if (movement->kind == STOCK_MOVEMENT_KIND_SOLD && !strcmp(movement->cause, order)) {
			*ret = true;
			return 0;
		}
	}
	r = mongo_count(call, &movements,
			DOC(call, "movement.cause", BCON_UTF8(order), "sku", BCON_UTF8(record->id),
			    "movement.kind", BCON_UTF8("SOLD")),
			1, &n);
	if (!r)
		*ret = n;
	return r;
}

int stock_move_movements(struct rpc_call *call, bool *more)
{
	enum { AT_ONCE = 50 };
	const ProtobufCMessage **moved = NULL;
	const char *skus[AT_ONCE], **ids;
	StockRecord **records;
	size_t n_records, n = 0;
	int64_t changed;
	int r;

	r = mongo_find(call, &stock, &records, &n_records, .limit = AT_ONCE,
		       .filter = DOC(call, "movements.id", "{", "$gt", BCON_UTF8(""), "}"),
		       .projection = DOC(call, "movements", BCON_INT32(1)));
	for (size_t i = 0; !r && i < n_records; i++) {
		skus[i] = records[i]->id;
		moved = rpc_array_room(rpc_arena(call), moved, n, records[i]->n_movements,
				       sizeof(*moved));
		for (size_t j = 0; j < records[i]->n_movements; j++)
			moved[n++] = &records[i]->movements[j]->base;
	}
	if (r || !n)
		return r;
	r = mongo_insert_missing(call, &movements, moved, n);
	/* Stopped here, they are inserted again, which is no harm. */
	crash_point("inventory.movements.after_insert");
	if (r)
		return r;
	ids = rpc_alloc(call, n * sizeof(*ids));
	for (size_t i = 0; i < n; i++)
		ids[i] = ((const MovementRecord *)moved[i])->id;
	*more = n_records == AT_ONCE;
	return mongo_update_many(
		call, &stock, DOC(call, "_id", BCON_DOCUMENT(document_in(call, skus, n_records))),
		DOC(call, "$pull", "{", "movements", "{", "id",
		    BCON_DOCUMENT(document_in(call, ids, n)), "}", "}"),
		&changed);
}

int movement_page(struct rpc_call *call, const ListStockMovementsRequest *req,
		  ListStockMovementsResponse *response, MovementRecord ***ret, size_t *n_ret)
{
	const char *sku = name_id(req->parent);

	if (!strcmp(sku, "-"))
		return page_list(call, &movements, req, ret, n_ret, &response->next_page_token,
				 .sort = "-movement.create_time");
	return page_list(call, &movements, req, ret, n_ret, &response->next_page_token,
			 .filter = DOC(call, "sku", BCON_UTF8(sku)), .sort = "-movement.version");
}
