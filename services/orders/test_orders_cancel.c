/* Cancelling orders, wholly and in part. */
#include "errors.msg.h"
#include "test_orders.h"

static const struct paid *money_of(const char *name)
{
	return payment_of(strchr(name, '/') + 1);
}

static int cancel_as(struct rpc_call *at, const char *name, Order **ret)
{
	return orders_client_cancel_order(
		client, at, MSG(CancelOrderRequest, .name = name, .reason = "changed my mind"),
		ret);
}

static Order *cancel(const char *name)
{
	Order *order;

	ck_assert_msg(!cancel_as(call, name, &order), "%s", rpc_error_message(call));
	return order;
}

static Order *create_paid(void)
{
	return pay(create("r1")->name, "pm_card_visa", "p1");
}

static int cancel_line(const char *name, const char *line, int32_t quantity, const char *request_id,
		       Order **ret)
{
	CancelOrderLinesRequest *request =
		rpc_new(call, CancelOrderLinesRequest, .name = name, .request_id = request_id);

	cancel_order_lines_request_add_lines(
		call, request,
		rpc_new(call, CancelOrderLinesRequestLine, .line = line, .quantity = quantity));
	return orders_client_cancel_order_lines(client, call, request, ret);
}

static void assert_undone(const char *name)
{
	Order *order = get(name);

	ck_assert_int_eq(order->state, ORDER_STATE_CANCELLED);
	ck_assert_int_eq(money_of(name)->captured, money_of(name)->refunded);
	ck_assert_int_eq(amounts_minor(order->totals->refunded), money_of(name)->refunded);
	ck_assert(stock_is(10, 10));
	ck_assert_int_eq(world.sold[0] + world.sold[1], 0);
	ck_assert_int_eq(events_of(name, "OrderCancelled"), 1);
	ck_assert_ptr_null(stored(name)->next_look_time);
}

TEST(an_unpaid_order_is_cancelled_and_its_stock_free)
{
	Order *order = cancel(create("r1")->name);

	assert_undone(order->name);
	ck_assert_str_eq(order->cancel_reason, "changed my mind");
	ck_assert_int_eq(order->payment_state, ORDER_PAYMENT_STATE_UNPAID);
	ck_assert_int_eq(cancel(order->name)->state, ORDER_STATE_CANCELLED);
	/* The cart can be ordered again. */
	ck_assert_str_ne(create("r2")->name, order->name);
}

TEST(after_a_declined_card_the_payment_is_closed_too)
{
	Order *order = create("r1"), *none;

	pay_as(call, order->name, "pm_declined", "p1", &none);
	cancel(order->name);
	assert_undone(order->name);
	ck_assert_int_eq(money_of(order->name)->state, PAYMENT_STATE_CANCELED);
}

TEST(a_paid_order_is_recalled_refunded_and_restocked)
{
	Order *order = cancel(create_paid()->name);

	assert_undone(order->name);
	ck_assert_int_eq(order->payment_state, ORDER_PAYMENT_STATE_REFUNDED);
	ck_assert_int_eq(money_of(order->name)->n_refunds, 1);
	ck_assert_int_eq(world.recalls, 1);
	ck_assert_int_eq(cancel(order->name)->state, ORDER_STATE_CANCELLED);
	ck_assert_int_eq(world.recalls, 1);
}

static const struct {
	enum place place;
	bool after;
} crashes[] = { { RECALL, false }, { RECALL, true },   { REFUND, false },
		{ REFUND, true },  { RESTOCK, false }, { RESTOCK, true } };

TEST_EACH(what_a_crash_leaves_of_a_cancellation_is_finished_by_the_sweeper, crashes)
{
	Order *order = create_paid();

	*(row->after ? &world.after[row->place] : &world.before[row->place]) =
		2; /* it is tried twice at once */
	ck_assert_int_eq(cancel(order->name)->state, ORDER_STATE_CANCELLING);
	sweep();
	sweep();
	assert_undone(order->name);
	ck_assert_int_eq(money_of(order->name)->n_refunds, 1);
}

