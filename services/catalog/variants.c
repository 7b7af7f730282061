/* Variants: what of a product can be bought, and for how much. */
#include "catalog_store.h"
#include "errors.msg.h"
#include <common/mask.h>
#include <common/money.h>
#include <common/names.h>
#include <string.h>

static const char *option_of(const Variant *variant, const char *name)
{
	for (size_t i = 0; i < variant->n_options; i++)
		if (!strcmp(variant->options[i]->key, name))
			return variant->options[i]->value;
	return NULL;
}

static bool offers(const ProductOption *option, const char *value)
{
	for (size_t i = 0; i < option->n_values; i++)
		if (!strcmp(option->values[i], value))
			return true;
	return false;
}

/* The option that the variant does not fit, or NULL. */
static const ProductOption *misfit(const Product *product, const Variant *variant)
{
	for (size_t i = 0; i < product->n_options; i++) {
		const char *value = option_of(variant, product->options[i]->name);

		if (!value || !offers(product->options[i], value))
			return product->options[i];
	}
	return NULL;
}

static bool same_choice(const Product *product, const Variant *a, const Variant *b)
{
	for (size_t i = 0; i < product->n_options; i++) {
		const char *name = product->options[i]->name;

		if (strcmp(option_of(a, name), option_of(b, name)))
			return false;
	}
	return true;
}

static int check_options(struct rpc_call *call, const Product *product, const Variant *variant)
{
	const ProductOption *wrong = misfit(product, variant);

	if (wrong)
		return rpc_fail(call, VARIANT_OPTIONS_INVALID, { "product", product->name },
				{ "problem",
				  rpc_printf(call, "'%s' has no value of the product's option '%s'",
					     variant->sku, wrong->name) });
	if (variant->n_options > product->n_options)
		return rpc_fail(
			call, VARIANT_OPTIONS_INVALID, { "product", product->name },
			{ "problem", rpc_printf(call, "'%s' has options that the product has not",
						variant->sku) });
	for (size_t i = 0; i < product->n_variants; i++) {
		const Variant *other = product->variants[i];

		if (other == variant || !strcmp(other->name, variant->name) ||
		    misfit(product, other))
			continue;
		if (same_choice(product, variant, other))
			return rpc_fail(
				call, VARIANT_OPTIONS_INVALID, { "product", product->name },
				{ "problem", rpc_printf(call, "'%s' has the same options as '%s'",
							variant->sku, other->sku) });
	}
	return 0;
}

int catalog_options_fit(struct rpc_call *call, const Product *product)
{
	for (size_t i = 0; i < product->n_variants; i++) {
		const ProductOption *wrong = misfit(product, product->variants[i]);

		if (wrong || product->variants[i]->n_options != product->n_options)
			return rpc_fail(call, PRODUCT_OPTIONS_IN_USE, { "product", product->name },
					{ "option", wrong ? wrong->name : "" },
					{ "variant", product->variants[i]->name });
	}
	return 0;
}

static int refuse_price(struct rpc_call *call, const Money *amount, const char *problem)
{
	return rpc_fail(call, PRICE_INVALID, { "currencyCode", amount->currency_code },
			{ "problem", problem });
}

static int check_prices(struct rpc_call *call, const Variant *variant)
{
	for (size_t i = 0; i < variant->n_prices; i++) {
		const Money *amount = variant->prices[i]->amount,
			    *before = variant->prices[i]->compare_at;
		int64_t minor;
		int order, r;

		r = money_minor(amount, &minor);
		if (r)
			return refuse_price(call, amount, money_problem(call, r, amount));
		if (minor <= 0)
			return refuse_price(call, amount, "a price is above 0");
		for (size_t j = 0; j < i; j++)
			if (!strcmp(variant->prices[j]->amount->currency_code,
				    amount->currency_code))
				return refuse_price(call, amount, "the currency is there twice");
		if (!before)
			continue;
		r = money_compare(amount, before, &order);
		if (r)
			return refuse_price(call, amount, money_problem(call, r, before));
		if (order >= 0)
			return refuse_price(call, amount, "the price to compare with is above it");
	}
	return 0;
}

/* `Red, large`: the values in the order of the product's options. */
static const char *option_text(struct rpc_call *call, const Product *product,
			       const Variant *variant)
{
	const char *text = "";

	for (size_t i = 0; i < product->n_options; i++)
		text = rpc_printf(call, "%s%s%s", text, i ? ", " : "",
				  option_of(variant, product->options[i]->name));
	return text;
}

int catalog_complete_variant(struct rpc_call *call, const Product *product, Variant *variant,
			     const char *id)
{
	int r;

	variant->name = name_join(call, product->name, "variants", *id ? id : variant->sku);
	for (size_t i = 0; i < product->n_variants; i++) {
		const Variant *other = product->variants[i];

		if (other == variant)
			continue;
		if (!strcmp(other->sku, variant->sku))
			return rpc_fail(call, SKU_TAKEN, { "sku", variant->sku });
		if (!strcmp(other->name, variant->name))
			return rpc_fail(call, VARIANT_ALREADY_EXISTS, { "variant", variant->name });
	}
	r = check_options(call, product, variant);
	if (!r)
		r = check_prices(call, variant);
	if (r)
		return r;
	if (!*variant->display_name)
		variant->display_name = option_text(call, product, variant);
	return 0;
}

