/* The sandbox's carrier over HTTP. */
#include "carrier.h"
#include <common/clock.h>
#include <common/http.h>
#include <common/signature.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	ANSWER_MAX = 256 * 1024,
	LABEL_MAX = 2 << 20,
	EVENTS_MAX = 200,
	TEXT_MAX = 256,
	ID_MAX = 120
};

static void json_freep(json_t **json)
{
	json_decref(*json);
}

static struct sandbox_carrier *sandbox_of(struct carrier *carrier)
{
	return (struct sandbox_carrier *)carrier; /* its first member */
}

/* --- what is sent --- */

/* At most so many bytes, whole characters. */
static const char *cut(struct rpc_call *call, const char *text)
{
	size_t length = strlen(text);

	if (length <= TEXT_MAX)
		return text;
	for (length = TEXT_MAX; (text[length] & 0xc0) == 0x80; length--)
		;
	return rpc_printf(call, "%.*s", (int)length, text);
}

static const char *street_of(struct rpc_call *call, const Address *address)
{
	const char *street = "";

	for (size_t i = 0; i < address->n_lines; i++)
		street = rpc_printf(call, "%s%s%s", street, *street ? ", " : "", address->lines[i]);
	return cut(call, street);
}

static const char *handover_body(struct rpc_call *call, const struct carrier_handover *parcel)
{
	const Address *to = parcel->address;
	cleanup(json_freep) json_t *body = json_pack(
		"{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:{s:i}}", "reference", parcel->reference,
		"service", parcel->service, "to", "name", cut(call, to->recipient), "street",
		street_of(call, to), "city", cut(call, to->city), "postal_code",
		*to->postal_code ? to->postal_code : "-", "country", to->country_code, "parcel",
		"weight_grams", parcel->weight_grams > 0 ? parcel->weight_grams : 1);
	char *text = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	const char *kept = text ? rpc_strdup(call, text) : NULL;

	free(text);
	return kept;
}

/* --- what is answered --- */

static int doubt(const char **why, const char *problem)
{
	*why = problem;
	return CARRIER_DOUBT;
}

/* The member's text in the arena; "" when it is not there or too long. */
static const char *text_of(struct rpc_call *call, const json_t *object, const char *member,
			   size_t max)
{
	const json_t *text = json_object_get(object, member);

	return json_is_string(text) && json_string_length(text) <= max
		       ? rpc_strdup(call, json_string_value(text))
		       : "";
}

static const struct status {
	const char *name;
	ShipmentState state;
	const char *description;
} statuses[] = {
	{ "pre_transit", SHIPMENT_STATE_PRE_TRANSIT, "The carrier has been told of the parcel." },
	{ "in_transit", SHIPMENT_STATE_IN_TRANSIT, "The carrier has the parcel." },
	{ "out_for_delivery", SHIPMENT_STATE_OUT_FOR_DELIVERY, "The parcel is on its way to you." },
	{ "attempt_failed", SHIPMENT_STATE_ATTEMPT_FAILED, "Nobody was there to take the parcel." },
	{ "available_for_pickup", SHIPMENT_STATE_AVAILABLE_FOR_PICKUP,
	  "The parcel can be picked up." },
	{ "delivered", SHIPMENT_STATE_DELIVERED, "The parcel has been delivered." },
	{ "returned", SHIPMENT_STATE_RETURNED, "The parcel comes back to the sender." },
	{ "exception", SHIPMENT_STATE_EXCEPTION, "Something is wrong with the parcel." },
	{ "cancelled", SHIPMENT_STATE_CANCELLED, "The parcel was called off." },
};

static const struct status *status_named(const char *name)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (!strcmp(statuses[i].name, name))
			return &statuses[i];
	return NULL;
}

/* 2026-05-04T12:00:00.000Z; -1. */
static int64_t time_of(const char *text)
{
	struct tm parts = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	int ms = 0, length = 0;

	if (!rest)
		return -1;
	if (*rest == '.' && sscanf(rest, ".%3d%n", &ms, &length) == 1)
		rest += length;
	return strcmp(rest, "Z") ? -1 : (int64_t)timegm(&parts) * 1000 + ms;
}

