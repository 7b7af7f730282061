/* Entity tags: what a client has, and what it means to change (RFC 9110, 8.8.3 and 13.1). */
#pragma once

#include "request.h"

/*
 * The tag of an answer is `"<resource's etag>~<hash of the body>"`, or the hash alone. The first
 * part goes back to the service as If-Match; the hash makes the tag change with everything that is
 * shown, also with what is not the resource's own, such as the price in a cart.
 */

/* Sets `etag` on a 200; makes it 304 when If-None-Match has it. A service's own etag stays. */
void etag_apply(struct request *request, const char *resource_etag);
/* If-Match goes into the message's field `etag`, or its resource's. 0, or a code when there is
 * none. */
int etag_apply_if_match(struct request *request, ProtobufCMessage *message);
/* The answer is about to be compressed: other bytes, so the tag becomes a weak one. */
void etag_weaken(struct request *request);
