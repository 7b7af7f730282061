/* The service that is measured: the catalogue's methods over one product in memory, on the generated stubs and the whole
 * runtime. */
#include "bench.rpc.h"
#include "catalog.rpc.h"
#include <common/token.h>
#include <crpc/crpc.h>
#include <crpc/json.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 24, KEY_SEED = 7, TOKEN_MS = 24 * 3600 * 1000 };

struct catalog_service {
	struct arena *arena;
	Product *product;
	Product *page[PAGE];
};

static struct catalog_service catalog;
static const char *product_file;
static bool tokens;

static const struct option options[] = {
	{ "PRODUCT", OPTION_STRING, &product_file, "product.json", "the product, as JSON" },
	{ "TOKENS", OPTION_BOOLEAN, &tokens, "false",
	  "check tokens; --token prints one that is good for a day" },
	{ 0 },
};

/* As a service that has it in memory: nothing is copied but what differs. */
static int get_product(struct catalog_service *self, struct rpc_call *call,
		       const GetProductRequest *req, Product **ret)
{
	*ret = rpc_memdup(call, self->product, sizeof(*self->product));
	(*ret)->name = req->name;
	return 0;
}

static int list_products(struct catalog_service *self, struct rpc_call *call,
			 const ListProductsRequest *req, ListProductsResponse **ret)
{
	(void)req;
	*ret = rpc_new(call, ListProductsResponse, .n_products = PAGE, .products = self->page);
	return 0;
}

static int create_product(struct catalog_service *self, struct rpc_call *call,
			  const CreateProductRequest *req, Product **ret)
{
	(void)self;
	(void)call;
	*ret = req->product;
	return 0;
}

static const struct catalog_service_ops catalog_service = {
	.get_product = get_product,
	.list_products = list_products,
	.create_product = create_product,
};

static int stream(struct stream_service *self, struct rpc_call *call, const StreamRequest *req,
		  struct stream_message_writer *out)
{
	char *text = rpc_alloc(call, (size_t)req->size + 1);
	int r = 0;

	(void)self;
	memset(text, 'x', (size_t)req->size);
	text[req->size] = '\0';
	for (int32_t i = 0; i < req->count && !r; i++)
		r = stream_message_writer_send(out, MSG(StreamMessage, .text = text));
	return r;
}

static const struct stream_service_ops stream_service = {
	.stream = stream,
};

static struct token_private_key key(void)
{
	const uint8_t seed[32] = { KEY_SEED };
	struct token_private_key ret;

	token_key_from_seed(seed, &ret);
	return ret;
}

static int print_token(void *data, struct rpc_call *call)
{
	const struct token_private_key private = key();
	const int64_t now = rpc_now_ms(call);
	const char *token;
	int r = token_sign(rpc_arena(call), &private,
			   &(struct token_claims){ .issuer = "https://souk.local",
						   .audience = "souk",
						   .subject = "users/bench",
						   .session = "sessions/bench",
						   .scope = "catalog.manage",
						   .merge_from = "",
						   .use = "access",
						   .id = "bench",
						   .issue_time = now,
						   .not_before = now,
						   .expire_time = now + TOKEN_MS },
			   &token);

	(void)data;
	if (!r)
		puts(token);
	return r;
}

static int read_product(char **error)
{
	static char text[64 * 1024];
	FILE *file = fopen(product_file, "re");
	size_t length = file ? fread(text, 1, sizeof(text), file) : 0;
	ProtobufCMessage *message = NULL;
	struct rpc_json_error problem = { .message = "the file cannot be read" };

	if (file)
		fclose(file);
	catalog.arena = arena_new(1024 * 1024);
	if (rpc_json_parse(catalog.arena, &(struct rpc_json_options){ 0 }, &Product_descriptor,
			   text, length, &message, &problem)) {
		if (asprintf(error, "%s: %s", product_file, problem.message) < 0)
			abort();
		return -EINVAL;
	}
	catalog.product = (Product *)message;
	for (int i = 0; i < PAGE; i++)
		catalog.page[i] = catalog.product;
	return 0;
}

/* The peers check nobody: without tokens, methods are open to all. */
static void serve_open(struct rpc_server *server)
{
	static struct rpc_method methods[64];
	static struct rpc_service service;

	service = catalog_service_descriptor;
	memcpy(methods, service.methods, service.n_methods * sizeof(*methods));
	for (size_t i = 0; i < service.n_methods; i++)
		methods[i].access = (struct rpc_access){ .level = RPC_LEVEL_PUBLIC };
	service.methods = methods;
	rpc_server_add(server, &service, &catalog_service, &catalog);
}

/* Issuer and audience; the keys are our own. */
static const struct service_module token_keys_module = {
	.name = "token",
	.options = token_options,
};

static int start(struct service *service, char **error)
{
	struct rpc_server *server = service_server(service);
	struct token_keys keys = { .n_keys = 1 };
	int r = read_product(error);

	if (r)
		return r;
	stream_service_serve(server, &stream_service, NULL);
	if (!tokens) {
		serve_open(server);
		return 0;
	}
	keys.keys[0] = key().public;
	token_set_keys(&keys);
	service_set_authenticator(service, &token_authenticator);
	catalog_service_serve(server, &catalog_service, &catalog);
	return 0;
}

int main(int argc, char **argv)
{
	const struct service_config config = {
		.name = "catalog",
		.summary = "One product, for ./dev bench peers.",
		.options = options,
		.modules = MODULES(&token_keys_module),
		.start = start,
	};

	if (argc > 1 && !strcmp(argv[1], "--token")) {
		cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("token", 1000);

		return rpc_call_run(call, print_token, NULL) ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	return service_run(&config, argc, argv);
}
