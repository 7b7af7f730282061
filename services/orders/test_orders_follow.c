/* Following orders: what parcels and payments tell, lists, and watching. */
#include "errors.msg.h"
#include "payments_events.ev.h"
#include "shipping_events.ev.h"
#include "test_orders.h"

static Order *create_paid(void)
{
	return pay(create("r1")->name, "pm_card_visa", "p1");
}

/* Shipping tells that a parcel with all units of a line is somewhere. */
static void parcel(const Order *order, const char *shipment, int64_t version, const char *state,
		   int line)
{
	souk_shipping_v1_ShipmentUpdated *event = rpc_alloc(call, sizeof(*event));

	event_text(event->shipment, shipment);
	event_text(event->order, order->name);
	event_text(event->user, order->user);
	event_text(event->state, state);
	event_text(event->tracking_number, "T1");
	event->version = version;
	for (size_t i = 0; i < order->n_lines; i++)
		if (line < 0 || line == (int)i) {
			souk_shipping_v1_ShipmentEventLine *to =
				&event->lines[event->lines_count++];

			event_text(to->line, order->lines[i]->name);
			event_text(to->sku, order->lines[i]->sku);
			to->quantity = order->lines[i]->quantity;
		}
	ck_assert_int_eq(orders_shipping.shipment_updated(orders_shipping_listener(&orders), call,
							  event, NULL),
			 0);
}

TEST(an_order_follows_its_parcel_to_the_door)
{
	Order *order = create_paid();
	const char *shipment = order->shipments[0]->name;

	parcel(order, shipment, 2, "PRE_TRANSIT", -1);
	ck_assert_int_eq(get(order->name)->fulfilment_state, ORDER_FULFILMENT_STATE_UNFULFILLED);
	parcel(order, shipment, 3, "IN_TRANSIT", -1);
	parcel(order, shipment, 3, "IN_TRANSIT", -1);
	ck_assert_int_eq(get(order->name)->fulfilment_state, ORDER_FULFILMENT_STATE_SHIPPED);
	ck_assert_int_eq(get(order->name)->lines[0]->shipped_quantity, 2);
	ck_assert_int_eq(events_of(order->name, "OrderShipped"), 1);
	parcel(order, shipment, 5, "DELIVERED", -1);
	parcel(order, shipment, 4, "OUT_FOR_DELIVERY", -1); /* late */
	order = get(order->name);
	ck_assert_int_eq(order->state, ORDER_STATE_COMPLETED);
	ck_assert_int_eq(order->fulfilment_state, ORDER_FULFILMENT_STATE_DELIVERED);
	ck_assert_str_eq(order->shipments[0]->state, "DELIVERED");
	ck_assert_str_eq(order->shipments[0]->tracking_number, "T1");
	ck_assert_int_eq(events_of(order->name, "OrderShipped"), 1);
	ck_assert_int_eq(events_of(order->name, "OrderCompleted"), 1);
}

TEST(an_order_is_complete_when_its_last_parcel_is)
{
	Order *order = create_paid();
	const char *first = order->shipments[0]->name;

	parcel(order, first, 2, "IN_TRANSIT", 0); /* shipping has split it */
	parcel(order, "shipments/second", 1, "PENDING", 1);
	ck_assert_int_eq(get(order->name)->fulfilment_state,
			 ORDER_FULFILMENT_STATE_PARTIALLY_SHIPPED);
	parcel(order, first, 3, "DELIVERED", 0);
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_CONFIRMED);
	parcel(order, "shipments/second", 2, "DELIVERED", 1);
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_COMPLETED);
	ck_assert_int_eq(events_of(order->name, "OrderShipped"), 2);
}

static void cancel_a_unit(const Order *order)
{
	CancelOrderLinesRequest *request =
		rpc_new(call, CancelOrderLinesRequest, .name = order->name, .request_id = "c1");
	Order *none;

	cancel_order_lines_request_add_lines(
		call, request,
		rpc_new(call, CancelOrderLinesRequestLine, .line = "1", .quantity = 1));
	ck_assert_int_eq(orders_client_cancel_order_lines(client, call, request, &none), 0);
}

