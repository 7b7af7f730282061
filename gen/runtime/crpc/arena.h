/* Memory by lifetime: everything that one call needs, freed at once. */
#pragma once

#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

struct arena;

/*
 * An arena holds at most `cap` bytes. Not thread safe: one thread at a time uses an arena.
 * arena_alloc() never returns NULL: past the cap it jumps to where arena_guard() was entered, and the dispatcher answers
 * RESOURCE_EXHAUSTED, so that a handler has no out-of-memory branch. Outside a guard it aborts with a sentence.
 */
struct arena *arena_new(size_t cap);
struct arena *arena_free(struct arena *arena);
void arena_reset(struct arena *arena); /* frees all but the first block */

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, alloc_size(2)));
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_strndup(struct arena *arena, const char *text, size_t length);
void *arena_memdup(struct arena *arena, const void *bytes, size_t size);
size_t arena_used(const struct arena *arena);

/* libprotobuf-c unpacks into the arena through this; its free() does nothing. */
ProtobufCAllocator *arena_allocator(struct arena *arena);
