/*
 * Recent: orders as this process has saved them last, for events, which mostly come right behind what
 * they tell of and teach nothing.
 *
 * What stands here may be older than the document. That is no harm to who compares versions, which
 * only grow, or saves, which fails if the version has moved; nobody else may use it.
 */
#include "saga.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 128, BYTES_MAX = 32768 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ProtobufCBinaryData places[PLACES]; /* of an order's id */

static ProtobufCBinaryData *place_of(const char *id)
{
	uint32_t hash = 2166136261;

	for (; *id; id++)
		hash = (hash ^ (uint8_t)*id) * 16777619;
	return &places[hash % PLACES];
}

void recent_note(const OrderRecord *record)
{
	ProtobufCBinaryData packed = { .len = protobuf_c_message_get_packed_size(&record->base) },
			    *place = place_of(record->id);

	packed.data = packed.len <= BYTES_MAX ? malloc(packed.len) : NULL;
	if (packed.data)
		protobuf_c_message_pack(&record->base, packed.data);
	pthread_mutex_lock(&lock);
	free(place->data);
	*place = packed;
	pthread_mutex_unlock(&lock);
}

OrderRecord *recent_find(struct rpc_call *call, const char *id)
{
	const ProtobufCBinaryData *place = place_of(id);
	OrderRecord *record = NULL;
	uint8_t *copy = NULL;
	size_t size;

	pthread_mutex_lock(&lock);
	size = place->len;
	if (place->data)
		copy = malloc(size);
	if (copy)
		memcpy(copy, place->data, size);
	pthread_mutex_unlock(&lock);
	if (copy)
		record = (OrderRecord *)rpc_unpack(rpc_arena(call), &OrderRecord_descriptor, copy,
						   size, NULL);
	free(copy);
	return record && !strcmp(record->id, id) ? record : NULL;
}

void recent_forget(void)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; i < PLACES; i++) {
		free(places[i].data);
		places[i] = (ProtobufCBinaryData){ 0 };
	}
	pthread_mutex_unlock(&lock);
}
