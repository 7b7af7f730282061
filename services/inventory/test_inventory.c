/* Inventory against the real server: claims of many at once, repeats, expiry, and a ledger that
 * adds up. */
#include "stock.h"
#include <common/clock.h>
#include <pthread.h>
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
	int32_t on_hand = 0, available = 0, reserved = 0, committed = 0;
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
			ck_assert_int_lt(page->movements[i]->version, before);
			before = page->movements[i]->version;
		}
		token = page->next_page_token;
	} while (*token);
	ck_assert_int_eq(on_hand, item->on_hand);
	ck_assert_int_eq(available, item->available);
	ck_assert_int_eq(reserved, item->reserved);
	ck_assert_int_eq(committed, item->committed);
}

TEST(an_order_reserves_sells_and_the_books_add_up)
{
	stock_up("TEA", 10);
	ck_assert(reserve("orders/1", line(call, "TEA", 3), NULL));
	check("TEA", 10, 7, 3, 0);
	commit("orders/1", line(call, "TEA", 3), NULL);
	check("TEA", 7, 7, 0, 3);
	check_ledger("TEA");
}

TEST(all_lines_are_reserved_or_none)
{
	ReserveStockResponse *response;

	stock_up("TEA", 10);
	stock_up("CUP", 1);
	ck_assert_int_eq(reserve_for(call, 60000, "orders/1", line(call, "TEA", 3),
				     line(call, "CUP", 2), &response),
			 0);
	ck_assert(!response->reserved);
	ck_assert_uint_eq(response->n_shortages, 1);
	ck_assert_str_eq(response->shortages[0]->sku, "CUP");
	ck_assert_int_eq(response->shortages[0]->available, 1);
	check("TEA", 10, 10, 0, 0);
	check("CUP", 1, 1, 0, 0);
	check_ledger("TEA");
}

TEST(a_sku_that_was_never_booked_is_short)
{
	ReserveStockResponse *response;

	ck_assert_int_eq(
		reserve_for(call, 60000, "orders/1", line(call, "NONE", 1), NULL, &response), 0);
	ck_assert(!response->reserved);
	ck_assert_int_eq(response->shortages[0]->available, 0);
}

TEST(a_repeat_reserves_nothing_more)
{
	stock_up("TEA", 10);
	ck_assert(reserve("orders/1", line(call, "TEA", 3), NULL));
	ck_assert(reserve("orders/1", line(call, "TEA", 3), NULL));
	check("TEA", 10, 7, 3, 0);
	commit("orders/1", line(call, "TEA", 3), NULL);
	ck_assert_uint_eq(commit("orders/1", line(call, "TEA", 3), NULL)->n_committed_skus, 1);
	check("TEA", 7, 7, 0, 3);
}

TEST(an_ended_reservation_is_not_made_again)
{
	ReserveStockResponse *response;

	stock_up("TEA", 10);
	ck_assert(reserve("orders/1", line(call, "TEA", 3), NULL));
	release("orders/1", "TEA");
	release("orders/1", "TEA");
	check("TEA", 10, 10, 0, 0);
	ck_assert_int_eq(
		reserve_for(call, 60000, "orders/1", line(call, "TEA", 3), NULL, &response),
		RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, RESERVATION_ENDED));
	check("TEA", 10, 10, 0, 0);
}

TEST(a_shortage_that_is_asked_about_again_is_still_one)
{
	ReserveStockResponse *response;

	stock_up("CUP", 5);
	stock_up("TEA", 1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(reserve_for(call, 60000, "orders/1", line(call, "CUP", 2),
					     line(call, "TEA", 3), &response),
				 0);
		ck_assert(!response->reserved);
		ck_assert_uint_eq(response->n_shortages, 1);
		ck_assert_str_eq(response->shortages[0]->sku, "TEA");
	}
	check("CUP", 5, 5, 0, 0);
	check("TEA", 1, 1, 0, 0);
}

TEST(a_release_that_overtakes_its_reservation_wins)
{
	ReserveStockResponse *response;

	stock_up("TEA", 10);
	release("orders/1", "TEA");
	ck_assert_int_eq(
		reserve_for(call, 60000, "orders/1", line(call, "TEA", 3), NULL, &response),
		RPC_FAILED_PRECONDITION);
	check("TEA", 10, 10, 0, 0);
}

TEST(what_is_sold_is_not_released_but_put_back_once)
{
	stock_up("TEA", 10);
	ck_assert(reserve("orders/1", line(call, "TEA", 3), NULL));
	commit("orders/1", line(call, "TEA", 3), NULL);
	ck_assert_uint_eq(release("orders/1", "TEA")->n_committed_skus, 1);
	check("TEA", 7, 7, 0, 3);
	ck_assert_int_eq(restock("orders/1", "TEA", 3, "back"), 0);
	ck_assert_int_eq(restock("orders/1", "TEA", 3, "back"), 0);
	check("TEA", 10, 10, 0, 0);
	ck_assert_int_eq(restock("orders/1", "TEA", 1, "more"), RPC_FAILED_PRECONDITION);
	check_ledger("TEA");
}

TEST(a_reservation_that_ran_out_is_free_and_cannot_be_sold)
{
	ReserveStockResponse *response;

	stock_up("TEA", 10);
	ck_assert_int_eq(reserve_for(call, 1000, "orders/1", line(call, "TEA", 3), NULL, &response),
			 0);
	ck_assert(reserve("orders/2", line(call, "TEA", 4), NULL));
	rpc_call_set_now(call, rpc_now_ms(call) + 2000);
	sweep();
	check("TEA", 10, 6, 4, 0);
	ck_assert_uint_eq(commit("orders/1", line(call, "TEA", 3), NULL)->n_missing_skus, 1);
	check("TEA", 10, 6, 4, 0);
	check_ledger("TEA");
}

