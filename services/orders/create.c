/*
 * Placing an order: from what is in the caller's cart to a record whose stock is being reserved.
 *
 * Everything that can be refused is refused before anything is stored. The record is stored first,
 * PENDING, and takes its cart by `open_cart`, which the unique index lets one order do; from then
 * on it counts, and the saga, here or in the sweeper, reserves its stock. The insert takes the cart
 * with it if it can. If not, the record is inserted without, meets the order that is open, and
 * takes the cart by an update; one that did not come so far is nobody's, and is forgotten.
 */
#include "errors.msg.h"
#include "saga.h"
#include <common/clock.h>
#include <common/money.h>
#include <common/names.h>
#include <common/tax.h>
#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { TRIES = 8, RESERVATION_LONGER_MS = 3600000, WEIGHT_MAX = 1000000000 };

/* --- what is ordered --- */

static int take_address(struct orders_service *self, struct rpc_call *call,
			const CreateOrderRequest *req, Address **ret)
{
	const char *user = rpc_caller(call)->user, *name;
	UserAddress *saved;
	int r;

	if (req->destination_case == CREATE_ORDER_REQUEST_DESTINATION_SHIPPING_ADDRESS) {
		*ret = req->shipping_address;
		return 0;
	}
	if (req->destination_case != CREATE_ORDER_REQUEST_DESTINATION_ADDRESS_ID ||
	    !*req->address_id)
		return rpc_fail(call, ORDER_ADDRESS_REQUIRED);
	name = req->address_id;
	if (!strchr(name, '/') || !strncmp(name, "users/me/", strlen("users/me/")))
		name = name_join(call, user, "addresses", name_id(name));
	r = users_client_get_address(self->users, call, MSG(GetAddressRequest, .name = name),
				     &saved);
	if (r)
		return r;
	/* As a service we are admitted to all addresses. */
	if (strncmp(saved->name, user, strlen(user)) || saved->name[strlen(user)] != '/')
		return rpc_fail(call, NOT_OWNER, { "name", req->address_id });
	*ret = rpc_new(call, Address, .recipient = saved->recipient, .n_lines = saved->n_lines,
		       .lines = saved->lines, .city = saved->city, .region = saved->region,
		       .postal_code = saved->postal_code, .country_code = saved->country_code,
		       .phone = saved->phone);
	return 0;
}

static int take_cart(struct orders_service *self, struct rpc_call *call,
		     const CreateOrderRequest *req, Cart **ret)
{
	Cart *cart;
	int r;

	/* Prices are the catalogue's, and stock is asked for when it is reserved. */
	r = cart_client_get_cart(self->cart, call,
				 MSG(GetCartRequest, .view = GET_CART_REQUEST_VIEW_BASIC), &cart);
	if (r)
		return r;
	if (*req->cart_etag && strcmp(req->cart_etag, "*") && strcmp(req->cart_etag, cart->etag))
		return rpc_fail(call, ORDER_CART_CHANGED, { "etag", cart->etag });
	if (!cart->n_items)
		return rpc_fail(call, ORDER_CART_EMPTY);
	*ret = cart;
	return 0;
}

static int take_variants(struct orders_service *self, struct rpc_call *call, const Cart *cart,
			 BatchGetVariantsResponse **ret)
{
	BatchGetVariantsRequest *request =
		rpc_new(call, BatchGetVariantsRequest, .currency_code = cart->currency_code);

	cart_each_items(item, cart)
		batch_get_variants_request_add_names(call, request, item->variant);
	return catalog_client_batch_get_variants(self->catalog, call, request, ret);
}

static const char *decimal(struct rpc_call *call, const Money *money)
{
	const char *text = money_print(call, money), *space = strchr(text, ' '); /* "EUR 12.50" */

	return space ? space + 1 : text;
}

static int price_changed(struct rpc_call *call, const char *what, const Money *old,
			 const Money *new)
{
	return rpc_fail(call, ORDER_PRICE_CHANGED, { "what", what }, { "old", decimal(call, old) },
			{ "new", decimal(call, new) }, { "currencyCode", new->currency_code });
}

