/* The service: two functions and a table of them. */
#include "hello.rpc.h"
#include <crpc/service.h>
#include <string.h>

static int say_hello(struct hello_service *self, struct rpc_call *call, const SayHelloRequest *req,
		     Greeting **ret)
{
	if (!strcmp(req->name, "Nobody"))
		return rpc_fail(call, PERSON_UNKNOWN, { "name", req->name });
	*ret = rpc_new(call, Greeting, .text = rpc_printf(call, "Hello, %s.", req->name));
	return 0;
}

static int keep_greeting(struct hello_service *self, struct rpc_call *call,
			 const SayHelloRequest *req, struct greeting_writer *out)
{
	int r = 0;

	for (int i = 1; !r && i <= req->times; i++)
		r = greeting_writer_send(
			out,
			MSG(Greeting, .text = rpc_printf(call, "Hello %s, %d.", req->name, i)));
	return r;
}

static const struct hello_service_ops hello_service = {
	.say_hello = say_hello,
	.keep_greeting = keep_greeting,
};

static int start(struct service *service, char **error)
{
	hello_service_serve(service_server(service), &hello_service, NULL);
	return 0;
}

SERVICE_MAIN(.name = "hello", .summary = "Greets.", .prefix = "HELLO_", .start = start)
