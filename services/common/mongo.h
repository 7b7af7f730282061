/* The service's documents: collections, indexes, reads, and conditional updates of one document. */
#pragma once

#include <bson/bson.h>
#include <common/bson.h>
#include <crpc/event.h>
#include <crpc/service.h>

/*
 * One document is the unit of atomicity. There is no transaction, no findAndModify and no
 * whole-document replace here: a change is mongo_update(), one conditional update_one that also
 * pushes the change's events, notes its answer and the event it was caused by.
 *
 * Options: SOUK_MONGODB_URI (a secret; a database in its path overrides souk_<service>). Writes are
 * acknowledged by the majority and journalled. A database that is away is DEPENDENCY_UNAVAILABLE
 * (UNAVAILABLE with RetryInfo), at once while it is known to be away; ready() finds it again and
 * ensures the indexes anew.
 *
 * Results of all functions here: 0; a positive code of this enum, to be handled; an rpc code (1 to
 * 16) whose error is recorded in `call`, to be returned as it is; negative: a fault of ours or of
 * the stored data, to be returned as it is.
 */
enum {
	MONGO_NOT_FOUND = 200, /* no document has that id, or meets the filter */
	MONGO_DUPLICATE,       /* the id or a unique index is taken: see mongo_duplicate_index() */
	MONGO_NOT_MATCHED,     /* the update's condition does not hold; read again and decide */
};

extern const struct service_module mongo_module;

/*
 * What the functions here know of a record's fields (souk.type.v1's store.proto has the types); a
 * record has those that it uses:
 *     string id                        `_id`
 *     int64 version                    made 1 by mongo_insert() when it is 0, counted up by each
 *                                      mongo_update(); the etag
 *     repeated OutboxEvent outbox      events that wait for the relay
 *     repeated StoredAnswer answers    see answers.h
 *     repeated SeenEvent seen_events   events that are in this document already
 */

/* For tests and tools, instead of the module: opens, ensures the indexes. The URI names the
 * database. */
int mongo_open(const char *uri, const char *service, char **error);
void mongo_close(void);
/* For tests: drops the database that is open. Tests of services use test/stores.h instead. */
int mongo_drop_database(char **error);

/* An index. Ensured at start and whenever the database comes back; an index that is no longer
 * declared stays and is the operator's to drop. */
struct mongo_index {
	const char *keys; /* "user -create_time": paths separated by spaces, '-' descending */
	bool unique;
	/* Only documents that meet this filter: MONGO_JSON({"state": "PENDING"}); or NULL.
	 * Operators: what MongoDB admits there ($exists: true, $gt, $type, equality, $and). */
	const char *partial;
	/* Above 0: documents go when the date in the key is so old; -1: at the date itself. */
	int64_t ttl_seconds;
	const char *name; /* as mongo_duplicate_index() calls it; NULL: the keys */
};
#define MONGO_JSON(...) #__VA_ARGS__

enum mongo_operation {
	MONGO_FIND,
	MONGO_AGGREGATE,
	MONGO_INSERT,
	MONGO_UPDATE,
	MONGO_DELETE,
	MONGO_OPERATIONS,
};

/* A collection, declared once at the top of the store's file; that alone has its indexes ensured,
 * its outbox relayed, and what is done with it counted and timed. */
struct mongo_collection {
	const char *name;                       /* "carts" */
	const ProtobufCMessageDescriptor *type; /* of its documents: &CartRecord_descriptor */
	const struct mongo_index *indexes;      /* ended by {}; or NULL */
	bool outbox;                            /* documents have an outbox: see outbox.h */
	struct metric *_Atomic *durations;      /* by operation; the macro makes it */
};
/* MONGO_COLLECTION(carts, .name = "carts", .type = &CartRecord_descriptor, .outbox = true); */
#define MONGO_COLLECTION(variable, ...)                                                            \
	static struct metric *_Atomic variable##_durations[MONGO_OPERATIONS];                      \
	static const struct mongo_collection variable = { .durations = variable##_durations,       \
							  __VA_ARGS__ };                           \
	__attribute__((used, retain,                                                               \
		       section("mongo_collections"))) static const struct mongo_collection         \
		*const variable##_declared = &variable

/* --- reading --- */

