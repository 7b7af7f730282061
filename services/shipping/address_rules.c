/*
 * What countries ask of addresses: postal codes as the Universal Postal Union's "Postal addressing
 * systems" writes them, states and provinces where the post needs them.
 */
#include "address_rules.h"
#include <stddef.h>
#include <string.h>

static const struct region states_us[] = {
	{ "AL", "Alabama" },
	{ "AK", "Alaska" },
	{ "AZ", "Arizona" },
	{ "AR", "Arkansas" },
	{ "CA", "California" },
	{ "CO", "Colorado" },
	{ "CT", "Connecticut" },
	{ "DE", "Delaware" },
	{ "DC", "District of Columbia" },
	{ "FL", "Florida" },
	{ "GA", "Georgia" },
	{ "HI", "Hawaii" },
	{ "ID", "Idaho" },
	{ "IL", "Illinois" },
	{ "IN", "Indiana" },
	{ "IA", "Iowa" },
	{ "KS", "Kansas" },
	{ "KY", "Kentucky" },
	{ "LA", "Louisiana" },
	{ "ME", "Maine" },
	{ "MD", "Maryland" },
	{ "MA", "Massachusetts" },
	{ "MI", "Michigan" },
	{ "MN", "Minnesota" },
	{ "MS", "Mississippi" },
	{ "MO", "Missouri" },
	{ "MT", "Montana" },
	{ "NE", "Nebraska" },
	{ "NV", "Nevada" },
	{ "NH", "New Hampshire" },
	{ "NJ", "New Jersey" },
	{ "NM", "New Mexico" },
	{ "NY", "New York" },
	{ "NC", "North Carolina" },
	{ "ND", "North Dakota" },
	{ "OH", "Ohio" },
	{ "OK", "Oklahoma" },
	{ "OR", "Oregon" },
	{ "PA", "Pennsylvania" },
	{ "RI", "Rhode Island" },
	{ "SC", "South Carolina" },
	{ "SD", "South Dakota" },
	{ "TN", "Tennessee" },
	{ "TX", "Texas" },
	{ "UT", "Utah" },
	{ "VT", "Vermont" },
	{ "VA", "Virginia" },
	{ "WA", "Washington" },
	{ "WV", "West Virginia" },
	{ "WI", "Wisconsin" },
	{ "WY", "Wyoming" },
	{ "AS", "American Samoa" },
	{ "GU", "Guam" },
	{ "MP", "Northern Mariana Islands" },
	{ "PR", "Puerto Rico" },
	{ "VI", "Virgin Islands" },
	{ "AA", "Armed Forces Americas" },
	{ "AE", "Armed Forces Europe" },
	{ "AP", "Armed Forces Pacific" },
	{},
};
static const struct region provinces_ca[] = {
	{ "AB", "Alberta" },
	{ "BC", "British Columbia" },
	{ "MB", "Manitoba" },
	{ "NB", "New Brunswick" },
	{ "NL", "Newfoundland and Labrador" },
	{ "NS", "Nova Scotia" },
	{ "NT", "Northwest Territories" },
	{ "NU", "Nunavut" },
	{ "ON", "Ontario" },
	{ "PE", "Prince Edward Island" },
	{ "QC", "Quebec" },
	{ "QC", "Québec" },
	{ "SK", "Saskatchewan" },
	{ "YT", "Yukon" },
	{},
};
static const struct region states_au[] = {
	{ "ACT", "Australian Capital Territory" },
	{ "NSW", "New South Wales" },
	{ "NT", "Northern Territory" },
	{ "QLD", "Queensland" },
	{ "SA", "South Australia" },
	{ "TAS", "Tasmania" },
	{ "VIC", "Victoria" },
	{ "WA", "Western Australia" },
	{},
};

