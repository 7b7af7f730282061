/* Bursts: messages that follow each other at once leave together. */
#include "payload.h"
#include "server_private.h"
#include "stream_private.h"
#include "thread.h"
#include "wire_pack.h"
#include <errno.h>
#include <time.h>

/*
 * Each message that goes out by itself is a system call, which costs more than all the rest of it.
 * A handler that sends a message right after another may well send a third: the second is held
 * back, and given to the core when the third comes, with the hint that more will follow. The core
 * gathers what has the hint up to its write buffer (64 KiB), and its flow control makes the sender
 * wait as ever. What is held back goes out
 *
 *     before the handler waits for the peer (rpc_stream_next), and with the end of the call
 *     by the next message, once the clock has ticked on: a long burst writes at least every few ms
 *     by the flusher, when no message has come for one to two of its turns
 *
 * so the last message of a burst is late by at most 2 * TURN_MS, a message that comes alone not at
 * all. The flusher is one thread for all streams, there only while there are bursts. It does not
 * wait: a batch that it starts is waited for by the stream's own thread (`flushing`).
 *
 * Locks: flusher.lock before rpc_stream.lock, which the flusher only tries. The stream's thread
 * takes one after the other.
 */
enum { TURN_MS = 2, LINGER_S = 1 };

/*
 * What the core gathers is some hundred messages, more than the allocator keeps at hand: each would
 * be cut out of the heap, and joined to it again. So the messages of a burst are packed one before
 * the other into blocks, which each of them holds a reference to. A stream has a block for as long
 * as it is in a burst; larger messages have memory of their own.
 */
enum { BLOCK = 8192, PACKED_MAX = BLOCK / 8 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct rpc_stream *streams;
	bool runs;
} flusher = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int64_t tick(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static grpc_op message_op(const struct rpc_stream *stream, grpc_byte_buffer *buffer, uint32_t flags)
{
	grpc_op op = { 0 };

	payload_send_op(&op, buffer, stream->call->compress);
	op.flags |= flags;
	return op;
}

/* The buffer for the next message; the core has taken the bytes of the last one out of it. */
static void keep_buffer(struct rpc_stream *stream, grpc_byte_buffer *buffer)
{
	if (stream->spare)
		grpc_byte_buffer_destroy(buffer);
	else
		stream->spare = buffer;
}

static void drop_block(struct rpc_stream *stream)
{
	grpc_slice_unref(stream->block);
	stream->block = grpc_empty_slice();
	stream->block_left = 0;
}

static grpc_slice pack_into_block(struct rpc_stream *stream, const ProtobufCMessage *message)
{
	cleanup(wire_pack_done) struct wire_pack pack;
	uint8_t *start;
	size_t end;

	if (stream->block_left < PACKED_MAX) {
		drop_block(stream);
		stream->block = grpc_slice_malloc(BLOCK);
		stream->block_left = BLOCK;
	}
	start = GRPC_SLICE_START_PTR(stream->block);
	end = stream->block_left;
	wire_pack_into(&pack, start, start + end, message);
	stream->packed = wire_packed(&pack);
	if (pack.heap)
		return grpc_slice_from_copied_buffer((const char *)pack.at, stream->packed);
	stream->block_left -= stream->packed;
	return grpc_slice_sub(stream->block, stream->block_left, end);
}

static grpc_slice pack_slice(struct rpc_stream *stream, const ProtobufCMessage *message)
{
	grpc_slice slice;

	if (stream->hasty && stream->packed <= PACKED_MAX)
		return pack_into_block(stream, message);
	slice = payload_pack_slice(message);
	stream->packed = GRPC_SLICE_LENGTH(slice);
	return slice;
}

static grpc_byte_buffer *pack(struct rpc_stream *stream, const ProtobufCMessage *message)
{
	grpc_slice slice = pack_slice(stream, message);
	grpc_byte_buffer *buffer = stream->spare;

	if (buffer) {
		stream->spare = NULL;
		grpc_slice_buffer_reset_and_unref(&buffer->data.raw.slice_buffer);
		grpc_slice_buffer_add(&buffer->data.raw.slice_buffer, slice);
	} else {
		buffer = grpc_raw_byte_buffer_create(&slice, 1);
		grpc_slice_unref(slice);
	}
	return buffer;
}

static bool send_held(struct rpc_stream *stream, uint32_t flags)
{
	grpc_byte_buffer *buffer = stream->held;
	grpc_op op;
	bool sent;

	if (!buffer)
		return true;
	stream->held = NULL;
	op = message_op(stream, buffer, flags);
	sent = stream_batch(stream, &op, 1, &stream->sending);
	keep_buffer(stream, buffer);
	return sent;
}

/* What the flusher has begun. */
static bool settle(struct rpc_stream *stream)
{
	if (!stream->flushing)
		return true;
	stream->flushing = false;
	return core_wait(stream->queue, &stream->sending);
}

static bool send_alone(struct rpc_stream *stream, grpc_byte_buffer *buffer)
{
	grpc_metadata headers[HEADERS_MAX];
	size_t n_headers = 0, n = 0;
	grpc_op ops[2] = { 0 };
	bool sent;

	if (!stream->headers_done) {
		stream->headers_done = true;
		server_call_headers_op(stream->call, &ops[n++], headers, &n_headers);
	}
	ops[n++] = message_op(stream, buffer, 0);
	sent = stream_batch(stream, ops, n, &stream->sending);
	keep_buffer(stream, buffer);
	core_metadata_unref(headers, n_headers);
	return sent;
}

/*
 * The flusher
 */

/* Whether the stream is still in a burst. */
static bool look_after(struct rpc_stream *stream)
{
	bool hasty = true;
	grpc_op op;

	if (pthread_mutex_trylock(&stream->lock))
		return true; /* it sends right now */
	if (stream->n_sent != stream->n_seen) {
		stream->n_seen = stream->n_sent;
	} else {
		stream->hasty = hasty = false;
		drop_block(stream);
		if (stream->held) {
			op = message_op(stream, stream->held, 0);
			stream->flushing = core_start(stream->core, &op, 1, &stream->sending);
			keep_buffer(stream, stream->held);
			stream->held = NULL;
		}
	}
	pthread_mutex_unlock(&stream->lock);
	return hasty;
}

static void *flush_bursts(void *data)
{
	const struct timespec turn = { 0, TURN_MS * 1000000 };
	struct timespec until;

	(void)data;
	pthread_mutex_lock(&flusher.lock);
	for (;;) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += LINGER_S;
		while (!flusher.streams)
			if (pthread_cond_timedwait(&flusher.changed, &flusher.lock, &until) ==
			    ETIMEDOUT)
				break;
		if (!flusher.streams)
			break;
		pthread_mutex_unlock(&flusher.lock);
		nanosleep(&turn, NULL);
		pthread_mutex_lock(&flusher.lock);
		for (struct rpc_stream **at = &flusher.streams; *at;) {
			if (look_after(*at))
				at = &(*at)->next_hasty;
			else
				*at = (*at)->next_hasty;
		}
	}
	flusher.runs = false;
	pthread_mutex_unlock(&flusher.lock);
	return NULL;
}

