/* The connection to NATS, for events.c and the dead-letter tool. */
#pragma once

#include <common/nats.h>
#include <nats/nats.h>
#include <stdatomic.h>

enum { NATS_NAME_MAX = 96, NATS_SUBJECT_MAX = 256 };

/* Stops the consumers before the connection goes; set by events.c, so that a program without
 * consumers does not carry them. */
extern void (*nats_before_close)(void);

bool nats_connected(void);
const char *nats_service(void);
natsConnection *nats_connection(void);
jsCtx *nats_js(void); /* NULL before the module has started */

/* With the prefix of tests. */
void nats_subject(const char *subject, char ret[NATS_SUBJECT_MAX]); /* "souk.orders.>" */
const char *nats_unprefixed(const char *subject);
void nats_stream_name(const char *domain, char ret[NATS_NAME_MAX]); /* "orders": "ORDERS" */

/* Makes the domain's stream when it is not there; "dlq" is the dead letters'. 0, or -EAGAIN with
 * *why. */
int nats_ensure_stream(const char *domain, const char **why);
void nats_forget_streams(void); /* they may be gone: look again */

/* What nats_publish() has on the connection, from when it is made. */
natsStatus nats_publish_open(void);
void nats_publish_close(void);

/* An event as a message of the CloudEvents NATS binding, binary mode, and back. `reply` may be NULL.
 * -EBADMSG for a message that is none. */
int nats_event_write(const struct rpc_event *event, const char *reply, natsMsg **ret);
int nats_event_read(struct arena *arena, natsMsg *message, struct rpc_event *ret);

/* Keeps a message that `service` cannot handle, with the reason: 0 when it is stored for sure, else
 * negative. dead_letters.c */
int dead_letter_store(const char *service, natsMsg *message, const char *reason);

/* Header values, percent-encoded as the binding says (3.1.3.2). */
char *nats_header_encode(const char *value); /* malloc()ed */
const char *nats_header_decode(struct arena *arena, const char *value);

static inline void nats_msg_freep(natsMsg **message)
{
	natsMsg_Destroy(*message);
}