static int add_line(struct rpc_call *call, Order *order, const CartItem *item,
		    const BatchGetVariantsResponse *known, bool compare)
{
	const VariantDetails *details = NULL;
	int rises = 0;

	for (size_t i = 0; i < known->n_variants; i++)
		if (!strcmp(known->variants[i]->variant->name, item->variant))
			details = known->variants[i];
	if (!details || !details->sellable || !details->variant->price)
		return rpc_fail(call, ORDER_ITEM_UNAVAILABLE, { "sku", item->sku });
	if (compare && item->seen_price &&
	    !money_compare(details->variant->price, item->seen_price, &rises) && rises > 0)
		return price_changed(call, details->variant->sku, item->seen_price,
				     details->variant->price);
	order_add_lines(
		call, order,
		rpc_new(call, OrderLine,
			.name = rpc_printf(call, "%s/lines/%zu", order->name, order->n_lines + 1),
			.product = details->product, .variant = details->variant->name,
			.sku = details->variant->sku, .display_name = details->display_name,
			.image_uri = details->image_uri, .quantity = item->quantity,
			.unit_price = details->variant->price,
			.weight_grams = details->variant->weight_grams,
			.tax_rate_millionths = tax_rate(order->shipping_address->country_code,
							details->tax_class)));
	return 0;
}

static int add_lines(struct orders_service *self, struct rpc_call *call,
		     const CreateOrderRequest *req, const Cart *cart, Order *order)
{
	BatchGetVariantsResponse *known;
	int r;

	r = take_variants(self, call, cart, &known);
	if (r)
		return r;
	cart_each_items(item, cart) {
		r = add_line(call, order, item, known, !req->expected_total);
		if (r)
			return r;
	}
	r = amounts_spread_discount(call, order, amounts_minor(cart->discount));
	return r ? r : amounts_add_up(call, order);
}

static int32_t weight_of(const Order *order)
{
	int64_t sum = 0;

	order_each_lines(line, order)
		sum += (int64_t)line->weight_grams * line->quantity;
	return sum < WEIGHT_MAX ? (int32_t)sum : WEIGHT_MAX;
}

static int add_shipping(struct orders_service *self, struct rpc_call *call,
			const CreateOrderRequest *req, Order *order)
{
	int64_t goods = amounts_minor(order->totals->subtotal) -
			amounts_minor(order->totals->discount),
		tax;
	const char *currency = order->currency_code;
	ShippingQuote *quote;
	int r;

	r = shipping_client_quote_rates(self->shipping, call,
					MSG(QuoteRatesRequest, .address = order->shipping_address,
					    .weight_grams = weight_of(order),
					    .subtotal = money_new(call, currency, goods),
					    .shipping_method = req->shipping_method),
					&quote);
	if (r)
		return r;
	shipping_quote_each_methods(option, quote)
		if (!strcmp(option->name, req->shipping_method))
			order->shipping_option = option;
	if (!order->shipping_option || !order->shipping_option->price ||
	    strcmp(order->shipping_option->price->currency_code, currency))
		return rpc_fail(call, ORDER_SHIPPING_UNAVAILABLE,
				{ "shippingMethod", req->shipping_method });
	order->totals->shipping = order->shipping_option->price;
	if (tax_of(amounts_minor(order->totals->shipping),
		   tax_rate_of_shipping(order->shipping_address->country_code), &tax))
		return -EOVERFLOW;
	order->totals->shipping_tax = money_new(call, currency, tax);
	return amounts_add_up(call, order);
}

static int check_total(struct rpc_call *call, const CreateOrderRequest *req, const Order *order)
{
	int64_t expected;
	int r;

	if (!req->expected_total)
		return 0;
	r = money_check(call, "expected_total", req->expected_total, 0, &expected);
	if (r)
		return r;
	if (strcmp(req->expected_total->currency_code, order->currency_code))
		return rpc_fail(call, MONEY_INVALID, { "field", "expected_total" },
				{ "problem", rpc_printf(call, "the cart's currency is %s",
							order->currency_code) });
	if (amounts_minor(order->totals->total) > expected)
		return price_changed(call, "total", req->expected_total, order->totals->total);
	return 0;
}

