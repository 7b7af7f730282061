/* What tests of notification share: a shop that answers, a mail server, events that are heard. */
#pragma once

#include "../common/mongo_private.h"
#include "errors.msg.h"
#include "notification_store.h"
#include <common/clock.h>
#include <common/money.h>
#include <common/mongo.h>
#include <common/names.h>
#include <pthread.h>
#include <stdlib.h>
#include <stores.h>
#include <string.h>
#include <test.h>

#define T0 1796389200000LL
static int64_t now_ms;
static struct rpc_call *call;
static struct notification_client *client;

/*
 * The shop
 */

static struct {
	bool away, guest;
	const char *order_email, *language, *region;
	OrderState state;
	int tokens, waiting;
	int64_t promise_ms;
	bool sellable;
} shop;

struct orders_service {
	char unused;
};
struct users_service {
	char unused;
};
struct catalog_service {
	char unused;
};

static int away(struct rpc_call *of)
{
	return rpc_fail_code(of, RPC_UNAVAILABLE, "It is away, and amina@example.com with it.");
}

static User *amina(struct rpc_call *of)
{
	return rpc_new(of, User, .name = "users/amina", .email = "amina@example.com",
		       .display_name = "Amina & Co", .language_code = shop.language);
}

static int get_order(struct orders_service *self, struct rpc_call *of, const GetOrderRequest *req,
		     Order **ret)
{
	Order *order;
	OrderLine *line;
	OrderShipment *parcel;

	if (shop.away)
		return away(of);
	if (strcmp(req->name, "orders/o1"))
		return rpc_fail(of, ORDER_NOT_FOUND, { "order", req->name });
	order = rpc_new(of, Order, .name = "orders/o1", .number = "SK-1", .user = "users/amina",
			.guest = shop.guest, .email = shop.order_email, .state = shop.state,
			.currency_code = "EUR");
	line = rpc_new(of, OrderLine, .name = "orders/o1/lines/1", .display_name = "Mint tea",
		       .quantity = 2, .sku = "TEA", .subtotal = money_new(of, "EUR", 1000),
		       .backordered_quantity = shop.waiting);
	if (shop.promise_ms)
		line->promise_time = clock_timestamp(of, shop.promise_ms);
	order_add_lines(of, order, line);
	parcel = rpc_new(of, OrderShipment, .name = "shipments/o1-1", .state = "IN_TRANSIT");
	order_shipment_add_lines(of, parcel,
				 rpc_new(of, OrderShipmentLine, .line = line->name, .quantity = 1));
	order_add_shipments(of, order, parcel);
	order->totals =
		rpc_new(of, OrderTotals, .subtotal = money_new(of, "EUR", 1000),
			.shipping = money_new(of, "EUR", 490), .tax = money_new(of, "EUR", 0),
			.total = money_new(of, "EUR", 1490));
	order->shipping_option =
		rpc_new(of, ShippingOption, .display_name = "Standard",
			.promise = rpc_new(of, DeliveryPromise, .earliest_date = "2027-03-02",
					   .latest_date = "2027-03-04"));
	order->shipping_address =
		rpc_new(of, Address, .recipient = "Amina Haddad", .city = "Berlin",
			.postal_code = "12047", .region = shop.region ?: "", .country_code = "DE");
	address_add_lines(of, order->shipping_address, "Sonnenallee 12");
	*ret = order;
	return 0;
}
static const struct orders_service_ops fake_orders = { .get_order = get_order };

static int get_user(struct users_service *self, struct rpc_call *of, const GetUserRequest *req,
		    User **ret)
{
	if (shop.away)
		return away(of);
	if (strcmp(req->name, "users/amina"))
		return rpc_fail(of, USER_NOT_FOUND, { "user", req->name });
	*ret = amina(of);
	return 0;
}

static int issue_verification_token(struct users_service *self, struct rpc_call *of,
				    const IssueVerificationTokenRequest *req,
				    IssueVerificationTokenResponse **ret)
{
	if (shop.away)
		return away(of);
	if (!strncmp(req->name, "users/gone/", 11))
		return rpc_fail(of, USER_NOT_FOUND, { "user", "users/gone" });
	if (strstr(req->name, "used"))
		return rpc_fail(of, VERIFICATION_NOT_FOUND, { "verification", req->name });
	*ret = rpc_new(of, IssueVerificationTokenResponse,
		       .token = rpc_printf(of, "fresh-%d", ++shop.tokens), .user = amina(of));
	return 0;
}
static const struct users_service_ops fake_users = { .get_user = get_user,
						     .issue_verification_token =
							     issue_verification_token };

