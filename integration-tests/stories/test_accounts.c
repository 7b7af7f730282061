/* Accounts: who somebody is, how that is proved by mail, how it is taken back, and what each may
 * do. */
#include "shop.h"
#include <string.h>

static const char *new_password = "nine copper kettles";

TEST(an_address_is_verified_by_the_mail_that_comes_to_it)
{
	const char *email, *token;
	cleanup(app_freep) struct app *amina = customer_new(&email);
	struct response *user = expect(http_get(amina, "/v1/users/me"), 200);

	ck_assert_str_eq(text_at(user, "email"), email);
	ck_assert(!flag_at(user, "emailVerified"));
	token = mail_token(mail_await(email, "", 30));
	expect(http_post(amina, "/v1/users:verifyEmail", "{'token': '%s'}", token), 200);
	ck_assert(flag_at(expect(http_get(amina, "/v1/users/me"), 200), "emailVerified"));
	expect_error(http_post(amina, "/v1/users:verifyEmail", "{'token': '%s'}", "not-a-token"),
		     400, "VERIFICATION_TOKEN_INVALID");
}

TEST(registering_a_taken_address_answers_like_a_new_one)
{
	const char *email, *fresh = text("%s@example.com", unique("fresh"));
	cleanup(app_freep) struct app *amina = customer_new(&email);
	cleanup(app_freep) struct app *other = app_new();
	struct response *taken, *free_one;
	const char *key;
	json_t *value;

	taken = expect(http_post(other, "/v1/users",
				 "{'email': '%s', 'password': 'eleven tin whistles'}", email),
		       200);
	free_one = expect(http_post(other, "/v1/users",
				    "{'email': '%s', 'password': 'eleven tin whistles'}", fresh),
			  200);
	json_object_foreach(free_one->json, key, value)
	{
		ck_assert_msg(json_object_get(taken->json, key),
			      "'%s' gives away that the address is taken", key);
	}
	ck_assert_uint_eq(json_object_size(taken->json), json_object_size(free_one->json));

	/* The account is what it was; its owner is told by mail. */
	expect_error(log_in(other, email, "eleven tin whistles"), 401, "CREDENTIALS_INVALID");
	expect(log_in(other, email, PASSWORD), 200);
	eventually(30, mail_count(email, "") >= 2);
}

TEST(an_unknown_address_and_a_wrong_password_get_the_same_answer)
{
	const char *email;
	cleanup(app_freep) struct app *amina = customer_new(&email);
	cleanup(app_freep) struct app *thief = app_new();
	struct response *wrong, *unknown;

	wrong = expect_error(log_in(thief, email, "wrong password"), 401, "CREDENTIALS_INVALID");
	unknown = expect_error(log_in(thief, "nobody.at.all@example.com", "wrong password"), 401,
			       "CREDENTIALS_INVALID");
	ck_assert_str_eq(text_at(wrong, "error.message"), text_at(unknown, "error.message"));
}

TEST(a_changed_password_ends_all_other_sessions)
{
	const char *email;
	cleanup(app_freep) struct app *phone = customer_new(&email);
	cleanup(app_freep) struct app *tablet = app_new();

	expect(log_in(tablet, email, PASSWORD), 200);
	expect_error(http_post(phone, "/v1/users/me:changePassword",
			       "{'currentPassword': 'wrong', 'newPassword': '%s'}", new_password),
		     403, "CURRENT_PASSWORD_WRONG");
	expect_error(http_post(phone, "/v1/users/me:changePassword",
			       "{'currentPassword': '%s', 'newPassword': 'password'}", PASSWORD),
		     400, "PASSWORD_WEAK");
	expect(http_post(phone, "/v1/users/me:changePassword",
			 "{'currentPassword': '%s', 'newPassword': '%s'}", PASSWORD, new_password),
	       200);
	expect(http_get(phone, "/v1/users/me"), 200);
	expect_error(http_get(tablet, "/v1/users/me"), 401, NULL);
	app_take_session(tablet, NULL);
	expect_error(log_in(tablet, email, PASSWORD), 401, "CREDENTIALS_INVALID");
	expect(log_in(tablet, email, new_password), 200);
}