TEST(stock_does_not_wait_for_a_refund_that_is_stuck)
{
	Order *order = create_paid();

	world.before[REFUND] = 5;
	ck_assert_int_eq(cancel(order->name)->state, ORDER_STATE_CANCELLING);
	ck_assert(stock_is(10, 10));
}

TEST(a_refund_that_the_provider_works_on_is_awaited)
{
	Order *order = create_paid();

	world.refund_state = REFUND_STATE_PENDING;
	ck_assert_int_eq(cancel(order->name)->state, ORDER_STATE_CANCELLING);
	sweep();
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_CANCELLING);
	world.refund_state = REFUND_STATE_SUCCEEDED;
	sweep();
	assert_undone(order->name);
	ck_assert_int_eq(money_of(order->name)->n_refunds, 1);
}

TEST(a_refund_that_failed_for_good_is_asked_for_anew)
{
	Order *order = create_paid();

	world.refund_state = REFUND_STATE_FAILED;
	cancel(order->name);
	ck_assert_int_ge(stored(order->name)->reversals[0]->refunds_failed, 1);
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_CANCELLING);
	world.refund_state = REFUND_STATE_SUCCEEDED;
	sweep();
	assert_undone(order->name);
}

TEST(what_staff_gave_back_already_is_not_given_back_twice)
{
	Order *order = create_paid();

	payment_of(order->name + 7)->refunded = money_of(order->name)->captured;
	cancel(order->name);
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_CANCELLED);
	ck_assert_int_eq(money_of(order->name)->n_refunds, 0);
}

TEST(what_the_carrier_has_cannot_be_cancelled)
{
	Order *order = create_paid(), *none;

	world.carrier_has_it = true;
	ck_assert_int_eq(cancel_as(call, order->name, &none), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_NOT_CANCELLABLE));
	order = get(order->name);
	ck_assert_int_eq(order->state, ORDER_STATE_CONFIRMED);
	ck_assert_int_eq(order->payment_state, ORDER_PAYMENT_STATE_PAID);
	ck_assert_ptr_null(order->cancel_time);
	ck_assert_ptr_null(stored(order->name)->next_look_time);
	ck_assert_int_eq(money_of(order->name)->refunded, 0);
	/* And can be, if the carrier gives it back after all. */
	world.carrier_has_it = false;
	cancel(order->name);
	assert_undone(order->name);
}

TEST(staff_may_cancel_and_others_may_not)
{
	Order *order = create("r1"), *none;
	char name[64];

	snprintf(name, sizeof(name), "%s", order->name);
	as("users/eve", "");
	ck_assert_int_eq(cancel_as(call, name, &none), RPC_PERMISSION_DENIED);
	as("users/sam", "orders.manage");
	order = cancel(name);
	ck_assert_str_eq(order->history[order->n_history - 1]->actor, "users/sam");
}

/* 2 x TEA: 20.00 + 1.40; MUG: 5.55 + 1.05 */
TEST(a_line_of_a_paid_order_gives_back_its_part)
{
	Order *order = create_paid(), *changed;

	for (int i = 0; i < 2; i++) { /* the same request cancels once */
		ck_assert_int_eq(cancel_line(order->name, "1", 1, "c1", &changed), 0);
		ck_assert_int_eq(changed->state, ORDER_STATE_CONFIRMED);
		ck_assert_int_eq(changed->lines[0]->cancelled_quantity, 1);
		ck_assert_int_eq(amounts_minor(changed->totals->refunded), 1070);
		ck_assert_int_eq(changed->payment_state, ORDER_PAYMENT_STATE_PARTIALLY_REFUNDED);
		ck_assert(stock_is(9, 9));
	}
	ck_assert_int_eq(events_of(order->name, "OrderLinesCancelled"), 1);
	ck_assert_int_eq(cancel_line(order->name, "1", 2, "c2", &changed), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, ORDER_LINE_NOT_FOUND));
	ck_assert_str_eq(rpc_error_meta(call, "left"), "1");
	/* All that is left, shipping with it. */
	ck_assert_int_eq(cancel_line(order->name, rpc_printf(call, "%s/lines/2", order->name), 0,
				     "c3", &changed),
			 0);
	ck_assert_int_eq(amounts_minor(changed->totals->refunded), 1070 + 660);
	ck_assert_int_eq(cancel_line(order->name, "1", 0, "c4", &changed), 0);
	assert_undone(order->name);
}

