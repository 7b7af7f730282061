/* The wire format, read field by field: for options, which libprotobuf-c leaves as unknown bytes.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	const uint8_t *at, *end;
};

struct wire_field {
	uint32_t number;
	uint64_t value;       /* of varints and fixed numbers */
	const uint8_t *bytes; /* of what has a length; else NULL */
	size_t size;
};

/* false at the end, and when the rest is not a field. */
bool wire_next(struct wire *wire, struct wire_field *ret);
bool wire_varint(struct wire *wire, uint64_t *ret);

/* Whether libprotobuf-c can unpack these bytes without recursing deeper than `depth`. */
bool wire_depth_ok(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
		   int depth);