TEST(a_forgotten_password_is_reset_by_mail_once)
{
	const char *email, *token;
	cleanup(app_freep) struct app *amina = customer_new(&email);
	cleanup(app_freep) struct app *anyone = app_new();

	mail_await(email, "", 30); /* the verification */
	expect(http_post(anyone, "/v1/users:requestPasswordReset", "{'email': '%s'}", email), 200);
	expect(http_post(anyone, "/v1/users:requestPasswordReset",
			 "{'email': 'nobody.at.all@example.com'}"),
	       200);
	token = mail_token(mail_await(email, "password", 30));
	expect_error(http_post(anyone, "/v1/users:resetPassword",
			       "{'token': 'forged', 'password': '%s'}", new_password),
		     400, "VERIFICATION_TOKEN_INVALID");
	expect(http_post(anyone, "/v1/users:resetPassword", "{'token': '%s', 'password': '%s'}",
			 token, new_password),
	       200);
	expect_error(http_post(anyone, "/v1/users:resetPassword",
			       "{'token': '%s', 'password': 'thirteen brass bells'}", token),
		     400, "VERIFICATION_TOKEN_INVALID");
	expect_error(http_get(amina, "/v1/users/me"), 401,
		     NULL); /* whoever was logged in is not any more */
	expect_error(log_in(anyone, email, PASSWORD), 401, "CREDENTIALS_INVALID");
	expect(log_in(anyone, email, new_password), 200);
	ck_assert_int_eq(mail_count("nobody.at.all@example.com", ""), 0);
}

TEST(a_refresh_token_is_rotated_and_its_reuse_ends_the_session)
{
	cleanup(app_freep) struct app *amina = customer_new(NULL);
	cleanup(app_freep) struct app *thief = app_new();
	const char *first = text("%s", app_refresh_token(amina)), *second, *access;

	app_take_session(amina, expect(http_post(amina, "/v1/sessions:refresh",
						 "{'refreshToken': '%s'}", first),
				       200));
	second = text("%s", app_refresh_token(amina));
	ck_assert_str_ne(first, second);
	expect(http_get(amina, "/v1/users/me"), 200);

	/* A repeat within seconds is an app whose answer was lost: it gets the same tokens. Later
	 * it is a thief. */
	access = text("%s", app_access_token(amina));
	ck_assert_str_eq(text_at(expect(http_post(amina, "/v1/sessions:refresh",
						  "{'refreshToken': '%s'}", first),
					200),
				 "refreshToken"),
			 second);
	eventually(
		30,
		http_post(thief, "/v1/sessions:refresh", "{'refreshToken': '%s'}", first)->status ==
			401);
	expect_error(http_post(amina, "/v1/sessions:refresh", "{'refreshToken': '%s'}", second),
		     401, NULL);
	app_use_token(amina, access);
	expect_error(http_get(amina, "/v1/users/me"), 401, NULL);
}

TEST(my_devices_are_listed_and_one_is_sent_away)
{
	const char *email, *tablet_session = NULL;
	cleanup(app_freep) struct app *phone = customer_new(&email);
	cleanup(app_freep) struct app *tablet = app_new();
	cleanup(app_freep) struct app *other = customer_new(NULL);
	struct response *list;

	expect(log_in(tablet, email, PASSWORD), 200);
	list = expect(http_get(phone, "/v1/sessions"), 200);
	ck_assert_uint_eq(count_at(list, "sessions"), 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_ptr_null(json_at(list, text("sessions.%zu.accessToken", i)));
		ck_assert_ptr_null(json_at(list, text("sessions.%zu.refreshToken", i)));
		if (!flag_at(list, text("sessions.%zu.current", i)))
			tablet_session = text_at(list, text("sessions.%zu.name", i));
	}
	ck_assert_ptr_nonnull(tablet_session);
	expect_error(http_delete(other, "/v1/%s", tablet_session), 404, "SESSION_NOT_FOUND");
	expect(http_get(tablet, "/v1/users/me"), 200);
	expect(http_delete(phone, "/v1/%s", tablet_session), 200);
	expect_error(http_get(tablet, "/v1/users/me"), 401, NULL);
	expect(http_get(phone, "/v1/users/me"), 200);
}

