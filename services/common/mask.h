/* Which fields an update changes (AIP-134). */
#pragma once

#include "field_mask.msg.h"
#include <crpc/call.h>

/*
 * Refuses a mask that names anything but `fields` (NULL-terminated): UPDATE_MASK_INVALID. `*` names
 * all.
 *
 *     static const char *const fields[] = { "display_name", "description", NULL };
 *
 *     r = mask_check(call, req->update_mask, fields);
 *     if (mask_has(req->update_mask, req->product, "display_name"))
 *             product->display_name = req->product->display_name;
 */
int mask_check(struct rpc_call *call, const FieldMask *mask, const char *const *fields);

/* Whether the field is to be changed: the mask names it; without a mask, it is set in `message`. */
#define mask_has(mask, message, field) mask_has_((mask), &(message)->base, (field))
bool mask_has_(const FieldMask *mask, const ProtobufCMessage *message, const char *field);
