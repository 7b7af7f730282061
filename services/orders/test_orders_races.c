/* Many at once: whoever wins, the books agree. */
#include "test_orders.h"

enum { THREADS = 12 };

static char name[64];
static int wins;

static void run(void *(*function)(void *data))
{
	pthread_t threads[THREADS];

	wins = 0;
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, function, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* After everything has come to rest: what was charged, sold and shipped fits what the order says.
 */
static void assert_consistent(const char *of)
{
	const struct paid *money = payment_of(strchr(of, '/') + 1);
	Order *order;

	for (int i = 0; i < 5; i++)
		sweep();
	order = get(of);
	ck_assert_ptr_null(stored(of)->next_look_time);
	ck_assert_int_le(money->charges, 1);
	ck_assert_int_eq(world.stock[0] + world.sold[0], 10);
	ck_assert_int_eq(world.stock[1] + world.sold[1], 10);
	if (order->state == ORDER_STATE_CONFIRMED) {
		ck_assert_int_eq(money->captured - money->refunded,
				 amounts_minor(order->totals->total));
		ck_assert(stock_is(8, 9));
		ck_assert_int_eq(events_of(of, "OrderPaid"), 1);
		return;
	}
	ck_assert(order->state == ORDER_STATE_CANCELLED || order->state == ORDER_STATE_EXPIRED);
	ck_assert_int_eq(money->captured, money->refunded);
	ck_assert_int_ne(money->state, PAYMENT_STATE_REQUIRES_CAPTURE);
	ck_assert(stock_is(10, 10));
}

static void *pay_in_thread(void *data)
{
	struct rpc_call *own = call_as("users/ann", "");
	Order *order;

	if (!pay_as(own, name, "pm_card_visa", rpc_printf(own, "p%ld", (long)data), &order))
		__atomic_add_fetch(&wins, 1, __ATOMIC_RELAXED);
	rpc_call_free(own);
	return NULL;
}

TEST(paying_many_times_at_once_is_one_charge)
{
	snprintf(name, sizeof(name), "%s", create("r1")->name);
	run(pay_in_thread);
	ck_assert_int_eq(wins, 1);
	ck_assert_int_eq(get(name)->state, ORDER_STATE_CONFIRMED);
	assert_consistent(name);
}

static void *pay_cancel_or_sweep(void *data)
{
	struct rpc_call *own = call_as("users/ann", "");
	Order *order;

	switch ((long)data % 3) {
	case 0:
		pay_in_thread(data);
		break;
	case 1:
		orders_client_cancel_order(client, own, MSG(CancelOrderRequest, .name = name),
					   &order);
		break;
	default:
		rpc_call_set_now(own, rpc_now_ms(own) + 600000);
		orders_sweep(&orders, own);
	}
	rpc_call_free(own);
	return NULL;
}

TEST(paying_and_cancelling_at_once_ends_in_one_of_both)
{
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "%s", create(rpc_printf(call, "r%d", i))->name);
		run(pay_cancel_or_sweep);
		assert_consistent(name);
		if (get(name)->state != ORDER_STATE_CONFIRMED)
			continue;
		orders_client_cancel_order(client, call, MSG(CancelOrderRequest, .name = name),
					   &(Order *){ NULL });
		assert_consistent(name);
	}
}

TEST(paying_when_the_time_runs_out_ends_paid_or_expired)
{
	orders.lease = 50;
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "%s", create(rpc_printf(call, "r%d", i))->name);
		due_in(name, 3); /* in the middle of it all */
		leave(name);
		run(pay_cancel_or_sweep);
		assert_consistent(name);
		if (get(name)->state == ORDER_STATE_CONFIRMED)
			orders_client_cancel_order(client, call,
						   MSG(CancelOrderRequest, .name = name),
						   &(Order *){ NULL });
		assert_consistent(name);
	}
}

/* Two sweepers and the customer's repeat at one payment that was left in the middle. */
static void *finish_in_thread(void *data)
{
	struct rpc_call *own = call_as("users/ann", "");
	Order *order;

	if ((long)data % 2) {
		pay_as(own, name, "pm_card_visa", "p0", &order);
	} else {
		rpc_call_set_now(own, rpc_now_ms(own) + 600000);
		orders_sweep(&orders, own);
	}
	rpc_call_free(own);
	return NULL;
}

TEST(whoever_finishes_a_payment_finishes_it_once)
{
	static const enum place places[] = { AUTHORIZE, COMMIT, CAPTURE, SHIP };

	orders.lease = 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		Order *order;

		snprintf(name, sizeof(name), "%s", create(rpc_printf(call, "r%zu", i))->name);
		world.after[places[i]] = 1;
		pay_as(call, name, "pm_card_visa", "p0", &order);
		run(finish_in_thread);
		assert_consistent(name);
		ck_assert_int_eq(get(name)->state, ORDER_STATE_CONFIRMED);
		orders_client_cancel_order(client, call, MSG(CancelOrderRequest, .name = name),
					   &order);
		assert_consistent(name);
	}
}

static void *cancel_line_in_thread(void *data)
{
	struct rpc_call *own = call_as("users/ann", "");
	CancelOrderLinesRequest *request =
		rpc_new(own, CancelOrderLinesRequest, .name = name,
			.request_id = rpc_printf(own, "c%ld", (long)data / 2));
	Order *order;

	cancel_order_lines_request_add_lines(
		own, request,
		rpc_new(own, CancelOrderLinesRequestLine, .line = "1", .quantity = 1));
	/* Twelve at one document use up the retries of some; their clients repeat. */
	while (orders_client_cancel_order_lines(client, own, request, &order) == RPC_ABORTED)
		usleep(1000);
	rpc_call_free(own);
	return NULL;
}

TEST(lines_cancelled_at_once_are_each_refunded_once)
{
	const struct paid *money;
	Order *order;

	world.in_cart[0] = 9;
	snprintf(name, sizeof(name), "%s", create("r1")->name);
	pay(name, "pm_card_visa", "p1");
	run(cancel_line_in_thread);
	for (int i = 0; i < 5; i++)
		sweep();
	order = get(name);
	money = payment_of(name + 7);
	ck_assert_int_eq(order->lines[0]->cancelled_quantity, THREADS / 2);
	ck_assert_int_eq(money->refunded, THREADS / 2 * 1070);
	ck_assert_int_eq(amounts_minor(order->totals->refunded), money->refunded);
	ck_assert_int_eq(world.stock[0], 10 - 9 + THREADS / 2);
}

static void *buy_in_thread(void *data)
{
	struct rpc_call *own = call_as("", "");
	char user[32];
	Order *order;

	snprintf(user, sizeof(user), "users/buyer%ld", (long)data);
	rpc_call_free(own);
	own = call_as(user, "");
	if (!create_as(own, "r", &order) && !pay_as(own, order->name, "pm_card_visa", "p", &order))
		__atomic_add_fetch(&wins, 1, __ATOMIC_RELAXED);
	rpc_call_free(own);
	return NULL;
}

TEST(as_many_buy_as_there_is_stock)
{
	world.in_cart[0] = 1;
	world.in_cart[1] = 0;
	world.stock[0] = 5;
	run(buy_in_thread);
	ck_assert_int_eq(wins, 5);
	ck_assert_int_eq(world.stock[0], 0);
	ck_assert_int_eq(world.sold[0], 5);
}

TEST_MAIN("orders_races", setup, teardown)
