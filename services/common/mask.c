/* Which fields an update changes (AIP-134). */
#include "mask.h"
#include "errors.msg.h"
#include <stdlib.h>
#include <string.h>

static bool any_of(const char *path, const char *const *fields)
{
	for (; *fields; fields++)
		if (!strcmp(path, *fields))
			return true;
	return false;
}

int mask_check(struct rpc_call *call, const FieldMask *mask, const char *const *fields)
{
	for (size_t i = 0; mask && i < mask->n_paths; i++)
		if (strcmp(mask->paths[i], "*") && !any_of(mask->paths[i], fields))
			return rpc_fail(call, UPDATE_MASK_INVALID, { "path", mask->paths[i] });
	return 0;
}

/* Whether a field differs from its default, as proto3 would put it on the wire. */
static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const char *member = (const char *)message + field->offset;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)((const char *)message + field->quantifier_offset);
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)((const char *)message + field->quantifier_offset) ==
		       field->id;
	switch (field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(const void *const *)member;
	case PROTOBUF_C_TYPE_STRING:
		return *(const char *const *)member && **(const char *const *)member;
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)member)->len;
	case PROTOBUF_C_TYPE_BOOL:
		return *(const protobuf_c_boolean *)member;
	case PROTOBUF_C_TYPE_DOUBLE:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return *(const uint64_t *)member;
	default:
		return *(const uint32_t *)member;
	}
}

bool mask_has_(const FieldMask *mask, const ProtobufCMessage *message, const char *field)
{
	const ProtobufCFieldDescriptor *descriptor;

	if (mask && mask->n_paths) {
		for (size_t i = 0; i < mask->n_paths; i++)
			if (!strcmp(mask->paths[i], "*") || !strcmp(mask->paths[i], field))
				return true;
		return false;
	}
	descriptor = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, field);
	if (!descriptor)
		abort(); /* the programmer's: no such field */
	return is_set(message, descriptor);
}
