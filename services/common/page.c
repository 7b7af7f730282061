/* Pages of lists: sizes, signed tokens, keyset paging over a collection. */
#include "errors.msg.h"
#include "page_bounds.h"
#include "page_token.msg.h"
#include <common/clock.h>
#include <common/page.h>
#include <common/secrets.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SORT_FIELDS_MAX = 4,
	TOKEN_LIFE_MS = 24 * 3600 * 1000,
	MAC_SIZE = 16,
	TOKEN_TEXT_MAX = 2048,
	HASH_SIZE = 16
};

int page_size(struct rpc_call *call, int32_t asked, int32_t *ret)
{
	if (asked < 0) {
		rpc_violate(call, "page_size", "must not be negative");
		return rpc_violations(call);
	}
	*ret = !asked ? PAGE_SIZE_DEFAULT : asked > PAGE_SIZE_MAX ? PAGE_SIZE_MAX : asked;
	return 0;
}

/*
 * Tokens: base64url(MAC, PageToken)
 */

/* The method's arguments but for the page, and whose list it is. */
static void hash_arguments(struct rpc_call *call, const ProtobufCMessage *request,
			   uint8_t ret[HASH_SIZE])
{
	static const char *const page_fields[] = { "page_size", "page_token" };
	const ProtobufCMessageDescriptor *descriptor = request->descriptor;
	ProtobufCMessage *copy = rpc_memdup(call, request, descriptor->sizeof_message);
	const char *user = rpc_caller(call)->user;
	crypto_generichash_state state;
	ProtobufCBinaryData packed;

	for (size_t i = 0; i < sizeof(page_fields) / sizeof(page_fields[0]); i++) {
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field_by_name(descriptor, page_fields[i]);

		if (field)
			rpc_field_clear(copy, field);
	}
	packed = rpc_pack(rpc_arena(call), copy);
	crypto_generichash_init(&state, NULL, 0, HASH_SIZE);
	crypto_generichash_update(&state, (const uint8_t *)descriptor->name,
				  strlen(descriptor->name) + 1);
	crypto_generichash_update(&state, (const uint8_t *)user, strlen(user) + 1);
	crypto_generichash_update(&state, packed.data, packed.len);
	crypto_generichash_final(&state, ret, HASH_SIZE);
}

static void sign(const uint8_t *bytes, size_t size, uint8_t ret[MAC_SIZE])
{
	uint8_t key[32], mac[crypto_auth_hmacsha256_BYTES];

	secret_derive("page token", key);
	crypto_auth_hmacsha256(mac, bytes, size, key);
	memcpy(ret, mac, MAC_SIZE);
	sodium_memzero(key, sizeof(key));
}

const char *page_token_write(struct rpc_call *call, const ProtobufCMessage *request,
			     PageToken *token)
{
	const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
	uint8_t *hash = rpc_alloc(call, HASH_SIZE), *bytes;
	ProtobufCBinaryData packed;
	size_t size, text_size;
	char *text;

	hash_arguments(call, request, hash);
	token->arguments_hash = (ProtobufCBinaryData){ .data = hash, .len = HASH_SIZE };
	token->expire_time = clock_timestamp(call, rpc_now_ms(call) + TOKEN_LIFE_MS);
	packed = rpc_pack(rpc_arena(call), &token->base);
	size = MAC_SIZE + packed.len;
	bytes = rpc_alloc(call, size);
	sign(packed.data, packed.len, bytes);
	memcpy(bytes + MAC_SIZE, packed.data, packed.len);
	text_size = sodium_base64_encoded_len(size, variant);
	text = rpc_alloc(call, text_size);
	return sodium_bin2base64(text, text_size, bytes, size, variant);
}

int page_token_read(struct rpc_call *call, const ProtobufCMessage *request, const char *token,
		    PageToken **ret)
{
	size_t length = strlen(token), size;
	uint8_t bytes[TOKEN_TEXT_MAX], mac[MAC_SIZE], hash[HASH_SIZE];
	const char *why;
	PageToken *read;

	if (!length) {
		*ret = NULL;
		return 0;
	}
	if (length > TOKEN_TEXT_MAX ||
	    sodium_base642bin(bytes, sizeof(bytes), token, length, NULL, &size, NULL,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) ||
	    size < MAC_SIZE)
		return rpc_fail(call, PAGE_TOKEN_INVALID);
	sign(bytes + MAC_SIZE, size - MAC_SIZE, mac);
	if (sodium_memcmp(mac, bytes, MAC_SIZE))
		return rpc_fail(call, PAGE_TOKEN_INVALID);
	read = (PageToken *)rpc_unpack(rpc_arena(call), &PageToken_descriptor, bytes + MAC_SIZE,
				       size - MAC_SIZE, &why);
	if (!read)
		return rpc_fail(call, PAGE_TOKEN_INVALID);
	hash_arguments(call, request, hash);
	if (read->arguments_hash.len != HASH_SIZE ||
	    memcmp(read->arguments_hash.data, hash, HASH_SIZE) ||
	    clock_ms(read->expire_time) < rpc_now_ms(call))
		return rpc_fail(call, PAGE_TOKEN_INVALID);
	*ret = read;
	return 0;
}