/* The order as it would be placed now. */
static int draw_up(struct orders_service *self, struct rpc_call *call,
		   const CreateOrderRequest *req, const char *id, Order **ret)
{
	const struct rpc_caller *caller = rpc_caller(call);
	Money *none;
	Order *order;
	Cart *cart;
	int r;

	if (caller->guest && !*req->email)
		return rpc_fail(call, ORDER_EMAIL_REQUIRED);
	order = rpc_new(call, Order, .name = name_of(call, "orders", id),
			.user = rpc_strdup(call, caller->user), .guest = caller->guest,
			.email = req->email, .note = req->note);
	r = take_address(self, call, req, &order->shipping_address);
	if (!r)
		r = take_cart(self, call, req, &cart);
	if (r)
		return r;
	order->billing_address =
		req->billing_address ? req->billing_address : order->shipping_address;
	order->cart = cart->name;
	order->currency_code = cart->currency_code;
	none = money_new(call, cart->currency_code, 0);
	order->totals = rpc_new(call, OrderTotals, .shipping = none, .shipping_tax = none,
				.paid = none, .refunded = none);
	r = add_lines(self, call, req, cart, order);
	if (!r)
		r = add_shipping(self, call, req, order);
	if (!r)
		r = check_total(call, req, order);
	if (r)
		return r;
	*ret = order;
	return 0;
}

/* --- its record --- */

/* What makes two orders the same: not their names, nor the days that the carrier promises, which
 * pass. */
static ProtobufCBinaryData hash_of(struct rpc_call *call, const Order *order)
{
	uint8_t *hash = rpc_alloc(call, crypto_hash_sha256_BYTES);
	Order *same = (Order *)rpc_message_copy(rpc_arena(call), &order->base);
	ProtobufCBinaryData packed;

	same->name = "";
	same->shipping_option->promise = NULL;
	order_each_lines(line, same)
		line->name = line->display_name = line->image_uri = "";
	packed = rpc_pack(rpc_arena(call), &same->base);
	crypto_hash_sha256(hash, packed.data, packed.len);
	return (ProtobufCBinaryData){ .data = hash, .len = crypto_hash_sha256_BYTES };
}

/*
 * A number that people read and say: eight characters of Crockford's base32, at random, so that it
 * tells nothing about how many orders there are, is no more guessable than one in 10^12, and has no
 * gaps because it is no count. The index makes it unique.
 */
static void set_number(struct rpc_call *call, OrderRecord *record)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	char text[9] = { 0 };

	for (size_t i = 0; i < 8; i++)
		text[i] = digits[randombytes_uniform(32)];
	record->number_key = rpc_printf(call, "SK%s", text);
	record->order->number = rpc_printf(call, "SK-%.4s-%.4s", text, text + 4);
}

