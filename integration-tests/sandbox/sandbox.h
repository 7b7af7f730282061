/* What the sandboxes share: an HTTP server with one handler, JSON answers, signed webhooks. */
#pragma once

#include <crpc/cleanup.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct MHD_Connection;

struct sandbox_request {
	const char *method, *path; /* the path without the query */
	const char *target;        /* both, as they came */
	const char *body;          /* ended by a NUL that is not counted */
	size_t body_length;
	struct MHD_Connection *connection;
};
/* NULL when there is none. */
const char *sandbox_request_header(const struct sandbox_request *request, const char *name);
const char *sandbox_request_query(const struct sandbox_request *request, const char *name);
/* The same path and query at another server; the caller frees it. */
char *sandbox_request_url(const struct sandbox_request *request, const char *base);

#define SANDBOX_HEADERS_MAX 4

struct sandbox_answer {
	unsigned status;
	char *body; /* malloc()ed; the server frees it */
	size_t body_length;
	struct {
		const char *name;
		char value[256];
	} headers[SANDBOX_HEADERS_MAX];
	bool hang_up; /* close the connection instead */
};
void sandbox_answer_json(struct sandbox_answer *answer, unsigned status,
			 json_t *json); /* takes json */
/* {"error": {"code", "message"}} */
void sandbox_answer_error(struct sandbox_answer *answer, unsigned status, const char *code,
			  const char *format, ...) __attribute__((format(printf, 4, 5)));
void sandbox_answer_header(struct sandbox_answer *answer, const char *name, const char *value);

/* Runs on a thread of the connection's own: it may sleep. */
typedef void sandbox_handler(const struct sandbox_request *request, struct sandbox_answer *answer);

/* First of all in main(), before any thread starts. */
void sandbox_init(void);

/* The value of `--name` on the command line as a whole number from min to max; ends the program
 * with a sentence when it is not one. */
int64_t sandbox_integer(const char *name, const char *text, int64_t min, int64_t max);

/*
 * Serves on 127.0.0.1 until SIGTERM or SIGINT; port 0 takes a free one. Prints "listening on
 * 127.0.0.1:PORT" to standard output when it is ready. 0, or -errno when it cannot listen.
 */
int sandbox_serve(uint16_t port, sandbox_handler *handler);
uint16_t sandbox_port(void); /* that it listens on */

/* Answers to requests of this sandbox's own. */
struct sandbox_reply {
	long status; /* 0: no answer */
	char *body;
	size_t body_length;
	char content_type[128];
};
/*
 * Sends a request; `headers` are lines, ended by NULL. 0; -ECONNREFUSED, -ETIMEDOUT or -EIO when no
 * answer came within `timeout_ms`. The reply is the caller's to free with sandbox_reply_done().
 */
int sandbox_send(const char *method, const char *url, const char *const *headers, const char *body,
		 size_t body_length, long timeout_ms, struct sandbox_reply *ret);
void sandbox_reply_done(struct sandbox_reply *reply);

/* "t=<seconds>,v1=<HMAC-SHA256 of `<seconds>.<body>` in hex>", as Stripe signs. */
#define SANDBOX_SIGNATURE_SIZE 96
void sandbox_sign(const char *secret, int64_t seconds, const char *body, size_t body_length,
		  char ret[static SANDBOX_SIGNATURE_SIZE]);

int64_t sandbox_now_ms(void);
void sandbox_sleep_ms(int64_t ms);
void sandbox_random_hex(char *buffer, size_t size); /* fills it with digits and the NUL */

DEFINE_CLEANUP(char *, free)
