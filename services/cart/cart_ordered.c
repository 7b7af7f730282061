/*
 * What was ordered leaves the cart, once an order; what was added meanwhile stays.
 *
 * A guest who has ordered may log in before the event comes, and what was ordered is in the user's
 * cart then: what the guest's does not hold any more is taken out of that one, first, so that a stop
 * between the two begins again.
 */
#include "cart_store.h"
#include <common/clock.h>
#include <common/names.h>
#include <string.h>

static CartItem *item_of(const CartRecord *record, const char *sku)
{
	for (size_t i = 0; i < record->cart->n_items; i++)
		if (!strcmp(record->cart->items[i]->sku, sku))
			return record->cart->items[i];
	return NULL;
}

/* Returns how many of them the cart did not hold. */
static int32_t subtract(CartRecord *record, const char *sku, int32_t quantity)
{
	CartItem *item = item_of(record, sku);
	int32_t held = item ? item->quantity : 0;

	if (!item)
		return quantity;
	item->quantity -= quantity;
	if (item->quantity <= 0)
		cart_take_out(record, item);
	return held < quantity ? quantity - held : 0;
}

static bool is_cleared(const CartRecord *record, const char *order)
{
	for (size_t i = 0; i < record->n_cleared; i++)
		if (!strcmp(record->cleared[i]->id, order))
			return true;
	return false;
}

static int save_cleared(struct rpc_call *call, CartRecord *record, const char *order)
{
	cart_record_add_cleared(
		call, record,
		rpc_new(call, SeenEvent, .id = rpc_strdup(call, order), .time = clock_now(call)));
	return cart_save(call, record, NULL);
}

/* `rest` are the quantities, by line. */
static int take_rest(struct rpc_call *call, const char *cart, const souk_orders_v1_OrderPaid *event,
		     const int32_t *rest)
{
	CartRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, cart));) {
		bool any = false;

		r = cart_read(call, name_id(cart), &record);
		if (r || is_cleared(record, event->order))
			return r == MONGO_NOT_FOUND ? 0 : r;
		for (pb_size_t i = 0; i < event->lines_count; i++)
			any |= rest[i] && subtract(record, event->lines[i].sku, rest[i]) < rest[i];
		r = any ? save_cleared(call, record, event->order) : 0;
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

static int order_paid(struct orders_listener *self, struct rpc_call *call,
		      const souk_orders_v1_OrderPaid *event, const struct rpc_event *meta)
{
	int32_t *rest = rpc_alloc(call, (event->lines_count + 1) * sizeof(*rest));
	CartRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, event->cart));) {
		r = cart_read_settled(call, name_id(event->cart), &record);
		if (r || is_cleared(record, event->order))
			return r == MONGO_NOT_FOUND ? 0 : r;
		for (pb_size_t i = 0; i < event->lines_count; i++)
			rest[i] = subtract(record, event->lines[i].sku, event->lines[i].quantity);
		if (record->fold_time && clock_ms(record->fold_time) >= event->create_time_ms)
			r = take_rest(call, record->folded_into, event, rest);
		if (!r)
			r = save_cleared(call, record, event->order);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

const struct orders_events_ops cart_orders = {
	.order_paid = order_paid,
};
