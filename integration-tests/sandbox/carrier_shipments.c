/* The carrier's parcels, how they move, and the webhooks that tell of it. */
#include "carrier_shipments.h"
#include "sandbox.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#define SHIPMENTS_MAX 20000
#define DELIVERIES_MAX 100000
#define EVENTS_MAX 16
#define ATTEMPTS_MAX 4
#define WEBHOOK_TIMEOUT_MS 5000

static const char *const steps[] = { "pre_transit", "in_transit", "out_for_delivery", "delivered" };
#define N_STEPS (sizeof(steps) / sizeof(*steps))
/* Steps out of turn are told at once, through a queue of their own. */
#define OUT_OF_TURN N_STEPS

struct event {
	char id[29]; /* evt_ and 24 digits */
	char status[32];
	int64_t occurred_ms;
};

/*
 * What happened to a parcel is a list of events, each with its time, and all four steps are written
 * down when it is made: those whose time has not come have not happened. So it moves without anyone
 * doing anything.
 */
struct shipment {
	char id[29];
	char tracking_number[18];
	char key[CARRIER_KEY_MAX + 1];
	char reference[CARRIER_TEXT_MAX + 1];
	char service[CARRIER_TEXT_MAX + 1];
	json_t *order;
	int64_t created_ms;
	struct event events[EVENTS_MAX];
	size_t n_events;
};

/* A webhook to be sent. */
struct delivery {
	TAILQ_ENTRY(delivery) entry;
	struct shipment *shipment;
	size_t event;
	int64_t due_ms;
	int attempt;
};
TAILQ_HEAD(deliveries, delivery);

pthread_mutex_t carrier_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct shipment *shipments[SHIPMENTS_MAX];
static size_t n_shipments;
/* One queue for each step, each sorted by time: what is added to one is nearly always the last. */
static struct deliveries queues[N_STEPS + 1];
static size_t n_deliveries;
static int64_t n_sent, n_accepted;

static const char *webhook_url, *webhook_secret, *webhook_mode = "ok";
static int64_t interval_ms, late_ms = 3000;

static struct shipment *shipment_find(const char *id)
{
	for (size_t i = 0; i < n_shipments; i++) {
		if (strcmp(shipments[i]->id, id) == 0)
			return shipments[i];
	}
	return NULL;
}

static void timestamp(int64_t ms, char ret[static 32])
{
	time_t seconds = ms / 1000;
	struct tm parts;
	char text[24];

	gmtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(ret, 32, "%s.%03dZ", text, (int)(ms % 1000));
}

static const struct event *shipment_latest(const struct shipment *shipment, int64_t now)
{
	const struct event *latest = &shipment->events[0];

	for (size_t i = 1; i < shipment->n_events; i++) {
		if (shipment->events[i].occurred_ms <= now &&
		    shipment->events[i].occurred_ms >= latest->occurred_ms)
			latest = &shipment->events[i];
	}
	return latest;
}

static json_t *shipment_show(const struct shipment *shipment)
{
	int64_t now = sandbox_now_ms();
	json_t *events = json_array();
	char label[96], occurred[32];

	for (size_t i = 0; i < shipment->n_events; i++) {
		const struct event *event = &shipment->events[i];

		if (event->occurred_ms > now)
			continue;
		timestamp(event->occurred_ms, occurred);
		json_array_append_new(events, json_pack("{s:s, s:s}", "status", event->status,
							"occurred", occurred));
	}
	snprintf(label, sizeof(label), "http://127.0.0.1:%u/v1/labels/%s", sandbox_port(),
		 shipment->tracking_number);
	timestamp(shipment->created_ms, occurred);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "id", shipment->id,
			 "tracking_number", shipment->tracking_number, "label_url", label, "status",
			 shipment_latest(shipment, now)->status, "service", shipment->service,
			 "reference", shipment->reference, "created", occurred, "events", events);
}

/*
 * Webhooks
 */

static void delivery_queue(struct delivery *delivery, size_t queue)
{
	struct delivery *before = TAILQ_LAST(&queues[queue], deliveries);

	while (before && before->due_ms > delivery->due_ms)
		before = TAILQ_PREV(before, deliveries, entry);
	if (before)
		TAILQ_INSERT_AFTER(&queues[queue], before, delivery, entry);
	else
		TAILQ_INSERT_HEAD(&queues[queue], delivery, entry);
	pthread_cond_signal(&wake);
}

