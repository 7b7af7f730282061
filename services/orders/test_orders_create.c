/* Placing orders. */
#include "errors.msg.h"
#include "orders_events.ev.h"
#include "test_orders.h"
#include <common/names.h>
#include <crpc/id.h>

TEST(an_order_holds_what_the_cart_held_and_reserves_it)
{
	Order *order = create("r1");

	ck_assert_int_eq(order->state, ORDER_STATE_AWAITING_PAYMENT);
	ck_assert_int_eq(order->payment_state, ORDER_PAYMENT_STATE_UNPAID);
	ck_assert_uint_eq(order->n_lines, 2);
	ck_assert_str_eq(order->lines[1]->sku, "MUG");
	ck_assert_uint_eq(strlen(order->number), strlen("SK-7F3K-92QD"));
	ck_assert(stock_is(8, 9));
	ck_assert_int_eq(events_of(order->name, "OrderCreated"), 1);
	ck_assert(step_is(order, ORDER_STEP_KIND_RESERVE, ORDER_STEP_STATE_DONE));
}

TEST(an_order_takes_its_cart_with_its_insert_if_it_can)
{
	char user[64];
	const char *first;

	/* Of whom the server for development remembers no cart. */
	snprintf(user, sizeof(user), "users/%s", rpc_id_new(call));
	as(user, "");
	first = create("r1")->name;
	ck_assert_str_eq(stored(first)->open_cart, name_id(user));
	ck_assert_int_eq(stored(first)->version, 2); /* inserted, opened */
	ck_assert_int_eq(orders_client_cancel_order(client, call,
						    MSG(CancelOrderRequest, .name = first),
						    &(Order *){ NULL }),
			 0);
	ck_assert_str_eq(stored(first)->open_cart, "");
	ck_assert_str_eq(stored(create("r2")->name)->open_cart, name_id(user));
}

/* 2 x 10.00 at 7 % is 1.40; 5.55 at 19 % is 1.0545, so 1.05; shipping 4.90 at 19 % is 0.931, so
 * 0.93. */
TEST(the_total_is_the_sum_of_its_parts)
{
	OrderTotals *totals = create("r1")->totals;

	ck_assert_int_eq(amounts_minor(totals->subtotal), 2555);
	ck_assert_int_eq(amounts_minor(totals->shipping), 490);
	ck_assert_int_eq(amounts_minor(totals->tax), 140 + 105 + 93);
	ck_assert_int_eq(amounts_minor(totals->total), 2555 + 490 + 140 + 105 + 93);
}

TEST(a_discount_is_spread_over_the_lines_and_lowers_their_tax)
{
	Order *order;
	int64_t sum = 0;

	world.discount = 1000;
	order = create("r1");
	ck_assert_int_eq(amounts_minor(order->totals->discount), 1000);
	order_each_lines(line, order)
		sum += amounts_minor(line->total);
	ck_assert_int_eq(amounts_minor(order->totals->total), sum + 490 + 93);
	ck_assert_int_eq(amounts_minor(order->lines[0]->discount),
			 783); /* 1000 x 2000 / 2555 = 782.8 */
}

TEST(a_price_that_rose_is_refused_and_one_that_fell_is_passed_on)
{
	Order *order;

	world.price[0] = 1100;
	ck_assert_int_eq(create_as(call, "r1", &order), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_PRICE_CHANGED));
	ck_assert_str_eq(rpc_error_meta(call, "what"), "TEA");
	ck_assert_str_eq(rpc_error_meta(call, "new"), "11.00");
	ck_assert(stock_is(10, 10));
	world.price[0] = 900;
	ck_assert_int_eq(amounts_minor(create("r2")->lines[0]->unit_price), 900);
}

TEST(what_the_customer_agreed_to_is_the_most_that_is_charged)
{
	CreateOrderRequest *request = (CreateOrderRequest *)create_request(call, "r1");
	Order *order;

	world.price[0] = 1100; /* seen was another, but the total is what counts */
	request->expected_total = money_new(call, "EUR", 3382);
	ck_assert_int_eq(orders_client_create_order(client, call, request, &order),
			 RPC_FAILED_PRECONDITION);
	ck_assert_str_eq(rpc_error_meta(call, "what"), "total");
	ck_assert_str_eq(rpc_error_meta(call, "new"), "35.97");
	request->expected_total = money_new(call, "EUR", 3597);
	ck_assert_int_eq(orders_client_create_order(client, call, request, &order), 0);
	request->request_id = "r2";
	request->expected_total = money_new(call, "USD", 9999);
	ck_assert_int_eq(orders_client_create_order(client, call, request, &order),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, MONEY_INVALID));
}

