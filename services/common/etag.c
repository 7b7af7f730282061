/* ETags: a record's version, quoted. */
#include "errors.msg.h"
#include <common/etag.h>
#include <inttypes.h>
#include <string.h>

const char *etag_of(struct rpc_call *call, int64_t version)
{
	return rpc_printf(call, "\"%" PRId64 "\"", version);
}

bool etag_is(struct rpc_call *call, const char *etag, int64_t version)
{
	const char *expected = etag_of(call, version);
	/* Without its quotes, which clients lose easily. */
	size_t length = strlen(expected) - 2;

	if (!strncmp(etag, "W/", 2))
		etag += 2;
	return !strcmp(etag, expected) ||
	       (strlen(etag) == length && !memcmp(etag, expected + 1, length));
}

int etag_check(struct rpc_call *call, const char *name, const char *etag, int64_t version)
{
	if (!*etag || !strcmp(etag, "*") || etag_is(call, etag, version))
		return 0;
	return rpc_fail(call, ETAG_MISMATCH, { "name", name }, { "etag", etag_of(call, version) });
}
