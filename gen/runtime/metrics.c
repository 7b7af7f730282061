/* Metrics: a sorted list of atomics, and Prometheus' text of it. */
#include <crpc/metrics.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The list is sorted by name and labels, since Prometheus wants the lines of a name together, and
 * only ever grows, so that changing a metric needs no lock. The lock orders makers and printers.
 */
enum kind { COUNTER, GAUGE, HISTOGRAM };
enum { METRICS_MAX = 4096 }; /* labels are bounded by rule; this bounds a mistake */

static const double bounds[] = {
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
};
enum { N_BOUNDS = sizeof(bounds) / sizeof(*bounds) };

struct metric {
	struct metric *next;
	char *name, *labels, *help;
	enum kind kind;
	_Atomic double value;                  /* a histogram's sum */
	_Atomic uint64_t counts[N_BOUNDS + 1]; /* of a histogram: not cumulative */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *metrics;
static size_t n_metrics;
static struct metric overflow; /* takes what is beyond METRICS_MAX; not printed */

static int compare(const struct metric *metric, const char *name, const char *labels)
{
	int order = strcmp(metric->name, name);

	return order ? order : strcmp(metric->labels, labels);
}

static struct metric *metric_new(enum kind kind, const char *name, const char *labels,
				 const char *help)
{
	struct metric *metric = calloc(1, sizeof(*metric));

	if (!metric)
		return NULL;
	metric->kind = kind;
	metric->name = strdup(name);
	metric->labels = strdup(labels);
	metric->help = strdup(help);
	if (metric->name && metric->labels && metric->help)
		return metric;
	free(metric->name);
	free(metric->labels);
	free(metric->help);
	free(metric);
	return NULL;
}

static struct metric *find_or_make(enum kind kind, const char *name, const char *labels,
				   const char *help)
{
	struct metric **at, *metric;

	if (!labels)
		labels = "";
	pthread_mutex_lock(&lock);
	for (at = &metrics; *at && compare(*at, name, labels) < 0; at = &(*at)->next)
		;
	if (*at && !compare(*at, name, labels)) {
		metric = *at;
	} else {
		metric = n_metrics < METRICS_MAX ? metric_new(kind, name, labels, help) : NULL;
		if (metric) {
			metric->next = *at;
			*at = metric;
			n_metrics++;
		} else {
			metric = &overflow;
		}
	}
	pthread_mutex_unlock(&lock);
	return metric;
}

struct metric *metric_counter(const char *name, const char *labels, const char *help)
{
	return find_or_make(COUNTER, name, labels, help);
}

struct metric *metric_gauge(const char *name, const char *labels, const char *help)
{
	return find_or_make(GAUGE, name, labels, help);
}

struct metric *metric_histogram(const char *name, const char *labels, const char *help)
{
	return find_or_make(HISTOGRAM, name, labels, help);
}

void metric_add(struct metric *metric, double value)
{
	double old = atomic_load_explicit(&metric->value, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&metric->value, &old, old + value,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

void metric_set(struct metric *metric, double value)
{
	atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, double seconds)
{
	size_t i = 0;

	while (i < N_BOUNDS && seconds > bounds[i])
		i++;
	atomic_fetch_add_explicit(&metric->counts[i], 1, memory_order_relaxed);
	metric_add(metric, seconds);
}

static void print_histogram(FILE *page, const struct metric *metric)
{
	const char *comma = *metric->labels ? "," : "";
	uint64_t count = 0;

	for (size_t i = 0; i < N_BOUNDS; i++) {
		count += metric->counts[i];
		fprintf(page, "%s_bucket{%s%sle=\"%g\"} %llu\n", metric->name, metric->labels,
			comma, bounds[i], (unsigned long long)count);
	}
	count += metric->counts[N_BOUNDS];
	fprintf(page, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", metric->name, metric->labels, comma,
		(unsigned long long)count);
	if (*metric->labels)
		fprintf(page, "%s_sum{%s} %.9g\n%s_count{%s} %llu\n", metric->name, metric->labels,
			metric->value, metric->name, metric->labels, (unsigned long long)count);
	else
		fprintf(page, "%s_sum %.9g\n%s_count %llu\n", metric->name, metric->value,
			metric->name, (unsigned long long)count);
}

char *metrics_print(size_t *length)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	const char *family = "";
	char *text = NULL;
	FILE *page = open_memstream(&text, length);

	if (!page)
		return NULL;
	pthread_mutex_lock(&lock);
	for (const struct metric *metric = metrics; metric; metric = metric->next) {
		if (strcmp(family, metric->name)) {
			family = metric->name;
			fprintf(page, "# HELP %s %s\n# TYPE %s %s\n", family, metric->help, family,
				types[metric->kind]);
		}
		if (metric->kind == HISTOGRAM)
			print_histogram(page, metric);
		else if (*metric->labels)
			fprintf(page, "%s{%s} %.17g\n", family, metric->labels, metric->value);
		else
			fprintf(page, "%s %.17g\n", family, metric->value);
	}
	pthread_mutex_unlock(&lock);
	if (fclose(page)) {
		free(text);
		return NULL;
	}
	return text;
}
