/* Circuit breaker: a peer that does not answer is left alone for a moment, then asked once. */
#include "breaker.h"
#include <stdio.h>

void breaker_init(struct breaker *breaker, const char *peer)
{
	char labels[160];

	*breaker = (struct breaker){ 0 };
	pthread_mutex_init(&breaker->lock, NULL);
	snprintf(labels, sizeof(labels), "peer=\"%.128s\"", peer);
	breaker->open = metric_gauge("rpc_client_circuit_open", labels,
				     "1 while calls to the peer are not tried.");
}

void breaker_deinit(struct breaker *breaker)
{
	pthread_mutex_destroy(&breaker->lock);
}

bool breaker_enter(struct breaker *breaker, int64_t now_ms)
{
	bool enter;

	pthread_mutex_lock(&breaker->lock);
	enter = now_ms >= breaker->probe_ms;
	if (enter && breaker->probe_ms) {
		breaker->rest_ms *= 2;
		if (breaker->rest_ms > BREAKER_REST_MAX_MS)
			breaker->rest_ms = BREAKER_REST_MAX_MS;
		breaker->probe_ms = now_ms + breaker->rest_ms;
	}
	pthread_mutex_unlock(&breaker->lock);
	return enter;
}

static void close_it(struct breaker *breaker)
{
	if (breaker->probe_ms)
		metric_set(breaker->open, 0);
	breaker->failures = 0;
	breaker->probe_ms = 0;
}

static void count_failure(struct breaker *breaker, int64_t now_ms)
{
	if (!breaker->failures++)
		breaker->since_ms = now_ms;
	if (breaker->probe_ms || breaker->failures < BREAKER_FAILURES ||
	    now_ms - breaker->since_ms < BREAKER_SILENCE_MS)
		return;
	metric_set(breaker->open, 1);
	breaker->rest_ms = BREAKER_REST_MS;
	breaker->probe_ms = now_ms + breaker->rest_ms;
}

void breaker_leave(struct breaker *breaker, int64_t now_ms, enum breaker_result result)
{
	pthread_mutex_lock(&breaker->lock);
	if (result == BREAKER_SUCCESS)
		close_it(breaker);
	else if (result == BREAKER_FAILURE)
		count_failure(breaker, now_ms);
	pthread_mutex_unlock(&breaker->lock);
}