static void assert_completed(const char *name, int cancelled)
{
	Order *order = get(name);

	ck_assert_int_eq(order->state, ORDER_STATE_COMPLETED);
	ck_assert_int_eq(order->lines[0]->cancelled_quantity, cancelled);
	ck_assert_int_eq(events_of(name, "OrderCompleted"), 1);
	ck_assert_ptr_null(stored(name)->next_look_time);
}

TEST(a_parcel_that_arrives_before_it_could_be_called_off_ends_that_too)
{
	Order *order = create_paid();

	world.before[RECALL] = 1;
	cancel_a_unit(order);
	parcel(order, order->shipments[0]->name, 2, "DELIVERED", -1);
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_CONFIRMED);
	world.carrier_has_it = true;
	sweep();
	assert_completed(order->name, 0);
	ck_assert_int_eq(amounts_minor(get(order->name)->totals->refunded), 0);
}

TEST(a_refund_goes_on_when_the_rest_of_the_order_arrives)
{
	Order *order = create_paid();

	world.before[REFUND] = 100;
	cancel_a_unit(order);
	parcel(order, order->shipments[0]->name, 2, "DELIVERED", -1);
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_CONFIRMED);
	world.before[REFUND] = 0;
	sweep();
	assert_completed(order->name, 1);
	ck_assert_int_eq(amounts_minor(get(order->name)->totals->refunded), 1070);
}

TEST(an_order_whose_parcel_was_faster_than_shippings_answer_is_complete_when_that_comes)
{
	Order *order = create("r1"), *paid;

	world.after[SHIP] = 1;
	pay_as(call, order->name, "pm_card_visa", "p1", &paid);
	parcel(order, rpc_printf(call, "shipments/%s.1", order->name + 7), 2, "DELIVERED", -1);
	sweep();
	assert_completed(order->name, 0);
}

TEST(a_parcel_that_was_told_of_before_shipping_answered_is_the_same_one)
{
	Order *order = create("r1"), *paid;

	world.after[SHIP] = 1;
	pay_as(call, order->name, "pm_card_visa", "p1", &paid);
	parcel(order, rpc_printf(call, "shipments/%s.1", order->name + 7), 2, "PRE_TRANSIT", -1);
	sweep();
	order = get(order->name);
	ck_assert_uint_eq(order->n_shipments, 1);
	ck_assert_str_eq(order->shipments[0]->state, "PRE_TRANSIT");
}

TEST(news_of_a_parcel_waits_until_shippings_answer_is_noted)
{
	Order *order = create_paid();
	const char *id = stored(order->name)->id;

	/* As if it were asked for just now; the mark ends by itself. */
	doing_begin(&orders_shipping_now, id, 100);
	parcel(order, order->shipments[0]->name, 2, "PRE_TRANSIT", -1);
	ck_assert(!doing_is(&orders_shipping_now, id));
	ck_assert_str_eq(get(order->name)->shipments[0]->state, "PRE_TRANSIT");
}

TEST(while_the_carrier_is_asked_nobody_waits_for_what_the_answer_will_tell)
{
	Order *order = create("r1"), *paid;
	souk_shipping_v1_ShipmentCreated *event = rpc_alloc(call, sizeof(*event));

	world.after[SHIP] = 1;
	pay_as(call, order->name, "pm_card_visa", "p1", &paid);
	event_text(event->shipment, rpc_printf(call, "shipments/%s.1", order->name + 7));
	event_text(event->order, order->name);
	event_text(event->state, "PENDING");
	event->version = 1;
	doing_begin(&orders_shipping_now, stored(order->name)->id, 600000);
	/* Were each to wait, the test's time would be over. */
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(orders_shipping.shipment_created(orders_shipping_listener(&orders),
								  call, event, NULL),
				 0);
	ck_assert_uint_eq(get(order->name)->n_shipments, 0);
	doing_end(&orders_shipping_now, stored(order->name)->id);
}

TEST(what_has_left_cannot_be_cancelled)
{
	Order *order = create_paid(), *none;

	parcel(order, order->shipments[0]->name, 2, "IN_TRANSIT", -1);
	ck_assert_int_eq(orders_client_cancel_order(
				 client, call, MSG(CancelOrderRequest, .name = order->name), &none),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_NOT_CANCELLABLE));
	ck_assert_int_eq(world.recalls, 0);
}

