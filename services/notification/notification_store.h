/* Notification's documents: deliveries, templates, stock alerts. Results are those of mongo.h. */
#pragma once

#include "notification.h"
#include <common/answers.h>
#include <common/mongo.h>

/* --- deliveries --- */

int delivery_insert(struct rpc_call *call, const DeliveryRecord *record,
		    const struct stored_answer *answer);
int delivery_read(struct rpc_call *call, const char *id, DeliveryRecord **ret);
int delivery_answered(struct rpc_call *call, const char *id, const struct answers_key *key,
		      Delivery **ret);
int delivery_page(struct rpc_call *call, const ListDeliveriesRequest *req, const bson_t *filter,
		  ListDeliveriesResponse *response, DeliveryRecord ***ret, size_t *n_ret);
/* Ids of those whose time to be tried has come, the longest due first. */
int delivery_due(struct rpc_call *call, int64_t limit, DeliveryRecord ***ret, size_t *n_ret);
/* Takes the delivery for one try and counts it: in the database and in the record.
 * MONGO_NOT_MATCHED: another was faster. */
int delivery_take(struct rpc_call *call, DeliveryRecord *record, const char *holder,
		  int64_t until_ms);
/* Writes how the try went; a next_try_time says when to try again. MONGO_NOT_MATCHED: the delivery
 * is another's by now. */
int delivery_note(struct rpc_call *call, const DeliveryRecord *record, struct rpc_event *event);
int delivery_sweep_answers(struct rpc_call *call);

/* --- templates --- */

int template_insert(struct rpc_call *call, const NotificationTemplateRecord *record);
int template_read(struct rpc_call *call, const char *id, NotificationTemplateRecord **ret);
/* The same for a mail: as it was a moment ago at the earliest. */
int template_recall(struct rpc_call *call, const char *id, NotificationTemplateRecord **ret);
void templates_forget(void);
/* If the version is the one that was read. */
int template_write(struct rpc_call *call, const NotificationTemplateRecord *record);
int template_page(struct rpc_call *call, const ListNotificationTemplatesRequest *req,
		  ListNotificationTemplatesResponse *response, NotificationTemplateRecord ***ret,
		  size_t *n_ret);

/* --- stock alerts --- */

/* MONGO_DUPLICATE: the user waits for it already. */
int stock_alert_insert(struct rpc_call *call, const StockAlertRecord *record);
int stock_alert_read(struct rpc_call *call, const char *user, const char *sku,
		     StockAlertRecord **ret);
int stock_alert_count(struct rpc_call *call, const char *user, int64_t limit, int64_t *ret);
int stock_alert_page(struct rpc_call *call, const ListStockAlertsRequest *req, const char *user,
		     ListStockAlertsResponse *response, StockAlertRecord ***ret, size_t *n_ret);
/* Those for a SKU that were asked for no later than then. */
int stock_alert_find(struct rpc_call *call, const char *sku, int64_t until_ms, int64_t limit,
		     StockAlertRecord ***ret, size_t *n_ret);
/* MONGO_NOT_MATCHED: there is none. */
int stock_alert_delete(struct rpc_call *call, const char *user, const char *sku);
int stock_alert_delete_all(struct rpc_call *call, const char *user);
