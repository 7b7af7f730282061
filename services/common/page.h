/* Pages of lists (AIP-158): sizes, opaque signed tokens, and keyset paging over a collection. */
#pragma once

#include <common/mongo.h>

struct PageToken; /* souk.type.v1, page_token.msg.h */

/* 0 means 24, more than 100 means 100; negative is INVALID_ARGUMENT that names `page_size`. */
enum { PAGE_SIZE_DEFAULT = 24, PAGE_SIZE_MAX = 100 };
int page_size(struct rpc_call *call, int32_t asked, int32_t *ret);

/*
 * One page of a list, sorted by the fields of `sort` with the id as the last, on an index that
 * begins with the filter's equalities and goes on with exactly these fields and `_id`. Sort fields
 * stand in every document (the codec writes scalars always) and are no arrays. The token is bound
 * to the method and to all fields of `request` but page_size and page_token, and is accepted for a
 * day: another is PAGE_TOKEN_INVALID. Nothing is skipped or shown twice because of rows that come
 * and go meanwhile.
 *
 *     r = page_list(call, &orders, req, &records, &n_records, &response->next_page_token,
 *                   .filter = DOC(call, "user", BCON_UTF8(user)), .sort = "-create_time");
 *
 * `request` has fields page_size and page_token. *next_ret is "" at the end.
 */
struct page_query {
	/* What it says of a field of `sort` is a value or a range: {"$gte": ...}. */
	const bson_t *filter;
	/* "-create_time", "featured -price.units": paths, '-' descending; NULL: by id. At most 4.
	 */
	const char *sort;
	const bson_t *projection;
};
#define page_list(call, collection, request, ret, n_ret, next_ret, ...)                            \
	({                                                                                         \
		ProtobufCMessage **messages_ = NULL;                                               \
		int list_ = page_list_((call), (collection), &(request)->base,                     \
				       (request)->page_size, (request)->page_token,                \
				       &(const struct page_query){ __VA_ARGS__ }, &messages_,      \
				       (n_ret), (next_ret));                                       \
		(void)sizeof((**(ret))->base.descriptor);                                          \
		if (!list_)                                                                        \
			*(ret) = (void *)messages_;                                                \
		list_;                                                                             \
	})
int page_list_(struct rpc_call *call, const struct mongo_collection *collection,
	       const ProtobufCMessage *request, int32_t size, const char *token,
	       const struct page_query *query, ProtobufCMessage ***ret, size_t *n_ret,
	       const char **next_ret);

/*
 * One page of rows that are all at hand, such as those that stand in one document: sorted by a
 * number and, where it is the same, by a text, which together no two rows have. *rows and *n become
 * those of the page; the array is sorted in place.
 *
 *     r = page_rows(call, req, &record->addresses, &record->n_addresses, key_of,
 *                   &response->next_page_token);
 */
struct page_key {
	int64_t number; /* of the newest first: the time, negative */
	const char *text;
};
typedef struct page_key page_key_function(const void *row);
struct page_rows {
	void **rows;
	size_t n;
};
#define page_rows(call, request, rows_, n_rows, key_of, next_ret)                                  \
	({                                                                                         \
		struct page_rows page_ = { (void **)*(rows_), *(n_rows) };                         \
		int rows_r_ = page_rows_((call), &(request)->base, (request)->page_size,           \
					 (request)->page_token, &page_, (key_of), (next_ret));     \
		*(rows_) = (void *)page_.rows;                                                     \
		*(n_rows) = page_.n;                                                               \
		rows_r_;                                                                           \
	})
int page_rows_(struct rpc_call *call, const ProtobufCMessage *request, int32_t size,
	       const char *token, struct page_rows *rows, page_key_function *key_of,
	       const char **next_ret);

/*
 * Tokens for lists that are no collection's. Signs the token for `request` (hash and expiry are
 * filled in) with a key derived from SOUK_SECRET_KEY (see secrets.h); reads one back.
 * PAGE_TOKEN_INVALID when it was not made by us for this method and these arguments, or is over a
 * day old; "" gives NULL.
 */
int page_token_read(struct rpc_call *call, const ProtobufCMessage *request, const char *token,
		    struct PageToken **ret);
const char *page_token_write(struct rpc_call *call, const ProtobufCMessage *request,
			     struct PageToken *token);
