/* What this process wrote with events, until its relay takes it. */
#pragma once

#include <common/outbox.h>

/* A document with events. */
struct outbox_noted {
	const struct mongo_collection *collection;
	char *id;
	bool read; /* it is to be read; else these are its next events, in order */
	struct outbox_given *first;
	size_t n;
};

/* A copy of an event that was written. */
struct outbox_given {
	struct outbox_given *next;
	struct rpc_event event;
	char text[];
};

/* Takes what was noted first: at most `n_max` documents, which become the caller's, that have at
 * most `n_events` events given. *more: there is more. */
size_t outbox_noted_take(struct outbox_noted *documents, size_t n_max, size_t n_events, bool *more);
void outbox_noted_release(struct outbox_noted *documents, size_t n);

/* There are events of which only the collections know; whether there are, and nothing of what was
 * given counts any more. */
void outbox_noted_lose(void);
bool outbox_noted_take_lost(void);
/* A document whose events did not all go out: whatever comes is to be read. */
void outbox_noted_distrust(const struct mongo_collection *collection, const char *id);
/* Somebody waits for room in an outbox. */
bool outbox_noted_take_full(void);
