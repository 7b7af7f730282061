/* The first purchase: all that a mobile app does, from the shelf to the parcel, with an HTTP client
 * and nothing else. */
#include "shop.h"
#include <string.h>

static void was_scanned(const struct response *shipment, const char *state)
{
	json_t *event;
	size_t i;

	json_array_foreach(json_at(shipment, "trackingEvents"), i, event)
	{
		if (!strcmp(json_string_value(json_object_get(event, "state")), state))
			return;
	}
	ck_abort_msg("no scan of %s in: %.2000s", state, shipment->body);
}

TEST(a_customer_buys_something_and_gets_it)
{
	const char *shelf = category_new(), *tea = product_new_in(shelf, 1250, 20), *email, *order,
		   *item, *method, *etag;
	cleanup(app_freep) struct app *amina = app_new();
	cleanup(stream_freep) struct stream *updates = NULL, *resumed = NULL;
	struct response *answer, *cart, *placed;
	json_t *mail;

	/* A guest browses: shelves, what is on one, one thing in detail. */
	app_take_session(amina, expect(http_post(amina, "/v1/sessions:guest", "{}"), 200));
	answer = expect(http_get(amina, "/v1/categories"), 200);
	ck_assert_uint_gt(count_at(answer, "categories"), 0);
	answer = expect(http_get(amina, "/v1/products?category=%s&pageSize=10", shelf), 200);
	ck_assert_uint_eq(count_at(answer, "products"), 1);
	ck_assert_str_eq(id_at(answer, "products.0.name"), tea);
	answer = expect(http_get(amina, "/v1/products/%s", tea), 200);
	ck_assert_int_eq(cents_at(answer, "price"), 1250);
	ck_assert_str_eq(text_at(answer, "variants.0.sku"), product_sku(tea));

	/* Puts it into the cart, thinks better of the number, looks. */
	cart = cart_add(amina, tea, 1);
	ck_assert_int_eq(number_at(cart, "items.0.quantity"), 1);
	item = id_at(cart, "items.0.name");
	cart = expect(http_patch(amina, text("/v1/cart/items/%s", item), "{'quantity': 3}"), 200);
	ck_assert_int_eq(number_at(cart, "items.0.quantity"), 3);
	cart = expect(http_get(amina, "/v1/cart"), 200);
	ck_assert_uint_eq(count_at(cart, "items"), 1);
	ck_assert_int_eq(cents_at(cart, "items.0.total"), 3750);
	ck_assert_int_eq(cents_at(cart, "subtotal"), 3750);
	ck_assert_uint_eq(count_at(cart, "warnings"), 0);

	/* Registers and logs in; the cart comes along. */
	email = text("%s@example.com", unique("amina"));
	expect(http_post(amina, "/v1/users",
			 "{'email': '%s', 'password': '%s', 'displayName': 'Amina'}", email,
			 PASSWORD),
	       200);
	expect(log_in(amina, email, PASSWORD), 200);
	cart = expect(http_get(amina, "/v1/cart"), 200);
	ck_assert_int_eq(number_at(cart, "items.0.quantity"), 3);

	/* Asks what shipping costs, and orders: the stock is reserved. */
	answer = expect(http_post(amina, "/v1/cart:quoteShipping", "{'address': " BERLIN "}"), 200);
	ck_assert_uint_gt(count_at(answer, "methods"), 0);
	method = text_at(answer, "methods.0.name");
	ck_assert(json_at(answer, "methods.0.promise.minDays") ||
		  json_at(answer, "methods.0.promise.maxDays"));
	placed = expect(order_place_once(amina, NULL, method, unique("order")), 200);
	order = id_at(placed, "name");
	ck_assert_str_eq(text_at(placed, "state"), "AWAITING_PAYMENT");
	ck_assert_str_eq(text_at(placed, "paymentState"), "UNPAID");
	ck_assert_int_eq(cents_at(placed, "totals.subtotal"), 3750);
	ck_assert_int_eq(cents_at(placed, "totals.total"),
			 cents_at(placed, "totals.subtotal") + cents_at(placed, "totals.shipping") +
				 cents_at(placed, "totals.tax") -
				 cents_at(placed, "totals.discount"));
	ck_assert_int_eq(stock_available(tea), 17);
	ck_assert_int_eq(stock_of(tea, "reserved"), 3);

	/* Watches, and pays. */
	updates = stream_open(amina, "/v1/orders/%s:watch", order);
	etag = json_string_value(
		json_path(stream_await(updates, "state", "AWAITING_PAYMENT", 10), "etag"));
	/* Another device was cut off there: it gets what is new, and nothing again. */
	resumed = stream_resume(amina, etag, "/v1/orders/%s:watch", order);
	answer = expect(order_pay(amina, order, VISA), 200);
	ck_assert_str_eq(text_at(answer, "state"), "CONFIRMED");
	ck_assert_str_eq(text_at(answer, "paymentState"), "PAID");

	/* The money was taken, once and to the cent; the stock is lower by what was bought; the
	 * cart is empty. */
	ck_assert_int_eq(stripe_charges(order), 1);
	ck_assert_int_eq(stripe_captured_cents(order), cents_at(placed, "totals.total"));
	ck_assert_int_eq(stock_available(tea), 17);
	ck_assert_int_eq(stock_of(tea, "onHand"), 17);
	ck_assert_int_eq(stock_of(tea, "reserved"), 0);
	eventually(20, count_at(expect(http_get(amina, "/v1/cart"), 200), "items") == 0);

	/* A mail confirms it, and names the order. */
	mail = mail_await(email, text_at(placed, "number"), 30);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(mail, "text")), "Amina"));

	/* The parcel's way comes over the stream, up to the door. A stream tells how things are, so
	 * on a slow machine two scans may come as one; the parcel itself forgets none. */
	stream_await(updates, "paymentState", "PAID", 10);
	stream_await(updates, "shipments.*.state", "DELIVERED", 60);
	stream_await(updates, "state", "COMPLETED", 30);
	stream_await(resumed, "state", "COMPLETED", 30);
	for (size_t i = 0; i < stream_count(resumed); i++) {
		const json_t *of_order = json_path(stream_event(resumed, i), "etag");

		ck_assert(!of_order ||
			  strcmp(json_string_value(of_order), etag)); /* none: the end */
	}
	answer = expect(http_get(amina, "/v1/orders/%s", order), 200);
	ck_assert_str_eq(text_at(answer, "fulfilmentState"), "DELIVERED");
	ck_assert_uint_ge(stream_count(updates), 4);
	answer = expect(http_get(amina, "/v1/%s", text_at(answer, "shipments.0.name")), 200);
	was_scanned(answer, "IN_TRANSIT");
	was_scanned(answer, "OUT_FOR_DELIVERY");
	was_scanned(answer, "DELIVERED");

	/* And it stands in the history. */
	answer = expect(http_get(amina, "/v1/orders"), 200);
	ck_assert_uint_eq(count_at(answer, "orders"), 1);
	ck_assert_str_eq(id_at(answer, "orders.0.name"), order);
}

