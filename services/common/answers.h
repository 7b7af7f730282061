/* Request ids (AIP-155): the same request twice does its work once and gets the first answer. */
#pragma once

#include <common/mongo.h>

struct StoredAnswer; /* souk.type.v1, store.msg.h */

/*
 * A request id is scoped to the caller and the method and kept for 24 h. Same id and same body: the
 * first answer again, a refusal too, with the response header `idempotent-replayed: true`. Same id,
 * other body: REQUEST_ID_REUSED (FAILED_PRECONDITION, HTTP 400). At the same time: one wins, the
 * other gets its answer or REQUEST_IN_PROGRESS (ABORTED, HTTP 409). Without an id nothing is looked
 * up or stored.
 *
 * A create derives its document's `_id` from the request id, so that the second insert is
 * MONGO_DUPLICATE:
 *
 *     answers_key(call, req, &key);
 *     record->id = key.id;      derived, or a fresh UUIDv7 when there was no request id
 *     r = mongo_insert(call, &orders, record, .answer = answers_store(call, &key, order), ...);
 *     if (r == MONGO_DUPLICATE && !strcmp(mongo_duplicate_index(call), "_id"))
 *             return answers_repeat(call, &orders, record->id, &key, &Order_descriptor, ret);
 *
 * An update finds the answer in the record that it has read anyway (record->answers), and stores
 * its own with the change:
 *
 *     r = answers_find(call, &key, record, &Order_descriptor, ret);
 *     if (r != ANSWERS_NONE)
 *             return r;
 *     ...
 *     r = mongo_update(call, &orders, ..., .answer = answers_store(call, &key, order));
 *
 * A refusal that must be the answer for good (a declined card) is stored by answers_store_error()
 * with an update of its own. A method of several steps stores answers_store_pending() with its
 * first step; until the last step replaces it (answers_finish()) the repeat is ANSWERS_PENDING, and
 * the handler says REQUEST_IN_PROGRESS with answers_in_progress(), or goes on with what a crash
 * left.
 */
enum {
	ANSWERS_NONE = 220, /* a new request: do the work */
	ANSWERS_PENDING,    /* its first step is stored, its answer is not */
};

struct answers_key {
	/* "" when the caller gave none: answers_find() says NONE, answers_store() NULL. */
	const char *request_id;
	const char *key;       /* hash of caller, method and request id, as stored */
	const char *id;        /* for a create's _id */
	uint8_t body_hash[32]; /* SHA-256 of the request without its request id */
};
/* Of the call's own request: the field is the method's `request_id`. */
#define answers_key(call, request, ret)                                                            \
	answers_key_((call), &(request)->base, (request)->request_id, (ret))
void answers_key_(struct rpc_call *call, const ProtobufCMessage *request, const char *request_id,
		  struct answers_key *ret);

/* What mongo_insert() and mongo_update() store. */
struct stored_answer {
	const bson_t *document; /* a StoredAnswer */
};
/* A success; NULL without a request id. `response` may be a NULL pointer of its type: then the
 * repeat is answered from the record's present state by the handler (answers_find() returns 0 and
 * sets *ret to NULL), for answers as large as the document. */
#define answers_store(call, key, response)                                                         \
	answers_store_((call), (key),                                                              \
		       ((void)sizeof((response)->base), (const ProtobufCMessage *)(response)))
/* The error recorded last in `call`. NULL also for codes that a retry may better: those are never
 * stored. */
const struct stored_answer *answers_store_error(struct rpc_call *call,
						const struct answers_key *key);
const struct stored_answer *answers_store_pending(struct rpc_call *call,
						  const struct answers_key *key);
/* Puts the answer into the place of the pending one: `answer` from answers_store() or
 * answers_store_error(). */
int answers_finish(struct rpc_call *call, const struct mongo_collection *collection, const char *id,
		   const struct answers_key *key, const struct stored_answer *answer);

/*
 * The answer among record->answers, a response of that type: 0 with *ret, a stored refusal's or
 * REQUEST_ID_REUSED's code, ANSWERS_NONE, ANSWERS_PENDING. An answer of over 24 h is none.
 */
#define answers_find(call, key, record, response_descriptor, ret)                                  \
	MONGO_TYPED_(ret, answers_find_((call), (key), (record)->answers, (record)->n_answers,     \
					(response_descriptor), &message_))
/* The same after reading the document, for a create whose id was taken. A document without the
 * answer is what another request made under our id, or has outlived it: ALREADY_EXISTS is the
 * handler's to say, this returns ANSWERS_NONE. */
#define answers_repeat(call, collection, id, key, response_descriptor, ret)                        \
	MONGO_TYPED_(ret, answers_repeat_((call), (collection), (id), (key),                       \
					  (response_descriptor), &message_))
/* REQUEST_IN_PROGRESS. */
int answers_in_progress(struct rpc_call *call, const struct answers_key *key);

/* Drops answers over 24 h old, for a service's sweeper; once a minute, however often it is called.
 * Wants an index:
 *     { "answers.time", .partial = ANSWERS_PARTIAL } */
#define ANSWERS_PARTIAL MONGO_JSON({ "answers.key" : { "$gt" : "" } })
int answers_sweep(struct rpc_call *call, const struct mongo_collection *collection);

/* --- below: what the macros call --- */

const struct stored_answer *answers_store_(struct rpc_call *call, const struct answers_key *key,
					   const ProtobufCMessage *response);
int answers_find_(struct rpc_call *call, const struct answers_key *key,
		  struct StoredAnswer *const *answers, size_t n_answers,
		  const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret);
int answers_repeat_(struct rpc_call *call, const struct mongo_collection *collection,
		    const char *id, const struct answers_key *key,
		    const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret);
