/* The library: books, notes and readers, as the tests want them answered. */
#include "library.h"
#include "fixture.h"
#include <empty.msg.h>
#include <httpbody.msg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct seen seen;

static int get_book(struct library_service *self, struct rpc_call *call, const GetBookRequest *req,
		    Book **ret)
{
	char *title = NULL;

	if (strstr(req->name, "missing"))
		return rpc_fail(call, BOOK_NOT_FOUND, { "book", req->name });
	if (strstr(req->name, "long")) {
		title = rpc_alloc(call, 4001);
		memset(title, 'x', 4000);
	}
	if (strstr(req->name, "headers")) {
		rpc_set_header(call, "http-cache-control", "public, max-age=60");
		rpc_set_header(call, "http-location", "/v1/elsewhere");
		rpc_set_header(call, "http-set-cookie", "no");
		rpc_set_header(call, "http-status", "201");
	}
	*ret = rpc_new(call, Book, .name = req->name, .title = title ? title : "A \"title\"",
		       .pages = 12, .kind = BOOK_KIND_NOVEL, .etag = "\"7\"");
	return 0;
}

static int list_books(struct library_service *self, struct rpc_call *call,
		      const ListBooksRequest *req, ListBooksResponse **ret)
{
	*ret = rpc_new(call, ListBooksResponse, .asked = (ListBooksRequest *)req);
	return 0;
}

static int create_book(struct library_service *self, struct rpc_call *call,
		       const CreateBookRequest *req, Book **ret)
{
	Book *book = (Book *)req->book;

	book->name = rpc_printf(call, "%s/books/%s", req->parent,
				*req->request_id ? req->request_id : "new");
	*ret = book;
	return 0;
}

static int update_book(struct library_service *self, struct rpc_call *call,
		       const UpdateBookRequest *req, Book **ret)
{
	*ret = (Book *)req->book;
	return 0;
}

static int delete_book(struct library_service *self, struct rpc_call *call,
		       const DeleteBookRequest *req, Empty **ret)
{
	if (*req->etag)
		return rpc_fail(call, ETAG_OLD, { "etag", req->etag });
	return 0;
}

static int move_book(struct library_service *self, struct rpc_call *call,
		     const MoveBookRequest *req, Book **ret)
{
	*ret = rpc_new(call, Book, .name = req->name,
		       .title = rpc_printf(call, "%s %s", req->shelf, req->request_id));
	return 0;
}

static int read_page(struct library_service *self, struct rpc_call *call,
		     const ReadPageRequest *req, HttpBody **ret)
{
	static uint8_t page[] = { 'p', 'a', 0, 'g', 'e' };

	*ret = rpc_new(call, HttpBody, .content_type = "image/png", .data = { sizeof(page), page });
	return 0;
}

static int add_scan(struct library_service *self, struct rpc_call *call, const AddScanRequest *req,
		    Book **ret)
{
	const char *signature = rpc_header(call, "x-signature");

	*ret = rpc_new(call, Book, .name = req->name,
		       .pages = (int32_t)(req->scan ? req->scan->data.len : 0),
		       .title = rpc_printf(call, "%s %s",
					   req->scan ? req->scan->content_type : "none",
					   signature ? signature : "unsigned"));
	return 0;
}

static int watch_book(struct library_service *self, struct rpc_call *call,
		      const WatchBookRequest *req, struct book_writer *out)
{
	char *title = rpc_alloc(call, (size_t)req->size + 1);
	int r = 0, first = 0;

	seen.running++;
	if (*req->last_etag)
		first = atoi(req->last_etag + 2) + 1;
	memset(title, 'y', (size_t)req->size);
	if (strstr(req->name, "missing")) {
		seen.running--;
		return rpc_fail(call, BOOK_NOT_FOUND, { "book", req->name });
	}
	for (int i = first; !r && (!req->times || i < req->times); i++) {
		r = book_writer_send(out, MSG(Book, .name = req->name, .title = title, .pages = i,
					      .etag = rpc_printf(call, "\"v%d\"", i)));
		while (!req->times && !rpc_call_cancelled(call) && i >= 1)
			usleep(1000);
		if (rpc_call_cancelled(call))
			break;
	}
	if (rpc_call_cancelled(call))
		seen.cancelled++;
	seen.running--;
	if (!r && req->fail)
		return rpc_fail(call, BOOK_NOT_FOUND, { "book", req->name });
	return r;
}

