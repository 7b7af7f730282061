/* Arenas: blocks in a chain, bytes handed out in a row, all freed at once. */
#include <crpc/arena.h>
#include <crpc/cleanup.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define ARENA_ASAN
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define ARENA_ASAN
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { REDZONE = 16 }; /* between two objects, so that an overrun is seen */
#define poison(bytes, size) ASAN_POISON_MEMORY_REGION(bytes, size)
#define unpoison(bytes, size) ASAN_UNPOISON_MEMORY_REGION(bytes, size)
void __asan_handle_no_return(void);
#define forget_stack_poison() __asan_handle_no_return()
#else
enum { REDZONE = 0 };
#define poison(bytes, size) ((void)(bytes), (void)(size))
#define unpoison(bytes, size) ((void)(bytes), (void)(size))
#define forget_stack_poison() ((void)0)
#endif

/*
 * Invariants: `blocks` is the block that is handed out from; `kept` the one that a reset keeps: the
 * largest up to KEEP_MAX, so that the next call of the kind finds all its room in it. `reserved`,
 * the bytes of all blocks, never exceeds `cap`, so that the cap bounds what the process really
 * holds. Free bytes are poisoned under ASan.
 */
enum { ALIGNMENT = 16, BLOCK_MIN = 4096, KEEP_MAX = 16 * 1024, BLOCK_MAX = 256 * 1024 };

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(ALIGNMENT) uint8_t bytes[];
};

struct guard {
	jmp_buf target;
	struct guard *outer;
	uintptr_t frame;
};

struct arena {
	struct block *blocks, *kept;
	size_t cap, reserved, used;
	struct guard *guard;
	struct _Unwind_Exception unwinding;
	ProtobufCAllocator allocator;
};

static struct block *block_new(size_t size)
{
	struct block *block = malloc(sizeof(*block) + size);

	if (!block)
		return NULL;
	*block = (struct block){ .size = size };
	poison(block->bytes, size);
	return block;
}

static void block_free(struct block *block)
{
	unpoison(block->bytes, block->size);
	free(block);
}

/* Called for each frame on the way out, after its cleanups have run. */
static _Unwind_Reason_Code unwind_frame(int version, _Unwind_Action actions,
					_Unwind_Exception_Class class,
					struct _Unwind_Exception *exception,
					struct _Unwind_Context *context, void *data)
{
	struct arena *arena = data;

	(void)version;
	(void)class;
	(void)exception;
	if ((actions & _UA_END_OF_STACK) || _Unwind_GetCFA(context) > arena->guard->frame)
		longjmp(arena->guard->target, 1);
	return _URC_NO_REASON;
}

/*
 * A plain longjmp() would pass over every cleanup() between here and the guard: a lock that stays
 * locked, a cursor that stays open, for each call that is too large. So the stack is unwound as
 * pthread_exit() unwinds it.
 */
static _Noreturn void give_up(struct arena *arena, size_t size)
{
	if (!arena->guard) {
		fprintf(stderr,
			"arena: %zu bytes more than the cap of %zu, outside of arena_run()\n", size,
			arena->cap);
		abort();
	}
	forget_stack_poison();
	memset(&arena->unwinding, 0, sizeof(arena->unwinding));
	_Unwind_ForcedUnwind(&arena->unwinding, unwind_frame, arena);
	abort(); /* only when the stack cannot be walked */
}

int arena_run(struct arena *arena, int (*function)(void *data), void *data)
{
	struct guard guard = { .outer = arena->guard };
	int r;

	guard.frame = (uintptr_t)__builtin_frame_address(0);
	arena->guard = &guard;
	if (!setjmp(guard.target))
		r = function(data);
	else
		r = -ENOMEM;
	arena->guard = guard.outer;
	return r;
}

static void *bump(struct arena *arena, struct block *block, size_t size, size_t space)
{
	void *bytes = block->bytes + block->used;

	block->used += space;
	arena->used += space;
	unpoison(bytes, size);
	return bytes;
}

