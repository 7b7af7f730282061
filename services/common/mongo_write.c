/* The service's documents: inserting, changing one under a condition, deleting. */
#include "errors.msg.h"
#include "mongo_private.h"
#include <common/answers.h>
#include <common/outbox.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ATTEMPTS = 16, PAUSE_BITS_MAX = 6 };

/*
 * What goes along with a write
 */

/* As souk.type.v1.OutboxEvent reads it. */
static void append_event(bson_t *array, unsigned position, const struct rpc_event *event)
{
	char buffer[16];
	const char *key;
	bson_t child;

	bson_uint32_to_string(position, &key, buffer, sizeof(buffer));
	bson_append_document_begin(array, key, -1, &child);
	bson_append_utf8(&child, "id", -1, event->id, -1);
	bson_append_utf8(&child, "type", -1, event->type, -1);
	bson_append_utf8(&child, "bus_subject", -1, event->subject, -1);
	bson_append_utf8(&child, "subject", -1, event->about, -1);
	bson_append_date_time(&child, "time", -1, event->time_ms);
	bson_append_utf8(&child, "traceparent", -1, event->traceparent ? event->traceparent : "",
			 -1);
	bson_append_binary(&child, "payload", -1, BSON_SUBTYPE_BINARY,
			   event->payload.data ? event->payload.data : (const uint8_t *)"",
			   (uint32_t)event->payload.len);
	bson_append_document_end(array, &child);
}

static void append_events(bson_t *into, const char *key, struct rpc_event *const *events)
{
	bson_t array;

	bson_append_array_begin(into, key, -1, &array);
	for (unsigned i = 0; events[i]; i++)
		append_event(&array, i, events[i]);
	bson_append_array_end(into, &array);
}

/* {$each: [element], $slice: -keep} */
static void append_push(bson_t *push, const char *array, const bson_t *element, int keep)
{
	bson_t child, each;

	bson_append_document_begin(push, array, -1, &child);
	bson_append_array_begin(&child, "$each", -1, &each);
	bson_append_document(&each, "0", -1, element);
	bson_append_array_end(&child, &each);
	bson_append_int32(&child, "$slice", -1, -keep);
	bson_append_document_end(push, &child);
}

static int64_t number_of(const bson_t *document, const char *key)
{
	bson_iter_t iter;

	return bson_iter_init_find(&iter, document, key) && BSON_ITER_HOLDS_NUMBER(&iter)
		       ? bson_iter_as_int64(&iter)
		       : 0;
}

/*
 * Inserting
 */

/* The record with its version at 1 and without the arrays that are written from elsewhere. */
static ProtobufCMessage *prepare(struct rpc_call *call, const ProtobufCMessage *record,
				 const struct mongo_insert *insert)
{
	const ProtobufCMessageDescriptor *descriptor = record->descriptor;
	ProtobufCMessage *copy = rpc_memdup(call, record, descriptor->sizeof_message);
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(descriptor, "version");

	if (field && field->type == PROTOBUF_C_TYPE_INT64 &&
	    !*(int64_t *)rpc_field_value(copy, field))
		*(int64_t *)rpc_field_value(copy, field) = 1;
	field = insert->events
			? protobuf_c_message_descriptor_get_field_by_name(descriptor, "outbox")
			: NULL;
	if (field)
		rpc_field_clear(copy, field);
	field = insert->answer
			? protobuf_c_message_descriptor_get_field_by_name(descriptor, "answers")
			: NULL;
	if (field)
		rpc_field_clear(copy, field);
	return copy;
}

/* What the outbox is told of it. */
static void note_new(const struct mongo_collection *collection, const bson_t *document,
		     struct rpc_event *const *events)
{
	int64_t version = number_of(document, "version");
	const char *id = NULL;
	bson_iter_t iter;

	if (bson_iter_init_find(&iter, document, "_id") && BSON_ITER_HOLDS_UTF8(&iter))
		id = bson_iter_utf8(&iter, NULL);
	if (events && events[0])
		outbox_note(collection, id,
			    &(struct outbox_write){
				    .events = events, .is_new = true, .version = version });
	else if (collection->outbox && id && version)
		outbox_kept(collection, id, 0, version);
}

