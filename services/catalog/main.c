#include "catalog.h"
#include <common/events.h>
#include <common/nats.h>
#include <common/outbox.h>
#include <common/token.h>

static struct catalog_service catalog;
static struct inventory_listener inventory;

static const struct option options[] = {
	{ "CURRENCIES", OPTION_STRING, &catalog.currencies, "EUR,USD",
	  "what has prices, the default first (ISO 4217)" },
	{},
};

static int start(struct service *service, char **error)
{
	catalog_service_serve(service_server(service), &catalog_service, &catalog);
	events_consume(service, &inventory_events, &catalog_inventory, &inventory);
	service_every(service, "sweep", 5000, catalog_sweep, &catalog);
	return 0;
}

SERVICE_MAIN(.name = "catalog", .summary = "Knows what the shop sells.", .options = options,
	     .modules = MODULES(&mongo_module, &nats_module, &outbox_module, &token_module),
	     .start = start)
