/* Between HTTP and messages, through a real service: paths, queries, bodies, headers, errors. */
#include "test/fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void setup(void)
{
	fixture_reset();
	fixture_start();
}

static void teardown(void)
{
	fixture_stop();
}

static const struct {
	const char *head, *body;
	int status;
	const char *answer; /* the whole body; or with '~' in front a part of it */
} cases[] = {
	/* the path */
	{ "GET /v1/shelves/a/books/b HTTP/1.1", NULL, 200,
	  "{\"name\":\"shelves/a/books/b\",\"title\":\"A "
	  "\\\"title\\\"\",\"pages\":12,\"kind\":\"NOVEL\",\"etag\":\"\\\"7\\\"\"}" },
	{ "GET /v1/books/x%2Fy HTTP/1.1", NULL, 200, "~\"name\":\"x/y\"" },
	{ "GET /v1/shelves/a/books/gr%C3%BCn HTTP/1.1", NULL, 200,
	  "~\"name\":\"shelves/a/books/gr\xC3\xBCn\"" },
	{ "GET /v1/shelves/a/books/%FF HTTP/1.1", NULL, 400, "~\"field\":\"name\"" },
	{ "GET /v1/shelves/a/books/%zz HTTP/1.1", NULL, 400, "~broken escapes" },
	{ "GET /v1/shelves/a/books/%00 HTTP/1.1", NULL, 400, "~broken escapes" },
	{ "GET /v1/files/a/b%2Fc/d HTTP/1.1", NULL, 200, "{\"name\":\"a/b%2Fc/d\"}" },
	{ "GET /v1/files HTTP/1.1", NULL, 200, "{}" },
	{ "GET http://library.test/v1/files/x HTTP/1.1", NULL, 200, "{\"name\":\"x\"}" },
	{ "GET /v1/failures/seven HTTP/1.1", NULL, 400, "~\"field\":\"code\"" },
	{ "GET /v1/nothing HTTP/1.1", NULL, 404, "~\"status\":\"NOT_FOUND\"" },
	{ "PUT /v1/shelves/a/books/b HTTP/1.1", "{}", 405, "~\"code\":405" },
	/* the query */
	{ "GET "
	  "/v1/shelves/a/"
	  "books?pageSize=5&tags=x&tags=y%2Cz&pages.min=1&pages.max=9&kind=COOKBOOK&readMask=title,"
	  "printTime HTTP/1.1",
	  NULL, 200,
	  "{\"asked\":{\"parent\":\"shelves/"
	  "a\",\"pageSize\":5,\"tags\":[\"x\",\"y,z\"],\"pages\":{\"min\":1,\"max\":9},\"kind\":"
	  "\"COOKBOOK\","
	  "\"readMask\":\"title,printTime\"}}" },
	{ "GET /v1/shelves/a/books?page_size=5 HTTP/1.1", NULL, 200, "~\"pageSize\":5" },
	{ "GET "
	  "/v1/shelves/a/"
	  "books?since=2026-11-26T10:00:00.5Z&age=1.5s&signed=false&serial=18446744073709551615 "
	  "HTTP/1.1",
	  NULL, 200,
	  "{\"asked\":{\"parent\":\"shelves/"
	  "a\",\"since\":\"2026-11-26T10:00:00.500Z\",\"age\":\"1.500s\",\"signed\":false,"
	  "\"serial\":\"18446744073709551615\"}}" },
	{ "GET /v1/shelves/a/books?kind=2 HTTP/1.1", NULL, 200, "~\"kind\":\"COOKBOOK\"" },
	{ "GET /v1/shelves/a/books?kind=7 HTTP/1.1", NULL, 400, "~\"field\":\"kind\"" },
	{ "GET /v1/shelves/a/books?kind=NOTHING HTTP/1.1", NULL, 400, "~\"field\":\"kind\"" },
	{ "GET /v1/shelves/a/books?kinds=NOVEL&kinds=COOKBOOK&kinds=1 HTTP/1.1", NULL, 200,
	  "~\"kinds\":[\"NOVEL\",\"COOKBOOK\",\"NOVEL\"]" },
	{ "GET /v1/shelves/a/books?pages.not=1&pages.not=2&pages.min=0 HTTP/1.1", NULL, 200,
	  "~\"pages\":{\"not\":[1,2]}" },
	{ "GET /v1/shelves/a/books?text=&count=-5&lent=false HTTP/1.1", NULL, 200,
	  "~\"text\":\"\",\"count\":\"-5\",\"lent\":false" },
	{ "GET /v1/shelves/a/books?weight=1.5e3 HTTP/1.1", NULL, 200, "~\"weight\":1500" },
	{ "GET /v1/shelves/a/books?weight=Infinity HTTP/1.1", NULL, 200,
	  "~\"weight\":\"Infinity\"" },
	{ "GET /v1/shelves/a/books?digest=-_8%3D HTTP/1.1", NULL, 200, "~\"digest\":\"+/8=\"" },
	{ "GET /v1/shelves/a/books?author.displayName=x HTTP/1.1", NULL, 200,
	  "~\"author\":{\"displayName\":\"x\"}" },
	{ "GET /v1/shelves/a/books?author.display_name=x HTTP/1.1", NULL, 200,
	  "~\"author\":{\"displayName\":\"x\"}" },
	{ "GET /v1/shelves/a/books?number=3 HTTP/1.1", NULL, 200, "~\"number\":3" },
	{ "GET /v1/shelves/a/books?times=2026-01-01T00:00:00Z&times=2026-01-02T00:00:00%2B01:00 "
	  "HTTP/1.1",
	  NULL, 200, "~\"times\":[\"2026-01-01T00:00:00Z\",\"2026-01-01T23:00:00Z\"]" },
	{ "GET /v1/shelves/a/books?since=yesterday HTTP/1.1", NULL, 400, "~\"field\":\"since\"" },
	{ "GET /v1/shelves/a/books?signed=yes HTTP/1.1", NULL, 400, "~\"field\":\"signed\"" },
	{ "GET /v1/shelves/a/books?value=x HTTP/1.1", NULL, 400, "~\"field\":\"value\"" },
	{ "GET /v1/shelves/a/books?labels.a=b HTTP/1.1", NULL, 400, "~\"field\":\"labels.a\"" },
	{ "GET /v1/shelves/a/books?authors.displayName=x HTTP/1.1", NULL, 400,
	  "~\"field\":\"authors.displayName\"" },
	{ "GET /v1/shelves/a/books?pages=1 HTTP/1.1", NULL, 400, "~name one of its fields" },
	/* bindings of one method */
	{ "GET /v1/shelves/a/kinds/NOVEL HTTP/1.1", NULL, 200,
	  "{\"asked\":{\"parent\":\"shelves/a\",\"kind\":\"NOVEL\"}}" },
	{ "GET /v1/shelves/a/kinds/2 HTTP/1.1", NULL, 200,
	  "{\"asked\":{\"parent\":\"shelves/a\",\"kind\":\"COOKBOOK\"}}" },
	{ "GET /v1/shelves/a/kinds/poem HTTP/1.1", NULL, 400, "~\"field\":\"kind\"" },
	{ "GET /v1/shelves/a/kinds/NOVEL?kind=NOVEL HTTP/1.1", NULL, 400, "~from the path" },
	{ "GET /v1/shelves/a/asked?pageSize=1 HTTP/1.1", NULL, 200,
	  "{\"parent\":\"shelves/a\",\"pageSize\":1}" },
	{ "GET /v1/shelves/a/list HTTP/1.1", NULL, 200, "[]" },
	{ "PUT /v1/shelves/a/anyhow HTTP/1.1", NULL, 200,
	  "{\"asked\":{\"parent\":\"shelves/a\"}}" },
	{ "MKCOL /v1/shelves/a/anyhow HTTP/1.1", NULL, 200,
	  "{\"asked\":{\"parent\":\"shelves/a\"}}" },
	{ "GET /v1/shelves/a/books?tags=a+b&&tags= HTTP/1.1", NULL, 200,
	  "~\"tags\":[\"a b\",\"\"]" },
	{ "GET /v1/shelves/a/books? HTTP/1.1", NULL, 200,
	  "{\"asked\":{\"parent\":\"shelves/a\"}}" },
	{ "GET /v1/shelves/a/books?pageSize=many HTTP/1.1", NULL, 400, "~\"field\":\"pageSize\"" },
	{ "GET /v1/shelves/a/books?pageSize=3000000000 HTTP/1.1", NULL, 400,
	  "~\"field\":\"pageSize\"" },
	{ "GET /v1/shelves/a/books?colour=red HTTP/1.1", NULL, 400, "~\"field\":\"colour\"" },
	{ "GET /v1/shelves/a/books?pages.mid=3 HTTP/1.1", NULL, 400, "~\"field\":\"pages.mid\"" },
	{ "GET /v1/shelves/a/books?parent=shelves/b HTTP/1.1", NULL, 400, "~from the path" },
	{ "GET /v1/shelves/a/books?tags=%FF HTTP/1.1", NULL, 400, "~\"field\":\"tags\"" },
	{ "GET /v1/shelves/a/books?tags=%2 HTTP/1.1", NULL, 400, "~broken escape" },
	{ "GET /v1/shelves/a/books?=x HTTP/1.1", NULL, 400, "~needs a name" },
	{ "POST /v1/shelves/a/books/b:move?shelf=c HTTP/1.1\nIdempotency-Key: k", "{}", 400,
	  "~from the body" },
	{ "PATCH /v1/shelves/a/books/b?book.title=x HTTP/1.1", "{}", 400, "~from the body" },
	/* bodies */
	{ "POST /v1/shelves/a/books HTTP/1.1\nContent-Type: application/json",
	  "{\"title\":\"T\",\"tags\":[\"x\"],\"prices\":{\"EUR\":\"5\"}}", 200,
	  "{\"name\":\"shelves/a/books/"
	  "new\",\"title\":\"T\",\"tags\":[\"x\"],\"prices\":{\"EUR\":\"5\"}}" },
	{ "POST /v1/shelves/a/books HTTP/1.1\nContent-Type: application/json; charset=utf-8", "{}",
	  200, "{\"name\":\"shelves/a/books/new\"}" },
	{ "POST /v1/shelves/a/books HTTP/1.1\nContent-Type: application/merge-patch+json", "{}",
	  200, "~new" },
	{ "POST /v1/shelves/a/books HTTP/1.1", "", 400, "~\"field\":\"book\"" },
	{ "POST /v1/shelves/a/books HTTP/1.1\nContent-Type: application/x-www-form-urlencoded",
	  "a=b", 400, "~\"field\":\"book\"" },
	{ "POST /v1/shelves/a/books HTTP/1.1\nContent-Type: application/x-www-form-urlencoded",
	  "{}", 200, "~new" },
	{ "POST /v1/shelves/a/books HTTP/1.1\nContent-Type: text/xml", "<a/>", 415,
	  "~application/json" },
	{ "POST /v1/shelves/a/books HTTP/1.1\nContent-Encoding: gzip", "xx", 415, "~compressed" },
	{ "POST /v1/shelves/a/books HTTP/1.1", "{\"title\":", 400, "~not valid JSON" },
	{ "POST /v1/shelves/a/books HTTP/1.1", "{\"titel\":\"x\"}", 400, "~titel" },
	{ "POST /v1/shelves/a/books HTTP/1.1", "{\"author\":{\"displayName\":5}}", 400,
	  "~author.display_name" },
	{ "POST /v1/shelves/a/books HTTP/1.1", "{\"pages\":1e10}", 400, "~pages" },
	{ "PATCH /v1/shelves/a/books/b?updateMask=title HTTP/1.1", "{\"title\":\"T\"}", 200,
	  "{\"name\":\"shelves/a/books/b\",\"title\":\"T\"}" },
	{ "PATCH /v1/shelves/a/books/b HTTP/1.1", "{\"name\":\"shelves/z/books/z\"}", 200,
	  "{\"name\":\"shelves/a/books/b\"}" },
	{ "DELETE /v1/shelves/a/books/b HTTP/1.1", NULL, 200, "{}" },
	{ "DELETE /v1/shelves/a/books/b HTTP/1.1", "{}", 400, "~takes no body" },
	{ "GET /v1/shelves/a/books/b:title HTTP/1.1", NULL, 200, "\"A \\\"title\\\"\"" },
	/* bytes as they are */
	{ "POST /v1/shelves/a/books/b/scans HTTP/1.1\nContent-Type: image/tiff\nX-Signature: s1",
	  "raw {", 200,
	  "{\"name\":\"shelves/a/books/b\",\"title\":\"image/tiff s1\",\"pages\":5}" },
	{ "POST /v1/shelves/a/books/b/scans HTTP/1.1", "", 200,
	  "~application/octet-stream unsigned" },
	/* keys */
	{ "POST /v1/shelves/a/books HTTP/1.1\nIdempotency-Key: k-1", "{}", 200,
	  "{\"name\":\"shelves/a/books/k-1\"}" },
	{ "POST /v1/shelves/a/books HTTP/1.1\nIdempotency-Key: \"k-1\"", "{}", 200,
	  "{\"name\":\"shelves/a/books/k-1\"}" },
	{ "POST /v1/shelves/a/books/b:move HTTP/1.1", "{\"shelf\":\"c\"}", 400,
	  "~Idempotency-Key must be sent" },
	{ "POST /v1/shelves/a/books/b:move HTTP/1.1\nIdempotency-Key: k", "{\"shelf\":\"c\"}", 200,
	  "~\"title\":\"c k\"" },
	{ "POST /v1/shelves/a/books/b:move HTTP/1.1", "{\"shelf\":\"c\",\"requestId\":\"r\"}", 200,
	  "~\"title\":\"c r\"" },
	{ "POST /v1/shelves/a/books/b:move HTTP/1.1\nIdempotency-Key: r",
	  "{\"shelf\":\"c\",\"requestId\":\"r\"}", 200, "~\"title\":\"c r\"" },
	{ "POST /v1/shelves/a/books/b:move HTTP/1.1\nIdempotency-Key: k",
	  "{\"shelf\":\"c\",\"requestId\":\"r\"}", 400, "~differ" },
	{ "POST /v1/shelves/a/books/b:move HTTP/1.1\nIdempotency-Key: ", "{\"shelf\":\"c\"}", 400,
	  "~1 to 255" },
	/* etags */
	{ "DELETE /v1/shelves/a/books/b HTTP/1.1\nIf-Match: \"7~0123456789abcdef\"", NULL, 409,
	  "~no longer \\\"7\\\"." },
	{ "DELETE /v1/shelves/a/books/b HTTP/1.1\nIf-Match: W/\"7\"", NULL, 409,
	  "~no longer \\\"7\\\"." },
	{ "DELETE /v1/shelves/a/books/b HTTP/1.1\nIf-Match: *", NULL, 200, "{}" },
	{ "DELETE /v1/shelves/a/books/b HTTP/1.1\nIf-Match: 7", NULL, 400, "~in its quotes" },
	{ "DELETE /v1/shelves/a/books/b HTTP/1.1\nIf-Match: \"1\", \"2\"", NULL, 400,
	  "~one entity tag" },
	{ "PATCH /v1/shelves/a/books/b HTTP/1.1\nIf-Match: \"3\"", "{}", 200,
	  "~\"etag\":\"\\\"3\\\"\"" },
	{ "GET /v1/files/a HTTP/1.1\nIf-Match: \"3\"", NULL, 400, "~does not take If-Match" },
	{ "POST /v1/shelves/a/books HTTP/1.1\nIf-Match: \"3\"", "{}", 400,
	  "~does not take If-Match" },
	/* errors */
	{ "GET /v1/shelves/a/books/missing HTTP/1.1", NULL, 404,
	  "{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\",\"message\":\"No book is named "
	  "'shelves/a/books/missing'.\",\"details\":[{"
	  "\"@type\":\"type.googleapis.com/"
	  "google.rpc.ErrorInfo\",\"reason\":\"BOOK_NOT_FOUND\",\"domain\":\"library.gateway\","
	  "\"metadata\":{\"book\":\"shelves/a/books/missing\"}}]}}" },
	{ "GET /v1/failures/101 HTTP/1.1", NULL, 400,
	  "~{\"@type\":\"type.googleapis.com/"
	  "google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":\"book.pages\",\"description\":"
	  "\"must be odd\"}]}" },
	{ "GET /v1/failures/102 HTTP/1.1", NULL, 503, "~\"retryDelay\":\"2.500s\"" },
	{ "GET /v1/failures/1 HTTP/1.1", NULL, 499, "~CANCELLED" },
	{ "GET /v1/failures/2 HTTP/1.1", NULL, 500, "~UNKNOWN" },
	{ "GET /v1/failures/3 HTTP/1.1", NULL, 400, "~INVALID_ARGUMENT" },
	{ "GET /v1/failures/4 HTTP/1.1", NULL, 504, "~DEADLINE_EXCEEDED" },
	{ "GET /v1/failures/5 HTTP/1.1", NULL, 404, "~NOT_FOUND" },
	{ "GET /v1/failures/6 HTTP/1.1", NULL, 409, "~ALREADY_EXISTS" },
	{ "GET /v1/failures/7 HTTP/1.1", NULL, 403, "~PERMISSION_DENIED" },
	{ "GET /v1/failures/8 HTTP/1.1", NULL, 429, "~RESOURCE_EXHAUSTED" },
	{ "GET /v1/failures/9 HTTP/1.1", NULL, 400, "~FAILED_PRECONDITION" },
	{ "GET /v1/failures/10 HTTP/1.1", NULL, 409, "~ABORTED" },
	{ "GET /v1/failures/11 HTTP/1.1", NULL, 400, "~OUT_OF_RANGE" },
	{ "GET /v1/failures/12 HTTP/1.1", NULL, 501, "~UNIMPLEMENTED" },
	{ "GET /v1/failures/13 HTTP/1.1", NULL, 500, "~INTERNAL" },
	{ "GET /v1/failures/14 HTTP/1.1", NULL, 503, "~UNAVAILABLE" },
	{ "GET /v1/failures/15 HTTP/1.1", NULL, 500, "~DATA_LOSS" },
	{ "GET /v1/failures/16 HTTP/1.1", NULL, 401, "~it \\\"failed\\\"" },
};

