/* Shipments against the real server: one order ships once, and is followed until it has arrived. */
#include "errors.msg.h"
#include "test_shipping.h"

TEST(an_order_gets_its_parcels_and_the_carrier_gets_them)
{
	CreateShipmentsResponse *made = ship("orders/o", 2, 2);

	ck_assert_uint_eq(made->n_shipments, 2);
	ck_assert_str_eq(made->shipments[0]->name, "shipments/o-1");
	ck_assert_int_eq(made->shipments[0]->state, SHIPMENT_STATE_PENDING);
	ck_assert_str_eq(made->shipments[0]->etag, "\"1\"");
	ck_assert_str_eq(made->shipments[0]->promise->earliest_date, "2026-12-08");
	ck_assert_int_eq(made->shipments[0]->weight_grams, 20600);
	ck_assert_str_eq(told("o"), "");

	work_all();
	ck_assert_str_eq(told("o"),
			 "ShipmentCreated ShipmentUpdated ShipmentCreated ShipmentUpdated");
	ck_state("shipments/o-1", PRE_TRANSIT);
	ck_state("shipments/o-2", PRE_TRANSIT);
	ck_assert_str_eq(shipment("shipments/o-1")->tracking_number, "N1");
	ck_assert_str_eq(told("o"),
			 "ShipmentCreated ShipmentUpdated ShipmentCreated ShipmentUpdated");
	ck_assert_int_eq(n_fake_parcels, 2);
}

TEST(an_order_ships_once)
{
	CreateShipmentsResponse *first = ship("orders/o", 1, 1), *again = ship("orders/o", 1, 1);

	ck_assert_uint_eq(again->n_shipments, first->n_shipments);
	ck_assert_str_eq(again->shipments[0]->name, first->shipments[0]->name);
	work("o");
	ship("orders/o", 1, 1);
	work("o");
	ck_assert_int_eq(n_fake_parcels, 1);
	ck_assert_str_eq(told("o"), "ShipmentCreated ShipmentUpdated");
}

static void *ship_at_once(void *data)
{
	struct rpc_call *own = call_as("", "orders", "");
	CreateShipmentsResponse *response;
	int r = shipping_client_create_shipments(client, own, data, &response);
	bool pending;

	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(response->n_shipments, 2);
	r = consignment_work(&shipping, own, "o", false, &pending);
	ck_assert(!r || r == CONSIGNMENT_BUSY);
	rpc_call_free(own);
	return NULL;
}

TEST(many_at_once_ship_an_order_once)
{
	CreateShipmentsRequest *request = order_of("orders/o", 2, 2);
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, ship_at_once, request);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	work("o");
	ck_assert_int_eq(n_fake_parcels, 2);
	ck_assert_str_eq(told("o"),
			 "ShipmentCreated ShipmentUpdated ShipmentCreated ShipmentUpdated");
}

TEST(a_lost_answer_leaves_one_parcel)
{
	ship("orders/o", 1, 1);
	fake_mode = FAKE_LOSES_ANSWERS;
	fake_mode_count = 1;
	ck_assert(work("o"));
	ck_state("shipments/o-1", PENDING);
	ck_assert(!work("o"));
	ck_state("shipments/o-1", PRE_TRANSIT);
	ck_assert_int_eq(n_fake_parcels, 1);
}

/* A process that was killed between taking the order and noting what the carrier said. */
TEST(work_that_stopped_halfway_goes_on_when_the_lease_is_over)
{
	ConsignmentRecord *was, *draft;

	ship("orders/o", 1, 1);
	was = record_of("o");
	draft = record_of("o");
	draft->lease_holder = "a process that is no more";
	draft->lease_expire_time = draft->next_look_time = clock_timestamp(call, now_ms + 15000);
	draft->parcel_details[0]->tries = 1;
	ck_assert_int_eq(consignment_write(call, was, draft, NULL, NULL), 0);
	ck_assert_int_eq(consignment_work(&shipping, call, "o", false, &(bool){ false }),
			 CONSIGNMENT_BUSY);
	later(15001);
	ck_assert(!work("o"));
	ck_state("shipments/o-1", PRE_TRANSIT);
}

TEST(a_silent_carrier_is_asked_again_with_growing_pauses)
{
	int64_t before = 0;

	ship("orders/o", 1, 1);
	fake_mode = FAKE_SILENT;
	for (int i = 0; i < 12; i++) {
		int64_t pause;

		ck_assert(work("o"));
		pause = clock_ms(record_of("o")->next_look_time) - now_ms;
		ck_assert_int_ge(pause, before);
		ck_assert_int_le(pause, 300000);
		before = pause;
	}
	ck_assert_int_eq(before, 300000);
	fake_mode = FAKE_OK;
	ck_assert(!work("o"));
	ck_state("shipments/o-1", PRE_TRANSIT);
}

