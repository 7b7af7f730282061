/* Shipping's documents: orders' parcels, methods, webhooks that came. Results are those of mongo.h.
 */
#pragma once

#include "shipping.h"
#include <common/answers.h>
#include <common/mongo.h>

/* --- consignments: all parcels of an order --- */

int consignment_insert(struct rpc_call *call, ConsignmentRecord *record);
int consignment_read(struct rpc_call *call, const char *order, ConsignmentRecord **ret);
/* The one with a parcel of this number at this carrier: "{carrier}/{tracking number}". */
int consignment_read_by_tracking(struct rpc_call *call, const char *tracking_key,
				 ConsignmentRecord **ret);
/* Writes what is different in the draft, if the version is the one that was read.
 * MONGO_NOT_MATCHED. */
int consignment_write(struct rpc_call *call, const ConsignmentRecord *was,
		      const ConsignmentRecord *draft, struct rpc_event *const *events,
		      const struct stored_answer *answer);
/* Ids of those whose time to be looked at has come, the longest due first. */
int consignment_due(struct rpc_call *call, int64_t limit, ConsignmentRecord ***ret, size_t *n_ret);
/* Its time has come. */
int consignment_nudge(struct rpc_call *call, const char *order);
/* Those that match, from the newest on; with `create_ms` >= 0 from that place on, `order` itself
 * included. */
int consignment_list(struct rpc_call *call, const bson_t *filter, int64_t create_ms,
		     const char *order, int64_t limit, ConsignmentRecord ***ret, size_t *n_ret);
int consignment_sweep_answers(struct rpc_call *call);

/* --- methods --- */

int method_insert(struct rpc_call *call, const ShippingMethodRecord *record,
		  const struct stored_answer *answer);
int method_read(struct rpc_call *call, const char *id, ShippingMethodRecord **ret);
/* Those that are offered; at most 100, as they were two seconds ago at most. */
int methods_offered(struct rpc_call *call, ListShippingMethodsResponse **ret);
/* Writes the method, and whether it is deleted, if the version is the one that was read. */
int method_write(struct rpc_call *call, const ShippingMethodRecord *record,
		 const struct stored_answer *answer);
int method_page(struct rpc_call *call, const ListShippingMethodsRequest *req, bool all,
		ListShippingMethodsResponse *response, ShippingMethodRecord ***ret, size_t *n_ret);
int method_answered(struct rpc_call *call, const char *id, const struct answers_key *key,
		    ShippingMethod **ret);
int method_sweep_answers(struct rpc_call *call);

/* --- webhooks --- */

/* MONGO_DUPLICATE: it came before. */
int webhook_insert(struct rpc_call *call, const CarrierWebhookRecord *record);
int webhook_due(struct rpc_call *call, int64_t limit, CarrierWebhookRecord ***ret, size_t *n_ret);
/* 0: it is done with. */
int webhook_look_again(struct rpc_call *call, const CarrierWebhookRecord *record, int64_t look_ms);
