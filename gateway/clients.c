/* How many connections each client has. */
#include "clients.h"
#include <arpa/inet.h>
#include <common/hash.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { ROWS = 2, COLUMNS = 16384 };

struct clients {
	uint64_t seeds[ROWS];
	_Atomic uint32_t counts[ROWS][COLUMNS];
};

struct clients *clients_new(void)
{
	struct clients *clients = calloc(1, sizeof(*clients));

	if (clients && getrandom(clients->seeds, sizeof(clients->seeds), 0) < 0)
		return clients_free(clients);
	return clients;
}

struct clients *clients_free(struct clients *clients)
{
	free(clients);
	return NULL;
}

void clients_network(const char *address, char ret[INET6_ADDRSTRLEN])
{
	struct in6_addr network;

	snprintf(ret, INET6_ADDRSTRLEN, "%s", address);
	if (inet_pton(AF_INET6, address, &network) == 1 && !IN6_IS_ADDR_V4MAPPED(&network)) {
		memset(network.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &network, ret, INET6_ADDRSTRLEN);
	}
}

static _Atomic uint32_t *cell(struct clients *clients, int row, const char *network)
{
	return &clients->counts[row][hash_text(clients->seeds[row], network) % COLUMNS];
}

bool clients_enter(struct clients *clients, const char *address, unsigned max)
{
	char network[INET6_ADDRSTRLEN];
	bool free_place = false;

	clients_network(address, network);
	for (int row = 0; row < ROWS; row++)
		if (atomic_fetch_add_explicit(cell(clients, row, network), 1,
					      memory_order_relaxed) < max)
			free_place = true;
	if (!free_place)
		clients_leave(clients, address);
	return free_place;
}

void clients_leave(struct clients *clients, const char *address)
{
	char network[INET6_ADDRSTRLEN];

	clients_network(address, network);
	for (int row = 0; row < ROWS; row++)
		atomic_fetch_sub_explicit(cell(clients, row, network), 1, memory_order_relaxed);
}
