/* Packing messages: in one pass, from the last byte to the first. */
#include "wire_pack.h"
#include "message_private.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>

/*
 * A message in a message is preceded by its length, so whoever packs forwards measures first, and
 * libprotobuf-c measures each message once for each message around it. Backwards the length is
 * known when its turn comes. What is packed, and in which order, is as libprotobuf-c does it.
 */
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static const struct {
	uint8_t wire, size; /* of the member */
} types[] = {
	[PROTOBUF_C_TYPE_INT32] = { WIRE_VARINT, 4 },
	[PROTOBUF_C_TYPE_SINT32] = { WIRE_VARINT, 4 },
	[PROTOBUF_C_TYPE_SFIXED32] = { WIRE_32, 4 },
	[PROTOBUF_C_TYPE_INT64] = { WIRE_VARINT, 8 },
	[PROTOBUF_C_TYPE_SINT64] = { WIRE_VARINT, 8 },
	[PROTOBUF_C_TYPE_SFIXED64] = { WIRE_64, 8 },
	[PROTOBUF_C_TYPE_UINT32] = { WIRE_VARINT, 4 },
	[PROTOBUF_C_TYPE_FIXED32] = { WIRE_32, 4 },
	[PROTOBUF_C_TYPE_UINT64] = { WIRE_VARINT, 8 },
	[PROTOBUF_C_TYPE_FIXED64] = { WIRE_64, 8 },
	[PROTOBUF_C_TYPE_FLOAT] = { WIRE_32, 4 },
	[PROTOBUF_C_TYPE_DOUBLE] = { WIRE_64, 8 },
	[PROTOBUF_C_TYPE_BOOL] = { WIRE_VARINT, sizeof(protobuf_c_boolean) },
	[PROTOBUF_C_TYPE_ENUM] = { WIRE_VARINT, 4 },
	[PROTOBUF_C_TYPE_STRING] = { WIRE_BYTES, sizeof(char *) },
	[PROTOBUF_C_TYPE_BYTES] = { WIRE_BYTES, sizeof(ProtobufCBinaryData) },
	[PROTOBUF_C_TYPE_MESSAGE] = { WIRE_BYTES, sizeof(ProtobufCMessage *) },
};

static void pack_message(struct wire_pack *pack, const ProtobufCMessage *message);

/* What is packed stands at the end of the larger piece. */
static void grow(struct wire_pack *pack, size_t size)
{
	size_t packed = wire_packed(pack), capacity = (size_t)(pack->end - pack->start);
	uint8_t *larger;

	while (capacity - packed < size)
		capacity *= 4;
	larger = malloc(capacity);
	if (!larger)
		abort();
	memcpy(larger + capacity - packed, pack->at, packed);
	free(pack->heap);
	pack->heap = pack->start = larger;
	pack->end = larger + capacity;
	pack->at = pack->end - packed;
}

static inline uint8_t *take(struct wire_pack *pack, size_t size)
{
	if ((size_t)(pack->at - pack->start) < size)
		grow(pack, size);
	return pack->at -= size;
}

static inline void pack_bytes(struct wire_pack *pack, const void *bytes, size_t size)
{
	if (size)
		memcpy(take(pack, size), bytes, size);
}

