/* The wire format: bytes from outside to messages, checked on the way. */
#include "message_private.h"
#include "text.h"
#include <crpc/message.h>
#include <string.h>

/*
 * One pass that decodes and checks. libprotobuf-c's unpack would need a pass before it that refuses
 * what it cannot take (depth, NUL, UTF-8), reads each message twice more to count, and leaves map
 * entries as they came.
 *
 * As the specification says: a field that comes with another wire type than its own is unknown; a
 * message that comes twice is merged; repeated numbers come packed or not; unknown fields are kept.
 */
enum {
	UNKNOWN_FIELDS_MAX = 10000,
	MERGES_MAX = 100
}; /* each merge looks at the whole of its maps again */
enum wire { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_GROUP, WIRE_GROUP_END, WIRE_32 };

struct decoder {
	struct arena *arena;
	const char *error; /* a sentence */
	unsigned unknown_fields, merges;
};

static bool decode_message(struct decoder *decoder, ProtobufCMessage *message, const uint8_t *at,
			   const uint8_t *end, int depth);

static const uint8_t wire_types[] = {
	[PROTOBUF_C_TYPE_INT32] = WIRE_VARINT,  [PROTOBUF_C_TYPE_SINT32] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_SFIXED32] = WIRE_32,   [PROTOBUF_C_TYPE_INT64] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_SINT64] = WIRE_VARINT, [PROTOBUF_C_TYPE_SFIXED64] = WIRE_64,
	[PROTOBUF_C_TYPE_UINT32] = WIRE_VARINT, [PROTOBUF_C_TYPE_FIXED32] = WIRE_32,
	[PROTOBUF_C_TYPE_UINT64] = WIRE_VARINT, [PROTOBUF_C_TYPE_FIXED64] = WIRE_64,
	[PROTOBUF_C_TYPE_FLOAT] = WIRE_32,      [PROTOBUF_C_TYPE_DOUBLE] = WIRE_64,
	[PROTOBUF_C_TYPE_BOOL] = WIRE_VARINT,   [PROTOBUF_C_TYPE_ENUM] = WIRE_VARINT,
	[PROTOBUF_C_TYPE_STRING] = WIRE_BYTES,  [PROTOBUF_C_TYPE_BYTES] = WIRE_BYTES,
	[PROTOBUF_C_TYPE_MESSAGE] = WIRE_BYTES,
};

static const char truncated[] = "The message ends in the middle of a field.";

static bool refuse(struct decoder *decoder, const char *error)
{
	decoder->error = error;
	return false;
}

static bool refuse_field(struct decoder *decoder, const ProtobufCMessageDescriptor *descriptor,
			 const ProtobufCFieldDescriptor *field, const char *what)
{
	decoder->error = arena_printf(decoder->arena, "The field %s of %s %s.", field->name,
				      descriptor->name, what);
	return false;
}

/* The byte after the number, or NULL when it is longer than ten bytes or not there whole. */
static const uint8_t *read_long_varint(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 70 && at < end; shift += 7) {
		uint8_t byte = *at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = value;
			return at;
		}
	}
	return NULL;
}

static inline const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
	if (at < end && *at < 0x80) {
		*ret = *at;
		return at + 1;
	}
	return read_long_varint(at, end, ret);
}

/* As wire_types says; the value's bytes are there. Types are those of descriptors, so memcpy()
 * fits. */
