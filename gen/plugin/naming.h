/* How names of a .proto read in C. All mangling is here. */
#pragma once

#include "schema.h"

/* CartItem -> cart_item, HTTPRule -> http_rule */
const char *name_snake(struct arena *arena, const char *name);
/* CartItem -> CART_ITEM */
const char *name_upper(struct arena *arena, const char *name);
/* With a `_` where C or a header that every file includes has the name for itself. */
const char *name_member(struct arena *arena, const char *name);
bool name_is_identifier(const char *name);
bool name_is_reserved(const char *name);
const char *name_type(struct arena *arena, const struct file *file, const struct message *parent,
		      const char *name);
/* CART_STATE_ACTIVE of the value STATE_ACTIVE or ACTIVE in Cart.State */
const char *name_value(struct arena *arena, const struct enumeration *enumeration,
		       const char *value);
/* CartService -> cart */
const char *name_service(struct arena *arena, const struct file *file, const char *service);

/* Chooses C names of the members of a message's struct: none is said twice. */
void name_fields(struct arena *arena, struct message *message);
/* Refuses C names that are said twice over all files that are used. */
void name_check(struct schema *schema);
