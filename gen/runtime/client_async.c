/* Clients that do not wait: calls that end on the completion thread. */
#include "channel_private.h"
#include "local.h"
#include "thread.h"
#include <stdlib.h>
#include <string.h>

/*
 * One queue and one thread complete all calls of the process that have no rpc_completions of their
 * own. They begin with the first client that needs them and end with the last client.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static grpc_completion_queue *queue;
static pthread_t thread;
static unsigned users;

static void *completion_thread(void *data)
{
	core_run_events(data);
	return NULL;
}

grpc_completion_queue *client_completion_queue(struct rpc_client *client,
					       const struct rpc_call *call)
{
	grpc_completion_queue *result;

	if (call->completions)
		return completions_queue(call->completions);
	if (atomic_load_explicit(&client->asynchronous, memory_order_acquire))
		return queue;
	pthread_mutex_lock(&lock);
	if (!client->asynchronous) {
		if (!users++) {
			queue = grpc_completion_queue_create_for_next(NULL);
			if (thread_start(&thread, THREAD_STACK, "rpc-complete", completion_thread,
					 queue))
				abort();
		}
		atomic_store_explicit(&client->asynchronous, true, memory_order_release);
	}
	result = queue;
	pthread_mutex_unlock(&lock);
	return result;
}

void client_async_release(struct rpc_client *client)
{
	if (!client->asynchronous)
		return;
	pthread_mutex_lock(&lock);
	if (!--users) {
		grpc_completion_queue_shutdown(queue);
		pthread_join(thread, NULL);
		grpc_completion_queue_destroy(queue);
		queue = NULL;
	}
	pthread_mutex_unlock(&lock);
}

/* From here on rpc_call_cancel() reaches the call. */
void client_set_operation(struct rpc_call *call, struct client_operation *operation)
{
	pthread_mutex_lock(&call->lock);
	call->operation = operation;
	if (operation && atomic_load_explicit(&call->cancelled, memory_order_relaxed))
		grpc_call_cancel(operation->core, NULL);
	pthread_mutex_unlock(&call->lock);
}

void rpc_call_cancel(struct rpc_call *call)
{
	pthread_mutex_lock(&call->lock);
	atomic_store_explicit(&call->cancelled, true, memory_order_release);
	if (call->operation)
		grpc_call_cancel(call->operation->core, NULL);
	pthread_mutex_unlock(&call->lock);
}

/*
 * Unary
 */

static int read_result(void *data, struct rpc_call *call)
{
	struct client_operation *operation = data;

	(void)call;
	return operation_result(operation, &operation->result);
}

static void unary_done(struct core_event *event, bool ok)
{
	struct client_operation *operation = (struct client_operation *)event;
	struct rpc_call *call = operation->call;
	rpc_done_function *done = operation->done;
	void *data = operation->data;
	ProtobufCMessage *message;
	int code;

	(void)ok; /* a batch with the status always succeeds */
	client_set_operation(call, NULL);
	code = rpc_call_run(call, read_result, operation);
	message = operation->result;
	operation_close(operation);
	done(data, call, code, code ? NULL : message);
}

int rpc_client_start(struct rpc_client *client, const struct rpc_method *method,
		     struct rpc_call *call, const ProtobufCMessage *request,
		     rpc_done_function *done, void *data)
{
	struct client_operation *operation;
	struct client_batch batch;
	int r;

	if (!client->channel) {
		ProtobufCMessage *response = NULL;

		r = local_call(client, method, call, request, &response);
		done(data, call, r, response);
		return 0;
	}
	operation = arena_alloc(call->arena, sizeof(*operation));
	r = operation_begin(operation, &batch, client, method, call,
			    client_completion_queue(client, call));
	if (r)
		return r;
	operation->event.run = unary_done;
	operation->done = done;
	operation->data = data;
	operation_add_request(operation, &batch, request);
	operation_add_headers(operation, &batch);
	operation_add_message(&batch, &operation->response);
	operation_add_status(operation, &batch);
	client_set_operation(call, operation); /* before the start: the end may come at once */
	if (operation_start(operation, &batch, &operation->event))
		return 0;
	client_set_operation(call, NULL);
	operation_close(operation);
	return rpc_fail_code(call, RPC_INTERNAL, "The call to %s could not be started.",
			     method->path + 1);
}
