/* Streams that nobody waits for: each message on the completion thread, as fast as its reader says.
 */
#include "channel_private.h"
#include "local.h"
#include "payload.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Up to three batches are under way: the next message, unless the reader pauses; the status,
 * always; and what is being sent. The call ends when the status has come and no message is on its
 * way any more. All events run on the completion thread; only rpc_stream_start_send(),
 * rpc_stream_resume() and rpc_call_cancel() come from elsewhere, under the call's lock.
 */
struct async_stream {
	struct core_event received, finished, sent;
	struct client_operation *operation;
	struct arena *arena; /* of the message that is being read */
	grpc_byte_buffer *buffer;
	ProtobufCMessage *message;
	int problem; /* code of a message that could not be read */
	grpc_byte_buffer *outgoing;
	rpc_sent_function *on_sent;
	void *on_sent_data;
	bool receiving, sending, has_status;
	bool paused, resumed; /* resumed: before the reader had said that it pauses */
};

static struct async_stream *stream_of(struct core_event *event, size_t member)
{
	return (struct async_stream *)((char *)event - member);
}

static void stream_free(struct async_stream *stream)
{
	operation_close(stream->operation);
	arena_free(stream->arena);
	if (stream->buffer)
		grpc_byte_buffer_destroy(stream->buffer);
}

static int read_result(void *data, struct rpc_call *call)
{
	struct async_stream *stream = data;
	int code = operation_result(stream->operation, NULL);

	if (!stream->problem)
		return code;
	return rpc_fail_code(call, stream->problem, "A message of the stream could not be read.");
}

static void end_if_over(struct async_stream *stream)
{
	struct client_operation *operation = stream->operation;
	struct rpc_call *call = operation->call;
	rpc_done_function *done = operation->done;
	void *data = operation->data;
	bool over;
	int code;

	pthread_mutex_lock(&call->lock);
	over = stream->has_status && !stream->receiving && !stream->sending;
	if (over)
		call->operation = NULL;
	pthread_mutex_unlock(&call->lock);
	if (!over)
		return;
	code = rpc_call_run(call, read_result, stream);
	stream_free(stream);
	done(data, call, code, NULL);
}

/* Under the call's lock. */
static void receive(struct async_stream *stream)
{
	grpc_op op = { .op = GRPC_OP_RECV_MESSAGE };

	op.data.recv_message.recv_message = &stream->buffer;
	stream->receiving = core_start(stream->operation->core, &op, 1, &stream->received);
}

static int unpack(void *data)
{
	struct async_stream *stream = data;
	struct payload payload = { .type = stream->operation->method->response,
				   .limit = stream->operation->limit };
	int r = payload_unpack(stream->arena, stream->buffer, &payload);

	stream->message = payload.message;
	return r;
}

/* Whether the reader wants more. */
static bool deliver(struct async_stream *stream)
{
	struct client_operation *operation = stream->operation;
	struct rpc_call *call = operation->call;
	int r;

	operation->heard = true;
	if (stream->arena)
		arena_reset(stream->arena);
	else
		stream->arena = arena_new(call->arena_cap);
	r = arena_run(stream->arena, unpack, stream);
	grpc_byte_buffer_destroy(stream->buffer);
	stream->buffer = NULL;
	if (r) {
		stream->problem = r == PAYLOAD_MALFORMED ? RPC_INTERNAL : RPC_RESOURCE_EXHAUSTED;
		grpc_call_cancel(operation->core, NULL);
		return false;
	}
	return operation->message(operation->data, call, stream->message);
}

static void message_received(struct core_event *event, bool ok)
{
	struct async_stream *stream = stream_of(event, offsetof(struct async_stream, received));
	struct rpc_call *call = stream->operation->call;
	bool more = false;

	(void)ok;
	pthread_mutex_lock(&call->lock);
	stream->receiving = false;
	stream->resumed = false;
	pthread_mutex_unlock(&call->lock);
	if (stream->buffer) {
		more = deliver(stream);
		pthread_mutex_lock(&call->lock);
		if (stream->problem)
			;
		else if (more || stream->resumed)
			receive(stream);
		else
			stream->paused = true;
		pthread_mutex_unlock(&call->lock);
	}
	end_if_over(stream);
}

