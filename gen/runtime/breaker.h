/* Circuit breaker: a peer that keeps failing is left alone for a moment, then asked once. */
#pragma once

#include <crpc/metrics.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 *   closed ── BREAKER_FAILURES in a row ──▶ open ── BREAKER_REST_MS ──▶ half open: one call goes
 *     ▲                                       ▲                              │
 *     └────────────── it succeeds ────────────┼──────────────────────────────┤
 *                                             └──────── it fails ────────────┘
 */
enum { BREAKER_FAILURES = 10, BREAKER_REST_MS = 1000 };

struct breaker {
	pthread_mutex_t lock;
	int failures;          /* in a row */
	int64_t open_until_ms; /* 0: closed */
	bool probing;          /* the one call is under way */
	struct metric *open;
};

void breaker_init(struct breaker *breaker, const char *peer);
void breaker_deinit(struct breaker *breaker);
/* Whether a call may go; then breaker_leave() must follow. */
bool breaker_enter(struct breaker *breaker, int64_t now_ms);
enum breaker_result { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_NEITHER };
void breaker_leave(struct breaker *breaker, int64_t now_ms, enum breaker_result result);
