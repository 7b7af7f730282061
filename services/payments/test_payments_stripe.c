/* Stripe's API: what answers mean, what is asked, and whose webhooks are taken. */
#include "stripe.h"
#include "test.h"
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 500 };

/* The other side: answers what the test says, and keeps what it was asked. */
static struct {
	struct MHD_Daemon *daemon;
	char url[64];
	int status;
	const char *answers[4]; /* one after the other; the last stays */
	int n_received, n_asked;
	bool silent, hangs_up, floods;
	char asked[2048], body[2048], key[256], authorization[256];
} server;

static struct payment_provider *provider;
static struct provider_problem why;
static struct provider_intent intent;

static enum MHD_Result note_argument(void *data, enum MHD_ValueKind kind, const char *name,
				     const char *value)
{
	size_t used = strlen(server.asked);

	snprintf(server.asked + used, sizeof(server.asked) - used, "%s%s=%s",
		 strchr(server.asked, '?') ? "&" : "?", name, value ? value : "");
	return MHD_YES;
}

static void copy_header(struct MHD_Connection *connection, const char *name, char *to, size_t size)
{
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);

	snprintf(to, size, "%s", value ? value : "");
}

static enum MHD_Result send_answer(struct MHD_Connection *connection)
{
	static char flood[STRIPE_ANSWER_MAX + 2];
	const char *text = server.answers[0];
	struct MHD_Response *response;
	enum MHD_Result result;

	for (int i = 1; i <= server.n_asked && i < 4 && server.answers[i]; i++)
		text = server.answers[i];
	server.n_asked++;
	if (server.floods) {
		memset(flood, ' ', sizeof(flood) - 1);
		text = flood;
	}
	response =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
	result = MHD_queue_response(connection, (unsigned)server.status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *size, void **context)
{
	if (!*context) {
		*context = &server;
		server.n_received++;
		snprintf(server.asked, sizeof(server.asked), "%s %s", method, url);
		MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, note_argument, NULL);
		copy_header(connection, "Idempotency-Key", server.key, sizeof(server.key));
		copy_header(connection, "Authorization", server.authorization,
			    sizeof(server.authorization));
		server.body[0] = '\0';
		return MHD_YES;
	}
	if (*size) {
		size_t used = strlen(server.body);

		snprintf(server.body + used, sizeof(server.body) - used, "%.*s", (int)*size,
			 upload);
		*size = 0;
		return MHD_YES;
	}
	if (server.silent) /* longer than anyone waits */
		usleep(4 * TIMEOUT_MS * 1000);
	return server.hangs_up ? MHD_NO : send_answer(connection);
}

