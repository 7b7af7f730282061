/*
 * The templates that a shop begins with, in English and German. Staff change them; what they
 * changed is not touched again.
 *
 * The HTML is made of the text: paragraphs, lines, and a button for the line that is a link alone.
 */
#include "notification_store.h"
#include "topics.h"
#include <common/clock.h>
#include <common/names.h>
#include <stdatomic.h>
#include <string.h>

#define TOPIC(name) NOTIFICATION_TEMPLATE_TOPIC_##name

#define GREETING_EN "Hello{{#name}} {{name}}{{/name}},\n\n"
#define GREETING_DE "Hallo{{#name}} {{name}}{{/name}},\n\n"
#define END_EN "\n\nKind regards\n{{shop}}"
#define END_DE "\n\nFreundliche Grüße\n{{shop}}"

#define LINES                                                                                      \
	"{{#lines}}\n{{quantity}} × {{display_name}}{{#total}}: "                                 \
	"{{total}}{{/total}}\n{{/lines}}\n\n"
#define SUMS_EN                                                                                    \
	"Subtotal: {{subtotal}}\n{{#discount}}\nDiscount: "                                        \
	"−{{discount}}\n{{/discount}}\nShipping: {{shipping}}\n"                                 \
	"Tax: {{tax}}\nTotal: {{total}}\n\n"
#define SUMS_DE                                                                                    \
	"Zwischensumme: {{subtotal}}\n{{#discount}}\nRabatt: "                                     \
	"−{{discount}}\n{{/discount}}\nVersand: {{shipping}}\n"                                  \
	"Steuern: {{tax}}\nGesamt: {{total}}\n\n"
#define TRACKING_EN                                                                                \
	"{{#tracking_number}}\nTracking number: {{tracking_number}}\n{{/tracking_number}}\n"       \
	"{{#tracking_link}}\n{{tracking_link}}\n{{/tracking_link}}\n\n"
#define TRACKING_DE                                                                                \
	"{{#tracking_number}}\nSendungsnummer: {{tracking_number}}\n{{/tracking_number}}\n"        \
	"{{#tracking_link}}\n{{tracking_link}}\n{{/tracking_link}}\n\n"

#define WAITS_EN                                                                                   \
	"{{#waits}}\nNot all of it is in stock yet{{#expected_date}}; we expect the rest by "      \
	"{{expected_date}}{{/expected_date}}. When it is here, we send everything together.\n\n"   \
	"{{/waits}}\n"
#define WAITS_DE                                                                                   \
	"{{#waits}}\nNoch ist nicht alles da{{#expected_date}}; den Rest erwarten wir bis zum "    \
	"{{expected_date}}{{/expected_date}}. Sobald er da ist, schicken wir alles "               \
	"zusammen.\n\n{{/waits}}\n"

