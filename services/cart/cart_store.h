/* The carts' documents. */
#pragma once

#include "cart.h"
#include <common/answers.h>
#include <common/mongo.h>

int cart_read(struct rpc_call *call, const char *id, CartRecord **ret);
/* Writes the contents if nobody changed them since they were read, and tells of them.
 * MONGO_NOT_MATCHED; the record's version is the new one then. */
int cart_save(struct rpc_call *call, CartRecord *record, const struct stored_answer *answer);
/* Freezes a guest's cart, as it was read, for the login `by`: nothing is put in. MONGO_NOT_MATCHED:
 * it is another by now. */
int cart_freeze(struct rpc_call *call, CartRecord *guest, const char *into, const char *by);
/* Gives the guest the cart back, with or without what is in it. MONGO_NOT_MATCHED: that is done. */
int cart_thaw(struct rpc_call *call, const CartRecord *guest, bool empty);
/* Notes where it would be shipped to; the version stays. */
int cart_note_destination(struct rpc_call *call, const CartRecord *record,
			  const CartRecordDestination *destination);
/* Carts with something in them that nobody touched since, and that were not told of. */
int cart_find_idle(struct rpc_call *call, int64_t before_ms, CartRecord ***ret, size_t *n_ret);
int cart_tell_abandoned(struct rpc_call *call, CartRecord *record);
int cart_trim(struct rpc_call *call);
