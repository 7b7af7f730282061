/*
 * The carts' documents.
 *
 * carts  sharded by _id, the owner's id. Contents change under `version`; where a parcel would go
 *        is noted beside them without one.
 */
#include "cart_store.h"
#include "cart_events.ev.h"
#include <common/clock.h>
#include <common/money.h>

enum { SEEN_MERGED = 20, SEEN_ORDERS = 50 };

static const struct mongo_index cart_indexes[] = {
	{ "cart.update_time _id", .partial = MONGO_JSON({ "cart.items.name" : { "$gt" : "" } }),
	  .name = "filled" },
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{},
};
MONGO_COLLECTION(carts, .name = "carts", .type = &CartRecord_descriptor, .indexes = cart_indexes,
		 .outbox = true);

static void fill_items(souk_cart_v1_CartEventItem *to, pb_size_t *count, size_t room,
		       const Cart *cart)
{
	for (size_t i = 0; i < cart->n_items && i < room; i++) {
		souk_cart_v1_CartEventItem *item = &to[(*count)++];

		event_text(item->variant, cart->items[i]->variant);
		event_text(item->sku, cart->items[i]->sku);
		item->quantity = cart->items[i]->quantity;
	}
}

static struct rpc_event *updated_event(struct rpc_call *call, const CartRecord *record)
{
	souk_cart_v1_CartUpdated *event = rpc_alloc(call, sizeof(*event));

	event_text(event->cart, record->cart->name);
	event_text(event->user, record->cart->user);
	event->version = record->version;
	fill_items(event->items, &event->items_count, sizeof(event->items) / sizeof(*event->items),
		   record->cart);
	return cart_event_cart_updated(call, event);
}

/* What was last known of it. */
static void fill_subtotal(souk_cart_v1_CartAbandoned *event, struct rpc_call *call,
			  const Cart *cart)
{
	int64_t sum = 0, price, total;
	const Money *subtotal;

	cart_each_items(item, cart)
		if (!item->unit_price || money_minor(item->unit_price, &price) ||
		    money_times(price, item->quantity, &total) || money_add(sum, total, &sum))
			return;
	subtotal = money_new(call, cart->currency_code, sum);
	event->has_subtotal = true;
	event_text(event->subtotal.currency_code, subtotal->currency_code);
	event->subtotal.units = subtotal->units;
	event->subtotal.nanos = subtotal->nanos;
}

static struct rpc_event *abandoned_event(struct rpc_call *call, const CartRecord *record)
{
	souk_cart_v1_CartAbandoned *event = rpc_alloc(call, sizeof(*event));
	const Cart *cart = record->cart;

	event_text(event->cart, cart->name);
	event_text(event->user, cart->user);
	event->version = record->version;
	event->update_time_ms = clock_ms(cart->update_time);
	fill_items(event->items, &event->items_count, sizeof(event->items) / sizeof(*event->items),
		   cart);
	fill_subtotal(event, call, cart);
	return cart_event_cart_abandoned(call, event);
}

int cart_read(struct rpc_call *call, const char *id, CartRecord **ret)
{
	return mongo_get(call, &carts, id, ret);
}

static int insert(struct rpc_call *call, CartRecord *record, const struct stored_answer *answer)
{
	int r = mongo_insert(call, &carts, record, .events = EVENTS(updated_event(call, record)),
			     .answer = answer);

	/* Someone was first: as if the version had moved. */
	return r == MONGO_DUPLICATE ? MONGO_NOT_MATCHED : r;
}

/* The oldest go: a repeat that late is none. */
static void keep_last(SeenEvent **events, size_t *n, size_t most)
{
	if (*n <= most)
		return;
	memmove(events, events + *n - most, most * sizeof(*events));
	*n = most;
}

