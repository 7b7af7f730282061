/*
 * Changes of one SKU.
 *
 * What always holds in a document of the collection `stock`:
 *
 *   1. on_hand = available + reserved + damaged + safety; nothing is below 0.
 *   2. reserved is the sum of `claims`, without what of them is in `backorders`.
 *   3. An order stands once in `claims` and `ended` together, and once in `backorders`.
 *   4. backordered is the sum of `backorders`, and what is available is nobody's who waits: one of
 *      the two is 0. A reservation leaves backordered at backorder_limit or below; a limit that is
 *      lowered, or a policy that is withdrawn, only keeps it from growing.
 *   5. `version` counts changes. One that moves a quantity has a movement of that version, in
 *      `movements` or already in its collection, and an event; one that does not (extending a
 *      claim, a tombstone) has neither, and yet counts, so that it is in the condition of the next.
 *
 * A claim's life, each arrow one update:
 *
 *        reserve_line()             commit_line()
 *     ─────────────────▶ RESERVED ────────────────▶ COMMITTED ──▶ (24 h) its movement
 *                            │  release_line()
 *                            ├──────────────────▶ RELEASED
 *                            │  expire_claim()
 *                            └──────────────────▶ EXPIRED
 *
 * An order's backorder begins with its claim (reserve_line), shrinks as stock becomes available by
 * whatever change (backorders_settle, in the same update), and ends when all of it came, when the
 * claim ends unsold, or when the sold units are put back (restock_line). Selling leaves it alone:
 * from then on what comes goes to `committed`, where it is counted already, rather than to
 * `reserved`.
 *
 * The whole new state of the quantities is computed from the record that was read and written under
 * its version: the movement and the event say exactly what was before and after. Writers of one SKU
 * within a process go one after the other (stripes), which saves them collisions; between processes
 * the version decides, so nothing depends on the lock.
 */
#include "stock.h"
#include "inventory_events.ev.h"
#include <common/answers.h>
#include <common/clock.h>
#include <common/hash.h>
#include <common/names.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static struct stripe {
	pthread_mutex_t lock;
	atomic_uint changes;
} stripes[STOCK_STRIPES] = { [0 ... STOCK_STRIPES - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER } };

static unsigned stripe_of(const char *sku)
{
	return hash_text(0, sku) % STOCK_STRIPES;
}

static int32_t backorderable(const StockItem *item)
{
	if (item->backorder_policy != BACKORDER_POLICY_BACKORDER &&
	    item->backorder_policy != BACKORDER_POLICY_PREORDER)
		return 0;
	return item->backordered < item->backorder_limit ? item->backorder_limit - item->backordered
							 : 0;
}

int32_t stock_sellable(const StockItem *item)
{
	return item->available + item->backorderable;
}

static StockItemState state_of(const StockItem *item)
{
	if (item->available <= 0 && item->backorderable > 0)
		return item->backorder_policy == BACKORDER_POLICY_PREORDER
			       ? STOCK_ITEM_STATE_PREORDER
			       : STOCK_ITEM_STATE_BACKORDER;
	if (item->available <= 0)
		return STOCK_ITEM_STATE_OUT_OF_STOCK;
	return item->available <= item->low_stock_threshold ? STOCK_ITEM_STATE_LOW_STOCK
							    : STOCK_ITEM_STATE_IN_STOCK;
}

StockRecordClaim *stock_find_claim(const StockRecord *record, const char *order)
{
	for (size_t i = 0; i < record->n_claims; i++)
		if (!strcmp(record->claims[i]->order, order))
			return record->claims[i];
	return NULL;
}

StockRecordClaim *stock_find_ended(const StockRecord *record, const char *order)
{
	for (size_t i = 0; i < record->n_ended; i++)
		if (!strcmp(record->ended[i]->order, order))
			return record->ended[i];
	return NULL;
}

bool stock_is_done(const StockRecord *record, const char *key)
{
	for (size_t i = 0; i < record->n_done; i++)
		if (!strcmp(record->done[i]->key, key))
			return true;
	return false;
}

static void apply_settings(StockItem *item, const StockItem *settings)
{
	item->low_stock_threshold = settings->low_stock_threshold;
	item->backorder_policy = settings->backorder_policy;
	item->backorder_limit = settings->backorder_limit;
	item->promise_time = settings->promise_time;
}

