/* Payment providers: what we ask of whoever knows the cards. */
#pragma once

#include <crpc/call.h>

/*
 * One provider behind one table. Every function returns 0 with *ret, a negative errno for a fault
 * of ours, or one of these; nothing is logged here. Strings live in the call's arena. Amounts are
 * whole minor units of the currency.
 */
enum {
	PROVIDER_REFUSED = 300, /* answered, and nothing was done: why->code says what is wrong. A
				   decline is such an answer */
	PROVIDER_DOUBT, /* no answer that can be used: it may have happened, and may still happen */
	PROVIDER_NOT_FOUND, /* refund_find(): the provider has no such refund */
	PROVIDER_FORGED, /* webhook_read(): not signed by the provider, or too old; why->problem */
};

/* Why it was not done, or may not have been. Never holds what the customer or the card is called.
 */
struct provider_problem {
	const char *code;    /* the provider's code, such as "card_declined"; "" without one */
	const char *problem; /* half a sentence for logs and errors: "it answered 500" */
	bool method;         /* the provider does not know the payment method, or cannot use it */
};

/* An intent is one try to take an amount from one card. */
enum intent_state {
	INTENT_CREATED,    /* known, and not confirmed */
	INTENT_ACTION,     /* the customer must approve */
	INTENT_PROCESSING, /* the provider works on it */
	INTENT_HELD,
	INTENT_CAPTURED,
	INTENT_CANCELED,
	INTENT_DECLINED,
	N_INTENT_STATES
};
struct provider_intent {
	const char *id;
	enum intent_state state;
	int64_t captured;         /* -1: the provider does not say */
	const char *decline_code; /* "" unless declined */
	const char *redirect_uri; /* the bank's page; "" when there is none */
	const char *card;         /* "visa 4242"; "" when not told */
};

struct provider_try {
	const char *key; /* the same for repeats of one request: the provider may know it by that */
	const char *payment, *order;
	int32_t attempt;
	const char *currency_code;
	int64_t amount;
	const char *method;   /* the token */
	const char *customer; /* whose saved method it is; or "" */
};

enum refund_state { REFUND_WORKING, REFUND_DONE, REFUND_REFUSED };
struct provider_refund {
	const char *id;
	enum refund_state state;
	const char *failure_code; /* "" unless refused */
};
struct provider_giving_back {
	const char *key;
	const char *intent,
		*refund; /* `refund` is our name of it, by which refund_find() finds it */
	const char *currency_code;
	int64_t amount;
	const char *reason; /* "duplicate", "fraudulent", "requested_by_customer" */
};

struct provider_method {
	const char *token; /* may be another than the one that was given */
	const char *brand, *last_four;
	int32_t expire_month, expire_year;
};

struct provider_webhook {
	const char *id, *type;
	const char *reference; /* the intent that it is about; else the object's id; "" */
};

struct payment_provider {
	const char *id; /* "stripe" */
	const struct payment_provider_ops *ops;
};

struct payment_provider_ops {
	const char *signature_header; /* lower case */

	/* NULL, or why this cannot be one of the provider's tokens: half a sentence. Never sends
	 * it. */
	const char *(*token_problem)(const char *token);

	/* Creates an intent that holds nothing until it is confirmed, and takes nothing until it is
	 * captured. */
	int (*intent_create)(struct payment_provider *self, struct rpc_call *call,
			     const struct provider_try *of, struct provider_intent *ret,
			     struct provider_problem *why);
	int (*intent_confirm)(struct payment_provider *self, struct rpc_call *call, const char *key,
			      const char *intent, const char *return_uri,
			      struct provider_intent *ret, struct provider_problem *why);
	int (*intent_get)(struct payment_provider *self, struct rpc_call *call, const char *intent,
			  struct provider_intent *ret, struct provider_problem *why);
	int (*intent_capture)(struct payment_provider *self, struct rpc_call *call, const char *key,
			      const char *intent, const char *currency_code, int64_t amount,
			      struct provider_intent *ret, struct provider_problem *why);
	int (*intent_cancel)(struct payment_provider *self, struct rpc_call *call, const char *key,
			     const char *intent, struct provider_intent *ret,
			     struct provider_problem *why);

	int (*refund_create)(struct payment_provider *self, struct rpc_call *call,
			     const struct provider_giving_back *of, struct provider_refund *ret,
			     struct provider_problem *why);
	/* Lists the intent's refunds and finds ours. */
	int (*refund_find)(struct payment_provider *self, struct rpc_call *call, const char *intent,
			   const char *refund, struct provider_refund *ret,
			   struct provider_problem *why);

	/* Saved methods belong to a customer, who has no name there but ours. */
	int (*customer_create)(struct payment_provider *self, struct rpc_call *call,
			       const char *user, const char **ret, struct provider_problem *why);
	int (*method_attach)(struct payment_provider *self, struct rpc_call *call, const char *key,
			     const char *customer, const char *token, struct provider_method *ret,
			     struct provider_problem *why);
	/* 0 too when it is not attached any more. */
	int (*method_detach)(struct payment_provider *self, struct rpc_call *call,
			     const char *token, struct provider_problem *why);

	/* Checks signature and age on the raw body, and only then reads it. `header` may be NULL.
	 */
	int (*webhook_read)(struct payment_provider *self, struct rpc_call *call,
			    const char *header, ProtobufCBinaryData body,
			    struct provider_webhook *ret, struct provider_problem *why);
};

/* What every provider's tokens are not: NULL, or why. */
const char *provider_token_problem(const struct payment_provider *provider, const char *token);
/* One line for what an operator should know of; the problem itself is PROVIDER_UNAVAILABLE's or the
 * payment's to tell. */
void provider_log(struct rpc_call *call, const struct payment_provider *provider,
		  const char *payment, const char *action, int code,
		  const struct provider_problem *why);

/* Stripe's API. */
struct stripe_options {
	const char *url;            /* "https://api.stripe.com" */
	const char *key;            /* the secret key */
	const char *webhook_secret; /* what webhooks are signed with */
	int64_t timeout_ms;         /* of a request, answer included */
	int64_t webhook_age_ms;     /* older webhooks are refused, and those from the future */
};
struct payment_provider *stripe_new(const struct stripe_options *options, char **error);
struct payment_provider *stripe_free(struct payment_provider *provider);
DEFINE_CLEANUP(struct payment_provider *, stripe_free)
