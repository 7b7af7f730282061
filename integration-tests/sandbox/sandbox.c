/* What the sandboxes share: an HTTP server with one handler, JSON answers, signed webhooks. */
#include "sandbox.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <microhttpd.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BODY_MAX (1 << 20)
#define CONNECTIONS_MAX 256
#define IDLE_SECONDS 120

/* A request as it comes in. */
struct incoming {
	char *target;
	char *body;
	size_t length;
	bool begun, too_long;
};

const char *sandbox_request_header(const struct sandbox_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *sandbox_request_query(const struct sandbox_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

char *sandbox_request_url(const struct sandbox_request *request, const char *base)
{
	char *url;

	if (asprintf(&url, "%s%s", base, request->target) < 0)
		abort();
	return url;
}

void sandbox_answer_header(struct sandbox_answer *answer, const char *name, const char *value)
{
	for (size_t i = 0; i < SANDBOX_HEADERS_MAX; i++) {
		if (answer->headers[i].name)
			continue;
		answer->headers[i].name = name;
		snprintf(answer->headers[i].value, sizeof(answer->headers[i].value), "%s", value);
		return;
	}
}

void sandbox_answer_json(struct sandbox_answer *answer, unsigned status, json_t *json)
{
	free(answer->body);
	answer->status = status;
	answer->body = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	answer->body_length = answer->body ? strlen(answer->body) : 0;
	sandbox_answer_header(answer, "Content-Type", "application/json");
	json_decref(json);
}

void sandbox_answer_error(struct sandbox_answer *answer, unsigned status, const char *code,
			  const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	sandbox_answer_json(answer, status,
			    json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", message));
}

static enum MHD_Result answer_queue(struct MHD_Connection *connection,
				    struct sandbox_answer *answer)
{
	struct MHD_Response *response;
	enum MHD_Result r;

	if (answer->hang_up) {
		free(answer->body);
		return MHD_NO;
	}
	response = MHD_create_response_from_buffer(answer->body_length, answer->body,
						   MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(answer->body);
		return MHD_NO;
	}
	for (size_t i = 0; i < SANDBOX_HEADERS_MAX && answer->headers[i].name; i++)
		MHD_add_response_header(response, answer->headers[i].name,
					answer->headers[i].value);
	r = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return r;
}

static int incoming_append(struct incoming *incoming, const char *data, size_t length)
{
	char *body;

	if (incoming->length + length > BODY_MAX) {
		incoming->too_long = true;
		return 0;
	}
	body = realloc(incoming->body, incoming->length + length + 1);
	if (!body)
		return -ENOMEM;
	memcpy(body + incoming->length, data, length);
	incoming->body = body;
	incoming->length += length;
	body[incoming->length] = '\0';
	return 0;
}

/* libmicrohttpd calls this when the headers are there, for each piece of the body, and at its end.
 */
static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *path,
			      const char *method, const char *version, const char *piece,
			      size_t *piece_length, void **state)
{
	sandbox_handler *handler = *(sandbox_handler **)data;
	struct sandbox_answer answer = { .status = 500 };
	struct incoming *incoming = *state;

	if (!incoming)
		return MHD_NO;
	if (!incoming->begun) {
		incoming->begun = true; /* the headers are there; the body is next */
		return MHD_YES;
	}
	if (*piece_length) {
		if (incoming_append(incoming, piece, *piece_length))
			return MHD_NO;
		*piece_length = 0;
		return MHD_YES;
	}
	if (incoming->too_long) {
		sandbox_answer_error(&answer, 413, "too_large", "A body may have %d bytes.",
				     BODY_MAX);
	} else {
		struct sandbox_request request = {
			.method = method,
			.path = path,
			.target = incoming->target,
			.body = incoming->body ? incoming->body : "",
			.body_length = incoming->length,
			.connection = connection,
		};
		handler(&request, &answer);
	}
	return answer_queue(connection, &answer);
}

static void handled(void *data, struct MHD_Connection *connection, void **state,
		    enum MHD_RequestTerminationCode why)
{
	struct incoming *incoming = *state;

	if (incoming) {
		free(incoming->target);
		free(incoming->body);
	}
	free(incoming);
}

/* The first thing of all: the only place where path and query are seen as they came. What it
 * returns becomes the state. */
static void *target_seen(void *data, const char *target, struct MHD_Connection *connection)
{
	struct incoming *incoming = calloc(1, sizeof(*incoming));

	if (incoming)
		incoming->target = strdup(target);
	return incoming;
}

static sigset_t end_signals;
static uint16_t listening_port;

void sandbox_init(void)
{
	sigemptyset(&end_signals);
	sigaddset(&end_signals, SIGTERM);
	sigaddset(&end_signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &end_signals,
			NULL); /* threads inherit it; sandbox_serve() waits for them */
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int64_t sandbox_integer(const char *name, const char *text, int64_t min, int64_t max)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max) {
		fprintf(stderr, "--%s is '%s'; it may be a whole number from %lld to %lld.\n", name,
			text, (long long)min, (long long)max);
		exit(2);
	}
	return value;
}

int sandbox_serve(uint16_t port, sandbox_handler *handler)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon;
	int received;

	errno = 0;
	daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ERROR_LOG,
		port, NULL, NULL, handle, &handler, MHD_OPTION_SOCK_ADDR,
		(struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED,
		handled, NULL, MHD_OPTION_URI_LOG_CALLBACK, target_seen, NULL, MHD_OPTION_END);
	if (!daemon)
		return errno ? -errno : -EADDRINUSE;
	info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	listening_port = info ? info->port : port;
	printf("listening on 127.0.0.1:%u\n", listening_port);
	fflush(stdout);
	sigwait(&end_signals, &received);
	/* Handlers may be asleep for as long as they were told to, and nothing here is worth
	 * waiting for them. */
	_exit(0);
}

