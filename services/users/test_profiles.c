/* Profiles and address books. */
#include "test_users.h"

static void setup(void)
{
	begin();
}

static UserAddress *berlin(void)
{
	UserAddress *address = rpc_new(call, UserAddress, .recipient = "Ann Lee", .city = "Berlin",
				       .postal_code = "10115", .country_code = "DE");

	user_address_add_lines(call, address, "Invalidenstr. 1");
	return address;
}

static int add(const char *parent, UserAddress *address, const char *request_id, UserAddress **ret)
{
	return users_client_create_address(client, call,
					   MSG(CreateAddressRequest, .parent = parent,
					       .address = address, .request_id = request_id),
					   ret);
}

static UserAddress *added(void)
{
	UserAddress *address;

	ck_assert_int_eq(add("users/me", berlin(), "", &address), 0);
	return address;
}

static int update(User user, const char *field, User **ret)
{
	FieldMask *mask = NULL;

	if (field) {
		mask = rpc_new(call, FieldMask);
		field_mask_add_paths(call, mask, field);
	}
	return users_client_update_user(client, call,
					MSG(UpdateUserRequest,
					    .user = rpc_memdup(call, &user, sizeof(user)),
					    .update_mask = mask),
					ret);
}

static int remove_address(const char *name, const char *etag)
{
	Empty *empty;

	return users_client_delete_address(
		client, call, MSG(DeleteAddressRequest, .name = name, .etag = etag), &empty);
}

TEST(a_profile_is_changed_at_the_version_that_was_seen)
{
	User *user = user_new("ann@example.com"), *changed, *none;

	ck_assert_int_eq(update((User){ User_BASE, .name = "users/me", .display_name = "Ann Lee",
					.phone = "+4930123456", .etag = user->etag },
				NULL, &changed),
			 0);
	ck_assert_str_eq(changed->display_name, "Ann Lee");
	ck_assert_str_eq(changed->email, "ann@example.com");
	ck_assert_str_ne(changed->etag, user->etag);
	ck_assert_int_eq(update((User){ User_BASE, .name = "users/me", .display_name = "Bob",
					.etag = user->etag },
				NULL, &none),
			 RPC_ABORTED);
	ck_assert_int_eq(update((User){ User_BASE, .name = "users/me" }, "phone", &changed), 0);
	ck_assert_str_eq(changed->phone, "");
	ck_assert_str_eq(changed->display_name, "Ann Lee");
	ck_assert_int_eq(update((User){ User_BASE, .name = "users/me" }, "email", &none),
			 RPC_INVALID_ARGUMENT);
	ck_assert_int_eq(update((User){ User_BASE, .name = "users/other", .display_name = "X" },
				NULL, &none),
			 RPC_PERMISSION_DENIED);
	ck_assert_str_eq(events_of(user),
			 "UserRegistered EmailVerificationRequested UserUpdated UserUpdated");
}

TEST(an_address_is_saved_once_for_a_request_and_only_ones_own_is_seen)
{
	UserAddress *first, *again, *other;
	User *ann = user_new("ann@example.com");

	ck_assert_int_eq(add("users/me", berlin(), "r1", &first), 0);
	ck_assert_int_eq(add("users/me", berlin(), "r1", &again), 0);
	ck_assert_str_eq(first->name, again->name);
	ck_assert_uint_eq(record_of(ann)->n_addresses, 1);
	ck_assert_int_eq(strncmp(first->name, ann->name, strlen(ann->name)), 0);
	ck_assert_int_eq(users_client_get_address(
				 client, call, MSG(GetAddressRequest, .name = first->name), &other),
			 0);
	ck_assert_str_eq(other->lines[0], "Invalidenstr. 1");
	user_new("bob@example.com");
	ck_assert_int_eq(users_client_get_address(
				 client, call, MSG(GetAddressRequest, .name = first->name), &other),
			 RPC_PERMISSION_DENIED);
	ck_assert_int_eq(users_client_get_address(
				 client, call,
				 MSG(GetAddressRequest, .name = "users/me/addresses/none"), &other),
			 RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, ADDRESS_NOT_FOUND));
	rpc_call_set_caller(call, &(struct rpc_caller){ "", "", "", "", "orders" });
	ck_assert_int_eq(users_client_get_address(
				 client, call, MSG(GetAddressRequest, .name = first->name), &other),
			 0);
}

