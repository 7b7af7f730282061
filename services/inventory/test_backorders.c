/* Backorders against the real server: how far a SKU is sold beyond its stock, and whose the stock
 * that comes is. */
#include "test_inventory.h"
#include <common/names.h>
#include <pthread.h>

static FieldMask *mask_of(const char *field)
{
	FieldMask *mask = rpc_new(call, FieldMask);

	field_mask_add_paths(call, mask, field);
	return mask;
}

static StockItem *keep(const char *sku, BackorderPolicy policy, int32_t limit)
{
	StockItem *item = rpc_new(call, StockItem, .name = name_of(call, "stockItems", sku),
				  .backorder_policy = policy, .backorder_limit = limit,
				  .promise_time = clock_timestamp(call, 1800000000000));
	FieldMask *mask = mask_of("backorder_policy");

	field_mask_add_paths(call, mask, "backorder_limit");
	field_mask_add_paths(call, mask, "promise_time");
	ck_assert_int_eq(
		inventory_client_update_stock_item(
			client, call,
			MSG(UpdateStockItemRequest, .stock_item = item, .update_mask = mask),
			&item),
		0);
	return item;
}

/* What is in the books agrees with itself: stock.c's invariants, read from the document. */
static void check_books(const char *sku)
{
	int32_t claimed = 0, waiting = 0, claims_wait = 0;
	StockRecord *record;
	const StockItem *item;

	ck_assert_int_eq(stock_read(call, sku, &record), 0);
	item = record->stock_item;
	for (size_t i = 0; i < record->n_claims; i++) {
		claimed += record->claims[i]->quantity;
		claims_wait += backorder_of(record, record->claims[i]->order);
	}
	for (size_t i = 0; i < record->n_backorders; i++) {
		ck_assert_int_gt(record->backorders[i]->quantity, 0);
		waiting += record->backorders[i]->quantity;
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(record->backorders[i]->order,
					 record->backorders[j]->order);
	}
	ck_assert_int_eq(item->on_hand,
			 item->available + item->reserved + item->damaged + item->safety);
	ck_assert_int_eq(item->reserved, claimed - claims_wait);
	ck_assert_int_eq(item->backordered, waiting);
	ck_assert(!item->available || !item->backordered);
	check_ledger(sku);
}

static void expect_books(const char *sku, int32_t on_hand, int32_t available, int32_t reserved,
			 int32_t committed, int32_t backordered)
{
	check(sku, on_hand, available, reserved, committed);
	ck_assert_int_eq(item_of(sku)->backordered, backordered);
	check_books(sku);
}

static int32_t waits(const char *order, const char *sku)
{
	GetOrderBackordersRequest *request =
		rpc_new(call, GetOrderBackordersRequest, .order = order);
	GetOrderBackordersResponse *response;

	get_order_backorders_request_add_skus(call, request, sku);
	ck_assert_int_eq(inventory_client_get_order_backorders(client, call, request, &response),
			 0);
	return response->n_backorders ? response->backorders[0]->quantity : 0;
}

static void receive(const char *sku, int32_t quantity)
{
	static int deliveries;
	StockItem *item;

	ck_assert_int_eq(book(sku, quantity, rpc_printf(call, "delivery %d", deliveries++), &item),
			 0);
}

static void sell(const char *order, int32_t quantity)
{
	ck_assert(reserve(order, line(call, "TEA", quantity), NULL));
	ck_assert_uint_eq(commit(order, line(call, "TEA", quantity), NULL)->n_missing_skus, 0);
}

TEST(without_a_policy_nothing_is_sold_beyond_the_stock)
{
	stock_up("TEA", 5);
	ck_assert_int_eq(item_of("TEA")->backorder_policy, BACKORDER_POLICY_DENY);
	keep("TEA", BACKORDER_POLICY_DENY, 5);
	ck_assert(!reserve("orders/1", line(call, "TEA", 6), NULL));
	expect_books("TEA", 5, 5, 0, 0, 0);
}

TEST(a_reservation_takes_the_stock_first_and_says_what_waits)
{
	ReserveStockResponse *response;

	stock_up("TEA", 3);
	keep("TEA", BACKORDER_POLICY_BACKORDER, 5);
	for (int i = 0; i < 2; i++) { /* a repeat says the same */
		ck_assert_int_eq(
			reserve_for(call, 60000, "orders/1", line(call, "TEA", 5), NULL, &response),
			0);
		ck_assert(response->reserved);
		ck_assert_uint_eq(response->n_backorders, 1);
		ck_assert_int_eq(response->backorders[0]->quantity, 2);
		ck_assert_int_eq(clock_ms(response->backorders[0]->promise_time), 1800000000000);
	}
	expect_books("TEA", 3, 0, 3, 0, 2);
	commit("orders/1", line(call, "TEA", 5), NULL);
	expect_books("TEA", 0, 0, 0, 5, 2);
	ck_assert_int_eq(waits("orders/1", "TEA"), 2);
	ck_assert_int_eq(waits("orders/2", "TEA"), 0);
}