static void no_cart(CreateOrderRequest *request)
{
	world.in_cart[0] = world.in_cart[1] = 0;
}

static void not_on_sale(CreateOrderRequest *request)
{
	world.sellable[1] = false;
}

static void other_cart(CreateOrderRequest *request)
{
	request->cart_etag = "\"0\"";
}

static void nowhere(CreateOrderRequest *request)
{
	request->destination_case = CREATE_ORDER_REQUEST_DESTINATION_NOT_SET;
}

static void address_of_another(CreateOrderRequest *request)
{
	request->destination_case = CREATE_ORDER_REQUEST_DESTINATION_ADDRESS_ID;
	request->address_id = "users/bob/addresses/1";
}

static void by_nobody(CreateOrderRequest *request)
{
	world.ships = false;
}

static const struct {
	void (*change)(CreateOrderRequest *request);
	const struct rpc_reason *reason;
} refusals[] = {
	{ no_cart, ORDER_CART_EMPTY },      { not_on_sale, ORDER_ITEM_UNAVAILABLE },
	{ other_cart, ORDER_CART_CHANGED }, { nowhere, ORDER_ADDRESS_REQUIRED },
	{ address_of_another, NOT_OWNER },  { by_nobody, ORDER_SHIPPING_UNAVAILABLE },
};

TEST_EACH(what_cannot_be_ordered_is_refused_before_anything_is_stored, refusals)
{
	CreateOrderRequest *request = (CreateOrderRequest *)create_request(call, "r1");
	Order *order;

	row->change(request);
	ck_assert_int_eq(orders_client_create_order(client, call, request, &order),
			 row->reason->code);
	ck_assert_msg(rpc_failed_with(call, row->reason), "%s", rpc_error_message(call));
	ck_assert(stock_is(10, 10));
}

TEST(a_guest_must_say_where_mails_go_to)
{
	CreateOrderRequest *request = (CreateOrderRequest *)create_request(call, "r1");
	Order *order;

	rpc_call_set_caller(call, &(const struct rpc_caller){ .user = "users/guest",
							      .session = "sessions/2",
							      .scope = "",
							      .merge_from = "",
							      .service = "orders",
							      .guest = true });
	ck_assert_int_eq(orders_client_create_order(client, call, request, &order),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, ORDER_EMAIL_REQUIRED));
	request->email = "Guest@Example.org";
	ck_assert_int_eq(orders_client_create_order(client, call, request, &order), 0);
	ck_assert(order->guest);
	ck_assert_int_eq(orders_client_lookup_order(
				 client, call,
				 MSG(LookupOrderRequest, .email = "guest@example.org",
				     .number = rpc_printf(call, "sk %.4s %s", order->number + 3,
							  order->number + 8)),
				 &order),
			 0);
	ck_assert_int_eq(
		orders_client_lookup_order(client, call,
					   MSG(LookupOrderRequest, .email = "eve@example.org",
					       .number = order->number),
					   &order),
		RPC_NOT_FOUND);
}

TEST(a_saved_address_is_taken_by_its_id)
{
	CreateOrderRequest *request = (CreateOrderRequest *)create_request(call, "r1");
	Order *order;

	request->destination_case = CREATE_ORDER_REQUEST_DESTINATION_ADDRESS_ID;
	request->address_id = "home";
	ck_assert_int_eq(orders_client_create_order(client, call, request, &order), 0);
	ck_assert_str_eq(order->shipping_address->city, "Wien");
	ck_assert_int_eq(order->lines[1]->tax_rate_millionths, 200000);
}

TEST(short_stock_is_named_line_by_line_and_nothing_is_reserved)
{
	Order *order;

	world.stock[0] = 1;
	world.stock[1] = 0;
	for (int i = 0; i < 2; i++) { /* the same request gets the same refusal */
		ck_assert_int_eq(create_as(call, "r1", &order), RPC_FAILED_PRECONDITION);
		ck_assert(rpc_failed_with(call, ORDER_STOCK_INSUFFICIENT));
		ck_assert_str_eq(rpc_error_meta(call, "shortages"), "TEA=1,MUG=0");
		ck_assert(stock_is(1, 0));
		world.stock[0] = i ? 10 : 1;
	}
	/* Another request may have more luck: the cart is free. */
	world.stock[0] = world.stock[1] = 10;
	create("r2");
}

