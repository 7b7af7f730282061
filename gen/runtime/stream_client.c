/* The client's side of streams: opening, the end of the call, giving up. */
#include "channel_private.h"
#include "local.h"
#include "stream_private.h"
#include <stdlib.h>

static struct rpc_stream *stream_new(struct rpc_call *call, const struct rpc_method *method)
{
	struct rpc_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		abort();
	stream->call = call;
	stream->incoming = method->response;
	stream->operation = calloc(1, sizeof(*stream->operation));
	if (!stream->operation)
		abort();
	stream->queue = grpc_completion_queue_create_for_pluck(NULL);
	return stream;
}

/* The tag of the status: it is asked for at once, so that the call's end is known whatever else
 * goes on. */
static bool ask_status(struct rpc_stream *stream, struct client_batch *batch)
{
	operation_add_status(stream->operation, batch);
	return operation_start(stream->operation, batch, &stream->finished);
}

static void queue_end(grpc_completion_queue *queue)
{
	grpc_completion_queue_shutdown(queue);
	grpc_completion_queue_destroy(queue);
}

int rpc_client_open(struct rpc_client *client, const struct rpc_method *method,
		    struct rpc_call *call, const ProtobufCMessage *request, struct rpc_stream **ret)
{
	struct rpc_stream *stream;
	struct client_batch batch;
	int r;

	if (!client->channel)
		return local_stream_open(client, method, call, request, ret);
	stream = stream_new(call, method);
	r = operation_begin(stream->operation, &batch, client, method, call, stream->queue);
	if (r) {
		queue_end(stream->queue);
		free(stream->operation);
		free(stream);
		return r;
	}
	stream->core = stream->operation->core;
	if (request) {
		operation_add_request(stream->operation, &batch, request);
		stream->half_closed = true;
	}
	/* Its failure is told by the status. */
	if (operation_start(stream->operation, &batch, &stream->sending)) {
		ask_status(stream, &batch);
		core_wait(stream->queue, &stream->sending);
	}
	*ret = stream;
	return 0;
}

int client_stream_end(struct rpc_stream *stream)
{
	if (stream->ended)
		return stream->code;
	core_wait(stream->queue, &stream->finished);
	stream->ended = true;
	stream->code = operation_result(stream->operation, NULL);
	return stream->code;
}

void client_stream_free(struct rpc_stream *stream)
{
	if (!stream->ended) {
		grpc_call_cancel(stream->core, NULL);
		core_wait(stream->queue, &stream->finished);
	}
	operation_close(stream->operation);
	free(stream->operation);
	queue_end(stream->queue);
}
