#include "users.h"
#include <common/nats.h>
#include <common/outbox.h>
#include <common/token.h>

static struct users_service users;
static struct service *process;

static const struct option options[] = {
	{ "EMAIL_TOKEN_TTL", OPTION_DURATION, &users.email_token_ttl, "3d",
	  "how long the link that verifies an address is good" },
	{ "RESET_TOKEN_TTL", OPTION_DURATION, &users.reset_token_ttl, "1h",
	  "how long the link that sets a new password is good" },
	{ "MAIL_DELAY_MAX", OPTION_DURATION, &users.mail_delay_max, "1d",
	  "after this a mail with a link is not sent any more" },
	{},
};

static void wake(void)
{
	service_wake(process, "sweep");
}

static int start(struct service *service, char **error)
{
	process = service;
	users.auth = auth_client_new(service_peer(service, "auth"));
	users.wake = wake;
	users_service_serve(service_server(service), &users_service, &users);
	service_every(service, "sweep", 2000, users_sweep, &users);
	return 0;
}

static void stop(void)
{
	users.auth = auth_client_free(users.auth);
}

SERVICE_MAIN(.name = "users", .summary = "Keeps the accounts.", .options = options,
	     .modules = MODULES(&mongo_module, &nats_module, &outbox_module, &token_module),
	     .start = start, .stop = stop)
