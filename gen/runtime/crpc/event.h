/* Events: CloudEvents 1.0 in binary mode, payloads of bounded nanopb messages. */
#pragma once

#include <crpc/call.h>
#include <pb.h>

/* Generated of each message that is an event. */
struct rpc_event_type {
	const char *type;    /* CloudEvents `type`: "acme.orders.v1.OrderPaid" */
	const char *subject; /* on the bus: "acme.orders.v1.order.paid" */
	const pb_msgdesc_t *fields;
	size_t size;         /* of the nanopb struct */
	size_t encoded_size; /* at most */
	size_t about_offset; /* of the char[] that holds CloudEvents' `subject` */
};

/* One event on its way. Strings and payload belong to the call that made it. */
struct rpc_event {
	const char *id; /* UUIDv7 */
	const char *type, *subject;
	const char *about; /* CloudEvents' `subject`: the name of what it is about */
	const char *traceparent;
	int64_t time_ms;
	ProtobufCBinaryData payload;
};

/* Encodes. The generated `orders_event_order_paid(call, &paid)` calls this with its types. */
struct rpc_event *rpc_event_new(struct rpc_call *call, const struct rpc_event_type *type,
				const void *message);

/* Sets a bounded string of a nanopb struct; cut at a character when too long (ids never are: rules
 * bound them). */
#define event_text(field, text) event_text_((field), sizeof(field), (text))
void event_text_(char *field, size_t size, const char *text);

/*
 * Consuming looks like serving: the generated `struct orders_events_ops` has a member for each
 * event of the domain, a NULL member is not subscribed to, and `orders_events_dispatch` decodes and
 * calls. Results of a handler:
 *   0         the effect is stored: acknowledge
 *   positive  refused (rpc_fail): tried again later; after five times, if it cannot be helped, the
 *             dead-letter subject
 *   negative  something we depend on failed: tried again until it works
 */
struct rpc_event_handler {
	const struct rpc_event_type *type;
	int (*invoke)(const void *ops, void *self, struct rpc_call *call, const void *message,
		      const struct rpc_event *event);
	size_t member; /* offset in the ops table, to see whether it is NULL */
};

/* All events of a domain. Generated: `orders_events`. */
struct rpc_event_domain {
	const char *domain; /* "orders" */
	const struct rpc_event_handler *handlers;
	size_t n_handlers;
};

/* Decodes the payload, bounds and UTF-8 checked, and calls the member: its result; -ENOENT for an
 * unknown type, RPC_EVENT_UNREADABLE for a payload that cannot be decoded. */
enum { RPC_EVENT_UNREADABLE = 101 };
int rpc_event_dispatch(const struct rpc_event_domain *domain, const void *ops, void *self,
		       struct rpc_call *call, const struct rpc_event *event);
