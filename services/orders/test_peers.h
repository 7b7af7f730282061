/* For the tests of orders: peers that keep books and fail when told to. */
#pragma once

#include "saga.h"
#include "test.h"
#include <common/clock.h>
#include <common/money.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Where a peer fails: before it has done anything, or after it has done all and its answer is lost.
 */
enum place {
	RESERVE,
	COMMIT,
	RELEASE,
	RESTOCK,
	AUTHORIZE,
	CAPTURE,
	VOID,
	REFUND,
	SHIP,
	RECALL,
	LOOK,
	N_PLACES
};

enum { SKUS = 3, CLAIMS_MAX = 64, PAYMENTS_MAX = 64 };
#define PROMISED 1800000000000 /* when what is backordered is expected */

struct claim {
	char order[64];
	int sku, quantity, waits, back; /* what of it is backordered; was put back */
	enum { RESERVED = 1, COMMITTED, RELEASED, LOST } state;
};

struct paid {
	char order[64];
	PaymentState state;
	char tries[8][64];    /* request ids */
	int n_tries, charges; /* charges: how often money was taken */
	int64_t authorized, captured, refunded;
	char refunds[16][96];
	int64_t refund_amounts[16];
	int n_refunds;
};

static struct world {
	pthread_mutex_t lock;
	/* cart and catalogue */
	int in_cart[SKUS], n_items;
	int64_t seen[SKUS], price[SKUS], discount;
	bool sellable[SKUS], ships;
	ProductTaxClass tax_class[SKUS];
	const char
		*etag; /* NULL: another when something was bought, as of a cart that was emptied */
	/* inventory */
	int stock[SKUS], sold[SKUS], limit[SKUS]; /* limit: what more can be backordered */
	struct claim claims[CLAIMS_MAX];
	int n_claims, looks; /* looks: how often it was asked whether stock came */
	char restocks[CLAIMS_MAX][96];
	int n_restocks;
	/* payments */
	struct paid payments[PAYMENTS_MAX];
	int n_payments, captures;
	bool approved; /* the customer, at the bank */
	RefundState refund_state;
	/* shipping */
	int shipments, recalls; /* how often they were made and called off */
	int parcel[SKUS];       /* what is in the one that was made first */
	bool carrier_has_it;
	int before[N_PLACES], after[N_PLACES]; /* how often it fails so */
} world;

static const char *const skus[SKUS] = { "TEA", "MUG", "POT" };
static inline int fails(struct rpc_call *at, int *times)
{
	if (!*times)
		return 0;
	--*times;
	return rpc_fail_code(at, RPC_UNAVAILABLE, "The peer does not answer.");
}

static inline int sku_index(const char *sku)
{
	for (int i = 0; i < SKUS; i++)
		if (!strcmp(skus[i], sku))
			return i;
	ck_abort_msg("no such SKU: %s", sku);
}

/* --- cart, catalogue, users --- */

static inline int fake_get_cart(struct cart_service *self, struct rpc_call *at,
				const GetCartRequest *req, Cart **ret)
{
	Cart *cart = rpc_new(at, Cart, .name = rpc_printf(at, "carts/%s", rpc_caller(at)->user + 6),
			     .currency_code = "EUR",
			     .etag = world.etag ? world.etag
						: rpc_printf(at, "\"%d\"", world.captures + 1),
			     .discount = money_new(at, "EUR", world.discount));

	for (int i = 0; i < SKUS; i++)
		if (world.in_cart[i])
			cart_add_items(
				at, cart,
				rpc_new(at, CartItem, .sku = skus[i], .quantity = world.in_cart[i],
					.variant =
						rpc_printf(at, "products/p/variants/%s", skus[i]),
					.seen_price = money_new(at, "EUR", world.seen[i])));
	*ret = cart;
	return 0;
}
static const struct cart_service_ops fake_cart = { .get_cart = fake_get_cart };

