/* Payments' documents: payments, webhooks that came, saved ways to pay. */
#pragma once

#include "payments.h"
#include <common/answers.h>
#include <common/mongo.h>

enum { WEBHOOK_KEPT_DAYS = 90 };

/* --- payments; results are those of mongo.h --- */

/*
 * A change on its way into the document: the record, altered in place, is written with the version
 * that was read as the condition. Bookings after the first `n_booked` are appended.
 */
struct payment_change {
	PaymentRecord *record;
	size_t n_booked;
	struct rpc_event *events[4]; /* NULL-terminated */
	size_t n_events;
	bool refunds;       /* refunds changed, too */
	const char *holder; /* the lease must be this one's; NULL: anybody's */
	const char *take;   /* takes the free lease along, until `lease_expire_ms`; or NULL */
	int64_t lease_expire_ms;
	bool release; /* gives the lease back */
	const struct stored_answer *answer;
};
struct payment_change payment_begin(PaymentRecord *record);
void payment_tell(struct payment_change *change, struct rpc_event *event);

int payment_read(struct rpc_call *call, const char *id, PaymentRecord **ret);
/* As this process has written it last, if it is held; by its intent, if it is captured. NULL. See
 * recent.h for what it may be used for. */
PaymentRecord *payment_recall(struct rpc_call *call, const char *id);
PaymentRecord *payment_recall_by_intent(struct rpc_call *call, const char *intent);
void payments_forget(void); /* for tests */
int payment_read_by_intent(struct rpc_call *call, const char *intent, PaymentRecord **ret);
int payment_insert(struct rpc_call *call, PaymentRecord *record);
/* MONGO_NOT_MATCHED: the version, or the lease, is another's. -EINVAL when the ledger does not
 * agree: nothing is written. */
int payment_save(struct rpc_call *call, struct payment_change *change);
/* Stores a refusal. */
int payment_note_answer(struct rpc_call *call, const PaymentRecord *record,
			const struct stored_answer *answer);
int payment_page(struct rpc_call *call, const ListPaymentsRequest *req,
		 ListPaymentsResponse *response, PaymentRecord ***ret, size_t *n_ret);
/* Ids of payments whose time to be looked at has come, the longest due first. */
int payment_due(struct rpc_call *call, int64_t limit, PaymentRecord ***ret, size_t *n_ret);
int payment_sweep_answers(struct rpc_call *call);

/* Leases. Taking one counts a look and plans the next one, so that what cannot be done now is not
 * tried all the time. */
bool payment_is_free(struct rpc_call *call, const PaymentRecord *record);
int payment_take(struct rpc_call *call, PaymentRecord *record, const char *holder,
		 int64_t expire_ms);
int payment_renew(struct rpc_call *call, PaymentRecord *record, const char *holder,
		  int64_t expire_ms);
int payment_release(struct rpc_call *call, const char *id, const char *holder);
/* When it should be looked at next; 0 when it is final. */
int64_t payment_look_time(struct rpc_call *call, const PaymentRecord *record);
bool payment_has_pending_refund(const PaymentRecord *record);

/* Events of a payment's changes, of the version that payment_save() will write. */
struct rpc_event *payment_authorized(struct rpc_call *call, const PaymentRecord *record);
struct rpc_event *payment_captured(struct rpc_call *call, const PaymentRecord *record);
struct rpc_event *payment_failed(struct rpc_call *call, const PaymentRecord *record);
struct rpc_event *payment_voided(struct rpc_call *call, const PaymentRecord *record);
struct rpc_event *payment_refunded(struct rpc_call *call, const PaymentRecord *record,
				   const Refund *refund);
struct rpc_event *payment_refund_failed(struct rpc_call *call, const PaymentRecord *record,
					const Refund *refund);

/* --- webhooks --- */

/* Notes the event; of one that is there, that it came again. */
int webhook_note(struct rpc_call *call, WebhookRecord *record);
int webhook_read(struct rpc_call *call, const char *id, WebhookRecord **ret);
/* Writes what became of it, and when to look (again); 0: never. */
int webhook_save(struct rpc_call *call, const WebhookRecord *record, int64_t next_look_ms);
int webhook_due(struct rpc_call *call, int64_t limit, WebhookRecord ***ret, size_t *n_ret);
int webhook_page(struct rpc_call *call, const ListWebhookEventsRequest *req,
		 ListWebhookEventsResponse *response, WebhookRecord ***ret, size_t *n_ret);

/* --- saved methods --- */

/* An empty record for a user who has none. */
int methods_read(struct rpc_call *call, const char *user, PaymentMethodsRecord **ret);
/* Writes the record if its version is the one that was read; inserts it at version 0.
 * MONGO_NOT_MATCHED. */
int methods_save(struct rpc_call *call, PaymentMethodsRecord *record,
		 const struct stored_answer *answer);
int methods_sweep_answers(struct rpc_call *call);