TEST(too_many_failures_lock_the_address_and_the_mail_unlocks_it)
{
	const char *email;
	cleanup(app_freep) struct app *amina = customer_new(&email);
	cleanup(app_freep) struct app *thief = app_new();
	struct response *answer;
	int tries = 0;

	do
		answer = log_in(thief, email, text("guess %d", tries));
	while (answer->status == 401 && ++tries < 50);
	expect_error(answer, 429, "LOGIN_LOCKED");
	expect_error(log_in(thief, email, PASSWORD), 429,
		     "LOGIN_LOCKED");                 /* the right one tells nothing either */
	expect(http_get(amina, "/v1/users/me"), 200); /* who is logged in stays so */

	expect(http_post(thief, "/v1/users:requestPasswordReset", "{'email': '%s'}", email), 200);
	expect(http_post(thief, "/v1/users:resetPassword", "{'token': '%s', 'password': '%s'}",
			 mail_token(mail_await(email, "password", 30)), new_password),
	       200);
	expect(log_in(thief, email, new_password), 200);
	answer = expect(http_get(staff(), "/v1/auditEvents?pageSize=100"), 200);
	ck_assert_ptr_nonnull(find_at(answer, "auditEvents", "action", "LOGIN_FAILED"));
	ck_assert_ptr_nonnull(find_at(answer, "auditEvents", "action", "PASSWORD_RESET"));
}

/* What a customer may not do, each with the permission that it takes. */
static const struct {
	const char *method, *path, *body;
} staff_only[] = {
	{ "POST", "/v1/products", "{'displayName': 'Mine'}" },
	{ "POST", "/v1/categories", "{'displayName': 'Mine'}" },
	{ "GET", "/v1/stockItems", NULL },
	{ "POST", "/v1/stockItems/ANY:adjust", "{'setTo': '1000000'}" },
	{ "GET", "/v1/users", NULL },
	{ "GET", "/v1/orders?user=users/-", NULL },
	{ "GET", "/v1/payments", NULL },
	{ "POST", "/v1/payments/any/refunds", "{'amount': {'currencyCode': 'EUR', 'units': '1'}}" },
	{ "GET", "/v1/shipments", NULL },
	{ "GET", "/v1/deliveries", NULL },
	{ "GET", "/v1/auditEvents", NULL },
	{ "GET", "/v1/roles", NULL },
	{ "PATCH", "/v1/roles/customer", "{'permissions': ['auth.manage']}" },
	{ "POST", "/v1/signingKeys:rotate", "{}" },
};

TEST_EACH(staff_work_is_refused_to_customers, staff_only)
{
	cleanup(app_freep) struct app *amina = customer_new(NULL);
	cleanup(app_freep) struct app *anyone = app_new();
	const char *const key[] = { text("Idempotency-Key: %s", unique("key")), NULL };
	char *body = row->body ? text("%s", row->body) : NULL;
	struct request request = {
		.method = row->method, .path = row->path, .body = body, .headers = key
	};

	for (char *at = body; at && (at = strchr(at, '\'')); at++)
		*at = '"';
	expect_error(http_send(amina, &request), 403, NULL);
	expect_error(http_send(anyone, &request), 401, NULL);
}

TEST(a_role_that_is_given_permits_and_one_that_is_taken_ends_the_sessions)
{
	const char *email, *user;
	cleanup(app_freep) struct app *nadia = customer_new(&email);

	user = text_at(expect(http_get(nadia, "/v1/users/me"), 200), "name");
	expect_error(http_get(nadia, "/v1/stockItems"), 403, NULL);
	expect(http_patch(staff(), text("/v1/%s/credential?updateMask=roles", user),
			  "{'roles': ['roles/customer', 'roles/merchandiser']}"),
	       200);
	expect(log_in(nadia, email, PASSWORD), 200);
	expect(http_get(nadia, "/v1/stockItems"), 200);
	expect_error(http_get(nadia, "/v1/auditEvents"), 403, NULL);
	expect(http_patch(staff(), text("/v1/%s/credential?updateMask=roles", user),
			  "{'roles': ['roles/customer']}"),
	       200);
	expect_error(http_get(nadia, "/v1/stockItems"), 401, NULL);
	app_take_session(nadia, NULL);
	expect(log_in(nadia, email, PASSWORD), 200);
	expect_error(http_get(nadia, "/v1/stockItems"), 403, NULL);
}

