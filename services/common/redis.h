/* Redis: sessions, refresh families, rate limits, short caches. Losing all of it loses no cart,
 * order or payment. */
#pragma once

#include <crpc/service.h>
#include <hiredis/hiredis.h>

/*
 * Options: SOUK_REDIS_URL (a secret): redis://user:password@host:port/database. A small pool of
 * connections, each used by one thread at a time, with timeouts (2 s) and reconnects. hiredis 0.14
 * has no TLS: see docs/threat-model.md.
 */
extern const struct service_module redis_module;

/* For tests and tools. */
int redis_open(const char *url, char **error);
void redis_close(void);

/*
 * One command; arguments are never parsed or formatted, so they may hold anything but NUL:
 *
 *     cleanup(redis_reply_freep) redisReply *reply = NULL;
 *     r = redis_command(call, &reply, "SET", key, value, "EX", "60", "NX");
 *
 * 0 with a reply that is no error; DEPENDENCY_UNAVAILABLE when Redis is away or the deadline has
 * passed: the command may or may not have been done; -EPROTO, logged, for an error reply: those are
 * ours.
 */
#define redis_command(call, reply, ...)                                                            \
	redis_command_((call), (reply), (const char *const[]){ __VA_ARGS__, NULL })
int redis_command_(struct rpc_call *call, redisReply **reply, const char *const *arguments);
/* With bytes. */
int redis_command_bytes(struct rpc_call *call, redisReply **reply, size_t n,
			const ProtobufCBinaryData *arguments);

/*
 * A Lua script, atomic on the server: EVALSHA, and EVAL when the server does not know it yet. The
 * first `n_keys` arguments are KEYS, all in one hash slot ("session:{id}:..."); the rest is ARGV.
 * Declare it static; its digest is kept in it.
 */
struct redis_script {
	const char *source;
	char sha[41]; /* filled in at the first use */
};
#define redis_run(call, reply, script, n_keys, ...)                                                \
	redis_run_((call), (reply), (script), (n_keys), (const char *const[]){ __VA_ARGS__, NULL })
int redis_run_(struct rpc_call *call, redisReply **reply, struct redis_script *script, int n_keys,
	       const char *const *arguments);

static inline void redis_reply_freep(redisReply **reply)
{
	if (*reply)
		freeReplyObject(*reply);
}
