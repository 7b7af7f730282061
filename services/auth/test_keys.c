/* Keys, roles, the first administrator, and the log. */
#include "test_auth.h"
#include <common/secrets.h>

static void setup(void)
{
	begin();
}

static struct token_keys jwks(void)
{
	struct token_keys keys;
	HttpBody *body;

	by_nobody();
	ck_assert_int_eq(auth_client_get_jwks(client, call, MSG(GetJwksRequest), &body), 0);
	ck_assert_str_eq(body->content_type, "application/jwk-set+json");
	ck_assert_int_eq(token_keys_parse((const char *)body->data.data, body->data.len, &keys), 0);
	return keys;
}

/* Who signs now. */
static const char *signer(void)
{
	Session *session = log_in(person_new());
	struct token_keys all = jwks();

	for (size_t i = 0; i < all.n_keys; i++) {
		const struct token_expectation expectation = { token_issuer(), token_audience(),
							       "access", rpc_now_ms(call) };
		struct token_keys one = { .keys = { all.keys[i] }, .n_keys = 1 };
		struct token_claims claims;

		if (!token_verify(rpc_arena(call), &one, session->access_token, &expectation,
				  &claims))
			return rpc_strdup(call, all.keys[i].kid);
	}
	ck_abort_msg("no key of the JWKS verifies the token");
}

static const char *rotate(void)
{
	RotateSigningKeyResponse *response;

	by_admin();
	ck_assert_int_eq(auth_client_rotate_signing_key(client, call, MSG(RotateSigningKeyRequest),
							&response),
			 0);
	return response->key_id;
}

TEST(a_restart_finds_the_same_key)
{
	const char *before = signer();

	keys_forget();
	ck_assert(!keys_known());
	ck_assert_int_eq(keys_tend(&auth, call), 0);
	ck_assert_str_eq(signer(), before);
	ck_assert_uint_eq(jwks().n_keys, 1);
}

TEST(a_rotated_key_signs_at_once_and_the_old_one_verifies_until_its_tokens_are_dead)
{
	const char *old = signer(), *new = rotate();

	ck_assert_str_ne(old, new);
	ck_assert_str_eq(signer(), new);
	ck_assert_uint_eq(jwks().n_keys, 2);
	pass(auth.access_ttl);
	ck_assert_uint_eq(jwks().n_keys, 2);
	pass(10 * 60000);
	ck_assert_uint_eq(jwks().n_keys, 1);
	ck_assert_str_eq(jwks().keys[0].kid, new);
	ck_assert_uint_eq(logged("", "KEY_ROTATED"), 2);
}

TEST(in_time_a_new_key_is_shown_before_it_signs)
{
	const char *old = signer();

	pass(auth.key_rotation);
	ck_assert_int_eq(keys_tend(&auth, call), 0);
	ck_assert_uint_eq(jwks().n_keys, 2);
	ck_assert_str_eq(signer(), old);
	pass(11 * 60000);
	ck_assert_str_ne(signer(), old);
	ck_assert_int_eq(keys_tend(&auth, call), 0);
	ck_assert_uint_eq(jwks().n_keys, 2); /* one turn makes one */
}

TEST(with_another_secret_a_new_key_signs_and_the_old_one_still_verifies)
{
	const char *old = signer();

	secret_set("another secret of tests, as long as it must be");
	keys_forget();
	ck_assert_int_eq(keys_tend(&auth, call), 0);
	ck_assert_str_ne(signer(), old);
	ck_assert_uint_eq(jwks().n_keys, 2);
}

TEST(private_keys_are_stored_sealed)
{
	SigningKeyRecord **records;
	size_t n_records;

	ck_assert_int_eq(key_read_all(call, &records, &n_records), 0);
	ck_assert_uint_eq(n_records, 1);
	ck_assert_uint_eq(records[0]->public_key.len, 32);
	ck_assert_uint_eq(records[0]->sealed_seed.len, 24 + 16 + 32);
}

/* --- roles --- */

static int update_role(const char *name, const char *permission, Role **ret)
{
	Role *role = rpc_new(call, Role, .name = name);

	role_add_permissions(call, role, permission);
	by_admin();
	return auth_client_update_role(client, call, MSG(UpdateRoleRequest, .role = role), ret);
}

TEST(what_a_role_permits_is_in_the_next_token)
{
	struct person ann = person_new();
	Session *session = log_in(ann);
	Role *role;

	ck_assert_int_eq(update_role("roles/customer", "reviews.read", &role), 0);
	ck_assert_str_eq(role->display_name, "Customer");
	ck_assert_int_eq(refresh(session->refresh_token, &session), 0);
	ck_assert_str_eq(claims_of(session->access_token).scope, "reviews.read");
}