static void delivery_new(struct shipment *shipment, size_t event, int64_t due_ms, size_t queue)
{
	struct delivery *delivery;

	if (n_deliveries == DELIVERIES_MAX)
		return; /* as a carrier in trouble: the parcel goes on, untold */
	delivery = calloc(1, sizeof(*delivery));
	if (!delivery)
		abort();
	delivery->shipment = shipment;
	delivery->event = event;
	delivery->due_ms = due_ms;
	n_deliveries++;
	delivery_queue(delivery, queue);
}

/* When the webhook of a step is due: its time, unless they come late, or in pairs the wrong way
 * round. */
static int64_t step_due(int64_t created_ms, size_t step)
{
	if (strcmp(webhook_mode, "out_of_order") == 0)
		step ^= 1;
	return created_ms + (int64_t)step * interval_ms +
	       (strcmp(webhook_mode, "late") == 0 ? late_ms : 0);
}

static struct delivery *delivery_next(size_t *queue)
{
	struct delivery *next = NULL;

	for (size_t i = 0; i < N_STEPS + 1; i++) {
		struct delivery *first = TAILQ_FIRST(&queues[i]);

		if (first && (!next || first->due_ms < next->due_ms)) {
			next = first;
			*queue = i;
		}
	}
	return next;
}

static char *delivery_body(const struct delivery *delivery)
{
	const struct shipment *shipment = delivery->shipment;
	const struct event *event = &shipment->events[delivery->event];
	char occurred[32], description[64];
	json_t *json;
	char *body;

	timestamp(event->occurred_ms, occurred);
	snprintf(description, sizeof(description), "The parcel is %s.", event->status);
	json = json_pack(
		"{s:s, s:s, s:I, s:{s:s, s:s, s:s, s:s, s:I, s:s, s:s}}", "id", event->id, "type",
		"tracking.updated", "created", (json_int_t)(sandbox_now_ms() / 1000), "data",
		"shipment", shipment->id, "tracking_number", shipment->tracking_number, "reference",
		shipment->reference, "status", event->status, "sequence",
		(json_int_t)delivery->event, "occurred", occurred, "description", description);
	body = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return body;
}

/* Whether the other side took it. */
static bool webhook_send(const char *body)
{
	const char *headers[] = { "Content-Type: application/json", NULL, NULL };
	char header[SANDBOX_SIGNATURE_SIZE + 32], signature[SANDBOX_SIGNATURE_SIZE];
	struct sandbox_reply reply = { 0 };
	bool taken;

	sandbox_sign(webhook_secret, sandbox_now_ms() / 1000, body, strlen(body), signature);
	snprintf(header, sizeof(header), "Carrier-Signature: %s", signature);
	headers[1] = header;
	taken = sandbox_send("POST", webhook_url, headers, body, strlen(body), WEBHOOK_TIMEOUT_MS,
			     &reply) == 0 &&
		reply.status >= 200 && reply.status < 300;
	sandbox_reply_done(&reply);
	return taken;
}

/* Sends one webhook; called with the lock, which it lets go while it sends. */
static void delivery_send(struct delivery *delivery, size_t queue)
{
	int times = strcmp(webhook_mode, "twice") == 0  ? 2
		    : strcmp(webhook_mode, "none") == 0 ? 0
							: 1;
	cleanup(freep) char *body = delivery_body(delivery);
	bool taken = times == 0;
	int accepted = 0;

	TAILQ_REMOVE(&queues[queue], delivery, entry);
	pthread_mutex_unlock(&carrier_lock);
	for (int i = 0; i < times; i++) {
		if (webhook_send(body)) {
			taken = true;
			accepted++;
		}
	}
	pthread_mutex_lock(&carrier_lock);
	n_sent += times;
	n_accepted += accepted;
	if (!taken && ++delivery->attempt < ATTEMPTS_MAX) {
		delivery->due_ms = sandbox_now_ms() + (500 << delivery->attempt);
		delivery_queue(delivery, queue);
		return;
	}
	free(delivery);
	n_deliveries--;
}

