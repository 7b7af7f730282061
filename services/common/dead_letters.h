/* Dead letters: events that a service could not handle, kept until somebody looks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* One letter. Strings live as long as the call of `each`. Payloads are not shown: they may be
 * personal. */
struct dead_letter {
	uint64_t sequence;
	int64_t time_ms; /* when it was given up */
	const char *id, *type, *about, *reason;
};

/* Those of a service, the oldest first; what `each` returns but 0 ends it and is the result. -EIO
 * when the bus does not answer. */
int dead_letters_list(const char *service,
		      int (*each)(void *data, const struct dead_letter *letter), void *data);

/* Sends those that were not sent back yet to the service, and to it alone, once more; they stay in
 * the stream. *n_ret: how many. */
int dead_letters_replay(const char *service, size_t *n_ret);
