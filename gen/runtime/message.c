/* Messages by descriptor: making, copying, comparing, finding fields. */
#include "message_private.h"
#include <crpc/message.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

const uint8_t rpc_type_sizes[] = {
	[PROTOBUF_C_TYPE_INT32] = 4,
	[PROTOBUF_C_TYPE_SINT32] = 4,
	[PROTOBUF_C_TYPE_SFIXED32] = 4,
	[PROTOBUF_C_TYPE_INT64] = 8,
	[PROTOBUF_C_TYPE_SINT64] = 8,
	[PROTOBUF_C_TYPE_SFIXED64] = 8,
	[PROTOBUF_C_TYPE_UINT32] = 4,
	[PROTOBUF_C_TYPE_FIXED32] = 4,
	[PROTOBUF_C_TYPE_UINT64] = 8,
	[PROTOBUF_C_TYPE_FIXED64] = 8,
	[PROTOBUF_C_TYPE_FLOAT] = 4,
	[PROTOBUF_C_TYPE_DOUBLE] = 8,
	[PROTOBUF_C_TYPE_BOOL] = sizeof(protobuf_c_boolean),
	[PROTOBUF_C_TYPE_ENUM] = 4,
	[PROTOBUF_C_TYPE_STRING] = sizeof(char *),
	[PROTOBUF_C_TYPE_BYTES] = sizeof(ProtobufCBinaryData),
	[PROTOBUF_C_TYPE_MESSAGE] = sizeof(ProtobufCMessage *),
};

/* What libprotobuf-c does for descriptors without message_init. */
static void set_defaults(const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage *message)
{
	message->descriptor = descriptor;
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

		if (field->label == PROTOBUF_C_LABEL_REPEATED ||
		    (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) || !field->default_value)
			continue;
		if (field->type == PROTOBUF_C_TYPE_STRING)
			*(const void **)rpc_field_value(message, field) = field->default_value;
		else
			memcpy(rpc_field_value(message, field), field->default_value,
			       rpc_type_size(field->type));
	}
}

ProtobufCMessage *rpc_message_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *message = arena_alloc(arena, descriptor->sizeof_message);

	if (descriptor->message_init)
		descriptor->message_init(message);
	else
		set_defaults(descriptor, message);
	return message;
}

/* The power of two at or above n; 0 for 0. */
static size_t capacity_of(size_t n)
{
	return n <= 1 ? n : (size_t)1 << (64 - __builtin_clzl(n - 1));
}

void *rpc_array_room(struct arena *arena, void *array, size_t n, size_t more, size_t element_size)
{
	size_t capacity = capacity_of(n), needed, size;

	if (__builtin_add_overflow(n, more, &needed) || needed > SIZE_MAX / 4)
		needed = SIZE_MAX / 4; /* more than any arena's cap: does not come back */
	if (needed <= capacity)
		return array;
	if (__builtin_mul_overflow(capacity_of(needed), element_size, &size))
		size = SIZE_MAX;
	if (!n)
		return arena_alloc(arena, size);
	return arena_resize_last(arena, array, capacity * element_size, size);
}

bool rpc_field_present(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const void *value = rpc_field_value(message, field);

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *rpc_field_count(message, field) > 0;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *oneof_case(message, field) == field->id;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(void *const *)value != NULL;
	if (field->type == PROTOBUF_C_TYPE_STRING) {
		const char *string = *(const char *const *)value;

		if (field->label == PROTOBUF_C_LABEL_NONE)
			return string && *string;
		return string && string != field->default_value;
	}
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
		return *has_flag(message, field);
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)value)->len > 0;
	/* A negative zero is zero, as libprotobuf-c packs it. */
	if (field->type == PROTOBUF_C_TYPE_DOUBLE)
		return *(const double *)value != 0;
	if (field->type == PROTOBUF_C_TYPE_FLOAT)
		return *(const float *)value != 0;
	if (rpc_type_size(field->type) == 4)
		return *(const uint32_t *)value != 0;
	return *(const uint64_t *)value != 0;
}

void rpc_field_clear(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	void *value = rpc_field_value(message, field);

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		*rpc_field_count(message, field) = 0;
		*(void **)value = NULL;
		return;
	}
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		if (*oneof_case(message, field) != field->id)
			return;
		*oneof_case(message, field) = 0;
	} else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && has_flag_of_its_own(field)) {
		*has_flag(message, field) = 0;
	}
	if (field->type == PROTOBUF_C_TYPE_STRING)
		*(const void **)value = field->default_value;
	else if (field->default_value && field->type != PROTOBUF_C_TYPE_MESSAGE)
		memcpy(value, field->default_value, rpc_type_size(field->type));
	else
		memset(value, 0, rpc_type_size(field->type));
}

