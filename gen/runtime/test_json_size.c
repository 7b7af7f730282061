/* JSON costs in proportion to its length, up to the largest message: counted in bytes, since time is no
 * matter for a test. */
#include "any.msg.h"
#include "test_types.msg.h"
#include <crpc/json.h>
#include <stdlib.h>
#include <string.h>
#include <test.h>

enum { SMALL = 1000, LARGE = 64 * SMALL };

static struct arena *arena;
static size_t copied; /* bytes, where a buffer that grew had to move */

void *__real_arena_resize_last(struct arena *where, void *bytes, size_t size, size_t new_size);
void *__wrap_arena_resize_last(struct arena *where, void *bytes, size_t size, size_t new_size);

void *__wrap_arena_resize_last(struct arena *where, void *bytes, size_t size, size_t new_size)
{
	void *moved = __real_arena_resize_last(where, bytes, size, new_size);

	if (moved != bytes)
		copied += size;
	return moved;
}

static void setup(void)
{
	arena = arena_new((size_t)1 << 28);
}

static void teardown(void)
{
	arena = arena_free(arena);
}

static void fill_numbers(Shapes *shapes, int n)
{
	shapes->numbers = arena_alloc(arena, (size_t)n * sizeof(*shapes->numbers));
	for (shapes->n_numbers = 0; shapes->n_numbers < (size_t)n; shapes->n_numbers++)
		shapes->numbers[shapes->n_numbers] = 12345;
}

static void fill_one_text(Shapes *shapes, int n)
{
	char *text = arena_alloc(arena, (size_t)n * 8 + 1);

	memset(text, 'a', (size_t)n * 8);
	shapes->optional_string = text;
}

static void fill_escapes(Shapes *shapes, int n)
{
	char *text = arena_alloc(arena, (size_t)n * 8 + 1);

	memset(text, '\n', (size_t)n * 8);
	shapes->optional_string = text;
}

static void fill_words(Shapes *shapes, int n)
{
	shapes->words = arena_alloc(arena, (size_t)n * sizeof(*shapes->words));
	for (shapes->n_words = 0; shapes->n_words < (size_t)n; shapes->n_words++)
		shapes->words[shapes->n_words] = "a \"word\"";
}

static void fill_messages(Shapes *shapes, int n)
{
	shapes->scalars = arena_alloc(arena, (size_t)n * sizeof(*shapes->scalars));
	for (shapes->n_scalars = 0; shapes->n_scalars < (size_t)n; shapes->n_scalars++)
		shapes->scalars[shapes->n_scalars] = arena_memdup(
			arena, MSG(Scalars, .double_field = 0.1 + 0.2, .color = COLOR_BLUE),
			sizeof(Scalars));
}

static void fill_map(Shapes *shapes, int n)
{
	shapes->labels = arena_alloc(arena, (size_t)n * sizeof(*shapes->labels));
	for (shapes->n_labels = 0; shapes->n_labels < (size_t)n; shapes->n_labels++)
		shapes->labels[shapes->n_labels] =
			arena_memdup(arena,
				     MSG(ShapesLabelsEntry,
					 .key = arena_printf(arena, "key %zu", shapes->n_labels),
					 .value = "value"),
				     sizeof(ShapesLabelsEntry));
}

static const struct fill {
	void (*fill)(Shapes *shapes, int n);
} fills[] = {
	{ fill_numbers }, { fill_one_text }, { fill_escapes },
	{ fill_words },   { fill_messages }, { fill_map },
};

TEST_EACH(printing_copies_in_proportion_to_the_text, fills)
{
	for (int n = SMALL; n <= LARGE; n *= 4) {
		Shapes *shapes = MSG(Shapes);
		size_t length, used;
		char *text;

		row->fill(shapes, n);
		used = arena_used(arena);
		copied = 0;
		text = rpc_json_print(arena, NULL, &shapes->base, &length, NULL);
		ck_assert_uint_eq(strlen(text), length);
		ck_assert_uint_gt(length, (size_t)n * 5);
		/* A buffer that doubles moves each byte twice at most, and leaves as much behind. */
		ck_assert_uint_le(copied, 2 * length);
		ck_assert_uint_le(arena_used(arena) - used, 4 * length);
	}
}

TEST_EACH(reading_takes_memory_in_proportion_to_the_text, fills)
{
	size_t small = 0;

	for (int n = SMALL; n <= LARGE; n *= 4) {
		Shapes *shapes = MSG(Shapes);
		ProtobufCMessage *again = NULL;
		struct rpc_json_error error;
		size_t length, used;
		char *text;

		row->fill(shapes, n);
		text = rpc_json_print(arena, NULL, &shapes->base, &length, &error);
		used = arena_used(arena);
		ck_assert_int_eq(rpc_json_parse(arena, NULL, &Shapes_descriptor, text, length,
						&again, &error),
				 0);
		ck_assert(rpc_message_equal(&shapes->base, again));
		used = arena_used(arena) - used;
		small = small ? small : used;
		ck_assert_uint_le(used / (size_t)n, 2 * small / SMALL);
	}
}

/* Each level of an Any is unpacked on its own. */
TEST(printing_an_any_in_an_any_unpacks_each_level_once)
{
	static const ProtobufCMessageDescriptor *const known[] = { &Any_descriptor };
	static const struct rpc_type_registry types = { known, 1 };
	struct rpc_json_options options = { .types = &types };
	size_t before = 0, length;
	Any *any = MSG(Any);

	for (int depth = 1; depth <= 64; depth++) {
		size_t used = arena_used(arena);

		if (depth % 16 == 0) {
			ck_assert(rpc_json_print(arena, &options, &any->base, &length, NULL));
			used = arena_used(arena) - used;
			/* A level more is kept for each: the levels' sizes add up, no more. */
			ck_assert_uint_le(before ? used : 0, 5 * before);
			before = used;
		}
		any = arena_memdup(arena,
				   MSG(Any, .type_url = "type.googleapis.com/google.protobuf.Any",
				       .value = rpc_pack(arena, &any->base)),
				   sizeof(*any));
	}
}

TEST_MAIN("json_size", setup, teardown)
