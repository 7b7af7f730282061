/* What a FileDescriptorProto declares, read from its bytes. */
#include "descriptor_names.h"
#include <string.h>

/*
 * Reflection asks rarely and the descriptors are our own, so they are walked where they are: no
 * index, no tree in memory. Field numbers are those of google/protobuf/descriptor.proto.
 */
struct bytes {
	const uint8_t *at, *end;
};

struct field {
	uint32_t number;
	uint64_t integer;
	struct bytes bytes;
};

static bool read_varint(struct bytes *in, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
		uint8_t byte = *in->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* The next field that is an integer or has a length; descriptors hold no others that matter here.
 */
static bool read_field(struct bytes *in, struct field *ret)
{
	uint64_t tag, length;

	while (in->at < in->end && read_varint(in, &tag)) {
		*ret = (struct field){ .number = (uint32_t)(tag >> 3) };
		switch (tag & 7) {
		case 0:
			return read_varint(in, &ret->integer);
		case 1:
			length = 8;
			break;
		case 2:
			if (!read_varint(in, &length))
				return false;
			break;
		case 5:
			length = 4;
			break;
		default:
			return false;
		}
		if (length > (uint64_t)(in->end - in->at))
			return false;
		ret->bytes = (struct bytes){ in->at, in->at + length };
		in->at += length;
		if ((tag & 7) == 2)
			return true;
	}
	return false;
}

static struct bytes find_bytes(struct bytes in, uint32_t number)
{
	struct field field;

	while (read_field(&in, &field))
		if (field.number == number)
			return field.bytes;
	return (struct bytes){ NULL, NULL };
}

static uint64_t find_integer(struct bytes in, uint32_t number)
{
	struct field field;

	while (read_field(&in, &field))
		if (field.number == number)
			return field.integer;
	return 0;
}

/* If `*rest` begins with the name as a whole part, moves behind it and its dot. */
static bool take_name(const char **rest, struct bytes name)
{
	size_t length = (size_t)(name.end - name.at);

	if (!length || strncmp(*rest, (const char *)name.at, length))
		return false;
	if ((*rest)[length] == '.')
		*rest += length + 1;
	else if (!(*rest)[length])
		*rest += length;
	else
		return false;
	return true;
}

/* Which fields of a descriptor hold what else has a name within it: 0 ends the list. */
struct scope {
	uint32_t number;
	const struct scope *inner;
};

static const struct scope leaf[] = { { 0 } };
static const struct scope enum_scope[] = { { 2, leaf }, { 0 } };
static const struct scope message_scope[] = { { 2, leaf }, { 3, message_scope }, { 4, enum_scope },
					      { 6, leaf }, { 8, leaf },          { 0 } };
static const struct scope service_scope[] = { { 2, leaf }, { 0 } };
static const struct scope file_scope[] = {
	{ 4, message_scope }, { 5, enum_scope }, { 6, service_scope }, { 7, leaf }, { 0 }
};

static bool declares(struct bytes in, const struct scope *scope, const char *rest)
{
	struct field field;

	while (read_field(&in, &field)) {
		const struct scope *entry = scope;
		const char *inner = rest;

		while (entry->number && entry->number != field.number)
			entry++;
		if (!entry->number)
			continue;
		if (take_name(&inner, find_bytes(field.bytes, 1)) &&
		    (!*inner || declares(field.bytes, entry->inner, inner)))
			return true;
		/* A value's full name is a sibling of its enum's. */
		if (entry->inner == enum_scope && declares(field.bytes, enum_scope, rest))
			return true;
	}
	return false;
}

static struct bytes file_bytes(const struct rpc_file *file)
{
	return (struct bytes){ file->descriptor, file->descriptor + file->size };
}

bool file_declares(const struct rpc_file *file, const char *symbol)
{
	struct bytes package = find_bytes(file_bytes(file), 2);

	if (package.at && !take_name(&symbol, package))
		return false;
	return *symbol && declares(file_bytes(file), file_scope, symbol);
}

static void each_extension(struct bytes in, uint32_t extension_field, uint32_t message_field,
			   const char *type, void (*found)(void *data, int32_t number), void *data)
{
	struct field field;

	while (read_field(&in, &field)) {
		struct bytes extendee;

		if (field.number == message_field)
			each_extension(field.bytes, 6, 3, type, found, data);
		if (field.number != extension_field)
			continue;
		extendee = find_bytes(field.bytes, 2);
		if (extendee.at < extendee.end && *extendee.at == '.')
			extendee.at++;
		if ((size_t)(extendee.end - extendee.at) == strlen(type) &&
		    !memcmp(extendee.at, type, strlen(type)))
			found(data, (int32_t)find_integer(field.bytes, 3));
	}
}

void file_each_extension(const struct rpc_file *file, const char *type,
			 void (*found)(void *data, int32_t number), void *data)
{
	each_extension(file_bytes(file), 7, 4, type, found, data);
}