int cart_save(struct rpc_call *call, CartRecord *record, const struct stored_answer *answer)
{
	static const char *const of_cart[] = { "items", "currency_code", "update_time", NULL };
	static const char *const of_record[] = { "merged", "cleared", NULL };
	int64_t read = record->version;
	bson_t *set;
	int r;

	keep_last(record->merged, &record->n_merged, SEEN_MERGED);
	keep_last(record->cleared, &record->n_cleared, SEEN_ORDERS);
	record->cart->update_time = clock_now(call);
	record->version++;
	if (!read)
		return insert(call, record, answer);
	set = document_join(call, document_of_fields(call, "cart.", record->cart, of_cart),
			    document_of_fields(call, "", record, of_record));
	r = mongo_update(
		call, &carts, .id = record->id,
		.filter = DOC(call, "version", BCON_INT64(read), "merged_into", BCON_UTF8("")),
		.update = DOC(call, "$set", BCON_DOCUMENT(set), "$unset", "{", "abandon_time",
			      BCON_INT32(1), "}"),
		.events = EVENTS(updated_event(call, record)), .answer = answer);
	if (r)
		record->version = read;
	return r;
}

int cart_freeze(struct rpc_call *call, CartRecord *guest, const char *into, const char *by)
{
	int r;

	r = mongo_update(call, &carts, .id = guest->id,
			 .filter = DOC(call, "version", BCON_INT64(guest->version), "merged_into",
				       BCON_UTF8("")),
			 .update = DOC(call, "$set", "{", "merged_into", BCON_UTF8(into),
				       "merged_by", BCON_UTF8(by), "}"));
	if (r)
		return r;
	guest->version++;
	guest->merged_into = into;
	guest->merged_by = by;
	return 0;
}

int cart_thaw(struct rpc_call *call, const CartRecord *guest, bool empty)
{
	const bson_t *filter = DOC(call, "merged_into", BCON_UTF8(guest->merged_into));
	const bson_t *set = DOC(call, "merged_into", BCON_UTF8(""), "merged_by", BCON_UTF8(""));
	const bson_t *gone =
		DOC(call, "cart.items", "[", "]", "folded_into", BCON_UTF8(guest->merged_into),
		    "fold_time", BCON_DATE_TIME(rpc_now_ms(call)));

	if (*guest->merged_by)
		filter = document_join(call, filter,
				       DOC(call, "merged_by", BCON_UTF8(guest->merged_by)));
	if (empty)
		set = document_join(call, set, gone);
	return mongo_update(call, &carts, .id = guest->id, .filter = filter,
			    .update = DOC(call, "$set", BCON_DOCUMENT(set)));
}

int cart_note_destination(struct rpc_call *call, const CartRecord *record,
			  const CartRecordDestination *destination)
{
	return mongo_update(call, &carts, .id = record->id, .keep_version = true,
			    .update = DOC(call, "$set", "{", "destination",
					  BCON_DOCUMENT(document_of(call, destination)), "}"));
}

int cart_find_idle(struct rpc_call *call, int64_t before_ms, CartRecord ***ret, size_t *n_ret)
{
	return mongo_find(call, &carts, ret, n_ret, .limit = 100,
			  .filter = DOC(call, "cart.update_time", "{", "$lt",
					BCON_DATE_TIME(before_ms), "}", "cart.items.name", "{",
					"$gt", BCON_UTF8(""), "}", "abandon_time", "{", "$exists",
					BCON_BOOL(false), "}"));
}

int cart_tell_abandoned(struct rpc_call *call, CartRecord *record)
{
	int64_t read = record->version++;
	const bson_t *set = DOC(call, "abandon_time", BCON_DATE_TIME(rpc_now_ms(call)));

	/* The contents stay, and with them what was quoted. */
	if (record->destination && record->destination->cart_version == read)
		set = document_join(
			call, set,
			DOC(call, "destination.cart_version", BCON_INT64(record->version)));
	return mongo_update(call, &carts, .id = record->id,
			    .filter = DOC(call, "version", BCON_INT64(read), "abandon_time", "{",
					  "$exists", BCON_BOOL(false), "}"),
			    .update = DOC(call, "$set", BCON_DOCUMENT(set)),
			    .events = EVENTS(abandoned_event(call, record)));
}

int cart_trim(struct rpc_call *call)
{
	return answers_sweep(call, &carts);
}
