/* Reading the catalogue: what customers, carts and orders see of products and variants. */
#include "catalog_store.h"
#include "errors.msg.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/filter.h>
#include <common/money.h>
#include <common/names.h>
#include <string.h>

bool catalog_is_staff(const struct rpc_call *call)
{
	return rpc_caller_may(call, "catalog.manage");
}

int catalog_currency(struct catalog_service *self, struct rpc_call *call, const char *asked,
		     const char **ret)
{
	const char *known = self->currencies;

	if (!*asked)
		asked = rpc_printf(call, "%.3s", known);
	for (const char *at = known; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, asked, 3)) {
			*ret = asked;
			return 0;
		}
	}
	return rpc_fail(call, CURRENCY_UNSUPPORTED, { "currencyCode", asked },
			{ "allowed", known });
}

int catalog_find_product(struct rpc_call *call, const char *name, ProductRecord **ret)
{
	ProductRecord *record;
	int r;

	r = product_read(call, name_id(name), &record);
	if (r == MONGO_NOT_FOUND ||
	    (!r && record->product->state != PRODUCT_STATE_ACTIVE && !catalog_is_staff(call)))
		return rpc_fail(call, PRODUCT_NOT_FOUND, { "product", name });
	if (r)
		return r;
	*ret = record;
	return 0;
}

Variant *catalog_variant_of(const Product *product, const char *name)
{
	for (size_t i = 0; i < product->n_variants; i++)
		if (!strcmp(product->variants[i]->name, name))
			return product->variants[i];
	return NULL;
}

static const VariantPrice *price_in(const Variant *variant, const char *currency)
{
	for (size_t i = 0; i < variant->n_prices; i++)
		if (!strcmp(variant->prices[i]->amount->currency_code, currency))
			return variant->prices[i];
	return NULL;
}

static Variant *view_variant(struct rpc_call *call, const ProductRecord *record,
			     const Variant *stored, const char *currency)
{
	Variant *variant = rpc_memdup(call, stored, sizeof(*stored));
	const VariantPrice *price = price_in(stored, currency);

	if (price) {
		variant->price = price->amount;
		variant->compare_at_price = price->compare_at;
	}
	if (!catalog_is_staff(call))
		variant->n_prices = 0;
	for (size_t i = 0; i < record->n_stock_notes; i++)
		if (!strcmp(record->stock_notes[i]->sku, stored->sku))
			variant->availability = record->stock_notes[i]->availability;
	if (!variant->availability)
		variant->availability = rpc_new(call, VariantAvailability);
	return variant;
}

Product *catalog_view(struct rpc_call *call, const ProductRecord *record, const char *currency)
{
	Product *product = rpc_memdup(call, record->product, sizeof(*record->product));
	Variant **variants = rpc_alloc(call, (product->n_variants + 1) * sizeof(*variants));
	int order;

	for (size_t i = 0; i < product->n_variants; i++) {
		variants[i] = view_variant(call, record, product->variants[i], currency);
		if (!variants[i]->price)
			continue;
		if (!product->price ||
		    (!money_compare(variants[i]->price, product->price, &order) && order < 0))
			product->price = variants[i]->price;
	}
	product->variants = variants;
	product->etag = etag_of(call, record->version);
	return product;
}

static int get_product(struct catalog_service *self, struct rpc_call *call,
		       const GetProductRequest *req, Product **ret)
{
	ProductRecord *record;
	const char *currency;
	int r;

	r = catalog_currency(self, call, req->currency_code, &currency);
	if (!r)
		r = catalog_find_product(call, req->name, &record);
	if (r)
		return r;
	*ret = catalog_view(call, record, currency);
	return 0;
}

/* How a list is sorted: what `order_by` says, and the stored field. */
static int list_sort(struct rpc_call *call, const char *order_by, const char *currency,
		     const char **ret)
{
	static const char *const fields[][2] = { { "create_time", "product.create_time" },
						 { "display_name", "product.display_name" },
						 { "rating", "product.rating.average" },
						 { "price", "from_prices" } };
	size_t length = strcspn(order_by, " ");
	const char *direction = order_by + length;

	if (!*order_by) {
		*ret = "-product.create_time";
		return 0;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (strlen(fields[i][0]) != length || strncmp(fields[i][0], order_by, length))
			continue;
		if (*direction && strcmp(direction, " asc") && strcmp(direction, " desc"))
			break;
		*ret = rpc_printf(call, "%s%s%s%s", strcmp(direction, " desc") ? "" : "-",
				  fields[i][1], strcmp(fields[i][0], "price") ? "" : ".",
				  strcmp(fields[i][0], "price") ? "" : currency);
		return 0;
	}
	return rpc_fail(
		call, ORDER_BY_INVALID, { "orderBy", order_by },
		{ "allowed", "create_time, display_name, rating, price, each also with ' desc'" });
}