/* As inventory leaves it when it dies while it gives back what was short. */
TEST(a_reservation_that_ended_half_way_is_given_back_whole)
{
	struct answers_key key;
	const char *name;
	Order *order;

	answers_key(call, create_request(call, "r1"), &key);
	name = rpc_printf(call, "orders/%s", key.id);
	claim_new(name, 0, 2, RELEASED);
	claim_new(name, 1, 1, RESERVED);
	world.stock[1]--;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(create_as(call, "r1", &order), RPC_FAILED_PRECONDITION);
		ck_assert(rpc_failed_with(call, ORDER_STOCK_LOST));
		ck_assert(stock_is(10, 10));
	}
}

static size_t orders_listed(void)
{
	ListOrdersResponse *list;

	ck_assert_int_eq(orders_client_list_orders(client, call, MSG(ListOrdersRequest), &list), 0);
	return list->n_orders;
}

TEST(a_refused_order_is_listed_nowhere)
{
	Order *order;

	world.stock[0] = 1;
	create_as(call, "r1", &order);
	ck_assert_uint_eq(orders_listed(), 0);
}

TEST(the_same_request_makes_one_order)
{
	CreateOrderRequest *request = (CreateOrderRequest *)create_request(call, "r1");
	Order *first = create("r1"), *second;

	world.in_cart[0] = 5; /* whatever became of the cart */
	second = create("r1");
	ck_assert_str_eq(first->name, second->name);
	ck_assert(stock_is(8, 9));
	request->note = "another";
	ck_assert_int_eq(orders_client_create_order(client, call, request, &second),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REQUEST_ID_REUSED));
}

TEST(the_same_cart_again_is_the_same_order_also_after_it_was_paid)
{
	Order *first = create("r1");

	ck_assert_str_eq(create("r2")->name, first->name);
	pay(first->name, "pm_card_visa", "p1");
	world.in_cart[0] = world.in_cart[1] = 0;
	ck_assert_str_eq(create("r2")->name, first->name);
	ck_assert(stock_is(8, 9));
}

/* The event that empties it is on its way. */
TEST(a_cart_that_is_not_emptied_yet_is_not_bought_again)
{
	CreateOrderRequest *elsewhere = (CreateOrderRequest *)create_request(call, "r3");
	Order *first, *other;

	world.etag = "\"7\"";
	first = create("r1");
	pay(first->name, "pm_card_visa", "p1");
	ck_assert_str_eq(create("r2")->name, first->name);
	ck_assert_str_eq(create("r2")->name, first->name);
	elsewhere->shipping_address->city = "Hamburg";
	ck_assert_int_eq(orders_client_create_order(client, call, elsewhere, &other), RPC_ABORTED);
	ck_assert(rpc_failed_with(call, ORDER_CART_BOUGHT));
	ck_assert(stock_is(8, 9));
	ck_assert_uint_eq(orders_listed(), 1);
	world.etag = "\"8\"";
	ck_assert_str_ne(create("r4")->name, first->name);
}

TEST(a_cart_is_ordered_anew_when_its_order_was_given_up)
{
	Order *first, *order;

	world.etag = "\"7\"";
	first = create("r1");
	pay(first->name, "pm_card_visa", "p1");
	ck_assert_int_eq(orders_client_cancel_order(client, call,
						    MSG(CancelOrderRequest, .name = first->name),
						    &order),
			 0);
	ck_assert_str_ne(create("r2")->name, first->name);
}

static int64_t due_ms(const char *name)
{
	return clock_ms(stored(name)->order->payment_due_time);
}

TEST(the_stock_of_an_order_is_held_longer_for_who_orders_it_again)
{
	const char *name = create("r1")->name;
	int64_t due = due_ms(name);

	due_in(name, 1000);
	ck_assert_int_lt(due_ms(name), due);
	ck_assert_str_eq(create("r2")->name, name);
	ck_assert_int_ge(due_ms(name), rpc_now_ms(call) + 60000);
}

TEST(an_order_is_not_held_longer_than_its_reservation_safely_reaches)
{
	enum { MARGIN_MS = 10 * 60000 };
	const char *name = create("r1")->name;
	int64_t last = clock_ms(stored(name)->reservation_expire_time) - MARGIN_MS;

	rpc_call_set_now(call, last - 1000);
	due_in(name, 500);
	ck_assert_str_eq(create("r2")->name, name);
	ck_assert_int_eq(due_ms(name), last);
}

