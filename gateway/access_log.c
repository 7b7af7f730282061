/* A line and a measurement for each request. */
#include "access_log.h"
#include "builtin.h"
#include "gateway.h"
#include <crpc/log.h>
#include <crpc/metrics.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <text.h>
#include <time.h>
#include <unistd.h>

/*
 * Lines are those of log_write(), gathered: a write(2) a request would cost more than the rest of
 * its log. A buffer never holds more than PIPE_BUF, so that lines of several processes in one pipe
 * stay whole.
 */
enum { LINES_SIZE = 4096, LINE_MAX_SIZE = 1024, FLUSH_MS = 200, STATUSES_MAX = 12 };

/* Histograms of a route, by method and status; made when first met. */
struct series {
	char method[12];
	int status;
	struct metric *metric;
};

struct access_log {
	struct worker *worker;
	struct timer timer;
	char lines[LINES_SIZE];
	size_t used;
	char second[24]; /* "2026-11-26T13:00:00." */
	time_t second_of;
	struct series (*routes)[STATUSES_MAX]; /* behind the last route: what matched none */
};

static void (*hook)(const char *line);

void access_log_set_hook(void (*new_hook)(const char *line))
{
	hook = new_hook;
}

static void flush(struct access_log *log)
{
	ssize_t written = 0;

	if (log->used)
		written = write(STDERR_FILENO, log->lines, log->used);
	(void)written; /* nobody is left to tell when stderr is gone */
	log->used = 0;
}

static void expired(struct timer *timer)
{
	flush((void *)((char *)timer - offsetof(struct access_log, timer)));
}

struct access_log *access_log_new(struct worker *worker)
{
	struct access_log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->worker = worker;
	log->timer.expired = expired;
	log->routes = calloc(worker->gateway->n_routes + 1, sizeof(*log->routes));
	return log->routes ? log : access_log_free(log);
}

struct access_log *access_log_free(struct access_log *log)
{
	if (!log)
		return NULL;
	flush(log);
	loop_timer_clear(&log->worker->loop, &log->timer);
	free(log->routes);
	free(log);
	return NULL;
}

static const char *route_name(const struct request *request)
{
	if (request->match.route)
		return request->match.route->template;
	return request->builtin ? request->builtin->path : "unmatched";
}

static void observe(struct access_log *log, const struct request *request, int status,
		    int64_t duration_us)
{
	const struct gateway *gateway = log->worker->gateway;
	const struct route *route = request->match.route;
	struct series *series =
		log->routes[route ? (size_t)(route - gateway->routes) : gateway->n_routes];
	/* A client can invent methods, not ones that match a route. */
	const char *method = route ? request->method : "any";
	char labels[512];
	int i = 0;

	while (i < STATUSES_MAX - 1 && series[i].metric &&
	       (series[i].status != status || strcmp(series[i].method, method)))
		i++;
	if (!series[i].metric) {
		snprintf(labels, sizeof(labels),
			 "http_route=\"%s\",http_request_method=\"%s\",http_response_status_code="
			 "\"%d\"",
			 route ? route->template : "unmatched", method, status);
		snprintf(series[i].method, sizeof(series[i].method), "%s", method);
		series[i].status = status;
		series[i].metric = metric_histogram(
			"http_server_request_duration_seconds", labels,
			"How long requests took, until the answer was with the client.");
	}
	metric_observe(series[i].metric, (double)duration_us / 1e6);
}

static void add_time(struct access_log *log, struct text *line)
{
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != log->second_of) {
		log->second_of = now.tv_sec;
		gmtime_r(&now.tv_sec, &parts);
		strftime(log->second, sizeof(log->second), "%Y-%m-%dT%H:%M:%S.", &parts);
	}
	text_add(line, log->second, 20);
	text_add_char(line, (char)('0' + now.tv_nsec / 100000000));
	text_add_char(line, (char)('0' + now.tv_nsec / 10000000 % 10));
	text_add_char(line, (char)('0' + now.tv_nsec / 1000000 % 10));
}

static void add_string(struct text *line, const char *key, size_t key_length, const char *value,
		       size_t length)
{
	text_add(line, key, key_length);
	text_add_json_string(line, value, length);
}
#define add_pair(line, key, value, length)                                                         \
	add_string((line), ",\"" key "\":", sizeof(key) + 3, (value), (length))

static void print(struct access_log *log, const struct request *request, int status,
		  int64_t duration_us)
{
	struct text line = { .data = log->lines + log->used,
			     .capacity = LINES_SIZE - log->used - 1 };
	const char *route = route_name(request), *traceparent = NULL, *id = NULL;

	text_add_literal(&line, "{\"time\":\"");
	add_time(log, &line);
	text_add_literal(&line,
			 "Z\",\"level\":\"info\",\"service\":\"gateway\",\"message\":\"request\"");
	add_pair(&line, "method", request->method ? request->method : "",
		 request->method ? strnlen(request->method, 16) : 0);
	add_pair(&line, "route", route, strnlen(route, 256));
	text_add_literal(&line, ",\"status\":");
	text_add_integer(&line, status);
	text_add_literal(&line, ",\"duration_us\":");
	text_add_integer(&line, duration_us);
	text_add_literal(&line, ",\"request_bytes\":");
	text_add_unsigned(&line, request->body.length + request->discarded);
	text_add_literal(&line, ",\"response_bytes\":");
	text_add_unsigned(&line, request->bytes_sent);
	if (request->call) {
		traceparent = rpc_traceparent(request->call);
		id = rpc_request_id(request->call);
		add_pair(&line, "request_id", id, strlen(id));
		add_pair(&line, "trace_id", traceparent + 3, 32);
		add_pair(&line, "span_id", traceparent + 36, 16);
	}
	text_add_char(&line, '}');
	if (hook) {
		line.data[line.length] = '\0';
		hook(line.data);
		return;
	}
	text_add_char(&line, '\n');
	if (!line.cut)
		log->used += line.length;
}

void access_log_add(struct request *request, int64_t duration_us)
{
	struct access_log *log = request->worker->access_log;
	int status = request->answered ? request->response.status : 499;

	if (!request->method)
		return; /* nothing came that could be called a request */
	if (!request->builtin)
		observe(log, request, status, duration_us);
	if (!log->worker->gateway->access_log || (request->builtin && status == 200))
		return; /* probes and scrapes are no news */
	if (log->used + LINE_MAX_SIZE > LINES_SIZE)
		flush(log);
	print(log, request, status, duration_us);
	if (log->used && !log->timer.link)
		loop_timer_set(&log->worker->loop, &log->timer, FLUSH_MS);
}
