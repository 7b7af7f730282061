/* Sessions in Redis. */
#include "session_store.h"
#include <common/names.h>
#include <common/redis.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 24 * 3600 * 1000 };

static const char *session_key(struct rpc_call *call, const char *id)
{
	return rpc_printf(call, "session:{%s}", id);
}

static const char *user_key(struct rpc_call *call, const char *user)
{
	return rpc_printf(call, "sessions:{%s}", user);
}

static const char *attempts_key(struct rpc_call *call, const char *key)
{
	return rpc_printf(call, "attempts:{%s}", key);
}

static const char *number(struct rpc_call *call, int64_t value)
{
	return rpc_printf(call, "%" PRId64, value);
}

static int64_t reply_number(const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_INTEGER)
		return reply->integer;
	return reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
}

/*
 * Sessions
 */

static struct redis_script write_script = {
	.source = "redis.call('HSET', KEYS[1], unpack(ARGV, 2))\n"
		  "redis.call('PEXPIRE', KEYS[1], ARGV[1])\n"
		  "return 1",
};

/* Notes a use of the session among the user's. The set lives as long as its latest session. */
static struct redis_script note_script = {
	.source = "redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])\n"
		  "if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', "
		  "KEYS[1], ARGV[3]) end\n"
		  "return redis.call('ZCARD', KEYS[1])",
};

/* An id that stands among the user's before the session is written is harmless: who lists them
 * drops it. */
static int note(struct rpc_call *call, const struct session *session, int64_t ttl_ms, int64_t *n)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	int r;

	r = redis_run(call, &reply, &note_script, 1, user_key(call, session->user),
		      number(call, session->use_ms), session->id, number(call, ttl_ms));
	if (!r)
		*n = reply_number(reply);
	return r;
}

static int forget(struct rpc_call *call, const char *user, const char *id)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;

	return redis_command(call, &reply, "ZREM", user_key(call, user), id);
}

static int drop_oldest(struct rpc_call *call, const struct session *session, int64_t n,
		       struct session ***ended)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	size_t n_ended = 0;
	int r;

	r = redis_command(call, &reply, "ZRANGE", user_key(call, session->user), "0",
			  number(call, n - 1));
	if (r)
		return r;
	*ended = rpc_alloc(call, (reply->elements + 1) * sizeof(**ended));
	for (size_t i = 0; !r && i < reply->elements; i++) {
		struct session *old;
		bool there = false;

		if (!strcmp(reply->element[i]->str, session->id))
			continue;
		r = session_read(call, reply->element[i]->str, &old);
		if (r == SESSION_GONE)
			r = forget(call, session->user, reply->element[i]->str);
		else if (!r)
			r = session_end(call, old, &there);
		if (there)
			(*ended)[n_ended++] = old;
	}
	return r;
}

int session_write(struct rpc_call *call, const struct session *session, int64_t ttl_ms, int64_t max,
		  struct session ***ended)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	int64_t n = 0;
	int r;

	*ended = rpc_alloc(call, sizeof(**ended));
	r = note(call, session, ttl_ms, &n);
	if (!r && n > max)
		r = drop_oldest(call, session, n - max, ended);
	if (r)
		return r;
	return redis_run(call, &reply, &write_script, 1, session_key(call, session->id),
			 number(call, ttl_ms), "user", session->user, "guest",
			 session->guest ? "1" : "0", "roles", session->roles, "device",
			 session->device, "merge_from", session->merge_from, "seed", session->seed,
			 "epoch", number(call, session->epoch), "generation",
			 number(call, session->generation), "create",
			 number(call, session->create_ms), "use", number(call, session->use_ms));
}

static const struct {
	const char *name;
	size_t offset;
	bool text;
} session_fields[] = {
	{ "user", offsetof(struct session, user), true },
	{ "roles", offsetof(struct session, roles), true },
	{ "device", offsetof(struct session, device), true },
	{ "merge_from", offsetof(struct session, merge_from), true },
	{ "seed", offsetof(struct session, seed), true },
	{ "epoch", offsetof(struct session, epoch), false },
	{ "generation", offsetof(struct session, generation), false },
	{ "create", offsetof(struct session, create_ms), false },
	{ "use", offsetof(struct session, use_ms), false },
};

static void read_field(struct rpc_call *call, struct session *session, const redisReply *name,
		       const redisReply *value)
{
	if (!strcmp(name->str, "guest"))
		session->guest = *value->str == '1';
	for (size_t i = 0; i < sizeof(session_fields) / sizeof(*session_fields); i++) {
		void *member = (char *)session + session_fields[i].offset;

		if (strcmp(session_fields[i].name, name->str))
			continue;
		if (session_fields[i].text)
			*(const char **)member = rpc_strdup(call, value->str);
		else
			*(int64_t *)member = strtoll(value->str, NULL, 10);
	}
}

int session_read(struct rpc_call *call, const char *id, struct session **ret)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	struct session *session = rpc_alloc(call, sizeof(*session));
	int r;

	r = redis_command(call, &reply, "HGETALL", session_key(call, id));
	if (r)
		return r;
	*session = (struct session){ rpc_strdup(call, id), "", "", "", "", "" };
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		read_field(call, session, reply->element[i], reply->element[i + 1]);
	if (!*session->user)
		return SESSION_GONE;
	*ret = session;
	return 0;
}

int session_end(struct rpc_call *call, const struct session *session, bool *ret)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	int r;

	r = redis_command(call, &reply, "DEL", session_key(call, session->id));
	if (!r)
		r = forget(call, session->user, session->id);
	if (!r)
		*ret = reply_number(reply) == 1;
	return r;
}

