/* The carts' documents. */
#pragma once

#include "cart.h"
#include <common/answers.h>
#include <common/mongo.h>

int cart_read(struct rpc_call *call, const char *id, CartRecord **ret);
/* Writes the contents if nobody changed them since they were read, and tells of them. MONGO_NOT_MATCHED; the record's version is the new one then. */
int cart_save(struct rpc_call *call, CartRecord *record, const struct stored_answer *answer);
/* Ends a guest's cart: nothing more is put in. 0 too when it was taken over by the same before. MONGO_NOT_MATCHED: by another. */
int cart_freeze(struct rpc_call *call, const char *id, const char *into);
int cart_empty_frozen(struct rpc_call *call, const char *id);
/* Notes where it would be shipped to; the version stays. */
int cart_note_destination(struct rpc_call *call, const CartRecord *record,
			  const CartRecordDestination *destination);
/* Carts with something in them that nobody touched since, and that were not told of. */
int cart_find_idle(struct rpc_call *call, int64_t before_ms, CartRecord ***ret, size_t *n_ret);
int cart_tell_abandoned(struct rpc_call *call, CartRecord *record);
int cart_trim(struct rpc_call *call);
