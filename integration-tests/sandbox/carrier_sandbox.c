/*
 * Carrier: a parcel service of its own, reached over HTTP as a real one is. State is in memory.
 *
 *     carrier_sandbox --port PORT --webhook URL [--interval-ms MS]
 *
 * with CARRIER_KEY and CARRIER_WEBHOOK_SECRET in the environment. Its API (`Authorization: Bearer
 * <key>`; errors are {"error": {"code", "message"}}):
 *
 *     POST /v1/shipments               with Idempotency-Key: the same key and body answer the first
 *                                      shipment, another body 409
 *          {"reference", "service", "to": {"name", "street", "city", "postal_code", "country"},
 *           "parcel": {"weight_grams"}}
 *          201 {"id", "tracking_number", "label_url", "status", "service", "reference", "created"}
 *     GET  /v1/shipments/{id}          the same, with "events": [{"status", "occurred"}]
 *     GET  /v1/shipments?reference=REF {"shipments": [...]}
 *     POST /v1/shipments/{id}/cancel   only while pre_transit, else 409
 *     GET  /v1/labels/{tracking_number}
 *                                      the label, SVG
 *
 * A parcel goes pre_transit → in_transit → out_for_delivery → delivered, one step an interval. Each
 * step is told by a webhook:
 *
 *     POST <url>   Carrier-Signature: t=<seconds>,v1=<HMAC-SHA256 over `<seconds>.<body>`, hex>
 *          {"id": "evt_...", "type": "tracking.updated", "created", "data": {"shipment",
 *           "tracking_number", "reference", "status", "sequence", "occurred", "description"}}
 *
 * What is not answered with 2xx is sent again, three times at most. The parcel goes on whether or
 * not a webhook arrives.
 *
 * POST /_control makes it misbehave; GET /_control shows how, and counts. Fields, all optional:
 *
 *     create       for create_count requests, or until changed: ok | stall (stall_ms late)
 *                  | refuse (422) | error (500) | lose_answer (made, but the connection closes)
 *     webhooks     ok | twice | late (late_ms) | out_of_order | none
 *     interval_ms  of shipments made from now on
 *     send         {shipment, status}: a step out of turn, such as exception or returned
 *     reset        true: forgets all
 */
#include "carrier_shipments.h"
#include "sandbox.h"

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const char *const create_modes[] = { "ok", "stall", "refuse", "error", "lose_answer", NULL };
static const char *const webhook_modes[] = { "ok", "twice", "late", "out_of_order", "none", NULL };

static const char *key;

/* How the next shipments are made. Guarded by carrier_lock, as everything that more than one
 * request sees. */
static struct {
	const char *mode;
	int64_t count; /* requests that it still holds for; negative: until changed */
	int64_t stall_ms;
} create = { .mode = "ok", .count = -1, .stall_ms = 5000 };

static const char *mode_find(const char *const *modes, const char *name)
{
	for (; *modes; modes++) {
		if (strcmp(*modes, name) == 0)
			return *modes;
	}
	return NULL;
}

/* The mode that holds for this request, which uses it up. */
static const char *create_mode_take(int64_t *stall_ms)
{
	const char *mode;

	pthread_mutex_lock(&carrier_lock);
	mode = create.count ? create.mode : "ok";
	if (create.count > 0)
		create.count--;
	*stall_ms = create.stall_ms;
	pthread_mutex_unlock(&carrier_lock);
	return mode;
}

static bool text_is(const json_t *text, size_t min, size_t max)
{
	return json_is_string(text) && json_string_length(text) >= min &&
	       json_string_length(text) <= max;
}

/* NULL, or the path of the field that cannot be shipped with. */
static const char *order_problem(const json_t *order)
{
	static const char *const address_fields[] = { "name", "street", "city", "postal_code" };
	const json_t *to = json_object_get(order, "to");
	const json_t *weight = json_object_get(json_object_get(order, "parcel"), "weight_grams");
	const json_t *country = json_object_get(to, "country");
	const char *code;

	if (!json_is_object(order))
		return "body";
	if (!text_is(json_object_get(order, "reference"), 1, CARRIER_TEXT_MAX))
		return "reference";
	if (!text_is(json_object_get(order, "service"), 1, CARRIER_TEXT_MAX))
		return "service";
	for (size_t i = 0; i < sizeof(address_fields) / sizeof(*address_fields); i++) {
		if (!text_is(json_object_get(to, address_fields[i]), 1, 256))
			return address_fields[i];
	}
	code = json_string_value(country);
	if (!text_is(country, 2, 2) || strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2)
		return "country";
	if (!json_is_integer(weight) || json_integer_value(weight) < 1 ||
	    json_integer_value(weight) > 70000)
		return "weight_grams";
	return NULL;
}