static int apply(struct rpc_call *call, StockItem *item, const struct stock_change *change)
{
	item->on_hand += change->on_hand;
	item->available += change->available;
	item->reserved += change->reserved;
	item->committed += change->committed;
	item->damaged += change->damaged;
	item->safety += change->safety;
	item->incoming += change->incoming;
	item->backordered += change->backordered;
	if (change->settings)
		apply_settings(item, change->settings);
	item->backorderable = backorderable(item);
	item->state = state_of(item);
	item->update_time = clock_now(call);
	/* The decisions keep the invariant; were one wrong, nothing is written. */
	if (item->on_hand != item->available + item->reserved + item->damaged + item->safety ||
	    item->available < 0 || item->reserved < 0 || item->committed < 0 || item->damaged < 0 ||
	    item->safety < 0 || item->incoming < 0 || item->backordered < 0 ||
	    (item->available && item->backordered))
		return -ERANGE;
	return 0;
}

/* --- what is told of it --- */

static void fill_levels(souk_inventory_v1_StockLevels *to, const StockItem *item)
{
	to->on_hand = item->on_hand;
	to->available = item->available;
	to->reserved = item->reserved;
	to->committed = item->committed;
	to->low_stock_threshold = item->low_stock_threshold;
	to->backordered = item->backordered;
	to->backorderable = item->backorderable;
	to->preorder = item->backorder_policy == BACKORDER_POLICY_PREORDER;
	to->promise_time_ms = clock_ms(item->promise_time);
}

/* All events begin alike. */
#define FILL(event, record)                                                                        \
	do {                                                                                       \
		event_text((event)->stock_item, (record)->stock_item->name);                       \
		event_text((event)->sku, (record)->id);                                            \
		(event)->version = (record)->version;                                              \
		(event)->has_levels = true;                                                        \
		fill_levels(&(event)->levels, (record)->stock_item);                               \
	} while (0)

static struct rpc_event *main_event(struct rpc_call *call, const StockRecord *record,
				    const struct stock_change *change)
{
	souk_inventory_v1_StockReserved reserved = { 0 };
	souk_inventory_v1_StockReleased released = { 0 };
	souk_inventory_v1_StockSold sold = { .quantity = change->committed };
	souk_inventory_v1_StockAdjusted adjusted = { .on_hand_change = change->on_hand,
						     .available_change = change->available };

	switch (change->kind) {
	case STOCK_MOVEMENT_KIND_RESERVED:
		FILL(&reserved, record);
		event_text(reserved.order, change->cause);
		reserved.quantity = change->open->quantity;
		return inventory_event_stock_reserved(call, &reserved);
	case STOCK_MOVEMENT_KIND_RELEASED:
	case STOCK_MOVEMENT_KIND_EXPIRED:
		FILL(&released, record);
		event_text(released.order, change->cause);
		released.quantity = change->close->quantity;
		released.expired = change->kind == STOCK_MOVEMENT_KIND_EXPIRED;
		return inventory_event_stock_released(call, &released);
	case STOCK_MOVEMENT_KIND_SOLD:
		FILL(&sold, record);
		event_text(sold.order, change->cause);
		return inventory_event_stock_sold(call, &sold);
	default:
		FILL(&adjusted, record);
		event_text(adjusted.kind,
			   document_enum(&StockMovementKind_descriptor, change->kind));
		return inventory_event_stock_adjusted(call, &adjusted);
	}
}

/* Nothing is there, whether it can be backordered or not. */
static bool is_gone(StockItemState state)
{
	return state != STOCK_ITEM_STATE_IN_STOCK && state != STOCK_ITEM_STATE_LOW_STOCK;
}

/* When a threshold is crossed, one event more says so. */
static struct rpc_event *threshold_event(struct rpc_call *call, const StockRecord *record,
					 StockItemState before)
{
	souk_inventory_v1_StockLow low = { 0 };
	souk_inventory_v1_StockOut out = { 0 };
	souk_inventory_v1_StockRestocked restocked = { 0 };
	StockItemState now = record->stock_item->state;

	if (now == before || (is_gone(now) && is_gone(before)))
		return NULL;
	if (is_gone(now)) {
		FILL(&out, record);
		return inventory_event_stock_out(call, &out);
	}
	if (is_gone(before)) {
		FILL(&restocked, record);
		return inventory_event_stock_restocked(call, &restocked);
	}
	if (now == STOCK_ITEM_STATE_LOW_STOCK) {
		FILL(&low, record);
		return inventory_event_stock_low(call, &low);
	}
	return NULL;
}

