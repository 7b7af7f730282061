/* Packing messages: in one pass, from the last byte to the first. */
#pragma once

#include <crpc/cleanup.h>
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_PACK_FIRST = 4096 };

/* On the stack of who packs; what is larger than `first` moves to the heap. */
struct wire_pack {
	uint8_t *start, *at, *end; /* packed so far: [at, end) */
	uint8_t *heap;
	uint8_t first[WIRE_PACK_FIRST];
};

/* The bytes are pack->at, wire_packed(pack) of them, until wire_pack_done(). */
void wire_pack(struct wire_pack *pack, const ProtobufCMessage *message);
/* At the end of [start, end); what does not fit there moves to the heap as well. */
void wire_pack_into(struct wire_pack *pack, uint8_t *start, uint8_t *end,
		    const ProtobufCMessage *message);
void wire_pack_done(struct wire_pack *pack);

static inline size_t wire_packed(const struct wire_pack *pack)
{
	return (size_t)(pack->end - pack->at);
}
