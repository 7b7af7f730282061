/* The catalogue's documents: products, categories, pictures. */
#pragma once

#include "catalog.h"
#include <common/answers.h>
#include <common/mongo.h>

/* The root of the tree: every product is in it. */
#define CATEGORY_ROOT "categories/"

/* Products. Results are those of mongo.h. */
int product_read(struct rpc_call *call, const char *id, ProductRecord **ret);
int product_insert(struct rpc_call *call, ProductRecord *record,
		   const struct stored_answer *answer);
/* Writes what staff own of the record, if its version is still the one that was read, and tells of
 * it. */
int product_save(struct rpc_call *call, ProductRecord *record, const struct stored_answer *answer);
int product_mark_deleted(struct rpc_call *call, const ProductRecord *record);
/* Notes what is left of a SKU unless something newer is known; of one that no product has, for the
 * product to come. */
int product_note_stock(struct rpc_call *call, const char *sku, int64_t version,
		       const VariantAvailability *availability);
/* The records of these names, in no order. */
int product_read_all(struct rpc_call *call, const char *const *names, size_t n_names,
		     ProductRecord ***ret, size_t *n_ret);
/* As they were at most a second ago, for carts: within one purchase they ask for the same five times.
 * What is not there may be there by now, so only what is there is remembered. */
int product_read_recent(struct rpc_call *call, const char *const *ids, size_t n_ids,
			ProductRecord ***ret, size_t *n_ret);
int product_page(struct rpc_call *call, const ListProductsRequest *req, const bson_t *filter,
		 const char *sort, ListProductsResponse *response, ProductRecord ***ret,
		 size_t *n_ret);
int product_in_category(struct rpc_call *call, const char *category, bool *ret);
/* Products in this category whose path is not `path` any more, some at a time. */
int product_find_in_category(struct rpc_call *call, const char *category, const char *after,
			     ProductRecord ***ret, size_t *n_ret);
int product_set_path(struct rpc_call *call, const ProductRecord *record);
/* Removes products that are deleted and whose events are out. */
int product_sweep(struct rpc_call *call);

/* The events of a product (announce.c), with the version that its record has; deleted: the next. */
struct rpc_event *announce_created(struct rpc_call *call, const ProductRecord *record);
struct rpc_event *announce_updated(struct rpc_call *call, const ProductRecord *record);
struct rpc_event *announce_deleted(struct rpc_call *call, const ProductRecord *record);

/* Pictures, one document a size. */
int image_write(struct rpc_call *call, const ImageRecord *record);
/* The smallest at least `width` wide, else the largest. 0: the largest. MONGO_NOT_FOUND. */
int image_read(struct rpc_call *call, const char *product, const char *image, int32_t width,
	       ImageRecord **ret);
int image_delete(struct rpc_call *call, const char *product, const char *image);
const char *image_prefix(struct rpc_call *call, const char *product, const char *image);

/* Categories. */
int category_read(struct rpc_call *call, const char *id, CategoryRecord **ret);
int category_read_all(struct rpc_call *call, const char *const *names, size_t n_names,
		      CategoryRecord ***ret, size_t *n_ret);
int category_insert(struct rpc_call *call, CategoryRecord *record,
		    const struct stored_answer *answer);
int category_save(struct rpc_call *call, CategoryRecord *record);
int category_delete(struct rpc_call *call, const CategoryRecord *record);
int category_page(struct rpc_call *call, const ListCategoriesRequest *req,
		  ListCategoriesResponse *response, CategoryRecord ***ret, size_t *n_ret);
int category_children(struct rpc_call *call, const char *name, CategoryRecord ***ret,
		      size_t *n_ret);
int category_descendants(struct rpc_call *call, const char *name, CategoryRecord ***ret,
			 size_t *n_ret);
int category_find_moved(struct rpc_call *call, CategoryRecord **ret);
/* Deleted categories: what comes into them late is taken out again. The sweep looks at one, or
 * answers MONGO_NOT_FOUND. */
int deleted_category_note(struct rpc_call *call, const Category *category);
int deleted_category_sweep(struct rpc_call *call);
int category_settle(struct rpc_call *call, const CategoryRecord *record);