static inline int fake_batch_get_variants(struct catalog_service *self, struct rpc_call *at,
					  const BatchGetVariantsRequest *req,
					  BatchGetVariantsResponse **ret)
{
	BatchGetVariantsResponse *response = rpc_new(at, BatchGetVariantsResponse);

	for (size_t i = 0; i < req->n_names; i++) {
		int k = sku_index(strrchr(req->names[i], '/') + 1);

		batch_get_variants_response_add_variants(
			at, response,
			rpc_new(at, VariantDetails, .product = "products/p",
				.display_name = skus[k], .sellable = world.sellable[k],
				.tax_class = world.tax_class[k],
				.variant = rpc_new(at, Variant, .name = req->names[i],
						   .sku = skus[k], .weight_grams = 250,
						   .price = money_new(at, req->currency_code,
								      world.price[k]))));
	}
	*ret = response;
	return 0;
}
static const struct catalog_service_ops fake_catalog = { .batch_get_variants =
								 fake_batch_get_variants };

static inline int fake_get_address(struct users_service *self, struct rpc_call *at,
				   const GetAddressRequest *req, UserAddress **ret)
{
	UserAddress *address = rpc_new(at, UserAddress, .name = req->name, .recipient = "Ann",
				       .city = "Wien", .postal_code = "1010", .country_code = "AT");

	user_address_add_lines(at, address, "Graben 1");
	*ret = address;
	return 0;
}
static const struct users_service_ops fake_users = { .get_address = fake_get_address };

/* --- inventory --- */

static inline struct claim *claim_of(const char *order, int sku)
{
	for (int i = 0; i < world.n_claims; i++)
		if (world.claims[i].sku == sku && !strcmp(world.claims[i].order, order))
			return &world.claims[i];
	return NULL;
}

static inline struct claim *claim_new(const char *order, int sku, int quantity, int state)
{
	struct claim *claim = &world.claims[world.n_claims++];

	*claim = (struct claim){ .sku = sku, .quantity = quantity, .state = state };
	snprintf(claim->order, sizeof(claim->order), "%s", order);
	return claim;
}

static inline StockBackorder *backorder_view(struct rpc_call *at, const struct claim *claim)
{
	return rpc_new(at, StockBackorder, .sku = skus[claim->sku], .quantity = claim->waits,
		       .promise_time = clock_timestamp(at, PROMISED));
}

static inline int reserve_locked(struct rpc_call *at, const ReserveStockRequest *req,
				 ReserveStockResponse *response)
{
	for (size_t i = 0; i < req->n_lines; i++) {
		int k = sku_index(req->lines[i]->sku);
		struct claim *claim = claim_of(req->order, k);

		if (claim && claim->state != RESERVED)
			return rpc_fail(at, RESERVATION_ENDED, { "order", req->order },
					{ "sku", skus[k] }, { "state", "RELEASED" });
		if (!claim && world.stock[k] + world.limit[k] < req->lines[i]->quantity)
			reserve_stock_response_add_shortages(
				at, response,
				rpc_new(at, StockShortage, .sku = skus[k],
					.requested = req->lines[i]->quantity,
					.available = world.stock[k]));
	}
	response->reserved = !response->n_shortages;
	for (size_t i = 0; response->reserved && i < req->n_lines; i++) {
		int k = sku_index(req->lines[i]->sku), quantity = req->lines[i]->quantity;
		struct claim *claim = claim_of(req->order, k);

		if (!claim) {
			claim = claim_new(req->order, k, quantity, RESERVED);
			claim->waits = quantity > world.stock[k] ? quantity - world.stock[k] : 0;
			world.limit[k] -= claim->waits;
			world.stock[k] -= quantity - claim->waits;
		}
		if (claim->waits)
			reserve_stock_response_add_backorders(at, response,
							      backorder_view(at, claim));
	}
	return 0;
}

