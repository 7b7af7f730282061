/* The outside world, each part over its own HTTP. */
#include "outside.h"
#include "http.h"
#include "platform.h"
#include <check.h>
#include <string.h>

static struct app *stripe_app, *inbox_app, *proxy_app, *carrier_app;

static struct app *reach(struct app **app, const char *variable)
{
	if (!*app)
		*app = app_new_at(platform_variable(variable));
	return *app;
}

void outside_end(void)
{
	stripe_app = app_free(stripe_app);
	inbox_app = app_free(inbox_app);
	proxy_app = app_free(proxy_app);
	carrier_app = app_free(carrier_app);
}

static struct app *stripe(void)
{
	struct app *app = reach(&stripe_app, "SOUK_TEST_STRIPE_URL");

	app_use_token(app, platform_variable("SOUK_TEST_STRIPE_KEY"));
	return app;
}

static struct response *stripe_get(const char *path)
{
	return expect(http_get(stripe(), "%s", path), 200);
}

static bool is_of(json_t *intent, const char *order)
{
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(intent, "metadata"), key, value)
	{
		const char *said = json_string_value(value), *id = said ? strrchr(said, '/') : NULL;

		if (said && !strcmp(id ? id + 1 : said, order))
			return true;
	}
	return false;
}

/* `see(intent, data)` for each of the order's intents. */
static void each_intent(const char *order, void (*see)(json_t *intent, int64_t *sum), int64_t *sum)
{
	const char *after = "";

	for (;;) {
		struct response *page = stripe_get(text("/v1/payment_intents?limit=100%s", after));
		json_t *intent;
		size_t i;

		json_array_foreach(json_at(page, "data"), i, intent)
		{
			if (is_of(intent, order))
				see(intent, sum);
		}
		if (!flag_at(page, "has_more"))
			return;
		after = text("&starting_after=%s",
			     text_at(page, text("data.%zu.id", count_at(page, "data") - 1)));
	}
}

static bool has_status(json_t *intent, const char *status)
{
	return !strcmp(json_string_value(json_object_get(intent, "status")), status);
}

static void count(json_t *intent, int64_t *sum)
{
	(*sum)++;
}

static void count_captured(json_t *intent, int64_t *sum)
{
	*sum += has_status(intent, "succeeded");
}

static void count_held(json_t *intent, int64_t *sum)
{
	*sum += has_status(intent, "requires_capture");
}

/* A capture after a cancel takes the money too, and leaves the status "canceled": the charge knows.
 */
static void add_captured(json_t *intent, int64_t *sum)
{
	json_t *charge = json_path(intent, "latest_charge");

	if (json_is_true(json_object_get(charge, "captured")))
		*sum += json_integer_value(json_object_get(charge, "amount"));
}

static void add_refunded(json_t *intent, int64_t *sum)
{
	*sum += json_integer_value(json_path(intent, "latest_charge.amount_refunded"));
}

#define OVER_INTENTS(order, see)                                                                   \
	({                                                                                         \
		int64_t sum_ = 0;                                                                  \
		each_intent((order), (see), &sum_);                                                \
		sum_;                                                                              \
	})

int stripe_intents(const char *order)
{
	return OVER_INTENTS(order, count);
}

int stripe_charges(const char *order)
{
	return OVER_INTENTS(order, count_captured);
}

int stripe_holds(const char *order)
{
	return OVER_INTENTS(order, count_held);
}

int64_t stripe_captured_cents(const char *order)
{
	return OVER_INTENTS(order, add_captured);
}

int64_t stripe_refunded_cents(const char *order)
{
	return OVER_INTENTS(order, add_refunded);
}

const char *stripe_card(const char *number)
{
	return text_at(
		expect(http_post(stripe(), "/v1/payment_methods",
				 "{'type': 'card', 'card': {'number': '%s', 'exp_month': 12, "
				 "'exp_year': 2040, 'cvc': '123'}}",
				 number),
		       200),
		"id");
}

static void count_waiting(json_t *intent, int64_t *sum)
{
	*sum += has_status(intent, "requires_action");
}

