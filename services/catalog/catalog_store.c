/*
 * Products in the database. Not sharded: a SKU is unique over all of them. Staff own `product` and
 * what is derived from it, guarded by `version`; inventory owns `stock_notes`, reviews own
 * `product.rating`: these are written beside it, without a version, so that nobody overwrites
 * another.
 */
#include "catalog_store.h"
#include <common/money.h>
#include <common/outbox.h>
#include <common/page.h>
#include <common/recent.h>
#include <errno.h>
#include <string.h>

/* Lists are bounded by state and place in the tree and sorted on the index; every sort can run both
 * ways. */
static const struct mongo_index product_indexes[] = {
	{ "product.state category_path product.create_time _id" },
	{ "product.state category_path product.display_name _id" },
	{ "product.state category_path product.rating.average _id" },
	{ "product.state category_path from_prices.EUR _id" },
	{ "product.state category_path from_prices.USD _id" },
	{ "product.variants.sku", .unique = true, .name = "sku",
	  .partial = MONGO_JSON({ "product.variants.sku" : { "$gt" : "" } }) },
	{ "product.categories _id" },
	{ "deleted", .partial = MONGO_JSON({ "deleted" : true }) },
	{ "notes_left", .partial = MONGO_JSON({ "notes_left" : true }) },
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{},
};
MONGO_COLLECTION(products, .name = "products", .type = &ProductRecord_descriptor,
		 .indexes = product_indexes, .outbox = true);

MONGO_COLLECTION(waiting_stock, .name = "waiting_stock", .type = &WaitingStockRecord_descriptor);

/* Products that carts ask for, again and again in one purchase. */
static struct recent carted = RECENT_INIT(&ProductRecord_descriptor, .keep_ms = 1000);

/* What lists filter and sort by. */
static int derive(struct rpc_call *call, ProductRecord *record)
{
	const Product *product = record->product;

	record->n_from_prices = 0;
	for (size_t i = 0; i < product->n_variants; i++) {
		for (size_t j = 0; j < product->variants[i]->n_prices; j++) {
			const Money *amount = product->variants[i]->prices[j]->amount;
			ProductRecordFromPricesEntry *entry = NULL;
			int64_t minor;
			int r;

			r = money_minor(amount, &minor);
			if (r)
				return -EINVAL;
			for (size_t k = 0; k < record->n_from_prices; k++)
				if (!strcmp(record->from_prices[k]->key, amount->currency_code))
					entry = record->from_prices[k];
			if (!entry) {
				entry = rpc_new(call, ProductRecordFromPricesEntry,
						.key = amount->currency_code, .value = minor);
				product_record_add_from_prices(call, record, entry);
			}
			if (minor < entry->value)
				entry->value = minor;
		}
	}
	return 0;
}

int product_read(struct rpc_call *call, const char *id, ProductRecord **ret)
{
	ProductRecord *record;
	int r;

	r = mongo_get(call, &products, id, &record);
	if (r)
		return r;
	if (record->deleted)
		return MONGO_NOT_FOUND;
	*ret = record;
	return 0;
}

int product_insert(struct rpc_call *call, ProductRecord *record, const struct stored_answer *answer)
{
	int r = derive(call, record);

	if (r)
		return r;
	r = mongo_insert(call, &products, record, .events = EVENTS(announce_created(call, record)),
			 .answer = answer);
	recent_drop(&carted, record->id);
	return r;
}

int product_save(struct rpc_call *call, ProductRecord *record, const struct stored_answer *answer)
{
	static const char *const of_product[] = { "display_name", "description",  "categories",
						  "state",        "images",       "options",
						  "variants",     "attributes",   "tax_class",
						  "update_time",  "publish_time", NULL };
	static const char *const of_record[] = { "category_path", "from_prices", "notes_left",
						 NULL };
	int64_t read = record->version;
	const bson_t *set;
	int r;

	r = derive(call, record);
	if (r)
		return r;
	record->version++;
	set = document_join(call, document_of_fields(call, "product.", record->product, of_product),
			    document_of_fields(call, "", record, of_record));
	r = mongo_update(
		call, &products, .id = record->id,
		.filter = DOC(call, "version", BCON_INT64(read), "deleted", BCON_BOOL(false)),
		.update = DOC(call, "$set", BCON_DOCUMENT(set)),
		.events = EVENTS(announce_updated(call, record)), .answer = answer);
	recent_drop(&carted, record->id);
	if (r)
		record->version--;
	return r;
}