TEST(an_incomplete_address_is_refused_by_its_fields)
{
	UserAddress *address = berlin(), *none;

	user_new("ann@example.com");
	address->city = "";
	ck_assert_int_eq(add("users/me", address, "", &none), RPC_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(rpc_error_message(call), "city"));
}

TEST(an_address_is_changed_and_deleted_at_the_version_that_was_seen)
{
	UserAddress *address, *changed, *wanted, *none;

	user_new("ann@example.com");
	address = added();
	wanted = rpc_new(call, UserAddress, .name = address->name, .city = "Potsdam",
			 .etag = address->etag);
	ck_assert_int_eq(users_client_update_address(client, call,
						     MSG(UpdateAddressRequest, .address = wanted),
						     &changed),
			 0);
	ck_assert_str_eq(changed->city, "Potsdam");
	ck_assert_str_eq(changed->recipient, "Ann Lee");
	ck_assert_str_ne(changed->etag, address->etag);
	ck_assert_int_eq(users_client_update_address(
				 client, call, MSG(UpdateAddressRequest, .address = wanted), &none),
			 RPC_ABORTED);
	ck_assert_int_eq(remove_address(address->name, address->etag), RPC_ABORTED);
	ck_assert_int_eq(remove_address(address->name, changed->etag), 0);
	ck_assert_int_eq(remove_address(address->name, ""), RPC_NOT_FOUND);
}

TEST(a_default_is_an_address_of_the_book_and_goes_with_it)
{
	UserAddress *address;
	User *user;

	user_new("ann@example.com");
	address = added();
	ck_assert_int_eq(update((User){ User_BASE, .name = "users/me",
					.default_shipping_address = "users/me/addresses/none" },
				NULL, &user),
			 RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, ADDRESS_NOT_FOUND));
	ck_assert_int_eq(update((User){ User_BASE, .name = "users/me",
					.default_shipping_address = address->name,
					.default_billing_address =
						rpc_printf(call, "users/me/addresses/%s",
							   strrchr(address->name, '/') + 1) },
				NULL, &user),
			 0);
	ck_assert_str_eq(user->default_shipping_address, address->name);
	ck_assert_str_eq(user->default_billing_address, address->name);
	ck_assert_int_eq(remove_address(address->name, ""), 0);
	ck_assert_int_eq(get("me", &user), 0);
	ck_assert_str_eq(user->default_shipping_address, "");
	ck_assert_str_eq(user->default_billing_address, "");
}

static void *add_some(void *data)
{
	struct rpc_call *own = rpc_call_new("race", 60000);
	UserAddress *address = rpc_new(own, UserAddress, .recipient = "Ann Lee", .city = "Berlin",
				       .country_code = "DE"),
		    *made;

	user_address_add_lines(own, address, "Invalidenstr. 1");
	rpc_call_set_caller(own, &(struct rpc_caller){ data, "sessions/s", "", "", "users" });
	for (int i = 0; i < 15; i++)
		users_client_create_address(
			client, own, MSG(CreateAddressRequest, .parent = data, .address = address),
			&made);
	rpc_call_free(own);
	return NULL;
}

TEST(a_book_holds_fifty_addresses_however_many_are_added_at_once)
{
	User *user = user_new("ann@example.com");
	UserAddress *none;
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, add_some, (void *)(uintptr_t)user->name),
			0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(record_of(user)->n_addresses, 50);
	ck_assert_int_eq(add("users/me", berlin(), "", &none), RPC_RESOURCE_EXHAUSTED);
	ck_assert(rpc_failed_with(call, TOO_MANY_ADDRESSES));
}

