/* Nonsense, at the gateway and straight at the services: the right status, and a sentence that
 * names what is wrong. */
#include "grpc.h"
#include "shop.h"
#include <string.h>

/* A guest asks. `field` must be named by BadRequest and in the message; `reason` by ErrorInfo.
 * "TEA" stands for a product's id. */
static const struct row {
	const char *method, *path, *body;
	int status;
	const char *field, *reason;
} rows[] = {
	/* No such place, no such verb. */
	{ "GET", "/v1/nowhere", NULL, 404 },
	{ "GET", "/", NULL, 404 },
	{ "GET", "/v1/products/a/b/c/d", NULL, 404 },
	{ "PUT", "/v1/cart/items", "{}", 405 },
	{ "DELETE", "/v1/cart", NULL, 405 },
	{ "GET", "/v1/products/%zz", NULL, 400 },
	{ "GET", "/v1/products/%00", NULL, 400 },
	{ "GET", "/v1/products/..%2f..%2fetc", NULL, 400 },

	/* Broken JSON, and JSON of another shape. */
	{ "POST", "/v1/cart/items", "", 400 },
	{ "POST", "/v1/cart/items", "{", 400 },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 1}}", 400 },
	{ "POST", "/v1/cart/items", "[]", 400 },
	{ "POST", "/v1/cart/items", "null", 400 },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 1,}", 400 },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 1, 'quantity': 2}", 400,
	  "quantity" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'amount': 1}", 400, "amount" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 'many'}", 400, "quantity" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 1.5}", 400, "quantity" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': true}", 400, "quantity" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': {}}", 400, "quantity" },
	{ "POST", "/v1/cart/items", "{'product': ['TEA'], 'quantity': 1}", 400, "product" },
	{ "POST", "/v1/cart/items", "{'product': 7, 'quantity': 1}", 400, "product" },
	{ "POST", "/v1/cart/items", "{'product': '\\u0000', 'quantity': 1}", 400, "product" },
	{ "POST", "/v1/cart/items", "{'product': '\\ud800', 'quantity': 1}", 400 },
	{ "POST", "/v1/cart/items", "{'product': '\xff\xfe', 'quantity': 1}", 400 },

	/* Out of range. */
	{ "POST", "/v1/cart/items", "{'product': 'TEA'}", 400, "quantity" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 0}", 400, "quantity" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': -1}", 400, "quantity" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 100}", 400, "quantity" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 4294967297}", 400, "quantity" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 1e400}", 400, "quantity" },
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 1, 'currencyCode': 'euro'}",
	  400, "currency_code" },
	{ "POST", "/v1/cart/items", "{'product': 'a b', 'quantity': 1}", 400, "product" },
	{ "GET", "/v1/products?pageSize=-1", NULL, 400, "page_size" },
	{ "GET", "/v1/products?pageSize=ten", NULL, 400, "page_size" },
	{ "GET", "/v1/products?page=2", NULL, 400, "page" },
	{ "GET", "/v1/products?pageToken=made-up", NULL, 400, NULL, "PAGE_TOKEN_INVALID" },
	{ "GET", "/v1/products?filter=price%20%3E", NULL, 400, NULL, "FILTER_INVALID" },
	{ "GET", "/v1/products?orderBy=colour", NULL, 400, NULL, "ORDER_BY_INVALID" },
	{ "GET", "/v1/products?currencyCode=ZZZ", NULL, 400, NULL, "CURRENCY_UNSUPPORTED" },
	{ "POST", "/v1/users", "{'email': 'no address', 'password': 'seven blue lanterns'}", 400,
	  "email" },
	{ "POST", "/v1/users", "{'email': 'amina@example.com', 'password': 'short'}", 400,
	  "password" },
	{ "POST", "/v1/cart:quoteShipping", "{}", 400, "address" },
	{ "POST", "/v1/cart:quoteShipping",
	  "{'address': {'recipient': 'A', 'lines': ['B 1'], 'city': 'C', 'countryCode': "
	  "'Germany'}}",
	  400, "address.country_code" },
	{ "POST", "/v1/cart:quoteShipping",
	  "{'address': {'recipient': 'A', 'lines': [], 'city': 'C', 'countryCode': 'DE'}}", 400,
	  "address.lines" },

	/* What does not exist. */
	{ "GET", "/v1/products/there-is-none", NULL, 404, NULL, "PRODUCT_NOT_FOUND" },
	{ "GET", "/v1/categories/there-is-none", NULL, 404, NULL, "CATEGORY_NOT_FOUND" },
	{ "GET", "/v1/orders/there-is-none", NULL, 404, NULL, "ORDER_NOT_FOUND" },
	{ "POST", "/v1/cart/items", "{'product': 'there-is-none', 'quantity': 1}", 404, NULL,
	  "CART_PRODUCT_NOT_FOUND" },
	{ "PATCH", "/v1/cart/items/there-is-none", "{'quantity': 1}", 404, NULL,
	  "CART_ITEM_NOT_FOUND" },
	{ "DELETE", "/v1/cart/items/there-is-none", NULL, 404, NULL, "CART_ITEM_NOT_FOUND" },

	/* What would be wrong to do. */
	{ "POST", "/v1/cart/items", "{'product': 'TEA', 'quantity': 99}", 400, NULL,
	  "CART_STOCK_INSUFFICIENT" },
	{ "POST", "/v1/webhooks/payments/stripe", "{'type': 'payment_intent.succeeded'}", 401, NULL,
	  "WEBHOOK_SIGNATURE_INVALID" },
	{ "POST", "/v1/webhooks/payments/nobody", "{}", 404, NULL, "WEBHOOK_PROVIDER_UNKNOWN" },
	{ "POST", "/v1/webhooks/carriers/sandbox", "{'type': 'tracking.updated'}", 401, NULL,
	  "CARRIER_SIGNATURE_INVALID" },
};

