/* Asking others over HTTP: one request, one answer. */
#include <common/http.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MAX = 16, CONNECT_MS = 5000 };

/* Handles that nobody uses, each with the connections that it had. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static CURL *idle[IDLE_MAX];
static int n_idle;

static CURL *handle_take(void)
{
	CURL *handle = NULL;

	pthread_mutex_lock(&lock);
	if (n_idle)
		handle = idle[--n_idle];
	pthread_mutex_unlock(&lock);
	return handle ? handle : curl_easy_init();
}

static void handle_give_backp(CURL **lent)
{
	CURL *handle = *lent;

	if (!handle)
		return;
	curl_easy_reset(handle); /* keeps connections */
	pthread_mutex_lock(&lock);
	if (n_idle < IDLE_MAX)
		idle[n_idle++] = ptr_steal(handle);
	pthread_mutex_unlock(&lock);
	if (handle)
		curl_easy_cleanup(handle);
}

static void slist_freep(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

/* Not in the arena: curl's callbacks must not unwind. */
struct body {
	char *bytes;
	size_t length, room, max;
};

static void body_freep(struct body *body)
{
	free(body->bytes);
}

/* Short by what does not fit ends the transfer. */
static size_t take(char *bytes, size_t size, size_t n, void *data)
{
	struct body *body = data;

	n *= size;
	if (n > body->max - body->length)
		return 0;
	if (body->length + n > body->room) {
		size_t room = 2 * (body->length + n) + 1024;
		char *longer = realloc(body->bytes, room);

		if (!longer)
			return 0;
		body->bytes = longer;
		body->room = room;
	}
	memcpy(body->bytes + body->length, bytes, n);
	body->length += n;
	return n;
}

static int no_answer(const char **why, const char *problem)
{
	*why = problem;
	return HTTP_NO_ANSWER;
}

int http_send(struct rpc_call *call, const struct http_request *request, struct http_answer *ret,
	      const char **why)
{
	cleanup(handle_give_backp) CURL *curl = handle_take();
	cleanup(slist_freep) struct curl_slist *headers = NULL;
	cleanup(body_freep) struct body body = { .max = request->answer_max };
	int64_t timeout_ms = request->timeout_ms, left_ms = rpc_remaining_ms(call);
	const char *type = NULL;
	char *copy;
	CURLcode code;

	if (left_ms < timeout_ms)
		timeout_ms = left_ms;
	if (timeout_ms <= 0)
		return no_answer(why, "the deadline has passed");
	if (!curl)
		return no_answer(why, "there is no memory for the request");
	for (const char *const *line = request->headers; line && *line; line++) {
		struct curl_slist *longer = curl_slist_append(headers, *line);

		if (!longer)
			return no_answer(why, "there is no memory for the request");
		headers = longer;
	}
	curl_easy_setopt(curl, CURLOPT_URL, request->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS));
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	if (strcmp(request->method, "GET")) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body ? request->body : "");
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
		/*
		 * A connection that was used before may be closed by now, and libcurl then sends
		 * the request once more by itself, though the first may have arrived (seen: a
		 * refund that was given twice). On a new one it does not.
		 */
		curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
	}
	code = curl_easy_perform(curl);
	if (code)
		return no_answer(why, curl_easy_strerror(code));
	copy = rpc_alloc(call, body.length + 1);
	if (body.length)
		memcpy(copy, body.bytes, body.length);
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	*ret = (struct http_answer){ .body = copy,
				     .length = body.length,
				     .content_type = type ? rpc_strdup(call, type) : "" };
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
	return 0;
}
