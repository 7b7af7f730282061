/* Carriers: what we ask of whoever moves the parcels. */
#pragma once

#include "address.msg.h"
#include "shipping.msg.h"
#include <crpc/call.h>

/*
 * One carrier behind one table. Every function returns 0 with *ret, a negative errno for a fault of
 * ours, or one of these with *why, half a sentence for people that names no address; nothing is
 * logged here. What is returned lives in the call's arena.
 */
enum {
	CARRIER_REFUSED = 320, /* answered, and nothing was done */
	CARRIER_DOUBT, /* no answer that can be used: it may have happened, and may still happen */
	CARRIER_NOT_FOUND, /* it has no such parcel */
	CARRIER_UNDER_WAY, /* call_off(): it has taken the parcel */
	CARRIER_FORGED,    /* webhook(): not signed by the carrier, or too old */
};

struct carrier_handover {
	const char *key;       /* the same for repeats, which get the first answer */
	const char *reference; /* our shipment's id */
	const char *service;   /* the carrier's name for the way to ship */
	const Address *address;
	int32_t weight_grams;
};

/* Something that happened to a parcel. */
struct carrier_event {
	ShipmentState state;
	const char *description; /* what customers may read */
	int64_t time_ms;
};

struct carrier_parcel {
	const char *id;
	const char *tracking_number;
	const char *tracking_uri;           /* "" when there is none */
	const char *label_uri;              /* "" when there is none */
	const struct carrier_event *events; /* in any order */
	size_t n_events;
};

struct carrier_webhook {
	const char *id; /* of the event; "" when it is of no interest */
	const char *tracking_number;
	const char *reference;      /* our shipment's id; "" when it does not say */
	struct carrier_event event; /* SHIPMENT_STATE_UNSPECIFIED: it does not say */
};

struct carrier {
	const char *id; /* "sandbox" */
	const struct carrier_ops *ops;
};

struct carrier_ops {
	const char *signature_header; /* lower case */

	int (*hand_over)(struct carrier *self, struct rpc_call *call,
			 const struct carrier_handover *parcel, struct carrier_parcel *ret,
			 const char **why);
	/* Where it is. */
	int (*look)(struct carrier *self, struct rpc_call *call, const char *id,
		    struct carrier_parcel *ret, const char **why);
	/* Calling off what is called off already is no refusal. */
	int (*call_off)(struct carrier *self, struct rpc_call *call, const char *id,
			const char **why);
	int (*label)(struct carrier *self, struct rpc_call *call, const char *label_uri,
		     HttpBody **ret, const char **why);
	/* Checks and reads a webhook. CARRIER_FORGED. */
	int (*webhook)(struct carrier *self, struct rpc_call *call, const char *signature,
		       ProtobufCBinaryData body, struct carrier_webhook *ret, const char **why);
};

/* The sandbox's carrier, whose protocol integration-tests/sandbox/carrier_sandbox.c tells. */
struct sandbox_carrier {
	struct carrier base;
	const char *url;
	const char *key, *webhook_secret; /* secrets */
	int64_t timeout_ms, webhook_age_ms;
};
extern const struct carrier_ops sandbox_carrier_ops;
