/* Doing: what this process is in the middle of, so that news which overtakes its end can be told
 * apart. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Only a hint, and only of this process: nothing may be wrong when it is missing. A mark that is
 * not taken away, because a call ran out of memory, ends by itself.
 */
enum { DOING_MAX = 64, DOING_NAME = 96 };

struct doing {
	pthread_mutex_t lock;
	struct doing_mark {
		char name[DOING_NAME]; /* "" when free */
		int64_t until_ms;
	} marks[DOING_MAX];
};
/* static struct doing shipping = DOING_INIT; */
#define DOING_INIT                                                                                 \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}

/* Begun for `ms` at most. A name that is too long, or one too many, is not marked. */
void doing_begin(struct doing *doing, const char *name, int64_t ms);
void doing_end(struct doing *doing, const char *name);
bool doing_is(struct doing *doing, const char *name);
/* Until it has ended, `ms` at most. */
void doing_wait(struct doing *doing, const char *name, int64_t ms);
