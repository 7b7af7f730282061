/* The service's documents: reading. */
#include "mongo_private.h"
#include <common/outbox.h>
#include <errno.h>
#include <stdlib.h>

enum { LIMIT_DEFAULT = 100 };

static mongoc_cursor_t *query_cursor(struct rpc_call *call, struct mongo_handle *handle,
				     const struct mongo_query *query, int64_t limit)
{
	cleanup(bson_freep) bson_t *options = bson_new(), *all = bson_new();

	if (query->sort)
		bson_append_document(options, "sort", -1, query->sort);
	if (query->projection)
		bson_append_document(options, "projection", -1, query->projection);
	if (limit)
		bson_append_int64(options, "limit", -1, limit);
	mongo_append_deadline(call, options);
	return mongoc_collection_find_with_opts(handle->collection,
						query->filter ? query->filter : all, options, NULL);
}

static void cursor_freep(mongoc_cursor_t **cursor)
{
	if (*cursor)
		mongoc_cursor_destroy(*cursor);
}

int mongo_read_(struct rpc_call *call, const struct mongo_collection *collection,
		const bson_t *document, ProtobufCMessage **ret)
{
	const char *why;
	int r = document_read(rpc_arena(call), collection->type, document, ret, &why);

	if (r)
		log_error(call, "a stored document cannot be read",
			  { "collection", collection->name }, { "error", why });
	return r;
}

/* Runs through a cursor. 0 at its end. */
static int drain(struct rpc_call *call, const struct mongo_collection *collection,
		 mongoc_cursor_t *cursor, mongo_each_function *each, void *data)
{
	const bson_t *document;
	bson_error_t error;
	int r;

	while (mongoc_cursor_next(cursor, &document)) {
		r = each(data, call, document);
		if (r)
			return r;
	}
	if (mongoc_cursor_error(cursor, &error))
		return mongo_failed(call, collection, "find", &error);
	return 0;
}

int mongo_each(struct rpc_call *call, const struct mongo_collection *collection,
	       const struct mongo_query *query, mongo_each_function *each, void *data)
{
	cleanup(mongo_handle_release) struct mongo_handle handle = { 0 };
	cleanup(cursor_freep) mongoc_cursor_t *cursor = NULL;
	int r = mongo_acquire(call, collection, MONGO_FIND, &handle);

	if (r)
		return r;
	cursor = query_cursor(call, &handle, query, query->limit);
	return drain(call, collection, cursor, each, data);
}

int mongo_aggregate(struct rpc_call *call, const struct mongo_collection *collection,
		    const bson_t *pipeline, mongo_each_function *each, void *data)
{
	cleanup(mongo_handle_release) struct mongo_handle handle = { 0 };
	cleanup(cursor_freep) mongoc_cursor_t *cursor = NULL;
	cleanup(bson_freep) bson_t *options = bson_new();
	int r = mongo_acquire(call, collection, MONGO_AGGREGATE, &handle);

	if (r)
		return r;
	mongo_append_deadline(call, options);
	cursor = mongoc_collection_aggregate(handle.collection, MONGOC_QUERY_NONE, pipeline,
					     options, NULL);
	return drain(call, collection, cursor, each, data);
}

/* What the outbox wants to know of a document is seen on the way. */
static void see_outbox(const struct mongo_collection *collection, const bson_t *document)
{
	bson_iter_t iter, id, child;

	if (bson_iter_init_find(&iter, document, "outbox") &&
	    (!bson_iter_recurse(&iter, &child) || bson_iter_next(&child)))
		return;
	if (bson_iter_init_find(&id, document, "_id") && BSON_ITER_HOLDS_UTF8(&id) &&
	    bson_iter_init_find(&iter, document, "version") && BSON_ITER_HOLDS_INT64(&iter))
		outbox_seen_empty(collection, bson_iter_utf8(&id, NULL), bson_iter_int64(&iter));
}

struct gathering {
	const struct mongo_collection *collection;
	bool whole;
	ProtobufCMessage **messages;
	size_t n;
};

static int gather(void *data, struct rpc_call *call, const bson_t *document)
{
	struct gathering *all = data;
	ProtobufCMessage *message;
	int r = mongo_read_(call, all->collection, document, &message);

	if (r)
		return r;
	if (all->whole && all->collection->outbox)
		see_outbox(all->collection, document);
	all->messages =
		rpc_array_room(rpc_arena(call), all->messages, all->n, 1, sizeof(*all->messages));
	all->messages[all->n++] = message;
	return 0;
}

int mongo_find_(struct rpc_call *call, const struct mongo_collection *collection,
		const struct mongo_query *query, ProtobufCMessage ***ret, size_t *n_ret)
{
	struct gathering all = { .collection = collection, .whole = !query->projection };
	struct mongo_query bounded = *query;
	int r;

	if (!bounded.limit)
		bounded.limit = LIMIT_DEFAULT;
	r = mongo_each(call, collection, &bounded, gather, &all);
	if (r)
		return r;
	*ret = all.messages;
	*n_ret = all.n;
	return 0;
}

int mongo_find_one_(struct rpc_call *call, const struct mongo_collection *collection,
		    const struct mongo_query *query, ProtobufCMessage **ret)
{
	struct mongo_query one = *query;
	ProtobufCMessage **messages;
	size_t n;
	int r;

	one.limit = 1;
	r = mongo_find_(call, collection, &one, &messages, &n);
	if (r)
		return r;
	if (!n)
		return MONGO_NOT_FOUND;
	*ret = messages[0];
	return 0;
}

int mongo_get_(struct rpc_call *call, const struct mongo_collection *collection, const char *id,
	       ProtobufCMessage **ret)
{
	return mongo_find_one_(call, collection,
			       &(struct mongo_query){ .filter = DOC(call, "_id", BCON_UTF8(id)) },
			       ret);
}

int mongo_count(struct rpc_call *call, const struct mongo_collection *collection,
		const bson_t *filter, int64_t limit, int64_t *ret)
{
	cleanup(mongo_handle_release) struct mongo_handle handle = { 0 };
	cleanup(bson_freep) bson_t *options = bson_new(), *all = bson_new();
	bson_error_t error;
	int64_t count;
	int r = mongo_acquire(call, collection, MONGO_AGGREGATE, &handle);

	if (r)
		return r;
	if (limit)
		bson_append_int64(options, "limit", -1, limit);
	mongo_append_deadline(call, options);
	count = mongoc_collection_count_documents(handle.collection, filter ? filter : all, options,
						  NULL, NULL, &error);
	if (count < 0)
		return mongo_failed(call, collection, "count", &error);
	*ret = count;
	return 0;
}