static char *with(const char *body, const char *tea)
{
	char *result = text("%s", body);

	for (char *at; (at = strstr(result, "TEA"));)
		result = text("%.*s%s%s", (int)(at - result), result, tea, at + 3);
	for (char *at = result; (at = strchr(at, '\'')); at++)
		*at = '"';
	return result;
}

TEST_EACH(nonsense_at_the_gateway_is_refused_and_named, rows)
{
	const char *tea = product_new(1000, 5);
	cleanup(app_freep) struct app *guest = guest_new();
	struct response *answer;

	answer = http_send(guest,
			   &(struct request){ .method = row->method,
					      .path = row->path,
					      .body = row->body ? with(row->body, tea) : NULL });
	expect_error(answer, row->status, row->reason);
	if (row->field) {
		ck_assert_msg(error_names(answer, row->field), "'%s' is not named by: %s",
			      row->field, answer->body);
		ck_assert_msg(error_tells(answer, row->field), "the message does not name '%s': %s",
			      row->field, answer->body);
	}
	if (row->status == 405)
		ck_assert_ptr_nonnull(response_header(answer, "Allow"));
	expect(http_get(guest, "/v1/cart"), 200); /* and all goes on */
}

TEST(a_body_of_20_mb_is_refused)
{
	cleanup(app_freep) struct app *guest = guest_new();
	size_t size = 20 << 20;
	cleanup(freep) char *body = malloc(size);

	memset(body, ' ', size);
	memcpy(body, "{", 1);
	memcpy(body + size - 1, "}", 1);
	expect_error(http_send(guest, &(struct request){ .method = "POST",
							 .path = "/v1/cart/items",
							 .body = body,
							 .size = size }),
		     413, NULL);
	expect(http_get(guest, "/v1/cart"), 200);
}

TEST(json_nested_ten_thousand_deep_is_refused)
{
	cleanup(app_freep) struct app *guest = guest_new();
	static char arrays[20001], objects[10000 * 6 + 2];

	memset(arrays, '[', 10000);
	memset(arrays + 10000, ']', 10000);
	for (int i = 0; i < 10000; i++)
		memcpy(objects + 5 * i, "{\"a\":", 5);
	objects[50000] = '1';
	memset(objects + 50001, '}', 10000);
	expect_error(http_post(guest, "/v1/cart/items", "{'product': %s}", arrays), 400, NULL);
	expect_error(http_post(guest, "/v1/cart/items", "%s", objects), 400, NULL);
	expect_error(http_post(guest, "/v1/cart/items", "{'unknown': %s}", arrays), 400, NULL);
}

