/* Pictures: stored as uploaded, one document a size, served with leave to cache them. */
#include "catalog_store.h"
#include <common/clock.h>
#include <common/mask.h>
#include <common/names.h>
#include <ctype.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

static bool begins(const ProtobufCBinaryData *file, size_t at, const char *bytes, size_t n)
{
	return file->len >= at + n && !memcmp(file->data + at, bytes, n);
}

/* Without white space, which may stand around a '=' and within brackets. */
static const char *squeeze(struct rpc_call *call, const char *text)
{
	char *copy = rpc_alloc(call, strlen(text) + 1), *to = copy;

	for (; *text; text++)
		if (!isspace((unsigned char)*text))
			*to++ = *text;
	return copy;
}

/* Whether all that stands behind `what` is in this very file: #shadow, in quotes or without. */
static bool stays_inside(const char *text, const char *what)
{
	for (const char *at = text; (at = strcasestr(at, what));) {
		at += strlen(what);
		if (at[*at == '"' || *at == '\''] != '#')
			return false;
	}
	return true;
}

/* What makes an SVG more than a picture: it would run in the shop's origin when opened by itself. */
static bool is_harmless_svg(struct rpc_call *call, const ProtobufCBinaryData *file)
{
	static const char *const refused[] = { "<script",        ":script", "<foreignobject",
					       ":foreignobject", "<iframe", "<!entity",
					       "javascript:",    "@import", "<?xml-stylesheet" };
	const char *text = rpc_printf(call, "%.*s", (int)file->len, (const char *)file->data);
	const char *squeezed = squeeze(call, text);

	if (strlen(text) != file->len || !strstr(text, "<svg"))
		return false;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (strcasestr(squeezed, refused[i]))
			return false;
	if (!stays_inside(squeezed, "href=") || !stays_inside(squeezed, "url("))
		return false;
	/* Event handlers: an attribute that begins with "on". */
	for (const char *at = text; (at = strcasestr(at, "on")); at += 2) {
		const char *end = at + strcspn(at, " \t\r\n=<>");

		end += strspn(end, " \t\r\n");
		if (at > text && strchr(" \t\r\n\"'/", at[-1]) && *end == '=')
			return false;
	}
	return true;
}

static bool is_picture(struct rpc_call *call, const HttpBody *file)
{
	const ProtobufCBinaryData *data = &file->data;

	if (!strcmp(file->content_type, "image/png"))
		return begins(data, 0, "\x89PNG\r\n\x1a\n", 8);
	if (!strcmp(file->content_type, "image/jpeg"))
		return begins(data, 0, "\xff\xd8\xff", 3);
	if (!strcmp(file->content_type, "image/webp"))
		return begins(data, 0, "RIFF", 4) && begins(data, 8, "WEBP", 4);
	if (!strcmp(file->content_type, "image/svg+xml"))
		return is_harmless_svg(call, data);
	return false;
}

static const char *digest_of(struct rpc_call *call, const ProtobufCBinaryData *data)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char *text = rpc_alloc(call, 2 * sizeof(hash) + 1);

	crypto_hash_sha256(hash, data->data, data->len);
	return sodium_bin2hex(text, 2 * sizeof(hash) + 1, hash, sizeof(hash));
}

static ProductImage *find_image(const Product *product, const char *name)
{
	for (size_t i = 0; i < product->n_images; i++)
		if (!strcmp(product->images[i]->name, name))
			return product->images[i];
	return NULL;
}

int catalog_check_images(struct rpc_call *call, const Product *product, const Variant *variant)
{
	for (size_t i = 0; i < variant->n_images; i++)
		if (!find_image(product, variant->images[i]))
			return rpc_fail(call, IMAGE_NOT_FOUND, { "image", variant->images[i] });
	return 0;
}

static void sort_images(Product *product)
{
	for (size_t i = 1; i < product->n_images; i++) {
		ProductImage *image = product->images[i];
		size_t j = i;

		for (; j && product->images[j - 1]->position > image->position; j--)
			product->images[j] = product->images[j - 1];
		product->images[j] = image;
	}
}

int catalog_get_product_image(struct catalog_service *self, struct rpc_call *call,
			      const GetProductImageRequest *req, HttpBody **ret)
{
	ImageRecord *record;
	int r;

	r = image_read(call, name_parent_id(call, req->name), name_id(req->name), req->width,
		       &record);
	if (r == MONGO_NOT_FOUND)
		return rpc_fail(call, IMAGE_NOT_FOUND, { "image", req->name });
	if (r)
		return r;
	rpc_set_header(call, "http-etag", rpc_printf(call, "\"%s\"", record->digest));
	rpc_set_header(call, "http-cache-control", "public, max-age=86400");
	/* Opened by itself, an SVG may style itself and do nothing else. */
	rpc_set_header(call, "http-content-security-policy",
		       "default-src 'none'; style-src 'unsafe-inline'; sandbox");
	*ret = rpc_new(call, HttpBody, .content_type = record->content_type, .data = record->data);
	return 0;
}

struct upload {
	const UploadProductImageRequest *req;
	const char *name;
};

static int check_room(struct rpc_call *call, const Product *product, const struct upload *upload)
{
	const ProductImage *image = find_image(product, upload->name);
	bool full = image ? image->n_widths >= CATALOG_IMAGE_SIZES_MAX
			  : product->n_images >= CATALOG_IMAGES_MAX;

	for (size_t i = 0; image && i < image->n_widths; i++)
		if (image->widths[i] == upload->req->width)
			full = false;
	if (!full)
		return 0;
	return rpc_fail(
		call, PRODUCT_FULL, { "product", product->name },
		{ "what", image ? "sizes of a picture" : "pictures" },
		{ "max",
		  rpc_printf(call, "%d", image ? CATALOG_IMAGE_SIZES_MAX : CATALOG_IMAGES_MAX) });
}

