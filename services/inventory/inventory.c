/* Reading and booking the stock. Claims of orders are in claims.c, every change of a quantity in
 * stock.c. */
#include "inventory.h"
#include "stock.h"
#include <common/answers.h>
#include <common/clock.h>
#include <common/etag.h>
#include <common/filter.h>
#include <common/mask.h>
#include <common/names.h>
#include <common/page.h>
#include <stdlib.h>
#include <string.h>

StockItem *inventory_view(struct rpc_call *call, const StockRecord *record)
{
	StockItem *item = rpc_memdup(call, record->stock_item, sizeof(*record->stock_item));

	if (!item->backorder_policy)
		item->backorder_policy = BACKORDER_POLICY_DENY;
	item->etag = etag_of(call, record->version);
	return item;
}

const char *inventory_actor(struct rpc_call *call)
{
	const struct rpc_caller *caller = rpc_caller(call);

	return *caller->user ? caller->user : name_of(call, "services", caller->service);
}

static void fill_availability(StockAvailability *availability, const StockItem *item)
{
	availability->available = item->available;
	availability->state = item->state;
	availability->backorderable = item->backorderable;
	if (!item->backorderable)
		return;
	availability->preorder = item->backorder_policy == BACKORDER_POLICY_PREORDER;
	availability->promise_time = item->promise_time;
}

static int batch_get_availability(struct inventory_service *self, struct rpc_call *call,
				  const BatchGetAvailabilityRequest *req,
				  BatchGetAvailabilityResponse **ret)
{
	BatchGetAvailabilityResponse *response = rpc_new(call, BatchGetAvailabilityResponse);
	StockRecord **records;
	size_t n_records;
	int r;

	r = stock_read_all(call, req->skus, req->n_skus, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < req->n_skus; i++) {
		StockAvailability *availability =
			rpc_new(call, StockAvailability, .sku = req->skus[i],
				.state = STOCK_ITEM_STATE_OUT_OF_STOCK);

		for (size_t j = 0; j < n_records; j++) {
			if (strcmp(records[j]->id, req->skus[i]))
				continue;
			fill_availability(availability, records[j]->stock_item);
		}
		batch_get_availability_response_add_availabilities(call, response, availability);
	}
	*ret = response;
	return 0;
}

static int find_item(struct rpc_call *call, const char *name, StockRecord **ret)
{
	int r = stock_read(call, name_id(name), ret);

	return r == MONGO_NOT_FOUND ? rpc_fail(call, STOCK_ITEM_NOT_FOUND, { "sku", name_id(name) })
				    : r;
}

static int get_stock_item(struct inventory_service *self, struct rpc_call *call,
			  const GetStockItemRequest *req, StockItem **ret)
{
	StockRecord *record;
	int r;

	r = find_item(call, req->name, &record);
	if (!r)
		*ret = inventory_view(call, record);
	return r;
}

