/* Rate limits. */
#include "rate_limits.h"
#include "clients.h"
#include "gateway.h"
#include "redis_async.h"
#include <arpa/inet.h>
#include <common/hash.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SYNC_MS = 100, COUNTERS_MAX = 16384, BUCKETS = 8192, CLIENT_MAX = 160 };

/* One client in one window. `all` is what Redis knew last, ours included; `unsent` what it does not
 * know yet. */
struct counter {
	struct redis_wait wait;
	struct counter *next_in_bucket;
	struct counter *newer, *older; /* by last use */
	struct counter *next_to_send;
	struct limits *limits;
	int64_t window, all, unsent;
	bool to_send, sending;
	uint32_t hash;
	char client[CLIENT_MAX];
};

struct limits {
	struct worker *worker;
	struct timer timer;
	struct counter *buckets[BUCKETS];
	struct counter *newest, *oldest, *to_send;
	unsigned n_counters;
	uint64_t seed;
};

static int64_t unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Each proxy adds who called it at the end: the last one's entry is the nearest to be trusted, and
 * so on to the front. */
static bool forwarded_for(struct request *request, const char *list)
{
	const char *end = list + strlen(list), *start = end;
	char text[INET6_ADDRSTRLEN] = "";
	struct in6_addr host;

	for (int64_t hop = 0; hop < request->worker->gateway->forwarded_hops; hop++) {
		end = start;
		start = memrchr(list, ',', (size_t)(end - list));
		if (!start) {
			start = list;
			break;
		}
	}
	start += strspn(start, ", \t");
	if (end <= start || (size_t)(end - start) >= sizeof(text))
		return false;
	memcpy(text, start, (size_t)(end - start));
	if (inet_pton(AF_INET, text, &host) != 1 && inet_pton(AF_INET6, text, &host) != 1)
		return false;
	memcpy(request->forwarded, "ip:", 3);
	clients_network(text, request->forwarded + 3);
	return true;
}

const char *limits_client(struct request *request)
{
	const char *list = NULL;

	for (unsigned i = 0; request->worker->gateway->forwarded_hops && i < request->n_headers;
	     i++)
		if (!strcmp(request->headers[i].name, "x-forwarded-for"))
			list = request->headers[i].value; /* the last one is what the proxy added */
	request->address = list && forwarded_for(request, list) ? request->forwarded
								: request->connection->client;
	return request->address;
}

static void unlink_used(struct limits *limits, struct counter *counter)
{
	*(counter->newer ? &counter->newer->older : &limits->newest) = counter->older;
	*(counter->older ? &counter->older->newer : &limits->oldest) = counter->newer;
}

static void link_newest(struct limits *limits, struct counter *counter)
{
	counter->newer = NULL;
	counter->older = limits->newest;
	*(limits->newest ? &limits->newest->newer : &limits->oldest) = counter;
	limits->newest = counter;
}

/* The one that was not used for the longest time, unless Redis still holds its address. */
static struct counter *evict(struct limits *limits)
{
	struct counter *counter = limits->oldest, **at;

	while (counter && (counter->sending || counter->to_send))
		counter = counter->newer;
	if (!counter)
		return NULL;
	for (at = &limits->buckets[counter->hash % BUCKETS]; *at != counter;
	     at = &(*at)->next_in_bucket)
		;
	*at = counter->next_in_bucket;
	unlink_used(limits, counter);
	return counter;
}

static void synced(struct redis_wait *wait, redisReply *reply);

static struct counter *find(struct limits *limits, const char *client, int64_t window)
{
	uint32_t hash = (uint32_t)hash_text(limits->seed, client);
	struct counter **bucket = &limits->buckets[hash % BUCKETS], *counter;

	for (counter = *bucket; counter; counter = counter->next_in_bucket)
		if (counter->hash == hash && !strcmp(counter->client, client))
			break;
	if (counter) {
		unlink_used(limits, counter);
	} else {
		if (limits->n_counters < COUNTERS_MAX) {
			counter = malloc(sizeof(*counter));
			limits->n_counters += counter != NULL;
		} else {
			counter = evict(limits);
		}
		if (!counter)
			return NULL;
		*counter = (struct counter){
			.wait.done = synced, .limits = limits, .hash = hash, .window = window
		};
		snprintf(counter->client, sizeof(counter->client), "%s", client);
		counter->next_in_bucket = *bucket;
		*bucket = counter;
	}
	link_newest(limits, counter);
	if (counter->window != window) {
		counter->window = window;
		counter->all = counter->unsent = 0;
	}
	return counter;
}

/* Both arguments in one hash slot, so that it works on a cluster too. */
static const char count_script[] =
	"local n = redis.call('INCRBY', KEYS[1], ARGV[1]) "
	"if n == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end "
	"return n";

static bool count(struct limits *limits, struct redis_wait *wait, const char *key, int64_t n,
		  int64_t window_ms)
{
	char by[24], expiry[24];
	const char *const arguments[] = { "EVAL", count_script, "1", key, by, expiry };

	if (!limits->worker->redis)
		return false;
	snprintf(by, sizeof(by), "%" PRId64, n);
	snprintf(expiry, sizeof(expiry), "%" PRId64, window_ms + 1000);
	return redis_async_send(limits->worker->redis, wait, 6, arguments);
}

