/*
 * Payments by Stripe: payment intents that are created, confirmed and captured in three steps.
 *
 * Nothing is expanded but the method of a new intent, for the card's last digits, so that answers
 * stay small. What a repeat could do twice carries the same Idempotency-Key each time; see
 * provider.c for what else it needs.
 */
#include "stripe.h"
#include <common/signature.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REFUND_PAGES_MAX = 10 };

static struct stripe *stripe_of(struct payment_provider *provider)
{
	return (struct stripe *)provider; /* its first member */
}

static const char *token_problem(const char *token)
{
	static const char *const prefixes[] = { "pm_", "card_", "src_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(token, prefixes[i], strlen(prefixes[i])))
			return NULL;
	return "it is no token of the provider, such as pm_card_visa";
}

/* Stripe counts in minor units of ISO 4217, but for these two, which have none there and two digits
 * here. */
static const char *amount_of(struct rpc_call *call, const char *currency_code, int64_t minor)
{
	bool odd = !strcmp(currency_code, "ISK") || !strcmp(currency_code, "UGX");

	return rpc_printf(call, "%" PRId64 "%s", minor, odd ? "00" : "");
}

static const char *currency_of(struct rpc_call *call, const char *currency_code)
{
	char *lower = rpc_strdup(call, currency_code);

	for (char *c = lower; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
	return lower;
}

static int post_intent(struct payment_provider *self, struct rpc_call *call, const char *path,
		       const char *key, const struct stripe_field *fields,
		       struct provider_intent *ret, struct provider_problem *why)
{
	cleanup(stripe_json_freep) json_t *answer = NULL;
	int r = stripe_post(stripe_of(self), call, path, key, fields, &answer, why);

	return r ? r : stripe_read_intent(call, answer, ret, why);
}

static int intent_create(struct payment_provider *self, struct rpc_call *call,
			 const struct provider_try *of, struct provider_intent *ret,
			 struct provider_problem *why)
{
	return post_intent(
		self, call, "/v1/payment_intents", of->key,
		STRIPE_FIELDS({ "amount", amount_of(call, of->currency_code, of->amount) },
			      { "currency", currency_of(call, of->currency_code) },
			      { "capture_method", "manual" }, { "payment_method_types[]", "card" },
			      { "payment_method", of->method }, { "customer", of->customer },
			      { "metadata[order]", of->order },
			      { "metadata[payment]", of->payment },
			      { "metadata[attempt]", rpc_printf(call, "%d", of->attempt) },
			      { "expand[]", "payment_method" }),
		ret, why);
}

static bool is_about(const json_t *refusal, const char *parameter)
{
	const char *message =
		json_string_value(json_object_get(json_object_get(refusal, "error"), "message"));

	return message && strstr(message, parameter);
}

static int intent_confirm(struct payment_provider *self, struct rpc_call *call, const char *key,
			  const char *intent, const char *return_uri, struct provider_intent *ret,
			  struct provider_problem *why)
{
	cleanup(stripe_json_freep) json_t *answer = NULL;
	const char *path = rpc_printf(call, "/v1/payment_intents/%s/confirm", intent);
	int r = stripe_post(stripe_of(self), call, path, key,
			    STRIPE_FIELDS({ "return_url", return_uri }), &answer, why);

	/* localstripe refuses the parameter itself: confirm without, and the customer's app finds
	 * its way back alone. */
	if (r == PROVIDER_REFUSED && *return_uri && is_about(answer, "return_url")) {
		return post_intent(self, call, path, rpc_printf(call, "%s/bare", key),
				   STRIPE_FIELDS({ "return_url", "" }), ret, why);
	}
	return r ? r : stripe_read_intent(call, answer, ret, why);
}

static int intent_get(struct payment_provider *self, struct rpc_call *call, const char *intent,
		      struct provider_intent *ret, struct provider_problem *why)
{
	cleanup(stripe_json_freep) json_t *answer = NULL;
	int r = stripe_get(stripe_of(self), call,
			   rpc_printf(call, "/v1/payment_intents/%s", intent), STRIPE_FIELDS({ 0 }),
			   &answer, why);

	return r ? r : stripe_read_intent(call, answer, ret, why);
}

static int intent_capture(struct payment_provider *self, struct rpc_call *call, const char *key,
			  const char *intent, const char *currency_code, int64_t amount,
			  struct provider_intent *ret, struct provider_problem *why)
{
	return post_intent(
		self, call, rpc_printf(call, "/v1/payment_intents/%s/capture", intent), key,
		STRIPE_FIELDS({ "amount_to_capture", amount_of(call, currency_code, amount) }), ret,
		why);
}

static int intent_cancel(struct payment_provider *self, struct rpc_call *call, const char *key,
			 const char *intent, struct provider_intent *ret,
			 struct provider_problem *why)
{
	return post_intent(self, call, rpc_printf(call, "/v1/payment_intents/%s/cancel", intent),
			   key, STRIPE_FIELDS({ 0 }), ret, why);
}

static int refund_create(struct payment_provider *self, struct rpc_call *call,
			 const struct provider_giving_back *of, struct provider_refund *ret,
			 struct provider_problem *why)
{
	cleanup(stripe_json_freep) json_t *answer = NULL;
	int r = stripe_post(
		stripe_of(self), call, "/v1/refunds", of->key,
		STRIPE_FIELDS({ "payment_intent", of->intent },
			      { "amount", amount_of(call, of->currency_code, of->amount) },
			      { "metadata[refund]", of->refund },
			      { "metadata[reason]", of->reason }),
		&answer, why);

	return r ? r : stripe_read_refund(call, answer, ret, why);
}

/* The refund of that name among a page's, and the last one's id. */
static const json_t *find_on_page(const json_t *page, const char *refund, const char **ret_last)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(page, "data"), i, entry)
	{
		const char *name = json_string_value(
			json_object_get(json_object_get(entry, "metadata"), "refund"));

		if (name && !strcmp(name, refund))
			return entry;
		*ret_last = json_string_value(json_object_get(entry, "id"));
	}
	return NULL;
}