TEST(roles_are_refused_what_would_do_harm)
{
	Role *role;

	ck_assert_int_eq(update_role("roles/admin", "orders.read", &role), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, LAST_ADMIN));
	ck_assert_int_eq(update_role("roles/emperor", "orders.read", &role), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, ROLE_UNKNOWN));
	/* In a scope this would be two. */
	ck_assert_int_eq(update_role("roles/customer", "orders.read auth.manage", &role),
			 RPC_INVALID_ARGUMENT);
}

TEST(the_five_roles_are_there_and_stay_as_they_were_changed)
{
	ListRolesResponse *response;
	Role *role;

	ck_assert_int_eq(update_role("roles/support", "orders.read", &role), 0);
	ck_assert_int_eq(auth_set_up(&auth, call), 0);
	by_admin();
	ck_assert_int_eq(auth_client_list_roles(client, call, MSG(ListRolesRequest), &response), 0);
	ck_assert_uint_eq(response->n_roles, 5);
	for (size_t i = 0; i < 5; i++)
		if (!strcmp(response->roles[i]->name, "roles/support"))
			ck_assert_uint_eq(response->roles[i]->n_permissions, 1);
}

/* --- the first administrator --- */

TEST(the_first_admin_is_made_once)
{
	struct person other;
	Credential *credential;
	Session *session;
	Empty *empty;

	auth.admin_email = "Admin@souk.example";
	auth.admin_password = "a first password of the admin";
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(auth_set_up(&auth, call), 0);
	by_nobody();
	ck_assert_int_eq(log_in_with("admin@souk.example", auth.admin_password, &session), 0);
	ck_assert_ptr_nonnull(strstr(claims_of(session->access_token).scope, "auth.manage"));

	/* Another admin is enough; the first one is not made again. */
	other = person_new();
	credential =
		rpc_new(call, Credential, .name = rpc_printf(call, "%s/credential", other.user));
	credential_add_roles(call, credential, "roles/admin");
	by_admin();
	ck_assert_int_eq(auth_client_update_credential(
				 client, call,
				 MSG(UpdateCredentialRequest, .credential = credential),
				 &credential),
			 0);
	by_users();
	ck_assert_int_eq(
		auth_client_delete_credential(
			client, call, MSG(DeleteCredentialRequest, .user = session->user), &empty),
		0);
	ck_assert_int_eq(auth_set_up(&auth, call), 0);
	by_nobody();
	ck_assert_int_eq(log_in_with("admin@souk.example", auth.admin_password, &session),
			 RPC_UNAUTHENTICATED);
}

TEST(an_account_that_has_the_admins_address_already_gets_the_admins_password)
{
	struct person ann = person_new();
	Session *before = log_in(ann), *session;

	auth.admin_email = ann.email;
	auth.admin_password = "a first password of the admin";
	ck_assert_int_eq(auth_set_up(&auth, call), 0);
	ck_assert(!is_open(before));
	by_nobody();
	ck_assert_int_eq(log_in_with(ann.email, PASSWORD, &session), RPC_UNAUTHENTICATED);
	ck_assert_int_eq(log_in_with(ann.email, auth.admin_password, &session), 0);
}

/* --- the log --- */

TEST(the_log_is_filtered_and_paged_and_has_no_address)
{
	struct person ann = person_new();
	ListAuditEventsResponse *response;
	Session *session;

	log_in(ann);
	ck_assert_int_eq(credential_sweep(&auth, call), 0);
	ck_assert_int_eq(log_in_with(ann.email, "wrong", &session), RPC_UNAUTHENTICATED);
	by_admin();
	ck_assert_int_eq(auth_client_list_audit_events(
				 client, call,
				 MSG(ListAuditEventsRequest, .page_size = 2,
				     .filter = rpc_printf(call, "user = \"%s\"", ann.user)),
				 &response),
			 0);
	ck_assert_uint_eq(response->n_audit_events, 2);
	ck_assert_int_eq(response->audit_events[0]->action, AUDIT_EVENT_ACTION_LOGIN_FAILED);
	ck_assert_str_eq(response->audit_events[1]->actor, ann.user);
	for (size_t i = 0; i < 2; i++)
		ck_assert(!strstr(response->audit_events[i]->detail, "@"));
	ck_assert_int_eq(auth_client_list_audit_events(
				 client, call,
				 MSG(ListAuditEventsRequest, .page_size = 2,
				     .filter = rpc_printf(call, "user = \"%s\"", ann.user),
				     .page_token = response->next_page_token),
				 &response),
			 0);
	ck_assert_int_eq(response->audit_events[0]->action, AUDIT_EVENT_ACTION_CREATED);
	ck_assert_int_eq(auth_client_list_audit_events(
				 client, call,
				 MSG(ListAuditEventsRequest, .filter = "password = 1"), &response),
			 RPC_INVALID_ARGUMENT);
	by_nobody();
	ck_assert_int_eq(
		auth_client_list_audit_events(client, call, MSG(ListAuditEventsRequest), &response),
		RPC_UNAUTHENTICATED);
}

TEST_MAIN("keys", setup, end)