static inline void pack_varint(struct wire_pack *pack, uint64_t value)
{
	uint8_t *to;

	if (value < 0x80) {
		*take(pack, 1) = (uint8_t)value;
		return;
	}
	to = take(pack, ((size_t)(63 - __builtin_clzll(value)) * 9 + 73) / 64);
	for (; value >= 0x80; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to = (uint8_t)value;
}

static inline uint64_t zigzag(int64_t value)
{
	return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static void pack_value(struct wire_pack *pack, const ProtobufCFieldDescriptor *field,
		       const void *member)
{
	const ProtobufCBinaryData *bytes;
	const char *text;
	uint64_t bits64;
	uint32_t bits32;
	size_t before;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM:
		pack_varint(pack, (uint64_t)(int64_t) * (const int32_t *)member);
		break;
	case PROTOBUF_C_TYPE_SINT32:
		pack_varint(pack, (uint32_t)zigzag(*(const int32_t *)member));
		break;
	case PROTOBUF_C_TYPE_SINT64:
		pack_varint(pack, zigzag(*(const int64_t *)member));
		break;
	case PROTOBUF_C_TYPE_UINT32:
		pack_varint(pack, *(const uint32_t *)member);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		pack_varint(pack, *(const uint64_t *)member);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*take(pack, 1) = *(const protobuf_c_boolean *)member != 0;
		break;
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		memcpy(&bits32, member, sizeof(bits32));
		bits32 = htole32(bits32);
		pack_bytes(pack, &bits32, sizeof(bits32));
		break;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		memcpy(&bits64, member, sizeof(bits64));
		bits64 = htole64(bits64);
		pack_bytes(pack, &bits64, sizeof(bits64));
		break;
	case PROTOBUF_C_TYPE_STRING:
		text = *(const char *const *)member;
		before = text ? strlen(text) : 0;
		pack_bytes(pack, text, before);
		pack_varint(pack, before);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		bytes = member;
		pack_bytes(pack, bytes->data, bytes->len);
		pack_varint(pack, bytes->len);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		before = wire_packed(pack);
		if (*(const ProtobufCMessage *const *)member)
			pack_message(pack, *(const ProtobufCMessage *const *)member);
		pack_varint(pack, wire_packed(pack) - before);
		break;
	}
}

static inline void pack_tag(struct wire_pack *pack, uint32_t id, unsigned wire)
{
	pack_varint(pack, (uint64_t)id << 3 | wire);
}

static void pack_repeated(struct wire_pack *pack, const ProtobufCFieldDescriptor *field,
			  const char *elements, size_t n)
{
	size_t size = types[field->type].size, before = wire_packed(pack);

	if (!n)
		return;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) {
		while (n--)
			pack_value(pack, field, elements + n * size);
		pack_varint(pack, wire_packed(pack) - before);
		pack_tag(pack, field->id, WIRE_BYTES);
		return;
	}
	while (n--) {
		pack_value(pack, field, elements + n * size);
		pack_tag(pack, field->id, types[field->type].wire);
	}
}

/* Of a field without presence: whether it has another value than its type's zero. */
static inline bool is_said(const ProtobufCFieldDescriptor *field, const void *member)
{
	_Static_assert(!offsetof(ProtobufCBinaryData, len), "of bytes the length comes first");

	if (types[field->type].wire == WIRE_BYTES)
		return *(const size_t *)member &&
		       (field->type != PROTOBUF_C_TYPE_STRING || **(const char *const *)member);
	if (field->type == PROTOBUF_C_TYPE_FLOAT)
		return *(const float *)member != 0;
	if (field->type == PROTOBUF_C_TYPE_DOUBLE)
		return *(const double *)member != 0;
	return types[field->type].size == 4 ? *(const uint32_t *)member != 0
					    : *(const uint64_t *)member != 0;
}

static inline bool is_there(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
			    const void *member)
{
	if (field->label == PROTOBUF_C_LABEL_NONE && !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
		return is_said(field, member);
	if (field->label == PROTOBUF_C_LABEL_REQUIRED)
		return true;
	return rpc_field_present(message, field) &&
	       (has_flag_of_its_own(field) || *(const void *const *)member);
}

static void pack_message(struct wire_pack *pack, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;

	for (unsigned i = message->n_unknown_fields; i--;) {
		const ProtobufCMessageUnknownField *unknown = &message->unknown_fields[i];

		pack_bytes(pack, unknown->data, unknown->len);
		pack_tag(pack, unknown->tag, unknown->wire_type);
	}
	for (unsigned i = descriptor->n_fields; i--;) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		const char *member = (const char *)message + field->offset;

		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			pack_repeated(pack, field, *(const char *const *)member,
				      *(const size_t *)((const char *)message +
							field->quantifier_offset));
		} else if (is_there(message, field, member)) {
			pack_value(pack, field, member);
			pack_tag(pack, field->id, types[field->type].wire);
		}
	}
}

void wire_pack_into(struct wire_pack *pack, uint8_t *start, uint8_t *end,
		    const ProtobufCMessage *message)
{
	pack->heap = NULL;
	pack->start = start;
	pack->at = pack->end = end;
	pack_message(pack, message);
}

void wire_pack(struct wire_pack *pack, const ProtobufCMessage *message)
{
	wire_pack_into(pack, pack->first, pack->first + sizeof(pack->first), message);
}

ProtobufCBinaryData rpc_pack(struct arena *arena, const ProtobufCMessage *message)
{
	cleanup(wire_pack_done) struct wire_pack pack;
	size_t size;

	wire_pack(&pack, message);
	size = wire_packed(&pack);
	return (ProtobufCBinaryData){ size, size ? arena_memdup(arena, pack.at, size) : NULL };
}

void wire_pack_done(struct wire_pack *pack)
{
	free(pack->heap);
}
