/* A client: says hello, once, then in a stream. */
#include "hello.rpc.h"
#include <stdio.h>

static int greet(struct hello_client *client, struct rpc_call *call, const char *name)
{
	cleanup(greeting_reader_freep) struct greeting_reader *greetings = NULL;
	Greeting *greeting;
	int r;

	r = hello_client_say_hello(client, call, MSG(SayHelloRequest, .name = name), &greeting);
	if (r)
		return r;
	puts(greeting->text);
	r = hello_client_keep_greeting(client, call, MSG(SayHelloRequest, .name = name, .times = 3),
				       &greetings);
	if (r)
		return r;
	while (!(r = greeting_reader_next(greetings, &greeting)))
		puts(greeting->text);
	return r == RPC_STREAM_END ? 0 : r;
}

int main(int argc, char **argv)
{
	struct rpc_channel *channel;
	struct hello_client *client;
	struct rpc_call *call;
	char *error = NULL;
	int r;

	if (argc != 3) {
		fprintf(stderr, "Usage: %s TARGET NAME, such as dns:///localhost:7900 Ann\n",
			argv[0]);
		return 2;
	}
	channel = rpc_channel_new(&(struct rpc_channel_options){ .target = argv[1] }, &error);
	if (!channel) {
		fprintf(stderr, "%s\n", error);
		return 2;
	}
	client = hello_client_new(channel);
	call = rpc_call_new("hello", 5000);
	r = greet(client, call, argv[2]);
	if (r)
		fprintf(stderr, "%s: %s\n", rpc_code_name(r), rpc_error_message(call));
	rpc_call_free(call);
	hello_client_free(client);
	rpc_channel_free(channel);
	return r ? 1 : 0;
}
