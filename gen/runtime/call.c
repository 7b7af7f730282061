/* A call: its memory, its caller, its deadline, its metadata, its trace. */
#include "call_private.h"
#include <crpc/client.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Arenas are pooled by thread: a call usually ends on the thread it began on, and a pool without a
 * lock costs nothing. A thread keeps few, so that a burst does not stay in memory; the
 * gateway, whose one thread has many calls under way, is why it is not fewer.
 */
enum { POOL_SIZE = 32 };

struct pool {
	size_t cap, count;
	struct arena *arenas[POOL_SIZE];
};

static __thread struct pool *pool;
static pthread_key_t pool_key;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

static void pool_free(void *data)
{
	struct pool *of_thread = data;

	while (of_thread->count)
		arena_free(of_thread->arenas[--of_thread->count]);
	free(of_thread);
	pool = NULL;
}

static void pool_create_key(void)
{
	if (pthread_key_create(&pool_key, pool_free))
		abort();
}

static struct arena *pool_take(size_t cap)
{
	if (pool && pool->count && pool->cap == cap)
		return pool->arenas[--pool->count];
	return arena_new(cap);
}

static void pool_give(struct arena *arena, size_t cap)
{
	if (!pool) {
		pthread_once(&pool_once, pool_create_key);
		pool = calloc(1, sizeof(*pool));
		if (!pool) {
			arena_free(arena);
			return;
		}
		pool->cap = cap;
		pthread_setspecific(pool_key, pool);
	}
	if (pool->cap != cap || pool->count == POOL_SIZE) {
		arena_free(arena);
		return;
	}
	arena_reset(arena);
	pool->arenas[pool->count++] = arena;
}

int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void header_list_init(struct header_list *list)
{
	list->last = &list->first;
}

struct rpc_call *call_new_in(struct arena *arena)
{
	struct rpc_call *call = arena_alloc(arena, sizeof(*call));

	call->arena = arena;
	call->deadline_ms = INT64_MAX;
	call->caller = (struct rpc_caller){ "", "", "", "", "", false, 0 };
	call->error.message = call->error.reason = call->error.domain = "";
	call->last_violation = &call->violations;
	header_list_init(&call->response_headers);
	header_list_init(&call->response_trailers);
	header_list_init(&call->request_headers);
	header_list_init(&call->peer_headers);
	pthread_mutex_init(&call->lock, NULL);
	return call;
}

struct rpc_call *call_new(size_t arena_cap)
{
	struct rpc_call *call = call_new_in(pool_take(arena_cap));

	call->arena_cap = arena_cap;
	return call;
}

struct rpc_call *rpc_call_new(const char *name, int64_t timeout_ms)
{
	struct rpc_call *call = call_new(CALL_ARENA_CAP);

	call->name = name;
	if (timeout_ms > 0)
		call->deadline_ms = monotonic_ms() + timeout_ms;
	trace_begin(&call->trace, NULL, 0);
	return call;
}

struct rpc_call *rpc_call_free(struct rpc_call *call)
{
	if (!call)
		return NULL;
	pthread_mutex_destroy(&call->lock);
	pool_give(call->arena, call->arena_cap);
	return NULL;
}

struct run {
	int (*function)(void *data, struct rpc_call *call);
	void *data;
	struct rpc_call *call;
	int result;
	bool finished; /* tells a function's own -ENOMEM from a full arena */
};

static int run_function(void *data)
{
	struct run *run = data;

	run->result = run->function(run->data, run->call);
	run->finished = true;
	return 0;
}

int rpc_call_run(struct rpc_call *call, int (*function)(void *data, struct rpc_call *call),
		 void *data)
{
	struct run run = { .function = function, .data = data, .call = call };

	arena_run(call->arena, run_function, &run);
	if (run.finished)
		return run.result;
	return error_set_static(call, &crpc_reasons[REASON_CALL_TOO_LARGE]);
}

struct arena *rpc_arena(struct rpc_call *call)
{
	return call->arena;
}

void *rpc_alloc(struct rpc_call *call, size_t size)
{
	return arena_alloc(call->arena, size);
}

