/* What the catalogue tells others: the events of a product. */
#include "catalog_events.ev.h"
#include "catalog_store.h"
#include <common/clock.h>
#include <string.h>

#define N_ITEMS(array) (sizeof(array) / sizeof(*(array)))

static void fill_money(souk_type_v1_EventMoney *to, const Money *from)
{
	event_text(to->currency_code, from->currency_code);
	to->units = from->units;
	to->nanos = from->nanos;
}

static void fill_variant(souk_catalog_v1_CatalogVariant *to, const Variant *from)
{
	event_text(to->variant, from->name);
	event_text(to->sku, from->sku);
	for (size_t i = 0; i < from->n_prices && i < N_ITEMS(to->prices); i++)
		fill_money(&to->prices[to->prices_count++], from->prices[i]->amount);
	for (size_t i = 0; i < from->n_options && i < N_ITEMS(to->options); i++) {
		event_text(to->options[i].name, from->options[i]->key);
		event_text(to->options[i].value, from->options[i]->value);
		to->options_count++;
	}
}

static void fill_content(souk_catalog_v1_CatalogProduct *to, const ProductRecord *record)
{
	const Product *product = record->product;

	to->active = product->state == PRODUCT_STATE_ACTIVE;
	event_text(to->display_name, product->display_name);
	event_text(to->description, product->description);
	for (size_t i = 0;
	     i < record->n_category_path && to->categories_count < N_ITEMS(to->categories); i++)
		if (strcmp(record->category_path[i], CATEGORY_ROOT))
			event_text(to->categories[to->categories_count++],
				   record->category_path[i]);
	for (size_t i = 0; i < product->n_variants && i < N_ITEMS(to->variants); i++)
		fill_variant(&to->variants[to->variants_count++], product->variants[i]);
	for (size_t i = 0;
	     i < product->n_attributes && to->attributes_count < N_ITEMS(to->attributes); i++) {
		souk_catalog_v1_CatalogFact *fact = &to->attributes[to->attributes_count++];

		event_text(fact->name, product->attributes[i]->key);
		event_text(fact->value, product->attributes[i]->value);
	}
	if (product->n_images)
		event_text(to->image_uri, product->images[0]->uri);
	to->publish_time_ms = clock_ms(product->publish_time);
}

struct rpc_event *announce_created(struct rpc_call *call, const ProductRecord *record)
{
	souk_catalog_v1_ProductCreated *event = rpc_alloc(call, sizeof(*event));

	event_text(event->product, record->product->name);
	event->version = record->version;
	event->has_content = true;
	fill_content(&event->content, record);
	return catalog_event_product_created(call, event);
}

struct rpc_event *announce_updated(struct rpc_call *call, const ProductRecord *record)
{
	souk_catalog_v1_ProductUpdated *event = rpc_alloc(call, sizeof(*event));

	event_text(event->product, record->product->name);
	event->version = record->version;
	event->has_content = true;
	fill_content(&event->content, record);
	return catalog_event_product_updated(call, event);
}

struct rpc_event *announce_deleted(struct rpc_call *call, const ProductRecord *record)
{
	souk_catalog_v1_ProductDeleted event = { .version = record->version + 1 };

	event_text(event.product, record->product->name);
	return catalog_event_product_deleted(call, &event);
}