/* Large and red is one variant that is both, and not a large one beside a red one. */
static bson_t *of_one_variant(const bson_t *filter)
{
	static const char variants[] = "product.variants.", options[] = "options.";
	cleanup(bson_freep) bson_t *variant = bson_new();
	bson_t *result = bson_new();
	bson_iter_t iter, equal;

	bson_iter_init(&iter, filter);
	while (bson_iter_next(&iter)) {
		const char *key = bson_iter_key(&iter), *of_variant = key + strlen(variants);

		if (!strncmp(key, variants, strlen(variants)) &&
		    !strncmp(of_variant, options, strlen(options)) &&
		    bson_iter_recurse(&iter, &equal) && bson_iter_find(&equal, "$eq"))
			bson_append_iter(variant, of_variant, -1, &iter);
		else
			bson_append_iter(result, NULL, 0, &iter);
	}
	if (!bson_empty(variant))
		BCON_APPEND(result, "product.variants", "{", "$elemMatch", BCON_DOCUMENT(variant),
			    "}");
	return result;
}

/* Without a word of staff about it, a list shows what is on sale. */
static int list_filter(struct rpc_call *call, const ListProductsRequest *req, const char *currency,
		       const bson_t **ret)
{
	const struct filter_field fields[] = {
		{ "price", rpc_printf(call, "from_prices.%s", currency), FILTER_AMOUNT,
		  .digits = money_digits(currency) },
		{ "rating", "product.rating.average", FILTER_FRACTION },
		{ "availability", "stock_notes.availability.state", FILTER_ENUM,
		  &VariantAvailabilityState_descriptor },
		{ "create_time", "product.create_time", FILTER_TIME },
		{ "options.", "product.variants.options", FILTER_FACT },
		{ "attributes.", "product.attributes", FILTER_FACT },
		{ catalog_is_staff(call) ? "state" : NULL, "product.state", FILTER_ENUM,
		  &ProductState_descriptor },
		{},
	};
	cleanup(bson_freep) bson_t *filter = bson_new();
	bson_iter_t iter;
	int r;

	r = filter_read(call, req->filter, fields, filter);
	if (r)
		return r;
	BSON_APPEND_UTF8(filter, "category_path", *req->category ? req->category : CATEGORY_ROOT);
	/* One that was deleted is on sale no more; what the index does not hold is not asked for in
	 * vain. */
	if (bson_iter_init_find(&iter, filter, "product.state"))
		BSON_APPEND_BOOL(filter, "deleted", false);
	else
		BSON_APPEND_UTF8(filter, "product.state", "ACTIVE");
	*ret = document_keep(call, of_one_variant(filter));
	return 0;
}

