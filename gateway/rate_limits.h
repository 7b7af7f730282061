/* Rate limits: how many requests a client may make in a window of time; RateLimit headers
 * (draft-ietf-httpapi-ratelimit-headers). */
#pragma once

#include "request.h"

/*
 * Two kinds, both counted in Redis in fixed windows, so that all gateways count together:
 *
 * - the general limit of a client (the user, else the address, guests' too): counted here at once
 * and told to Redis every SYNC_MS, which tells what the others have counted; so it costs a request
 * nothing, and lets through at most what the other gateways admit in that time;
 * - a method's own limit (crpc.v1.rate_limit): asked of Redis for each request, exactly. A method
 * that needs no session is counted by address, for a new guest's session would be a new start.
 *
 * When Redis is away the general limit is each gateway's own, and the methods' limits are off.
 */
struct limits;
struct limits *limits_new(struct worker *worker);
struct limits *limits_free(struct limits *limits);

/* Who is limited when there is no session: the client's address, of IPv6 its network. In the
 * request's head; never NULL. */
const char *limits_client(struct request *request);
/* 0: admitted, or asked (WAIT_LIMIT); RESOURCE_EXHAUSTED, recorded with the time after which to try
 * again. `own`: the method's limit too. */
int limits_check(struct request *request, bool own);
