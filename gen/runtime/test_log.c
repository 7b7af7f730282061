/* Log lines and the metrics' page. */
#include "struct.msg.h"
#include <crpc/call.h>
#include <crpc/json.h>
#include <crpc/metrics.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test.h>

static char last[8192];

static void remember(enum log_level level, const char *line)
{
	snprintf(last, sizeof(last), "%s", line);
}

/* The member of the last line, which must be JSON. */
static const char *member(const char *name)
{
	struct arena *arena = rpc_arena(test_call());
	ProtobufCMessage *message = NULL;
	struct rpc_json_error error;
	int r = rpc_json_parse(arena, NULL, &Struct_descriptor, last, strlen(last), &message,
			       &error);
	const Struct *line = (const Struct *)message;

	ck_assert_msg(r == 0, "%s: %s", last, error.message);
	for (size_t i = 0; i < line->n_fields; i++) {
		const Value *value = line->fields[i]->value;

		if (!strcmp(line->fields[i]->key, name))
			return value->kind_case == VALUE_KIND_STRING_VALUE ? value->string_value
									   : "true";
	}
	return NULL;
}

static void setup(void)
{
	log_set_hook(remember);
	*last = '\0';
}

TEST(a_line_is_json_with_its_pairs)
{
	log_set_service("probe");
	log_warning(NULL, "something \"odd\" happened", { "order", "orders/7" },
		    { "line", "a\nb\x01\xff" });
	ck_assert_str_eq(member("message"), "something \"odd\" happened");
	ck_assert_str_eq(member("level"), "warning");
	ck_assert_str_eq(member("service"), "probe");
	ck_assert_str_eq(member("order"), "orders/7");
	ck_assert_str_eq(member("line"), "a\nb\x01\xef\xbf\xbd");
	ck_assert_uint_eq(strlen(member("time")), strlen("2024-05-17T09:30:00.123Z"));
}

TEST(a_line_carries_the_trace_of_its_call)
{
	rpc_call_set_traceparent(test_call(),
				 "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01");
	log_info(test_call(), "work done");
	ck_assert_str_eq(member("trace_id"), "0123456789abcdef0123456789abcdef");
	ck_assert_uint_eq(strlen(member("span_id")), 16);
	ck_assert_str_eq(member("request_id"), rpc_request_id(test_call()));
}

TEST(a_long_line_is_cut_and_stays_json)
{
	char big[3000];

	memset(big, '"', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	log_info(NULL, "much", { "a", big }, { "b", big }, { "c", big }, { "d", "small" });
	ck_assert_uint_le(strlen(last), 4096);
	ck_assert_str_eq(member("message"), "much");
	ck_assert_str_eq(member("cut"), "true");
	ck_assert_uint_eq(strlen(member("a")), 1024);
}

TEST(a_value_that_is_missing_is_left_out)
{
	log_info(NULL, "odd", { "a", NULL }, { "b", "x" });
	ck_assert_ptr_null(member("a"));
	ck_assert_str_eq(member("b"), "x");
}

TEST(the_page_lists_metrics_by_name)
{
	struct metric *calls = metric_counter("t_calls_total", "method=\"Get\"", "Calls.");
	struct metric *seconds = metric_histogram("t_seconds", "method=\"Get\"", "Time of calls.");
	size_t length;
	char *page;

	metric_add(metric_counter("t_calls_total", "method=\"List\"", "Calls."), 2);
	metric_add(calls, 1);
	metric_add(calls, 1.5);
	metric_set(metric_gauge("t_queue", NULL, "Waiting."), 7);
	metric_observe(seconds, 0.0005);
	metric_observe(seconds, 0.003);
	metric_observe(seconds, 100);
	ck_assert_ptr_eq(metric_counter("t_calls_total", "method=\"Get\"", "Calls."), calls);

	page = metrics_print(&length);
	ck_assert_uint_eq(strlen(page), length);
	ck_assert_ptr_nonnull(strstr(
		page, "# HELP t_calls_total Calls.\n# TYPE t_calls_total counter\n"
		      "t_calls_total{method=\"Get\"} 2.5\nt_calls_total{method=\"List\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(page, "# TYPE t_queue gauge\nt_queue 7\n"));
	ck_assert_ptr_nonnull(strstr(page, "t_seconds_bucket{method=\"Get\",le=\"0.001\"} 1\n"
					   "t_seconds_bucket{method=\"Get\",le=\"0.0025\"} 1\n"
					   "t_seconds_bucket{method=\"Get\",le=\"0.005\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(page, "t_seconds_bucket{method=\"Get\",le=\"30\"} 2\n"
					   "t_seconds_bucket{method=\"Get\",le=\"+Inf\"} 3\n"
					   "t_seconds_sum{method=\"Get\"} 100.0035\n"
					   "t_seconds_count{method=\"Get\"} 3\n"));
	free(page);
}

static void *count(void *data)
{
	for (int i = 0; i < 10000; i++)
		metric_add(metric_counter("t_shared_total", NULL, "Shared."), 1);
	return NULL;
}

TEST(metrics_lose_nothing_between_threads)
{
	pthread_t threads[4];
	size_t length;
	char *page;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, count, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	page = metrics_print(&length);
	ck_assert_ptr_nonnull(strstr(page, "\nt_shared_total 40000\n"));
	free(page);
}

TEST_MAIN("log", setup, NULL)
