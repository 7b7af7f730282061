/* The catalogue's handlers with their documents, against the real server. */
#include "catalog_store.h"
#include "errors.msg.h"
#include <stores.h>
#include <string.h>
#include <test.h>

static struct catalog_service catalog = { .currencies = "EUR,USD" };
static struct catalog_client *client;
static struct rpc_call *call;

static void as(const char *scope)
{
	rpc_call_free(call);
	call = rpc_call_new("test", 10000);
	rpc_call_set_caller(call, &(const struct rpc_caller){ .user = "users/ann",
							      .session = "sessions/1",
							      .scope = scope,
							      .merge_from = "",
							      .service = "" });
}

static void setup(void)
{
	stores_mongo("catalog");
	client = catalog_client_local(&catalog_service, &catalog);
	as("catalog.manage");
}

static void teardown(void)
{
	client = catalog_client_free(client);
	call = rpc_call_free(call);
	stores_close();
}

static Money *euro(int64_t units, int32_t nanos)
{
	return rpc_new(call, Money, .currency_code = "EUR", .units = units, .nanos = nanos);
}

static VariantPrice *price(Money *amount)
{
	return rpc_new(call, VariantPrice, .amount = amount);
}

static Variant *variant(const char *sku, Money *amount)
{
	Variant *made = rpc_new(call, Variant, .sku = sku, .weight_grams = 250);

	if (amount)
		variant_add_prices(call, made, price(amount));
	return made;
}

static int create(const char *id, Variant *of, Product **ret)
{
	Product *product = rpc_new(call, Product, .display_name = "Tea");

	if (of)
		product_add_variants(call, product, of);
	return catalog_client_create_product(
		client, call, MSG(CreateProductRequest, .product = product, .product_id = id), ret);
}

static void create_on_sale(const char *id, const char *sku, int64_t units)
{
	Product *product;

	ck_assert_int_eq(create(id, variant(sku, euro(units, 0)), &product), 0);
	ck_assert_int_eq(
		catalog_client_publish_product(
			client, call, MSG(PublishProductRequest, .name = product->name), &product),
		0);
}

static int get(const char *name, Product **ret)
{
	return catalog_client_get_product(client, call, MSG(GetProductRequest, .name = name), ret);
}

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

TEST(a_list_pages_through_every_product_once)
{
	ListProductsResponse *page;
	const char *token = "";
	size_t seen = 0;

	for (int i = 0; i < 7; i++) {
		const char *id = rpc_printf(call, "p%d", i);

		create_on_sale(id, id, 10 - i);
	}
	as("");
	do {
		int64_t last = 0;

		ck_assert_int_eq(
			catalog_client_list_products(client, call,
						     MSG(ListProductsRequest, .page_size = 3,
							 .order_by = "price", .page_token = token),
						     &page),
			0);
		for (size_t i = 0; i < page->n_products; i++) {
			ck_assert_int_ge(page->products[i]->price->units, last);
			last = page->products[i]->price->units;
		}
		seen += page->n_products;
		token = page->next_page_token;
	} while (*token);
	ck_assert_uint_eq(seen, 7);
}

static const struct {
	const char *filter;
	int code;
	size_t found;
} filters[] = {
	{ "price >= 10", 0, 1 },
	{ "price < 10 AND price > 4", 0, 1 },
	{ "availability = OUT_OF_STOCK", 0, 0 },
	{ "attributes.brand = \"Souk \\\"One\\\"\"", 0, 0 },
	{ "price ~ 10", RPC_INVALID_ARGUMENT, 0 },
	{ "price = ten", RPC_INVALID_ARGUMENT, 0 },
	{ "colour = red", RPC_INVALID_ARGUMENT, 0 },
	{ "state = DRAFT", RPC_INVALID_ARGUMENT, 0 },
	{ "price > 1 OR price < 3", RPC_INVALID_ARGUMENT, 0 },
	{ "attributes.brand = \"open", RPC_INVALID_ARGUMENT, 0 },
	{ "options.$where = \"1\"", 0, 0 },
};
TEST_EACH(a_filter_admits_what_it_says, filters)
{
	ListProductsResponse *page;

	create_on_sale("cheap", "CHEAP", 5);
	create_on_sale("dear", "DEAR", 15);
	as("");
	ck_assert_int_eq(
		catalog_client_list_products(
			client, call, MSG(ListProductsRequest, .filter = row->filter), &page),
		row->code);
	if (!row->code)
		ck_assert_uint_eq(page->n_products, row->found);
}