TEST(the_last_line_cancels_the_order)
{
	Order *changed;

	world.in_cart[1] = 0;
	changed = create_paid();
	ck_assert_int_eq(cancel_line(changed->name, "1", 0, "c1", &changed), 0);
	assert_undone(changed->name);
}

TEST_EACH(what_a_crash_leaves_of_a_line_is_finished_by_the_sweeper, crashes)
{
	Order *order = create_paid(), *changed;

	*(row->after ? &world.after[row->place] : &world.before[row->place]) = 2;
	ck_assert_int_eq(cancel_line(order->name, "1", 1, "c1", &changed), 0);
	sweep();
	sweep();
	ck_assert_int_eq(cancel_line(order->name, "1", 1, "c1", &changed), 0);
	ck_assert_int_eq(changed->lines[0]->cancelled_quantity, 1);
	ck_assert_int_eq(amounts_minor(changed->totals->refunded), 1070);
	ck_assert_int_eq(money_of(order->name)->refunded, 1070);
	ck_assert(stock_is(9, 9));
	ck_assert_ptr_null(stored(order->name)->next_look_time);
}

TEST(a_line_that_the_carrier_has_stays)
{
	Order *order = create_paid(), *none;

	world.carrier_has_it = true;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(cancel_line(order->name, "1", 1, "c1", &none),
				 RPC_FAILED_PRECONDITION);
		ck_assert(rpc_failed_with(call, ORDER_NOT_CANCELLABLE));
	}
	ck_assert_int_eq(get(order->name)->lines[0]->cancelled_quantity, 0);
	ck_assert_uint_eq(stored(order->name)->n_reversals, 0);
	ck_assert_int_eq(money_of(order->name)->refunded, 0);
}

TEST(the_last_line_that_the_carrier_has_stays_too)
{
	Order *order, *none;

	world.in_cart[1] = 0;
	order = create_paid();
	world.carrier_has_it = true;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(cancel_line(order->name, "1", 0, "c1", &none),
				 RPC_FAILED_PRECONDITION);
		ck_assert(rpc_failed_with(call, ORDER_NOT_CANCELLABLE));
	}
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_CONFIRMED);
}

/* A unit is being called off, and then the order with it. */
static const char *cancel_unit_then_all(void)
{
	const char *name = create_paid()->name;
	Order *changed;

	world.before[RECALL] = 100;
	ck_assert_int_eq(cancel_line(name, "1", 1, "c1", &changed), 0);
	ck_assert_int_eq(cancel_as(call, name, &changed), 0);
	ck_assert_int_eq(changed->state, ORDER_STATE_CANCELLING);
	world.before[RECALL] = 0;
	return name;
}

TEST(an_order_that_the_carrier_has_stays_whole_though_a_unit_was_being_cancelled_before)
{
	const char *name = cancel_unit_then_all();
	Order *changed;

	world.carrier_has_it = true;
	sweep();
	ck_assert_int_eq(get(name)->state, ORDER_STATE_CONFIRMED);
	ck_assert_ptr_null(get(name)->cancel_time);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(get(name)->lines[i]->cancelled_quantity, 0);
	ck_assert_uint_eq(stored(name)->n_reversals, 0);
	ck_assert_ptr_null(stored(name)->next_look_time);
	ck_assert_int_eq(money_of(name)->refunded, 0);
	ck_assert_int_eq(cancel_line(name, "1", 1, "c1", &changed), RPC_FAILED_PRECONDITION);
}

