/* The API's documentation. */
#include "docs.h"
#include "encoding.h"
#include <crpc/arena.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct docs {
	struct arena *arena;
	struct docs_page openapi, html;
};

enum { DOCS_MEMORY_MAX = 64 * 1024 * 1024 };

/* The page's own script, and none other, may run: named by its hash (CSP, 'sha256-...'). */
static const char *policy(struct arena *arena, const char *html, size_t length)
{
	const char *start = memmem(html, length, "<script>", 8), *end;
	unsigned char digest[EVP_MAX_MD_SIZE], text[64];
	unsigned int size;

	if (!start)
		return "default-src 'none'; frame-ancestors 'none'";
	start += 8;
	end = memmem(start, (size_t)(html + length - start), "</script>", 9);
	if (!end || !EVP_Digest(start, (size_t)(end - start), digest, &size, EVP_sha256(), NULL))
		return "default-src 'none'; frame-ancestors 'none'";
	EVP_EncodeBlock(text, digest, (int)size);
	return arena_printf(arena,
			    "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; "
			    "script-src 'sha256-%s'; "
			    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			    text);
}

struct docs *docs_new(const char *openapi, size_t openapi_length, const char *html,
		      size_t html_length)
{
	struct docs *docs = calloc(1, sizeof(*docs));
	struct encoder *encoder = encoder_new();

	if (!docs || !encoder) {
		free(docs);
		encoder_free(encoder);
		return NULL;
	}
	docs->arena = arena_new(DOCS_MEMORY_MAX);
	docs->openapi =
		(struct docs_page){ "application/json", NULL, openapi, NULL, openapi_length, 0 };
	docs->html = (struct docs_page){ "text/html; charset=utf-8",
					 policy(docs->arena, html, html_length),
					 html,
					 NULL,
					 html_length,
					 0 };
	docs->openapi.gzip = encoder_gzip(encoder, docs->arena, openapi, openapi_length,
					  &docs->openapi.gzip_length);
	docs->html.gzip =
		encoder_gzip(encoder, docs->arena, html, html_length, &docs->html.gzip_length);
	encoder_free(encoder);
	return docs;
}

struct docs *docs_free(struct docs *docs)
{
	if (!docs)
		return NULL;
	arena_free(docs->arena);
	free(docs);
	return NULL;
}

const struct docs_page *docs_openapi(const struct docs *docs)
{
	return &docs->openapi;
}

const struct docs_page *docs_html(const struct docs *docs)
{
	return &docs->html;
}