/* "products/tea/variants/mint" is there. */
static int batch_get_variants(struct catalog_service *self, struct rpc_call *of,
			      const BatchGetVariantsRequest *req, BatchGetVariantsResponse **ret)
{
	BatchGetVariantsResponse *response = rpc_new(of, BatchGetVariantsResponse);

	if (shop.away)
		return away(of);
	if (strncmp(req->names[0], "products/tea/variants/", 22)) {
		batch_get_variants_response_add_missing(of, response, req->names[0]);
	} else {
		const char *id = name_id(req->names[0]);

		batch_get_variants_response_add_variants(
			of, response,
			rpc_new(of, VariantDetails, .product = "products/tea",
				.display_name = "Mint tea, 250 g", .sellable = shop.sellable,
				.variant = rpc_new(of, Variant, .name = req->names[0],
						   .sku = rpc_printf(of, "TEA-%s", id),
						   .price = money_new(of, "EUR", 500))));
	}
	*ret = response;
	return 0;
}
static const struct catalog_service_ops fake_catalog = { .batch_get_variants = batch_get_variants };

/*
 * The mail server
 */

enum { MAILS_MAX = 200 };
static struct mail mails[MAILS_MAX]; /* all that it was asked to send; of the present test's call */
static int n_mails, mail_result;
static pthread_mutex_t mail_lock = PTHREAD_MUTEX_INITIALIZER;

static char *keep(const char *text)
{
	char *copy = strdup(text); /* longer than the sender's call */

	ck_assert_ptr_nonnull(copy);
	return copy;
}

static int fake_send(struct mailer *self, struct rpc_call *of, const struct mail *mail,
		     const char **why)
{
	pthread_mutex_lock(&mail_lock);
	ck_assert_int_lt(n_mails, MAILS_MAX);
	mails[n_mails++] =
		(struct mail){ keep(mail->to),   keep(mail->subject),    keep(mail->text),
			       keep(mail->html), keep(mail->message_id), mail->date_ms };
	pthread_mutex_unlock(&mail_lock);
	*why = mail_result == MAIL_REFUSED ? "550 5.1.1 no such mailbox"
					   : "451 4.3.0 try again later";
	return mail_result;
}
static const struct mail_ops fake_mail_ops = { .send = fake_send };
static struct mailer fake_mailer = { .ops = &fake_mail_ops };

static struct notification_service service = {
	.mailer = &fake_mailer,
	.shop = "Souk",
	.shop_url = "https://shop.example",
	.operators = "staff@example.com",
	.domain = "shop.example",
	.give_up_ms = 2 * 24 * 3600000LL,
	.lease_ms = 30000,
};

static struct rpc_call *call_as(const char *user, const char *service_name, const char *scope)
{
	struct rpc_call *made = rpc_call_new("test", 60000);

	rpc_call_set_caller(made, &(const struct rpc_caller){ .user = user,
							      .session = "sessions/s",
							      .scope = scope,
							      .merge_from = "",
							      .service = service_name });
	rpc_call_set_now(made, now_ms);
	return made;
}

static void setup(void)
{
	now_ms = T0;
	stores_mongo("notification");
	shop = (__typeof__(shop)){
		.order_email = "", .language = "", .state = ORDER_STATE_CONFIRMED, .sellable = true
	};
	n_mails = mail_result = 0;
	service.orders = orders_client_local(&fake_orders, &(struct orders_service){ 0 });
	service.users = users_client_local(&fake_users, &(struct users_service){ 0 });
	service.catalog = catalog_client_local(&fake_catalog, &(struct catalog_service){ 0 });
	client = notification_client_local(&notification_service, &service);
	/* Peers admit the service itself. */
	call = call_as("users/staff", "notification", "notification.read notification.manage");
	ck_assert_int_eq(templates_seed(call), 0);
}

static void forget_mails(void)
{
	for (int i = 0; i < n_mails; i++) {
		free((char *)mails[i].to);
		free((char *)mails[i].subject);
		free((char *)mails[i].text);
		free((char *)mails[i].html);
		free((char *)mails[i].message_id);
	}
	n_mails = 0;
}

static void teardown(void)
{
	forget_mails();
	orders_client_free(service.orders);
	users_client_free(service.users);
	catalog_client_free(service.catalog);
	client = notification_client_free(client);
	call = rpc_call_free(call);
	templates_forget();
	stores_close();
}

