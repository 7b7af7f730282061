/* Publishing to JetStream: batches of events, each of which is stored or not. */
#include "errors.msg.h"
#include "nats_private.h"
#include <common/clock.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACK_WAIT_MS = 5000, PENDING_MAX = 1024 };

/*
 * One batch at a time is on its way. The acks of all but its last event come to an inbox of ours,
 * numbered by the last token of their subject, and lie there: each would wake who waits. The last
 * event is a request; it flushes what was written before it, and with its answer the others are
 * there too, for a stream answers in order.
 */
static struct {
	pthread_mutex_t one_at_a_time;
	natsSubscription *inbox;
	char prefix[NATS_SUBJECT_MAX]; /* of the inbox's subjects, with the dot */
	uint64_t first, next;          /* numbers of the batch's events that were sent */
	size_t n_answered;
	bool *acked;
	natsMsg *spent[PENDING_MAX];
	size_t n_spent;
} acks = { .one_at_a_time = PTHREAD_MUTEX_INITIALIZER };

natsStatus nats_publish_open(void)
{
	char subject[NATS_SUBJECT_MAX];
	natsInbox *inbox = NULL;
	natsStatus status = natsInbox_Create(&inbox);

	if (status != NATS_OK)
		return status;
	snprintf(acks.prefix, sizeof(acks.prefix), "%s.", inbox);
	snprintf(subject, sizeof(subject), "%s.*", inbox);
	natsInbox_Destroy(inbox);
	return natsConnection_SubscribeSync(&acks.inbox, nats_connection(), subject);
}

void nats_publish_close(void)
{
	natsSubscription_Destroy(acks.inbox);
	acks.inbox = NULL;
}

static void free_spent(void)
{
	while (acks.n_spent)
		natsMsg_Destroy(acks.spent[--acks.n_spent]);
}

/* The library has a thread for freeing messages; one by one each would wake it. */
static void discard(natsMsg *message)
{
	if (acks.n_spent == PENDING_MAX)
		free_spent();
	acks.spent[acks.n_spent++] = message;
}

/* {"stream":"ORDERS","seq":7}, or {"error":{...},...}; the names of streams are in capitals. */
static bool is_stored(natsMsg *answer)
{
	const char *text = natsMsg_GetData(answer);
	size_t length = (size_t)natsMsg_GetDataLength(answer);

	return memmem(text, length, "\"seq\"", 5) && !memmem(text, length, "\"error\"", 7);
}

static void note_answer(uint64_t number, natsMsg *answer)
{
	acks.acked[number - acks.first] = is_stored(answer);
	acks.n_answered++;
	discard(answer);
}

/* One that is for an earlier batch is passed over. */
static natsStatus take_answer(int64_t timeout_ms)
{
	natsMsg *answer = NULL;
	natsStatus status = natsSubscription_NextMsg(&answer, acks.inbox, timeout_ms);
	uint64_t number;

	if (status == NATS_NO_RESPONDERS) {
		acks.n_answered++; /* there is no stream */
		return NATS_OK;
	}
	if (status != NATS_OK)
		return status;
	number = strtoull(natsMsg_GetSubject(answer) + strlen(acks.prefix), NULL, 10);
	if (number >= acks.first && number < acks.next)
		note_answer(number, answer);
	else
		discard(answer);
	return NATS_OK;
}

static int unavailable(struct rpc_call *call, const char *why)
{
	const char *bus = why ? rpc_printf(call, "message bus (%s)", why) : "message bus";
	int r = rpc_fail(call, DEPENDENCY_UNAVAILABLE, { "dependency", bus });

	rpc_retry_after(call, 1000);
	return r;
}

/* "souk.orders.v1.order.paid": "orders" */
static void domain_of(const char *subject, char ret[NATS_NAME_MAX])
{
	const char *start = strchr(subject, '.');

	start = start ? start + 1 : subject;
	snprintf(ret, NATS_NAME_MAX, "%.*s", (int)strcspn(start, "."), start);
}

static int64_t left_ms(int64_t until_ms)
{
	int64_t left = until_ms - clock_monotonic_ms();

	return left > 1 ? left : 1;
}

static int send_event(const struct rpc_event *event, bool last, int64_t until_ms, const char **why)
{
	char domain[NATS_NAME_MAX], reply[NATS_SUBJECT_MAX + 24];
	natsMsg *message = NULL, *answer = NULL;
	natsStatus status;
	int r;

	domain_of(event->subject, domain);
	r = nats_ensure_stream(domain, why);
	if (r)
		return r;
	snprintf(reply, sizeof(reply), "%s%" PRIu64, acks.prefix, acks.next);
	r = nats_event_write(event, last ? NULL : reply, &message);
	if (r)
		return r;
	status = last ? natsConnection_RequestMsg(&answer, nats_connection(), message,
						  left_ms(until_ms))
		      : natsConnection_PublishMsg(nats_connection(), message);
	discard(message);
	if (status != NATS_OK)
		return -EIO;
	if (answer)
		note_answer(acks.next, answer);
	acks.next++;
	return 0;
}

static void publish(struct rpc_event *const *events, size_t n_events, int64_t until_ms,
		    const char **why)
{
	natsStatus status = NATS_OK;
	size_t n = 0;

	while (n < n_events && status == NATS_OK) {
		if (send_event(events[n], n + 1 == n_events, until_ms, why))
			break;
		if (++n - acks.n_answered >= PENDING_MAX)
			status = take_answer(left_ms(until_ms));
	}
	while (acks.n_answered < n && status == NATS_OK)
		status = take_answer(left_ms(until_ms));
	free_spent();
}

int nats_publish(struct rpc_call *call, struct rpc_event *const *events, size_t n_events,
		 size_t *n_ret)
{
	int64_t remaining = rpc_remaining_ms(call);
	bool *acked = rpc_alloc(call, n_events + 1);
	const char *why = NULL;
	size_t n = 0;

	*n_ret = 0;
	if (!n_events)
		return 0;
	if (!nats_connected())
		return unavailable(call, NULL);
	pthread_mutex_lock(&acks.one_at_a_time);
	acks.first = acks.next;
	acks.n_answered = 0;
	acks.acked = acked;
	publish(events, n_events,
		clock_monotonic_ms() + (remaining < ACK_WAIT_MS ? remaining : ACK_WAIT_MS), &why);
	pthread_mutex_unlock(&acks.one_at_a_time);

	while (n < n_events && acked[n])
		n++;
	*n_ret = n;
	if (n == n_events)
		return 0;
	nats_forget_streams();
	return unavailable(call, why);
}