static void setup(void)
{
	char *error = NULL;

	memset(&server, 0, sizeof(server));
	server.status = 200;
	server.daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, NULL, MHD_OPTION_SOCK_ADDR,
		&(struct sockaddr_in){ .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
		MHD_OPTION_END);
	ck_assert_ptr_nonnull(server.daemon);
	snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%d",
		 MHD_get_daemon_info(server.daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	provider = stripe_new(&(const struct stripe_options){ .url = server.url,
							      .key = "sk_test_1",
							      .webhook_secret = "whsec_1",
							      .timeout_ms = TIMEOUT_MS,
							      .webhook_age_ms = 300000 },
			      &error);
	ck_assert_msg(provider != NULL, "%s", error);
}

static void teardown(void)
{
	provider = stripe_free(provider);
	MHD_stop_daemon(server.daemon);
}

static int get(void)
{
	return provider->ops->intent_get(provider, test_call(), "pi_1", &intent, &why);
}

#define INTENT(status, more)                                                                       \
	"{\"object\": \"payment_intent\", \"id\": \"pi_1\", \"status\": \"" status "\"" more "}"

static const struct {
	const char *answer;
	enum intent_state state;
	int64_t captured;
	const char *decline_code;
} intents[] = {
	{ INTENT("requires_confirmation", ""), INTENT_CREATED, -1, "" },
	{ INTENT("requires_action", ""), INTENT_ACTION, -1, "" },
	{ INTENT("processing", ""), INTENT_PROCESSING, -1, "" },
	{ INTENT("requires_capture", ", \"amount_received\": 0"), INTENT_HELD, 0, "" },
	{ INTENT("succeeded", ", \"amount_received\": 1250"), INTENT_CAPTURED, 1250, "" },
	{ INTENT("canceled", ""), INTENT_CANCELED, -1, "" },
	{ INTENT("requires_payment_method",
		 ", \"last_payment_error\": {\"code\": \"card_declined\", \"decline_code\": "
		 "\"stolen_card\"}"),
	  INTENT_DECLINED, -1, "card_declined" },
	{ INTENT("requires_payment_method", ", \"last_payment_error\": null"), INTENT_DECLINED, -1,
	  "declined" },
};
TEST_EACH(an_intent_is_read, intents)
{
	server.answers[0] = row->answer;
	ck_assert_int_eq(get(), 0);
	ck_assert_str_eq(server.asked, "GET /v1/payment_intents/pi_1");
	ck_assert_str_eq(server.authorization, "Bearer sk_test_1");
	ck_assert_str_eq(intent.id, "pi_1");
	ck_assert_int_eq(intent.state, row->state);
	ck_assert_int_eq(intent.captured, row->captured);
	ck_assert_str_eq(intent.decline_code, row->decline_code);
}

#define ERROR(more) "{\"error\": {\"type\": \"invalid_request_error\"" more "}}"

static const struct {
	int status;
	const char *answer;
	int result;
	const char *code;
	bool method;
} answers[] = {
	{ 402, ERROR(", \"code\": \"card_declined\""), PROVIDER_REFUSED, "card_declined", false },
	{ 400, ERROR(", \"code\": \"resource_missing\""), PROVIDER_REFUSED, "resource_missing",
	  true },
	{ 400, ERROR(", \"param\": \"payment_method\""), PROVIDER_REFUSED, "", true },
	{ 404, ERROR(""), PROVIDER_REFUSED, "", true },
	{ 400, ERROR(", \"code\": \"<script>\""), PROVIDER_REFUSED, "", false },
	{ 400, "<html>Bad gateway of a proxy</html>", PROVIDER_DOUBT, "", false },
	{ 401, ERROR(""), PROVIDER_DOUBT, "", false },
	{ 403, ERROR(""), PROVIDER_DOUBT, "", false },
	{ 409, ERROR(""), PROVIDER_DOUBT, "", false },
	{ 429, ERROR(""), PROVIDER_DOUBT, "", false },
	{ 500, ERROR(""), PROVIDER_DOUBT, "", false },
	{ 503, "", PROVIDER_DOUBT, "", false },
	{ 302, "", PROVIDER_DOUBT, "", false },
	{ 200, "", PROVIDER_DOUBT, "", false },
	{ 200, "[]", PROVIDER_DOUBT, "", false },
	{ 200, "{\"object\": \"payment_intent\", \"id\": \"pi_1\"", PROVIDER_DOUBT, "", false },
	{ 200, "{}", PROVIDER_DOUBT, "", false },
	{ 200, INTENT("dancing", ""), PROVIDER_DOUBT, "", false },
	{ 200, "{\"object\": \"payment_intent\", \"id\": \"../v1\", \"status\": \"canceled\"}",
	  PROVIDER_DOUBT, "", false },
};
TEST_EACH(an_answer_is_done_or_refused_or_leaves_us_in_doubt, answers)
{
	server.status = row->status;
	server.answers[0] = row->answer;
	ck_assert_int_eq(get(), row->result);
	ck_assert_str_eq(why.code, row->code);
	ck_assert_int_eq(why.method, row->method);
	ck_assert(*why.problem);
}

TEST(silence_is_a_doubt)
{
	server.silent = true;
	server.answers[0] = INTENT("succeeded", "");
	ck_assert_int_eq(get(), PROVIDER_DOUBT);
}

TEST(a_broken_connection_is_a_doubt)
{
	server.hangs_up = true;
	ck_assert_int_eq(get(), PROVIDER_DOUBT);
}

/* libcurl repeats by itself what it sent on a connection that it had used before. */
TEST(what_moves_money_is_sent_once)
{
	server.answers[0] = INTENT("succeeded", "");
	ck_assert_int_eq(get(), 0);
	server.hangs_up = true;
	ck_assert_int_eq(provider->ops->intent_capture(provider, test_call(), "key", "pi_1", "EUR",
						       400, &intent, &why),
			 PROVIDER_DOUBT);
	ck_assert_int_eq(server.n_received, 2);
}

TEST(an_answer_without_an_end_is_a_doubt)
{
	server.floods = true;
	server.answers[0] = "";
	ck_assert_int_eq(get(), PROVIDER_DOUBT);
}

TEST(nobody_there_is_a_doubt)
{
	MHD_stop_daemon(server.daemon);
	ck_assert_int_eq(get(), PROVIDER_DOUBT);
	server.daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle,
					 NULL, MHD_OPTION_END);
}

