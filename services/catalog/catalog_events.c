/* What the catalogue hears: inventory tells how much is left of each SKU. */
#include "catalog_store.h"
#include <common/clock.h>
#include <string.h>

/* Nothing is there, and it can be ordered ahead. */
static void fill_ahead(struct rpc_call *call, VariantAvailability *availability,
		       const souk_inventory_v1_StockLevels *levels)
{
	availability->state = levels->preorder ? VARIANT_AVAILABILITY_STATE_PREORDER
					       : VARIANT_AVAILABILITY_STATE_BACKORDER;
	availability->quantity = levels->backorderable;
	if (levels->promise_time_ms)
		availability->promise_time = clock_timestamp(call, levels->promise_time_ms);
}

static int note(struct rpc_call *call, const char *sku, int64_t version,
		const souk_inventory_v1_StockLevels *levels)
{
	VariantAvailability *availability =
		rpc_new(call, VariantAvailability, .quantity = levels->available);

	if (levels->available <= 0 && levels->backorderable > 0)
		fill_ahead(call, availability, levels);
	else if (levels->available <= 0)
		availability->state = VARIANT_AVAILABILITY_STATE_OUT_OF_STOCK;
	else if (levels->available <= levels->low_stock_threshold)
		availability->state = VARIANT_AVAILABILITY_STATE_LOW_STOCK;
	else
		availability->state = VARIANT_AVAILABILITY_STATE_IN_STOCK;
	return product_note_stock(call, sku, version, availability);
}

/*
 * Every change of a SKU carries its levels after it; which change it was does not matter here. What
 * only turns reserved into sold, or sold into shipped, leaves what is available as it is and is
 * passed over: the events of the other changes tell the same without it.
 */
#define NOTE_LEVELS(handler, Event)                                                                \
	static int handler(struct inventory_listener *self, struct rpc_call *call,                 \
			   const souk_inventory_v1_##Event *event, const struct rpc_event *meta)   \
	{                                                                                          \
		return note(call, event->sku, event->version, &event->levels);                     \
	}
NOTE_LEVELS(stock_reserved, StockReserved)
NOTE_LEVELS(stock_released, StockReleased)
NOTE_LEVELS(note_adjusted, StockAdjusted)

static int stock_adjusted(struct inventory_listener *self, struct rpc_call *call,
			  const souk_inventory_v1_StockAdjusted *event,
			  const struct rpc_event *meta)
{
	return strcmp(event->kind, "SHIPPED") ? note_adjusted(self, call, event, meta) : 0;
}

const struct inventory_events_ops catalog_inventory = {
	.stock_reserved = stock_reserved,
	.stock_released = stock_released,
	.stock_adjusted = stock_adjusted,
};
