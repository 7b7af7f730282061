/* The API's documentation: the OpenAPI document and a page that shows it; compressed once. */
#pragma once

#include <stddef.h>

struct docs_page {
	const char *content_type, *content_security_policy;
	const char *text, *gzip; /* gzip NULL: it would not be shorter */
	size_t length, gzip_length;
};

struct docs;
/* Texts must outlive it. */
struct docs *docs_new(const char *openapi, size_t openapi_length, const char *html,
		      size_t html_length);
struct docs *docs_free(struct docs *docs);
const struct docs_page *docs_openapi(const struct docs *docs);
const struct docs_page *docs_html(const struct docs *docs);

/* gateway/docs.html, put in by the build. */
extern const char docs_html_text[];
extern const size_t docs_html_length;
