/*
 * Folding a guest's cart into the user's, at the first use after login.
 *
 *   1. the guest's cart is frozen for this login: `merged_into` and `merged_by` are set, and
 *      nothing is put in any more;
 *   2. its items are folded into the user's cart, and the login noted in `merged`, in one update;
 *   3. the guest has the cart back, empty: who logs out is that guest again, and the next login
 *      folds in what was put in since.
 *
 * Stopped after 1, the next use goes on with 2, for the cart is frozen for this user. Stopped after
 * 2, `merged` says that it is done, and the next login, or the guest's next change, goes on with 3.
 * A cart frozen for another user gives nothing.
 */
#include "cart_store.h"
#include <common/clock.h>
#include <common/names.h>
#include <string.h>

static bool is_noted(SeenEvent *const *events, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(events[i]->id, id))
			return true;
	return false;
}

bool cart_merging_read(const char *name, enum cart_merging *ret)
{
	static const char *const names[] = { [CART_MERGE_LARGER] = "larger",
					     [CART_MERGE_SUM] = "sum",
					     [CART_MERGE_GUEST] = "guest",
					     [CART_MERGE_USER] = "user" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(names[i], name))
			continue;
		*ret = (enum cart_merging)i;
		return true;
	}
	return false;
}

static int32_t merge_quantities(enum cart_merging merging, int32_t a, int32_t b)
{
	int32_t merged = merging == CART_MERGE_SUM ? a + b : a > b ? a : b;

	return merged < CART_QUANTITY_MAX ? merged : CART_QUANTITY_MAX;
}

static void fold(struct rpc_call *call, enum cart_merging merging, CartRecord *record,
		 const CartRecord *guest)
{
	Cart *cart = record->cart;

	if (merging == CART_MERGE_USER && cart->n_items)
		return;
	if (merging == CART_MERGE_GUEST && guest->cart->n_items)
		cart->n_items = 0;
	if (!cart->n_items && guest->cart->n_items)
		cart->currency_code = guest->cart->currency_code;
	for (size_t i = 0; i < guest->cart->n_items; i++) {
		CartItem *from = guest->cart->items[i];
		CartItem *to = cart_find_item(record, name_id(from->name));

		if (to) {
			to->quantity = merge_quantities(merging, from->quantity, to->quantity);
			continue;
		}
		if (cart->n_items >= CART_ITEMS_MAX)
			break;
		from->name = name_join(call, cart->name, "items", name_id(from->name));
		if (strcmp(guest->cart->currency_code, cart->currency_code))
			from->seen_price = from->unit_price = NULL;
		cart_add_items(call, cart, from);
	}
}

static CartRecord *empty_cart(struct cart_service *self, struct rpc_call *call, const char *user)
{
	Cart *cart =
		rpc_new(call, Cart, .name = name_of(call, "carts", name_id(user)), .user = user,
			.currency_code = rpc_printf(call, "%.3s", self->currencies),
			.create_time = clock_now(call));

	return rpc_new(call, CartRecord, .id = name_id(user), .cart = cart, .schema_version = 1);
}

static int read_or_empty(struct cart_service *self, struct rpc_call *call, const char *user,
			 CartRecord **ret)
{
	int r = cart_read(call, name_id(user), ret);

	if (r != MONGO_NOT_FOUND)
		return r;
	*ret = empty_cart(self, call, user);
	return 0;
}

/* What `merged` says when the cart is folded in. Before there was `merged_by` it was the guest's
 * id. */
static const char *merge_id(const CartRecord *guest)
{
	return *guest->merged_by ? guest->merged_by : guest->id;
}

static bool is_folded(const CartRecord *record, const CartRecord *guest)
{
	return is_noted(record->merged, record->n_merged, merge_id(guest));
}

static void note(struct rpc_call *call, CartRecord *record, const char *id)
{
	if (!is_noted(record->merged, record->n_merged, id))
		cart_record_add_merged(call, record,
				       rpc_new(call, SeenEvent, .id = id, .time = clock_now(call)));
}

/* Step 1, unless it was done before. MONGO_NOT_FOUND: there is none, or another has it. */
static int take_over(struct rpc_call *call, const char *guest_id, const char *into,
		     CartRecord **ret)
{
	CartRecord *guest;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, "The guest's cart"));) {
		r = cart_read(call, guest_id, &guest);
		if (r)
			return r;
		if (!*guest->merged_into)
			r = cart_freeze(call, guest, into, rpc_caller(call)->session);
		else if (strcmp(guest->merged_into, into))
			return MONGO_NOT_FOUND;
		if (!r)
			*ret = guest;
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

static int merge(struct cart_service *self, struct rpc_call *call, const char *guest_user,
		 CartRecord **ret)
{
	const struct rpc_caller *caller = rpc_caller(call);
	CartRecord *record = *ret, *guest;
	int r;

	r = take_over(call, name_id(guest_user), record->cart->name, &guest);
	crash_point("cart.merge.after_freeze");
	if (r == MONGO_NOT_FOUND)
		return 0;
	for (int attempt = 0; !r && !(r = mongo_attempt(call, &attempt, record->cart->name));) {
		if (!is_folded(record, guest))
			fold(call, self->merging, record,
			     (CartRecord *)rpc_message_copy(rpc_arena(call), &guest->base));
		note(call, record, merge_id(guest));
		note(call, record, caller->session);
		r = cart_save(call, record, NULL);
		if (r != MONGO_NOT_MATCHED)
			break;
		r = read_or_empty(self, call, caller->user, &record);
		if (!r && is_noted(record->merged, record->n_merged, caller->session))
			break;
	}
	crash_point("cart.merge.after_fold");
	if (r)
		return r;
	*ret = record;
	r = cart_thaw(call, guest, true);
	return r == MONGO_NOT_MATCHED ? 0 : r;
}

int cart_load(struct cart_service *self, struct rpc_call *call, CartRecord **ret)
{
	const struct rpc_caller *caller = rpc_caller(call);
	CartRecord *record;
	int r;

	r = read_or_empty(self, call, caller->user, &record);
	if (!r && *caller->merge_from && strcmp(caller->merge_from, caller->user) &&
	    !is_noted(record->merged, record->n_merged, caller->session))
		r = merge(self, call, caller->merge_from, &record);
	if (!r)
		*ret = record;
	return r;
}

/*
 * A cart is found frozen only if a merge was stopped, or is at it this moment: what is folded in is
 * the guest's no more, and what is not is the guest's again. In that moment the user may get it too,
 * which harms nobody.
 */
static int end_merge(struct rpc_call *call, const CartRecord *guest)
{
	CartRecord *into;
	int r = cart_read(call, name_id(guest->merged_into), &into);

	if (!r || r == MONGO_NOT_FOUND)
		r = cart_thaw(call, guest, !r && is_folded(into, guest));
	return r == MONGO_NOT_MATCHED ? 0 : r;
}

int cart_read_settled(struct rpc_call *call, const char *id, CartRecord **ret)
{
	int r = cart_read(call, id, ret);

	if (r || !*(*ret)->merged_into)
		return r;
	r = end_merge(call, *ret);
	return r ? r : cart_read(call, id, ret);
}

int cart_load_to_change(struct cart_service *self, struct rpc_call *call, CartRecord **ret)
{
	int r = cart_load(self, call, ret);

	if (r || !*(*ret)->merged_into)
		return r;
	return cart_read_settled(call, (*ret)->id, ret);
}
