/* Shipping: what it costs to send goods somewhere, and where the parcels are. */
#pragma once

#include "carrier.h"
#include "shipping.rpc.h"
#include "shipping_store.msg.h"
#include <common/hands.h>
#include <stdatomic.h>

enum {
	SHIPPING_PARCELS_MAX = 20, /* of an order */
	SHIPPING_TRACKING_EVENTS_MAX = 100,
	SHIPPING_PARCEL_GRAMS_DEFAULT = 30000,
	SHIPPING_HANDS = 4, /* threads that work with carriers */
};

struct shipping_service {
	struct carrier *const *carriers; /* NULL-terminated */
	int64_t quote_ms;                /* how long a quote holds */
	int64_t poll_ms;                 /* how often a parcel is asked for that nobody tells of */
	int64_t lease_ms;      /* how long who works on an order's parcels is left alone */
	struct hands *hands;   /* NULL in tests */
	atomic_int at_carrier; /* handlers that wait for one */
};
extern const struct shipping_service_ops shipping_service;

/* CARRIER_UNKNOWN */
int shipping_carrier(struct shipping_service *self, struct rpc_call *call, const char *id,
		     struct carrier **ret);
/* CARRIER_UNAVAILABLE, to be tried again soon. */
int shipping_carrier_unavailable(struct rpc_call *call, const char *id);
/* Who acts: the person, or the service that calls. */
const char *shipping_actor(struct rpc_call *call);

/* Methods that the shop begins with; those that are there, or were deleted, stay as they are. */
extern const struct service_module methods_module;
int methods_seed(struct rpc_call *call);
/* Deleted ones too; SHIPPING_METHOD_NOT_FOUND. */
int methods_find(struct rpc_call *call, const char *name, ShippingMethodRecord **ret);
/* What an order was placed with, offered still or not. */
int methods_find_ordered(struct rpc_call *call, const char *name, const ShippingMethod **ret);

/* Handlers, a file each for methods, quotes, parcels, recalls and webhooks. */
int shipping_get_shipping_method(struct shipping_service *self, struct rpc_call *call,
				 const GetShippingMethodRequest *req, ShippingMethod **ret);
int shipping_list_shipping_methods(struct shipping_service *self, struct rpc_call *call,
				   const ListShippingMethodsRequest *req,
				   ListShippingMethodsResponse **ret);
int shipping_create_shipping_method(struct shipping_service *self, struct rpc_call *call,
				    const CreateShippingMethodRequest *req, ShippingMethod **ret);
int shipping_update_shipping_method(struct shipping_service *self, struct rpc_call *call,
				    const UpdateShippingMethodRequest *req, ShippingMethod **ret);
int shipping_delete_shipping_method(struct shipping_service *self, struct rpc_call *call,
				    const DeleteShippingMethodRequest *req, Empty **ret);
int shipping_quote_rates(struct shipping_service *self, struct rpc_call *call,
			 const QuoteRatesRequest *req, ShippingQuote **ret);
int shipping_create_shipments(struct shipping_service *self, struct rpc_call *call,
			      const CreateShipmentsRequest *req, CreateShipmentsResponse **ret);
int shipping_get_shipment(struct shipping_service *self, struct rpc_call *call,
			  const GetShipmentRequest *req, Shipment **ret);
int shipping_list_shipments(struct shipping_service *self, struct rpc_call *call,
			    const ListShipmentsRequest *req, ListShipmentsResponse **ret);
int shipping_track_shipment(struct shipping_service *self, struct rpc_call *call,
			    const TrackShipmentRequest *req, Shipment **ret);
int shipping_get_shipment_label(struct shipping_service *self, struct rpc_call *call,
				const GetShipmentLabelRequest *req, HttpBody **ret);
int shipping_recall_shipments(struct shipping_service *self, struct rpc_call *call,
			      const RecallShipmentsRequest *req, RecallShipmentsResponse **ret);
int shipping_cancel_shipment(struct shipping_service *self, struct rpc_call *call,
			     const CancelShipmentRequest *req, Shipment **ret);
int shipping_receive_carrier_webhook(struct shipping_service *self, struct rpc_call *call,
				     const ReceiveCarrierWebhookRequest *req, Empty **ret);

/* For service_every(): hands parcels to carriers, calls them off, asks where they are. */
int shipping_work(void *data, struct rpc_call *call);
/* For service_every(): looks at what webhooks were about. */
int shipping_sweep_webhooks(void *data, struct rpc_call *call);
/* For service_every(): drops answers that are older than they need to be. */
int shipping_sweep_answers(void *data, struct rpc_call *call);
