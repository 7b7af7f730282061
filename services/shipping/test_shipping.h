/* What tests of shipping share: a carrier in memory that can be told to misbehave, orders to ship,
 * and turns of the sweepers. */
#pragma once

#include "consignment.h"
#include <common/clock.h>
#include <common/outbox.h>
#include <pthread.h>
#include <stores.h>
#include <string.h>
#include <test.h>

enum { FAKE_PARCELS_MAX = 200, FAKE_EVENTS_MAX = 10 };

/* It takes each key once. Times are seconds after T0. */
#define T0 1796389200000LL
static struct fake_parcel {
	char key[200], reference[160], id[16], number[16];
	int32_t weight_grams;
	struct carrier_event events[FAKE_EVENTS_MAX];
	size_t n_events;
	bool called_off;
} fake_parcels[FAKE_PARCELS_MAX];
static int n_fake_parcels, n_fake_calls;
static enum { FAKE_OK, FAKE_SILENT, FAKE_LOSES_ANSWERS, FAKE_REFUSES } fake_mode;
static int fake_mode_count = -1; /* calls that it still holds for; negative: until changed */
static pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;

static struct fake_parcel *fake_find(const char *id)
{
	for (int i = 0; i < n_fake_parcels; i++)
		if (!strcmp(fake_parcels[i].id, id))
			return &fake_parcels[i];
	return NULL;
}

/* The one that was made last for a shipment. */
static __attribute__((unused)) struct fake_parcel *fake_of(const char *reference)
{
	for (int i = n_fake_parcels; i-- > 0;)
		if (!strcmp(fake_parcels[i].reference, reference))
			return &fake_parcels[i];
	return NULL;
}

static void fake_say(struct fake_parcel *parcel, ShipmentState state, int64_t time_ms)
{
	parcel->events[parcel->n_events++] =
		(struct carrier_event){ state, "said the carrier", time_ms };
}

static int fake_mode_take(void)
{
	int mode = fake_mode_count ? (int)fake_mode : FAKE_OK;

	n_fake_calls++;
	if (fake_mode_count > 0)
		fake_mode_count--;
	return mode;
}

static void fake_show(struct rpc_call *call, const struct fake_parcel *parcel,
		      struct carrier_parcel *ret)
{
	*ret = (struct carrier_parcel){
		.id = rpc_strdup(call, parcel->id),
		.tracking_number = rpc_strdup(call, parcel->number),
		.tracking_uri = "",
		.label_uri = "label",
		.events = rpc_memdup(call, parcel->events, sizeof(parcel->events)),
		.n_events = parcel->n_events,
	};
}

static int fake_hand_over(struct carrier *self, struct rpc_call *call,
			  const struct carrier_handover *wanted, struct carrier_parcel *ret,
			  const char **why)
{
	int mode = FAKE_OK;
	struct fake_parcel *parcel = NULL;

	pthread_mutex_lock(&fake_lock);
	mode = fake_mode_take();
	*why = "it is as it is";
	for (int i = 0; i < n_fake_parcels; i++)
		if (!strcmp(fake_parcels[i].key, wanted->key))
			parcel = &fake_parcels[i];
	if (!parcel && (mode == FAKE_OK || mode == FAKE_LOSES_ANSWERS)) {
		parcel = &fake_parcels[n_fake_parcels++];
		snprintf(parcel->key, sizeof(parcel->key), "%s", wanted->key);
		snprintf(parcel->reference, sizeof(parcel->reference), "%s", wanted->reference);
		snprintf(parcel->id, sizeof(parcel->id), "f%d", n_fake_parcels);
		snprintf(parcel->number, sizeof(parcel->number), "N%d", n_fake_parcels);
		parcel->weight_grams = wanted->weight_grams;
		fake_say(parcel, SHIPMENT_STATE_PRE_TRANSIT, T0);
	} else if (parcel && parcel->weight_grams != wanted->weight_grams) {
		ck_abort_msg("the same key came with another body");
	}
	if (parcel)
		fake_show(call, parcel, ret);
	pthread_mutex_unlock(&fake_lock);
	return mode == FAKE_REFUSES ? CARRIER_REFUSED : mode == FAKE_OK ? 0 : CARRIER_DOUBT;
}

