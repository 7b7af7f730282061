/*
 * Any bytes as protoc's request: an answer, or a sentence.
 *
 * Random bytes hardly pass the first look. So most inputs are requests that protoc could have made,
 * but for a change or two: a field of some message in it, however deep, is dropped, said twice,
 * moved, or given other bytes, and the lengths around it are put right.
 */
#include "plugin.h"
#include "wire.h"
#include <google/protobuf/compiler/plugin.pb-c.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	Google__Protobuf__Compiler__CodeGeneratorResponse *response;
	const char *error = NULL;
	uint8_t *answer = NULL;
	size_t answer_size = 0;

	if (plugin_run(bytes, size, &answer, &answer_size, &error)) {
		if (!error || !*error)
			abort();
		return 0;
	}
	response = google__protobuf__compiler__code_generator_response__unpack(NULL, answer_size,
									       answer);
	/* Files or a reason not to. */
	if (!response || (response->error && (!*response->error || response->n_file)))
		abort();
	google__protobuf__compiler__code_generator_response__free_unpacked(response, NULL);
	free(answer);
	return 0;
}

enum { FIELDS_MAX = 4096 };

/* A field as it stands in its message. */
struct part {
	const uint8_t *begin, *end;
	struct wire_field field;
};

struct builder {
	uint8_t *bytes;
	size_t size, size_max; /* what does not fit is left out, and size is size_max + 1 */
};

static void add(struct builder *to, const uint8_t *bytes, size_t size)
{
	if (size > to->size_max - to->size || to->size > to->size_max) {
		to->size = to->size_max + 1;
		return;
	}
	if (size)
		memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

static void add_varint(struct builder *to, uint64_t value)
{
	do {
		uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));

		add(to, &byte, 1);
		value >>= 7;
	} while (value);
}

static void add_bytes(struct builder *to, uint32_t number, const uint8_t *bytes, size_t size)
{
	add_varint(to, (uint64_t)number << 3 | 2);
	add_varint(to, size);
	add(to, bytes, size);
}

static unsigned next(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 8) % below;
}

static void mutate(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
		   struct builder *to, unsigned *seed);

static void mutate_part(const ProtobufCMessageDescriptor *descriptor, const struct part *part,
			struct builder *to, unsigned *seed)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(descriptor, part->field.number);
	struct builder inner = { malloc(to->size_max + 1), 0, to->size_max };

	if (!part->field.bytes) {
		uint64_t value = next(seed, 3) ? next(seed, 20)
					       : (uint64_t)next(seed, 1u << 24) << next(seed, 48);

		add_varint(to, (uint64_t)part->field.number << 3);
		add_varint(to, value);
	} else if (field && field->type == PROTOBUF_C_TYPE_MESSAGE) {
		mutate(field->descriptor, part->field.bytes, part->field.size, &inner, seed);
		add_bytes(to, part->field.number, inner.bytes,
			  inner.size <= inner.size_max ? inner.size : 0);
	} else {
		add(&inner, part->field.bytes, part->field.size);
		inner.size = LLVMFuzzerMutate(
			inner.bytes, inner.size <= inner.size_max ? inner.size : 0,
			part->field.size + 16 < inner.size_max ? part->field.size + 16
							       : inner.size_max);
		add_bytes(to, part->field.number, inner.bytes, inner.size);
	}
	free(inner.bytes);
}

static void mutate(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
		   struct builder *to, unsigned *seed)
{
	static struct part all[32][FIELDS_MAX]; /* by depth */
	static unsigned depth;
	struct part *parts = all[depth];
	struct wire wire = { bytes, bytes + size };
	unsigned n = 0, chosen, other, what;

	parts[0].begin = bytes;
	while (n < FIELDS_MAX && wire_next(&wire, &parts[n].field)) {
		parts[n].end = wire.at;
		if (++n < FIELDS_MAX)
			parts[n].begin = wire.at;
	}
	if (!n || depth == 31) {
		add(to, bytes, size);
		return;
	}
	chosen = next(seed, n);
	other = next(seed, n);
	what = next(seed, 16); /* mostly deeper: most there is lies there */
	depth++;
	for (unsigned i = 0; i < n; i++) {
		size_t length = (size_t)(parts[i].end - parts[i].begin);

		if (i == chosen && what == 0)
			continue; /* dropped */
		if (i == chosen && what > 3)
			mutate_part(descriptor, &parts[i], to, seed);
		else
			add(to, parts[i].begin, length);
		if (i == chosen && what == 1)
			add(to, parts[i].begin, length); /* twice */
		if (i == other && what == 2)             /* its bytes under a neighbour's number */
			add_bytes(to, parts[chosen].field.number, parts[i].field.bytes,
				  parts[i].field.size);
		if (i == other && what == 3) /* again, further on */
			add(to, parts[chosen].begin,
			    (size_t)(parts[chosen].end - parts[chosen].begin));
	}
	depth--;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned seed)
{
	struct builder to = { malloc(size_max + 1), 0, size_max };

	if (next(&seed, 8) == 0) {
		free(to.bytes);
		return LLVMFuzzerMutate(bytes, size, size_max);
	}
	mutate(&google__protobuf__compiler__code_generator_request__descriptor, bytes, size, &to,
	       &seed);
	if (to.size <= size_max) {
		memcpy(bytes, to.bytes, to.size);
		size = to.size;
	}
	free(to.bytes);
	return size;
}