struct racer {
	pthread_t thread;
	pthread_barrier_t *barrier;
	const char *user, *request_id;
	int code;
};

static void *add_once(void *data)
{
	struct racer *racer = data;
	struct rpc_call *own = rpc_call_new("race", 60000);
	UserAddress *address = rpc_new(own, UserAddress, .recipient = "Ann Lee", .city = "Berlin",
				       .country_code = "DE"),
		    *made;

	user_address_add_lines(own, address, "Invalidenstr. 1");
	rpc_call_set_caller(own,
			    &(struct rpc_caller){ racer->user, "sessions/s", "", "", "users" });
	pthread_barrier_wait(racer->barrier);
	racer->code = users_client_create_address(client, own,
						  MSG(CreateAddressRequest, .parent = racer->user,
						      .address = address,
						      .request_id = racer->request_id),
						  &made);
	rpc_call_free(own);
	return NULL;
}

TEST(the_same_request_at_once_saves_one_address)
{
	enum { THREADS = 6, ROUNDS = 5 };
	struct racer racers[THREADS];
	pthread_barrier_t barrier;
	User *user = user_new("ann@example.com");

	ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (int round = 1; round <= ROUNDS; round++) {
		for (int i = 0; i < THREADS; i++) {
			racers[i] = (struct racer){ .user = user->name,
						    .barrier = &barrier,
						    .request_id = rpc_printf(call, "r%d", round) };
			ck_assert_int_eq(
				pthread_create(&racers[i].thread, NULL, add_once, &racers[i]), 0);
		}
		for (int i = 0; i < THREADS; i++) {
			pthread_join(racers[i].thread, NULL);
			ck_assert_int_eq(racers[i].code, 0);
		}
		ck_assert_uint_eq(record_of(user)->n_addresses, (size_t)round);
	}
	pthread_barrier_destroy(&barrier);
}

TEST(addresses_are_listed_page_by_page_the_newest_first)
{
	ListAddressesResponse *response;
	UserAddress *last;
	size_t n = 0;
	const char *page = "";

	user_new("ann@example.com");
	for (int i = 0; i < 4; i++)
		added();
	pass(1000);
	last = added();
	do {
		ck_assert_int_eq(
			users_client_list_addresses(client, call,
						    MSG(ListAddressesRequest, .parent = "me",
							.page_size = 2, .page_token = page),
						    &response),
			0);
		if (!n)
			ck_assert_str_eq(response->addresses[0]->name, last->name);
		n += response->n_addresses;
		page = response->next_page_token;
	} while (*page);
	ck_assert_uint_eq(n, 5);
}

TEST(staff_find_users_by_their_address_in_any_spelling)
{
	ListUsersResponse *response;

	user_new("Ann@Example.com");
	user_new("bob@example.com");
	ck_assert_int_eq(users_client_list_users(client, call, MSG(ListUsersRequest), &response),
			 RPC_PERMISSION_DENIED);
	by_person("users/staff", "users.read");
	ck_assert_int_eq(users_client_list_users(
				 client, call,
				 MSG(ListUsersRequest, .filter = "email = \"ANN@example.COM\""),
				 &response),
			 0);
	ck_assert_uint_eq(response->n_users, 1);
	ck_assert_str_eq(response->users[0]->email, "Ann@Example.com");
	ck_assert_int_eq(
		users_client_list_users(client, call,
					MSG(ListUsersRequest, .filter = "email_verified = false"),
					&response),
		0);
	ck_assert_uint_eq(response->n_users, 2);
	ck_assert_int_eq(users_client_list_users(client, call,
						 MSG(ListUsersRequest, .filter = "password = 1"),
						 &response),
			 RPC_INVALID_ARGUMENT);
}

TEST_MAIN("profiles", setup, end)
