/* Access rules, line by line, in this process and with tokens over the network. */
#include "test.h"
#include "test/probe.h"
#include <string.h>

enum method { SESSIONS, USERS, OWNER, FRIEND };

static int ask(struct probe_client *client, struct rpc_call *call, enum method method,
	       const char *owner, ProbeResponse **ret)
{
	const ProbeRequest *request =
		MSG(ProbeRequest, .owner = owner, .action = PROBE_REQUEST_ACTION_WHO);
	Empty *empty;

	switch (method) {
	case SESSIONS:
		return probe_client_for_sessions(client, call, request, ret);
	case USERS:
		return probe_client_for_users(client, call, request, ret);
	case OWNER:
		return probe_client_for_owner(client, call, request, ret);
	case FRIEND:
		return probe_client_for_friend(client, call, request, &empty);
	}
	return -1;
}

static const struct rule {
	enum method method;
	struct rpc_caller caller;
	const char *owner;
	int code;
	const char *reason;
} rules[] = {
	{ SESSIONS, { .user = "" }, "", RPC_UNAUTHENTICATED, "TOKEN_MISSING" },
	{ SESSIONS, { .user = "users/ann" }, "", RPC_OK, "" },
	{ SESSIONS, { .user = "users/g", .guest = true }, "", RPC_OK, "" },
	{ SESSIONS, { .service = "friend" }, "", RPC_UNAUTHENTICATED, "TOKEN_MISSING" },
	{ USERS, { .user = "" }, "", RPC_UNAUTHENTICATED, "TOKEN_MISSING" },
	{ USERS, { .user = "users/ann" }, "", RPC_OK, "" },
	{ USERS,
	  { .user = "users/g", .guest = true },
	  "",
	  RPC_PERMISSION_DENIED,
	  "LOGIN_REQUIRED" },
	{ OWNER, { .user = "users/ann" }, "users/ann", RPC_OK, "" },
	{ OWNER, { .user = "users/ann" }, "users/me", RPC_OK, "" },
	{ OWNER, { .user = "users/ann" }, "me", RPC_OK, "" },
	{ OWNER, { .user = "users/ann" }, "users/ann/addresses/home", RPC_OK, "" },
	{ OWNER, { .user = "users/ann" }, "users/me/addresses/home", RPC_OK, "" },
	{ OWNER, { .user = "users/ann" }, "users/bob", RPC_PERMISSION_DENIED, "NOT_OWNER" },
	{ OWNER, { .user = "users/ann" }, "users/anna", RPC_PERMISSION_DENIED, "NOT_OWNER" },
	{ OWNER, { .user = "users/ann" }, "users/an", RPC_PERMISSION_DENIED, "NOT_OWNER" },
	{ OWNER, { .user = "users/ann" }, "", RPC_PERMISSION_DENIED, "NOT_OWNER" },
	{ OWNER, { .user = "users/ann", .scope = "a probe.others b" }, "users/bob", RPC_OK, "" },
	{ OWNER,
	  { .user = "users/ann", .scope = "probe.othersx xprobe.others" },
	  "users/bob",
	  RPC_PERMISSION_DENIED,
	  "NOT_OWNER" },
	{ OWNER,
	  { .user = "users/g", .guest = true },
	  "users/g",
	  RPC_PERMISSION_DENIED,
	  "LOGIN_REQUIRED" },
	{ OWNER, { .user = "" }, "users/bob", RPC_UNAUTHENTICATED, "TOKEN_MISSING" },
	{ OWNER, { .service = "friend" }, "users/bob", RPC_OK, "" },
	{ OWNER, { .service = "stranger" }, "users/bob", RPC_UNAUTHENTICATED, "TOKEN_MISSING" },
	{ FRIEND, { .service = "friend" }, "", RPC_OK, "" },
	{ FRIEND, { .user = "users/ann", .service = "friend" }, "", RPC_OK, "" },
	{ FRIEND, { .service = "stranger" }, "", RPC_PERMISSION_DENIED, "ACCESS_DENIED" },
	{ FRIEND, { .user = "users/ann" }, "", RPC_PERMISSION_DENIED, "ACCESS_DENIED" },
	{ FRIEND, { .user = "" }, "", RPC_PERMISSION_DENIED, "ACCESS_DENIED" },
};

TEST_EACH(a_rule_admits_whom_it_names, rules)
{
	struct probe_service service = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER };
	cleanup(probe_client_freep) struct probe_client *client =
		probe_client_local(&probe_service, &service);
	cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("test", 10000);
	ProbeResponse *response;

	rpc_call_set_caller(call, &row->caller);
	ck_assert_int_eq(ask(client, call, row->method, row->owner, &response), row->code);
	ck_assert_str_eq(rpc_error_reason(call), row->reason);
	ck_assert_int_eq(rpc_error_code(call), row->code);
}

static const struct {
	const char *token;
	bool public;
	int code;
	const char *who;
} tokens[] = {
	{ "user:ann", false, RPC_OK, "user=users/ann guest=0 service=" },
	{ "guest:x", false, RPC_OK, "user=users/x guest=1 service=" },
	{ "nonsense", false, RPC_UNAUTHENTICATED, "" },
	{ NULL, false, RPC_UNAUTHENTICATED, "" },
	{ "user:ann", true, RPC_OK, "user=users/ann guest=0 service=" },
	{ "nonsense", true, RPC_OK, "user= guest=0 service=" },
	{ NULL, true, RPC_OK, "user= guest=0 service=" },
};

TEST_EACH(a_token_says_who_calls, tokens)
{
	struct rpc_call *call = rpc_call_new("test", 10000);
	const ProbeRequest *request = MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_WHO);
	ProbeResponse *response;
	struct probe probe;
	int r;

	probe_start(&probe, &(struct rpc_server_options){ .authenticator = &probe_authenticator });
	rpc_call_set_token(call, row->token);
	r = row->public ? probe_client_probe(probe.client, call, request, &response)
			: probe_client_for_sessions(probe.client, call, request, &response);
	ck_assert_int_eq(r, row->code);
	if (!r)
		ck_assert_str_eq(response->text, row->who);
	rpc_call_free(call);
	probe_stop(&probe);
}

TEST(an_authorization_that_is_no_bearer_token_is_refused)
{
	struct rpc_call *call = rpc_call_new("test", 10000);
	ProbeResponse *response;
	struct probe probe;

	probe_start(&probe, &(struct rpc_server_options){ .authenticator = &probe_authenticator });
	rpc_set_request_header(call, "authorization", "Basic dXNlcjphbm4=");
	ck_assert_int_eq(
		probe_client_for_sessions(probe.client, call, MSG(ProbeRequest), &response),
		RPC_UNAUTHENTICATED);
	ck_assert_str_eq(rpc_error_reason(call), "TOKEN_INVALID");
	rpc_call_free(call);
	probe_stop(&probe);
}

TEST_MAIN("access", NULL, NULL)