static int hear_cancelled(struct orders_listener *replaced, struct rpc_call *turn,
			  const souk_orders_v1_OrderCancelled *event, const struct rpc_event *meta)
{
	*(bool *)replaced = event->replaced;
	return 0;
}

static bool is_told_as_replaced(const char *name)
{
	static const struct orders_events_ops ops = { .order_cancelled = hear_cancelled };
	OrderRecord *record = stored(name);
	bool replaced = false;

	order_record_each_outbox(event, record)
	{
		struct rpc_event heard = { .type = event->type, .payload = event->payload };

		if (strstr(event->type, "OrderCancelled"))
			ck_assert_int_eq(
				rpc_event_dispatch(&orders_events, &ops, &replaced, call, &heard),
				0);
	}
	return replaced;
}

TEST(the_same_request_makes_no_second_order_when_its_answer_is_forgotten)
{
	Order *first = create("r1");

	rpc_call_set_now(call, rpc_now_ms(call) + 25 * 3600 * 1000);
	ck_assert_int_eq(order_sweep_answers(call), 0);
	ck_assert_uint_eq(stored(first->name)->n_answers, 0);
	ck_assert_str_eq(create("r1")->name, first->name);
}

TEST(a_changed_cart_replaces_its_order)
{
	Order *first = create("r1"), *second;

	world.stock[0] = 0; /* the new order needs what the old one holds */
	world.in_cart[0] = 1;
	second = create("r2");
	ck_assert_str_ne(first->name, second->name);
	ck_assert_int_eq(get(first->name)->state, ORDER_STATE_CANCELLED);
	ck_assert(stock_is(1, 9));
	ck_assert_int_eq(events_of(first->name, "OrderCancelled"), 1);
	ck_assert(is_told_as_replaced(first->name));
}

TEST(a_cart_whose_order_is_being_paid_cannot_be_ordered_otherwise)
{
	Order *first = create("r1"), *second;

	pay(first->name, "pm_action", "p1");
	ck_assert_str_eq(create("r2")->name, first->name);
	world.in_cart[0] = 1;
	ck_assert_int_eq(create_as(call, "r3", &second), RPC_ABORTED);
	ck_assert(rpc_failed_with(call, ORDER_PAYING));
}

TEST(a_crash_before_or_after_the_reservation_is_finished_by_the_sweeper)
{
	for (int i = 0; i < 2; i++) {
		const char *id = i ? "r1" : "r0";
		Order *order;

		if (i)
			world.after[RESERVE] = 1;
		else
			world.before[RESERVE] = 1;
		as(i ? "users/bob" : "users/ann", "");
		ck_assert_int_eq(create_as(call, id, &order), RPC_UNAVAILABLE);
		sweep();
		order = create(id);
		ck_assert_int_eq(order->state, ORDER_STATE_AWAITING_PAYMENT);
	}
	ck_assert(stock_is(6, 8));
}

TEST(an_order_that_could_not_be_placed_in_time_is_given_up)
{
	struct answers_key key;
	Order *order;

	world.after[RESERVE] = 1;
	ck_assert_int_eq(create_as(call, "r1", &order), RPC_UNAVAILABLE);
	answers_key(call, create_request(call, "r1"), &key);
	due_in(rpc_printf(call, "orders/%s", key.id), 0);
	sweep();
	ck_assert(stock_is(10, 10));
	ck_assert_int_eq(create_as(call, "r1", &order), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_NOT_PAYABLE));
}

/* Who is not told in time asks again, as an app does. */
static void *create_in_thread(void *data)
{
	int r = RPC_DEADLINE_EXCEEDED;

	for (int i = 0; i < 10 && r == RPC_DEADLINE_EXCEEDED; i++) {
		struct rpc_call *own = call_as("users/ann", "");
		Order *order;

		r = create_as(own, data, &order);
		if (!r)
			snprintf(data, 64, "%s", order->name);
		rpc_call_free(own);
	}
	if (r)
		snprintf(data, 64, "failed with %d", r);
	return NULL;
}

TEST(twenty_at_once_make_one_order_of_a_cart)
{
	pthread_t threads[20];
	char names[20][64];

	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "r%d", i / 2); /* two of each request id */
		pthread_create(&threads[i], NULL, create_in_thread, names[i]);
	}
	for (int i = 0; i < 20; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 20; i++)
		ck_assert_str_eq(names[i], names[0]);
	ck_assert(stock_is(8, 9));
}

TEST_MAIN("orders_create", setup, teardown)
