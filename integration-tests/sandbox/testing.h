/* For the sandboxes' tests: the program under test, and a server that it talks to. */
#pragma once

#include "sandbox.h"

/* Starts the program named by SANDBOX_PROGRAM with these arguments (ended by NULL) and "--port 0";
 * returns its base URL. */
const char *program_start(const char *const *arguments);
void program_stop(void);

/* What the other side heard, in order. */
struct heard {
	char method[16], path[256], body[4096], signature[256];
	int64_t at_ms;
};
#define HEARD_MAX 64

/*
 * A server on a free port, on threads of this process; returns its base URL. It answers with the
 * status that `other_side_status` holds and {"path": ...}.
 */
const char *other_side_start(void);
void other_side_stop(void);
extern unsigned other_side_status;

/* Waits until n requests were heard, 10 s at most, and fails the test otherwise. */
const struct heard *other_side_wait(size_t n);
size_t other_side_count(void);

/* A request to the program; JSON in, JSON out, the status in *status. NULL when the connection was
 * closed without an answer. */
json_t *ask(const char *method, const char *path, const char *const *headers, const char *body,
	    long *status);
/* POST /_control, which must be taken. */
void control(const char *body);

/* Whether `signature` is of this body and secret. */
void assert_signed(const char *secret, const char *signature, const char *body);