static void answer_bank(json_t *intent, const char *success, int64_t *sum)
{
	if (!has_status(intent, "requires_action"))
		return;
	expect(http_post(stripe(),
			 text("/v1/payment_intents/%s/_authenticate",
			      json_string_value(json_object_get(intent, "id"))),
			 "{'client_secret': '%s', 'success': %s}",
			 json_string_value(json_object_get(intent, "client_secret")), success),
	       200);
	(*sum)++;
}

static void approve(json_t *intent, int64_t *sum)
{
	answer_bank(intent, "true", sum);
}

static void refuse(json_t *intent, int64_t *sum)
{
	answer_bank(intent, "false", sum);
}

int stripe_waiting(const char *order)
{
	return OVER_INTENTS(order, count_waiting);
}

int stripe_approve(const char *order)
{
	return OVER_INTENTS(order, approve);
}

int stripe_refuse(const char *order)
{
	return OVER_INTENTS(order, refuse);
}

static bool is_mail(json_t *mail, const char *to, const char *subject)
{
	const char *said = json_string_value(json_object_get(mail, "subject"));
	json_t *recipient;
	size_t i;

	if (!said || !strcasestr(said, subject))
		return false;
	json_array_foreach(json_object_get(mail, "to"), i, recipient)
	{
		const char *address = json_string_value(json_object_get(recipient, "address"));

		if (address && !strcasecmp(address, to))
			return true;
	}
	return false;
}

static struct response *mails(void)
{
	return expect(http_get(reach(&inbox_app, "SOUK_TEST_INBOX_URL"), "/email"), 200);
}

int mail_count(const char *to, const char *subject)
{
	struct response *all = mails();
	json_t *ids = json_object(), *mail;
	size_t i;
	int distinct;

	json_array_foreach(all->json, i, mail)
	{
		if (is_mail(mail, to, subject))
			json_object_set_new(ids,
					    json_string_value(json_object_get(mail, "messageId")),
					    json_true());
	}
	distinct = json_object_size(ids);
	json_decref(ids);
	return distinct;
}

static json_t *newest(const char *to, const char *subject)
{
	struct response *all = mails();
	json_t *mail, *found = NULL;
	size_t i;

	json_array_foreach(all->json, i, mail)
	{
		if (is_mail(mail, to, subject))
			found = mail;
	}
	return found;
}

json_t *mail_await(const char *to, const char *subject, int seconds)
{
	json_t *mail = NULL;

	eventually(seconds, (mail = newest(to, subject)));
	return mail;
}

const char *mail_token(json_t *mail)
{
	const char *body = json_string_value(json_object_get(mail, "text"));
	const char *at = body ? strstr(body, "token=") : NULL;

	if (!at)
		ck_abort_msg("the mail holds no link with a token: %s", body ? body : "(no text)");
	at += strlen("token=");
	return text(
		"%.*s",
		(int)strspn(at,
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"),
		at);
}

int mails_in_all(void)
{
	return json_array_size(mails()->json);
}

static void control(struct app *app, const char *format, va_list arguments)
{
	char *body = text_list(format, arguments);

	for (char *at = body; (at = strchr(at, '\'')); at++)
		*at = '"';
	expect(http_send(app,
			 &(struct request){ .method = "POST", .path = "/_control", .body = body }),
	       200);
}

void payment_proxy(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	control(reach(&proxy_app, "SOUK_TEST_PAYMENT_PROXY_URL"), format, arguments);
	va_end(arguments);
}

int payment_proxy_faults(void)
{
	struct app *app = reach(&proxy_app, "SOUK_TEST_PAYMENT_PROXY_URL");

	return number_at(expect(http_get(app, "/_control"), 200), "faults");
}

void carrier(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	control(reach(&carrier_app, "SOUK_TEST_CARRIER_URL"), format, arguments);
	va_end(arguments);
}

void inbox(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	control(reach(&inbox_app, "SOUK_TEST_INBOX_URL"), format, arguments);
	va_end(arguments);
}

void outside_behave(void)
{
	payment_proxy("{'calls': 'ok', 'count': -1, 'method': '', 'match': '', 'webhooks': 'ok', "
		      "'webhook_count': -1}");
	carrier("{'create': 'ok', 'create_count': -1, 'webhooks': 'ok', 'interval_ms': 1000}");
	inbox("{}");
}