static inline int fake_reserve(struct inventory_service *self, struct rpc_call *at,
			       const ReserveStockRequest *req, ReserveStockResponse **ret)
{
	int r;

	*ret = rpc_new(at, ReserveStockResponse);
	pthread_mutex_lock(&world.lock);
	r = fails(at, &world.before[RESERVE]);
	if (!r)
		r = reserve_locked(at, req, *ret);
	if (!r)
		r = fails(at, &world.after[RESERVE]);
	pthread_mutex_unlock(&world.lock);
	return r;
}

static inline int fake_commit(struct inventory_service *self, struct rpc_call *at,
			      const CommitReservationRequest *req, CommitReservationResponse **ret)
{
	CommitReservationResponse *response = rpc_new(at, CommitReservationResponse);
	int r;

	pthread_mutex_lock(&world.lock);
	r = fails(at, &world.before[COMMIT]);
	for (size_t i = 0; !r && i < req->n_lines; i++) {
		int k = sku_index(req->lines[i]->sku);
		struct claim *claim = claim_of(req->order, k);

		if (claim && claim->state == RESERVED) {
			ck_assert_int_eq(claim->quantity, req->lines[i]->quantity);
			claim->state = COMMITTED;
			world.sold[k] += claim->quantity;
		}
		if (claim && claim->state == COMMITTED)
			commit_reservation_response_add_committed_skus(at, response, skus[k]);
		else
			commit_reservation_response_add_missing_skus(at, response, skus[k]);
	}
	if (!r)
		r = fails(at, &world.after[COMMIT]);
	pthread_mutex_unlock(&world.lock);
	*ret = response;
	return r;
}

static inline int fake_release(struct inventory_service *self, struct rpc_call *at,
			       const ReleaseReservationRequest *req,
			       ReleaseReservationResponse **ret)
{
	ReleaseReservationResponse *response = rpc_new(at, ReleaseReservationResponse);
	int r;

	pthread_mutex_lock(&world.lock);
	r = fails(at, &world.before[RELEASE]);
	for (size_t i = 0; !r && i < req->n_skus; i++) {
		int k = sku_index(req->skus[i]);
		struct claim *claim = claim_of(req->order, k);

		if (!claim)
			claim = claim_new(req->order, k, 0, RELEASED);
		if (claim->state == COMMITTED)
			release_reservation_response_add_committed_skus(at, response, skus[k]);
		if (claim->state == RESERVED) {
			claim->state = RELEASED;
			world.stock[k] += claim->quantity - claim->waits;
			claim->waits = 0;
		}
	}
	if (!r)
		r = fails(at, &world.after[RELEASE]);
	pthread_mutex_unlock(&world.lock);
	*ret = response;
	return r;
}

/* Whether this name is new; then it is noted. */
static inline bool is_first(char names[][96], int *n, const char *name)
{
	for (int i = 0; i < *n; i++)
		if (!strcmp(names[i], name))
			return false;
	snprintf(names[(*n)++], sizeof(names[0]), "%s", name);
	return true;
}

static inline int fake_restock(struct inventory_service *self, struct rpc_call *at,
			       const RestockStockRequest *req, RestockStockResponse **ret)
{
	int r;

	pthread_mutex_lock(&world.lock);
	r = fails(at, &world.before[RESTOCK]);
	if (!r && is_first(world.restocks, &world.n_restocks, req->request_id))
		for (size_t i = 0; i < req->n_lines; i++) {
			int k = sku_index(req->lines[i]->sku), quantity = req->lines[i]->quantity;
			struct claim *claim = claim_of(req->order, k);
			int waits = claim->waits < quantity ? claim->waits : quantity;

			claim->waits -= waits;
			claim->back += quantity;
			world.stock[k] += quantity - waits;
			world.sold[k] -= quantity;
		}
	if (!r)
		r = fails(at, &world.after[RESTOCK]);
	pthread_mutex_unlock(&world.lock);
	return r;
}

