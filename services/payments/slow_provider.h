/* The tests' provider behind a bad network: requests take long, or arrive when nobody waits for them
 * any more, and others come in between. To an intent it does nothing twice. */
#pragma once

#include "shop_of_tests.h"

enum { LATES_MAX = 16, LONG_MS = 14000 }; /* within a request's timeout */

/* What the provider has not received yet. */
struct late {
	const char *at;
	char intent[16], refund[320];
	int64_t amount, arrive_ms;
};

static struct network {
	struct late lates[LATES_MAX];
	int n_lates;
	int next_late, next_slow; /* so many requests */
	int64_t late_ms, slow_ms; /* by so much: at most LONG_MS */
	void (*during)(void);     /* happens once, before a request is carried out */
	bool after;               /* or after that */
} network;

static void arrive(struct rpc_call *at, const struct late *late)
{
	struct fake_intent *intent = fake_intent_of(late->intent);
	struct provider_problem why;
	struct provider_intent now;
	struct provider_refund refund;
	int faults = fake.fault_count;

	fake.fault_count = 0;
	if (!strcmp(late->at, "confirm"))
		fake_confirm(&fake.base, at, "", late->intent, "", &now, &why);
	else if (!strcmp(late->at, "capture") && intent->state == INTENT_HELD)
		fake_capture(&fake.base, at, "", late->intent, "EUR", late->amount, &now, &why);
	else if (!strcmp(late->at, "cancel"))
		fake_cancel(&fake.base, at, "", late->intent, &now, &why);
	else if (!strcmp(late->at, "refund"))
		fake_refund_create(&fake.base, at,
				   &(const struct provider_giving_back){ .intent = late->intent,
									 .refund = late->refund,
									 .amount = late->amount },
				   &refund, &why);
	fake.fault_count = faults;
}

static void arrive_until(struct rpc_call *at, int64_t ms)
{
	for (int i = 0; i < network.n_lates;) {
		struct late late = network.lates[i];

		if (late.arrive_ms > ms) {
			i++;
			continue;
		}
		network.lates[i] = network.lates[--network.n_lates];
		arrive(at, &late);
	}
}

static void time_passes(struct rpc_call *at, int64_t ms)
{
	later_ms += ms;
	rpc_call_set_now(at, rpc_now_ms(at) + ms);
	arrive_until(at, rpc_now_ms(at));
}

static void meanwhile(struct rpc_call *at, bool after)
{
	void (*during)(void) = network.during;
	int64_t before = later_ms;

	if (!during || network.after != after)
		return;
	network.during = NULL;
	during();
	rpc_call_set_now(at, rpc_now_ms(at) + later_ms - before);
}

static void begin_request(struct rpc_call *at)
{
	if (network.next_slow) {
		network.next_slow--;
		time_passes(at, network.slow_ms);
	}
	meanwhile(at, false);
}

/* It hears of it later. */
static bool is_late(struct rpc_call *at, const char *what, const char *intent, const char *refund,
		    int64_t amount, struct provider_problem *why)
{
	struct late *late = &network.lates[network.n_lates];

	if (!network.next_late || network.n_lates == LATES_MAX)
		return false;
	network.next_late--;
	network.n_lates++;
	*late = (struct late){ .at = what,
			       .amount = amount,
			       .arrive_ms = rpc_now_ms(at) + network.late_ms };
	snprintf(late->intent, sizeof(late->intent), "%s", intent);
	snprintf(late->refund, sizeof(late->refund), "%s", refund);
	*why = (struct provider_problem){ .code = "", .problem = "it hears of it later" };
	return true;
}

static int slow_create(struct payment_provider *self, struct rpc_call *at,
		       const struct provider_try *of, struct provider_intent *ret,
		       struct provider_problem *why)
{
	int r;

	begin_request(at);
	r = fake_create(self, at, of, ret, why);
	meanwhile(at, true);
	return r;
}

static int slow_confirm(struct payment_provider *self, struct rpc_call *at, const char *id_key,
			const char *id, const char *return_uri, struct provider_intent *ret,
			struct provider_problem *why)
{
	int r;

	begin_request(at);
	if (is_late(at, "confirm", id, "", 0, why))
		return PROVIDER_DOUBT;
	r = fake_confirm(self, at, id_key, id, return_uri, ret, why);
	meanwhile(at, true);
	return r;
}

static int slow_get(struct payment_provider *self, struct rpc_call *at, const char *id,
		    struct provider_intent *ret, struct provider_problem *why)
{
	int r;

	begin_request(at);
	r = fake_get(self, at, id, ret, why);
	meanwhile(at, true);
	return r;
}

static int slow_capture(struct payment_provider *self, struct rpc_call *at, const char *id_key,
			const char *id, const char *currency, int64_t amount,
			struct provider_intent *ret, struct provider_problem *why)
{
	int r;

	begin_request(at);
	if (is_late(at, "capture", id, "", amount, why))
		return PROVIDER_DOUBT;
	*why = (struct provider_problem){ .code = "", .problem = "it is not held" };
	if (fake_intent_of(id)->state != INTENT_HELD)
		return PROVIDER_REFUSED;
	r = fake_capture(self, at, id_key, id, currency, amount, ret, why);
	meanwhile(at, true);
	return r;
}

static int slow_cancel(struct payment_provider *self, struct rpc_call *at, const char *id_key,
		       const char *id, struct provider_intent *ret, struct provider_problem *why)
{
	int r;

	begin_request(at);
	if (is_late(at, "cancel", id, "", 0, why))
		return PROVIDER_DOUBT;
	r = fake_cancel(self, at, id_key, id, ret, why);
	meanwhile(at, true);
	return r;
}

static int slow_refund(struct payment_provider *self, struct rpc_call *at,
		       const struct provider_giving_back *of, struct provider_refund *ret,
		       struct provider_problem *why)
{
	int r;

	begin_request(at);
	if (is_late(at, "refund", of->intent, of->refund, of->amount, why))
		return PROVIDER_DOUBT;
	r = fake_refund_create(self, at, of, ret, why);
	meanwhile(at, true);
	return r;
}

static int slow_find(struct payment_provider *self, struct rpc_call *at, const char *intent,
		     const char *name, struct provider_refund *ret, struct provider_problem *why)
{
	int r;

	begin_request(at);
	r = fake_refund_find(self, at, intent, name, ret, why);
	meanwhile(at, true);
	return r;
}

static void network_begin(void)
{
	static struct payment_provider_ops ops;

	ops = fake_ops;
	ops.intent_create = slow_create;
	ops.intent_confirm = slow_confirm;
	ops.intent_get = slow_get;
	ops.intent_capture = slow_capture;
	ops.intent_cancel = slow_cancel;
	ops.refund_create = slow_refund;
	ops.refund_find = slow_find;
	fake.base.ops = &ops;
	network = (struct network){ 0 };
}
