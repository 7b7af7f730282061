/* Events on the bus: CloudEvents 1.0, NATS binding, binary mode; and wake-ups for watchers. */
#include "nats_private.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LISTENER_ARENA = 1 << 20 };

static const char unprintable[] = "0123456789ABCDEF";

/* Space, '"', '%' and everything but printable ASCII. */
static bool must_encode(unsigned char c)
{
	return c <= ' ' || c >= 0x7f || c == '"' || c == '%';
}

static char *encode(char *to, const char *value)
{
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (must_encode(c)) {
			*to++ = '%';
			*to++ = unprintable[c >> 4];
			*to++ = unprintable[c & 15];
		} else
			*to++ = *value;
	}
	*to = 0;
	return to;
}

char *nats_header_encode(const char *value)
{
	char *text = malloc(3 * strlen(value) + 1);

	if (!text)
		abort();
	encode(text, value);
	return text;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *nats_header_decode(struct arena *arena, const char *value)
{
	char *text = arena_strndup(arena, value, strlen(value)), *to = text;

	while (*value) {
		if (*value == '%' && hex_digit(value[1]) >= 0 && hex_digit(value[2]) >= 0 &&
		    (hex_digit(value[1]) || hex_digit(value[2]))) {
			*to++ = (char)(hex_digit(value[1]) * 16 + hex_digit(value[2]));
			value += 3;
		} else
			*to++ = *value++;
	}
	*to = 0;
	return text;
}

static void print_time(int64_t unix_ms, char *to, size_t size)
{
	time_t seconds = unix_ms / 1000;
	struct tm tm;
	size_t length;

	gmtime_r(&seconds, &tm);
	length = strftime(to, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(to + length, size - length, ".%03dZ", (int)(unix_ms % 1000) % 1000);
}

/* RFC 3339 in UTC, as we write it. 0 for anything else: the time is a hint, not a key. */
static int64_t parse_time(const char *text)
{
	int milliseconds = 0;
	struct tm tm = { 0 };

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &milliseconds) < 6)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (int64_t)timegm(&tm) * 1000 + milliseconds;
}

/* "souk.orders.v1.OrderPaid" comes from "/services/orders". */
static void print_source(const char *type, char *to, size_t size)
{
	const char *domain = strchr(type, '.');

	domain = domain ? domain + 1 : type;
	snprintf(to, size, "/services/%.*s", (int)strcspn(domain, "."), domain);
}

/*
 * The library keeps headers as a hash of strings, four allocations for each, which its collector
 * frees on another thread: half of what an event cost. So they go as one header, whose name has the
 * lines of the others before it; values are encoded and cannot end a line.
 */
static natsStatus set_headers(natsMsg *message, size_t n, const char *const headers[][2])
{
	size_t size = 1;
	char *text, *to;
	natsStatus status;

	for (size_t i = 0; i < n; i++)
		size += strlen(headers[i][0]) + 3 * strlen(headers[i][1]) + strlen(": \r\n");
	text = to = malloc(size);
	if (!text)
		return NATS_NO_MEMORY;
	for (size_t i = 0; i < n; i++) {
		to = stpcpy(to, headers[i][0]);
		if (i + 1 < n)
			to = stpcpy(encode(stpcpy(to, ": "), headers[i][1]), "\r\n");
	}
	encode(++to, headers[n - 1][1]);
	status = natsMsgHeader_Set(message, text, to);
	free(text);
	return status;
}

int nats_event_write(const struct rpc_event *event, const char *reply, natsMsg **ret)
{
	cleanup(nats_msg_freep) natsMsg *message = NULL;
	char subject[NATS_SUBJECT_MAX], moment[32], source[96];
	const bool traced = event->traceparent && *event->traceparent;
	natsStatus status;

	nats_subject(event->subject, subject);
	print_time(event->time_ms, moment, sizeof(moment));
	print_source(event->type, source, sizeof(source));
	status = natsMsg_Create(&message, subject, reply, (const char *)event->payload.data,
				(int)event->payload.len);
	if (status == NATS_OK)
		status = set_headers(message, traced ? 9 : 8,
				     (const char *const[][2]){
					     { "Nats-Msg-Id", event->id },
					     { "ce-specversion", "1.0" },
					     { "ce-id", event->id },
					     { "ce-source", source },
					     { "ce-type", event->type },
					     { "ce-subject", event->about },
					     { "ce-time", moment },
					     { "ce-datacontenttype", "application/protobuf" },
					     { "traceparent", event->traceparent },
				     });
	if (status != NATS_OK)
		return -ENOMEM;
	*ret = ptr_steal(message);
	return 0;
}

