/* Signatures of webhooks: HMAC-SHA256 over time and body. */
#include <common/signature.h>
#include <ctype.h>
#include <sodium.h>
#include <string.h>

enum { HEADER_MAX = 1024 };

static void sign(const char *secret, const char *seconds, size_t length, ProtobufCBinaryData body,
		 uint8_t ret[crypto_auth_hmacsha256_BYTES])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, (const uint8_t *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)seconds, length);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
	crypto_auth_hmacsha256_update(&state, body.data, body.len);
	crypto_auth_hmacsha256_final(&state, ret);
}

/* Whether the hexadecimal text is this signature; the comparison takes the same time whatever
 * differs. */
static bool is_signature(const char *hex, size_t length,
			 const uint8_t signature[crypto_auth_hmacsha256_BYTES])
{
	uint8_t given[crypto_auth_hmacsha256_BYTES];
	size_t size;

	return length == 2 * sizeof(given) &&
	       !sodium_hex2bin(given, sizeof(given), hex, length, NULL, &size, NULL) &&
	       size == sizeof(given) && !sodium_memcmp(given, signature, sizeof(given));
}

/* Finds the member called `name` from *at on; *at goes behind it. */
static const char *next_member(const char **at, const char *name, size_t *length)
{
	size_t name_length = strlen(name);

	while (*at) {
		const char *member = *at, *end = strchrnul(member, ',');

		*at = *end ? end + 1 : NULL;
		if (!strncmp(member, name, name_length) && member[name_length] == '=') {
			*length = (size_t)(end - member) - name_length - 1;
			return member + name_length + 1;
		}
	}
	return NULL;
}

/* Seconds since 1970, at most 12 digits; -1. */
static int64_t read_seconds(const char *text, size_t length)
{
	int64_t seconds = 0;

	if (!length || length > 12)
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -1;
		seconds = seconds * 10 + (text[i] - '0');
	}
	return seconds;
}

const char *signature_problem(const char *secret, const char *header, ProtobufCBinaryData body,
			      int64_t now_ms, int64_t age_ms)
{
	uint8_t signature[crypto_auth_hmacsha256_BYTES];
	const char *at = header, *seconds, *given;
	size_t length, seconds_length;
	int64_t time, distance;
	bool fits = false;

	if (!header || !*header)
		return "the header is missing";
	if (strlen(header) > HEADER_MAX)
		return "the header is not understood";
	seconds = next_member(&at, "t", &seconds_length);
	time = seconds ? read_seconds(seconds, seconds_length) : -1;
	if (time < 0)
		return "the header is not understood";
	sign(secret, seconds, seconds_length, body, signature);
	for (at = header; (given = next_member(&at, "v1", &length));)
		fits |= is_signature(given, length, signature);
	if (!fits)
		return "it does not fit the body";
	distance = now_ms - time * 1000;
	if (distance > age_ms || distance < -age_ms)
		return "it is too old, or from the future";
	return NULL;
}
