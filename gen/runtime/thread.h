/* Threads of the runtime: small stacks, and signals left to the program's own thread. */
#pragma once

#include <pthread.h>

enum {
	THREAD_STACK = 512 * 1024, /* handlers: libmongoc and OpenSSL want some */
	THREAD_STACK_SMALL = 256 * 1024,
};

/* `thread` NULL: detached. 0 or -errno. The name shows in top and gdb, at most 15 characters. */
int thread_start(pthread_t *thread, size_t stack, const char *name, void *(*function)(void *data),
		 void *data);
