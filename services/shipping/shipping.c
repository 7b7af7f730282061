/* Shipping: what it costs to send goods somewhere, and where the parcels are. */
#include "shipping.h"
#include "addresses.h"
#include <common/names.h>
#include <string.h>

int shipping_carrier(struct shipping_service *self, struct rpc_call *call, const char *id,
		     struct carrier **ret)
{
	for (struct carrier *const *carrier = self->carriers; *carrier; carrier++)
		if (!strcmp((*carrier)->id, id)) {
			*ret = *carrier;
			return 0;
		}
	return rpc_fail(call, CARRIER_UNKNOWN, { "carrier", id });
}

int shipping_carrier_unavailable(struct rpc_call *call, const char *id)
{
	int r = rpc_fail(call, CARRIER_UNAVAILABLE, { "carrier", id });

	rpc_retry_after(call, 2000);
	return r;
}

const char *shipping_actor(struct rpc_call *call)
{
	const struct rpc_caller *caller = rpc_caller(call);

	return *caller->user
		       ? caller->user
		       : name_of(call, "services", *caller->service ? caller->service : "shipping");
}

static int validate_address(struct shipping_service *self, struct rpc_call *call,
			    const ValidateAddressRequest *req, ValidateAddressResponse **ret)
{
	ValidateAddressResponse *response = rpc_new(call, ValidateAddressResponse);
	struct address_problem problems[ADDRESS_PROBLEMS_MAX];
	size_t n_problems;

	response->address = address_normalise(call, req->address, problems, &n_problems);
	response->valid = !n_problems;
	for (size_t i = 0; i < n_problems; i++)
		validate_address_response_add_problems(
			call, response,
			rpc_new(call, ValidateAddressResponseProblem, .field = problems[i].field,
				.description = rpc_printf(call, "'%s' %s.", problems[i].field,
							  problems[i].problem)));
	*ret = response;
	return 0;
}

const struct shipping_service_ops shipping_service = {
	.validate_address = validate_address,
	.quote_rates = shipping_quote_rates,
	.create_shipments = shipping_create_shipments,
	.recall_shipments = shipping_recall_shipments,
	.get_shipment = shipping_get_shipment,
	.list_shipments = shipping_list_shipments,
	.cancel_shipment = shipping_cancel_shipment,
	.track_shipment = shipping_track_shipment,
	.get_shipment_label = shipping_get_shipment_label,
	.receive_carrier_webhook = shipping_receive_carrier_webhook,
	.get_shipping_method = shipping_get_shipping_method,
	.list_shipping_methods = shipping_list_shipping_methods,
	.create_shipping_method = shipping_create_shipping_method,
	.update_shipping_method = shipping_update_shipping_method,
	.delete_shipping_method = shipping_delete_shipping_method,
};
