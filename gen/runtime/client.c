/* Clients: a call to a peer from within a call, waiting for the answer. */
#include "channel_private.h"
#include "local.h"
#include "payload.h"
#include <crpc/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT_TIME_MS = 100 };

struct rpc_client *rpc_client_new(struct rpc_channel *channel, const struct rpc_service *service)
{
	struct rpc_client *client = calloc(1, sizeof(*client));

	if (!client)
		abort();
	client->service = service;
	client->channel = channel_ref(channel);
	client->core = channel_core_new(channel, service);
	channel_know(channel, client->core);
	client->methods = calloc(service->n_methods, sizeof(*client->methods));
	if (!client->methods)
		abort();
	for (size_t i = 0; i < service->n_methods; i++)
		client->methods[i].registered = grpc_channel_register_call(
			client->core, service->methods[i].path, NULL, NULL);
	return client;
}

struct rpc_client *rpc_client_free(struct rpc_client *client)
{
	if (!client)
		return NULL;
	client_async_release(client);
	if (client->core)
		channel_forget(client->channel, client->core);
	rpc_channel_free(client->channel);
	free(client->methods);
	free(client->served);
	free(client);
	return NULL;
}

/*
 * An operation
 */

static void add_header(struct client_batch *batch, const char *static_name, const char *prefix,
		       const char *value)
{
	grpc_metadata *item = &batch->headers[batch->n_headers++];
	size_t length = strlen(prefix), rest = strlen(value);

	item->key = grpc_slice_from_static_string(static_name);
	item->value = grpc_slice_malloc(length + rest);
	memcpy(GRPC_SLICE_START_PTR(item->value), prefix, length);
	memcpy(GRPC_SLICE_START_PTR(item->value) + length, value, rest);
}

static grpc_op *add_op(struct client_batch *batch, grpc_op_type type)
{
	grpc_op *op = &batch->ops[batch->n_ops++];

	memset(op, 0, sizeof(*op));
	op->op = type;
	return op;
}

int operation_begin(struct client_operation *operation, struct client_batch *batch,
		    struct rpc_client *client, const struct rpc_method *method,
		    struct rpc_call *call, grpc_completion_queue *queue)
{
	struct rpc_channel *channel = client->channel;
	int64_t now = monotonic_ms(), deadline = call->deadline_ms;
	grpc_op *op;

	if (method->timeout_ms && deadline > now + method->timeout_ms)
		deadline = now + method->timeout_ms;
	if (deadline <= now)
		return rpc_fail_code(call, RPC_DEADLINE_EXCEEDED, "No time is left to call %s.",
				     method->path + 1);
	if (rpc_call_cancelled(call)) /* and from now on the core cancels this call with ours */
		return rpc_fail_code(call, RPC_CANCELLED, "The caller has gone; %s is not called.",
				     method->path + 1);
	if (!breaker_enter(&channel->breaker, now)) {
		int r = rpc_fail(call, &crpc_reasons[REASON_PEER_UNAVAILABLE],
				 { "peer", channel->peer });

		rpc_retry_after(call, BREAKER_REST_MAX_MS);
		return r;
	}
	*operation = (struct client_operation){ .client = client, .method = method, .call = call };
	operation->limit = channel->options.max_message_bytes;
	operation->started_ns = monotonic_ns();
	operation->short_time = deadline - now < SHORT_TIME_MS;
	operation->details = grpc_empty_slice();
	operation->core = grpc_channel_create_registered_call(
		client->core, call->core, GRPC_PROPAGATE_DEFAULTS, queue,
		client->methods[method - client->service->methods].registered,
		core_deadline(deadline), NULL);

	batch->n_headers = batch->n_ops = 0;
	core_metadata_add(batch->headers, &batch->n_headers, &call->request_headers);
	if (call->token)
		add_header(batch, "authorization", "Bearer ", call->token);
	add_header(batch, "traceparent", "", rpc_traceparent(call));
	add_header(batch, "x-request-id", "", rpc_request_id(call));
	call->compress_request |= channel->options.compress;
	if (call->compress_request)
		add_header(batch, GRPC_COMPRESSION_REQUEST_ALGORITHM_MD_KEY, "", "gzip");
	op = add_op(batch, GRPC_OP_SEND_INITIAL_METADATA);
	op->data.send_initial_metadata.metadata = batch->headers;
	op->data.send_initial_metadata.count = batch->n_headers;
	return 0;
}

