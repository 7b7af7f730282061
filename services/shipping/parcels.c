/* Parcels: which goods go into which. */
#include "consignment.h"
#include <common/names.h>
#include <stdlib.h>

static int heaviest_first(const void *a, const void *b)
{
	const CreateShipmentsRequestLine *left = *(CreateShipmentsRequestLine *const *)a,
					 *right = *(CreateShipmentsRequestLine *const *)b;

	return right->weight_grams - left->weight_grams;
}

static void put(struct rpc_call *call, ConsignmentRecord *record, size_t i,
		const CreateShipmentsRequestLine *line, int32_t quantity)
{
	ConsignmentRecordParcelDetail *detail = record->parcel_details[i];
	Shipment *parcel = record->shipments[i];

	shipment_add_lines(call, parcel,
			   rpc_new(call, ShipmentLine, .line = line->line, .sku = line->sku,
				   .display_name = line->display_name, .quantity = quantity));
	consignment_record_parcel_detail_add_unit_grams(call, detail, line->weight_grams);
	parcel->weight_grams += line->weight_grams * quantity;
	detail->declared_weight_grams = parcel->weight_grams;
}

/* The units that still fit. */
static int32_t room_for(const Shipment *parcel, const CreateShipmentsRequestLine *line,
			int32_t max_grams)
{
	int32_t left = max_grams - parcel->weight_grams;

	if (left < 0)
		return 0;
	return line->weight_grams ? left / line->weight_grams : line->quantity;
}

static void open_parcel(struct rpc_call *call, ConsignmentRecord *record)
{
	const char *id = rpc_printf(call, "%s-%zu", record->id, record->n_shipments + 1);

	consignment_record_add_shipments(
		call, record, rpc_new(call, Shipment, .name = name_of(call, "shipments", id)));
	consignment_record_add_parcel_details(
		call, record,
		rpc_new(call, ConsignmentRecordParcelDetail, .shipment = id, .version = 1,
			.intention = CONSIGNMENT_RECORD_PARCEL_DETAIL_INTENTION_HAND_OVER));
}

int parcels_split(struct rpc_call *call, const CreateShipmentsRequest *req, int32_t max_grams,
		  ConsignmentRecord *record)
{
	CreateShipmentsRequestLine **lines =
		rpc_memdup(call, req->lines, req->n_lines * sizeof(*lines));

	qsort(lines, req->n_lines, sizeof(*lines), heaviest_first);
	for (size_t i = 0; i < req->n_lines; i++) {
		int32_t left = lines[i]->quantity;

		for (size_t j = 0; left; j++) {
			bool new = j == record->n_shipments;
			int32_t fits;

			if (new &&j == SHIPPING_PARCELS_MAX)
				return rpc_fail(
					call, TOO_MANY_PARCELS, { "order", req->order },
					{ "max", rpc_printf(call, "%d", SHIPPING_PARCELS_MAX) });
			if (new)
				open_parcel(call, record);
			fits = room_for(record->shipments[j], lines[i], max_grams);
			if (new && !fits)
				fits = 1;
			if (fits > left)
				fits = left;
			if (fits)
				put(call, record, j, lines[i], fits);
			left -= fits;
		}
	}
	return 0;
}
