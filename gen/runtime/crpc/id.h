/* Ids: UUIDs in Crockford's base32, 26 lower case characters that sort by time. */
#pragma once

#include <crpc/call.h>

enum { RPC_ID_LENGTH = 26 };

/* UUIDv7. Later ones of the same process sort after earlier ones. Thread safe. */
const char *rpc_id_new(struct rpc_call *call);

/*
 * The same id for the same scope and key: for a create that may be repeated. `scope` says who asks
 * for what
 * ("users/ann CreateOrder"), `key` is the request_id. UUIDv8 of a SHA-256; it says nothing about
 * its parts.
 */
const char *rpc_id_derive(struct rpc_call *call, const char *scope, const char *key);