static const char *lower(struct rpc_call *call, const char *text)
{
	char *copy = rpc_strdup(call, text);

	for (char *at = copy; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy;
}

static OrderRecord *record_of(struct orders_service *self, struct rpc_call *call,
			      const struct answers_key *key, Order *order)
{
	int64_t now = rpc_now_ms(call), due = now + self->ttl;
	OrderRecord *record =
		rpc_new(call, OrderRecord, .id = key->id, .order = order,
			.user = name_id(order->user), .contents_hash = hash_of(call, order),
			.email_key = lower(call, order->email), .schema_version = 1);

	/* Whoever reserves the stock knows by it whom to tell when there is none. */
	order_record_add_answers(
		call, record,
		rpc_new(call, StoredAnswer, .key = key->key,
			.body_hash = { .len = sizeof(key->body_hash),
				       .data = rpc_memdup(call, key->body_hash,
							  sizeof(key->body_hash)) }));
	record->next_look_time = clock_timestamp(call, now + self->lease);
	record->reservation_expire_time = clock_timestamp(call, due + RESERVATION_LONGER_MS);
	order->payment_state = ORDER_PAYMENT_STATE_UNPAID;
	order->fulfilment_state = ORDER_FULFILMENT_STATE_UNFULFILLED;
	order->create_time = order->update_time = clock_timestamp(call, now);
	order->payment_due_time = clock_timestamp(call, due);
	step_begin(call, order, ORDER_STEP_KIND_RESERVE);
	history_add(call, order, ORDER_STATE_PENDING, "");
	return record;
}

/* --- one open order a cart --- */

/* Reserves the stock, and answers with the order or with what was short. */
static int finish(struct orders_service *self, struct rpc_call *call, const struct answers_key *key,
		  OrderRecord *record, Order **ret)
{
	Order *none;
	int r;

	r = saga_drive(self, call, &record);
	if (r && r != SAGA_WAITS && (r < 0 || record->order->state == ORDER_STATE_PENDING))
		return r;
	if (record->order->state != ORDER_STATE_REJECTED) {
		*ret = orders_view(call, record);
		return 0;
	}
	r = order_read(call, record->id, &record);
	if (!r)
		r = answers_find(call, key, record, &Order_descriptor, &none);
	/* It was another request's order, and is rejected now that we come to it. */
	return r == ANSWERS_NONE || r == ANSWERS_PENDING ? answers_in_progress(call, key) : r;
}

static int replace(struct orders_service *self, struct rpc_call *call, OrderRecord *open)
{
	OrderRecord *draft = order_draft(call, open);
	int r;

	draft->replaced = true;
	saga_begin_cancellation(call, draft, "replaced by a new order",
				"the cart was changed and ordered again");
	r = saga_save(self, call, &open, &(const struct saga_move){ .draft = draft });
	if (r)
		return r == MONGO_NOT_MATCHED ? 0 : r; /* whatever it is now, we look again */
	/* The new order may need the stock of the old one. */
	r = saga_drive(self, call, &open);
	return r == SAGA_WAITS ? 0 : r;
}

static bool is_same(const OrderRecord *a, const OrderRecord *b)
{
	return a->contents_hash.len == b->contents_hash.len &&
	       !memcmp(a->contents_hash.data, b->contents_hash.data, a->contents_hash.len);
}

/* The open order is the answer to this request too, and its stock is held longer for who asks. */
static int answer_with(struct orders_service *self, struct rpc_call *call,
		       const struct answers_key *key, OrderRecord **open)
{
	const struct stored_answer *answer = answers_store(call, key, (Order *)NULL);
	OrderRecord *draft;

	if ((*open)->order->state != ORDER_STATE_AWAITING_PAYMENT)
		return order_add_answer(call, *open, answer);
	draft = order_draft(call, *open);
	saga_hold_longer(self, call, draft);
	return saga_save(self, call, open,
			 &(const struct saga_move){ .draft = draft, .answer = answer });
}

/* The cart has an open order: the same, which is the answer, or another, which must go first (then
 * *ret stays NULL). */
static int meet_open(struct orders_service *self, struct rpc_call *call,
		     const struct answers_key *key, const OrderRecord *record, Order **ret)
{
	OrderRecord *open;
	int r;

	r = order_read_open(call, record->user, name_id(record->order->cart), &open);
	if (r)
		return r == MONGO_NOT_FOUND ? 0 : r;
	/* One that is not placed yet, or is overdue, is brought to where it belongs. */
	if (open->order->state != ORDER_STATE_PAYING) {
		r = saga_drive(self, call, &open);
		if (r && r != SAGA_WAITS && open->order->state <= ORDER_STATE_AWAITING_PAYMENT)
			return r;
		if (!*open->open_cart)
			return 0;
	}
	if (is_same(open, record)) {
		r = answer_with(self, call, key, &open);
		if (!r)
			*ret = orders_view(call, open);
		return r == MONGO_NOT_MATCHED ? 0 : r;
	}
	if (open->order->state == ORDER_STATE_PAYING) {
		r = rpc_fail(call, ORDER_PAYING, { "order", open->order->name });
		rpc_retry_after(call, 1000);
		return r;
	}
	return replace(self, call, open);
}

/* Takes the cart for the record. MONGO_NOT_MATCHED when another who had the same request was
 * faster; *ret is set when an order that was there is the answer. */
static int claim_cart(struct orders_service *self, struct rpc_call *call,
		      const struct answers_key *key, OrderRecord **record, Order **ret)
{
	for (int i = 0; i < TRIES; i++) {
		OrderRecord *draft = order_draft(call, *record);
		int r;

		draft->open_cart = name_id(draft->order->cart);
		r = saga_save(self, call, record, &(const struct saga_move){ .draft = draft });
		if (r != MONGO_DUPLICATE)
			return r;
		r = meet_open(self, call, key, *record, ret);
		if (r || *ret) {
			/* Nobody has heard of ours, and nobody needs it. */
			order_forget(call, *record);
			return r;
		}
	}
	return rpc_fail(call, WRITE_CONFLICT, { "name", (*record)->order->cart });
}

/* --- requests that come again --- */

/* What a request that came before has come to; ANSWERS_NONE if the order is none of it. */
static int take_earlier(struct rpc_call *call, const struct answers_key *key, OrderRecord *record,
			OrderRecord **ret)
{
	Order *none;
	int r = answers_find(call, key, record, &Order_descriptor, &none);

	if (r == ANSWERS_NONE && strcmp(record->id, key->id))
		return ANSWERS_NONE;
	if (r && r != ANSWERS_PENDING && r != ANSWERS_NONE)
		return r;
	rpc_set_header(call, "http-idempotent-replayed", "true");
	*ret = record;
	return 0;
}

/* The order that was made for this request, or that answered it; ANSWERS_NONE. One that was made for
 * it longer ago than answers are kept is met by the insert. */
static int find_earlier(struct rpc_call *call, const struct answers_key *key, OrderRecord **ret)
{
	OrderRecord *record;
	int r;

	r = order_read_answered(call, name_id(rpc_caller(call)->user), key->key, &record);
	if (r)
		return r == MONGO_NOT_FOUND ? ANSWERS_NONE : r;
	return take_earlier(call, key, record, ret);
}

static int find_made(struct rpc_call *call, const struct answers_key *key, OrderRecord **ret)
{
	OrderRecord *record;
	int r = order_read(call, key->id, &record);

	return r ? r : take_earlier(call, key, record, ret);
}

/* What the insert met: another order with that number, or one that has the cart. */
static bool may_try_again(struct rpc_call *call, OrderRecord *record)
{
	const char *index = mongo_duplicate_index(call);
	bool taken = *record->open_cart && !strcmp(index, "open_cart");

	if (taken)
		record->open_cart = "";
	return taken || !strcmp(index, "number");
}

/* Draws the order up and stores it. MONGO_DUPLICATE when another who had the same request was
 * faster. */
static int store_new(struct orders_service *self, struct rpc_call *call,
		     const CreateOrderRequest *req, const struct answers_key *key,
		     OrderRecord **ret)
{
	OrderRecord *record;
	Order *order;
	int r;

	r = draw_up(self, call, req, key->id, &order);
	if (r)
		return r;
	record = record_of(self, call, key, order);
	record->open_cart = name_id(order->cart);
	do {
		set_number(call, record);
		r = order_insert(call, record, answers_store_pending(call, key));
	} while (r == MONGO_DUPLICATE && may_try_again(call, record));
	if (r)
		return r;
	crash_point("orders.create.after_insert");
	record->version = 1;
	*ret = record;
	return 0;
}

int orders_create_order(struct orders_service *self, struct rpc_call *call,
			const CreateOrderRequest *req, Order **ret)
{
	struct answers_key key;
	OrderRecord *record;
	Order *answer = NULL;
	int r;

	answers_key(call, req, &key);
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, "orders"));) {
		r = find_earlier(call, &key, &record);
		if (r == ANSWERS_NONE)
			r = store_new(self, call, req, &key, &record);
		if (r == MONGO_DUPLICATE)
			r = find_made(call, &key, &record);
		if (r == MONGO_NOT_FOUND)
			continue; /* it was forgotten meanwhile */
		if (r)
			return r;
		if (!*record->open_cart && record->order->state == ORDER_STATE_PENDING)
			r = claim_cart(self, call, &key, &record, &answer);
		if (r == MONGO_NOT_MATCHED)
			continue;
		if (r)
			return r;
		if (!answer)
			return finish(self, call, &key, record, ret);
		*ret = answer;
		return 0;
	}
	return r;
}
