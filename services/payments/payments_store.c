/*
 * Payments' documents.
 *
 *     payments         sharded by _id, the order's id
 *     webhooks         sharded by _id; gone after 90 days
 *     payment_methods  sharded by _id, the user's id
 *
 * One document holds a payment's tries, refunds and ledger, so that none moves without the others.
 * It is written under `version`; the lease, `looks` and `next_look_time` are written beside it.
 */
#include "payments_store.h"
#include "ledger.h"
#include <common/clock.h>
#include <common/filter.h>
#include <common/money.h>
#include <common/names.h>
#include <common/outbox.h>
#include <common/page.h>
#include <common/recent.h>
#include <errno.h>
#include <string.h>

static const struct mongo_index payment_indexes[] = {
	{ "payment.create_time _id" },
	{ "payment.state payment.create_time _id" },
	{ "payment.user payment.create_time _id" },
	{ "provider_intents" },
	{ "next_look_time", .partial = MONGO_JSON({ "next_look_time" : { "$exists" : true } }) },
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{},
};
MONGO_COLLECTION(payments, .name = "payments", .type = &PaymentRecord_descriptor,
		 .indexes = payment_indexes, .outbox = true);

static const struct mongo_index webhook_indexes[] = {
	{ "webhook_event.create_time", .ttl_seconds = WEBHOOK_KEPT_DAYS * 24 * 3600 },
	{ "webhook_event.create_time _id" },
	{ "webhook_event.state webhook_event.create_time _id" },
	{ "webhook_event.payment webhook_event.create_time _id" },
	{ "webhook_event.reference webhook_event.create_time _id" },
	{ "next_look_time", .partial = MONGO_JSON({ "next_look_time" : { "$exists" : true } }) },
	{},
};
MONGO_COLLECTION(webhooks, .name = "webhooks", .type = &WebhookRecord_descriptor,
		 .indexes = webhook_indexes);

static const struct mongo_index method_indexes[] = {
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{},
};
MONGO_COLLECTION(payment_methods, .name = "payment_methods",
		 .type = &PaymentMethodsRecord_descriptor, .indexes = method_indexes);

/* --- payments --- */

struct payment_change payment_begin(PaymentRecord *record)
{
	return (struct payment_change){ .record = record, .n_booked = record->n_ledger };
}

void payment_tell(struct payment_change *change, struct rpc_event *event)
{
	change->events[change->n_events++] = event;
}

int payment_read(struct rpc_call *call, const char *id, PaymentRecord **ret)
{
	return mongo_find_one(call, &payments, ret, .filter = DOC(call, "_id", BCON_UTF8(id)),
			      .projection = DOC(call, "outbox", BCON_INT32(0)));
}

int payment_read_by_intent(struct rpc_call *call, const char *intent, PaymentRecord **ret)
{
	return mongo_find_one(call, &payments, ret,
			      .filter = DOC(call, "provider_intents", BCON_UTF8(intent)),
			      .projection = DOC(call, "outbox", BCON_INT32(0)));
}

/* Capturing follows holding, and the provider's webhook capturing. */
static struct recent held = RECENT_INIT(&PaymentRecord_descriptor),
		     captured = RECENT_INIT(&PaymentRecord_descriptor);

static void remember(struct rpc_call *call, const PaymentRecord *record)
{
	const Payment *payment = record->payment;

	if (payment->state == PAYMENT_STATE_REQUIRES_CAPTURE && !record->intention)
		recent_note(&held, call, record->id, &record->base);
	else if (payment->state == PAYMENT_STATE_SUCCEEDED && !payment->n_refunds)
		recent_note(&captured, call,
			    payment->attempts[payment->n_attempts - 1]->provider_intent,
			    &record->base);
}

PaymentRecord *payment_recall(struct rpc_call *call, const char *id)
{
	return (PaymentRecord *)recent_find(&held, call, id);
}

PaymentRecord *payment_recall_by_intent(struct rpc_call *call, const char *intent)
{
	return (PaymentRecord *)recent_find(&captured, call, intent);
}

void payments_forget(void)
{
	recent_forget(&held);
	recent_forget(&captured);
}

bool payment_has_pending_refund(const PaymentRecord *record)
{
	for (size_t i = 0; i < record->payment->n_refunds; i++)
		if (record->payment->refunds[i]->state == REFUND_STATE_PENDING)
			return true;
	return false;
}

