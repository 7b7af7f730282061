/* Paying orders. */
#include "errors.msg.h"
#include "payments_events.ev.h"
#include "test_orders.h"

static const struct paid *money_of(const char *name)
{
	return payment_of(strchr(name, '/') + 1);
}

/* Paid once, sold once, shipped, and every step of it is done. */
static void assert_bought(const char *name)
{
	static const OrderStepKind kinds[] = { ORDER_STEP_KIND_RESERVE, ORDER_STEP_KIND_AUTHORIZE,
					       ORDER_STEP_KIND_COMMIT, ORDER_STEP_KIND_CAPTURE,
					       ORDER_STEP_KIND_SHIP };
	Order *order = get(name);

	ck_assert_int_eq(order->state, ORDER_STATE_CONFIRMED);
	ck_assert_int_eq(order->payment_state, ORDER_PAYMENT_STATE_PAID);
	ck_assert_int_eq(money_of(name)->charges, 1);
	ck_assert_int_eq(money_of(name)->captured, amounts_minor(order->totals->total));
	ck_assert_int_eq(amounts_minor(order->totals->paid), amounts_minor(order->totals->total));
	ck_assert(stock_is(8, 9));
	ck_assert_int_eq(world.sold[0], 2);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		ck_assert(step_is(order, kinds[i], ORDER_STEP_STATE_DONE));
	ck_assert_uint_eq(order->n_shipments, 1);
	ck_assert_int_eq(events_of(name, "OrderPaid"), 1);
	ck_assert_ptr_null(stored(name)->next_look_time);
}

/* Nothing was taken that was not given back, and the stock is where it was. */
static void assert_undone(const char *name, OrderState state)
{
	ck_assert_int_eq(get(name)->state, state);
	ck_assert_int_eq(money_of(name)->captured, money_of(name)->refunded);
	ck_assert_int_ne(money_of(name)->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	ck_assert(stock_is(10, 10));
	ck_assert_int_eq(world.sold[0] + world.sold[1], 0);
	ck_assert_ptr_null(stored(name)->next_look_time);
}

TEST(paying_charges_sells_and_ships)
{
	Order *order = create("r1");

	order = pay(order->name, "pm_card_visa", "p1");
	ck_assert_int_eq(order->state, ORDER_STATE_CONFIRMED);
	assert_bought(order->name);
}

TEST(the_token_is_forgotten_when_it_has_served)
{
	Order *order = create("r1");

	pay(order->name, "pm_card_visa", "p1");
	ck_assert_str_eq(stored(order->name)->attempts[0]->payment_method, "");
}

TEST(every_move_stands_in_the_history_with_who_made_it)
{
	static const OrderState states[] = { ORDER_STATE_PENDING, ORDER_STATE_AWAITING_PAYMENT,
					     ORDER_STATE_PAYING, ORDER_STATE_PAYING,
					     ORDER_STATE_CONFIRMED };
	Order *order = pay(create("r1")->name, "pm_card_visa", "p1");

	ck_assert_uint_eq(order->n_history, 5);
	for (size_t i = 0; i < order->n_history; i++) {
		ck_assert_int_eq(order->history[i]->state, states[i]);
		ck_assert_str_eq(order->history[i]->actor, "users/ann");
	}
	ck_assert_uint_eq(strlen(order->steps[0]->trace_id), 32);
}

TEST(the_same_payment_again_is_the_first_one)
{
	Order *order = create("r1"), *again;

	pay(order->name, "pm_card_visa", "p1");
	again = pay(order->name, "pm_card_visa", "p1");
	ck_assert_int_eq(again->state, ORDER_STATE_CONFIRMED);
	ck_assert_int_eq(pay_as(call, order->name, "pm_other", "p1", &again),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REQUEST_ID_REUSED));
	ck_assert_int_eq(pay_as(call, order->name, "pm_card_visa", "p2", &again),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_NOT_PAYABLE));
	assert_bought(order->name);
}