static const struct seed {
	NotificationTemplateTopic topic;
	const char *language, *subject, *text, *action;
} seeds[] = {
	{ TOPIC(ORDER_CONFIRMED), "en", "Your order {{number}} is confirmed",
	  GREETING_EN
	  "Thank you for your order. We have received your payment{{^waits}}, and we are "
	  "packing{{/waits}}:\n\n" LINES SUMS_EN WAITS_EN
	  "We send it to: {{address}}\n{{#earliest_date}}\nIt should arrive "
	  "between {{earliest_date}} and "
	  "{{latest_date}}.\n{{/earliest_date}}\n\n"
	  "You will hear from us when it leaves. Until then you can still cancel "
	  "it:\n\n{{order_link}}" END_EN,
	  "See my order" },
	{ TOPIC(ORDER_CONFIRMED), "de", "Deine Bestellung {{number}} ist bestätigt",
	  GREETING_DE
	  "danke für deine Bestellung. Deine Zahlung ist da{{^waits}}, und wir packen "
	  "ein{{/waits}}:\n\n" LINES SUMS_DE WAITS_DE
	  "Wir schicken sie an: {{address}}\n{{#earliest_date}}\nSie kommt voraussichtlich "
	  "zwischen dem "
	  "{{earliest_date}} und dem {{latest_date}} an.\n{{/earliest_date}}\n\n"
	  "Du hörst von uns, wenn sie unterwegs ist. Bis dahin kannst du sie noch "
	  "stornieren:\n\n{{order_link}}" END_DE,
	  "Meine Bestellung" },

	{ TOPIC(PAYMENT_FAILED), "en", "The payment for your order {{number}} did not go through",
	  GREETING_EN
	  "Your card was declined, and nothing was charged. We keep your order of {{total}} for a "
	  "while, so that you can "
	  "pay with another card:\n\n{{order_link}}\n\n"
	  "If you do not pay in time, the order ends by itself and costs nothing." END_EN,
	  "Pay with another card" },
	{ TOPIC(PAYMENT_FAILED), "de",
	  "Die Zahlung deiner Bestellung {{number}} hat nicht geklappt",
	  GREETING_DE
	  "deine Karte wurde abgelehnt, und es wurde nichts abgebucht. Wir heben deine Bestellung "
	  "über {{total}} eine Weile "
	  "auf, damit du mit einer anderen Karte zahlen kannst:\n\n{{order_link}}\n\n"
	  "Zahlst du nicht rechtzeitig, endet die Bestellung von selbst und kostet nichts." END_DE,
	  "Mit anderer Karte zahlen" },

	{ TOPIC(SHIPPED), "en", "Your order {{number}} is on its way",
	  GREETING_EN "A parcel with this has left us:\n\n" LINES TRACKING_EN
		      "Where it is now, you see here:\n\n{{order_link}}" END_EN,
	  "Where is it?" },
	{ TOPIC(SHIPPED), "de", "Deine Bestellung {{number}} ist unterwegs",
	  GREETING_DE "ein Paket hat uns verlassen:\n\n" LINES TRACKING_DE
		      "Wo es gerade ist, siehst du hier:\n\n{{order_link}}" END_DE,
	  "Wo ist es?" },

	{ TOPIC(OUT_FOR_DELIVERY), "en", "Your order {{number}} arrives today",
	  GREETING_EN "The carrier is on the way to you with this parcel:\n\n" LINES TRACKING_EN
		      "It goes to: {{address}}" END_EN,
	  "" },
	{ TOPIC(OUT_FOR_DELIVERY), "de", "Deine Bestellung {{number}} kommt heute",
	  GREETING_DE
	  "der Paketdienst ist mit diesem Paket auf dem Weg zu dir:\n\n" LINES TRACKING_DE
	  "Es geht an: {{address}}" END_DE,
	  "" },

	{ TOPIC(DELIVERED), "en", "Your order {{number}} has arrived",
	  GREETING_EN "This parcel was delivered:\n\n" LINES
		      "We hope that you like it. Is something missing or broken? Tell us within 30 "
		      "days:\n\n{{order_link}}" END_EN,
	  "See my order" },
	{ TOPIC(DELIVERED), "de", "Deine Bestellung {{number}} ist angekommen",
	  GREETING_DE "dieses Paket wurde zugestellt:\n\n" LINES
		      "Wir hoffen, es gefällt dir. Fehlt etwas oder ist etwas kaputt? Sag es uns "
		      "innerhalb von 30 Tagen:\n\n"
		      "{{order_link}}" END_DE,
	  "Meine Bestellung" },

	{ TOPIC(DELIVERY_PROBLEM), "en",
	  "There is a problem with the delivery of your order {{number}}",
	  GREETING_EN
	  "{{#attempt_failed}}\nThe carrier could not hand over your parcel. It will try "
	  "again.\n{{/attempt_failed}}\n"
	  "{{#available_for_pickup}}\nYour parcel waits to be picked "
	  "up.\n{{/available_for_pickup}}\n"
	  "{{#returned}}\nYour parcel is on its way back to us. We will write to you about what "
	  "can be done.\n{{/returned}}\n"
	  "{{^attempt_failed}}\n{{^available_for_pickup}}\n{{^returned}}\nThe carrier says that "
	  "something is wrong with "
	  "your parcel. We are looking into "
	  "it.\n{{/returned}}\n{{/available_for_pickup}}\n{{/attempt_failed}}\n\n" LINES TRACKING_EN
	  "{{order_link}}" END_EN,
	  "See my order" },
	{ TOPIC(DELIVERY_PROBLEM), "de",
	  "Bei der Lieferung deiner Bestellung {{number}} gibt es ein Problem",
	  GREETING_DE
	  "{{#attempt_failed}}\nder Paketdienst konnte dein Paket nicht übergeben. Er versucht es "
	  "noch einmal.\n{{/attempt_failed}}\n"
	  "{{#available_for_pickup}}\ndein Paket kann abgeholt werden.\n{{/available_for_pickup}}\n"
	  "{{#returned}}\ndein Paket ist auf dem Weg zurück zu uns. Wir schreiben dir, wie es "
	  "weitergeht.\n{{/returned}}\n"
	  "{{^attempt_failed}}\n{{^available_for_pickup}}\n{{^returned}}\nder Paketdienst meldet, "
	  "dass mit deinem Paket "
	  "etwas nicht stimmt. Wir kümmern uns "
	  "darum.\n{{/returned}}\n{{/available_for_pickup}}\n{{/attempt_failed}}\n\n" LINES
		  TRACKING_DE "{{order_link}}" END_DE,
	  "Meine Bestellung" },

	{ TOPIC(REFUNDED), "en", "{{amount}} of your order {{number}} are on the way back",
	  GREETING_EN "We have given back {{amount}} to the card that you paid with. Banks take a "
		      "few days to show it.\n\n"
		      "{{order_link}}" END_EN,
	  "See my order" },
	{ TOPIC(REFUNDED), "de", "{{amount}} deiner Bestellung {{number}} sind auf dem Rückweg",
	  GREETING_DE "wir haben {{amount}} auf die Karte zurückgegeben, mit der du gezahlt hast. "
		      "Bis deine Bank es zeigt, können "
		      "einige Tage vergehen.\n\n{{order_link}}" END_DE,
	  "Meine Bestellung" },

	{ TOPIC(ORDER_CANCELLED), "en", "Your order {{number}} is cancelled",
	  GREETING_EN
	  "This will not be delivered:\n\n" LINES
	  "{{#refunded}}\nWe have given back {{refunded}}; banks take a few days to "
	  "show it.\n{{/refunded}}\n{{^refunded}}\nNothing was charged.\n{{/refunded}}" END_EN,
	  "" },
	{ TOPIC(ORDER_CANCELLED), "de", "Deine Bestellung {{number}} ist storniert",
	  GREETING_DE
	  "das wird nicht geliefert:\n\n" LINES
	  "{{#refunded}}\nWir haben {{refunded}} zurückgegeben; bis deine Bank es zeigt, "
	  "können einige Tage vergehen.\n{{/refunded}}\n{{^refunded}}\nEs wurde nichts "
	  "abgebucht.\n{{/refunded}}" END_DE,
	  "" },

	{ TOPIC(EMAIL_VERIFICATION), "en", "Please confirm your address",
	  GREETING_EN
	  "Welcome to {{shop}}. Please confirm that this address is yours:\n\n{{link}}\n\n"
	  "You did not register? Then do nothing, and you will not hear from us again." END_EN,
	  "Confirm my address" },
	{ TOPIC(EMAIL_VERIFICATION), "de", "Bitte bestätige deine Adresse",
	  GREETING_DE
	  "willkommen bei {{shop}}. Bitte bestätige, dass diese Adresse deine ist:\n\n{{link}}\n\n"
	  "Du hast dich nicht angemeldet? Dann tu einfach nichts, und du hörst nicht mehr von "
	  "uns." END_DE,
	  "Adresse bestätigen" },

	{ TOPIC(PASSWORD_RESET), "en", "Set a new password",
	  GREETING_EN "Someone, hopefully you, asked for a new password. The link works once, and "
		      "for an hour:\n\n{{link}}\n\n"
		      "It was not you? Then do nothing: your password stays as it is." END_EN,
	  "Set a new password" },
	{ TOPIC(PASSWORD_RESET), "de", "Neues Passwort setzen",
	  GREETING_DE
	  "jemand, hoffentlich du, hat ein neues Passwort angefordert. Der Link gilt einmal und "
	  "eine Stunde lang:\n\n{{link}}\n\n"
	  "Du warst es nicht? Dann tu einfach nichts: Dein Passwort bleibt, wie es ist." END_DE,
	  "Neues Passwort setzen" },

	{ TOPIC(REGISTRATION_REPEATED), "en", "You already have an account",
	  GREETING_EN "Someone, hopefully you, tried to register with this address, which has an "
		      "account with us already. You can "
		      "log in, or set a new password if you have forgotten it:\n\n{{link}}\n\n"
		      "It was not you? Then do nothing: nobody has got into your account." END_EN,
	  "Log in" },
	{ TOPIC(REGISTRATION_REPEATED), "de", "Du hast schon ein Konto",
	  GREETING_DE
	  "jemand, hoffentlich du, wollte sich mit dieser Adresse anmelden, die bei uns schon ein "
	  "Konto hat. Du kannst dich "
	  "einloggen, oder ein neues Passwort setzen, wenn du es vergessen hast:\n\n{{link}}\n\n"
	  "Du warst es nicht? Dann tu einfach nichts: Niemand ist in dein Konto gelangt." END_DE,
	  "Einloggen" },

	{ TOPIC(BACK_IN_STOCK), "en", "{{product}} is back",
	  GREETING_EN "You asked us to tell you: {{product}} can be bought again{{#price}}, for "
		      "{{price}} without tax{{/price}}.\n\n"
		      "{{product_link}}\n\nThis is the only mail about it." END_EN,
	  "Have a look" },
	{ TOPIC(BACK_IN_STOCK), "de", "{{product}} ist wieder da",
	  GREETING_DE "du wolltest es wissen: {{product}} gibt es wieder{{#price}}, für {{price}} "
		      "ohne Steuern{{/price}}.\n\n"
		      "{{product_link}}\n\nDas ist die einzige Mail dazu." END_DE,
	  "Ansehen" },

	{ TOPIC(STOCK_LOW), "en",
	  "{{#out}}Out of stock{{/out}}{{^out}}Low on stock{{/out}}: {{sku}}",
	  "{{#out}}\nThe last unit of {{sku}} that can be sold is gone.\n{{/out}}\n"
	  "{{^out}}\nOnly {{available}} units of {{sku}} can still be sold.\n{{/out}}",
	  "" },
	{ TOPIC(STOCK_LOW), "de",
	  "{{#out}}Ausverkauft{{/out}}{{^out}}Bald ausverkauft{{/out}}: {{sku}}",
	  "{{#out}}\nDas letzte verkäufliche Stück von {{sku}} ist weg.\n{{/out}}\n"
	  "{{^out}}\nVon {{sku}} sind nur noch {{available}} Stück zu verkaufen.\n{{/out}}",
	  "" },

	{ TOPIC(STOCK_RESTOCKED), "en", "Back in stock: {{sku}}",
	  "{{sku}} was out of stock, and {{available}} units can be sold again.\n", "" },
	{ TOPIC(STOCK_RESTOCKED), "de", "Wieder da: {{sku}}",
	  "{{sku}} war ausverkauft, und {{available}} Stück sind wieder zu verkaufen.\n", "" },
};

