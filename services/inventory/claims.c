/* An order's claims: reserve all lines or none, sell them, give them back, put back what was sold. */
#include "stock.h"
#include <common/clock.h>
#include <common/names.h>
#include <stdlib.h>
#include <string.h>

/* One line of one order, and what became of it. */
struct line {
	const char *sku;
	int32_t quantity;
	const char *order; /* orders/{order} */
	const char *order_id;
	const char *request_id; /* of putting back */
	Timestamp *expire_time;
	const struct stock_look *look; /* or NULL */
	/* out */
	int32_t available, backordered;
	Timestamp *promise_time; /* of what is backordered */
	bool short_, committed, missing;
	const StockRecordClaim *ended;
};

static const char *state_text(ReservationState state)
{
	return state == RESERVATION_STATE_COMMITTED ? "sold"
	       : state == RESERVATION_STATE_EXPIRED ? "expired"
						    : "released";
}

static int by_sku(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->sku, ((const struct line *)b)->sku);
}

/* Sorted by SKU: two orders of the same lines then meet at the first, and one of them gets all. */
static int lines_of(struct rpc_call *call, const char *order, StockLine *const *from, size_t n,
		    struct line **ret)
{
	struct line *lines = rpc_alloc(call, n * sizeof(*lines));

	for (size_t i = 0; i < n; i++)
		lines[i] = (struct line){ .sku = from[i]->sku,
					  .quantity = from[i]->quantity,
					  .order = order,
					  .order_id = name_id(order) };
	qsort(lines, n, sizeof(*lines), by_sku);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(lines[i].sku, lines[i - 1].sku))
			return rpc_fail(call, STOCK_LINE_REPEATED, { "sku", lines[i].sku });
	*ret = lines;
	return 0;
}

/* One read for all lines. */
static int look_at_lines(struct rpc_call *call, struct line *lines, size_t n)
{
	const char **skus = rpc_alloc(call, n * sizeof(*skus));
	struct stock_look *look = rpc_alloc(call, sizeof(*look));
	int r;

	if (n < 2)
		return 0;
	for (size_t i = 0; i < n; i++)
		skus[i] = lines[i].sku;
	r = stock_look_at(call, skus, n, look);
	for (size_t i = 0; !r && i < n; i++)
		lines[i].look = look;
	return r;
}

/* --- reserving --- */

static int reserve_line(struct rpc_call *call, const StockRecord *record, void *data,
			struct stock_change *ret)
{
	struct line *line = data;
	StockRecordClaim *claim = stock_find_claim(record, line->order_id);
	int32_t from_stock;

	line->available = stock_sellable(record->stock_item);
	line->promise_time = record->stock_item->promise_time;
	line->backordered = backorder_of(record, line->order_id);
	line->ended = stock_find_ended(record, line->order_id);
	if (line->ended) {
		/* It was short, the answer was lost, and the order asks again. */
		line->short_ = line->ended->state == RESERVATION_STATE_RELEASED &&
			       line->available < line->quantity;
		return STOCK_UNCHANGED;
	}
	if (claim && claim->quantity != line->quantity)
		return rpc_fail(call, RESERVATION_DIFFERS, { "order", line->order },
				{ "sku", line->sku });
	if (claim && clock_ms(claim->expire_time) >= clock_ms(line->expire_time)) {
		line->expire_time = claim->expire_time;
		return STOCK_UNCHANGED;
	}
	if (claim) {
		*ret = (struct stock_change){ .extend = claim, .expire_time = line->expire_time };
		return 0;
	}
	line->short_ = line->available < line->quantity;
	if (line->short_)
		return STOCK_UNCHANGED;
	if (record->n_claims >= INVENTORY_CLAIMS_MAX)
		return rpc_fail(call, STOCK_BUSY, { "sku", line->sku },
				{ "max", rpc_printf(call, "%d", INVENTORY_CLAIMS_MAX) });
	from_stock = record->stock_item->available < line->quantity ? record->stock_item->available
								    : line->quantity;
	line->backordered = line->quantity - from_stock;
	*ret = (struct stock_change){
		.kind = STOCK_MOVEMENT_KIND_RESERVED,
		.available = -from_stock,
		.reserved = from_stock,
		.backordered = line->backordered,
		.waits = line->order_id,
		.cause = line->order,
		.actor = inventory_actor(call),
		.open = rpc_new(call, StockRecordClaim, .order = line->order_id,
				.quantity = line->quantity, .state = RESERVATION_STATE_RESERVED,
				.create_time = clock_now(call), .expire_time = line->expire_time)
	};
	return 0;
}

