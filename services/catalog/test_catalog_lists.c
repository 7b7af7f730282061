/* Lists of products, and the shelves that they stand on. */
#include "test_catalog.h"

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

static void give_brand(const char *product, const char *brand)
{
	Product *changed = rpc_new(call, Product, .name = product);

	product_add_attributes(
		call, changed,
		rpc_new(call, ProductAttributesEntry, .key = "brand", .value = brand));
	ck_assert_int_eq(
		catalog_client_update_product(
			client, call, MSG(UpdateProductRequest, .product = changed), &changed),
		0);
}

static const struct {
	const char *filter;
	int code;
	size_t found;
} filters[] = {
	{ "price >= 10", 0, 1 },
	{ "price < 10 AND price > 4", 0, 1 },
	{ "availability = OUT_OF_STOCK", 0, 0 },
	{ "availability = LOW_STOCK", 0, 1 },
	{ "availability != OUT_OF_STOCK", 0, 3 },
	{ "availability = PREORDER", 0, 1 },
	{ "availability = BACKORDER", 0, 0 },
	{ "attributes.brand = \"Souk \\\"One\\\"\"", 0, 1 },
	{ "attributes.brand != \"Souk \\\"One\\\"\"", 0, 2 },
	{ "attributes.brand = Souk", 0, 0 },
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
	give_brand("products/dear", "Souk \"One\"");
	tell_stock("DEAR", 1, 2);
	create_on_sale("early", "EARLY", 3);
	tell_levels("EARLY", 1,
		    (souk_inventory_v1_StockLevels){ .backorderable = 9, .preorder = true });
	as("");
	ck_assert_int_eq(
		catalog_client_list_products(
			client, call, MSG(ListProductsRequest, .filter = row->filter), &page),
		row->code);
	if (!row->code)
		ck_assert_uint_eq(page->n_products, row->found);
}

static Variant *mug(const char *size, const char *colour)
{
	Variant *made = variant(rpc_printf(call, "%s-%s", size, colour), euro(9, 0));

	variant_add_options(call, made,
			    rpc_new(call, VariantOptionsEntry, .key = "size", .value = size));
	variant_add_options(call, made,
			    rpc_new(call, VariantOptionsEntry, .key = "colour", .value = colour));
	return made;
}

static ProductOption *option(const char *name, const char *one, const char *other)
{
	ProductOption *made = rpc_new(call, ProductOption, .name = name);

	product_option_add_values(call, made, one);
	product_option_add_values(call, made, other);
	return made;
}

static const struct {
	const char *filter;
	size_t found;
} choices[] = {
	{ "options.size = large", 1 },
	{ "options.size = large AND options.colour = blue", 1 },
	{ "options.size = large AND options.colour = red", 0 },
	{ "options.size = large AND options.colour = blue AND price > 10", 0 },
	{ "options.size != large", 0 },
	{ "options.size != huge AND options.colour = red", 1 },
};
TEST_EACH(the_options_of_a_filter_are_those_of_one_variant, choices)
{
	Product *product = rpc_new(call, Product, .display_name = "Mug");
	ListProductsResponse *page;

	product_add_options(call, product, option("size", "small", "large"));
	product_add_options(call, product, option("colour", "red", "blue"));
	product_add_variants(call, product, mug("small", "red"));
	product_add_variants(call, product, mug("large", "blue"));
	ck_assert_int_eq(catalog_client_create_product(
				 client, call,
				 MSG(CreateProductRequest, .product = product, .product_id = "mug"),
				 &product),
			 0);
	ck_assert_int_eq(catalog_client_publish_product(
				 client, call, MSG(PublishProductRequest, .name = "mug"), &product),
			 0);
	as("");
	ck_assert_int_eq(
		catalog_client_list_products(
			client, call, MSG(ListProductsRequest, .filter = row->filter), &page),
		0);
	ck_assert_uint_eq(page->n_products, row->found);
}

static const struct {
	const char *order_by;
	int code;
	const char *first;
} orders[] = {
	{ "", 0, "products/b" },
	{ "create_time", 0, "products/a" },
	{ "price desc", 0, "products/a" },
	{ "price asc", 0, "products/b" },
	{ "display_name desc", 0, "products/b" },
	{ "rating", 0, "products/a" },
	{ "price upward", RPC_INVALID_ARGUMENT, NULL },
	{ "weight", RPC_INVALID_ARGUMENT, NULL },
};
TEST_EACH(a_list_is_sorted_as_is_asked, orders)
{
	ListProductsResponse *page;
	Product *changed;

	create_on_sale("a", "A", 15);
	rpc_call_set_now(call, rpc_now_ms(call) + 1000);
	create_on_sale("b", "B", 5);
	changed = rpc_new(call, Product, .name = "products/b", .display_name = "Zhen");
	ck_assert_int_eq(
		catalog_client_update_product(
			client, call, MSG(UpdateProductRequest, .product = changed), &changed),
		0);
	as("");
	ck_assert_int_eq(
		catalog_client_list_products(
			client, call, MSG(ListProductsRequest, .order_by = row->order_by), &page),
		row->code);
	if (row->first)
		ck_assert_str_eq(page->products[0]->name, row->first);
}