TEST(an_order_is_cancelled_whole_though_a_unit_was_being_cancelled_before)
{
	const char *name = cancel_unit_then_all();

	sweep();
	assert_undone(name);
}

TEST(a_line_of_an_unpaid_order_lowers_what_is_to_be_paid)
{
	Order *order = create("r1"), *changed;

	ck_assert_int_eq(cancel_line(order->name, "2", 0, "c1", &changed), 0);
	ck_assert_int_eq(amounts_minor(changed->totals->total), 2140 + 583);
	ck_assert(stock_is(8, 10));
	pay(order->name, "pm_card_visa", "p1");
	ck_assert_int_eq(money_of(order->name)->captured, 2140 + 583);
	ck_assert_int_eq(world.sold[1], 0);
	cancel(order->name);
	assert_undone(order->name);
}

TEST(units_of_an_unpaid_order_go_back_when_the_rest_is_sold)
{
	Order *order = create("r1"), *changed;

	ck_assert_int_eq(cancel_line(order->name, "1", 1, "c1", &changed), 0);
	ck_assert_int_eq(amounts_minor(changed->totals->total), 1070 + 660 + 583);
	ck_assert(stock_is(8, 9));
	pay(order->name, "pm_card_visa", "p1");
	ck_assert(stock_is(9, 9));
	ck_assert_int_eq(world.sold[0], 1);
	/* The unit that is left is worth all that was paid for the line. */
	ck_assert_int_eq(cancel_line(order->name, "1", 0, "c2", &changed), 0);
	ck_assert_int_eq(amounts_minor(changed->totals->refunded), 1070);
	ck_assert(stock_is(10, 9));
	cancel(order->name);
	assert_undone(order->name);
}

TEST(units_of_a_line_that_goes_as_a_whole_after_all_go_back_once)
{
	Order *order = create("r1"), *changed;

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(cancel_line(order->name, "1", 1, i ? "c2" : "c1", &changed), 0);
	pay(order->name, "pm_card_visa", "p1");
	sweep();
	ck_assert(stock_is(10, 9));
	ck_assert_int_eq(world.sold[0], 0);
	ck_assert_ptr_null(stored(order->name)->next_look_time);
}

TEST(a_line_that_could_not_be_released_is_when_the_rest_is_sold)
{
	Order *order = create("r1"), *changed;

	world.before[RELEASE] = 1;
	ck_assert_int_eq(cancel_line(order->name, "1", 0, "c1", &changed), 0);
	ck_assert(stock_is(8, 9));
	pay(order->name, "pm_card_visa", "p1");
	ck_assert(stock_is(10, 9));
}

TEST(units_of_an_order_that_is_never_paid_go_back_with_the_rest)
{
	Order *order = create("r1"), *changed;

	ck_assert_int_eq(cancel_line(order->name, "1", 1, "c1", &changed), 0);
	cancel(order->name);
	assert_undone(order->name);
}

TEST(a_cart_is_ordered_anew_when_its_order_was_cancelled_in_part)
{
	Order *order = create("r1"), *changed;

	ck_assert_int_eq(cancel_line(order->name, "2", 0, "c1", &changed), 0);
	ck_assert_str_ne(create("r2")->name, order->name);
	ck_assert(stock_is(8, 9));
}

TEST(a_line_stands_in_a_request_once)
{
	CancelOrderLinesRequest *request = rpc_new(call, CancelOrderLinesRequest,
						   .name = create_paid()->name, .request_id = "c1");
	Order *none;

	for (int i = 0; i < 2; i++)
		cancel_order_lines_request_add_lines(
			call, request, rpc_new(call, CancelOrderLinesRequestLine, .line = "1"));
	ck_assert_int_eq(orders_client_cancel_order_lines(client, call, request, &none),
			 RPC_INVALID_ARGUMENT);
}

TEST_MAIN("orders_cancel", setup, teardown)
