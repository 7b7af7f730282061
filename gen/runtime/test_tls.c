/* Mutual TLS: who is let in, by which name, and what happens when the files change. */
#include "test.h"
#include "test/probe.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char root[64];

/* A CA and certificates made by openssl(1), as ./dev and Kubernetes' cert-manager make them. */
static __attribute__((format(printf, 1, 2))) void shell(const char *format, ...)
{
	char command[2048];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void make_authority(const char *name)
{
	shell("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	      "-keyout %s.key -out %s.crt -days 2"
	      " -subj '/CN=%s' -addext basicConstraints=critical,CA:TRUE -addext "
	      "keyUsage=critical,keyCertSign 2>/dev/null",
	      root, name, name, name);
}

static void make_certificate(const char *authority, const char *name, const char *dir)
{
	shell("cd %s && mkdir -p %s && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
	      "-nodes -keyout %s/new.key"
	      " -subj /CN=%s -out %s/csr 2>/dev/null && printf "
	      "'subjectAltName=DNS:%s,URI:spiffe://test/%s\\n"
	      "extendedKeyUsage=serverAuth,clientAuth\\n' > %s/ext &&"
	      " openssl x509 -req -in %s/csr -CA %s.crt -CAkey %s.key -CAcreateserial -days 1 "
	      "-extfile %s/ext -out %s/new.crt"
	      " 2>/dev/null && cp %s.crt %s/ca.crt && mv %s/new.key %s/tls.key && mv %s/new.crt "
	      "%s/tls.crt",
	      root, dir, dir, name, dir, name, name, dir, dir, authority, authority, dir, dir,
	      authority, dir, dir, dir, dir, dir);
}

static const char *path(const char *dir)
{
	static char paths[8][128];
	static unsigned next;
	char *to = paths[next++ % 8];

	snprintf(to, sizeof(paths[0]), "%s/%s", root, dir);
	return to;
}

static struct probe probe;

static void setup(void)
{
	snprintf(root, sizeof(root), "/tmp/crpc-tls-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	make_authority("ca");
	make_certificate("ca", "probe", "probe");
	probe_start(&probe, &(struct rpc_server_options){ .tls_dir = path("probe") });
}

static void teardown(void)
{
	probe_stop(&probe);
	shell("rm -rf %s", root);
}

/* As a client with these certificates, of a server by this name: the code, and who the server saw.
 */
static int ask_as(const char *tls_dir, const char *authority, char *who, size_t size)
{
	struct rpc_channel *channel = probe_channel(&probe, tls_dir, authority);
	struct probe_client *client = probe_client_new(channel);
	struct rpc_call *call = rpc_call_new("test", 20000);
	ProbeResponse *response;
	int r = probe_client_probe(
		client, call, MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_WHO), &response);

	snprintf(who, size, "%s", r ? rpc_error_message(call) : response->text);
	rpc_call_free(call);
	probe_client_free(client);
	rpc_channel_free(channel);
	return r;
}

TEST(a_service_is_known_by_its_certificate)
{
	char who[512];

	make_certificate("ca", "friend", "friend");
	ck_assert_int_eq(ask_as(path("friend"), "probe", who, sizeof(who)), 0);
	ck_assert_str_eq(who, "user= guest=0 service=friend");
}

TEST(a_rule_admits_the_service_that_it_names_and_no_other)
{
	static const char *const names[] = { "friend", "stranger" };
	static const int codes[] = { RPC_OK, RPC_PERMISSION_DENIED };

	for (int i = 0; i < 2; i++) {
		struct rpc_call *call = rpc_call_new("test", 20000);
		struct rpc_channel *channel;
		struct probe_client *client;
		Empty *empty;

		make_certificate("ca", names[i], names[i]);
		channel = probe_channel(&probe, path(names[i]), "probe");
		client = probe_client_new(channel);
		ck_assert_int_eq(probe_client_for_friend(client, call, MSG(ProbeRequest), &empty),
				 codes[i]);
		probe_client_free(client);
		rpc_channel_free(channel);
		rpc_call_free(call);
	}
}

TEST(a_client_without_a_certificate_is_refused)
{
	char who[512];

	ck_assert_int_eq(ask_as(NULL, NULL, who, sizeof(who)), RPC_UNAVAILABLE);
	ck_assert_int_eq(probe.service.calls, 0);
}

TEST(a_client_of_another_authority_is_refused)
{
	char who[512];

	make_authority("other");
	make_certificate("other", "friend", "forged");
	shell("cp %s/ca.crt %s/forged/ca.crt", root, root); /* it trusts the server */
	ck_assert_int_eq(ask_as(path("forged"), "probe", who, sizeof(who)), RPC_UNAVAILABLE);
	ck_assert_int_eq(probe.service.calls, 0);
}

TEST(a_server_by_another_name_is_refused)
{
	char who[512];

	make_certificate("ca", "friend", "friend");
	ck_assert_int_eq(ask_as(path("friend"), "payments", who, sizeof(who)), RPC_UNAVAILABLE);
	ck_assert_int_eq(probe.service.calls, 0);
}

TEST(new_certificates_serve_new_connections_without_a_restart)
{
	char who[512];
	int r;

	/* A new authority, everywhere: the server takes it up by itself. */
	make_authority("next");
	make_certificate("next", "friend", "friend2");
	ck_assert_int_eq(ask_as(path("friend2"), "probe", who, sizeof(who)), RPC_UNAVAILABLE);
	make_certificate("next", "probe", "probe");
	do {
		nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000000 }, NULL);
		r = ask_as(path("friend2"), "probe", who, sizeof(who));
	} while (r == RPC_UNAVAILABLE);
	ck_assert_int_eq(r, 0);
	ck_assert_str_eq(who, "user= guest=0 service=friend");
}

TEST(a_missing_file_ends_the_start_with_its_name)
{
	char *error = NULL;
	struct rpc_server *server = rpc_server_new(
		&(struct rpc_server_options){ .listen = "127.0.0.1:0", .tls_dir = "/nonexistent" },
		&error);

	ck_assert_int_lt(rpc_server_start(server, &error), 0);
	ck_assert_ptr_nonnull(strstr(error, "/nonexistent/tls.crt"));
	free(error);
	rpc_server_free(server);
}

TEST_MAIN("tls", setup, teardown)