static void shipment_create(const struct sandbox_request *request, struct sandbox_answer *answer)
{
	const char *idempotency_key = sandbox_request_header(request, "Idempotency-Key");
	cleanup(json_decrefp) json_t *order = NULL;
	const char *mode, *problem;
	json_t *shipment;
	int64_t stall_ms;
	int r;

	if (!idempotency_key || !*idempotency_key || strlen(idempotency_key) > CARRIER_KEY_MAX) {
		sandbox_answer_error(answer, 400, "idempotency_key_missing",
				     "An Idempotency-Key of 1 to %d characters is needed.",
				     CARRIER_KEY_MAX);
		return;
	}
	mode = create_mode_take(&stall_ms);
	if (strcmp(mode, "stall") == 0) {
		sandbox_sleep_ms(stall_ms);
	} else if (strcmp(mode, "refuse") == 0) {
		sandbox_answer_error(answer, 422, "refused", "This parcel is not taken.");
		return;
	} else if (strcmp(mode, "error") == 0) {
		sandbox_answer_error(answer, 500, "internal", "Something went wrong here.");
		return;
	}

	order = json_loadb(request->body, request->body_length, JSON_REJECT_DUPLICATES, NULL);
	problem = order ? order_problem(order) : "body";
	if (problem) {
		sandbox_answer_error(answer, 422, "invalid",
				     "'%s' is missing or cannot be shipped with.", problem);
		return;
	}
	r = carrier_shipment_create(idempotency_key, order, &shipment);
	if (r == CARRIER_KEY_REUSED)
		sandbox_answer_error(answer, 409, "idempotency_key_reused",
				     "This key came with another body before.");
	else if (r == CARRIER_FULL)
		sandbox_answer_error(answer, 503, "full", "No more parcels are taken.");
	else if (strcmp(mode, "lose_answer") == 0) {
		json_decref(shipment);
		answer->hang_up = true;
	} else {
		if (r == CARRIER_REPLAYED)
			sandbox_answer_header(answer, "Idempotent-Replayed", "true");
		sandbox_answer_json(answer, 201, shipment);
	}
}

static void shipment_answer(struct sandbox_answer *answer, int r, json_t *shipment)
{
	if (r == CARRIER_NOT_FOUND)
		sandbox_answer_error(answer, 404, "not_found", "There is no such shipment.");
	else if (r == CARRIER_UNDER_WAY)
		sandbox_answer_error(answer, 409, "under_way",
				     "The parcel is under way and cannot be cancelled.");
	else
		sandbox_answer_json(answer, 200, shipment);
}

static void label(const char *tracking_number, struct sandbox_answer *answer)
{
	int length;

	if (!carrier_tracking_number_known(tracking_number)) {
		sandbox_answer_error(answer, 404, "not_found", "There is no such label.");
		return;
	}
	length = asprintf(
		&answer->body,
		"<svg xmlns='http://www.w3.org/2000/svg' width='400' height='240'><rect "
		"width='400' height='240' "
		"fill='white' stroke='black'/><text x='20' y='60' font-size='24'>Sandbox "
		"Carrier</text>"
		"<text x='20' y='140' font-size='28' font-family='monospace'>%s</text></svg>\n",
		tracking_number);
	if (length < 0)
		abort();
	answer->status = 200;
	answer->body_length = (size_t)length;
	sandbox_answer_header(answer, "Content-Type", "image/svg+xml");
}

static json_t *control_show(void)
{
	json_t *shown = carrier_state();

	pthread_mutex_lock(&carrier_lock);
	json_object_set_new(shown, "create", json_string(create.mode));
	json_object_set_new(shown, "create_count", json_integer(create.count));
	json_object_set_new(shown, "stall_ms", json_integer(create.stall_ms));
	pthread_mutex_unlock(&carrier_lock);
	return shown;
}

/* A field that is misspelt would leave a test without the fault that it is about: everything
 * unknown is refused. */
