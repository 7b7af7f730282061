/* Server-sent events: what the gateway streams, collected while the test goes on. */
#pragma once

#include "http.h"

struct stream;
/* Opens the stream in the name of the app's session, as a browser that was cut off after the event
 * of this id; NULL: that begins. */
struct stream *stream_resume(struct app *app, const char *last_id, const char *path, ...)
	__attribute__((format(printf, 3, 4)));
#define stream_open(app, ...) stream_resume(app, NULL, __VA_ARGS__)
struct stream *stream_free(struct stream *stream);
DEFINE_CLEANUP(struct stream *, stream_free)

/*
 * Waits until an event says `value` at `path` ("shipments.0.state"), whether it came before or
 * comes within so many seconds. Returns its JSON, which lives as long as the stream; fails the test
 * with all that came when none does. *-paths: "shipments.*.state" is any element.
 */
json_t *stream_await(struct stream *stream, const char *path, const char *value, int seconds);
/* How many events have come; the i-th of them, or NULL. */
size_t stream_count(struct stream *stream);
json_t *stream_event(struct stream *stream, size_t i);
/* HTTP status, 0 while it is not known. */
int stream_status(struct stream *stream);
bool stream_ended(struct stream *stream);