/* False when no thread can be had: nobody would send what is held back. */
static bool watch(struct rpc_stream *stream)
{
	pthread_mutex_lock(&flusher.lock);
	if (!flusher.runs)
		flusher.runs =
			!thread_start(NULL, THREAD_STACK_SMALL, "rpc-flush", flush_bursts, NULL);
	if (flusher.runs) {
		stream->next_hasty = flusher.streams;
		flusher.streams = stream;
		pthread_cond_signal(&flusher.changed);
	}
	pthread_mutex_unlock(&flusher.lock);
	return flusher.runs;
}

static void unwatch(struct rpc_stream *stream)
{
	pthread_mutex_lock(&flusher.lock);
	for (struct rpc_stream **at = &flusher.streams; *at; at = &(*at)->next_hasty) {
		if (*at == stream) {
			*at = stream->next_hasty;
			break;
		}
	}
	pthread_mutex_unlock(&flusher.lock);
}

/*
 * The stream's own thread
 */

bool stream_burst_send(struct rpc_stream *stream, const ProtobufCMessage *message)
{
	bool sent, begins = false;
	int64_t now = tick();

	pthread_mutex_lock(&stream->lock);
	sent = settle(stream) && send_held(stream, GRPC_WRITE_BUFFER_HINT);
	if (sent && stream->headers_done && now == stream->sent_at) {
		stream->held = pack(stream, message);
		begins = !stream->hasty;
		stream->hasty = true;
	} else if (sent) {
		sent = send_alone(stream, pack(stream, message));
	}
	stream->sent_at = now;
	stream->n_sent++;
	pthread_mutex_unlock(&stream->lock);
	if (begins && !watch(stream))
		sent = stream_burst_flush(stream);
	return sent;
}

bool stream_burst_flush(struct rpc_stream *stream)
{
	bool sent;

	pthread_mutex_lock(&stream->lock);
	sent = settle(stream) && send_held(stream, 0);
	pthread_mutex_unlock(&stream->lock);
	return sent;
}

grpc_byte_buffer *stream_burst_end(struct rpc_stream *stream)
{
	grpc_byte_buffer *held;

	if (stream->n_sent)
		unwatch(stream);
	settle(stream);
	held = stream->held;
	stream->held = NULL;
	if (stream->spare)
		grpc_byte_buffer_destroy(stream->spare);
	stream->spare = NULL;
	drop_block(stream);
	return held;
}
