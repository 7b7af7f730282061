/* Mails as a server gets them: one of the test's own, which can refuse and hang up. */
#include "mail.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <test.h>
#include <unistd.h>

static struct {
	int listener;
	pthread_t thread;
	char url[64];
	/* What it answers. */
	const char *to_rcpt, *to_data_end; /* NULL: hang up */
	char got[65536];                   /* the last message */
	char commands[1024];
	int messages;
} server;

static void say(int connection, const char *line)
{
	ck_assert_int_eq(write(connection, line, strlen(line)), (ssize_t)strlen(line));
}

static void keep(char *into, size_t size, const char *line)
{
	size_t length = strlen(into);

	snprintf(into + length, size - length, "%s", line);
}

static void converse(int connection)
{
	FILE *in = fdopen(dup(connection), "r");
	char line[2048];
	bool data = false;

	say(connection, "220 test ESMTP\r\n");
	while (fgets(line, sizeof(line), in)) {
		if (data && strcmp(line, ".\r\n")) {
			keep(server.got, sizeof(server.got), line);
			continue;
		}
		if (!data)
			keep(server.commands, sizeof(server.commands), line);
		if (data) {
			server.messages++;
			data = false;
			if (!server.to_data_end)
				break;
			say(connection, server.to_data_end);
		} else if (!strncmp(line, "EHLO", 4)) {
			say(connection, "250-test\r\n250 8BITMIME\r\n");
		} else if (!strncmp(line, "RCPT", 4)) {
			say(connection, server.to_rcpt);
		} else if (!strncmp(line, "DATA", 4)) {
			say(connection, "354 go on\r\n");
			data = true;
		} else if (!strncmp(line, "QUIT", 4)) {
			say(connection, "221 bye\r\n");
			break;
		} else {
			say(connection, "250 ok\r\n");
		}
	}
	fclose(in);
}

static void *serve(void *data)
{
	int connection;

	while ((connection = accept(server.listener, NULL, NULL)) >= 0) {
		converse(connection);
		close(connection);
	}
	return NULL;
}

static struct smtp_mailer mailer = { .base = { .ops = &smtp_mail_ops },
				     .url = server.url,
				     .user = "",
				     .password = "",
				     .from = "Süßes & Salz <shop@example.com>",
				     .timeout_ms = 5000 };

static void setup(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);

	memset(&server, 0, sizeof(server));
	server.to_rcpt = "250 2.1.5 ok\r\n";
	server.to_data_end = "250 2.0.0 taken\r\n";
	server.listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(server.listener, 5), 0);
	ck_assert_int_eq(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
	snprintf(server.url, sizeof(server.url), "smtp://127.0.0.1:%d", ntohs(address.sin_port));
	pthread_create(&server.thread, NULL, serve, NULL);
	mailer.require_tls = false;
	mailer.password = "";
}

static void teardown(void)
{
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
}

static const char *why;

static int post(void)
{
	return smtp_mail_ops.send(&mailer.base, test_call(),
				  &(const struct mail){ .to = "amina@example.com",
							.subject = "Grüße: your order SK-1",
							.text = "Hello Amina,\n.\nüber = fine\n",
							.html = "<p>Hello</p>",
							.message_id = "<d1@example.com>",
							.date_ms = 1796389200000LL },
				  &why);
}

TEST(a_mail_has_both_forms_and_its_headers)
{
	ck_assert_int_eq(post(), 0);
	ck_assert_ptr_nonnull(strstr(server.commands, "MAIL FROM:<shop@example.com>"));
	ck_assert_ptr_nonnull(strstr(server.commands, "RCPT TO:<amina@example.com>"));
	ck_assert_ptr_nonnull(strstr(server.got, "\nMessage-ID: <d1@example.com>\r\n"));
	ck_assert_ptr_nonnull(strstr(server.got, "Date: Fri, 04 Dec 2026 13:00:00 +0000\r\n"));
	ck_assert_ptr_nonnull(strstr(
		server.got, "From: =?UTF-8?B?U8O8w59lcyAmIFNhbHo=?= <shop@example.com>\r\n"));
	ck_assert_ptr_nonnull(
		strstr(server.got, "Subject: =?UTF-8?B?R3LDvMOfZTogeW91ciBvcmRlciBTSy0x?=\r\n"));
	ck_assert_ptr_nonnull(strstr(server.got, "Content-Type: multipart/alternative; boundary="));
	ck_assert_ptr_null(strstr(server.got, "multipart/mixed"));
	ck_assert_ptr_nonnull(strstr(server.got, "Content-Type: text/plain; charset=utf-8"));
	ck_assert_ptr_nonnull(strstr(server.got, "=C3=BCber =3D fine"));
	ck_assert_ptr_nonnull(strstr(server.got, "<p>Hello</p>"));
}

