/* Hands: threads that go on at once with what this process has just stored, and else look for what
 * is due. */
#pragma once

#include <crpc/service.h>

/*
 * Whoever stores something that is to be worked on takes its lease in the same write and gives it
 * to the hands, which then need neither find it nor take it. What a crash leaves, and what does not
 * fit, is found by look() when the lease is over.
 */
struct hands_work {
	const ProtobufCMessageDescriptor *type; /* of what is given */
	/* Goes on with what was given. */
	int (*carry_on)(void *data, struct rpc_call *call, ProtobufCMessage *given);
	/* Finds something that is due: above 0 when there may be more. */
	int (*look)(void *data, struct rpc_call *call);
};
struct hands;

enum { HANDS_MAX = 8 };
/* `n` threads. One of them looks once every `interval_ms`; others help while there is more than it
 * can do. They live as long as the process. */
struct hands *hands_start(struct service *service, const char *name, int n, int64_t interval_ms,
			  const struct hands_work *work, void *data);
/* Any thread; the message is copied, and what is done belongs to the call's trace. Without hands, as
 * in tests, nothing happens. */
void hands_give(struct hands *hands, struct rpc_call *call, const ProtobufCMessage *message);
