/* Shipments: an order's parcels are made, seen, and followed by hand. */
#include "addresses.h"
#include "consignment.h"
#include "errors.msg.h"
#include "page_token.msg.h"
#include "rates.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/filter.h>
#include <common/names.h>
#include <common/page.h>
#include <string.h>

/*
 * Making
 */

static int answer(struct rpc_call *call, const ConsignmentRecord *record, const char *order,
		  CreateShipmentsResponse **ret)
{
	CreateShipmentsResponse *response = rpc_new(call, CreateShipmentsResponse);

	if (record->recalled)
		return rpc_fail(call, ORDER_RECALLED, { "order", order });
	for (size_t i = 0; i < record->n_shipments; i++)
		create_shipments_response_add_shipments(call, response,
							consignment_view(call, record, i));
	*ret = response;
	return 0;
}

static int draw_up(struct shipping_service *self, struct rpc_call *call,
		   const CreateShipmentsRequest *req, ConsignmentRecord **ret)
{
	ConsignmentRecord *record = rpc_new(call, ConsignmentRecord, .id = name_id(req->order),
					    .create_time = clock_now(call),
					    .next_look_time = clock_now(call), .schema_version = 1);
	struct address_problem problems[ADDRESS_PROBLEMS_MAX];
	const ShippingMethodZone *zone;
	const ShippingMethod *method;
	struct carrier *carrier;
	Address *address;
	size_t n_problems;
	int r;

	r = methods_find_ordered(call, req->shipping_method, &method);
	if (r)
		return r;
	r = shipping_carrier(self, call, method->carrier, &carrier);
	if (!r)
		r = parcels_split(call, req,
				  method->max_parcel_grams ? method->max_parcel_grams
							   : SHIPPING_PARCEL_GRAMS_DEFAULT,
				  record);
	if (r)
		return r;
	/* It was checked when it was quoted for; what is wrong now is the carrier's to say. */
	address = address_normalise(call, req->address, problems, &n_problems);
	zone = rates_zone(call, method, address);
	record->carrier_service = method->carrier_service;
	for (size_t i = 0; i < record->n_shipments; i++) {
		Shipment *parcel = record->shipments[i];

		parcel->order = req->order;
		parcel->user = req->user;
		parcel->state = SHIPMENT_STATE_PENDING;
		parcel->shipping_method = req->shipping_method;
		parcel->carrier = carrier->id;
		parcel->address = address;
		parcel->promise = zone ? calendar_promise(call, method, zone) : NULL;
		parcel->create_time = parcel->update_time = record->create_time;
	}
	*ret = record;
	return 0;
}

/* Whoever asks gets the answer with the carrier's, as long as that does not keep too many threads
 * waiting. What is wrong with the carrier is a hand's to see to. */
static int hand_over(struct shipping_service *self, struct rpc_call *call,
		     ConsignmentRecord **record)
{
	int r = 0;

	if (atomic_fetch_add(&self->at_carrier, 1) < SHIPPING_HANDS)
		r = consignment_carry_on(self, call, record);
	else
		hands_give(self->hands, call, &(*record)->base);
	atomic_fetch_sub(&self->at_carrier, 1);
	if (r > 0)
		rpc_error_clear(call);
	return r < 0 ? r : 0;
}

int shipping_create_shipments(struct shipping_service *self, struct rpc_call *call,
			      const CreateShipmentsRequest *req, CreateShipmentsResponse **ret)
{
	ConsignmentRecord *record;
	int r;

	r = draw_up(self, call, req, &record);
	if (r)
		return r;
	if (self->hands)
		consignment_hold(self, call, record);
	crash_point("shipping.create.before_insert");
	r = consignment_insert(call, record);
	crash_point("shipping.create.after_insert");
	/* A repeat of this request was faster, or a recall. */
	if (r == MONGO_DUPLICATE)
		r = consignment_read(call, record->id, &record);
	else if (!r && self->hands)
		r = hand_over(self, call, &record);
	return r ? r : answer(call, record, req->order, ret);
}

/*
 * Seeing
 */

int consignment_find(struct rpc_call *call, const char *name, ConsignmentRecord **ret,
		     size_t *i_ret)
{
	ConsignmentRecord *record;
	int r, i;

	r = consignment_read(call, consignment_order_of(call, name), &record);
	if (r && r != MONGO_NOT_FOUND)
		return r;
	i = r ? -1 : consignment_index(record, name);
	if (i < 0)
		return rpc_fail(call, SHIPMENT_NOT_FOUND, { "shipment", name });
	*ret = record;
	*i_ret = (size_t)i;
	return 0;
}

