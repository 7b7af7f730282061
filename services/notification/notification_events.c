/* What notification hears: each event that somebody should know of begins a delivery. */
#include "notification_store.h"
#include <common/clock.h>
#include <common/money.h>
#include <common/names.h>
#include <string.h>

#define TOPIC(name) NOTIFICATION_TEMPLATE_TOPIC_##name
#define FACTS(...) ((const struct rpc_meta[]){ __VA_ARGS__, { NULL, NULL } })

enum { ALERTS_BATCH = 100 };

static struct notification_service *service_of(void *listener)
{
	return listener;
}

static int begin(void *listener, struct rpc_call *call, const struct rpc_event *event,
		 NotificationTemplateTopic topic, const char *user, const char *resource,
		 const struct rpc_meta *facts)
{
	return delivery_begin(
		service_of(listener), call,
		&(const struct delivery_cause){ event, topic, user, resource, facts });
}

static const char *amount_of(struct rpc_call *call, const souk_type_v1_EventMoney *money)
{
	const Money amount = { Money_BASE, .currency_code = money->currency_code,
			       .units = money->units, .nanos = money->nanos };

	return money->units || money->nanos ? money_print(call, &amount) : "";
}

/* --- orders --- */

static int order_paid(struct orders_listener *self, struct rpc_call *call,
		      const souk_orders_v1_OrderPaid *event, const struct rpc_event *meta)
{
	return begin(self, call, meta, TOPIC(ORDER_CONFIRMED), event->user, event->order,
		     FACTS({ "order", event->order }));
}

static int order_cancelled(struct orders_listener *self, struct rpc_call *call,
			   const souk_orders_v1_OrderCancelled *event, const struct rpc_event *meta)
{
	if (event->replaced)
		return 0; /* the customer goes on buying: a mail of cancelling would alarm */
	return begin(self, call, meta, TOPIC(ORDER_CANCELLED), event->user, event->order,
		     FACTS({ "order", event->order },
			   { "refunded", amount_of(call, &event->refunded) }));
}

const struct orders_events_ops notification_orders = {
	.order_paid = order_paid,
	.order_cancelled = order_cancelled,
};

/* --- parcels --- */

/* What customers are told of, by the state that the parcel came to. */
static NotificationTemplateTopic topic_of_state(const souk_shipping_v1_ShipmentUpdated *event)
{
	static const struct {
		const char *state;
		NotificationTemplateTopic topic;
	} topics[] = {
		{ "IN_TRANSIT", TOPIC(SHIPPED) },
		{ "OUT_FOR_DELIVERY", TOPIC(OUT_FOR_DELIVERY) },
		{ "ATTEMPT_FAILED", TOPIC(DELIVERY_PROBLEM) },
		{ "AVAILABLE_FOR_PICKUP", TOPIC(DELIVERY_PROBLEM) },
		{ "RETURNED", TOPIC(DELIVERY_PROBLEM) },
		{ "EXCEPTION", TOPIC(DELIVERY_PROBLEM) },
	};

	/* A parcel that no carrier has taken yet is ours to put right. */
	if (!strcmp(event->state, event->previous_state) || !*event->tracking_number)
		return TOPIC(UNSPECIFIED);
	/* It goes on after something was wrong. */
	if (!strcmp(event->state, "IN_TRANSIT") && !strcmp(event->previous_state, "EXCEPTION"))
		return TOPIC(UNSPECIFIED);
	for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++)
		if (!strcmp(topics[i].state, event->state))
			return topics[i].topic;
	return TOPIC(UNSPECIFIED);
}

static int shipment_updated(struct shipping_listener *self, struct rpc_call *call,
			    const souk_shipping_v1_ShipmentUpdated *event,
			    const struct rpc_event *meta)
{
	NotificationTemplateTopic topic = topic_of_state(event);

	if (!topic)
		return 0;
	return begin(self, call, meta, topic, event->user, event->shipment,
		     FACTS({ "order", event->order }, { "shipment", event->shipment },
			   { "state", event->state }, { "carrier", event->carrier },
			   { "tracking_number", event->tracking_number },
			   { "tracking_uri", event->tracking_uri }));
}

static int shipment_delivered(struct shipping_listener *self, struct rpc_call *call,
			      const souk_shipping_v1_ShipmentDelivered *event,
			      const struct rpc_event *meta)
{
	return begin(self, call, meta, TOPIC(DELIVERED), event->user, event->shipment,
		     FACTS({ "order", event->order }, { "shipment", event->shipment },
			   { "carrier", event->carrier },
			   { "tracking_number", event->tracking_number }));
}

const struct shipping_events_ops notification_shipping = {
	.shipment_updated = shipment_updated,
	.shipment_delivered = shipment_delivered,
};

/* --- money --- */

static int payment_failed(struct payments_listener *self, struct rpc_call *call,
			  const souk_payments_v1_PaymentFailed *event, const struct rpc_event *meta)
{
	return begin(
		self, call, meta, TOPIC(PAYMENT_FAILED), event->user, event->order,
		FACTS({ "order", event->order }, { "amount", amount_of(call, &event->amount) }));
}