int product_mark_deleted(struct rpc_call *call, const ProductRecord *record)
{
	/* Its SKUs and its id are free when the sweeper has removed it. */
	int r = mongo_update(call, &products, .id = record->id,
			     .filter = DOC(call, "version", BCON_INT64(record->version)),
			     .update = DOC(call, "$set", "{", "deleted", BCON_BOOL(true),
					   "product.state", BCON_UTF8("STATE_UNSPECIFIED"), "}"),
			     .events = EVENTS(announce_deleted(call, record)));

	recent_drop(&carted, record->id);
	return r;
}

static const bson_t *stock_note(struct rpc_call *call, const char *sku, int64_t version,
				const VariantAvailability *availability)
{
	ProductRecordStockNote *note =
		rpc_new(call, ProductRecordStockNote, .sku = sku, .version = version,
			.availability = (VariantAvailability *)availability);

	return document_of(call, note);
}

static int wait_for_product(struct rpc_call *call, const char *sku, int64_t version,
			    const VariantAvailability *availability)
{
	WaitingStockRecord *record =
		rpc_new(call, WaitingStockRecord, .id = sku, .version = version,
			.availability = (VariantAvailability *)availability, .schema_version = 1);
	static const char *const fields[] = { "version", "availability", NULL };
	int r;

	do {
		r = mongo_insert(call, &waiting_stock, record);
		if (r == MONGO_DUPLICATE)
			r = mongo_update(call, &waiting_stock, .id = sku, .keep_version = true,
					 .filter = DOC(call, "version", "{", "$lt",
						       BCON_INT64(version), "}"),
					 .update = DOC(call, "$set",
						       BCON_DOCUMENT(document_of_fields(
							       call, "", record, fields))));
	} while (r == MONGO_DUPLICATE);
	return r == MONGO_NOT_MATCHED ? 0 : r;
}

static bson_t *note_filter(struct rpc_call *call, const char *sku, int64_t version)
{
	return DOC(call, "stock_notes", "{", "$elemMatch", "{", "sku", BCON_UTF8(sku), "version",
		   BCON_INT64(version), "}", "}", "deleted", BCON_BOOL(false));
}

