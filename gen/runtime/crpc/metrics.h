/* Metrics in Prometheus' text format: counters, gauges and histograms, made once and changed
 * without a lock. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Names follow Prometheus and OpenTelemetry: rpc_server_duration_seconds, nats_connected. `labels`
 * is `method="GetCart",code="OK"` or NULL; few and bounded values only, never ids. The same name
 * and labels give the same metric. Thread safe; metrics live as long as the process.
 */
struct metric;
struct metric *metric_counter(const char *name, const char *labels, const char *help);
struct metric *metric_gauge(const char *name, const char *labels, const char *help);
struct metric *metric_histogram(const char *name, const char *labels,
				const char *help); /* seconds, buckets 1 ms to 30 s */

void metric_add(struct metric *metric, double value);       /* counters and gauges */
void metric_set(struct metric *metric, double value);       /* gauges */
void metric_observe(struct metric *metric, double seconds); /* histograms */

/* The page that GET /metrics answers, malloc()ed. */
char *metrics_print(size_t *length);
