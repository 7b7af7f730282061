/* For tests: a gateway before a real gRPC server of the library, both in this process, and clients
 * that speak bytes to it. */
#pragma once

#include "../gateway.h"
#include "../worker.h"
#include <crpc/crpc.h>
#include <stddef.h>
#include <test.h>

extern struct gateway fixture_gateway; /* change before fixture_start(); fixture_reset() makes it as
					  main.c would */
extern struct worker *fixture_worker;
extern int fixture_port, fixture_admin_port;

void fixture_reset(void);
void fixture_start(void);
void fixture_stop(void);
/* What the library says of its health. */
void fixture_library_serves(bool serving);

/* Lives as long as the test. */
extern struct arena *fixture_memory;
/* A connection to the gateway. */
int fixture_connect(int port);
void fixture_send(int fd, const char *text);
void fixture_send_bytes(int fd, const void *bytes, size_t length);

struct answer {
	int status; /* 0: the connection was closed before one came */
	char head[8192], *body;
	size_t length;
};
/* Reads one answer of HTTP/1.1, body and all. Fails the test when none comes within 10 s.
 * `head_only`: the answer of a HEAD. */
struct answer fixture_read(int fd, bool head_only);
/* The value of a header of the answer, "" when it has none. */
const char *answer_header(const struct answer *answer, const char *name);
/* Waits until the gateway closes the connection; false after 10 s. */
bool fixture_closed(int fd);

/* One request on a connection of its own: "GET /v1/... HTTP/1.1" and headers are `head`, lines
 * separated by "\n"; Host is added. */
struct answer ask(const char *head, const char *body);

/* What its JWKS route answers. */
extern const char *fixture_jwks;

/* What the library has seen. */
extern struct seen {
	_Atomic int cancelled, running, notes, answers;
} seen;