/* --- HTML --- */

static bool is_tag_alone(const char *line, size_t length)
{
	return length > 4 && !strncmp(line, "{{", 2) && strchr("#^/", line[2]) &&
	       !strncmp(line + length - 2, "}}", 2) && !memchr(line + 2, '{', length - 2);
}

static bool is_link_alone(const char *line, size_t length)
{
	return length >= strlen("{{link}}") && !strncmp(line, "{{", 2) &&
	       !strncmp(line + length - 6, "link}}", 6) && !memchr(line + 2, '{', length - 2);
}

static const char *html_line(struct rpc_call *call, const struct seed *seed, const char *line,
			     size_t length, bool last)
{
	const char *label = *seed->action ? seed->action : NULL;

	if (is_tag_alone(line, length))
		return rpc_printf(call, "%.*s\n", (int)length, line);
	if (!is_link_alone(line, length))
		return rpc_printf(call, "%.*s%s\n", (int)length, line, last ? "" : "<br>");
	if (label && strncmp(line, "{{tracking", 10))
		return rpc_printf(call,
				  "<a href=\"%.*s\" style=\"display:inline-block;padding:10px "
				  "18px;border-radius:6px;"
				  "background:#7a3e1d;color:#fff;text-decoration:none\">%s</a>\n",
				  (int)length, line, label);
	return rpc_printf(call, "<a href=\"%.*s\" style=\"color:#7a3e1d\">%.*s</a>\n", (int)length,
			  line, (int)length, line);
}