TEST(products_are_got_by_their_names_and_who_is_missing_is_said)
{
	BatchGetProductsRequest *request;
	static const char *const names[] = { "products/b", "products/none", "products/draft",
					     "products/a", "products/b" };
	BatchGetProductsResponse *response;
	Product *draft;

	create_on_sale("a", "A", 15);
	create_on_sale("b", "B", 5);
	ck_assert_int_eq(create("draft", NULL, &draft), 0);
	as("");
	request = rpc_new(call, BatchGetProductsRequest);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		batch_get_products_request_add_names(call, request, names[i]);
	ck_assert_int_eq(catalog_client_batch_get_products(client, call, request, &response), 0);
	ck_assert_uint_eq(response->n_products, 2);
	ck_assert_str_eq(response->products[0]->name, "products/b");
	ck_assert_str_eq(response->products[1]->name, "products/a");
	ck_assert_uint_eq(response->n_missing, 2);
	ck_assert_str_eq(response->missing[1], "products/draft");
}

TEST(a_price_is_that_of_the_currency_that_is_asked_for)
{
	Variant *tea = variant("TEA", euro(5, 0));
	VariantPrice *dollars = price(rpc_new(call, Money, .currency_code = "USD", .units = 6));
	ListProductsResponse *page;
	Product *product;

	dollars->compare_at = rpc_new(call, Money, .currency_code = "USD", .units = 8);
	variant_add_prices(call, tea, dollars);
	ck_assert_int_eq(create("tea", tea, &product), 0);
	ck_assert_int_eq(catalog_client_publish_product(
				 client, call, MSG(PublishProductRequest, .name = "tea"), &product),
			 0);
	as("");
	ck_assert_int_eq(get("tea", &product), 0);
	ck_assert_int_eq(product->price->units, 5);
	ck_assert_ptr_null(product->variants[0]->compare_at_price);
	ck_assert_int_eq(
		catalog_client_list_products(
			client, call,
			MSG(ListProductsRequest, .currency_code = "USD", .filter = "price > 5.50"),
			&page),
		0);
	ck_assert_uint_eq(page->n_products, 1);
	ck_assert_int_eq(page->products[0]->price->units, 6);
	ck_assert_int_eq(page->products[0]->variants[0]->compare_at_price->units, 8);
	ck_assert_int_eq(catalog_client_get_product(
				 client, call,
				 MSG(GetProductRequest, .name = "tea", .currency_code = "JPY"),
				 &product),
			 RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, CURRENCY_UNSUPPORTED));
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

