/* Addresses: whether a parcel can be sent there, and how the country's post wants it written. */
#include "addresses.h"
#include "address_rules.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

struct check {
	struct rpc_call *call;
	Address *address;
	struct address_problem *problems;
	size_t n;
};

static void problem(struct check *check, const char *field, const char *what)
{
	if (check->n < ADDRESS_PROBLEMS_MAX)
		check->problems[check->n++] = (struct address_problem){ field, what };
}

/* No space at the ends, one where there were several. Bytes beyond ASCII stay. */
static const char *tidy(struct rpc_call *call, const char *text)
{
	char *copy = rpc_alloc(call, strlen(text) + 1), *to = copy;

	for (; *text; text++) {
		bool space = *text == ' ' || *text == '\t' || *text == '\n' || *text == '\r';

		if (!space)
			*to++ = *text;
		else if (to > copy && to[-1] != ' ')
			*to++ = ' ';
	}
	if (to > copy && to[-1] == ' ')
		to--;
	*to = '\0';
	return copy;
}

/* --- postal codes --- */

const char *address_compact(struct rpc_call *call, const char *postal_code)
{
	char *compact = rpc_alloc(call, strlen(postal_code) + 1), *to = compact;

	for (; *postal_code; postal_code++)
		if (*postal_code != ' ' && *postal_code != '-')
			*to++ = (char)toupper((unsigned char)*postal_code);
	*to = '\0';
	return compact;
}

static bool is_class(char class, char c)
{
	switch (class) {
	case 'N':
		return c >= '0' && c <= '9';
	case 'A':
		return c >= 'A' && c <= 'Z';
	case 'X':
		return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
	default:
		return toupper((unsigned char)class) == c;
	}
}

/* Writes the code as the pattern (up to '|' or its end) has it; NULL when it does not fit. */
static const char *fit(struct rpc_call *call, const char *pattern, const char *compact)
{
	char *written = rpc_alloc(call, strlen(pattern) + 1), *to = written;

	for (; *pattern && *pattern != '|'; pattern++) {
		if (*pattern == ' ' || *pattern == '-') {
			*to++ = *pattern;
			continue;
		}
		if (!is_class(*pattern, *compact))
			return NULL;
		*to++ = *compact++;
	}
	*to = '\0';
	return *compact ? NULL : written;
}

static const char *fit_any(struct rpc_call *call, const char *patterns, const char *compact)
{
	const char *written = NULL;

	for (const char *at = patterns; at && !written; at = strchr(at, '|')) {
		at += *at == '|';
		written = fit(call, at, compact);
	}
	return written;
}

/* "D-12047", "CH 8001": the country before the code, as Europe used to write it. */
static const char *without_country(const char *compact)
{
	size_t letters = strspn(compact, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return letters <= 2 ? compact + letters : compact;
}

static void check_postal_code(struct check *check, const struct country_rules *rules)
{
	Address *address = check->address;
	const char *compact = address_compact(check->call, address->postal_code), *written;

	if (!rules) {
		if (compact[strspn(compact, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")])
			problem(check, "postalCode",
				"holds more than letters, digits, spaces and hyphens");
		return;
	}
	if (!*rules->postal_code) {
		/* What people type where a form insists. */
		address->postal_code = "";
		return;
	}
	if (!*compact) {
		problem(check, "postalCode",
			rpc_printf(check->call, "is missing; %s has codes such as %s", rules->code,
				   rules->example));
		return;
	}
	written = fit_any(check->call, rules->postal_code, compact);
	/* With the country that does not belong there, or without the one that does. */
	if (!written && isupper((unsigned char)*compact))
		written = fit_any(check->call, rules->postal_code, without_country(compact));
	else if (!written)
		written = fit_any(check->call, rules->postal_code,
				  rpc_printf(check->call, "%s%s", rules->code, compact));
	if (written)
		address->postal_code = written;
	else
		problem(check, "postalCode",
			rpc_printf(check->call, "is not a postal code of %s, such as %s",
				   rules->code, rules->example));
}

/* --- regions --- */

static void check_region(struct check *check, const struct country_rules *rules)
{
	if (!rules || !rules->regions)
		return;
	if (!*check->address->region) {
		problem(check, "region",
			rpc_printf(check->call, "is missing; %s needs one, such as %s", rules->code,
				   rules->regions->code));
		return;
	}
	for (const struct region *region = rules->regions; region->code; region++) {
		if (strcasecmp(region->code, check->address->region) &&
		    strcasecmp(region->name, check->address->region))
			continue;
		check->address->region = region->code;
		return;
	}
	problem(check, "region",
		rpc_printf(check->call, "is not a region of %s, such as %s", rules->code,
			   rules->regions->code));
}

/* --- all of it --- */

static void check_lines(struct check *check, const Address *from)
{
	Address *address = check->address;

	address->n_lines = 0;
	address->lines = NULL;
	for (size_t i = 0; i < from->n_lines; i++) {
		const char *line = tidy(check->call, from->lines[i]);

		if (*line)
			address_add_lines(check->call, address, line);
	}
	if (!address->n_lines)
		problem(check, "lines", "are empty; street and house number belong there");
}

Address *address_normalise(struct rpc_call *call, const Address *from,
			   struct address_problem problems[ADDRESS_PROBLEMS_MAX],
			   size_t *n_problems)
{
	Address *address = rpc_memdup(call, from, sizeof(*from));
	struct check check = { .call = call, .address = address, .problems = problems };
	const struct country_rules *rules = country_rules(from->country_code);

	address->recipient = tidy(call, from->recipient);
	address->city = tidy(call, from->city);
	address->region = tidy(call, from->region);
	address->postal_code = tidy(call, from->postal_code);
	if (!country_is_known(from->country_code))
		problem(&check, "countryCode", "is not a country of ISO 3166-1");
	if (!*address->recipient)
		problem(&check, "recipient", "is empty");
	check_lines(&check, from);
	if (!*address->city)
		problem(&check, "city", "is empty");
	check_region(&check, rules);
	check_postal_code(&check, rules);
	*n_problems = check.n;
	return address;
}
