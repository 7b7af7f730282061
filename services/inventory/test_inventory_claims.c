/* Claims on stock: of many at once, repeated, run out, sold and put back. */
#include "test_inventory.h"
#include <pthread.h>

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

TEST(what_was_sold_is_known_also_when_the_claim_is_forgotten)
{
	int64_t now = rpc_now_ms(call);
	bool more;

	for (int moved = 0; moved < 2; moved++) {
		const char *sku = moved ? "TEA" : "CUP";

		stock_up(sku, 10);
		ck_assert(reserve("orders/1", line(call, sku, 3), NULL));
		commit("orders/1", line(call, sku, 3), NULL);
		if (moved)
			ck_assert_int_eq(stock_move_movements(call, &more), 0);
		rpc_call_set_now(call, now + 25 * 3600 * 1000);
		ck_assert_int_eq(inventory_trim(&inventory, call), 0);
		ck_assert_uint_eq(commit("orders/1", line(call, sku, 3), NULL)->n_committed_skus,
				  1);
		ck_assert_uint_eq(release("orders/1", sku)->n_committed_skus, 1);
		ck_assert_uint_eq(commit("orders/2", line(call, sku, 3), NULL)->n_missing_skus, 1);
		check(sku, 7, 7, 0, 3);
		rpc_call_set_now(call, now);
	}
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

TEST_MAIN("inventory_claims", setup, teardown)
