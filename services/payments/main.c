#include "payments.h"
#include <common/nats.h>
#include <common/outbox.h>
#include <common/token.h>

static struct payments_service payments;

static const struct option options[] = {
	{ "STRIPE_URL", OPTION_STRING, &payments.stripe.url, "https://api.stripe.com",
	  "the payment provider's API" },
	{ "STRIPE_KEY", OPTION_SECRET, &payments.stripe.key, NULL,
	  "the secret key of the shop's account there" },
	{ "STRIPE_WEBHOOK_SECRET", OPTION_SECRET, &payments.stripe.webhook_secret, NULL,
	  "what its webhooks are signed with" },
	{ "STRIPE_TIMEOUT", OPTION_DURATION, &payments.stripe.timeout_ms, "15s",
	  "how long an answer is waited for", 1000, 60000 },
	{ "STRIPE_WEBHOOK_AGE", OPTION_DURATION, &payments.stripe.webhook_age_ms, "5m",
	  "older webhooks are refused", 1000, 3600000 },
	{},
};

static int start(struct service *service, char **error)
{
	payments.service = service;
	payments.provider = stripe_new(&payments.stripe, error);
	if (!payments.provider)
		return -1;
	payments_service_serve(service_server(service), &payments_service, &payments);
	service_every(service, "sweep", 1000, payments_sweep, &payments);
	service_every(service, "answers", 60000, payments_sweep_answers, &payments);
	return 0;
}

static void stop(void)
{
	payments.provider = stripe_free(payments.provider);
}

SERVICE_MAIN(.name = "payments", .summary = "Holds, takes and gives back the money of orders.",
	     .threads = 16, .options = options,
	     .modules = MODULES(&mongo_module, &nats_module, &outbox_module, &token_module),
	     .start = start, .stop = stop)
