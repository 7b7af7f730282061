/* Inventory's documents: stock with its claims, and movements. */
#pragma once

#include "inventory.h"
#include <common/answers.h>
#include <common/mongo.h>

struct stock_change;

/* What stock_write() writes beside the quantities of the record. */
struct stock_write {
	const struct stock_change *change;
	Timestamp *first_expiry;
	MovementRecord *movement;
	struct rpc_event *events[3];
	const struct stored_answer *answer;
};

int stock_read(struct rpc_call *call, const char *sku, StockRecord **ret);
/* Without claims, in no order. */
int stock_read_all(struct rpc_call *call, const char *const *skus, size_t n_skus,
		   StockRecord ***ret, size_t *n_ret);
int stock_read_whole(struct rpc_call *call, const char *const *skus, size_t n_skus,
		     StockRecord ***ret, size_t *n_ret);
/* Those who wait, without claims, in no order. */
int stock_read_backorders(struct rpc_call *call, const char *const *skus, size_t n_skus,
			  StockRecord ***ret, size_t *n_ret);
/* An item of 0 units; one that is there already stays. */
int stock_create(struct rpc_call *call, const char *sku);
/* The record's version is the new one; the condition is the one before. MONGO_NOT_MATCHED. */
int stock_write(struct rpc_call *call, const StockRecord *record, const struct stock_write *write);
int stock_page(struct rpc_call *call, const ListStockItemsRequest *req, const bson_t *filter,
	       ListStockItemsResponse *response, StockRecord ***ret, size_t *n_ret);

/* A record with a claim that has run out. MONGO_NOT_FOUND. */
int stock_find_expired(struct rpc_call *call, StockRecord **ret);
/* Drops ended claims and acts that are older than they need to be. */
int stock_trim(struct rpc_call *call);
/* Whether units of it were sold to the order, however long ago: a movement says so. */
int stock_was_sold(struct rpc_call *call, const StockRecord *record, const char *order, bool *ret);
/* Takes movements from the stock's documents to their collection; *more when there are more than it
 * took at once. */
int stock_move_movements(struct rpc_call *call, bool *more);
int movement_page(struct rpc_call *call, const ListStockMovementsRequest *req,
		  ListStockMovementsResponse *response, MovementRecord ***ret, size_t *n_ret);
