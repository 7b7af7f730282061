/* Consuming events: what becomes of one message. */
#include "events_private.h"
#include <common/clock.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
 * time, CALL_MS, is shorter, and whoever waits longer says "in progress". Acks wait for each other
 * for a moment (events.c), because each that goes alone wakes a thread here and the server there: a
 * crash in it has what was just handled delivered again. Refusals are counted in
 * the process, by event: a restart begins anew, which costs some more tries and loses nothing.
 */
enum { CALL_MS = 20000, REFUSALS_MAX = 5, REASON_MAX = 512 };
static int64_t refusal_delays_ms[REFUSALS_MAX - 1] = { 1000, 5000, 15000, 60000 };

static void count(const struct events_consumer *consumer, const char *result)
{
	char labels[160];

	snprintf(labels, sizeof(labels), "domain=\"%s\",result=\"%s\"", consumer->domain, result);
	metric_add(metric_counter("events_consumed_total", labels,
				  "Events that were handled, by how it went."),
		   1);
}

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
	/* A later release may publish what this one does not know. A letter that was sent back to us
	 * is for nobody else, and a service that is just starting may not listen yet. */
	handler = find_handler(delivery->consumer, event.type, &binding);
	if (!handler || !*(void *const *)((const char *)binding->ops + handler->member)) {
		snprintf(delivery->reason, sizeof(delivery->reason), "Nobody here listens to %s.",
			 event.type);
		delivery->outcome =
			delivery->consumer->is_replay ? OUTCOME_REFUSED : OUTCOME_PASSED_OVER;
		return 0;
	}
	if (*event.traceparent)
		rpc_call_set_traceparent(call, event.traceparent);
	r = rpc_event_dispatch(binding->domain, binding->ops, binding->self, call, &event);
	if (r == RPC_EVENT_UNREADABLE) {
		snprintf(delivery->reason, sizeof(delivery->reason), "The payload is no %s.",
			 event.type);
		delivery->outcome = OUTCOME_UNREADABLE;
	} else if (r == -EBADMSG) {
		snprintf(delivery->reason, sizeof(delivery->reason),
			 "What its handler has stored cannot be read; the log says what.");
		delivery->outcome = OUTCOME_REFUSED;
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

void events_answer(natsMsg *message, const char *word)
{
	natsConnection_PublishString(nats_connection(), natsMsg_GetReply(message), word);
}

static void acknowledge(struct events_consumer *consumer, natsMsg *message)
{
	char *reply = strdup(natsMsg_GetReply(message));

	if (!reply)
		abort();
	if (!consumer->n_acks)
		consumer->acks_since_ms = clock_monotonic_ms();
	consumer->acks[consumer->n_acks++] = reply;
	if (consumer->n_acks == ACKS_MAX)
		events_send_acks(consumer);
}

void events_send_acks(struct events_consumer *consumer)
{
	for (int i = 0; i < consumer->n_acks; i++) {
		natsConnection_PublishString(nats_connection(), consumer->acks[i], "+ACK");
		free(consumer->acks[i]);
	}
	consumer->n_acks = 0;
}

bool events_settle(struct events_consumer *consumer, natsMsg *message)
{
	cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new(consumer->durable, CALL_MS);
	struct delivery delivery = { .consumer = consumer,
				     .message = message,
				     .outcome = OUTCOME_AWAY };
	int n, r = rpc_call_run(call, deliver, &delivery);
	char later[64];

	if (r) {
		/* Its memory does not suffice, and never will. */
		snprintf(delivery.reason, sizeof(delivery.reason), "%s", rpc_error_message(call));
		delivery.outcome = OUTCOME_REFUSED;
	}
	switch (delivery.outcome) {
	case OUTCOME_DONE:
	case OUTCOME_PASSED_OVER:
		acknowledge(consumer, message);
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
			snprintf(later, sizeof(later), "-NAK {\"delay\":%" PRId64 "}",
				 refusal_delays_ms[n - 1] * 1000000);
			events_answer(message, later);
			count(consumer, "refused");
			break;
		}
		__attribute__((fallthrough));
	case OUTCOME_UNREADABLE:
		if (dead_letter_store(consumer->service, message, delivery.reason))
			return false;
		events_answer(message, "+TERM");
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

void events_refusal_delays_set(int64_t ms)
{
	for (int i = 0; i < REFUSALS_MAX - 1; i++)
		refusal_delays_ms[i] = ms;
}
