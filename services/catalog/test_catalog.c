/* Products, their pictures, and what is left of them. */
#include "test_catalog.h"
#include <common/clock.h>
#include <common/outbox.h>

TEST(a_draft_is_seen_by_staff_only)
{
	Product *product;

	ck_assert_int_eq(create("tea", variant("TEA", euro(5, 0)), &product), 0);
	ck_assert_str_eq(product->name, "products/tea");
	ck_assert_int_eq(product->state, PRODUCT_STATE_DRAFT);
	as("");
	ck_assert_int_eq(get("products/tea", &product), RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, PRODUCT_NOT_FOUND));
}

TEST(a_product_on_sale_shows_the_lowest_price_and_hides_the_others)
{
	Product *product;
	Variant *small = variant("TEA", euro(5, 0)), *large = variant("TEA-L", euro(9, 500000000));
	Product *tea = rpc_new(call, Product, .display_name = "Tea");
	ProductOption *size = rpc_new(call, ProductOption, .name = "size");

	product_option_add_values(call, size, "small");
	product_option_add_values(call, size, "large");
	product_add_options(call, tea, size);
	variant_add_options(call, small,
			    rpc_new(call, VariantOptionsEntry, .key = "size", .value = "small"));
	variant_add_options(call, large,
			    rpc_new(call, VariantOptionsEntry, .key = "size", .value = "large"));
	product_add_variants(call, tea, small);
	ck_assert_int_eq(catalog_client_create_product(
				 client, call,
				 MSG(CreateProductRequest, .product = tea, .product_id = "tea"),
				 &product),
			 0);
	ck_assert_int_eq(catalog_client_publish_product(
				 client, call, MSG(PublishProductRequest, .name = "tea"), &product),
			 0);
	ck_assert_int_eq(
		catalog_client_create_variant(
			client, call,
			MSG(CreateVariantRequest, .parent = "products/tea", .variant = large),
			&large),
		0);
	as("");
	ck_assert_int_eq(get("tea", &product), 0);
	ck_assert_int_eq(product->price->units, 5);
	ck_assert_uint_eq(product->n_variants, 2);
	ck_assert_int_eq(product->variants[1]->price->nanos, 500000000);
	ck_assert_uint_eq(product->variants[1]->n_prices, 0);
	ck_assert_int_eq(product->variants[0]->availability->state,
			 VARIANT_AVAILABILITY_STATE_UNSPECIFIED);
}

TEST(a_product_without_a_price_cannot_go_on_sale)
{
	Product *product;

	ck_assert_int_eq(create("tea", variant("TEA", NULL), &product), 0);
	ck_assert_int_eq(catalog_client_publish_product(
				 client, call, MSG(PublishProductRequest, .name = "tea"), &product),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PRODUCT_NOT_SELLABLE));
}

TEST(the_last_price_of_a_product_on_sale_stays)
{
	Empty *empty;

	create_on_sale("tea", "TEA", 5);
	ck_assert_int_eq(catalog_client_delete_variant(
				 client, call,
				 MSG(DeleteVariantRequest, .name = "products/tea/variants/TEA"),
				 &empty),
			 RPC_FAILED_PRECONDITION);
}

TEST(a_sku_belongs_to_one_variant)
{
	Product *product;

	ck_assert_int_eq(create("tea", variant("TEA", euro(5, 0)), &product), 0);
	ck_assert_int_eq(create("mint", variant("TEA", euro(5, 0)), &product), RPC_ALREADY_EXISTS);
	ck_assert(rpc_failed_with(call, SKU_TAKEN));
}

TEST(the_same_request_creates_once_and_gets_the_first_answer)
{
	Product *first, *second, *product = rpc_new(call, Product, .display_name = "Tea");
	const CreateProductRequest *request =
		MSG(CreateProductRequest, .product = product, .request_id = "r1");

	ck_assert_int_eq(catalog_client_create_product(client, call, request, &first), 0);
	ck_assert_int_eq(catalog_client_create_product(client, call, request, &second), 0);
	ck_assert_str_eq(first->name, second->name);
	product->display_name = "Mint";
	ck_assert_int_eq(catalog_client_create_product(client, call, request, &second),
			 RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REQUEST_ID_REUSED));
}

TEST(a_change_of_an_old_version_is_refused)
{
	Product *product, *changed;

	ck_assert_int_eq(create("tea", variant("TEA", euro(5, 0)), &product), 0);
	ck_assert_int_eq(
		catalog_client_update_product(
			client, call,
			MSG(UpdateProductRequest,
			    .product = rpc_new(call, Product, .name = "products/tea",
					       .display_name = "Green tea", .etag = product->etag)),
			&changed),
		0);
	ck_assert_str_eq(changed->display_name, "Green tea");
	ck_assert_int_eq(
		catalog_client_update_product(
			client, call,
			MSG(UpdateProductRequest,
			    .product = rpc_new(call, Product, .name = "products/tea",
					       .display_name = "Black tea", .etag = product->etag)),
			&changed),
		RPC_ABORTED);
	ck_assert(rpc_failed_with(call, ETAG_MISMATCH));
}