/* The texts above hold nothing that HTML would read. */
static const char *html_of(struct rpc_call *call, const struct seed *seed)
{
	const char *html = rpc_printf(call,
				      "<!doctype html>\n<html lang=\"%s\">\n<body "
				      "style=\"margin:0;background:#f6f1ea\">\n"
				      "<div style=\"max-width:560px;margin:0 "
				      "auto;padding:24px;background:#fff;color:#222;"
				      "font:16px/1.5 sans-serif\">\n<p "
				      "style=\"font-size:22px;color:#7a3e1d\">{{shop}}</p>\n<p>\n",
				      seed->language);

	for (const char *at = seed->text; *at;) {
		size_t length = strcspn(at, "\n");
		bool paragraph = at[length] == '\n' && at[length + 1] == '\n',
		     last = paragraph || !at[length];

		html = rpc_printf(call, "%s%s%s", html, html_line(call, seed, at, length, last),
				  paragraph ? "</p>\n<p>\n" : "");
		at += length;
		at += strspn(at, "\n");
	}
	return rpc_printf(call, "%s</p>\n</div>\n</body>\n</html>\n", html);
}

static int plant(struct rpc_call *call, const struct seed *seed)
{
	const char *id = rpc_printf(call, "%s.%s", topic_of(seed->topic)->id, seed->language);
	NotificationTemplate *made = rpc_new(
		call, NotificationTemplate, .name = name_of(call, "notificationTemplates", id),
		.topic = seed->topic, .language_code = seed->language, .subject = seed->subject,
		.text = seed->text, .html = html_of(call, seed), .update_time = clock_now(call));
	int r = template_insert(call, rpc_new(call, NotificationTemplateRecord, .id = id,
					      .notification_template = made, .schema_version = 1));

	return r == MONGO_DUPLICATE ? 0 : r;
}

int templates_seed(struct rpc_call *call)
{
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(seeds) / sizeof(*seeds); i++)
		r = plant(call, &seeds[i]);
	return r;
}

static int seed(void *data, struct rpc_call *call)
{
	return templates_seed(call);
}

/* The database may come later than we do. */
static bool ready(const char **why)
{
	static atomic_bool done;

	if (!done) {
		cleanup(rpc_call_freep) struct rpc_call *call =
			rpc_call_new("notification.seed", 4000);

		done = !rpc_call_run(call, seed, NULL);
	}
	*why = "the templates of mails are not stored yet";
	return done;
}

const struct service_module templates_module = { .name = "templates", .ready = ready };