static int list_stock_items(struct inventory_service *self, struct rpc_call *call,
			    const ListStockItemsRequest *req, ListStockItemsResponse **ret)
{
	static const struct filter_field fields[] = {
		{ "state", "stock_item.state", FILTER_ENUM, &StockItemState_descriptor },
		{ "available", "stock_item.available", FILTER_NUMBER },
		{ "reserved", "stock_item.reserved", FILTER_NUMBER },
		{ "committed", "stock_item.committed", FILTER_NUMBER },
		{ "backordered", "stock_item.backordered", FILTER_NUMBER },
		{},
	};
	ListStockItemsResponse *response = rpc_new(call, ListStockItemsResponse);
	cleanup(bson_freep) bson_t *filter = bson_new();
	StockRecord **records;
	size_t n_records;
	int r;

	r = filter_read(call, req->filter, fields, filter);
	if (!r)
		r = stock_page(call, req, filter, response, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		list_stock_items_response_add_stock_items(call, response,
							  inventory_view(call, records[i]));
	*ret = response;
	return 0;
}

/* --- booking --- */

struct booking {
	const AdjustStockRequest *req;
	AdjustStockRequestQuantity quantity;
	const struct answers_key *key;
	StockItem *answer;
};

static int32_t *quantity_of(struct stock_change *change, AdjustStockRequestQuantity quantity)
{
	switch (quantity) {
	case ADJUST_STOCK_REQUEST_QUANTITY_DAMAGED:
		return &change->damaged;
	case ADJUST_STOCK_REQUEST_QUANTITY_INCOMING:
		return &change->incoming;
	default:
		return &change->on_hand;
	}
}

static int32_t present(const StockItem *item, AdjustStockRequestQuantity quantity)
{
	switch (quantity) {
	case ADJUST_STOCK_REQUEST_QUANTITY_DAMAGED:
		return item->damaged;
	case ADJUST_STOCK_REQUEST_QUANTITY_INCOMING:
		return item->incoming;
	default:
		return item->on_hand;
	}
}

static StockMovementKind kind_of(AdjustStockRequestReason reason)
{
	static const StockMovementKind kinds[] = {
		[ADJUST_STOCK_REQUEST_REASON_UNSPECIFIED] = STOCK_MOVEMENT_KIND_COUNTED,
		[ADJUST_STOCK_REQUEST_REASON_COUNTED] = STOCK_MOVEMENT_KIND_COUNTED,
		[ADJUST_STOCK_REQUEST_REASON_RECEIVED] = STOCK_MOVEMENT_KIND_RECEIVED,
		[ADJUST_STOCK_REQUEST_REASON_RETURNED] = STOCK_MOVEMENT_KIND_RETURNED,
		[ADJUST_STOCK_REQUEST_REASON_WRITTEN_OFF] = STOCK_MOVEMENT_KIND_WRITTEN_OFF,
		[ADJUST_STOCK_REQUEST_REASON_BROKEN] = STOCK_MOVEMENT_KIND_DAMAGED,
		[ADJUST_STOCK_REQUEST_REASON_ANNOUNCED] = STOCK_MOVEMENT_KIND_ANNOUNCED,
	};

	return (size_t)reason < sizeof(kinds) / sizeof(*kinds) ? kinds[reason]
							       : STOCK_MOVEMENT_KIND_COUNTED;
}

static int insufficient(struct rpc_call *call, const StockRecord *record, int64_t available,
			int64_t requested)
{
	return rpc_fail(call, STOCK_INSUFFICIENT, { "sku", record->id },
			{ "available", rpc_printf(call, "%lld", (long long)available) },
			{ "requested", rpc_printf(call, "%lld", (long long)requested) });
}

static int book(struct rpc_call *call, const StockRecord *record, void *data,
		struct stock_change *ret)
{
	struct booking *booking = data;
	const AdjustStockRequest *req = booking->req;
	const StockItem *item = record->stock_item;
	int32_t now = present(item, booking->quantity);
	struct stock_change change = { .kind = kind_of(req->reason),
				       .cause = req->cause,
				       .actor = inventory_actor(call),
				       .answer = booking->key };
	int64_t delta, available;
	int r;

	r = answers_find(call, booking->key, record, &StockItem_descriptor, &booking->answer);
	if (r != ANSWERS_NONE)
		return r ? r : STOCK_UNCHANGED;
	if (req->has_expected_quantity && req->expected_quantity != now)
		return rpc_fail(call, STOCK_QUANTITY_CHANGED, { "sku", record->id },
				{ "quantity", rpc_printf(call, "%d", now) },
				{ "expected", rpc_printf(call, "%d", req->expected_quantity) });
	delta = req->change_case == ADJUST_STOCK_REQUEST_CHANGE_SET_TO ? (int64_t)req->set_to - now
								       : req->delta;
	if (now + delta < 0 || now + delta > INVENTORY_QUANTITY_MAX)
		return insufficient(call, record, now, -delta);
	*quantity_of(&change, booking->quantity) = (int32_t)delta;
	if (booking->quantity == ADJUST_STOCK_REQUEST_QUANTITY_DAMAGED)
		change.available = -(int32_t)delta;
	else if (booking->quantity == ADJUST_STOCK_REQUEST_QUANTITY_ON_HAND)
		change.available = (int32_t)delta;
	available = (int64_t)item->available + change.available;
	if (available < 0)
		return insufficient(call, record, item->available, -(int64_t)change.available);
	if (change.kind == STOCK_MOVEMENT_KIND_RECEIVED && change.on_hand > 0)
		change.incoming =
			-(change.on_hand < item->incoming ? change.on_hand : item->incoming);
	*ret = change;
	return 0;
}

static int adjust_stock(struct inventory_service *self, struct rpc_call *call,
			const AdjustStockRequest *req, StockItem **ret)
{
	struct answers_key key;
	struct booking booking = { .req = req, .quantity = req->quantity, .key = &key };
	const char *sku = name_id(req->name);
	StockRecord *record;
	int r;

	if (req->change_case == ADJUST_STOCK_REQUEST_CHANGE_NOT_SET ||
	    (req->change_case == ADJUST_STOCK_REQUEST_CHANGE_DELTA && !req->delta))
		return rpc_fail(call, STOCK_CHANGE_MISSING);
	if (!booking.quantity)
		booking.quantity = ADJUST_STOCK_REQUEST_QUANTITY_ON_HAND;
	answers_key(call, req, &key);
	r = stock_change(call, NULL, sku, book, &booking, &record);
	if (r && req->allow_missing && rpc_failed_with(call, STOCK_ITEM_NOT_FOUND)) {
		/* Stopped after this, there is an item of 0 units, and the repeat books. */
		rpc_error_clear(call);
		r = stock_create(call, sku);
		if (!r)
			r = stock_change(call, NULL, sku, book, &booking, &record);
	}
	if (r && r != STOCK_UNCHANGED)
		return r;
	*ret = booking.answer ? booking.answer : inventory_view(call, record);
	return 0;
}

/* How the SKU is kept from now on. */
static const StockItem *settings_of(struct rpc_call *call, const UpdateStockItemRequest *req,
				    const StockItem *item)
{
	StockItem *settings = rpc_memdup(call, item, sizeof(*item));
	const StockItem *from = req->stock_item;

	if (mask_has(req->update_mask, from, "low_stock_threshold"))
		settings->low_stock_threshold = from->low_stock_threshold;
	if (mask_has(req->update_mask, from, "backorder_policy"))
		settings->backorder_policy = from->backorder_policy;
	if (mask_has(req->update_mask, from, "backorder_limit"))
		settings->backorder_limit = from->backorder_limit;
	if (mask_has(req->update_mask, from, "promise_time"))
		settings->promise_time = from->promise_time;
	return settings;
}

struct keeping {
	const UpdateStockItemRequest *req;
};

static int keep(struct rpc_call *call, const StockRecord *record, void *data,
		struct stock_change *ret)
{
	const UpdateStockItemRequest *req = ((struct keeping *)data)->req;
	const StockItem *from = req->stock_item, *item = record->stock_item;
	struct stock_change change = { .kind = STOCK_MOVEMENT_KIND_SAFETY_CHANGED,
				       .actor = inventory_actor(call) };
	int r;

	r = etag_check(call, from->name, from->etag, record->version);
	if (r)
		return r;
	if (mask_has(req->update_mask, from, "safety")) {
		change.safety = from->safety - item->safety;
		change.available = -change.safety;
	}
	if (change.available < -item->available)
		return insufficient(call, record, item->available, change.safety);
	change.settings = settings_of(call, req, item);
	*ret = change;
	return 0;
}

static int update_stock_item(struct inventory_service *self, struct rpc_call *call,
			     const UpdateStockItemRequest *req, StockItem **ret)
{
	static const char *const fields[] = { "low_stock_threshold", "safety",
					      "backorder_policy",    "backorder_limit",
					      "promise_time",        NULL };
	struct keeping keeping = { req };
	StockRecord *record;
	int r;

	r = mask_check(call, req->update_mask, fields);
	if (!r)
		r = stock_change(call, NULL, name_id(req->stock_item->name), keep, &keeping,
				 &record);
	if (!r)
		*ret = inventory_view(call, record);
	return r;
}

/* --- what happened --- */

/* What runs out first comes first. */
static struct page_key key_of(const void *row)
{
	const StockRecordClaim *claim = row;

	return (struct page_key){ clock_ms(claim->expire_time), claim->order };
}

static int list_reservations(struct inventory_service *self, struct rpc_call *call,
			     const ListReservationsRequest *req, ListReservationsResponse **ret)
{
	ListReservationsResponse *response = rpc_new(call, ListReservationsResponse);
	StockRecord *record;
	int r;

	r = find_item(call, req->parent, &record);
	if (!r)
		r = page_rows(call, req, &record->claims, &record->n_claims, key_of,
			      &response->next_page_token);
	if (r)
		return r;
	stock_record_each_claims(claim, record) list_reservations_response_add_reservations(
		call, response,
		rpc_new(call, Reservation,
			.name = name_join(call, req->parent, "reservations", claim->order),
			.order = name_of(call, "orders", claim->order),
			.quantity = (int32_t)claim->quantity, .state = claim->state,
			.create_time = claim->create_time, .expire_time = claim->expire_time));
	*ret = response;
	return 0;
}

static int list_stock_movements(struct inventory_service *self, struct rpc_call *call,
				const ListStockMovementsRequest *req,
				ListStockMovementsResponse **ret)
{
	ListStockMovementsResponse *response = rpc_new(call, ListStockMovementsResponse);
	MovementRecord **records;
	size_t n_records;
	int r;

	r = movement_page(call, req, response, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		list_stock_movements_response_add_movements(call, response, records[i]->movement);
	*ret = response;
	return 0;
}

int inventory_relay(void *data, struct rpc_call *call)
{
	bool more = false;
	int r = stock_move_movements(call, &more);

	return r ? r : more;
}

const struct inventory_service_ops inventory_service = {
	.batch_get_availability = batch_get_availability,
	.reserve_stock = inventory_reserve_stock,
	.commit_reservation = inventory_commit_reservation,
	.release_reservation = inventory_release_reservation,
	.restock_stock = inventory_restock_stock,
	.get_order_backorders = inventory_get_order_backorders,
	.get_stock_item = get_stock_item,
	.list_stock_items = list_stock_items,
	.update_stock_item = update_stock_item,
	.adjust_stock = adjust_stock,
	.list_reservations = list_reservations,
	.list_stock_movements = list_stock_movements,
};
