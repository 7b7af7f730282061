#include "cart.h"
#include <common/events.h>
#include <common/nats.h>
#include <common/outbox.h>
#include <common/token.h>
#include <errno.h>
#include <string.h>

static struct cart_service cart;
static const char *merging;
static struct orders_listener orders;

static const struct option options[] = {
	{ "CURRENCIES", OPTION_STRING, &cart.currencies, "EUR,USD",
	  "what has prices, the default first (ISO 4217)" },
	{ "CART_IDLE", OPTION_DURATION, &cart.idle_ms, "1d",
	  "how long until an untouched cart is called abandoned" },
	{ "CART_MERGE", OPTION_STRING, &merging, "larger",
	  "what a login makes of the guest's cart and the user's: larger or sum (both, and of what "
	  "both hold the larger quantity "
	  "or the sum), guest or user (that one, unless it is empty)" },
	{},
};

static int start(struct service *service, char **error)
{
	if (!cart_merging_read(merging, &cart.merging)) {
		*error = strdup("SOUK_CART_MERGE is none of larger, sum, guest and user.");
		return -EINVAL;
	}
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
