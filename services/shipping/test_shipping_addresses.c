/* Addresses of many countries, as people type them. */
#include "addresses.h"
#include <string.h>
#include <test.h>

static Address *address(const char *country, const char *postal_code, const char *region)
{
	Address *made =
		rpc_new(test_call(), Address, .recipient = "Amina Haddad", .city = "Somewhere",
			.country_code = country, .postal_code = postal_code, .region = region);

	address_add_lines(test_call(), made, "Sonnenallee 12");
	return made;
}

static const struct code {
	const char *country, *typed, *written; /* NULL: refused */
} codes[] = {
	{ "DE", "12047", "12047" },
	{ "DE", "01067", "01067" },
	{ "DE", "D-12047", "12047" },
	{ "DE", " 12047 ", "12047" },
	{ "DE", "1067", NULL },
	{ "DE", "", NULL },
	{ "AT", "1010", "1010" },
	{ "AT", "A-1010", "1010" },
	{ "BE", "B 1000", "1000" },
	{ "NL", "1012js", "1012 JS" },
	{ "PL", "00950", "00-950" },
	{ "PT", "1100 053", "1100-053" },
	{ "SE", "11129", "111 29" },
	{ "CZ", "11000", "110 00" },
	{ "GR", "10557", "105 57" },
	{ "IE", "d02af30", "D02 AF30" },
	{ "IE", "D6W XR12", "D6W XR12" },
	{ "LV", "1050", "LV-1050" },
	{ "LV", "LV1050", "LV-1050" },
	{ "LT", "01100", "LT-01100" },
	{ "LU", "L-1009", "1009" },
	{ "MT", "vlt1117", "VLT 1117" },
	{ "FI", "00100", "00100" },
	{ "GB", "sw1a1aa", "SW1A 1AA" },
	{ "GB", "m1 1ae", "M1 1AE" },
	{ "GB", "CR2 6XH", "CR2 6XH" },
	{ "GB", "DN551PT", "DN55 1PT" },
	{ "GB", "W1A 0AX", "W1A 0AX" },
	{ "GB", "12047", NULL },
	{ "CH", "CH-8001", "8001" },
	{ "NO", "0150", "0150" },
	{ "JP", "1000001", "100-0001" },
	{ "BR", "01310100", "01310-100" },
	{ "HK", "000000", "" },
	{ "AE", "", "" },
	{ "KE", "00100", "00100" }, /* nothing is known of it */
	{ "KE", "", "" },
	{ "KE", "<script>", NULL },
};

TEST_EACH(a_postal_code_is_text_and_written_as_its_country_does, codes)
{
	struct address_problem problems[ADDRESS_PROBLEMS_MAX];
	size_t n;
	const Address *answer =
		address_normalise(test_call(), address(row->country, row->typed, ""), problems, &n);

	if (!row->written) {
		ck_assert_uint_eq(n, 1);
		ck_assert_str_eq(problems[0].field, "postalCode");
		return;
	}
	ck_assert_uint_eq(n, 0);
	ck_assert_str_eq(answer->postal_code, row->written);
}

static const struct region_row {
	const char *country, *postal_code, *typed, *written;
} regions[] = {
	{ "US", "02134", "MA", "MA" },
	{ "US", "02134", "massachusetts", "MA" },
	{ "US", "021341234", "Massachusetts", "MA" },
	{ "US", "02134", "", NULL },
	{ "US", "02134", "Bavaria", NULL },
	{ "CA", "k1a0b1", "ontario", "ON" },
	{ "CA", "K1A 0B1", "Québec", "QC" },
	{ "CA", "K1A 0B1", "", NULL },
	{ "AU", "2000", "New South Wales", "NSW" },
	{ "AU", "2000", "nsw", "NSW" },
	{ "DE", "12047", "Berlin", "Berlin" },
};

TEST_EACH(a_region_is_a_code_where_the_post_needs_one, regions)
{
	struct address_problem problems[ADDRESS_PROBLEMS_MAX];
	size_t n;
	const Address *answer = address_normalise(
		test_call(), address(row->country, row->postal_code, row->typed), problems, &n);

	if (!row->written) {
		ck_assert_uint_eq(n, 1);
		ck_assert_str_eq(problems[0].field, "region");
		return;
	}
	ck_assert_uint_eq(n, 0);
	ck_assert_str_eq(answer->region, row->written);
}

TEST(spaces_are_cleaned_and_empty_lines_dropped)
{
	struct address_problem problems[ADDRESS_PROBLEMS_MAX];
	Address *typed = address("DE", "12047", ""), *answer;
	size_t n;

	typed->recipient = "  Amina   Haddad ";
	typed->city = "\tBerlin ";
	typed->lines[0] = "Sonnenallee  12";
	address_add_lines(test_call(), typed, "   ");
	address_add_lines(test_call(), typed, "Hinterhaus");
	answer = address_normalise(test_call(), typed, problems, &n);
	ck_assert_uint_eq(n, 0);
	ck_assert_str_eq(answer->recipient, "Amina Haddad");
	ck_assert_str_eq(answer->city, "Berlin");
	ck_assert_uint_eq(answer->n_lines, 2);
	ck_assert_str_eq(answer->lines[0], "Sonnenallee 12");
	ck_assert_str_eq(answer->lines[1], "Hinterhaus");
	ck_assert_str_eq(typed->city, "\tBerlin "); /* what was given stays */
}

TEST(all_problems_are_named)
{
	struct address_problem problems[ADDRESS_PROBLEMS_MAX];
	Address *typed = address("US", "1", "");
	size_t n;

	typed->city = " ";
	typed->lines[0] = " ";
	address_normalise(test_call(), typed, problems, &n);
	ck_assert_uint_eq(n, 4);
	ck_assert_str_eq(problems[0].field, "lines");
	ck_assert_str_eq(problems[1].field, "city");
	ck_assert_str_eq(problems[2].field, "region");
	ck_assert_str_eq(problems[3].field, "postalCode");
}

TEST(a_country_that_is_none_is_a_problem)
{
	struct address_problem problems[ADDRESS_PROBLEMS_MAX];
	size_t n;

	address_normalise(test_call(), address("XX", "", ""), problems, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(problems[0].field, "countryCode");
}

TEST_MAIN("addresses", NULL, NULL)
