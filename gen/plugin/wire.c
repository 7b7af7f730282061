/* The wire format, read field by field. */
#include "wire.h"

bool wire_varint(struct wire *wire, uint64_t *ret)
{
	uint64_t value = 0;

	for (int shift = 0; shift < 64 && wire->at < wire->end; shift += 7) {
		uint8_t byte = *wire->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool fixed(struct wire *wire, size_t size, uint64_t *ret)
{
	uint64_t value = 0;

	if ((size_t)(wire->end - wire->at) < size)
		return false;
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)wire->at[i] << (8 * i);
	wire->at += size;
	*ret = value;
	return true;
}

bool wire_next(struct wire *wire, struct wire_field *ret)
{
	uint64_t tag, size;

	*ret = (struct wire_field){ 0 };
	if (wire->at >= wire->end || !wire_varint(wire, &tag) || tag >> 3 > UINT32_MAX)
		return false;
	ret->number = tag >> 3;
	switch (tag & 7) {
	case 0:
		return wire_varint(wire, &ret->value);
	case 1:
		return fixed(wire, 8, &ret->value);
	case 5:
		return fixed(wire, 4, &ret->value);
	case 2:
		if (!wire_varint(wire, &size) || size > (size_t)(wire->end - wire->at))
			return false;
		ret->bytes = wire->at;
		ret->size = size;
		wire->at += size;
		return true;
	default:
		return false; /* groups */
	}
}

bool wire_depth_ok(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
		   int depth)
{
	struct wire wire = { bytes, bytes + size };
	struct wire_field part;

	if (depth <= 0)
		return false;
	while (wire_next(&wire, &part)) {
		const ProtobufCFieldDescriptor *field;

		if (!part.bytes)
			continue;
		field = protobuf_c_message_descriptor_get_field(descriptor, part.number);
		if (field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
		    !wire_depth_ok(field->descriptor, part.bytes, part.size, depth - 1))
			return false;
	}
	return wire.at == wire.end;
}
