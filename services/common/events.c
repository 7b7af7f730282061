/* Consuming events: durable, at least once, in batches, with dead letters. */
#include "events_private.h"
#include "nats_private.h"
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
 * A message is in one of these states, and each way out of "pulled" ends in exactly one answer to
 * the server:
 *
 *     pulled ──handler 0──────────────────────────▶ ack
 *       │ ▲──dependency away: in progress, pause──┐
 *       │ └───────────────────────────────────────┘   (also while the dead letter cannot be stored)
 *       ├──refused, fewer than 5 times────────────▶ nak with delay, pulled again later
 *       ├──refused 5 times, or cannot be decoded──▶ dead letter stored and acked, then term
 *       └──the service stops──────────────────────▶ nak: another replica takes it at once
 *
 * Without an answer, after a crash, the server delivers again after ACK_WAIT_MS; so a handler's
 * time, CALL_MS, is shorter, and whoever waits longer says "in progress". Refusals are counted in
 * the process, by event: a restart begins anew, which costs some more tries and loses nothing.
 */
enum {
	BATCH = 32,
	FETCH_MS = 5000,
	CALL_MS = 20000,
	ACK_WAIT_MS = 30000,
	TOUCH_MS = 8000,
	REFUSALS_MAX = 5,
	REFUSALS_KEPT = 256,
	PAUSE_MIN_MS = 100,
	PAUSE_MAX_MS = 5000,
	REASON_MAX = 512,
	CONSUMERS_MAX = 32,
};
static int64_t refusal_delays_ms[REFUSALS_MAX - 1] = { 1000, 5000, 15000, 60000 };

struct binding {
	const struct rpc_event_domain *domain;
	const void *ops;
	void *self;
};

struct refusal {
	char id[64];
	int count;
};

struct events_consumer {
	char domain[NATS_NAME_MAX];  /* whose stream: "orders", "dlq" */
	char durable[NATS_NAME_MAX]; /* "cart_orders" */
	char filter[NATS_SUBJECT_MAX];
	char service[NATS_NAME_MAX];
	const struct binding *bindings;
	size_t n_bindings;
	struct binding own; /* where the bindings are one */

