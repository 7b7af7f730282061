/* Stock alerts: who wants to hear when something can be bought again. */
#include "notification_store.h"
#include <common/clock.h>
#include <common/names.h>
#include <string.h>

/* The variant as the catalogue knows it. */
static int find_variant(struct notification_service *self, struct rpc_call *call, const char *name,
			const Variant **ret)
{
	BatchGetVariantsRequest *request = rpc_new(call, BatchGetVariantsRequest);
	BatchGetVariantsResponse *known;
	int r;

	batch_get_variants_request_add_names(call, request, name);
	r = catalog_client_batch_get_variants(self->catalog, call, request, &known);
	if (r)
		return r;
	if (!known->n_variants || !known->variants[0]->variant)
		return rpc_fail(call, STOCK_ALERT_VARIANT_UNKNOWN, { "variant", name });
	*ret = known->variants[0]->variant;
	return 0;
}

static int check_room(struct rpc_call *call, const char *user)
{
	int64_t n;
	int r = stock_alert_count(call, user, NOTIFICATION_STOCK_ALERTS_MAX, &n);

	if (!r && n >= NOTIFICATION_STOCK_ALERTS_MAX)
		return rpc_fail(call, TOO_MANY_STOCK_ALERTS,
				{ "max", rpc_printf(call, "%d", NOTIFICATION_STOCK_ALERTS_MAX) });
	return r;
}

int notification_create_stock_alert(struct notification_service *self, struct rpc_call *call,
				    const CreateStockAlertRequest *req, StockAlert **ret)
{
	const char *user = name_id(req->parent);
	const Variant *variant = NULL;
	StockAlertRecord *record;
	StockAlert *alert;
	int r;

	r = find_variant(self, call, req->stock_alert->variant, &variant);
	if (r)
		return r;
	r = stock_alert_read(call, user, variant->sku, &record);
	if (!r)
		*ret = record->stock_alert;
	if (r != MONGO_NOT_FOUND)
		return r;
	r = check_room(call, user);
	if (r)
		return r;
	alert = rpc_new(
		call, StockAlert, .name = name_join(call, req->parent, "stockAlerts", variant->sku),
		.variant = variant->name, .sku = variant->sku, .create_time = clock_now(call));
	r = stock_alert_insert(call, rpc_new(call, StockAlertRecord,
					     .id = rpc_printf(call, "%s/%s", user, variant->sku),
					     .user = user, .sku = variant->sku,
					     .stock_alert = alert, .schema_version = 1));
	if (!r || r == MONGO_DUPLICATE) {
		*ret = alert;
		return 0;
	}
	return r;
}

int notification_list_stock_alerts(struct notification_service *self, struct rpc_call *call,
				   const ListStockAlertsRequest *req, ListStockAlertsResponse **ret)
{
	ListStockAlertsResponse *response = rpc_new(call, ListStockAlertsResponse);
	StockAlertRecord **records;
	size_t n_records;
	int r = stock_alert_page(call, req, name_id(req->parent), response, &records, &n_records);

	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		list_stock_alerts_response_add_stock_alerts(call, response,
							    records[i]->stock_alert);
	*ret = response;
	return 0;
}

int notification_delete_stock_alert(struct notification_service *self, struct rpc_call *call,
				    const DeleteStockAlertRequest *req, Empty **ret)
{
	int r = stock_alert_delete(call, name_parent_id(call, req->name), name_id(req->name));

	return r == MONGO_NOT_MATCHED
		       ? rpc_fail(call, STOCK_ALERT_NOT_FOUND, { "stockAlert", req->name })
		       : r;
}