static const char *get_header(struct arena *arena, natsMsg *message, const char *name)
{
	const char *value = NULL;

	if (natsMsgHeader_Get(message, name, &value) != NATS_OK || !value)
		return "";
	return nats_header_decode(arena, value);
}

int nats_event_read(struct arena *arena, natsMsg *message, struct rpc_event *ret)
{
	const char *subject = nats_unprefixed(natsMsg_GetSubject(message));
	int size = natsMsg_GetDataLength(message);
	struct rpc_event event = {
		.id = get_header(arena, message, "ce-id"),
		.type = get_header(arena, message, "ce-type"),
		.about = get_header(arena, message, "ce-subject"),
		.traceparent = get_header(arena, message, "traceparent"),
		.time_ms = parse_time(get_header(arena, message, "ce-time")),
	};

	if (strcmp(get_header(arena, message, "ce-specversion"), "1.0") || !*event.id ||
	    !*event.type)
		return -EBADMSG;
	event.subject = arena_strndup(arena, subject, strlen(subject));
	if (size > 0)
		event.payload =
			(ProtobufCBinaryData){ .data = arena_memdup(arena, natsMsg_GetData(message),
								    (size_t)size),
					       .len = (size_t)size };
	*ret = event;
	return 0;
}

/*
 * Wake-ups
 */

struct nats_listener {
	natsSubscription *subscription;
	nats_notify_function *notify;
	void *data;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool is_ended;
};

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
		       void *closure)
{
	struct nats_listener *listener = closure;
	struct rpc_event event;
	struct arena *arena;

	(void)connection;
	(void)subscription;
	/* A message of JetStream has at most 1 MiB, headers included, and decoding does not make it
	 * longer. */
	arena = arena_new(4 * LISTENER_ARENA);
	if (arena && natsMsg_GetDataLength(message) <= LISTENER_ARENA &&
	    !nats_event_read(arena, message, &event))
		listener->notify(listener->data, &event);
	arena_free(arena);
	natsMsg_Destroy(message);
}

/* The last that the library calls for a subscription. */
static void on_complete(void *closure)
{
	struct nats_listener *listener = closure;

	pthread_mutex_lock(&listener->lock);
	listener->is_ended = true;
	pthread_cond_signal(&listener->ended);
	pthread_mutex_unlock(&listener->lock);
}

int nats_listen(const char *subject, nats_notify_function *notify, void *data,
		struct nats_listener **ret)
{
	struct nats_listener *listener = calloc(1, sizeof(*listener));
	char full[NATS_SUBJECT_MAX];
	natsStatus status;

	if (!listener)
		return -ENOMEM;
	*listener = (struct nats_listener){ .notify = notify,
					    .data = data,
					    .lock = PTHREAD_MUTEX_INITIALIZER,
					    .ended = PTHREAD_COND_INITIALIZER };
	nats_subject(subject, full);
	status = natsConnection_Subscribe(&listener->subscription, nats_connection(), full,
					  on_message, listener);
	if (status == NATS_OK)
		status = natsSubscription_SetOnCompleteCB(listener->subscription, on_complete,
							  listener);
	if (status != NATS_OK) {
		natsSubscription_Destroy(listener->subscription);
		free(listener);
		return -EIO;
	}
	*ret = listener;
	return 0;
}

struct nats_listener *nats_listener_free(struct nats_listener *listener)
{
	if (!listener)
		return NULL;
	natsSubscription_Unsubscribe(listener->subscription);
	pthread_mutex_lock(&listener->lock);
	while (!listener->is_ended)
		pthread_cond_wait(&listener->ended, &listener->lock);
	pthread_mutex_unlock(&listener->lock);
	natsSubscription_Destroy(listener->subscription);
	pthread_mutex_destroy(&listener->lock);
	pthread_cond_destroy(&listener->ended);
	free(listener);
	return NULL;
}
