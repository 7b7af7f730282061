/* A call: its memory, its caller, its deadline, its metadata, its trace. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <crpc/client.h>
#include "call_private.h"

/*
 * Arenas are pooled by thread: a call usually ends on the thread it began on, and a pool without a lock costs nothing. A thread keeps few,
 * so that a burst does not stay in memory.
 */
enum { POOL_SIZE = 4 };

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

int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void header_list_init(struct header_list *list)
{
	list->last = &list->first;
}

struct rpc_call *call_new(size_t arena_cap)
{
	struct arena *arena = pool_take(arena_cap);
	struct rpc_call *call = arena_alloc(arena, sizeof(*call));

	call->arena = arena;
	call->arena_cap = arena_cap;
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
};

static int run_function(void *data)
{
	struct run *run = data;

	return run->function(run->data, run->call);
}

int rpc_call_run(struct rpc_call *call, int (*function)(void *data, struct rpc_call *call), void *data)
{
	struct run run = { function, data, call };
	int r = arena_run(call->arena, run_function, &run);

	if (r == -ENOMEM && arena_full(call->arena))
		return error_set_static(call, RPC_RESOURCE_EXHAUSTED, "The call needs more memory than one call may have.");
	return r;
}
