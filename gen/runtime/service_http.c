/* What the kubelet and Prometheus ask a service: /healthz, /readyz, /metrics. */
#include "service_private.h"
#include "thread.h"
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CONNECTIONS_MAX = 32,
	CONNECTIONS_OF_ONE_MAX = 16,
	CONNECTION_MEMORY = 4096,
	IDLE_SECONDS = 15
};

struct service_http {
	struct service *service;
	struct MHD_Daemon *daemon;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
			      char *text, size_t length, enum MHD_ResponseMemoryMode memory)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, text, memory);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
				   const char *text)
{
	return answer(connection, status, "text/plain; charset=utf-8", (char *)text, strlen(text),
		      MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result answer_readiness(struct service_http *http,
					struct MHD_Connection *connection)
{
	char why[320];

	service_readiness(http->service, why, sizeof(why) - 1);
	if (!*why)
		return answer_text(connection, MHD_HTTP_OK, "ready\n");
	strcat(why, "\n");
	return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

static enum MHD_Result answer_metrics(struct MHD_Connection *connection)
{
	size_t length;
	char *text = metrics_print(&length);

	return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text,
		      length, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	struct service_http *http = data;

	(void)version;
	(void)upload;
	if (!*state) { /* the headers have come; what follows them is not looked at */
		*state = http;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				   "Only GET is answered here.\n");
	if (!strcmp(url, "/healthz"))
		return answer_text(connection, MHD_HTTP_OK, "alive\n");
	if (!strcmp(url, "/readyz"))
		return answer_readiness(http, connection);
	if (!strcmp(url, "/metrics"))
		return answer_metrics(connection);
	return answer_text(connection, MHD_HTTP_NOT_FOUND,
			   "Here are /healthz, /readyz and /metrics.\n");
}

/* "127.0.0.1:7101", "[::1]:7101", ":7101" for all addresses. */
static int resolve(const char *listen, struct addrinfo **ret)
{
	const char *colon = strrchr(listen, ':');
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM };
	char host[256];
	size_t length;

	if (!colon || (size_t)(colon - listen) >= sizeof(host))
		return -EINVAL;
	length = (size_t)(colon - listen);
	if (length >= 2 && listen[0] == '[' && listen[length - 1] == ']') {
		listen++;
		length -= 2;
	}
	memcpy(host, listen, length);
	host[length] = '\0';
	return getaddrinfo(length ? host : NULL, colon + 1, &hints, ret) ? -EINVAL : 0;
}

struct service_http *service_http_start(struct service *service, const char *listen, char **error)
{
	struct service_http *http = calloc(1, sizeof(*http));
	struct addrinfo *address = NULL;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL;

	if (!http)
		abort();
	http->service = service;
	if (!resolve(listen, &address)) {
		if (address->ai_family == AF_INET6)
			flags |= MHD_USE_IPv6;
		http->daemon = MHD_start_daemon(
			flags, 0, NULL, NULL, handle, http, MHD_OPTION_SOCK_ADDR, address->ai_addr,
			MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_CONNECTION_LIMIT,
			(unsigned)CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
			(unsigned)CONNECTIONS_OF_ONE_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
			(size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
			(unsigned)IDLE_SECONDS, MHD_OPTION_THREAD_STACK_SIZE,
			(size_t)THREAD_STACK_SMALL, MHD_OPTION_END);
		freeaddrinfo(address);
	}
	if (http->daemon)
		return http;
	if (asprintf(error, "cannot listen on %s for HTTP: not an address of this host, or in use",
		     listen) < 0)
		abort();
	free(http);
	return NULL;
}

struct service_http *service_http_stop(struct service_http *http)
{
	if (!http)
		return NULL;
	MHD_stop_daemon(http->daemon);
	free(http);
	return NULL;
}
