/* How many connections each client has, over all workers. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

/*
 * Counted in two rows of a table by two hashes that nobody outside can know; the smaller of the two
 * counts is the client's, or a little more when others share both. So it takes neither a lock nor
 * memory for each client.
 */
struct clients;
struct clients *clients_new(void);
struct clients *clients_free(struct clients *clients);

/* False: it has `max` already. */
bool clients_enter(struct clients *clients, const char *address, unsigned max);
void clients_leave(struct clients *clients, const char *address);

/* Who is told apart: an IPv4 address, or the /64 of an IPv6 address, since a household has 2^64 of
 * them. */
void clients_network(const char *address, char ret[INET6_ADDRSTRLEN]);
