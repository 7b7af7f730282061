/* For the tests of orders: the service against the real database, and what its customers do. */
#pragma once

#include "test_peers.h"
#include <stores.h>
#include <unistd.h>

static struct orders_service orders;
static struct orders_client *client;
static struct rpc_call *call;

/* --- setting up --- */

static inline struct rpc_call *call_as(const char *user, const char *scope)
{
	struct rpc_call *made = rpc_call_new("test", 30000);

	rpc_call_set_caller(made, &(const struct rpc_caller){ .user = user,
							      .session = "sessions/1",
							      .scope = scope,
							      .merge_from = "",
							      .service = "orders" });
	return made;
}

static inline void as(const char *user, const char *scope)
{
	rpc_call_free(call);
	call = call_as(user, scope);
}

static inline void setup(void)
{
	stores_mongo("orders");
	world = (struct world){ .lock = PTHREAD_MUTEX_INITIALIZER,
				.in_cart = { 2, 1 },
				.seen = { 1000, 555, 2000 },
				.price = { 1000, 555, 2000 },
				.sellable = { true, true, true },
				.ships = true,
				.stock = { 10, 10, 10 },
				.refund_state = REFUND_STATE_SUCCEEDED,
				.tax_class = { PRODUCT_TAX_CLASS_REDUCED,
					       PRODUCT_TAX_CLASS_STANDARD } };
	orders =
		(struct orders_service){ .cart = cart_client_local(&fake_cart, NULL),
					 .catalog = catalog_client_local(&fake_catalog, NULL),
					 .inventory = inventory_client_local(&fake_inventory, NULL),
					 .payments = payments_client_local(&fake_payments, NULL),
					 .shipping = shipping_client_local(&fake_shipping, NULL),
					 .users = users_client_local(&fake_users, NULL),
					 .ttl = 1800000,
					 .lease = 15000,
					 .backorder_poll = 60000,
					 .watch_poll = 50 };
	client = orders_client_local(&orders_service, &orders);
	as("users/ann", "");
}

static inline void teardown(void)
{
	client = orders_client_free(client);
	recent_forget(&orders_recent);
	cart_client_free(orders.cart);
	catalog_client_free(orders.catalog);
	inventory_client_free(orders.inventory);
	payments_client_free(orders.payments);
	shipping_client_free(orders.shipping);
	users_client_free(orders.users);
	call = rpc_call_free(call);
	stores_close();
}

/* --- what customers do --- */

static inline const CreateOrderRequest *create_request(struct rpc_call *at, const char *request_id)
{
	Address *address = rpc_new(at, Address, .recipient = "Ann", .city = "Berlin",
				   .postal_code = "10115", .country_code = "DE");

	address_add_lines(at, address, "Street 1");
	return rpc_new(at, CreateOrderRequest, .shipping_method = "shippingMethods/standard",
		       .request_id = request_id,
		       .destination_case = CREATE_ORDER_REQUEST_DESTINATION_SHIPPING_ADDRESS,
		       .shipping_address = address);
}

static inline int create_as(struct rpc_call *at, const char *request_id, Order **ret)
{
	return orders_client_create_order(client, at, create_request(at, request_id), ret);
}

static inline Order *create(const char *request_id)
{
	Order *order;

	ck_assert_msg(!create_as(call, request_id, &order), "%s", rpc_error_message(call));
	return order;
}

static inline int pay_as(struct rpc_call *at, const char *name, const char *method,
			 const char *request_id, Order **ret)
{
	return orders_client_pay_order(client, at,
				       MSG(PayOrderRequest, .name = name, .payment_method = method,
					   .return_uri = "https://shop.example/back",
					   .request_id = request_id),
				       ret);
}

static inline Order *pay(const char *name, const char *method, const char *request_id)
{
	Order *order;

	ck_assert_msg(!pay_as(call, name, method, request_id, &order), "%s",
		      rpc_error_message(call));
	return order;
}

static inline OrderRecord *stored(const char *name)
{
	OrderRecord *record;

	ck_assert_int_eq(order_read(call, strchr(name, '/') + 1, &record), 0);
	return record;
}

static inline Order *get(const char *name)
{
	return stored(name)->order;
}

/* Everything that is under way is overdue: what a crash left is taken up at once. */
static inline void sweep(void)
{
	struct rpc_call *turn = call_as("", "");

	rpc_call_set_now(turn, rpc_now_ms(turn) + 600000);
	ck_assert_int_ge(orders_sweep(&orders, turn), 0);
	rpc_call_free(turn);
}

/* The time to pay is over, or soon, however long the test took until now. */
static inline void due_in(const char *name, int64_t ms)
{
	OrderRecord *record = stored(name), *draft = order_draft(call, record);

	draft->order->payment_due_time = clock_timestamp(call, rpc_now_ms(call) + ms);
	ck_assert_int_eq(order_save(call, record, draft, NULL, NULL), 0);
}

/* Nobody works on it any more. */
static inline void leave(const char *name)
{
	ck_assert_int_eq(order_lease(call, stored(name), 1), 0);
}

static inline int events_of(const char *name, const char *type)
{
	OrderRecord *record = stored(name);
	int n = 0;

	order_record_each_outbox(event, record) n += !strcmp(strrchr(event->type, '.') + 1, type);
	return n;
}

static inline bool stock_is(int tea, int mug)
{
	return world.stock[0] == tea && world.stock[1] == mug;
}