/* MONGO_NOT_FOUND: no product has the SKU. */
static int note_stock(struct rpc_call *call, const char *sku, int64_t version,
		      const VariantAvailability *availability)
{
	ProductRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, sku));) {
		const ProductRecordStockNote *known = NULL;

		r = mongo_find_one(call, &products, &record,
				   .filter = DOC(call, "product.variants.sku", BCON_UTF8(sku),
						 "deleted", BCON_BOOL(false)),
				   .projection = DOC(call, "stock_notes", BCON_INT32(1)));
		if (r)
			return r;
		for (size_t i = 0; i < record->n_stock_notes; i++)
			if (!strcmp(record->stock_notes[i]->sku, sku))
				known = record->stock_notes[i];
		if (known && known->version >= version)
			return 0;
		/* The condition names what was read, so that the newer of two notes stays, and none is
		 * written where the SKU or the product has gone meanwhile. */
		if (known)
			r = mongo_update(call, &products, .id = record->id, .keep_version = true,
					 .filter = note_filter(call, sku, known->version),
					 .update = DOC(call, "$set", "{", "stock_notes.$",
						       BCON_DOCUMENT(stock_note(call, sku, version,
										availability)),
						       "}"));
		else
			r = mongo_update(call, &products, .id = record->id, .keep_version = true,
					 .filter = DOC(call, "stock_notes.sku", "{", "$ne",
						       BCON_UTF8(sku), "}", "product.variants.sku",
						       BCON_UTF8(sku), "deleted", BCON_BOOL(false)),
					 .update = DOC(call, "$push", "{", "stock_notes",
						       BCON_DOCUMENT(stock_note(call, sku, version,
										availability)),
						       "}"));
		recent_drop(&carted, record->id);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

int product_note_stock(struct rpc_call *call, const char *sku, int64_t version,
		       const VariantAvailability *availability)
{
	int r = note_stock(call, sku, version, availability);

	return r == MONGO_NOT_FOUND ? wait_for_product(call, sku, version, availability) : r;
}

static bool has_sku(const Product *product, const char *sku)
{
	for (size_t i = 0; i < product->n_variants; i++)
		if (!strcmp(product->variants[i]->sku, sku))
			return true;
	return false;
}

/* What inventory said of SKUs that have left a product waits for the next one that has them. Each
 * note waits first and is removed after, so that a stop between repeats it; one that is newer by
 * then stays for the next turn. */
static int sweep_notes_left(struct rpc_call *call)
{
	ProductRecord **records;
	size_t n_records;
	int r;

	r = mongo_find(
		call, &products, &records, &n_records, .limit = 50,
		.filter = DOC(call, "notes_left", BCON_BOOL(true), "deleted", BCON_BOOL(false)));
	for (size_t i = 0; !r && i < n_records; i++) {
		const ProductRecord *record = records[i];

		for (size_t j = 0; !r && j < record->n_stock_notes; j++) {
			const ProductRecordStockNote *note = record->stock_notes[j];

			if (has_sku(record->product, note->sku))
				continue;
			r = wait_for_product(call, note->sku, note->version, note->availability);
			if (!r)
				r = mongo_update(
					call, &products, .id = record->id, .keep_version = true,
					.filter = note_filter(call, note->sku, note->version),
					.update = DOC(call, "$pull", "{", "stock_notes", "{", "sku",
						      BCON_UTF8(note->sku), "}", "}"));
		}
		if (!r)
			r = mongo_update(call, &products, .id = record->id, .keep_version = true,
					 .filter =
						 DOC(call, "version", BCON_INT64(record->version)),
					 .update = DOC(call, "$set", "{", "notes_left",
						       BCON_BOOL(false), "}"));
		if (r == MONGO_NOT_MATCHED)
			r = 0;
	}
	return r;
}

/* The next hundred that wait: what a product has come for is noted there. */
static int sweep_waiting_stock(struct rpc_call *call)
{
	static char after[65]; /* the sweeper is one thread */
	WaitingStockRecord **records;
	size_t n_records;
	int r;

	r = mongo_find(call, &waiting_stock, &records, &n_records, .limit = 100,
		       .sort = DOC(call, "_id", BCON_INT32(1)),
		       .filter = DOC(call, "_id", "{", "$gt", BCON_UTF8(after), "}"));
	*after = '\0';
	for (size_t i = 0; !r && i < n_records; i++) {
		snprintf(after, sizeof(after), "%s", records[i]->id);
		r = note_stock(call, records[i]->id, records[i]->version, records[i]->availability);
		if (!r)
			r = mongo_delete(call, &waiting_stock, records[i]->id,
					 DOC(call, "version", BCON_INT64(records[i]->version)));
		if (r == MONGO_NOT_FOUND || r == MONGO_NOT_MATCHED)
			r = 0;
	}
	return r;
}

int product_read_all(struct rpc_call *call, const char *const *names, size_t n_names,
		     ProductRecord ***ret, size_t *n_ret)
{
	ProductRecord **records;
	size_t n_records, n = 0;
	int r;

	r = mongo_find(
		call, &products, &records, &n_records, .limit = (int64_t)n_names,
		.filter = DOC(call, "_id", BCON_DOCUMENT(document_in_ids(call, names, n_names))));
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		if (!records[i]->deleted)
			records[n++] = records[i];
	*ret = records;
	*n_ret = n;
	return 0;
}

static void note_carted(struct rpc_call *call, const ProductRecord *record)
{
	ProductRecord *kept = rpc_memdup(call, record, sizeof(*record));

	kept->n_outbox = kept->n_answers = 0;
	recent_note(&carted, call, kept->id, &kept->base);
}

int product_read_recent(struct rpc_call *call, const char *const *ids, size_t n_ids,
			ProductRecord ***ret, size_t *n_ret)
{
	ProductRecord **records = rpc_alloc(call, n_ids * sizeof(*records)), **read;
	const char **others = rpc_alloc(call, n_ids * sizeof(*others));
	size_t n_others = 0, n = 0, n_read = 0;
	int r = 0;

	for (size_t i = 0; i < n_ids; i++) {
		ProtobufCMessage *record = NULL;
		bool repeated = false;

		for (size_t j = 0; j < i && !repeated; j++)
			repeated = !strcmp(ids[j], ids[i]);
		if (!repeated)
			record = recent_find(&carted, call, ids[i]);
		if (record)
			records[n++] = (ProductRecord *)record;
		else if (!repeated)
			others[n_others++] = ids[i];
	}
	if (n_others)
		r = product_read_all(call, others, n_others, &read, &n_read);
	if (r)
		return r;
	for (size_t i = 0; i < n_read; i++) {
		note_carted(call, read[i]);
		records[n++] = read[i];
	}
	*ret = records;
	*n_ret = n;
	return 0;
}

int product_page(struct rpc_call *call, const ListProductsRequest *req, const bson_t *filter,
		 const char *sort, ListProductsResponse *response, ProductRecord ***ret,
		 size_t *n_ret)
{
	return page_list(call, &products, req, ret, n_ret, &response->next_page_token,
			 .filter = filter, .sort = sort);
}

int product_in_category(struct rpc_call *call, const char *category, bool *ret)
{
	int64_t n;
	int r;

	r = mongo_count(
		call, &products,
		DOC(call, "product.categories", BCON_UTF8(category), "deleted", BCON_BOOL(false)),
		1, &n);
	if (!r)
		*ret = n;
	return r;
}

int product_find_in_category(struct rpc_call *call, const char *category, const char *after,
			     ProductRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &products, ret, n_ret, .limit = 100,
			  .sort = DOC(call, "_id", BCON_INT32(1)),
			  .filter = DOC(call, "product.categories", BCON_UTF8(category), "_id", "{",
					"$gt", BCON_UTF8(after), "}"));
}

