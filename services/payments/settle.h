/* Settling: bringing a payment's document and the provider together. */
#pragma once

#include "payments_store.h"

enum {
	SETTLE_DOUBT = 310, /* the provider does not say how it went; the sweeper goes on */
	SETTLE_BUSY,        /* somebody else works on it, or the provider does */
};

/* What the provider said when it was asked to make an intent. */
struct settle_made {
	int r; /* 0, PROVIDER_REFUSED, PROVIDER_DOUBT */
	struct provider_intent intent;
	struct provider_problem why;
};
/* Has the provider make an intent for the last try, which holds nothing until it is confirmed. Below
 * 0: a fault of ours. */
int settle_make(struct payments_service *self, struct rpc_call *call, const PaymentRecord *record,
		const char *key, struct settle_made *ret);
/* The last try is that intent from now on, and is to be confirmed. */
void settle_take_intent(struct rpc_call *call, PaymentRecord *record,
			const struct provider_intent *intent);

/* Work on one payment. A caller that stored an intention, or a refund, itself says so: that was
 * never sent and need not be asked for. */
struct settlement {
	const char *id;
	const char *holder;             /* of the lease: rpc_id_new() */
	PaymentRecord *record;          /* when the lease is held */
	bool holds;                     /* the change that stored the intention took the lease */
	bool fresh;                     /* the intention is ours and was not sent */
	const struct settle_made *made; /* why the try was stored without an intent; or NULL */
	const char *refund;             /* so is this refund, by its name */
	bool look;                      /* asks the provider even when nothing is intended */
	bool check_refunds;             /* also those that were done: a bank can send money back */
	bool wait;                      /* for whoever works on it */
};

/*
 * Does at the provider what the document intends, and writes into the document what the provider
 * says, until nothing is left that can be done now. 0, SETTLE_DOUBT or SETTLE_BUSY, in all three
 * cases with the payment as it is now in *ret; an rpc code; negative.
 */
int payment_settle(struct payments_service *self, struct rpc_call *call,
		   struct settlement *settlement, PaymentRecord **ret);

/* The lease of a settlement that begins with a change: it outlives one request to the provider. */
int64_t settle_lease_end(const struct payments_service *self, const struct rpc_call *call);

/* What is known of an intent of the payment that is not, or no longer, its open try: a hold there
 * is lifted. */
int payment_settle_stray(struct payments_service *self, struct rpc_call *call,
			 const PaymentRecord *record, const char *intent);
