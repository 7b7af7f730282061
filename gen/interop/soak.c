/* The soak cases: large unary calls again and again, on one channel or each on a channel of its
 * own. */
#include "cases.h"
#include <time.h>

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_until(int64_t ms)
{
	int64_t left = ms - now_ms();

	if (left > 0)
		nanosleep(&(struct timespec){ left / 1000, left % 1000 * 1000000 }, NULL);
}

static int turn(struct interop *interop, bool own_channel, struct rpc_call *call)
{
	cleanup(test_client_freep) struct test_client *own = NULL;

	if (own_channel) {
		struct rpc_channel *channel = interop_channel(interop);

		if (!channel)
			return RPC_UNAVAILABLE;
		own = test_client_new(channel);
		rpc_channel_free(channel); /* the client has it */
	}
	return large_unary(own ? own : interop->client, call, interop->soak_request_size,
			   interop->soak_response_size);
}

static int soak(struct interop *interop, bool own_channel)
{
	int64_t end = now_ms() + (int64_t)interop->soak_timeout_s * 1000;
	int failures = 0, done = 0;

	for (; done < interop->soak_iterations && now_ms() < end; done++) {
		cleanup(rpc_call_freep) struct rpc_call *call =
			rpc_call_new("soak", end - now_ms());
		int64_t began = now_ms(), took;
		int r = turn(interop, own_channel, call);

		took = now_ms() - began;
		if (r || took > interop->soak_latency_ms) {
			fprintf(stderr, "soak iteration %d: %s after %d ms\n", done,
				r ? rpc_error_message(call) : "too late", (int)took);
			failures++;
		}
		pause_until(began + interop->soak_pause_ms);
	}
	EXPECT(done == interop->soak_iterations, "%d of %d in %d s", done, interop->soak_iterations,
	       interop->soak_timeout_s);
	EXPECT(failures <= interop->soak_max_failures, "%d of %d failed", failures, done);
	return 0;
}

int rpc_soak(struct interop *interop, struct rpc_call *call)
{
	return soak(interop, false);
}

int channel_soak(struct interop *interop, struct rpc_call *call)
{
	return soak(interop, true);
}