/* The document with that id: `ret` is the address of a pointer to the collection's record type. */
#define mongo_get(call, collection, id, ret)                                                       \
	MONGO_TYPED_(ret, mongo_get_((call), (collection), (id), &message_))
/* The first document that meets the filter, `sort` NULL: any. */
#define mongo_find_one(call, collection, ret, ...)                                                 \
	MONGO_TYPED_(ret, mongo_find_one_((call), (collection),                                    \
					  &(const struct mongo_query){ __VA_ARGS__ }, &message_))

struct mongo_query {
	const bson_t *filter;     /* NULL: all; bound it by an index, not by the limit alone */
	const bson_t *sort;       /* NULL: as they come */
	const bson_t *projection; /* NULL: whole documents */
	int64_t limit;            /* at most so many; 0: 100 */
};
/* Several documents: `ret` is the address of a `CartRecord **`, an array in the arena. Never
 * NOT_FOUND. */
#define mongo_find(call, collection, ret, n_ret, ...)                                              \
	({                                                                                         \
		ProtobufCMessage **messages_ = NULL;                                               \
		int find_ = mongo_find_((call), (collection),                                      \
					&(const struct mongo_query){ __VA_ARGS__ }, &messages_,    \
					(n_ret));                                                  \
		MONGO_CHECK_TYPE_(*(ret));                                                         \
		if (!find_)                                                                        \
			*(ret) = (void *)messages_;                                                \
		find_;                                                                             \
	})
/* How many documents meet the filter, counted up to `limit` (0: all). */
int mongo_count(struct rpc_call *call, const struct mongo_collection *collection,
		const bson_t *filter, int64_t limit, int64_t *ret);
/*
 * Runs an aggregation or a find over many documents without holding them: `each` gets one raw
 * document at a time, and whatever it returns but 0 ends the reading and is the result.
 */
typedef int mongo_each_function(void *data, struct rpc_call *call, const bson_t *document);
int mongo_aggregate(struct rpc_call *call, const struct mongo_collection *collection,
		    const bson_t *pipeline, mongo_each_function *each, void *data);
int mongo_each(struct rpc_call *call, const struct mongo_collection *collection,
	       const struct mongo_query *query, mongo_each_function *each, void *data);
/* A raw document as the collection's message, inside `each`. -EBADMSG, logged. */
#define mongo_read(call, collection, document, ret)                                                \
	MONGO_TYPED_(ret, mongo_read_((call), (collection), (document), &message_))

/* --- writing --- */

/* Events that a change makes: .events = EVENTS(orders_event_order_paid(call, &paid)). */
#define EVENTS(...) ((struct rpc_event *const[]){ __VA_ARGS__, NULL })

struct stored_answer;

/* What an insert carries beside the record. */
struct mongo_insert {
	struct rpc_event *const *events;    /* NULL-terminated; or NULL */
	const struct stored_answer *answer; /* see answers.h; or NULL */
};
/* Stores a new document. MONGO_DUPLICATE. */
#define mongo_insert(call, collection, record, ...)                                                \
	mongo_insert_((call), (collection), &(record)->base,                                       \
		      &(const struct mongo_insert){ __VA_ARGS__ })

/* Stores those documents of which the id is not taken, by one command: for what is written again
 * after a crash. They have no events. */
int mongo_insert_missing(struct rpc_call *call, const struct mongo_collection *collection,
			 const ProtobufCMessage *const *records, size_t n);

/*
 * Changes one document. The condition is `id` and `filter` together; what the change does is
 * `update` ($set, $inc, $push, ...), to which these are added in the same update:
 *   events  pushed into `outbox[]`; a document whose 100 events still wait is OUTBOX_FULL
 *           (UNAVAILABLE)
 *   answer  pushed into `answers[]`, of which the last MONGO_ANSWERS_MAX are kept
 *   cause   the event that is being consumed: pushed into `seen_events[]` (the last
 *           MONGO_SEEN_MAX); MONGO_NOT_MATCHED when it is already there, so look with
 *           mongo_event_seen() or treat it as done
 *   bump    $inc of `version`, from which the etag is made; on unless `keep_version`, which an
 *           update with events must not have (outbox.h)
 * 0 when a document met the condition. MONGO_NOT_MATCHED, MONGO_DUPLICATE.
 *
 *     r = mongo_update(call, &carts, .id = cart->id,
 *                      .filter = DOC(call, "version", BCON_INT64(cart->version)),
 *                      .update = DOC(call, "$set", "{", "note", BCON_UTF8(note), "}"),
 *                      .events = EVENTS(updated));
 */
