/*
 * Notification's documents. No address, no name of a person and no token is in any of them.
 *
 * deliveries    sharded by _id, a hash; goes a year after its event.
 * templates     small, never sharded.
 * stock_alerts  sharded by _id, `{user}/{sku}`.
 */
#include "notification_store.h"
#include <common/clock.h>
#include <common/page.h>
#include <common/recent.h>

#define DUE MONGO_JSON({ "next_look_time" : { "$gt" : { "$date" : { "$numberLong" : "0" } } } })
enum { DELIVERY_KEPT_SECONDS = 365 * 24 * 3600, TEMPLATES_KEPT_MS = 2000 };

static const struct mongo_index delivery_indexes[] = {
	{ "next_look_time", .partial = DUE },
	{ "-delivery.create_time -_id" },
	{ "delivery.user -delivery.create_time -_id" },
	{ "delivery.resource -delivery.create_time -_id" },
	{ "delivery.state -delivery.create_time -_id" },
	{ "delivery.create_time", .ttl_seconds = DELIVERY_KEPT_SECONDS },
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{},
};
MONGO_COLLECTION(deliveries, .name = "deliveries", .type = &DeliveryRecord_descriptor,
		 .indexes = delivery_indexes, .outbox = true);

MONGO_COLLECTION(templates, .name = "templates", .type = &NotificationTemplateRecord_descriptor);

static const struct mongo_index stock_alert_indexes[] = {
	{ "sku stock_alert.create_time" },
	{ "user -stock_alert.create_time -_id" },
	{},
};
MONGO_COLLECTION(stock_alerts, .name = "stock_alerts", .type = &StockAlertRecord_descriptor,
		 .indexes = stock_alert_indexes);

/*
 * Deliveries
 */

int delivery_insert(struct rpc_call *call, const DeliveryRecord *record,
		    const struct stored_answer *answer)
{
	return mongo_insert(call, &deliveries, record, .answer = answer);
}

int delivery_read(struct rpc_call *call, const char *id, DeliveryRecord **ret)
{
	return mongo_get(call, &deliveries, id, ret);
}

int delivery_answered(struct rpc_call *call, const char *id, const struct answers_key *key,
		      Delivery **ret)
{
	return answers_repeat(call, &deliveries, id, key, &Delivery_descriptor, ret);
}

int delivery_page(struct rpc_call *call, const ListDeliveriesRequest *req, const bson_t *filter,
		  ListDeliveriesResponse *response, DeliveryRecord ***ret, size_t *n_ret)
{
	return page_list(call, &deliveries, req, ret, n_ret, &response->next_page_token,
			 .filter = filter, .sort = "-delivery.create_time",
			 .projection = DOC(call, "delivery", BCON_INT32(1)));
}

int delivery_due(struct rpc_call *call, int64_t limit, DeliveryRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &deliveries, ret, n_ret, .limit = limit,
			  .filter = DOC(call, "next_look_time", "{", "$gt", BCON_DATE_TIME(0),
					"$lte", BCON_DATE_TIME(rpc_now_ms(call)), "}"),
			  .sort = DOC(call, "next_look_time", BCON_INT32(1)),
			  .projection = DOC(call, "_id", BCON_INT32(1)));
}

int delivery_take(struct rpc_call *call, DeliveryRecord *record, const char *holder,
		  int64_t until_ms)
{
	int r = mongo_update(call, &deliveries, .id = record->id,
			     .filter = DOC(call, "version", BCON_INT64(record->version),
					   "delivery.state", BCON_UTF8("PENDING")),
			     .update = DOC(call, "$set", "{", "lease_holder", BCON_UTF8(holder),
					   "lease_expire_time", BCON_DATE_TIME(until_ms),
					   "next_look_time", BCON_DATE_TIME(until_ms),
					   "delivery.tries",
					   BCON_INT32(record->delivery->tries + 1), "}"));

	if (r)
		return r;
	record->version++;
	record->delivery->tries++;
	return 0;
}

