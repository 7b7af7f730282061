/* A request of protoc in, its answer out. Apart from main(), so that tests and fuzzers can call it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Answers a serialized CodeGeneratorRequest with a serialized CodeGeneratorResponse, malloc()ed.
 * Refusals of the schema are in the answer. 0, or -EINVAL with *error a sentence when the bytes are
 * no request.
 */
int plugin_run(const uint8_t *request, size_t size, uint8_t **ret, size_t *ret_size,
	       const char **error);
