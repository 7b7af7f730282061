/* Consuming events: durable, at least once, in batches, with dead letters. */
#include "events_private.h"
#include "nats_private.h"
#include <common/clock.h>
#include <common/dead_letters.h>
#include <common/events.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * How one message is settled is in events_deliver.c.
 *
 * The server is asked for the next BATCH messages and sends each as it comes until ASK_MS have
 * passed, so that an event costs its message and its ack. natsSubscription_Fetch() would ask twice
 * for each. Acks wait for ACK_MS, so that those of a busy consumer leave together.
 */
enum {
	BATCH = 32,
	ASK_MS = 5000,
	ACK_MS = 250,
	WAIT_MS = 500, /* so long until a consumer sees that the service stops */
	TOUCH_MS = 8000,
	PAUSE_MIN_MS = 100,
	PAUSE_MAX_MS = 5000,
	CONSUMERS_MAX = 32,
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t stopped;
	bool stopping;
	struct events_consumer *consumers[CONSUMERS_MAX];
	size_t n_consumers;
	struct binding bindings[CONSUMERS_MAX]; /* of all, for replayed dead letters */
	size_t n_bindings;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER, .stopped = PTHREAD_COND_INITIALIZER };

static bool is_stopping(void)
{
	bool stopping;

	pthread_mutex_lock(&all.lock);
	stopping = all.stopping;
	pthread_mutex_unlock(&all.lock);
	return stopping;
}

/* Until then, or until the service stops. */
static void pause_for(int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&all.lock);
	while (!all.stopping && !pthread_cond_timedwait(&all.stopped, &all.lock, &until))
		;
	pthread_mutex_unlock(&all.lock);
}

/*
 * The subscription
 */

static void unsubscribe(struct events_consumer *consumer)
{
	natsSubscription_Destroy(consumer->subscription);
	consumer->subscription = NULL;
	natsInbox_Destroy(consumer->inbox);
	consumer->inbox = NULL;
	consumer->asked = 0;
}

static int subscribe(struct events_consumer *consumer, const char **why)
{
	char stream[NATS_NAME_MAX];
	jsConsumerInfo *info = NULL;
	jsConsumerConfig config;
	jsErrCode code = 0;
	natsStatus status;
	int r = nats_ensure_stream(consumer->domain, why);

	if (r)
		return r;
	nats_stream_name(consumer->domain, stream);
	jsConsumerConfig_Init(&config);
	config.Durable = consumer->durable;
	config.FilterSubject = consumer->filter;
	config.DeliverPolicy = js_DeliverAll;
	config.AckPolicy = js_AckExplicit;
	config.AckWait = ACK_WAIT_MS * 1000000LL;
	config.MaxDeliver = -1;
	status = js_GetConsumerInfo(&info, nats_js(), stream, consumer->durable, NULL, &code);
	if (status == NATS_NOT_FOUND)
		status = js_AddConsumer(&info, nats_js(), stream, &config, NULL, &code);
	jsConsumerInfo_Destroy(info);
	if (status == NATS_OK)
		status = natsInbox_Create(&consumer->inbox);
	if (status == NATS_OK)
		status = natsConnection_SubscribeSync(&consumer->subscription, nats_connection(),
						      consumer->inbox);
	if (status != NATS_OK) {
		unsubscribe(consumer);
		nats_forget_streams();
		*why = natsStatus_GetText(status);
		return -EAGAIN;
	}
	return 0;
}

/*
 * A batch
 */

static void touch(natsMsg **messages, int n)
{
	for (int i = 0; i < n; i++)
		events_answer(messages[i], "+WPI");
}

static int ask(struct events_consumer *consumer)
{
	char stream[NATS_NAME_MAX], subject[2 * NATS_NAME_MAX + 64], text[64];

	/* What is asked while the bus is away would be asked by all at once when it is back. */
	if (!nats_connected())
		return -EAGAIN;
	nats_stream_name(consumer->domain, stream);
	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT.%s.%s", stream,
		 consumer->durable);
	snprintf(text, sizeof(text), "{\"batch\":%d,\"expires\":%" PRId64 "}", BATCH,
		 ASK_MS * INT64_C(1000000));
	if (natsConnection_PublishRequestString(nats_connection(), subject, consumer->inbox,
						text) != NATS_OK)
		return -EAGAIN;
	consumer->asked = BATCH;
	/* Its end is told by the server, unless that is another one by then. */
	consumer->asked_until_ms = clock_monotonic_ms() + ASK_MS + WAIT_MS;
	return 0;
}

