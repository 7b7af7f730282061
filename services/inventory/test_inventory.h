/* Inventory for tests: its handlers with a real store, and a ledger that must add up. */
#pragma once

#pragma GCC diagnostic ignored "-Wunused-function" /* each test program uses its part */

#include "stock.h"
#include <common/clock.h>
#include <stores.h>
#include <string.h>
#include <test.h>

static struct inventory_service inventory;
static struct inventory_client *client;
static struct rpc_call *call;

static struct rpc_call *call_as(const char *service, const char *scope)
{
	struct rpc_call *made = rpc_call_new("test", 30000);

	rpc_call_set_caller(made, &(const struct rpc_caller){ .user = *scope ? "users/staff" : "",
							      .session = "",
							      .scope = scope,
							      .merge_from = "",
							      .service = service });
	return made;
}

static void setup(void)
{
	stores_mongo("inventory");
	client = inventory_client_local(&inventory_service, &inventory);
	call = call_as("orders", "inventory.manage inventory.read");
}

static void teardown(void)
{
	client = inventory_client_free(client);
	call = rpc_call_free(call);
	stores_close();
}

static int book(const char *sku, int32_t delta, const char *request_id, StockItem **ret)
{
	return inventory_client_adjust_stock(client, call,
					     MSG(AdjustStockRequest, .name = sku,
						 .change_case = ADJUST_STOCK_REQUEST_CHANGE_DELTA,
						 .delta = delta,
						 .reason = ADJUST_STOCK_REQUEST_REASON_RECEIVED,
						 .allow_missing = true, .request_id = request_id),
					     ret);
}

static void stock_up(const char *sku, int32_t quantity)
{
	StockItem *item;

	ck_assert_int_eq(book(sku, quantity, rpc_printf(call, "first %s", sku), &item), 0);
	ck_assert_int_eq(item->available, quantity);
}

static StockItem *item_of(const char *sku)
{
	StockItem *item;

	ck_assert_int_eq(inventory_client_get_stock_item(
				 client, call, MSG(GetStockItemRequest, .name = sku), &item),
			 0);
	return item;
}

static void check(const char *sku, int32_t on_hand, int32_t available, int32_t reserved,
		  int32_t committed)
{
	const StockItem *item = item_of(sku);

	ck_assert_int_eq(item->on_hand, on_hand);
	ck_assert_int_eq(item->available, available);
	ck_assert_int_eq(item->reserved, reserved);
	ck_assert_int_eq(item->committed, committed);
}

static StockLine *line(struct rpc_call *of, const char *sku, int32_t quantity)
{
	return rpc_new(of, StockLine, .sku = sku, .quantity = quantity);
}

static int reserve_for(struct rpc_call *of, int64_t ms, const char *order, StockLine *a,
		       StockLine *b, ReserveStockResponse **ret)
{
	ReserveStockRequest *request =
		rpc_new(of, ReserveStockRequest, .order = order,
			.expire_time = clock_timestamp(of, rpc_now_ms(of) + ms));

	reserve_stock_request_add_lines(of, request, a);
	if (b)
		reserve_stock_request_add_lines(of, request, b);
	return inventory_client_reserve_stock(client, of, request, ret);
}

static bool reserve(const char *order, StockLine *a, StockLine *b)
{
	ReserveStockResponse *response;

	ck_assert_int_eq(reserve_for(call, 60000, order, a, b, &response), 0);
	return response->reserved;
}

static CommitReservationResponse *commit(const char *order, StockLine *a, StockLine *b)
{
	CommitReservationRequest *request = rpc_new(call, CommitReservationRequest, .order = order);
	CommitReservationResponse *response;

	commit_reservation_request_add_lines(call, request, a);
	if (b)
		commit_reservation_request_add_lines(call, request, b);
	ck_assert_int_eq(inventory_client_commit_reservation(client, call, request, &response), 0);
	return response;
}

static ReleaseReservationResponse *release(const char *order, const char *sku)
{
	ReleaseReservationRequest *request =
		rpc_new(call, ReleaseReservationRequest, .order = order);
	ReleaseReservationResponse *response;

	release_reservation_request_add_skus(call, request, sku);
	ck_assert_int_eq(inventory_client_release_reservation(client, call, request, &response), 0);
	return response;
}

static int restock(const char *order, const char *sku, int32_t quantity, const char *request_id)
{
	RestockStockRequest *request =
		rpc_new(call, RestockStockRequest, .order = order, .request_id = request_id);
	RestockStockResponse *response;

	restock_stock_request_add_lines(call, request, line(call, sku, quantity));
	return inventory_client_restock_stock(client, call, request, &response);
}

static void sweep(void)
{
	int r;

	while ((r = inventory_sweep(&inventory, call)) > 0)
		;
	ck_assert_int_eq(r, 0);
}

/* The ledger sums to the quantities, and no version stands in it twice. */
static void check_ledger(const char *sku)
{
	ListStockMovementsResponse *page;
	int32_t on_hand = 0, available = 0, reserved = 0, committed = 0, backordered = 0;
	const StockItem *item = item_of(sku);
	const char *token = "";
	int64_t before = INT64_MAX;
	int r;

	while ((r = inventory_relay(&inventory, call)) > 0)
		;
	ck_assert_int_eq(r, 0);
	do {
		ck_assert_int_eq(inventory_client_list_stock_movements(
					 client, call,
					 MSG(ListStockMovementsRequest, .parent = sku,
					     .page_size = 100, .page_token = token),
					 &page),
				 0);
		for (size_t i = 0; i < page->n_movements; i++) {
			on_hand += page->movements[i]->on_hand_change;
			available += page->movements[i]->available_change;
			reserved += page->movements[i]->reserved_change;
			committed += page->movements[i]->committed_change;
			backordered += page->movements[i]->backordered_change;
			ck_assert_int_lt(page->movements[i]->version, before);
			before = page->movements[i]->version;
		}
		token = page->next_page_token;
	} while (*token);
	ck_assert_int_eq(on_hand, item->on_hand);
	ck_assert_int_eq(available, item->available);
	ck_assert_int_eq(reserved, item->reserved);
	ck_assert_int_eq(committed, item->committed);
	ck_assert_int_eq(backordered, item->backordered);
}