TEST(a_guest_buys_without_an_account)
{
	const char *tea = product_new(900, 5), *email = text("%s@example.com", unique("guest")),
		   *order;
	cleanup(app_freep) struct app *guest = guest_new();
	cleanup(app_freep) struct app *stranger = app_new();
	struct response *found;

	cart_add(guest, tea, 1);
	expect_error(order_place_once(guest, NULL, shipping_cheapest(guest), unique("order")), 400,
		     "ORDER_EMAIL_REQUIRED");
	order = order_place(guest, email);
	expect(order_pay(guest, order, VISA), 200);
	mail_await(email, text_at(order_get(guest, order), "number"), 30);

	/* Who knows the number and the address finds it, without a session too. */
	found = expect(http_post(stranger, "/v1/orders:lookup", "{'number': '%s', 'email': '%s'}",
				 text_at(order_get(guest, order), "number"), email),
		       200);
	ck_assert_str_eq(id_at(found, "name"), order);
	expect_error(http_post(stranger, "/v1/orders:lookup",
			       "{'number': '%s', 'email': 'other@example.com'}",
			       text_at(found, "number")),
		     404, "ORDER_NOT_FOUND");
}

TEST(the_picture_of_a_product_is_served_with_leave_to_cache_it)
{
	const char *tea = product_new(500, 1);
	static const char svg[] = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 8 "
				  "8\"><circle r=\"4\"/></svg>";
	cleanup(app_freep) struct app *anyone = app_new();
	struct response *image, *again;

	expect(http_send(
		       staff(),
		       &(struct request){
			       .method = "POST",
			       .path = text("/v1/products/%s/images?imageId=front&altText=A%%20dot",
					    tea),
			       .body = svg,
			       .content_type = "image/svg+xml" }),
	       200);
	image = expect(http_get(anyone, "%s",
				text_at(expect(http_get(anyone, "/v1/products/%s", tea), 200),
					"images.0.uri")),
		       200);
	ck_assert_str_eq(image->body, svg);
	ck_assert_str_eq(response_header(image, "Content-Type"), "image/svg+xml");
	ck_assert_ptr_nonnull(strstr(response_header(image, "Cache-Control"), "max-age"));
	again = http_send(anyone, &(struct request){ .method = "GET",
						     .path = image->request + strlen("GET "),
						     .headers = (const char *const[]){
							     text("If-None-Match: %s",
								  response_header(image, "ETag")),
							     NULL } });
	ck_assert_int_eq(again->status, 304);
	ck_assert_uint_eq(again->size, 0);
}

TEST_MAIN("first purchase", story_begin, story_end)
