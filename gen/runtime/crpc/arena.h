/* Memory by lifetime: everything that one call needs, freed at once. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;

/*
 * An arena holds at most `cap` bytes. Not thread safe: one thread at a time uses an arena.
 * arena_alloc() never returns NULL: past the cap it unwinds to the arena_run() of this arena that
 * was entered last, and the dispatcher answers RESOURCE_EXHAUSTED, so that a handler has no
 * out-of-memory branch. What handlers hold with cleanup() is released on the way: code between the
 * two is compiled with -fexceptions. Outside of arena_run() it aborts with a sentence.
 */
struct arena *arena_new(size_t cap);
struct arena *arena_free(struct arena *arena);
void arena_reset(struct arena *arena); /* frees all but one block of moderate size */

/* The result of function(data), or -ENOMEM when the arena was full. Nests. */
int arena_run(struct arena *arena, int (*function)(void *data), void *data);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size)
	__attribute__((malloc, alloc_size(2), returns_nonnull));
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *arena_strndup(struct arena *arena, const char *text, size_t length);
void *arena_memdup(struct arena *arena, const void *bytes, size_t size);
/* Takes bytes back from the end: `bytes` is what was allocated last, `size` then. For buffers that
 * grow or were a guess. */
void *arena_resize_last(struct arena *arena, void *bytes, size_t size, size_t new_size);
size_t arena_used(const struct arena *arena);

/* libprotobuf-c unpacks into the arena through this; its free() does nothing. */
ProtobufCAllocator *arena_allocator(struct arena *arena);
