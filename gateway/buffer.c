/* Bytes that wait. */
#include "buffer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 2048 };

char *buffer_room(struct buffer *buffer, size_t size)
{
	size_t pending = buffer_pending(buffer), capacity;
	char *data;

	if (size <= buffer->capacity - buffer->length)
		return buffer->data + buffer->length;
	if (buffer->taken && size <= buffer->capacity - pending) {
		memmove(buffer->data, buffer_front(buffer), pending);
		buffer->taken = 0;
		buffer->length = pending;
		return buffer->data + pending;
	}

	capacity = buffer->capacity ? buffer->capacity : CAPACITY_MIN;
	while (capacity - pending < size) {
		if (__builtin_mul_overflow(capacity, (size_t)2, &capacity))
			return NULL;
	}
	data = malloc(capacity);
	if (!data)
		return NULL;
	if (pending)
		memcpy(data, buffer_front(buffer), pending);
	free(buffer->data);
	*buffer = (struct buffer){ .data = data, .length = pending, .capacity = capacity };
	return data + pending;
}

int buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
	char *room;

	if (!size)
		return 0;
	room = buffer_room(buffer, size);
	if (!room)
		return -ENOMEM;
	memcpy(room, bytes, size);
	buffer_added(buffer, size);
	return 0;
}

void buffer_take(struct buffer *buffer, size_t size)
{
	buffer->taken += size;
	if (buffer->taken == buffer->length)
		buffer->taken = buffer->length = 0;
}

void buffer_clear(struct buffer *buffer, size_t keep)
{
	buffer->taken = buffer->length = 0;
	if (buffer->capacity > keep)
		buffer_deinit(buffer);
}

void buffer_deinit(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}