TEST(a_parcel_that_the_carrier_refuses_is_an_exception_until_it_takes_it)
{
	ship("orders/o", 1, 1);
	fake_mode = FAKE_REFUSES;
	work("o");
	work("o");
	ck_state("shipments/o-1", EXCEPTION);
	ck_assert_uint_eq(shipment("shipments/o-1")->n_tracking_events, 1);
	fake_mode = FAKE_OK;
	work("o");
	ck_state("shipments/o-1", PRE_TRANSIT);
}

TEST(the_parcel_is_followed_until_it_has_arrived_and_no_longer)
{
	int calls;

	ship("orders/o", 1, 1);
	work("o");
	fake_say(&fake_parcels[0], SHIPMENT_STATE_IN_TRANSIT, T0 + 1000);
	fake_say(&fake_parcels[0], SHIPMENT_STATE_OUT_FOR_DELIVERY, T0 + 2000);
	/* No webhook comes: it is asked for, not before its time. */
	calls = n_fake_calls;
	ck_assert_int_eq(consignment_work(&shipping, call, "o", true, &(bool){ false }),
			 CONSIGNMENT_BUSY);
	ck_assert_int_eq(n_fake_calls, calls);
	later(60001);
	work("o");
	ck_state("shipments/o-1", OUT_FOR_DELIVERY);
	ck_assert_int_eq(clock_ms(shipment("shipments/o-1")->ship_time), T0 + 1000);
	fake_say(&fake_parcels[0], SHIPMENT_STATE_DELIVERED, T0 + 3000);
	later(60001);
	work("o");
	ck_state("shipments/o-1", DELIVERED);
	ck_assert_int_eq(clock_ms(shipment("shipments/o-1")->deliver_time), T0 + 3000);
	ck_assert_ptr_null(record_of("o")->next_look_time);
	ck_assert_str_eq(told("o"),
			 "ShipmentCreated ShipmentUpdated ShipmentUpdated ShipmentDelivered");
	ck_assert_uint_eq(shipment("shipments/o-1")->n_tracking_events, 4);
}

/*
 * Webhooks
 */

static int webhook(const char *carrier, const char *body, const char *signature)
{
	struct rpc_call *own = call_as("", "gateway", "");
	Empty *none;
	int r;

	rpc_set_request_header(own, "carrier-signature", signature);
	r = shipping_client_receive_carrier_webhook(
		client, own,
		MSG(ReceiveCarrierWebhookRequest, .carrier = carrier,
		    .body = MSG(HttpBody,
				.data = { .data = (uint8_t *)body, .len = strlen(body) })),
		&none);
	if (r)
		rpc_fail_code(call, r, "%s", rpc_error_reason(own));
	rpc_call_free(own);
	return r;
}

TEST(a_webhook_has_the_carrier_asked_and_counts_once)
{
	int calls;

	ship("orders/o", 1, 1);
	work("o");
	fake_say(&fake_parcels[0], SHIPMENT_STATE_IN_TRANSIT, T0 + 1000);
	ck_assert_int_eq(webhook("sandbox", "e1 N1", "good"), 0);
	ck_assert_int_eq(webhook("sandbox", "e1 N1", "good"), 0);
	ck_assert_int_eq(shipping_sweep_webhooks(&shipping, call), 0);
	work_all();
	ck_state("shipments/o-1", IN_TRANSIT);
	/* Once more, and late: nothing is left to look at. */
	ck_assert_int_eq(webhook("sandbox", "e1 N1", "good"), 0);
	calls = n_fake_calls;
	ck_assert_int_eq(shipping_sweep_webhooks(&shipping, call), 0);
	work_all();
	ck_assert_int_eq(n_fake_calls, calls);
	ck_assert_str_eq(told("o"), "ShipmentCreated ShipmentUpdated ShipmentUpdated");
}

TEST(a_webhook_that_is_faster_than_the_handing_over_finds_its_parcel_later)
{
	ck_assert_int_eq(webhook("sandbox", "e1 N1", "good"), 0);
	ck_assert_int_eq(shipping_sweep_webhooks(&shipping, call), 0);
	ship("orders/o", 1, 1);
	work("o");
	fake_say(&fake_parcels[0], SHIPMENT_STATE_IN_TRANSIT, T0 + 1000);
	ck_assert_int_eq(shipping_sweep_webhooks(&shipping, call), 0);
	work_all();
	ck_state("shipments/o-1", PRE_TRANSIT);
	later(2001);
	ck_assert_int_eq(shipping_sweep_webhooks(&shipping, call), 0);
	work_all();
	ck_state("shipments/o-1", IN_TRANSIT);
}

