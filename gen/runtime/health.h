/* grpc.health.v1: what serves and what does not, asked once or watched. */
#pragma once

#include "server_private.h"

struct health;
struct health *health_new(struct rpc_server *server);
struct health *health_free(struct health *health);
void health_serve(struct health *health);
void health_know(struct health *health, const char *service); /* it serves, until told otherwise */
void health_set(struct health *health, const char *service, bool serving); /* "": all */
/* Takes over a call of Watch. */
void health_watch(struct server_call *sc);
/* Ends all watches: UNAVAILABLE, so that clients look elsewhere. */
void health_end(struct health *health);
