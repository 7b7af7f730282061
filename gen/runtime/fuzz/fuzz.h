/* What the harnesses share: an arena for each input, and a property that aborts when it does not
 * hold. */
#pragma once

#include "test_types.msg.h"
#include <crpc/crpc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { FUZZ_ARENA = 8 << 20 };

struct fuzz_input {
	struct arena *arena;
	const uint8_t *bytes;
	size_t size;
	const ProtobufCMessageDescriptor *descriptor; /* chosen by the first byte */
};

/* The harness: 0; it may give up for want of memory. */
int fuzz_one(void *data);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const ProtobufCMessageDescriptor *const fuzz_types[] = {
	&Shapes_descriptor, &Ruled_descriptor, &ThingRequest_descriptor, &Scalars_descriptor,
	&Value_descriptor,  &Any_descriptor,   &Struct_descriptor,
};
static const ProtobufCMessageDescriptor *const fuzz_known[] = {
	&Scalars_descriptor,  &Shapes_descriptor,    &Any_descriptor,
	&Duration_descriptor, &FieldMask_descriptor, &Int64Value_descriptor,
	&Struct_descriptor,   &Timestamp_descriptor, &Value_descriptor,
};
static const struct rpc_type_registry fuzz_registry = { fuzz_known,
							sizeof(fuzz_known) / sizeof(*fuzz_known) };

#define fuzz_require(condition, ...)                                                               \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, __VA_ARGS__);                                              \
			fprintf(stderr, "\n");                                                     \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz_input input = { .bytes = bytes + 1, .size = size - 1 };

	if (!size)
		return 0;
	input.descriptor = fuzz_types[bytes[0] % (sizeof(fuzz_types) / sizeof(*fuzz_types))];
	input.arena = arena_new(FUZZ_ARENA);
	arena_run(input.arena, fuzz_one, &input);
	arena_free(input.arena);
	return 0;
}