static void *webhooks_run(void *data)
{
	struct delivery *next;
	size_t queue = 0;

	pthread_mutex_lock(&carrier_lock);
	for (;;) {
		int64_t now = sandbox_now_ms();

		next = delivery_next(&queue);
		if (next && next->due_ms <= now) {
			delivery_send(next, queue);
		} else if (next) {
			struct timespec until = {
				.tv_sec = next->due_ms / 1000,
				.tv_nsec = next->due_ms % 1000 * 1000000,
			};

			pthread_cond_timedwait(&wake, &carrier_lock, &until);
		} else {
			pthread_cond_wait(&wake, &carrier_lock);
		}
	}
	return NULL;
}

void carrier_webhooks_start(const char *url, const char *secret, int64_t interval)
{
	pthread_t thread;

	webhook_url = url;
	webhook_secret = secret;
	interval_ms = interval;
	for (size_t i = 0; i < N_STEPS + 1; i++)
		TAILQ_INIT(&queues[i]);
	if (pthread_create(&thread, NULL, webhooks_run, NULL))
		abort();
	pthread_detach(thread);
}

void carrier_webhooks_set(const char *mode, int64_t late, int64_t interval)
{
	pthread_mutex_lock(&carrier_lock);
	if (mode)
		webhook_mode = mode;
	if (late >= 0)
		late_ms = late;
	if (interval > 0)
		interval_ms = interval;
	pthread_mutex_unlock(&carrier_lock);
}

/* The shipments themselves stay allocated: a webhook may be on its way. */
void carrier_reset(void)
{
	struct delivery *delivery;

	pthread_mutex_lock(&carrier_lock);
	for (size_t i = 0; i < N_STEPS + 1; i++) {
		while ((delivery = TAILQ_FIRST(&queues[i]))) {
			TAILQ_REMOVE(&queues[i], delivery, entry);
			free(delivery);
			n_deliveries--;
		}
	}
	n_shipments = 0;
	n_sent = n_accepted = 0;
	webhook_mode = "ok";
	pthread_mutex_unlock(&carrier_lock);
}

json_t *carrier_state(void)
{
	json_t *state;

	pthread_mutex_lock(&carrier_lock);
	state = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "webhooks", webhook_mode,
			  "late_ms", (json_int_t)late_ms, "interval_ms", (json_int_t)interval_ms,
			  "shipments", (json_int_t)n_shipments, "webhooks_sent", (json_int_t)n_sent,
			  "webhooks_accepted", (json_int_t)n_accepted, "webhooks_waiting",
			  (json_int_t)n_deliveries);
	pthread_mutex_unlock(&carrier_lock);
	return state;
}

/*
 * Shipments
 */

static void event_add(struct shipment *shipment, const char *status, int64_t occurred_ms)
{
	struct event *event = &shipment->events[shipment->n_events++];

	strcpy(event->id, "evt_");
	sandbox_random_hex(event->id + 4, 25);
	snprintf(event->status, sizeof(event->status), "%s", status);
	event->occurred_ms = occurred_ms;
}

static struct shipment *shipment_new(const char *key, const json_t *order)
{
	struct shipment *shipment = calloc(1, sizeof(*shipment));
	char digits[17];

	if (!shipment)
		abort();
	strcpy(shipment->id, "shp_");
	sandbox_random_hex(shipment->id + 4, 25);
	sandbox_random_hex(digits, sizeof(digits));
	for (char *digit = digits; *digit; digit++)
		*digit = (char)('0' + (*digit >= 'a' ? *digit - 'a' : *digit - '0'));
	snprintf(shipment->tracking_number, sizeof(shipment->tracking_number), "SC%.14s", digits);
	snprintf(shipment->key, sizeof(shipment->key), "%s", key);
	snprintf(shipment->reference, sizeof(shipment->reference), "%s",
		 json_string_value(json_object_get(order, "reference")));
	snprintf(shipment->service, sizeof(shipment->service), "%s",
		 json_string_value(json_object_get(order, "service")));
	shipment->order = json_deep_copy(order);
	shipment->created_ms = sandbox_now_ms();
	return shipment;
}