int mongo_insert_(struct rpc_call *call, const struct mongo_collection *collection,
		  const ProtobufCMessage *record, const struct mongo_insert *insert)
{
	cleanup(mongo_handle_release) struct mongo_handle handle = { 0 };
	cleanup(bson_freep) bson_t *document = bson_new();
	bson_error_t error;
	bson_t array;
	int r;

	document_append(document, prepare(call, record, insert));
	if (insert->events)
		append_events(document, "outbox", insert->events);
	if (insert->answer) {
		bson_append_array_begin(document, "answers", -1, &array);
		bson_append_document(&array, "0", -1, insert->answer->document);
		bson_append_array_end(document, &array);
	}
	r = mongo_acquire(call, collection, MONGO_INSERT, &handle);
	if (r)
		return r;
	if (!mongoc_collection_insert_one(handle.collection, document, NULL, NULL, &error))
		return mongo_failed(call, collection, "insert", &error);
	note_new(collection, document, insert->events);
	return 0;
}

static void reply_destroyp(bson_t *reply)
{
	bson_destroy(reply);
}

/* Each of `n` documents is in, or was: nothing else came between, such as a lost connection. */
static bool all_are_there(const bson_t *reply, size_t n)
{
	bson_iter_t inserted, errors, error, code;
	size_t there = 0;

	if (bson_has_field(reply, "writeConcernErrors") ||
	    !bson_iter_init_find(&errors, reply, "writeErrors") ||
	    !bson_iter_recurse(&errors, &error))
		return false;
	while (bson_iter_next(&error)) {
		if (!bson_iter_recurse(&error, &code) || !bson_iter_find(&code, "code") ||
		    bson_iter_as_int64(&code) != MONGO_CODE_DUPLICATE)
			return false;
		there++;
	}
	if (bson_iter_init_find(&inserted, reply, "insertedCount"))
		there += (size_t)bson_iter_as_int64(&inserted);
	return there == n;
}

int mongo_insert_missing(struct rpc_call *call, const struct mongo_collection *collection,
			 const ProtobufCMessage *const *records, size_t n)
{
	cleanup(mongo_handle_release) struct mongo_handle handle = { 0 };
	cleanup(reply_destroyp) bson_t reply = BSON_INITIALIZER;
	cleanup(bson_freep) bson_t *unordered = BCON_NEW("ordered", BCON_BOOL(false));
	const bson_t **documents = rpc_alloc(call, n * sizeof(*documents));
	bson_error_t error;
	int r;

	for (size_t i = 0; i < n; i++)
		documents[i] = document_of_record_(
			call, prepare(call, records[i], &(struct mongo_insert){ 0 }));
	r = n ? mongo_acquire(call, collection, MONGO_INSERT, &handle) : 0;
	if (r || !n)
		return r;
	bson_destroy(&reply);
	if (mongoc_collection_insert_many(handle.collection, documents, n, unordered, &reply,
					  &error) ||
	    all_are_there(&reply, n))
		return 0;
	return mongo_failed(call, collection, "insert many", &error);
}

/*
 * Changing
 */

/* The whole condition. */
static bson_t *selector_of(const struct mongo_update *update, bool outbox_full)
{
	bson_t *selector = bson_new();
	bson_t child;

	if (update->id)
		bson_append_utf8(selector, "_id", -1, update->id, -1);
	if (update->filter)
		bson_concat(selector, update->filter);
	if (update->events) {
		char last[32];

		snprintf(last, sizeof(last), "outbox.%d", MONGO_OUTBOX_MAX - 1);
		bson_append_document_begin(selector, last, -1, &child);
		bson_append_bool(&child, "$exists", -1, outbox_full);
		bson_append_document_end(selector, &child);
	}
	if (update->cause) {
		bson_append_document_begin(selector, "seen_events.id", -1, &child);
		bson_append_utf8(&child, "$ne", -1, update->cause->id, -1);
		bson_append_document_end(selector, &child);
	}
	return selector;
}

/* Copies one operator's fields, { "a": 1, "b": 2 }, from the caller's update. */
static void copy_operator(bson_t *into, const bson_iter_t *iter)
{
	bson_iter_t child;

	if (!bson_iter_recurse(iter, &child))
		return;
	while (bson_iter_next(&child))
		bson_append_iter(into, NULL, 0, &child);
}