static int upload_size(const char *type, const char *bytes, int32_t width, ProductImage **ret)
{
	HttpBody *file = rpc_new(call, HttpBody, .content_type = type,
				 .data = { strlen(bytes), (uint8_t *)bytes });

	return catalog_client_upload_product_image(
		client, call,
		MSG(UploadProductImageRequest, .parent = "products/tea", .file = file,
		    .image_id = "front", .alt_text = "A cup", .width = width),
		ret);
}

static int upload(const char *type, const char *bytes, ProductImage **ret)
{
	return upload_size(type, bytes, 0, ret);
}

TEST(a_picture_is_served_as_it_was_uploaded)
{
	ProductImage *image;
	Product *product;
	HttpBody *body;

	create_on_sale("tea", "TEA", 5);
	ck_assert_int_eq(upload("image/svg+xml",
				"<svg xmlns=\"http://www.w3.org/2000/svg\"><use href=\"#a\" "
				"fill=\"url(#b)\"/></svg>",
				&image),
			 0);
	ck_assert_str_eq(image->uri, "/v1/products/tea/images/front");
	as("");
	ck_assert_int_eq(get("tea", &product), 0);
	ck_assert_str_eq(product->images[0]->alt_text, "A cup");
	ck_assert_int_eq(catalog_client_get_product_image(
				 client, call,
				 MSG(GetProductImageRequest, .name = "products/tea/images/front"),
				 &body),
			 0);
	ck_assert_str_eq(body->content_type, "image/svg+xml");
}

static const struct {
	int32_t width;
	const char *bytes;
} sizes[] = {
	{ 50, "<svg>100</svg>" },  { 100, "<svg>100</svg>" }, { 101, "<svg>400</svg>" },
	{ 900, "<svg>400</svg>" }, { 0, "<svg>400</svg>" },
};
TEST_EACH(the_smallest_size_that_is_large_enough_is_served, sizes)
{
	ProductImage *image;
	HttpBody *body;

	create_on_sale("tea", "TEA", 5);
	ck_assert_int_eq(upload_size("image/svg+xml", "<svg>400</svg>", 400, &image), 0);
	ck_assert_int_eq(upload_size("image/svg+xml", "<svg>100</svg>", 100, &image), 0);
	ck_assert_uint_eq(image->n_widths, 2);
	ck_assert_int_eq(image->widths[0], 100);
	ck_assert_int_eq(catalog_client_get_product_image(client, call,
							  MSG(GetProductImageRequest,
							      .name = "products/tea/images/front",
							      .width = row->width),
							  &body),
			 0);
	ck_assert_uint_eq(body->data.len, strlen(row->bytes));
	ck_assert_int_eq(memcmp(body->data.data, row->bytes, body->data.len), 0);
}

static int show_by(const char *image, Variant **ret)
{
	Variant *changed = rpc_new(call, Variant, .name = "products/tea/variants/TEA");

	variant_add_images(call, changed, image);
	return catalog_client_update_variant(client, call,
					     MSG(UpdateVariantRequest, .variant = changed), ret);
}

TEST(a_variant_is_shown_by_pictures_that_its_product_has)
{
	ProductImage *image;
	Variant *variant;
	Product *product;
	Empty *empty;

	create_on_sale("tea", "TEA", 5);
	ck_assert_int_eq(show_by("products/tea/images/front", &variant), RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(call, IMAGE_NOT_FOUND));
	ck_assert_int_eq(upload("image/svg+xml", "<svg/>", &image), 0);
	ck_assert_int_eq(show_by("products/tea/images/front", &variant), 0);
	ck_assert_uint_eq(variant->n_images, 1);
	ck_assert_int_eq(
		catalog_client_delete_product_image(
			client, call,
			MSG(DeleteProductImageRequest, .name = "products/tea/images/front"),
			&empty),
		0);
	ck_assert_int_eq(get("tea", &product), 0);
	ck_assert_uint_eq(product->n_images, 0);
	ck_assert_uint_eq(product->variants[0]->n_images, 0);
}

