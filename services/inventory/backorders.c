/* Backorders: what orders have beyond the stock, and how stock that comes is theirs first. stock.c
 * says what always holds. */
#include "stock.h"
#include <common/clock.h>
#include <common/names.h>
#include <string.h>

int32_t backorder_of(const StockRecord *record, const char *order)
{
	for (size_t i = 0; i < record->n_backorders; i++)
		if (!strcmp(record->backorders[i]->order, order))
			return record->backorders[i]->quantity;
	return 0;
}

static bool is_own(const StockRecordBackorder *backorder, const struct stock_change *change)
{
	return change->waits && !strcmp(backorder->order, change->waits);
}

/* What is available after the change goes to the backorder. */
static void serve(const StockRecord *record, StockRecordBackorder *backorder,
		  struct stock_change *change)
{
	int32_t available = record->stock_item->available + change->available;
	int32_t served = available < backorder->quantity ? available : backorder->quantity;

	if (served <= 0)
		return;
	backorder->quantity -= served;
	change->backordered -= served;
	change->available -= served;
	/* What was sold is counted in `committed` since then; a claim is still to be sold. */
	if (stock_find_claim(record, backorder->order))
		change->reserved += served;
	else
		change->on_hand -= served;
}

int backorders_settle(struct rpc_call *call, StockRecord *record, struct stock_change *change)
{
	StockRecordBackorder **kept =
		rpc_alloc(call, (record->n_backorders + 1) * sizeof(StockRecordBackorder *));
	int32_t own = change->backordered;
	size_t n = 0;

	if (own > 0 && record->n_backorders >= INVENTORY_BACKORDERS_MAX)
		return rpc_fail(call, STOCK_BUSY, { "sku", record->id },
				{ "max", rpc_printf(call, "%d", INVENTORY_BACKORDERS_MAX) });
	for (size_t i = 0; i < record->n_backorders; i++) {
		StockRecordBackorder *backorder = record->backorders[i];

		if (is_own(backorder, change))
			backorder->quantity += own;
		else if (own <= 0)
			serve(record, backorder, change);
		if (backorder->quantity)
			kept[n++] = backorder;
	}
	if (own > 0)
		kept[n++] = rpc_new(call, StockRecordBackorder, .order = change->waits,
				    .quantity = own, .create_time = clock_now(call));
	record->backorders = kept;
	record->n_backorders = n;
	return 0;
}

StockBackorder *backorder_view(struct rpc_call *call, const char *sku, int32_t quantity,
			       Timestamp *promise_time)
{
	return rpc_new(call, StockBackorder, .sku = sku, .quantity = quantity,
		       .promise_time = promise_time);
}

int inventory_get_order_backorders(struct inventory_service *self, struct rpc_call *call,
				   const GetOrderBackordersRequest *req,
				   GetOrderBackordersResponse **ret)
{
	GetOrderBackordersResponse *response = rpc_new(call, GetOrderBackordersResponse);
	StockRecord **records;
	size_t n_records;
	int r;

	r = stock_read_backorders(call, req->skus, req->n_skus, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++) {
		const StockItem *item = records[i]->stock_item;
		int32_t quantity = backorder_of(records[i], name_id(req->order));

		if (quantity)
			get_order_backorders_response_add_backorders(
				call, response,
				backorder_view(call, item->sku, quantity, item->promise_time));
	}
	*ret = response;
	return 0;
}