TEST_EACH(a_request_gets_its_answer, cases)
{
	struct answer answer = ask(row->head, row->body);

	ck_assert_msg(answer.status == row->status, "%s: %d, not %d: %s", row->head, answer.status,
		      row->status, answer.body);
	if (row->answer[0] == '~')
		ck_assert_msg(strstr(answer.body, row->answer + 1), "%s: %s\nhas not: %s",
			      row->head, answer.body, row->answer + 1);
	else
		ck_assert_msg(!strcmp(answer.body, row->answer), "%s:\n%s\nnot:\n%s", row->head,
			      answer.body, row->answer);
}

TEST(a_nested_body_is_refused_not_followed)
{
	enum { DEPTH = 10000 };
	char *body = arena_alloc(fixture_memory, DEPTH * 16), *to = body;

	for (int i = 0; i < DEPTH; i++)
		to += sprintf(to, "{\"extra\":");
	*to = '\0';
	ck_assert_int_eq(ask("POST /v1/shelves/a/books HTTP/1.1", body).status, 400);
}

TEST(bytes_come_back_as_they_are)
{
	struct answer answer = ask("GET /v1/shelves/a/books/b/pages/1 HTTP/1.1", NULL);

	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(answer_header(&answer, "content-type"), "image/png");
	ck_assert_uint_eq(answer.length, 5);
	ck_assert(!memcmp(answer.body, "pa\0ge", 5));
}

