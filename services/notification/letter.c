/* Letters: what a delivery says, and to whom, asked for when it is sent. */
#include "letter.h"
#include "topics.h"
#include <common/clock.h>
#include <common/money.h>
#include <common/names.h>
#include <ctype.h>
#include <string.h>

struct writing {
	struct notification_service *self;
	struct rpc_call *call;
	const DeliveryRecord *record;
	struct letter *letter;
};

const char *letter_fact(const DeliveryRecord *record, const char *key)
{
	for (size_t i = 0; i < record->n_facts; i++)
		if (!strcmp(record->facts[i]->key, key))
			return record->facts[i]->value;
	return "";
}

static const char *fact(const struct writing *writing, const char *key)
{
	return letter_fact(writing->record, key);
}

static void set(const struct writing *writing, const char *name, const char *value)
{
	template_set(writing->call, &writing->letter->data.values, name, value);
}

/* Set only when there is more than nothing. */
static void set_amount(const struct writing *writing, const char *name, const Money *amount,
		       bool even_zero)
{
	if (amount && (even_zero || amount->units || amount->nanos))
		set(writing, name, money_print(writing->call, amount));
}

/* As a part of a query: all but what RFC 3986 leaves unreserved. */
static const char *encode(struct rpc_call *call, const char *text)
{
	char *encoded = rpc_alloc(call, 3 * strlen(text) + 1), *to = encoded;

	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("-_.~", *text))
			*to++ = *text;
		else
			to += snprintf(to, 4, "%%%02X", (unsigned char)*text);
	}
	*to = '\0';
	return encoded;
}

static const char *page(const struct writing *writing, const char *path, const char *id)
{
	return rpc_printf(writing->call, "%s/%s%s", writing->self->shop_url, path,
			  encode(writing->call, id));
}

/* Links that others gave: nothing but pages. */
static const char *web_link(const char *uri)
{
	return !strncmp(uri, "https://", 8) || !strncmp(uri, "http://", 7) ? uri : "";
}

/* --- people --- */

static void address_to(const struct writing *writing, const User *user)
{
	writing->letter->to = user->email;
	writing->letter->language = user->language_code;
	set(writing, "name", user->display_name);
}

static int is_gone(const struct rpc_call *call, int r)
{
	return r && rpc_failed_with(call, USER_NOT_FOUND);
}

static int ask_user(const struct writing *writing, const char *name, User **ret)
{
	return users_client_get_user(writing->self->users, writing->call,
				     MSG(GetUserRequest, .name = name), ret);
}

static int write_to_user(const struct writing *writing)
{
	User *user;
	int r = ask_user(writing, writing->record->delivery->user, &user);

	if (is_gone(writing->call, r))
		return LETTER_DROPPED;
	if (!r)
		address_to(writing, user);
	return r;
}

/* --- orders --- */

static void set_lines(const struct writing *writing, const Order *order)
{
	const char *shipment = fact(writing, "shipment");
	struct template_data *data = &writing->letter->data;

	data->lines = rpc_alloc(writing->call, (order->n_lines + 1) * sizeof(*data->lines));
	for (size_t i = 0; i < order->n_lines; i++) {
		const OrderLine *line = order->lines[i];
		int32_t quantity = line->quantity - line->cancelled_quantity;

		/* What is in the parcel, when the mail is about one. */
		for (size_t j = 0; *shipment && j < order->n_shipments; j++) {
			if (strcmp(order->shipments[j]->name, shipment))
				continue;
			quantity = 0;
			for (size_t k = 0; k < order->shipments[j]->n_lines; k++)
				if (!strcmp(order->shipments[j]->lines[k]->line, line->name))
					quantity += order->shipments[j]->lines[k]->quantity;
		}
		if (writing->record->delivery->topic == NOTIFICATION_TEMPLATE_TOPIC_ORDER_CANCELLED)
			quantity = line->quantity;
		if (quantity <= 0)
			continue;
		template_set(writing->call, &data->lines[data->n_lines], "quantity",
			     rpc_printf(writing->call, "%d", quantity));
		template_set(writing->call, &data->lines[data->n_lines], "display_name",
			     line->display_name);
		template_set(writing->call, &data->lines[data->n_lines], "total",
			     *shipment || !line->subtotal
				     ? ""
				     : money_print(writing->call, line->subtotal));
		data->n_lines++;
	}
}

