#include "notification.h"
#include <common/events.h>
#include <common/outbox.h>
#include <common/token.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct smtp_mailer smtp = { .base = { .ops = &smtp_mail_ops } };
static struct notification_service notification = { .mailer = &smtp.base };

static const struct option options[] = {
	{ "SMTP_URL", OPTION_STRING, &smtp.url, NULL,
	  "the mail server: smtp://mail:587 or smtps://mail:465" },
	{ "SMTP_USER", OPTION_STRING, &smtp.user, "", "who we are to the mail server" },
	{ "SMTP_PASSWORD", OPTION_SECRET, &smtp.password, "",
	  "the password to it; never sent without TLS" },
	{ "SMTP_REQUIRE_TLS", OPTION_BOOLEAN, &smtp.require_tls, "false",
	  "mails leave encrypted or not at all" },
	{ "SMTP_TIMEOUT", OPTION_DURATION, &smtp.timeout_ms, "10s", "how long one mail may take",
	  100, 60000 },
	{ "MAIL_FROM", OPTION_STRING, &smtp.from, "Souk <no-reply@souk.local>",
	  "who mails are from" },
	{ "MAIL_GIVE_UP", OPTION_DURATION, &notification.give_up_ms, "2d",
	  "a mail that cannot be sent for so long has failed" },
	{ "MAIL_LEASE", OPTION_DURATION, &notification.lease_ms, "30s",
	  "how long who sends a mail is left alone", 1000, 600000 },
	{ "SHOP_NAME", OPTION_STRING, &notification.shop, "Souk",
	  "what the shop is called in mails" },
	{ "SHOP_URL", OPTION_STRING, &notification.shop_url, "http://localhost:8080",
	  "where links in mails lead, without a slash at the end" },
	{ "ADMIN_EMAIL", OPTION_STRING, &notification.operators, "",
	  "who hears of low stock; empty: nobody" },
	{},
};

static int start(struct service *service, char **error)
{
	struct rpc_call *call = rpc_call_new("start", 1000);
	const char *from = mail_address_of(call, smtp.from);

	/* Lives as long as the process. */
	notification.domain = from ? strdup(strchr(from, '@') + 1) : NULL;
	rpc_call_free(call);
	if (!notification.domain)
		return asprintf(error, "SOUK_MAIL_FROM holds no address, such as Souk "
				       "<no-reply@souk.example>") < 0
			       ? -ENOMEM
			       : -EINVAL;
	notification.hands = hands_start(service, "mail", NOTIFICATION_HANDS, 1000,
					 &notification_hands_work, &notification);
	notification.orders = orders_client_new(service_peer(service, "orders"));
	notification.users = users_client_new(service_peer(service, "users"));
	notification.catalog = catalog_client_new(service_peer(service, "catalog"));
	notification_service_serve(service_server(service), &notification_service, &notification);
	events_consume(service, &orders_events, &notification_orders, &notification);
	events_consume(service, &shipping_events, &notification_shipping, &notification);
	events_consume(service, &payments_events, &notification_payments, &notification);
	events_consume(service, &users_events, &notification_users, &notification);
	events_consume(service, &inventory_events, &notification_inventory, &notification);
	service_every(service, "answers", 60000, notification_sweep, &notification);
	return 0;
}

SERVICE_MAIN(.name = "notification", .summary = "Mails people about what happened.",
	     .options = options,
	     .modules = MODULES(&mongo_module, &templates_module, &nats_module, &outbox_module,
				&token_module),
	     .start = start)
