/* Recalls against the real server: all or nothing, however often it is asked, wherever it stopped.
 */
#include "test_shipping.h"

static int recall(const char *order, RecallShipmentsResponse **ret)
{
	return shipping_client_recall_shipments(client, call,
						MSG(RecallShipmentsRequest, .order = order), ret);
}

static RecallShipmentsResponse *recalled(const char *order)
{
	RecallShipmentsResponse *response;
	int r = recall(order, &response);

	ck_assert_msg(!r, "%d %s", r, rpc_error_message(call));
	return response;
}

static int recall_units(const char *line, int32_t quantity, const char *request_id)
{
	RecallShipmentsRequest *request = rpc_new(call, RecallShipmentsRequest, .order = "orders/o",
						  .request_id = request_id);
	RecallShipmentsResponse *response;

	recall_shipments_request_add_lines(call, request,
					   rpc_new(call, CreateShipmentsRequestLine, .line = line,
						   .sku = "CUP", .quantity = quantity));
	return shipping_client_recall_shipments(client, call, request, &response);
}

TEST(parcels_that_no_carrier_knows_are_called_off_at_once)
{
	CreateShipmentsResponse *none;

	ship("orders/o", 2, 2);
	ck_assert_uint_eq(recalled("orders/o")->n_shipments, 2);
	ck_state("shipments/o-1", CANCELLED);
	ck_state("shipments/o-2", CANCELLED);
	ck_assert_int_eq(n_fake_calls, 0);
	work_all();
	later(3600000);
	work_all();
	ck_assert_int_eq(n_fake_calls, 0);
	ck_assert_ptr_null(record_of("o")->next_look_time);
	ck_assert_int_eq(
		shipping_client_create_shipments(client, call, order_of("orders/o", 2, 2), &none),
		RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_RECALLED));
}

TEST(parcels_that_the_carrier_has_not_taken_are_called_off_there)
{
	ship("orders/o", 2, 2);
	work("o");
	recalled("orders/o");
	ck_state("shipments/o-1", CANCELLED);
	ck_assert(fake_parcels[0].called_off && fake_parcels[1].called_off);
	recalled("orders/o");
	ck_assert_str_eq(
		told("o"),
		"ShipmentCreated ShipmentUpdated ShipmentCreated ShipmentUpdated ShipmentUpdated "
		"ShipmentUpdated");
}

TEST(a_recall_that_overtakes_its_shipping_wins)
{
	CreateShipmentsResponse *none;

	ck_assert_uint_eq(recalled("orders/o")->n_shipments, 0);
	ck_assert_int_eq(
		shipping_client_create_shipments(client, call, order_of("orders/o", 2, 2), &none),
		RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_RECALLED));
	recalled("orders/o");
}

static void *race(void *data)
{
	struct rpc_call *own = call_as("", "orders", "");
	CreateShipmentsResponse *made;
	RecallShipmentsResponse *gone;
	long i = (long)data;
	int r;

	if (i % 2)
		r = shipping_client_create_shipments(client, own, order_of("orders/o", 2, 2),
						     &made);
	else
		r = shipping_client_recall_shipments(
			client, own, MSG(RecallShipmentsRequest, .order = "orders/o"), &gone);
	ck_assert_msg(!r || (i % 2 && rpc_failed_with(own, ORDER_RECALLED)), "%d %s", r,
		      rpc_error_message(own));
	rpc_call_free(own);
	return NULL;
}

TEST(shipping_and_recalls_at_once_end_in_nothing_shipped)
{
	pthread_t threads[8];
	ConsignmentRecord *record;

	for (long i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, race, (void *)i);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	work_all();
	record = record_of("o");
	ck_assert(record->recalled);
	for (size_t i = 0; i < record->n_shipments; i++)
		ck_assert_int_eq(record->shipments[i]->state, SHIPMENT_STATE_CANCELLED);
	for (int i = 0; i < n_fake_parcels; i++)
		ck_assert(fake_parcels[i].called_off);
}