static int payment_refunded(struct payments_listener *self, struct rpc_call *call,
			    const souk_payments_v1_PaymentRefunded *event,
			    const struct rpc_event *meta)
{
	return begin(self, call, meta, TOPIC(REFUNDED), event->user, event->order,
		     FACTS({ "order", event->order }, { "refund", event->refund },
			   { "amount", amount_of(call, &event->amount) }));
}

const struct payments_events_ops notification_payments = {
	.payment_failed = payment_failed,
	.payment_refunded = payment_refunded,
};

/* --- accounts --- */

static int email_verification_requested(struct users_listener *self, struct rpc_call *call,
					const souk_users_v1_EmailVerificationRequested *event,
					const struct rpc_event *meta)
{
	return begin(self, call, meta, TOPIC(EMAIL_VERIFICATION), event->user, event->verification,
		     FACTS({ "verification", event->verification }));
}

static int password_reset_requested(struct users_listener *self, struct rpc_call *call,
				    const souk_users_v1_PasswordResetRequested *event,
				    const struct rpc_event *meta)
{
	return begin(self, call, meta, TOPIC(PASSWORD_RESET), event->user, event->verification,
		     FACTS({ "verification", event->verification }));
}

static int registration_repeated(struct users_listener *self, struct rpc_call *call,
				 const souk_users_v1_RegistrationRepeated *event,
				 const struct rpc_event *meta)
{
	return begin(self, call, meta, TOPIC(REGISTRATION_REPEATED), event->user,
		     event->verification, FACTS({ "verification", event->verification }));
}

/* What is still to be sent finds nobody to go to. */
static int user_deleted(struct users_listener *self, struct rpc_call *call,
			const souk_users_v1_UserDeleted *event, const struct rpc_event *meta)
{
	return stock_alert_delete_all(call, name_id(event->user));
}

const struct users_events_ops notification_users = {
	.email_verification_requested = email_verification_requested,
	.password_reset_requested = password_reset_requested,
	.registration_repeated = registration_repeated,
	.user_deleted = user_deleted,
};

/* --- stock --- */

static int tell_operators(void *listener, struct rpc_call *call, const struct rpc_event *meta,
			  NotificationTemplateTopic topic, const char *stock_item, const char *sku,
			  int32_t available)
{
	if (!*service_of(listener)->operators)
		return 0;
	return begin(listener, call, meta, topic, "", stock_item,
		     FACTS({ "sku", sku }, { "available", rpc_printf(call, "%d", available) }));
}

static int stock_low(struct inventory_listener *self, struct rpc_call *call,
		     const souk_inventory_v1_StockLow *event, const struct rpc_event *meta)
{
	return tell_operators(self, call, meta, TOPIC(STOCK_LOW), event->stock_item, event->sku,
			      event->levels.available);
}

static int stock_out(struct inventory_listener *self, struct rpc_call *call,
		     const souk_inventory_v1_StockOut *event, const struct rpc_event *meta)
{
	return tell_operators(self, call, meta, TOPIC(STOCK_LOW), event->stock_item, event->sku, 0);
}

/* The wait ends when its delivery is stored. Stopped between the two, the same delivery is met
 * again, and the wait ends then. */
static int tell_who_waits(void *listener, struct rpc_call *call, const struct rpc_event *meta,
			  const StockAlertRecord *alert)
{
	int r = begin(listener, call, meta, TOPIC(BACK_IN_STOCK),
		      name_of(call, "users", alert->user), alert->stock_alert->variant,
		      FACTS({ "variant", alert->stock_alert->variant }, { "sku", alert->sku }));

	if (!r)
		r = stock_alert_delete(call, alert->user, alert->sku);
	return r == MONGO_NOT_MATCHED ? 0 : r;
}

static int stock_restocked(struct inventory_listener *self, struct rpc_call *call,
			   const souk_inventory_v1_StockRestocked *event,
			   const struct rpc_event *meta)
{
	StockAlertRecord **alerts;
	size_t n_alerts;
	int r = 0;

	/* The first booking of a SKU is no news to who made it, and a catalogue has many. */
	if (event->version > 1)
		r = tell_operators(self, call, meta, TOPIC(STOCK_RESTOCKED), event->stock_item,
				   event->sku, event->levels.available);
	if (r)
		return r;
	do {
		r = stock_alert_find(call, event->sku, meta->time_ms, ALERTS_BATCH, &alerts,
				     &n_alerts);
		for (size_t i = 0; !r && i < n_alerts; i++)
			r = tell_who_waits(self, call, meta, alerts[i]);
	} while (!r && n_alerts == ALERTS_BATCH);
	return r;
}

const struct inventory_events_ops notification_inventory = {
	.stock_low = stock_low,
	.stock_out = stock_out,
	.stock_restocked = stock_restocked,
};
