/* Notification: mails about what happened, each once. */
#pragma once

#include "catalog.rpc.h"
#include "inventory_events.ev.h"
#include "mail.h"
#include "notification.rpc.h"
#include "notification_store.msg.h"
#include "orders.rpc.h"
#include "orders_events.ev.h"
#include "payments_events.ev.h"
#include "shipping_events.ev.h"
#include "users.rpc.h"
#include "users_events.ev.h"
#include <common/hands.h>

enum {
	NOTIFICATION_STOCK_ALERTS_MAX = 50, /* of a user */
	NOTIFICATION_HANDS = 4,             /* threads that send */
};

struct notification_service {
	struct orders_client *orders;
	struct users_client *users;
	struct catalog_client *catalog;
	struct mailer *mailer;
	const char *shop, *shop_url;
	const char *operators; /* the address that hears of low stock; "": nobody */
	const char *domain;    /* of Message-IDs */
	/* A mail that could not be sent for so long has failed; older events make none. */
	int64_t give_up_ms;
	int64_t lease_ms;
	struct hands *hands; /* that send; NULL in tests */
};
extern const struct notification_service_ops notification_service;

/* What is heard; the listeners are the service itself. */
extern const struct orders_events_ops notification_orders;
extern const struct shipping_events_ops notification_shipping;
extern const struct payments_events_ops notification_payments;
extern const struct users_events_ops notification_users;
extern const struct inventory_events_ops notification_inventory;

/* A delivery that begins; facts are {key, value} pairs ended by a NULL key. Its event once makes
 * one. */
struct delivery_cause {
	const struct rpc_event *event;
	NotificationTemplateTopic topic;
	const char *user, *resource;
	const struct rpc_meta *facts;
};
int delivery_begin(struct notification_service *self, struct rpc_call *call,
		   const struct delivery_cause *cause);
/* Takes a new delivery for the hands of this process, to which it is given when it is stored. */
void delivery_hold(struct notification_service *self, struct rpc_call *call,
		   DeliveryRecord *record);
extern const struct hands_work notification_hands_work;
/* "<{id}@{domain}>" */
const char *delivery_message_id(const struct notification_service *self, struct rpc_call *call,
				const char *id);

/* For service_every(): sends a mail that is due; there may be more. */
int notification_send(void *data, struct rpc_call *call);
/* For service_every(): drops answers that are older than they need to be. */
int notification_sweep(void *data, struct rpc_call *call);

/* The templates that a shop begins with; those that are there stay. */
extern const struct service_module templates_module;
int templates_seed(struct rpc_call *call);

/* Handlers, a file each for templates and stock alerts. */
int notification_get_template(struct notification_service *self, struct rpc_call *call,
			      const GetNotificationTemplateRequest *req,
			      NotificationTemplate **ret);
int notification_list_templates(struct notification_service *self, struct rpc_call *call,
				const ListNotificationTemplatesRequest *req,
				ListNotificationTemplatesResponse **ret);
int notification_update_template(struct notification_service *self, struct rpc_call *call,
				 const UpdateNotificationTemplateRequest *req,
				 NotificationTemplate **ret);
int notification_create_stock_alert(struct notification_service *self, struct rpc_call *call,
				    const CreateStockAlertRequest *req, StockAlert **ret);
int notification_list_stock_alerts(struct notification_service *self, struct rpc_call *call,
				   const ListStockAlertsRequest *req,
				   ListStockAlertsResponse **ret);
int notification_delete_stock_alert(struct notification_service *self, struct rpc_call *call,
				    const DeleteStockAlertRequest *req, Empty **ret);
