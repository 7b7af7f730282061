/* What orders tell others: the events of an order, with the version that its change will have. */
#include "orders_events.ev.h"
#include "saga.h"
#include <common/clock.h>
#include <string.h>

#define N_ITEMS(array) (sizeof(array) / sizeof(*(array)))

static void fill_money(souk_type_v1_EventMoney *to, bool *has, const Money *from,
		       const char *currency)
{
	*has = true;
	event_text(to->currency_code, currency);
	if (from) {
		to->units = from->units;
		to->nanos = from->nanos;
	}
}

static void fill_line(souk_orders_v1_OrderEventLine *to, const OrderLine *line, int32_t quantity)
{
	event_text(to->line, line->name);
	event_text(to->variant, line->variant);
	event_text(to->sku, line->sku);
	to->quantity = quantity;
	fill_money(&to->unit_price, &to->has_unit_price, line->unit_price,
		   line->unit_price->currency_code);
}

/* The units that are not cancelled. */
static void fill_lines(souk_orders_v1_OrderEventLine *to, pb_size_t *n, size_t max,
		       const Order *order)
{
	order_each_lines(line, order)
		if (amounts_units_left(line) > 0 && *n < max)
			fill_line(&to[(*n)++], line, amounts_units_left(line));
}

static void fill_named(souk_orders_v1_OrderEventLine *to, pb_size_t *n, size_t max,
		       const Order *order, const char *name, int32_t quantity)
{
	order_each_lines(line, order)
		if (!strcmp(line->name, name) && *n < max)
			fill_line(&to[(*n)++], line, quantity);
}

struct rpc_event *announce_created(struct rpc_call *call, const OrderRecord *record)
{
	souk_orders_v1_OrderCreated *event = rpc_alloc(call, sizeof(*event));
	const Order *order = record->order;

	event_text(event->order, order->name);
	event_text(event->user, order->user);
	event_text(event->cart, order->cart);
	event->version = record->version;
	fill_lines(event->lines, &event->lines_count, N_ITEMS(event->lines), order);
	fill_money(&event->total, &event->has_total, order->totals->total, order->currency_code);
	return orders_event_order_created(call, event);
}

struct rpc_event *announce_paid(struct rpc_call *call, const OrderRecord *record)
{
	souk_orders_v1_OrderPaid *event = rpc_alloc(call, sizeof(*event));
	const Order *order = record->order;
	const OrderTotals *totals = order->totals;

	event_text(event->order, order->name);
	event_text(event->user, order->user);
	event_text(event->cart, order->cart);
	event->version = record->version;
	event->create_time_ms = clock_ms(order->create_time);
	fill_lines(event->lines, &event->lines_count, N_ITEMS(event->lines), order);
	fill_money(&event->total, &event->has_total, totals->total, order->currency_code);
	fill_money(&event->subtotal, &event->has_subtotal, totals->subtotal, order->currency_code);
	fill_money(&event->shipping, &event->has_shipping, totals->shipping, order->currency_code);
	fill_money(&event->tax, &event->has_tax, totals->tax, order->currency_code);
	fill_money(&event->discount, &event->has_discount, totals->discount, order->currency_code);
	return orders_event_order_paid(call, event);
}

struct rpc_event *announce_cancelled(struct rpc_call *call, const OrderRecord *record)
{
	souk_orders_v1_OrderCancelled *event = rpc_alloc(call, sizeof(*event));
	const Order *order = record->order;

	event_text(event->order, order->name);
	event_text(event->user, order->user);
	event->version = record->version;
	fill_lines(event->lines, &event->lines_count, N_ITEMS(event->lines), order);
	fill_money(&event->refunded, &event->has_refunded, order->totals->refunded,
		   order->currency_code);
	event->paid = amounts_minor(order->totals->paid) > 0;
	event->replaced = record->replaced;
	return orders_event_order_cancelled(call, event);
}

struct rpc_event *announce_lines_cancelled(struct rpc_call *call, const OrderRecord *record,
					   const OrderRecordReversal *reversal)
{
	souk_orders_v1_OrderLinesCancelled *event = rpc_alloc(call, sizeof(*event));
	const Order *order = record->order;

	event_text(event->order, order->name);
	event_text(event->user, order->user);
	event->version = record->version;
	for (size_t i = 0; i < reversal->n_units; i++)
		fill_named(event->lines, &event->lines_count, N_ITEMS(event->lines), order,
			   rpc_printf(call, "%s/lines/%s", order->name, reversal->units[i]->line),
			   reversal->units[i]->quantity);
	fill_money(&event->refunded, &event->has_refunded, reversal->amount, order->currency_code);
	return orders_event_order_lines_cancelled(call, event);
}

struct rpc_event *announce_expired(struct rpc_call *call, const OrderRecord *record)
{
	souk_orders_v1_OrderExpired event = { .version = record->version };

	event_text(event.order, record->order->name);
	event_text(event.user, record->order->user);
	return orders_event_order_expired(call, &event);
}

struct rpc_event *announce_shipped(struct rpc_call *call, const OrderRecord *record,
				   const OrderShipment *shipment)
{
	souk_orders_v1_OrderShipped *event = rpc_alloc(call, sizeof(*event));
	const Order *order = record->order;

	event_text(event->order, order->name);
	event_text(event->user, order->user);
	event->version = record->version;
	event_text(event->shipment, shipment->name);
	for (size_t i = 0; i < shipment->n_lines; i++)
		fill_named(event->lines, &event->lines_count, N_ITEMS(event->lines), order,
			   shipment->lines[i]->line, shipment->lines[i]->quantity);
	return orders_event_order_shipped(call, event);
}

struct rpc_event *announce_completed(struct rpc_call *call, const OrderRecord *record)
{
	souk_orders_v1_OrderCompleted *event = rpc_alloc(call, sizeof(*event));

	event_text(event->order, record->order->name);
	event_text(event->user, record->order->user);
	event->version = record->version;
	fill_lines(event->lines, &event->lines_count, N_ITEMS(event->lines), record->order);
	return orders_event_order_completed(call, event);
}
