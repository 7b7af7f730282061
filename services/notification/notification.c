/* Notification: mails about what happened, each once. */
#include "notification_store.h"
#include "topics.h"
#include <common/clock.h>
#include <common/filter.h>
#include <common/names.h>
#include <crpc/id.h>
#include <string.h>

const char *delivery_message_id(const struct notification_service *self, struct rpc_call *call,
				const char *id)
{
	return rpc_printf(call, "<%s@%s>", id, self->domain);
}

int delivery_begin(struct notification_service *self, struct rpc_call *call,
		   const struct delivery_cause *cause)
{
	const char *scope = rpc_printf(call, "%s %s", topic_name(cause->topic), cause->user);
	const char *id = rpc_id_derive(call, scope, cause->event->id);
	Timestamp *now = clock_now(call);
	DeliveryRecord *record;
	int r;

	/* What a consumer that is new, or was long away, hears is no news to anybody. */
	if (cause->event->time_ms < rpc_now_ms(call) - self->give_up_ms)
		return 0;
	record =
		rpc_new(call, DeliveryRecord, .id = id, .next_look_time = now, .schema_version = 1);
	record->delivery = rpc_new(
		call, Delivery, .name = name_of(call, "deliveries", id), .topic = cause->topic,
		.channel = NOTIFICATION_TEMPLATE_CHANNEL_EMAIL, .user = cause->user,
		.resource = cause->resource, .cause = cause->event->id,
		.state = DELIVERY_STATE_PENDING, .message_id = delivery_message_id(self, call, id),
		.create_time = now, .next_try_time = now);
	for (const struct rpc_meta *fact = cause->facts; fact->key; fact++)
		if (*fact->value)
			delivery_record_add_facts(call, record,
						  rpc_new(call, DeliveryRecordFactsEntry,
							  .key = fact->key, .value = fact->value));
	delivery_hold(self, call, record);
	r = delivery_insert(call, record, NULL);
	crash_point("notification.begin.after_insert");
	if (!r)
		hands_give(self->hands, call, &record->base);
	return r == MONGO_DUPLICATE ? 0 : r;
}

static int find(struct rpc_call *call, const char *name, DeliveryRecord **ret)
{
	int r = delivery_read(call, name_id(name), ret);

	return r == MONGO_NOT_FOUND ? rpc_fail(call, DELIVERY_NOT_FOUND, { "delivery", name }) : r;
}

static int get_delivery(struct notification_service *self, struct rpc_call *call,
			const GetDeliveryRequest *req, Delivery **ret)
{
	DeliveryRecord *record;
	int r = find(call, req->name, &record);

	if (!r)
		*ret = record->delivery;
	return r;
}

static int list_deliveries(struct notification_service *self, struct rpc_call *call,
			   const ListDeliveriesRequest *req, ListDeliveriesResponse **ret)
{
	static const struct filter_field fields[] = {
		{ "state", "delivery.state", FILTER_ENUM, &DeliveryState_descriptor },
		{ "topic", "delivery.topic", FILTER_ENUM, &NotificationTemplateTopic_descriptor },
		{ "user", "delivery.user", FILTER_TEXT },
		{ "resource", "delivery.resource", FILTER_TEXT },
		{ "create_time", "delivery.create_time", FILTER_TIME },
		{},
	};
	ListDeliveriesResponse *response = rpc_new(call, ListDeliveriesResponse);
	cleanup(bson_freep) bson_t *filter = bson_new();
	DeliveryRecord **records;
	size_t n_records;
	int r;

	r = filter_read(call, req->filter, fields, filter);
	if (!r)
		r = delivery_page(call, req, filter, response, &records, &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		list_deliveries_response_add_deliveries(call, response, records[i]->delivery);
	*ret = response;
	return 0;
}

/* --- once more --- */

static DeliveryRecord *copy_of(struct notification_service *self, struct rpc_call *call,
			       const DeliveryRecord *first, const char *id)
{
	const Delivery *from = first->delivery;
	Timestamp *now = clock_now(call);

	return rpc_new(call, DeliveryRecord, .id = id, .n_facts = first->n_facts,
		       .facts = first->facts, .next_look_time = now, .schema_version = 1,
		       .delivery = rpc_new(call, Delivery, .name = name_of(call, "deliveries", id),
					   .topic = from->topic, .channel = from->channel,
					   .user = from->user, .resource = from->resource,
					   .cause = from->name, .state = DELIVERY_STATE_PENDING,
					   .message_id = delivery_message_id(self, call, id),
					   .create_time = now, .next_try_time = now));
}

static int resend_delivery(struct notification_service *self, struct rpc_call *call,
			   const ResendDeliveryRequest *req, Delivery **ret)
{
	DeliveryRecord *first, *again;
	struct answers_key key;
	int r;

	r = find(call, req->name, &first);
	if (r)
		return r;
	answers_key(call, req, &key);
	if (first->delivery->state == DELIVERY_STATE_PENDING)
		return rpc_fail(call, DELIVERY_PENDING, { "delivery", req->name });
	again = copy_of(self, call, first, key.id);
	delivery_hold(self, call, again);
	r = delivery_insert(call, again, answers_store(call, &key, again->delivery));
	if (r == MONGO_DUPLICATE) {
		r = delivery_answered(call, again->id, &key, ret);
		return r == ANSWERS_NONE ? find(call, again->delivery->name, &again) : r;
	}
	if (r)
		return r;
	hands_give(self->hands, call, &again->base);
	*ret = again->delivery;
	return 0;
}

const struct notification_service_ops notification_service = {
	.get_delivery = get_delivery,
	.list_deliveries = list_deliveries,
	.resend_delivery = resend_delivery,
	.get_notification_template = notification_get_template,
	.list_notification_templates = notification_list_templates,
	.update_notification_template = notification_update_template,
	.create_stock_alert = notification_create_stock_alert,
	.list_stock_alerts = notification_list_stock_alerts,
	.delete_stock_alert = notification_delete_stock_alert,
};
