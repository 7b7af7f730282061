/* Redis: a small pool of connections, commands of arguments that are never parsed, scripts. */
#include "errors.msg.h"
#include <common/redis.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	CONNECTIONS_MAX = 16,
	CONNECT_MS = 1000,
	COMMAND_MS = 2000,
	ARGUMENTS_MAX = 64,
	PORT_DEFAULT = 6379,
	RETRY_MS = 1000
};

static struct {
	char *host, *user, *password;
	int port, database;
} server;

/* Connections that nobody uses; `n_open` counts those in use too. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	redisContext *idle[CONNECTIONS_MAX];
	size_t n_idle, n_open;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .returned = PTHREAD_COND_INITIALIZER };

static struct {
	const char *url;
} options;

/*
 * The URL
 */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A part of the URL, percent-decoded and malloc()ed. */
static char *decode(const char *text, size_t length)
{
	char *copy = calloc(1, length + 1), *to = copy;

	if (!copy)
		abort();
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '%' && i + 2 < length && hex_digit(text[i + 1]) >= 0 &&
		    hex_digit(text[i + 2]) >= 0) {
			*to++ = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			i += 2;
		} else
			*to++ = text[i];
	}
	return copy;
}

static void forget_server(void)
{
	free(server.host);
	free(server.user);
	free(server.password);
	memset(&server, 0, sizeof(server));
}

/* redis://[user[:password]@]host[:port][/database] */
static int parse_url(const char *url)
{
	const char *at, *colon, *end;
	char *rest;

	if (strncmp(url, "redis://", 8))
		return -EINVAL;
	url += 8;
	end = url + strcspn(url, "/");
	at = memrchr(url, '@', (size_t)(end - url));
	if (at) {
		colon = memchr(url, ':', (size_t)(at - url));
		server.user = decode(url, (size_t)((colon ? colon : at) - url));
		if (colon)
			server.password = decode(colon + 1, (size_t)(at - colon - 1));
		url = at + 1;
	}
	colon = memchr(url, ':', (size_t)(end - url));
	server.host = decode(url, (size_t)((colon ? colon : end) - url));
	server.port = PORT_DEFAULT;
	if (colon) {
		server.port = (int)strtol(colon + 1, &rest, 10);
		if (rest != end || server.port < 1 || server.port > 65535)
			return -EINVAL;
	}
	if (*end && end[1]) {
		server.database = (int)strtol(end + 1, &rest, 10);
		if (*rest || server.database < 0)
			return -EINVAL;
	}
	return *server.host ? 0 : -EINVAL;
}

/*
 * Connections
 */

static bool greet(redisContext *context, const char *const *arguments, int n)
{
	cleanup(redis_reply_freep) redisReply *reply =
		redisCommandArgv(context, n, (const char **)arguments, NULL);

	return reply && reply->type != REDIS_REPLY_ERROR;
}

static redisContext *connect_server(void)
{
	redisContext *context = redisConnectWithTimeout(
		server.host, server.port, (struct timeval){ .tv_usec = CONNECT_MS * 999L });
	char database[16];
	bool ok;

	if (!context)
		return NULL;
	ok = !context->err &&
	     redisSetTimeout(context, (struct timeval){ .tv_sec = COMMAND_MS / 1000 }) == REDIS_OK;
	if (ok && server.password)
		ok = *server.user
			     ? greet(context,
				     (const char *const[]){ "AUTH", server.user, server.password },
				     3)
			     : greet(context, (const char *const[]){ "AUTH", server.password }, 2);
	if (ok && server.database) {
		snprintf(database, sizeof(database), "%d", server.database);
		ok = greet(context, (const char *const[]){ "SELECT", database }, 2);
	}
	if (ok) {
		redisEnableKeepAlive(context);
		return context;
	}
	redisFree(context);
	return NULL;
}

/* A connection that the server has closed meanwhile is readable; one that waits for a command is
 * not. */
