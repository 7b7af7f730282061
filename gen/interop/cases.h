/* What the interop client can be asked to try: a case is 0, or has said what was wrong. */
#pragma once

#include <stdio.h>
#include <testing_test.rpc.h>

struct interop {
	const char *target;
	struct rpc_channel *channel;
	struct test_client *client;
	struct test_unimplemented_client *unimplemented;

	int soak_iterations, soak_max_failures, soak_latency_ms, soak_timeout_s, soak_pause_ms;
	int soak_request_size, soak_response_size;
};

struct interop_case {
	const char *name;
	int (*run)(struct interop *interop, struct rpc_call *call);
};
extern const struct interop_case interop_cases[]; /* ended by one without a name */

/* Says what was expected of the case and is not so. */
#define EXPECT(condition, ...)                                                                     \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: " #condition ": ", __FILE__, __LINE__);            \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			return -1;                                                                 \
		}                                                                                  \
	} while (0)

/* A client's channel of its own to the target; NULL after saying why not. */
struct rpc_channel *interop_channel(const struct interop *interop);

/* cases.c: a unary call with payloads of these sizes, its answer looked at. 0 or a code. */
int large_unary(struct test_client *client, struct rpc_call *call, int request, int response);
TestPayload *payload_of(struct rpc_call *call, int size);
/* compressed.c */
int client_compressed_unary(struct interop *interop, struct rpc_call *call);
int server_compressed_unary(struct interop *interop, struct rpc_call *call);
int client_compressed_streaming(struct interop *interop, struct rpc_call *call);
int server_compressed_streaming(struct interop *interop, struct rpc_call *call);
/* soak.c */
int rpc_soak(struct interop *interop, struct rpc_call *call);
int channel_soak(struct interop *interop, struct rpc_call *call);
