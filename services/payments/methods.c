/*
 * Saved ways to pay: tokens at the provider, attached to a customer who has no name there but ours.
 *
 * Attached first and noted after, so a stop between leaves a token that nobody uses; detached first
 * and forgotten after, so a stop between leaves a method that is declined, and that can be deleted
 * once more.
 */
#include "payments_store.h"
#include <common/clock.h>
#include <common/names.h>
#include <common/page.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int invalid(struct rpc_call *call, const char *problem)
{
	return rpc_fail(call, PAYMENT_METHOD_INVALID, { "problem", problem });
}

static int doubt(struct payments_service *self, struct rpc_call *call, const char *user,
		 const char *action, const struct provider_problem *why)
{
	provider_log(call, self->provider, name_of(call, "users", user), action, PROVIDER_DOUBT,
		     why);
	return payments_unavailable(self, call);
}

static const PaymentMethodsRecordDetail *detail_of(const PaymentMethodsRecord *record,
						   const char *method)
{
	for (size_t i = 0; i < record->n_details; i++)
		if (!strcmp(record->details[i]->payment_method, method))
			return record->details[i];
	return NULL;
}

int payments_method(struct payments_service *self, struct rpc_call *call, const char *user,
		    const char *given, const char **ret_token, const char **ret_customer)
{
	const PaymentMethodsRecordDetail *detail;
	PaymentMethodsRecord *record;
	const char *problem;
	int r;

	if (strncmp(given, "users/", 6)) {
		problem = provider_token_problem(self->provider, given);
		if (problem)
			return invalid(call, problem);
		*ret_token = given;
		*ret_customer = "";
		return 0;
	}
	if (strcmp(given, name_join(call, user, "paymentMethods", name_id(given))))
		return invalid(call, "it is not one of the user's");
	r = methods_read(call, name_id(user), &record);
	if (r)
		return r;
	detail = detail_of(record, name_id(given));
	if (!detail)
		return invalid(call, "the user has saved no such method");
	*ret_token = detail->provider_method;
	*ret_customer = record->provider_customer;
	return 0;
}

/* Makes the provider's customer at the first method. MONGO_NOT_MATCHED. */
static int need_customer(struct payments_service *self, struct rpc_call *call,
			 PaymentMethodsRecord *record)
{
	struct provider_problem why = { 0 };
	int r;

	if (*record->provider_customer)
		return 0;
	r = self->provider->ops->customer_create(self->provider, call,
						 name_of(call, "users", record->id),
						 &record->provider_customer, &why);
	if (r == PROVIDER_DOUBT)
		return doubt(self, call, record->id, "create customer", &why);
	if (r == PROVIDER_REFUSED)
		return -EPROTO;
	return r ? r : methods_save(call, record, NULL);
}

static int attach(struct payments_service *self, struct rpc_call *call,
		  const PaymentMethodsRecord *record, const char *name, const char *token,
		  struct provider_method *ret)
{
	struct provider_problem why = { 0 };
	int r;

	if (ret->token)
		return 0; /* in the round before this one */
	r = self->provider->ops->method_attach(self->provider, call, name,
					       record->provider_customer, token, ret, &why);
	if (r == PROVIDER_DOUBT)
		return doubt(self, call, record->id, "attach method", &why);
	if (r == PROVIDER_REFUSED)
		return invalid(call, why.method ? "the payment provider does not know it"
						: "the card was declined");
	return r;
}

static int save_method(struct payments_service *self, struct rpc_call *call,
		       const CreatePaymentMethodRequest *req, const struct answers_key *key,
		       struct provider_method *attached, PaymentMethod **ret)
{
	const char *name = name_join(call, req->parent, "paymentMethods", key->id);
	PaymentMethodsRecord *record;
	PaymentMethod *method;
	int r;