	pthread_mutex_t lock; /* of the subscription, which stop() ends from another thread */
	natsSubscription *subscription;
	struct refusal refusals[REFUSALS_KEPT];
	size_t next_refusal;
	bool is_away; /* logged once for each time */
	pthread_t thread;
	bool has_thread;
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

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

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

static void count(const struct events_consumer *consumer, const char *result)
{
	char labels[160];

	snprintf(labels, sizeof(labels), "domain=\"%s\",result=\"%s\"", consumer->domain, result);
	metric_add(metric_counter("events_consumed_total", labels,
				  "Events that were handled, by how it went."),
		   1);
}

/*
 * The subscription
 */

static int subscribe(struct events_consumer *consumer, const char **why)
{
	char stream[NATS_NAME_MAX];
	natsSubscription *subscription = NULL;
	jsConsumerInfo *info = NULL;
	jsConsumerConfig config;
	jsSubOptions options;
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
	if (status == NATS_OK) {
		/* Bound to it, so that ending the subscription leaves the consumer. */
		jsSubOptions_Init(&options);
		options.Stream = stream;
		options.Consumer = consumer->durable;
		status = js_PullSubscribe(&subscription, nats_js(), consumer->filter,
					  consumer->durable, NULL, &options, &code);
	}
	if (status != NATS_OK) {
		nats_forget_streams();
		*why = natsStatus_GetText(status);
		return -EAGAIN;
	}
	pthread_mutex_lock(&consumer->lock);
	consumer->subscription = subscription;
	pthread_mutex_unlock(&consumer->lock);
	return 0;
}

static void unsubscribe(struct events_consumer *consumer)
{
	pthread_mutex_lock(&consumer->lock);
	natsSubscription_Destroy(consumer->subscription);
	consumer->subscription = NULL;
	pthread_mutex_unlock(&consumer->lock);
}

/*
 * One message
 */

enum outcome {
	OUTCOME_DONE,
	OUTCOME_PASSED_OVER,
	OUTCOME_REFUSED,
	OUTCOME_UNREADABLE,
	OUTCOME_AWAY
};

struct delivery {
	struct events_consumer *consumer;
	natsMsg *message;
	enum outcome outcome;
	char id[64];
	char reason[REASON_MAX];
};

/* What will be different when it is tried again. */
static bool is_passing(int r)
{
	return r < 0 || r == RPC_UNAVAILABLE || r == RPC_DEADLINE_EXCEEDED ||
	       r == RPC_RESOURCE_EXHAUSTED || r == RPC_ABORTED || r == RPC_CANCELLED;
}

static const struct rpc_event_handler *find_handler(const struct events_consumer *consumer,
						    const char *type, const struct binding **ret)
{
	for (size_t i = 0; i < consumer->n_bindings; i++) {
		const struct rpc_event_domain *domain = consumer->bindings[i].domain;

		for (size_t j = 0; j < domain->n_handlers; j++)
			if (!strcmp(domain->handlers[j].type->type, type)) {
				*ret = &consumer->bindings[i];
				return &domain->handlers[j];
			}
	}
	return NULL;
}

static int deliver(void *data, struct rpc_call *call)
{
	struct delivery *delivery = data;
	const struct rpc_event_handler *handler;
	const struct binding *binding;
	struct rpc_event event;
	int r = nats_event_read(rpc_arena(call), delivery->message, &event);

	if (r) {
		snprintf(delivery->reason, sizeof(delivery->reason),
			 "It is no CloudEvent in binary mode.");
		delivery->outcome = OUTCOME_UNREADABLE;
		return 0;
	}
	snprintf(delivery->id, sizeof(delivery->id), "%s", event.id);
	/* A later release may publish what this one does not know. */
	handler = find_handler(delivery->consumer, event.type, &binding);
	if (!handler || !*(void *const *)((const char *)binding->ops + handler->member)) {
		delivery->outcome = OUTCOME_PASSED_OVER;
		return 0;
	}
	if (*event.traceparent)
		rpc_call_set_traceparent(call, event.traceparent);
	r = rpc_event_dispatch(binding->domain, binding->ops, binding->self, call, &event);
	if (r == -EBADMSG) {
		snprintf(delivery->reason, sizeof(delivery->reason), "The payload is no %s.",
			 event.type);
		delivery->outcome = OUTCOME_UNREADABLE;
	} else if (is_passing(r)) {
		snprintf(delivery->reason, sizeof(delivery->reason), "%s",
			 r < 0 ? log_errno(r) : rpc_error_message(call));
		delivery->outcome = OUTCOME_AWAY;
	} else if (r) {
		snprintf(delivery->reason, sizeof(delivery->reason), "%s: %s", rpc_code_name(r),
			 rpc_error_message(call));
		delivery->outcome = OUTCOME_REFUSED;
	} else
		delivery->outcome = OUTCOME_DONE;
	return 0;
}

/* How often this event has been refused, this time included. */
static int count_refusal(struct events_consumer *consumer, const char *id)
{
	struct refusal *refusal;

	for (size_t i = 0; i < REFUSALS_KEPT; i++)
		if (!strcmp(consumer->refusals[i].id, id))
			return ++consumer->refusals[i].count;
	refusal = &consumer->refusals[consumer->next_refusal++ % REFUSALS_KEPT];
	snprintf(refusal->id, sizeof(refusal->id), "%s", id);
	return refusal->count = 1;
}

static void forget_refusals(struct events_consumer *consumer, const char *id)
{
	for (size_t i = 0; i < REFUSALS_KEPT; i++)
		if (!strcmp(consumer->refusals[i].id, id))
			consumer->refusals[i] = (struct refusal){ 0 };
}

/* One try, to the end of it: false when what it needs is away. */
static bool settle(struct events_consumer *consumer, natsMsg *message)
{
	cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new(consumer->durable, CALL_MS);
	struct delivery delivery = { .consumer = consumer,
				     .message = message,
				     .outcome = OUTCOME_AWAY };
	int n, r = rpc_call_run(call, deliver, &delivery);

	if (r) {
		/* Its memory does not suffice, and never will. */
		snprintf(delivery.reason, sizeof(delivery.reason), "%s", rpc_error_message(call));
		delivery.outcome = OUTCOME_REFUSED;
	}
	switch (delivery.outcome) {
	case OUTCOME_DONE:
	case OUTCOME_PASSED_OVER:
		natsMsg_Ack(message, NULL);
		forget_refusals(consumer, delivery.id);
		count(consumer, delivery.outcome == OUTCOME_DONE ? "done" : "passed_over");
		break;
	case OUTCOME_AWAY:
		if (!consumer->is_away)
			log_warning(call, "an event waits for what its handler needs",
				    { "consumer", consumer->durable }, { "event", delivery.id },
				    { "reason", delivery.reason });
		consumer->is_away = true;
		return false;
	case OUTCOME_REFUSED:
		n = count_refusal(consumer, delivery.id);
		if (n < REFUSALS_MAX) {
			natsMsg_NakWithDelay(message, refusal_delays_ms[n - 1], NULL);
			count(consumer, "refused");
			break;
		}
		__attribute__((fallthrough));
	case OUTCOME_UNREADABLE:
		if (dead_letter_store(consumer->service, message, delivery.reason))
			return false;
		natsMsg_Term(message, NULL);
		forget_refusals(consumer, delivery.id);
		log_error(call, "an event went to the dead letters",
			  { "consumer", consumer->durable }, { "event", delivery.id },
			  { "reason", delivery.reason });
		count(consumer, "dead");
		break;
	}
	consumer->is_away = false;
	return true;
}

/*
 * A batch
 */

static void touch(natsMsg **messages, int n)
{
	for (int i = 0; i < n; i++)
		natsMsg_InProgress(messages[i], NULL);
}

/* How many were settled; the rest is given back when the service stops. */
static int settle_all(struct events_consumer *consumer, natsMsg **messages, int n)
{
	int64_t touched = monotonic_ms(), pause = PAUSE_MIN_MS;
	int i = 0;

	while (i < n && !is_stopping()) {
		if (monotonic_ms() - touched > TOUCH_MS) {
			touch(messages + i, n - i);
			touched = monotonic_ms();
		}
		if (settle(consumer, messages[i])) {
			i++;
			pause = PAUSE_MIN_MS;
			continue;
		}
		touch(messages + i, n - i);
		touched = monotonic_ms();
		pause_for(pause);
		pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
	}
	for (int rest = i; rest < n; rest++)
		natsMsg_Nak(messages[rest], NULL);
	return i;
}

int events_consumer_turn(struct events_consumer *consumer, int64_t wait_ms)
{
	natsMsgList list = { 0 };
	natsStatus status;
	const char *why;
	int n;

	if (!consumer->subscription && subscribe(consumer, &why))
		return -EAGAIN;
	status = natsSubscription_Fetch(&list, consumer->subscription, BATCH, wait_ms, NULL);
	if (status == NATS_TIMEOUT)
		return 0;
	if (status != NATS_OK) {
		unsubscribe(consumer);
		return -EAGAIN;
	}
	n = settle_all(consumer, list.Msgs, list.Count);
	natsMsgList_Destroy(&list);
	return n;
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
	pthread_mutex_init(&consumer->lock, NULL);
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
	unsubscribe(consumer);
	pthread_mutex_destroy(&consumer->lock);
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

void events_refusal_delays_set(int64_t ms)
{
	for (int i = 0; i < REFUSALS_MAX - 1; i++)
		refusal_delays_ms[i] = ms;
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
		if (events_consumer_turn(consumer, FETCH_MS) < 0)
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
		struct events_consumer *consumer = all.consumers[i];

		/* Wakes a fetch that waits. */
		pthread_mutex_lock(&consumer->lock);
		if (consumer->subscription)
			natsSubscription_Unsubscribe(consumer->subscription);
		pthread_mutex_unlock(&consumer->lock);
	}
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
