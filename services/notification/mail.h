/* Mail: what is sent, and whoever sends it. */
#pragma once

#include <crpc/call.h>

struct mail {
	const char *to;         /* an address alone */
	const char *subject;    /* UTF-8, one line */
	const char *text;       /* UTF-8 */
	const char *html;       /* "" without */
	const char *message_id; /* "<id@domain>", the same at every try */
	int64_t date_ms;
};

/*
 * 0 when the server has taken it; or one of these with *why, what the server said, its addresses
 * blotted out ("451 4.3.0 try again later"), or half a sentence. MAIL_DOUBT: it may have been
 * taken. A negative errno is a fault of ours.
 */
enum {
	MAIL_REFUSED = 340, /* for good: no such mailbox */
	MAIL_DOUBT,
};

struct mailer {
	const struct mail_ops *ops;
};
struct mail_ops {
	int (*send)(struct mailer *self, struct rpc_call *call, const struct mail *mail,
		    const char **why);
};

/* SMTP (RFC 5321), with TLS where the server offers it. */
struct smtp_mailer {
	struct mailer base;
	const char *url; /* "smtp://mail:587", "smtps://mail:465" */
	const char *user, *password;
	const char *from; /* "Souk <no-reply@souk.example>", or an address alone */
	bool require_tls; /* also whenever a password is sent */
	int64_t timeout_ms;
};
extern const struct mail_ops smtp_mail_ops;

/* The address in "Name <address>"; NULL when there is none. */
const char *mail_address_of(struct rpc_call *call, const char *mailbox);
/* A header's text: as it is, or in encoded words (RFC 2047) when it is not all ASCII. Line breaks
 * and control characters become spaces. */
const char *mail_header_text(struct rpc_call *call, const char *text);
