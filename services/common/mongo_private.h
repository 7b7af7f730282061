/* The connection to the database, for mongo_read.c and mongo_write.c. */
#pragma once

#include <common/mongo.h>
#include <mongoc/mongoc.h>

/* As mongo_open(), with a database that wins over the URI's; for tests on a server that all
 * share. */
int mongo_open_database(const char *uri, const char *database, const char *service, char **error);

/* A client of the pool, given back at the end of its scope, and the collection; for one operation,
 * which lasts as long as that is held. */
struct mongo_handle {
	mongoc_client_t *client;
	mongoc_collection_t *collection;
	struct metric *duration;
	int64_t started_ns;
};
void mongo_handle_release(struct mongo_handle *handle);

/* 0, or UNAVAILABLE or DEADLINE_EXCEEDED recorded in `call`. */
int mongo_acquire(struct rpc_call *call, const struct mongo_collection *collection,
		  enum mongo_operation operation, struct mongo_handle *ret);

enum { MONGO_CODE_DUPLICATE = 11000, MONGO_CODE_DUPLICATE_UPDATE = 11001 };

/* Turns a driver's error into a result: MONGO_DUPLICATE, an rpc code recorded in `call`, or -EIO,
 * logged with what was being done. */
int mongo_failed(struct rpc_call *call, const struct mongo_collection *collection,
		 const char *doing, const bson_error_t *error);

/* Adds maxTimeMS: what is left of the call's deadline. */
void mongo_append_deadline(struct rpc_call *call, bson_t *options);

/* All collections that the program declares. */
#define mongo_each_collection(collection)                                                          \
	for (const struct mongo_collection *const *at_ = __start_mongo_collections, *(collection); \
	     at_ < __stop_mongo_collections && ((collection) = *at_, true); at_++)
extern const struct mongo_collection *const __start_mongo_collections[] __attribute__((weak));
extern const struct mongo_collection *const __stop_mongo_collections[] __attribute__((weak));

/* The filter that finds documents with a non-empty outbox. */
extern const char *const mongo_outbox_partial;