uint16_t sandbox_port(void)
{
	return listening_port;
}

static size_t reply_append(char *data, size_t size, size_t n, void *state)
{
	struct sandbox_reply *reply = state;
	size_t length = size * n;
	char *body;

	if (reply->body_length + length > BODY_MAX)
		return 0;
	body = realloc(reply->body, reply->body_length + length + 1);
	if (!body)
		return 0;
	memcpy(body + reply->body_length, data, length);
	reply->body = body;
	reply->body_length += length;
	body[reply->body_length] = '\0';
	return length;
}

void sandbox_reply_done(struct sandbox_reply *reply)
{
	free(reply->body);
	*reply = (struct sandbox_reply){ 0 };
}

DEFINE_CLEANUP(CURL *, curl_easy_cleanup)
DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all)

int sandbox_send(const char *method, const char *url, const char *const *headers, const char *body,
		 size_t body_length, long timeout_ms, struct sandbox_reply *ret)
{
	cleanup(curl_easy_cleanupp) CURL *curl = curl_easy_init();
	cleanup(curl_slist_free_allp) struct curl_slist *list = NULL;
	struct sandbox_reply reply = { 0 };
	char *type = NULL;
	CURLcode code;

	if (!curl)
		return -ENOMEM;
	for (; headers && *headers; headers++)
		list = curl_slist_append(list, *headers);
	list = curl_slist_append(list, "Expect:"); /* no pause before a body */
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, reply_append);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
	if (body_length || strcmp(method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_length);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	}
	code = curl_easy_perform(curl);
	if (code != CURLE_OK) {
		sandbox_reply_done(&reply);
		if (code == CURLE_COULDNT_CONNECT)
			return -ECONNREFUSED;
		return code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO;
	}
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	if (type)
		snprintf(reply.content_type, sizeof(reply.content_type), "%s", type);
	*ret = reply;
	return 0;
}

static void hex(const unsigned char *bytes, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		sprintf(ret + 2 * i, "%02x", bytes[i]);
}

void sandbox_sign(const char *secret, int64_t seconds, const char *body, size_t body_length,
		  char ret[static SANDBOX_SIGNATURE_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_length = sizeof(digest);
	char text[65] = "";
	char *signed_text;
	int length;

	length = asprintf(&signed_text, "%lld.%.*s", (long long)seconds, (int)body_length, body);
	if (length < 0)
		abort();
	HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)signed_text,
	     (size_t)length, digest, &digest_length);
	free(signed_text);
	hex(digest, 32, text);
	snprintf(ret, SANDBOX_SIGNATURE_SIZE, "t=%lld,v1=%s", (long long)seconds, text);
}

int64_t sandbox_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sandbox_sleep_ms(int64_t ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}

void sandbox_random_hex(char *buffer, size_t size)
{
	unsigned char bytes[32];

	if (size / 2 > sizeof(bytes) || RAND_bytes(bytes, (int)sizeof(bytes)) != 1)
		abort();
	hex(bytes, (size - 1) / 2, buffer);
}
