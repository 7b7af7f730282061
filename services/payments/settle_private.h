/* Inside of settling: the work at hand, what its outcomes are, and its part for refunds. */
#pragma once

#include "settle.h"

struct work {
	struct payments_service *self;
	struct rpc_call *call;
	struct settlement *of;
	PaymentRecord *record; /* as it is, with what was changed */
	bool looked;
	enum intent_state seen;                 /* what the last look saw */
	unsigned sent;                          /* intentions, a bit each */
	const char *tried[PAYMENT_REFUNDS_MAX]; /* refunds that were worked on, by name */
	size_t n_tried;
};

enum { SETTLE_ORPHAN = 320 }; /* the intent that was made is not the document's */

/* The code of an attempt that PAYMENT_METHOD_INVALID tells of. */
#define ATTEMPT_METHOD_INVALID "payment_method_invalid"

PaymentAttempt *settle_attempt(const PaymentRecord *record); /* the last, or NULL */
/* Applies an answer of the provider to the document as it is then. */
typedef int settle_apply_function(struct work *work, const void *answer);
int settle_apply(struct work *work, settle_apply_function *apply, const void *answer);
int settle_commit(struct work *work, struct payment_change *change);
int settle_reload(struct work *work);
int settle_hold(struct work *work);

/* Outcomes of the last try; see settle_outcome.c. */
bool settle_is_over(const PaymentAttempt *attempt);
int settle_apply_intent(struct work *work, const void *answer);
int settle_fail(struct work *work, PaymentAttempt *attempt, PaymentAttemptState state,
		const char *code);
int settle_close(struct work *work, PaymentAttempt *attempt);

/* A refund that has not been worked on yet; NULL. */
const Refund *settle_next_refund(const struct work *work);
int settle_refund(struct work *work, const char *name);