TEST(a_parcel_that_has_left_cannot_be_recalled_and_the_others_go_on)
{
	RecallShipmentsResponse *none;

	ship("orders/o", 2, 2);
	work("o");
	/* We have not heard of it yet. */
	fake_say(fake_of("o-2"), SHIPMENT_STATE_IN_TRANSIT, T0 + 1000);
	ck_assert_int_eq(recall("orders/o", &none), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, SHIPMENT_NOT_CANCELLABLE));
	ck_assert_str_eq(rpc_error_meta(call, "shipment"), "shipments/o-2");
	ck_assert_str_eq(rpc_error_meta(call, "state"), "IN_TRANSIT");
	ck_state("shipments/o-2", IN_TRANSIT);
	/* The first was called off at the carrier already: it is handed over anew. */
	ck_assert(fake_parcels[0].called_off);
	work("o");
	ck_assert_int_eq(n_fake_parcels, 3);
	ck_assert(!fake_of("o-1")->called_off);
	ck_state("shipments/o-1", PRE_TRANSIT);
	ck_assert_str_eq(shipment("shipments/o-1")->tracking_number, "N3");
	fake_say(fake_of("o-1"), SHIPMENT_STATE_DELIVERED, T0 + 2000);
	work("o");
	ck_state("shipments/o-1", DELIVERED);
}

TEST(whether_a_silent_carrier_has_a_parcel_is_found_out_before_it_is_called_off)
{
	RecallShipmentsResponse *none;

	ship("orders/o", 1, 1);
	fake_mode = FAKE_LOSES_ANSWERS;
	work("o");
	ck_state("shipments/o-1", PENDING);
	ck_assert_int_eq(recall("orders/o", &none), RPC_UNAVAILABLE);
	ck_assert(rpc_failed_with(call, CARRIER_UNAVAILABLE));
	ck_state("shipments/o-1", PENDING);
	/* Nobody asks again: the sweeper ends it. */
	fake_mode = FAKE_OK;
	later(3600000);
	work_all();
	ck_state("shipments/o-1", CANCELLED);
	ck_assert_int_eq(n_fake_parcels, 1);
	ck_assert(fake_parcels[0].called_off);
	ck_assert(record_of("o")->recalled);
	recalled("orders/o");
}

TEST(a_parcel_that_the_carrier_refuses_is_called_off)
{
	ship("orders/o", 1, 1);
	fake_mode = FAKE_REFUSES;
	work("o");
	ck_state("shipments/o-1", EXCEPTION);
	recalled("orders/o");
	ck_state("shipments/o-1", CANCELLED);
}

/* A process that was killed after the recall's first update, or in the middle of handing over. */
TEST(a_recall_that_stopped_is_ended_by_the_sweeper)
{
	ConsignmentRecord *was, *draft;

	ship("orders/o", 2, 2);
	work("o");
	was = record_of("o");
	draft = record_of("o");
	draft->recall = rpc_new(call, ConsignmentRecordRecall, .actor = "services/orders");
	for (size_t i = 0; i < 2; i++)
		draft->parcel_details[i]->intention =
			CONSIGNMENT_RECORD_PARCEL_DETAIL_INTENTION_CALL_OFF;
	draft->next_look_time = clock_timestamp(call, now_ms);
	/* The carrier had called off the first by then. */
	fake_parcels[0].called_off = true;
	ck_assert_int_eq(consignment_write(call, was, draft, NULL, NULL), 0);
	work_all();
	ck_state("shipments/o-1", CANCELLED);
	ck_state("shipments/o-2", CANCELLED);
	ck_assert(record_of("o")->recalled);
}

/*
 * Some units
 */

TEST(units_are_taken_out_and_a_repeat_takes_nothing_more)
{
	ship("orders/o", 5, 1);
	ck_assert_int_eq(recall_units("orders/o/lines/2", 2, "r1"), 0);
	ck_assert_int_eq(recall_units("orders/o/lines/2", 2, "r1"), 0);
	ck_assert_int_eq(shipment("shipments/o-1")->lines[1]->quantity, 3);
	ck_assert_int_eq(shipment("shipments/o-1")->weight_grams, 20900);
	ck_assert_int_eq(recall_units("orders/o/lines/2", 3, "r2"), 0);
	ck_assert_uint_eq(shipment("shipments/o-1")->n_lines, 1);
	ck_assert_int_eq(recall_units("orders/o/lines/2", 1, "r3"), RPC_FAILED_PRECONDITION);
	work("o");
	ck_assert_int_eq(fake_parcels[0].weight_grams, 20000);
	ck_assert(!record_of("o")->recalled);
}