struct mongo_update {
	const char *id;
	const bson_t *filter;
	const bson_t *update;
	const bson_t *array_filters; /* an array document for `items.$[x].quantity`; or NULL */
	struct rpc_event *const *events;
	const struct stored_answer *answer;
	const struct rpc_event *cause;
	bool keep_version;
	/* Insert when there is no document with that id; one that does not meet the filter is
	 * MONGO_NOT_MATCHED. */
	bool upsert;
	bool *upserted; /* told whether it was an insert; or NULL */
	bool *modified; /* told whether anything was different; or NULL */
};
enum { MONGO_ANSWERS_MAX = 50, MONGO_SEEN_MAX = 100, MONGO_OUTBOX_MAX = 100 };
#define mongo_update(call, collection, ...)                                                        \
	mongo_update_((call), (collection), &(const struct mongo_update){ __VA_ARGS__ })

/* Changes many documents, each atomically, without events. *n_ret: how many were different. For
 * sweepers. */
int mongo_update_many(struct rpc_call *call, const struct mongo_collection *collection,
		      const bson_t *filter, const bson_t *update, int64_t *n_ret);
/* Deletes the document when `filter` (or NULL) holds too. MONGO_NOT_MATCHED. A deletion that must
 * publish is an update first: mark it deleted, with the event, and let a sweeper delete it when its
 * outbox is empty. */
int mongo_delete(struct rpc_call *call, const struct mongo_collection *collection, const char *id,
		 const bson_t *filter);
int mongo_delete_many(struct rpc_call *call, const struct mongo_collection *collection,
		      const bson_t *filter, int64_t *n_ret);

/* After MONGO_DUPLICATE in this call: the index's name, "_id" for the id itself. Never NULL. */
const char *mongo_duplicate_index(const struct rpc_call *call);
/* Whether the document's `seen_events[]` holds this event. *ret false also when there is no such
 * document. */
int mongo_event_seen(struct rpc_call *call, const struct mongo_collection *collection,
		     const char *id, const struct rpc_event *event, bool *ret);

/*
 * Read, decide, update with the version in the filter; on conflict again, 16 times in all, with a
 * short random pause, then ABORTED (WRITE_CONFLICT with `name`):
 *
 *     for (int attempt = 0; !(r = mongo_attempt(call, &attempt, name));) {
 *             r = mongo_get(call, &carts, id, &cart);
 *             ...
 *             r = mongo_update(call, &carts, .id = id,
 *                              .filter = DOC(call, "version", BCON_INT64(cart->version)), ...);
 *             if (r != MONGO_NOT_MATCHED)
 *                     return r;
 *     }
 *     return r;
 */
int mongo_attempt(struct rpc_call *call, int *attempt, const char *name);

/* --- below: what the macros call --- */

#define MONGO_CHECK_TYPE_(pointer) ((void)sizeof((ProtobufCMessage *)&(*(pointer))->base))
#define MONGO_TYPED_(ret, expression)                                                              \
	({                                                                                         \
		ProtobufCMessage *message_ = NULL;                                                 \
		int typed_ = (expression);                                                         \
		(void)sizeof((*(ret))->base.descriptor);                                           \
		if (!typed_)                                                                       \
			*(ret) = (void *)message_;                                                 \
		typed_;                                                                            \
	})
int mongo_get_(struct rpc_call *call, const struct mongo_collection *collection, const char *id,
	       ProtobufCMessage **ret);
int mongo_find_one_(struct rpc_call *call, const struct mongo_collection *collection,
		    const struct mongo_query *query, ProtobufCMessage **ret);
int mongo_find_(struct rpc_call *call, const struct mongo_collection *collection,
		const struct mongo_query *query, ProtobufCMessage ***ret, size_t *n_ret);
int mongo_read_(struct rpc_call *call, const struct mongo_collection *collection,
		const bson_t *document, ProtobufCMessage **ret);
int mongo_insert_(struct rpc_call *call, const struct mongo_collection *collection,
		  const ProtobufCMessage *record, const struct mongo_insert *insert);
int mongo_update_(struct rpc_call *call, const struct mongo_collection *collection,
		  const struct mongo_update *update);
