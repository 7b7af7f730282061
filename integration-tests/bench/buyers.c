/* Guests who buy: complete purchases over HTTP, so many at once, each call's time taken. */
#include "shop.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* What a purchase consists of; each call is counted apart. */
enum step { SESSION, LIST, DETAIL, ADD, ADD_ANOTHER, CART, QUOTE, ORDER, PAY, READ, STEPS };
static const char *const step_names[STEPS] = {
	"sessions:guest", "products",           "product", "cart/items", "cart/items",
	"cart",           "cart:quoteShipping", "orders",  "order:pay",  "order",
};

struct good {
	char product[64], variant[128];
};

struct market {
	struct good *goods; /* what there is enough of */
	size_t good_count;
	int purchases;
	atomic_int begun, failed;
	double *times[STEPS]; /* ms, by purchase; the whole one's in `whole` */
	double *whole;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

/* One purchase under way: where it failed nothing more is asked. */
struct purchase {
	struct market *market;
	struct app *guest;
	int number;
	bool failed;
};

static const char *string_at(struct response *response, const char *path)
{
	const char *value = response ? json_string_value(json_at(response, path)) : NULL;

	return value ? value : "";
}

/* Takes the time of an expression that calls. */
#define TIMED(purchase, step, call)                                                                \
	({                                                                                         \
		struct response *response_ = NULL;                                                 \
		if (!(purchase)->failed) {                                                         \
			double begin_ = now();                                                     \
			response_ = (call);                                                        \
			(purchase)->market->times[step][(purchase)->number] = now() - begin_;      \
			if (response_->status != 200)                                              \
				purchase_fail((purchase), response_);                              \
		}                                                                                  \
		response_;                                                                         \
	})

static void purchase_fail(struct purchase *purchase, const struct response *response)
{
	purchase->failed = true;
	if (!atomic_fetch_add(&purchase->market->failed, 1))
		fprintf(stderr, "%s was answered with %d: %.500s\n", response->request,
			response->status, response->body);
}

static struct response *add(struct app *guest, const struct good *good, int quantity)
{
	return http_post(guest, "/v1/cart/items",
			 "{'product': '%s', 'variant': '%s', 'quantity': %d}", good->product,
			 good->variant, quantity);
}

static void purchase_make(struct purchase *purchase)
{
	struct market *market = purchase->market;
	struct app *guest = purchase->guest;
	unsigned int seed = purchase->number; /* the same goods each time */
	const struct good *first = &market->goods[rand_r(&seed) % market->good_count];
	const struct good *second = &market->goods[rand_r(&seed) % market->good_count];
	struct response *answer;
	const char *order;

	answer = TIMED(purchase, SESSION, http_post(guest, "/v1/sessions:guest", "{}"));
	app_use_token(guest, string_at(answer, "accessToken"));
	TIMED(purchase, LIST, http_get(guest, "/v1/products?pageSize=24"));
	TIMED(purchase, DETAIL, http_get(guest, "/v1/products/%s", first->product));
	TIMED(purchase, ADD, add(guest, first, 1));
	TIMED(purchase, ADD_ANOTHER, add(guest, second, 2));
	TIMED(purchase, CART, http_get(guest, "/v1/cart"));
	answer = TIMED(purchase, QUOTE,
		       http_post(guest, "/v1/cart:quoteShipping", "{'address': " BERLIN "}"));
	answer = TIMED(purchase, ORDER,
		       http_post_once(guest, unique("order"), "/v1/orders",
				      "{'shippingAddress': " BERLIN ", 'shippingMethod': '%s', "
				      "'email': '%s@example.com'}",
				      string_at(answer, "methods.0.name"), unique("guest")));
	order = string_at(answer, "name");
	TIMED(purchase, PAY,
	      http_post_once(guest, unique("pay"), text("/v1/%s:pay", order),
			     "{'paymentMethod': '" VISA "'}"));
	answer = TIMED(purchase, READ, http_get(guest, "/v1/%s", order));
	if (answer && strcmp(string_at(answer, "paymentState"), "PAID"))
		purchase_fail(purchase, answer);
}

static void buyer(int index, void *data)
{
	struct market *market = data;
	int number;

	while ((number = atomic_fetch_add(&market->begun, 1)) < market->purchases) {
		struct purchase purchase = { .market = market,
					     .guest = app_new(),
					     .number = number };
		double begin = now();

		purchase_make(&purchase);
		market->whole[number] = now() - begin;
		app_free(purchase.guest);
	}
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static json_t *percentiles(const char *name, double *times, int count)
{
	qsort(times, count, sizeof(*times), compare);
	return json_pack("{s:s, s:f, s:f}", "name", name, "p50_ms", times[count / 2], "p99_ms",
			 times[count * 99 / 100]);
}

static void market_print(struct market *market, double ms)
{
	json_t *calls = json_array();

	for (int step = 0; step < STEPS; step++)
		json_array_append_new(calls, percentiles(step_names[step], market->times[step],
							 market->purchases));
	json_t *whole = percentiles("purchase", market->whole, market->purchases);
	json_t *said = json_pack("{s:i, s:i, s:i, s:f, s:o, s:o}", "requests", market->purchases,
				 "failed", (int)market->failed, "calls", STEPS, "seconds", ms / 1e3,
				 "whole", whole, "steps", calls);
	json_dumpf(said, stdout, JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(said);
}

/* A line is a product and a variant. */
static int market_stock(struct market *market, const char *path)
{
	FILE *file = fopen(path, "re");
	struct good good;

	if (!file)
		return -1;
	while (fscanf(file, "%63s %127s", good.product, good.variant) == 2) {
		market->goods = reallocarray(market->goods, market->good_count + 1, sizeof(good));
		market->goods[market->good_count++] = good;
	}
	fclose(file);
	return market->good_count ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct market market = { .purchases = argc == 4 ? atoi(argv[2]) : 0 };
	int at_a_time = argc == 4 ? atoi(argv[3]) : 0;
	double begin;

	if (market.purchases < 1 || at_a_time < 1 || market_stock(&market, argv[1])) {
		fprintf(stderr,
			"Usage: buyers GOODS PURCHASES BUYERS, where GOODS is a file with a "
			"product and a variant in each line, and SOUK_GATEWAY_URL is set.\n");
		return 2;
	}
	for (int step = 0; step < STEPS; step++)
		market.times[step] = calloc(market.purchases, sizeof(double));
	market.whole = calloc(market.purchases, sizeof(double));
	story_begin();
	begin = now();
	at_once(at_a_time, buyer, &market);
	market_print(&market, now() - begin);
	return market.failed != 0;
}