static bool is_stale(const redisContext *context)
{
	struct pollfd fd = { .fd = context->fd, .events = POLLIN };

	return poll(&fd, 1, 0) != 0;
}

static redisContext *take_idle(bool *may_open)
{
	redisContext *context = NULL;
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += COMMAND_MS / 1000;
	pthread_mutex_lock(&pool.lock);
	while (!pool.n_idle && pool.n_open == CONNECTIONS_MAX && !r)
		r = pthread_cond_timedwait(&pool.returned, &pool.lock, &until);
	if (pool.n_idle)
		context = pool.idle[--pool.n_idle];
	*may_open = !context && pool.n_open < CONNECTIONS_MAX;
	if (*may_open)
		pool.n_open++;
	pthread_mutex_unlock(&pool.lock);
	return context;
}

/* Back into the pool; NULL: it is gone. */
static void give_back(redisContext *context)
{
	pthread_mutex_lock(&pool.lock);
	if (context)
		pool.idle[pool.n_idle++] = context;
	else
		pool.n_open--;
	pthread_cond_signal(&pool.returned);
	pthread_mutex_unlock(&pool.lock);
}

static redisContext *acquire(void)
{
	redisContext *context;
	bool may_open;

	for (;;) {
		context = take_idle(&may_open);
		if (!context)
			break;
		if (!is_stale(context))
			return context;
		redisFree(context);
		give_back(NULL);
	}
	if (!may_open)
		return NULL;
	context = connect_server();
	if (!context)
		give_back(NULL);
	return context;
}

/*
 * Commands
 */

static int unavailable(struct rpc_call *call)
{
	int r = rpc_fail(call, DEPENDENCY_UNAVAILABLE, { "dependency", "session store" });

	rpc_retry_after(call, RETRY_MS);
	return r;
}

/* The server's own troubles, as opposed to a command that is wrong. */
static bool is_passing(const char *error)
{
	static const char *const passing[] = { "LOADING",  "BUSY ",       "MASTERDOWN", "READONLY",
					       "TRYAGAIN", "CLUSTERDOWN", "OOM " };

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (!strncmp(error, passing[i], strlen(passing[i])))
			return true;
	return false;
}

/* Sends and receives. *reply may be an error that the server answered. */
static int execute(struct rpc_call *call, redisReply **reply, int n, const char **arguments,
		   const size_t *lengths)
{
	int64_t remaining = rpc_remaining_ms(call);
	redisContext *context;

	if (remaining <= 0)
		return rpc_fail_code(call, RPC_DEADLINE_EXCEEDED,
				     "The deadline passed before the session store was asked.");
	context = acquire();
	if (!context)
		return unavailable(call);
	*reply = redisCommandArgv(context, n, arguments, lengths);
	if (!*reply) {
		/* Half a reply may be on its way: this connection is of no use to anybody. */
		redisFree(context);
		give_back(NULL);
		return unavailable(call);
	}
	give_back(context);
	return 0;
}

static int check_reply(struct rpc_call *call, redisReply **reply, const char *command)
{
	int r;

	if ((*reply)->type != REDIS_REPLY_ERROR)
		return 0;
	if (is_passing((*reply)->str))
		r = unavailable(call);
	else {
		/* Only the error's code and first words: Redis may repeat arguments after a comma
		 * or in quotes. */
		(*reply)->str[strcspn((*reply)->str, ",'\"`")] = 0;
		log_error(call, "the session store refused a command", { "command", command },
			  { "error", (*reply)->str });
		r = -EPROTO;
	}
	freeReplyObject(*reply);
	*reply = NULL;
	return r;
}

int redis_command_(struct rpc_call *call, redisReply **reply, const char *const *arguments)
{
	int n = 0, r;

	while (arguments[n])
		n++;
	r = execute(call, reply, n, (const char **)arguments, NULL);
	return r ? r : check_reply(call, reply, arguments[0]);
}

