/* The client's side of streams: opening, the end of the call, giving up. */
#include "channel_private.h"
#include "local.h"
#include "stream_private.h"
#include <stdlib.h>

static struct rpc_stream *stream_new(struct rpc_call *call, const struct rpc_method *method,
				     size_t limit)
{
	struct rpc_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		abort();
	stream->call = call;
	stream->incoming = method->response;
	stream->limit = limit;
	stream->operation = calloc(1, sizeof(*stream->operation));
	if (!stream->operation)
		abort();
	stream->queue = grpc_completion_queue_create_for_pluck(NULL);
	stream->ended = true; /* until it has begun */
	return stream;
}

int rpc_client_open(struct rpc_client *client, const struct rpc_method *method,
		    struct rpc_call *call, const ProtobufCMessage *request, struct rpc_stream **ret)
{
	/* A full arena unwinds through here. */
	cleanup(rpc_stream_freep) struct rpc_stream *stream = NULL;
	struct client_batch batch;
	bool began;
	int r;

	if (!client->channel)
		return local_stream_open(client, method, call, request, ret);
	stream = stream_new(call, method, client->channel->options.max_message_bytes);
	r = operation_begin(stream->operation, &batch, client, method, call, stream->queue);
	if (r)
		return r;
	stream->core = stream->operation->core;
	if (request) {
		operation_add_request(stream->operation, &batch, request);
		stream->half_closed = true;
	}
	began = operation_start(stream->operation, &batch, &stream->sending);
	/* Asked for at once, so that the call's end is known whatever else goes on. */
	operation_add_status(stream->operation, &batch);
	if (operation_start(stream->operation, &batch, &stream->finished)) {
		stream->ended = false;
		client_set_operation(call, stream->operation);
	}
	if (began)
		core_wait(stream->queue, &stream->sending); /* its failure is told by the status */
	if (!began || stream->ended)
		return rpc_fail_code(call, RPC_INTERNAL, "The call to %s could not be started.",
				     method->path + 1);
	*ret = ptr_steal(stream);
	return 0;
}

/* Waits for the status. */
static void end(struct rpc_stream *stream)
{
	core_wait(stream->queue, &stream->finished);
	client_set_operation(stream->call, NULL);
	stream->ended = true;
}

int client_stream_end(struct rpc_stream *stream)
{
	if (stream->ended)
		return stream->code;
	end(stream);
	stream->code = RPC_RESOURCE_EXHAUSTED; /* stays when the arena is too full for the result */
	stream->code = operation_result(stream->operation, NULL);
	return stream->code;
}

void client_stream_free(struct rpc_stream *stream)
{
	if (!stream->ended) {
		grpc_call_cancel(stream->core, NULL);
		end(stream);
	}
	operation_close(stream->operation);
	free(stream->operation);
	grpc_completion_queue_shutdown(stream->queue);
	grpc_completion_queue_destroy(stream->queue);
}