int delivery_note(struct rpc_call *call, const DeliveryRecord *record, struct rpc_event *event)
{
	static const char *const fields[] = { "state",         "error",     "template",
					      "next_try_time", "send_time", NULL };
	const Timestamp *next = record->delivery->next_try_time;
	bson_t *rest = next ? DOC(call, "lease_holder", BCON_UTF8(""), "lease_expire_time",
				  BCON_NULL, "next_look_time", BCON_DATE_TIME(clock_ms(next)))
			    : DOC(call, "lease_holder", BCON_UTF8(""), "lease_expire_time",
				  BCON_NULL, "next_look_time", BCON_NULL);
	const bson_t *set = document_join(
		call, rest, document_of_fields(call, "delivery.", record->delivery, fields));

	return mongo_update(call, &deliveries, .id = record->id,
			    .filter = DOC(call, "version", BCON_INT64(record->version)),
			    .update = DOC(call, "$set", BCON_DOCUMENT(set)),
			    .events = event ? EVENTS(event) : NULL);
}

int delivery_sweep_answers(struct rpc_call *call)
{
	return answers_sweep(call, &deliveries);
}

/*
 * Templates
 */

/* Every mail asks for one, and they change once in a while. */
static struct recent kept =
	RECENT_INIT(&NotificationTemplateRecord_descriptor, .keep_ms = TEMPLATES_KEPT_MS);

void templates_forget(void)
{
	recent_forget(&kept);
}

int template_insert(struct rpc_call *call, const NotificationTemplateRecord *record)
{
	return mongo_insert(call, &templates, record);
}

int template_read(struct rpc_call *call, const char *id, NotificationTemplateRecord **ret)
{
	return mongo_get(call, &templates, id, ret);
}

int template_recall(struct rpc_call *call, const char *id, NotificationTemplateRecord **ret)
{
	ProtobufCMessage *known = recent_find(&kept, call, id);
	int r = known ? 0 : template_read(call, id, ret);

	if (known)
		*ret = (NotificationTemplateRecord *)known;
	else if (!r)
		recent_note(&kept, call, id, &(*ret)->base);
	return r;
}

int template_write(struct rpc_call *call, const NotificationTemplateRecord *record)
{
	static const char *const fields[] = { "notification_template", NULL };
	int r = mongo_update(
		call, &templates, .id = record->id,
		.filter = DOC(call, "version", BCON_INT64(record->version)),
		.update = DOC(call, "$set",
			      BCON_DOCUMENT(document_of_fields(call, "", record, fields))));

	templates_forget();
	return r;
}

int template_page(struct rpc_call *call, const ListNotificationTemplatesRequest *req,
		  ListNotificationTemplatesResponse *response, NotificationTemplateRecord ***ret,
		  size_t *n_ret)
{
	return page_list(call, &templates, req, ret, n_ret, &response->next_page_token,
			 .filter = NULL);
}

/*
 * Stock alerts
 */

static const char *alert_id(struct rpc_call *call, const char *user, const char *sku)
{
	return rpc_printf(call, "%s/%s", user, sku);
}

int stock_alert_insert(struct rpc_call *call, const StockAlertRecord *record)
{
	return mongo_insert(call, &stock_alerts, record);
}

int stock_alert_read(struct rpc_call *call, const char *user, const char *sku,
		     StockAlertRecord **ret)
{
	return mongo_get(call, &stock_alerts, alert_id(call, user, sku), ret);
}

int stock_alert_count(struct rpc_call *call, const char *user, int64_t limit, int64_t *ret)
{
	return mongo_count(call, &stock_alerts, DOC(call, "user", BCON_UTF8(user)), limit, ret);
}

int stock_alert_page(struct rpc_call *call, const ListStockAlertsRequest *req, const char *user,
		     ListStockAlertsResponse *response, StockAlertRecord ***ret, size_t *n_ret)
{
	return page_list(call, &stock_alerts, req, ret, n_ret, &response->next_page_token,
			 .filter = DOC(call, "user", BCON_UTF8(user)),
			 .sort = "-stock_alert.create_time");
}

int stock_alert_find(struct rpc_call *call, const char *sku, int64_t until_ms, int64_t limit,
		     StockAlertRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &stock_alerts, ret, n_ret, .limit = limit,
			  .filter = DOC(call, "sku", BCON_UTF8(sku), "stock_alert.create_time", "{",
					"$lte", BCON_DATE_TIME(until_ms), "}"));
}

int stock_alert_delete(struct rpc_call *call, const char *user, const char *sku)
{
	return mongo_delete(call, &stock_alerts, alert_id(call, user, sku), NULL);
}

int stock_alert_delete_all(struct rpc_call *call, const char *user)
{
	int64_t n;

	return mongo_delete_many(call, &stock_alerts, DOC(call, "user", BCON_UTF8(user)), &n);
}