static __attribute__((noinline)) void *allocate_slowly(struct arena *arena, size_t size,
						       size_t space)
{
	size_t left = arena->cap - arena->reserved;
	size_t block_size = arena->blocks ? arena->blocks->size * 2 : BLOCK_MIN;
	struct block *block;

	if (size > left || space > left)
		give_up(arena, size);
	if (block_size > BLOCK_MAX)
		block_size = BLOCK_MAX;
	if (block_size < space)
		block_size = space;
	if (block_size > left)
		block_size = left;
	block = block_new(block_size);
	if (!block)
		give_up(arena, size);
	arena->reserved += block_size;

	/* A large object has a block of its own; what is left of the present one stays in use. */
	if (arena->blocks && block_size - space < arena->blocks->size - arena->blocks->used) {
		block->next = arena->blocks->next;
		arena->blocks->next = block;
	} else {
		block->next = arena->blocks;
		arena->blocks = block;
	}
	if (block_size <= (arena->kept ? KEEP_MAX : BLOCK_MAX))
		arena->kept = block;
	return bump(arena, block, size, space);
}

static void *allocate(struct arena *arena, size_t size)
{
	size_t space = (size + REDZONE + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	struct block *block = arena->blocks;

	if (space < size)
		give_up(arena, size);
	if (block && space <= block->size - block->used)
		return bump(arena, block, size, space);
	return allocate_slowly(arena, size, space);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return memset(allocate(arena, size), 0, size);
}

void *arena_resize_last(struct arena *arena, void *bytes, size_t size, size_t new_size)
{
	size_t space = (size + REDZONE + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	size_t new_space = (new_size + REDZONE + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	struct block *block = arena->blocks;
	void *copy;

	if (new_space < new_size)
		give_up(arena, new_size);
	if (block && (uint8_t *)bytes + space == block->bytes + block->used &&
	    new_space <= block->size - (block->used - space)) {
		block->used += new_space - space;
		arena->used += new_space - space;
		unpoison(bytes, new_size);
		poison((uint8_t *)bytes + new_size,
		       block->bytes + block->size - ((uint8_t *)bytes + new_size));
		return bytes;
	}
	if (new_size <= size)
		return bytes;
	copy = allocate(arena, new_size);
	memcpy(copy, bytes, size);
	return copy;
}

void *arena_memdup(struct arena *arena, const void *bytes, size_t size)
{
	void *copy = allocate(arena, size);

	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
	char *copy = allocate(arena, length + 1);

	if (length)
		memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	char buffer[256];
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vsnprintf(buffer, sizeof(buffer), format, arguments);
	va_end(arguments);
	if (length < 0)
		return arena_strndup(arena, "", 0);
	if ((size_t)length < sizeof(buffer))
		return arena_strndup(arena, buffer, length);

	text = allocate(arena, (size_t)length + 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

static void *allocator_alloc(void *data, size_t size)
{
	return allocate(data, size);
}

static void allocator_free(void *data, void *bytes)
{
	(void)data;
	(void)bytes;
}

ProtobufCAllocator *arena_allocator(struct arena *arena)
{
	return &arena->allocator;
}

struct arena *arena_new(size_t cap)
{
	struct arena *arena = malloc(sizeof(*arena));

	if (!arena) {
		fputs("arena: the process is out of memory\n", stderr);
		abort();
	}
	*arena = (struct arena){
		.cap = cap,
		.allocator = { allocator_alloc, allocator_free, arena },
	};
	return arena;
}

void arena_reset(struct arena *arena)
{
	struct block *next;

	for (struct block *block = arena->blocks; block; block = next) {
		next = block->next;
		if (block != arena->kept)
			block_free(block); /* the kept one serves the next call */
	}
	arena->blocks = arena->kept;
	arena->reserved = arena->used = 0;
	if (arena->kept) {
		arena->kept->next = NULL;
		arena->kept->used = 0;
		poison(arena->kept->bytes, arena->kept->size);
		arena->reserved = arena->kept->size;
	}
}

struct arena *arena_free(struct arena *arena)
{
	if (!arena)
		return NULL;
	arena_reset(arena);
	if (arena->kept)
		block_free(arena->kept);
	free(arena);
	return NULL;
}
