/* What stories have in common. */
#include "shop.h"
#include <ctype.h>
#include <curl/curl.h>
#include <string.h>

static struct app *staff_app;

/* A service that has just started may not be reached by the gateway yet. */
static void await_reached(void)
{
	static const char *const probes[] = {
		"/v1/products",     "/v1/users/me",       "/v1/cart",
		"/v1/orders",       "/v1/payments/none",  "/v1/stockItems/X",
		"/v1/deliveries/x", "/v1/shipments/none", "/.well-known/jwks.json"
	};
	cleanup(app_freep) struct app *anyone = app_new();

	for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++)
		eventually(60, http_get(anyone, "%s", probes[i])->status != 503);
}

void story_begin(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	await_reached();
}

void story_end(void)
{
	staff_app = app_free(staff_app);
	outside_end();
	platform_end();
}

struct app *staff(void)
{
	if (!staff_app) {
		staff_app = app_new();
		expect(log_in(staff_app, platform_variable("SOUK_ADMIN_EMAIL"),
			      platform_variable("SOUK_ADMIN_PASSWORD")),
		       200);
	}
	return staff_app;
}

const char *category_new(void)
{
	const char *category = unique("shelf");

	expect(http_post(staff(), text("/v1/categories?categoryId=%s", category),
			 "{'displayName': 'Shelf %s'}", category),
	       200);
	return category;
}

const char *product_sku(const char *product)
{
	char *sku = text("%s", product);

	for (char *at = sku; *at; at++)
		*at = toupper((unsigned char)*at);
	return sku;
}

const char *product_new_in(const char *category, int cents, int stock)
{
	const char *product = unique("tea"), *sku = product_sku(product);

	expect(http_post(staff(), text("/v1/products?productId=%s", product),
			 "{'displayName': 'Tea %s', 'description': 'A tin of tea.', 'categories': "
			 "[%s%s%s], "
			 "'variants': [{'sku': '%s', 'weightGrams': 250, 'prices': ["
			 "{'amount': {'currencyCode': 'EUR', 'units': '%d', 'nanos': %d}}, "
			 "{'amount': {'currencyCode': 'USD', 'units': '%d', 'nanos': %d}}]}]}",
			 product, category ? "\"categories/" : "", category ? category : "",
			 category ? "\"" : "", sku, cents / 100, cents % 100 * 10000000,
			 cents / 100, cents % 100 * 10000000),
	       200);
	expect(http_post_once(staff(), unique("stock"), text("/v1/stockItems/%s:adjust", sku),
			      "{'setTo': '%d', 'reason': 'RECEIVED', 'allowMissing': true}", stock),
	       200);
	expect(http_post(staff(), text("/v1/products/%s:publish", product), "{}"), 200);
	return product;
}

const char *product_new(int cents, int stock)
{
	return product_new_in(NULL, cents, stock);
}

/* A service that has just come back may not be reached yet: 503 asks the app to try again. */
static struct response *get_patiently(struct app *app, const char *path)
{
	struct response *response;

	eventually(60, (response = http_get(app, "%s", path))->status != 503 && response->status);
	return expect(response, 200);
}

void platform_restart(const char *processes)
{
	if (strstr(processes, "SOUK_CRASH_AT="))
		platform_try("restart %s", processes);
	else
		platform_do("restart %s", processes);
	await_reached();
}

int64_t stock_of(const char *product, const char *field)
{
	struct response *item =
		get_patiently(staff(), text("/v1/stockItems/%s", product_sku(product)));

	return json_at(item, field) ? number_at(item, field) : 0;
}

int64_t stock_available(const char *product)
{
	return stock_of(product, "available");
}

struct app *guest_new(void)
{
	struct app *app = app_new();

	app_take_session(app, expect(http_post(app, "/v1/sessions:guest", "{}"), 200));
	return app;
}

struct response *log_in(struct app *app, const char *email, const char *password)
{
	struct response *session = http_post(app, "/v1/sessions",
					     "{'email': '%s', 'password': '%s'}", email, password);

	if (session->status == 200)
		app_take_session(app, session);
	return session;
}

struct app *customer_new(const char **email)
{
	const char *address = text("%s@example.com", unique("amina"));
	struct app *app = app_new();

	expect(http_post(app, "/v1/users",
			 "{'email': '%s', 'password': '%s', 'displayName': 'Amina Haddad'}",
			 address, PASSWORD),
	       200);
	expect(log_in(app, address, PASSWORD), 200);
	if (email)
		*email = address;
	return app;
}

struct response *cart_add(struct app *app, const char *product, int quantity)
{
	return expect(http_post(app, "/v1/cart/items", "{'product': '%s', 'quantity': %d}", product,
				quantity),
		      200);
}

const char *shipping_cheapest(struct app *app)
{
	struct response *quote =
		expect(http_post(app, "/v1/cart:quoteShipping", "{'address': " BERLIN "}"), 200);

	return text_at(quote, "methods.0.name");
}

struct response *order_place_once(struct app *app, const char *email, const char *method,
				  const char *key)
{
	return http_post_once(app, key, "/v1/orders",
			      "{'shippingAddress': " BERLIN ", 'shippingMethod': '%s'%s}", method,
			      email ? text(", \"email\": \"%s\"", email) : "");
}

const char *order_place(struct app *app, const char *email)
{
	struct response *order =
		expect(order_place_once(app, email, shipping_cheapest(app), unique("order")), 200);

	return id_at(order, "name");
}

struct response *order_pay_once(struct app *app, const char *order, const char *card,
				const char *key)
{
	return http_post_once(app, key, text("/v1/orders/%s:pay", order), "{'paymentMethod': '%s'}",
			      card);
}

struct response *order_pay(struct app *app, const char *order, const char *card)
{
	return order_pay_once(app, order, card, unique("pay"));
}

struct response *order_get(struct app *app, const char *order)
{
	return get_patiently(app, text("/v1/orders/%s", order));
}

bool order_is(struct app *app, const char *order, const char *state)
{
	return !strcmp(text_at(order_get(app, order), "state"), state);
}

const char *order_of_guest(struct app *app, const char *product, int quantity)
{
	cart_add(app, product, quantity);
	return order_place(app, text("%s@example.com", unique("guest")));
}