/* The caller's operators, with ours merged into $push and $inc. */
static bson_t *operators_of(struct rpc_call *call, const struct mongo_update *update)
{
	bson_t *operators = bson_new();
	cleanup(bson_freep) bson_t *push = bson_new(), *inc = bson_new();
	bson_iter_t iter;

	if (update->update && bson_iter_init(&iter, update->update))
		while (bson_iter_next(&iter)) {
			if (!strcmp(bson_iter_key(&iter), "$push"))
				copy_operator(push, &iter);
			else if (!strcmp(bson_iter_key(&iter), "$inc"))
				copy_operator(inc, &iter);
			else
				bson_append_iter(operators, NULL, 0, &iter);
		}
	if (!update->keep_version)
		bson_append_int64(inc, "version", -1, 1);
	if (update->events && update->events[0]) {
		bson_t child;

		bson_append_document_begin(push, "outbox", -1, &child);
		append_events(&child, "$each", update->events);
		bson_append_document_end(push, &child);
	}
	if (update->answer)
		append_push(push, "answers", update->answer->document, MONGO_ANSWERS_MAX);
	if (update->cause) {
		cleanup(bson_freep) bson_t *seen =
			BCON_NEW("id", BCON_UTF8(update->cause->id), "time",
				 BCON_DATE_TIME(rpc_now_ms(call)));

		append_push(push, "seen_events", seen, MONGO_SEEN_MAX);
	}
	if (!bson_empty(push))
		bson_append_document(operators, "$push", -1, push);
	if (!bson_empty(inc))
		bson_append_document(operators, "$inc", -1, inc);
	return operators;
}

/* Nothing matched: because the condition does not hold, or because the relay is behind? */
static int explain_no_match(struct rpc_call *call, const struct mongo_collection *collection,
			    const struct mongo_update *update)
{
	cleanup(bson_freep) bson_t *full = NULL;
	int64_t count = 0;
	int r;

	if (!update->events)
		return MONGO_NOT_MATCHED;
	full = selector_of(update, true);
	r = mongo_count(call, collection, full, 1, &count);
	if (r)
		return r;
	if (!count)
		return MONGO_NOT_MATCHED;
	outbox_note(collection, update->id, NULL);
	outbox_make_room();
	r = rpc_fail(call, OUTBOX_FULL, { "name", update->id ? update->id : collection->name });
	rpc_retry_after(call, 1000);
	return r;
}

/* What the outbox is told of a change. */
static void note_change(const struct mongo_collection *collection,
			const struct mongo_update *update)
{
	int64_t version = update->filter ? number_of(update->filter, "version") : 0;

	if (update->events && update->events[0])
		outbox_note(collection, update->id,
			    version ? &(struct outbox_write){ .events = update->events,
							      .condition = version,
							      .version = version + 1 }
				    : NULL);
	else if (collection->outbox && update->id && version && !update->keep_version)
		outbox_kept(collection, update->id, version, version + 1);
}

int mongo_update_(struct rpc_call *call, const struct mongo_collection *collection,
		  const struct mongo_update *update)
{
	cleanup(mongo_handle_release) struct mongo_handle handle = { 0 };
	cleanup(bson_freep) bson_t *selector = selector_of(update, false),
				   *operators = operators_of(call, update), *options = bson_new();
	cleanup(reply_destroyp) bson_t reply = BSON_INITIALIZER;
	bson_error_t error;
	bool inserted, ok;
	int r;

	if (update->keep_version && update->events && update->events[0])
		return -EINVAL; /* the outbox goes by it */
	if (update->upsert)
		bson_append_bool(options, "upsert", -1, true);
	if (update->array_filters)
		bson_append_array(options, "arrayFilters", -1, update->array_filters);
	r = mongo_acquire(call, collection, MONGO_UPDATE, &handle);
	if (r)
		return r;
	bson_destroy(&reply);
	ok = mongoc_collection_update_one(handle.collection, selector, operators, options, &reply,
					  &error);
	mongo_handle_release(&handle);
	if (!ok) {
		struct mongo_update plain = *update;

		r = mongo_failed(call, collection, "update", &error);
		/* The document is there, but was not before, or does not meet the condition: then
		 * it is an update like any other. */
		if (r != MONGO_DUPLICATE || !update->upsert ||
		    strcmp(mongo_duplicate_index(call), "_id"))
			return r;
		plain.upsert = false;
		return mongo_update_(call, collection, &plain);
	}
	inserted = bson_has_field(&reply, "upsertedId");
	if (!inserted && !number_of(&reply, "matchedCount"))
		return explain_no_match(call, collection, update);
	if (update->upserted)
		*update->upserted = inserted;
	if (update->modified)
		*update->modified = inserted || number_of(&reply, "modifiedCount");
	note_change(collection, update);
	return 0;
}