TEST(nobody_sees_what_is_anothers)
{
	const char *tea = product_new(1000, 10), *order, *address, *shipment, *user;
	cleanup(app_freep) struct app *amina = customer_new(NULL);
	cleanup(app_freep) struct app *other = customer_new(NULL);
	cleanup(app_freep) struct app *guest = guest_new();
	struct app *strangers[] = { other, guest };
	struct response *paid;

	user = text_at(expect(http_get(amina, "/v1/users/me"), 200), "name");
	address = text_at(expect(http_post(amina, "/v1/users/me/addresses", BERLIN), 200), "name");
	cart_add(amina, tea, 1);
	order = order_place(amina, NULL);
	expect(order_pay(amina, order, VISA), 200);
	eventually(30, count_at(order_get(amina, order), "shipments") > 0);
	paid = order_get(amina, order);
	shipment = text_at(paid, "shipments.0.name");

	for (int i = 0; i < 2; i++) {
		expect_error(http_get(strangers[i], "/v1/orders/%s", order), 403, NULL);
		expect_error(http_get(strangers[i], "/v1/orders/%s:watch", order), 403, NULL);
		expect_error(order_pay(strangers[i], order, VISA), 403, NULL);
		expect_error(http_post(strangers[i], text("/v1/orders/%s:cancel", order), "{}"),
			     403, NULL);
		expect_error(http_get(strangers[i], "/v1/%s", shipment), 403, NULL);
		expect_error(http_get(strangers[i], "/v1/%s", text_at(paid, "payment")), 403, NULL);
		expect_error(http_get(strangers[i], "/v1/%s", user), 403, NULL);
		expect_error(http_get(strangers[i], "/v1/%s", address), 403, NULL);
		expect_error(http_delete(strangers[i], "/v1/%s", address), 403, NULL);
		ck_assert_uint_eq(
			count_at(expect(http_get(strangers[i], "/v1/orders"), 200), "orders"), 0);
		ck_assert_uint_eq(
			count_at(expect(http_get(strangers[i], "/v1/cart"), 200), "items"), 0);
	}
	expect(http_get(amina, "/v1/%s", address), 200);
}

TEST(an_address_book_is_kept_and_an_order_goes_to_an_address_of_it)
{
	const char *tea = product_new(1000, 10), *name;
	cleanup(app_freep) struct app *amina = customer_new(NULL);
	struct response *address = expect(http_post(amina, "/v1/users/me/addresses", BERLIN), 200),
			*order;

	name = text_at(address, "name");
	expect(http_patch(amina, text("/v1/%s?updateMask=label,city", name),
			  "{'label': 'Home', 'city': 'Potsdam'}"),
	       200);
	address = expect(http_get(amina, "/v1/users/me/addresses"), 200);
	ck_assert_uint_eq(count_at(address, "addresses"), 1);
	ck_assert_str_eq(text_at(address, "addresses.0.city"), "Potsdam");
	ck_assert_str_eq(text_at(address, "addresses.0.recipient"), "Amina Haddad");

	cart_add(amina, tea, 1);
	order = expect(http_post_once(amina, unique("order"), "/v1/orders",
				      "{'addressId': '%s', 'shippingMethod': '%s'}", name,
				      shipping_cheapest(amina)),
		       200);
	ck_assert_str_eq(text_at(order, "shippingAddress.city"), "Potsdam");

	/* The order keeps its copy. */
	expect(http_delete(amina, "/v1/%s", name), 200);
	ck_assert_uint_eq(
		count_at(expect(http_get(amina, "/v1/users/me/addresses"), 200), "addresses"), 0);
	ck_assert_str_eq(text_at(order_get(amina, id_at(order, "name")), "shippingAddress.city"),
			 "Potsdam");
}

TEST(who_deletes_the_account_is_gone_and_the_address_is_free)
{
	const char *email;
	cleanup(app_freep) struct app *amina = customer_new(&email);
	cleanup(app_freep) struct app *again = app_new();

	expect(http_delete(amina, "/v1/users/me"), 200);
	expect_error(http_get(amina, "/v1/users/me"), 401, NULL);
	expect_error(log_in(again, email, PASSWORD), 401, "CREDENTIALS_INVALID");
	expect(http_post(again, "/v1/users", "{'email': '%s', 'password': '%s'}", email,
			 new_password),
	       200);
	expect(log_in(again, email, new_password), 200);
}

TEST_MAIN("accounts", story_begin, story_end)