TEST(that_the_carrier_knows_a_parcel_is_no_news_while_it_is_handed_over)
{
	CarrierWebhookRecord **due;
	size_t n;

	ship("orders/o", 1, 0);
	ck_assert_int_eq(webhook("sandbox", "e1 N1 o-1", "good"), 0);
	ck_assert_int_eq(webhook_due(call, 10, &due, &n), 0);
	ck_assert_uint_eq(n, 0);
	/* It is of a parcel that nobody hands over. */
	ck_assert_int_eq(webhook("sandbox", "e2 N2 o-2", "good"), 0);
	ck_assert_int_eq(webhook_due(call, 10, &due, &n), 0);
	ck_assert_uint_eq(n, 1);
}

TEST(what_is_stored_with_its_lease_is_carried_on_by_whoever_has_it_and_else_when_that_is_over)
{
	ConsignmentRecord *record;

	for (int stopped = 0; stopped < 2; stopped++) {
		const char *order = stopped ? "p" : "o";

		ship(rpc_printf(call, "orders/%s", order), 1, 0);
		ck_assert_int_eq(consignment_take(&shipping, call, record_of(order), &record), 0);
		work_all();
		ck_assert_int_eq(n_fake_parcels, stopped);
		if (stopped)
			later(shipping.lease_ms + 1);
		else
			ck_assert_int_eq(consignment_carry_on(&shipping, call, &record), 0);
		work_all();
		ck_assert_int_eq(n_fake_parcels, stopped + 1);
		ck_state(rpc_printf(call, "shipments/%s-1", order), PRE_TRANSIT);
		ck_assert_str_eq(record_of(order)->lease_holder, "");
	}
}

TEST(a_webhook_about_nothing_that_we_know_is_answered_and_given_up)
{
	CarrierWebhookRecord **due;
	size_t n;

	ck_assert_int_eq(webhook("sandbox", "e1 N77", "good"), 0);
	ck_assert_int_eq(webhook("sandbox", "nonsense", "good"), 0);
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(shipping_sweep_webhooks(&shipping, call), 0);
		later(3600001);
	}
	ck_assert_int_eq(webhook_due(call, 10, &due, &n), 0);
	ck_assert_uint_eq(n, 0);
}

TEST(a_webhook_that_is_not_signed_or_whose_carrier_is_not_known_is_refused)
{
	ck_assert_int_eq(webhook("sandbox", "e1 N1", "bad"), RPC_UNAUTHENTICATED);
	ck_assert_int_eq(webhook("pigeon", "e1 N1", "good"), RPC_NOT_FOUND);
}

/*
 * Seeing and following
 */

TEST(a_parcel_is_seen_by_who_ordered_and_by_staff)
{
	struct rpc_call *amina, *nadia;
	Shipment *found;

	ship("orders/o", 1, 1);
	amina = call_as("users/amina", "gateway", "");
	nadia = call_as("users/nadia", "gateway", "");
	ck_assert_int_eq(shipping_client_get_shipment(
				 client, amina, MSG(GetShipmentRequest, .name = "o-1"), &found),
			 0);
	ck_assert_int_eq(shipping_client_get_shipment(
				 client, nadia, MSG(GetShipmentRequest, .name = "o-1"), &found),
			 RPC_PERMISSION_DENIED);
	ck_assert(rpc_failed_with(nadia, NOT_OWNER));
	ck_assert_int_eq(shipping_client_get_shipment(
				 client, call, MSG(GetShipmentRequest, .name = "o-7"), &found),
			 RPC_NOT_FOUND);
	ck_assert_int_eq(shipping_client_get_shipment(
				 client, call, MSG(GetShipmentRequest, .name = "nothing"), &found),
			 RPC_NOT_FOUND);
	rpc_call_free(amina);
	rpc_call_free(nadia);
}

