/* Consignments: all parcels of an order, and how they change. */
#pragma once

#include "shipping_store.h"
#include <common/doing.h>

/* Decides upon the draft as it is, and alters it; runs again when someone came between. 0,
 * CONSIGNMENT_UNCHANGED to leave it, or an error. */
typedef int consignment_decide(struct rpc_call *call, ConsignmentRecord *draft, void *data);
enum { CONSIGNMENT_UNCHANGED = 330 };

/*
 * Reads the order's parcels, lets `decide` alter them, and writes what is different if the version
 * is still that one: versions, times and events of the parcels that changed follow by themselves. 0
 * with the record as it is then, MONGO_NOT_FOUND, or an error. `answer` may be set by `decide`; or
 * NULL.
 */
int consignment_change(struct rpc_call *call, const char *order, consignment_decide *decide,
		       void *data, const struct stored_answer **answer, ConsignmentRecord **ret);
/* The same, beginning with what was read just now; or NULL. */
int consignment_change_from(struct rpc_call *call, ConsignmentRecord *known, const char *order,
			    consignment_decide *decide, void *data,
			    const struct stored_answer **answer, ConsignmentRecord **ret);
/* Parcels that this process hands to a carrier, by their ids, until it has noted the answer. */
extern struct doing consignment_handing_over;

/* A parcel as people see it. */
Shipment *consignment_view(struct rpc_call *call, const ConsignmentRecord *record, size_t i);
/* The order's id, of a parcel's name: "shipments/{order}-{n}"; "" when it is none of ours. */
const char *consignment_order_of(struct rpc_call *call, const char *shipment);
/* The parcel's place; -1. */
int consignment_index(const ConsignmentRecord *record, const char *shipment);

/* The parcel of that name; SHIPMENT_NOT_FOUND. */
int consignment_find(struct rpc_call *call, const char *name, ConsignmentRecord **ret,
		     size_t *i_ret);

/* When to look at it next: at once, after a pause, or to ask where the parcels are; NULL when all
 * have ended. */
Timestamp *consignment_next_look(struct rpc_call *call, const ConsignmentRecord *record,
				 int64_t poll_ms);

/*
 * Working with the carrier, in handover.c: one turn for one order's parcels, under its lease.
 * CONSIGNMENT_BUSY: another works on it, or, with `if_due`, its time has not come. *pending_ret:
 * the carrier did not answer, or something is left to do there. What the turn has learnt is stored
 * whatever it returns.
 */
enum { CONSIGNMENT_BUSY = 331 };
int consignment_work(struct shipping_service *self, struct rpc_call *call, const char *order,
		     bool if_due, bool *pending_ret);
/* A turn in two halves: new parcels are stored with their lease, and parcels that were read are
 * taken; then whoever has them, or a hand, carries on. */
void consignment_hold(struct shipping_service *self, struct rpc_call *call,
		      ConsignmentRecord *record);
int consignment_take(struct shipping_service *self, struct rpc_call *call, ConsignmentRecord *known,
		     ConsignmentRecord **ret);
int consignment_carry_on(struct shipping_service *self, struct rpc_call *call,
			 ConsignmentRecord **record);
extern const struct hands_work shipping_hands_work;

/*
 * Recalls, in recall.c: ends draft->recall when all parcels that it empties are called off, or
 * undoes it when the carrier has `taken` one. The answer to be stored with that; or NULL.
 */
const struct stored_answer *recall_advance(struct rpc_call *call, ConsignmentRecord *draft,
					   bool taken);
/* Whether a parcel that is to be called off has moved on. */
bool recall_is_late(const ConsignmentRecord *draft);

/* Puts the goods into parcels of at most `max_grams`, first fit, the heaviest units first; a
 * heavier unit has one of its own. TOO_MANY_PARCELS. */
int parcels_split(struct rpc_call *call, const CreateShipmentsRequest *req, int32_t max_grams,
		  ConsignmentRecord *record);

/*
 * Tracking, in tracking.c. A parcel only moves forward; what came late is history alone.
 */
/* Whether a parcel may move to a state because of something that happened then. */
bool tracking_can_move(const Shipment *shipment, ShipmentState state, int64_t time_ms);
/* Notes an event that was not noted before, and moves the parcel if it may. Whether anything was
 * noted. */
bool tracking_note(struct rpc_call *call, Shipment *shipment, const struct carrier_event *event,
		   const char *actor);
/* The same of all that the carrier says, in the order in which it happened. */
void tracking_take(struct rpc_call *call, Shipment *shipment, const struct carrier_parcel *parcel);
/* Whether it was noted before. */
bool tracking_knows(const Shipment *shipment, const struct carrier_event *event, const char *actor);
bool tracking_has_ended(ShipmentState state);
const char *tracking_state(ShipmentState state); /* "IN_TRANSIT" */
