/*
 * Payment proxy: stands between payments and its payment server, in both directions, and misbehaves
 * when told to.
 *
 *     payment_proxy --port PORT --upstream URL --webhook URL
 *
 * Every request goes to `upstream`, and its answer back; POST /_webhook, where the payment server
 * sends its webhooks, goes to `webhook`, body and signature untouched. POST /_control sets a fault;
 * GET /_control shows it, and counts. Fields, all optional:
 *
 *     calls     for requests of `method` whose path holds `match`, for `count` of them or until
 *               changed:
 *               ok | stall (waits delay_ms, then passes on) | error (500, not passed on)
 *               | drop (the connection closes, not passed on)
 *               | lose_answer (passed on, then the connection closes after delay_ms: charged, but
 *               nobody says so) | error_after (passed on, then 500)
 *     webhooks  for `webhook_count` of them, or until changed:
 *               ok | drop | twice | late (delay_ms) | forged (the signature is of another secret)
 *     reset     true: no fault, counts and the list of calls empty
 *
 * GET /_calls lists what was passed on, the newest 10,000: [{method, path, status, idempotency_key,
 * answered}].
 */
#include "sandbox.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define CALLS_MAX 10000
#define UPSTREAM_TIMEOUT_MS 60000

static const char *const call_modes[] = {
	"ok", "stall", "error", "drop", "lose_answer", "error_after", NULL,
};
static const char *const webhook_modes[] = { "ok", "drop", "twice", "late", "forged", NULL };

static const char *upstream, *webhook;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	const char *mode;
	int64_t count; /* that it still holds for; negative: until changed */
	int64_t delay_ms;
	char method[16], match[128];
} call_fault = { .mode = "ok", .count = -1, .delay_ms = 5000 };
static struct {
	const char *mode;
	int64_t count, delay_ms;
} webhook_fault = { .mode = "ok", .count = -1, .delay_ms = 5000 };
static json_t *calls;
static int64_t n_faults, n_webhooks;

static const char *mode_find(const char *const *modes, const char *name)
{
	for (; *modes; modes++) {
		if (strcmp(*modes, name) == 0)
			return *modes;
	}
	return NULL;
}

static const char *call_fault_take(const struct sandbox_request *request, int64_t *delay_ms)
{
	const char *mode = "ok";

	pthread_mutex_lock(&lock);
	if (call_fault.count && strstr(request->path, call_fault.match) &&
	    (!*call_fault.method || strcmp(call_fault.method, request->method) == 0)) {
		mode = call_fault.mode;
		if (call_fault.count > 0)
			call_fault.count--;
		if (strcmp(mode, "ok"))
			n_faults++;
	}
	*delay_ms = call_fault.delay_ms;
	pthread_mutex_unlock(&lock);
	return mode;
}

static void call_note(const struct sandbox_request *request, long status, bool answered)
{
	const char *key = sandbox_request_header(request, "Idempotency-Key");
	json_t *call = json_pack("{s:s, s:s, s:I, s:s?, s:b}", "method", request->method, "path",
				 request->path, "status", (json_int_t)status, "idempotency_key",
				 key, "answered", answered);

	pthread_mutex_lock(&lock);
	if (json_array_size(calls) == CALLS_MAX)
		json_array_remove(calls, 0);
	json_array_append_new(calls, call);
	pthread_mutex_unlock(&lock);
}

/* The header lines of the request that mean something to the other side. */
static void headers_copy(const struct sandbox_request *request, char lines[][512], const char **ret,
			 size_t max)
{
	static const char *const names[] = { "Authorization", "Content-Type", "Idempotency-Key",
					     "Stripe-Version", "Stripe-Signature" };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && n + 1 < max; i++) {
		const char *value = sandbox_request_header(request, names[i]);

		if (!value)
			continue;
		snprintf(lines[n], 512, "%s: %s", names[i], value);
		ret[n] = lines[n];
		n++;
	}
	ret[n] = NULL;
}

