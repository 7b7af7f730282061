/* One client's connection: its socket, its buffers, its clock; a protocol makes requests of the
 * bytes. */
#pragma once

#include "buffer.h"
#include "loop.h"
#include "worker.h"
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct connection;
struct request;

/*
 * HTTP/1.1 or HTTP/2. Requests come out through request.h, answers go in here. Between
 * request_arrived() and the end of the answer a request belongs to its protocol and to whoever
 * answers it; connection_closed tells the latter that nobody waits any more.
 */
struct protocol {
	const char *version; /* as the access log has it: "1.1" */
	int (*start)(struct connection *connection);
	/* Bytes of the client: how many were used; the rest comes again after connection_resume().
	 * -1: close at once. */
	ssize_t (*input)(struct connection *connection, const char *bytes, size_t length);
	/* The client sends no more. */
	void (*end_of_input)(struct connection *connection);
	/* The whole answer is in request->response. */
	void (*respond)(struct request *request);
	/* A streamed one: its head, any number of pieces, its end. */
	void (*stream_start)(struct request *request);
	void (*stream_send)(struct request *request, const char *bytes, size_t length);
	void (*stream_end)(struct request *request);
	size_t (*stream_backlog)(
		const struct request *request); /* bytes that the client has not taken */
	/* "Expect: 100-continue" was accepted. */
	void (*go_on)(struct request *request);
	/* The output is with the kernel: make more, if there is more. */
	void (*drained)(struct connection *connection);
	/* What is too late now is given up; when to ask again, in ms. */
	int64_t (*check_time)(struct connection *connection);
	/* Nothing new is begun; the connection closes when what was begun is done. */
	void (*wind_down)(struct connection *connection);
	void (*stop)(struct connection *connection);
};
extern const struct protocol http1_protocol, http2_protocol;

/* HTTP/1.1's: the head in request->response leaves, and the rest is another protocol's. Not from
 * within input(). */
void http1_switch(struct request *request, const struct protocol *protocol, void *state);

struct connection {
	struct watch watch;
	struct timer timer;
	struct task flush, dispose, again;
	struct worker *worker;
	struct connection *next, **link; /* all of the worker */
	const struct protocol *protocol; /* NULL: not known yet */
	void *state;                     /* the protocol's */
	SSL *tls;
	struct buffer in;       /* what came and could not be used yet */
	struct buffer out;      /* what the kernel did not take yet */
	int64_t write_deadline; /* when the kernel must have taken something; 0: nothing waits */
	int64_t born;
	bool admin;
	bool counted;            /* among its client's */
	bool readable, writable; /* as far as we know: edge-triggered */
	bool handshaking;
	bool paused;  /* the protocol takes no input now */
	bool ended;   /* the client sends no more */
	bool closing; /* as soon as all output is written */
	bool shut;    /* all output is written and its end said; the client's is awaited */
	bool broken;  /* nothing can be written any more */
	bool closed;
	char address[46];
	char client[50]; /* "ip:192.0.2.7": who is limited, if no proxy says more */
};

/* Takes the socket over. NULL: no memory; the socket is closed. For tests too, with a socket pair.
 */
struct connection *connection_new(struct worker *worker, int fd, const char *address, SSL_CTX *tls,
				  bool admin);
/* At once. What it holds is freed at the end of the turn. */
void connection_close(struct connection *connection);
void connection_close_when_written(struct connection *connection);
/* What the kernel does not take is kept. */
void connection_write(struct connection *connection, const struct iovec *pieces, int count);
static inline size_t connection_backlog(const struct connection *connection)
{
	return buffer_pending(&connection->out);
}
/* The protocol takes input again. */
void connection_resume(struct connection *connection);
/* Checks the time again after so long. */
void connection_set_timer(struct connection *connection, int64_t milliseconds);
void connection_wind_down(struct connection *connection);
