/* The carrier, as a shipping service meets it. */
#include "testing.h"

#include <string.h>
#include <test.h>

#define SECRET "a secret for webhooks"
#define PARCEL(reference)                                                                          \
	"{\"reference\": \"" reference "\", \"service\": \"standard\", "                           \
	"\"to\": {\"name\": \"Ann\", \"street\": \"Ring 1\", \"city\": \"Wien\", "                 \
	"\"postal_code\": \"01010\", \"country\": \"AT\"}, \"parcel\": {\"weight_grams\": 200}}"

static void setup(void)
{
	static char webhook[128];
	const char *arguments[] = { "--webhook", webhook, "--interval-ms", "100", NULL };

	setenv("CARRIER_KEY", "key", 1);
	setenv("CARRIER_WEBHOOK_SECRET", SECRET, 1);
	snprintf(webhook, sizeof(webhook), "%s/tracking", other_side_start());
	program_start(arguments);
}

static void teardown(void)
{
	program_stop();
	other_side_stop();
}

static json_t *ship(const char *idempotency_key, const char *body, long *status)
{
	char line[300];
	const char *headers[] = { "Authorization: Bearer key", line, NULL };

	snprintf(line, sizeof(line), "Idempotency-Key: %s", idempotency_key);
	return ask("POST", "/v1/shipments", headers, body, status);
}

static json_t *look(const char *path, long *status)
{
	const char *headers[] = { "Authorization: Bearer key", NULL };

	return ask("GET", path, headers, NULL, status);
}

static const char *text(const json_t *json, const char *field)
{
	return json_string_value(json_object_get(json, field));
}

/* The status that the n-th webhook told. */
static const char *told(size_t n)
{
	static char status[32];
	json_t *event = json_loads(other_side_wait(n + 1)[n].body, 0, NULL);

	ck_assert_ptr_nonnull(event);
	snprintf(status, sizeof(status), "%s", text(json_object_get(event, "data"), "status"));
	json_decref(event);
	return status;
}

static size_t shipments_with(const char *reference)
{
	char path[128];
	json_t *list;
	size_t n;

	snprintf(path, sizeof(path), "/v1/shipments?reference=%s", reference);
	list = look(path, NULL);
	n = json_array_size(json_object_get(list, "shipments"));
	json_decref(list);
	return n;
}

TEST(a_parcel_is_taken_and_every_step_is_told_and_signed)
{
	static const char *const steps[] = { "pre_transit", "in_transit", "out_for_delivery",
					     "delivered" };
	char path[128];
	json_t *shipment, *later;
	long status;

	shipment = ship("k", PARCEL("o1"), &status);
	ck_assert_int_eq(status, 201);
	ck_assert_str_eq(text(shipment, "status"), "pre_transit");
	for (size_t i = 0; i < 4; i++) {
		ck_assert_str_eq(told(i), steps[i]);
		assert_signed(SECRET, other_side_wait(4)[i].signature, other_side_wait(4)[i].body);
	}
	snprintf(path, sizeof(path), "/v1/shipments/%s", text(shipment, "id"));
	later = look(path, &status);
	ck_assert_str_eq(text(later, "status"), "delivered");
	ck_assert_uint_eq(json_array_size(json_object_get(later, "events")), 4);
	json_decref(shipment);
	json_decref(later);
}

TEST(the_same_key_makes_one_shipment)
{
	json_t *first = ship("k", PARCEL("o1"), NULL), *again;
	long status;

	again = ship("k", PARCEL("o1"), &status);
	ck_assert_int_eq(status, 201);
	ck_assert_str_eq(text(first, "id"), text(again, "id"));
	json_decref(ship("k", PARCEL("o2"), &status));
	ck_assert_int_eq(status, 409);
	ck_assert_uint_eq(shipments_with("o1"), 1);
	ck_assert_uint_eq(shipments_with("o2"), 0);
	json_decref(first);
	json_decref(again);
}

TEST(a_label_can_be_fetched)
{
	json_t *shipment = ship("k", PARCEL("o1"), NULL);
	struct sandbox_reply label = { 0 };

	ck_assert_int_eq(
		sandbox_send("GET", text(shipment, "label_url"), NULL, NULL, 0, 5000, &label), 0);
	ck_assert_int_eq(label.status, 200);
	ck_assert_ptr_nonnull(strstr(label.body, text(shipment, "tracking_number")));
	sandbox_reply_done(&label);
	json_decref(shipment);
}

TEST(a_lost_answer_leaves_one_shipment_that_the_key_finds_again)
{
	json_t *shipment;
	long status;

	control("{\"create\": \"lose_answer\", \"create_count\": 1}");
	ck_assert_ptr_null(ship("k", PARCEL("o1"), &status));
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(shipments_with("o1"), 1);
	shipment = ship("k", PARCEL("o1"), &status);
	ck_assert_int_eq(status, 201);
	ck_assert_uint_eq(shipments_with("o1"), 1);
	json_decref(shipment);
}

TEST(it_refuses_and_fails_when_told_to_as_often_as_told)
{
	long status;

	control("{\"create\": \"refuse\", \"create_count\": 1}");
	json_decref(ship("k", PARCEL("o1"), &status));
	ck_assert_int_eq(status, 422);
	control("{\"create\": \"error\", \"create_count\": 1}");
	json_decref(ship("k", PARCEL("o1"), &status));
	ck_assert_int_eq(status, 500);
	ck_assert_uint_eq(shipments_with("o1"), 0);
	json_decref(ship("k", PARCEL("o1"), &status));
	ck_assert_int_eq(status, 201);
}