int redis_command_bytes(struct rpc_call *call, redisReply **reply, size_t n,
			const ProtobufCBinaryData *arguments)
{
	const char *texts[ARGUMENTS_MAX];
	size_t lengths[ARGUMENTS_MAX];
	int r;

	if (n > ARGUMENTS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		texts[i] = arguments[i].len ? (const char *)arguments[i].data : "";
		lengths[i] = arguments[i].len;
	}
	r = execute(call, reply, (int)n, texts, lengths);
	return r ? r : check_reply(call, reply, "(bytes)");
}

/*
 * Scripts
 */

static pthread_mutex_t scripts_lock = PTHREAD_MUTEX_INITIALIZER;

/* Asks the server, which computes the digest anyway. */
static int load_script(struct rpc_call *call, struct redis_script *script, char sha[41])
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	int r = redis_command(call, &reply, "SCRIPT", "LOAD", script->source);

	if (r)
		return r;
	if (reply->type != REDIS_REPLY_STRING || reply->len != 40)
		return -EPROTO;
	memcpy(sha, reply->str, 41);
	pthread_mutex_lock(&scripts_lock);
	memcpy(script->sha, sha, 41);
	pthread_mutex_unlock(&scripts_lock);
	return 0;
}

int redis_run_(struct rpc_call *call, redisReply **reply, struct redis_script *script, int n_keys,
	       const char *const *arguments)
{
	const char *all[ARGUMENTS_MAX] = { "EVALSHA" };
	char sha[41], count[16];
	int n = 3, r = 0;

	for (; *arguments; arguments++) {
		if (n == ARGUMENTS_MAX)
			return -E2BIG;
		all[n++] = *arguments;
	}
	pthread_mutex_lock(&scripts_lock);
	memcpy(sha, script->sha, sizeof(sha));
	pthread_mutex_unlock(&scripts_lock);
	snprintf(count, sizeof(count), "%d", n_keys);
	all[1] = sha;
	all[2] = count;
	/* A server that was restarted or flushed has forgotten it. */
	for (int attempt = 0; attempt < 2; attempt++) {
		if (!*sha)
			r = load_script(call, script, sha);
		if (!r)
			r = execute(call, reply, n, all, NULL);
		if (r || (*reply)->type != REDIS_REPLY_ERROR ||
		    strncmp((*reply)->str, "NOSCRIPT", 8))
			break;
		freeReplyObject(*reply);
		*reply = NULL;
		*sha = 0;
	}
	if (!r && !*reply)
		r = unavailable(call);
	return r ? r : check_reply(call, reply, "EVALSHA");
}

/*
 * Module
 */

int redis_open(const char *url, char **error)
{
	if (parse_url(url)) {
		/* It holds a password, and stays out of the sentence. */
		*error = strdup("SOUK_REDIS_URL is not redis://user:password@host:port/database.");
		forget_server();
		return -EINVAL;
	}
	return 0;
}

void redis_close(void)
{
	pthread_mutex_lock(&pool.lock);
	while (pool.n_idle) {
		redisFree(pool.idle[--pool.n_idle]);
		pool.n_open--;
	}
	pthread_mutex_unlock(&pool.lock);
	forget_server();
}

static int start(struct service *service, char **error)
{
	(void)service;
	return redis_open(options.url, error);
}

static bool ready(const char **why)
{
	redisContext *context = acquire();
	bool ok = context && greet(context, (const char *const[]){ "PING" }, 1);

	if (context) {
		if (!ok)
			redisFree(context);
		give_back(ok ? context : NULL);
	}
	if (!ok)
		*why = "Redis does not answer, or refuses the user and password.";
	return ok;
}

static const struct option option_table[] = {
	{ "REDIS_URL", OPTION_SECRET, &options.url, NULL,
	  "Redis: redis://user:password@host:port/database" },
	{ 0 },
};

const struct service_module redis_module = {
	.name = "redis",
	.options = option_table,
	.start = start,
	.ready = ready,
	.stop = redis_close,
};
