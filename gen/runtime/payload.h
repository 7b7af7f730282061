/* Payloads: a message as it goes over the wire, packed and perhaps compressed. */
#pragma once

#include "core.h"

/* Messages below this are sent as they are: gzip would not make them smaller. */
enum { COMPRESS_FROM = 1024 };

grpc_byte_buffer *payload_pack(const ProtobufCMessage *message);
grpc_slice payload_pack_slice(const ProtobufCMessage *message);
/* The op that sends a packed message, which the caller keeps until its end; compressed if the call
 * is. */
void payload_send_op(grpc_op *op, grpc_byte_buffer *buffer, bool compress);

/*
 * What is received arrives as the peer sent it: the core would decompress without a limit, and a
 * kilobyte can be a megabyte of zeros.
 */
struct payload {
	const ProtobufCMessageDescriptor *type;
	size_t limit; /* bytes of the message; 0: as the arena has room */
	ProtobufCMessage *message;
	size_t size;
	bool compressed;
	const char *problem; /* a sentence */
};
enum { PAYLOAD_TOO_LARGE = 1, PAYLOAD_MALFORMED };
/* Reads the buffer into payload->message. 0, PAYLOAD_TOO_LARGE or PAYLOAD_MALFORMED. */
int payload_unpack(struct arena *arena, grpc_byte_buffer *buffer, struct payload *payload);