TEST(parcels_are_listed_in_pages_and_by_what_they_are)
{
	ListShipmentsResponse *page;
	const char *token = "", *names = "";

	for (int i = 0; i < 5; i++) {
		ship(rpc_printf(call, "orders/o%d", i), 1, 2);
		later(1000);
	}
	work("o3");
	do {
		ck_assert_int_eq(
			shipping_client_list_shipments(
				client, call,
				MSG(ListShipmentsRequest, .page_size = 3, .page_token = token),
				&page),
			0);
		for (size_t i = 0; i < page->n_shipments; i++)
			names = rpc_printf(call, "%s %s", names,
					   page->shipments[i]->name + strlen("shipments/"));
		token = page->next_page_token;
		ck_assert_uint_eq(page->n_shipments, *token ? 3 : 1);
	} while (*token);
	ck_assert_str_eq(names, " o4-1 o4-2 o3-1 o3-2 o2-1 o2-2 o1-1 o1-2 o0-1 o0-2");

	ck_assert_int_eq(shipping_client_list_shipments(
				 client, call,
				 MSG(ListShipmentsRequest,
				     .filter = "state = PRE_TRANSIT AND tracking_number != N1"),
				 &page),
			 0);
	ck_assert_uint_eq(page->n_shipments, 1);
	ck_assert_str_eq(page->shipments[0]->name, "shipments/o3-2");
	ck_assert_int_eq(shipping_client_list_shipments(
				 client, call,
				 MSG(ListShipmentsRequest, .filter = "order = \"orders/o1\""),
				 &page),
			 0);
	ck_assert_uint_eq(page->n_shipments, 2);
	ck_assert_int_eq(
		shipping_client_list_shipments(
			client, call, MSG(ListShipmentsRequest, .filter = "colour = red"), &page),
		RPC_INVALID_ARGUMENT);
}

TEST(staff_note_where_a_parcel_is)
{
	Shipment *tracked;

	ship("orders/o", 1, 1);
	ck_assert_int_eq(shipping_client_track_shipment(client, call,
							MSG(TrackShipmentRequest, .name = "o-1",
							    .description = "seen in Halle",
							    .state = SHIPMENT_STATE_IN_TRANSIT),
							&tracked),
			 0);
	ck_assert_int_eq(tracked->state, SHIPMENT_STATE_IN_TRANSIT);
	ck_assert_str_eq(tracked->tracking_events[0]->actor, "users/staff");
	ck_assert_int_eq(shipping_client_track_shipment(client, call,
							MSG(TrackShipmentRequest, .name = "o-1",
							    .state = SHIPMENT_STATE_IN_TRANSIT),
							&tracked),
			 0);
	ck_assert_uint_eq(tracked->n_tracking_events, 1);
	ck_assert_int_eq(shipping_client_track_shipment(client, call,
							MSG(TrackShipmentRequest, .name = "o-1",
							    .state = SHIPMENT_STATE_PRE_TRANSIT),
							&tracked),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, TRACKING_STATE_INVALID));
	ck_assert_int_eq(shipping_client_track_shipment(client, call,
							MSG(TrackShipmentRequest, .name = "o-1",
							    .etag = "\"1\"",
							    .state = SHIPMENT_STATE_DELIVERED),
							&tracked),
			 RPC_ABORTED);
	ck_assert_int_eq(shipping_client_track_shipment(client, call,
							MSG(TrackShipmentRequest, .name = "o-1",
							    .state = SHIPMENT_STATE_DELIVERED),
							&tracked),
			 0);
	/* It has arrived: nobody hands it over any more. */
	work("o");
	ck_assert_int_eq(n_fake_calls, 0);
}

TEST(a_label_is_there_when_the_carrier_has_the_parcel)
{
	HttpBody *label;

	ship("orders/o", 1, 1);
	ck_assert_int_eq(shipping_client_get_shipment_label(
				 client, call, MSG(GetShipmentLabelRequest, .name = "o-1"), &label),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, LABEL_NOT_READY));
	work("o");
	ck_assert_int_eq(shipping_client_get_shipment_label(
				 client, call, MSG(GetShipmentLabelRequest, .name = "o-1"), &label),
			 0);
	ck_assert_str_eq(label->content_type, "image/svg+xml");
	fake_mode = FAKE_SILENT;
	ck_assert_int_eq(shipping_client_get_shipment_label(
				 client, call, MSG(GetShipmentLabelRequest, .name = "o-1"), &label),
			 RPC_UNAVAILABLE);
}

TEST(what_nothing_ships_by_is_refused)
{
	CreateShipmentsRequest *request = order_of("orders/o", 1, 1);
	CreateShipmentsResponse *response;

	request->shipping_method = "shippingMethods/balloon";
	ck_assert_int_eq(shipping_client_create_shipments(client, call, request, &response),
			 RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, SHIPPING_METHOD_NOT_FOUND));
	request = order_of("orders/o", 0, 21);
	ck_assert_int_eq(shipping_client_create_shipments(client, call, request, &response),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, TOO_MANY_PARCELS));
}

TEST_MAIN("shipments", setup, teardown)