/*
 * Keyset paging
 */

struct sort_field {
	char path[64];
	bool descending;
};

/* "-create_time sku" and then the id: how many fields. */
static size_t parse_sort(const char *sort, struct sort_field fields[SORT_FIELDS_MAX + 1])
{
	size_t n = 0;

	while (sort && *sort) {
		bool descending = *sort == '-';
		int length;

		sort += descending;
		length = (int)strcspn(sort, " ");
		if (n == SORT_FIELDS_MAX || length >= (int)sizeof(fields[n].path))
			abort();
		snprintf(fields[n].path, sizeof(fields[n].path), "%.*s", length, sort);
		fields[n++].descending = descending;
		sort += length;
		sort += *sort == ' ';
	}
	/* The id goes the same way as the field before it, so that one index serves both
	 * directions. */
	fields[n] =
		(struct sort_field){ .path = "_id", .descending = n && fields[n - 1].descending };
	return n + 1;
}

static void append_key(bson_t *into, const char *name, const PageKey *key)
{
	switch (key->value_case) {
	case PAGE_KEY_VALUE_TEXT:
		bson_append_utf8(into, name, -1, key->text, -1);
		break;
	case PAGE_KEY_VALUE_NUMBER:
		bson_append_int64(into, name, -1, key->number);
		break;
	case PAGE_KEY_VALUE_FRACTION:
		bson_append_double(into, name, -1, key->fraction);
		break;
	case PAGE_KEY_VALUE_TIME_MS:
		bson_append_date_time(into, name, -1, key->time_ms);
		break;
	case PAGE_KEY_VALUE_FLAG:
		bson_append_bool(into, name, -1, key->flag);
		break;
	default:
		bson_append_null(into, name, -1);
		break;
	}
}

/* One condition of ours, { path: { op: key } } or { path: key }, beside what the filter may say of
 * the same path. */
static void append_condition(bson_t *into, const bson_t *filter, const char *path, const char *op,
			     const PageKey *key)
{
	bson_iter_t iter, child;
	bson_t condition;

	if (!op) {
		append_key(into, path, key);
		return;
	}
	bson_append_document_begin(into, path, -1, &condition);
	if (bson_iter_init_find(&iter, filter, path) && BSON_ITER_HOLDS_DOCUMENT(&iter) &&
	    bson_iter_recurse(&iter, &child))
		while (bson_iter_next(&child))
			bson_append_iter(&condition, NULL, 0, &child);
	append_key(&condition, op, key);
	bson_append_document_end(into, &condition);
}

static bool is_sorted_by(const struct sort_field *fields, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(fields[i].path, path))
			return true;
	return false;
}

/*
 * What comes after (a, b, id) is {a: a, b: b, _id: {$gt: id}}, then {a: a, b: {$gt: b}}, then {a:
 * {$gt: a}}: each a range of the index. One query with $or would be the same, but where an index
 * serves an $or badly it reads the whole collection. `n_equal` says how many fields are still
 * equal.
 */
static bson_t *filter_after(const bson_t *filter, const struct sort_field *fields, size_t n_equal,
			    PageKey *const *keys)
{
	bson_t *after = bson_new();
	bson_iter_t iter;

	if (bson_iter_init(&iter, filter))
		while (bson_iter_next(&iter))
			if (!is_sorted_by(fields, n_equal + 1, bson_iter_key(&iter)))
				bson_append_iter(after, NULL, 0, &iter);
	for (size_t i = 0; i < n_equal; i++)
		append_condition(after, filter, fields[i].path, NULL, keys[i]);
	append_condition(after, filter, fields[n_equal].path,
			 fields[n_equal].descending ? "$lt" : "$gt", keys[n_equal]);
	return after;
}

static PageKey *read_key(struct rpc_call *call, const bson_t *document, const char *path)
{
	PageKey *key = rpc_new(call, PageKey);
	bson_iter_t iter, found;

	if (!bson_iter_init(&iter, document) || !bson_iter_find_descendant(&iter, path, &found))
		return key;
	switch (bson_iter_type(&found)) {
	case BSON_TYPE_UTF8:
		key->value_case = PAGE_KEY_VALUE_TEXT;
		key->text = rpc_strdup(call, bson_iter_utf8(&found, NULL));
		break;
	case BSON_TYPE_BOOL:
		key->value_case = PAGE_KEY_VALUE_FLAG;
		key->flag = bson_iter_bool(&found);
		break;
	case BSON_TYPE_INT32:
	case BSON_TYPE_INT64:
		key->value_case = PAGE_KEY_VALUE_NUMBER;
		key->number = bson_iter_as_int64(&found);
		break;
	case BSON_TYPE_DOUBLE:
		key->value_case = PAGE_KEY_VALUE_FRACTION;
		key->fraction = bson_iter_double(&found);
		break;
	case BSON_TYPE_DATE_TIME:
		key->value_case = PAGE_KEY_VALUE_TIME_MS;
		key->time_ms = bson_iter_date_time(&found);
		break;
	default:
		break;
	}
	return key;
}

