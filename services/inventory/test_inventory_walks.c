/*
 * Random walks: orders, staff and the sweeper do whatever comes to their mind with a few SKUs, in
 * any order, or stop half way; always, and when everything has come to rest, the stock fits its
 * claims, its ledger, and what everybody was told.
 */
#include "test_inventory.h"
#include <common/names.h>
#include <walk.h>

enum { SKUS = 3, ORDERS = 6, KEYS = 96, STEPS = 40, AHEAD = 4 };
static const char *const skus[SKUS] = { "CUP", "POT", "TEA" };

/* An order's line, as the order knows it. */
struct sale {
	int asked;               /* units; 0: not ordered */
	int sold, back, shipped; /* units */
	bool held, ended;        /* was told so */
};

static struct walk {
	struct sale sales[ORDERS][SKUS];
	int booked[SKUS], damaged[SKUS]; /* by staff */
	int n_keys;
	char answers[KEYS][160]; /* as a booking was answered, by key */
	int64_t later_ms;
	int n_restocks;
} walk;

static const char *order_name(int i)
{
	return rpc_printf(call, "orders/%d", i);
}

static StockRecord *stored(int sku)
{
	StockRecord *record;

	ck_assert_int_eq(stock_read(call, skus[sku], &record), 0);
	return record;
}

static void time_passes(int64_t ms)
{
	walk.later_ms += ms;
	rpc_call_set_now(call, rpc_now_ms(call) + ms);
}

/* The lines of an order from the first to `n`: fewer than all are what a stop half way has done. */
static int up_to(int how)
{
	return how % 4 ? SKUS : 1 + below(SKUS);
}

/* --- what may happen --- */

static void reserves(int how)
{
	int order = below(ORDERS), n = up_to(how), n_lines = 0, r;
	struct sale *sales = walk.sales[order];
	ReserveStockRequest *request =
		rpc_new(call, ReserveStockRequest, .order = order_name(order),
			.expire_time = clock_timestamp(call, rpc_now_ms(call) + 1000 * (1 + how)));
	ReserveStockResponse *response;

	for (int i = 0; i < n; i++)
		if (sales[i].asked) {
			reserve_stock_request_add_lines(call, request,
							line(call, skus[i], sales[i].asked));
			n_lines++;
		}
	if (!n_lines)
		return;
	r = inventory_client_reserve_stock(client, call, request, &response);
	if (r) {
		ck_assert_msg(rpc_failed_with(call, RESERVATION_ENDED), "walk %u: %d", dice.number,
			      r);
		return;
	}
	ck_assert(response->reserved == !response->n_shortages);
	for (int i = 0; i < n; i++) {
		const StockRecordClaim *claim =
			stock_find_claim(stored(i), name_id(request->order));

		if (!sales[i].asked)
			continue;
		ck_assert(response->reserved == (claim != NULL));
		ck_assert(!claim ||
			  (claim->quantity == sales[i].asked &&
			   clock_ms(claim->expire_time) >= clock_ms(request->expire_time)));
	}
}

static void sells(int how)
{
	int order = below(ORDERS), n = up_to(how), n_lines = 0;
	struct sale *sales = walk.sales[order];
	CommitReservationRequest *request =
		rpc_new(call, CommitReservationRequest, .order = order_name(order));
	CommitReservationResponse *response;

	for (int i = 0; i < n; i++)
		if (sales[i].asked) {
			commit_reservation_request_add_lines(call, request,
							     line(call, skus[i], sales[i].asked));
			n_lines++;
		}
	if (!n_lines)
		return;
	ck_assert_int_eq(inventory_client_commit_reservation(client, call, request, &response), 0);
	ck_assert_uint_eq(response->n_committed_skus + response->n_missing_skus, n_lines);
	for (int i = 0; i < n; i++) {
		bool sold = false;

		for (size_t j = 0; j < response->n_committed_skus; j++)
			sold |= !strcmp(response->committed_skus[j], skus[i]);
		/* Sold once is sold. */
		ck_assert(sold || !sales[i].sold);
		if (sold)
			sales[i].sold = sales[i].asked;
	}
}