static inline int fake_get_backorders(struct inventory_service *self, struct rpc_call *at,
				      const GetOrderBackordersRequest *req,
				      GetOrderBackordersResponse **ret)
{
	GetOrderBackordersResponse *response = rpc_new(at, GetOrderBackordersResponse);
	int r;

	pthread_mutex_lock(&world.lock);
	world.looks++;
	r = fails(at, &world.before[LOOK]);
	for (size_t i = 0; !r && i < req->n_skus; i++) {
		struct claim *claim = claim_of(req->order, sku_index(req->skus[i]));

		if (claim && claim->waits)
			get_order_backorders_response_add_backorders(at, response,
								     backorder_view(at, claim));
	}
	pthread_mutex_unlock(&world.lock);
	*ret = response;
	return r;
}

/* Stock comes for an order that waits. */
static inline void arrives(const char *order, int k, int quantity)
{
	struct claim *claim = claim_of(order, k);

	ck_assert_int_ge(claim->waits, quantity);
	claim->waits -= quantity;
}

static const struct inventory_service_ops fake_inventory = {
	.reserve_stock = fake_reserve,
	.commit_reservation = fake_commit,
	.release_reservation = fake_release,
	.restock_stock = fake_restock,
	.get_order_backorders = fake_get_backorders,
};

/* --- payments --- */

static inline struct paid *payment_of(const char *id)
{
	struct paid *made;

	for (int i = 0; i < world.n_payments; i++)
		if (!strcmp(world.payments[i].order, id))
			return &world.payments[i];
	made = &world.payments[world.n_payments++];
	*made = (struct paid){ .state = PAYMENT_STATE_REQUIRES_PAYMENT_METHOD };
	snprintf(made->order, sizeof(made->order), "%s", id);
	return made;
}

static inline Payment *payment_view(struct rpc_call *at, const struct paid *paid)
{
	Payment *payment = rpc_new(at, Payment, .name = rpc_printf(at, "payments/%s", paid->order),
				   .state = paid->state);

	if (paid->authorized)
		payment->authorize_time = clock_now(at);
	if (paid->state == PAYMENT_STATE_REQUIRES_ACTION)
		payment->redirect_uri = "https://bank.example/approve";
	for (int i = 0; i < paid->n_tries; i++)
		payment_add_attempts(
			at, payment,
			rpc_new(at, PaymentAttempt, .number = i + 1,
				.decline_code = paid->state == PAYMENT_STATE_REQUIRES_PAYMENT_METHOD
							? "card_declined"
							: ""));
	return payment;
}

static inline int authorize_locked(struct rpc_call *at, const AuthorizePaymentRequest *req,
				   struct paid *paid)
{
	bool known = false;

	for (int i = 0; i < paid->n_tries; i++)
		known = known || !strcmp(paid->tries[i], req->request_id);
	if (known) {
		if (paid->state == PAYMENT_STATE_REQUIRES_ACTION && world.approved) {
			paid->state = PAYMENT_STATE_REQUIRES_CAPTURE;
			paid->authorized = amounts_minor(req->amount);
		}
		return 0;
	}
	if (paid->state == PAYMENT_STATE_CANCELED || paid->state == PAYMENT_STATE_SUCCEEDED)
		return rpc_fail(at, PAYMENT_CLOSED, { "payment", "payments/p" },
				{ "state", "CANCELED" });
	if (!strcmp(req->payment_method, "pm_unknown"))
		return rpc_fail(at, PAYMENT_METHOD_INVALID, { "problem", "nobody knows it" });
	ck_assert_int_eq(paid->state, PAYMENT_STATE_REQUIRES_PAYMENT_METHOD);
	snprintf(paid->tries[paid->n_tries++], sizeof(paid->tries[0]), "%s", req->request_id);
	if (!strcmp(req->payment_method, "pm_action")) {
		paid->state = PAYMENT_STATE_REQUIRES_ACTION;
	} else if (strcmp(req->payment_method, "pm_declined")) {
		paid->state = PAYMENT_STATE_REQUIRES_CAPTURE;
		paid->authorized = amounts_minor(req->amount);
	}
	return 0;
}

