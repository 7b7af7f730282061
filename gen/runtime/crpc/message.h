/* Messages: what the generator emits beside libprotobuf-c's descriptors. */
#pragma once

#include <crpc/arena.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

/* A message on the stack: MSG(GetCartRequest, .name = name). Unset strings are "". */
#define MSG(type, ...) (&(type){ type##_BASE, __VA_ARGS__ })

/* A message that lives as long as the call, for a response. */
#define rpc_new(call, type, ...) ((type *)rpc_memdup((call), MSG(type, __VA_ARGS__), sizeof(type)))

enum rpc_field_flag {
	RPC_FIELD_REQUIRED = 1 << 0,
	RPC_FIELD_OUTPUT_ONLY = 1 << 1,
	RPC_FIELD_INPUT_ONLY = 1 << 2,
	RPC_FIELD_IMMUTABLE = 1 << 3,
	RPC_FIELD_IDENTIFIER = 1 << 4,
	RPC_FIELD_MAP = 1 << 5,
	RPC_FIELD_OPTIONAL = 1 << 6, /* proto3 `optional`: tells unset from zero */
};

/* As crpc.v1.Rules.Format numbers them. */
enum rpc_format {
	RPC_FORMAT_TEXT,
	RPC_FORMAT_EMAIL,
	RPC_FORMAT_CURRENCY,
	RPC_FORMAT_COUNTRY,
	RPC_FORMAT_PHONE,
	RPC_FORMAT_LANGUAGE,
	RPC_FORMAT_URI,
	RPC_FORMAT_ID,
	RPC_FORMAT_ANY,
};

/* crpc.v1.Rules, with the defaults filled in. */
struct rpc_rules {
	bool has_min, has_max;
	double min, max;
	uint32_t min_len, max_len, min_items, max_items;
	enum rpc_format format;
	const char *resource; /* "products/{product}", or NULL */
};

struct rpc_field_info {
	const char *json_name;
	uint32_t flags;                /* enum rpc_field_flag */
	const struct rpc_rules *rules; /* NULL: the defaults */
};

/* Types whose JSON form is their own. */
enum rpc_kind {
	RPC_KIND_MESSAGE,
	RPC_KIND_ANY,
	RPC_KIND_TIMESTAMP,
	RPC_KIND_DURATION,
	RPC_KIND_STRUCT,
	RPC_KIND_VALUE,
	RPC_KIND_LIST_VALUE,
	RPC_KIND_NULL_VALUE,
	RPC_KIND_FIELD_MASK,
	RPC_KIND_EMPTY,
	RPC_KIND_WRAPPER,
	RPC_KIND_HTTP_BODY,
};

/* Stands in ProtobufCMessageDescriptor.reserved1; libprotobuf-c ignores it. */
struct rpc_message_info {
	enum rpc_kind kind;
	const struct rpc_field_info *fields;        /* beside descriptor->fields, index by index */
	const uint16_t *fields_sorted_by_json_name; /* indices */
	bool map_entry;
};

static inline const struct rpc_message_info *
rpc_message_info(const ProtobufCMessageDescriptor *descriptor)
{
	return descriptor->reserved1;
}

/* The field that JSON calls `name` (lowerCamelCase or the proto's spelling), or NULL. */
const ProtobufCFieldDescriptor *rpc_field_by_json_name(const ProtobufCMessageDescriptor *descriptor,
						       const char *name, size_t length);

/* Finds the type of a google.protobuf.Any and what JSON of it needs. NULL-terminated, sorted by
 * name. Generated. */
struct rpc_type_registry {
	const ProtobufCMessageDescriptor *const *types;
	size_t n_types;
};

/* The descriptor of a full name such as "acme.cart.v1.Cart", or NULL. */
const ProtobufCMessageDescriptor *rpc_type_find(const struct rpc_type_registry *types,
						const char *name, size_t length);

/*
 * Wire format. Bytes from outside are read by rpc_unpack() and by nothing else: libprotobuf-c's own
 * unpack recurses without a limit and cuts strings at a NUL. Refused: nesting over 100, NUL and
 * invalid UTF-8 in strings, truncated or overlong input, more than 10,000 unknown fields. Absent
 * map values are filled in, the last of equal keys wins. NULL with *error, a sentence, when
 * refused; `error` may be NULL.
 */
ProtobufCMessage *rpc_unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
			     const uint8_t *bytes, size_t size, const char **error);
ProtobufCBinaryData rpc_pack(struct arena *arena, const ProtobufCMessage *message);

/*
 * What the schema asks of a request: REQUIRED, crpc.v1.Rules, known enum values, the ranges of
 * Timestamp, Duration and google.type.Money, an update_mask that names fields of the resource.
 * Clears OUTPUT_ONLY fields and turns bare ids into resource names. In an update REQUIRED counts
 * for what the mask names. 0, or INVALID_ARGUMENT with up to 20 violations recorded in the call.
 */
struct rpc_call;
int rpc_validate(struct rpc_call *call, ProtobufCMessage *request);

/* A deep copy and equality, by descriptor. Maps are equal in any order. */
ProtobufCMessage *rpc_message_copy(struct arena *arena, const ProtobufCMessage *message);
bool rpc_message_equal(const ProtobufCMessage *a, const ProtobufCMessage *b);
bool rpc_field_equal(const ProtobufCMessage *a, const ProtobufCMessage *b,
		     const ProtobufCFieldDescriptor *field);

/*
 * For code that works by descriptor, such as codecs.
 *
 * An array of a repeated field that the runtime has made has room up to the next power of two of
 * its length, so that appending knows when to move without a capacity beside it. Do not append to
 * an array made by hand of three, five, ... elements.
 */
ProtobufCMessage *rpc_message_new(struct arena *arena,
				  const ProtobufCMessageDescriptor *descriptor);
/* The array with room for `more` elements after `n`, moved where it must be. */
void *rpc_array_room(struct arena *arena, void *array, size_t n, size_t more, size_t element_size);
extern const uint8_t rpc_type_sizes[]; /* of one element, by ProtobufCType */
static inline size_t rpc_type_size(ProtobufCType type)
{
	return rpc_type_sizes[type];
}
/* Whether the field is set: an array not empty, the oneof's member, has_x; without presence, not
 * the default. */
bool rpc_field_present(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* Where to write the field's value, presence noted: of a repeated field a new last element, of a
 * oneof its member, the others forgotten. */
void *rpc_field_set(struct arena *arena, ProtobufCMessage *message,
		    const ProtobufCFieldDescriptor *field);
/* Back to unset. */
void rpc_field_clear(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

static inline void *rpc_field_value(const ProtobufCMessage *message,
				    const ProtobufCFieldDescriptor *field)
{
	return (char *)message + field->offset;
}

/* Of a repeated field. */
static inline size_t *rpc_field_count(const ProtobufCMessage *message,
				      const ProtobufCFieldDescriptor *field)
{
	return (size_t *)((char *)message + field->quantifier_offset);
}

static inline const struct rpc_field_info *
rpc_field_info(const ProtobufCMessageDescriptor *descriptor, const ProtobufCFieldDescriptor *field)
{
	return &rpc_message_info(descriptor)->fields[field - descriptor->fields];
}