TEST(a_body_above_the_methods_limit_is_refused)
{
	char *body = arena_alloc(fixture_memory, 6000);

	memset(body, 'x', 5001);
	ck_assert_int_eq(ask("POST /v1/shelves/a/books/b/scans HTTP/1.1", body).status, 413);
	body[4900] = '\0';
	ck_assert_int_eq(ask("POST /v1/shelves/a/books/b/scans HTTP/1.1", body).status, 200);
}

TEST(a_key_of_256_characters_is_too_long)
{
	char head[512], key[257];

	memset(key, 'k', 256);
	key[256] = '\0';
	snprintf(head, sizeof(head), "POST /v1/shelves/a/books HTTP/1.1\nIdempotency-Key: %s", key);
	ck_assert_int_eq(ask(head, "{}").status, 400);
	snprintf(head, sizeof(head), "POST /v1/shelves/a/books HTTP/1.1\nIdempotency-Key: %s",
		 key + 1);
	ck_assert_int_eq(ask(head, "{}").status, 200);
}

TEST(a_path_that_takes_other_methods_tells_which)
{
	struct answer answer = ask("PUT /v1/shelves/a/books/b HTTP/1.1", "{}");

	ck_assert_str_eq(answer_header(&answer, "allow"), "HEAD, PATCH, DELETE, GET, OPTIONS");
}