/* Instead of a message, that a request has come to its end. */
static int read_status(struct events_consumer *consumer, natsMsg *message, bool *ret)
{
	const char *status;

	*ret = natsMsgHeader_Get(message, "Status", &status) == NATS_OK;
	if (!*ret)
		return 0;
	consumer->asked = 0;
	/* 404, 408: nothing came; others: the consumer is not there, or moves. */
	return strcmp(status, "404") && strcmp(status, "408") ? -EAGAIN : 0;
}

/* The next message: 1 if there is one until then. */
static int next(struct events_consumer *consumer, int64_t wait_ms, natsMsg **ret)
{
	int64_t until = clock_monotonic_ms() + wait_ms;
	bool is_status;
	int r = 0;

	while (!r) {
		cleanup(nats_msg_freep) natsMsg *message = NULL;
		int64_t left = until - clock_monotonic_ms();
		natsStatus status;

		if (!consumer->asked || clock_monotonic_ms() > consumer->asked_until_ms)
			r = ask(consumer);
		if (r)
			break;
		status = natsSubscription_NextMsg(&message, consumer->subscription,
						  left > 0 ? left : 0);
		if (status == NATS_TIMEOUT)
			return 0;
		if (status != NATS_OK)
			return -EAGAIN;
		r = read_status(consumer, message, &is_status);
		if (is_status)
			continue;
		consumer->asked--;
		*ret = ptr_steal(message);
		return 1;
	}
	return r;
}

/* How many were settled; the rest is given back when the service stops. */
static int settle_all(struct events_consumer *consumer, natsMsg **messages, int n)
{
	int64_t touched = clock_monotonic_ms(), pause = PAUSE_MIN_MS;
	int i = 0;

	while (i < n && !is_stopping()) {
		if (clock_monotonic_ms() - touched > TOUCH_MS) {
			touch(messages + i, n - i);
			touched = clock_monotonic_ms();
		}
		if (events_settle(consumer, messages[i])) {
			i++;
			pause = PAUSE_MIN_MS;
			continue;
		}
		events_send_acks(consumer);
		touch(messages + i, n - i);
		touched = clock_monotonic_ms();
		pause_for(pause);
		pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
	}
	for (int rest = i; rest < n; rest++)
		events_answer(messages[rest], "-NAK");
	return i;
}

/* How long what is handled may still wait; `most` if nothing does. */
static int64_t until_acks_ms(const struct events_consumer *consumer, int64_t most)
{
	int64_t left = consumer->acks_since_ms + ACK_MS - clock_monotonic_ms();

	return !consumer->n_acks || left > most ? most : left > 0 ? left : 0;
}

static int take_turn(struct events_consumer *consumer, int64_t wait_ms)
{
	natsMsg *messages[BATCH];
	const char *why;
	int n = 0, r;

	if (!consumer->subscription && subscribe(consumer, &why))
		return -EAGAIN;
	while (n < BATCH && (r = next(consumer, n ? 0 : wait_ms, &messages[n])) > 0)
		n++;
	if (!n) {
		if (r)
			unsubscribe(consumer);
		return r;
	}
	r = settle_all(consumer, messages, n);
	for (int i = 0; i < n; i++)
		natsMsg_Destroy(messages[i]);
	return r;
}

int events_consumer_turn(struct events_consumer *consumer, int64_t wait_ms)
{
	int r = take_turn(consumer, until_acks_ms(consumer, wait_ms));

	if (consumer->n_acks && !until_acks_ms(consumer, ACK_MS))
		events_send_acks(consumer);
	return r;
}

/* What has come and is not looked at, for others. */
static void give_back(struct events_consumer *consumer)
{
	natsMsg *message;
	bool is_status;

	while (consumer->subscription &&
	       natsSubscription_NextMsg(&message, consumer->subscription, 0) == NATS_OK) {
		read_status(consumer, message, &is_status);
		if (!is_status)
			events_answer(message, "-NAK");
		natsMsg_Destroy(message);
	}
}

