/* The sweeper: finishes what a crash or an outage left, and what time brings: expiry, another look
 * at the provider. */
#include "saga.h"
#include <common/clock.h>
#include <common/lease.h>

enum { HANDS = 4, BATCH = 20, DRIVE_MS = 30000, ANSWERS_INTERVAL_MS = 60000 };

struct job {
	struct orders_service *self;
	const char *id;
	OrderRecord *record; /* or NULL */
};

static int drive(void *data, struct rpc_call *call)
{
	struct job *job = data;
	int r = job->record ? 0 : order_read(call, job->id, &job->record);

	return r ? r : saga_drive(job->self, call, &job->record);
}

/* A call of its own for each order, so that none uses up the memory or the time of the others. */
static int run(struct rpc_call *turn, struct job *job)
{
	cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("orders.sweep", DRIVE_MS);
	int r;

	rpc_call_set_caller(call, rpc_caller(turn));
	rpc_call_set_traceparent(call, rpc_traceparent(turn));
	r = rpc_call_run(call, drive, job);
	/* What could not be done now is noted in the order; what is wrong with us is not. */
	return r < 0 ? r : 0;
}

static int finish(struct orders_service *self, struct rpc_call *turn, OrderRecord *found)
{
	/* Taking the look upon us is what keeps other replicas, and a handler's repeat, off it. */
	int r = order_lease(turn, found, rpc_now_ms(turn) + self->lease);

	if (r)
		return r == MONGO_NOT_MATCHED ? 0 : r;
	return run(turn, &(struct job){ .self = self, .id = found->id });
}

static int carry_on(void *data, struct rpc_call *turn, ProtobufCMessage *given)
{
	return run(turn, &(struct job){ .self = data, .record = (OrderRecord *)given });
}

int orders_sweep(void *data, struct rpc_call *call)
{
	struct orders_service *self = data;
	OrderRecord **due;
	size_t n;
	int r, failed = 0;

	r = order_find_due(call, BATCH, &due, &n);
	if (r)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < n && !rpc_call_cancelled(call); i++) {
		r = finish(self, call, due[i]);
		if (r < 0)
			failed = r;
		else if (r)
			return 0;
	}
	return failed ? failed : n == BATCH;
}

static int sweep_answers(void *data, struct rpc_call *call)
{
	int r = lease_take(call, "answers", ANSWERS_INTERVAL_MS) ? order_sweep_answers(call) : 0;

	return r < 0 ? r : 0;
}

static const struct hands_work work = { .type = &OrderRecord_descriptor,
					.carry_on = carry_on,
					.look = orders_sweep };

void orders_sweep_start(struct service *service, int64_t interval_ms, struct orders_service *self)
{
	/* Several, so that an order whose payment hangs does not keep the others waiting. */
	self->hands = hands_start(service, "saga", HANDS, interval_ms, &work, self);
	service_every(service, "answers", ANSWERS_INTERVAL_MS, sweep_answers, self);
}