static void add_width(struct rpc_call *call, ProductImage *image, int32_t width)
{
	for (size_t i = 0; i < image->n_widths; i++)
		if (image->widths[i] == width)
			return;
	product_image_add_widths(call, image, width);
	for (size_t i = image->n_widths - 1; i && image->widths[i - 1] > width; i--) {
		image->widths[i] = image->widths[i - 1];
		image->widths[i - 1] = width;
	}
}

static int add_image(struct rpc_call *call, ProductRecord *record, void *data)
{
	const struct upload *upload = data;
	Product *product = record->product;
	ProductImage *image = find_image(product, upload->name);
	int r;

	r = check_room(call, product, upload);
	if (r)
		return r;
	if (!image) {
		image = rpc_new(call, ProductImage, .name = upload->name,
				.uri = rpc_printf(call, "/v1/%s", upload->name));
		product_add_images(call, product, image);
	}
	image->content_type = upload->req->file->content_type;
	image->position = upload->req->position;
	if (*upload->req->alt_text)
		image->alt_text = upload->req->alt_text;
	if (upload->req->width)
		add_width(call, image, upload->req->width);
	sort_images(product);
	return 0;
}

int catalog_upload_product_image(struct catalog_service *self, struct rpc_call *call,
				 const UploadProductImageRequest *req, ProductImage **ret)
{
	const char *product = name_id(req->parent);
	struct answers_key key;
	struct upload upload = { .req = req };
	ProductRecord *record;
	const char *id;
	int r;

	if (req->file->data.len > CATALOG_IMAGE_BYTES_MAX || !is_picture(call, req->file))
		return rpc_fail(call, IMAGE_TYPE_UNSUPPORTED,
				{ "contentType", req->file->content_type });
	answers_key(call, req, &key);
	id = *req->image_id ? req->image_id : key.id;
	upload.name = name_join(call, req->parent, "images", id);
	r = catalog_find_product(call, req->parent, &record);
	if (!r)
		r = check_room(call, record->product, &upload);
	if (r)
		return r;

	/* The file first: a product never names what is not there. Stopped here, a repeat writes
	 * the same again. */
	r = image_write(call, rpc_new(call, ImageRecord,
				      .id = rpc_printf(call, "%s%05d",
						       image_prefix(call, product, id), req->width),
				      .product = product, .content_type = req->file->content_type,
				      .data = req->file->data,
				      .digest = digest_of(call, &req->file->data),
				      .create_time = clock_now(call), .schema_version = 1));
	if (!r)
		r = catalog_change_product(call, req->parent, "", add_image, &upload, &record);
	if (r)
		return r;
	*ret = find_image(record->product, upload.name);
	return 0;
}

static int update_image(struct rpc_call *call, ProductRecord *record, void *data)
{
	const UpdateProductImageRequest *req = data;
	ProductImage *image = find_image(record->product, req->image->name);

	if (!image)
		return rpc_fail(call, IMAGE_NOT_FOUND, { "image", req->image->name });
	if (mask_has(req->update_mask, req->image, "alt_text"))
		image->alt_text = req->image->alt_text;
	if (mask_has(req->update_mask, req->image, "position"))
		image->position = req->image->position;
	sort_images(record->product);
	return 0;
}

int catalog_update_product_image(struct catalog_service *self, struct rpc_call *call,
				 const UpdateProductImageRequest *req, ProductImage **ret)
{
	static const char *const fields[] = { "alt_text", "position", NULL };
	const char *product = name_of(call, "products", name_parent_id(call, req->image->name));
	ProductRecord *record;
	int r;

	r = mask_check(call, req->update_mask, fields);
	if (!r)
		r = catalog_change_product(call, product, "", update_image, (void *)req, &record);
	if (r)
		return r;
	*ret = find_image(record->product, req->image->name);
	return 0;
}

static void forget_image(Variant *variant, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < variant->n_images; i++)
		if (strcmp(variant->images[i], name))
			variant->images[kept++] = variant->images[i];
	variant->n_images = kept;
}

static int remove_image(struct rpc_call *call, ProductRecord *record, void *data)
{
	const char *name = data;
	Product *product = record->product;
	size_t kept = 0;

	if (!find_image(product, name))
		return rpc_fail(call, IMAGE_NOT_FOUND, { "image", name });
	for (size_t i = 0; i < product->n_images; i++)
		if (strcmp(product->images[i]->name, name))
			product->images[kept++] = product->images[i];
	product->n_images = kept;
	for (size_t i = 0; i < product->n_variants; i++)
		forget_image(product->variants[i], name);
	return 0;
}

int catalog_delete_product_image(struct catalog_service *self, struct rpc_call *call,
				 const DeleteProductImageRequest *req, Empty **ret)
{
	const char *product = name_parent_id(call, req->name);
	ProductRecord *record;
	int r;

	r = catalog_change_product(call, name_of(call, "products", product), "", remove_image,
				   (void *)req->name, &record);
	/* Not found: a repeat of a deletion that was stopped before the files were gone. */
	if (r && !rpc_failed_with(call, IMAGE_NOT_FOUND))
		return r;
	return image_delete(call, product, name_id(req->name)) ?: r;
}