/* A SKU that was never booked has none left. */
static int change_line(struct rpc_call *call, struct line *line, stock_decide *decide)
{
	StockRecord *record;
	int r;

	r = stock_change(call, line->look, line->sku, decide, line, &record);
	if (r && rpc_failed_with(call, STOCK_ITEM_NOT_FOUND)) {
		rpc_error_clear(call);
		line->short_ = line->missing = true;
		return 0;
	}
	return r == STOCK_UNCHANGED ? 0 : r;
}

/* A claim that ends unsold: what it had of the stock is free, and for the rest it waits no more. */
static struct stock_change give_back(const StockRecord *record, StockRecordClaim *claim)
{
	int32_t waits = backorder_of(record, claim->order), had = claim->quantity - waits;

	return (struct stock_change){ .available = had,
				      .reserved = -had,
				      .backordered = -waits,
				      .waits = claim->order,
				      .close = claim };
}

/* Of an order without a claim. An ended claim is forgotten after a day, or sooner where many are
 * sold; an order that stood still for longer must still know. */
static int look_at_sale(struct rpc_call *call, const StockRecord *record, struct line *line)
{
	const StockRecordClaim *ended = stock_find_ended(record, line->order_id);

	if (!ended)
		return stock_was_sold(call, record, line->order, &line->committed);
	line->committed = ended->state == RESERVATION_STATE_COMMITTED;
	return 0;
}

static int release_line(struct rpc_call *call, const StockRecord *record, void *data,
			struct stock_change *ret)
{
	struct line *line = data;
	StockRecordClaim *claim = stock_find_claim(record, line->order_id);
	int r;

	if (!claim) {
		r = look_at_sale(call, record, line);
		if (r || line->committed || stock_find_ended(record, line->order_id))
			return r ? r : STOCK_UNCHANGED;
		/* Never reserved: a tombstone, so that a reservation that comes late finds itself
		 * ended. */
		*ret = (struct stock_change){ .close = rpc_new(call, StockRecordClaim,
							       .order = line->order_id,
							       .create_time = clock_now(call)),
					      .end_state = RESERVATION_STATE_RELEASED };
		return 0;
	}
	*ret = give_back(record, claim);
	ret->kind = STOCK_MOVEMENT_KIND_RELEASED;
	ret->cause = line->order;
	ret->actor = inventory_actor(call);
	ret->end_state = RESERVATION_STATE_RELEASED;
	return 0;
}

static int release_all(struct rpc_call *call, struct line *lines, size_t n)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = change_line(call, &lines[i], release_line);
	return r;
}

static int check_ended(struct rpc_call *call, const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lines[i].ended)
			return rpc_fail(call, RESERVATION_ENDED, { "order", lines[i].order },
					{ "sku", lines[i].sku },
					{ "state", state_text(lines[i].ended->state) });
	return 0;
}

static void add_backorders(struct rpc_call *call, ReserveStockResponse *response,
			   const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lines[i].backordered)
			reserve_stock_response_add_backorders(
				call, response,
				backorder_view(call, lines[i].sku, lines[i].backordered,
					       lines[i].promise_time));
}

