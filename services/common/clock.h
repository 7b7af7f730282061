/* Times: milliseconds since 1970 UTC, and google.protobuf.Timestamp and Duration. */
#pragma once

#include "duration.msg.h"
#include "timestamp.msg.h"
#include <crpc/call.h>

Timestamp *clock_now(struct rpc_call *call); /* rpc_now_ms() */
Timestamp *clock_timestamp(struct rpc_call *call, int64_t unix_ms);
int64_t clock_ms(const Timestamp *timestamp); /* 0 for NULL */
const char *clock_text(struct rpc_call *call,
		       const Timestamp *timestamp); /* 2027-01-15T08:00:00Z */
int64_t clock_monotonic_ns(void);                   /* never set back; for waits */
int64_t clock_monotonic_ms(void);
Duration *clock_duration(struct rpc_call *call, int64_t ms);
int64_t clock_duration_ms(const Duration *duration); /* 0 for NULL; saturates */