/*
 * What happens
 */

static __attribute__((unused)) void later(int64_t ms)
{
	now_ms += ms;
	rpc_call_set_now(call, now_ms);
}

static __attribute__((unused)) void send_all(void)
{
	int r;

	while ((r = notification_send(&service, call)) > 0)
		;
	ck_assert_int_eq(r, 0);
}

static __attribute__((unused)) struct rpc_event *heard(const char *id)
{
	struct rpc_event *event = rpc_alloc(call, sizeof(*event));

	*event = (struct rpc_event){ .id = id, .time_ms = now_ms };
	return event;
}

static __attribute__((unused)) void hear_paid(const char *id, const char *order)
{
	souk_orders_v1_OrderPaid *event = rpc_alloc(call, sizeof(*event));

	event_text(event->order, order);
	event_text(event->user, "users/amina");
	ck_assert_int_eq(notification_orders.order_paid((void *)&service, call, event, heard(id)),
			 0);
}

static __attribute__((unused)) void hear_verification(const char *id, const char *verification)
{
	souk_users_v1_EmailVerificationRequested event = { 0 };

	event_text(event.verification, verification);
	event_text(event.user, "users/amina");
	ck_assert_int_eq(notification_users.email_verification_requested((void *)&service, call,
									 &event, heard(id)),
			 0);
}

static __attribute__((unused)) void hear_moved(const char *id, const char *before,
					       const char *state)
{
	souk_shipping_v1_ShipmentUpdated *event = rpc_alloc(call, sizeof(*event));

	event_text(event->shipment, "shipments/o1-1");
	event_text(event->order, "orders/o1");
	event_text(event->user, "users/amina");
	event_text(event->state, state);
	event_text(event->previous_state, before);
	event_text(event->tracking_number, "N1");
	event_text(event->tracking_uri, "javascript:alert(1)");
	ck_assert_int_eq(
		notification_shipping.shipment_updated((void *)&service, call, event, heard(id)),
		0);
}

/* The i-th, the oldest first. */
static __attribute__((unused)) Delivery *delivery_of(size_t i)
{
	ListDeliveriesResponse *page;

	ck_assert_int_eq(notification_client_list_deliveries(
				 client, call, MSG(ListDeliveriesRequest, .page_size = 100), &page),
			 0);
	ck_assert_uint_lt(i, page->n_deliveries);
	/* Those of the same instant are sorted by their ids: by their topics then, which the tests
	 * know. */
	for (size_t j = 0; j < page->n_deliveries; j++)
		for (size_t k = 0; k + 1 < page->n_deliveries; k++)
			if (page->deliveries[k]->topic > page->deliveries[k + 1]->topic) {
				Delivery *swapped = page->deliveries[k];

				page->deliveries[k] = page->deliveries[k + 1];
				page->deliveries[k + 1] = swapped;
			}
	return page->deliveries[i];
}

/* Events of all deliveries that are not published yet: "NotificationSent". */
static __attribute__((unused)) const char *told(void)
{
	ListDeliveriesResponse *page;
	const char *text = "";

	ck_assert_int_eq(notification_client_list_deliveries(
				 client, call, MSG(ListDeliveriesRequest, .page_size = 100), &page),
			 0);
	for (size_t i = 0; i < page->n_deliveries; i++) {
		DeliveryRecord *record;

		ck_assert_int_eq(delivery_read(call, name_id(page->deliveries[i]->name), &record),
				 0);
		for (size_t j = 0; j < record->n_outbox; j++)
			text = rpc_printf(call, "%s%s%s", text, *text ? " " : "",
					  strrchr(record->outbox[j]->type, '.') + 1);
	}
	return text;
}

static __attribute__((unused)) int look_for(void *data, struct rpc_call *of, const bson_t *document)
{
	const uint8_t *bytes = bson_get_data(document);

	return memmem(bytes, document->len, data, strlen(data)) ? 1 : 0;
}

/* Whether any document of any collection holds these bytes. */
static __attribute__((unused)) bool database_holds(const char *bytes)
{
	mongo_each_collection(
		collection) if (mongo_each(call, collection,
					   &(const struct mongo_query){ .limit = 10000 }, look_for,
					   rpc_strdup(call, bytes))) return true;
	return false;
}

#define ck_says(text, part) ck_assert_msg(strstr(text, part), "'%s' is not in: %s", part, text)
#define ck_silent(text, part) ck_assert_msg(!strstr(text, part), "'%s' is in: %s", part, text)