TEST(a_reservation_is_extended_by_asking_again)
{
	ReserveStockResponse *response;

	stock_up("TEA", 10);
	ck_assert_int_eq(reserve_for(call, 1000, "orders/1", line(call, "TEA", 3), NULL, &response),
			 0);
	ck_assert(reserve("orders/1", line(call, "TEA", 3), NULL));
	rpc_call_set_now(call, rpc_now_ms(call) + 2000);
	sweep();
	check("TEA", 10, 7, 3, 0);
}

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

TEST(only_orders_reserves)
{
	ReserveStockResponse *response;

	stock_up("TEA", 10);
	rpc_call_free(call);
	call = call_as("cart", "");
	ck_assert_int_eq(
		reserve_for(call, 60000, "orders/1", line(call, "TEA", 1), NULL, &response),
		RPC_PERMISSION_DENIED);
}

enum { BUYERS = 40, STOCK = 10 };
static pthread_barrier_t gate;

static void *buy(void *data)
{
	struct rpc_call *own = call_as("orders", "");
	ReserveStockResponse *response;
	int64_t got = 0;
	int r;

	pthread_barrier_wait(&gate);
	do {
		r = reserve_for(own, 60000, rpc_printf(own, "orders/%ld", (long)data),
				line(own, "TEA", 1), NULL, &response);
	} while (r == RPC_ABORTED);
	if (!r)
		got = response->reserved;
	rpc_call_free(own);
	return (void *)(intptr_t)(r ? -1 : got);
}

TEST(forty_buyers_at_once_get_exactly_what_is_there)
{
	pthread_t buyers[BUYERS];
	long got = 0;

	stock_up("TEA", STOCK);
	pthread_barrier_init(&gate, NULL, BUYERS);
	for (long i = 0; i < BUYERS; i++)
		pthread_create(&buyers[i], NULL, buy, (void *)i);
	for (int i = 0; i < BUYERS; i++) {
		void *result;

		pthread_join(buyers[i], &result);
		ck_assert_int_ge((intptr_t)result, 0);
		got += (intptr_t)result;
	}
	ck_assert_int_eq(got, STOCK);
	check("TEA", STOCK, 0, STOCK, 0);
	check_ledger("TEA");
}

TEST(a_shipment_lowers_what_is_committed_once)
{
	souk_orders_v1_OrderShipped event = { .lines_count = 1 };

	stock_up("TEA", 10);
	ck_assert(reserve("orders/1", line(call, "TEA", 3), NULL));
	commit("orders/1", line(call, "TEA", 3), NULL);
	event_text(event.order, "orders/1");
	event_text(event.shipment, "shipments/1");
	event_text(event.lines[0].sku, "TEA");
	event.lines[0].quantity = 3;
	ck_assert_int_eq(inventory_orders.order_shipped(NULL, call, &event, NULL), 0);
	ck_assert_int_eq(inventory_orders.order_shipped(NULL, call, &event, NULL), 0);
	check("TEA", 7, 7, 0, 0);
	check_ledger("TEA");
}

TEST(reservations_are_listed_by_expiry_page_by_page)
{
	ListReservationsResponse *page;
	const char *token = "";
	size_t seen = 0;
	int64_t last = 0;

	stock_up("TEA", 10);
	for (int i = 0; i < 5; i++) {
		ReserveStockResponse *response;

		ck_assert_int_eq(reserve_for(call, 100000 - i * 1000,
					     rpc_printf(call, "orders/%d", i), line(call, "TEA", 1),
					     NULL, &response),
				 0);
	}
	do {
		ck_assert_int_eq(inventory_client_list_reservations(
					 client, call,
					 MSG(ListReservationsRequest, .parent = "TEA",
					     .page_size = 2, .page_token = token),
					 &page),
				 0);
		for (size_t i = 0; i < page->n_reservations; i++) {
			ck_assert_int_ge(clock_ms(page->reservations[i]->expire_time), last);
			last = clock_ms(page->reservations[i]->expire_time);
		}
		seen += page->n_reservations;
		token = page->next_page_token;
	} while (*token);
	ck_assert_uint_eq(seen, 5);
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

static int note_available(struct rpc_call *of, const StockRecord *record, void *data,
			  struct stock_change *ret)
{
	*(int32_t *)data = record->stock_item->available;
	return STOCK_UNCHANGED;
}

TEST(what_was_looked_at_for_all_lines_is_read_again_once_it_changed)
{
	struct stock_look look;
	StockRecord *record;
	int32_t available = 0;
	StockItem *item;

	stock_up("A", 5);
	stock_up("B", 7);
	ck_assert_int_eq(stock_look_at(call, (const char *[]){ "A", "B", "C" }, 3, &look), 0);
	ck_assert_uint_eq(look.n_records, 2);
	ck_assert_int_eq(book("A", 3, "more", &item), 0);
	ck_assert_int_eq(stock_change(call, &look, "A", note_available, &available, &record),
			 STOCK_UNCHANGED);
	ck_assert_int_eq(available, 8);
	ck_assert_int_eq(stock_change(call, &look, "B", note_available, &available, &record),
			 STOCK_UNCHANGED);
	ck_assert_int_eq(available, 7);
	ck_assert(record == look.records[0] || record == look.records[1]);
	ck_assert_int_eq(stock_change(call, &look, "C", note_available, &available, &record),
			 RPC_NOT_FOUND);
}

TEST_MAIN("inventory", setup, teardown)
