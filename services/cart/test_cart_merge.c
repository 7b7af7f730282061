/* A guest's cart and who logs in: what is folded in, once, and what a stop on the way leaves. */
#include "test_cart.h"

TEST(a_guests_cart_is_folded_in_once)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	ck_assert_int_eq(add("cup", 1, &got), 0);
	as("users/ann", "");
	ck_assert_int_eq(add("tea", 2, &got), 0);
	as("users/ann", "users/guest");
	got = get();
	ck_assert_uint_eq(got->n_items, 2);
	ck_assert_int_eq(got->items[0]->quantity, 5);
	ck_assert_int_eq(cart_client_remove_cart_item(
				 client, call,
				 MSG(RemoveCartItemRequest, .item = name_id(got->items[1]->name)),
				 &got),
			 0);
	ck_assert_uint_eq(get()->n_items, 1);
	as("users/guest", "");
	ck_assert_uint_eq(get()->n_items, 0);
}

static const struct {
	const char *merging;
	int32_t tea, cups, empty; /* what is held then; of tea, where the user had nothing */
} mergings[] = {
	{ "larger", 60, 1, 60 },
	{ "sum", 99, 1, 60 },
	{ "guest", 60, 0, 60 },
	{ "user", 50, 1, 60 },
};
TEST_EACH(a_guests_cart_is_folded_in_as_the_operator_chose, mergings)
{
	Cart *got;

	ck_assert(cart_merging_read(row->merging, &cart.merging));
	ck_assert(!cart_merging_read("all", &cart.merging));
	inventory.available = 1000;
	as("users/guest", "");
	ck_assert_int_eq(add("tea", 60, &got), 0);
	as("users/guest2", "");
	ck_assert_int_eq(add("tea", 60, &got), 0);
	as("users/guest3", "");
	ck_assert_uint_eq(get()->n_items, 0);
	as("users/ann", "");
	ck_assert_int_eq(add("cup", 1, &got), 0);
	ck_assert_int_eq(add("tea", 50, &got), 0);
	as("users/ann", "users/guest3"); /* who put nothing in takes nothing away */
	ck_assert_int_eq(get()->unit_count, 51);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, row->tea + row->cups);
	as("users/bob", "users/guest2");
	ck_assert_int_eq(get()->unit_count, row->empty);
	cart.merging = CART_MERGE_LARGER;
}

/* As a login of Ann's that went no further left it. */
static void freeze(const char *login)
{
	CartRecord *guest;

	ck_assert_int_eq(cart_read(call, "guest", &guest), 0);
	ck_assert_int_eq(cart_freeze(call, guest, "carts/ann", login), 0);
}

TEST(who_logs_out_is_a_guest_again_and_the_next_login_folds_in_what_is_new)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 5);
	ck_assert_int_eq(cart_client_clear_cart(client, call, MSG(ClearCartRequest), &got), 0);
	as("users/guest", "");
	ck_assert_int_eq(add("cup", 2, &got), 0);
	ck_assert_int_eq(got->unit_count, 2);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 0);
	session = "sessions/2";
	as("users/ann", "users/guest");
	got = get();
	ck_assert_int_eq(got->unit_count, 2);
	ck_assert_str_eq(got->items[0]->product, "products/cup");
	session = "sessions/1";
}

TEST(what_was_folded_in_before_the_stop_is_not_folded_in_again)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 5);
	for (int i = 0; i < 2; i++) {
		as("users/guest", "");
		ck_assert_int_eq(add("cup", 2, &got), 0);
		freeze("sessions/1");
		if (!i) { /* the next login finds it so */
			session = "sessions/2";
			as("users/ann", "users/guest");
			ck_assert_int_eq(get()->unit_count, 5);
		}
		session = "sessions/1";
		as("users/guest", ""); /* so does the guest */
		ck_assert_int_eq(add("pot", 1, &got), 0);
		ck_assert_int_eq(got->unit_count, 1);
		ck_assert_int_eq(cart_client_clear_cart(client, call, MSG(ClearCartRequest), &got),
				 0);
	}
}

TEST(what_is_not_folded_in_yet_is_the_guests_who_comes_back)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	freeze("sessions/1");
	ck_assert_int_eq(add("tea", 1, &got), 0);
	ck_assert_int_eq(got->unit_count, 6);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 6);
}

TEST(a_fold_that_was_stopped_goes_on)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	freeze("sessions/1");
	as("users/bob", "users/guest");
	ck_assert_uint_eq(get()->n_items, 0); /* it is frozen for ann */
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->items[0]->quantity, 5);
	ck_assert_int_eq(get()->items[0]->quantity, 5);
}

TEST(what_a_guest_has_paid_for_leaves_the_cart_that_took_it_over)
{
	int64_t placed;
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	placed = rpc_now_ms(call);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 5);
	as("users/guest", "");
	ck_assert_int_eq(add("tea", 1, &got), 0); /* a guest again, with one more */
	for (int i = 0; i < 2; i++) {
		pay_placed("orders/1", "carts/guest", "tea-std", 4, placed);
		ck_assert_uint_eq(get()->n_items, 0);
		as("users/ann", "");
		ck_assert_int_eq(get()->unit_count, 2);
		as("users/guest", "");
	}
}

TEST(what_a_guest_orders_after_a_login_is_none_of_the_users)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 5);
	as("users/guest", "");
	pay_placed("orders/1", "carts/guest", "tea-std", 4, rpc_now_ms(call) + 60000);
	as("users/ann", "");
	ck_assert_int_eq(get()->unit_count, 5);
}

TEST(what_is_paid_for_in_the_middle_of_a_login_leaves_the_cart)
{
	Cart *got;

	as("users/guest", "");
	ck_assert_int_eq(add("tea", 5, &got), 0);
	freeze("sessions/1");
	pay("orders/1", "carts/guest", "tea-std", 4);
	as("users/ann", "users/guest");
	ck_assert_int_eq(get()->unit_count, 1);
}

TEST_MAIN("cart_merge", setup, teardown)