static void create_category(const char *id, const char *parent)
{
	Category *category = rpc_new(call, Category, .display_name = id, .parent = parent);

	ck_assert_int_eq(
		catalog_client_create_category(
			client, call,
			MSG(CreateCategoryRequest, .category = category, .category_id = id),
			&category),
		0);
}

static size_t count_in(const char *category)
{
	ListProductsResponse *page;

	ck_assert_int_eq(
		catalog_client_list_products(client, call,
					     MSG(ListProductsRequest, .category = category), &page),
		0);
	return page->n_products;
}

static void put_into(const char *product, const char *category)
{
	Product *changed = rpc_new(call, Product, .name = product);

	product_add_categories(call, changed, category);
	ck_assert_int_eq(
		catalog_client_update_product(
			client, call, MSG(UpdateProductRequest, .product = changed), &changed),
		0);
}

TEST(a_moved_category_takes_its_products_along)
{
	Category *moved;
	int r;

	create_category("drinks", "");
	create_category("tea", "drinks");
	create_category("green", "tea");
	create_category("gifts", "");
	create_on_sale("sencha", "SENCHA", 9);
	put_into("products/sencha", "categories/green");
	ck_assert_uint_eq(count_in("drinks"), 1);
	ck_assert_uint_eq(count_in("gifts"), 0);

	ck_assert_int_eq(catalog_client_update_category(
				 client, call,
				 MSG(UpdateCategoryRequest,
				     .category = rpc_new(call, Category, .name = "categories/tea",
							 .parent = "categories/gifts")),
				 &moved),
			 0);
	while ((r = catalog_sweep(&catalog, call)) > 0)
		;
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(count_in("drinks"), 0);
	ck_assert_uint_eq(count_in("gifts"), 1);
}

TEST(a_category_cannot_be_its_own_ancestor)
{
	Category *moved;

	create_category("drinks", "");
	create_category("tea", "drinks");
	ck_assert_int_eq(
		catalog_client_update_category(
			client, call,
			MSG(UpdateCategoryRequest,
			    .category = rpc_new(call, Category, .name = "categories/drinks",
						.parent = "categories/tea")),
			&moved),
		RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, CATEGORY_CYCLE));
}

static int upload(const char *type, const char *bytes, ProductImage **ret)
{
	HttpBody *file = rpc_new(call, HttpBody, .content_type = type,
				 .data = { strlen(bytes), (uint8_t *)bytes });

	return catalog_client_upload_product_image(client, call,
						   MSG(UploadProductImageRequest,
						       .parent = "products/tea", .file = file,
						       .image_id = "front", .alt_text = "A cup"),
						   ret);
}

TEST(a_picture_is_served_as_it_was_uploaded)
{
	ProductImage *image;
	Product *product;
	HttpBody *body;

	create_on_sale("tea", "TEA", 5);
	ck_assert_int_eq(
		upload("image/svg+xml", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>", &image), 0);
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

static const char *const bad_svgs[] = {
	"<svg><script>alert(1)</script></svg>",
	"<svg onload=\"alert(1)\"/>",
	"<svg ONLOAD = 'alert(1)'/>",
	"<svg><a href=\"javascript:alert(1)\"/></svg>",
	"<svg><image href=\"https://elsewhere.example/x\"/></svg>",
	"not a picture",
};
TEST_EACH(a_picture_that_would_do_more_is_refused, bad_svgs)
{
	ProductImage *image;

	create_on_sale("tea", "TEA", 5);
	ck_assert_int_eq(upload("image/svg+xml", *row, &image), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, IMAGE_TYPE_UNSUPPORTED));
}

static void tell_stock(const char *sku, int64_t version, int64_t available)
{
	souk_inventory_v1_StockAdjusted event = { .version = version, .has_levels = true };

	event_text(event.sku, sku);
	event.levels.available = available;
	event.levels.low_stock_threshold = 3;
	ck_assert_int_eq(catalog_inventory.stock_adjusted(NULL, call, &event, NULL), 0);
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

TEST(what_inventory_said_before_the_product_came_is_not_lost)
{
	Product *product;

	tell_stock("TEA", 4, 7);
	create_on_sale("tea", "TEA", 5);
	ck_assert_int_eq(catalog_sweep(&catalog, call), 0);
	ck_assert_int_eq(get("tea", &product), 0);
	ck_assert_int_eq(product->variants[0]->availability->quantity, 7);
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

TEST_MAIN("catalog", setup, teardown)
