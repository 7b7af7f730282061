/* Orders beyond the stock: paid like others, and shipped when all of it is there. */
#include "test_orders.h"

/* Of TEA two are wanted and one is there; of MUG one is wanted and there. */
static Order *create_waiting(void)
{
	world.stock[0] = 1;
	world.limit[0] = 5;
	return create("r1");
}

static Order *create_paid(void)
{
	return pay(create_waiting()->name, "pm_card_visa", "p1");
}

static int cancel_tea(struct rpc_call *at, const char *name, int32_t quantity, Order **ret)
{
	CancelOrderLinesRequest *request =
		rpc_new(at, CancelOrderLinesRequest, .name = name, .request_id = "c1");

	cancel_order_lines_request_add_lines(
		at, request,
		rpc_new(at, CancelOrderLinesRequestLine, .line = "1", .quantity = quantity));
	return orders_client_cancel_order_lines(client, at, request, ret);
}

static void assert_waits(const char *name, int32_t quantity)
{
	const Order *order = get(name);

	ck_assert_int_eq(order->state, ORDER_STATE_CONFIRMED);
	ck_assert(step_is(order, ORDER_STEP_KIND_SHIP, ORDER_STEP_STATE_RUNNING));
	ck_assert_int_eq(order->lines[0]->backordered_quantity, quantity);
	ck_assert_int_eq(world.shipments, 0);
	ck_assert_ptr_nonnull(stored(name)->next_look_time);
}

static void assert_shipped(const char *name, int tea)
{
	const Order *order = get(name);

	ck_assert(step_is(order, ORDER_STEP_KIND_SHIP, ORDER_STEP_STATE_DONE));
	ck_assert_int_eq(order->lines[0]->backordered_quantity, 0);
	ck_assert_ptr_null(order->lines[0]->promise_time);
	ck_assert_int_eq(world.parcel[0], tea);
	ck_assert_int_eq(world.parcel[1], 1);
	ck_assert_ptr_null(stored(name)->next_look_time);
}

TEST(a_line_says_what_waits_for_stock_and_until_when)
{
	const Order *order = create_waiting();

	ck_assert_int_eq(order->lines[0]->backordered_quantity, 1);
	ck_assert_int_eq(clock_ms(order->lines[0]->promise_time), PROMISED);
	ck_assert_int_eq(order->lines[1]->backordered_quantity, 0);
	ck_assert_ptr_null(order->lines[1]->promise_time);
}

TEST(an_answer_that_was_lost_says_it_again)
{
	Order *none;

	world.stock[0] = 1;
	world.limit[0] = 5;
	world.after[RESERVE] = 1;
	ck_assert_int_ne(create_as(call, "r1", &none), 0);
	sweep();
	ck_assert_int_eq(create("r1")->lines[0]->backordered_quantity, 1);
}

TEST(a_paid_order_waits_until_all_of_its_stock_came)
{
	const char *name = create_paid()->name;

	assert_waits(name, 1);
	sweep();
	sweep();
	assert_waits(name, 1);
	arrives(name, 0, 1);
	sweep();
	assert_shipped(name, 2);
}

TEST(an_order_whose_stock_is_there_asks_for_none)
{
	pay(create("r1")->name, "pm_card_visa", "p1");
	ck_assert_int_eq(world.looks, 0);
}

TEST(stock_that_comes_in_parts_is_seen_in_the_order)
{
	const char *name;

	world.in_cart[0] = 4;
	name = create_paid()->name;
	assert_waits(name, 3);
	arrives(name, 0, 2);
	sweep();
	assert_waits(name, 1);
	arrives(name, 0, 1);
	sweep();
	assert_shipped(name, 4);
}

TEST(an_inventory_that_is_away_is_asked_again)
{
	const char *name = create_paid()->name;

	arrives(name, 0, 1);
	world.before[LOOK] = 1;
	sweep();
	assert_waits(name, 1);
	sweep();
	assert_shipped(name, 2);
}

