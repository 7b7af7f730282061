/* Stripe's answers, read into what a provider tells. */
#include "stripe.h"
#include <ctype.h>
#include <string.h>

int stripe_doubt(struct provider_problem *why, const char *problem)
{
	*why = (struct provider_problem){ .code = "", .problem = problem };
	return PROVIDER_DOUBT;
}

const char *stripe_text(struct rpc_call *call, const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));
	size_t length = text ? strlen(text) : 0;

	if (!length || length > STRIPE_ID_MAX)
		return "";
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("_-.", text[i]))
			return "";
	return rpc_strdup(call, text);
}

static bool is_object(const json_t *answer, const char *kind)
{
	const char *object = json_string_value(json_object_get(answer, "object"));

	return object && !strcmp(object, kind);
}

/* "visa 4242", when the payment method was expanded. */
static const char *card_of(struct rpc_call *call, const json_t *answer)
{
	const json_t *card = json_object_get(json_object_get(answer, "payment_method"), "card");
	const char *brand = stripe_text(call, card, "brand"),
		   *last_four = stripe_text(call, card, "last4");

	return *brand && *last_four ? rpc_printf(call, "%s %s", brand, last_four) : "";
}

static const char *redirect_of(struct rpc_call *call, const json_t *answer)
{
	const json_t *redirect =
		json_object_get(json_object_get(answer, "next_action"), "redirect_to_url");
	const char *url = json_string_value(json_object_get(redirect, "url"));

	/* The app opens it: nothing but a page. */
	if (!url || strlen(url) > 2048 ||
	    (strncmp(url, "https://", 8) && strncmp(url, "http://", 7)))
		return "";
	return rpc_strdup(call, url);
}

static const char *const intent_states[] = {
	[INTENT_CREATED] = "requires_confirmation",
	[INTENT_ACTION] = "requires_action",
	[INTENT_PROCESSING] = "processing",
	[INTENT_HELD] = "requires_capture",
	[INTENT_CAPTURED] = "succeeded",
	[INTENT_CANCELED] = "canceled",
	/* Ours have a method from the start, so the last one was refused. */
	[INTENT_DECLINED] = "requires_payment_method",
};
_Static_assert(sizeof(intent_states) / sizeof(*intent_states) == N_INTENT_STATES,
	       "every state of an intent has a name");

int stripe_read_intent(struct rpc_call *call, const json_t *answer, struct provider_intent *ret,
		       struct provider_problem *why)
{
	const json_t *received = json_object_get(answer, "amount_received");
	const char *status = stripe_text(call, answer, "status");
	struct provider_intent intent = {
		.id = stripe_text(call, answer, "id"),
		.captured = json_is_integer(received) ? json_integer_value(received) : -1,
		.decline_code = "",
		.redirect_uri = redirect_of(call, answer),
		.card = card_of(call, answer),
	};
	int state = 0;

	while (state < N_INTENT_STATES && strcmp(status, intent_states[state]))
		state++;
	if (!is_object(answer, "payment_intent") || !*intent.id || state == N_INTENT_STATES)
		return stripe_doubt(why, "its answer is no payment intent");
	intent.state = (enum intent_state)state;
	if (intent.state == INTENT_DECLINED) {
		intent.decline_code =
			stripe_text(call, json_object_get(answer, "last_payment_error"), "code");
		if (!*intent.decline_code)
			intent.decline_code = "declined";
	}
	*ret = intent;
	return 0;
}

int stripe_read_refund(struct rpc_call *call, const json_t *answer, struct provider_refund *ret,
		       struct provider_problem *why)
{
	static const struct {
		const char *status;
		enum refund_state state;
	} states[] = { { "succeeded", REFUND_DONE },
		       { "pending", REFUND_WORKING },
		       { "requires_action", REFUND_WORKING },
		       { "failed", REFUND_REFUSED },
		       { "canceled", REFUND_REFUSED } };
	const char *status = stripe_text(call, answer, "status");
	struct provider_refund refund = { .id = stripe_text(call, answer, "id"),
					  .failure_code = "" };

	if (!is_object(answer, "refund") || !*refund.id)
		return stripe_doubt(why, "its answer is no refund");
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (strcmp(states[i].status, status))
			continue;
		refund.state = states[i].state;
		if (refund.state == REFUND_REFUSED)
			refund.failure_code = stripe_text(call, answer, "failure_reason");
		*ret = refund;
		return 0;
	}
	return stripe_doubt(why, "its refund has a state that is not known");
}

int stripe_read_method(struct rpc_call *call, const json_t *answer, struct provider_method *ret,
		       struct provider_problem *why)
{
	const json_t *card = json_object_get(answer, "card");
	struct provider_method method = {
		.token = stripe_text(call, answer, "id"),
		.brand = stripe_text(call, card, "brand"),
		.last_four = stripe_text(call, card, "last4"),
		.expire_month = (int32_t)json_integer_value(json_object_get(card, "exp_month")),
		.expire_year = (int32_t)json_integer_value(json_object_get(card, "exp_year")),
	};

	if (!is_object(answer, "payment_method") || !*method.token)
		return stripe_doubt(why, "its answer is no payment method");
	*ret = method;
	return 0;
}

/* The intent that an event's object is, or belongs to; else the object itself. */
static const char *reference_of(struct rpc_call *call, const json_t *object)
{
	const json_t *intent = json_object_get(object, "payment_intent");
	const char *id = json_is_object(intent) ? stripe_text(call, intent, "id")
						: stripe_text(call, object, "payment_intent");

	return *id ? id : stripe_text(call, object, "id");
}

int stripe_read_event(struct rpc_call *call, ProtobufCBinaryData body, struct provider_webhook *ret,
		      struct provider_problem *why)
{
	cleanup(stripe_json_freep) json_t *event =
		json_loadb((const char *)body.data, body.len, 0, NULL);
	struct provider_webhook webhook = {
		.id = stripe_text(call, event, "id"),
		.type = stripe_text(call, event, "type"),
		.reference = reference_of(
			call, json_object_get(json_object_get(event, "data"), "object")),
	};

	if (!is_object(event, "event") || !*webhook.id)
		return stripe_doubt(why, "the body is no event");
	*ret = webhook;
	return 0;
}

int stripe_judge(struct rpc_call *call, long status, const char *body, size_t length, json_t **ret,
		 struct provider_problem *why)
{
	cleanup(stripe_json_freep) json_t *answer = json_loadb(body, length, 0, NULL);
	const json_t *error = json_object_get(answer, "error");
	const char *problem = rpc_printf(call, "it answered %ld", status);

	if (status / 100 == 2) {
		if (!json_is_object(answer))
			return stripe_doubt(why, "its answer is not JSON");
		*ret = ptr_steal(answer);
		return 0;
	}
	/*
	 * 401 and 403: our key is not accepted, which an operator can put right. 409: a request
	 * with the same key is under way. 429: later. An error that is not in Stripe's form comes
	 * from something between.
	 */
	if (status / 100 != 4 || status == 401 || status == 403 || status == 408 || status == 409 ||
	    status == 429 || !json_is_object(error))
		return stripe_doubt(why, problem);
	/* `decline_code` says more, but some of it must not be told to who holds the card
	 * ("stolen_card"). */
	*why = (struct provider_problem){ .code = stripe_text(call, error, "code"),
					  .problem = problem };
	why->method = status == 404 || !strcmp(why->code, "resource_missing") ||
		      !strcmp(stripe_text(call, error, "param"), "payment_method");
	*ret = ptr_steal(answer);
	return PROVIDER_REFUSED;
}