int shipping_get_shipment(struct shipping_service *self, struct rpc_call *call,
			  const GetShipmentRequest *req, Shipment **ret)
{
	ConsignmentRecord *record;
	size_t i;
	int r;

	r = consignment_find(call, req->name, &record, &i);
	if (r)
		return r;
	if (!rpc_caller_is(call, record->shipments[i]->user) &&
	    !rpc_caller_may(call, "shipping.read") && !rpc_caller_is_service(call, "orders"))
		return rpc_fail(call, NOT_OWNER, { "name", req->name });
	*ret = consignment_view(call, record, i);
	return 0;
}

/* --- lists --- */

/* What a shipment is compared by, and the rest, which the order's document says. */
struct wanted {
	const bson_t *of_parcel, *of_order;
};

static const struct filter_field list_fields[] = {
	{ "state", "state", FILTER_ENUM, &ShipmentState_descriptor },
	{ "order", "order", FILTER_TEXT },
	{ "carrier", "carrier", FILTER_TEXT },
	{ "tracking_number", "tracking_number", FILTER_TEXT },
	{ "create_time", "create_time", FILTER_TIME },
	{},
};

static const char *text_of(struct rpc_call *call, const Shipment *parcel, const char *field)
{
	if (!strcmp(field, "state"))
		return tracking_state(parcel->state);
	if (!strcmp(field, "order"))
		return parcel->order;
	return !strcmp(field, "carrier") ? parcel->carrier : parcel->tracking_number;
}

/* The parcel itself, of an order of which at least one is wanted. */
static bool is_wanted(struct rpc_call *call, const struct wanted *wanted, const Shipment *parcel)
{
	bson_iter_t fields, conditions;

	bson_iter_init(&fields, wanted->of_parcel);
	while (bson_iter_next(&fields)) {
		const char *value = text_of(call, parcel, bson_iter_key(&fields));

		if (!bson_iter_recurse(&fields, &conditions))
			continue;
		while (bson_iter_next(&conditions)) {
			bool same = !strcmp(bson_iter_utf8(&conditions, NULL), value);

			if (same != !strcmp(bson_iter_key(&conditions), "$eq"))
				return false;
		}
	}
	return true;
}

static int read_filter(struct rpc_call *call, const char *text, struct wanted *ret)
{
	cleanup(bson_freep) bson_t *all = bson_new(), *of_parcel = bson_new(),
				   *of_order = bson_new();
	bson_iter_t iter, order;
	int r;

	r = filter_read(call, text, list_fields, all);
	if (r)
		return r;
	bson_iter_init(&iter, all);
	while (bson_iter_next(&iter))
		bson_append_iter(strcmp(bson_iter_key(&iter), "create_time") ? of_parcel : of_order,
				 NULL, 0, &iter);
	/* An order's parcels are found by its id. */
	if (bson_iter_init(&iter, of_parcel) &&
	    bson_iter_find_descendant(&iter, "order.$eq", &order))
		BSON_APPEND_UTF8(of_order, "_id", name_id(bson_iter_utf8(&order, NULL)));
	if (!bson_empty(of_parcel))
		BCON_APPEND(of_order, "shipments", "{", "$elemMatch", BCON_DOCUMENT(of_parcel),
			    "}");
	*ret = (struct wanted){ document_keep(call, ptr_steal(of_parcel)),
				document_keep(call, ptr_steal(of_order)) };
	return 0;
}

static const char *token_at(struct rpc_call *call, const ListShipmentsRequest *req,
			    const ConsignmentRecord *record, size_t i)
{
	PageToken *token = rpc_new(call, PageToken);

	page_token_add_keys(call, token,
			    rpc_new(call, PageKey, .value_case = PAGE_KEY_VALUE_TIME_MS,
				    .time_ms = clock_ms(record->create_time)));
	page_token_add_keys(
		call, token,
		rpc_new(call, PageKey, .value_case = PAGE_KEY_VALUE_TEXT, .text = record->id));
	page_token_add_keys(
		call, token,
		rpc_new(call, PageKey, .value_case = PAGE_KEY_VALUE_NUMBER, .number = (int64_t)i));
	return page_token_write(call, &req->base, token);
}