static int discuss(struct library_service *self, struct rpc_call *call, struct note_reader *in,
		   struct note_writer *out)
{
	Note *note;
	int r;

	seen.running++;
	while (!(r = note_reader_next(in, &note))) {
		seen.notes++;
		if (!strcmp(note->text, "fail"))
			r = rpc_fail(call, BOOK_NOT_FOUND, { "book", note->book });
		if (r || !strcmp(note->text, "end"))
			break;
		for (int i = 0; !r && i < (note->times ? note->times : 1); i++) {
			note->number = seen.notes;
			r = note_writer_send(out, note);
			seen.answers += !r;
		}
		if (r)
			break;
	}
	if (r == RPC_CANCELLED || rpc_call_cancelled(call))
		seen.cancelled++;
	seen.running--;
	return r == RPC_STREAM_END ? 0 : r;
}

static int count_notes(struct library_service *self, struct rpc_call *call, struct note_reader *in,
		       Note **ret)
{
	Note *note, *sum = rpc_new(call, Note);
	int r;

	while (!(r = note_reader_next(in, &note))) {
		sum->number++;
		sum->times += (int32_t)strlen(note->text);
	}
	*ret = sum;
	return r == RPC_STREAM_END ? 0 : r;
}

static int introduce(struct library_service *self, struct rpc_call *call, struct note_reader *in,
		     struct note_writer *out)
{
	Note *note;
	int r;

	while (!(r = note_reader_next(in, &note))) {
		r = note_writer_send(out, MSG(Note, .text = rpc_caller(call)->user));
		if (r)
			return r;
	}
	return r == RPC_STREAM_END ? 0 : r;
}

static int get_reader(struct library_service *self, struct rpc_call *call, const Empty *req,
		      Book **ret)
{
	*ret = rpc_new(call, Book, .name = rpc_caller(call)->user,
		       .title = rpc_caller(call)->session);
	return 0;
}

static int ring(struct library_service *self, struct rpc_call *call, const Empty *req, Empty **ret)
{
	return 0;
}

const char *fixture_jwks = "{\"keys\":[]}";

static int get_jwks(struct library_service *self, struct rpc_call *call, const Empty *req,
		    HttpBody **ret)
{
	*ret = rpc_new(call, HttpBody, .content_type = "application/jwk-set+json",
		       .data = { strlen(fixture_jwks), (uint8_t *)fixture_jwks });
	return 0;
}

static int fail_as_asked(struct library_service *self, struct rpc_call *call,
			 const FailRequest *req, Empty **ret)
{
	int r;

	if (req->code == 100) {
		seen.running++;
		while (!rpc_call_cancelled(call))
			usleep(1000);
		seen.cancelled++;
		seen.running--;
		return rpc_fail_code(call, RPC_CANCELLED, "gone");
	}
	if (req->code == 101) {
		rpc_violate(call, "book.pages", "must be odd");
		return rpc_violations(call);
	}
	if (req->code == 102) {
		r = rpc_fail_code(call, RPC_UNAVAILABLE, "busy");
		rpc_retry_after(call, 2500);
		return r;
	}
	return req->code ? rpc_fail_code(call, (enum rpc_code)req->code, "it \"failed\"") : 0;
}

static int get_file(struct library_service *self, struct rpc_call *call, const GetFileRequest *req,
		    Book **ret)
{
	*ret = rpc_new(call, Book, .name = req->path);
	return 0;
}

const struct library_service_ops library = {
	.get_book = get_book,
	.list_books = list_books,
	.create_book = create_book,
	.update_book = update_book,
	.delete_book = delete_book,
	.move_book = move_book,
	.get_title = get_book,
	.read_page = read_page,
	.add_scan = add_scan,
	.watch_book = watch_book,
	.watch_shelf = watch_book,
	.discuss = discuss,
	.count_notes = count_notes,
	.introduce = introduce,
	.get_reader = get_reader,
	.ring = ring,
	.get_jwks = get_jwks,
	.fail = fail_as_asked,
	.get_file = get_file,
};
