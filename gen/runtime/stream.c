/* Streams: messages one after the other, each side at the pace of the other. */
#include "local.h"
#include "payload.h"
#include "server_private.h"
#include "stream_private.h"
#include <crpc/client.h>
#include <stdlib.h>
#include <string.h>

bool stream_batch(struct rpc_stream *stream, const grpc_op *ops, size_t n, void *tag)
{
	return core_start(stream->core, ops, n, tag) && core_wait(stream->queue, tag);
}

/*
 * The server's side
 */

void stream_serve(struct rpc_stream *stream, struct rpc_call *call, grpc_call *core,
		  grpc_completion_queue *queue)
{
	grpc_op op = { .op = GRPC_OP_RECV_CLOSE_ON_SERVER };

	*stream = (struct rpc_stream){ .call = call, .core = core, .queue = queue, .server = true };
	pthread_mutex_init(&stream->lock, NULL);
	op.data.recv_close_on_server.cancelled = &stream->core_cancelled;
	core_start(core, &op, 1, &stream->closed);
}

static void see_closed(struct rpc_stream *stream, gpr_timespec until)
{
	if (stream->ended)
		return;
	if (core_pluck(stream->queue, &stream->closed, until) == CORE_LATE)
		return;
	stream->ended = true;
	stream->code = RPC_CANCELLED;
	if (stream->core_cancelled)
		atomic_store_explicit(&stream->call->cancelled, true, memory_order_release);
}

bool stream_poll(struct rpc_call *call)
{
	struct rpc_stream *stream = call->transport;

	see_closed(stream, gpr_time_0(GPR_CLOCK_REALTIME));
	return stream->ended;
}

void stream_serve_end(struct rpc_stream *stream)
{
	see_closed(stream, gpr_inf_future(GPR_CLOCK_REALTIME));
	arena_free(stream->arena);
	pthread_mutex_destroy(&stream->lock);
}

/* Why a stream cannot go on, although the handler would. 0: it can. */
static int server_stopped(struct rpc_stream *stream)
{
	struct rpc_call *call = stream->call;

	if (call->draining && atomic_load_explicit(call->draining, memory_order_acquire))
		return rpc_fail(call, &crpc_reasons[REASON_DRAINING]);
	if (call->deadline_ms != INT64_MAX && monotonic_ms() >= call->deadline_ms)
		return rpc_fail_code(call, RPC_DEADLINE_EXCEEDED,
				     "The stream has reached its deadline.");
	return 0;
}

/*
 * Both sides
 */

/* A batch for the next message, NULL when there is none: whether it succeeded. */
static bool receive(struct rpc_stream *stream, grpc_byte_buffer **ret)
{
	size_t n = 0;
	grpc_op ops[2];
	bool ok;

	*ret = NULL;
	memset(ops, 0, sizeof(ops));
	if (!stream->server && !stream->headers_done) {
		stream->headers_done = true;
		ops[n].op = GRPC_OP_RECV_INITIAL_METADATA;
		ops[n++].data.recv_initial_metadata.recv_initial_metadata =
			&stream->operation->initial;
	}
	ops[n].op = GRPC_OP_RECV_MESSAGE;
	ops[n++].data.recv_message.recv_message = ret;
	ok = stream_batch(stream, ops, n, &stream->receiving);
	if (*ret && !stream->server)
		stream->operation->heard = true;
	return ok;
}

/*
 * The peer has ended the call while we were sending. The core tells its status only when its
 * messages have been read: they are kept for rpc_stream_next(). Since the stream is closed there
 * are no more of them than the window of its flow control held.
 */
struct kept_message {
	struct kept_message *next;
	grpc_byte_buffer *buffer;
};

static void keep_messages(struct rpc_stream *stream)
{
	grpc_byte_buffer *buffer;

	if (!stream->last_kept)
		stream->last_kept = &stream->kept;
	while (receive(stream, &buffer) && buffer) {
		struct kept_message *kept = calloc(1, sizeof(*kept));

		if (!kept)
			abort();
		kept->buffer = buffer;
		*stream->last_kept = kept;
		stream->last_kept = &kept->next;
	}
}

static grpc_byte_buffer *take_kept(struct rpc_stream *stream)
{
	struct kept_message *kept = stream->kept;
	grpc_byte_buffer *buffer;

	if (!kept)
		return NULL;
	buffer = kept->buffer;
	stream->kept = kept->next;
	if (!stream->kept)
		stream->last_kept = &stream->kept;
	free(kept);
	return buffer;
}

/* The call has ended before its time; what with. */
static int stream_broken(struct rpc_stream *stream)
{
	int r;

	if (stream->server)
		return rpc_fail_code(stream->call, RPC_CANCELLED, "The caller has gone.");
	if (!stream->ended)
		keep_messages(stream);
	r = client_stream_end(stream);
	return r ? r : RPC_STREAM_END;
}

