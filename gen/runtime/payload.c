/* Payloads: a message as it goes over the wire, packed and perhaps compressed. */
#include "payload.h"
#include "wire_pack.h"
#include <crpc/cleanup.h>
#include <zlib.h>

enum { INFLATE_FIRST = 4096, ZLIB_OR_GZIP = MAX_WBITS + 32 };

grpc_slice payload_pack_slice(const ProtobufCMessage *message)
{
	cleanup(wire_pack_done) struct wire_pack pack;

	wire_pack(&pack, message);
	return grpc_slice_from_copied_buffer((const char *)pack.at, wire_packed(&pack));
}

grpc_byte_buffer *payload_pack(const ProtobufCMessage *message)
{
	grpc_slice slice = payload_pack_slice(message);
	grpc_byte_buffer *buffer;

	buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buffer;
}

void payload_send_op(grpc_op *op, grpc_byte_buffer *buffer, bool compress)
{
	op->op = GRPC_OP_SEND_MESSAGE;
	op->data.send_message.send_message = buffer;
	if (!compress || grpc_byte_buffer_length(buffer) < COMPRESS_FROM)
		op->flags = GRPC_WRITE_NO_COMPRESS;
}

/* The bytes in a row: the buffer's own where they are, else copied into the arena. */
static ProtobufCBinaryData bytes_of(struct arena *arena, grpc_byte_buffer *buffer)
{
	size_t size = grpc_byte_buffer_length(buffer), at = 0;
	grpc_byte_buffer_reader reader;
	grpc_slice *slice;
	uint8_t *bytes;

	if (!size || !grpc_byte_buffer_reader_init(&reader, buffer))
		return (ProtobufCBinaryData){ 0, NULL };
	bytes = NULL;
	while (grpc_byte_buffer_reader_peek(&reader, &slice)) {
		size_t length = GRPC_SLICE_LENGTH(*slice);

		if (length == size) {
			bytes = GRPC_SLICE_START_PTR(*slice);
			break;
		}
		if (!bytes)
			bytes = arena_alloc(arena, size);
		memcpy(bytes + at, GRPC_SLICE_START_PTR(*slice), length);
		at += length;
	}
	grpc_byte_buffer_reader_destroy(&reader);
	return (ProtobufCBinaryData){ size, bytes };
}

static void inflater_close(z_stream *stream)
{
	inflateEnd(stream);
}

/* A full arena unwinds through here. */
static int inflate_bytes(struct arena *arena, ProtobufCBinaryData in, size_t limit,
			 ProtobufCBinaryData *ret)
{
	cleanup(inflater_close) z_stream stream = { .next_in = in.data, .avail_in = (uInt)in.len };
	size_t capacity = in.len > INFLATE_FIRST ? in.len : INFLATE_FIRST;
	uint8_t *out = arena_alloc(arena, capacity);
	int r = inflateInit2(&stream, ZLIB_OR_GZIP);

	while (r == Z_OK) {
		if (stream.total_out == capacity) {
			uint8_t *larger = arena_alloc(arena, capacity * 4);

			memcpy(larger, out, capacity);
			out = larger;
			capacity *= 4;
		}
		stream.next_out = out + stream.total_out;
		stream.avail_out = (uInt)(capacity - stream.total_out);
		r = inflate(&stream, Z_NO_FLUSH);
		if (limit && stream.total_out > limit)
			return PAYLOAD_TOO_LARGE;
	}
	if (r != Z_STREAM_END)
		return PAYLOAD_MALFORMED;
	*ret = (ProtobufCBinaryData){ stream.total_out, out };
	return 0;
}

int payload_unpack(struct arena *arena, grpc_byte_buffer *buffer, struct payload *payload)
{
	ProtobufCBinaryData bytes;
	int r;

	payload->problem = "";
	payload->size = grpc_byte_buffer_length(buffer);
	payload->compressed =
		buffer->type == GRPC_BB_RAW && buffer->data.raw.compression != GRPC_COMPRESS_NONE;
	if (payload->limit && payload->size > payload->limit)
		return PAYLOAD_TOO_LARGE;
	bytes = bytes_of(arena, buffer);
	if (payload->compressed) {
		r = inflate_bytes(arena, bytes, payload->limit, &bytes);
		if (r) {
			payload->problem = "It cannot be decompressed.";
			return r;
		}
	}
	payload->message =
		rpc_unpack(arena, payload->type, bytes.data, bytes.len, &payload->problem);
	return payload->message ? 0 : PAYLOAD_MALFORMED;
}