static const char *const bad_svgs[] = {
	"<svg><script>alert(1)</script></svg>",
	"<svg onload=\"alert(1)\"/>",
	"<svg ONLOAD = 'alert(1)'/>",
	"<svg><a href=\"javascript:alert(1)\"/></svg>",
	"<svg><image href=\"https://elsewhere.example/x\"/></svg>",
	"<svg><image href = '//elsewhere.example/x'/></svg>",
	"<svg><rect fill=\"url( 'https://elsewhere.example/x#a' )\"/></svg>",
	"<svg xmlns:s=\"http://www.w3.org/2000/svg\"><s:script>alert(1)</s:script></svg>",
	"<?xml-stylesheet href=\"#a\"?><svg/>",
	"not a picture",
};
TEST_EACH(a_picture_that_would_do_more_is_refused, bad_svgs)
{
	ProductImage *image;

	create_on_sale("tea", "TEA", 5);
	ck_assert_int_eq(upload("image/svg+xml", *row, &image), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, IMAGE_TYPE_UNSUPPORTED));
}

TEST(availability_follows_inventory_and_never_goes_back)
{
	Product *product;

	create_on_sale("tea", "TEA", 5);
	tell_stock("TEA", 2, 2);
	tell_stock("TEA", 1, 50);
	ck_assert_int_eq(get("tea", &product), 0);
	ck_assert_int_eq(product->variants[0]->availability->state,
			 VARIANT_AVAILABILITY_STATE_LOW_STOCK);
	ck_assert_int_eq(product->variants[0]->availability->quantity, 2);
}

static const struct {
	int32_t available, backorderable;
	bool preorder;
	VariantAvailabilityState state;
	int32_t quantity;
} ahead[] = {
	{ 0, 0, true, VARIANT_AVAILABILITY_STATE_OUT_OF_STOCK, 0 },
	{ 0, 9, false, VARIANT_AVAILABILITY_STATE_BACKORDER, 9 },
	{ 0, 9, true, VARIANT_AVAILABILITY_STATE_PREORDER, 9 },
	{ 2, 9, true, VARIANT_AVAILABILITY_STATE_LOW_STOCK, 2 },
};
TEST_EACH(what_is_gone_may_be_ordered_ahead, ahead)
{
	const VariantAvailability *availability;
	Product *product;

	create_on_sale("tea", "TEA", 5);
	tell_levels("TEA", 1,
		    (souk_inventory_v1_StockLevels){ .available = row->available,
						     .low_stock_threshold = 3,
						     .backorderable = row->backorderable,
						     .preorder = row->preorder,
						     .promise_time_ms = 1800000000000 });
	ck_assert_int_eq(get("tea", &product), 0);
	availability = product->variants[0]->availability;
	ck_assert_int_eq(availability->state, row->state);
	ck_assert_int_eq(availability->quantity, row->quantity);
	ck_assert_int_eq(clock_ms(availability->promise_time),
			 row->available || !row->backorderable ? 0 : 1800000000000);
}

TEST(what_inventory_said_before_the_product_came_is_not_lost)
{
	Product *product;

	tell_stock("TEA", 4, 7);
	create_on_sale("tea", "TEA", 5);
	ck_assert_int_eq(catalog_sweep(&catalog, call), 0);
	ck_assert_int_eq(get("tea", &product), 0);
	ck_assert_int_eq(product->variants[0]->availability->quantity, 7);
}

static void expect_available(const char *name, int quantity)
{
	Product *product;

	for (int i = 0; i < 2; i++) /* a turn that came to the end of what waits begins again */
		ck_assert_int_eq(catalog_sweep(&catalog, call), 0);
	ck_assert_int_eq(get(name, &product), 0);
	ck_assert_ptr_nonnull(product->variants[0]->availability);
	ck_assert_int_eq(product->variants[0]->availability->quantity, quantity);
}

static Variant *of_size(const char *sku, const char *size)
{
	Variant *made = variant(sku, euro(5, 0));

	variant_add_options(call, made,
			    rpc_new(call, VariantOptionsEntry, .key = "size", .value = size));
	return made;
}