/* Parcels of one order are listed together, from the first on; a page may end between them. */
int shipping_list_shipments(struct shipping_service *self, struct rpc_call *call,
			    const ListShipmentsRequest *req, ListShipmentsResponse **ret)
{
	ListShipmentsResponse *response = rpc_new(call, ListShipmentsResponse);
	ConsignmentRecord **records;
	struct wanted wanted = { 0 };
	size_t n_records, first;
	PageToken *after;
	int32_t size;
	int r;

	r = page_size(call, req->page_size, &size);
	if (!r)
		r = page_token_read(call, &req->base, req->page_token, &after);
	if (!r)
		r = read_filter(call, req->filter, &wanted);
	if (!r)
		r = consignment_list(call, wanted.of_order, after ? after->keys[0]->time_ms : -1,
				     after ? after->keys[1]->text : "", (int64_t)size + 2, &records,
				     &n_records);
	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++) {
		first = after && !strcmp(records[i]->id, after->keys[1]->text)
				? (size_t)after->keys[2]->number
				: 0;
		for (size_t j = first; j < records[i]->n_shipments; j++) {
			if (!is_wanted(call, &wanted, records[i]->shipments[j]))
				continue;
			if (response->n_shipments == (size_t)size) {
				response->next_page_token = token_at(call, req, records[i], j);
				*ret = response;
				return 0;
			}
			list_shipments_response_add_shipments(
				call, response, consignment_view(call, records[i], j));
		}
	}
	/* Orders that were recalled before they had parcels fill a page without showing. */
	if (n_records == (size_t)size + 2)
		response->next_page_token = token_at(call, req, records[n_records - 1],
						     records[n_records - 1]->n_shipments);
	*ret = response;
	return 0;
}

int shipping_get_shipment_label(struct shipping_service *self, struct rpc_call *call,
				const GetShipmentLabelRequest *req, HttpBody **ret)
{
	ConsignmentRecord *record;
	struct carrier *carrier;
	const char *why;
	size_t i;
	int r;

	r = consignment_find(call, req->name, &record, &i);
	if (!r && !*record->parcel_details[i]->label_uri)
		return rpc_fail(call, LABEL_NOT_READY, { "shipment", req->name });
	if (!r)
		r = shipping_carrier(self, call, record->shipments[i]->carrier, &carrier);
	if (r)
		return r;
	r = carrier->ops->label(carrier, call, record->parcel_details[i]->label_uri, ret, &why);
	if (r == CARRIER_NOT_FOUND)
		return rpc_fail(call, LABEL_NOT_READY, { "shipment", req->name });
	if (r > 0)
		return shipping_carrier_unavailable(call, carrier->id);
	return r;
}

/*
 * Following by hand
 */

struct tracking {
	const TrackShipmentRequest *req;
	int i;
};

static int track(struct rpc_call *call, ConsignmentRecord *draft, void *data)
{
	struct tracking *tracking = data;
	const TrackShipmentRequest *req = tracking->req;
	struct carrier_event event = { .state = req->state,
				       .description = req->description,
				       .time_ms = req->event_time ? clock_ms(req->event_time)
								  : rpc_now_ms(call) };
	Shipment *shipment;
	int r;

	tracking->i = consignment_index(draft, req->name);
	if (tracking->i < 0)
		return rpc_fail(call, SHIPMENT_NOT_FOUND, { "shipment", req->name });
	shipment = draft->shipments[tracking->i];
	r = etag_check(call, req->name, req->etag, draft->parcel_details[tracking->i]->version);
	if (r)
		return r;
	if (shipment->state == req->state)
		return CONSIGNMENT_UNCHANGED;
	if (req->state == SHIPMENT_STATE_CANCELLED ||
	    !tracking_can_move(shipment, req->state, event.time_ms) ||
	    !tracking_note(call, shipment, &event, shipping_actor(call)))
		return rpc_fail(call, TRACKING_STATE_INVALID, { "shipment", req->name },
				{ "state", tracking_state(shipment->state) },
				{ "requested", tracking_state(req->state) });
	/* What is seen of a parcel wins over what is meant to be done with it. */
	if (draft->recall && recall_is_late(draft))
		recall_advance(call, draft, true);
	if (tracking_has_ended(shipment->state))
		draft->parcel_details[tracking->i]->intention =
			CONSIGNMENT_RECORD_PARCEL_DETAIL_INTENTION_UNSPECIFIED;
	return 0;
}

int shipping_track_shipment(struct shipping_service *self, struct rpc_call *call,
			    const TrackShipmentRequest *req, Shipment **ret)
{
	struct tracking tracking = { .req = req };
	ConsignmentRecord *record;
	int r;

	r = consignment_change(call, consignment_order_of(call, req->name), track, &tracking, NULL,
			       &record);
	if (r == MONGO_NOT_FOUND)
		return rpc_fail(call, SHIPMENT_NOT_FOUND, { "shipment", req->name });
	if (!r)
		*ret = consignment_view(call, record, (size_t)tracking.i);
	return r;
}