static inline int fake_authorize(struct payments_service *self, struct rpc_call *at,
				 const AuthorizePaymentRequest *req, Payment **ret)
{
	struct paid *paid;
	int r;

	pthread_mutex_lock(&world.lock);
	paid = payment_of(req->order + 7);
	r = fails(at, &world.before[AUTHORIZE]);
	if (!r)
		r = authorize_locked(at, req, paid);
	if (!r)
		r = fails(at, &world.after[AUTHORIZE]);
	*ret = payment_view(at, paid);
	pthread_mutex_unlock(&world.lock);
	return r;
}

static inline int capture_locked(struct rpc_call *at, const CapturePaymentRequest *req,
				 struct paid *paid)
{
	if (paid->state == PAYMENT_STATE_SUCCEEDED)
		return 0;
	if (paid->state != PAYMENT_STATE_REQUIRES_CAPTURE)
		return rpc_fail(at, PAYMENT_NOT_CAPTURABLE, { "payment", req->name },
				{ "state", "CANCELED" });
	paid->state = PAYMENT_STATE_SUCCEEDED;
	paid->captured = amounts_minor(req->amount);
	ck_assert_int_eq(paid->captured, paid->authorized);
	paid->charges++;
	world.captures++;
	return 0;
}

static inline int fake_capture(struct payments_service *self, struct rpc_call *at,
			       const CapturePaymentRequest *req, Payment **ret)
{
	struct paid *paid;
	int r;

	pthread_mutex_lock(&world.lock);
	paid = payment_of(req->name + 9);
	r = fails(at, &world.before[CAPTURE]);
	if (!r)
		r = capture_locked(at, req, paid);
	if (!r)
		r = fails(at, &world.after[CAPTURE]);
	*ret = payment_view(at, paid);
	pthread_mutex_unlock(&world.lock);
	return r;
}

static inline int fake_void(struct payments_service *self, struct rpc_call *at,
			    const VoidPaymentRequest *req, Payment **ret)
{
	struct paid *paid;
	int r;

	pthread_mutex_lock(&world.lock);
	paid = payment_of(req->name + 9);
	r = fails(at, &world.before[VOID]);
	if (!r && paid->state == PAYMENT_STATE_SUCCEEDED)
		r = rpc_fail(at, PAYMENT_NOT_VOIDABLE, { "payment", req->name });
	if (!r) {
		paid->state = PAYMENT_STATE_CANCELED;
		r = fails(at, &world.after[VOID]);
	}
	*ret = payment_view(at, paid);
	pthread_mutex_unlock(&world.lock);
	return r;
}

static inline int refund_locked(struct rpc_call *at, const CreateRefundRequest *req,
				struct paid *paid, int64_t *amount)
{
	int64_t left = paid->captured - paid->refunded;

	*amount = req->refund->amount ? amounts_minor(req->refund->amount) : left;
	for (int i = 0; i < paid->n_refunds; i++)
		if (!strcmp(paid->refunds[i], req->request_id)) {
			*amount = paid->refund_amounts[i];
			return 0;
		}
	if (paid->state != PAYMENT_STATE_SUCCEEDED)
		return rpc_fail(at, PAYMENT_NOT_REFUNDABLE, { "payment", req->parent },
				{ "state", "CANCELED" });
	if (*amount > left || !left)
		return rpc_fail(at, REFUND_TOO_LARGE, { "payment", req->parent },
				{ "refundable", "0" }, { "requested", "1" });
	if (world.refund_state == REFUND_STATE_FAILED)
		return 0;
	paid->refund_amounts[paid->n_refunds] = *amount;
	is_first(paid->refunds, &paid->n_refunds, req->request_id);
	paid->refunded += *amount;
	return 0;
}

