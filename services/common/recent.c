/* Recent: documents as this process has written them last, for whoever mostly comes right behind. */
#include <common/clock.h>
#include <common/hash.h>
#include <common/recent.h>
#include <crpc/message.h>
#include <stdlib.h>
#include <string.h>

static struct recent_place *place_of(struct recent *recent, const char *id)
{
	return &recent->places[hash_text(0, id) % RECENT_PLACES];
}

static void freep(uint8_t **bytes)
{
	free(*bytes);
}

static void empty(struct recent_place *place)
{
	free(place->id);
	free(place->packed.data);
	*place = (struct recent_place){ 0 };
}

void recent_note(struct recent *recent, struct rpc_call *call, const char *id,
		 const ProtobufCMessage *record)
{
	ProtobufCBinaryData packed = rpc_pack(rpc_arena(call), record);
	struct recent_place *place = place_of(recent, id),
			    made = { .packed.len = packed.len, .noted_ms = clock_monotonic_ms() };

	if (packed.len <= RECENT_BYTES_MAX)
		made.packed.data = malloc(packed.len + 1);
	if (made.packed.data)
		made.id = strdup(id);
	if (made.id)
		memcpy(made.packed.data, packed.data, packed.len);
	else
		empty(&made);
	pthread_mutex_lock(&recent->lock);
	empty(place);
	*place = made;
	pthread_mutex_unlock(&recent->lock);
}

ProtobufCMessage *recent_find(struct recent *recent, struct rpc_call *call, const char *id)
{
	const struct recent_place *place = place_of(recent, id);
	cleanup(freep) uint8_t *copy = NULL;
	size_t size = 0;

	pthread_mutex_lock(&recent->lock);
	if (place->id && !strcmp(place->id, id) &&
	    (!recent->keep_ms || clock_monotonic_ms() - place->noted_ms < recent->keep_ms)) {
		size = place->packed.len;
		copy = malloc(size + 1);
		if (copy)
			memcpy(copy, place->packed.data, size);
	}
	pthread_mutex_unlock(&recent->lock);
	return copy ? rpc_unpack(rpc_arena(call), recent->type, copy, size, NULL) : NULL;
}

void recent_drop(struct recent *recent, const char *id)
{
	struct recent_place *place = place_of(recent, id);

	pthread_mutex_lock(&recent->lock);
	if (place->id && !strcmp(place->id, id))
		empty(place);
	pthread_mutex_unlock(&recent->lock);
}

void recent_forget(struct recent *recent)
{
	pthread_mutex_lock(&recent->lock);
	for (int i = 0; i < RECENT_PLACES; i++)
		empty(&recent->places[i]);
	pthread_mutex_unlock(&recent->lock);
}