int rpc_stream_send(struct rpc_stream *stream, const ProtobufCMessage *message)
{
	grpc_op op = { 0 };
	grpc_byte_buffer *buffer;
	bool sent;
	int r;

	if (stream->local)
		return local_stream_send(stream, message);
	if (stream->ended)
		return stream_broken(stream);
	if (stream->server) {
		r = server_stopped(stream);
		if (r)
			return r;
		return stream_burst_send(stream, message) ? 0 : stream_broken(stream);
	}
	buffer = payload_pack(message);
	payload_send_op(&op, buffer, stream->call->compress_request);
	sent = stream_batch(stream, &op, 1, &stream->sending);
	grpc_byte_buffer_destroy(buffer);
	return sent ? 0 : stream_broken(stream);
}

struct reading {
	struct rpc_stream *stream;
	grpc_byte_buffer *buffer;
	struct payload payload;
};

static int unpack(void *data)
{
	struct reading *reading = data;

	return payload_unpack(reading->stream->arena, reading->buffer, &reading->payload);
}

static int refuse_message(struct rpc_stream *stream, const struct payload *payload, int r)
{
	struct rpc_call *call = stream->call;

	if (r < 0)
		return rpc_fail(call, &crpc_reasons[REASON_CALL_TOO_LARGE]);
	if (stream->server)
		return dispatch_refuse_payload(call, payload, r);
	if (r == PAYLOAD_TOO_LARGE)
		return rpc_fail_code(call, RPC_RESOURCE_EXHAUSTED,
				     "A message of the stream is larger than %zu bytes.",
				     payload->limit);
	return rpc_fail_code(call, RPC_INTERNAL, "A message of the stream is not a valid %s. %s",
			     payload->type->name, payload->problem);
}

static int read_message(struct rpc_stream *stream, grpc_byte_buffer *buffer, ProtobufCMessage **ret)
{
	struct reading job = { stream,
			       buffer,
			       { .type = stream->incoming, .limit = stream->limit } };
	struct rpc_call *call = stream->call;
	int r;

	if (stream->arena)
		arena_reset(stream->arena);
	else
		stream->arena = arena_new(call->arena_cap);
	r = arena_run(stream->arena, unpack, &job);
	grpc_byte_buffer_destroy(buffer);
	if (r)
		return refuse_message(stream, &job.payload, r);
	call->received_compressed = job.payload.compressed;
	if (stream->server) {
		r = rpc_validate(call, job.payload.message);
		if (r)
			return r;
	}
	*ret = job.payload.message;
	return 0;
}

int rpc_stream_next(struct rpc_stream *stream, ProtobufCMessage **ret)
{
	grpc_byte_buffer *buffer;
	bool ok;
	int r;

	if (stream->local)
		return local_stream_next(stream, ret);
	if (stream->server) {
		r = server_stopped(stream);
		if (r)
			return r;
		stream_burst_flush(stream);
	} else if (stream->ended) {
		buffer = take_kept(stream);
		if (buffer)
			return read_message(stream, buffer, ret);
		return stream->code ? stream->code : RPC_STREAM_END;
	}
	ok = receive(stream, &buffer);
	if (buffer)
		return read_message(stream, buffer, ret);
	if (!stream->server) {
		r = client_stream_end(stream);
		return r ? r : RPC_STREAM_END;
	}
	/* No message: the client has said all, or it has gone, which the end of the call may tell a
	 * moment later. */
	if (!ok || grpc_call_failed_before_recv_message(stream->core) || stream_poll(stream->call))
		return stream_broken(stream);
	return RPC_STREAM_END;
}

int rpc_stream_close_send(struct rpc_stream *stream)
{
	grpc_op op = { .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT };

	int r;

	if (stream->local || stream->server || stream->half_closed || stream->ended)
		return 0;
	stream->half_closed = true;
	if (stream_batch(stream, &op, 1, &stream->sending))
		return 0;
	r = stream_broken(stream);
	return r == RPC_STREAM_END ? 0 : r; /* that it has ended already is no failure here */
}

int rpc_stream_close(struct rpc_stream *stream)
{
	ProtobufCMessage *ignored;
	int r = rpc_stream_close_send(stream);

	while (!r)
		r = rpc_stream_next(stream, &ignored);
	return r == RPC_STREAM_END ? 0 : r;
}

struct rpc_stream *rpc_stream_free(struct rpc_stream *stream)
{
	grpc_byte_buffer *buffer;

	if (!stream || stream->server)
		return NULL;
	while ((buffer = take_kept(stream)))
		grpc_byte_buffer_destroy(buffer);
	if (stream->local)
		local_stream_free(stream);
	else
		client_stream_free(stream);
	arena_free(stream->arena);
	free(stream);
	return NULL;
}