static void releases(int how)
{
	int order = below(ORDERS), n = up_to(how);
	ReleaseReservationRequest *request =
		rpc_new(call, ReleaseReservationRequest, .order = order_name(order));
	ReleaseReservationResponse *response;
	size_t sold = 0;

	for (int i = 0; i < n; i++) {
		release_reservation_request_add_skus(call, request, skus[i]);
		sold += walk.sales[order][i].sold != 0;
	}
	ck_assert_int_eq(inventory_client_release_reservation(client, call, request, &response), 0);
	ck_assert_uint_eq(response->n_committed_skus, sold);
	for (int i = 0; i < n; i++)
		ck_assert_ptr_null(stock_find_claim(stored(i), name_id(request->order)));
}

/* Units of some lines, once or more by the same request. */
static void puts_back(int how)
{
	int order = below(ORDERS), units[SKUS] = { 0 }, n_lines = 0, stops = below(4);
	struct sale *sales = walk.sales[order];
	const char *request_id = rpc_printf(call, "back %d", walk.n_restocks++);

	for (int i = 0; i < SKUS; i++) {
		int left = sales[i].sold - sales[i].back - sales[i].shipped;

		units[i] = left > 0 ? below(left + 1) : 0;
		n_lines += units[i] != 0;
		sales[i].back += units[i];
	}
	for (int times = 0; n_lines && times < 1 + how % 3; times++) {
		RestockStockRequest *request =
			rpc_new(call, RestockStockRequest, .order = order_name(order),
				.request_id = request_id);
		RestockStockResponse *response;

		/* The first time it may stop half way. */
		for (int i = 0; i < (times || !(how % 3) ? SKUS : stops); i++)
			if (units[i])
				restock_stock_request_add_lines(call, request,
								line(call, skus[i], units[i]));
		if (request->n_lines)
			ck_assert_int_eq(
				inventory_client_restock_stock(client, call, request, &response),
				0);
	}
}

/* An order is sent when nothing of it waits, and its event may come again. */
static void ships(int how)
{
	int order = below(ORDERS);
	struct sale *sales = walk.sales[order];
	souk_orders_v1_OrderShipped event = { 0 };

	event_text(event.order, order_name(order));
	event_text(event.shipment, rpc_printf(call, "shipments/%d", order));
	for (int i = 0; i < SKUS; i++) {
		int left = sales[i].sold - sales[i].back;

		if (sales[i].shipped || backorder_of(stored(i), name_id(order_name(order))))
			return;
		if (left <= 0)
			continue;
		event_text(event.lines[event.lines_count].sku, skus[i]);
		event.lines[event.lines_count++].quantity = left;
	}
	for (int times = 0; times < 1 + how % 2; times++)
		ck_assert_int_eq(inventory_orders.order_shipped(NULL, call, &event, NULL), 0);
	for (int i = 0; i < SKUS; i++)
		sales[i].shipped = sales[i].sold - sales[i].back;
}

static const char *seen(const StockItem *item)
{
	return rpc_printf(call, "%s %d %d %d %d %d %d", item->etag, item->on_hand, item->available,
			  item->reserved, item->committed, item->damaged, item->incoming);
}