/* A status that we do not know says nothing. */
static bool read_event(struct rpc_call *call, const json_t *event, struct carrier_event *ret)
{
	const struct status *status = status_named(text_of(call, event, "status", 40));
	int64_t time_ms = time_of(text_of(call, event, "occurred", 40));

	if (!status || time_ms < 0)
		return false;
	*ret = (struct carrier_event){ status->state, status->description, time_ms };
	return true;
}

static void read_events(struct rpc_call *call, const json_t *list, struct carrier_parcel *parcel)
{
	size_t n = json_array_size(list), kept = 0;
	struct carrier_event *events = rpc_alloc(call, (EVENTS_MAX + 1) * sizeof(*events));

	for (size_t i = n > EVENTS_MAX ? n - EVENTS_MAX : 0; i < n; i++)
		kept += read_event(call, json_array_get(list, i), &events[kept]);
	parcel->events = events;
	parcel->n_events = kept;
}

static int read_parcel(struct rpc_call *call, const json_t *answer, struct carrier_parcel *ret,
		       const char **why)
{
	const struct status *status = status_named(text_of(call, answer, "status", 40));
	struct carrier_parcel parcel = {
		.id = text_of(call, answer, "id", ID_MAX),
		.tracking_number = text_of(call, answer, "tracking_number", ID_MAX),
		.tracking_uri = text_of(call, answer, "tracking_url", 512),
		.label_uri = text_of(call, answer, "label_url", 512),
	};

	if (!*parcel.id || !*parcel.tracking_number || !status)
		return doubt(why, "its answer is not understood");
	read_events(call, json_object_get(answer, "events"), &parcel);
	if (!parcel.n_events) {
		int64_t time_ms = time_of(text_of(call, answer, "created", 40));
		struct carrier_event *only = rpc_alloc(call, sizeof(*only));

		*only = (struct carrier_event){ status->state, status->description,
						time_ms >= 0 ? time_ms : rpc_now_ms(call) };
		parcel.events = only;
		parcel.n_events = 1;
	}
	*ret = parcel;
	return 0;
}

/* Letters, digits and '_' of the carrier's own code: nothing that it may have repeated of the
 * request. */