TEST(an_event_of_an_order_that_is_not_there_is_refused)
{
	souk_payments_v1_PaymentCaptured event = { .order = "orders/none" };

	ck_assert_int_eq(orders_payments.payment_captured(orders_payments_listener(&orders), call,
							  &event, NULL),
			 RPC_NOT_FOUND);
}

TEST(what_staff_give_back_is_seen_in_the_order)
{
	Order *order = create_paid();
	souk_payments_v1_PaymentRefunded event = { .version = 9, .has_refunded = true };

	event_text(event.order, order->name);
	event_text(event.refunded.currency_code, "EUR");
	event.refunded.units = 5;
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(orders_payments.payment_refunded(orders_payments_listener(&orders),
								  call, &event, NULL),
				 0);
	order = get(order->name);
	ck_assert_int_eq(amounts_minor(order->totals->refunded), 500);
	ck_assert_int_eq(order->payment_state, ORDER_PAYMENT_STATE_PARTIALLY_REFUNDED);
}

/* --- lists --- */

static size_t list(const ListOrdersRequest *request)
{
	ListOrdersResponse *response;

	ck_assert_msg(!orders_client_list_orders(client, call, request, &response), "%s",
		      rpc_error_message(call));
	return response->n_orders;
}

TEST(a_list_shows_ones_own_orders_the_newest_first)
{
	ListOrdersResponse *response;
	const char *token = "";
	char newest[64] = "";
	size_t seen = 0;

	as("users/bob", "");
	create("r1");
	as("users/ann", "");
	for (int i = 0; i < 5; i++) {
		world.in_cart[0] = 1 + i % 2;
		snprintf(newest, sizeof(newest), "%s", create(rpc_printf(call, "r%d", i))->name);
		usleep(2000);
	}
	do {
		ck_assert_int_eq(orders_client_list_orders(client, call,
							   MSG(ListOrdersRequest, .page_size = 2,
							       .page_token = token),
							   &response),
				 0);
		if (!seen)
			ck_assert_str_eq(response->orders[0]->name, newest);
		for (size_t i = 0; i < response->n_orders; i++) {
			ck_assert_str_eq(response->orders[i]->user, "users/ann");
			ck_assert_uint_eq(response->orders[i]->n_history, 0);
		}
		seen += response->n_orders;
		token = response->next_page_token;
	} while (*token);
	ck_assert_uint_eq(seen, 5);
	ck_assert_uint_eq(list(MSG(ListOrdersRequest, .filter = "state = CANCELLED")), 4);
	ck_assert_uint_eq(
		list(MSG(ListOrdersRequest, .filter = "state = AWAITING_PAYMENT AND create_time > "
						      "\"2020-01-01T00:00:00Z\"")),
		1);
	ck_assert_uint_eq(
		list(MSG(ListOrdersRequest, .filter = "create_time < 2020-01-01T00:00:00Z")), 0);
}

TEST(only_staff_list_the_orders_of_others)
{
	ListOrdersResponse *response;

	create("r1");
	as("users/eve", "");
	ck_assert_int_eq(orders_client_list_orders(client, call,
						   MSG(ListOrdersRequest, .user = "users/ann"),
						   &response),
			 RPC_PERMISSION_DENIED);
	ck_assert_int_eq(orders_client_list_orders(client, call,
						   MSG(ListOrdersRequest, .user = "users/-"),
						   &response),
			 RPC_PERMISSION_DENIED);
	as("users/sam", "orders.read");
	ck_assert_uint_eq(list(MSG(ListOrdersRequest, .user = "users/ann")), 1);
	ck_assert_uint_eq(list(MSG(ListOrdersRequest, .user = "users/-")), 1);
	ck_assert_uint_eq(list(MSG(ListOrdersRequest)), 0);
}

/* --- watching --- */

struct watch {
	char name[64], etag[32]; /* what the client has */
	OrderState states[32];
	size_t n;
	int code;
};

static void *watch_in_thread(void *data)
{
	struct watch *watch = data;
	struct rpc_call *own = call_as("users/ann", "");
	struct order_reader *reader;
	Order *order;

	watch->code = orders_client_watch_order(
		client, own, MSG(WatchOrderRequest, .name = watch->name, .last_etag = watch->etag),
		&reader);
	while (!watch->code && watch->n < 32) {
		watch->code = order_reader_next(reader, &order);
		if (!watch->code)
			watch->states[watch->n++] = order->state;
	}
	order_reader_free(reader);
	rpc_call_free(own);
	return NULL;
}