static inline int fake_refund(struct payments_service *self, struct rpc_call *at,
			      const CreateRefundRequest *req, Refund **ret)
{
	int64_t amount = 0;
	int r;

	pthread_mutex_lock(&world.lock);
	r = fails(at, &world.before[REFUND]);
	if (!r)
		r = refund_locked(at, req, payment_of(req->parent + 9), &amount);
	if (!r)
		r = fails(at, &world.after[REFUND]);
	*ret = rpc_new(
		at, Refund, .state = world.refund_state, .amount = money_new(at, "EUR", amount),
		.failure_code =
			world.refund_state == REFUND_STATE_FAILED ? "lost_or_stolen_card" : "");
	pthread_mutex_unlock(&world.lock);
	return r;
}
static const struct payments_service_ops fake_payments = { .authorize_payment = fake_authorize,
							   .capture_payment = fake_capture,
							   .void_payment = fake_void,
							   .create_refund = fake_refund };

/* --- shipping --- */

static inline int fake_quote(struct shipping_service *self, struct rpc_call *at,
			     const QuoteRatesRequest *req, ShippingQuote **ret)
{
	ShippingQuote *quote = rpc_new(at, ShippingQuote);

	if (world.ships && !strcmp(req->shipping_method, "shippingMethods/standard"))
		shipping_quote_add_methods(
			at, quote,
			rpc_new(at, ShippingOption, .name = "shippingMethods/standard",
				.display_name = "Standard", .carrier = "sandbox",
				.price = money_new(at, req->subtotal->currency_code, 490),
				.promise = rpc_new(at, DeliveryPromise, .min_days = 2,
						   .max_days = 4)));
	*ret = quote;
	return 0;
}

/* Only what is there can be packed. */
static inline void pack(const char *order, const CreateShipmentsRequestLine *line)
{
	int k = sku_index(line->sku);
	const struct claim *claim = claim_of(order, k);

	ck_assert_int_le(line->quantity, claim->quantity - claim->waits);
	if (!world.shipments)
		world.parcel[k] = line->quantity;
}

static inline int fake_ship(struct shipping_service *self, struct rpc_call *at,
			    const CreateShipmentsRequest *req, CreateShipmentsResponse **ret)
{
	CreateShipmentsResponse *response = rpc_new(at, CreateShipmentsResponse);
	Shipment *shipment =
		rpc_new(at, Shipment, .name = rpc_printf(at, "shipments/%s.1", req->order + 7),
			.state = SHIPMENT_STATE_PENDING, .carrier = "sandbox", .etag = "\"1\"");
	int r;

	for (size_t i = 0; i < req->n_lines; i++)
		shipment_add_lines(at, shipment,
				   rpc_new(at, ShipmentLine, .line = req->lines[i]->line,
					   .sku = req->lines[i]->sku,
					   .quantity = req->lines[i]->quantity));
	create_shipments_response_add_shipments(at, response, shipment);
	*ret = response;
	pthread_mutex_lock(&world.lock);
	r = fails(at, &world.before[SHIP]);
	for (size_t i = 0; !r && i < req->n_lines; i++)
		pack(req->order, req->lines[i]);
	if (!r) {
		world.shipments++;
		r = fails(at, &world.after[SHIP]);
	}
	pthread_mutex_unlock(&world.lock);
	return r;
}

static inline int fake_recall(struct shipping_service *self, struct rpc_call *at,
			      const RecallShipmentsRequest *req, RecallShipmentsResponse **ret)
{
	int r;

	*ret = rpc_new(at, RecallShipmentsResponse);
	pthread_mutex_lock(&world.lock);
	r = fails(at, &world.before[RECALL]);
	if (!r && world.carrier_has_it)
		r = rpc_fail(at, SHIPMENT_NOT_CANCELLABLE, { "shipment", "shipments/1" },
			     { "state", "IN_TRANSIT" });
	for (size_t i = 0; !r && i < req->n_lines; i++)
		world.parcel[sku_index(req->lines[i]->sku)] -= req->lines[i]->quantity;
	if (!r) {
		world.recalls++;
		r = fails(at, &world.after[RECALL]);
	}
	pthread_mutex_unlock(&world.lock);
	return r;
}
static const struct shipping_service_ops fake_shipping = { .quote_rates = fake_quote,
							   .create_shipments = fake_ship,
							   .recall_shipments = fake_recall };
