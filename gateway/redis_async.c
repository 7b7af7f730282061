/* Redis without waiting. */
#include "redis_async.h"
#include "percent.h"
#include <crpc/log.h>
#include <errno.h>
#include <hiredis/async.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	ARGUMENTS_MAX = 16,
	PENDING_MAX = 20000, /* answers outstanding: beyond that Redis is as good as away */
	PATIENCE_MS = 1000,  /* without any answer */
	RETRY_MS = 500,
};

/*
 * AWAY -> CONNECTING -> READY -> AWAY. hiredis frees its context by itself after connected() with
 * an error and after disconnected(); both lead to AWAY and set the timer for the next try.
 */
struct redis_async {
	struct loop *loop;
	struct watch watch;
	struct timer timer;
	struct task write;
	redisAsyncContext *context; /* NULL: AWAY */
	bool ready, writing, closing;
	bool complained; /* once for each time that it went away */
	unsigned n_pending;
	int64_t last_answer_ms;
	char host[256], user[128], password[256];
	int port, database;
};

static struct redis_async *of(void *data)
{
	return data;
}

/*
 * hiredis' hooks into the loop
 */

static void ignore_event(void *data)
{
	(void)data;
}

static void add_write(void *data)
{
	struct redis_async *redis = of(data);

	/* Before the connection stands, and when the kernel is full, the event tells; else the end
	 * of the turn is when to write. */
	if (redis->ready && !redis->writing)
		loop_later(redis->loop, &redis->write);
	else
		loop_change(redis->loop, &redis->watch, EPOLLIN | EPOLLOUT);
}

static void del_write(void *data)
{
	(void)data;
}

static void detach(void *data)
{
	struct redis_async *redis = of(data);

	loop_unwatch(redis->loop, &redis->watch);
	redis->watch.fd = -1;
}

static void write_out(struct redis_async *redis)
{
	if (!redis->context)
		return;
	redis->writing = true;
	redisAsyncHandleWrite(redis->context);
	redis->writing = false;
}

static void write_later(struct task *task)
{
	write_out((void *)((char *)task - offsetof(struct redis_async, write)));
}