/*
 * Consumers
 */

static struct events_consumer *consumer_new(const char *service, const char *domain,
					    const char *durable, const char *filter)
{
	struct events_consumer *consumer = calloc(1, sizeof(*consumer));

	if (!consumer)
		abort();
	snprintf(consumer->service, sizeof(consumer->service), "%s", service);
	snprintf(consumer->domain, sizeof(consumer->domain), "%s", domain);
	snprintf(consumer->durable, sizeof(consumer->durable), "%s_%s", service, durable);
	nats_subject(filter, consumer->filter);
	return consumer;
}

struct events_consumer *events_consumer_free(struct events_consumer *consumer)
{
	if (!consumer)
		return NULL;
	events_send_acks(consumer);
	give_back(consumer);
	unsubscribe(consumer);
	free(consumer);
	return NULL;
}

static struct events_consumer *domain_consumer(const char *service,
					       const struct rpc_event_domain *domain,
					       const void *ops, void *self)
{
	char filter[128];
	struct events_consumer *consumer;

	snprintf(filter, sizeof(filter), "souk.%s.>", domain->domain);
	consumer = consumer_new(service, domain->domain, domain->domain, filter);
	consumer->own = (struct binding){ domain, ops, self };
	consumer->bindings = &consumer->own;
	consumer->n_bindings = 1;
	return consumer;
}

/* What souk-dlq sends back to this service, of whatever domain. */
static struct events_consumer *replay_consumer(const char *service)
{
	char filter[128];
	struct events_consumer *consumer;

	snprintf(filter, sizeof(filter), "souk.replay.%s", service);
	consumer = consumer_new(service, "dlq", "replay", filter);
	consumer->is_replay = true;
	consumer->bindings = all.bindings;
	return consumer;
}

struct events_consumer *events_replay_consumer_new(const char *service,
						   const struct rpc_event_domain *domain,
						   const void *ops, void *self)
{
	struct events_consumer *consumer = replay_consumer(service);

	consumer->own = (struct binding){ domain, ops, self };
	consumer->bindings = &consumer->own;
	consumer->n_bindings = 1;
	return consumer;
}

struct events_consumer *events_consumer_new(const char *service,
					    const struct rpc_event_domain *domain, const void *ops,
					    void *self, char **error)
{
	struct events_consumer *consumer = domain_consumer(service, domain, ops, self);
	const char *why;

	if (subscribe(consumer, &why)) {
		*error = strdup(why);
		return events_consumer_free(consumer);
	}
	return consumer;
}

static void *consume(void *data)
{
	struct events_consumer *consumer = data;

	while (!is_stopping())
		if (events_consumer_turn(consumer, WAIT_MS) < 0)
			pause_for(1000);
	return NULL;
}

static void stop_consumers(void)
{
	pthread_mutex_lock(&all.lock);
	all.stopping = true;
	pthread_cond_broadcast(&all.stopped);
	pthread_mutex_unlock(&all.lock);
	for (size_t i = 0; i < all.n_consumers; i++) {
		if (all.consumers[i]->has_thread)
			pthread_join(all.consumers[i]->thread, NULL);
		events_consumer_free(all.consumers[i]);
	}
	all.n_consumers = all.n_bindings = 0;
	all.stopping = false;
}

static void start_consumer(struct events_consumer *consumer)
{
	if (all.n_consumers == CONSUMERS_MAX ||
	    pthread_create(&consumer->thread, NULL, consume, consumer))
		abort();
	consumer->has_thread = true;
	all.consumers[all.n_consumers++] = consumer;
}

void events_consume(struct service *service, const struct rpc_event_domain *domain, const void *ops,
		    void *self)
{
	if (!all.n_consumers) {
		nats_before_close = stop_consumers;
		start_consumer(replay_consumer(service_name(service)));
	}
	all.bindings[all.n_bindings] = (struct binding){ domain, ops, self };
	all.consumers[0]->n_bindings = ++all.n_bindings;
	start_consumer(domain_consumer(service_name(service), domain, ops, self));
}