static void status_received(struct core_event *event, bool ok)
{
	struct async_stream *stream = stream_of(event, offsetof(struct async_stream, finished));

	(void)ok;
	pthread_mutex_lock(&stream->operation->call->lock);
	stream->has_status = true;
	pthread_mutex_unlock(&stream->operation->call->lock);
	end_if_over(stream);
}

void rpc_stream_resume(struct rpc_call *call)
{
	struct async_stream *stream;

	pthread_mutex_lock(&call->lock);
	stream = call->operation ? call->operation->stream : NULL;
	if (stream && stream->paused) {
		stream->paused = false;
		receive(stream);
	} else if (stream) {
		stream->resumed = true;
	}
	pthread_mutex_unlock(&call->lock);
}

static void message_sent(struct core_event *event, bool ok)
{
	struct async_stream *stream = stream_of(event, offsetof(struct async_stream, sent));
	struct rpc_call *call = stream->operation->call;
	rpc_sent_function *on_sent = stream->on_sent;

	if (stream->outgoing)
		grpc_byte_buffer_destroy(stream->outgoing);
	stream->outgoing = NULL;
	pthread_mutex_lock(&call->lock);
	stream->sending = false;
	pthread_mutex_unlock(&call->lock);
	on_sent(stream->on_sent_data, call, ok);
	end_if_over(stream);
}

bool rpc_stream_start_send(struct rpc_call *call, const ProtobufCMessage *message,
			   rpc_sent_function *sent, void *data)
{
	grpc_op op = { .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT };
	struct async_stream *stream;
	bool started = false;

	pthread_mutex_lock(&call->lock);
	stream = call->operation ? call->operation->stream : NULL;
	if (stream && !stream->sending && !stream->has_status) {
		if (message) {
			stream->outgoing = payload_pack(message);
			payload_send_op(&op, stream->outgoing, call->compress_request);
		}
		stream->on_sent = sent;
		stream->on_sent_data = data;
		started = stream->sending =
			core_start(stream->operation->core, &op, 1, &stream->sent);
		if (!started && stream->outgoing) {
			grpc_byte_buffer_destroy(stream->outgoing);
			stream->outgoing = NULL;
		}
	}
	pthread_mutex_unlock(&call->lock);
	return started;
}

/* In this process: all at once. */
static int start_local(struct rpc_client *client, const struct rpc_method *method,
		       struct rpc_call *call, const ProtobufCMessage *request,
		       rpc_message_function *message, rpc_done_function *done, void *data)
{
	struct rpc_stream *stream;
	ProtobufCMessage *next;
	int r;

	if (!request)
		return rpc_fail_code(
			call, RPC_UNIMPLEMENTED,
			"In one process a client streams with rpc_client_open() only.");
	r = local_stream_open(client, method, call, request, &stream);
	if (r)
		return r;
	while (!(r = rpc_stream_next(stream, &next)))
		message(data, call, next);
	rpc_stream_free(stream);
	done(data, call, r == RPC_STREAM_END ? 0 : r, NULL);
	return 0;
}

int rpc_client_start_stream(struct rpc_client *client, const struct rpc_method *method,
			    struct rpc_call *call, const ProtobufCMessage *request,
			    rpc_message_function *message, rpc_done_function *done, void *data)
{
	struct client_operation *operation;
	struct async_stream *stream;
	struct client_batch batch;
	int r;

	if (!client->channel)
		return start_local(client, method, call, request, message, done, data);
	operation = arena_alloc(call->arena, sizeof(*operation));
	stream = arena_alloc(call->arena, sizeof(*stream));
	r = operation_begin(operation, &batch, client, method, call,
			    client_completion_queue(client, call));
	if (r)
		return r;
	operation->done = done;
	operation->message = message;
	operation->data = data;
	operation->stream = stream;
	stream->operation = operation;
	stream->received.run = message_received;
	stream->finished.run = status_received;
	stream->sent.run = message_sent;

	if (request)
		operation_add_request(operation, &batch, request);
	operation_add_headers(operation, &batch);
	operation_add_message(&batch, &stream->buffer);
	stream->receiving = true;
	client_set_operation(call, operation);
	if (!operation_start(operation, &batch, &stream->received)) {
		client_set_operation(call, NULL);
		stream_free(stream);
		return rpc_fail_code(call, RPC_INTERNAL, "The call to %s could not be started.",
				     method->path + 1);
	}
	operation_add_status(operation, &batch);
	operation_start(operation, &batch, &stream->finished);
	return 0;
}