void *rpc_memdup(struct rpc_call *call, const void *bytes, size_t size)
{
	return arena_memdup(call->arena, bytes, size);
}

char *rpc_strdup(struct rpc_call *call, const char *text)
{
	return arena_strndup(call->arena, text, strlen(text));
}

char *rpc_printf(struct rpc_call *call, const char *format, ...)
{
	va_list arguments, again;
	char buffer[256];
	char *text;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(buffer, sizeof(buffer), format, arguments);
	va_end(arguments);
	if (length < 0) {
		text = arena_strndup(call->arena, "", 0);
	} else if ((size_t)length < sizeof(buffer)) {
		text = arena_strndup(call->arena, buffer, (size_t)length);
	} else {
		text = arena_alloc(call->arena, (size_t)length + 1);
		vsnprintf(text, (size_t)length + 1, format, again);
	}
	va_end(again);
	return text;
}

const struct rpc_caller *rpc_caller(const struct rpc_call *call)
{
	return &call->caller;
}

bool rpc_caller_is(const struct rpc_call *call, const char *user)
{
	return call->caller.user[0] && !strcmp(call->caller.user, user);
}

bool rpc_caller_may(const struct rpc_call *call, const char *permission)
{
	size_t length = strlen(permission);
	const char *scope = call->caller.scope;

	if (!length)
		return false;
	while (*scope) {
		size_t word = strcspn(scope, " ");

		if (word == length && !memcmp(scope, permission, length))
			return true;
		scope += word;
		scope += strspn(scope, " ");
	}
	return false;
}

bool rpc_caller_is_service(const struct rpc_call *call, const char *service)
{
	return call->caller.service[0] && !strcmp(call->caller.service, service);
}

bool rpc_call_cancelled(const struct rpc_call *call)
{
	if (atomic_load_explicit(&call->cancelled, memory_order_acquire))
		return true;
	if (call->draining && atomic_load_explicit(call->draining, memory_order_acquire))
		return true;
	if (call->deadline_ms != INT64_MAX && monotonic_ms() >= call->deadline_ms)
		return true;
	if (call->parent)
		return rpc_call_cancelled(call->parent);
	return call->poll && call->poll((struct rpc_call *)call);
}

int64_t rpc_remaining_ms(const struct rpc_call *call)
{
	int64_t left;

	if (call->deadline_ms == INT64_MAX)
		return INT64_MAX;
	left = call->deadline_ms - monotonic_ms();
	return left > 0 ? left : 0;
}

int64_t rpc_now_ms(const struct rpc_call *call)
{
	struct timespec now;

	if (call && call->now_ms)
		return call->now_ms;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void header_add(struct arena *arena, struct header_list *list, const char *name, const char *value,
		size_t length)
{
	struct header *header = arena_alloc(arena, sizeof(*header));

	header->name = arena_strndup(arena, name, strlen(name));
	header->value = arena_strndup(arena, value ? value : "", length);
	header->length = length;
	*list->last = header;
	list->last = &header->next;
	list->count++;
}

const struct header *header_find(const struct header_list *list, const char *name)
{
	for (const struct header *header = list->first; header; header = header->next)
		if (!strcmp(header->name, name))
			return header;
	return NULL;
}

ProtobufCBinaryData rpc_header_bin(const struct rpc_call *call, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; call->metadata && i < call->metadata->count; i++) {
		const grpc_metadata *item = &call->metadata->metadata[i];

		if (GRPC_SLICE_LENGTH(item->key) == length &&
		    !memcmp(GRPC_SLICE_START_PTR(item->key), name, length)) {
			size_t size = GRPC_SLICE_LENGTH(item->value);

			return (ProtobufCBinaryData){
				size, (uint8_t *)arena_strndup(
					      call->arena,
					      (const char *)GRPC_SLICE_START_PTR(item->value), size)
			};
		}
	}
	if (call->parent) {
		const struct header *header = header_find(&call->parent->request_headers, name);

		if (header)
			return (ProtobufCBinaryData){ header->length, (uint8_t *)header->value };
	}
	return (ProtobufCBinaryData){ 0, NULL };
}

