/* Bytes that wait: appended at the end, taken from the front, the memory kept for the next use. */
#pragma once

#include <stddef.h>

/* Invariant: taken <= length <= capacity. All zero is an empty buffer. */
struct buffer {
	char *data;
	size_t taken, length, capacity;
};

static inline size_t buffer_pending(const struct buffer *buffer)
{
	return buffer->length - buffer->taken;
}
static inline char *buffer_front(const struct buffer *buffer)
{
	return buffer->taken ? buffer->data + buffer->taken : buffer->data;
}

/* Where `size` bytes may be written; buffer_added() says how many were. NULL: out of memory. */
char *buffer_room(struct buffer *buffer, size_t size);
static inline void buffer_added(struct buffer *buffer, size_t size)
{
	buffer->length += size;
}
/* 0 or -ENOMEM. */
int buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_take(struct buffer *buffer, size_t size);
/* Empties it; memory above `keep` bytes is given back. */
void buffer_clear(struct buffer *buffer, size_t keep);
void buffer_deinit(struct buffer *buffer);
