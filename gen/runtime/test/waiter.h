/* Waiting in tests for what other threads do. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int count;
};
#define WAITER_INIT                                                                                \
	{                                                                                          \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                             \
	}

static inline void waiter_add(struct waiter *waiter)
{
	pthread_mutex_lock(&waiter->lock);
	waiter->count++;
	pthread_cond_broadcast(&waiter->changed);
	pthread_mutex_unlock(&waiter->lock);
}

static inline void waiter_await(struct waiter *waiter, int count)
{
	pthread_mutex_lock(&waiter->lock);
	while (waiter->count < count)
		pthread_cond_wait(&waiter->changed, &waiter->lock);
	pthread_mutex_unlock(&waiter->lock);
}

/* False: not in so many milliseconds. */
static inline bool waiter_await_for(struct waiter *waiter, int count, int ms)
{
	struct timespec until;
	bool there;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (until.tv_nsec / 1000000 + ms) / 1000;
	until.tv_nsec = (until.tv_nsec / 1000000 + ms) % 1000 * 1000000;
	pthread_mutex_lock(&waiter->lock);
	while (waiter->count < count &&
	       !pthread_cond_timedwait(&waiter->changed, &waiter->lock, &until))
		;
	there = waiter->count >= count;
	pthread_mutex_unlock(&waiter->lock);
	return there;
}
