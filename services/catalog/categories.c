/*
 * The tree of categories.
 *
 * A category holds its ancestors and its place (`tree_path`), a product the categories above it, so
 * that reading needs no walk. Moving a category therefore changes many documents, one after the
 * other:
 *
 *   1. the category itself is written with `moved` set; from then on it is where it is;
 *   2. the sweeper takes a moved category, writes its children with their new place and `moved`
 *      set, then the paths of the products in it, and only then clears `moved`, if nobody moved it
 *      again meanwhile.
 *
 * Stopped anywhere, `moved` still stands and the sweeper begins that category again; each step is
 * the same done twice. Two moves at once, each below the other, close a circle that neither saw:
 * the sweeper meets it on the way down, and puts the category that closes it at the top.
 *
 * What comes into a category when it is gone: deleted_categories.c.
 */
#include "catalog_store.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/mask.h>
#include <common/names.h>
#include <string.h>

static Category *view(struct rpc_call *call, const CategoryRecord *record)
{
	record->category->etag = etag_of(call, record->version);
	return record->category;
}

static int find_category(struct rpc_call *call, const char *name, CategoryRecord **ret)
{
	int r = category_read(call, name_id(name), ret);

	return r == MONGO_NOT_FOUND ? rpc_fail(call, CATEGORY_NOT_FOUND, { "category", name }) : r;
}

static void add_to_path(struct rpc_call *call, ProductRecord *record, const char *category)
{
	for (size_t i = 0; i < record->n_category_path; i++)
		if (!strcmp(record->category_path[i], category))
			return;
	product_record_add_category_path(call, record, category);
}

static const CategoryRecord *category_named(CategoryRecord *const *records, size_t n_records,
					    const char *name)
{
	for (size_t i = 0; i < n_records; i++)
		if (!strcmp(records[i]->category->name, name))
			return records[i];
	return NULL;
}

int catalog_derive_path(struct rpc_call *call, ProductRecord *record, const char **missing_ret)
{
	const Product *product = record->product;
	CategoryRecord **records = NULL;
	size_t n_records = 0;
	int r = 0;

	if (product->n_categories)
		r = category_read_all(call, product->categories, product->n_categories, &records,
				      &n_records);
	if (r)
		return r;
	*missing_ret = NULL;
	record->n_category_path = 0;
	add_to_path(call, record, CATEGORY_ROOT);
	for (size_t i = 0; i < product->n_categories; i++) {
		const CategoryRecord *found =
			category_named(records, n_records, product->categories[i]);

		if (!found) {
			*missing_ret = product->categories[i];
			continue;
		}
		add_to_path(call, record, found->category->name);
		for (size_t j = 0; j < found->category->n_ancestors; j++)
			add_to_path(call, record, found->category->ancestors[j]);
	}
	return 0;
}

void catalog_put_below(struct rpc_call *call, CategoryRecord *record, const CategoryRecord *parent)
{
	Category *category = record->category;

	category->n_ancestors = 0;
	for (size_t i = 0; parent && i < parent->category->n_ancestors; i++)
		category_add_ancestors(call, category, parent->category->ancestors[i]);
	if (parent)
		category_add_ancestors(call, category, parent->category->name);
	/* '!' sorts before every character of an id, so that a child comes right after its parent. */
	record->tree_path = rpc_printf(call, "%s%05d/%s!", parent ? parent->tree_path : "",
				       category->position, record->id);
}

static bool has_ancestor(const Category *category, const char *name)
{
	for (size_t i = 0; i < category->n_ancestors; i++)
		if (!strcmp(category->ancestors[i], name))
			return true;
	return false;
}

/* How many categories there are one below the other in it. */
static int height_of(struct rpc_call *call, const Category *category, size_t *ret)
{
	CategoryRecord **below;
	size_t n_below, height = 0;
	int r;

	r = category_descendants(call, category->name, &below, &n_below);
	if (r)
		return r;
	for (size_t i = 0; i < n_below; i++) {
		const Category *lower = below[i]->category;
		size_t under = 0;

		while (strcmp(lower->ancestors[lower->n_ancestors - 1 - under], category->name))
			under++;
		if (under + 1 > height)
			height = under + 1;
	}
	*ret = height;
	return 0;
}

static int set_parent(struct rpc_call *call, CategoryRecord *record)
{
	const Category *category = record->category;
	CategoryRecord *parent = NULL;
	size_t height;
	int r;

	if (*category->parent) {
		r = find_category(call, category->parent, &parent);
		if (r)
			return r;
		if (has_ancestor(parent->category, category->name) ||
		    !strcmp(category->parent, category->name))
			return rpc_fail(call, CATEGORY_CYCLE, { "category", category->name },
					{ "parent", category->parent });
		r = height_of(call, category, &height);
		if (r)
			return r;
		if (parent->category->n_ancestors + 2 + height > CATALOG_DEPTH_MAX)
			return rpc_fail(call, CATEGORY_TOO_DEEP, { "category", category->name },
					{ "max", rpc_printf(call, "%d", CATALOG_DEPTH_MAX) });
	}
	catalog_put_below(call, record, parent);
	return 0;
}

int catalog_get_category(struct catalog_service *self, struct rpc_call *call,
			 const GetCategoryRequest *req, Category **ret)
{
	CategoryRecord *record;
	int r;

	r = find_category(call, req->name, &record);
	if (!r)
		*ret = view(call, record);
	return r;
}

