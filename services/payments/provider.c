/*
 * Payment providers: what holds for each of them.
 *
 * A provider is asked over a network that loses questions and answers, so after each request one of
 * three things is known: it was done (0), it was refused and nothing was done (PROVIDER_REFUSED),
 * or nothing is known (PROVIDER_DOUBT): no answer, half an answer, a 5xx, "too busy", a key that is
 * not ours. A doubt is never decided by guessing:
 *
 *   1. What we mean to do is in our document before it is asked for. A crash finds the intention
 *      there.
 *   2. After a doubt, and when an intention is found that another process left, the provider is
 *      asked how it stands (intent_get, refund_find) before anything is sent again.
 *   3. An intent is confirmed, captured and cancelled at most once by nature: the provider refuses
 *      the second time, so sending again is harmless. Creating is not: a second intent holds
 *      nothing, because it is confirmed only by the id that we stored, and a second refund would
 *      give money away, so a refund carries our name of it and is sent again only when the
 *      provider's list does not have it and the last sending is so long ago that it cannot be on
 *      its way.
 *   4. Each request that changes something has a key (Idempotency-Key), and a refund the same one
 *      each time. It is a second line: not every provider honours it.
 *   5. What the provider wrongly allows is refused by our document first: see payments.c.
 *
 * Cards are tokens. A token is looked at only to see that it is none of what must never come here.
 */
#include "provider.h"
#include <crpc/log.h>
#include <ctype.h>

/* Luhn's check over 12 to 19 digits, spaces and dashes between them allowed. */
static bool is_card_number(const char *text)
{
	int digits[20], n = 0, sum = 0;

	for (; *text; text++) {
		if (*text == ' ' || *text == '-')
			continue;
		if (!isdigit((unsigned char)*text) || n == 19)
			return false;
		digits[n++] = *text - '0';
	}
	for (int i = 0; i < n; i++) {
		int digit = digits[n - 1 - i] * (i % 2 ? 2 : 1);

		sum += digit > 9 ? digit - 9 : digit;
	}
	return n >= 12 && sum % 10 == 0;
}

const char *provider_token_problem(const struct payment_provider *provider, const char *token)
{
	size_t digits = 0, length = 0;

	if (is_card_number(token))
		return "it looks like a card number; send the provider's token for the card";
	for (; token[length]; length++) {
		if (!isalnum((unsigned char)token[length]) && token[length] != '_' &&
		    token[length] != '-')
			return "it is no token of the provider";
		digits += isdigit((unsigned char)token[length]) != 0;
	}
	if (!length || digits == length)
		return "it is no token of the provider";
	return provider->ops->token_problem(token);
}

void provider_log(struct rpc_call *call, const struct payment_provider *provider,
		  const char *payment, const char *action, int code,
		  const struct provider_problem *why)
{
	const char *problem = why->problem ? why->problem : "", *said = why->code ? why->code : "";

	if (code == PROVIDER_DOUBT)
		log_warning(call, "the payment provider gave no usable answer",
			    { "provider", provider->id }, { "payment", payment },
			    { "action", action }, { "problem", problem });
	else
		log_warning(call, "the payment provider refused a request",
			    { "provider", provider->id }, { "payment", payment },
			    { "action", action }, { "code", said }, { "problem", problem });
}
