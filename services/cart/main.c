#include "cart.h"
#include <common/events.h>
#include <common/nats.h>
#include <common/outbox.h>
#include <common/token.h>

static struct cart_service cart;
static struct orders_listener orders;

static const struct option options[] = {
	{ "CURRENCIES", OPTION_STRING, &cart.currencies, "EUR,USD",
	  "what has prices, the default first (ISO 4217)" },
	{ "CART_IDLE", OPTION_DURATION, &cart.idle_ms, "1d",
	  "how long until an untouched cart is called abandoned" },
	{},
};

static int start(struct service *service, char **error)
{
	cart.catalog = catalog_client_new(service_peer(service, "catalog"));
	cart.inventory = inventory_client_new(service_peer(service, "inventory"));
	cart.shipping = shipping_client_new(service_peer(service, "shipping"));
	cart_service_serve(service_server(service), &cart_service, &cart);
	events_consume(service, &orders_events, &cart_orders, &orders);
	service_every(service, "sweep", 60000, cart_sweep, &cart);
	return 0;
}

SERVICE_MAIN(.name = "cart", .summary = "Keeps the shopping carts.", .options = options,
	     .modules = MODULES(&mongo_module, &nats_module, &outbox_module, &token_module),
	     .start = start)
