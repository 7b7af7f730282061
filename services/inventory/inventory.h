/* The stock: how much of each SKU there is, who has a claim on it, and every movement. */
#pragma once

#include "inventory.rpc.h"
#include "inventory_store.msg.h"
#include "orders_events.ev.h"
#include <crpc/service.h>

enum {
	INVENTORY_CLAIMS_MAX = 5000,     /* live reservations of a SKU */
	INVENTORY_BACKORDERS_MAX = 5000, /* orders that wait for a SKU */
	INVENTORY_QUANTITY_MAX = 100000000,
	INVENTORY_LOW_STOCK_DEFAULT = 5,
	INVENTORY_RESERVE_DAYS_MAX = 7,
};

struct inventory_service {
	char unused;
};
extern const struct inventory_service_ops inventory_service;

struct orders_listener {
	char unused;
};
extern const struct orders_events_ops inventory_orders;

StockItem *inventory_view(struct rpc_call *call, const StockRecord *record);

/* Who acts: the person, or the service that calls. */
const char *inventory_actor(struct rpc_call *call);

/* Handlers of claims. */
int inventory_reserve_stock(struct inventory_service *self, struct rpc_call *call,
			    const ReserveStockRequest *req, ReserveStockResponse **ret);
int inventory_commit_reservation(struct inventory_service *self, struct rpc_call *call,
				 const CommitReservationRequest *req,
				 CommitReservationResponse **ret);
int inventory_release_reservation(struct inventory_service *self, struct rpc_call *call,
				  const ReleaseReservationRequest *req,
				  ReleaseReservationResponse **ret);
int inventory_restock_stock(struct inventory_service *self, struct rpc_call *call,
			    const RestockStockRequest *req, RestockStockResponse **ret);

int inventory_get_order_backorders(struct inventory_service *self, struct rpc_call *call,
				   const GetOrderBackordersRequest *req,
				   GetOrderBackordersResponse **ret);

/* For service_every(): ends reservations that have run out. */
int inventory_sweep(void *data, struct rpc_call *call);
/* For service_every(): drops what is older than it needs to be. */
int inventory_trim(void *data, struct rpc_call *call);
/* For service_every(): takes movements from the stock's documents to their collection. */
int inventory_relay(void *data, struct rpc_call *call);
