/* Backorders: lines that wait for stock, and an order that ships only when none does. */
#include "saga.h"
#include <common/clock.h>
#include <string.h>

static const StockBackorder *of_sku(const char *sku, StockBackorder *const *backorders, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(backorders[i]->sku, sku))
			return backorders[i];
	return NULL;
}

void backorders_note(struct rpc_call *call, Order *order, StockBackorder *const *backorders,
		     size_t n_backorders)
{
	order_each_lines(line, order) {
		const StockBackorder *said = of_sku(line->sku, backorders, n_backorders);
		int32_t waits = said ? said->quantity : 0;

		/* Nobody waits any more for units that are cancelled, and not put back yet. */
		if (waits > amounts_units_left(line))
			waits = amounts_units_left(line);
		line->backordered_quantity = waits;
		line->promise_time = waits && said->promise_time
					     ? clock_timestamp(call, clock_ms(said->promise_time))
					     : NULL;
	}
}

void backorders_cancel(OrderLine *line, int32_t quantity)
{
	line->backordered_quantity =
		quantity < line->backordered_quantity ? line->backordered_quantity - quantity : 0;
	if (!line->backordered_quantity)
		line->promise_time = NULL;
}

bool backorders_wait(const Order *order)
{
	order_each_lines(line, order)
		if (line->backordered_quantity)
			return true;
	return false;
}

static int ask(struct orders_service *self, struct rpc_call *call, const OrderRecord *record,
	       GetOrderBackordersResponse **ret)
{
	GetOrderBackordersRequest *request =
		rpc_new(call, GetOrderBackordersRequest, .order = record->order->name);

	order_each_lines(line, record->order)
		get_order_backorders_request_add_skus(call, request, line->sku);
	return inventory_client_get_order_backorders(self->inventory, call, request, ret);
}

static bool is_same(const Order *a, const Order *b)
{
	for (size_t i = 0; i < a->n_lines; i++)
		if (!rpc_message_equal(&a->lines[i]->base, &b->lines[i]->base))
			return false;
	return true;
}

int backorders_look(struct orders_service *self, struct rpc_call *call, OrderRecord **record)
{
	int64_t look = rpc_now_ms(call) + self->backorder_poll;
	GetOrderBackordersResponse *response;
	OrderRecord *draft;
	bool waits;
	int r;

	r = ask(self, call, *record, &response);
	if (r)
		return saga_postpone(self, call, record, ORDER_STEP_KIND_SHIP, r);
	draft = order_draft(call, *record);
	backorders_note(call, draft->order, response->backorders, response->n_backorders);
	if (is_same(draft->order, (*record)->order))
		return saga_look_again(call, *record, self->backorder_poll);
	waits = backorders_wait(draft->order);
	history_add(call, draft->order, 0,
		    waits ? "some of the stock came, or another day is promised"
			  : "the stock came");
	r = saga_save(self, call, record,
		      &(const struct saga_move){ .draft = draft, .look = waits ? look : 0 });
	return r || !waits ? r : SAGA_WAITS;
}