TEST(a_forged_token_is_refused)
{
	cleanup(app_freep) struct app *guest = guest_new();
	char *token = text("%s", app_access_token(guest)), *dot = strrchr(token, '.');
	/* {"alg":"none","typ":"JWT"} before the same claims, and no signature. */
	const char *unsigned_token = text("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0%.*s.",
					  (int)(dot - strchr(token, '.')), strchr(token, '.'));
	struct grpc_answer answer;

	dot[1] = dot[1] == 'A' ? 'B' : 'A'; /* another signature */
	for (int i = 0; i < 3; i++) {
		const char *forged[] = { token, unsigned_token, "not.a.token" };

		app_use_token(guest, forged[i]);
		expect_error(http_get(guest, "/v1/cart"), 401, NULL);
		answer = grpc_send(
			&(struct grpc_call){ .service = "cart",
					     .method = "/souk.cart.v1.CartService/GetCart",
					     .token = forged[i],
					     .certificate = "dev" });
		ck_assert_int_eq(answer.status, 16); /* the service sees for itself */
	}
}

TEST(a_cart_has_one_currency)
{
	const char *tea = product_new(1000, 5), *coffee = product_new(2000, 5);
	cleanup(app_freep) struct app *guest = guest_new();
	struct response *cart;

	cart = expect(http_post(guest, "/v1/cart/items",
				"{'product': '%s', 'quantity': 1, 'currencyCode': 'USD'}", tea),
		      200);
	ck_assert_str_eq(text_at(cart, "currencyCode"), "USD");
	expect_error(http_post(guest, "/v1/cart/items",
			       "{'product': '%s', 'quantity': 1, 'currencyCode': 'EUR'}", coffee),
		     400, "CART_CURRENCY_MISMATCH");
	expect(http_post(guest, "/v1/cart/items", "{'product': '%s', 'quantity': 1}", coffee), 200);
}

TEST(an_empty_cart_cannot_be_ordered)
{
	cleanup(app_freep) struct app *guest = guest_new();

	expect_error(order_place_once(guest, "guest@example.com", "standard", unique("order")), 400,
		     "ORDER_CART_EMPTY");
	expect_error(http_post(guest, "/v1/cart:quoteShipping", "{'address': " BERLIN "}"), 400,
		     "CART_EMPTY");
}

/* Straight at the cart, in the name of a guest. */
static struct grpc_answer add_item(struct app *app, const struct wire *message)
{
	return grpc_send(&(struct grpc_call){ .service = "cart",
					      .method = "/souk.cart.v1.CartService/AddCartItem",
					      .message = message,
					      .token = app_access_token(app),
					      .certificate = "dev" });
}

TEST(well_formed_grpc_is_served)
{
	const char *tea = product_new(1000, 5);
	cleanup(app_freep) struct app *guest = guest_new();
	struct wire message = {};
	struct grpc_answer answer;
	size_t size;

	wire_text(&message, 1, tea);
	wire_varint(&message, 3, 2);
	answer = add_item(guest, &message);
	ck_assert_msg(answer.status == 0, "%d %s", answer.status, answer.message);
	ck_assert_ptr_nonnull(grpc_field(&answer, 1, &size));
	ck_assert_int_eq(number_at(expect(http_get(guest, "/v1/cart"), 200), "items.0.quantity"),
			 2);
}

static void nul_in_text(struct wire *message)
{
	wire_bytes(message, 1, "te\0a", 4);
	wire_varint(message, 3, 1);
}

static void broken_utf8(struct wire *message)
{
	wire_bytes(message, 1, "te\xc3(", 4);
	wire_varint(message, 3, 1);
}

static void negative_quantity(struct wire *message)
{
	wire_text(message, 1, "tea");
	wire_varint(message, 3, (uint64_t)-1);
}

static void no_quantity(struct wire *message)
{
	wire_text(message, 1, "tea");
}

static void nested_messages(struct wire *message)
{
	wire_deep(message, 1, 10000);
}

static void nested_groups(struct wire *message)
{
	static uint8_t groups[20000];

	memset(groups, 12 << 3 | 3, 10000);
	memset(groups + 10000, 12 << 3 | 4, 10000);
	wire_raw(message, groups, sizeof(groups));
}

