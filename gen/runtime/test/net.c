/* What stands between a client and its server, for tests: a name server, a wire that can be cut. */
#include "net.h"
#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bind_loopback(int type, int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, type, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

/*
 * Names (RFC 1035)
 */

enum { DNS_HEADER = 12, DNS_MAX = 512, TYPE_A = 1 };

/* Turns a question into its answer: the length, 0 when it is none. */
static size_t answer(uint8_t *packet, size_t length)
{
	size_t at = DNS_HEADER;
	unsigned type;

	while (at < length && packet[at])
		at += packet[at] + 1u;
	at += 5; /* the root, type and class */
	if (at > length || at + 2 * 16 > DNS_MAX)
		return 0;
	type = (unsigned)(packet[at - 4] << 8 | packet[at - 3]);
	packet[2] |= 0x80; /* an answer */
	packet[3] = 0;
	memset(packet + 6, 0, 6);
	if (type != TYPE_A)
		return at; /* nothing of that type */
	packet[7] = 2;
	for (uint8_t host = 1; host <= 2; host++) {
		const uint8_t record[] = { 0xc0, DNS_HEADER, 0, TYPE_A, 0,   1, 0, 0,
					   0,    60,         0, 4,      127, 0, 0, host };

		memcpy(packet + at, record, sizeof(record));
		at += sizeof(record);
	}
	return at;
}

static void *names_run(void *data)
{
	struct names *names = data;
	struct sockaddr_in from;

	for (;;) {
		uint8_t packet[DNS_MAX];
		socklen_t from_length = sizeof(from);
		ssize_t n = recvfrom(names->socket, packet, sizeof(packet), 0,
				     (struct sockaddr *)&from, &from_length);
		size_t length;

		if (n < DNS_HEADER)
			return NULL; /* an empty packet: the end */
		length = answer(packet, (size_t)n);
		if (length)
			sendto(names->socket, packet, length, 0, (struct sockaddr *)&from,
			       from_length);
	}
}

void names_start(struct names *names)
{
	names->socket = bind_loopback(SOCK_DGRAM, &names->port);
	ck_assert_int_eq(pthread_create(&names->thread, NULL, names_run, names), 0);
}

void names_stop(struct names *names)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)names->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	sendto(names->socket, "", 0, 0, (struct sockaddr *)&address, sizeof(address));
	pthread_join(names->thread, NULL);
	close(names->socket);
}

/*
 * The wire
 */

static void pass(int from, int to)
{
	char bytes[65536];
	ssize_t n = recv(from, bytes, sizeof(bytes), 0);

	if (n > 0)
		send(to, bytes, (size_t)n, MSG_NOSIGNAL);
	else if (!n)
		shutdown(to, SHUT_WR);
}

static void *wire_run(void *data)
{
	struct wire *wire = data;
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)wire->to_port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct pollfd wait[3] = { { wire->stop[0], POLLIN, 0 }, { wire->listener, POLLIN, 0 } };
	int near, far;

	poll(wait, 2, -1);
	if (wait[0].revents)
		return NULL;
	near = accept(wire->listener, NULL, NULL);
	far = socket(AF_INET, SOCK_STREAM, 0);
	if (!connect(far, (struct sockaddr *)&address, sizeof(address))) {
		wait[1].fd = near;
		wait[2] = (struct pollfd){ far, POLLIN, 0 };
		while (!wait[0].revents) {
			bool frozen = atomic_load(&wire->frozen);

			/* Looks now and then whether it has been frozen. */
			poll(wait, frozen ? 1 : 3, frozen ? -1 : 20);
			if (atomic_load(&wire->frozen))
				continue;
			if (wait[1].revents)
				pass(near, far);
			if (wait[2].revents)
				pass(far, near);
		}
	}
	close(near);
	close(far);
	return NULL;
}

void wire_start(struct wire *wire, int to_port)
{
	*wire = (struct wire){ .to_port = to_port };
	wire->listener = bind_loopback(SOCK_STREAM, &wire->port);
	ck_assert_int_eq(listen(wire->listener, 8), 0);
	ck_assert_int_eq(pipe(wire->stop), 0);
	ck_assert_int_eq(pthread_create(&wire->thread, NULL, wire_run, wire), 0);
}

void wire_stop(struct wire *wire)
{
	ck_assert_int_eq(write(wire->stop[1], "", 1), 1);
	pthread_join(wire->thread, NULL);
	close(wire->listener);
	close(wire->stop[0]);
	close(wire->stop[1]);
}
