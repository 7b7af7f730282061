/* Threads of the runtime: small stacks, and signals left to the program's own thread. */
#include "thread.h"
#include <signal.h>

int thread_start(pthread_t *thread, size_t stack, const char *name, void *(*function)(void *data),
		 void *data)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t started;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack);
	if (!thread)
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&started, &attributes, function, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (r)
		return -r;
	if (thread) {
		pthread_setname_np(started, name);
		*thread = started;
	}
	return 0;
}