static int pass_on(const struct sandbox_request *request, const char *url,
		   struct sandbox_reply *ret)
{
	char lines[8][512];
	const char *headers[8];

	headers_copy(request, lines, headers, 8);
	return sandbox_send(request->method, url, headers, request->body, request->body_length,
			    UPSTREAM_TIMEOUT_MS, ret);
}

static void call_pass_on(const struct sandbox_request *request, struct sandbox_answer *answer)
{
	struct sandbox_reply reply = { 0 };
	cleanup(freep) char *url = NULL;
	int64_t delay_ms;
	const char *mode = call_fault_take(request, &delay_ms);
	bool loses = strcmp(mode, "lose_answer") == 0, fails = strcmp(mode, "error_after") == 0;

	if (strcmp(mode, "error") == 0) {
		sandbox_answer_error(answer, 500, "api_error", "Something went wrong here.");
		return;
	}
	if (strcmp(mode, "drop") == 0) {
		answer->hang_up = true;
		return;
	}
	if (strcmp(mode, "stall") == 0)
		sandbox_sleep_ms(delay_ms);

	url = sandbox_request_url(request, upstream);
	if (pass_on(request, url, &reply)) {
		sandbox_answer_error(answer, 502, "unreachable",
				     "The payment server does not answer.");
		return;
	}
	call_note(request, reply.status, !loses && !fails);
	if (loses) {
		sandbox_sleep_ms(delay_ms);
		sandbox_reply_done(&reply);
		answer->hang_up = true;
	} else if (fails) {
		sandbox_reply_done(&reply);
		sandbox_answer_error(answer, 500, "api_error", "Something went wrong here.");
	} else {
		answer->status = (unsigned)reply.status;
		answer->body = ptr_steal(reply.body);
		answer->body_length = reply.body_length;
		if (*reply.content_type)
			sandbox_answer_header(answer, "Content-Type", reply.content_type);
	}
}

static void webhook_send(const struct sandbox_request *request, bool forged)
{
	struct sandbox_reply reply = { 0 };
	char signature[SANDBOX_SIGNATURE_SIZE], header[SANDBOX_SIGNATURE_SIZE + 32];
	const char *headers[] = { "Content-Type: application/json", header, NULL };

	if (forged) {
		sandbox_sign("a secret of somebody else", sandbox_now_ms() / 1000, request->body,
			     request->body_length, signature);
		snprintf(header, sizeof(header), "Stripe-Signature: %s", signature);
		sandbox_send("POST", webhook, headers, request->body, request->body_length,
			     UPSTREAM_TIMEOUT_MS, &reply);
	} else {
		pass_on(request, webhook, &reply);
	}
	sandbox_reply_done(&reply);
}

/* The payment server sends each webhook once and does not look at the answer. */
static void webhook_pass_on(const struct sandbox_request *request, struct sandbox_answer *answer)
{
	const char *mode;
	int64_t delay_ms;

	pthread_mutex_lock(&lock);
	mode = webhook_fault.count ? webhook_fault.mode : "ok";
	delay_ms = webhook_fault.delay_ms;
	if (webhook_fault.count > 0)
		webhook_fault.count--;
	n_webhooks++;
	pthread_mutex_unlock(&lock);

	if (strcmp(mode, "late") == 0)
		sandbox_sleep_ms(delay_ms);
	if (strcmp(mode, "drop"))
		webhook_send(request, strcmp(mode, "forged") == 0);
	if (strcmp(mode, "twice") == 0)
		webhook_send(request, false);
	sandbox_answer_json(answer, 200, json_object());
}

static json_t *control_show(void)
{
	json_t *shown;

	pthread_mutex_lock(&lock);
	shown = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "calls",
			  call_fault.mode, "count", (json_int_t)call_fault.count, "delay_ms",
			  (json_int_t)call_fault.delay_ms, "method", call_fault.method, "match",
			  call_fault.match, "webhooks", webhook_fault.mode, "webhook_count",
			  (json_int_t)webhook_fault.count, "webhook_delay_ms",
			  (json_int_t)webhook_fault.delay_ms, "calls_passed_on",
			  (json_int_t)json_array_size(calls), "faults", (json_int_t)n_faults,
			  "webhooks_seen", (json_int_t)n_webhooks);
	pthread_mutex_unlock(&lock);
	return shown;
}

