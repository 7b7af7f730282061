/* Orders: what can be asked about them, and the table of all that can be asked for. */
#include "errors.msg.h"
#include "orders_store.h"
#include <common/etag.h>
#include <common/filter.h>
#include <common/names.h>
#include <ctype.h>
#include <string.h>

Order *orders_view(struct rpc_call *call, const OrderRecord *record)
{
	Order *order = rpc_memdup(call, record->order, sizeof(*record->order));

	order->etag = etag_of(call, record->version);
	return order;
}

int orders_find(struct rpc_call *call, const char *name, const char *permission, OrderRecord **ret)
{
	bool reads = permission && !strcmp(permission, "orders.read");
	bool admitted = (permission && rpc_caller_may(call, permission)) ||
			(reads && (rpc_caller_is_service(call, "notification") ||
				   rpc_caller_is_service(call, "support")));
	OrderRecord *record;
	int r;

	r = order_read(call, name_id(name), &record);
	if (r == MONGO_NOT_FOUND)
		return rpc_fail(call, ORDER_NOT_FOUND, { "order", name });
	if (r)
		return r;
	if (!admitted && !rpc_caller_is(call, record->order->user))
		return rpc_fail(call, NOT_OWNER, { "name", name });
	*ret = record;
	return 0;
}

static int get_order(struct orders_service *self, struct rpc_call *call, const GetOrderRequest *req,
		     Order **ret)
{
	OrderRecord *record;
	int r;

	r = orders_find(call, req->name, "orders.read", &record);
	if (r)
		return r;
	*ret = orders_view(call, record);
	return 0;
}

static const struct filter_field filter_fields[] = {
	{ "state", "order.state", FILTER_ENUM, &OrderState_descriptor },
	{ "payment_state", "order.payment_state", FILTER_ENUM, &OrderPaymentState_descriptor },
	{ "fulfilment_state", "order.fulfilment_state", FILTER_ENUM,
	  &OrderFulfilmentState_descriptor },
	{ "create_time", "order.create_time", FILTER_TIME },
	{ "number", "order.number", FILTER_TEXT },
	{},
};

/* Whose orders: the caller's own, or what staff ask for. "" is everybody's. */
static int list_of(struct rpc_call *call, const char *asked, const char **ret)
{
	bool staff = rpc_caller_may(call, "orders.read") || rpc_caller_is_service(call, "support");
	const char *self = rpc_caller(call)->user;

	if (!*asked || !strcmp(asked, "users/me"))
		asked = *self ? self : "users/-";
	if (strcmp(asked, self) && !staff)
		return rpc_fail(call, NOT_OWNER, { "name", asked });
	*ret = strcmp(asked, "users/-") ? name_id(asked) : "";
	return 0;
}

static int list_orders(struct orders_service *self, struct rpc_call *call,
		       const ListOrdersRequest *req, ListOrdersResponse **ret)
{
	cleanup(bson_freep) bson_t *filter =
		BCON_NEW("$nor", "[", "{", "order.state", BCON_UTF8("REJECTED"), "}", "]");
	ListOrdersResponse *response = rpc_new(call, ListOrdersResponse);
	OrderRecord **records = NULL;
	const char *user;
	size_t n = 0;
	int r;

	r = list_of(call, req->user, &user);
	if (!r && *user)
		BSON_APPEND_UTF8(filter, "user", user);
	if (!r)
		r = filter_read(call, req->filter, filter_fields, filter);
	if (!r)
		r = order_page(call, req, filter, &response->next_page_token, &records, &n);
	if (r)
		return r;
	for (size_t i = 0; i < n; i++)
		list_orders_response_add_orders(call, response, orders_view(call, records[i]));
	*ret = response;
	return 0;
}

/* As people type it: "sk 7f3k-92qd" and "7F3K92QD" are SK7F3K92QD, an O is a 0 and an I or L a 1.
 */
static const char *number_key(struct rpc_call *call, const char *typed)
{
	char *key = rpc_printf(call, "SK%s", typed), *to = key + 2;

	for (const char *at = to; *at; at++) {
		int c = toupper((unsigned char)*at);

		if (isalnum(c))
			*to++ = (char)(c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c);
	}
	*to = 0;
	return strncmp(key + 2, "SK", 2) || strlen(key) <= 10 ? key : key + 2;
}

static const char *lower(struct rpc_call *call, const char *text)
{
	char *copy = rpc_strdup(call, text);

	for (char *at = copy; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy;
}

static int lookup_order(struct orders_service *self, struct rpc_call *call,
			const LookupOrderRequest *req, Order **ret)
{
	OrderRecord *record;
	int r;

	r = order_read_by_number(call, number_key(call, req->number), lower(call, req->email),
				 &record);
	if (r == MONGO_NOT_FOUND)
		return rpc_fail(call, ORDER_NOT_FOUND, { "order", req->number });
	if (r)
		return r;
	*ret = orders_view(call, record);
	return 0;
}

const struct orders_service_ops orders_service = {
	.create_order = orders_create_order,
	.get_order = get_order,
	.list_orders = list_orders,
	.lookup_order = lookup_order,
	.pay_order = orders_pay_order,
	.cancel_order = orders_cancel_order,
	.cancel_order_lines = orders_cancel_order_lines,
	.watch_order = orders_watch_order,
};