int64_t payment_look_time(struct rpc_call *call, const PaymentRecord *record)
{
	int64_t first, last;

	if (record->intention || payment_has_pending_refund(record)) {
		first = 5000;
		last = 10 * 60 * 1000;
	} else {
		switch (record->payment->state) {
		case PAYMENT_STATE_REQUIRES_CONFIRMATION:
		case PAYMENT_STATE_REQUIRES_ACTION:
		case PAYMENT_STATE_PROCESSING:
			first = 10000;
			last = 10 * 60 * 1000;
			break;
		case PAYMENT_STATE_REQUIRES_CAPTURE: /* holds end by themselves after days */
			first = 60 * 1000;
			last = 6 * 3600 * 1000;
			break;
		default:
			return 0;
		}
	}
	for (int i = 0; i < record->looks && first < last; i++)
		first *= 2;
	return rpc_now_ms(call) + (first < last ? first : last);
}

/* Looks begin anew with each change. */
static void plan(struct rpc_call *call, PaymentRecord *record)
{
	int64_t next = payment_look_time(call, record);

	record->next_look_time = next ? clock_timestamp(call, next) : NULL;
}

int payment_insert(struct rpc_call *call, PaymentRecord *record)
{
	record->schema_version = 1;
	plan(call, record);
	return mongo_insert(call, &payments, record);
}

/* The condition: nobody changed it, and the lease is as it should be. */
static bson_t *condition_of(struct rpc_call *call, const struct payment_change *change)
{
	bson_t *filter = BCON_NEW("version", BCON_INT64(change->record->version));
	bson_t *free;

	if (change->holder)
		bson_append_utf8(filter, "lease_holder", -1, change->holder, -1);
	if (change->take) {
		free = BCON_NEW("$not", "{", "$gt", BCON_DATE_TIME(rpc_now_ms(call)), "}");
		bson_append_document(filter, "lease_expire_time", -1, free);
		bson_destroy(free);
	}
	return document_keep(call, filter);
}

static const bson_t *sets_of(struct rpc_call *call, const struct payment_change *change)
{
	static const char *const of_payment[] = { "state",          "amount",      "authorized",
						  "captured",       "refunded",    "attempts",
						  "redirect_uri",   "update_time", "capture_time",
						  "authorize_time", "cancel_time", NULL };
	static const char *const of_record[] = {
		"attempt_details",    "intention", "capture_amount", "provider_intents", "looks",
		"capture_request_id", NULL
	};
	static const char *const refunds[] = { "refunds", NULL }, *const details[] = {
		"refund_details", NULL
	};
	const PaymentRecord *record = change->record;
	bson_t *sets = bson_copy(document_of_fields(call, "payment.", record->payment, of_payment));

	bson_concat(sets, document_of_fields(call, "", record, of_record));
	if (change->refunds) {
		bson_concat(sets, document_of_fields(call, "payment.", record->payment, refunds));
		bson_concat(sets, document_of_fields(call, "", record, details));
	}
	if (record->next_look_time)
		bson_append_date_time(sets, "next_look_time", -1, clock_ms(record->next_look_time));
	if (change->take) {
		bson_append_utf8(sets, "lease_holder", -1, change->take, -1);
		bson_append_date_time(sets, "lease_expire_time", -1, change->lease_expire_ms);
	}
	return document_keep(call, sets);
}

static bson_t *update_of(struct rpc_call *call, const struct payment_change *change)
{
	const PaymentRecord *record = change->record;
	bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(sets_of(call, change))),
	       unset = BSON_INITIALIZER, push, entries;
	char key[16];

	if (!record->next_look_time)
		bson_append_utf8(&unset, "next_look_time", -1, "", -1);
	if (change->release)
		bson_append_utf8(&unset, "lease_expire_time", -1, "", -1);
	if (!bson_empty(&unset))
		bson_append_document(update, "$unset", -1, &unset);
	bson_destroy(&unset);
	if (record->n_ledger > change->n_booked) {
		bson_append_document_begin(update, "$push", -1, &push);
		bson_append_document_begin(&push, "ledger", -1, &unset);
		bson_append_array_begin(&unset, "$each", -1, &entries);
		for (size_t i = change->n_booked; i < record->n_ledger; i++) {
			snprintf(key, sizeof(key), "%zu", i - change->n_booked);
			bson_append_document(&entries, key, -1,
					     document_of(call, record->ledger[i]));
		}
		bson_append_array_end(&unset, &entries);
		bson_append_document_end(&push, &unset);
		bson_append_document_end(update, &push);
	}
	return document_keep(call, update);
}

