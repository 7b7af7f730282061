/* Pictures in the database: sharded by _id, one document a size; a size that no product names is
 * swept away. */
#include "catalog_store.h"
#include <string.h>

MONGO_COLLECTION(images, .name = "images", .type = &ImageRecord_descriptor);

const char *image_prefix(struct rpc_call *call, const char *product, const char *image)
{
	return image ? rpc_printf(call, "%s/%s/", product, image)
		     : rpc_printf(call, "%s/", product);
}

/* All sizes: '0' is the character after '/'. */
static bson_t *image_sizes(struct rpc_call *call, const char *product, const char *image)
{
	const char *prefix = image_prefix(call, product, image);
	char *end = rpc_strdup(call, prefix);

	end[strlen(end) - 1]++;
	return DOC(call, "_id", "{", "$gte", BCON_UTF8(prefix), "$lt", BCON_UTF8(end), "}");
}

int image_write(struct rpc_call *call, const ImageRecord *record)
{
	static const char *const fields[] = { "product",     "content_type",   "data", "digest",
					      "create_time", "schema_version", NULL };
	int r;

	do {
		r = mongo_update(
			call, &images, .id = record->id, .keep_version = true, .upsert = true,
			.update = DOC(call, "$set",
				      BCON_DOCUMENT(document_of_fields(call, "", record, fields))));
	} while (r == MONGO_DUPLICATE);
	return r;
}

int image_read(struct rpc_call *call, const char *product, const char *image, int32_t width,
	       ImageRecord **ret)
{
	/* Ids sort by width, since widths stand in them with zeros before. */
	const char *wanted = rpc_printf(call, "%s%05d", image_prefix(call, product, image), width);
	bson_t *sizes = image_sizes(call, product, image);
	int r = MONGO_NOT_FOUND;

	if (width)
		r = mongo_find_one(call, &images, ret, .sort = DOC(call, "_id", BCON_INT32(1)),
				   .filter =
					   DOC(call, "$and", "[", BCON_DOCUMENT(sizes), "{", "_id",
					       "{", "$gte", BCON_UTF8(wanted), "}", "}", "]"));
	if (r == MONGO_NOT_FOUND)
		r = mongo_find_one(call, &images, ret, .filter = sizes,
				   .sort = DOC(call, "_id", BCON_INT32(-1)));
	return r;
}

int image_delete(struct rpc_call *call, const char *product, const char *image)
{
	int64_t n;

	return mongo_delete_many(call, &images, image_sizes(call, product, image), &n);
}