int mongo_update_many(struct rpc_call *call, const struct mongo_collection *collection,
		      const bson_t *filter, const bson_t *update, int64_t *n_ret)
{
	cleanup(mongo_handle_release) struct mongo_handle handle = { 0 };
	cleanup(reply_destroyp) bson_t reply = BSON_INITIALIZER;
	bson_error_t error;
	int r = mongo_acquire(call, collection, MONGO_UPDATE, &handle);

	if (r)
		return r;
	bson_destroy(&reply);
	if (!mongoc_collection_update_many(handle.collection, filter, update, NULL, &reply, &error))
		return mongo_failed(call, collection, "update many", &error);
	*n_ret = number_of(&reply, "modifiedCount");
	return 0;
}

/*
 * Deleting
 */

int mongo_delete(struct rpc_call *call, const struct mongo_collection *collection, const char *id,
		 const bson_t *filter)
{
	cleanup(mongo_handle_release) struct mongo_handle handle = { 0 };
	cleanup(bson_freep) bson_t *selector = BCON_NEW("_id", BCON_UTF8(id));
	cleanup(reply_destroyp) bson_t reply = BSON_INITIALIZER;
	bson_error_t error;
	int r;

	if (filter)
		bson_concat(selector, filter);
	r = mongo_acquire(call, collection, MONGO_DELETE, &handle);
	if (r)
		return r;
	bson_destroy(&reply);
	if (!mongoc_collection_delete_one(handle.collection, selector, NULL, &reply, &error))
		return mongo_failed(call, collection, "delete", &error);
	return number_of(&reply, "deletedCount") ? 0 : MONGO_NOT_MATCHED;
}

int mongo_delete_many(struct rpc_call *call, const struct mongo_collection *collection,
		      const bson_t *filter, int64_t *n_ret)
{
	cleanup(mongo_handle_release) struct mongo_handle handle = { 0 };
	cleanup(reply_destroyp) bson_t reply = BSON_INITIALIZER;
	bson_error_t error;
	int r = mongo_acquire(call, collection, MONGO_DELETE, &handle);

	if (r)
		return r;
	bson_destroy(&reply);
	if (!mongoc_collection_delete_many(handle.collection, filter, NULL, &reply, &error))
		return mongo_failed(call, collection, "delete many", &error);
	*n_ret = number_of(&reply, "deletedCount");
	return 0;
}

/*
 * Conditions that others met first
 */

int mongo_event_seen(struct rpc_call *call, const struct mongo_collection *collection,
		     const char *id, const struct rpc_event *event, bool *ret)
{
	int64_t count;
	int r = mongo_count(call, collection,
			    DOC(call, "_id", BCON_UTF8(id), "seen_events.id", BCON_UTF8(event->id)),
			    1, &count);

	if (!r)
		*ret = count > 0;
	return r;
}

int mongo_attempt(struct rpc_call *call, int *attempt, const char *name)
{
	if (*attempt >= ATTEMPTS)
		return rpc_fail(call, WRITE_CONFLICT, { "name", name });
	if (rpc_remaining_ms(call) <= 0)
		return rpc_fail_code(call, RPC_DEADLINE_EXCEEDED,
				     "The deadline passed while others changed the same.");
	/* At random, so that the losers of one round do not meet again in the next; up to 1, 2, 4,
	 * ... 64, 64 ms. Who pauses is at a disadvantage against a replica that has more to write:
	 * hence so many. */
	if (*attempt) {
		int bits = *attempt - 1 < PAUSE_BITS_MAX ? *attempt - 1 : PAUSE_BITS_MAX;
		uint32_t microseconds = randombytes_uniform(1000U << bits);

		nanosleep(&(struct timespec){ .tv_nsec = (long)microseconds * 1000 }, NULL);
	}
	++*attempt;
	return 0;
}