static void store_varint(ProtobufCType type, void *to, uint64_t value)
{
	uint32_t low = (uint32_t)value;

	switch (type) {
	case PROTOBUF_C_TYPE_SINT32:
		*(int32_t *)to = (int32_t)((low >> 1) ^ -(low & 1));
		break;
	case PROTOBUF_C_TYPE_SINT64:
		*(int64_t *)to = (int64_t)((value >> 1) ^ -(value & 1));
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)to = value != 0;
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		*(uint64_t *)to = value;
		break;
	default:
		*(uint32_t *)to = low;
		break;
	}
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
						  uint32_t number, unsigned *hint)
{
	unsigned low = 0, high = descriptor->n_fields;

	/* Fields mostly come in order: the same again, or the next. */
	if (*hint < high && descriptor->fields[*hint].id == number)
		return &descriptor->fields[*hint];
	if (*hint + 1 < high && descriptor->fields[*hint + 1].id == number)
		return &descriptor->fields[++*hint];
	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (descriptor->fields[middle].id == number) {
			*hint = middle;
			return &descriptor->fields[middle];
		}
		if (descriptor->fields[middle].id < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool is_packable(const ProtobufCFieldDescriptor *field)
{
	return field->label == PROTOBUF_C_LABEL_REPEATED && wire_types[field->type] != WIRE_BYTES;
}

static bool decode_packed(struct decoder *decoder, ProtobufCMessage *message,
			  const ProtobufCFieldDescriptor *field, const uint8_t *at,
			  const uint8_t *end)
{
	size_t *n = rpc_field_count(message, field), size = rpc_type_size(field->type), more = 0;
	void **array = rpc_field_value(message, field);
	char *to;

	if (wire_types[field->type] == WIRE_VARINT) {
		for (const uint8_t *byte = at; byte < end; byte++)
			more += *byte < 0x80;
	} else {
		more = (size_t)(end - at) / size;
		if (more * size != (size_t)(end - at))
			return refuse_field(decoder, message->descriptor, field, "is cut");
	}
	if (!more)
		return at == end ||
		       refuse_field(decoder, message->descriptor, field, "is cut or overlong");
	*array = rpc_array_room(decoder->arena, *array, *n, more, size);
	to = (char *)*array + *n * size;
	if (wire_types[field->type] != WIRE_VARINT) {
		memcpy(to, at, more * size); /* little endian, as this machine */
	} else {
		for (; at < end; to += size) {
			uint64_t value;

			at = read_varint(at, end, &value);
			if (!at)
				return refuse_field(decoder, message->descriptor, field,
						    "is cut or overlong");
			store_varint(field->type, to, value);
		}
	}
	*n += more;
	return true;
}

static bool decode_string(struct decoder *decoder, ProtobufCMessage *message,
			  const ProtobufCFieldDescriptor *field, const uint8_t *at, size_t size)
{
	size_t valid = utf8_valid_prefix((const char *)at, size);

	if (valid < size)
		return refuse_field(decoder, message->descriptor, field,
				    at[valid] ? "is not UTF-8" : "holds a NUL");
	*(char **)field_slot(decoder->arena, message, field) =
		arena_strndup(decoder->arena, (const char *)at, size);
	return true;
}

static bool decode_submessage(struct decoder *decoder, ProtobufCMessage *message,
			      const ProtobufCFieldDescriptor *field, const uint8_t *at, size_t size,
			      int depth)
{
	ProtobufCMessage **value;

	if (depth >= DEPTH_MAX)
		return refuse(decoder, "The message is nested more than 100 deep.");
	value = field_slot(decoder->arena, message, field);
	if (!*value)
		*value = rpc_message_new(decoder->arena, field->descriptor);
	else if (decoder->merges++ == MERGES_MAX)
		return refuse_field(decoder, message->descriptor, field, "comes too often");
	return decode_message(decoder, *value, at, at + size, depth + 1);
}

static const uint8_t *decode_bytes(struct decoder *decoder, ProtobufCMessage *message,
				   const ProtobufCFieldDescriptor *field, const uint8_t *at,
				   const uint8_t *end, int depth)
{
	ProtobufCBinaryData data = { 0 };
	bool ok = true;
	uint64_t size;

	at = read_varint(at, end, &size);
	if (!at || size > (size_t)(end - at)) {
		refuse(decoder, truncated);
		return NULL;
	}
	if (field->type == PROTOBUF_C_TYPE_STRING) {
		ok = decode_string(decoder, message, field, at, size);
	} else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		ok = decode_submessage(decoder, message, field, at, size, depth);
	} else if (field->type == PROTOBUF_C_TYPE_BYTES) {
		data.len = size;
		data.data = size ? arena_memdup(decoder->arena, at, size) : NULL;
		*(ProtobufCBinaryData *)field_slot(decoder->arena, message, field) = data;
	} else {
		ok = decode_packed(decoder, message, field, at, at + size);
	}
	return ok ? at + size : NULL;
}

static const uint8_t *decode_field(struct decoder *decoder, ProtobufCMessage *message,
				   const ProtobufCFieldDescriptor *field, const uint8_t *at,
				   const uint8_t *end, unsigned wire, int depth)
{
	size_t size = wire == WIRE_64 ? 8 : 4;
	uint64_t value;

	if (wire == WIRE_BYTES)
		return decode_bytes(decoder, message, field, at, end, depth);
	if (wire == WIRE_VARINT) {
		at = read_varint(at, end, &value);
		if (!at) {
			refuse_field(decoder, message->descriptor, field, "is cut or overlong");
			return NULL;
		}
		store_varint(field->type, field_slot(decoder->arena, message, field), value);
		return at;
	}
	if ((size_t)(end - at) < size) {
		refuse(decoder, truncated);
		return NULL;
	}
	memcpy(field_slot(decoder->arena, message, field), at, size);
	return at + size;
}

static const uint8_t *read_tag(struct decoder *decoder, const uint8_t *at, const uint8_t *end,
			       uint32_t *number, unsigned *wire)
{
	uint64_t tag;

	at = read_varint(at, end, &tag);
	if (!at) {
		refuse(decoder, truncated);
		return NULL;
	}
	*number = (uint32_t)(tag >> 3);
	*wire = tag & 7;
	if (tag > UINT32_MAX || !*number || *wire > WIRE_32) {
		refuse(decoder, "The bytes are not a protobuf message: a field has an impossible "
				"number or wire type.");
		return NULL;
	}
	return at;
}

/* The byte after an unknown field's value; a group is passed over with what it holds. */
static const uint8_t *skip(struct decoder *decoder, const uint8_t *at, const uint8_t *end,
			   uint32_t number, unsigned wire)
{
	uint32_t open[DEPTH_MAX];
	int depth = 0;

	for (;;) {
		uint64_t size = wire == WIRE_64 ? 8 : wire == WIRE_32 ? 4 : 0;

		if (wire == WIRE_GROUP) {
			if (depth == DEPTH_MAX) {
				refuse(decoder, "The message is nested more than 100 deep.");
				return NULL;
			}
			open[depth++] = number;
		} else if (wire == WIRE_GROUP_END) {
			if (!depth || open[--depth] != number) {
				refuse(decoder, "The message ends a group that it has not begun.");
				return NULL;
			}
		} else if (wire == WIRE_VARINT || wire == WIRE_BYTES) {
			at = read_varint(at, end, &size);
			if (wire == WIRE_VARINT)
				size = 0;
		}
		if (!at || size > (size_t)(end - at)) {
			refuse(decoder, truncated);
			return NULL;
		}
		at += size;
		if (!depth)
			return at;
		at = read_tag(decoder, at, end, &number, &wire);
		if (!at)
			return NULL;
	}
}

static const uint8_t *keep_unknown(struct decoder *decoder, ProtobufCMessage *message,
				   const uint8_t *at, const uint8_t *end, uint32_t number,
				   unsigned wire)
{
	const uint8_t *after = skip(decoder, at, end, number, wire);
	ProtobufCMessageUnknownField *field;

	if (!after)
		return NULL;
	if (decoder->unknown_fields++ == UNKNOWN_FIELDS_MAX) {
		refuse(decoder, "The message has more than 10000 unknown fields.");
		return NULL;
	}
	message->unknown_fields =
		rpc_array_room(decoder->arena, message->unknown_fields, message->n_unknown_fields,
			       1, sizeof(*message->unknown_fields));
	field = &message->unknown_fields[message->n_unknown_fields++];
	*field = (ProtobufCMessageUnknownField){
		.tag = number,
		.wire_type = (ProtobufCWireType)wire,
		.len = (size_t)(after - at),
		.data = arena_memdup(decoder->arena, at, (size_t)(after - at)),
	};
	return after;
}

/* A map's entries: values that did not come are empty, of equal keys the last counts. */
static void finish_maps(struct decoder *decoder, ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;

	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i], *value;
		ProtobufCMessage **entries;
		size_t *n;

		if (!field_is_map(field))
			continue;
		n = rpc_field_count(message, field);
		entries = *(ProtobufCMessage ***)rpc_field_value(message, field);
		*n = map_deduplicate(decoder->arena, entries, *n);
		value = &((const ProtobufCMessageDescriptor *)field->descriptor)->fields[1];
		for (size_t j = 0; value->type == PROTOBUF_C_TYPE_MESSAGE && j < *n; j++) {
			ProtobufCMessage **slot = rpc_field_value(entries[j], value);

			if (!*slot)
				*slot = rpc_message_new(decoder->arena, value->descriptor);
		}
	}
}

static bool decode_message(struct decoder *decoder, ProtobufCMessage *message, const uint8_t *at,
			   const uint8_t *end, int depth)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	unsigned hint = 0, wire;
	bool has_map = false;
	uint32_t number;

	while (at < end) {
		const ProtobufCFieldDescriptor *field;

		at = read_tag(decoder, at, end, &number, &wire);
		if (!at)
			return false;
		field = find_field(descriptor, number, &hint);
		if (field && (wire == wire_types[field->type] ||
			      (wire == WIRE_BYTES && is_packable(field)))) {
			at = decode_field(decoder, message, field, at, end, wire, depth);
			has_map |= field_is_map(field);
		} else {
			at = keep_unknown(decoder, message, at, end, number, wire);
		}
		if (!at)
			return false;
	}
	if (has_map)
		finish_maps(decoder, message);
	return true;
}

ProtobufCMessage *rpc_unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
			     const uint8_t *bytes, size_t size, const char **error)
{
	ProtobufCMessage *message = rpc_message_new(arena, descriptor);
	struct decoder decoder = { .arena = arena };

	if (!size || decode_message(&decoder, message, bytes, bytes + size, 1))
		return message;
	if (error)
		*error = decoder.error;
	return NULL;
}