static int fake_look(struct carrier *self, struct rpc_call *call, const char *id,
		     struct carrier_parcel *ret, const char **why)
{
	struct fake_parcel *parcel;
	int mode;

	pthread_mutex_lock(&fake_lock);
	mode = fake_mode_take();
	parcel = fake_find(id);
	if (parcel)
		fake_show(call, parcel, ret);
	pthread_mutex_unlock(&fake_lock);
	return mode == FAKE_SILENT || mode == FAKE_LOSES_ANSWERS ? CARRIER_DOUBT
	       : parcel                                          ? 0
								 : CARRIER_NOT_FOUND;
}

static int fake_call_off(struct carrier *self, struct rpc_call *call, const char *id,
			 const char **why)
{
	struct fake_parcel *parcel;
	int mode, r = 0;

	pthread_mutex_lock(&fake_lock);
	mode = fake_mode_take();
	parcel = fake_find(id);
	if (!parcel)
		r = CARRIER_NOT_FOUND;
	else if (!parcel->called_off &&
		 parcel->events[parcel->n_events - 1].state != SHIPMENT_STATE_PRE_TRANSIT)
		r = CARRIER_UNDER_WAY;
	else if (mode != FAKE_SILENT)
		parcel->called_off = true;
	pthread_mutex_unlock(&fake_lock);
	return mode == FAKE_SILENT || mode == FAKE_LOSES_ANSWERS ? CARRIER_DOUBT : r;
}

static int fake_label(struct carrier *self, struct rpc_call *call, const char *label_uri,
		      HttpBody **ret, const char **why)
{
	if (fake_mode_take() != FAKE_OK)
		return CARRIER_DOUBT;
	*ret = rpc_new(call, HttpBody, .content_type = "image/svg+xml",
		       .data = { .data = (uint8_t *)"<svg/>", .len = 6 });
	return 0;
}

/* "id number", signed "good", about the last that it said of the parcel; "id number reference": that
 * it has been told of it. */
static int fake_webhook(struct carrier *self, struct rpc_call *call, const char *signature,
			ProtobufCBinaryData body, struct carrier_webhook *ret, const char **why)
{
	char *id = rpc_printf(call, "%.*s", (int)body.len, (const char *)body.data),
	     *space = strchr(id, ' '), *reference;
	const struct fake_parcel *parcel = NULL;

	*why = "it does not fit the body";
	if (!signature || strcmp(signature, "good"))
		return CARRIER_FORGED;
	*ret = (struct carrier_webhook){ "", "", "" };
	if (!space)
		return 0;
	*space = '\0';
	reference = strchr(space + 1, ' ');
	if (reference) {
		*reference = '\0';
		*ret = (struct carrier_webhook){
			id, space + 1, reference + 1, { SHIPMENT_STATE_PRE_TRANSIT, "", T0 }
		};
		return 0;
	}
	for (int i = 0; i < n_fake_parcels; i++)
		if (!strcmp(fake_parcels[i].number, space + 1))
			parcel = &fake_parcels[i];
	*ret = (struct carrier_webhook){ id, space + 1, "" };
	if (parcel)
		ret->event = parcel->events[parcel->n_events - 1];
	return 0;
}

static const struct carrier_ops fake_ops = {
	.signature_header = "carrier-signature",
	.hand_over = fake_hand_over,
	.look = fake_look,
	.call_off = fake_call_off,
	.label = fake_label,
	.webhook = fake_webhook,
};
static struct carrier fake = { .id = "sandbox", .ops = &fake_ops };
static struct carrier *const fakes[] = { &fake, NULL };

static struct shipping_service shipping = {
	.carriers = fakes, .quote_ms = 60000, .poll_ms = 60000, .lease_ms = 15000
};
static struct shipping_client *client;
static struct rpc_call *call;
static int64_t now_ms;

static struct rpc_call *call_as(const char *user, const char *service, const char *scope)
{
	struct rpc_call *made = rpc_call_new("test", 30000);