static void ready(struct watch *watch, uint32_t events)
{
	struct redis_async *redis = (void *)((char *)watch - offsetof(struct redis_async, watch));

	if (events & EPOLLOUT) {
		loop_change(redis->loop, watch, EPOLLIN);
		write_out(redis);
	}
	if (redis->context && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		redisAsyncHandleRead(redis->context);
}

static void went_away(struct redis_async *redis, const char *why)
{
	redis->ready = false;
	redis->context = NULL;
	redis->n_pending = 0;
	if (redis->closing)
		return;
	if (!redis->complained)
		log_warning(NULL, "Redis is away: sessions cannot be checked, limits are off",
			    { "reason", why });
	redis->complained = true;
	loop_timer_set(redis->loop, &redis->timer, RETRY_MS);
}

static void answered(redisAsyncContext *context, void *reply, void *data)
{
	struct redis_async *redis = of(context->data);
	struct redis_wait *wait = data;

	if (redis->n_pending)
		redis->n_pending--;
	if (reply)
		redis->last_answer_ms = redis->loop->now_ms;
	if (wait)
		wait->done(wait, reply);
}

static void logged_in(redisAsyncContext *context, void *data, void *unused)
{
	struct redis_async *redis = of(context->data);
	redisReply *reply = data;

	(void)unused;
	if (!reply || redis->closing)
		return;
	if (reply->type == REDIS_REPLY_ERROR) {
		redisAsyncDisconnect(context);
		return;
	}
	redis->ready = true;
	redis->last_answer_ms = redis->loop->now_ms;
	if (redis->complained)
		log_info(NULL, "Redis is back");
	redis->complained = false;
}

static void disconnected(const redisAsyncContext *context, int status)
{
	went_away(of(context->data),
		  status == REDIS_OK ? "its connection was given up" : context->errstr);
}

static void connected(const redisAsyncContext *context, int status)
{
	if (status != REDIS_OK)
		went_away(of(context->data), context->errstr);
}

static void connect_now(struct redis_async *redis)
{
	redisAsyncContext *context = redisAsyncConnect(redis->host, redis->port);

	if (!context || context->err) {
		const char *why = context ? context->errstr : "out of memory";

		went_away(redis, why);
		if (context)
			redisAsyncFree(context);
		return;
	}
	redis->watch.fd = context->c.fd;
	if (loop_watch(redis->loop, &redis->watch, EPOLLIN)) {
		redis->watch.fd = -1;
		went_away(redis, "it cannot be watched");
		redisAsyncFree(context);
		return;
	}
	redis->context = context;
	context->data = redis;
	context->ev.data = redis;
	context->ev.addRead = ignore_event;
	context->ev.delRead = ignore_event;
	context->ev.addWrite = add_write;
	context->ev.delWrite = del_write;
	context->ev.cleanup = detach;
	redisAsyncSetConnectCallback(context, connected);
	redisAsyncSetDisconnectCallback(context, disconnected);
	if (redis->user[0])
		redisAsyncCommand(context, NULL, NULL, "AUTH %s %s", redis->user, redis->password);
	else if (redis->password[0])
		redisAsyncCommand(context, NULL, NULL, "AUTH %s", redis->password);
	/* Its answer says that the login was right, too. */
	redisAsyncCommand(context, logged_in, NULL, "SELECT %d", redis->database);
	loop_timer_set(redis->loop, &redis->timer, PATIENCE_MS);
}

static void expired(struct timer *timer)
{
	struct redis_async *redis = (void *)((char *)timer - offsetof(struct redis_async, timer));
	bool silent = redis->n_pending && redis->loop->now_ms - redis->last_answer_ms > PATIENCE_MS;

	if (!redis->context) {
		connect_now(redis);
		return;
	}
	if (!redis->ready || silent) {
		redisAsyncContext *context = redis->context;

		/* What waits is told within; it may ask again, and is refused. */
		redis->ready = false;
		redisAsyncFree(context);
		if (redis->context)
			went_away(redis, "it does not answer");
		return;
	}
	loop_timer_set(redis->loop, timer, PATIENCE_MS / 2);
}

/* A part of the URL, unescaped. False: too long. */
static bool take(char *to, size_t size, const char *text, size_t length)
{
	size_t used = percent_decode(to, size - 1, text, length, NULL);

	if (used > size - 1)
		return false;
	to[used] = '\0';
	return true;
}

static bool parse(struct redis_async *redis, const char *url)
{
	const char *at, *host, *end, *colon;

	redis->port = 6379;
	if (strncmp(url, "redis://", 8))
		return false;
	url += 8;
	end = url + strcspn(url, "/?");
	at = memrchr(url, '@', (size_t)(end - url));
	host = at ? at + 1 : url;
	if (at) {
		colon = memchr(url, ':', (size_t)(at - url));
		if (!take(redis->user, sizeof(redis->user), url,
			  (size_t)((colon ? colon : at) - url)) ||
		    (colon && !take(redis->password, sizeof(redis->password), colon + 1,
				    (size_t)(at - colon - 1))))
			return false;
	}
	colon = memrchr(host, ':', (size_t)(end - host));
	if (colon)
		redis->port = atoi(colon + 1);
	if (*end == '/')
		redis->database = atoi(end + 1);
	return take(redis->host, sizeof(redis->host), host,
		    (size_t)((colon ? colon : end) - host)) &&
	       redis->host[0] && redis->port > 0 && redis->port < 65536 && redis->database >= 0;
}

struct redis_async *redis_async_new(struct loop *loop, const char *url, char **error)
{
	struct redis_async *redis = calloc(1, sizeof(*redis));

	if (!redis)
		return NULL;
	redis->loop = loop;
	redis->watch = (struct watch){ -1, ready };
	redis->timer.expired = expired;
	redis->write.run = write_later;
	if (!parse(redis, url)) {
		/* Not the URL itself: it holds a password. */
		*error = strdup("SOUK_REDIS_URL is not of the form "
				"redis://user:password@host:port/database");
		free(redis);
		return NULL;
	}
	connect_now(redis);
	return redis;
}

struct redis_async *redis_async_free(struct redis_async *redis)
{
	if (!redis)
		return NULL;
	redis->closing = true;
	redis->ready = false;
	loop_timer_clear(redis->loop, &redis->timer);
	if (redis->context)
		redisAsyncFree(redis->context);
	free(redis);
	return NULL;
}

bool redis_async_ready(const struct redis_async *redis)
{
	return redis->ready;
}

bool redis_async_send(struct redis_async *redis, struct redis_wait *wait, int n,
		      const char *const *arguments)
{
	const char *copy[ARGUMENTS_MAX];

	if (!redis->ready || redis->n_pending >= PENDING_MAX || n > ARGUMENTS_MAX)
		return false;
	memcpy(copy, arguments, (size_t)n * sizeof(*copy));
	if (!redis->n_pending)
		redis->last_answer_ms = redis->loop->now_ms;
	if (redisAsyncCommandArgv(redis->context, answered, wait, n, copy, NULL) != REDIS_OK)
		return false;
	redis->n_pending++;
	return true;
}