int payment_save(struct rpc_call *call, struct payment_change *change)
{
	PaymentRecord *record = change->record;
	int r;

	if (!ledger_agrees(record))
		return -EINVAL;
	record->payment->update_time = clock_now(call);
	record->looks = 0;
	plan(call, record);
	r = mongo_update(call, &payments, .id = record->id, .filter = condition_of(call, change),
			 .update = update_of(call, change),
			 .events = change->n_events ? change->events : NULL,
			 .answer = change->answer);
	if (r)
		return r;
	record->version++;
	if (change->take) {
		record->lease_holder = change->take;
		record->lease_expire_time = clock_timestamp(call, change->lease_expire_ms);
	} else if (change->release) {
		record->lease_expire_time = NULL;
	}
	remember(call, record);
	return 0;
}

int payment_note_answer(struct rpc_call *call, const PaymentRecord *record,
			const struct stored_answer *answer)
{
	return answer ? mongo_update(call, &payments, .id = record->id, .keep_version = true,
				     .answer = answer)
		      : 0;
}

int payment_page(struct rpc_call *call, const ListPaymentsRequest *req,
		 ListPaymentsResponse *response, PaymentRecord ***ret, size_t *n_ret)
{
	static const struct filter_field fields[] = {
		{ "state", "payment.state", FILTER_ENUM, &PaymentState_descriptor },
		{ "user", "payment.user", FILTER_TEXT, NULL },
		{ "create_time", "payment.create_time", FILTER_TIME, NULL },
		{},
	};
	bson_t *filter = bson_new();
	int r = filter_read(call, req->filter, fields, filter);

	filter = document_keep(call, filter);
	return r ? r
		 : page_list(call, &payments, req, ret, n_ret, &response->next_page_token,
			     .filter = filter, .sort = "-payment.create_time",
			     .projection = DOC(call, "outbox", BCON_INT32(0)));
}

static const bson_t *due(struct rpc_call *call)
{
	return DOC(call, "next_look_time", "{", "$lte", BCON_DATE_TIME(rpc_now_ms(call)), "}");
}

int payment_due(struct rpc_call *call, int64_t limit, PaymentRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &payments, ret, n_ret, .filter = due(call),
			  .sort = DOC(call, "next_look_time", BCON_INT32(1)),
			  .projection = DOC(call, "_id", BCON_INT32(1)), .limit = limit);
}

int payment_sweep_answers(struct rpc_call *call)
{
	return answers_sweep(call, &payments);
}

/* --- leases --- */

bool payment_is_free(struct rpc_call *call, const PaymentRecord *record)
{
	return clock_ms(record->lease_expire_time) <= rpc_now_ms(call);
}

int payment_take(struct rpc_call *call, PaymentRecord *record, const char *holder,
		 int64_t expire_ms)
{
	struct payment_change change = { .record = record, .take = holder };
	bson_t *sets = BCON_NEW("lease_holder", BCON_UTF8(holder), "lease_expire_time",
				BCON_DATE_TIME(expire_ms));
	int r;

	record->looks++;
	plan(call, record);
	if (record->next_look_time)
		bson_append_date_time(sets, "next_look_time", -1, clock_ms(record->next_look_time));
	sets = document_keep(call, sets);
	r = mongo_update(call, &payments, .id = record->id, .keep_version = true,
			 .filter = condition_of(call, &change),
			 .update = DOC(call, "$set", BCON_DOCUMENT(sets), "$inc", "{", "looks",
				       BCON_INT32(1), "}"));
	if (r)
		return r;
	record->lease_holder = holder;
	record->lease_expire_time = clock_timestamp(call, expire_ms);
	return 0;
}

int payment_renew(struct rpc_call *call, PaymentRecord *record, const char *holder,
		  int64_t expire_ms)
{
	int r = mongo_update(call, &payments, .id = record->id, .keep_version = true,
			     .filter = DOC(call, "lease_holder", BCON_UTF8(holder)),
			     .update = DOC(call, "$set", "{", "lease_expire_time",
					   BCON_DATE_TIME(expire_ms), "}"));

	if (!r)
		record->lease_expire_time = clock_timestamp(call, expire_ms);
	return r;
}

