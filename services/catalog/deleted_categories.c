/*
 * What comes into a category after it is gone.
 *
 * A category is deleted when nothing is in it; but who has looked for it a moment before may still
 * put a product or a category into it, and no condition on one document sees the other. So a
 * deleted category is noted, before it is deleted, and for a day the sweeper looks whether something
 * came: soon at first, then at ever longer intervals. What came is taken out: a product is in that
 * category no more, a category goes to where the deleted one was.
 *
 * What is to be taken out is read first and the category looked for after it, so that what is put
 * into one that was made anew under the same name stays.
 */
#include "catalog_store.h"
#include <common/clock.h>
#include <common/names.h>
#include <string.h>

enum { FIRST_LOOK_MS = 1000, KEPT_MS = 24 * 3600 * 1000 };

static const struct mongo_index deleted_indexes[] = {
	{ "next_look_time" },
	{},
};
MONGO_COLLECTION(deleted_categories, .name = "deleted_categories",
		 .type = &DeletedCategoryRecord_descriptor, .indexes = deleted_indexes);

int deleted_category_note(struct rpc_call *call, const Category *category)
{
	static const char *const fields[] = { "parent", "delete_time", "next_look_time",
					      "schema_version", NULL };
	int64_t now = rpc_now_ms(call);
	const DeletedCategoryRecord *record = rpc_new(
		call, DeletedCategoryRecord, .parent = category->parent,
		.delete_time = clock_timestamp(call, now),
		.next_look_time = clock_timestamp(call, now + FIRST_LOOK_MS), .schema_version = 1);
	int r;

	do {
		r = mongo_update(
			call, &deleted_categories, .id = name_id(category->name),
			.keep_version = true, .upsert = true,
			.update = DOC(call, "$set",
				      BCON_DOCUMENT(document_of_fields(call, "", record, fields))));
	} while (r == MONGO_DUPLICATE);
	return r;
}

/* Whether something is to be taken out: there is no such category. */
static int is_gone(struct rpc_call *call, const char *name, bool *ret)
{
	CategoryRecord *record;
	int r = category_read(call, name_id(name), &record);

	if (r && r != MONGO_NOT_FOUND)
		return r;
	*ret = r == MONGO_NOT_FOUND;
	return 0;
}

static int take_out_product(struct rpc_call *call, ProductRecord *record, const char *category)
{
	Product *product = record->product;
	const char *missing;
	size_t kept = 0;
	int r;

	for (size_t i = 0; i < product->n_categories; i++)
		if (strcmp(product->categories[i], category))
			product->categories[kept++] = product->categories[i];
	product->n_categories = kept;
	product->update_time = clock_now(call);
	r = catalog_derive_path(call, record, &missing);
	if (!r)
		r = product_save(call, record, NULL);
	return r == MONGO_NOT_MATCHED ? 0 : r; /* the next look sees what it is then */
}

static int take_out_products(struct rpc_call *call, const char *category, bool *found)
{
	ProductRecord **records;
	size_t n_records;
	bool gone;
	int r;

	r = product_find_in_category(call, category, "", &records, &n_records);
	if (r || !n_records)
		return r;
	r = is_gone(call, category, &gone);
	*found |= !r && gone;
	for (size_t i = 0; !r && gone && i < n_records; i++)
		r = take_out_product(call, records[i], category);
	return r;
}

static int take_out_children(struct rpc_call *call, const char *category, const char *parent,
			     bool *found)
{
	CategoryRecord **children, *above = NULL;
	size_t n_children;
	bool gone;
	int r;

	r = category_children(call, category, &children, &n_children);
	if (r || !n_children)
		return r;
	r = is_gone(call, category, &gone);
	*found |= !r && gone;
	if (!r && gone && *parent)
		r = category_read(call, name_id(parent), &above);
	if (r == MONGO_NOT_FOUND)
		r = 0; /* to the top */
	for (size_t i = 0; !r && gone && i < n_children; i++) {
		children[i]->category->parent = above ? above->category->name : "";
		children[i]->moved = true;
		catalog_put_below(call, children[i], above);
		r = category_save(call, children[i]);
		if (r == MONGO_NOT_MATCHED)
			r = 0;
	}
	return r;
}

static int forget(struct rpc_call *call, const DeletedCategoryRecord *record)
{
	return mongo_delete(
		call, &deleted_categories, record->id,
		DOC(call, "delete_time", BCON_DATE_TIME(clock_ms(record->delete_time))));
}

static int look_again(struct rpc_call *call, const DeletedCategoryRecord *record, int64_t time)
{
	return mongo_update(
		call, &deleted_categories, .id = record->id, .keep_version = true,
		.filter = DOC(call, "delete_time", BCON_DATE_TIME(clock_ms(record->delete_time))),
		.update = DOC(call, "$set", "{", "next_look_time", BCON_DATE_TIME(time), "}"));
}

int deleted_category_sweep(struct rpc_call *call)
{
	int64_t now = rpc_now_ms(call), age;
	DeletedCategoryRecord *record;
	bool found = false;
	const char *name;
	int r;

	r = mongo_find_one(
		call, &deleted_categories, &record,
		.filter = DOC(call, "next_look_time", "{", "$lte", BCON_DATE_TIME(now), "}"));
	if (r)
		return r;
	name = name_of(call, "categories", record->id);
	r = take_out_children(call, name, record->parent, &found);
	if (!r)
		r = take_out_products(call, name, &found);
	if (r)
		return r;
	age = now - clock_ms(record->delete_time);
	if (found || age < KEPT_MS)
		r = look_again(call, record, now + (found ? FIRST_LOOK_MS : age));
	else
		r = forget(call, record);
	return r == MONGO_NOT_MATCHED ? 0 : r; /* it was deleted once more */
}
