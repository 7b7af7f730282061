/* Addresses: whether a parcel can be sent there, and how the country's post wants it written. */
#pragma once

#include "address.msg.h"
#include <crpc/call.h>

struct address_problem {
	const char *field;   /* as JSON spells it: "postalCode" */
	const char *problem; /* half a sentence: "is not a postal code of DE, such as 12047" */
};
enum { ADDRESS_PROBLEMS_MAX = 4 };

/*
 * The address as its country writes it, in the call's arena: spaces cleaned, empty lines dropped,
 * the postal code in capitals with the country's separators ("sw1a1aa" is "SW1A 1AA", "D-12047" is
 * "12047"), states and provinces by their codes ("California" is "CA"). A postal code is text: its
 * leading zeros stay. What cannot be made right stays as it is and is among the problems.
 */
Address *address_normalise(struct rpc_call *call, const Address *address,
			   struct address_problem problems[ADDRESS_PROBLEMS_MAX],
			   size_t *n_problems);

/* A postal code without its separators, in capitals: to compare by. */
const char *address_compact(struct rpc_call *call, const char *postal_code);
