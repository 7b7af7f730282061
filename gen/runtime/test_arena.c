/* Arenas: what they hold, where they stop, what is released on the way out. */
#include <crpc/arena.h>
#include <crpc/cleanup.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <test.h>

static struct arena *arena;
static int released;

static void setup(void)
{
	arena = arena_new(1 << 20);
	released = 0;
}

static void teardown(void)
{
	arena = arena_free(arena);
}

static void release(int *value)
{
	released += *value;
}

static __attribute__((noinline)) void allocate_forever(void)
{
	for (;;)
		memset(arena_alloc(arena, 1000), 1, 1000);
}

static int use_too_much(void *data)
{
	cleanup(release) int handle = 1;

	allocate_forever();
	return handle;
}

static int use_little(void *data)
{
	memset(arena_alloc(arena, 100), 1, 100);
	return 7;
}

static int nest(void *data)
{
	cleanup(release) int handle = 10;
	int r = arena_run(arena, use_too_much, NULL);

	return r == -ENOMEM && handle == 10 ? 5 : 6;
}

TEST(memory_is_zeroed_and_aligned_also_after_a_reset)
{
	for (int round = 0; round < 3; round++) {
		for (size_t size = 0; size < 600; size += 7) {
			uint8_t *bytes = arena_alloc(arena, size);

			ck_assert_uint_eq((uintptr_t)bytes % 16, 0);
			for (size_t i = 0; i < size; i++)
				ck_assert_uint_eq(bytes[i], 0);
			memset(bytes, 0xff, size);
		}
		arena_reset(arena);
		ck_assert_uint_eq(arena_used(arena), 0);
	}
}

TEST(large_objects_do_not_waste_the_block_in_use)
{
	char *small = arena_strndup(arena, "small", 5);
	char *large = arena_alloc(arena, 100000);
	char *next = arena_strndup(arena, "next", 4);

	memset(large, 'x', 100000);
	ck_assert_str_eq(small, "small");
	ck_assert_str_eq(next, "next");
	ck_assert_int_lt(next - small, 4096);
}

TEST(a_full_arena_ends_the_run_and_releases_handles)
{
	ck_assert_int_eq(arena_run(arena, use_too_much, NULL), -ENOMEM);
	ck_assert_int_eq(released, 1);
	arena_reset(arena);
	ck_assert_int_eq(arena_run(arena, use_little, NULL), 7);
}

TEST(the_innermost_run_ends)
{
	ck_assert_int_eq(arena_run(arena, nest, NULL), 5);
	ck_assert_int_eq(released, 11);
}

static int ask_for(void *data)
{
	const volatile size_t *size = data;

	memset(arena_alloc(arena, *size), 1, 1);
	return 0;
}

TEST(a_size_near_the_largest_does_not_wrap)
{
	for (size_t less = 0; less < 40; less++) {
		size_t size = SIZE_MAX - less;

		ck_assert_int_eq(arena_run(arena, ask_for, &size), -ENOMEM);
	}
}

TEST(text_longer_than_the_buffer_is_printed_whole)
{
	char word[1000];
	char *text;

	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	text = arena_printf(arena, "<%s|%d>", word, 42);
	ck_assert_uint_eq(strlen(text), 999 + 5);
	ck_assert_str_eq(text + 1000, "|42>");
}

TEST(the_last_object_grows_in_place_and_an_older_one_moves)
{
	char *first = arena_strndup(arena, "first", 5), *last, *grown;

	last = arena_alloc(arena, 100);
	strcpy(last, "last");
	grown = arena_resize_last(arena, last, 100, 1000);
	ck_assert_ptr_eq(grown, last);
	memset(grown + 100, 1, 900);
	ck_assert_ptr_eq(arena_resize_last(arena, grown, 1000, 16), grown);
	grown = arena_resize_last(arena, first, 6, 50);
	ck_assert_ptr_ne(grown, first);
	ck_assert_str_eq(grown, "first");
	ck_assert_str_eq(last, "last");
}

TEST_MAIN("arena", setup, teardown)