	r = methods_read(call, name_id(req->parent), &record);
	if (!r)
		r = answers_find(call, key, record, &PaymentMethod_descriptor, ret);
	if (r != ANSWERS_NONE)
		return r;
	if (record->n_payment_methods >= PAYMENT_METHODS_MAX)
		return rpc_fail(call, TOO_MANY_PAYMENT_METHODS,
				{ "max", rpc_printf(call, "%d", PAYMENT_METHODS_MAX) });
	r = need_customer(self, call, record);
	if (!r)
		r = attach(self, call, record, name, req->payment_method->token, attached);
	if (r)
		return r;
	method = rpc_new(call, PaymentMethod, .name = name,
			 .display_name = req->payment_method->display_name,
			 .provider = self->provider->id, .brand = attached->brand,
			 .last_four = attached->last_four, .expire_month = attached->expire_month,
			 .expire_year = attached->expire_year, .create_time = clock_now(call));
	payment_methods_record_add_payment_methods(call, record, method);
	payment_methods_record_add_details(call, record,
					   rpc_new(call, PaymentMethodsRecordDetail,
						   .payment_method = key->id,
						   .provider_method = attached->token));
	r = methods_save(call, record, answers_store(call, key, method));
	if (!r)
		*ret = method;
	return r;
}

int payments_create_payment_method(struct payments_service *self, struct rpc_call *call,
				   const CreatePaymentMethodRequest *req, PaymentMethod **ret)
{
	const char *problem = provider_token_problem(self->provider, req->payment_method->token);
	struct provider_method attached = { 0 };
	struct answers_key key;
	int r;

	if (problem)
		return invalid(call, problem);
	answers_key(call, req, &key);
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->parent));) {
		r = save_method(self, call, req, &key, &attached, ret);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

/* The newest first. */
static struct page_key key_of(const void *row)
{
	const PaymentMethod *method = row;

	return (struct page_key){ -clock_ms(method->create_time), method->name };
}

int payments_list_payment_methods(struct payments_service *self, struct rpc_call *call,
				  const ListPaymentMethodsRequest *req,
				  ListPaymentMethodsResponse **ret)
{
	ListPaymentMethodsResponse *response = rpc_new(call, ListPaymentMethodsResponse);
	PaymentMethodsRecord *record;
	int r;

	r = methods_read(call, name_id(req->parent), &record);
	if (!r)
		r = page_rows(call, req, &record->payment_methods, &record->n_payment_methods,
			      key_of, &response->next_page_token);
	if (r)
		return r;
	response->payment_methods = record->payment_methods;
	response->n_payment_methods = record->n_payment_methods;
	*ret = response;
	return 0;
}

static void forget(PaymentMethodsRecord *record, const char *method)
{
	size_t methods = 0, details = 0;

	for (size_t i = 0; i < record->n_payment_methods; i++)
		if (strcmp(name_id(record->payment_methods[i]->name), method))
			record->payment_methods[methods++] = record->payment_methods[i];
	for (size_t i = 0; i < record->n_details; i++)
		if (strcmp(record->details[i]->payment_method, method))
			record->details[details++] = record->details[i];
	record->n_payment_methods = methods;
	record->n_details = details;
}

int payments_delete_payment_method(struct payments_service *self, struct rpc_call *call,
				   const DeletePaymentMethodRequest *req, Empty **ret)
{
	const char *user = name_parent_id(call, req->name), *id = name_id(req->name);
	const PaymentMethodsRecordDetail *detail;
	struct provider_problem why = { 0 };
	PaymentMethodsRecord *record;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, req->name));) {
		r = methods_read(call, user, &record);
		if (r)
			return r;
		detail = detail_of(record, id);
		if (!detail)
			return rpc_fail(call, PAYMENT_METHOD_NOT_FOUND,
					{ "paymentMethod", req->name });
		r = self->provider->ops->method_detach(self->provider, call,
						       detail->provider_method, &why);
		if (r == PROVIDER_DOUBT)
			return doubt(self, call, user, "detach method", &why);
		if (r)
			return r;
		forget(record, id);
		r = methods_save(call, record, NULL);
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}