int inventory_reserve_stock(struct inventory_service *self, struct rpc_call *call,
			    const ReserveStockRequest *req, ReserveStockResponse **ret)
{
	ReserveStockResponse *response = rpc_new(call, ReserveStockResponse);
	int64_t ahead = clock_ms(req->expire_time) - rpc_now_ms(call);
	struct line *lines;
	bool short_ = false;
	int r;

	if (ahead <= 0 || ahead > INVENTORY_RESERVE_DAYS_MAX * 24LL * 60 * 60 * 1000) {
		rpc_violate(call, "expire_time", "must be in the future, at most %d days ahead",
			    INVENTORY_RESERVE_DAYS_MAX);
		return rpc_violations(call);
	}
	r = lines_of(call, req->order, req->lines, req->n_lines, &lines);
	if (!r)
		r = look_at_lines(call, lines, req->n_lines);
	for (size_t i = 0; !r && i < req->n_lines; i++) {
		lines[i].expire_time = req->expire_time;
		r = change_line(call, &lines[i], reserve_line);
		short_ |= lines[i].short_;
		/* Stopped here, a repeat finds these claims and goes on, and the order's release or
		 * their expiry ends them. */
		crash_point("inventory.reserve.after_line");
	}
	if (!r && !short_)
		r = check_ended(call, lines, req->n_lines);
	if (!r && !short_) {
		response->reserved = true;
		response->expire_time = lines[0].expire_time;
		add_backorders(call, response, lines, req->n_lines);
		*ret = response;
		return 0;
	}
	/* A line that was refused, or a database that went away: the order releases what it has, or
	 * it expires. */
	if (r)
		return r;
	for (size_t i = 0; i < req->n_lines; i++) {
		if (!lines[i].short_)
			continue;
		reserve_stock_response_add_shortages(
			call, response,
			rpc_new(call, StockShortage, .sku = lines[i].sku,
				.requested = lines[i].quantity, .available = lines[i].available));
		lines[i].short_ = false;
	}
	r = release_all(call, lines, req->n_lines);
	if (!r)
		*ret = response;
	return r;
}

/* --- selling --- */

static int commit_line(struct rpc_call *call, const StockRecord *record, void *data,
		       struct stock_change *ret)
{
	struct line *line = data;
	StockRecordClaim *claim = stock_find_claim(record, line->order_id);
	int32_t had = line->quantity - backorder_of(record, line->order_id);
	int r;

	if (!claim) {
		r = look_at_sale(call, record, line);
		line->missing = !line->committed;
		return r ? r : STOCK_UNCHANGED;
	}
	if (claim->quantity != line->quantity)
		return rpc_fail(call, RESERVATION_DIFFERS, { "order", line->order },
				{ "sku", line->sku });
	line->committed = true;
	*ret = (struct stock_change){ .kind = STOCK_MOVEMENT_KIND_SOLD,
				      .on_hand = -had,
				      .reserved = -had,
				      .committed = line->quantity,
				      .cause = line->order,
				      .actor = inventory_actor(call),
				      .close = claim,
				      .end_state = RESERVATION_STATE_COMMITTED };
	return 0;
}

int inventory_commit_reservation(struct inventory_service *self, struct rpc_call *call,
				 const CommitReservationRequest *req,
				 CommitReservationResponse **ret)
{
	CommitReservationResponse *response = rpc_new(call, CommitReservationResponse);
	struct line *lines;
	int r;

	r = lines_of(call, req->order, req->lines, req->n_lines, &lines);
	if (!r)
		r = look_at_lines(call, lines, req->n_lines);
	for (size_t i = 0; !r && i < req->n_lines; i++) {
		r = change_line(call, &lines[i], commit_line);
		/* Stopped here, the repeat sells the rest. */
		crash_point("inventory.commit.after_line");
		if (lines[i].missing)
			commit_reservation_response_add_missing_skus(call, response, lines[i].sku);
		else
			commit_reservation_response_add_committed_skus(call, response,
								       lines[i].sku);
	}
	if (!r)
		*ret = response;
	return r;
}

/* --- giving back --- */

int inventory_release_reservation(struct inventory_service *self, struct rpc_call *call,
				  const ReleaseReservationRequest *req,
				  ReleaseReservationResponse **ret)
{
	ReleaseReservationResponse *response = rpc_new(call, ReleaseReservationResponse);
	int r = 0;

	for (size_t i = 0; !r && i < req->n_skus; i++) {
		struct line line = { .sku = req->skus[i],
				     .order = req->order,
				     .order_id = name_id(req->order) };

		r = change_line(call, &line, release_line);
		crash_point("inventory.release.after_line");
		if (line.committed)
			release_reservation_response_add_committed_skus(call, response, line.sku);
	}
	if (!r)
		*ret = response;
	return r;
}