/* What a key books follows from the key, so that a repeat is one. */
static void books(int how)
{
	static const AdjustStockRequestReason reasons[] = {
		ADJUST_STOCK_REQUEST_REASON_RECEIVED, ADJUST_STOCK_REQUEST_REASON_WRITTEN_OFF,
		ADJUST_STOCK_REQUEST_REASON_COUNTED,  ADJUST_STOCK_REQUEST_REASON_BROKEN,
		ADJUST_STOCK_REQUEST_REASON_BROKEN,   ADJUST_STOCK_REQUEST_REASON_ANNOUNCED,
		ADJUST_STOCK_REQUEST_REASON_RETURNED, ADJUST_STOCK_REQUEST_REASON_COUNTED,
	};
	static const int deltas[] = { 5, -2, 0, 1, -1, 7, 2, 0 };
	int k = walk.n_keys && !below(4) ? below(walk.n_keys) : walk.n_keys++, kind = k % 8;
	int sku = k / 8 % SKUS;
	const StockItem before = *stored(sku)->stock_item;
	bool counts = !deltas[kind];
	AdjustStockRequest *request =
		rpc_new(call, AdjustStockRequest, .name = name_of(call, "stockItems", skus[sku]),
			.request_id = rpc_printf(call, "book %d", k), .reason = reasons[kind]);
	StockItem *item;
	int r;

	request->change_case =
		counts ? ADJUST_STOCK_REQUEST_CHANGE_SET_TO : ADJUST_STOCK_REQUEST_CHANGE_DELTA;
	if (counts)
		request->set_to = k % 11;
	else
		request->delta = deltas[kind];
	if (kind == 3 || kind == 4)
		request->quantity = ADJUST_STOCK_REQUEST_QUANTITY_DAMAGED;
	if (kind == 5)
		request->quantity = ADJUST_STOCK_REQUEST_QUANTITY_INCOMING;
	request->has_expected_quantity = kind == 7;
	request->expected_quantity = k % 5;
	r = inventory_client_adjust_stock(client, call, request, &item);
	if (r) {
		ck_assert(!*walk.answers[k]);
		ck_assert(rpc_failed_with(call, STOCK_INSUFFICIENT) ||
			  rpc_failed_with(call, STOCK_QUANTITY_CHANGED));
		return;
	}
	if (*walk.answers[k]) {
		ck_assert_str_eq(walk.answers[k], seen(item));
		return;
	}
	snprintf(walk.answers[k], sizeof(walk.answers[k]), "%s", seen(item));
	if (request->quantity == ADJUST_STOCK_REQUEST_QUANTITY_DAMAGED)
		walk.damaged[sku] += request->delta;
	else if (!request->quantity)
		walk.booked[sku] += counts ? request->set_to - before.on_hand : request->delta;
}

/* How the SKU is kept: units held back, and, in odd walks, how far it is sold beyond the stock. */
static void keep(int sku, int safety, int ahead)
{
	StockItem *item = rpc_new(call, StockItem, .name = name_of(call, "stockItems", skus[sku]),
				  .safety = safety, .backorder_limit = ahead,
				  .backorder_policy = ahead ? BACKORDER_POLICY_BACKORDER
							    : BACKORDER_POLICY_DENY);
	FieldMask *mask = rpc_new(call, FieldMask);

	field_mask_add_paths(call, mask, "safety");
	if (dice.number % 2) {
		field_mask_add_paths(call, mask, "backorder_limit");
		field_mask_add_paths(call, mask, "backorder_policy");
	}
	if (inventory_client_update_stock_item(
		    client, call,
		    MSG(UpdateStockItemRequest, .stock_item = item, .update_mask = mask), &item))
		ck_assert(rpc_failed_with(call, STOCK_INSUFFICIENT));
}

static void keeps(int how)
{
	keep(how % SKUS, below(3), below(AHEAD));
}

static void waits(int how)
{
	time_passes(how * 500);
}

static void sweeps(int how)
{
	sweep();
}

static void relays(int how)
{
	ck_assert_int_ge(inventory_relay(&inventory, call), 0);
	ck_assert_int_ge(inventory_trim(&inventory, call), 0);
}

static const struct happening happenings[] = {
	{ "reserves", reserves, 10 },  { "sells", sells, 6 }, { "releases", releases, 3 },
	{ "puts back", puts_back, 3 }, { "ships", ships, 2 }, { "books", books, 8 },
	{ "keeps", keeps, 2 },         { "waits", waits, 3 }, { "sweeps", sweeps, 3 },
	{ "relays", relays, 1 },
};

/* --- what must be --- */

