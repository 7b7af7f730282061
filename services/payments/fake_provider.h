/* A payment provider for tests: it allows what it should not, honours no key, and fails when told.
 */
#pragma once

#pragma GCC diagnostic ignored "-Wunused-function" /* each test program uses its part */

#include "payments.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/*
 * Tokens: pm_visa; pm_declined; pm_action (the customer must approve); pm_slow (it works on it);
 * pm_unknown. Money is counted as it moves, so what is charged or given back twice is seen.
 */
enum fake_fault {
	FAKE_FINE,
	FAKE_LOST,         /* not done, and no answer */
	FAKE_ANSWER_LOST,  /* done, and no answer */
	FAKE_REFUSES,      /* not done, and says so */
	FAKE_CRASH_BEFORE, /* we are killed: not done */
	FAKE_CRASH_AFTER,  /* we are killed: done */
};

struct fake_intent {
	char id[16], payment[160], key[400];
	enum intent_state state;
	int64_t amount, captured;
	int times_captured;
	char method[32];
};
struct fake_refund {
	char id[16], intent[16], name[320];
	enum refund_state state;
	int64_t amount;
};
struct fake {
	struct payment_provider base;
	pthread_mutex_t lock;
	struct fake_intent intents[256];
	struct fake_refund refunds[256];
	size_t n_intents, n_refunds, n_customers, n_methods;
	const char *fault_at; /* the function's name, or "": all */
	enum fake_fault fault;
	int fault_count;
	int n_calls, n_gets, n_confirms, n_sent_refunds;
	enum refund_state refund_state; /* what new refunds are */
	const char *during_at; /* runs `during` in that function, before it does anything */
	void (*during)(void);
};
static struct fake fake;

static void fake_fail(const char *at, enum fake_fault fault, int count)
{
	fake.fault_at = at;
	fake.fault = fault;
	fake.fault_count = count;
}

/* What happens in this call. */
static enum fake_fault fake_enter(const char *at)
{
	enum fake_fault fault = FAKE_FINE;
	void (*during)(void) = NULL;

	pthread_mutex_lock(&fake.lock);
	fake.n_calls++;
	if (fake.during && !strcmp(at, fake.during_at)) {
		during = fake.during;
		fake.during = NULL;
	}
	if (fake.fault_count && (!*fake.fault_at || !strcmp(fake.fault_at, at))) {
		fake.fault_count--;
		fault = fake.fault;
	}
	pthread_mutex_unlock(&fake.lock);
	if (during)
		during();
	return fault;
}

static bool fake_stops_before(enum fake_fault fault, struct provider_problem *why, int *ret)
{
	*why = (struct provider_problem){ .code = "", .problem = "a test says so" };
	if (fault == FAKE_LOST)
		*ret = PROVIDER_DOUBT;
	else if (fault == FAKE_REFUSES)
		*ret = PROVIDER_REFUSED;
	else if (fault == FAKE_CRASH_BEFORE)
		*ret = -EINTR;
	else
		return false;
	return true;
}

static int fake_leave(enum fake_fault fault, struct provider_problem *why)
{
	*why = (struct provider_problem){ .code = "", .problem = "a test says so" };
	return fault == FAKE_ANSWER_LOST ? PROVIDER_DOUBT : fault == FAKE_CRASH_AFTER ? -EINTR : 0;
}

static struct fake_intent *fake_intent_of(const char *id)
{
	for (size_t i = 0; i < fake.n_intents; i++)
		if (!strcmp(fake.intents[i].id, id))
			return &fake.intents[i];
	return NULL;
}

static struct provider_intent fake_view(struct rpc_call *call, const struct fake_intent *intent)
{
	return (struct provider_intent){
		.id = rpc_strdup(call, intent->id),
		.state = intent->state,
		.captured = intent->state == INTENT_CAPTURED ? intent->captured : 0,
		.decline_code = intent->state == INTENT_DECLINED ? "card_declined" : "",
		.redirect_uri =
			intent->state == INTENT_ACTION ? "https://bank.example/approve" : "",
		.card = "visa 4242",
	};
}

static const char *fake_token_problem(const char *token)
{
	return strncmp(token, "pm_", 3) ? "it is no token of the provider" : NULL;
}

static int fake_create(struct payment_provider *self, struct rpc_call *call,
		       const struct provider_try *of, struct provider_intent *ret,
		       struct provider_problem *why)
{
	enum fake_fault fault = fake_enter("create");
	struct fake_intent *intent;
	int r;