static const char *one_line(struct rpc_call *call, const Address *address)
{
	const char *text = address->recipient;

	for (size_t i = 0; i < address->n_lines; i++)
		text = rpc_printf(call, "%s, %s", text, address->lines[i]);
	text = rpc_printf(call, "%s, %s%s%s", text, address->postal_code,
			  *address->postal_code ? " " : "", address->city);
	if (*address->region)
		text = rpc_printf(call, "%s, %s", text, address->region);
	return rpc_printf(call, "%s, %s", text, address->country_code);
}

/* Whether the order waits for stock, and until when the last of it is expected, if somebody has
 * said. What the carrier promises counts from when it is handed over, so then it says nothing. */
static bool set_waiting(const struct writing *writing, const Order *order)
{
	const Timestamp *last = NULL;
	bool waits = false;

	order_each_lines(line, order) {
		if (!line->backordered_quantity)
			continue;
		waits = true;
		if (clock_ms(line->promise_time) > clock_ms(last))
			last = line->promise_time;
	}
	if (waits)
		set(writing, "waits", "yes");
	if (last)
		set(writing, "expected_date",
		    rpc_printf(writing->call, "%.10s", clock_text(writing->call, last)));
	return waits;
}

static void set_order(const struct writing *writing, const Order *order)
{
	const ShippingOption *way = order->shipping_option;
	const OrderTotals *totals = order->totals;
	bool waits = set_waiting(writing, order);

	set(writing, "number", order->number);
	set(writing, "order_link", page(writing, "orders/", name_id(order->name)));
	set_lines(writing, order);
	if (order->shipping_address)
		set(writing, "address", one_line(writing->call, order->shipping_address));
	if (way)
		set(writing, "shipping_method", way->display_name);
	if (way && way->promise && !waits) {
		set(writing, "earliest_date", way->promise->earliest_date);
		set(writing, "latest_date", way->promise->latest_date);
	}
	if (totals) {
		set_amount(writing, "subtotal", totals->subtotal, true);
		set_amount(writing, "discount", totals->discount, false);
		set_amount(writing, "shipping", totals->shipping, true);
		set_amount(writing, "tax", totals->tax, true);
		set_amount(writing, "total", totals->total, true);
	}
}

/* Mails go where the order says; who has an account is called by the name that they gave there. */
static int address_order(const struct writing *writing, const Order *order)
{
	User *user = NULL;
	int r = order->guest ? 0 : ask_user(writing, order->user, &user);

	if (is_gone(writing->call, r)) {
		rpc_error_clear(writing->call);
		r = 0;
	}
	if (r)
		return r;
	if (user)
		address_to(writing, user);
	if (*order->email)
		writing->letter->to = order->email;
	if (!user && order->shipping_address)
		set(writing, "name", order->shipping_address->recipient);
	return *writing->letter->to ? 0 : LETTER_DROPPED;
}

/* Paid by another card meanwhile, or given up. */
static bool is_settled(const Order *order)
{
	return order->state != ORDER_STATE_AWAITING_PAYMENT && order->state != ORDER_STATE_PAYING;
}

static int write_about_order(const struct writing *writing)
{
	static const char *const facts[] = { "amount", "refunded", "carrier", "tracking_number" };
	const char *state = fact(writing, "state");
	Order *order;
	int r = orders_client_get_order(writing->self->orders, writing->call,
					MSG(GetOrderRequest, .name = fact(writing, "order")),
					&order);

	if (r && rpc_failed_with(writing->call, ORDER_NOT_FOUND))
		return LETTER_DROPPED;
	if (!r && writing->record->delivery->topic == NOTIFICATION_TEMPLATE_TOPIC_PAYMENT_FAILED &&
	    is_settled(order))
		return LETTER_DROPPED;
	if (!r)
		r = address_order(writing, order);
	if (r)
		return r;
	set_order(writing, order);
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++)
		set(writing, facts[i], fact(writing, facts[i]));
	set(writing, "tracking_link", web_link(fact(writing, "tracking_uri")));
	set(writing, "attempt_failed", strcmp(state, "ATTEMPT_FAILED") ? "" : "yes");
	set(writing, "available_for_pickup", strcmp(state, "AVAILABLE_FOR_PICKUP") ? "" : "yes");
	set(writing, "returned", strcmp(state, "RETURNED") ? "" : "yes");
	return 0;
}

