/* What strings of each format look like, and resource names. */
#include "validate_private.h"
#include <string.h>

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_capital(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
	return is_letter(c) || is_digit(c);
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static bool all_capitals(const char *text, size_t length)
{
	if (strlen(text) != length)
		return false;
	while (*text)
		if (!is_capital(*text++))
			return false;
	return true;
}

/* Letters, digits and inner hyphens, RFC 1123. */
static bool is_host_label(const char *label, size_t length)
{
	if (!length || length > 63 || label[0] == '-' || label[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(label[i]) && label[i] != '-')
			return false;
	return true;
}

/* A name with at least two labels, the last not all digits: an address that mail from elsewhere
 * reaches. */
static bool is_mail_domain(const char *domain)
{
	size_t labels = 0;

	if (strlen(domain) > 253)
		return false;
	for (;;) {
		size_t length = strcspn(domain, ".");

		if (!is_host_label(domain, length))
			return false;
		labels++;
		if (!domain[length])
			return labels >= 2 && strspn(domain, "0123456789") < length;
		domain += length + 1;
	}
}

/* A dot-string; RFC 5321's quoted strings and address literals are refused, as everyone does. */
static bool is_email(const char *text)
{
	const char *at = strrchr(text, '@');
	size_t local = at ? (size_t)(at - text) : 0;

	if (!local || local > 64 || strlen(text) > 254 || text[0] == '.' || text[local - 1] == '.')
		return false;
	for (size_t i = 0; i < local; i++) {
		if (text[i] == '.' && text[i + 1] == '.')
			return false;
		if (!is_alphanumeric(text[i]) && !is_one_of(text[i], "!#$%&'*+-/=?^_`{|}~."))
			return false;
	}
	return is_mail_domain(at + 1);
}

static bool is_phone(const char *text)
{
	size_t digits;

	if (text[0] != '+' || text[1] == '0')
		return false;
	digits = strspn(text + 1, "0123456789");
	return !text[1 + digits] && digits >= 6 && digits <= 15;
}

/* A language of 2, 3 or 5 to 8 letters, then subtags of 1 to 8 letters and digits. */
static bool is_language(const char *text)
{
	size_t length = 0;

	if (strlen(text) > 35)
		return false;
	while (is_letter(text[length]))
		length++;
	if (length < 2 || length == 4 || length > 8)
		return false;
	while (text[length] == '-') {
		text += length + 1;
		length = 0;
		while (is_alphanumeric(text[length]))
			length++;
		if (!length || length > 8)
			return false;
	}
	return !text[length];
}

static bool is_uri(const char *text)
{
	const char *host;
	size_t length;

	if (!strncmp(text, "https://", 8))
		host = text + 8;
	else if (!strncmp(text, "http://", 7))
		host = text + 7;
	else
		return false;
	length = strcspn(host, "/?#");
	if (!length || is_one_of(host[0], ":@.") || memchr(host, '@', length))
		return false;
	for (const char *c = host; *c; c++) {
		if (*c == '%' && (!is_one_of(c[1], "0123456789abcdefABCDEF") ||
				  !is_one_of(c[2], "0123456789abcdefABCDEF")))
			return false;
		if (!is_alphanumeric(*c) && !is_one_of(*c, "-._~:/?#[]@!$&'()*+,;=%"))
			return false;
	}
	return true;
}

static bool is_id_of(const char *text, size_t length)
{
	if (!length || length > 128)
		return false;
	/* Whoever normalises a path would take these for steps. */
	if ((length == 1 && text[0] == '.') || (length == 2 && text[0] == '.' && text[1] == '.'))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(text[i]) && !is_one_of(text[i], "-._~"))
			return false;
	return true;
}

/* Controls of ASCII and of Latin-1 (U+0080 to U+009F), but not tab and newline. */
static bool is_text(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < 0x20 && *c != '\t' && *c != '\n')
			return false;
		if (*c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
			return false;
	}
	return true;
}

const char *format_check(enum rpc_format format, const char *text)
{
	switch (format) {
	case RPC_FORMAT_TEXT:
		return is_text(text) ? NULL : "Must not hold control characters.";
	case RPC_FORMAT_EMAIL:
		return is_email(text) ? NULL : "Must be an e-mail address.";
	case RPC_FORMAT_CURRENCY:
		return all_capitals(text, 3) ? NULL
					     : "Must be a currency code of ISO 4217, such as EUR.";
	case RPC_FORMAT_COUNTRY:
		return all_capitals(text, 2) ? NULL
					     : "Must be a country code of ISO 3166-1, such as DE.";
	case RPC_FORMAT_PHONE:
		return is_phone(text) ? NULL : "Must be a phone number such as +491701234567.";
	case RPC_FORMAT_LANGUAGE:
		return is_language(text) ? NULL : "Must be a language tag, such as en or de-AT.";
	case RPC_FORMAT_URI:
		return is_uri(text) ? NULL : "Must be an http or https URI.";
	case RPC_FORMAT_ID:
		return is_id_of(text, strlen(text))
			       ? NULL
			       : "Must be an id: 1 to 128 of A-Z a-z 0-9 - . _ ~";
	case RPC_FORMAT_ANY:
		return NULL;
	}
	return NULL;
}

/* Whether each segment is the pattern's literal, or an id where the pattern has a variable. */
static bool matches(const char *name, const char *pattern)
{
	for (;;) {
		size_t length = strcspn(name, "/"), wanted = strcspn(pattern, "/");

		if (pattern[0] == '{') {
			if (!is_id_of(name, length))
				return false;
		} else if (length != wanted || memcmp(name, pattern, length)) {
			return false;
		}
		if (!name[length] || !pattern[wanted])
			return !name[length] && !pattern[wanted];
		name += length + 1;
		pattern += wanted + 1;
	}
}

const char *resource_normalise(struct arena *arena, const char *name, const char *pattern)
{
	const char *variable = strchr(pattern, '{');

	if (matches(name, pattern))
		return name;
	/* A bare id stands for the name when the pattern ends in its only variable. */
	if (variable && !strchr(variable, '/') && !strchr(name, '/') &&
	    is_id_of(name, strlen(name)))
		return arena_printf(arena, "%.*s%s", (int)(variable - pattern), pattern, name);
	return NULL;
}
