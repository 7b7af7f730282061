/* Topics: what mails are about, and what is known when one is written. */
#include "topics.h"
#include <ctype.h>
#include <string.h>

#define ALL "name shop shop_link"
#define ORDER                                                                                      \
	ALL " number order_link lines subtotal discount shipping tax total address "               \
	    "shipping_method earliest_date latest_date waits expected_date"
#define PARCEL ORDER " carrier tracking_number tracking_link"
#define TOPIC(name) NOTIFICATION_TEMPLATE_TOPIC_##name

static const struct topic topics[] = {
	[TOPIC(ORDER_CONFIRMED)] = { "order-confirmed", ORDER },
	[TOPIC(PAYMENT_FAILED)] = { "payment-failed", ORDER " amount" },
	[TOPIC(SHIPPED)] = { "shipped", PARCEL },
	[TOPIC(OUT_FOR_DELIVERY)] = { "out-for-delivery", PARCEL },
	[TOPIC(DELIVERED)] = { "delivered", PARCEL },
	[TOPIC(DELIVERY_PROBLEM)] = { "delivery-problem",
				      PARCEL " attempt_failed available_for_pickup returned" },
	[TOPIC(REFUNDED)] = { "refunded", ORDER " amount" },
	[TOPIC(ORDER_CANCELLED)] = { "order-cancelled", ORDER " refunded" },
	[TOPIC(EMAIL_VERIFICATION)] = { "email-verification", ALL " link" },
	[TOPIC(PASSWORD_RESET)] = { "password-reset", ALL " link" },
	[TOPIC(REGISTRATION_REPEATED)] = { "registration-repeated", ALL " link" },
	[TOPIC(BACK_IN_STOCK)] = { "back-in-stock", ALL " product product_link price" },
	[TOPIC(STOCK_LOW)] = { "stock-low", "shop shop_link sku available out" },
	[TOPIC(STOCK_RESTOCKED)] = { "stock-restocked", "shop shop_link sku available" },
};
#define N_TOPICS (sizeof(topics) / sizeof(*topics))
_Static_assert(N_TOPICS == TOPIC(STOCK_RESTOCKED) + 1, "each topic has its variables");

const struct topic *topic_of(NotificationTemplateTopic topic)
{
	return &topics[(size_t)topic < N_TOPICS ? topic : TOPIC(ORDER_CONFIRMED)];
}

const char *topic_name(NotificationTemplateTopic topic)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
		&NotificationTemplateTopic_descriptor, (int)topic);

	return value ? value->name : "";
}

/* BCP 47 as far as mails need it: "de", "de-AT", "zh-Hant". */
static bool is_language(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz");

	if (length < 2 || length > 3)
		return false;
	for (text += length; *text == '-'; text += length) {
		text++;
		for (length = 0; isalnum((unsigned char)text[length]); length++)
			;
		if (length < 2 || length > 8)
			return false;
	}
	return !*text;
}

NotificationTemplateTopic topic_of_template(struct rpc_call *call, const char *id,
					    const char **language)
{
	const char *dot = strchr(id, '.');

	if (!dot || !is_language(dot + 1) || strlen(dot + 1) > 35)
		return TOPIC(UNSPECIFIED);
	for (NotificationTemplateTopic topic = TOPIC(UNSPECIFIED) + 1; (size_t)topic < N_TOPICS;
	     topic++)
		if (strlen(topics[topic].id) == (size_t)(dot - id) &&
		    !strncmp(topics[topic].id, id, (size_t)(dot - id))) {
			*language = rpc_strdup(call, dot + 1);
			return topic;
		}
	return TOPIC(UNSPECIFIED);
}
