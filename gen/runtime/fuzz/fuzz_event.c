/* Event payloads: what is taken in can be sent out again. */
#include "fuzz.h"
#include "test_events.ev.h"

static int thing_made(struct test_listener *self, struct rpc_call *call,
		      const crpc_test_v1_ThingMade *event, const struct rpc_event *meta)
{
	fuzz_require(test_event_thing_made(call, event)->payload.len <= crpc_test_v1_ThingMade_size,
		     "larger than its bound");
	return 0;
}

static const struct test_events_ops ops = { .thing_made = thing_made };

static int dispatch(void *data, struct rpc_call *call)
{
	return rpc_event_dispatch(&test_events, &ops, NULL, call, data);
}

int fuzz_one(void *data)
{
	struct fuzz_input *input = data;
	struct rpc_event event = {
		.type = "crpc.test.v1.ThingMade",
		.payload = { input->size, (uint8_t *)input->bytes },
	};
	struct rpc_call *call = rpc_call_new("fuzz", 1000);

	rpc_call_run(call, dispatch, &event);
	rpc_call_free(call);
	return 0;
}
