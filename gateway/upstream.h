/* The peers behind the routes: a channel a domain, a client a service. */
#pragma once

#include "request.h"

/*
 * The peer of a route follows from its method's service: souk.cart.v1.CartService is the domain
 * "cart", at SOUK_PEER_CART. A domain without an address answers UNAVAILABLE. NULL with *error when
 * an address is wrong.
 */
struct upstreams *upstreams_new(const struct gateway *gateway, char **error);
struct upstreams *upstreams_free(struct upstreams *upstreams);

/* Of the pages about health: the domain of number `i` and whether its connection is ready; NULL
 * behind the last. */
const char *upstreams_domain(const struct upstreams *upstreams, size_t i, bool *ready);

/* NULL: the domain has no address. */
struct rpc_client *upstreams_client(const struct upstreams *upstreams, const struct route *route);
/* The error of a path whose service has none. */
int upstream_missing(struct request *request);
/* A call for a stream, which may outlast the request's own. */
struct rpc_call *upstream_stream_call(struct request *request);
/* 0: request_waited(WAIT_CALL) comes; or an error, recorded. */
int upstream_start(struct request *request, const ProtobufCMessage *message);
/* The call is over: its answer becomes the request's. */
void upstream_finish(struct request *request);