TEST(an_intent_is_created_unconfirmed_with_all_that_finds_it_again)
{
	const struct provider_try try = { .key = "payments/7/attempts/1/create/0",
					  .payment = "payments/7",
					  .order = "orders/7",
					  .attempt = 1,
					  .currency_code = "EUR",
					  .amount = 1250,
					  .method = "pm_card_visa",
					  .customer = "" };

	server.answers[0] = INTENT(
		"requires_confirmation",
		", \"payment_method\": {\"card\": {\"brand\": \"visa\", \"last4\": \"4242\"}}");
	ck_assert_int_eq(provider->ops->intent_create(provider, test_call(), &try, &intent, &why),
			 0);
	ck_assert_str_eq(server.asked, "POST /v1/payment_intents");
	ck_assert_str_eq(
		server.body,
		"amount=1250&currency=eur&capture_method=manual&payment_method_types%5B%5D="
		"card&payment_method=pm_card_visa&metadata%5Border%5D=orders%2F7&metadata%"
		"5Bpayment%5D=payments%2F7&metadata%5Battempt%5D=1&expand%5B%5D=payment_"
		"method");
	ck_assert_str_eq(server.key, "payments/7/attempts/1/create/0");
	ck_assert_str_eq(intent.card, "visa 4242");
}

TEST(a_part_is_captured)
{
	server.answers[0] = INTENT("succeeded", ", \"amount_received\": 400");
	ck_assert_int_eq(provider->ops->intent_capture(provider, test_call(), "key", "pi_1", "EUR",
						       400, &intent, &why),
			 0);
	ck_assert_str_eq(server.asked, "POST /v1/payment_intents/pi_1/capture");
	ck_assert_str_eq(server.body, "amount_to_capture=400");
	ck_assert_int_eq(intent.captured, 400);
}

TEST(the_customer_is_sent_to_the_bank_and_back)
{
	server.answers[0] =
		INTENT("requires_action", ", \"next_action\": {\"redirect_to_url\": {\"url\": "
					  "\"https://bank.example/x?y=1\"}}");
	ck_assert_int_eq(provider->ops->intent_confirm(provider, test_call(), "key", "pi_1",
						       "https://shop.example/back", &intent, &why),
			 0);
	ck_assert_str_eq(server.body, "return_url=https%3A%2F%2Fshop.example%2Fback");
	ck_assert_str_eq(intent.redirect_uri, "https://bank.example/x?y=1");
}

TEST(a_page_that_is_none_is_not_opened)
{
	server.answers[0] = INTENT("requires_action", ", \"next_action\": {\"redirect_to_url\": "
						      "{\"url\": \"javascript:alert(1)\"}}");
	ck_assert_int_eq(get(), 0);
	ck_assert_str_eq(intent.redirect_uri, "");
}

#define REFUND(id, name)                                                                           \
	"{\"object\": \"refund\", \"id\": \"" id                                                   \
	"\", \"status\": \"succeeded\", \"metadata\": {\"refund\": \"" name "\"}}"

TEST(our_refund_is_found_on_the_second_page)
{
	struct provider_refund refund;

	server.answers[0] = "{\"has_more\": true, \"data\": [" REFUND("re_1", "other") "]}";
	server.answers[1] = "{\"has_more\": false, \"data\": [{\"id\": \"re_2\"}, " REFUND(
		"re_3", "payments/7/refunds/a") "]}";
	ck_assert_int_eq(provider->ops->refund_find(provider, test_call(), "pi_1",
						    "payments/7/refunds/a", &refund, &why),
			 0);
	ck_assert_str_eq(refund.id, "re_3");
	ck_assert_int_eq(refund.state, REFUND_DONE);
	ck_assert_str_eq(server.asked,
			 "GET /v1/refunds?payment_intent=pi_1&limit=100&starting_after=re_1");
}