int carrier_shipment_create(const char *key, const json_t *order, json_t **ret)
{
	struct shipment *shipment = NULL;
	int r = 0;

	pthread_mutex_lock(&carrier_lock);
	for (size_t i = 0; i < n_shipments && !shipment; i++) {
		if (strcmp(shipments[i]->key, key) == 0)
			shipment = shipments[i];
	}
	if (shipment) {
		r = json_equal(shipment->order, order) ? CARRIER_REPLAYED : CARRIER_KEY_REUSED;
	} else if (n_shipments == SHIPMENTS_MAX) {
		r = CARRIER_FULL;
	} else {
		shipment = shipment_new(key, order);
		shipments[n_shipments++] = shipment;
		for (size_t step = 0; step < N_STEPS; step++) {
			event_add(shipment, steps[step],
				  shipment->created_ms + (int64_t)step * interval_ms);
			delivery_new(shipment, step, step_due(shipment->created_ms, step), step);
		}
	}
	if (r == 0 || r == CARRIER_REPLAYED)
		*ret = shipment_show(shipment);
	pthread_mutex_unlock(&carrier_lock);
	return r;
}

int carrier_shipment_get(const char *id, json_t **ret)
{
	struct shipment *shipment;

	pthread_mutex_lock(&carrier_lock);
	shipment = shipment_find(id);
	if (shipment)
		*ret = shipment_show(shipment);
	pthread_mutex_unlock(&carrier_lock);
	return shipment ? 0 : CARRIER_NOT_FOUND;
}

/* What was still to come does not happen any more, and is not told. */
static void shipment_stop(struct shipment *shipment, int64_t now)
{
	for (size_t i = 0; i < N_STEPS; i++) {
		struct delivery *delivery, *following;

		for (delivery = TAILQ_FIRST(&queues[i]); delivery; delivery = following) {
			following = TAILQ_NEXT(delivery, entry);
			if (delivery->shipment != shipment ||
			    shipment->events[delivery->event].occurred_ms <= now)
				continue;
			TAILQ_REMOVE(&queues[i], delivery, entry);
			free(delivery);
			n_deliveries--;
		}
	}
	for (size_t i = 0; i < shipment->n_events; i++) {
		if (shipment->events[i].occurred_ms > now)
			shipment->events[i].occurred_ms = INT64_MAX;
	}
}

static void shipment_step(struct shipment *shipment, const char *status)
{
	int64_t now = sandbox_now_ms();

	shipment_stop(shipment, now);
	if (shipment->n_events == EVENTS_MAX)
		return;
	event_add(shipment, status, now);
	delivery_new(shipment, shipment->n_events - 1, now, OUT_OF_TURN);
}

int carrier_shipment_step(const char *id, const char *status)
{
	struct shipment *shipment;

	pthread_mutex_lock(&carrier_lock);
	shipment = shipment_find(id);
	if (shipment)
		shipment_step(shipment, status);
	pthread_mutex_unlock(&carrier_lock);
	return shipment ? 0 : CARRIER_NOT_FOUND;
}

int carrier_shipment_cancel(const char *id, json_t **ret)
{
	struct shipment *shipment;
	const char *status;
	int r = 0;

	pthread_mutex_lock(&carrier_lock);
	shipment = shipment_find(id);
	if (!shipment) {
		r = CARRIER_NOT_FOUND;
	} else {
		status = shipment_latest(shipment, sandbox_now_ms())->status;
		if (strcmp(status, "pre_transit") == 0)
			shipment_step(shipment, "cancelled");
		else if (strcmp(status, "cancelled"))
			r = CARRIER_UNDER_WAY;
		if (r == 0)
			*ret = shipment_show(shipment);
	}
	pthread_mutex_unlock(&carrier_lock);
	return r;
}

json_t *carrier_shipment_list(const char *reference)
{
	json_t *list = json_array();

	pthread_mutex_lock(&carrier_lock);
	for (size_t i = 0; i < n_shipments; i++) {
		if (!reference || strcmp(shipments[i]->reference, reference) == 0)
			json_array_append_new(list, shipment_show(shipments[i]));
	}
	pthread_mutex_unlock(&carrier_lock);
	return json_pack("{s:o}", "shipments", list);
}

bool carrier_tracking_number_known(const char *tracking_number)
{
	bool known = false;

	pthread_mutex_lock(&carrier_lock);
	for (size_t i = 0; i < n_shipments && !known; i++)
		known = strcmp(shipments[i]->tracking_number, tracking_number) == 0;
	pthread_mutex_unlock(&carrier_lock);
	return known;
}
