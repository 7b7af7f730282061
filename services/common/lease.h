/* Leases: work on a timer that only one replica does at a time. */
#pragma once

#include <common/mongo.h>

/*
 * A document of the collection `leases`: {_id: name, holder, expire_time}. Whoever can move
 * `holder` to itself, because it is free, expired or already its own, holds it. A lease is an
 * optimisation: after a pause of the process two may believe they hold it, so the work itself is
 * made of conditional updates.
 *
 *     if (!lease_take(call, "sweep", 60000))
 *             return 0;
 */
/* False too when the database is away. */
bool lease_take(struct rpc_call *call, const char *name, int64_t ms);
void lease_release(struct rpc_call *call, const char *name);
