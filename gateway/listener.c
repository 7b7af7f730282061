/* A listening socket. */
#include "listener.h"
#include "clients.h"
#include "connection.h"
#include "gateway.h"
#include "worker.h"
#include <arpa/inet.h>
#include <crpc/metrics.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, ACCEPTS_A_TURN = 64, UNSENT_MAX = 128 * 1024 };

static void address_text(const struct sockaddr_storage *address, char *ret, size_t size)
{
	const struct sockaddr_in6 *six = (const void *)address;
	const struct sockaddr_in *four = (const void *)address;

	snprintf(ret, size, "local");
	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &four->sin_addr, ret, (socklen_t)size);
	else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, ret, (socklen_t)size);
	else if (address->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &six->sin6_addr, ret, (socklen_t)size);
}

/* Whose connections are counted: behind proxies all come from the same few. */
static bool limited(const struct listener *listener)
{
	const struct gateway *gateway = listener->worker->gateway;

	return !listener->admin && gateway->client_connections_max && !gateway->forwarded_hops;
}

/* A client that has too many gets no answer: that would cost what the limit is to save. */
static void take(struct listener *listener, int fd, const char *address)
{
	struct worker *worker = listener->worker;
	const struct gateway *gateway = worker->gateway;
	struct connection *connection;

	if (limited(listener) &&
	    !clients_enter(gateway->clients, address, (unsigned)gateway->client_connections_max)) {
		metric_add(listener->refused, 1);
		close(fd);
		return;
	}
	connection = connection_new(worker, fd, address, listener->admin ? NULL : worker->tls,
				    listener->admin);
	if (connection)
		connection->counted = limited(listener);
	else if (limited(listener))
		clients_leave(gateway->clients, address);
}

/* Level-triggered: what is left comes again in the next turn. */
static void ready(struct watch *watch, uint32_t events)
{
	struct listener *listener = (void *)((char *)watch - offsetof(struct listener, watch));
	struct worker *worker = listener->worker;
	const struct gateway *gateway = worker->gateway;

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage address;
		socklen_t size = sizeof(address);
		char text[INET6_ADDRSTRLEN];
		int fd;

		/* The rest waits in the kernel's queue; the kubelet's probes come by the other
		 * door. */
		if (!listener->admin && worker->n_connections >= gateway->connections_max) {
			listener->paused = true;
			loop_change(&worker->loop, watch, 0);
			return;
		}
		fd = accept4(watch->fd, (struct sockaddr *)&address, &size,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return; /* none left, or no descriptors: the next turn tries again */
		address_text(&address, text, sizeof(text));
		take(listener, fd, text);
	}
}

void listener_room(struct listener *listener)
{
	if (!listener->paused || listener->watch.fd < 0 ||
	    listener->worker->n_connections >= listener->worker->gateway->connections_max)
		return;
	listener->paused = false;
	loop_change(&listener->worker->loop, &listener->watch, EPOLLIN);
}

static int open_socket(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, sizeof(int));
	/* Inherited by what is accepted. Little waits in the kernel, so that we see a slow client
	 * early, and its pace. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &(int){ UNSENT_MAX }, sizeof(int));
	if (!bind(fd, info->ai_addr, info->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	r = -errno;
	close(fd);
	return r;
}

struct listener *listener_new(struct worker *worker, const char *address, bool admin, char **error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct listener *listener = calloc(1, sizeof(*listener));
	const char *colon = strrchr(address, ':');
	struct addrinfo *infos = NULL;
	char host[256] = "";
	int fd = -EINVAL;

	if (colon && (size_t)(colon - address) < sizeof(host)) {
		memcpy(host, address, (size_t)(colon - address));
		if (host[0] == '[' && host[colon - address - 1] == ']') {
			memmove(host, host + 1, sizeof(host) - 1);
			host[colon - address - 2] = '\0';
		}
		if (!getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &infos))
			fd = open_socket(infos);
		if (infos)
			freeaddrinfo(infos);
	}
	if (listener && fd >= 0) {
		*listener = (struct listener){
			.watch = { fd, ready },
			.worker = worker,
			.admin = admin,
			.refused = metric_counter("gateway_connections_refused_total", "",
						  "Connections of clients that had too many."),
		};
		if (!loop_watch(&worker->loop, &listener->watch, EPOLLIN))
			return listener;
		fd = -errno;
		close(listener->watch.fd);
	}
	if (asprintf(error, "cannot listen on '%s': %s", address, strerror(fd < 0 ? -fd : ENOMEM)) <
	    0)
		*error = NULL;
	free(listener);
	return NULL;
}

void listener_close(struct listener *listener)
{
	if (listener->watch.fd >= 0)
		close(listener->watch.fd);
	listener->watch.fd = -1;
}

struct listener *listener_free(struct listener *listener)
{
	if (!listener)
		return NULL;
	listener_close(listener);
	free(listener);
	return NULL;
}

int listener_port(const struct listener *listener)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (getsockname(listener->watch.fd, (struct sockaddr *)&address, &size))
		return -1;
	return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
					     : ntohs(((struct sockaddr_in *)&address)->sin_port);
}
