/* Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the method's request_id. */
#pragma once

#include "request.h"

/* 0, or a code: the key is missing where it must be there, or is none. */
int idempotency_apply(struct request *request, ProtobufCMessage *message);