TEST(a_watcher_sees_the_order_at_once_and_until_its_end)
{
	struct watch watch = { 0 };
	pthread_t thread;

	snprintf(watch.name, sizeof(watch.name), "%s", create("r1")->name);
	pthread_create(&thread, NULL, watch_in_thread, &watch);
	usleep(100000);
	pay(watch.name, "pm_card_visa", "p1");
	usleep(100000);
	orders_client_cancel_order(client, call, MSG(CancelOrderRequest, .name = watch.name),
				   &(Order *){ NULL });
	pthread_join(thread, NULL);
	ck_assert_int_eq(watch.code, RPC_STREAM_END);
	ck_assert_uint_ge(watch.n, 1);
	ck_assert_int_eq(watch.states[watch.n - 1], ORDER_STATE_CANCELLED);
}

TEST(a_watcher_who_comes_back_gets_only_what_is_new)
{
	struct watch watch = { 0 };
	pthread_t thread;
	Order *order;

	order = create("r1");
	snprintf(watch.name, sizeof(watch.name), "%s", order->name);
	snprintf(watch.etag, sizeof(watch.etag), "%s", order->etag);
	pthread_create(&thread, NULL, watch_in_thread, &watch);
	usleep(100000);
	orders_client_cancel_order(client, call, MSG(CancelOrderRequest, .name = watch.name),
				   &order);
	pthread_join(thread, NULL);
	ck_assert_int_eq(watch.code, RPC_STREAM_END);
	for (size_t i = 0; i < watch.n; i++)
		ck_assert_int_ne(watch.states[i], ORDER_STATE_AWAITING_PAYMENT);
	ck_assert_int_eq(watch.states[watch.n - 1], ORDER_STATE_CANCELLED);

	/* It has seen the end: the stream ends at once, with nothing. */
	watch.n = 0;
	orders_client_get_order(client, call, MSG(GetOrderRequest, .name = watch.name), &order);
	snprintf(watch.etag, sizeof(watch.etag), "%s", order->etag);
	watch_in_thread(&watch);
	ck_assert_int_eq(watch.code, RPC_STREAM_END);
	ck_assert_uint_eq(watch.n, 0);
}

TEST(a_watcher_sees_what_another_replica_changed)
{
	struct watch watch = { 0 };
	OrderRecord *record, *draft;
	pthread_t thread;

	snprintf(watch.name, sizeof(watch.name), "%s", create("r1")->name);
	pthread_create(&thread, NULL, watch_in_thread, &watch);
	usleep(100000);
	/* Not through saga_save(), which would wake it: without its own look it would never end. */
	record = stored(watch.name);
	draft = order_draft(call, record);
	draft->order->state = ORDER_STATE_COMPLETED;
	ck_assert_int_eq(order_save(call, record, draft, NULL, NULL), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_ge(watch.n, 1);
	ck_assert_int_eq(watch.states[watch.n - 1], ORDER_STATE_COMPLETED);
}

TEST(a_watch_ends_with_its_call)
{
	struct rpc_call *own = rpc_call_new("test", 400);
	struct order_reader *reader;
	Order *order = create("r1"), *seen;

	rpc_call_set_caller(own, rpc_caller(call));
	ck_assert_int_eq(orders_client_watch_order(
				 client, own, MSG(WatchOrderRequest, .name = order->name), &reader),
			 0);
	ck_assert_int_eq(order_reader_next(reader, &seen), 0);
	ck_assert_str_eq(seen->name, order->name);
	ck_assert_int_ne(order_reader_next(reader, &seen), 0);
	order_reader_free(reader);
	rpc_call_free(own);
}

TEST(another_persons_order_cannot_be_watched)
{
	struct watch watch = { 0 };
	struct order_reader *reader;
	Order *seen;

	snprintf(watch.name, sizeof(watch.name), "%s", create("r1")->name);
	as("users/eve", "");
	orders_client_watch_order(client, call, MSG(WatchOrderRequest, .name = watch.name),
				  &reader);
	ck_assert_int_eq(order_reader_next(reader, &seen), RPC_PERMISSION_DENIED);
	order_reader_free(reader);
}

TEST_MAIN("orders_follow", setup, teardown)