static int list_products(struct catalog_service *self, struct rpc_call *call,
			 const ListProductsRequest *req, ListProductsResponse **ret)
{
	ListProductsResponse *response = rpc_new(call, ListProductsResponse);
	ProductRecord **records;
	const char *currency, *sort;
	const bson_t *filter;
	size_t n_records;
	int r;

	r = catalog_currency(self, call, req->currency_code, &currency);
	if (!r)
		r = list_sort(call, req->order_by, currency, &sort);
	if (!r)
		r = list_filter(call, req, currency, &filter);
	if (r)
		return r;
	r = product_page(call, req, filter, sort, response, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		list_products_response_add_products(call, response,
						    catalog_view(call, records[i], currency));
	*ret = response;
	return 0;
}

static const ProductRecord *record_named(ProductRecord *const *records, size_t n_records,
					 const char *name)
{
	for (size_t i = 0; i < n_records; i++)
		if (!strcmp(records[i]->id, name_id(name)))
			return records[i];
	return NULL;
}

static bool visible(const struct rpc_call *call, const ProductRecord *record)
{
	return record && (record->product->state == PRODUCT_STATE_ACTIVE || catalog_is_staff(call));
}

static int batch_get_products(struct catalog_service *self, struct rpc_call *call,
			      const BatchGetProductsRequest *req, BatchGetProductsResponse **ret)
{
	BatchGetProductsResponse *response = rpc_new(call, BatchGetProductsResponse);
	ProductRecord **records;
	const char *currency;
	size_t n_records;
	int r;

	r = catalog_currency(self, call, req->currency_code, &currency);
	if (!r)
		r = product_read_all(call, req->names, req->n_names, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < req->n_names; i++) {
		const ProductRecord *record = record_named(records, n_records, req->names[i]);
		bool repeated = false;

		for (size_t j = 0; j < i && !repeated; j++)
			repeated = !strcmp(req->names[j], req->names[i]);
		if (repeated)
			continue;
		if (visible(call, record))
			batch_get_products_response_add_products(
				call, response, catalog_view(call, record, currency));
		else
			batch_get_products_response_add_missing(call, response, req->names[i]);
	}
	*ret = response;
	return 0;
}

static VariantDetails *variant_details(struct rpc_call *call, const ProductRecord *record,
				       const Variant *stored, const char *currency)
{
	const Product *product = record->product;
	Variant *variant = view_variant(call, record, stored, currency);
	VariantDetails *details;

	details = rpc_new(call, VariantDetails, .variant = variant, .product = product->name,
			  .display_name = *stored->display_name ? rpc_printf(call, "%s, %s",
									     product->display_name,
									     stored->display_name)
								: product->display_name,
			  .sellable = product->state == PRODUCT_STATE_ACTIVE && variant->price,
			  .tax_class = product->tax_class, .categories = product->categories,
			  .n_categories = product->n_categories);
	for (size_t i = 0; i < product->n_images; i++)
		if (!i ||
		    (stored->n_images && !strcmp(product->images[i]->name, stored->images[0])))
			details->image_uri = product->images[i]->uri;
	return details;
}

/* Carts name what they hold, so what is no longer on sale is answered too, as not sellable. */
static int batch_get_variants(struct catalog_service *self, struct rpc_call *call,
			      const BatchGetVariantsRequest *req, BatchGetVariantsResponse **ret)
{
	BatchGetVariantsResponse *response = rpc_new(call, BatchGetVariantsResponse);
	const char **names = rpc_alloc(call, req->n_names * sizeof(*names));
	ProductRecord **records;
	const char *currency;
	size_t n_records;
	int r;

	r = catalog_currency(self, call, req->currency_code, &currency);
	if (r)
		return r;
	for (size_t i = 0; i < req->n_names; i++)
		names[i] = name_parent_id(call, req->names[i]);
	r = product_read_recent(call, names, req->n_names, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < req->n_names; i++) {
		const ProductRecord *record = record_named(records, n_records, names[i]);
		const Product *product = record ? record->product : NULL;
		const Variant *variant = NULL;

		if (product && !strcmp(product->name, req->names[i])) {
			if (product->n_variants > 1) {
				batch_get_variants_response_add_ambiguous(call, response,
									  req->names[i]);
				continue;
			}
			variant = product->n_variants ? product->variants[0] : NULL;
		} else if (product) {
			variant = catalog_variant_of(product, req->names[i]);
		}
		if (variant)
			batch_get_variants_response_add_variants(
				call, response, variant_details(call, record, variant, currency));
		else
			batch_get_variants_response_add_missing(call, response, req->names[i]);
	}
	*ret = response;
	return 0;
}

const struct catalog_service_ops catalog_service = {
	.get_product = get_product,
	.list_products = list_products,
	.batch_get_products = batch_get_products,
	.batch_get_variants = batch_get_variants,
	.create_product = catalog_create_product,
	.update_product = catalog_update_product,
	.delete_product = catalog_delete_product,
	.publish_product = catalog_publish_product,
	.archive_product = catalog_archive_product,
	.create_variant = catalog_create_variant,
	.update_variant = catalog_update_variant,
	.delete_variant = catalog_delete_variant,
	.get_product_image = catalog_get_product_image,
	.upload_product_image = catalog_upload_product_image,
	.update_product_image = catalog_update_product_image,
	.delete_product_image = catalog_delete_product_image,
	.get_category = catalog_get_category,
	.list_categories = catalog_list_categories,
	.create_category = catalog_create_category,
	.update_category = catalog_update_category,
	.delete_category = catalog_delete_category,
};
