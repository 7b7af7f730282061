/* Stripe's API over HTTP: one request, one answer, both bounded in time and size. */
#include "stripe.h"
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 5000 };
/* The version that the adapter was written for; Stripe answers as it did then. */
#define STRIPE_VERSION "2023-10-16"

struct answer {
	char *body;
	size_t length, room;
};

static void answer_donep(struct answer *answer)
{
	free(answer->body);
}

static void slist_freep(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static void curl_stringp(char **text)
{
	curl_free(*text);
}

/* Short by what does not fit ends the transfer. */
static size_t take(char *bytes, size_t size, size_t n, void *data)
{
	struct answer *answer = data;

	n *= size;
	if (n > STRIPE_ANSWER_MAX - answer->length)
		return 0;
	if (answer->length + n > answer->room) {
		size_t room = 2 * (answer->length + n) + 1024;
		char *body = realloc(answer->body, room);

		if (!body)
			return 0;
		answer->body = body;
		answer->room = room;
	}
	memcpy(answer->body + answer->length, bytes, n);
	answer->length += n;
	return n;
}

/* A handle nobody uses, with its connection if it has one. */
static CURL *handle_take(struct stripe *self)
{
	CURL *handle = NULL;

	pthread_mutex_lock(&self->lock);
	if (self->n_idle)
		handle = self->idle[--self->n_idle];
	pthread_mutex_unlock(&self->lock);
	return handle ? handle : curl_easy_init();
}

struct lent {
	struct stripe *of;
	CURL *handle;
};

static void handle_give_back(struct lent *lent)
{
	CURL *handle = lent->handle;

	if (!handle)
		return;
	curl_easy_reset(handle); /* keeps connections */
	pthread_mutex_lock(&lent->of->lock);
	if (lent->of->n_idle < STRIPE_IDLE_MAX)
		lent->of->idle[lent->of->n_idle++] = ptr_steal(handle);
	pthread_mutex_unlock(&lent->of->lock);
	if (handle)
		curl_easy_cleanup(handle);
}

static int add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		return -1;
	*list = longer;
	return 0;
}

/* name=value&..., percent-encoded. */
static const char *encode(struct rpc_call *call, CURL *handle, const struct stripe_field *fields)
{
	const char *text = "";

	for (; fields->name; fields++) {
		cleanup(curl_stringp) char *name = NULL, *value = NULL;

		if (!fields->value || !*fields->value)
			continue;
		name = curl_easy_escape(handle, fields->name, 0);
		value = curl_easy_escape(handle, fields->value, 0);
		if (!name || !value)
			return NULL;
		text = rpc_printf(call, "%s%s%s=%s", text, *text ? "&" : "", name, value);
	}
	return text;
}

static int request(struct stripe *self, struct rpc_call *call, const char *method, const char *path,
		   const char *key, const struct stripe_field *fields, json_t **ret,
		   struct provider_problem *why)
{
	cleanup(handle_give_back) struct lent lent = { self, handle_take(self) };
	cleanup(slist_freep) struct curl_slist *headers = NULL;
	cleanup(answer_donep) struct answer answer = { 0 };
	int64_t timeout_ms = self->options.timeout_ms, left_ms = rpc_remaining_ms(call);
	CURL *curl = lent.handle;
	const char *form = curl ? encode(call, curl, fields) : NULL, *url;
	bool post = !strcmp(method, "POST");
	CURLcode code;
	long status;

	if (left_ms < timeout_ms)
		timeout_ms = left_ms;
	if (timeout_ms <= 0)
		return stripe_doubt(why, "the call's deadline has passed");
	if (!form ||
	    add_header(&headers, rpc_printf(call, "Authorization: Bearer %s", self->options.key)) ||
	    add_header(&headers, "Stripe-Version: " STRIPE_VERSION) ||
	    (key && add_header(&headers, rpc_printf(call, "Idempotency-Key: %s", key))))
		return stripe_doubt(why, "there is no memory for the request");

	url = rpc_printf(call, "%s%s%s%s", self->options.url, path, !post && *form ? "?" : "",
			 post ? "" : form);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS));
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	if (post)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);

	code = curl_easy_perform(curl);
	if (code)
		return stripe_doubt(why, curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return stripe_judge(call, status, answer.body ? answer.body : "", answer.length, ret, why);
}

int stripe_get(struct stripe *self, struct rpc_call *call, const char *path,
	       const struct stripe_field *fields, json_t **ret, struct provider_problem *why)
{
	return request(self, call, "GET", path, NULL, fields, ret, why);
}

int stripe_post(struct stripe *self, struct rpc_call *call, const char *path, const char *key,
		const struct stripe_field *fields, json_t **ret, struct provider_problem *why)
{
	return request(self, call, "POST", path, key, fields, ret, why);
}
