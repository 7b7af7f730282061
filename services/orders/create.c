/*
 * Placing an order: from what is in the caller's cart to a record whose stock is being reserved.
 *
 * Everything that can be refused is refused before anything is stored. The record is stored first,
 * PENDING, and takes its cart, which the unique indexes let one order do; from then on it counts,
 * and the saga, here or in the sweeper, reserves its stock. The insert takes the cart with it if it
 * can. If not, the record is inserted without, meets the order that is open, or that is paid and
 * whose event has not emptied the cart yet, and takes the cart by an update; one that did not come
 * so far is nobody's, and is forgotten.
 */
#include "errors.msg.h"
#include "saga.h"
#include <common/clock.h>
#include <common/names.h>
#include <ctype.h>
#include <sodium.h>
#include <string.h>

enum { TRIES = 8, RESERVATION_LONGER_MS = 3600000 };

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

/* What is in the cart is paid for: by the same order, which is the answer, or by one that goes
 * elsewhere. *ret stays NULL if it is not. */
static int meet_bought(struct orders_service *self, struct rpc_call *call,
		       const struct answers_key *key, const OrderRecord *record, Order **ret)
{
	OrderRecord *bought;
	int r;

	r = order_read_bought(call, record->user, record->cart_etag, &bought);
	if (r || *bought->open_cart)
		return r == MONGO_NOT_FOUND ? 0 : r;
	if (!is_same(bought, record)) {
		r = rpc_fail(call, ORDER_CART_BOUGHT, { "order", bought->order->name });
		rpc_retry_after(call, 1000);
		return r;
	}
	r = answer_with(self, call, key, &bought);
	if (!r)
		*ret = orders_view(call, bought);
	return r == MONGO_NOT_MATCHED ? 0 : r;
}

/* Takes the cart for the record. MONGO_NOT_MATCHED when another who had the same request was
 * faster; *ret is set when an order that was there is the answer. */
static int claim_cart(struct orders_service *self, struct rpc_call *call,
		      const struct answers_key *key, OrderRecord **record, Order **ret)
{
	for (int i = 0; i < TRIES; i++) {
		OrderRecord *draft = order_draft(call, *record);
		int r;

		order_take_cart(draft);
		r = saga_save(self, call, record, &(const struct saga_move){ .draft = draft });
		if (r != MONGO_DUPLICATE)
			return r;
		r = meet_open(self, call, key, *record, ret);
		if (!r && !*ret)
			r = meet_bought(self, call, key, *record, ret);
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
	bool taken =
		*record->open_cart && (!strcmp(index, "open_cart") || !strcmp(index, "basket"));

	if (taken)
		order_leave_cart(record);
	return taken || !strcmp(index, "number");
}

/* Draws the order up and stores it. MONGO_DUPLICATE when another who had the same request was
 * faster. */
static int store_new(struct orders_service *self, struct rpc_call *call,
		     const CreateOrderRequest *req, const struct answers_key *key,
		     OrderRecord **ret)
{
	OrderRecord *record;
	const char *etag;
	Order *order;
	int r;

	r = orders_draw_up(self, call, req, key->id, &order, &etag);
	if (r)
		return r;
	record = record_of(self, call, key, order);
	record->cart_etag = etag;
	order_take_cart(record);
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