/* --- accounts --- */

/* The token is in this call's memory and in the mail, and nowhere else. */
static int write_about_account(const struct writing *writing)
{
	NotificationTemplateTopic topic = writing->record->delivery->topic;
	const char *path =
		topic == NOTIFICATION_TEMPLATE_TOPIC_EMAIL_VERIFICATION ? "verify-email?token="
		: topic == NOTIFICATION_TEMPLATE_TOPIC_PASSWORD_RESET   ? "reset-password?token="
									: "log-in";
	IssueVerificationTokenResponse *issued;
	int r = users_client_issue_verification_token(
		writing->self->users, writing->call,
		MSG(IssueVerificationTokenRequest, .name = fact(writing, "verification")), &issued);

	if (r &&
	    (rpc_failed_with(writing->call, VERIFICATION_NOT_FOUND) || is_gone(writing->call, r)))
		return LETTER_DROPPED;
	if (r)
		return r;
	if (!issued->user || !*issued->user->email)
		return LETTER_DROPPED;
	address_to(writing, issued->user);
	set(writing, "link", page(writing, path, issued->token));
	return 0;
}

/* --- stock --- */

static int write_about_variant(const struct writing *writing)
{
	BatchGetVariantsRequest *request = rpc_new(writing->call, BatchGetVariantsRequest);
	BatchGetVariantsResponse *known;
	const VariantDetails *details;
	int r;

	batch_get_variants_request_add_names(writing->call, request, fact(writing, "variant"));
	r = catalog_client_batch_get_variants(writing->self->catalog, writing->call, request,
					      &known);
	if (r)
		return r;
	details = known->n_variants ? known->variants[0] : NULL;
	if (!details || !details->sellable)
		return LETTER_DROPPED;
	set(writing, "product", details->display_name);
	set(writing, "product_link", page(writing, "products/", name_id(details->product)));
	if (details->variant && details->variant->price)
		set_amount(writing, "price", details->variant->price, false);
	return write_to_user(writing);
}

static int write_to_operators(const struct writing *writing)
{
	if (!*writing->self->operators)
		return LETTER_DROPPED;
	writing->letter->to = writing->self->operators;
	set(writing, "sku", fact(writing, "sku"));
	set(writing, "available", fact(writing, "available"));
	set(writing, "out", strcmp(fact(writing, "available"), "0") ? "" : "yes");
	return 0;
}

int letter_write(struct notification_service *self, struct rpc_call *call,
		 const DeliveryRecord *record, struct letter *ret)
{
	struct letter *letter = rpc_alloc(call, sizeof(*letter));
	const struct writing writing = { self, call, record, letter };
	int r;

	*letter = (struct letter){ .to = "", .language = "" };
	set(&writing, "shop", self->shop);
	set(&writing, "shop_link", self->shop_url);
	switch (record->delivery->topic) {
	case NOTIFICATION_TEMPLATE_TOPIC_EMAIL_VERIFICATION:
	case NOTIFICATION_TEMPLATE_TOPIC_PASSWORD_RESET:
	case NOTIFICATION_TEMPLATE_TOPIC_REGISTRATION_REPEATED:
		r = write_about_account(&writing);
		break;
	case NOTIFICATION_TEMPLATE_TOPIC_BACK_IN_STOCK:
		r = write_about_variant(&writing);
		break;
	case NOTIFICATION_TEMPLATE_TOPIC_STOCK_LOW:
	case NOTIFICATION_TEMPLATE_TOPIC_STOCK_RESTOCKED:
		r = write_to_operators(&writing);
		break;
	default:
		r = write_about_order(&writing);
	}
	if (!r)
		*ret = *letter;
	return r;
}