TEST(a_shipping_that_is_away_when_the_stock_came_is_asked_again)
{
	const char *name = create_paid()->name;

	arrives(name, 0, 1);
	world.before[SHIP] = 1;
	sweep();
	ck_assert_int_eq(get(name)->lines[0]->backordered_quantity, 0);
	sweep();
	assert_shipped(name, 2);
}

TEST(an_order_that_waits_is_cancelled_and_the_money_given_back)
{
	const char *name = create_paid()->name;
	Order *order;

	ck_assert_int_eq(orders_client_cancel_order(client, call,
						    MSG(CancelOrderRequest, .name = name), &order),
			 0);
	ck_assert_int_eq(order->state, ORDER_STATE_CANCELLED);
	ck_assert_int_eq(order->lines[0]->backordered_quantity, 0);
	ck_assert_int_eq(payment_of(name + 7)->refunded, payment_of(name + 7)->captured);
	ck_assert(stock_is(1, 10));
	ck_assert_int_eq(world.sold[0] + world.sold[1], 0);
	ck_assert_int_eq(world.shipments, 0);
	ck_assert_ptr_null(stored(name)->next_look_time);
}

TEST(an_order_that_waits_and_is_not_paid_in_time_waits_no_more)
{
	const char *name = create_waiting()->name;

	due_in(name, 0);
	leave(name);
	sweep();
	ck_assert_int_eq(get(name)->state, ORDER_STATE_EXPIRED);
	ck_assert_int_eq(get(name)->lines[0]->backordered_quantity, 0);
	ck_assert(stock_is(1, 10));
}

TEST(what_waits_is_cancelled_first_and_the_rest_ships)
{
	const char *name = create_paid()->name;
	Order *order;

	for (int i = 0; i < 2; i++) { /* the same request cancels once */
		ck_assert_int_eq(cancel_tea(call, name, 1, &order), 0);
		ck_assert_int_eq(order->lines[0]->cancelled_quantity, 1);
	}
	sweep();
	assert_shipped(name, 1);
	ck_assert_int_eq(world.recalls, 0);
	ck_assert_int_eq(payment_of(name + 7)->refunded, 1070);
	ck_assert_int_eq(world.sold[0], 1);
	ck_assert(stock_is(0, 9));
}

TEST(units_cancelled_before_payment_wait_no_more)
{
	const char *name = create_waiting()->name;
	Order *order;

	ck_assert_int_eq(cancel_tea(call, name, 1, &order), 0);
	ck_assert_int_eq(order->lines[0]->backordered_quantity, 0);
	pay(name, "pm_card_visa", "p1");
	sweep();
	assert_shipped(name, 1);
	ck_assert_int_eq(world.sold[0], 1);
	ck_assert(stock_is(0, 9));
}

static const char *raced;

static void *cancel_in_thread(void *data)
{
	struct rpc_call *own = call_as("users/ann", "");
	Order *order;

	cancel_tea(own, raced, 1, &order);
	rpc_call_free(own);
	return NULL;
}

static void *sweep_in_thread(void *data)
{
	struct rpc_call *turn = call_as("", "");

	rpc_call_set_now(turn, rpc_now_ms(turn) + 600000);
	orders_sweep(&orders, turn);
	rpc_call_free(turn);
	return NULL;
}

/* Stock comes in the moment in which a unit is cancelled: whoever is first, the customer is shipped
 * what they are not given the money for. */
TEST(a_unit_is_shipped_or_refunded_and_never_both)
{
	pthread_t canceller, sweeper;
	Order *order;

	raced = create_paid()->name;
	arrives(raced, 0, 1);
	pthread_create(&sweeper, NULL, sweep_in_thread, NULL);
	pthread_create(&canceller, NULL, cancel_in_thread, NULL);
	pthread_join(sweeper, NULL);
	pthread_join(canceller, NULL);
	for (int i = 0; i < 3; i++)
		sweep();
	order = get(raced);
	assert_shipped(raced, 2 - order->lines[0]->cancelled_quantity);
	ck_assert_int_eq(payment_of(raced + 7)->refunded,
			 1070 * order->lines[0]->cancelled_quantity);
}

TEST_MAIN("orders backorders", setup, teardown)
