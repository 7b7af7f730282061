/* Messages by descriptor, for the runtime's own files. */
#pragma once

#include "text.h"
#include <crpc/message.h>

enum { DEPTH_MAX = 100 };

static inline uint32_t *oneof_case(const ProtobufCMessage *message,
				   const ProtobufCFieldDescriptor *field)
{
	return (uint32_t *)((char *)message + field->quantifier_offset);
}

static inline protobuf_c_boolean *has_flag(const ProtobufCMessage *message,
					   const ProtobufCFieldDescriptor *field)
{
	return (protobuf_c_boolean *)((char *)message + field->quantifier_offset);
}

/* rpc_field_set() where most fields need none of it. */
static inline void *field_slot(struct arena *arena, ProtobufCMessage *message,
			       const ProtobufCFieldDescriptor *field)
{
	if (field->label == PROTOBUF_C_LABEL_NONE && !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
		return rpc_field_value(message, field);
	return rpc_field_set(arena, message, field);
}

/* Strings and messages tell by their pointer. */
static inline bool has_flag_of_its_own(const ProtobufCFieldDescriptor *field)
{
	return field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE;
}

static inline bool field_is_map(const ProtobufCFieldDescriptor *field)
{
	const struct rpc_message_info *info;

	if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label != PROTOBUF_C_LABEL_REPEATED)
		return false;
	info = rpc_message_info(field->descriptor);
	return info && info->map_entry;
}

static inline enum rpc_kind message_kind(const ProtobufCMessageDescriptor *descriptor)
{
	const struct rpc_message_info *info = rpc_message_info(descriptor);

	return info ? info->kind : RPC_KIND_MESSAGE;
}

/* Where we are, innermost first; lives on the stack of the recursion. */
struct field_path {
	const struct field_path *outer;
	const char *name; /* of a field, or a map's key; NULL: an index */
	size_t length;    /* of the name, or PATH_TERMINATED */
	size_t index;
	bool is_key;
};
#define PATH_TERMINATED SIZE_MAX /* the name ends at its NUL */

/* "items[2].price.units", "labels[color]" */
void field_path_print(const struct field_path *path, struct text *text);

/* The field of exactly this name as the .proto spells it, or NULL. */
const ProtobufCFieldDescriptor *field_by_name(const ProtobufCMessageDescriptor *descriptor,
					      const char *name, size_t length);

/* Takes out entries whose key comes again: the last stays, at the first one's place. Returns how
 * many are left. */
size_t map_deduplicate(struct arena *arena, ProtobufCMessage **entries, size_t n);