TEST(a_refund_that_is_not_listed_was_not_made)
{
	struct provider_refund refund;

	server.answers[0] = "{\"has_more\": false, \"data\": [" REFUND("re_1", "other") "]}";
	ck_assert_int_eq(
		provider->ops->refund_find(provider, test_call(), "pi_1", "mine", &refund, &why),
		PROVIDER_NOT_FOUND);
	server.answers[0] = "{}";
	ck_assert_int_eq(
		provider->ops->refund_find(provider, test_call(), "pi_1", "mine", &refund, &why),
		PROVIDER_DOUBT);
}

static const struct {
	const char *status;
	enum refund_state state;
} refund_states[] = { { "succeeded", REFUND_DONE },
		      { "pending", REFUND_WORKING },
		      { "requires_action", REFUND_WORKING },
		      { "failed", REFUND_REFUSED },
		      { "canceled", REFUND_REFUSED } };
TEST_EACH(a_refund_is_read, refund_states)
{
	struct provider_refund refund;
	const struct provider_giving_back giving = { .key = "payments/7/refunds/a",
						     .intent = "pi_1",
						     .refund = "payments/7/refunds/a",
						     .currency_code = "JPY",
						     .amount = 400,
						     .reason = "duplicate" };

	server.answers[0] = rpc_printf(test_call(),
				       "{\"object\": \"refund\", \"id\": \"re_1\", \"status\": "
				       "\"%s\", \"failure_reason\": \"lost_card\"}",
				       row->status);
	ck_assert_int_eq(
		provider->ops->refund_create(provider, test_call(), &giving, &refund, &why), 0);
	ck_assert_int_eq(refund.state, row->state);
	ck_assert_str_eq(refund.failure_code, row->state == REFUND_REFUSED ? "lost_card" : "");
	ck_assert_str_eq(server.body, "payment_intent=pi_1&amount=400&metadata%5Brefund%5D="
				      "payments%2F7%2Frefunds%2Fa&metadata%5Breason%5D=duplicate");
	ck_assert_str_eq(server.key, "payments/7/refunds/a");
}

TEST(a_method_is_attached_to_a_customer_without_a_name)
{
	struct provider_method method;
	const char *customer;

	server.answers[0] = "{\"object\": \"customer\", \"id\": \"cus_1\"}";
	ck_assert_int_eq(
		provider->ops->customer_create(provider, test_call(), "users/ann", &customer, &why),
		0);
	ck_assert_str_eq(server.body, "metadata%5Buser%5D=users%2Fann");
	server.answers[0] = "{\"object\": \"payment_method\", \"id\": \"pm_1\", \"card\": "
			    "{\"brand\": \"visa\", \"last4\": \"4242\", \"exp_month\": 12, "
			    "\"exp_year\": 2030}}";
	ck_assert_int_eq(provider->ops->method_attach(provider, test_call(), "key", customer,
						      "pm_card_visa", &method, &why),
			 0);
	ck_assert_str_eq(server.asked, "POST /v1/payment_methods/pm_card_visa/attach");
	ck_assert_str_eq(server.body, "customer=cus_1");
	ck_assert_str_eq(method.token, "pm_1");
	ck_assert_int_eq(method.expire_year, 2030);
}

static const struct {
	const char *token;
	bool good;
} tokens[] = {
	{ "pm_card_visa", true },
	{ "card_1NirD8", true },
	{ "src_1NirD8", true },
	{ "tok_visa", false },
	{ "pm_/../x", false },
	{ "", false },
	{ "4242424242424242", false },
	{ "4242-4242-4242-4242", false },
	{ "pm_4242 4242 4242 4242", false },
};
TEST_EACH(a_token_looks_like_one, tokens)
{
	ck_assert_int_eq(provider_token_problem(provider, row->token) == NULL, row->good);
}

/* --- webhooks --- */

#define EVENT                                                                                      \
	"{\"object\": \"event\", \"id\": \"evt_1\", \"type\": \"payment_intent.succeeded\", "      \
	"\"data\": {\"object\": {\"object\": \"payment_intent\", \"id\": \"pi_1\"}}}"