TEST(a_mailbox_that_is_not_there_is_refused_for_good_and_its_address_blotted_out)
{
	server.to_rcpt = "550 5.1.1 <amina@example.com>: no such mailbox\r\n";
	ck_assert_int_eq(post(), MAIL_REFUSED);
	ck_assert_str_eq(why, "550 5.1.1 (address) no such mailbox");
}

TEST(a_server_that_is_busy_is_tried_again)
{
	server.to_rcpt = "451 4.7.1 greylisted\r\n";
	ck_assert_int_eq(post(), MAIL_DOUBT);
	ck_assert_str_eq(why, "451 4.7.1 greylisted");
	server.to_rcpt = "250 ok\r\n";
	server.to_data_end = "452 4.3.1 full\r\n";
	ck_assert_int_eq(post(), MAIL_DOUBT);
	ck_assert_str_eq(why, "452 4.3.1 full");
}

TEST(a_message_that_is_refused_is_refused)
{
	server.to_data_end = "554 5.7.1 spam\r\n";
	ck_assert_int_eq(post(), MAIL_REFUSED);
	ck_assert_str_eq(why, "554 5.7.1 spam");
}

TEST(a_lost_answer_is_in_doubt)
{
	server.to_data_end = NULL;
	ck_assert_int_eq(post(), MAIL_DOUBT);
	ck_assert_int_eq(server.messages, 1);
}

TEST(no_server_is_in_doubt)
{
	snprintf(server.url, sizeof(server.url), "smtp://127.0.0.1:1");
	ck_assert_int_eq(post(), MAIL_DOUBT);
}

TEST(without_tls_no_password_and_no_mail_that_wants_it_is_sent)
{
	mailer.password = "secret";
	ck_assert_int_eq(post(), MAIL_DOUBT);
	mailer.password = "";
	mailer.require_tls = true;
	ck_assert_int_eq(post(), MAIL_DOUBT);
	ck_assert_ptr_null(strstr(server.commands, "AUTH"));
	ck_assert_ptr_null(strstr(server.commands, "MAIL FROM"));
}

static const struct header {
	const char *text, *header;
} headers[] = {
	{ "Your order SK-1", "Your order SK-1" },
	{ "two\r\nBcc: everyone@example.com", "two  Bcc: everyone@example.com" },
	{ "=?UTF-8?B?eA==?=",
	  "=?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=" }, /* words of others are no words of ours */
	{ "ü", "=?UTF-8?B?w7w=?=" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaü",
	  "=?UTF-8?B?YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=?=\r\n "
	  "=?UTF-8?B?w7w=?=" },
};

TEST_EACH(a_header_is_one_line_of_ascii, headers)
{
	ck_assert_str_eq(mail_header_text(test_call(), row->text), row->header);
}

TEST(an_address_is_found_in_a_mailbox)
{
	ck_assert_str_eq(mail_address_of(test_call(), "Souk <a@b.example>"), "a@b.example");
	ck_assert_str_eq(mail_address_of(test_call(), "a@b.example"), "a@b.example");
	ck_assert_ptr_null(mail_address_of(test_call(), "Souk"));
	ck_assert_ptr_null(mail_address_of(test_call(), "a@b, c@d"));
	ck_assert_ptr_null(mail_address_of(test_call(), "a@"));
}

TEST_MAIN("mail", setup, teardown)