static const char *code_of(struct rpc_call *call, const json_t *answer)
{
	const char *code = text_of(call, json_object_get(answer, "error"), "code", 40);

	return *code && !code[strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_")]
		       ? code
		       : "no reason given";
}

/* What cannot be helped by asking again later is a refusal; of the rest nothing is known. */
static int judge(struct rpc_call *call, long status, const json_t *answer, const char **why)
{
	if (status >= 200 && status < 300 && json_is_object(answer))
		return 0;
	*why = rpc_printf(call, "it answered %ld (%s)", status, code_of(call, answer));
	if (status == 404)
		return CARRIER_NOT_FOUND;
	if (status >= 400 && status < 500 && status != 401 && status != 403 && status != 408 &&
	    status != 429)
		return CARRIER_REFUSED;
	return CARRIER_DOUBT;
}

static int ask(struct carrier *self, struct rpc_call *call, const char *method, const char *path,
	       const char *key, const char *body, long *status, json_t **ret, const char **why)
{
	const struct sandbox_carrier *sandbox = sandbox_of(self);
	const char *headers[] = { rpc_printf(call, "Authorization: Bearer %s", sandbox->key),
				  "Content-Type: application/json",
				  key ? rpc_printf(call, "Idempotency-Key: %s", key) : NULL, NULL };
	struct http_answer answer;
	cleanup(json_freep) json_t *read = NULL;
	int r;

	r = http_send(
		call,
		&(const struct http_request){ .method = method,
					      .url = rpc_printf(call, "%s%s", sandbox->url, path),
					      .headers = headers,
					      .body = body,
					      .timeout_ms = sandbox->timeout_ms,
					      .answer_max = ANSWER_MAX },
		&answer, why);
	if (r)
		return CARRIER_DOUBT;
	read = json_loadb(answer.body, answer.length, JSON_REJECT_DUPLICATES, NULL);
	r = judge(call, answer.status, read, why);
	*status = answer.status;
	if (!r)
		*ret = ptr_steal(read);
	return r;
}

static int hand_over(struct carrier *self, struct rpc_call *call,
		     const struct carrier_handover *parcel, struct carrier_parcel *ret,
		     const char **why)
{
	const char *body = handover_body(call, parcel);
	cleanup(json_freep) json_t *answer = NULL;
	long status;
	int r;

	if (!body)
		return -ENOMEM;
	r = ask(self, call, "POST", "/v1/shipments", parcel->key, body, &status, &answer, why);
	return r ? r : read_parcel(call, answer, ret, why);
}

static int look(struct carrier *self, struct rpc_call *call, const char *id,
		struct carrier_parcel *ret, const char **why)
{
	cleanup(json_freep) json_t *answer = NULL;
	long status;
	int r;

	r = ask(self, call, "GET", rpc_printf(call, "/v1/shipments/%s", id), NULL, NULL, &status,
		&answer, why);
	return r ? r : read_parcel(call, answer, ret, why);
}

static int call_off(struct carrier *self, struct rpc_call *call, const char *id, const char **why)
{
	cleanup(json_freep) json_t *answer = NULL;
	long status;
	int r;

	r = ask(self, call, "POST", rpc_printf(call, "/v1/shipments/%s/cancel", id), NULL, "",
		&status, &answer, why);
	return r == CARRIER_REFUSED && status == 409 ? CARRIER_UNDER_WAY : r;
}

/* Labels are fetched from the carrier and from nowhere else, whatever it answered. */
static int label(struct carrier *self, struct rpc_call *call, const char *label_uri, HttpBody **ret,
		 const char **why)
{
	const struct sandbox_carrier *sandbox = sandbox_of(self);
	size_t origin = strlen(sandbox->url);
	struct http_answer answer;

	if (strncmp(label_uri, sandbox->url, origin) || label_uri[origin] != '/')
		return doubt(why, "the label is not at the carrier");
	if (http_send(call,
		      &(const struct http_request){ .method = "GET",
						    .url = label_uri,
						    .timeout_ms = sandbox->timeout_ms,
						    .answer_max = LABEL_MAX },
		      &answer, why))
		return CARRIER_DOUBT;
	if (answer.status == 404)
		return CARRIER_NOT_FOUND;
	if (answer.status != 200)
		return doubt(why, rpc_printf(call, "it answered %ld", answer.status));
	*ret = rpc_new(call, HttpBody,
		       .content_type = *answer.content_type ? answer.content_type
							    : "application/octet-stream",
		       .data = { .data = (uint8_t *)answer.body, .len = answer.length });
	return 0;
}

static int webhook(struct carrier *self, struct rpc_call *call, const char *signature,
		   ProtobufCBinaryData body, struct carrier_webhook *ret, const char **why)
{
	const struct sandbox_carrier *sandbox = sandbox_of(self);
	const char *problem = signature_problem(sandbox->webhook_secret, signature, body,
						rpc_now_ms(call), sandbox->webhook_age_ms);
	cleanup(json_freep) json_t *event = NULL;
	struct carrier_webhook read;
	const json_t *data;

	if (problem) {
		*why = problem;
		return CARRIER_FORGED;
	}
	event = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
	data = json_object_get(event, "data");
	read = (struct carrier_webhook){ .id = text_of(call, event, "id", ID_MAX),
					 .tracking_number =
						 text_of(call, data, "tracking_number", ID_MAX),
					 .reference = text_of(call, data, "reference", ID_MAX) };
	read_event(call, data, &read.event);
	*ret = *read.tracking_number ? read : (struct carrier_webhook){ "", "", "" };
	return 0;
}

const struct carrier_ops sandbox_carrier_ops = {
	.signature_header = "carrier-signature",
	.hand_over = hand_over,
	.look = look,
	.call_off = call_off,
	.label = label,
	.webhook = webhook,
};
