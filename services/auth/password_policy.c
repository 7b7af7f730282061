/* Which passwords are too easy to guess. */
#include "passwords.h"
#include <ctype.h>
#include <string.h>

/*
 * Attackers try lists of what people choose, with the usual decorations. A password is compared
 * without them: in lower case, digits and signs at both ends away, and letters for the digits that
 * stand for them. What is left is looked up among the words that such lists begin with.
 */
static const char *const words[] = {
	"password",      "passwort",      "passw0rd",   "motdepasse",   "contrasena",
	"qwerty",        "qwertyuiop",    "qwertz",     "qwertzuiop",   "azerty",
	"azertyuiop",    "asdfgh",        "asdfghjkl",  "zxcvbnm",      "yxcvbnm",
	"qazwsx",        "qazwsxedc",     "iloveyou",   "ichliebedich", "jetaime",
	"letmein",       "welcome",       "willkommen", "bienvenue",    "admin",
	"administrator", "root",          "login",      "master",       "superman",
	"batman",        "spiderman",     "football",   "baseball",     "basketball",
	"fussball",      "princess",      "sunshine",   "dragon",       "monkey",
	"shadow",        "michael",       "jennifer",   "jordan",       "harley",
	"hunter",        "ranger",        "starwars",   "trustno",      "whatever",
	"computer",      "internet",      "samsung",    "pokemon",      "naruto",
	"minecraft",     "chocolate",     "butterfly",  "liverpool",    "chelsea",
	"arsenal",       "barcelona",     "charlie",    "freedom",      "secret",
	"geheim",        "changeme",      "default",    "guest",        "test",
	"testtest",      "testing",       "hello",      "hallo",        "helloworld",
	"abc",           "abcd",          "abcdef",     "abcdefg",      "abcdefgh",
	"aaa",           "access",        "mustang",    "corvette",     "mercedes",
	"ferrari",       "porsche",       "summer",     "winter",       "spring",
	"autumn",        "sommer",        "schatz",     "hase",         "killer",
	"fuckyou",       "asshole",       "pussy",      "loveme",       "lovely",
	"flower",        "cookie",        "cheese",     "ginger",       "pepper",
	"buster",        "soccer",        "hockey",     "tigger",       "jessica",
	"ashley",        "daniel",        "andrew",     "thomas",       "matthew",
	"nicole",        "michelle",      "amanda",     "alexander",    "maverick",
	"phoenix",       "mynoob",        "passpass",   "qweasd",       "qweasdzxc",
	"onetwothree",   "souk",          "soukadmin",  "shopping",     "google",
	"facebook",      "myspace",       "linkedin",   "youtube",      "instagram",
	"whatsapp",      "twitter",       "love",       "loveyou",      "iloveu",
	"lovers",        "angel",         "angels",     "baby",         "babygirl",
	"babyboy",       "jesus",         "christ",     "blink",        "nothing",
	"samantha",      "victoria",      "anthony",    "justin",       "brandon",
	"andrea",        "joshua",        "robert",     "william",      "george",
	"steven",        "richard",       "patrick",    "melissa",      "elizabeth",
	"samuel",        "martin",        "stefan",     "sabine",       "nathalie",
	"purple",        "orange",        "banana",     "diamond",      "silver",
	"golden",        "money",         "lucky",      "sweety",       "sweetie",
	"sweetheart",    "friends",       "forever",    "family",       "cocacola",
	"snoopy",        "scooter",       "peanut",     "tinkerbell",   "spongebob",
	"doraemon",      "juventus",      "realmadrid", "bayern",       "dortmund",
	"schalke",       "manchester",    "united",     "marseille",    "hottie",
	"sexy",          "passport",      "mypassword", "newpassword",  "passwords",
	"qwer",          "qwerasdf",      "zxcv",       "asdf",         "asdasd",
	"qweqwe",        "zaqwsx",        "zxczxc",     "yankees",      "cowboys",
	"lakers",        "eagles",        "steelers",   "jackass",      "fucker",
	"bullshit",      "soleil",        "doudou",     "loulou",       "chouchou",
	"sonnenschein",  "schmetterling", "schokolade", "computadora",  "mariposa",
	"estrella",      "teamo",         "tequiero",   "user",         "username",
	"server",        "database",      "a1b2c3d",
};

static const char *const rows[] = {
	"01234567890",
	"09876543210",
	"abcdefghijklmnopqrstuvwxyz",
	"qwertyuiop",
	"qwertzuiop",
	"azertyuiop",
	"asdfghjkl",
	"zxcvbnm",
	/* down the keyboard, and in zigzag */
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm",
	"1q2w3e4r5t6y7u8i9o0p",
	"q1w2e3r4t5y6u7i8o9p0",
};

static char plain(char c)
{
	switch (c) {
	case '0':
		return 'o';
	case '1':
	case '!':
		return 'i';
	case '3':
		return 'e';
	case '4':
	case '@':
		return 'a';
	case '5':
	case '$':
		return 's';
	case '7':
		return 't';
	default:
		return c;
	}
}

/* Whether it is one of the words, between digits and signs. */
static bool is_word(struct rpc_call *call, const char *lower)
{
	char *text = rpc_strdup(call, lower), *end = text + strlen(text);

	while (end > text && !isalpha((unsigned char)end[-1]) && !strchr("@$", end[-1]))
		*--end = '\0';
	while (*text && !isalpha((unsigned char)*text) && !strchr("@$", *text))
		text++;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(text, words[i]))
			return true;
	for (char *at = text; *at; at++)
		*at = plain(*at);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(text, words[i]))
			return true;
	return false;
}

static size_t count_distinct(const char *text)
{
	bool seen[256] = { false };
	size_t n = 0;

	for (; *text; text++) {
		n += !seen[(unsigned char)*text];
		seen[(unsigned char)*text] = true;
	}
	return n;
}

/* How much of it goes along a row of the keyboard, the alphabet or the digits: characters that are
 * followed by their neighbour. */
static bool is_sequence(const char *lower)
{
	size_t length = strlen(lower), in_order = 1;

	for (size_t i = 0; i + 1 < length; i++) {
		const char pair[] = { lower[i], lower[i + 1], '\0' },
			   back[] = { lower[i + 1], lower[i], '\0' };
		bool neighbours = false;

		for (size_t row = 0; !neighbours && row < sizeof(rows) / sizeof(*rows); row++)
			neighbours = strstr(rows[row], pair) || strstr(rows[row], back);
		in_order += neighbours;
	}
	return in_order * 4 >= length * 3;
}

/* Whether a part of at least half of it comes again and again: abcabcabc. */
static bool is_repeated(const char *text)
{
	size_t length = strlen(text);

	for (size_t period = 1; period * 2 <= length; period++)
		if (!strncmp(text, text + period, length - period))
			return true;
	return false;
}

const char *password_weakness(struct rpc_call *call, const char *password, const char *email)
{
	char *lower = rpc_strdup(call, password), *name = rpc_strdup(call, email);

	for (char *at = lower; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	for (char *at = name; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	if (is_word(call, lower))
		return "it is among those that everyone tries first";
	if (count_distinct(lower) < 4 || is_repeated(lower))
		return "it repeats too few characters";
	if (is_sequence(lower))
		return "it goes along the keyboard or the alphabet";
	if (!strcmp(lower, name))
		return "it is the address";
	name[strcspn(name, "@")] = '\0';
	if (strlen(name) >= 4 && strstr(lower, name) && strlen(lower) < strlen(name) + 6)
		return "it is the address with little more";
	return NULL;
}
