/* Stripe's API: what the parts of its adapter share. */
#pragma once

#include "provider.h"
#include <jansson.h>

enum { STRIPE_ANSWER_MAX = 1 << 20, STRIPE_ID_MAX = 64 };

struct stripe {
	struct payment_provider base;
	struct stripe_options options;
};

/* A field of a form or a query. */
struct stripe_field {
	const char *name, *value;
};
#define STRIPE_FIELDS(...) ((const struct stripe_field[]){ __VA_ARGS__, { 0 } })

/*
 * One request. Fields whose value is NULL or "" are left out. 0 with the answer's object, or
 * PROVIDER_REFUSED with the error's object, both the caller's to free; PROVIDER_DOUBT.
 */
int stripe_get(struct stripe *self, struct rpc_call *call, const char *path,
	       const struct stripe_field *fields, json_t **ret, struct provider_problem *why);
int stripe_post(struct stripe *self, struct rpc_call *call, const char *path, const char *key,
		const struct stripe_field *fields, json_t **ret, struct provider_problem *why);
/* What an answer of this status and body means; see stripe_post(). */
int stripe_judge(struct rpc_call *call, long status, const char *body, size_t length, json_t **ret,
		 struct provider_problem *why);

/* Answers as messages; PROVIDER_DOUBT when they are not what they should be. */
int stripe_read_intent(struct rpc_call *call, const json_t *answer, struct provider_intent *ret,
		       struct provider_problem *why);
int stripe_read_refund(struct rpc_call *call, const json_t *answer, struct provider_refund *ret,
		       struct provider_problem *why);
int stripe_read_method(struct rpc_call *call, const json_t *answer, struct provider_method *ret,
		       struct provider_problem *why);
int stripe_read_event(struct rpc_call *call, ProtobufCBinaryData body, struct provider_webhook *ret,
		      struct provider_problem *why);
/* The member's text in the arena; "" when it is not there, too long, or holds more than letters,
 * digits, '_', '-' and '.'. */
const char *stripe_text(struct rpc_call *call, const json_t *object, const char *member);
int stripe_doubt(struct provider_problem *why, const char *problem);

static inline void stripe_json_freep(json_t **json)
{
	json_decref(*json);
}