static int restock_line(struct rpc_call *call, const StockRecord *record, void *data,
			struct stock_change *ret)
{
	const struct line *line = data;
	const char *key = rpc_printf(call, "restock/%s", line->request_id);
	int32_t waits = backorder_of(record, line->order_id), had;

	if (stock_is_done(record, key))
		return STOCK_UNCHANGED;
	if (record->stock_item->committed < line->quantity)
		return rpc_fail(
			call, STOCK_INSUFFICIENT, { "sku", line->sku },
			{ "available", rpc_printf(call, "%d", record->stock_item->committed) },
			{ "requested", rpc_printf(call, "%d", line->quantity) });
	/* What has not come yet goes first. */
	had = waits < line->quantity ? line->quantity - waits : 0;
	*ret = (struct stock_change){ .kind = STOCK_MOVEMENT_KIND_RESTOCKED,
				      .on_hand = had,
				      .available = had,
				      .committed = -line->quantity,
				      .backordered = had - line->quantity,
				      .waits = line->order_id,
				      .cause = line->order,
				      .actor = inventory_actor(call),
				      .done = key };
	return 0;
}

int inventory_restock_stock(struct inventory_service *self, struct rpc_call *call,
			    const RestockStockRequest *req, RestockStockResponse **ret)
{
	struct line *lines;
	int r;

	r = lines_of(call, req->order, req->lines, req->n_lines, &lines);
	for (size_t i = 0; !r && i < req->n_lines; i++) {
		lines[i].request_id = req->request_id;
		r = change_line(call, &lines[i], restock_line);
		/* Stopped here, the repeat puts back the rest: each line knows whether it was. */
		crash_point("inventory.restock.after_line");
	}
	if (!r)
		*ret = rpc_new(call, RestockStockResponse);
	return r;
}

/* --- running out --- */

static int expire_claim(struct rpc_call *call, const StockRecord *record, void *data,
			struct stock_change *ret)
{
	for (size_t i = 0; i < record->n_claims; i++) {
		StockRecordClaim *claim = record->claims[i];

		if (clock_ms(claim->expire_time) > rpc_now_ms(call))
			continue;
		*ret = give_back(record, claim);
		ret->kind = STOCK_MOVEMENT_KIND_EXPIRED;
		ret->cause = name_of(call, "orders", claim->order);
		ret->end_state = RESERVATION_STATE_EXPIRED;
		return 0;
	}
	return STOCK_UNCHANGED;
}

int inventory_sweep(void *data, struct rpc_call *call)
{
	StockRecord *record;
	int r;

	r = stock_find_expired(call, &record);
	if (r == MONGO_NOT_FOUND)
		return 0;
	if (!r)
		r = stock_change(call, NULL, record->id, expire_claim, NULL, &record);
	return r && r != STOCK_UNCHANGED ? r : 1; /* there may be more */
}

int inventory_trim(void *data, struct rpc_call *call)
{
	return stock_trim(call);
}

/* --- shipping --- */

static int ship_line(struct rpc_call *call, const StockRecord *record, void *data,
		     struct stock_change *ret)
{
	const struct line *line = data;
	const char *key = rpc_printf(call, "ship/%s", line->request_id);
	int32_t left = record->stock_item->committed;

	if (stock_is_done(record, key))
		return STOCK_UNCHANGED;
	*ret = (struct stock_change){ .kind = STOCK_MOVEMENT_KIND_SHIPPED,
				      .committed = -(line->quantity < left ? line->quantity : left),
				      .cause = line->order,
				      .actor = "services/orders",
				      .done = key };
	return 0;
}

static int order_shipped(struct orders_listener *self, struct rpc_call *call,
			 const souk_orders_v1_OrderShipped *event, const struct rpc_event *meta)
{
	int r = 0;

	for (pb_size_t i = 0; !r && i < event->lines_count; i++) {
		struct line line = { .sku = event->lines[i].sku,
				     .quantity = event->lines[i].quantity,
				     .order = event->order,
				     .request_id = event->shipment };

		r = change_line(call, &line, ship_line);
	}
	return r;
}

const struct orders_events_ops inventory_orders = {
	.order_shipped = order_shipped,
};
