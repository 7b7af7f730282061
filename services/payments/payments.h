/* Payments: money of orders that is held, taken and given back. */
#pragma once

#include "payments.rpc.h"
#include "payments_store.msg.h"
#include "provider.h"
#include <crpc/service.h>

enum {
	PAYMENT_ATTEMPTS_MAX = 20,
	PAYMENT_REFUNDS_MAX = 100,
	PAYMENT_METHODS_MAX = 20,
};

struct payments_service {
	struct payment_provider *provider;
	struct stripe_options stripe;
	struct service *service; /* woken when a webhook came; NULL in tests */
};
extern const struct payments_service_ops payments_service;

/* The payment; PAYMENT_NOT_FOUND. */
int payments_find(struct rpc_call *call, const char *name, PaymentRecord **ret);
/* As the caller sees it: what is the provider's, and notes of staff, are shown to staff and
 * services only. */
Payment *payments_view(struct rpc_call *call, const PaymentRecord *record);
Refund *payments_view_refund(struct rpc_call *call, const Refund *refund);
/* "REQUIRES_CAPTURE" */
const char *payments_state(const PaymentRecord *record);
/* "12.50" */
const char *payments_decimal(struct rpc_call *call, const Money *money);
/* PROVIDER_UNAVAILABLE, to be tried again soon. */
int payments_unavailable(struct payments_service *self, struct rpc_call *call);
/* PAYMENT_IN_PROGRESS */
int payments_busy(struct rpc_call *call, const PaymentRecord *record);

/* The saved method's token and customer, or the token itself; PAYMENT_METHOD_INVALID. */
int payments_method(struct payments_service *self, struct rpc_call *call, const char *user,
		    const char *given, const char **ret_token, const char **ret_customer);

/* The order's payment, not stored yet. */
PaymentRecord *payments_new(struct payments_service *self, struct rpc_call *call, const char *order,
			    const char *user);

/* Handlers, a file each for authorizing, refunds, reading, webhooks and saved methods. */
int payments_authorize_payment(struct payments_service *self, struct rpc_call *call,
			       const AuthorizePaymentRequest *req, Payment **ret);
int payments_create_refund(struct payments_service *self, struct rpc_call *call,
			   const CreateRefundRequest *req, Refund **ret);
int payments_get_payment(struct payments_service *self, struct rpc_call *call,
			 const GetPaymentRequest *req, Payment **ret);
int payments_list_payments(struct payments_service *self, struct rpc_call *call,
			   const ListPaymentsRequest *req, ListPaymentsResponse **ret);
int payments_list_ledger_entries(struct payments_service *self, struct rpc_call *call,
				 const ListLedgerEntriesRequest *req,
				 ListLedgerEntriesResponse **ret);
int payments_receive_payment_webhook(struct payments_service *self, struct rpc_call *call,
				     const ReceivePaymentWebhookRequest *req, Empty **ret);
int payments_list_webhook_events(struct payments_service *self, struct rpc_call *call,
				 const ListWebhookEventsRequest *req,
				 ListWebhookEventsResponse **ret);
int payments_replay_webhook_event(struct payments_service *self, struct rpc_call *call,
				  const ReplayWebhookEventRequest *req, WebhookEvent **ret);
int payments_create_payment_method(struct payments_service *self, struct rpc_call *call,
				   const CreatePaymentMethodRequest *req, PaymentMethod **ret);
int payments_list_payment_methods(struct payments_service *self, struct rpc_call *call,
				  const ListPaymentMethodsRequest *req,
				  ListPaymentMethodsResponse **ret);
int payments_delete_payment_method(struct payments_service *self, struct rpc_call *call,
				   const DeletePaymentMethodRequest *req, Empty **ret);

/* Looks at what webhooks were about, and at payments that are not final. For service_every(). */
int payments_sweep(void *data, struct rpc_call *call);
/* For service_every(): drops answers that are older than they need to be. */
int payments_sweep_answers(void *data, struct rpc_call *call);
