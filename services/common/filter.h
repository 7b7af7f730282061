/* Filters of lists (AIP-160): comparisons joined by AND, as a query. */
#pragma once

#include <bson/bson.h>
#include <crpc/call.h>

enum filter_type {
	FILTER_TEXT,     /* = and != */
	FILTER_ENUM,     /* = and !=, by the value's name; `values` says which there are */
	FILTER_TIME,     /* RFC 3339: 2026-05-04T12:00:00Z, with a fraction or an offset too */
	FILTER_NUMBER,   /* whole numbers */
	FILTER_BOOL,     /* = and !=, true and false */
	FILTER_FRACTION, /* 4.5 */
	FILTER_AMOUNT,   /* 12.50, not below 0; in the document in minor units of `digits` */
	FILTER_FACT, /* `name` ends with a point, a key of the map at `path` follows it; = and != */
};

/* What a list can be filtered by; a table ends with {}. */
struct filter_field {
	const char *name; /* as the proto's comment says */
	const char *path; /* in the document */
	enum filter_type type;
	const ProtobufCEnumDescriptor *values;
	int digits;
};

/*
 * Adds the conditions to `into`, a document that can still grow (bson_new()), one entry a path, so
 * that no `$and` stands in the way of page_list(). "" adds nothing. At most 10 comparisons, a field
 * once by each operator. FILTER_INVALID says what is wrong, and which fields there are.
 *
 *     static const struct filter_field fields[] = { { "state", "order.state", FILTER_ENUM,
 *     &OrderState_descriptor }, {} };
 *
 *     r = filter_read(call, req->filter, fields, filter);
 */
int filter_read(struct rpc_call *call, const char *text, const struct filter_field *fields,
		bson_t *into);