TEST(another_person_cannot_pay_or_see_it)
{
	Order *order = create("r1"), *seen;
	char name[64];

	snprintf(name, sizeof(name), "%s", order->name);
	as("users/eve", "orders.read");
	ck_assert_int_eq(pay_as(call, name, "pm_card_visa", "p1", &seen), RPC_PERMISSION_DENIED);
	ck_assert_int_eq(
		orders_client_get_order(client, call, MSG(GetOrderRequest, .name = name), &seen),
		0);
	as("users/eve", "");
	ck_assert_int_eq(
		orders_client_get_order(client, call, MSG(GetOrderRequest, .name = name), &seen),
		RPC_PERMISSION_DENIED);
	ck_assert(rpc_failed_with(call, NOT_OWNER));
	ck_assert_int_eq(orders_client_get_order(
				 client, call, MSG(GetOrderRequest, .name = "orders/none"), &seen),
			 RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, ORDER_NOT_FOUND));
}

TEST(a_declined_card_leaves_an_order_that_another_card_pays)
{
	Order *order = create("r1"), *none;

	for (int i = 0; i < 2; i++) { /* the refusal is the answer to that request for good */
		ck_assert_int_eq(pay_as(call, order->name, "pm_declined", "p1", &none),
				 RPC_FAILED_PRECONDITION);
		ck_assert(rpc_failed_with(call, ORDER_PAYMENT_DECLINED));
		ck_assert_str_eq(rpc_error_meta(call, "declineCode"), "card_declined");
	}
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_AWAITING_PAYMENT);
	ck_assert_int_eq(money_of(order->name)->n_tries, 1);
	pay(order->name, "pm_card_visa", "p2");
	assert_bought(order->name);
	ck_assert_int_eq(pay_as(call, order->name, "pm_declined", "p1", &none),
			 RPC_FAILED_PRECONDITION);
}

TEST(a_method_that_nobody_knows_is_refused_as_payments_says_it)
{
	Order *order = create("r1"), *none;

	ck_assert_int_eq(pay_as(call, order->name, "pm_unknown", "p1", &none),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PAYMENT_METHOD_INVALID));
	ck_assert_int_eq(pay_as(call, order->name, "pm_unknown", "p1", &none),
			 RPC_INVALID_ARGUMENT);
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_AWAITING_PAYMENT);
}

static const struct {
	enum place place;
	bool after;
} crashes[] = {
	{ AUTHORIZE, false }, { AUTHORIZE, true }, { COMMIT, false }, { COMMIT, true },
	{ CAPTURE, false },   { CAPTURE, true },   { SHIP, false },   { SHIP, true },
};

/* An answer that is lost is all that a crash at this point is to others. */
TEST_EACH(what_a_crash_leaves_is_finished_by_the_sweeper, crashes)
{
	Order *order = create("r1"), *paid;
	int r;

	if (row->after)
		world.after[row->place] = 1;
	else
		world.before[row->place] = 1;
	r = pay_as(call, order->name, "pm_card_visa", "p1", &paid);
	ck_assert_int_eq(
		r, row->place == SHIP
			   ? 0
			   : RPC_UNAVAILABLE); /* shipping is not what the customer waits for */
	ck_assert_ptr_nonnull(stored(order->name)->next_look_time);
	sweep();
	assert_bought(order->name);
	ck_assert_int_eq(pay(order->name, "pm_card_visa", "p1")->state, ORDER_STATE_CONFIRMED);
	sweep();
	assert_bought(order->name);
}

TEST_EACH(a_repeat_of_the_request_finishes_it_too, crashes)
{
	Order *order = create("r1"), *paid;

	orders.lease = 0;
	if (row->after)
		world.after[row->place] = 1;
	else
		world.before[row->place] = 1;
	pay_as(call, order->name, "pm_card_visa", "p1", &paid);
	if (row->place == SHIP)
		sweep();
	else
		leave(order->name);
	pay(order->name, "pm_card_visa", "p1");
	assert_bought(order->name);
}

TEST(a_failing_step_says_so_in_the_order)
{
	Order *order = create("r1"), *paid;
	OrderStep *step;

	world.before[CAPTURE] = 1;
	pay_as(call, order->name, "pm_card_visa", "p1", &paid);
	step = step_find(get(order->name), ORDER_STEP_KIND_CAPTURE);
	ck_assert_int_eq(step->state, ORDER_STEP_STATE_RUNNING);
	ck_assert_str_eq(step->error, "UNAVAILABLE");
	ck_assert_int_eq(step->tries, 1);
	sweep();
	step = step_find(get(order->name), ORDER_STEP_KIND_CAPTURE);
	ck_assert_int_eq(step->tries, 2);
	ck_assert_str_eq(step->error, "");
}

