/* What tests of payments have in common: callers, requests, the document, time. */
#pragma once

#pragma GCC diagnostic ignored "-Wunused-function" /* each test program uses its part */

#include "errors.msg.h"
#include "fake_provider.h"
#include "ledger.h"
#include "payments_store.h"
#include "store.msg.h"
#include "stores.h"
#include "test.h"
#include <stdlib.h>

static struct payments_service service;
static struct payments_client *client;
static struct rpc_call *call;
static int64_t later_ms; /* how far tests have moved their clock */

static void set_caller(struct rpc_call *of, const char *user, const char *scope, const char *caller)
{
	rpc_call_set_caller(of, &(const struct rpc_caller){ .user = user,
							    .session = *user ? "sessions/1" : "",
							    .scope = scope,
							    .merge_from = "",
							    .service = caller });
}

static void as(const char *user, const char *scope, const char *caller)
{
	rpc_call_free(call);
	call = rpc_call_new("test", 60000);
	set_caller(call, user, scope, caller);
	if (later_ms)
		rpc_call_set_now(call, rpc_now_ms(call) + later_ms);
}

static void as_orders(void)
{
	as("users/ann", "", "orders");
}

static void setup(void)
{
	stores_mongo("payments");
	service = (struct payments_service){ .provider = fake_new(),
					     .stripe = { .timeout_ms = 15000 } };
	client = payments_client_local(&payments_service, &service);
	later_ms = 0;
	as_orders();
}

static void teardown(void)
{
	client = payments_client_free(client);
	call = rpc_call_free(call);
	payments_forget();
	stores_close();
}

/* Cents of euros. */
static Money *euro(int64_t cents)
{
	return rpc_new(call, Money, .currency_code = "EUR", .units = cents / 100,
		       .nanos = (int32_t)(cents % 100 * 10000000));
}

static int64_t cents(const Money *money)
{
	return money ? money->units * 100 + money->nanos / 10000000 : 0;
}

static int authorize(const char *request_id, const char *method, int64_t amount, Payment **ret)
{
	return payments_client_authorize_payment(
		client, call,
		MSG(AuthorizePaymentRequest, .order = "orders/7", .user = "users/ann",
		    .amount = euro(amount), .payment_method = method, .request_id = request_id),
		ret);
}

static int capture_as(const char *request_id, int64_t amount, Payment **ret)
{
	return payments_client_capture_payment(client, call,
					       MSG(CapturePaymentRequest, .name = "payments/7",
						   .amount = amount ? euro(amount) : NULL,
						   .request_id = request_id),
					       ret);
}

static int capture(int64_t amount, Payment **ret)
{
	return capture_as("capture", amount, ret);
}

static int void_it(Payment **ret)
{
	return payments_client_void_payment(
		client, call, MSG(VoidPaymentRequest, .name = "payments/7", .request_id = "void"),
		ret);
}

static int refund(const char *request_id, int64_t amount, Refund **ret)
{
	return payments_client_create_refund(
		client, call,
		MSG(CreateRefundRequest, .parent = "payments/7", .request_id = request_id,
		    .refund = rpc_new(call, Refund, .amount = amount ? euro(amount) : NULL)),
		ret);
}

static void authorized(int64_t amount)
{
	Payment *payment;

	ck_assert_int_eq(authorize("try-1", "pm_visa", amount, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_REQUIRES_CAPTURE);
}

static void captured(int64_t amount)
{
	Payment *payment;

	authorized(amount);
	ck_assert_int_eq(capture(0, &payment), 0);
	ck_assert_int_eq(payment->state, PAYMENT_STATE_SUCCEEDED);
}

/* The document as it is, and that its books agree. */
static PaymentRecord *stored(void)
{
	PaymentRecord *record;

	ck_assert_int_eq(payment_read(call, "7", &record), 0);
	ck_assert(ledger_agrees(record));
	return record;
}

static void pass(int64_t ms)
{
	later_ms += ms;
	rpc_call_set_now(call, rpc_now_ms(call) + ms);
}

/* The sweeper finds what is due, twice over, so that what waits for a quiet while is done too. */
static void sweep(void)
{
	for (int i = 0; i < 3; i++) {
		pass(60000);
		ck_assert_int_ge(payments_sweep(&service, call), 0);
	}
}

/* Events of this type that the document has told of; nobody relays them here. */
static int told(const char *type)
{
	MONGO_COLLECTION(with_outbox, .name = "payments", .type = &PaymentRecord_descriptor);
	PaymentRecord *record;
	int n = 0;

	ck_assert_int_eq(mongo_get(call, &with_outbox, "7", &record), 0);
	for (size_t i = 0; i < record->n_outbox; i++)
		n += !strcmp(strrchr(record->outbox[i]->type, '.') + 1, type);
	return n;
}
