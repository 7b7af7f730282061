/*
 * Random walks: customers, staff, carriers, banks and faults do whatever comes to their mind, in any
 * order; when everything has come to rest, money, stock and parcels fit what the orders say.
 */
#include "shipping_events.ev.h"
#include "test_orders.h"
#include <walk.h>

enum { STEPS = 20, ORDERS_MAX = 20, STOCK = 5, FEW = 1, AHEAD = 4, RESTS = 30 };

struct parcel {
	char order[64];
	int units[SKUS], version;
	bool made, recalled, taken, delivered;
	char recalls[8][96];
	int n_recalls;
};

static struct walk {
	char orders[ORDERS_MAX][64];
	int n_orders, n_keys;
	struct parcel parcels[ORDERS_MAX];
	int n_parcels;
	int stock;
	int received[SKUS]; /* for orders that waited for it */
} walk;

/* --- names --- */

static const char *key(void)
{
	/* Now and then one that was used before. */
	int n = walk.n_keys && !below(6) ? below(walk.n_keys) : walk.n_keys++;

	return rpc_printf(call, "k%d", n);
}

static void know(const char *order)
{
	for (int i = 0; i < walk.n_orders; i++)
		if (!strcmp(walk.orders[i], order))
			return;
	ck_assert_int_lt(walk.n_orders, ORDERS_MAX);
	snprintf(walk.orders[walk.n_orders++], sizeof(walk.orders[0]), "%s", order);
}

static const char *some_order(void)
{
	return walk.n_orders ? walk.orders[below(3) ? walk.n_orders - 1 : below(walk.n_orders)]
			     : NULL;
}

/* --- a carrier that keeps books --- */

static struct parcel *parcel_of(const char *order)
{
	struct parcel *made;

	for (int i = 0; i < walk.n_parcels; i++)
		if (!strcmp(walk.parcels[i].order, order))
			return &walk.parcels[i];
	ck_assert_int_lt(walk.n_parcels, ORDERS_MAX);
	made = &walk.parcels[walk.n_parcels++];
	snprintf(made->order, sizeof(made->order), "%s", order);
	return made;
}

static int line_index(const char *line)
{
	return atoi(strrchr(line, '/') + 1) - 1;
}

static int ship(struct shipping_service *self, struct rpc_call *at,
		const CreateShipmentsRequest *req, CreateShipmentsResponse **ret)
{
	struct parcel *parcel = parcel_of(req->order);
	CreateShipmentsResponse *response = rpc_new(at, CreateShipmentsResponse);
	Shipment *shipment;
	int r = fails(at, &world.before[SHIP]);

	if (r)
		return r;
	if (parcel->recalled)
		return rpc_fail(at, SHIPMENT_NOT_FOUND, { "shipment", req->order });
	ck_assert(parcel->made || payment_of(req->order + 7)->captured);
	for (size_t i = 0; i < req->n_lines; i++) {
		struct claim *claim = claim_of(req->order, sku_index(req->lines[i]->sku));

		/* Only for units that are cancelled, and not put back yet. */
		ck_assert_int_le(claim->waits,
				 claim->quantity - claim->back - req->lines[i]->quantity);
	}
	for (size_t i = 0; !parcel->made && i < req->n_lines; i++)
		parcel->units[line_index(req->lines[i]->line)] += req->lines[i]->quantity;
	parcel->version += !parcel->made;
	parcel->made = true;
	shipment = rpc_new(at, Shipment, .name = rpc_printf(at, "shipments/%s", req->order + 7),
			   .state = SHIPMENT_STATE_PENDING, .carrier = "sandbox",
			   .etag = rpc_printf(at, "\"%d\"", parcel->version));
	create_shipments_response_add_shipments(at, response, shipment);
	*ret = response;
	return fails(at, &world.after[SHIP]);
}

