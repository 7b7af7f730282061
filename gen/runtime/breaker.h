/* Circuit breaker: a peer that does not answer is left alone for a moment, then asked once. */
#pragma once

#include <crpc/metrics.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 *   closed ── silence ──▶ open ── a rest ──▶ a probe: one call goes ──┐
 *     ▲                     ▲                                         │ it fails: a longer rest
 *     │                     └─────────────────────────────────────────┤
 *     └──────────── any call that the peer answers ───────────────────┘
 *
 * What fails is a call that got no answer: the connection broke or was not to be had, or the time
 * ran out. An error that the peer sent is an answer, UNAVAILABLE and DEADLINE_EXCEEDED too: its own
 * peers may be away, which is no reason not to ask it for something else.
 *
 * Silence is BREAKER_FAILURES such calls in a row over BREAKER_SILENCE_MS: the calls that one
 * broken connection took with it, while other replicas answer or the core connects again, are none.
 * The rest begins with BREAKER_REST_MS and doubles up to BREAKER_REST_MAX_MS, which is the longest
 * that a peer that works again is not asked. A probe that is still under way then does not hold up
 * the next one.
 */
enum {
	BREAKER_FAILURES = 10,
	BREAKER_SILENCE_MS = 1000,
	BREAKER_REST_MS = 100,
	BREAKER_REST_MAX_MS = 500,
};

struct breaker {
	pthread_mutex_t lock;
	int failures;     /* in a row */
	int64_t since_ms; /* the first of them */
	int64_t probe_ms; /* when the next call may go; 0: closed */
	int64_t rest_ms;
	struct metric *open;
};

void breaker_init(struct breaker *breaker, const char *peer);
void breaker_deinit(struct breaker *breaker);
/* Whether a call may go; then breaker_leave() must follow. */
bool breaker_enter(struct breaker *breaker, int64_t now_ms);
enum breaker_result { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_NEITHER };
void breaker_leave(struct breaker *breaker, int64_t now_ms, enum breaker_result result);
