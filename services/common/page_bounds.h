/* Where the first page of a list ended last time, so that the next one need not look beyond. */
#pragma once

#include "page_token.msg.h"
#include <common/mongo.h>

/*
 * MongoDB walks an index and stops at the limit. A server that fetches all that the filter finds,
 * and only then sorts (the one for development does), pays for the whole list each time, however
 * short the page. So a list that is sorted descending is asked with the value that its last row
 * had the last time as a lower bound of the sort field; when that gives a whole page and one more,
 * they are the first ones whatever has changed since, and otherwise it is asked again without.
 * What is remembered is only a hint: it may be old, another process's may differ, or it may be
 * gone. Ascending lists have none, since what has no value comes first there, and no range holds
 * it.
 */

/* The list: its collection, filter, sort and size. */
uint64_t page_bounds_list(const struct mongo_collection *collection, const bson_t *filter,
			  const bson_t *sort, int64_t limit);
/* NULL: nothing is remembered. */
PageKey *page_bounds_find(struct rpc_call *call, uint64_t list);
void page_bounds_note(uint64_t list, const PageKey *key);
