/* Waiting in tests for what other threads do. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

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