	if (fake_stops_before(fault, why, &r))
		return r;
	if (!strcmp(of->method, "pm_unknown")) {
		why->method = true;
		return PROVIDER_REFUSED;
	}
	pthread_mutex_lock(&fake.lock);
	intent = &fake.intents[fake.n_intents++];
	snprintf(intent->id, sizeof(intent->id), "pi_%zu", fake.n_intents);
	snprintf(intent->payment, sizeof(intent->payment), "%s", of->payment);
	snprintf(intent->method, sizeof(intent->method), "%s", of->method);
	snprintf(intent->key, sizeof(intent->key), "%s", of->key);
	intent->amount = of->amount;
	*ret = fake_view(call, intent);
	pthread_mutex_unlock(&fake.lock);
	return fake_leave(fault, why);
}

static int fake_confirm(struct payment_provider *self, struct rpc_call *call, const char *key,
			const char *id, const char *return_uri, struct provider_intent *ret,
			struct provider_problem *why)
{
	static const struct {
		const char *method;
		enum intent_state state;
	} states[] = { { "pm_declined", INTENT_DECLINED },
		       { "pm_action", INTENT_ACTION },
		       { "pm_slow", INTENT_PROCESSING } };
	enum fake_fault fault = fake_enter("confirm");
	struct fake_intent *intent;
	int r = 0;

	if (fake_stops_before(fault, why, &r))
		return r;
	pthread_mutex_lock(&fake.lock);
	intent = fake_intent_of(id);
	fake.n_confirms++;
	if (intent->state != INTENT_CREATED) {
		r = PROVIDER_REFUSED;
	} else {
		intent->state = INTENT_HELD;
		for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
			if (!strcmp(states[i].method, intent->method))
				intent->state = states[i].state;
		if (intent->state == INTENT_DECLINED)
			r = PROVIDER_REFUSED;
		*ret = fake_view(call, intent);
	}
	pthread_mutex_unlock(&fake.lock);
	return fake_leave(fault, why) ?: r;
}

static int fake_get(struct payment_provider *self, struct rpc_call *call, const char *id,
		    struct provider_intent *ret, struct provider_problem *why)
{
	enum fake_fault fault = fake_enter("get");
	int r;

	if (fake_stops_before(fault, why, &r))
		return r;
	pthread_mutex_lock(&fake.lock);
	fake.n_gets++;
	*ret = fake_view(call, fake_intent_of(id));
	pthread_mutex_unlock(&fake.lock);
	return fake_leave(fault, why);
}

/* After a cancel too, and as often as one likes. */
static int fake_capture(struct payment_provider *self, struct rpc_call *call, const char *key,
			const char *id, const char *currency_code, int64_t amount,
			struct provider_intent *ret, struct provider_problem *why)
{
	enum fake_fault fault = fake_enter("capture");
	struct fake_intent *intent;
	int r;

	if (fake_stops_before(fault, why, &r))
		return r;
	pthread_mutex_lock(&fake.lock);
	intent = fake_intent_of(id);
	intent->captured += amount;
	intent->times_captured++;
	intent->state = INTENT_CAPTURED;
	*ret = fake_view(call, intent);
	pthread_mutex_unlock(&fake.lock);
	return fake_leave(fault, why);
}

static int fake_cancel(struct payment_provider *self, struct rpc_call *call, const char *key,
		       const char *id, struct provider_intent *ret, struct provider_problem *why)
{
	enum fake_fault fault = fake_enter("cancel");
	struct fake_intent *intent;
	int r = 0;

	if (fake_stops_before(fault, why, &r))
		return r;
	pthread_mutex_lock(&fake.lock);
	intent = fake_intent_of(id);
	if (intent->state == INTENT_CAPTURED || intent->state == INTENT_PROCESSING)
		r = PROVIDER_REFUSED;
	else
		intent->state = INTENT_CANCELED;
	*ret = fake_view(call, intent);
	pthread_mutex_unlock(&fake.lock);
	return fake_leave(fault, why) ?: r;
}

/* As often and as much as one likes. */
static int fake_refund_create(struct payment_provider *self, struct rpc_call *call,
			      const struct provider_giving_back *of, struct provider_refund *ret,
			      struct provider_problem *why)
{
	enum fake_fault fault = fake_enter("refund");
	struct fake_refund *refund;
	int r;

	if (fake_stops_before(fault, why, &r))
		return r;
	pthread_mutex_lock(&fake.lock);
	fake.n_sent_refunds++;
	refund = &fake.refunds[fake.n_refunds++];
	snprintf(refund->id, sizeof(refund->id), "re_%zu", fake.n_refunds);
	snprintf(refund->intent, sizeof(refund->intent), "%s", of->intent);
	snprintf(refund->name, sizeof(refund->name), "%s", of->refund);
	refund->amount = of->amount;
	refund->state = fake.refund_state;
	*ret = (struct provider_refund){ .id = rpc_strdup(call, refund->id),
					 .state = refund->state,
					 .failure_code = "" };
	pthread_mutex_unlock(&fake.lock);
	return fake_leave(fault, why);
}

