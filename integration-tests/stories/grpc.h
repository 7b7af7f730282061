/* A service spoken to straight over gRPC, past the gateway, by libcurl's HTTP/2: any bytes at all,
 * with the certificate `dev` or without. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct grpc_answer {
	int transport; /* CURLcode: not 0 when there was no answer, as when the handshake was
			  refused */
	int status;    /* grpc-status, -1: none */
	char *message; /* grpc-message, percent-decoded; "" */
	uint8_t *body; /* the first message */
	size_t size;
};

/* The wire form of a message, put together by hand so that it may be wrong. Grows; lives as long as
 * the test. */
struct wire {
	uint8_t *bytes;
	size_t size, capacity;
};
void wire_varint(struct wire *wire, int field, uint64_t value);
void wire_bytes(struct wire *wire, int field, const void *bytes, size_t size);
void wire_text(struct wire *wire, int field, const char *value);
void wire_nest(struct wire *wire, int field, const struct wire *inner);
void wire_raw(struct wire *wire, const void *bytes, size_t size);
void wire_deep(struct wire *wire, int field,
	       int depth); /* messages within messages, all in that field */

struct grpc_call {
	const char *service;        /* "cart": host name and port follow */
	const char *method;         /* "/souk.cart.v1.CartService/GetCart" */
	const struct wire *message; /* NULL: an empty one */
	const char *token;          /* a person's access token, or NULL */
	const char *certificate;    /* whose: "dev"; NULL: none is shown */
};
struct grpc_answer grpc_send(const struct grpc_call *call);
/* A string or message field of the answer: its bytes, or NULL. */
const uint8_t *grpc_field(const struct grpc_answer *answer, int field, size_t *size);