int catalog_sku_taken(struct rpc_call *call, Variant *const *variants, size_t n_variants)
{
	const char *skus = "";

	/* The index says that one is taken, not which. */
	for (size_t i = 0; i < n_variants; i++)
		skus = rpc_printf(call, "%s%s%s", skus, i ? "' or '" : "", variants[i]->sku);
	return rpc_fail(call, SKU_TAKEN, { "sku", skus });
}

struct variant_change {
	const Variant *from;
	const FieldMask *mask;
	const char *id;   /* of a new one */
	const char *name; /* of one that is there */
	Variant *variant; /* as it is then */
};

static int create_variant(struct rpc_call *call, ProductRecord *record, void *data)
{
	struct variant_change *change = data;
	int r;

	if (record->product->n_variants >= CATALOG_VARIANTS_MAX)
		return rpc_fail(call, PRODUCT_FULL, { "product", record->product->name },
				{ "what", "variants" },
				{ "max", rpc_printf(call, "%d", CATALOG_VARIANTS_MAX) });
	change->variant = rpc_memdup(call, change->from, sizeof(*change->from));
	r = catalog_complete_variant(call, record->product, change->variant, change->id);
	if (!r)
		r = catalog_check_images(call, record->product, change->variant);
	if (r)
		return r;
	product_add_variants(call, record->product, change->variant);
	return 0;
}

/* A retry of a creation finds its variant there, the same as it would make it now. */
static bool is_repeat(const Variant *there, const Variant *asked)
{
	Variant copy = *asked;

	copy.name = there->name;
	if (!*copy.display_name)
		copy.display_name = there->display_name;
	return rpc_message_equal(&there->base, &copy.base);
}

int catalog_create_variant(struct catalog_service *self, struct rpc_call *call,
			   const CreateVariantRequest *req, Variant **ret)
{
	struct variant_change change = { .from = req->variant, .id = req->variant_id };
	const char *name = name_join(call, req->parent, "variants",
				     *req->variant_id ? req->variant_id : req->variant->sku);
	const char *currency;
	ProductRecord *record;
	int r;

	r = catalog_currency(self, call, "", &currency);
	if (r)
		return r;
	r = catalog_change_product(call, req->parent, "", create_variant, &change, &record);
	if (r == MONGO_DUPLICATE)
		return catalog_sku_taken(call, (Variant *[]){ req->variant }, 1);
	if (r && *req->request_id) {
		const Variant *there;

		if (catalog_find_product(call, req->parent, &record))
			return rpc_error_code(call);
		there = catalog_variant_of(record->product, name);
		if (!there || !is_repeat(there, req->variant))
			return r;
		rpc_error_clear(call);
	} else if (r) {
		return r;
	}
	*ret = catalog_variant_of(catalog_view(call, record, currency), name);
	return 0;
}

static int update_variant(struct rpc_call *call, ProductRecord *record, void *data)
{
	struct variant_change *change = data;
	const Variant *from = change->from;
	Variant *to = catalog_variant_of(record->product, change->name);
	int r = 0;

	if (!to)
		return rpc_fail(call, VARIANT_NOT_FOUND, { "variant", change->name });
	if (mask_has(change->mask, from, "display_name"))
		to->display_name = from->display_name;
	if (mask_has(change->mask, from, "weight_grams"))
		to->weight_grams = from->weight_grams;
	if (mask_has(change->mask, from, "options")) {
		to->options = from->options;
		to->n_options = from->n_options;
	}
	if (mask_has(change->mask, from, "prices")) {
		to->prices = from->prices;
		to->n_prices = from->n_prices;
	}
	if (mask_has(change->mask, from, "images")) {
		to->images = from->images;
		to->n_images = from->n_images;
		r = catalog_check_images(call, record->product, to);
	}
	if (!r)
		r = catalog_complete_variant(call, record->product, to, name_id(to->name));
	return r ? r : catalog_still_sellable(call, record->product);
}

int catalog_update_variant(struct catalog_service *self, struct rpc_call *call,
			   const UpdateVariantRequest *req, Variant **ret)
{
	static const char *const fields[] = { "display_name", "options", "prices",
					      "weight_grams", "images",  NULL };
	struct variant_change change = { .from = req->variant,
					 .mask = req->update_mask,
					 .name = req->variant->name };
	const char *product = name_of(call, "products", name_parent_id(call, req->variant->name));
	const char *currency;
	ProductRecord *record;
	int r;

	r = mask_check(call, req->update_mask, fields);
	if (!r)
		r = catalog_currency(self, call, "", &currency);
	if (!r)
		r = catalog_change_product(call, product, req->etag, update_variant, &change,
					   &record);
	if (r)
		return r;
	*ret = catalog_variant_of(catalog_view(call, record, currency), req->variant->name);
	return 0;
}

static int delete_variant(struct rpc_call *call, ProductRecord *record, void *data)
{
	const char *name = data;
	Product *product = record->product;
	size_t kept = 0;

	if (!catalog_variant_of(product, name))
		return rpc_fail(call, VARIANT_NOT_FOUND, { "variant", name });
	for (size_t i = 0; i < product->n_variants; i++)
		if (strcmp(product->variants[i]->name, name))
			product->variants[kept++] = product->variants[i];
	product->n_variants = kept;
	record->notes_left = true;
	return catalog_still_sellable(call, product);
}

int catalog_delete_variant(struct catalog_service *self, struct rpc_call *call,
			   const DeleteVariantRequest *req, Empty **ret)
{
	const char *product = name_of(call, "products", name_parent_id(call, req->name));
	ProductRecord *record;

	return catalog_change_product(call, product, req->etag, delete_variant, (void *)req->name,
				      &record);
}