/* One page while it is read: one document more than asked for says whether there is a next. */
struct listing {
	const struct mongo_collection *collection;
	const struct sort_field *fields;
	size_t n_fields, n, size;
	ProtobufCMessage **messages;
	PageToken *next;
	PageKey *beyond; /* of the row after the last: the first field of the sort */
	bool more;
};

static int take(void *data, struct rpc_call *call, const bson_t *document)
{
	struct listing *list = data;
	int r;

	if (list->n == list->size) {
		list->more = true;
		list->beyond = read_key(call, document, list->fields[0].path);
		return 0;
	}
	r = mongo_read_(call, list->collection, document, &list->messages[list->n]);
	if (r)
		return r;
	if (++list->n < list->size)
		return 0;
	list->next = rpc_new(call, PageToken, .n_keys = list->n_fields,
			     .keys = rpc_alloc(call, list->n_fields * sizeof(PageKey *)));
	for (size_t i = 0; i < list->n_fields; i++)
		list->next->keys[i] = read_key(call, document, list->fields[i].path);
	return 0;
}

/* Whether the filter wants one value of it, so that nothing comes after that. */
static bool is_fixed(const bson_t *filter, const char *path)
{
	bson_iter_t iter;

	return bson_iter_init_find(&iter, filter, path) && !BSON_ITER_HOLDS_DOCUMENT(&iter);
}

static int read_range(struct rpc_call *call, const struct mongo_collection *collection,
		      const struct page_query *query, const bson_t *filter, const bson_t *sort,
		      struct listing *list)
{
	return mongo_each(call, collection,
			  &(struct mongo_query){ .filter = filter,
						 .sort = sort,
						 .projection = query->projection,
						 .limit = (int64_t)(list->size - list->n) + 1 },
			  take, list);
}

/* See page_bounds.h. */
static int read_first(struct rpc_call *call, const struct mongo_collection *collection,
		      const struct page_query *query, const bson_t *filter, const bson_t *sort,
		      struct listing *list)
{
	uint64_t known = page_bounds_list(collection, filter, sort, (int64_t)list->size);
	const char *path = list->fields[0].path;
	PageKey *bound = NULL;
	bson_iter_t iter;
	int r = 0;

	if (list->fields[0].descending && !bson_iter_init_find(&iter, filter, path))
		bound = page_bounds_find(call, known);
	if (bound) {
		cleanup(bson_freep) bson_t *bounded = bson_copy(filter);

		append_condition(bounded, filter, path, "$gte", bound);
		r = read_range(call, collection, query, bounded, sort, list);
		if (!r && !list->more)
			list->n = 0;
	}
	if (!r && !list->more)
		r = read_range(call, collection, query, filter, sort, list);
	if (!r && list->more && list->fields[0].descending)
		page_bounds_note(known, list->beyond);
	return r;
}

int page_list_(struct rpc_call *call, const struct mongo_collection *collection,
	       const ProtobufCMessage *request, int32_t size, const char *token,
	       const struct page_query *query, ProtobufCMessage ***ret, size_t *n_ret,
	       const char **next_ret)
{
	cleanup(bson_freep) bson_t *filter = bson_new(), *sort = bson_new();
	struct sort_field fields[SORT_FIELDS_MAX + 1];
	size_t n_fields = parse_sort(query->sort, fields);
	struct listing list = { .collection = collection, .fields = fields, .n_fields = n_fields };
	PageToken *after;
	int r;

	r = page_size(call, size, &size);
	if (!r)
		r = page_token_read(call, request, token, &after);
	if (r)
		return r;
	/* It is ours, but of a release that sorted otherwise. */
	if (after && after->n_keys != n_fields)
		return rpc_fail(call, PAGE_TOKEN_INVALID);
	for (size_t i = 0; i < n_fields; i++)
		bson_append_int32(sort, fields[i].path, -1, fields[i].descending ? -1 : 1);
	list.size = (size_t)size;
	list.messages = rpc_alloc(call, list.size * sizeof(*list.messages));
	if (query->filter)
		bson_concat(filter, query->filter);
	if (!after)
		r = read_first(call, collection, query, filter, sort, &list);
	for (size_t n_equal = n_fields; after && n_equal-- > 0 && !r && !list.more;) {
		cleanup(bson_freep) bson_t *range =
			filter_after(filter, fields, n_equal, after->keys);

		if (!is_fixed(filter, fields[n_equal].path))
			r = read_range(call, collection, query, range, sort, &list);
	}
	if (r)
		return r;
	*ret = list.messages;
	*n_ret = list.n;
	*next_ret = list.more ? page_token_write(call, request, list.next) : "";
	return 0;
}
