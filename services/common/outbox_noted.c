/* What this process wrote with events, until its relay takes it. */
#include "outbox_noted.h"
#include <common/hash.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*
 * Events go out from memory, without reading their document again, where all that were pushed
 * before them are out or stand before them in the relay's queue. That is known by versions: whoever
 * pushes events counts the version up (mongo_update() sees to it), so at one version there is one
 * set of events that ever were, whoever wrote them and when.
 *
 *     noted  documents in the order in which they are relayed, each once, with its events or to be
 *            read
 *     known  of some documents a version of which no event waits elsewhere: the outbox was read
 *            empty, or all of it went through `noted`
 *
 * An update whose condition named the known version therefore gives its events, if it has any, and
 * makes the next version known; so does an insert, for nothing can be before it. All others are
 * read, which finds also what other processes pushed before them. When a relay failed, nothing is
 * known any more, and what was given is read. A slot of `known` that another document took, or a
 * hash that meets another's, can cost a read or the order of two events, never an event: what is
 * given stands in its document until it is out.
 */
enum {
	NOTED_MAX = 1024,
	GIVEN_BYTES_MAX = 1 << 20,
	KNOWN_MAX = 1024,
};

static struct {
	pthread_mutex_t lock;
	struct outbox_noted documents[NOTED_MAX];
	size_t n, bytes;
	struct known {
		uint64_t document;
		int64_t version;
	} known[KNOWN_MAX];
	bool lost, full;
} noted = { .lock = PTHREAD_MUTEX_INITIALIZER, .lost = true };

/*
 * What is known; under the lock
 */

static uint64_t hash_of(const struct mongo_collection *collection, const char *id)
{
	return hash_text((uintptr_t)collection, id);
}

static struct known *known_at(uint64_t document)
{
	return &noted.known[document % KNOWN_MAX];
}

static void know(uint64_t document, int64_t version)
{
	*known_at(document) = (struct known){ document, version };
}

static void forget(uint64_t document)
{
	if (known_at(document)->document == document)
		know(document, -1);
}

static bool is_known(uint64_t document, int64_t version)
{
	const struct known *known = known_at(document);

	return known->document == document && known->version == version;
}

/*
 * Events given; under the lock
 */

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static const char *put_text(char **at, const char *text)
{
	size_t size = text_size(text);

	*at = size ? (char *)mempcpy(*at, text, size) : *at;
	return size ? *at - size : NULL;
}

static size_t event_size(const struct rpc_event *event)
{
	return text_size(event->id) + text_size(event->type) + text_size(event->subject) +
	       text_size(event->about) + text_size(event->traceparent) + event->payload.len;
}

static struct outbox_given *copy_event(const struct rpc_event *event)
{
	struct outbox_given *given = malloc(sizeof(*given) + event_size(event));
	char *at;

	if (!given)
		abort();
	at = given->text;
	*given = (struct outbox_given){
		.event = {
			.id = put_text(&at, event->id),
			.type = put_text(&at, event->type),
			.subject = put_text(&at, event->subject),
			.about = put_text(&at, event->about),
			.traceparent = put_text(&at, event->traceparent),
			.time_ms = event->time_ms,
			.payload = { event->payload.len, (uint8_t *)at },
		},
	};
	if (event->payload.len)
		memcpy(at, event->payload.data, event->payload.len);
	return given;
}

static size_t events_size(struct rpc_event *const *events)
{
	size_t size = 0;

	for (; *events; events++)
		size += event_size(*events);
	return size;
}

static void give(struct outbox_noted *document, struct rpc_event *const *events)
{
	struct outbox_given **end = &document->first;

	noted.bytes += events_size(events);
	while (*end)
		end = &(*end)->next;
	for (; *events; events++, document->n++) {
		*end = copy_event(*events);
		end = &(*end)->next;
	}
}

static void release_given(struct outbox_noted *document)
{
	struct outbox_given *next;

	for (struct outbox_given *given = document->first; given; given = next) {
		next = given->next;
		free(given);
	}
	document->first = NULL;
	document->n = 0;
}

static void read_instead(struct outbox_noted *document)
{
	for (const struct outbox_given *given = document->first; given; given = given->next)
		noted.bytes -= event_size(&given->event);
	release_given(document);
	document->read = true;
}

/*
 * Noting
 */