int payment_release(struct rpc_call *call, const char *id, const char *holder)
{
	int r = mongo_update(
		call, &payments, .id = id, .keep_version = true,
		.filter = DOC(call, "lease_holder", BCON_UTF8(holder)),
		.update = DOC(call, "$unset", "{", "lease_expire_time", BCON_UTF8(""), "}"));

	return r == MONGO_NOT_MATCHED ? 0 : r;
}

/* --- webhooks --- */

int webhook_note(struct rpc_call *call, WebhookRecord *record)
{
	int r;

	record->schema_version = 1;
	record->webhook_event->deliveries = 1;
	r = mongo_insert(call, &webhooks, record);
	if (r != MONGO_DUPLICATE)
		return r;
	return mongo_update(
		call, &webhooks, .id = record->id, .keep_version = true,
		.update = DOC(call, "$inc", "{", "webhook_event.deliveries", BCON_INT32(1), "}"));
}

int webhook_read(struct rpc_call *call, const char *id, WebhookRecord **ret)
{
	return mongo_get(call, &webhooks, id, ret);
}

int webhook_save(struct rpc_call *call, const WebhookRecord *record, int64_t next_look_ms)
{
	static const char *const fields[] = { "payment", "state", "error", "process_time", NULL };
	bson_t *sets = bson_copy(
		document_of_fields(call, "webhook_event.", record->webhook_event, fields));
	int r;

	if (next_look_ms)
		bson_append_date_time(sets, "next_look_time", -1, next_look_ms);
	sets = document_keep(call, sets);
	r = mongo_update(call, &webhooks, .id = record->id, .keep_version = true,
			 .update = next_look_ms ? DOC(call, "$set", BCON_DOCUMENT(sets))
						: DOC(call, "$set", BCON_DOCUMENT(sets), "$unset",
						      "{", "next_look_time", BCON_UTF8(""), "}"));
	return r == MONGO_NOT_MATCHED ? 0 : r; /* its time was over */
}

int webhook_due(struct rpc_call *call, int64_t limit, WebhookRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &webhooks, ret, n_ret, .filter = due(call),
			  .sort = DOC(call, "next_look_time", BCON_INT32(1)), .limit = limit);
}

int webhook_page(struct rpc_call *call, const ListWebhookEventsRequest *req,
		 ListWebhookEventsResponse *response, WebhookRecord ***ret, size_t *n_ret)
{
	static const struct filter_field fields[] = {
		{ "state", "webhook_event.state", FILTER_ENUM, &WebhookEventState_descriptor },
		{ "payment", "webhook_event.payment", FILTER_TEXT, NULL },
		{ "reference", "webhook_event.reference", FILTER_TEXT, NULL },
		{ "create_time", "webhook_event.create_time", FILTER_TIME, NULL },
		{},
	};
	bson_t *filter = bson_new();
	int r = filter_read(call, req->filter, fields, filter);

	filter = document_keep(call, filter);
	return r ? r
		 : page_list(call, &webhooks, req, ret, n_ret, &response->next_page_token,
			     .filter = filter, .sort = "-webhook_event.create_time");
}

/* --- saved methods --- */

int methods_read(struct rpc_call *call, const char *user, PaymentMethodsRecord **ret)
{
	int r = mongo_get(call, &payment_methods, user, ret);

	if (r != MONGO_NOT_FOUND)
		return r;
	*ret = rpc_new(call, PaymentMethodsRecord, .id = user, .schema_version = 1);
	return 0;
}

int methods_save(struct rpc_call *call, PaymentMethodsRecord *record,
		 const struct stored_answer *answer)
{
	static const char *const fields[] = { "payment_methods", "details", "provider_customer",
					      NULL };
	int r;

	if (!record->version) {
		r = mongo_insert(call, &payment_methods, record, .answer = answer);
		if (!r)
			record->version = 1;
		return r == MONGO_DUPLICATE ? MONGO_NOT_MATCHED : r;
	}
	r = mongo_update(call, &payment_methods, .id = record->id,
			 .filter = DOC(call, "version", BCON_INT64(record->version)),
			 .update = DOC(call, "$set",
				       BCON_DOCUMENT(document_of_fields(call, "", record, fields))),
			 .answer = answer);
	if (!r)
		record->version++;
	return r;
}

int methods_sweep_answers(struct rpc_call *call)
{
	return answers_sweep(call, &payment_methods);
}
