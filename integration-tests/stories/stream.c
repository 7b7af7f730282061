/* Server-sent events, read by a thread of their own. */
#include "stream.h"
#include "platform.h"
#include <check.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 2000 }; /* of what came, in a failure */

struct stream {
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	CURL *curl;
	struct curl_slist *headers;
	json_t *events; /* array */
	char *data;     /* of the event that is being read */
	char *line;
	size_t line_size;
	bool stop, ended;
	int status;
};

static void event_end(struct stream *stream)
{
	json_t *event = json_loads(stream->data, JSON_DECODE_ANY, NULL);

	json_array_append_new(stream->events, event ? event : json_string(stream->data));
	*stream->data = '\0';
}

static void line_end(struct stream *stream)
{
	char *line = stream->line, *data;

	line[strcspn(line, "\r")] = '\0';
	if (!*line && *stream->data) {
		event_end(stream);
	} else if (!strncmp(line, "data:", 5)) {
		line += 5 + (line[5] == ' ');
		if (asprintf(&data, "%s%s%s", stream->data, *stream->data ? "\n" : "", line) < 0)
			abort();
		free(stream->data);
		stream->data = data;
	}
	stream->line_size = 0;
	*stream->line = '\0';
}

static size_t take(char *bytes, size_t one, size_t count, void *data)
{
	struct stream *stream = data;
	size_t size = one * count;
	long status;

	pthread_mutex_lock(&stream->lock);
	curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
	stream->status = status;
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n') {
			line_end(stream);
			continue;
		}
		stream->line = realloc(stream->line, stream->line_size + 2);
		stream->line[stream->line_size++] = bytes[i];
		stream->line[stream->line_size] = '\0';
	}
	pthread_mutex_unlock(&stream->lock);
	return size;
}

static int watch(void *data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct stream *stream = data;
	bool stop;

	pthread_mutex_lock(&stream->lock);
	stop = stream->stop;
	pthread_mutex_unlock(&stream->lock);
	return stop;
}

static void *read_all(void *data)
{
	struct stream *stream = data;
	long status = 0;

	curl_easy_perform(stream->curl);
	curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
	pthread_mutex_lock(&stream->lock);
	stream->status = status;
	stream->ended = true;
	pthread_mutex_unlock(&stream->lock);
	return NULL;
}

struct stream *stream_resume(struct app *app, const char *last_id, const char *path, ...)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	va_list arguments;
	char *full;

	va_start(arguments, path);
	full = text_list(path, arguments);
	va_end(arguments);
	pthread_mutex_init(&stream->lock, NULL);
	stream->curl = curl_easy_init();
	stream->events = json_array();
	stream->data = calloc(1, 1);
	stream->line = calloc(1, 1);
	stream->headers = curl_slist_append(NULL, "Accept: text/event-stream");
	stream->headers = curl_slist_append(
		stream->headers, text("Authorization: Bearer %s", app_access_token(app)));
	if (last_id)
		stream->headers =
			curl_slist_append(stream->headers, text("Last-Event-ID: %s", last_id));
	curl_easy_setopt(stream->curl, CURLOPT_URL,
			 text("%s%s", platform_variable("SOUK_GATEWAY_URL"), full));
	curl_easy_setopt(stream->curl, CURLOPT_HTTPHEADER, stream->headers);
	curl_easy_setopt(stream->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(stream->curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(stream->curl, CURLOPT_WRITEDATA, stream);
	curl_easy_setopt(stream->curl, CURLOPT_XFERINFOFUNCTION, watch);
	curl_easy_setopt(stream->curl, CURLOPT_XFERINFODATA, stream);
	curl_easy_setopt(stream->curl, CURLOPT_NOPROGRESS, 0L);
	if (pthread_create(&stream->thread, NULL, read_all, stream))
		abort();
	return stream;
}

struct stream *stream_free(struct stream *stream)
{
	if (!stream)
		return NULL;
	pthread_mutex_lock(&stream->lock);
	stream->stop = true;
	pthread_mutex_unlock(&stream->lock);
	pthread_join(stream->thread, NULL);
	curl_easy_cleanup(stream->curl);
	curl_slist_free_all(stream->headers);
	json_decref(stream->events);
	pthread_mutex_destroy(&stream->lock);
	free(stream->data);
	free(stream->line);
	free(stream);
	return NULL;
}

static bool says(json_t *json, const char *path, const char *value)
{
	const char *star = strstr(path, "*");
	json_t *element;
	size_t i;

	if (!star) {
		const char *found = json_string_value(json_path(json, path));

		return found && !strcmp(found, value);
	}
	json_array_foreach(
		json_path(json, text("%.*s", star == path ? 0 : (int)(star - path - 1), path)), i,
		element)
	{
		if (says(element, star[1] ? star + 2 : "", value))
			return true;
	}
	return false;
}

json_t *stream_await(struct stream *stream, const char *path, const char *value, int seconds)
{
	int64_t end = now_ms() + seconds * 1000LL;
	size_t length;
	char *all;

	for (size_t seen = 0;;) {
		/* Asked first: what came before the end is seen below. */
		bool over = stream_ended(stream) || now_ms() > end;

		for (json_t *event; (event = stream_event(stream, seen)); seen++)
			if (says(event, path, value))
				return event;
		if (over)
			break;
		pause_ms(20);
	}
	pthread_mutex_lock(&stream->lock);
	all = json_dumps(stream->events, JSON_COMPACT);
	pthread_mutex_unlock(&stream->lock);
	length = strlen(all);
	ck_abort_msg("no event says '%s' at '%s' within %d s (status %d%s): %s", value, path,
		     seconds, stream_status(stream),
		     stream_ended(stream) ? ", the stream has ended" : "",
		     all + (length > SHOWN_MAX ? length - SHOWN_MAX : 0));
	return NULL;
}

size_t stream_count(struct stream *stream)
{
	size_t count;

	pthread_mutex_lock(&stream->lock);
	count = json_array_size(stream->events);
	pthread_mutex_unlock(&stream->lock);
	return count;
}

json_t *stream_event(struct stream *stream, size_t i)
{
	json_t *event;

	pthread_mutex_lock(&stream->lock);
	event = json_array_get(stream->events, i);
	pthread_mutex_unlock(&stream->lock);
	return event;
}

int stream_status(struct stream *stream)
{
	int status;

	pthread_mutex_lock(&stream->lock);
	status = stream->status;
	pthread_mutex_unlock(&stream->lock);
	return status;
}

bool stream_ended(struct stream *stream)
{
	bool ended;

	pthread_mutex_lock(&stream->lock);
	ended = stream->ended;
	pthread_mutex_unlock(&stream->lock);
	return ended;
}
