/* Stripe's API over HTTP: forms are asked, JSON is answered. */
#include "stripe.h"
#include <common/http.h>
#include <ctype.h>
#include <string.h>

/* The version that the adapter was written for; Stripe answers as it did then. */
#define STRIPE_VERSION "2023-10-16"

static char *escape(char *to, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	return to;
}

/* name=value&... */
static const char *encode(struct rpc_call *call, const struct stripe_field *fields)
{
	const struct stripe_field *field;
	size_t size = 1;
	char *text, *to;

	for (field = fields; field->name; field++)
		size += 3 * (strlen(field->name) + (field->value ? strlen(field->value) : 0)) + 2;
	text = to = rpc_alloc(call, size);
	for (field = fields; field->name; field++) {
		if (!field->value || !*field->value)
			continue;
		if (to > text)
			*to++ = '&';
		to = escape(to, field->name);
		*to++ = '=';
		to = escape(to, field->value);
	}
	*to = '\0';
	return text;
}

static int request(struct stripe *self, struct rpc_call *call, const struct http_request *what,
		   json_t **ret, struct provider_problem *why)
{
	struct http_request bounded = *what;
	struct http_answer answer;
	const char *problem;

	bounded.timeout_ms = self->options.timeout_ms;
	bounded.answer_max = STRIPE_ANSWER_MAX;
	if (http_send(call, &bounded, &answer, &problem))
		return stripe_doubt(why, problem);
	return stripe_judge(call, answer.status, answer.body, answer.length, ret, why);
}

static const char *authorization(struct stripe *self, struct rpc_call *call)
{
	return rpc_printf(call, "Authorization: Bearer %s", self->options.key);
}

int stripe_get(struct stripe *self, struct rpc_call *call, const char *path,
	       const struct stripe_field *fields, json_t **ret, struct provider_problem *why)
{
	const char *query = encode(call, fields);
	const char *const headers[] = { authorization(self, call),
					"Stripe-Version: " STRIPE_VERSION, NULL };
	const struct http_request what = {
		.method = "GET",
		.url = rpc_printf(call, "%s%s%s%s", self->options.url, path, *query ? "?" : "",
				  query),
		.headers = headers,
	};

	return request(self, call, &what, ret, why);
}

int stripe_post(struct stripe *self, struct rpc_call *call, const char *path, const char *key,
		const struct stripe_field *fields, json_t **ret, struct provider_problem *why)
{
	const char *const headers[] = {
		authorization(self, call),
		"Stripe-Version: " STRIPE_VERSION,
		"Content-Type: application/x-www-form-urlencoded",
		rpc_printf(call, "Idempotency-Key: %s", key),
		NULL,
	};
	const struct http_request what = {
		.method = "POST",
		.url = rpc_printf(call, "%s%s", self->options.url, path),
		.headers = headers,
		.body = encode(call, fields),
	};

	return request(self, call, &what, ret, why);
}
