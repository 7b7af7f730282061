/* Clients of an ops table in this process: tests call a service as its peers do, rules included,
 * without a network. */
#include "local.h"
#include "stream_private.h"
#include <stdlib.h>

struct rpc_client *rpc_client_local(const struct rpc_service *service, const void *ops, void *self)
{
	struct rpc_client *client = calloc(1, sizeof(*client));

	if (!client)
		abort();
	client->service = service;
	client->served = calloc(service->n_methods, sizeof(*client->served));
	if (!client->served)
		abort();
	for (size_t i = 0; i < service->n_methods; i++)
		client->served[i] = (struct served_method){ .method = &service->methods[i],
							    .ops = ops,
							    .self = self };
	return client;
}

static struct served_method *served_of(struct rpc_client *client, const struct rpc_method *method)
{
	return &client->served[method - client->service->methods];
}

/* The other side of the call: in the same arena, so that the answer outlives it. */
static struct rpc_call *callee_new(struct rpc_call *call)
{
	struct rpc_call *callee = call_new_in(call->arena);

	callee->parent = call;
	callee->arena_cap = call->arena_cap;
	callee->caller = call->caller;
	callee->deadline_ms = call->deadline_ms;
	callee->now_ms = call->now_ms;
	callee->token = call->token;
	trace_begin(&callee->trace, rpc_traceparent(call), TRACEPARENT_LENGTH);
	call_set_request_id(callee, rpc_request_id(call), strlen(rpc_request_id(call)));
	return callee;
}

static void take_headers(struct rpc_call *call, const struct header_list *list)
{
	for (const struct header *header = list->first; header; header = header->next)
		header_add(call->arena, &call->peer_headers, header->name, header->value,
			   header->length);
}

static int callee_end(struct rpc_call *call, struct rpc_call *callee, int code)
{
	call->request_headers = (struct header_list){ .last = &call->request_headers.first };
	call->peer_headers = (struct header_list){ .last = &call->peer_headers.first };
	take_headers(call, &callee->response_headers);
	take_headers(call, &callee->response_trailers);
	rpc_error_clear(call);
	if (code)
		error_copy(call, callee);
	pthread_mutex_destroy(&callee->lock);
	return code;
}

int local_call(struct rpc_client *client, const struct rpc_method *method, struct rpc_call *call,
	       const ProtobufCMessage *request, ProtobufCMessage **ret)
{
	struct rpc_call *callee = callee_new(call);
	struct dispatch job = { .served = served_of(client, method),
				.request = rpc_message_copy(call->arena, request) };
	int code = callee_end(call, callee, dispatch(callee, &job));

	if (code)
		return code;
	if (job.response)
		*ret = job.response;
	else
		*ret = rpc_unpack(call->arena, method->response, NULL, 0, &(const char *){ NULL });
	return 0;
}

/*
 * Streams: the handler runs once the client has said all, its messages are kept in the call's arena
 * and read afterwards. One that watches for ever ends by the call's deadline.
 */
struct local_message {
	struct local_message *next;
	ProtobufCMessage *message;
};

struct local_queue {
	struct local_message *first, **last;
};

struct local_stream {
	struct rpc_client *client;
	const struct rpc_method *method;
	ProtobufCMessage *request;
	struct local_queue requests, responses;
	bool ran;
};

static void push(struct arena *arena, struct local_queue *queue, const ProtobufCMessage *message)
{
	struct local_message *entry = arena_alloc(arena, sizeof(*entry));

	entry->message = rpc_message_copy(arena, message);
	*queue->last = entry;
	queue->last = &entry->next;
}

static ProtobufCMessage *pop(struct local_queue *queue)
{
	struct local_message *entry = queue->first;

	if (!entry)
		return NULL;
	queue->first = entry->next;
	if (!queue->first)
		queue->last = &queue->first;
	return entry->message;
}

static int run(struct rpc_stream *stream)
{
	struct local_stream *local = stream->local;
	struct rpc_call *callee = callee_new(stream->call);
	struct rpc_stream served = { .call = callee, .server = true, .local = local };
	struct dispatch job = { .served = served_of(local->client, local->method),
				.request = local->request,
				.stream = &served };

	local->ran = true;
	stream->code = callee_end(stream->call, callee, dispatch(callee, &job));
	if (!stream->code && !local->method->server_streaming && job.response)
		push(stream->call->arena, &local->responses, job.response);
	stream->ended = true;
	return stream->code;
}

int local_stream_open(struct rpc_client *client, const struct rpc_method *method,
		      struct rpc_call *call, const ProtobufCMessage *request,
		      struct rpc_stream **ret)
{
	struct local_stream *local = arena_alloc(call->arena, sizeof(*local));
	struct rpc_stream *stream;

	local->client = client;
	local->method = method;
	local->request = request ? rpc_message_copy(call->arena, request) : NULL;
	local->requests.last = &local->requests.first;
	local->responses.last = &local->responses.first;
	stream = malloc(sizeof(*stream));
	if (!stream)
		abort();
	*stream = (struct rpc_stream){ .call = call, .local = local };
	*ret = stream;
	return 0;
}

int local_stream_send(struct rpc_stream *stream, const ProtobufCMessage *message)
{
	push(stream->call->arena,
	     stream->server ? &stream->local->responses : &stream->local->requests, message);
	return rpc_call_cancelled(stream->call) ? RPC_CANCELLED : 0;
}

int local_stream_next(struct rpc_stream *stream, ProtobufCMessage **ret)
{
	ProtobufCMessage *message;

	if (!stream->server && !stream->local->ran)
		run(stream);
	message = pop(stream->server ? &stream->local->requests : &stream->local->responses);
	if (message) {
		*ret = message;
		return 0;
	}
	return stream->code ? stream->code : RPC_STREAM_END;
}

void local_stream_free(struct rpc_stream *stream)
{
	stream->local = NULL; /* the arena's */
}
