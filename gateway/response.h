/* An answer's head: what all answers have in common. */
#pragma once

#include "request.h"

const char *response_reason(int status); /* "Not Found" */

/* Adds what every answer carries: date, ids, limits, CORS, caching, safety. Called once, before the
 * head is written. */
void response_finish(struct request *request);

/* The fixed names: both sides may use a string literal without counting. */
#define response_literal(response, name, value)                                                    \
	response_add((response), "" name, sizeof(name) - 1, "" value, sizeof(value) - 1)
void response_add(struct response *response, const char *name, size_t name_length,
		  const char *value, size_t value_length);
