/* Mail by SMTP, over libcurl. */
#include "mail.h"
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <time.h>

enum { REPLY_MAX = 200, CONNECT_MS = 5000 };

static void curl_freep(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

static void slist_freep(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static void mime_freep(curl_mime **mime)
{
	curl_mime_free(*mime);
}

static int add(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

/* --- what the server says --- */

/* The last line that refuses something: after it there may be the answer to our goodbye. */
struct refusal {
	char line[REPLY_MAX + 1];
};

static size_t note_reply(char *line, size_t size, size_t n, void *data)
{
	struct refusal *refusal = data;
	size_t length = size * n, kept = length < REPLY_MAX ? length : REPLY_MAX;

	if (length && (*line == '4' || *line == '5')) {
		memcpy(refusal->line, line, kept);
		refusal->line[kept] = '\0';
	}
	return length;
}

/* Servers repeat what they refuse: nobody's address is to be read in a log of ours. */
static const char *blot_out(struct rpc_call *call, const char *reply)
{
	const char *clean = "";

	while (*reply) {
		size_t length = strcspn(reply, " \t\r\n");
		bool print = length > 0;

		for (size_t i = 0; i < length; i++)
			print &= isprint((unsigned char)reply[i]) != 0;
		if (memchr(reply, '@', length))
			clean = rpc_printf(call, "%s%s(address)", clean, *clean ? " " : "");
		else if (print)
			clean = rpc_printf(call, "%s%s%.*s", clean, *clean ? " " : "", (int)length,
					   reply);
		reply += length;
		reply += strspn(reply, " \t\r\n");
	}
	return clean;
}

/* --- the message --- */

static const char *date_of(struct rpc_call *call, int64_t ms)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(ms / 1000);
	struct tm parts;

	gmtime_r(&seconds, &parts);
	return rpc_printf(call, "%s, %02d %s %d %02d:%02d:%02d +0000", days[parts.tm_wday],
			  parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
			  parts.tm_min, parts.tm_sec);
}

static const char *from_header(struct rpc_call *call, const char *from, const char *address)
{
	const char *open = strrchr(from, '<');
	size_t length = open ? (size_t)(open - from) : 0;

	while (length && from[length - 1] == ' ')
		length--;
	if (!length)
		return rpc_printf(call, "From: <%s>", address);
	return rpc_printf(call, "From: %s <%s>",
			  mail_header_text(call, rpc_printf(call, "%.*s", (int)length, from)),
			  address);
}

static int add_headers(struct rpc_call *call, const struct smtp_mailer *smtp, const char *from,
		       const struct mail *mail, struct curl_slist **headers)
{
	const char *const lines[] = {
		rpc_printf(call, "Date: %s", date_of(call, mail->date_ms)),
		from_header(call, smtp->from, from),
		rpc_printf(call, "To: <%s>", mail->to),
		rpc_printf(call, "Subject: %s", mail_header_text(call, mail->subject)),
		rpc_printf(call, "Message-ID: %s", mail->message_id),
		"Auto-Submitted: auto-generated", /* RFC 3834: no out-of-office answers */
		"Content-Type: multipart/alternative",
	};
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(lines) / sizeof(*lines); i++)
		r = add(headers, lines[i]);
	return r;
}

/* Lines end with CR LF in mails. */
static const char *with_crlf(struct rpc_call *call, const char *text)
{
	char *copy = rpc_alloc(call, 2 * strlen(text) + 1), *to = copy;

	for (; *text; text++) {
		if (*text == '\r')
			continue;
		if (*text == '\n')
			*to++ = '\r';
		*to++ = *text;
	}
	*to = '\0';
	return copy;
}

static int add_part(struct rpc_call *call, curl_mime *mime, const char *type, const char *text)
{
	curl_mimepart *part = curl_mime_addpart(mime);

	if (!part || curl_mime_data(part, with_crlf(call, text), CURL_ZERO_TERMINATED) ||
	    curl_mime_type(part, type) || curl_mime_encoder(part, "quoted-printable"))
		return -ENOMEM;
	return 0;
}

/* --- sending --- */

/*
 * A reply of 5xx to the recipient or the message is for good. To the greeting, STARTTLS or the
 * password it tells of the server or of our options, which may be put right.
 */
static int judge(struct rpc_call *call, CURLcode code, const struct refusal *refusal,
		 const char **why)
{
	bool of_mail = code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
		       code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UPLOAD_FAILED;

	if (!code)
		return 0;
	*why = *refusal->line ? blot_out(call, refusal->line) : curl_easy_strerror(code);
	return of_mail && *refusal->line == '5' ? MAIL_REFUSED : MAIL_DOUBT;
}

static int send_mail(struct mailer *self, struct rpc_call *call, const struct mail *mail,
		     const char **why)
{
	const struct smtp_mailer *smtp = (const struct smtp_mailer *)self; /* its first member */
	cleanup(curl_freep) CURL *curl = curl_easy_init();
	cleanup(slist_freep) struct curl_slist *headers = NULL, *recipients = NULL;
	cleanup(mime_freep) curl_mime *mime = curl ? curl_mime_init(curl) : NULL;
	const char *from = mail_address_of(call, smtp->from);
	int64_t timeout_ms = smtp->timeout_ms, left_ms = rpc_remaining_ms(call);
	struct refusal refusal = { "" };
	bool tls = smtp->require_tls || *smtp->password;
	CURLcode code;
	int r;

	if (left_ms < timeout_ms)
		timeout_ms = left_ms;
	if (!mime)
		return -ENOMEM;
	if (!from)
		return -EINVAL;
	r = add_headers(call, smtp, from, mail, &headers);
	if (!r)
		r = add(&recipients, rpc_printf(call, "<%s>", mail->to));
	if (!r)
		r = add_part(call, mime, "text/plain; charset=utf-8", mail->text);
	if (!r && *mail->html)
		r = add_part(call, mime, "text/html; charset=utf-8", mail->html);
	if (r)
		return r;
	curl_easy_setopt(curl, CURLOPT_URL, smtp->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS));
	curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)(tls ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	if (*smtp->user) {
		curl_easy_setopt(curl, CURLOPT_USERNAME, smtp->user);
		curl_easy_setopt(curl, CURLOPT_PASSWORD, smtp->password);
	}
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, rpc_printf(call, "<%s>", from));
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, note_reply);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &refusal);
	code = curl_easy_perform(curl);
	return judge(call, code, &refusal, why);
}

const struct mail_ops smtp_mail_ops = { .send = send_mail };