static const char *const streams[] = {
	"HEAD /v1/shelves/a/books/b:watch HTTP/1.1",
	"PUT /v1/shelves/a/books/b:watch HTTP/1.1",
	"HEAD /v1/shelves/a/books/b:discuss HTTP/1.1",
};

TEST_EACH(a_stream_has_no_head, streams)
{
	struct answer answer = ask(*row, NULL);

	ck_assert_int_eq(answer.status, 405);
	ck_assert_str_eq(answer_header(&answer, "allow"), "GET, OPTIONS");
}

TEST(an_error_with_a_delay_says_when_to_try_again)
{
	struct answer answer = ask("GET /v1/failures/102 HTTP/1.1", NULL);

	ck_assert_str_eq(answer_header(&answer, "retry-after"), "3");
}

TEST(a_service_sets_the_headers_that_it_may_set)
{
	struct answer answer = ask("GET /v1/shelves/a/books/headers HTTP/1.1", NULL);

	ck_assert_int_eq(answer.status, 201);
	ck_assert_str_eq(answer_header(&answer, "cache-control"), "public, max-age=60");
	ck_assert_str_eq(answer_header(&answer, "location"), "/v1/elsewhere");
	ck_assert_str_eq(answer_header(&answer, "set-cookie"), "");
	ck_assert_str_eq(answer_header(&answer, "http-set-cookie"), "");
}