void operation_add_request(struct client_operation *operation, struct client_batch *batch,
			   const ProtobufCMessage *request)
{
	operation->request = payload_pack(request);
	payload_send_op(add_op(batch, GRPC_OP_SEND_MESSAGE), operation->request,
			operation->call->compress_request);
	add_op(batch, GRPC_OP_SEND_CLOSE_FROM_CLIENT);
}

void operation_add_headers(struct client_operation *operation, struct client_batch *batch)
{
	grpc_op *op = add_op(batch, GRPC_OP_RECV_INITIAL_METADATA);

	op->data.recv_initial_metadata.recv_initial_metadata = &operation->initial;
}

void operation_add_message(struct client_batch *batch, grpc_byte_buffer **message)
{
	add_op(batch, GRPC_OP_RECV_MESSAGE)->data.recv_message.recv_message = message;
}

void operation_add_status(struct client_operation *operation, struct client_batch *batch)
{
	grpc_op *op = add_op(batch, GRPC_OP_RECV_STATUS_ON_CLIENT);

	op->data.recv_status_on_client.trailing_metadata = &operation->trailing;
	op->data.recv_status_on_client.status = &operation->status;
	op->data.recv_status_on_client.status_details = &operation->details;
}

bool operation_start(struct client_operation *operation, struct client_batch *batch, void *tag)
{
	bool started = core_start(operation->core, batch->ops, batch->n_ops, tag);

	core_metadata_unref(batch->headers, batch->n_headers);
	batch->n_headers = batch->n_ops = 0;
	return started;
}

static void count(struct client_operation *operation, int code)
{
	struct client_method *method =
		&operation->client
			 ->methods[operation->method - operation->client->service->methods];
	struct metric *metric =
		atomic_load_explicit(&method->durations[code], memory_order_acquire);
	char labels[256];

	if (!metric) {
		snprintf(labels, sizeof(labels), "method=\"%s\",code=\"%s\"",
			 operation->method->path + 1, rpc_code_name(code));
		metric = metric_histogram("rpc_client_duration_seconds", labels,
					  "Time that calls to peers took, by method and code.");
		atomic_store_explicit(&method->durations[code], metric, memory_order_release);
	}
	metric_observe(metric, (double)(monotonic_ns() - operation->started_ns) / 1e9);
}

/* What an end says about the peer. Metadata comes from nobody else, so an error with some is an
 * answer. */
static enum breaker_result judge(const struct client_operation *operation, int code)
{
	if (operation->heard || operation->initial.count || operation->trailing.count)
		return BREAKER_SUCCESS;
	switch (code) {
	case RPC_UNAVAILABLE:
		return BREAKER_FAILURE;
	case RPC_DEADLINE_EXCEEDED:
		return operation->short_time ? BREAKER_NEITHER : BREAKER_FAILURE;
	case RPC_CANCELLED:
		return BREAKER_NEITHER;
	default:
		return BREAKER_SUCCESS;
	}
}

int operation_unpack(struct client_operation *operation, grpc_byte_buffer *buffer,
		     ProtobufCMessage **ret)
{
	struct rpc_call *call = operation->call;
	const struct rpc_method *method = operation->method;
	struct payload payload = { .type = method->response, .limit = operation->limit };
	int r = payload_unpack(call->arena, buffer, &payload);

	if (r == PAYLOAD_TOO_LARGE)
		return rpc_fail_code(call, RPC_RESOURCE_EXHAUSTED,
				     "The answer of %s is larger than %zu bytes.", method->path + 1,
				     payload.limit);
	if (r)
		return rpc_fail_code(call, RPC_INTERNAL, "The answer of %s is not a valid %s. %s",
				     method->path + 1, method->response->name, payload.problem);
	call->received_compressed = payload.compressed;
	*ret = payload.message;
	return 0;
}

/* No peer answered: the core says why in words for its own log, with addresses that are no caller's
 * business. */
static int unreachable(struct client_operation *operation, const char *peer)
{
	struct rpc_call *call = operation->call;
	int r;

	log_debug(call, "a peer cannot be reached", { "peer", peer },
		  { "why", rpc_printf(call, "%.*s", (int)GRPC_SLICE_LENGTH(operation->details),
				      core_slice_text(&operation->details)) });
	r = rpc_fail(call, &crpc_reasons[REASON_PEER_UNREACHABLE], { "peer", peer });
	rpc_retry_after(call, 1000);
	return r;
}

