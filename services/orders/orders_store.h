/* The orders' documents. */
#pragma once

#include "orders.h"
#include <common/answers.h>
#include <common/mongo.h>

/* Results are those of mongo.h. */

/* MONGO_DUPLICATE tells by mongo_duplicate_index(): "_id" or "number". */
int order_insert(struct rpc_call *call, const OrderRecord *record,
		 const struct stored_answer *answer);
int order_read(struct rpc_call *call, const char *id, OrderRecord **ret);
/* The one order of this cart that can be paid. */
int order_read_open(struct rpc_call *call, const char *user, const char *cart, OrderRecord **ret);
/* The one order of what was in the cart at this etag, open or paid. */
int order_read_bought(struct rpc_call *call, const char *user, const char *etag, OrderRecord **ret);
/* The order that answered this request of the user. */
int order_read_answered(struct rpc_call *call, const char *user, const char *key,
			OrderRecord **ret);
int order_read_by_number(struct rpc_call *call, const char *number_key, const char *email_key,
			 OrderRecord **ret);
/* Orders without steps and history. */
int order_page(struct rpc_call *call, const ListOrdersRequest *req, const bson_t *filter,
	       const char **next_ret, OrderRecord ***ret, size_t *n_ret);

/*
 * A change: order_draft() copies what was read, one version on; the copy is altered, and
 * order_save() writes the fields that differ if the document's version is still that of `was`.
 * MONGO_NOT_MATCHED when somebody was faster, MONGO_DUPLICATE when the cart has an open order or
 * what is in it was bought.
 */
OrderRecord *order_draft(struct rpc_call *call, const OrderRecord *was);
/* The draft has its cart, as only one order can; or is given up, and the cart is free. */
void order_take_cart(OrderRecord *draft);
void order_leave_cart(OrderRecord *draft);
int order_save(struct rpc_call *call, const OrderRecord *was, const OrderRecord *draft,
	       struct rpc_event *const *events, const struct stored_answer *answer);
/* Deletes an order that never took its cart. */
int order_forget(struct rpc_call *call, const OrderRecord *record);
/* Remembers an answer, and changes nothing else. */
int order_add_answer(struct rpc_call *call, const OrderRecord *record,
		     const struct stored_answer *answer);

/* Orders that somebody should look at, the longest overdue first. */
int order_find_due(struct rpc_call *call, int64_t limit, OrderRecord ***ret, size_t *n_ret);
/* Takes the look at `record` upon the caller until `until`: MONGO_NOT_MATCHED when another has. The
 * version stays. */
int order_lease(struct rpc_call *call, OrderRecord *record, int64_t until);
/* Whether the order has another version by now. */
int order_has_changed(struct rpc_call *call, const char *id, int64_t version, bool *ret);
int order_sweep_answers(struct rpc_call *call);
