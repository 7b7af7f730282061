/* Server streams as server-sent events (HTML standard, 9.2): `data:` is the JSON of a message. */
#pragma once

#include "request.h"

/*
 * Each message is an event. Where the method can go on (crpc.v1.resume), it has an id, and
 * Last-Event-ID becomes a field of the request. The stream ends with
 * an event `end`, or `error` with the error as data. Comments keep it alive; with each of them the
 * session is looked at again. A client that reads slowly stops the peer: one message is under way
 * at a time.
 */

/* 0: the call is under way; or an error, recorded. */
int sse_start(struct request *request, const ProtobufCMessage *message);
/* One of the request's waits is over. */
void sse_waited(struct request *request, unsigned what);
/* The client took what it was sent. */
void sse_writable(struct request *request);
void sse_cancel(struct request *request);
void sse_free(struct request *request);