TEST(units_leave_a_parcel_at_the_carrier_only_while_it_is_not_taken)
{
	ship("orders/o", 5, 1);
	work("o");
	ck_assert_int_eq(recall_units("orders/o/lines/2", 2, "r1"), 0);
	ck_assert_int_eq(shipment("shipments/o-1")->lines[1]->quantity, 3);
	/* We have not heard of it yet, and ask. */
	fake_say(&fake_parcels[0], SHIPMENT_STATE_IN_TRANSIT, T0 + 1000);
	ck_assert_int_eq(recall_units("orders/o/lines/2", 2, "r2"), RPC_FAILED_PRECONDITION);
	ck_assert_int_eq(shipment("shipments/o-1")->lines[1]->quantity, 3);
	ck_assert_int_eq(recall_units("orders/o/lines/2", 2, "r1"), 0);
}

TEST(a_parcel_that_is_left_empty_is_called_off_and_the_rest_goes_on)
{
	ship("orders/o", 0, 2);
	work("o");
	ck_assert_int_eq(n_fake_parcels, 2);
	ck_assert_int_eq(recall_units("orders/o/lines/1", 1, "r1"), 0);
	ck_state("shipments/o-1", CANCELLED);
	ck_state("shipments/o-2", PRE_TRANSIT);
	ck_assert(fake_parcels[0].called_off && !fake_parcels[1].called_off);
	ck_assert(!record_of("o")->recalled);
	ck_assert_int_eq(recall_units("orders/o/lines/1", 1, "r1"), 0);
	ck_state("shipments/o-2", PRE_TRANSIT);
}

TEST(a_lost_answer_and_a_recall_of_units_do_not_change_what_the_carrier_is_told)
{
	ship("orders/o", 5, 1);
	fake_mode = FAKE_LOSES_ANSWERS;
	fake_mode_count = 1;
	work("o");
	ck_assert_int_eq(recall_units("orders/o/lines/2", 2, "r1"), 0);
	work("o"); /* the carrier would abort the test */
	ck_state("shipments/o-1", PRE_TRANSIT);
	ck_assert_int_eq(n_fake_parcels, 1);
}

TEST(units_of_an_order_without_parcels_are_not_found)
{
	ck_assert_int_eq(recall_units("orders/o/lines/1", 1, "r1"), RPC_NOT_FOUND);
}

/*
 * One parcel, by staff
 */

TEST(staff_call_off_one_parcel)
{
	Shipment *gone;

	ship("orders/o", 0, 2);
	work("o");
	ck_assert_int_eq(shipping_client_cancel_shipment(
				 client, call,
				 MSG(CancelShipmentRequest, .name = "o-1", .etag = "\"1\""), &gone),
			 RPC_ABORTED);
	ck_assert_int_eq(shipping_client_cancel_shipment(
				 client, call, MSG(CancelShipmentRequest, .name = "o-1"), &gone),
			 0);
	ck_assert_int_eq(gone->state, SHIPMENT_STATE_CANCELLED);
	ck_assert_str_eq(gone->tracking_events[gone->n_tracking_events - 1]->actor, "users/staff");
	ck_assert_int_eq(shipping_client_cancel_shipment(
				 client, call, MSG(CancelShipmentRequest, .name = "o-1"), &gone),
			 0);
	ck_state("shipments/o-2", PRE_TRANSIT);
	ck_assert(!fake_parcels[1].called_off);
	fake_say(&fake_parcels[1], SHIPMENT_STATE_IN_TRANSIT, T0 + 1000);
	ck_assert_int_eq(shipping_client_cancel_shipment(
				 client, call, MSG(CancelShipmentRequest, .name = "o-2"), &gone),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, SHIPMENT_NOT_CANCELLABLE));
	ck_assert_int_eq(shipping_client_cancel_shipment(
				 client, call, MSG(CancelShipmentRequest, .name = "o-3"), &gone),
			 RPC_NOT_FOUND);
}

TEST(a_parcel_that_is_seen_elsewhere_ends_its_recall)
{
	Shipment *tracked;
	RecallShipmentsResponse *none;

	ship("orders/o", 1, 1);
	work("o");
	fake_mode = FAKE_SILENT;
	ck_assert_int_eq(recall("orders/o", &none), RPC_UNAVAILABLE);
	ck_assert_int_eq(shipping_client_track_shipment(client, call,
							MSG(TrackShipmentRequest, .name = "o-1",
							    .state = SHIPMENT_STATE_IN_TRANSIT),
							&tracked),
			 0);
	fake_mode = FAKE_OK;
	ck_assert_ptr_null(record_of("o")->recall);
	ck_assert_int_eq(recall("orders/o", &none), RPC_FAILED_PRECONDITION);
}

TEST_MAIN("recall", setup, teardown)
