/* Orders: from the cart to the parcel, and the money and stock that move on the way. */
#pragma once

#include "cart.rpc.h"
#include "catalog.rpc.h"
#include "inventory.rpc.h"
#include "orders.rpc.h"
#include "orders_store.msg.h"
#include "payments.rpc.h"
#include "payments_events.ev.h"
#include "shipping.rpc.h"
#include "shipping_events.ev.h"
#include "users.rpc.h"
#include <common/hands.h>

enum {
	ORDERS_ATTEMPTS_MAX = 20,
	ORDERS_REVERSALS_MAX = 200,
	ORDERS_STEPS_MAX = 50,
	ORDERS_HISTORY_MAX = 200,
	ORDERS_SHIPMENTS_MAX = 20,
};

struct orders_service {
	struct cart_client *cart;
	struct catalog_client *catalog;
	struct inventory_client *inventory;
	struct payments_client *payments;
	struct shipping_client *shipping;
	struct users_client *users;
	struct hands *hands; /* NULL in tests */

	int64_t ttl;            /* how long an order can be paid */
	int64_t lease;          /* how long whoever works on an order is left alone */
	int64_t backorder_poll; /* how often an order that waits for stock asks for it */
	int64_t watch_poll;     /* how often a watcher looks without being woken */
};
extern const struct orders_service_ops orders_service;

/* Payments and shipping tell; the listener is the service under another name. */
extern const struct payments_events_ops orders_payments;
extern const struct shipping_events_ops orders_shipping;
static inline struct payments_listener *orders_payments_listener(struct orders_service *self)
{
	return (struct payments_listener *)self;
}
static inline struct shipping_listener *orders_shipping_listener(struct orders_service *self)
{
	return (struct shipping_listener *)self;
}

/* Finishes what was left, expires what was not paid: one turn, and on timers. */
int orders_sweep(void *data, struct rpc_call *call);
void orders_sweep_start(struct service *service, int64_t interval_ms, struct orders_service *self);

/* The order as it is shown. */
Order *orders_view(struct rpc_call *call, const OrderRecord *record);
/* The record of a caller's own order: ORDER_NOT_FOUND, NOT_OWNER. `permission` admits staff, and
 * "orders.read" the services that may read too; NULL: nobody else. */
int orders_find(struct rpc_call *call, const char *name, const char *permission, OrderRecord **ret);

/* The order as it would be placed now, and the etag of the cart that it is drawn up from. */
int orders_draw_up(struct orders_service *self, struct rpc_call *call,
		   const CreateOrderRequest *req, const char *id, Order **ret,
		   const char **etag_ret);

/* Handlers, a file each. */
int orders_create_order(struct orders_service *self, struct rpc_call *call,
			const CreateOrderRequest *req, Order **ret);
int orders_pay_order(struct orders_service *self, struct rpc_call *call, const PayOrderRequest *req,
		     Order **ret);
int orders_cancel_order(struct orders_service *self, struct rpc_call *call,
			const CancelOrderRequest *req, Order **ret);
int orders_cancel_order_lines(struct orders_service *self, struct rpc_call *call,
			      const CancelOrderLinesRequest *req, Order **ret);
int orders_watch_order(struct orders_service *self, struct rpc_call *call,
		       const WatchOrderRequest *req, struct order_writer *out);

/* Wakes those in this process who watch the order. Any thread. */
void orders_watch_wake(const char *id);
/* Hears from the bus of what other replicas changed. */
int orders_watch_start(void);
void orders_watch_stop(void);