TEST(what_a_client_has_already_is_not_sent_again)
{
	struct answer first = ask("GET /v1/shelves/a/books/b HTTP/1.1", NULL), again;
	char tag[128], head[512];

	snprintf(tag, sizeof(tag), "%s", answer_header(&first, "etag"));
	ck_assert_msg(!strncmp(tag, "\"7~", 3) && strlen(tag) == 2 + 2 + 16, "%s", tag);
	ck_assert_str_eq(answer_header(&first, "cache-control"), "private, no-cache");

	snprintf(head, sizeof(head),
		 "GET /v1/shelves/a/books/b HTTP/1.1\nIf-None-Match: \"1\", W/%s", tag);
	again = ask(head, NULL);
	ck_assert_int_eq(again.status, 304);
	ck_assert_str_eq(answer_header(&again, "etag"), tag);

	snprintf(head, sizeof(head), "GET /v1/shelves/a/books/c HTTP/1.1\nIf-None-Match: %s", tag);
	ck_assert_int_eq(ask(head, NULL).status, 200);
}

TEST(a_long_answer_is_compressed_for_whom_takes_it)
{
	struct answer plain = ask("GET /v1/shelves/a/books/long HTTP/1.1", NULL);
	struct answer gzip =
		ask("GET /v1/shelves/a/books/long HTTP/1.1\nAccept-Encoding: br, gzip;q=0.5", NULL);
	struct answer refused =
		ask("GET /v1/shelves/a/books/long HTTP/1.1\nAccept-Encoding: gzip;q=0, *", NULL);
	struct answer small =
		ask("GET /v1/shelves/a/books/b HTTP/1.1\nAccept-Encoding: gzip", NULL);

	ck_assert_uint_gt(plain.length, 4000);
	ck_assert_str_eq(answer_header(&plain, "content-encoding"), "");
	ck_assert_str_eq(answer_header(&plain, "vary"), "accept-encoding");
	ck_assert_str_eq(answer_header(&gzip, "content-encoding"), "gzip");
	ck_assert_uint_lt(gzip.length, 300);
	ck_assert(!memcmp(gzip.body, "\x1f\x8b", 2));
	ck_assert_msg(!strncmp(answer_header(&gzip, "etag"), "W/\"7~", 5),
		      "other bytes, other tag");
	ck_assert_str_eq(answer_header(&refused, "content-encoding"), "");
	ck_assert_str_eq(answer_header(&small, "content-encoding"), "");
}

TEST(the_apis_document_is_served)
{
	struct answer document = ask("GET /openapi.json HTTP/1.1\nAccept-Encoding: gzip", NULL);
	struct answer page = ask("GET /docs HTTP/1.1", NULL), again;
	char head[256];

	ck_assert_int_eq(document.status, 200);
	ck_assert_str_eq(answer_header(&document, "content-encoding"), "gzip");
	ck_assert_str_eq(answer_header(&document, "vary"), "accept-encoding");
	snprintf(head, sizeof(head), "GET /openapi.json HTTP/1.1\nIf-None-Match: %s",
		 answer_header(&document, "etag"));
	again = ask(head, NULL);
	ck_assert_int_eq(again.status, 304);
	ck_assert_str_eq(answer_header(&again, "vary"), "accept-encoding");
	ck_assert_int_eq(page.status, 200);
	ck_assert_ptr_nonnull(
		strstr(answer_header(&page, "content-security-policy"), "script-src 'sha256-"));
	ck_assert_int_eq(ask("POST /docs HTTP/1.1", "{}").status, 405);
}

TEST_MAIN("transcode", setup, teardown)