int product_set_path(struct rpc_call *call, const ProductRecord *record)
{
	/* The categories are the condition: if staff change them meanwhile, they derive the path
	 * anew. */
	return mongo_update(call, &products, .id = record->id, .keep_version = true,
			    .filter = DOC(call, "version", BCON_INT64(record->version)),
			    .update =
				    DOC(call, "$set",
					BCON_DOCUMENT(document_of_field(call, "category_path",
									record, "category_path"))));
}

int product_sweep(struct rpc_call *call)
{
	ProductRecord **records;
	size_t n_records;
	int r;

	r = mongo_find(call, &products, &records, &n_records,
		       .filter = DOC(call, "deleted", BCON_BOOL(true)), .limit = 50);
	for (size_t i = 0; !r && i < n_records; i++) {
		if (records[i]->n_outbox)
			continue;
		r = image_delete(call, records[i]->id, NULL);
		for (size_t j = 0; !r && j < records[i]->n_stock_notes; j++) {
			const ProductRecordStockNote *note = records[i]->stock_notes[j];

			r = wait_for_product(call, note->sku, note->version, note->availability);
		}
		if (!r)
			r = mongo_delete(call, &products, records[i]->id,
					 DOC(call, "deleted", BCON_BOOL(true)));
		if (r == MONGO_NOT_MATCHED)
			r = 0;
	}
	if (!r)
		r = sweep_notes_left(call);
	if (!r)
		r = sweep_waiting_stock(call);
	return r ? r : answers_sweep(call, &products);
}
