/* Categories in the database: a few hundred, one shard. */
#include "catalog_store.h"
#include <common/page.h>

static const struct mongo_index category_indexes[] = {
	{ "tree_path" },
	{ "category.parent tree_path" },
	{ "moved", .partial = MONGO_JSON({ "moved" : true }) },
	{},
};
MONGO_COLLECTION(categories, .name = "categories", .type = &CategoryRecord_descriptor,
		 .indexes = category_indexes);

int category_read(struct rpc_call *call, const char *id, CategoryRecord **ret)
{
	return mongo_get(call, &categories, id, ret);
}

int category_read_all(struct rpc_call *call, const char *const *names, size_t n_names,
		      CategoryRecord ***ret, size_t *n_ret)
{
	return mongo_find(
		call, &categories, ret, n_ret, .limit = (int64_t)n_names,
		.filter = DOC(call, "_id", BCON_DOCUMENT(document_in_ids(call, names, n_names))));
}

int category_insert(struct rpc_call *call, CategoryRecord *record,
		    const struct stored_answer *answer)
{
	return mongo_insert(call, &categories, record, .answer = answer);
}

int category_save(struct rpc_call *call, CategoryRecord *record)
{
	static const char *const of_category[] = {
		"display_name", "description", "parent", "ancestors",
		"position",     "update_time", NULL
	};
	static const char *const of_record[] = { "tree_path", "moved", NULL };
	const bson_t *set = document_join(
		call, document_of_fields(call, "category.", record->category, of_category),
		document_of_fields(call, "", record, of_record));
	int r;

	r = mongo_update(call, &categories, .id = record->id,
			 .filter = DOC(call, "version", BCON_INT64(record->version)),
			 .update = DOC(call, "$set", BCON_DOCUMENT(set)));
	if (!r)
		record->version++;
	return r;
}

int category_delete(struct rpc_call *call, const CategoryRecord *record)
{
	return mongo_delete(call, &categories, record->id,
			    DOC(call, "version", BCON_INT64(record->version)));
}

int category_page(struct rpc_call *call, const ListCategoriesRequest *req,
		  ListCategoriesResponse *response, CategoryRecord ***ret, size_t *n_ret)
{
	/* The tree is small: a page is 100 unless less is asked for. */
	ListCategoriesRequest sized = *req;

	if (!sized.page_size)
		sized.page_size = PAGE_SIZE_MAX;
	return page_list(call, &categories, &sized, ret, n_ret, &response->next_page_token,
			 .sort = "tree_path",
			 .filter = *req->parent
					   ? DOC(call, "category.parent", BCON_UTF8(req->parent))
					   : NULL);
}

int category_children(struct rpc_call *call, const char *name, CategoryRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &categories, ret, n_ret, .limit = 1000,
			  .filter = DOC(call, "category.parent", BCON_UTF8(name)));
}

int category_descendants(struct rpc_call *call, const char *name, CategoryRecord ***ret,
			 size_t *n_ret)
{
	return mongo_find(call, &categories, ret, n_ret, .limit = 1000,
			  .filter = DOC(call, "category.ancestors", BCON_UTF8(name)));
}

int category_find_moved(struct rpc_call *call, CategoryRecord **ret)
{
	return mongo_find_one(call, &categories, ret,
			      .filter = DOC(call, "moved", BCON_BOOL(true)));
}

int category_settle(struct rpc_call *call, const CategoryRecord *record)
{
	return mongo_update(call, &categories, .id = record->id, .keep_version = true,
			    .filter = DOC(call, "version", BCON_INT64(record->version)),
			    .update = DOC(call, "$set", "{", "moved", BCON_BOOL(false), "}"));
}
