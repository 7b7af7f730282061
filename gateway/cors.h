/* Which web pages may call us (the Fetch standard's CORS). Tokens travel in a header, so no cookies
 * are admitted. */
#pragma once

#include "request.h"

/* Whether the request comes from a page whose origin is in the list. */
bool cors_admits(const struct request *request);
/* OPTIONS, with or without CORS: the path says what it takes. */
bool cors_is_preflight(const struct request *request);
void cors_answer_preflight(struct request *request);
/* Adds Access-Control-... for an origin that is admitted. */
void cors_apply(struct request *request);
/* "https://a.example, https://b.example" as a list, "*" for all; *ret NULL: none. -EINVAL with
 * *error (malloc()ed) for what no browser would send. */
int cors_origins(const char *text, const char *const **ret, char **error);
void cors_origins_free(const char *const *origins);
