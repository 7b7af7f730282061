/* Shipments: what an order knows of its parcels, and what follows for the goods. */
#include "saga.h"
#include <common/clock.h>
#include <stdlib.h>
#include <string.h>

struct doing orders_shipping_now = DOING_INIT;

static bool is(const OrderShipment *shipment, const char *state)
{
	return !strcmp(shipment->state, state);
}

/* The carrier has had it. */
static bool has_left(const OrderShipment *shipment)
{
	return *shipment->state && !is(shipment, "PENDING") && !is(shipment, "PRE_TRANSIT") &&
	       !is(shipment, "CANCELLED");
}

static int64_t *seen_version(struct rpc_call *call, OrderRecord *draft, const char *name)
{
	OrderRecordSeenVersionsEntry *entry;

	order_record_each_seen_versions(seen, draft)
		if (!strcmp(seen->key, name))
			return &seen->value;
	entry = rpc_new(call, OrderRecordSeenVersionsEntry, .key = rpc_strdup(call, name));
	order_record_add_seen_versions(call, draft, entry);
	return &entry->value;
}

static OrderShipment *find(struct rpc_call *call, Order *order, const char *name)
{
	OrderShipment *made;

	order_each_shipments(shipment, order)
		if (!strcmp(shipment->name, name))
			return shipment;
	if (order->n_shipments == ORDERS_SHIPMENTS_MAX)
		return NULL;
	made = rpc_new(call, OrderShipment, .name = rpc_strdup(call, name));
	order_add_shipments(call, order, made);
	return made;
}

static OrderLine *line_of(const Order *order, const char *name)
{
	order_each_lines(line, order)
		if (!strcmp(line->name, name))
			return line;
	return NULL;
}

static void count_units(const Order *order, const OrderShipment *shipment)
{
	for (size_t i = 0; i < shipment->n_lines; i++) {
		OrderLine *line = line_of(order, shipment->lines[i]->line);

		if (line)
			line->shipped_quantity += shipment->lines[i]->quantity;
	}
}

static void follow(Order *order)
{
	size_t live = 0, delivered = 0, returned = 0, left = 0;
	bool all = true;

	order_each_lines(line, order)
		line->shipped_quantity = 0;
	order_each_shipments(shipment, order) {
		live += !is(shipment, "CANCELLED");
		delivered += is(shipment, "DELIVERED");
		returned += is(shipment, "RETURNED");
		if (has_left(shipment)) {
			left++;
			count_units(order, shipment);
		}
	}
	order_each_lines(line, order)
		all = all && line->shipped_quantity >= amounts_units_left(line);
	if (!left)
		order->fulfilment_state = ORDER_FULFILMENT_STATE_UNFULFILLED;
	else if (all && delivered == live)
		order->fulfilment_state = ORDER_FULFILMENT_STATE_DELIVERED;
	else if (returned == live)
		order->fulfilment_state = ORDER_FULFILMENT_STATE_RETURNED;
	else if (all)
		order->fulfilment_state = ORDER_FULFILMENT_STATE_SHIPPED;
	else
		order->fulfilment_state = ORDER_FULFILMENT_STATE_PARTIALLY_SHIPPED;
}

bool shipments_take(struct rpc_call *call, OrderRecord *draft, const struct shipment_news *news,
		    bool *shipped)
{
	int64_t *version = seen_version(call, draft, news->shipment);
	OrderShipment *shipment;
	bool left_before;

	/* An answer without a version tells of a parcel only if nothing is known of it yet. */
	if (news->version < *version || (*version && news->version == *version))
		return false;
	shipment = find(call, draft->order, news->shipment);
	if (!shipment || (!news->version && *shipment->state))
		return false;
	left_before = has_left(shipment);
	*version = news->version;
	shipment->state = rpc_strdup(call, news->state);
	if (*news->carrier)
		shipment->carrier = rpc_strdup(call, news->carrier);
	if (*news->tracking_number)
		shipment->tracking_number = rpc_strdup(call, news->tracking_number);
	if (*news->tracking_uri)
		shipment->tracking_uri = rpc_strdup(call, news->tracking_uri);
	shipment->update_time = clock_now(call);
	shipment->n_lines = 0;
	for (size_t i = 0; i < news->n_lines; i++)
		order_shipment_add_lines(call, shipment,
					 rpc_new(call, OrderShipmentLine,
						 .line = rpc_strdup(call, news->lines[i].line),
						 .quantity = news->lines[i].quantity));
	follow(draft->order);
	*shipped = !left_before && has_left(shipment);
	return true;
}

void shipments_take_all(struct rpc_call *call, OrderRecord *draft, Shipment *const *shipments,
			size_t n_shipments)
{
	for (size_t i = 0; i < n_shipments; i++) {
		const Shipment *from = shipments[i];
		struct shipment_news_line *lines =
			rpc_alloc(call, (from->n_lines + 1) * sizeof(*lines));
		const ProtobufCEnumValue *state = protobuf_c_enum_descriptor_get_value(
			&ShipmentState_descriptor, from->state);
		bool shipped;

		for (size_t j = 0; j < from->n_lines; j++)
			lines[j] = (struct shipment_news_line){ from->lines[j]->line,
								from->lines[j]->quantity };
		shipments_take(
			call, draft,
			&(const struct shipment_news){
				.shipment = from->name,
				.state = state ? state->name : "PENDING",
				.carrier = from->carrier,
				.tracking_number = from->tracking_number,
				.tracking_uri = from->tracking_uri,
				.version = strtoll(from->etag + (*from->etag == '"'), NULL, 10),
				.lines = lines,
				.n_lines = from->n_lines },
			&shipped);
	}
}