static void control(const struct sandbox_request *request, struct sandbox_answer *answer)
{
	cleanup(json_decrefp) json_t *wanted =
		json_loadb(request->body, request->body_length, 0, NULL);
	const char *create_mode = NULL, *webhook_mode = NULL, *send_shipment = NULL,
		   *send_status = NULL;
	json_int_t create_count = -1, stall_ms = -1, late_ms = -1, interval_ms = -1;
	json_error_t error;
	int reset = 0;

	if (!wanted || json_unpack_ex(wanted, &error, JSON_STRICT,
				      "{s?s, s?I, s?I, s?s, s?I, s?I, s?{s:s, s:s !}, s?b}",
				      "create", &create_mode, "create_count", &create_count,
				      "stall_ms", &stall_ms, "webhooks", &webhook_mode, "late_ms",
				      &late_ms, "interval_ms", &interval_ms, "send", "shipment",
				      &send_shipment, "status", &send_status, "reset", &reset)) {
		sandbox_answer_error(answer, 400, "invalid", "%s",
				     wanted ? error.text : "The body is not JSON.");
		return;
	}
	if ((create_mode && !(create_mode = mode_find(create_modes, create_mode))) ||
	    (webhook_mode && !(webhook_mode = mode_find(webhook_modes, webhook_mode)))) {
		sandbox_answer_error(answer, 400, "invalid", "There is no such mode.");
		return;
	}
	if (reset) {
		carrier_reset();
		create_mode = create_mode ? create_mode : "ok";
	}
	pthread_mutex_lock(&carrier_lock);
	if (create_mode) {
		create.mode = create_mode;
		create.count = create_count;
	}
	if (stall_ms >= 0)
		create.stall_ms = stall_ms;
	pthread_mutex_unlock(&carrier_lock);
	carrier_webhooks_set(webhook_mode, late_ms, interval_ms);
	if (send_shipment && carrier_shipment_step(send_shipment, send_status)) {
		sandbox_answer_error(answer, 404, "not_found", "There is no such shipment.");
		return;
	}
	sandbox_answer_json(answer, 200, control_show());
}

static void route(const struct sandbox_request *request, struct sandbox_answer *answer)
{
	bool get = strcmp(request->method, "GET") == 0, post = strcmp(request->method, "POST") == 0;
	const char *authorization = sandbox_request_header(request, "Authorization");
	char id[64], rest[16];
	json_t *shipment = NULL;
	int n = 0;

	if (strcmp(request->path, "/_control") == 0 && get) {
		sandbox_answer_json(answer, 200, control_show());
		return;
	}
	if (strcmp(request->path, "/_control") == 0 && post) {
		control(request, answer);
		return;
	}
	if (get && sscanf(request->path, "/v1/labels/%63[A-Z0-9]%n", id, &n) == 1 &&
	    !request->path[n]) {
		label(id, answer);
		return;
	}
	if (!authorization || strncmp(authorization, "Bearer ", 7) ||
	    strcmp(authorization + 7, key)) {
		sandbox_answer_error(answer, 401, "unauthorized", "The key is missing or wrong.");
		return;
	}
	if (strcmp(request->path, "/v1/shipments") == 0 && post) {
		shipment_create(request, answer);
	} else if (strcmp(request->path, "/v1/shipments") == 0 && get) {
		sandbox_answer_json(
			answer, 200,
			carrier_shipment_list(sandbox_request_query(request, "reference")));
	} else if (get && sscanf(request->path, "/v1/shipments/%63[a-z0-9_]%n", id, &n) == 1 &&
		   !request->path[n]) {
		int r = carrier_shipment_get(id, &shipment);

		shipment_answer(answer, r, shipment);
	} else if (post &&
		   sscanf(request->path, "/v1/shipments/%63[a-z0-9_]/%15s", id, rest) == 2 &&
		   strcmp(rest, "cancel") == 0) {
		int r = carrier_shipment_cancel(id, &shipment);

		shipment_answer(answer, r, shipment);
	} else {
		sandbox_answer_error(answer, 404, "not_found", "There is no %s %s.",
				     request->method, request->path);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "webhook", required_argument, NULL, 'w' },
		{ "interval-ms", required_argument, NULL, 'i' },
		{ 0 },
	};
	const char *secret = getenv("CARRIER_WEBHOOK_SECRET"), *webhook = NULL;
	int64_t interval_ms = 15000;
	int port = -1, option, r;

	sandbox_init();
	key = getenv("CARRIER_KEY");
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			port = (int)sandbox_integer("port", optarg, 0, 65535);
		else if (option == 'w')
			webhook = optarg;
		else if (option == 'i')
			interval_ms = sandbox_integer("interval-ms", optarg, 1, 86400000);
		else
			return 2;
	}
	if (port < 0 || !webhook || !key || !secret) {
		fprintf(stderr,
			"Usage: CARRIER_KEY=... CARRIER_WEBHOOK_SECRET=... %s --port PORT "
			"--webhook URL "
			"[--interval-ms MS]\n",
			argv[0]);
		return 2;
	}
	carrier_webhooks_start(webhook, secret, interval_ms);
	r = sandbox_serve((uint16_t)port, route);
	fprintf(stderr, "The carrier cannot listen on port %d: %s.\n", port, strerror(-r));
	return 1;
}