static int refund_find(struct payment_provider *self, struct rpc_call *call, const char *intent,
		       const char *refund, struct provider_refund *ret,
		       struct provider_problem *why)
{
	const char *after = "";

	for (int i = 0; i < REFUND_PAGES_MAX; i++) {
		cleanup(stripe_json_freep) json_t *page = NULL;
		const char *last = NULL;
		const json_t *found;
		int r = stripe_get(stripe_of(self), call, "/v1/refunds",
				   STRIPE_FIELDS({ "payment_intent", intent }, { "limit", "100" },
						 { "starting_after", after }),
				   &page, why);

		if (r)
			return r == PROVIDER_REFUSED
				       ? stripe_doubt(why, "it does not list the refunds")
				       : r;
		if (!json_is_array(json_object_get(page, "data")))
			return stripe_doubt(why, "its answer is no list");
		found = find_on_page(page, refund, &last);
		if (found)
			return stripe_read_refund(call, found, ret, why);
		if (!json_is_true(json_object_get(page, "has_more")) || !last)
			return PROVIDER_NOT_FOUND;
		after = rpc_strdup(call, last);
	}
	return stripe_doubt(why, "its list of refunds does not end");
}

static int customer_create(struct payment_provider *self, struct rpc_call *call, const char *user,
			   const char **ret, struct provider_problem *why)
{
	cleanup(stripe_json_freep) json_t *answer = NULL;
	const char *id;
	int r = stripe_post(stripe_of(self), call, "/v1/customers",
			    rpc_printf(call, "%s/customer", user),
			    STRIPE_FIELDS({ "metadata[user]", user }), &answer, why);

	if (r)
		return r;
	id = stripe_text(call, answer, "id");
	if (!*id)
		return stripe_doubt(why, "its answer is no customer");
	*ret = id;
	return 0;
}