#define HOLDS(what)                                                                                \
	ck_assert_msg((what), "walk %u, after step %d, %s: not so: %s", dice.number, walk_step,    \
		      skus[sku], #what)

static int walk_step;

/* The document against itself. */
static void check_document(int sku, const StockRecord *record)
{
	const StockItem *item = record->stock_item;
	int claimed = 0, claims_wait = 0, waiting = 0;

	for (size_t i = 0; i < record->n_claims; i++) {
		const char *order = record->claims[i]->order;

		claimed += record->claims[i]->quantity;
		claims_wait += backorder_of(record, order);
		HOLDS(stock_find_claim(record, order) == record->claims[i]);
		HOLDS(!stock_find_ended(record, order));
		HOLDS(clock_ms(record->next_expire_time) <=
		      clock_ms(record->claims[i]->expire_time));
	}
	for (size_t i = 0; i < record->n_backorders; i++) {
		HOLDS(record->backorders[i]->quantity > 0);
		HOLDS(backorder_of(record, record->backorders[i]->order) ==
		      record->backorders[i]->quantity);
		waiting += record->backorders[i]->quantity;
	}
	HOLDS(item->available >= 0 && item->reserved >= 0 && item->committed >= 0);
	HOLDS(item->on_hand == item->available + item->reserved + item->damaged + item->safety);
	HOLDS(item->reserved == claimed - claims_wait);
	HOLDS(item->backordered == waiting);
	HOLDS(!item->available || !item->backordered);
}

/* The document against what orders and staff were told. */
static void check_told(int sku, const StockRecord *record)
{
	int gone = 0, owed = 0;

	for (int i = 0; i < ORDERS; i++) {
		const struct sale *sale = &walk.sales[i][sku];
		const char *order = name_id(order_name(i));
		int waits = stock_find_claim(record, order) ? 0 : backorder_of(record, order);

		HOLDS(waits <= sale->sold - sale->back);
		gone += sale->sold - sale->back - waits;
		owed += sale->sold - sale->back - sale->shipped;
	}
	HOLDS(record->stock_item->on_hand == walk.booked[sku] - gone);
	HOLDS(record->stock_item->committed == owed);
	HOLDS(record->stock_item->damaged == walk.damaged[sku]);
}

static bool is_main(const char *type)
{
	return strcmp(type, "StockLow") && strcmp(type, "StockOut") &&
	       strcmp(type, "StockRestocked");
}

/* Each movement was told once. */
static void check_events(int sku, const StockRecord *record)
{
	ListStockMovementsResponse *page;
	size_t n = 0;

	for (size_t i = 0; i < record->n_outbox; i++)
		n += is_main(strrchr(record->outbox[i]->type, '.') + 1);
	ck_assert_int_eq(
		inventory_client_list_stock_movements(
			client, call,
			MSG(ListStockMovementsRequest, .parent = skus[sku], .page_size = 100),
			&page),
		0);
	HOLDS(page->n_movements == n);
}

static void check_all(void)
{
	for (int sku = 0; sku < SKUS; sku++) {
		const StockRecord *record = stored(sku);

		check_document(sku, record);
		check_told(sku, record);
	}
}

static void check_rest(void)
{
	time_passes(2 * 60000);
	sweep();
	check_all();
	for (int sku = 0; sku < SKUS; sku++) {
		StockRecord *record = stored(sku);

		HOLDS(!record->n_claims && !record->stock_item->reserved);
		HOLDS(!record->next_expire_time);
		check_ledger(skus[sku]);
		check_events(sku, record);
	}
}

static void go(void)
{
	teardown();
	setup();
	walk = (struct walk){ 0 };
	for (int i = 0; i < ORDERS * SKUS; i++)
		walk.sales[i / SKUS][i % SKUS].asked = below(4);
	for (int i = 0; i < SKUS; i++) {
		walk.booked[i] = 1 + below(6);
		stock_up(skus[i], walk.booked[i]);
		keep(i, 0, AHEAD);
	}
	for (walk_step = 0; walk_step < STEPS; walk_step++) {
		happen(happenings);
		rpc_call_free(call); /* a call each, as a server has it */
		call = call_as("orders", "inventory.manage inventory.read");
		rpc_call_set_now(call, rpc_now_ms(call) + walk.later_ms);
		check_all();
	}
	check_rest();
}

TEST_EACH(whatever_happens_the_stock_fits_its_claims_and_its_ledger, walk_parts)
{
	walk_all(*row, go);
}

TEST_MAIN("inventory_walks", setup, teardown)