static struct outbox_noted *find(const struct mongo_collection *collection, const char *id)
{
	for (size_t i = 0; i < noted.n; i++)
		if (noted.documents[i].collection == collection &&
		    !strcmp(noted.documents[i].id, id))
			return &noted.documents[i];
	return NULL;
}

static struct outbox_noted *add(const struct mongo_collection *collection, const char *id)
{
	struct outbox_noted *document;

	if (noted.n == NOTED_MAX) {
		noted.lost = true;
		return NULL;
	}
	document = &noted.documents[noted.n++];
	*document = (struct outbox_noted){ .collection = collection, .id = strdup(id) };
	return document;
}

static void note(const struct mongo_collection *collection, const char *id,
		 const struct outbox_write *write)
{
	uint64_t hash = hash_of(collection, id);
	bool gives = write && (write->is_new || is_known(hash, write->condition)) &&
		     noted.bytes + events_size(write->events) <= GIVEN_BYTES_MAX;
	struct outbox_noted *document = find(collection, id);

	if (!document)
		document = add(collection, id);
	if (!document)
		return;
	/* Read or given, they are before what comes next. */
	if (write && write->version)
		know(hash, write->version);
	else
		forget(hash);
	if (!gives)
		read_instead(document);
	else if (!document->read)
		give(document, write->events);
}

void outbox_note(const struct mongo_collection *collection, const char *id,
		 const struct outbox_write *write)
{
	pthread_mutex_lock(&noted.lock);
	if (id)
		note(collection, id, write);
	else
		noted.lost = true;
	pthread_mutex_unlock(&noted.lock);
	outbox_wake();
}

void outbox_seen_empty(const struct mongo_collection *collection, const char *id, int64_t version)
{
	uint64_t hash = hash_of(collection, id);

	pthread_mutex_lock(&noted.lock);
	/* A reader may be late. */
	if (known_at(hash)->document != hash || known_at(hash)->version < version)
		know(hash, version);
	pthread_mutex_unlock(&noted.lock);
}

void outbox_kept(const struct mongo_collection *collection, const char *id, int64_t condition,
		 int64_t version)
{
	uint64_t hash = hash_of(collection, id);

	pthread_mutex_lock(&noted.lock);
	if (!condition || is_known(hash, condition))
		know(hash, version);
	pthread_mutex_unlock(&noted.lock);
}

void outbox_make_room(void)
{
	pthread_mutex_lock(&noted.lock);
	noted.full = true;
	pthread_mutex_unlock(&noted.lock);
	outbox_wake();
}

/*
 * Taking
 */

size_t outbox_noted_take(struct outbox_noted *documents, size_t n_max, size_t n_events, bool *more)
{
	size_t n = 0;

	pthread_mutex_lock(&noted.lock);
	for (; n < n_max && n < noted.n && noted.documents[n].n <= n_events; n++) {
		n_events -= noted.documents[n].n;
		for (const struct outbox_given *given = noted.documents[n].first; given;
		     given = given->next)
			noted.bytes -= event_size(&given->event);
		documents[n] = noted.documents[n];
	}
	noted.n -= n;
	memmove(noted.documents, noted.documents + n, noted.n * sizeof(*documents));
	*more = noted.n > 0;
	pthread_mutex_unlock(&noted.lock);
	return n;
}

void outbox_noted_release(struct outbox_noted *documents, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		release_given(&documents[i]);
		free(documents[i].id);
	}
}

void outbox_noted_lose(void)
{
	pthread_mutex_lock(&noted.lock);
	noted.lost = true;
	pthread_mutex_unlock(&noted.lock);
}

bool outbox_noted_take_lost(void)
{
	bool was;

	pthread_mutex_lock(&noted.lock);
	was = noted.lost;
	noted.lost = false;
	if (was) {
		memset(noted.known, 0, sizeof(noted.known));
		for (size_t i = 0; i < noted.n; i++)
			read_instead(&noted.documents[i]);
	}
	pthread_mutex_unlock(&noted.lock);
	return was;
}

void outbox_noted_distrust(const struct mongo_collection *collection, const char *id)
{
	struct outbox_noted *document;

	pthread_mutex_lock(&noted.lock);
	forget(hash_of(collection, id));
	document = find(collection, id);
	if (document)
		read_instead(document);
	pthread_mutex_unlock(&noted.lock);
}

bool outbox_noted_take_full(void)
{
	bool was;

	pthread_mutex_lock(&noted.lock);
	was = noted.full;
	noted.full = false;
	pthread_mutex_unlock(&noted.lock);
	return was;
}
