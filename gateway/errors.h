/* Errors as AIP-193 has them in JSON: {"error": {code, status, message, details}}. */
#pragma once

#include <crpc/call.h>

int error_http_status(int code); /* of a gRPC code */

/*
 * The error recorded in `call`, in its arena. `status`: the HTTP status to tell, or 0 for the
 * code's own. *retry_ms is RetryInfo's, 0 without one.
 */
const char *error_print(struct rpc_call *call, int status, size_t *length, int64_t *retry_ms);
