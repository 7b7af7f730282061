/* What stands between a client and its server, for tests: a name server, a wire that can be cut. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Answers every question for an IPv4 address with 127.0.0.1 and 127.0.0.2. */
struct names {
	pthread_t thread;
	int socket, port;
};
void names_start(struct names *names);
void names_stop(struct names *names);

/* Passes one connection on to a port; frozen, it passes nothing, and does not say so. */
struct wire {
	pthread_t thread;
	int listener, port, to_port, stop[2];
	atomic_bool frozen;
};
void wire_start(struct wire *wire, int to_port);
void wire_stop(struct wire *wire);