TEST(the_limit_is_what_more_can_be_had)
{
	ReserveStockResponse *response;

	stock_up("TEA", 3);
	keep("TEA", BACKORDER_POLICY_BACKORDER, 5);
	ck_assert_int_eq(
		reserve_for(call, 60000, "orders/1", line(call, "TEA", 9), NULL, &response), 0);
	ck_assert(!response->reserved);
	ck_assert_int_eq(response->shortages[0]->available, 8);
	sell("orders/2", 8);
	ck_assert(!reserve("orders/3", line(call, "TEA", 1), NULL));
	expect_books("TEA", 0, 0, 0, 8, 5);
}

TEST(stock_that_comes_is_for_the_oldest_backorder_first)
{
	stock_up("TEA", 1);
	keep("TEA", BACKORDER_POLICY_BACKORDER, 10);
	sell("orders/1", 4);
	ck_assert(reserve("orders/2", line(call, "TEA", 2), NULL));
	sell("orders/3", 2);
	expect_books("TEA", 0, 0, 2 - 2, 6, 7);
	receive("TEA", 4);
	ck_assert_int_eq(waits("orders/1", "TEA"), 0);
	ck_assert_int_eq(waits("orders/2", "TEA"), 1);
	ck_assert_int_eq(waits("orders/3", "TEA"), 2);
	expect_books("TEA", 1, 0, 1, 6, 3);
	receive("TEA", 10);
	ck_assert_int_eq(waits("orders/3", "TEA"), 0);
	expect_books("TEA", 9, 7, 2, 6, 0);
	commit("orders/2", line(call, "TEA", 2), NULL);
	expect_books("TEA", 7, 7, 0, 8, 0);
}

TEST(what_is_given_back_is_for_who_waits)
{
	ReserveStockResponse *response;

	stock_up("TEA", 5);
	keep("TEA", BACKORDER_POLICY_BACKORDER, 10);
	ck_assert(reserve("orders/1", line(call, "TEA", 3), NULL));
	ck_assert_int_eq(reserve_for(call, 1000, "orders/2", line(call, "TEA", 4), NULL, &response),
			 0);
	sell("orders/3", 2);
	expect_books("TEA", 5, 0, 5, 2, 4);
	release("orders/1", "TEA"); /* its three: two to the second, one to the third */
	ck_assert_int_eq(waits("orders/2", "TEA"), 0);
	ck_assert_int_eq(waits("orders/3", "TEA"), 1);
	expect_books("TEA", 4, 0, 4, 2, 1);
	rpc_call_set_now(call, rpc_now_ms(call) + 2000);
	sweep();
	ck_assert_int_eq(waits("orders/3", "TEA"), 0);
	expect_books("TEA", 3, 3, 0, 2, 0);
}

TEST(a_claim_that_ends_unsold_waits_no_more)
{
	ReserveStockResponse *response;

	stock_up("TEA", 1);
	keep("TEA", BACKORDER_POLICY_BACKORDER, 10);
	ck_assert(reserve("orders/1", line(call, "TEA", 3), NULL));
	release("orders/1", "TEA");
	expect_books("TEA", 1, 1, 0, 0, 0);
	ck_assert_int_eq(reserve_for(call, 1000, "orders/2", line(call, "TEA", 4), NULL, &response),
			 0);
	rpc_call_set_now(call, rpc_now_ms(call) + 2000);
	sweep();
	expect_books("TEA", 1, 1, 0, 0, 0);
}

TEST(of_what_is_put_back_the_backordered_goes_first)
{
	stock_up("TEA", 3);
	keep("TEA", BACKORDER_POLICY_BACKORDER, 10);
	sell("orders/1", 5);
	ck_assert_int_eq(restock("orders/1", "TEA", 1, "one"), 0);
	expect_books("TEA", 0, 0, 0, 4, 1);
	sell("orders/2", 2);
	ck_assert_int_eq(restock("orders/1", "TEA", 4, "rest"),
			 0); /* one waits, three were there */
	ck_assert_int_eq(restock("orders/1", "TEA", 4, "rest"), 0);
	ck_assert_int_eq(waits("orders/1", "TEA"), 0);
	ck_assert_int_eq(waits("orders/2", "TEA"), 0);
	expect_books("TEA", 1, 1, 0, 2, 0);
}

