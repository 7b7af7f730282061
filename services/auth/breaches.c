/* Breaches: a bisection over a sorted file's lines. */
#include "breaches.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The file is the operator's and is read with pread(), never mapped: one that is cut short under us
 * is an error then, not a SIGBUS. Whatever it holds, each step of the search makes the range
 * smaller, and a line that is none ends it.
 */
enum { HASH_DIGITS = 40, LINE_LONGEST = 64 };

struct line {
	off_t start, end; /* behind its newline */
	char hash[HASH_DIGITS];
};

static const char *path_option;
static int file = -1;
static off_t size;

static int read_at(off_t at, char *ret, size_t length)
{
	ssize_t n = pread(file, ret, length, at);

	if (n < 0)
		return -errno;
	return (size_t)n == length ? 0 : -EIO;
}

static bool is_digit_of_hash(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* The line that begins in text[0], of which `length` bytes are there. Its length, or -EBADMSG. */
static int line_parse(const char *text, size_t length, bool at_end, char hash[HASH_DIGITS])
{
	size_t n = 0, count;

	while (n < length && n < HASH_DIGITS && is_digit_of_hash(text[n]))
		n++;
	if (n < HASH_DIGITS || n == length || text[n++] != ':')
		return -EBADMSG;
	count = n;
	while (n < length && text[n] >= '0' && text[n] <= '9')
		n++;
	if (n == count)
		return -EBADMSG;
	if (n < length && text[n] == '\r')
		n++;
	if (n < length ? text[n++] != '\n' : !at_end)
		return -EBADMSG;
	memcpy(hash, text, HASH_DIGITS);
	return (int)n;
}

/* The first line that begins at `at` or behind; at the file's end where there is none. */
static int line_from(off_t at, struct line *ret)
{
	char text[2 * LINE_LONGEST];
	off_t from = at ? at - 1 : 0;
	size_t length = size - from < (off_t)sizeof(text) ? (size_t)(size - from) : sizeof(text);
	bool at_end = from + (off_t)length == size;
	const char *start = text, *newline;
	int r;

	r = read_at(from, text, length);
	if (r)
		return r;
	if (at) {
		newline = memchr(text, '\n', length < LINE_LONGEST ? length : LINE_LONGEST);
		if (!newline && length >= LINE_LONGEST)
			return -EBADMSG;
		start = newline ? newline + 1 : text + length;
	}
	ret->start = ret->end = from + (start - text);
	if (ret->start == size)
		return 0;
	r = line_parse(start, length - (size_t)(start - text), at_end, ret->hash);
	if (r < 0)
		return r;
	ret->end += r;
	return 0;
}

/* The line, if it is there, begins in [from, to) all the while. */
static int find(const char hash[HASH_DIGITS], bool *ret)
{
	off_t from = 0, to = size;
	struct line line;
	bool found = false;
	int r;

	while (from < to && !found) {
		off_t middle = from + (to - from) / 2;
		int order;

		r = line_from(middle, &line);
		if (r)
			return r;
		order = line.start < to ? memcmp(hash, line.hash, HASH_DIGITS) : -1;
		found = !order;
		if (order < 0)
			to = middle;
		else
			from = line.end;
	}
	*ret = found;
	return 0;
}

int breaches_contain(const char *password, bool *ret)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char hash[HASH_DIGITS + 1];
	unsigned length;
	int r;

	if (file < 0) {
		*ret = false;
		return 0;
	}
	if (!EVP_Digest(password, strlen(password), digest, &length, EVP_sha1(), NULL))
		return -ENOTSUP;
	for (unsigned i = 0; i < length; i++)
		snprintf(hash + 2 * i, 3, "%02X", digest[i]);
	r = find(hash, ret);
	sodium_memzero(digest, sizeof(digest));
	sodium_memzero(hash, sizeof(hash));
	return r;
}

/*
 * Opening
 */

/* Others may begin in the file's last bytes too. */
static int last_line(struct line *ret)
{
	off_t at = size > LINE_LONGEST ? size - LINE_LONGEST : 0;
	int r;

	do {
		r = line_from(at, ret);
		at = ret->end;
	} while (!r && at < size);
	return r;
}

static const char *problem_of(const char *path)
{
	struct line first, last;
	struct stat status;
	int r;

	file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is not waited for */
	if (file < 0 || fstat(file, &status))
		return strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "it is no file";
	size = status.st_size;
	if (!size)
		return "it is empty";
	r = line_from(0, &first);
	if (!r)
		r = last_line(&last);
	if (r)
		return r == -EBADMSG ? "its first or last line is no SHA-1 in upper case with its "
				       "count, such as "
				       "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3861493"
				     : strerror(-r);
	if (first.start < last.start && memcmp(first.hash, last.hash, HASH_DIGITS) >= 0)
		return "it is not sorted by hash";
	return NULL;
}

int breaches_open(const char *path, char **error)
{
	const char *problem;

	breaches_close();
	if (!*path)
		return 0;
	problem = problem_of(path);
	if (!problem)
		return 0;
	breaches_close();
	return asprintf(error, "SOUK_BREACHED_PASSWORDS: '%s' cannot be used: %s", path, problem) <
			       0
		       ? -ENOMEM
		       : -EINVAL;
}

void breaches_close(void)
{
	if (file >= 0)
		close(file);
	file = -1;
}

static int start(struct service *service, char **error)
{
	return breaches_open(path_option, error);
}

static const struct option options[] = {
	{ "BREACHED_PASSWORDS", OPTION_STRING, &path_option, "",
	  "file of passwords that leaked, as the Have I Been Pwned downloader writes it: "
	  "SHA-1:COUNT, "
	  "sorted" },
	{},
};

const struct service_module breaches_module = {
	.name = "breaches", .options = options, .start = start, .stop = breaches_close
};
