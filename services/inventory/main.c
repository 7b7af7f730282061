#include "inventory.h"
#include <common/events.h>
#include <common/nats.h>
#include <common/outbox.h>
#include <common/token.h>

static struct inventory_service inventory;
static struct orders_listener orders;

static int start(struct service *service, char **error)
{
	inventory_service_serve(service_server(service), &inventory_service, &inventory);
	events_consume(service, &orders_events, &inventory_orders, &orders);
	service_every(service, "sweep", 1000, inventory_sweep, &inventory);
	service_every(service, "trim", 60000, inventory_trim, &inventory);
	service_every(service, "movements", 2000, inventory_relay, &inventory);
	return 0;
}

SERVICE_MAIN(.name = "inventory", .summary = "Knows how much of each SKU there is.",
	     .modules = MODULES(&mongo_module, &nats_module, &outbox_module, &token_module),
	     .start = start)
