/* Documents: protobuf messages as BSON and back, driven by their descriptors. */
#pragma once

#include <bson/bson.h>
#include <crpc/call.h>
#include <crpc/message.h>

/*
 * How a message looks in the database:
 *
 *     field name             as the proto spells it; the top-level message's `id` is `_id`
 *     bool, string, double   the same; float becomes double
 *     int32                  int32; int64, uint32, uint64 and fixed ones: int64
 *     enum                   the value's name, "AWAITING_PAYMENT"; an int32 when it has none
 *     bytes                  binary
 *     Timestamp              date, in milliseconds
 *     other messages         objects, Money and Duration too: {currency_code, units, nanos}
 *     repeated               arrays, left out when empty
 *     map                    objects, their keys as document_key() spells them; left out when empty
 *     oneof                  the member that is set, even at its default
 *
 * Scalars are written even when they are 0 or "", so that a filter `{"quantity": 0}` finds them and
 * page sorts are total; what can be unset (messages, `optional`, oneofs) is left out when it is, so
 * that partial indexes stay small.
 *
 * Reading is checked, because the database's bytes come from outside: broken BSON, a wrong type,
 * invalid UTF-8, NUL in a string, a number out of range or nesting over 100 is -EBADMSG, and *why
 * names the field. Fields that the message does not have are skipped, so that a document may hold
 * more than its reader knows. null reads as unset.
 */

/*
 * A document in the call's arena; nothing to free. Its bytes hang off the bson_t, so it can stand
 * wherever libbson takes a const bson_t *, BCON_DOCUMENT() included:
 *
 *     DOC(call, "$push", "{", "items", BCON_DOCUMENT(document_of(call, item)), "}")
 */
#define DOC(call, ...) document_keep((call), BCON_NEW(__VA_ARGS__))
/* Moves a malloc()ed document into the arena. */
bson_t *document_keep(struct rpc_call *call, bson_t *document);

/* A whole record: `id` becomes `_id`. */
#define document_of_record(call, record) document_of_record_((call), &(record)->base)
/* An embedded message, as it stands in an array or under a field. */
#define document_of(call, message) document_of_((call), &(message)->base)
bson_t *document_of_record_(struct rpc_call *call, const ProtobufCMessage *message);
bson_t *document_of_(struct rpc_call *call, const ProtobufCMessage *message);

/*
 * One field of a message under a key of our choice, as the codec writes it: for `$set` of a
 * repeated field, an enum, a map, a time. An unset message, an unset optional or an empty list is
 * written as null or [], so that `$set` replaces what was there.
 *
 *     DOC(call, "$set", BCON_DOCUMENT(document_of_field(call, "items", cart, "items")))
 */
#define document_of_field(call, key, message, field)                                               \
	document_of_field_((call), (key), &(message)->base, (field))
bson_t *document_of_field_(struct rpc_call *call, const char *key, const ProtobufCMessage *message,
			   const char *field);

/* The fields of `message` that `fields` names (a NULL-terminated list of top-level names), each
 * under `prefix` ("" or "cart."): a `$set` by update mask. Names that the message does not have
 * abort: they are the programmer's. */
#define document_of_fields(call, prefix, message, fields)                                          \
	document_of_fields_((call), (prefix), &(message)->base, (fields))
bson_t *document_of_fields_(struct rpc_call *call, const char *prefix,
			    const ProtobufCMessage *message, const char *const *fields);

/* The same of those fields only whose value in `is` is another than in `was`. */
#define document_of_changes(call, prefix, was, is, fields)                                         \
	document_of_changes_((call), (prefix), &(was)->base, &(is)->base, (fields))
bson_t *document_of_changes_(struct rpc_call *call, const char *prefix, const ProtobufCMessage *was,
			     const ProtobufCMessage *is, const char *const *fields);

/* Both documents' fields in one, such as two parts of a `$set`. */
bson_t *document_join(struct rpc_call *call, const bson_t *a, const bson_t *b);

/* {"$in": ["a", "b"]}, to stand behind a path. */
bson_t *document_in(struct rpc_call *call, const char *const *texts, size_t n_texts);
/* The same of the ids of resource names: to stand behind `_id`. */
bson_t *document_in_ids(struct rpc_call *call, const char *const *names, size_t n_names);

/* Adds to a document that is being built with libbson. */
void document_append(bson_t *into, const ProtobufCMessage *message);
void document_append_message(bson_t *into, const char *key, const ProtobufCMessage *message);

/* A map's key as the database spells it: '%', '.', '$' and the empty key are percent-encoded, so
 * that `labels.<key>` is always one step of a path. For keys in filters and updates:
 * rpc_printf(call, "stock.%s", document_key(call, sku)). */
const char *document_key(struct rpc_call *call, const char *key);

/* The name of an enum's value, for filters: DOC(call, "state",
 * BCON_UTF8(document_enum(&OrderState_descriptor, state))). "" when the number has no name. */
const char *document_enum(const ProtobufCEnumDescriptor *descriptor, int value);

/*
 * Reads a document into a message of the arena; `_id` goes into the field `id`. -EBADMSG with *why,
 * a sentence in the arena that names the field and never shows its value.
 */
int document_read(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
		  const bson_t *document, ProtobufCMessage **ret, const char **why);
/* The same for an embedded message: `id` is `id`. */
int document_read_embedded(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
			   const bson_t *document, ProtobufCMessage **ret, const char **why);

/* cleanup(bson_freep) bson_t *document = bson_new(); for documents outside an arena. */
static inline void bson_freep(bson_t **document)
{
	bson_destroy(*document);
}
