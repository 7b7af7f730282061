/* What the catalogue hears: inventory tells how much is left of each SKU. */
#include "catalog_store.h"

static int note(struct rpc_call *call, const char *sku, int64_t version,
		const souk_inventory_v1_StockLevels *levels)
{
	VariantAvailability *availability =
		rpc_new(call, VariantAvailability, .quantity = levels->available);

	if (levels->available <= 0)
		availability->state = VARIANT_AVAILABILITY_STATE_OUT_OF_STOCK;
	else if (levels->available <= levels->low_stock_threshold)
		availability->state = VARIANT_AVAILABILITY_STATE_LOW_STOCK;
	else
		availability->state = VARIANT_AVAILABILITY_STATE_IN_STOCK;
	return product_note_stock(call, sku, version, availability);
}

/* Every change of a SKU carries its levels after it; which change it was does not matter here. */
#define NOTE_LEVELS(handler, Event)                                                                \
	static int handler(struct inventory_listener *self, struct rpc_call *call,                 \
			   const souk_inventory_v1_##Event *event, const struct rpc_event *meta)   \
	{                                                                                          \
		return note(call, event->sku, event->version, &event->levels);                     \
	}
NOTE_LEVELS(stock_reserved, StockReserved)
NOTE_LEVELS(stock_released, StockReleased)
NOTE_LEVELS(stock_sold, StockSold)
NOTE_LEVELS(stock_adjusted, StockAdjusted)

const struct inventory_events_ops catalog_inventory = {
	.stock_reserved = stock_reserved,
	.stock_released = stock_released,
	.stock_sold = stock_sold,
	.stock_adjusted = stock_adjusted,
};
