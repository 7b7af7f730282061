#include "auth.h"
#include "breaches.h"
#include "passwords.h"
#include <common/nats.h>
#include <common/outbox.h>
#include <common/redis.h>

static struct auth_service auth;

static const struct option options[] = {
	{ "ACCESS_TOKEN_TTL", OPTION_DURATION, &auth.access_ttl, "10m",
	  "how long an access token is good", 60000, 3600000 },
	{ "SESSION_TTL", OPTION_DURATION, &auth.session_ttl, "30d",
	  "after how long unused a session ends" },
	{ "GUEST_SESSION_TTL", OPTION_DURATION, &auth.guest_session_ttl, "7d",
	  "the same of a guest's" },
	{ "GUEST_TOKEN_TTL", OPTION_DURATION, &auth.guest_token_ttl, "30d",
	  "how long a guest stays the same guest" },
	{ "REFRESH_GRACE", OPTION_DURATION, &auth.refresh_grace, "10s",
	  "how long a refresh may be repeated" },
	{ "SESSIONS_MAX", OPTION_INTEGER, &auth.sessions_max, "50",
	  "sessions of one user; the oldest end", 1, 1000 },
	{ "LOGIN_FAILURES_MAX", OPTION_INTEGER, &auth.login_failures_max, "10",
	  "failed logins that lock an address", 1, 1000 },
	{ "LOGIN_LOCK_MIN", OPTION_DURATION, &auth.lock_min, "30s",
	  "how long the first lock lasts; each later one twice as long" },
	{ "LOGIN_LOCK_MAX", OPTION_DURATION, &auth.lock_max, "15m", "how long one lasts at most" },
	{ "KEY_ROTATION", OPTION_DURATION, &auth.key_rotation, "30d", "how long a key signs",
	  3600000, 31536000000 },
	{ "ADMIN_EMAIL", OPTION_STRING, &auth.admin_email, "",
	  "who may manage accounts when nobody else may" },
	{ "ADMIN_PASSWORD", OPTION_SECRET, &auth.admin_password, "", "their first password" },
	{},
};
static const struct service_module password_module = { .name = "passwords",
						       .options = password_options };

static int start(struct service *service, char **error)
{
	auth_module_service = &auth;
	auth_service_serve(service_server(service), &auth_service, &auth);
	service_every(service, "keys", 5000, keys_tend, &auth);
	service_every(service, "credentials", 2000, credential_sweep, &auth);
	return 0;
}

SERVICE_MAIN(.name = "auth", .summary = "Knows who is who, and what they may do.",
	     .options = options, .threads = 8,
	     .modules = MODULES(&mongo_module, &redis_module, &nats_module, &outbox_module,
				&password_module, &breaches_module, &auth_module),
	     .start = start)
