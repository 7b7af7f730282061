/* Circuit breaker: a peer that keeps failing is left alone for a moment, then asked once. */
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
	enter = !breaker->open_until_ms || (now_ms >= breaker->open_until_ms && !breaker->probing);
	if (enter && breaker->open_until_ms)
		breaker->probing = true;
	pthread_mutex_unlock(&breaker->lock);
	return enter;
}

void breaker_leave(struct breaker *breaker, int64_t now_ms, enum breaker_result result)
{
	pthread_mutex_lock(&breaker->lock);
	if (result == BREAKER_SUCCESS) {
		if (breaker->open_until_ms)
			metric_set(breaker->open, 0);
		breaker->failures = 0;
		breaker->open_until_ms = 0;
	} else if (result == BREAKER_FAILURE && ++breaker->failures >= BREAKER_FAILURES) {
		if (!breaker->open_until_ms)
			metric_set(breaker->open, 1);
		breaker->open_until_ms = now_ms + BREAKER_REST_MS;
	}
	breaker->probing = false;
	pthread_mutex_unlock(&breaker->lock);
}