static int fake_refund_find(struct payment_provider *self, struct rpc_call *call,
			    const char *intent, const char *name, struct provider_refund *ret,
			    struct provider_problem *why)
{
	enum fake_fault fault = fake_enter("find");
	int r;

	if (fake_stops_before(fault, why, &r))
		return r;
	pthread_mutex_lock(&fake.lock);
	r = PROVIDER_NOT_FOUND;
	for (size_t i = 0; r && i < fake.n_refunds; i++) {
		const struct fake_refund *refund = &fake.refunds[i];

		if (strcmp(refund->name, name) || strcmp(refund->intent, intent))
			continue;
		*ret = (struct provider_refund){ .id = rpc_strdup(call, refund->id),
						 .state = refund->state,
						 .failure_code = "lost_card" };
		r = 0;
	}
	pthread_mutex_unlock(&fake.lock);
	return fake_leave(fault, why) ?: r;
}

static int fake_customer(struct payment_provider *self, struct rpc_call *call, const char *user,
			 const char **ret, struct provider_problem *why)
{
	enum fake_fault fault = fake_enter("customer");
	int r;

	if (fake_stops_before(fault, why, &r))
		return r;
	pthread_mutex_lock(&fake.lock);
	*ret = rpc_printf(call, "cus_%zu", ++fake.n_customers);
	pthread_mutex_unlock(&fake.lock);
	return fake_leave(fault, why);
}

static int fake_attach(struct payment_provider *self, struct rpc_call *call, const char *key,
		       const char *customer, const char *token, struct provider_method *ret,
		       struct provider_problem *why)
{
	enum fake_fault fault = fake_enter("attach");
	int r;

	if (fake_stops_before(fault, why, &r))
		return r;
	if (!strcmp(token, "pm_unknown")) {
		why->method = true;
		return PROVIDER_REFUSED;
	}
	pthread_mutex_lock(&fake.lock);
	fake.n_methods++;
	pthread_mutex_unlock(&fake.lock);
	*ret = (struct provider_method){ .token = rpc_printf(call, "pm_saved_%zu", fake.n_methods),
					 .brand = "visa",
					 .last_four = "4242",
					 .expire_month = 12,
					 .expire_year = 2030 };
	return fake_leave(fault, why);
}

static int fake_detach(struct payment_provider *self, struct rpc_call *call, const char *token,
		       struct provider_problem *why)
{
	enum fake_fault fault = fake_enter("detach");
	int r;

	if (fake_stops_before(fault, why, &r))
		return r;
	return fake_leave(fault, why);
}

/* The body is "<id> <type> <reference>", and the signature is "good". */
static int fake_webhook(struct payment_provider *self, struct rpc_call *call, const char *header,
			ProtobufCBinaryData body, struct provider_webhook *ret,
			struct provider_problem *why)
{
	char id[64], type[64], reference[64];
	const char *text = rpc_printf(call, "%.*s", (int)body.len, (const char *)body.data);

	why->problem = "it is not good";
	if (!header || strcmp(header, "good") ||
	    sscanf(text, "%63s %63s %63s", id, type, reference) != 3)
		return PROVIDER_FORGED;
	*ret = (struct provider_webhook){ .id = rpc_strdup(call, id),
					  .type = rpc_strdup(call, type),
					  .reference = rpc_strdup(call, reference) };
	return 0;
}

static const struct payment_provider_ops fake_ops = {
	.signature_header = "fake-signature",
	.token_problem = fake_token_problem,
	.intent_create = fake_create,
	.intent_confirm = fake_confirm,
	.intent_get = fake_get,
	.intent_capture = fake_capture,
	.intent_cancel = fake_cancel,
	.refund_create = fake_refund_create,
	.refund_find = fake_refund_find,
	.customer_create = fake_customer,
	.method_attach = fake_attach,
	.method_detach = fake_detach,
	.webhook_read = fake_webhook,
};

static struct payment_provider *fake_new(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.base = (struct payment_provider){ .id = "fake", .ops = &fake_ops };
	fake.refund_state = REFUND_DONE;
	fake.fault_at = "";
	pthread_mutex_init(&fake.lock, NULL);
	return &fake.base;
}

/* The provider's books. */
static int fake_in_state(enum intent_state state)
{
	int n = 0;

	for (size_t i = 0; i < fake.n_intents; i++)
		n += fake.intents[i].state == state;
	return n;
}

static int64_t fake_captured(void)
{
	int64_t sum = 0;

	for (size_t i = 0; i < fake.n_intents; i++)
		sum += fake.intents[i].captured;
	return sum;
}

static int64_t fake_refunded(void)
{
	int64_t sum = 0;

	for (size_t i = 0; i < fake.n_refunds; i++)
		sum += fake.refunds[i].state == REFUND_REFUSED ? 0 : fake.refunds[i].amount;
	return sum;
}
