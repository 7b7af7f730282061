/* What there is of a SKU: booked, counted, listed, and told when it is low, out or back. */
#include "test_inventory.h"

TEST(a_booking_happens_once_for_a_request_id)
{
	StockItem *item;

	stock_up("TEA", 10);
	ck_assert_int_eq(book("TEA", 5, "delivery", &item), 0);
	ck_assert_int_eq(book("TEA", 5, "delivery", &item), 0);
	ck_assert_int_eq(item->on_hand, 15);
	check("TEA", 15, 15, 0, 0);
	ck_assert_int_eq(book("TEA", 6, "delivery", &item), RPC_FAILED_PRECONDITION);
}

TEST(nothing_falls_below_zero)
{
	StockItem *item;

	stock_up("TEA", 10);
	ck_assert(reserve("orders/1", line(call, "TEA", 8), NULL));
	ck_assert_int_eq(book("TEA", -3, "lost", &item), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, STOCK_INSUFFICIENT));
	ck_assert_int_eq(inventory_client_update_stock_item(
				 client, call,
				 MSG(UpdateStockItemRequest,
				     .stock_item = rpc_new(call, StockItem,
							   .name = "stockItems/TEA", .safety = 3)),
				 &item),
			 RPC_FAILED_PRECONDITION);
	check("TEA", 10, 2, 8, 0);
}

TEST(items_are_listed_by_what_is_left)
{
	ListStockItemsResponse *page;

	stock_up("TEA", 10);
	stock_up("CUP", 2);
	ck_assert_int_eq(
		inventory_client_list_stock_items(
			client, call,
			MSG(ListStockItemsRequest, .filter = "state = LOW_STOCK AND available > 1"),
			&page),
		0);
	ck_assert_uint_eq(page->n_stock_items, 1);
	ck_assert_str_eq(page->stock_items[0]->sku, "CUP");
}

/* What was told of the SKU since it was first booked, by the events' names. */
static const char *told(const char *sku)
{
	const char *names = "";
	StockRecord *record;

	ck_assert_int_eq(stock_read(call, sku, &record), 0);
	for (size_t i = 1; i < record->n_outbox; i++)
		names = rpc_printf(call, "%s %s", names,
				   record->outbox[i]->type + strlen("souk.inventory.v1."));
	return names;
}

TEST(stock_that_is_low_out_or_back_is_told)
{
	StockItem *item;

	ck_assert_int_eq(book("TEA", 8, "first", &item), 0);
	ck_assert(reserve("orders/1", line(call, "TEA", 3), NULL));
	ck_assert(reserve("orders/2", line(call, "TEA", 1), NULL)); /* it is low still */
	ck_assert(reserve("orders/3", line(call, "TEA", 4), NULL));
	release("orders/3", "TEA");
	ck_assert_str_eq(told("TEA"), " StockRestocked StockReserved StockLow StockReserved"
				      " StockReserved StockOut StockReleased StockRestocked");
}

TEST(what_is_low_is_for_staff_to_say)
{
	StockItem *item =
		rpc_new(call, StockItem, .name = "stockItems/TEA", .low_stock_threshold = 20);

	stock_up("TEA", 10);
	ck_assert_int_eq(
		inventory_client_update_stock_item(
			client, call, MSG(UpdateStockItemRequest, .stock_item = item), &item),
		0);
	ck_assert_int_eq(item->state, STOCK_ITEM_STATE_LOW_STOCK);
	ck_assert_str_eq(told("TEA"), " StockRestocked StockAdjusted StockLow");
}

TEST(what_is_counted_is_booked_only_if_nothing_came_between)
{
	AdjustStockRequest *count =
		rpc_new(call, AdjustStockRequest, .name = "TEA", .request_id = "count",
			.change_case = ADJUST_STOCK_REQUEST_CHANGE_SET_TO, .set_to = 9,
			.has_expected_quantity = true, .expected_quantity = 11);
	StockItem *item;

	stock_up("TEA", 10);
	ck_assert_int_eq(inventory_client_adjust_stock(client, call, count, &item), RPC_ABORTED);
	ck_assert(rpc_failed_with(call, STOCK_QUANTITY_CHANGED));
	check("TEA", 10, 10, 0, 0);
	count->expected_quantity = 10;
	ck_assert_int_eq(inventory_client_adjust_stock(client, call, count, &item), 0);
	check("TEA", 9, 9, 0, 0);
	check_ledger("TEA");
}

static StockItem *adjust(AdjustStockRequestQuantity quantity, int32_t delta,
			 AdjustStockRequestReason reason)
{
	StockItem *item;

	ck_assert_int_eq(
		inventory_client_adjust_stock(
			client, call,
			MSG(AdjustStockRequest, .name = "TEA", .quantity = quantity, .delta = delta,
			    .change_case = ADJUST_STOCK_REQUEST_CHANGE_DELTA, .reason = reason,
			    .request_id = rpc_printf(call, "%d %d", (int)reason, delta)),
			&item),
		0);
	return item;
}

TEST(what_is_broken_is_not_sold_and_what_is_announced_comes)
{
	StockItem *item;

	stock_up("TEA", 10);
	item = adjust(ADJUST_STOCK_REQUEST_QUANTITY_DAMAGED, 4, ADJUST_STOCK_REQUEST_REASON_BROKEN);
	ck_assert_int_eq(item->damaged, 4);
	check("TEA", 10, 6, 0, 0);
	item = adjust(ADJUST_STOCK_REQUEST_QUANTITY_INCOMING, 20,
		      ADJUST_STOCK_REQUEST_REASON_ANNOUNCED);
	ck_assert_int_eq(item->incoming, 20);
	check("TEA", 10, 6, 0, 0);
	item = adjust(ADJUST_STOCK_REQUEST_QUANTITY_ON_HAND, 15,
		      ADJUST_STOCK_REQUEST_REASON_RECEIVED);
	ck_assert_int_eq(item->incoming, 5);
	check("TEA", 25, 21, 0, 0);
	check_ledger("TEA");
}

TEST_MAIN("inventory", setup, teardown)
