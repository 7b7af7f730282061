/* A listening socket: accepts as many connections as there may be. */
#pragma once

#include "loop.h"
#include <stdbool.h>

struct metric;
struct worker;

struct listener {
	struct watch watch;
	struct worker *worker;
	bool admin; /* metrics and health instead of routes */
	struct metric *refused;
	bool paused; /* as many connections as there may be */
};

/* "127.0.0.1:8080", "[::]:8080", ":8080". NULL with *error (malloc()ed). Each worker has a socket
 * of its own on the same port. */
struct listener *listener_new(struct worker *worker, const char *address, bool admin, char **error);
void listener_close(struct listener *listener); /* no new connections */
struct listener *listener_free(struct listener *listener);
int listener_port(const struct listener *listener);
/* A connection was closed. */
void listener_room(struct listener *listener);