/* A field that is misspelt would leave a test without its fault: everything unknown is refused. */
static void control(const struct sandbox_request *request, struct sandbox_answer *answer)
{
	cleanup(json_decrefp) json_t *wanted =
		json_loadb(request->body, request->body_length, 0, NULL);
	const char *call_mode = NULL, *webhook_mode = NULL, *match = "", *method = "";
	json_int_t count = -1, webhook_count = -1, delay_ms = -1;
	json_error_t error;
	int reset = 0;

	if (!wanted ||
	    json_unpack_ex(wanted, &error, JSON_STRICT, "{s?s, s?s, s?s, s?I, s?I, s?s, s?I, s?b}",
			   "calls", &call_mode, "match", &match, "method", &method, "count", &count,
			   "delay_ms", &delay_ms, "webhooks", &webhook_mode, "webhook_count",
			   &webhook_count, "reset", &reset)) {
		sandbox_answer_error(answer, 400, "invalid", "%s",
				     wanted ? error.text : "The body is not JSON.");
		return;
	}
	if ((call_mode && !(call_mode = mode_find(call_modes, call_mode))) ||
	    (webhook_mode && !(webhook_mode = mode_find(webhook_modes, webhook_mode)))) {
		sandbox_answer_error(answer, 400, "invalid", "There is no such mode.");
		return;
	}
	pthread_mutex_lock(&lock);
	if (reset) {
		json_array_clear(calls);
		n_faults = n_webhooks = 0;
		call_mode = call_mode ? call_mode : "ok";
		webhook_mode = webhook_mode ? webhook_mode : "ok";
	}
	if (call_mode) {
		call_fault.mode = call_mode;
		call_fault.count = count;
		call_fault.delay_ms = delay_ms >= 0 ? delay_ms : 5000;
		snprintf(call_fault.method, sizeof(call_fault.method), "%s", method);
		snprintf(call_fault.match, sizeof(call_fault.match), "%s", match);
	}
	if (webhook_mode) {
		webhook_fault.mode = webhook_mode;
		webhook_fault.count = webhook_count;
		webhook_fault.delay_ms = delay_ms >= 0 ? delay_ms : 5000;
	}
	pthread_mutex_unlock(&lock);
	sandbox_answer_json(answer, 200, control_show());
}

static void route(const struct sandbox_request *request, struct sandbox_answer *answer)
{
	bool get = strcmp(request->method, "GET") == 0;

	if (strcmp(request->path, "/_control") == 0) {
		if (get)
			sandbox_answer_json(answer, 200, control_show());
		else
			control(request, answer);
	} else if (strcmp(request->path, "/_calls") == 0) {
		json_t *copy;

		pthread_mutex_lock(&lock);
		copy = json_deep_copy(calls);
		pthread_mutex_unlock(&lock);
		sandbox_answer_json(answer, 200, copy);
	} else if (strcmp(request->path, "/_webhook") == 0) {
		webhook_pass_on(request, answer);
	} else {
		call_pass_on(request, answer);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "upstream", required_argument, NULL, 'u' },
		{ "webhook", required_argument, NULL, 'w' },
		{ 0 },
	};
	int port = -1, option, r;

	sandbox_init();
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			port = (int)sandbox_integer("port", optarg, 0, 65535);
		else if (option == 'u')
			upstream = optarg;
		else if (option == 'w')
			webhook = optarg;
		else
			return 2;
	}
	if (port < 0 || !upstream || !webhook) {
		fprintf(stderr, "Usage: %s --port PORT --upstream URL --webhook URL\n", argv[0]);
		return 2;
	}
	calls = json_array();
	r = sandbox_serve((uint16_t)port, route);
	fprintf(stderr, "The payment proxy cannot listen on port %d: %s.\n", port, strerror(-r));
	return 1;
}
