/* Signatures of webhooks: `t=<seconds>,v1=<hex>[,v1=<hex>...]`, HMAC-SHA256 over "<seconds>.<body>"
 * (Stripe's scheme, which carriers use too). */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

/* NULL when the body is signed with the secret, at most `age_ms` before or after now; else why not: half a sentence. Other members of the header
 * are passed over; of several `v1`, as there are while a secret is being changed, one must fit.
 * `header` may be NULL. */
const char *signature_problem(const char *secret, const char *header, ProtobufCBinaryData body,
			      int64_t now_ms, int64_t age_ms);
