/* Redis without waiting: commands go out at the end of a turn, all in one write; answers come to
 * callbacks. */
#pragma once

#include "loop.h"
#include <hiredis/hiredis.h>
#include <stdbool.h>

/* One connection of one loop; it comes back by itself. What is asked while it is away is refused at
 * once, never queued. */
struct redis_async;

/* Part of whoever waits, until `done` was called. */
struct redis_wait {
	void (*done)(struct redis_wait *wait, redisReply *reply); /* NULL: Redis went away */
};

/* redis://user:password@host:port/database. NULL with *error (malloc()ed) when the URL is none. */
struct redis_async *redis_async_new(struct loop *loop, const char *url, char **error);
/* Calls what still waits, with NULL. */
struct redis_async *redis_async_free(struct redis_async *redis);

bool redis_async_ready(const struct redis_async *redis);
/* False: away; done() is not called. `wait` NULL: nobody wants the answer. */
bool redis_async_send(struct redis_async *redis, struct redis_wait *wait, int n,
		      const char *const *arguments);