static int call_off(struct rpc_call *at, const RecallShipmentsRequest *req, struct parcel *parcel)
{
	if (parcel->taken)
		return rpc_fail(at, SHIPMENT_NOT_CANCELLABLE, { "shipment", "shipments/1" },
				{ "state", "IN_TRANSIT" });
	if (!req->n_lines) {
		parcel->recalled = true;
		memset(parcel->units, 0, sizeof(parcel->units));
		return 0;
	}
	for (size_t i = 0; i < req->n_lines; i++) {
		int *units = &parcel->units[line_index(req->lines[i]->line)];

		ck_assert_int_ge(*units, req->lines[i]->quantity);
		*units -= req->lines[i]->quantity;
	}
	return 0;
}

static int recall(struct shipping_service *self, struct rpc_call *at,
		  const RecallShipmentsRequest *req, RecallShipmentsResponse **ret)
{
	struct parcel *parcel = parcel_of(req->order);
	int r = fails(at, &world.before[RECALL]);

	*ret = rpc_new(at, RecallShipmentsResponse);
	if (r)
		return r;
	if (req->n_lines && !parcel->made)
		return rpc_fail(at, SHIPMENT_NOT_FOUND, { "shipment", req->order });
	if (req->n_lines) {
		int n = parcel->n_recalls;

		for (int i = 0; i < n; i++)
			if (!strcmp(parcel->recalls[i], req->request_id))
				return 0;
		r = call_off(at, req, parcel);
		if (!r)
			is_first(parcel->recalls, &parcel->n_recalls, req->request_id);
	} else if (!parcel->recalled) {
		r = call_off(at, req, parcel);
	}
	return r ? r : fails(at, &world.after[RECALL]);
}

static const struct shipping_service_ops carrier = { .quote_rates = fake_quote,
						     .create_shipments = ship,
						     .recall_shipments = recall };

static void parcel_moves(const char *name, bool arrives)
{
	struct parcel *parcel = parcel_of(name);
	souk_shipping_v1_ShipmentUpdated *event = rpc_alloc(call, sizeof(*event));
	Order *order = get(name);

	if (!parcel->made || parcel->recalled || parcel->delivered)
		return;
	parcel->taken = true;
	parcel->delivered = arrives;
	snprintf(event->shipment, sizeof(event->shipment), "shipments/%s", name + 7);
	snprintf(event->order, sizeof(event->order), "%s", name);
	snprintf(event->user, sizeof(event->user), "%s", order->user);
	snprintf(event->state, sizeof(event->state), "%s", arrives ? "DELIVERED" : "IN_TRANSIT");
	event->version = ++parcel->version;
	for (size_t i = 0; i < order->n_lines; i++)
		if (parcel->units[i]) {
			souk_shipping_v1_ShipmentEventLine *to =
				&event->lines[event->lines_count++];

			snprintf(to->line, sizeof(to->line), "%s", order->lines[i]->name);
			snprintf(to->sku, sizeof(to->sku), "%s", order->lines[i]->sku);
			to->quantity = parcel->units[i];
		}
	ck_assert_int_eq(orders_shipping.shipment_updated(orders_shipping_listener(&orders), call,
							  event, NULL),
			 0);
}

/* --- what may happen --- */

static void places(int how)
{
	Order *order;

	if (how % 2) {
		world.in_cart[0] = below(3);
		world.in_cart[1] = below(3);
	}
	if (create_as(call, key(), &order))
		return;
	know(order->name);
}

static void pays(int how)
{
	static const char *const cards[] = { "pm_card_visa", "pm_card_visa", "pm_declined",
					     "pm_action", "pm_unknown" };
	const char *name = some_order();
	Order *order;

	if (name && payment_of(name + 7)->n_tries < 8)
		pay_as(call, name, cards[how % 5], key(), &order);
}

static void cancels(int how)
{
	const char *name = some_order();
	Order *order;

	if (name)
		orders_client_cancel_order(client, call, MSG(CancelOrderRequest, .name = name),
					   &order);
}