static int method_attach(struct payment_provider *self, struct rpc_call *call, const char *key,
			 const char *customer, const char *token, struct provider_method *ret,
			 struct provider_problem *why)
{
	cleanup(stripe_json_freep) json_t *answer = NULL;
	int r = stripe_post(stripe_of(self), call,
			    rpc_printf(call, "/v1/payment_methods/%s/attach", token), key,
			    STRIPE_FIELDS({ "customer", customer }), &answer, why);

	return r ? r : stripe_read_method(call, answer, ret, why);
}

static int method_detach(struct payment_provider *self, struct rpc_call *call, const char *token,
			 struct provider_problem *why)
{
	cleanup(stripe_json_freep) json_t *answer = NULL;
	int r = stripe_post(
		stripe_of(self), call, rpc_printf(call, "/v1/payment_methods/%s/detach", token),
		rpc_printf(call, "%s/detach", token), STRIPE_FIELDS({ 0 }), &answer, why);

	return r == PROVIDER_REFUSED ? 0 : r;
}

static int webhook_read(struct payment_provider *self, struct rpc_call *call, const char *header,
			ProtobufCBinaryData body, struct provider_webhook *ret,
			struct provider_problem *why)
{
	const struct stripe_options *options = &stripe_of(self)->options;
	const char *problem = signature_problem(options->webhook_secret, header, body,
						rpc_now_ms(call), options->webhook_age_ms);

	if (problem) {
		*why = (struct provider_problem){ .code = "", .problem = problem };
		return PROVIDER_FORGED;
	}
	return stripe_read_event(call, body, ret, why) ? PROVIDER_FORGED : 0;
}

static const struct payment_provider_ops stripe_ops = {
	.signature_header = "stripe-signature",
	.token_problem = token_problem,
	.intent_create = intent_create,
	.intent_confirm = intent_confirm,
	.intent_get = intent_get,
	.intent_capture = intent_capture,
	.intent_cancel = intent_cancel,
	.refund_create = refund_create,
	.refund_find = refund_find,
	.customer_create = customer_create,
	.method_attach = method_attach,
	.method_detach = method_detach,
	.webhook_read = webhook_read,
};

/* The key must not cross a network in the clear: plain HTTP only to this machine. */
static bool is_safe(const char *url)
{
	static const char *const prefixes[] = { "http://127.0.0.1", "http://localhost",
						"http://[::1]" };

	if (!strncmp(url, "https://", 8))
		return true;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t length = strlen(prefixes[i]);

		if (!strncmp(url, prefixes[i], length) &&
		    (!url[length] || strchr(":/", url[length])))
			return true;
	}
	return false;
}

static int refuse(char **error, const char *sentence)
{
	*error = strdup(sentence);
	return -EINVAL;
}

static int check(const struct stripe_options *options, char **error)
{
	size_t length = strlen(options->url);

	if (!is_safe(options->url) || (length && options->url[length - 1] == '/'))
		return refuse(error, "STRIPE_URL must be https://..., or http:// on this machine, "
				     "without a slash at its end.");
	if (!*options->key || strpbrk(options->key, "\r\n \t"))
		return refuse(
			error,
			"STRIPE_KEY must be the provider's secret key, without spaces or lines.");
	if (!*options->webhook_secret)
		return refuse(
			error,
			"STRIPE_WEBHOOK_SECRET must be what the provider signs its webhooks with.");
	return 0;
}

struct payment_provider *stripe_new(const struct stripe_options *options, char **error)
{
	struct stripe *self;

	if (check(options, error))
		return NULL;
	self = calloc(1, sizeof(*self));
	if (!self)
		abort();
	self->base = (struct payment_provider){ .id = "stripe", .ops = &stripe_ops };
	self->options = *options;
	return &self->base;
}

struct payment_provider *stripe_free(struct payment_provider *provider)
{
	free(provider);
	return NULL;
}
