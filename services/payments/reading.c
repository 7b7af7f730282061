/* Reading payments: what customers, staff and services see of them. */
#include "errors.msg.h"
#include "page_token.msg.h"
#include "payments_store.h"
#include <common/etag.h>
#include <common/names.h>
#include <common/page.h>
#include <string.h>

static bool sees_all(const struct rpc_call *call)
{
	return rpc_caller_may(call, "payments.read") || rpc_caller_may(call, "payments.manage") ||
	       rpc_caller_is_service(call, "orders");
}

Refund *payments_view_refund(struct rpc_call *call, const Refund *stored)
{
	Refund *refund = rpc_memdup(call, stored, sizeof(*stored));

	if (!sees_all(call))
		refund->provider_refund = refund->note = refund->actor = "";
	return refund;
}

Payment *payments_view(struct rpc_call *call, const PaymentRecord *record)
{
	Payment *payment = rpc_memdup(call, record->payment, sizeof(*record->payment));

	payment->etag = etag_of(call, record->version);
	payment->attempts = rpc_alloc(call, (payment->n_attempts + 1) * sizeof(*payment->attempts));
	payment->refunds = rpc_alloc(call, (payment->n_refunds + 1) * sizeof(*payment->refunds));
	for (size_t i = 0; i < payment->n_attempts; i++) {
		payment->attempts[i] =
			rpc_memdup(call, record->payment->attempts[i], sizeof(**payment->attempts));
		if (!sees_all(call))
			payment->attempts[i]->provider_intent = "";
	}
	for (size_t i = 0; i < payment->n_refunds; i++)
		payment->refunds[i] = payments_view_refund(call, record->payment->refunds[i]);
	return payment;
}

int payments_get_payment(struct payments_service *self, struct rpc_call *call,
			 const GetPaymentRequest *req, Payment **ret)
{
	PaymentRecord *record;
	int r;

	r = payment_read(call, name_id(req->name), &record);
	/* Whoever may not see it does not learn whether it is there. */
	if (!sees_all(call) &&
	    (r == MONGO_NOT_FOUND || (!r && !rpc_caller_is(call, record->payment->user))))
		return rpc_fail(call, NOT_OWNER, { "name", req->name });
	if (r == MONGO_NOT_FOUND)
		return rpc_fail(call, PAYMENT_NOT_FOUND, { "payment", req->name });
	if (r)
		return r;
	*ret = payments_view(call, record);
	return 0;
}

int payments_list_payments(struct payments_service *self, struct rpc_call *call,
			   const ListPaymentsRequest *req, ListPaymentsResponse **ret)
{
	ListPaymentsResponse *response = rpc_new(call, ListPaymentsResponse);
	PaymentRecord **records;
	size_t n_records;
	int r;

	r = payment_page(call, req, response, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		list_payments_response_add_payments(call, response,
						    payments_view(call, records[i]));
	*ret = response;
	return 0;
}

int payments_list_ledger_entries(struct payments_service *self, struct rpc_call *call,
				 const ListLedgerEntriesRequest *req,
				 ListLedgerEntriesResponse **ret)
{
	ListLedgerEntriesResponse *response = rpc_new(call, ListLedgerEntriesResponse);
	PaymentRecord *record;
	PageToken *token;
	int32_t size;
	size_t from;
	int r;

	r = page_size(call, req->page_size, &size);
	if (!r)
		r = page_token_read(call, &req->base, req->page_token, &token);
	if (!r)
		r = payments_find(call, req->parent, &record);
	if (r)
		return r;
	/* Entries are only appended: a place in their order stays what it is. */
	from = token && token->n_keys ? (size_t)token->keys[0]->number : 0;
	for (size_t i = from; i < record->n_ledger && i < from + (size_t)size; i++)
		list_ledger_entries_response_add_ledger_entries(call, response, record->ledger[i]);
	if (from + (size_t)size < record->n_ledger) {
		token = rpc_new(call, PageToken);
		page_token_add_keys(call, token,
				    rpc_new(call, PageKey, .value_case = PAGE_KEY_VALUE_NUMBER,
					    .number = (int64_t)from + size));
		response->next_page_token = page_token_write(call, &req->base, token);
	}
	*ret = response;
	return 0;
}