static void cancels_units(int how)
{
	const char *name = some_order();
	CancelOrderLinesRequest *request = rpc_new(call, CancelOrderLinesRequest);
	Order *order;

	if (!name)
		return;
	request->name = name;
	request->request_id = key();
	cancel_order_lines_request_add_lines(call, request,
					     rpc_new(call, CancelOrderLinesRequestLine,
						     .line = how % 2 ? "1" : "2",
						     .quantity = how % 3));
	orders_client_cancel_order_lines(client, call, request, &order);
}

static void fails_somewhere(int how)
{
	*(how % 2 ? &world.before[below(N_PLACES)] : &world.after[below(N_PLACES)]) = 1 + below(3);
}

static void goes_on(int how)
{
	const char *name = some_order();

	if (name)
		parcel_moves(name, how % 2);
}

static void comes_for(struct claim *claim, int quantity)
{
	walk.received[claim->sku] += quantity;
	arrives(claim->order, claim->sku, quantity);
}

static void stock_comes(int how)
{
	struct claim *claim = world.n_claims ? &world.claims[how % world.n_claims] : NULL;

	if (claim && claim->waits)
		comes_for(claim, 1);
}

static void bank_says(int how)
{
	world.approved = how % 2;
	world.refund_state = how % 3 ? REFUND_STATE_SUCCEEDED : REFUND_STATE_FAILED;
}

static void runs_out(int how)
{
	const char *name = some_order();

	if (name && get(name)->state <= ORDER_STATE_PAYING && !below(2))
		due_in(name, 0);
}

static void sweeps(int how)
{
	sweep();
}

static const struct happening happenings[] = {
	{ "places", places, 4 },         { "pays", pays, 8 },
	{ "cancels", cancels, 2 },       { "cancels units", cancels_units, 4 },
	{ "fails", fails_somewhere, 5 }, { "goes on", goes_on, 5 },
	{ "bank says", bank_says, 2 },   { "runs out", runs_out, 1 },
	{ "sweeps", sweeps, 2 },         { "stock comes", stock_comes, 3 },
};

/* --- what must be --- */

/* All that is looked at again, also what its customer never heard of. */
static size_t restless(void)
{
	struct rpc_call *tomorrow = call_as("", "");
	OrderRecord **due;
	size_t n;

	rpc_call_set_now(tomorrow, rpc_now_ms(tomorrow) + 24 * 3600000);
	ck_assert_int_eq(order_find_due(tomorrow, 100, &due, &n), 0);
	for (size_t i = 0; i < n; i++)
		know(due[i]->order->name);
	ck_assert_int_ge(orders_sweep(&orders, tomorrow), 0);
	rpc_call_free(tomorrow);
	return n;
}

/* Nothing fails any more, nobody does anything, and whoever has not paid is out of time. */
static void come_to_rest(void)
{
	memset(world.before, 0, sizeof(world.before));
	memset(world.after, 0, sizeof(world.after));
	world.refund_state = REFUND_STATE_SUCCEEDED;
	for (int i = 0; i < RESTS; i++) {
		for (int k = 0; k < walk.n_orders; k++)
			if (get(walk.orders[k])->state <= ORDER_STATE_PAYING) {
				due_in(walk.orders[k], 0);
				leave(walk.orders[k]);
			}
		if (!restless() && i)
			return;
		for (int k = 0; k < world.n_claims; k++)
			comes_for(&world.claims[k], world.claims[k].waits);
	}
	ck_abort_msg("walk %u does not come to rest", dice.number);
}