static void synced(struct redis_wait *wait, redisReply *reply)
{
	struct counter *counter = (struct counter *)wait;

	counter->sending = false;
	if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer > counter->all)
		counter->all = reply->integer;
}

static void send_counters(struct timer *timer)
{
	struct limits *limits = (void *)((char *)timer - offsetof(struct limits, timer));
	int64_t window_ms = limits->worker->gateway->limit_window_ms;
	struct counter *counter;
	char key[CLIENT_MAX + 64];

	while ((counter = limits->to_send)) {
		limits->to_send = counter->next_to_send;
		counter->to_send = false;
		if (counter->sending || !counter->unsent)
			continue;
		snprintf(key, sizeof(key), "ratelimit:{%s}:%" PRId64, counter->client,
			 counter->window);
		counter->sending = count(limits, &counter->wait, key, counter->unsent, window_ms);
		/* Redis away: it stays counted here. */
		counter->all += counter->unsent;
		counter->unsent = 0;
	}
}

struct limits *limits_new(struct worker *worker)
{
	struct limits *limits = calloc(1, sizeof(*limits));

	if (!limits)
		return NULL;
	limits->worker = worker;
	limits->seed = worker_random(worker);
	limits->timer.expired = send_counters;
	return limits;
}

struct limits *limits_free(struct limits *limits)
{
	struct counter *older;

	if (!limits)
		return NULL;
	loop_timer_clear(&limits->worker->loop, &limits->timer);
	for (struct counter *counter = limits->newest; counter; counter = older) {
		older = counter->older;
		free(counter);
	}
	free(limits);
	return NULL;
}

/* Tells the client, if this is the tightest limit that it has met. */
static void tell(struct request *request, const char *policy, int64_t limit, int64_t used,
		 int64_t window_ms, int64_t left_ms)
{
	int64_t remaining = used < limit ? limit - used : 0;

	if (request->limited && request->limit.remaining <= remaining)
		return;
	request->limited = true;
	request->limit.policy = policy;
	request->limit.limit = limit;
	request->limit.remaining = remaining;
	request->limit.window_s = (window_ms + 999) / 1000;
	request->limit.reset_s = (left_ms + 999) / 1000;
}

static int exceeded(struct request *request, int64_t limit, int64_t window_ms, int64_t left_ms)
{
	rpc_fail_code(request->call, RPC_RESOURCE_EXHAUSTED,
		      "More than %" PRId64 " requests in %" PRId64 " seconds; try again in %" PRId64
		      ".",
		      limit, (window_ms + 999) / 1000, (left_ms + 999) / 1000);
	rpc_retry_after(request->call, left_ms);
	return RPC_RESOURCE_EXHAUSTED;
}

static int check_general(struct request *request, int64_t now)
{
	struct limits *limits = request->worker->limits;
	int64_t limit = request->worker->gateway->limit_requests,
		window_ms = request->worker->gateway->limit_window_ms;
	int64_t left_ms = window_ms - now % window_ms;
	struct counter *counter;

	if (!limit)
		return 0;
	counter = find(limits, request->client, now / window_ms);
	if (!counter)
		return 0; /* no memory to count in: let through */
	if (counter->all + counter->unsent >= limit) {
		tell(request, "default", limit, limit, window_ms, left_ms);
		return exceeded(request, limit, window_ms, left_ms);
	}
	counter->unsent++;
	tell(request, "default", limit, counter->all + counter->unsent, window_ms, left_ms);
	if (!counter->to_send && !counter->sending) {
		counter->to_send = true;
		counter->next_to_send = limits->to_send;
		limits->to_send = counter;
		if (!limits->timer.link)
			loop_timer_set(&request->worker->loop, &limits->timer, SYNC_MS);
	}
	return 0;
}

static void own_counted(struct redis_wait *wait, redisReply *reply)
{
	struct request *request = (void *)((char *)wait - offsetof(struct request, limit_wait));
	const struct rpc_method *method = request->match.route->method;
	int64_t window_ms = (int64_t)method->rate_limit_seconds * 1000,
		left_ms = window_ms - unix_ms() % window_ms;

	/* No answer: the method's limit is off, as is said. */
	if (reply && reply->type == REDIS_REPLY_INTEGER && !request->answered) {
		tell(request, method->name, method->rate_limit_requests, reply->integer, window_ms,
		     left_ms);
		if (reply->integer > method->rate_limit_requests)
			exceeded(request, method->rate_limit_requests, window_ms, left_ms);
	}
	request_waited(request, WAIT_LIMIT);
}

static void check_own(struct request *request, int64_t now)
{
	const struct rpc_method *method = request->match.route->method;
	int64_t window_ms = (int64_t)method->rate_limit_seconds * 1000;
	const char *client =
		method->access.level == RPC_LEVEL_PUBLIC ? request->address : request->client;
	char key[CLIENT_MAX + 256];

	if (!method->rate_limit_requests || window_ms <= 0 ||
	    request->worker->gateway->limit_methods_off)
		return;
	snprintf(key, sizeof(key), "ratelimit:{%s}:%s:%" PRId64, client, method->path,
		 now / window_ms);
	request->limit_wait.done = own_counted;
	if (count(request->worker->limits, &request->limit_wait, key, 1, window_ms))
		request->waits |= WAIT_LIMIT;
}

int limits_check(struct request *request, bool own)
{
	int64_t now = unix_ms();
	int r = check_general(request, now);

	if (!r && own)
		check_own(request, now);
	return r;
}
