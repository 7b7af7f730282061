/* Consuming events: what tests need to see. */
#pragma once

#include <common/events.h>

/* The consumer of what souk-dlq sends back. */
struct events_consumer *events_replay_consumer_new(const char *service,
						   const struct rpc_event_domain *domain,
						   const void *ops, void *self);
/* All pauses between refusals, so that a test need not wait for minutes. */
void events_refusal_delays_set(int64_t ms);
