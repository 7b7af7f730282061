/* The proxy before the payment server, with a recording server in place of it. */
#include "testing.h"

#include <string.h>
#include <test.h>

static void setup(void)
{
	static char webhook[128];
	const char *url = other_side_start();
	const char *arguments[] = { "--upstream", url, "--webhook", webhook, NULL };

	snprintf(webhook, sizeof(webhook), "%s/hook", url);
	program_start(arguments);
}

static void teardown(void)
{
	program_stop();
	other_side_stop();
}

static long confirm(void)
{
	const char *headers[] = { "Authorization: Bearer sk_test", "Idempotency-Key: k", NULL };
	long status;

	json_decref(ask("POST", "/v1/payment_intents/pi_1/confirm", headers, "a=b", &status));
	return status;
}

static void webhook(void)
{
	const char *headers[] = { "Stripe-Signature: t=1,v1=2", NULL };
	long status;

	json_decref(ask("POST", "/_webhook", headers, "{\"id\": \"evt_1\"}", &status));
	ck_assert_int_eq(status, 200);
}

static int64_t counted(const char *field)
{
	json_t *shown = ask("GET", "/_control", NULL, NULL, NULL);
	int64_t n = json_integer_value(json_object_get(shown, field));

	json_decref(shown);
	return n;
}

TEST(calls_pass_through_both_ways)
{
	json_t *answer, *calls;
	long status;

	answer = ask("GET", "/v1/payment_intents?limit=3", NULL, NULL, &status);
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(json_string_value(json_object_get(answer, "path")), "/v1/payment_intents");
	json_decref(answer);
	ck_assert_int_eq(confirm(), 200);
	ck_assert_str_eq(other_side_wait(2)[1].body, "a=b");
	other_side_status = 402;
	ck_assert_int_eq(confirm(), 402);

	calls = ask("GET", "/_calls", NULL, NULL, NULL);
	ck_assert_uint_eq(json_array_size(calls), 3);
	ck_assert_str_eq(
		json_string_value(json_object_get(json_array_get(calls, 1), "idempotency_key")),
		"k");
	json_decref(calls);
}

/* What happens to a call, and whether the payment server saw it. */
static const struct fault {
	const char *mode;
	long status; /* 0: the connection is closed */
	size_t seen;
} faults[] = {
	{ "ok", 200, 1 }, { "stall", 200, 1 },     { "error", 500, 0 },
	{ "drop", 0, 0 }, { "lose_answer", 0, 1 }, { "error_after", 500, 1 },
};

TEST_EACH(a_fault_does_what_its_name_says, faults)
{
	char body[256];

	snprintf(body, sizeof(body),
		 "{\"calls\": \"%s\", \"method\": \"POST\", \"match\": \"/confirm\", \"count\": 1, "
		 "\"delay_ms\": 50}",
		 row->mode);
	control(body);
	ck_assert_int_eq(confirm(), row->status);
	ck_assert_uint_eq(other_side_count(), row->seen);
	ck_assert_int_eq(confirm(), 200); /* once only */
	ck_assert_uint_eq(other_side_count(), row->seen + 1);
}

TEST(a_fault_is_for_the_calls_that_it_matches)
{
	long status;

	control("{\"calls\": \"error\", \"method\": \"POST\", \"match\": \"/confirm\"}");
	json_decref(ask("GET", "/v1/payment_intents/pi_1/confirm", NULL, NULL, &status));
	ck_assert_int_eq(status, 200);
	json_decref(ask("POST", "/v1/payment_intents", NULL, "", &status));
	ck_assert_int_eq(status, 200);
	ck_assert_int_eq(confirm(), 500);
	ck_assert_int_eq(confirm(), 500);
	ck_assert_int_eq(counted("faults"), 2);
	control("{\"reset\": true}");
	ck_assert_int_eq(confirm(), 200);
}

TEST(a_webhook_passes_untouched)
{
	webhook();
	ck_assert_str_eq(other_side_wait(1)[0].path, "/hook");
	ck_assert_str_eq(other_side_wait(1)[0].body, "{\"id\": \"evt_1\"}");
	ck_assert_str_eq(other_side_wait(1)[0].signature, "t=1,v1=2");
}

TEST(webhooks_are_dropped_doubled_and_forged_as_often_as_told)
{
	control("{\"webhooks\": \"drop\", \"webhook_count\": 1}");
	webhook();
	ck_assert_uint_eq(other_side_count(), 0);
	control("{\"webhooks\": \"twice\", \"webhook_count\": 1}");
	webhook();
	ck_assert_uint_eq(other_side_count(), 2);
	control("{\"webhooks\": \"forged\", \"webhook_count\": 1}");
	webhook();
	ck_assert_uint_eq(other_side_count(), 3);
	ck_assert_str_ne(other_side_wait(3)[2].signature, "t=1,v1=2");
	webhook();
	ck_assert_uint_eq(other_side_count(), 4);
	ck_assert_int_eq(counted("webhooks_seen"), 4);
}

TEST(a_late_webhook_comes_late)
{
	int64_t before = sandbox_now_ms();

	control("{\"webhooks\": \"late\", \"delay_ms\": 300}");
	webhook();
	ck_assert_int_ge(other_side_wait(1)[0].at_ms - before, 300);
}

TEST(a_misspelt_fault_is_refused)
{
	long status;

	json_decref(ask("POST", "/_control", NULL, "{\"call\": \"error\"}", &status));
	ck_assert_int_eq(status, 400);
	json_decref(ask("POST", "/_control", NULL, "{\"calls\": \"sometimes\"}", &status));
	ck_assert_int_eq(status, 400);
}

TEST(a_payment_server_that_is_away_is_said_to_be)
{
	other_side_stop();
	ck_assert_int_eq(confirm(), 502);
	other_side_start();
}

TEST_MAIN("payment_proxy", setup, teardown)