#define HOLDS(what)                                                                                \
	ck_assert_msg((what), "walk %u, %s in state %d: not so: %s", dice.number, order->name,     \
		      order->state, #what)

static bool is_sold(const Order *order)
{
	return order->state == ORDER_STATE_CONFIRMED || order->state == ORDER_STATE_COMPLETED;
}

static void check_sold(const Order *order, const struct paid *money, const struct parcel *parcel)
{
	int64_t kept =
		amounts_minor(order->totals->shipping) + amounts_minor(order->totals->shipping_tax);

	order_each_lines(line, order) {
		Money *back = NULL;
		int32_t left = amounts_units_left(line);

		HOLDS(left >= 0 && left <= line->quantity);
		HOLDS(parcel->units[line_index(line->name)] == left);
		if (!left)
			continue;
		HOLDS(!amounts_refund(call, line, left, &back));
		kept += amounts_minor(back);
	}
	HOLDS(money->charges == 1);
	HOLDS(money->captured == amounts_minor(order->totals->paid));
	HOLDS(money->refunded == amounts_minor(order->totals->refunded));
	/* Parts are rounded each. */
	HOLDS(llabs(money->captured - money->refunded - kept) <= 2);
	HOLDS(parcel->made && !parcel->recalled);
	HOLDS((order->state == ORDER_STATE_COMPLETED) == parcel->delivered);
	HOLDS(events_of(order->name, "OrderPaid") == 1);
	HOLDS(events_of(order->name, "OrderCompleted") == parcel->delivered);
}

static void check_off(const Order *order, const struct paid *money, const struct parcel *parcel)
{
	HOLDS(order->state == ORDER_STATE_CANCELLED || order->state == ORDER_STATE_EXPIRED ||
	      order->state == ORDER_STATE_REJECTED);
	HOLDS(money->captured == money->refunded);
	HOLDS(money->state != PAYMENT_STATE_REQUIRES_CAPTURE);
	HOLDS(money->state != PAYMENT_STATE_REQUIRES_ACTION);
	HOLDS(!parcel->taken);
	HOLDS(!parcel->made || parcel->recalled);
}

static void check_order(const Order *order, int *sold)
{
	const struct paid *money = payment_of(order->name + 7);
	const struct parcel *parcel = parcel_of(order->name);

	HOLDS(!*stored(order->name)->open_cart);
	HOLDS(!backorders_wait(order));
	for (size_t i = 0; i < order->n_steps; i++)
		HOLDS(order->steps[i]->state != ORDER_STEP_STATE_RUNNING);
	if (!is_sold(order)) {
		check_off(order, money, parcel);
		return;
	}
	check_sold(order, money, parcel);
	order_each_lines(line, order)
		sold[sku_index(line->sku)] += amounts_units_left(line);
}

static void check_all(void)
{
	int sold[SKUS] = { 0 };

	for (int i = 0; i < walk.n_orders; i++)
		check_order(get(walk.orders[i]), sold);
	for (int i = 0; i < SKUS; i++)
		ck_assert_msg(world.sold[i] == sold[i] &&
				      world.stock[i] == walk.stock + walk.received[i] - sold[i],
			      "walk %u: of %s the orders hold %d, %d are booked as sold, %d came, "
			      "%d are left",
			      dice.number, skus[i], sold[i], world.sold[i], walk.received[i],
			      world.stock[i]);
}

static void begin(void)
{
	setup();
	shipping_client_free(orders.shipping);
	orders.shipping = shipping_client_local(&carrier, NULL);
}

static void go(void)
{
	teardown();
	begin();
	walk = (struct walk){ .stock = dice.number % 2 ? FEW : STOCK };
	for (int i = 0; i < SKUS; i++) {
		world.stock[i] = walk.stock;
		world.limit[i] = dice.number % 2 ? AHEAD : 0;
	}
	places(0);
	for (int i = 0; i < STEPS; i++) {
		happen(happenings);
		as("users/ann", ""); /* a call each, as a server has it */
	}
	come_to_rest();
	if (dice.tells)
		for (int i = 0; i < walk.n_orders; i++)
			tell(walk.orders[i], get(walk.orders[i])->state);
	check_all();
}

TEST_EACH(whatever_happens_money_stock_and_parcels_fit_the_orders, walk_parts)
{
	walk_all(*row, go);
}

TEST_MAIN("orders_walks", begin, teardown)