TEST(a_payment_that_is_worked_on_is_not_begun_again)
{
	Order *order = create("r1"), *paid;

	world.before[CAPTURE] = 1;
	pay_as(call, order->name, "pm_card_visa", "p1", &paid);
	ck_assert_int_eq(pay_as(call, order->name, "pm_card_visa", "p1", &paid), RPC_ABORTED);
	ck_assert(rpc_failed_with(call, REQUEST_IN_PROGRESS));
	ck_assert_int_eq(pay_as(call, order->name, "pm_card_visa", "p2", &paid), RPC_ABORTED);
	ck_assert(rpc_failed_with(call, ORDER_PAYING));
	ck_assert_int_eq(orders_client_cancel_order(
				 client, call, MSG(CancelOrderRequest, .name = order->name), &paid),
			 RPC_ABORTED);
	ck_assert(rpc_failed_with(call, ORDER_PAYING));
}

static const struct {
	int place; /* that fails once on the way back */
	bool after;
} losses[] = { { -1, false },     { RELEASE, false }, { RELEASE, true }, { RESTOCK, false },
	       { RESTOCK, true }, { VOID, false },    { VOID, true } };

TEST_EACH(stock_that_was_lost_ends_in_a_void_and_the_rest_put_back, losses)
{
	Order *order = create("r1"), *none;

	if (row->place >= 0 && row->after)
		world.after[row->place] = 1;
	else if (row->place >= 0)
		world.before[row->place] = 1;
	claim_of(order->name, 1)->state = LOST; /* its time ran out, and it was sold to others */
	world.stock[1] += 1;
	ck_assert_int_eq(pay_as(call, order->name, "pm_card_visa", "p1", &none),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_STOCK_LOST));
	sweep();
	assert_undone(order->name, ORDER_STATE_CANCELLED);
	ck_assert_int_eq(get(order->name)->payment_state, ORDER_PAYMENT_STATE_VOIDED);
	ck_assert_int_eq(money_of(order->name)->charges, 0);
	ck_assert_int_eq(events_of(order->name, "OrderCancelled"), 1);
	ck_assert_int_eq(events_of(order->name, "OrderPaid"), 0);
	ck_assert_int_eq(pay_as(call, order->name, "pm_card_visa", "p1", &none),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_STOCK_LOST));
}

TEST(money_that_cannot_be_captured_puts_the_stock_back)
{
	Order *order = create("r1"), *none;

	world.before[CAPTURE] = 1;
	pay_as(call, order->name, "pm_card_visa", "p1", &none);
	payment_of(order->name + 7)->state = PAYMENT_STATE_CANCELED; /* the hold has run out */
	sweep();
	assert_undone(order->name, ORDER_STATE_CANCELLED);
	ck_assert_int_eq(pay_as(call, order->name, "pm_card_visa", "p1", &none),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_NOT_PAYABLE));
}

TEST(a_hold_that_is_lost_when_the_stock_was_sold_puts_it_back)
{
	Order *order = create("r1"), *none;
	CommitReservationRequest *request =
		rpc_new(call, CommitReservationRequest, .order = order->name);
	CommitReservationResponse *sold;

	/* Whoever paid came to the commit, and no further. */
	world.after[AUTHORIZE] = 1;
	pay_as(call, order->name, "pm_card_visa", "p1", &none);
	order_each_lines(line, order)
		commit_reservation_request_add_lines(
			call, request,
			rpc_new(call, StockLine, .sku = line->sku, .quantity = line->quantity));
	ck_assert_int_eq(
		inventory_client_commit_reservation(orders.inventory, call, request, &sold), 0);
	payment_of(order->name + 7)->state = PAYMENT_STATE_REQUIRES_PAYMENT_METHOD;
	sweep();
	assert_undone(order->name, ORDER_STATE_CANCELLED);
}

