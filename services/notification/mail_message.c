/* Headers of mails: addresses, and text that is not ASCII. */
#include "mail.h"
#include <sodium.h>
#include <string.h>

/* At most 75 characters each, of which 12 are "=?UTF-8?B?" and "?=": 45 bytes in base64 are 60. */
enum { WORD_BYTES = 45 };

const char *mail_address_of(struct rpc_call *call, const char *mailbox)
{
	const char *open = strrchr(mailbox, '<'), *close = open ? strchr(open, '>') : NULL;
	const char *address =
		close ? rpc_printf(call, "%.*s", (int)(close - open - 1), open + 1) : mailbox;
	const char *at = strchr(address, '@');

	if (!at || at == address || !at[1] || address[strcspn(address, " \t\r\n<>,;")])
		return NULL;
	return address;
}

static char *without_controls(struct rpc_call *call, const char *text)
{
	char *copy = rpc_strdup(call, text);

	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	return copy;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text & 0x80)
			return false;
	return true;
}

/* Whole characters, at most WORD_BYTES. */
static size_t word_length(const char *text)
{
	size_t length = strlen(text);

	if (length <= WORD_BYTES)
		return length;
	for (length = WORD_BYTES; length > 1 && (text[length] & 0xc0) == 0x80; length--)
		;
	return length;
}

const char *mail_header_text(struct rpc_call *call, const char *text)
{
	const char *clean = without_controls(call, text), *words = "";
	char base64[4 * WORD_BYTES];

	if (is_ascii(clean) && !strstr(clean, "=?"))
		return clean;
	while (*clean) {
		size_t length = word_length(clean);

		sodium_bin2base64(base64, sizeof(base64), (const uint8_t *)clean, length,
				  sodium_base64_VARIANT_ORIGINAL);
		words = rpc_printf(call, "%s%s=?UTF-8?B?%s?=", words, *words ? "\r\n " : "",
				   base64);
		clean += length;
	}
	return words;
}