int session_list(struct rpc_call *call, const char *user, struct session ***ret, size_t *n_ret)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	struct session **sessions;
	size_t n = 0;
	int r;

	r = redis_command(call, &reply, "ZREVRANGE", user_key(call, user), "0", "-1");
	if (r)
		return r;
	sessions = rpc_alloc(call, (reply->elements + 1) * sizeof(*sessions));
	for (size_t i = 0; !r && i < reply->elements; i++) {
		r = session_read(call, reply->element[i]->str, &sessions[n]);
		if (!r)
			n++;
		else if (r == SESSION_GONE)
			r = forget(call, user, reply->element[i]->str);
	}
	if (r)
		return r;
	*ret = sessions;
	*n_ret = n;
	return 0;
}

/* Only what is there: a session that ends meanwhile does not come back as a hash of one field. */
static struct redis_script renew_script = {
	.source = "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end\n"
		  "redis.call('HSET', KEYS[1], 'epoch', ARGV[1])\n"
		  "return 1",
};

int session_renew(struct rpc_call *call, const char *id, int64_t epoch)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;

	return redis_run(call, &reply, &renew_script, 1, session_key(call, id),
			 number(call, epoch));
}

static struct redis_script exchange_script = {
	.source = "local is = tonumber(redis.call('HGET', KEYS[1], 'generation'))\n"
		  "local asked, now = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
		  "if not is or asked > is then return {3, 0} end\n"
		  "if asked == is then\n"
		  "  redis.call('HSET', KEYS[1], 'generation', is + 1, 'use', ARGV[2], 'roles', "
		  "ARGV[5])\n"
		  "  redis.call('PEXPIRE', KEYS[1], ARGV[4])\n"
		  "  return {0, ARGV[2]}\n"
		  "end\n"
		  "local use = redis.call('HGET', KEYS[1], 'use')\n"
		  "if asked == is - 1 and now - tonumber(use) <= tonumber(ARGV[3]) then return {1, "
		  "use} end\n"
		  "return {2, use}",
};

int session_exchange(struct rpc_call *call, struct session *session, int64_t generation,
		     const char *roles, int64_t grace_ms, int64_t ttl_ms,
		     enum session_exchange *ret)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	int64_t n;
	int r;

	r = redis_run(call, &reply, &exchange_script, 1, session_key(call, session->id),
		      number(call, generation), number(call, rpc_now_ms(call)),
		      number(call, grace_ms), number(call, ttl_ms), roles);
	if (r)
		return r;
	*ret = (enum session_exchange)reply_number(reply->element[0]);
	if (*ret == SESSION_EXCHANGED || *ret == SESSION_REPEATED) {
		session->use_ms = reply_number(reply->element[1]);
		session->generation = generation + 1;
		session->roles = roles;
	}
	return *ret == SESSION_EXCHANGED ? note(call, session, ttl_ms, &n) : 0;
}

static struct redis_script guest_script = {
	.source = "redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])\n"
		  "return redis.call('GET', KEYS[1])",
};

int guest_remember(struct rpc_call *call, const char *key, const char *fresh, const char **ret)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	int r;

	r = redis_run(call, &reply, &guest_script, 1, rpc_printf(call, "guest:{%s}", key), fresh,
		      number(call, DAY_MS));
	if (!r)
		*ret = rpc_strdup(call, reply->str);
	return r;
}

/*
 * Failed logins
 */

int attempts_read(struct rpc_call *call, const char *key, int64_t *n_failures,
		  int64_t *locked_until)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	int r;

	r = redis_command(call, &reply, "HMGET", attempts_key(call, key), "failures", "until");
	if (r)
		return r;
	*n_failures = reply_number(reply->element[0]);
	*locked_until = reply_number(reply->element[1]);
	if (*locked_until <= rpc_now_ms(call))
		*locked_until = 0;
	return 0;
}

static struct redis_script settle_script = {
	.source = "local now, max = tonumber(ARGV[2]), tonumber(ARGV[3])\n"
		  "local ends = redis.call('HGET', KEYS[1], 'until')\n"
		  "if ends and tonumber(ends) > now then return {ends, 0} end\n"
		  "if ARGV[1] == '1' then redis.call('DEL', KEYS[1]) return {0, 0} end\n"
		  "local n = redis.call('HINCRBY', KEYS[1], 'failures', 1)\n"
		  "redis.call('PEXPIRE', KEYS[1], ARGV[6])\n"
		  "if n < max then return {0, 0} end\n"
		  "local pause = tonumber(ARGV[4]) * 2 ^ math.min(n - max, 30)\n"
		  "pause = math.floor(math.min(pause, tonumber(ARGV[5])))\n"
		  "redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + pause))\n"
		  "return {0, 1}",
};

int attempts_settle(struct rpc_call *call, const char *key, bool good,
		    const struct attempts_limits *limits, int64_t *locked_until, bool *locks)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;
	int r;

	r = redis_run(call, &reply, &settle_script, 1, attempts_key(call, key), good ? "1" : "0",
		      number(call, rpc_now_ms(call)), number(call, limits->max),
		      number(call, limits->min_ms), number(call, limits->max_ms),
		      number(call, DAY_MS));
	if (r)
		return r;
	*locked_until = reply_number(reply->element[0]);
	*locks = reply_number(reply->element[1]) == 1;
	return 0;
}

int attempts_forget(struct rpc_call *call, const char *key)
{
	cleanup(redis_reply_freep) redisReply *reply = NULL;

	return redis_command(call, &reply, "DEL", attempts_key(call, key));
}