TEST(a_policy_that_is_withdrawn_takes_nothing_back)
{
	stock_up("TEA", 1);
	keep("TEA", BACKORDER_POLICY_BACKORDER, 10);
	sell("orders/1", 4);
	ck_assert(reserve("orders/2", line(call, "TEA", 2), NULL));
	keep("TEA", BACKORDER_POLICY_DENY, 0);
	ck_assert_int_eq(item_of("TEA")->backorderable, 0);
	ck_assert(!reserve("orders/3", line(call, "TEA", 1), NULL));
	expect_books("TEA", 0, 0, 0, 4, 5);
	ck_assert_uint_eq(commit("orders/2", line(call, "TEA", 2), NULL)->n_missing_skus, 0);
	receive("TEA", 6);
	ck_assert_int_eq(waits("orders/1", "TEA"), 0);
	ck_assert_int_eq(waits("orders/2", "TEA"), 0);
	expect_books("TEA", 1, 1, 0, 6, 0);
}

TEST(units_that_are_fit_again_or_held_back_no_more_serve_too)
{
	StockItem *item;

	stock_up("TEA", 4);
	ck_assert_int_eq(inventory_client_update_stock_item(
				 client, call,
				 MSG(UpdateStockItemRequest,
				     .stock_item = rpc_new(call, StockItem,
							   .name = "stockItems/TEA", .safety = 4)),
				 &item),
			 0);
	keep("TEA", BACKORDER_POLICY_PREORDER, 10);
	sell("orders/1", 3);
	expect_books("TEA", 4, 0, 0, 3, 3);
	item = rpc_new(call, StockItem, .name = "stockItems/TEA", .safety = 0);
	ck_assert_int_eq(
		inventory_client_update_stock_item(client, call,
						   MSG(UpdateStockItemRequest, .stock_item = item,
						       .update_mask = mask_of("safety")),
						   &item),
		0);
	ck_assert_int_eq(waits("orders/1", "TEA"), 0);
	expect_books("TEA", 1, 1, 0, 3, 0);
}

TEST(a_state_says_that_more_can_be_ordered_ahead)
{
	BatchGetAvailabilityRequest *request = rpc_new(call, BatchGetAvailabilityRequest);
	BatchGetAvailabilityResponse *response;

	stock_up("TEA", 1);
	ck_assert_int_eq(keep("TEA", BACKORDER_POLICY_BACKORDER, 2)->state,
			 STOCK_ITEM_STATE_LOW_STOCK);
	sell("orders/1", 1);
	ck_assert_int_eq(item_of("TEA")->state, STOCK_ITEM_STATE_BACKORDER);
	ck_assert_int_eq(keep("TEA", BACKORDER_POLICY_PREORDER, 2)->state,
			 STOCK_ITEM_STATE_PREORDER);
	batch_get_availability_request_add_skus(call, request, "TEA");
	ck_assert_int_eq(inventory_client_batch_get_availability(client, call, request, &response),
			 0);
	ck_assert_int_eq(response->availabilities[0]->available, 0);
	ck_assert_int_eq(response->availabilities[0]->backorderable, 2);
	ck_assert(response->availabilities[0]->preorder);
	ck_assert_int_eq(clock_ms(response->availabilities[0]->promise_time), 1800000000000);
	sell("orders/2", 2);
	ck_assert_int_eq(item_of("TEA")->state, STOCK_ITEM_STATE_OUT_OF_STOCK);
}

enum { BUYERS = 40, STOCK = 5, LIMIT = 5 };
static pthread_barrier_t gate;

/* Reserves one. */
static void *buy(void *data)
{
	struct rpc_call *own = call_as("orders", "");
	ReserveStockResponse *response;
	int r;

	pthread_barrier_wait(&gate);
	do {
		r = reserve_for(own, 60000, rpc_printf(own, "orders/%ld", (long)data),
				line(own, "TEA", 1), NULL, &response);
	} while (r == RPC_ABORTED);
	r = r ? -1 : response->reserved;
	rpc_call_free(own);
	return (void *)(intptr_t)r;
}

TEST(forty_buyers_at_once_get_the_stock_and_the_limit_and_no_more)
{
	pthread_t buyers[BUYERS];
	bool got[BUYERS];
	int n = 0;

	stock_up("TEA", STOCK);
	keep("TEA", BACKORDER_POLICY_BACKORDER, LIMIT);
	pthread_barrier_init(&gate, NULL, BUYERS);
	for (long i = 0; i < BUYERS; i++)
		pthread_create(&buyers[i], NULL, buy, (void *)i);
	for (int i = 0; i < BUYERS; i++) {
		void *result;

		pthread_join(buyers[i], &result);
		ck_assert_int_ge((intptr_t)result, 0);
		got[i] = result != NULL;
		n += got[i];
	}
	ck_assert_int_eq(n, STOCK + LIMIT);
	expect_books("TEA", STOCK, 0, STOCK, 0, LIMIT);
	for (int i = 0; i < BUYERS; i++)
		if (got[i])
			commit(rpc_printf(call, "orders/%d", i), line(call, "TEA", 1), NULL);
	expect_books("TEA", 0, 0, 0, STOCK + LIMIT, LIMIT);
	receive("TEA", LIMIT + 1);
	expect_books("TEA", 1, 1, 0, STOCK + LIMIT, 0);
}

TEST_MAIN("backorders", setup, teardown)
