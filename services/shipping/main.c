#include "consignment.h"
#include "rates.h"
#include <common/nats.h>
#include <common/outbox.h>
#include <common/token.h>

static struct sandbox_carrier sandbox = { .base = { .id = "sandbox",
						    .ops = &sandbox_carrier_ops } };
static struct carrier *carriers[] = { &sandbox.base, NULL };
static struct shipping_service shipping = { .carriers = carriers };

static const struct option options[] = {
	{ "CARRIER_URL", OPTION_STRING, &sandbox.url, NULL,
	  "where the carrier is asked, without a slash at the end" },
	{ "CARRIER_KEY", OPTION_SECRET, &sandbox.key, NULL, "the key to the carrier" },
	{ "CARRIER_WEBHOOK_SECRET", OPTION_SECRET, &sandbox.webhook_secret, NULL,
	  "what the carrier signs webhooks with" },
	{ "CARRIER_TIMEOUT", OPTION_DURATION, &sandbox.timeout_ms, "5s",
	  "how long the carrier may take to answer", 100, 60000 },
	{ "CARRIER_WEBHOOK_AGE", OPTION_DURATION, &sandbox.webhook_age_ms, "5m",
	  "how old a webhook may be" },
	{ "CARRIER_POLL_INTERVAL", OPTION_DURATION, &shipping.poll_ms, "15m",
	  "how often the carrier is asked for a parcel unasked", 100, 86400000 },
	{ "CARRIER_LEASE", OPTION_DURATION, &shipping.lease_ms, "15s",
	  "how long who works on an order's parcels is left alone", 1000, 600000 },
	{ "SHIPPING_QUOTE_TTL", OPTION_DURATION, &shipping.quote_ms, "30m",
	  "how long the prices of a quote hold" },
	{},
};

static int start(struct service *service, char **error)
{
	shipping.hands = hands_start(service, "carrier", SHIPPING_HANDS, 1000, &shipping_hands_work,
				     &shipping);
	shipping_service_serve(service_server(service), &shipping_service, &shipping);
	service_every(service, "webhooks", 1000, shipping_sweep_webhooks, &shipping);
	service_every(service, "answers", 60000, shipping_sweep_answers, &shipping);
	return 0;
}

SERVICE_MAIN(.name = "shipping", .summary = "Prices shipping, and follows the parcels.",
	     .options = options, .threads = 8,
	     .modules = MODULES(&warehouse_module, &mongo_module, &methods_module, &nats_module,
				&outbox_module, &token_module),
	     .start = start)
