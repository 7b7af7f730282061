/* ETags: a record's version, quoted. */
#pragma once

#include <crpc/call.h>

/* "\"7\"" */
const char *etag_of(struct rpc_call *call, int64_t version);
/* Whether `etag` is the version's; W/ and missing quotes are forgiven. */
bool etag_is(struct rpc_call *call, const char *etag, int64_t version);
/* ETAG_MISMATCH (ABORTED) unless `etag` is "", "*" or the version's. */
int etag_check(struct rpc_call *call, const char *name, const char *etag, int64_t version);
