/* The catalogue: products with their variants, prices and pictures, in a tree of categories. */
#pragma once

#include "catalog.rpc.h"
#include "catalog_store.msg.h"
#include "inventory_events.ev.h"
#include <crpc/service.h>

enum {
	CATALOG_VARIANTS_MAX = 100,
	CATALOG_IMAGES_MAX = 20,
	CATALOG_IMAGE_SIZES_MAX = 8,
	CATALOG_IMAGE_BYTES_MAX = 2 << 20,
	CATALOG_DEPTH_MAX = 8,
};

struct catalog_service {
	const char *currencies; /* "EUR,USD": what has prices; the first is the default */
};
extern const struct catalog_service_ops catalog_service;

struct inventory_listener {
	char unused;
};
extern const struct inventory_events_ops catalog_inventory;

/* Staff see drafts and all prices. */
bool catalog_is_staff(const struct rpc_call *call);
/* The currency asked for, or the default; CURRENCY_UNSUPPORTED. */
int catalog_currency(struct catalog_service *self, struct rpc_call *call, const char *asked,
		     const char **ret);
/* The record, unless the caller may not see it: PRODUCT_NOT_FOUND. */
int catalog_find_product(struct rpc_call *call, const char *name, ProductRecord **ret);
/* The product as the caller sees it: prices in one currency, what is left, the etag. */
Product *catalog_view(struct rpc_call *call, const ProductRecord *record, const char *currency);
Variant *catalog_variant_of(const Product *product, const char *name);

/*
 * Changes of a product by staff: reads the record, lets `change` alter what staff own of it, and
 * writes that with the version in the condition, again when someone came between. An etag that is
 * given must be the version's.
 */
typedef int catalog_change(struct rpc_call *call, ProductRecord *record, void *data);
int catalog_change_product(struct rpc_call *call, const char *name, const char *etag,
			   catalog_change *change, void *data, ProductRecord **ret);

/* Variants of a new or changed product: ids, names, options and prices are checked and completed. */
int catalog_complete_variant(struct rpc_call *call, const Product *product, Variant *variant,
			     const char *id);
/* PRODUCT_OPTIONS_IN_USE when a variant does not fit the product's options. */
int catalog_options_fit(struct rpc_call *call, const Product *product);
/* IMAGE_NOT_FOUND: the variant names a picture that the product has not. */
int catalog_check_images(struct rpc_call *call, const Product *product, const Variant *variant);
/* SKU_TAKEN, naming the one. */
int catalog_sku_taken(struct rpc_call *call, Variant *const *variants, size_t n_variants);
/* PRODUCT_NOT_SELLABLE when a product on sale has no variant with a price. */
int catalog_still_sellable(struct rpc_call *call, const Product *product);

/* Sets the record's path: its categories, all above them, and the root. *missing_ret: one that it
 * names and that is not there, or NULL. */
int catalog_derive_path(struct rpc_call *call, ProductRecord *record, const char **missing_ret);
/* Sets what follows from the category above it (NULL: at the top). */
void catalog_put_below(struct rpc_call *call, CategoryRecord *record, const CategoryRecord *parent);

/* Handlers, a file each for products, variants, pictures and categories. */
int catalog_create_product(struct catalog_service *self, struct rpc_call *call,
			   const CreateProductRequest *req, Product **ret);
int catalog_update_product(struct catalog_service *self, struct rpc_call *call,
			   const UpdateProductRequest *req, Product **ret);
int catalog_delete_product(struct catalog_service *self, struct rpc_call *call,
			   const DeleteProductRequest *req, Empty **ret);
int catalog_publish_product(struct catalog_service *self, struct rpc_call *call,
			    const PublishProductRequest *req, Product **ret);
int catalog_archive_product(struct catalog_service *self, struct rpc_call *call,
			    const ArchiveProductRequest *req, Product **ret);
int catalog_create_variant(struct catalog_service *self, struct rpc_call *call,
			   const CreateVariantRequest *req, Variant **ret);
int catalog_update_variant(struct catalog_service *self, struct rpc_call *call,
			   const UpdateVariantRequest *req, Variant **ret);
int catalog_delete_variant(struct catalog_service *self, struct rpc_call *call,
			   const DeleteVariantRequest *req, Empty **ret);
int catalog_get_product_image(struct catalog_service *self, struct rpc_call *call,
			      const GetProductImageRequest *req, HttpBody **ret);
int catalog_upload_product_image(struct catalog_service *self, struct rpc_call *call,
				 const UploadProductImageRequest *req, ProductImage **ret);
int catalog_update_product_image(struct catalog_service *self, struct rpc_call *call,
				 const UpdateProductImageRequest *req, ProductImage **ret);
int catalog_delete_product_image(struct catalog_service *self, struct rpc_call *call,
				 const DeleteProductImageRequest *req, Empty **ret);
int catalog_get_category(struct catalog_service *self, struct rpc_call *call,
			 const GetCategoryRequest *req, Category **ret);
int catalog_list_categories(struct catalog_service *self, struct rpc_call *call,
			    const ListCategoriesRequest *req, ListCategoriesResponse **ret);
int catalog_create_category(struct catalog_service *self, struct rpc_call *call,
			    const CreateCategoryRequest *req, Category **ret);
int catalog_update_category(struct catalog_service *self, struct rpc_call *call,
			    const UpdateCategoryRequest *req, Category **ret);
int catalog_delete_category(struct catalog_service *self, struct rpc_call *call,
			    const DeleteCategoryRequest *req, Empty **ret);

/* Finishes what takes more than one document: moved categories, deleted products. For
 * service_every(). */
int catalog_sweep(void *data, struct rpc_call *call);
