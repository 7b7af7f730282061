/* Serving streams: each on a thread of its own, so that a handler may wait for the world and for
 * its reader. */
#include "payload.h"
#include "server_private.h"
#include "stream_private.h"
#include "thread.h"
#include <string.h>

static void send_end(struct rpc_stream *stream, struct rpc_call *call, int code,
		     const ProtobufCMessage *response)
{
	grpc_metadata headers[HEADERS_MAX], trailers[HEADERS_MAX + 1];
	size_t n_headers = 0, n_trailers = 0, n = 0;
	grpc_byte_buffer *buffer = stream_burst_end(stream);
	grpc_slice message;
	grpc_op ops[3];

	memset(ops, 0, sizeof(ops));
	if (!stream->headers_done) {
		server_call_headers_op(call, &ops[n++], headers, &n_headers);
	}
	if (!code && !call->method->server_streaming)
		buffer = response ? payload_pack(response) : grpc_raw_byte_buffer_create(NULL, 0);
	if (buffer)
		payload_send_op(&ops[n++], buffer, call->compress);
	server_call_status_op(call, code, &ops[n++], trailers, &n_trailers, &message);
	stream_batch(stream, ops, n, &stream->sending);
	if (buffer)
		grpc_byte_buffer_destroy(buffer);
	grpc_slice_unref(message);
	core_metadata_unref(headers, n_headers);
	core_metadata_unref(trailers, n_trailers);
}

static void leave(struct rpc_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->streams--;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

static void *stream_thread(void *data)
{
	struct server_call *sc = data;
	struct rpc_server *server = sc->server;
	struct rpc_call *call = server_call_begin(sc);
	struct rpc_stream stream;
	struct dispatch request = {
		.served = &sc->method->served,
		.authenticator = server->options.authenticator,
		.payload = sc->payload,
		.max_bytes = server->options.max_message_bytes,
		.stream = &stream,
	};
	int code;

	stream_serve(&stream, call, sc->core, sc->queue);
	stream.incoming = sc->method->served.method->request;
	stream.limit = sc->method->served.method->max_request_bytes
			       ? sc->method->served.method->max_request_bytes
			       : server->options.max_message_bytes;
	call->transport = &stream;
	call->poll = stream_poll;
	call->draining = &server->draining;
	code = dispatch(call, &request);
	dispatch_count(call, request.served, code, sc->arrived_ns, server->options.log_calls);
	send_end(&stream, call, code, request.response);
	stream_serve_end(&stream);
	rpc_call_free(call);
	server_call_unref(sc);
	leave(server);
	return NULL;
}

void serve_stream(struct server_call *sc)
{
	struct rpc_server *server = sc->server;
	bool admitted;

	pthread_mutex_lock(&server->lock);
	admitted = server->streams < server->options.streams;
	if (admitted)
		server->streams++;
	pthread_mutex_unlock(&server->lock);
	if (admitted && !thread_start(NULL, THREAD_STACK, "rpc-stream", stream_thread, sc))
		return;
	if (admitted)
		leave(server);
	metric_add(server->shed, 1);
	/* No batch: nobody waits on this call's queue. The core sends status and sentence, without
	 * details. */
	grpc_call_cancel_with_status(sc->core, GRPC_STATUS_RESOURCE_EXHAUSTED,
				     crpc_reasons[REASON_OVERLOADED].message, NULL);
	server_call_unref(sc);
}
