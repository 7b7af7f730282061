/* Which events had their effect, where the effect is no update of a document. */
#include "store.msg.h"
#include <common/clock.h>
#include <common/events.h>

const struct mongo_index events_inbox_indexes[] = {
	{ .keys = "time", .ttl_seconds = 30 * 24 * 3600, .name = "expiry" },
	{ 0 },
};

int events_seen(struct rpc_call *call, const struct mongo_collection *inbox,
		const struct rpc_event *event, bool *ret)
{
	int64_t n;
	int r = mongo_count(call, inbox, DOC(call, "_id", BCON_UTF8(event->id)), 1, &n);

	if (!r)
		*ret = n > 0;
	return r;
}

int events_note(struct rpc_call *call, const struct mongo_collection *inbox,
		const struct rpc_event *event)
{
	SeenEvent *seen =
		rpc_new(call, SeenEvent, .id = (char *)event->id, .time = clock_now(call));
	int r = mongo_insert(call, inbox, seen);

	return r == MONGO_DUPLICATE ? 0 : r;
}