const char *rpc_header(const struct rpc_call *call, const char *name)
{
	return (const char *)rpc_header_bin(call, name).data;
}

void rpc_set_header(struct rpc_call *call, const char *name, const char *value)
{
	header_add(call->arena, &call->response_headers, name, value, strlen(value));
}

void rpc_set_header_bin(struct rpc_call *call, const char *name, ProtobufCBinaryData value)
{
	header_add(call->arena, &call->response_headers, name, (const char *)value.data, value.len);
}

void rpc_set_trailer(struct rpc_call *call, const char *name, const char *value)
{
	header_add(call->arena, &call->response_trailers, name, value, strlen(value));
}

void rpc_set_trailer_bin(struct rpc_call *call, const char *name, ProtobufCBinaryData value)
{
	header_add(call->arena, &call->response_trailers, name, (const char *)value.data,
		   value.len);
}

void rpc_set_request_header(struct rpc_call *call, const char *name, const char *value)
{
	header_add(call->arena, &call->request_headers, name, value, strlen(value));
}

void rpc_set_request_header_bin(struct rpc_call *call, const char *name, ProtobufCBinaryData value)
{
	header_add(call->arena, &call->request_headers, name, (const char *)value.data, value.len);
}

ProtobufCBinaryData rpc_response_header_bin(const struct rpc_call *call, const char *name)
{
	const struct header *header = header_find(&call->peer_headers, name);

	if (!header)
		return (ProtobufCBinaryData){ 0, NULL };
	return (ProtobufCBinaryData){ header->length, (uint8_t *)header->value };
}

const char *rpc_response_header(const struct rpc_call *call, const char *name)
{
	return (const char *)rpc_response_header_bin(call, name).data;
}

void rpc_set_compressed(struct rpc_call *call, bool compressed)
{
	call->compress = compressed;
}

void rpc_set_request_compressed(struct rpc_call *call, bool compressed)
{
	call->compress_request = compressed;
}

bool rpc_received_compressed(const struct rpc_call *call)
{
	return call->received_compressed;
}

void rpc_call_set_token(struct rpc_call *call, const char *token)
{
	call->token = token ? rpc_strdup(call, token) : NULL;
}

const char *rpc_traceparent(const struct rpc_call *call)
{
	if (!call->traceparent[0])
		trace_print(&call->trace, ((struct rpc_call *)call)->traceparent);
	return call->traceparent;
}

const char *rpc_request_id(const struct rpc_call *call)
{
	if (!call->request_id[0])
		trace_make_id(((struct rpc_call *)call)->request_id);
	return call->request_id;
}

void call_set_request_id(struct rpc_call *call, const char *id, size_t length)
{
	if (!length || length > REQUEST_ID_MAX)
		return;
	for (size_t i = 0; i < length; i++)
		if (id[i] <= ' ' || id[i] > '~')
			return;
	memcpy(call->request_id, id, length);
	call->request_id[length] = '\0';
}

void rpc_call_set_request_id(struct rpc_call *call, const char *id)
{
	call_set_request_id(call, id, strlen(id));
}

const struct rpc_method *rpc_call_method(const struct rpc_call *call)
{
	return call->method;
}

void rpc_call_set_traceparent(struct rpc_call *call, const char *traceparent)
{
	trace_begin(&call->trace, traceparent, traceparent ? strlen(traceparent) : 0);
	call->traceparent[0] = '\0';
}

void rpc_call_set_caller(struct rpc_call *call, const struct rpc_caller *caller)
{
	call->caller = (struct rpc_caller){
		.user = rpc_strdup(call, caller->user ? caller->user : ""),
		.session = rpc_strdup(call, caller->session ? caller->session : ""),
		.merge_from = rpc_strdup(call, caller->merge_from ? caller->merge_from : ""),
		.scope = rpc_strdup(call, caller->scope ? caller->scope : ""),
		.service = rpc_strdup(call, caller->service ? caller->service : ""),
		.guest = caller->guest,
		.expire_time = caller->expire_time,
	};
}

void rpc_call_set_now(struct rpc_call *call, int64_t unix_ms)
{
	call->now_ms = unix_ms;
}