int operation_result(struct client_operation *operation, ProtobufCMessage **ret)
{
	struct rpc_call *call = operation->call;
	int code = (int)operation->status < N_RPC_CODES ? (int)operation->status : RPC_UNKNOWN;
	const char *peer = operation->client->channel->peer;
	const grpc_slice *status;

	count(operation, code);
	breaker_leave(&operation->client->channel->breaker, monotonic_ms(), judge(operation, code));
	operation->client = NULL; /* the breaker was left */

	call->compress_request = false;
	call->request_headers = (struct header_list){ .last = &call->request_headers.first };
	call->peer_headers = (struct header_list){ .last = &call->peer_headers.first };
	core_metadata_keep(call->arena, &operation->initial, &call->peer_headers);
	core_metadata_keep(call->arena, &operation->trailing, &call->peer_headers);
	if (code) {
		status = core_metadata_find(&operation->trailing, "grpc-status-details-bin");
		if (code == RPC_UNAVAILABLE && !status && !operation->trailing.count)
			return unreachable(operation, peer);
		if (code == RPC_DEADLINE_EXCEEDED && !status && !operation->trailing.count)
			return rpc_fail_code(
				call, code,
				"%s did not answer in time. Whether it was done is not known: "
				"ask again, as the same request if it changes something.",
				operation->method->path + 1);
		return error_from_peer(call, code, core_slice_text(&operation->details),
				       GRPC_SLICE_LENGTH(operation->details),
				       status ? GRPC_SLICE_START_PTR(*status) : NULL,
				       status ? GRPC_SLICE_LENGTH(*status) : 0);
	}
	if (!ret)
		return 0;
	if (!operation->response)
		return rpc_fail_code(call, RPC_INTERNAL, "%s answered without a message.",
				     operation->method->path + 1);
	return operation_unpack(operation, operation->response, ret);
}

void operation_close(struct client_operation *operation)
{
	if (!operation->core)
		return;
	if (operation->client) /* given up before its status came */
		breaker_leave(&operation->client->channel->breaker, monotonic_ms(),
			      BREAKER_NEITHER);
	grpc_metadata_array_destroy(&operation->initial);
	grpc_metadata_array_destroy(&operation->trailing);
	grpc_slice_unref(operation->details);
	if (operation->request)
		grpc_byte_buffer_destroy(operation->request);
	if (operation->response)
		grpc_byte_buffer_destroy(operation->response);
	grpc_call_unref(operation->core);
	operation->core = NULL;
}

/*
 * Waiting
 */

/* A thread waits for one call at a time, on a queue that it keeps. */
static __thread grpc_completion_queue *thread_queue;
static pthread_key_t queue_key;
static pthread_once_t queue_once = PTHREAD_ONCE_INIT;

static void queue_free(void *data)
{
	grpc_completion_queue_shutdown(data);
	grpc_completion_queue_destroy(data);
	thread_queue = NULL;
}

static void queue_create_key(void)
{
	if (pthread_key_create(&queue_key, queue_free))
		abort();
}

static grpc_completion_queue *queue_of_thread(void)
{
	if (!thread_queue) {
		pthread_once(&queue_once, queue_create_key);
		thread_queue = grpc_completion_queue_create_for_pluck(NULL);
		pthread_setspecific(queue_key, thread_queue);
	}
	return thread_queue;
}

int rpc_client_call(struct rpc_client *client, const struct rpc_method *method,
		    struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage **ret)
{
	/* A full arena unwinds through here. */
	cleanup(operation_close) struct client_operation operation = { 0 };
	struct client_batch batch;
	grpc_completion_queue *queue;
	int r;

	if (!client->channel)
		return local_call(client, method, call, request, ret);
	queue = queue_of_thread();
	r = operation_begin(&operation, &batch, client, method, call, queue);
	if (r)
		return r;
	operation_add_request(&operation, &batch, request);
	operation_add_headers(&operation, &batch);
	operation_add_message(&batch, &operation.response);
	operation_add_status(&operation, &batch);
	client_set_operation(call, &operation);
	if (operation_start(&operation, &batch, &operation))
		core_wait(queue, &operation);
	else
		operation.status = GRPC_STATUS_INTERNAL;
	client_set_operation(call, NULL);
	return operation_result(&operation, ret);
}