TEST(categories_are_listed_as_the_tree_stands_and_go_when_they_are_empty)
{
	ListCategoriesResponse *page;
	Empty *empty;

	create_category("tea", "");
	create_category("cups", "");
	create_category("green", "tea");
	create_on_sale("sencha", "SENCHA", 9);
	put_into("products/sencha", "categories/green");
	ck_assert_int_eq(
		catalog_client_list_categories(client, call, MSG(ListCategoriesRequest), &page), 0);
	ck_assert_uint_eq(page->n_categories, 3);
	ck_assert_str_eq(page->categories[2]->name, "categories/green");
	ck_assert_str_eq(page->categories[2]->ancestors[0], "categories/tea");
	ck_assert_int_eq(catalog_client_list_categories(
				 client, call, MSG(ListCategoriesRequest, .parent = "tea"), &page),
			 0);
	ck_assert_uint_eq(page->n_categories, 1);
	for (const char *const *full = (const char *[]){ "tea", "green", NULL }; *full; full++) {
		ck_assert_int_eq(
			catalog_client_delete_category(
				client, call, MSG(DeleteCategoryRequest, .name = *full), &empty),
			RPC_FAILED_PRECONDITION);
		ck_assert(rpc_failed_with(call, CATEGORY_NOT_EMPTY));
	}
	ck_assert_int_eq(catalog_client_delete_category(
				 client, call, MSG(DeleteCategoryRequest, .name = "cups"), &empty),
			 0);
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

static CategoryRecord *category(const char *id)
{
	CategoryRecord *record;

	ck_assert_int_eq(category_read(call, id, &record), 0);
	return record;
}

/* As if the other's move had not been written yet when it was looked at. */
static void move_below(CategoryRecord *record, CategoryRecord *parent)
{
	Category *moved = record->category;

	moved->parent = parent->category->name;
	category_add_ancestors(call, moved, moved->parent);
	record->tree_path = rpc_printf(call, "%s%s", parent->tree_path, record->tree_path);
	record->moved = true;
	ck_assert_int_eq(category_save(call, record), 0);
}

TEST(two_moves_at_once_leave_a_tree)
{
	CategoryRecord *cups, *tea;
	int turns = 0;

	create_category("cups", "");
	create_category("tea", "");
	cups = category("cups");
	tea = category("tea");
	move_below(cups, tea);
	move_below(tea, cups);
	while (catalog_sweep(&catalog, call) > 0)
		ck_assert_int_lt(turns++, 10);
	cups = category("cups");
	tea = category("tea");
	ck_assert_int_eq(!*cups->category->parent + !*tea->category->parent, 1);
	ck_assert_uint_eq(cups->category->n_ancestors + tea->category->n_ancestors, 1);
}

static void delete_category(const char *name)
{
	Empty *empty;

	ck_assert_int_eq(catalog_client_delete_category(
				 client, call, MSG(DeleteCategoryRequest, .name = name), &empty),
			 0);
}

/* Looks that were due until then are over. */
static void sweep_in(int64_t ms)
{
	int64_t now = rpc_now_ms(call);
	int turns = 0;

	rpc_call_set_now(call, now + ms);
	while (catalog_sweep(&catalog, call) > 0)
		ck_assert_int_lt(turns++, 20);
	rpc_call_set_now(call, now);
}

static const Product *product(const char *id)
{
	ProductRecord *record;

	ck_assert_int_eq(product_read(call, id, &record), 0);
	return record->product;
}

/* Who looked for the category before it was deleted, and writes after it. */
static void put_late(ProductRecord *record, const char *category)
{
	product_add_categories(call, record->product, category);
	ck_assert_int_eq(product_save(call, record, NULL), 0);
}

TEST(what_comes_into_a_category_after_it_was_deleted_is_taken_out)
{
	static const int64_t late_ms[] = { 5000, 3600000, 23 * 3600000 };
	CategoryRecord *child;

	create_category("drinks", "");
	create_category("tea", "drinks");
	create_category("green", "");
	create_on_sale("sencha", "SENCHA", 9);
	child = category("green");
	delete_category("categories/tea");
	child->category->parent = "categories/tea";
	ck_assert_int_eq(category_save(call, child), 0);
	sweep_in(1000);
	ck_assert_str_eq(category("green")->category->parent, "categories/drinks");
	ck_assert_str_eq(category("green")->category->ancestors[0], "categories/drinks");
	for (size_t i = 0; i < sizeof(late_ms) / sizeof(*late_ms); i++) {
		ProductRecord *record;

		ck_assert_int_eq(product_read(call, "sencha", &record), 0);
		put_late(record, "categories/tea");
		ck_assert_uint_eq(product("sencha")->n_categories, 1);
		sweep_in(late_ms[i]);
		ck_assert_uint_eq(product("sencha")->n_categories, 0);
	}
}

TEST(what_is_put_into_a_category_that_was_made_anew_stays)
{
	create_category("tea", "");
	create_on_sale("sencha", "SENCHA", 9);
	delete_category("categories/tea");
	create_category("tea", "");
	put_into("products/sencha", "categories/tea");
	sweep_in(2000);
	sweep_in(48 * 3600000);
	ck_assert_uint_eq(product("sencha")->n_categories, 1);
	rpc_call_set_now(call, rpc_now_ms(call) + 96 * 3600000);
	ck_assert_int_eq(deleted_category_sweep(call), MONGO_NOT_FOUND); /* it is forgotten */
}

TEST(a_move_that_would_make_the_tree_too_deep_is_refused)
{
	static const char *const ids[] = { "a", "b", "c", "d", "e", "f", "g" };
	Category *moved;

	for (int i = 0; i < 7; i++)
		create_category(ids[i], i ? ids[i - 1] : "");
	create_category("x", "");
	create_category("y", "x");
	create_category("z", "");
	for (int i = 0; i < 2;
	     i++) { /* eight levels are the most: z fits below g, and x with y not */
		ck_assert_int_eq(
			catalog_client_update_category(
				client, call,
				MSG(UpdateCategoryRequest,
				    .category = rpc_new(call, Category,
							.name = i ? "categories/z" : "categories/x",
							.parent = "categories/g")),
				&moved),
			i ? 0 : RPC_FAILED_PRECONDITION);
		ck_assert(i || rpc_failed_with(call, CATEGORY_TOO_DEEP));
	}
}

TEST_MAIN("catalog lists", setup, teardown)