int catalog_list_categories(struct catalog_service *self, struct rpc_call *call,
			    const ListCategoriesRequest *req, ListCategoriesResponse **ret)
{
	ListCategoriesResponse *response = rpc_new(call, ListCategoriesResponse);
	CategoryRecord **records;
	size_t n_records;
	int r;

	r = category_page(call, req, response, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		list_categories_response_add_categories(call, response, view(call, records[i]));
	*ret = response;
	return 0;
}

int catalog_create_category(struct catalog_service *self, struct rpc_call *call,
			    const CreateCategoryRequest *req, Category **ret)
{
	Category *category = rpc_memdup(call, req->category, sizeof(*req->category));
	CategoryRecord *record = rpc_new(call, CategoryRecord, .category = category, .version = 1,
					 .schema_version = 1);
	struct answers_key key;
	int r;

	answers_key(call, req, &key);
	record->id = *req->category_id ? req->category_id : key.id;
	category->name = name_of(call, "categories", record->id);
	category->create_time = category->update_time = clock_now(call);
	r = set_parent(call, record);
	if (r)
		return r;
	category = view(call, record);
	r = category_insert(call, record, answers_store(call, &key, category));
	if (r == MONGO_DUPLICATE) {
		r = category_read(call, record->id, &record);
		if (!r)
			r = answers_find(call, &key, record, &Category_descriptor, ret);
		if (r != ANSWERS_NONE && r != MONGO_NOT_FOUND)
			return r;
		return rpc_fail(call, CATEGORY_ALREADY_EXISTS, { "category", category->name });
	}
	if (!r)
		*ret = category;
	return r;
}

int catalog_update_category(struct catalog_service *self, struct rpc_call *call,
			    const UpdateCategoryRequest *req, Category **ret)
{
	static const char *const fields[] = { "display_name", "description", "parent", "position",
					      NULL };
	const Category *from = req->category;
	CategoryRecord *record;
	int r;

	r = mask_check(call, req->update_mask, fields);
	if (r)
		return r;
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, from->name));) {
		Category *to;

		r = find_category(call, from->name, &record);
		if (!r)
			r = etag_check(call, from->name, from->etag, record->version);
		if (r)
			return r;
		to = record->category;
		if (mask_has(req->update_mask, from, "display_name"))
			to->display_name = from->display_name;
		if (mask_has(req->update_mask, from, "description"))
			to->description = from->description;
		if (mask_has(req->update_mask, from, "position")) {
			record->moved |= to->position != from->position;
			to->position = from->position;
		}
		if (mask_has(req->update_mask, from, "parent")) {
			record->moved |= !!strcmp(to->parent, from->parent);
			to->parent = from->parent;
		}
		to->update_time = clock_now(call);
		r = record->moved ? set_parent(call, record) : 0;
		if (!r)
			r = category_save(call, record);
		if (!r)
			*ret = view(call, record);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

int catalog_delete_category(struct catalog_service *self, struct rpc_call *call,
			    const DeleteCategoryRequest *req, Empty **ret)
{
	CategoryRecord *record, **children;
	size_t n_children;
	bool used;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = find_category(call, req->name, &record);
		if (!r)
			r = etag_check(call, req->name, req->etag, record->version);
		if (!r)
			r = category_children(call, req->name, &children, &n_children);
		if (!r)
			r = product_in_category(call, req->name, &used);
		if (r)
			return r;
		if (used || n_children)
			return rpc_fail(call, CATEGORY_NOT_EMPTY, { "category", req->name });
		/* What is being put into it at this moment is taken out later. */
		r = deleted_category_note(call, record->category);
		if (!r)
			r = category_delete(call, record);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

static int move_children(struct rpc_call *call, const CategoryRecord *parent)
{
	CategoryRecord **children;
	size_t n_children;
	int r;

	r = category_children(call, parent->category->name, &children, &n_children);
	for (size_t i = 0; !r && i < n_children; i++) {
		const char *was = children[i]->tree_path;

		if (has_ancestor(parent->category, children[i]->category->name)) {
			children[i]->category->parent = "";
			catalog_put_below(call, children[i], NULL);
		} else {
			catalog_put_below(call, children[i], parent);
		}
		children[i]->moved = true;
		if (strcmp(was, children[i]->tree_path))
			r = category_save(call, children[i]);
		/* Someone moved it meanwhile: its own turn puts it right. */
		if (r == MONGO_NOT_MATCHED)
			r = 0;
	}
	return r;
}

static int move_products(struct rpc_call *call, const CategoryRecord *category)
{
	ProductRecord **records;
	const char *after = "", *missing;
	size_t n_records;
	int r;

	do {
		r = product_find_in_category(call, category->category->name, after, &records,
					     &n_records);
		for (size_t i = 0; !r && i < n_records; i++) {
			after = records[i]->id;
			r = catalog_derive_path(call, records[i], &missing);
			if (r)
				return r;
			r = product_set_path(call, records[i]);
			/* Staff changed it meanwhile, and derived the path from where the category
			 * is now. */
			if (r == MONGO_NOT_MATCHED)
				r = 0;
		}
	} while (!r && n_records);
	return r;
}

static int settle_one(struct rpc_call *call)
{
	CategoryRecord *record;
	int r;

	r = category_find_moved(call, &record);
	if (r)
		return r;
	r = move_children(call, record);
	if (!r)
		r = move_products(call, record);
	if (!r)
		r = category_settle(call, record);
	return r == MONGO_NOT_MATCHED ? 0 : r;
}

int catalog_sweep(void *data, struct rpc_call *call)
{
	int r = settle_one(call);

	if (r == MONGO_NOT_FOUND)
		r = deleted_category_sweep(call);
	if (r != MONGO_NOT_FOUND)
		return r ? r : 1; /* there may be more */
	return product_sweep(call);
}
