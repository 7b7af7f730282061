/* The platform under test: where it is, its processes, many clients at once, and waiting for what
 * comes later. */
#pragma once

#include <crpc/cleanup.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

/* Formatted text that lives as long as the test. Any thread. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_list(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
/* A word that no other test or run has: "ann-k3v9x1q8". */
const char *unique(const char *word);

/* A variable that ./dev test has set; the test fails with a sentence when it is not. */
const char *platform_variable(const char *name);
/* The port of a service's gRPC server, replica 1 or 2; by its number (DESIGN: 7000 + number, and
 * ./dev test's offset). */
int platform_grpc_port(const char *service, int replica);
int platform_http_port(const char *service, int replica);

/*
 * Processes, by ./dev: "kill payments", "restart orders SOUK_CRASH_AT=orders.pay.after_confirm",
 * "stop mongodb". A killed one comes back after a second. Fails the test when ./dev does.
 */
/* The same where it may fail: a process that is armed to crash may do so before it is ready, and
 * comes back unarmed. */
void platform_try(const char *command, ...) __attribute__((format(printf, 1, 2)));
void platform_do(const char *command, ...) __attribute__((format(printf, 1, 2)));
/* The processes of a service: "orders orders-2", or the one. */
const char *platform_replicas(const char *service);
/* How often a process has ended since it was started; ends by kill -9 (a crash point's too) apart.
 */
int platform_ends(const char *process);
int platform_kills(const char *process);
void platform_await_ready(const char *process);
/* Redis as an admin: "FLUSHALL". */
void platform_redis(const char *command);

/* `run(i, data)` for i from 0 to n-1, all let go at once, each in a thread of its own; returns when
 * all have ended. */
void at_once(int n, void (*run)(int i, void *data), void *data);

/* Waits until the expression holds, looking every 50 ms; fails the test after so many seconds. */
#define eventually(seconds, expression)                                                            \
	do {                                                                                       \
		int64_t end_ = now_ms() + (seconds)*1000LL;                                        \
		while (!(expression)) {                                                            \
			if (now_ms() > end_)                                                       \
				ck_abort_msg("after %d s still not: %s", (int)(seconds),           \
					     #expression);                                         \
			pause_ms(50);                                                              \
		}                                                                                  \
	} while (0)

int64_t now_ms(void); /* monotonic */
void pause_ms(int ms);

/* TEST_MAIN's teardown: frees texts. */
void platform_end(void);