static const char *sign(const char *secret, int64_t seconds, const char *body)
{
	uint8_t signature[crypto_auth_hmacsha256_BYTES];
	char hex[2 * sizeof(signature) + 1];
	const char *signed_text = rpc_printf(test_call(), "%lld.%s", (long long)seconds, body);
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, (const uint8_t *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)signed_text, strlen(signed_text));
	crypto_auth_hmacsha256_final(&state, signature);
	sodium_bin2hex(hex, sizeof(hex), signature, sizeof(signature));
	return rpc_printf(test_call(), "t=%lld,v1=%s", (long long)seconds, hex);
}

static int hear(const char *header, const char *body, struct provider_webhook *ret)
{
	return provider->ops->webhook_read(
		provider, test_call(), header,
		(ProtobufCBinaryData){ .data = (uint8_t *)body, .len = strlen(body) }, ret, &why);
}

static int64_t now(void)
{
	return rpc_now_ms(test_call()) / 1000;
}

TEST(a_signed_webhook_tells_what_it_is_about)
{
	struct provider_webhook webhook;

	ck_assert_int_eq(hear(sign("whsec_1", now(), EVENT), EVENT, &webhook), 0);
	ck_assert_str_eq(webhook.id, "evt_1");
	ck_assert_str_eq(webhook.type, "payment_intent.succeeded");
	ck_assert_str_eq(webhook.reference, "pi_1");
}

TEST(a_refund_or_a_charge_is_about_its_intent)
{
	static const char body[] =
		"{\"object\": \"event\", \"id\": \"evt_1\", \"type\": \"charge.refunded\", "
		"\"data\": {\"object\": {\"object\": \"charge\", \"id\": \"ch_1\", "
		"\"payment_intent\": \"pi_1\"}}}";
	struct provider_webhook webhook;

	ck_assert_int_eq(hear(sign("whsec_1", now(), body), body, &webhook), 0);
	ck_assert_str_eq(webhook.reference, "pi_1");
}

static const struct {
	const char *secret;
	int64_t age;
	const char *signed_body, *body;
} forgeries[] = {
	{ "whsec_2", 0, EVENT, EVENT },   { "whsec_1", 0, EVENT " ", EVENT },
	{ "whsec_1", 301, EVENT, EVENT }, { "whsec_1", -301, EVENT, EVENT },
	{ "whsec_1", 0, "{}", "{}" },     { "whsec_1", 0, "no JSON", "no JSON" },
};
TEST_EACH(a_forged_old_or_empty_webhook_is_refused, forgeries)
{
	struct provider_webhook webhook;
	const char *header = sign(row->secret, now() - row->age, row->signed_body);

	ck_assert_int_eq(hear(header, row->body, &webhook), PROVIDER_FORGED);
	ck_assert(*why.problem);
}

TEST(a_webhook_without_a_signature_is_refused)
{
	struct provider_webhook webhook;

	ck_assert_int_eq(hear(NULL, EVENT, &webhook), PROVIDER_FORGED);
	ck_assert_int_eq(hear("", EVENT, &webhook), PROVIDER_FORGED);
	ck_assert_int_eq(hear("v1=00", EVENT, &webhook), PROVIDER_FORGED);
}

static const struct {
	const char *url, *key, *secret;
	bool good;
} accounts[] = {
	{ "https://api.stripe.com", "sk_live_1", "whsec_1", true },
	{ "http://127.0.0.1:8420", "sk_test_1", "whsec_1", true },
	{ "http://localhost", "sk_test_1", "whsec_1", true },
	{ "http://api.stripe.com", "sk_live_1", "whsec_1", false },
	{ "http://127.0.0.1.example.com", "sk_live_1", "whsec_1", false },
	{ "https://api.stripe.com/", "sk_live_1", "whsec_1", false },
	{ "ftp://api.stripe.com", "sk_live_1", "whsec_1", false },
	{ "https://api.stripe.com", "", "whsec_1", false },
	{ "https://api.stripe.com", "sk\r\nX-Evil: 1", "whsec_1", false },
	{ "https://api.stripe.com", "sk_live_1", "", false },
};
TEST_EACH(the_key_does_not_cross_a_network_in_the_clear, accounts)
{
	char *error = NULL;
	struct payment_provider *made = stripe_new(
		&(const struct stripe_options){
			.url = row->url, .key = row->key, .webhook_secret = row->secret },
		&error);

	ck_assert_int_eq(made != NULL, row->good);
	ck_assert_int_eq(error == NULL, row->good);
	free(error);
	stripe_free(made);
}

TEST_MAIN("payments by Stripe", setup, teardown)
