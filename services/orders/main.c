#include "orders.h"
#include <common/events.h>
#include <common/outbox.h>
#include <common/token.h>

static struct orders_service orders;
static int64_t sweep_interval;

static const struct option options[] = {
	{ "ORDER_TTL", OPTION_DURATION, &orders.ttl, "30m", "how long an order can be paid", 1,
	  518400000 },
	{ "ORDER_LEASE", OPTION_DURATION, &orders.lease, "15s",
	  "how long a worker has an order alone" },
	{ "ORDER_SWEEP_INTERVAL", OPTION_DURATION, &sweep_interval, "1s",
	  "how often work is looked for" },
	{ "ORDER_BACKORDER_POLL", OPTION_DURATION, &orders.backorder_poll, "1m",
	  "how often an order that waits for stock asks whether it came" },
	{ "ORDER_WATCH_POLL", OPTION_DURATION, &orders.watch_poll, "2s",
	  "how often watchers look unasked" },
	{},
};

static int start(struct service *service, char **error)
{
	orders.cart = cart_client_new(service_peer(service, "cart"));
	orders.catalog = catalog_client_new(service_peer(service, "catalog"));
	orders.inventory = inventory_client_new(service_peer(service, "inventory"));
	orders.payments = payments_client_new(service_peer(service, "payments"));
	orders.shipping = shipping_client_new(service_peer(service, "shipping"));
	orders.users = users_client_new(service_peer(service, "users"));
	orders_service_serve(service_server(service), &orders_service, &orders);
	events_consume(service, &payments_events, &orders_payments,
		       orders_payments_listener(&orders));
	events_consume(service, &shipping_events, &orders_shipping,
		       orders_shipping_listener(&orders));
	orders_sweep_start(service, sweep_interval, &orders);
	return orders_watch_start();
}

SERVICE_MAIN(.name = "orders", .summary = "Places orders and sees them through.",
	     .options = options, .threads = 16,
	     .modules = MODULES(&mongo_module, &nats_module, &outbox_module, &token_module),
	     .start = start, .stop = orders_watch_stop)
