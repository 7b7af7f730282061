/* Reversals: what is taken back of a paid order, of the whole or of some units, as its record has
 * it. */
#include "saga.h"
#include <common/money.h>
#include <common/names.h>
#include <string.h>

#define OF_ALL "all"

bool reversal_is_done(const OrderRecordReversal *reversal)
{
	return reversal->shipment_done && reversal->money_done && reversal->stock_done;
}

OrderRecordReversal *reversal_next(const OrderRecord *record)
{
	order_record_each_reversals(reversal, record)
		if (!reversal_is_done(reversal))
			return reversal;
	return NULL;
}

bool reversal_is_of_all(const OrderRecordReversal *reversal)
{
	return !strcmp(reversal->reversal_id, OF_ALL);
}

OrderRecordReversal *reversal_of_all(const OrderRecord *record)
{
	order_record_each_reversals(reversal, record)
		if (reversal_is_of_all(reversal))
			return reversal;
	return NULL;
}

OrderRecordReversal *reversal_same(const OrderRecord *draft, const OrderRecordReversal *as)
{
	order_record_each_reversals(reversal, draft)
		if (!strcmp(reversal->reversal_id, as->reversal_id))
			return reversal;
	return NULL;
}

OrderRecordReversal *reversal_add_of_all(struct rpc_call *call, OrderRecord *draft)
{
	OrderRecordReversal *reversal = rpc_new(call, OrderRecordReversal, .reversal_id = OF_ALL);

	order_record_add_reversals(call, draft, reversal);
	return reversal;
}

void reversal_take_rest(struct rpc_call *call, const Order *order, OrderRecordReversal *reversal)
{
	reversal->n_units = 0;
	order_each_lines(line, order)
		if (amounts_units_left(line))
			order_record_reversal_add_units(
				call, reversal,
				rpc_new(call, OrderRecordReversalUnit, .line = name_id(line->name),
					.sku = line->sku, .quantity = amounts_units_left(line)));
}

void reversal_restore_units(OrderRecord *draft, const OrderRecordReversal *reversal)
{
	for (size_t i = 0; i < reversal->n_units; i++)
		order_each_lines(line, draft->order)
			if (!strcmp(name_id(line->name), reversal->units[i]->line))
				line->cancelled_quantity -= reversal->units[i]->quantity;
}

void reversal_remove(OrderRecord *draft, const OrderRecordReversal *as)
{
	size_t kept = 0;

	for (size_t i = 0; i < draft->n_reversals; i++)
		if (strcmp(draft->reversals[i]->reversal_id, as->reversal_id))
			draft->reversals[kept++] = draft->reversals[i];
	draft->n_reversals = kept;
}

static void drop_units(OrderRecordReversal *reversal, const char *line)
{
	size_t kept = 0;

	for (size_t i = 0; i < reversal->n_units; i++)
		if (strcmp(reversal->units[i]->line, line))
			reversal->units[kept++] = reversal->units[i];
	reversal->n_units = kept;
}

void reversal_drop_line(OrderRecord *draft, const OrderLine *line)
{
	order_record_each_reversals(reversal, draft) {
		drop_units(reversal, name_id(line->name));
		reversal->stock_done = reversal->stock_done || !reversal->n_units;
	}
}

void reversal_note_refunded(struct rpc_call *call, OrderRecord *draft)
{
	OrderTotals *totals = draft->order->totals;
	int64_t sum = 0;

	order_record_each_reversals(reversal, draft)
		if (reversal->money_done)
			sum += amounts_minor(reversal->amount);
	if (sum > amounts_minor(totals->refunded))
		totals->refunded = money_new(call, draft->order->currency_code, sum);
	if (amounts_minor(totals->refunded))
		draft->order->payment_state =
			amounts_minor(totals->refunded) >= amounts_minor(totals->paid)
				? ORDER_PAYMENT_STATE_REFUNDED
				: ORDER_PAYMENT_STATE_PARTIALLY_REFUNDED;
}
