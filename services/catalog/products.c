/* Changing products: what staff write, on sale and off sale. */
#include "catalog_store.h"
#include "errors.msg.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/mask.h>
#include <common/names.h>
#include <string.h>

int catalog_change_product(struct rpc_call *call, const char *name, const char *etag,
			   catalog_change *change, void *data, ProductRecord **ret)
{
	ProductRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, name));) {
		r = catalog_find_product(call, name, &record);
		if (!r)
			r = etag_check(call, name, etag, record->version);
		if (!r)
			r = change(call, record, data);
		if (r)
			return r;
		record->product->update_time = clock_now(call);
		r = product_save(call, record, NULL);
		if (!r)
			*ret = record;
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

static int place(struct rpc_call *call, ProductRecord *record)
{
	const char *missing;
	int r = catalog_derive_path(call, record, &missing);

	if (!r && missing)
		return rpc_fail(call, CATEGORY_NOT_FOUND, { "category", missing });
	return r;
}

static int sellable(struct rpc_call *call, const Product *product)
{
	for (size_t i = 0; i < product->n_variants; i++)
		if (product->variants[i]->n_prices)
			return 0;
	return rpc_fail(call, PRODUCT_NOT_SELLABLE, { "product", product->name });
}

int catalog_still_sellable(struct rpc_call *call, const Product *product)
{
	return product->state == PRODUCT_STATE_ACTIVE ? sellable(call, product) : 0;
}

static int check_options(struct rpc_call *call, Product *product)
{
	for (size_t i = 0; i < product->n_options; i++) {
		ProductOption *option = product->options[i];

		if (!*option->display_name)
			option->display_name = option->name;
		for (size_t j = 0; j < i; j++)
			if (!strcmp(product->options[j]->name, option->name))
				return rpc_fail(call, VARIANT_OPTIONS_INVALID,
						{ "product", product->name },
						{ "problem",
						  rpc_printf(call, "the option '%s' is there twice",
							     option->name) });
	}
	return 0;
}

int catalog_create_product(struct catalog_service *self, struct rpc_call *call,
			   const CreateProductRequest *req, Product **ret)
{
	Product *product = rpc_memdup(call, req->product, sizeof(*req->product));
	ProductRecord *record =
		rpc_new(call, ProductRecord, .product = product, .version = 1, .schema_version = 1);
	struct answers_key key;
	const char *currency;
	int r;

	r = catalog_currency(self, call, "", &currency);
	if (r)
		return r;
	answers_key(call, req, &key);
	record->id = *req->product_id ? req->product_id : key.id;
	product->name = name_of(call, "products", record->id);
	product->state = PRODUCT_STATE_DRAFT;
	if (!product->tax_class)
		product->tax_class = PRODUCT_TAX_CLASS_STANDARD;
	product->rating = rpc_new(call, ProductRating);
	product->create_time = product->update_time = clock_now(call);
	r = check_options(call, product);
	for (size_t i = 0; !r && i < product->n_variants; i++)
		r = catalog_complete_variant(call, product, product->variants[i],
					     name_id(product->variants[i]->name))
			    ?: catalog_check_images(call, product, product->variants[i]);
	if (!r)
		r = place(call, record);
	if (r)
		return r;

	product = catalog_view(call, record, currency);
	r = product_insert(call, record, answers_store(call, &key, product));
	if (r == MONGO_DUPLICATE && !strcmp(mongo_duplicate_index(call), "sku"))
		return catalog_sku_taken(call, product->variants, product->n_variants);
	if (r == MONGO_DUPLICATE) {
		ProductRecord *there;

		r = product_read(call, record->id, &there);
		if (!r)
			r = answers_find(call, &key, there, &Product_descriptor, ret);
		if (r != ANSWERS_NONE && r != MONGO_NOT_FOUND)
			return r;
		return rpc_fail(call, PRODUCT_ALREADY_EXISTS, { "product", product->name });
	}
	if (r)
		return r;
	*ret = product;
	return 0;
}

struct update {
	const Product *product;
	const FieldMask *mask;
};

static int update_product(struct rpc_call *call, ProductRecord *record, void *data)
{
	const struct update *update = data;
	const Product *from = update->product;
	Product *to = record->product;
	int r = 0;

	if (mask_has(update->mask, from, "display_name"))
		to->display_name = from->display_name;
	if (mask_has(update->mask, from, "description"))
		to->description = from->description;
	if (mask_has(update->mask, from, "tax_class"))
		to->tax_class = from->tax_class ? from->tax_class : PRODUCT_TAX_CLASS_STANDARD;
	if (mask_has(update->mask, from, "attributes")) {
		to->attributes = from->attributes;
		to->n_attributes = from->n_attributes;
	}
	if (mask_has(update->mask, from, "categories")) {
		to->categories = from->categories;
		to->n_categories = from->n_categories;
		r = place(call, record);
	}
	if (!r && mask_has(update->mask, from, "options")) {
		to->options = from->options;
		to->n_options = from->n_options;
		r = check_options(call, to);
		if (!r)
			r = catalog_options_fit(call, to);
	}
	return r;
}

int catalog_update_product(struct catalog_service *self, struct rpc_call *call,
			   const UpdateProductRequest *req, Product **ret)
{
	static const char *const fields[] = {
		"display_name", "description", "categories", "options",
		"attributes",   "tax_class",   NULL
	};
	struct update update = { req->product, req->update_mask };
	ProductRecord *record;
	const char *currency;
	int r;

	r = mask_check(call, req->update_mask, fields);
	if (!r)
		r = catalog_currency(self, call, "", &currency);
	if (!r)
		r = catalog_change_product(call, req->product->name, req->product->etag,
					   update_product, &update, &record);
	if (r)
		return r;
	*ret = catalog_view(call, record, currency);
	return 0;
}

int catalog_delete_product(struct catalog_service *self, struct rpc_call *call,
			   const DeleteProductRequest *req, Empty **ret)
{
	ProductRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = catalog_find_product(call, req->name, &record);
		if (!r)
			r = etag_check(call, req->name, req->etag, record->version);
		if (r)
			return r;
		if (record->product->state == PRODUCT_STATE_ACTIVE)
			return rpc_fail(call, PRODUCT_STATE_INVALID, { "product", req->name },
					{ "state", "on sale" });
		r = product_mark_deleted(call, record);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

static int publish(struct rpc_call *call, ProductRecord *record, void *data)
{
	int r = sellable(call, record->product);

	if (r)
		return r;
	record->product->state = PRODUCT_STATE_ACTIVE;
	if (!record->product->publish_time)
		record->product->publish_time = clock_now(call);
	return 0;
}

static int archive(struct rpc_call *call, ProductRecord *record, void *data)
{
	record->product->state = PRODUCT_STATE_ARCHIVED;
	return 0;
}

static int move(struct catalog_service *self, struct rpc_call *call, const char *name,
		const char *etag, catalog_change *change, Product **ret)
{
	ProductRecord *record;
	const char *currency;
	int r;

	r = catalog_currency(self, call, "", &currency);
	if (!r)
		r = catalog_change_product(call, name, etag, change, NULL, &record);
	if (r)
		return r;
	*ret = catalog_view(call, record, currency);
	return 0;
}

int catalog_publish_product(struct catalog_service *self, struct rpc_call *call,
			    const PublishProductRequest *req, Product **ret)
{
	return move(self, call, req->name, req->etag, publish, ret);
}

int catalog_archive_product(struct catalog_service *self, struct rpc_call *call,
			    const ArchiveProductRequest *req, Product **ret)
{
	return move(self, call, req->name, req->etag, archive, ret);
}