	rpc_call_set_caller(made, &(const struct rpc_caller){ .user = user,
							      .session = "",
							      .scope = scope,
							      .merge_from = "",
							      .service = service });
	rpc_call_set_now(made, now_ms);
	return made;
}

static void setup(void)
{
	now_ms = T0;
	stores_mongo("shipping");
	client = shipping_client_local(&shipping_service, &shipping);
	call = call_as("users/staff", "orders", "shipping.manage shipping.read");
	ck_assert_int_eq(methods_seed(call), 0);
	n_fake_parcels = n_fake_calls = 0;
	memset(fake_parcels, 0, sizeof(fake_parcels));
	fake_mode = FAKE_OK;
	fake_mode_count = -1;
}

static void teardown(void)
{
	client = shipping_client_free(client);
	call = rpc_call_free(call);
	stores_close();
}

/* Time goes on; for the sweepers' own calls too. */
static __attribute__((unused)) void later(int64_t ms)
{
	now_ms += ms;
	rpc_call_set_now(call, now_ms);
}

static __attribute__((unused)) Address *berlin(void)
{
	Address *made = rpc_new(call, Address, .recipient = "Amina Haddad", .city = "Berlin",
				.country_code = "DE", .postal_code = "12047");

	address_add_lines(call, made, "Sonnenallee 12");
	return made;
}

static __attribute__((unused)) CreateShipmentsRequest *order_of(const char *order, int32_t cups,
								int32_t lamps)
{
	CreateShipmentsRequest *made =
		rpc_new(call, CreateShipmentsRequest, .order = order, .user = "users/amina",
			.address = berlin(), .shipping_method = "shippingMethods/standard");

	if (lamps)
		create_shipments_request_add_lines(
			call, made,
			rpc_new(call, CreateShipmentsRequestLine,
				.line = rpc_printf(call, "%s/lines/1", order), .sku = "LAMP",
				.display_name = "A lamp", .quantity = lamps,
				.weight_grams = 20000));
	if (cups)
		create_shipments_request_add_lines(
			call, made,
			rpc_new(call, CreateShipmentsRequestLine,
				.line = rpc_printf(call, "%s/lines/2", order), .sku = "CUP",
				.display_name = "A cup", .quantity = cups, .weight_grams = 300));
	return made;
}

static __attribute__((unused)) CreateShipmentsResponse *ship(const char *order, int32_t cups,
							     int32_t lamps)
{
	CreateShipmentsResponse *response;

	ck_assert_int_eq(shipping_client_create_shipments(client, call,
							  order_of(order, cups, lamps), &response),
			 0);
	return response;
}

static __attribute__((unused)) Shipment *shipment(const char *name)
{
	Shipment *found;

	ck_assert_int_eq(shipping_client_get_shipment(
				 client, call, MSG(GetShipmentRequest, .name = name), &found),
			 0);
	return found;
}

#define ck_state(name, is) ck_assert_str_eq(tracking_state(shipment(name)->state), #is)

/* Due or not. Whether the carrier was silent, or something is left. */
static __attribute__((unused)) bool work(const char *order)
{
	bool pending = true;

	ck_assert_int_eq(consignment_work(&shipping, call, order, false, &pending), 0);
	return pending;
}

/* What is due, until nothing is. */
static __attribute__((unused)) void work_all(void)
{
	while (shipping_work(&shipping, call))
		;
}

static __attribute__((unused)) ConsignmentRecord *record_of(const char *order)
{
	ConsignmentRecord *record;

	ck_assert_int_eq(consignment_read(call, order, &record), 0);
	return record;
}

/* Events of the document that are not published yet: "ShipmentCreated ShipmentUpdated". */
static __attribute__((unused)) const char *told(const char *order)
{
	const char *text = "";
	const ConsignmentRecord *record = record_of(order);

	for (size_t i = 0; i < record->n_outbox; i++)
		text = rpc_printf(call, "%s%s%s", text, *text ? " " : "",
				  strrchr(record->outbox[i]->type, '.') + 1);
	return text;
}
