/* Resource names: "products/tea", "users/ann/addresses/7". */
#pragma once

#include <crpc/call.h>
#include <stdbool.h>

/* The last segment: name_id("products/tea") is "tea"; a bare id is itself; "" gives "". Never
 * NULL. */
const char *name_id(const char *name);
/* The first id: name_parent_id("users/ann/addresses/7") is "ann". */
const char *name_parent_id(struct rpc_call *call, const char *name);
/* name_of(call, "products", id): "products/{id}"; with a NULL or empty id "". */
const char *name_of(struct rpc_call *call, const char *collection, const char *id);
/* name_join(call, "users/ann", "addresses", id) */
const char *name_join(struct rpc_call *call, const char *parent, const char *collection,
		      const char *id);
/* Whether it is `<collection>/<id>` with an id that fits the rules. */
bool name_is(const char *name, const char *collection);