void *rpc_field_set(struct arena *arena, ProtobufCMessage *message,
		    const ProtobufCFieldDescriptor *field)
{
	void *value = rpc_field_value(message, field);

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t *n = rpc_field_count(message, field), size = rpc_type_size(field->type);
		void **array = value;

		*array = rpc_array_room(arena, *array, *n, 1, size);
		return memset((char *)*array + (*n)++ * size, 0, size);
	}
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		if (*oneof_case(message, field) != field->id) {
			*oneof_case(message, field) = field->id;
			memset(value, 0, rpc_type_size(field->type));
		}
	} else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && has_flag_of_its_own(field)) {
		*has_flag(message, field) = 1;
	}
	return value;
}

/* `name` may hold NULs: then strncmp() ends at the first one, and `other` is shorter than `name`. */
static int compare_name(const char *name, size_t length, const char *other)
{
	int order = strncmp(name, other, length);
	size_t other_length;

	if (order)
		return order;
	other_length = strlen(other);
	return (length > other_length) - (length < other_length);
}

const ProtobufCFieldDescriptor *rpc_field_by_json_name(const ProtobufCMessageDescriptor *descriptor,
						       const char *name, size_t length)
{
	const struct rpc_message_info *info = rpc_message_info(descriptor);
	unsigned low = 0, high = descriptor->n_fields;

	while (low < high) {
		unsigned middle = (low + high) / 2,
			 index = info->fields_sorted_by_json_name[middle];
		const char *other = info->fields[index].json_name;
		int order = compare_name(name, length, other);

		if (!order)
			return &descriptor->fields[index];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return field_by_name(descriptor, name, length);
}

const ProtobufCFieldDescriptor *field_by_name(const ProtobufCMessageDescriptor *descriptor,
					      const char *name, size_t length)
{
	unsigned low = 0, high = descriptor->n_fields;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const ProtobufCFieldDescriptor *field =
			&descriptor->fields[descriptor->fields_sorted_by_name[middle]];
		int order = compare_name(name, length, field->name);

		if (!order)
			return field;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const ProtobufCMessageDescriptor *rpc_type_find(const struct rpc_type_registry *types,
						const char *name, size_t length)
{
	size_t low = 0, high = types ? types->n_types : 0;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const char *other = types->types[middle]->name;
		int order = compare_name(name, length, other);

		if (!order)
			return types->types[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* --- copy ------------------------------------------------------------------------------------ */

static void copy_value(struct arena *arena, ProtobufCType type, void *to, const void *from)
{
	if (type == PROTOBUF_C_TYPE_STRING) {
		const char *string = *(const char *const *)from;

		*(const char **)to = string ? arena_strndup(arena, string, strlen(string)) : NULL;
	} else if (type == PROTOBUF_C_TYPE_BYTES) {
		const ProtobufCBinaryData *bytes = from;

		*(ProtobufCBinaryData *)to = (ProtobufCBinaryData){
			bytes->len,
			bytes->len ? arena_memdup(arena, bytes->data, bytes->len) : NULL,
		};
	} else if (type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessage *message = *(ProtobufCMessage *const *)from;

		*(ProtobufCMessage **)to = message ? rpc_message_copy(arena, message) : NULL;
	} else {
		memcpy(to, from, rpc_type_size(type));
	}
}

static void copy_field(struct arena *arena, ProtobufCMessage *to, const ProtobufCMessage *from,
		       const ProtobufCFieldDescriptor *field)
{
	size_t n, size = rpc_type_size(field->type);
	char *array;

	if (field->label != PROTOBUF_C_LABEL_REPEATED) {
		copy_value(arena, field->type, rpc_field_set(arena, to, field),
			   rpc_field_value(from, field));
		return;
	}
	n = *rpc_field_count(from, field);
	array = rpc_array_room(arena, NULL, 0, n, size);
	for (size_t i = 0; i < n; i++)
		copy_value(arena, field->type, array + i * size,
			   *(char **)rpc_field_value(from, field) + i * size);
	*(char **)rpc_field_value(to, field) = array;
	*rpc_field_count(to, field) = n;
}

ProtobufCMessage *rpc_message_copy(struct arena *arena, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	ProtobufCMessage *copy = rpc_message_new(arena, descriptor);

	for (unsigned i = 0; i < descriptor->n_fields; i++)
		if (rpc_field_present(message, &descriptor->fields[i]))
			copy_field(arena, copy, message, &descriptor->fields[i]);
	if (message->n_unknown_fields) {
		copy->unknown_fields = rpc_array_room(arena, NULL, 0, message->n_unknown_fields,
						      sizeof(*copy->unknown_fields));
		for (unsigned i = 0; i < message->n_unknown_fields; i++) {
			copy->unknown_fields[i] = message->unknown_fields[i];
			copy->unknown_fields[i].data =
				arena_memdup(arena, message->unknown_fields[i].data,
					     message->unknown_fields[i].len);
		}
		copy->n_unknown_fields = message->n_unknown_fields;
	}
	return copy;
}

/* --- equality -------------------------------------------------------------------------------- */

static bool equal_values(ProtobufCType type, const void *a, const void *b)
{
	if (type == PROTOBUF_C_TYPE_STRING) {
		const char *one = *(const char *const *)a, *other = *(const char *const *)b;

		return !strcmp(one ? one : "", other ? other : "");
	}
	if (type == PROTOBUF_C_TYPE_BYTES) {
		const ProtobufCBinaryData *one = a, *other = b;

		return one->len == other->len &&
		       (!one->len || !memcmp(one->data, other->data, one->len));
	}
	if (type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessage *one = *(ProtobufCMessage *const *)a,
				       *other = *(ProtobufCMessage *const *)b;

		return one == other || (one && other && rpc_message_equal(one, other));
	}
	return !memcmp(a, b, rpc_type_size(type)); /* doubles bit by bit: NaN equals itself */
}

/* Keys differ within a map: each entry of one needs its equal in the other, whose search begins
 * where the last was found. */
static bool equal_maps(ProtobufCMessage *const *a, ProtobufCMessage *const *b, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		size_t tried = 0;

		while (tried < n && !rpc_message_equal(a[i], b[at])) {
			at = (at + 1) % n;
			tried++;
		}
		if (tried == n)
			return false;
		at = (at + 1) % n;
	}
	return true;
}

bool rpc_field_equal(const ProtobufCMessage *a, const ProtobufCMessage *b,
		     const ProtobufCFieldDescriptor *field)
{
	const char *one = rpc_field_value(a, field), *other = rpc_field_value(b, field);
	size_t n, size = rpc_type_size(field->type);

	if (rpc_field_present(a, field) != rpc_field_present(b, field))
		return false;
	if (!rpc_field_present(a, field))
		return true;
	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return equal_values(field->type, one, other);
	n = *rpc_field_count(a, field);
	if (n != *rpc_field_count(b, field))
		return false;
	one = *(const char *const *)one;
	other = *(const char *const *)other;
	if (field_is_map(field))
		return equal_maps((ProtobufCMessage *const *)one, (ProtobufCMessage *const *)other,
				  n);
	for (size_t i = 0; i < n; i++)
		if (!equal_values(field->type, one + i * size, other + i * size))
			return false;
	return true;
}

bool rpc_message_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	const ProtobufCMessageDescriptor *descriptor = a->descriptor;

	if (descriptor != b->descriptor || a->n_unknown_fields != b->n_unknown_fields)
		return false;
	for (unsigned i = 0; i < a->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *one = &a->unknown_fields[i],
						   *other = &b->unknown_fields[i];

		if (one->tag != other->tag || one->wire_type != other->wire_type ||
		    one->len != other->len || memcmp(one->data, other->data, one->len))
			return false;
	}
	for (unsigned i = 0; i < descriptor->n_fields; i++)
		if (!rpc_field_equal(a, b, &descriptor->fields[i]))
			return false;
	return true;
}

/* --- maps ------------------------------------------------------------------------------------ */

/* SipHash with a key of the process, so that nobody can choose keys that collide. */
static unsigned char hash_key[crypto_shorthash_KEYBYTES];
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void)
{
	randombytes_buf(hash_key, sizeof(hash_key));
}

static uint64_t key_hash(ProtobufCType type, const void *key)
{
	const char *string = type == PROTOBUF_C_TYPE_STRING ? *(const char *const *)key : NULL;
	uint64_t hash;

	if (string)
		crypto_shorthash((unsigned char *)&hash, (const unsigned char *)string,
				 strlen(string), hash_key);
	else
		crypto_shorthash((unsigned char *)&hash, key, rpc_type_size(type), hash_key);
	return hash;
}

static bool equal_keys(const ProtobufCFieldDescriptor *key, const ProtobufCMessage *a,
		       const ProtobufCMessage *b)
{
	return equal_values(key->type, rpc_field_value(a, key), rpc_field_value(b, key));
}

size_t map_deduplicate(struct arena *arena, ProtobufCMessage **entries, size_t n)
{
	const ProtobufCFieldDescriptor *key;
	size_t kept = 0, slots;
	uint32_t *table;

	if (n < 2)
		return n;
	key = &entries[0]->descriptor->fields[0];
	if (n <= 8) {
		for (size_t i = 0; i < n; i++) {
			size_t j = 0;

			while (j < kept && !equal_keys(key, entries[i], entries[j]))
				j++;
			entries[j] = entries[i];
			kept += j == kept;
		}
		return kept;
	}

	/* Open addressing with triangular steps. */
	pthread_once(&hash_once, make_hash_key);
	slots = capacity_of(n * 2);
	table = arena_alloc(arena, slots * sizeof(*table)); /* index + 1 */
	for (size_t i = 0; i < n; i++) {
		size_t slot = key_hash(key->type, rpc_field_value(entries[i], key)) & (slots - 1);

		for (size_t step = 1;
		     table[slot] && !equal_keys(key, entries[i], entries[table[slot] - 1]); step++)
			slot = (slot + step) & (slots - 1);
		if (!table[slot])
			table[slot] = (uint32_t)++kept;
		entries[table[slot] - 1] = entries[i];
	}
	return kept;
}