TEST(money_that_was_taken_though_the_order_is_called_off_is_refunded)
{
	Order *order = create("r1"), *none;

	claim_of(order->name, 0)->state = LOST;
	world.stock[0] += 2;
	world.before[VOID] = 2;
	pay_as(call, order->name, "pm_card_visa", "p1", &none);
	payment_of(order->name + 7)->state =
		PAYMENT_STATE_SUCCEEDED; /* somebody captured it at the provider */
	payment_of(order->name + 7)->captured = payment_of(order->name + 7)->authorized;
	sweep();
	assert_undone(order->name, ORDER_STATE_CANCELLED);
	ck_assert_int_eq(get(order->name)->payment_state, ORDER_PAYMENT_STATE_REFUNDED);
}

TEST(a_customer_who_must_approve_is_told_where_and_the_rest_happens_by_itself)
{
	Order *order = create("r1");
	souk_payments_v1_PaymentAuthorized event = { .version = 2, .attempt = 1 };

	order = pay(order->name, "pm_action", "p1");
	ck_assert_int_eq(order->state, ORDER_STATE_PAYING);
	ck_assert_str_eq(order->next_action->redirect_uri, "https://bank.example/approve");
	sweep();
	ck_assert_int_eq(get(order->name)->state, ORDER_STATE_PAYING);
	world.approved = true;
	event_text(event.order, order->name);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(orders_payments.payment_authorized(
					 orders_payments_listener(&orders), call, &event, NULL),
				 0);
	assert_bought(order->name);
	ck_assert_ptr_null(get(order->name)->next_action);
	ck_assert_int_eq(pay(order->name, "pm_action", "p1")->state, ORDER_STATE_CONFIRMED);
}

TEST(an_approval_that_no_event_tells_of_is_found_by_the_sweeper)
{
	Order *order = create("r1");

	pay(order->name, "pm_action", "p1");
	world.approved = true;
	sweep();
	assert_bought(order->name);
}

TEST(an_approval_that_never_comes_ends_with_the_time_to_pay)
{
	Order *order, *none;

	order = create("r1");
	pay(order->name, "pm_action", "p1");
	due_in(order->name, 0);
	sweep();
	assert_undone(order->name, ORDER_STATE_EXPIRED);
	ck_assert_int_eq(money_of(order->name)->state, PAYMENT_STATE_CANCELED);
	ck_assert_int_eq(pay_as(call, order->name, "pm_action", "p1", &none),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, ORDER_NOT_PAYABLE));
}

TEST(an_unpaid_order_expires_and_frees_its_stock)
{
	Order *order, *none;

	order = create("r1");
	ck_assert(stock_is(8, 9));
	due_in(order->name, 0);
	leave(order->name);
	world.after[RELEASE] = 1;
	sweep();
	ck_assert_int_eq(events_of(order->name, "OrderExpired"), 0);
	sweep();
	assert_undone(order->name, ORDER_STATE_EXPIRED);
	ck_assert_int_eq(events_of(order->name, "OrderExpired"), 1);
	ck_assert_int_eq(pay_as(call, order->name, "pm_card_visa", "p1", &none),
			 RPC_FAILED_PRECONDITION);
	ck_assert_str_eq(rpc_error_meta(call, "state"), "EXPIRED");
}

TEST(an_overdue_order_is_not_paid_though_no_sweeper_came)
{
	Order *order, *none;

	order = create("r1");
	due_in(order->name, 0);
	ck_assert_int_eq(pay_as(call, order->name, "pm_card_visa", "p1", &none),
			 RPC_FAILED_PRECONDITION);
	assert_undone(order->name, ORDER_STATE_EXPIRED);
}

TEST(an_old_etag_is_refused)
{
	Order *order = create("r1"), *none;

	ck_assert_int_eq(orders_client_pay_order(client, call,
						 MSG(PayOrderRequest, .name = order->name,
						     .payment_method = "pm_card_visa",
						     .etag = "\"1\"", .request_id = "p1"),
						 &none),
			 RPC_ABORTED);
	ck_assert(rpc_failed_with(call, ETAG_MISMATCH));
}

TEST_MAIN("orders_pay", setup, teardown)