static MovementRecord *movement(struct rpc_call *call, const StockRecord *record,
				const struct stock_change *change)
{
	const StockItem *item = record->stock_item;
	const char *version = rpc_printf(call, "%lld", (long long)record->version);
	StockMovement *made;

	made = rpc_new(call, StockMovement,
		       .name = name_join(call, item->name, "movements", version),
		       .kind = change->kind, .on_hand_change = change->on_hand,
		       .available_change = change->available, .reserved_change = change->reserved,
		       .committed_change = change->committed,
		       .backordered_change = change->backordered, .on_hand = item->on_hand,
		       .available = item->available, .cause = change->cause ? change->cause : "",
		       .actor = change->actor ? change->actor : "services/inventory",
		       .version = record->version, .create_time = clock_now(call));
	return rpc_new(call, MovementRecord, .id = rpc_printf(call, "%s/%s", record->id, version),
		       .sku = record->id, .movement = made, .schema_version = 1);
}

static Timestamp *first_expiry(const StockRecord *record, const struct stock_change *change)
{
	Timestamp *first = change->open ? change->open->expire_time : NULL;

	for (size_t i = 0; i < record->n_claims; i++) {
		StockRecordClaim *claim = record->claims[i];
		Timestamp *time =
			claim == change->extend ? change->expire_time : claim->expire_time;

		if (claim != change->close && (!first || clock_ms(time) < clock_ms(first)))
			first = time;
	}
	return first;
}

static int write_change(struct rpc_call *call, StockRecord *record, struct stock_change *change)
{
	StockItemState before = record->stock_item->state;
	const struct stored_answer *answer = NULL;
	struct stock_write with = { .change = change,
				    .first_expiry = first_expiry(record, change) };
	int r;

	r = backorders_settle(call, record, change);
	if (!r)
		r = apply(call, record->stock_item, change);
	if (r)
		return r;
	record->version++;
	if (change->kind) {
		with.movement = movement(call, record, change);
		with.events[0] = main_event(call, record, change);
		with.events[1] = threshold_event(call, record, before);
	}
	if (change->answer)
		answer = answers_store(call, change->answer, inventory_view(call, record));
	with.answer = answer;
	return stock_write(call, record, &with);
}

int stock_look_at(struct rpc_call *call, const char *const *skus, size_t n_skus,
		  struct stock_look *ret)
{
	struct stock_look look = { 0 };
	int r;

	for (unsigned i = 0; i < STOCK_STRIPES; i++)
		look.changes[i] = atomic_load(&stripes[i].changes);
	r = stock_read_whole(call, skus, n_skus, &look.records, &look.n_records);
	if (!r)
		*ret = look;
	return r;
}

/* What was seen of a SKU, unless somebody here has changed it since; NULL. */
static StockRecord *seen(const struct stock_look *look, const char *sku)
{
	unsigned stripe = stripe_of(sku);

	if (!look || look->changes[stripe] != atomic_load(&stripes[stripe].changes))
		return NULL;
	for (size_t i = 0; i < look->n_records; i++)
		if (!strcmp(look->records[i]->id, sku))
			return look->records[i];
	return NULL;
}

struct attempts {
	const struct stock_look *look; /* for the first */
	const char *sku;
	stock_decide *decide;
	void *data;
	StockRecord *record;
};

static int change_once(struct rpc_call *call, struct attempts *attempts)
{
	struct stock_change change = { 0 };
	StockRecord *record = seen(attempts->look, attempts->sku);
	int r = 0;

	attempts->look = NULL;
	if (!record)
		r = stock_read(call, attempts->sku, &record);
	if (r == MONGO_NOT_FOUND)
		return rpc_fail(call, STOCK_ITEM_NOT_FOUND, { "sku", attempts->sku });
	if (!r)
		r = attempts->decide(call, record, attempts->data, &change);
	if (!r)
		r = write_change(call, record, &change);
	if (!r || r == STOCK_UNCHANGED)
		attempts->record = record;
	return r;
}

static int change_until_written(void *data, struct rpc_call *call)
{
	struct attempts *attempts = data;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, attempts->sku));) {
		r = change_once(call, attempts);
		if (r != MONGO_NOT_MATCHED)
			break;
	}
	return r;
}

int stock_change(struct rpc_call *call, const struct stock_look *look, const char *sku,
		 stock_decide *decide, void *data, StockRecord **ret)
{
	struct attempts attempts = { look, sku, decide, data, NULL };
	struct stripe *stripe = &stripes[stripe_of(sku)];
	int r;

	pthread_mutex_lock(&stripe->lock);
	/* In a guard of its own: a call that runs out of memory must not leave with the lock. */
	r = rpc_call_run(call, change_until_written, &attempts);
	atomic_fetch_add(&stripe->changes, r != STOCK_UNCHANGED);
	pthread_mutex_unlock(&stripe->lock);
	if (attempts.record)
		*ret = attempts.record;
	return r;
}