static void cut_short(struct wire *message)
{
	wire_raw(message, "\x0a\x7ftea", 5);
}

static void endless_varint(struct wire *message)
{
	wire_raw(message, "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
}

static void field_number_zero(struct wire *message)
{
	wire_raw(message, "\x02\x01x", 3);
}

static void length_of_gigabytes(struct wire *message)
{
	wire_raw(message, "\x0a\xff\xff\xff\xff\x7f", 6);
}

static const struct {
	const char *what;
	void (*make)(struct wire *message);
} broken[] = {
	{ "a NUL in a string", nul_in_text },
	{ "broken UTF-8", broken_utf8 },
	{ "a negative quantity", negative_quantity },
	{ "no quantity", no_quantity },
	{ "messages nested 10,000 deep", nested_messages },
	{ "groups nested 10,000 deep", nested_groups },
	{ "bytes that end too soon", cut_short },
	{ "a varint without an end", endless_varint },
	{ "field number 0", field_number_zero },
	{ "a length of gigabytes", length_of_gigabytes },
};

TEST_EACH(nonsense_over_grpc_is_refused, broken)
{
	cleanup(app_freep) struct app *guest = guest_new();
	struct wire message = {};
	struct grpc_answer answer;

	row->make(&message);
	answer = add_item(guest, &message);
	ck_assert_msg(answer.status == 3,
		      "%s: INVALID_ARGUMENT was expected, and it answered %d %s", row->what,
		      answer.status, answer.message);
	ck_assert_msg(*answer.message, "%s is refused without a word", row->what);
	expect(http_get(guest, "/v1/cart"), 200);
}

TEST(a_message_over_the_limit_is_refused)
{
	cleanup(app_freep) struct app *guest = guest_new();
	cleanup(freep) char *long_text = calloc(1, 5 << 20);
	struct wire message = {};
	struct grpc_answer answer;

	memset(long_text, 'a', 5 << 20);
	wire_bytes(&message, 1, long_text, 5 << 20);
	answer = add_item(guest, &message);
	ck_assert_int_eq(answer.status, 8);
}

static const char *const services[] = { "catalog",   "users",        "cart", "orders",  "payments",
					"inventory", "notification", "auth", "shipping" };

TEST_EACH(without_a_certificate_nobody_gets_in, services)
{
	struct grpc_answer answer = grpc_send(&(struct grpc_call){
		.service = *row, .method = "/grpc.health.v1.Health/Check", .certificate = NULL });

	ck_assert_msg(answer.transport != 0 && answer.status == -1, "%s answered %d", *row,
		      answer.status);
	answer = grpc_send(&(struct grpc_call){
		.service = *row, .method = "/grpc.health.v1.Health/Check", .certificate = "dev" });
	ck_assert_msg(answer.status == 0, "%s: %d %d %s", *row, answer.transport, answer.status,
		      answer.message);
}

TEST_EACH(an_unknown_method_is_unimplemented, services)
{
	struct grpc_answer answer = grpc_send(
		&(struct grpc_call){ .service = *row,
				     .method = "/souk.nothing.v1.NothingService/DoNothing",
				     .certificate = "dev" });

	ck_assert_msg(answer.status == 12, "%s: %d %d %s", *row, answer.transport, answer.status,
		      answer.message);
}

TEST(what_only_services_may_call_is_refused_to_people)
{
	cleanup(app_freep) struct app *amina = customer_new(NULL);
	struct wire message = {};
	struct grpc_answer answer;

	wire_text(&message, 1, "orders/any");
	answer = grpc_send(
		&(struct grpc_call){ .service = "inventory",
				     .method = "/souk.inventory.v1.InventoryService/ReserveStock",
				     .message = &message,
				     .token = app_access_token(amina),
				     .certificate = "dev" });
	ck_assert_int_eq(answer.status, 7);
	/* The gateway has no route to it, and its certificate does not admit it either. */
	answer = grpc_send(
		&(struct grpc_call){ .service = "payments",
				     .method = "/souk.payments.v1.PaymentsService/CapturePayment",
				     .message = &message,
				     .certificate = "gateway" });
	ck_assert_msg(answer.status == 7 || answer.status == 16, "%d", answer.status);
}

TEST_MAIN("nonsense", story_begin, story_end)