TEST(a_stalled_answer_comes_late)
{
	int64_t before = sandbox_now_ms();
	long status;

	control("{\"create\": \"stall\", \"stall_ms\": 300, \"create_count\": 1}");
	json_decref(ship("k", PARCEL("o1"), &status));
	ck_assert_int_eq(status, 201);
	ck_assert_int_ge(sandbox_now_ms() - before, 300);
}

TEST(webhooks_come_twice)
{
	control("{\"webhooks\": \"twice\"}");
	json_decref(ship("k", PARCEL("o1"), NULL));
	other_side_wait(8);
	ck_assert_str_eq(other_side_wait(2)[0].body, other_side_wait(2)[1].body);
}

TEST(webhooks_come_out_of_order)
{
	control("{\"webhooks\": \"out_of_order\"}");
	json_decref(ship("k", PARCEL("o1"), NULL));
	ck_assert_str_eq(told(0), "in_transit");
	ck_assert_str_eq(told(1), "pre_transit");
	ck_assert_str_eq(told(2), "delivered");
	ck_assert_str_eq(told(3), "out_for_delivery");
}

TEST(late_webhooks_come_late)
{
	int64_t before = sandbox_now_ms();

	control("{\"webhooks\": \"late\", \"late_ms\": 400}");
	json_decref(ship("k", PARCEL("o1"), NULL));
	ck_assert_str_eq(told(0), "pre_transit");
	ck_assert_int_ge(other_side_wait(1)[0].at_ms - before, 400);
}

TEST(without_webhooks_the_parcel_goes_on_all_the_same)
{
	json_t *shipment, *later = NULL;
	char path[128];

	control("{\"webhooks\": \"none\"}");
	shipment = ship("k", PARCEL("o1"), NULL);
	snprintf(path, sizeof(path), "/v1/shipments/%s", text(shipment, "id"));
	for (int i = 0; i < 1000; i++) {
		json_decref(later);
		later = look(path, NULL);
		if (strcmp(text(later, "status"), "delivered") == 0)
			break;
		sandbox_sleep_ms(10);
	}
	ck_assert_str_eq(text(later, "status"), "delivered");
	ck_assert_uint_eq(other_side_count(), 0);
	json_decref(shipment);
	json_decref(later);
}

TEST(a_webhook_that_is_not_taken_is_sent_again)
{
	other_side_status = 503;
	json_decref(ship("k", PARCEL("o1"), NULL));
	other_side_wait(1);
	other_side_status = 200;
	other_side_wait(5);
}

TEST(a_parcel_can_be_cancelled_before_it_moves_and_then_stays)
{
	const char *headers[] = { "Authorization: Bearer key", NULL };
	json_t *shipment, *cancelled;
	char path[128];
	long status;

	control("{\"interval_ms\": 60000}");
	shipment = ship("k", PARCEL("o1"), NULL);
	snprintf(path, sizeof(path), "/v1/shipments/%s/cancel", text(shipment, "id"));
	cancelled = ask("POST", path, headers, "", &status);
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(text(cancelled, "status"), "cancelled");
	json_decref(cancelled);
	json_decref(shipment);

	control("{\"interval_ms\": 1}");
	shipment = ship("l", PARCEL("o2"), NULL);
	snprintf(path, sizeof(path), "/v1/shipments/%s/cancel", text(shipment, "id"));
	other_side_wait(6);
	json_decref(ask("POST", path, headers, "", &status));
	ck_assert_int_eq(status, 409);
	json_decref(shipment);
}

TEST(a_step_out_of_turn_is_told)
{
	json_t *shipment;
	char body[256];

	control("{\"interval_ms\": 60000}");
	shipment = ship("k", PARCEL("o1"), NULL);
	ck_assert_str_eq(told(0), "pre_transit");
	snprintf(body, sizeof(body), "{\"send\": {\"shipment\": \"%s\", \"status\": \"returned\"}}",
		 text(shipment, "id"));
	control(body);
	ck_assert_str_eq(told(1), "returned");
	json_decref(shipment);
}

static const struct nonsense {
	const char *method, *path, *authorization, *key, *body;
	long status;
} nonsense[] = {
	{ "POST", "/v1/shipments", "Authorization: Bearer wrong", "k", PARCEL("o"), 401 },
	{ "POST", "/v1/shipments", "X: y", "k", PARCEL("o"), 401 },
	{ "POST", "/v1/shipments", "Authorization: Bearer key", "", PARCEL("o"), 400 },
	{ "POST", "/v1/shipments", "Authorization: Bearer key", "k", "{", 422 },
	{ "POST", "/v1/shipments", "Authorization: Bearer key", "k", "[]", 422 },
	{ "POST", "/v1/shipments", "Authorization: Bearer key", "k", "{\"reference\": \"o\"}",
	  422 },
	{ "POST", "/_control", "X: y", "k", "{\"webhook\": \"none\"}", 400 },
	{ "POST", "/_control", "X: y", "k", "{\"webhooks\": \"sometimes\"}", 400 },
	{ "GET", "/v1/shipments/shp_0", "Authorization: Bearer key", "k", NULL, 404 },
	{ "GET", "/nowhere", "Authorization: Bearer key", "k", NULL, 404 },
};

TEST_EACH(nonsense_gets_its_status, nonsense)
{
	const char *headers[] = { row->authorization, NULL, NULL };
	char line[64];
	long status;
	json_t *answer;

	snprintf(line, sizeof(line), "Idempotency-Key: %s", row->key);
	if (*row->key)
		headers[1] = line;
	answer = ask(row->method, row->path, headers, row->body, &status);
	ck_assert_int_eq(status, row->status);
	ck_assert_ptr_nonnull(json_object_get(answer, "error"));
	json_decref(answer);
}

TEST_MAIN("carrier_sandbox", setup, teardown)