static const struct country_rules rules[] = {
	/* the European Union */
	{ "AT", "NNNN", "1010" },
	{ "BE", "NNNN", "1000" },
	{ "BG", "NNNN", "1000" },
	{ "CY", "NNNN", "1010" },
	{ "CZ", "NNN NN", "110 00" },
	{ "DE", "NNNNN", "12047" },
	{ "DK", "NNNN", "1050" },
	{ "EE", "NNNNN", "10111" },
	{ "ES", "NNNNN", "28013" },
	{ "FI", "NNNNN", "00100" },
	{ "FR", "NNNNN", "75001" },
	{ "GR", "NNN NN", "105 57" },
	{ "HR", "NNNNN", "10000" },
	{ "HU", "NNNN", "1051" },
	{ "IE", "ANX XXXX", "D02 AF30" },
	{ "IT", "NNNNN", "00187" },
	{ "LT", "lt-NNNNN", "LT-01100" },
	{ "LU", "NNNN", "1009" },
	{ "LV", "lv-NNNN", "LV-1050" },
	{ "MT", "AAA NNNN", "VLT 1117" },
	{ "NL", "NNNN AA", "1012 JS" },
	{ "PL", "NN-NNN", "00-950" },
	{ "PT", "NNNN-NNN", "1100-053" },
	{ "RO", "NNNNNN", "010011" },
	{ "SE", "NNN NN", "111 29" },
	{ "SI", "NNNN", "1000" },
	{ "SK", "NNN NN", "811 02" },
	/* the rest of Europe */
	{ "AD", "adNNN", "AD500" },
	{ "AL", "NNNN", "1001" },
	{ "BA", "NNNNN", "71000" },
	{ "CH", "NNNN", "8001" },
	{ "FO", "NNN", "100" },
	{ "GB", "AANN NAA|AN NAA|ANN NAA|AAN NAA|ANA NAA|AANA NAA|gir 0aa", "SW1A 1AA" },
	{ "GG", "gyN NAA|gyNN NAA", "GY1 1AA" },
	{ "GI", "gx11 1aa", "GX11 1AA" },
	{ "IM", "imN NAA|imNN NAA", "IM1 1AA" },
	{ "IS", "NNN", "101" },
	{ "JE", "jeN NAA|jeNN NAA", "JE2 3AB" },
	{ "LI", "NNNN", "9490" },
	{ "MC", "980NN", "98000" },
	{ "MD", "md-NNNN", "MD-2012" },
	{ "ME", "NNNNN", "81000" },
	{ "MK", "NNNN", "1000" },
	{ "NO", "NNNN", "0150" },
	{ "RS", "NNNNN", "11000" },
	{ "SM", "4789N", "47890" },
	{ "TR", "NNNNN", "34110" },
	{ "UA", "NNNNN", "01001" },
	{ "VA", "00120", "00120" },
	/* elsewhere */
	{ "AE", "", "" },
	{ "AR", "ANNNNAAA|NNNN", "C1070AAM" },
	{ "AU", "NNNN", "2000", states_au },
	{ "BR", "NNNNN-NNN", "01310-100" },
	{ "CA", "ANA NAN", "K1A 0B1", provinces_ca },
	{ "CL", "NNNNNNN", "8320000" },
	{ "CN", "NNNNNN", "100000" },
	{ "DZ", "NNNNN", "16000" },
	{ "EG", "NNNNN", "11511" },
	{ "HK", "", "" },
	{ "ID", "NNNNN", "10110" },
	{ "IL", "NNNNNNN|NNNNN", "9100001" },
	{ "IN", "NNNNNN", "110001" },
	{ "JP", "NNN-NNNN", "100-0001" },
	{ "KR", "NNNNN", "03051" },
	{ "MA", "NNNNN", "10000" },
	{ "MO", "", "" },
	{ "MX", "NNNNN", "06000" },
	{ "MY", "NNNNN", "50000" },
	{ "NZ", "NNNN", "6011" },
	{ "PH", "NNNN", "1000" },
	{ "PR", "NNNNN|NNNNN-NNNN", "00901" },
	{ "QA", "", "" },
	{ "SA", "NNNNN|NNNNN-NNNN", "11564" },
	{ "SG", "NNNNNN", "049315" },
	{ "TH", "NNNNN", "10200" },
	{ "TN", "NNNN", "1000" },
	{ "TW", "NNN|NNNNN|NNNNNN", "100" },
	{ "US", "NNNNN|NNNNN-NNNN", "02134", states_us },
	{ "VN", "NNNNN|NNNNNN", "10000" },
	{ "ZA", "NNNN", "0002" },
};

const struct country_rules *country_rules(const char *code)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (!strcmp(rules[i].code, code))
			return &rules[i];
	return NULL;
}

bool country_is_known(const char *code)
{
	/* ISO 3166-1, as of 2024, and XK, which the posts use for Kosovo. */
	static const char codes[] = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE "
				    "BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
				    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE "
				    "DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
				    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY "
				    "HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
				    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR "
				    "LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
				    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP "
				    "NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
				    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN "
				    "SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
				    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU "
				    "WF WS YE YT ZA ZM ZW XK";

	for (const char *at = codes; at < codes + sizeof(codes) - 1; at += 3)
		if (!strncmp(at, code, 2) && strlen(code) == 2)
			return true;
	return false;
}
