/* Progress: the steps behind an order and its history, both bounded, the oldest go first. */
#include "saga.h"
#include <common/clock.h>
#include <string.h>

OrderStep *step_find(const Order *order, OrderStepKind kind)
{
	for (size_t i = order->n_steps; i-- > 0;)
		if (order->steps[i]->kind == kind)
			return order->steps[i];
	return NULL;
}

bool step_is(const Order *order, OrderStepKind kind, OrderStepState state)
{
	const OrderStep *step = step_find(order, kind);

	return step && step->state == state;
}

/* Drops from the front what is beyond `max`. */
static size_t trim(void *array, size_t n, size_t max)
{
	void **pointers = array;

	if (n <= max)
		return n;
	memmove(pointers, pointers + (n - max), max * sizeof(*pointers));
	return max;
}

static const char *trace_id(struct rpc_call *call)
{
	const char *traceparent = rpc_traceparent(call); /* 00-{32 digits}-... */

	return traceparent && strlen(traceparent) >= 35 ? rpc_printf(call, "%.32s", traceparent + 3)
							: "";
}

void step_begin(struct rpc_call *call, Order *order, OrderStepKind kind)
{
	if (step_is(order, kind, ORDER_STEP_STATE_RUNNING))
		return;
	order_add_steps(call, order,
			rpc_new(call, OrderStep, .kind = kind, .state = ORDER_STEP_STATE_RUNNING,
				.start_time = clock_now(call), .trace_id = trace_id(call)));
	order->n_steps = trim(order->steps, order->n_steps, ORDERS_STEPS_MAX);
}

void step_end(struct rpc_call *call, Order *order, OrderStepKind kind, OrderStepState state,
	      const char *error)
{
	OrderStep *step = step_find(order, kind);

	if (!step || step->state != ORDER_STEP_STATE_RUNNING)
		return;
	step->state = state;
	step->tries++;
	step->error = error;
	step->trace_id = trace_id(call);
	if (state != ORDER_STEP_STATE_RUNNING)
		step->end_time = clock_now(call);
}

static const char *actor(struct rpc_call *call)
{
	const char *user = rpc_caller(call)->user;

	return *user ? rpc_strdup(call, user) : "services/orders";
}

void history_add(struct rpc_call *call, Order *order, OrderState state, const char *note)
{
	if (state)
		order->state = state;
	order_add_history(call, order,
			  rpc_new(call, OrderEvent, .time = clock_now(call), .actor = actor(call),
				  .state = order->state, .payment_state = order->payment_state,
				  .fulfilment_state = order->fulfilment_state, .note = note));
	order->n_history = trim(order->history, order->n_history, ORDERS_HISTORY_MAX);
}

const char *saga_state_name(OrderState state)
{
	const ProtobufCEnumValue *value =
		protobuf_c_enum_descriptor_get_value(&OrderState_descriptor, state);

	return value ? value->name : "UNKNOWN";
}

bool saga_is_refusal(int code)
{
	return code == RPC_INVALID_ARGUMENT || code == RPC_NOT_FOUND ||
	       code == RPC_FAILED_PRECONDITION || code == RPC_OUT_OF_RANGE ||
	       code == RPC_ALREADY_EXISTS;
}

const char *saga_error_name(struct rpc_call *call, int code)
{
	const char *reason = rpc_error_reason(call);

	return *reason ? rpc_strdup(call, reason) : code > 0 ? rpc_code_name(code) : "INTERNAL";
}

/* 1 s, 2 s, 4 s, ... 15 s; after an hour or so every 5 minutes. */
static int64_t pause_ms(int32_t tries)
{
	if (tries > 200)
		return 300000;
	return tries < 4 ? 1000 << tries : 15000;
}

int saga_postpone_draft(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
			OrderRecord *draft, OrderStepKind kind, int code)
{
	ProtobufCBinaryData status = rpc_error_status(call);
	const OrderStep *step = step_find(draft->order, kind);
	int64_t look = rpc_now_ms(call) + pause_ms(step ? step->tries : 0);

	step_end(call, draft->order, kind, ORDER_STEP_STATE_RUNNING, saga_error_name(call, code));
	/* If this fails, the look that was set before stands, or somebody else is at it. */
	saga_save(self, call, record, &(const struct saga_move){ .draft = draft, .look = look });
	return code > 0 && status.len ? rpc_fail_status(call, code, status) : code;
}

int saga_postpone(struct orders_service *self, struct rpc_call *call, OrderRecord **record,
		  OrderStepKind kind, int code)
{
	return saga_postpone_draft(self, call, record, order_draft(call, *record), kind, code);
}