TEST(what_inventory_said_leaves_a_product_with_the_sku)
{
	ProductOption *size = rpc_new(call, ProductOption, .name = "size");
	Product *product = rpc_new(call, Product, .display_name = "Mug");
	ProductRecord *record;
	Variant *large;
	Empty *empty;

	product_option_add_values(call, size, "small");
	product_option_add_values(call, size, "large");
	product_add_options(call, product, size);
	product_add_variants(call, product, of_size("SMALL", "small"));
	product_add_variants(call, product, of_size("LARGE", "large"));
	ck_assert_int_eq(catalog_client_create_product(
				 client, call,
				 MSG(CreateProductRequest, .product = product, .product_id = "mug"),
				 &product),
			 0);
	tell_stock("SMALL", 1, 9);
	tell_stock("LARGE", 4, 7);
	ck_assert_int_eq(catalog_client_delete_variant(
				 client, call,
				 MSG(DeleteVariantRequest, .name = product->variants[1]->name),
				 &empty),
			 0);
	ck_assert_int_eq(catalog_sweep(&catalog, call), 0);
	ck_assert_int_eq(product_read(call, "mug", &record), 0);
	ck_assert_uint_eq(record->n_stock_notes, 1);
	ck_assert_str_eq(record->stock_notes[0]->sku, "SMALL");
	ck_assert(!record->notes_left);
	tell_stock("LARGE", 3, 50); /* what waits is as new as it was */

	/* The same product takes it again:
	 * the development database frees a SKU only
	 * with its product. */
	ck_assert_int_eq(
		catalog_client_create_variant(client, call,
					      MSG(CreateVariantRequest, .parent = "products/mug",
						  .variant = of_size("LARGE", "large")),
					      &large),
		0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(catalog_sweep(&catalog, call), 0);
	ck_assert_int_eq(get("products/mug", &product), 0);
	ck_assert_int_eq(product->variants[0]->availability->quantity, 9);
	ck_assert_int_eq(product->variants[1]->availability->quantity, 7);
}

TEST(a_sku_of_a_deleted_product_takes_what_inventory_said_of_it_along)
{
	Product *product;
	Empty *empty;

	ck_assert_int_eq(create("tea", variant("TEA", euro(5, 0)), &product), 0);
	tell_stock("TEA", 1, 9);
	ck_assert_int_eq(
		catalog_client_delete_product(
			client, call, MSG(DeleteProductRequest, .name = product->name), &empty),
		0);
	tell_stock("TEA", 2, 8);
	stores_nats();
	while (outbox_relay(NULL, call) > 0)
		;
	ck_assert_int_eq(outbox_settle(call), 0);
	ck_assert_int_eq(catalog_sweep(&catalog, call), 0);
	create_on_sale("tea-two", "TEA", 5);
	expect_available("products/tea-two", 8);
}

TEST(a_caller_without_the_permission_changes_nothing)
{
	Product *product;

	as("orders.manage");
	ck_assert_int_eq(create("tea", NULL, &product), RPC_PERMISSION_DENIED);
}

TEST(carts_learn_what_they_need_of_a_variant)
{
	BatchGetVariantsResponse *response;
	BatchGetVariantsRequest *request;

	create_on_sale("tea", "TEA", 5);
	as("");
	request = rpc_new(call, BatchGetVariantsRequest, .currency_code = "EUR");
	rpc_call_set_caller(call, &(const struct rpc_caller){ .user = "",
							      .session = "",
							      .scope = "",
							      .merge_from = "",
							      .service = "cart" });
	batch_get_variants_request_add_names(call, request, "products/tea");
	batch_get_variants_request_add_names(call, request, "products/none/variants/x");
	ck_assert_int_eq(catalog_client_batch_get_variants(client, call, request, &response), 0);
	ck_assert_uint_eq(response->n_variants, 1);
	ck_assert_str_eq(response->variants[0]->variant->sku, "TEA");
	ck_assert(response->variants[0]->sellable);
	ck_assert_str_eq(response->missing[0], "products/none/variants/x");
}

static const VariantDetails *details_for_cart(void)
{
	BatchGetVariantsRequest *request =
		rpc_new(call, BatchGetVariantsRequest, .currency_code = "EUR");
	const struct rpc_caller staff = *rpc_caller(call);
	BatchGetVariantsResponse *response;

	batch_get_variants_request_add_names(call, request, "products/tea/variants/TEA");
	rpc_call_set_caller(call, &(const struct rpc_caller){ .user = "",
							      .session = "",
							      .scope = "",
							      .merge_from = "",
							      .service = "cart" });
	ck_assert_int_eq(catalog_client_batch_get_variants(client, call, request, &response), 0);
	rpc_call_set_caller(call, &staff);
	return response->n_variants ? response->variants[0] : NULL;
}

TEST(carts_learn_at_once_what_staff_change_here)
{
	Variant *changed, *asked;
	Product *product;
	Empty *empty;

	create_on_sale("tea", "TEA", 5);
	ck_assert_int_eq(details_for_cart()->variant->price->units, 5);
	asked = rpc_new(call, Variant, .name = "products/tea/variants/TEA");
	variant_add_prices(call, asked, price(euro(7, 0)));
	ck_assert_int_eq(catalog_client_update_variant(client, call,
						       MSG(UpdateVariantRequest, .variant = asked),
						       &changed),
			 0);
	ck_assert_int_eq(details_for_cart()->variant->price->units, 7);
	ck_assert_int_eq(
		catalog_client_archive_product(
			client, call, MSG(ArchiveProductRequest, .name = "products/tea"), &product),
		0);
	ck_assert(!details_for_cart()->sellable);
	ck_assert_int_eq(
		catalog_client_delete_product(
			client, call, MSG(DeleteProductRequest, .name = "products/tea"), &empty),
		0);
	ck_assert_ptr_null(details_for_cart());
}

TEST_MAIN("catalog", setup, teardown)
