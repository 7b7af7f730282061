/* One client's connection. */
#include "connection.h"
#include "clients.h"
#include "gateway.h"
#include "tls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Reading and writing are edge-triggered: `readable` and `writable` say what the kernel last told
 * us, and one epoll_ctl() serves a connection's whole life. Reading stops while the protocol is
 * busy, so that a client that sends ahead fills its own socket buffer and not our memory.
 *
 * What a turn answers leaves at its end, one connection right after the other, and not as each
 * answer is made: a client or proxy with many connections is then still at the first when the
 * second comes, and is not woken for each. What is long leaves at once: copying it would cost more.
 */
enum {
	READS_A_TURN = 16, /* then others get their turn */
	COPY_MAX = 16 * 1024,
	PREFACE_SIZE = 24,
};
static const char preface[PREFACE_SIZE + 1] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void connection_free(struct task *task)
{
	struct connection *connection =
		(void *)((char *)task - offsetof(struct connection, dispose));

	buffer_deinit(&connection->in);
	buffer_deinit(&connection->out);
	free(connection);
}

void connection_close(struct connection *connection)
{
	struct worker *worker = connection->worker;

	if (connection->closed)
		return;
	connection->closed = true;
	if (connection->protocol)
		connection->protocol->stop(connection);
	loop_timer_clear(&worker->loop, &connection->timer);
	if (connection->tls)
		tls_close(connection->tls);
	close(connection->watch.fd); /* leaves the epoll set by itself */
	connection->watch.fd = -1;
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	worker->n_connections--;
	if (connection->counted)
		clients_leave(worker->gateway->clients, connection->address);
	/* `flush` runs before the garbage is collected; `again` perhaps in the next turn, and
	 * disposes of us then. */
	if (!connection->again.queued)
		loop_dispose(&worker->loop, &connection->dispose);
	worker_connection_closed(worker);
}

void connection_close_when_written(struct connection *connection)
{
	connection->closing = true;
	connection->paused = true;
	loop_later(&connection->worker->loop, &connection->flush);
}

/* Bytes written; 0: the kernel is full; negative: broken. */
static ssize_t write_some(struct connection *connection, const struct iovec *pieces, int count)
{
	ssize_t written;

	if (connection->tls) {
		written = tls_write(connection->tls, pieces[0].iov_base, pieces[0].iov_len);
	} else {
		struct msghdr message = { .msg_iov = (struct iovec *)pieces,
					  .msg_iovlen = (size_t)count };

		do
			written = sendmsg(connection->watch.fd, &message,
					  MSG_NOSIGNAL | MSG_DONTWAIT);
		while (written < 0 && errno == EINTR);
		if (written < 0)
			written = errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	}
	if (!written)
		connection->writable = false;
	return written;
}

/* Not at once: the protocol that writes still uses its state. */
static void give_up(struct connection *connection)
{
	connection->broken = connection->closing = true;
	buffer_clear(&connection->out, 0);
	loop_later(&connection->worker->loop, &connection->flush);
}

void connection_write(struct connection *connection, const struct iovec *pieces, int count)
{
	struct worker *worker = connection->worker;
	ssize_t written = 0;
	size_t length = 0;

	if (connection->closed || connection->broken)
		return;
	for (int i = 0; i < count; i++)
		length += pieces[i].iov_len;
	/* Records of TLS are better filled from one piece. */
	if (length > COPY_MAX && connection->writable && !connection->tls &&
	    !connection_backlog(connection))
		written = write_some(connection, pieces, count);
	if (written < 0 || ((size_t)written < length &&
			    !buffer_room(&connection->out, length - (size_t)written))) {
		give_up(connection);
		return;
	}
	for (int i = 0; i < count; i++) {
		size_t skip =
			(size_t)written < pieces[i].iov_len ? (size_t)written : pieces[i].iov_len;

		written -= (ssize_t)skip;
		if (buffer_append(&connection->out, (char *)pieces[i].iov_base + skip,
				  pieces[i].iov_len - skip)) {
			give_up(connection);
			return;
		}
	}
	if (connection_backlog(connection)) {
		if (!connection->write_deadline)
			connection->write_deadline =
				worker->loop.now_ms + worker->gateway->write_timeout_ms;
		loop_later(&worker->loop, &connection->flush);
	}
}

static void hurry(struct connection *connection, int64_t milliseconds)
{
	if (!connection->timer.link ||
	    connection->timer.due > connection->worker->loop.now_ms + milliseconds)
		connection_set_timer(connection, milliseconds);
}

/*
 * The client may still be sending what we refused: closing now would reset the answer away. Once
 * only: the kernel reports each shutdown as news of the socket, and the loop would do nothing else.
 */
static void linger(struct connection *connection)
{
	struct worker *worker = connection->worker;

	connection->shut = true;
	if (connection->tls)
		tls_shutdown(connection->tls);
	shutdown(connection->watch.fd, SHUT_WR);
	connection->write_deadline = worker->loop.now_ms + worker->gateway->linger_ms;
	hurry(connection, worker->gateway->linger_ms);
}

static void flush(struct connection *connection)
{
	struct worker *worker = connection->worker;
	bool progress = false;

	if (connection->broken)
		connection_close(connection);
	while (!connection->closed && !connection->handshaking) {
		struct iovec piece = { buffer_front(&connection->out),
				       connection_backlog(connection) };
		ssize_t written;

		if (!piece.iov_len) {
			if (connection->closing)
				break;
			connection->write_deadline = 0;
			buffer_clear(&connection->out, 0);
			if (connection->protocol)
				connection->protocol->drained(connection);
			if (!connection_backlog(connection))
				break;
			continue;
		}
		if (!connection->writable)
			break;
		written = write_some(connection, &piece, 1);
		if (written < 0) {
			connection_close(connection);
			return;
		}
		if (!written)
			break;
		progress = true;
		buffer_take(&connection->out, (size_t)written);
	}
	if (connection->closed)
		return;
	if (connection->closing && !connection_backlog(connection)) {
		if (!connection->shut)
			linger(connection);
		if (connection->ended)
			connection_close(connection);
	} else if (connection_backlog(connection)) {
		if (progress || !connection->write_deadline)
			connection->write_deadline =
				worker->loop.now_ms + worker->gateway->write_timeout_ms;
		hurry(connection, worker->gateway->write_timeout_ms);
	}
}

static void flush_later(struct task *task)
{
	flush((void *)((char *)task - offsetof(struct connection, flush)));
}

/* Bytes read; 0: nothing now; -1: the end or an error. */
static ssize_t read_some(struct connection *connection)
{
	struct worker *worker = connection->worker;
	ssize_t n;

	if (connection->tls) {
		n = tls_read(connection->tls, worker->scratch, sizeof(worker->scratch));
		if (!n)
			connection->readable = false;
		return n;
	}
	do
		n = recv(connection->watch.fd, worker->scratch, sizeof(worker->scratch),
			 MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		connection->readable = false;
		return 0;
	}
	/* A short read emptied the socket; if more came meanwhile, there is another edge. */
	if (n > 0 && (size_t)n < sizeof(worker->scratch) && !connection->ended)
		connection->readable = false;
	return n > 0 ? n : -1;
}

/* Which protocol the first bytes speak. NULL: too few to tell. */
static const struct protocol *recognise(const struct connection *connection, const char *bytes,
					size_t length)
{
	size_t known = length < PREFACE_SIZE ? length : PREFACE_SIZE;

	if (connection->tls)
		return tls_chose_http2(connection->tls) ? &http2_protocol : &http1_protocol;
	if (memcmp(bytes, preface, known))
		return &http1_protocol;
	return known == PREFACE_SIZE ? &http2_protocol : NULL;
}

/* Gives the protocol what came; keeps what it does not use. */
static int feed(struct connection *connection, const char *bytes, size_t length)
{
	ssize_t used = 0;

	if (connection->closing)
		return 0; /* read and dropped */
	if (buffer_pending(&connection->in)) {
		if (buffer_append(&connection->in, bytes, length))
			return -1;
		bytes = buffer_front(&connection->in);
		length = buffer_pending(&connection->in);
	}
	if (!connection->protocol) {
		connection->protocol = recognise(connection, bytes, length);
		if (connection->protocol && connection->protocol->start(connection)) {
			connection->protocol = NULL;
			return -1;
		}
	}
	if (connection->protocol && !connection->paused)
		used = connection->protocol->input(connection, bytes, length);
	if (used < 0 || connection->closed)
		return -1;
	if (buffer_pending(&connection->in)) {
		buffer_take(&connection->in, (size_t)used);
		if (!buffer_pending(&connection->in))
			buffer_clear(&connection->in, 0);
		return 0;
	}
	return buffer_append(&connection->in, bytes + used, length - (size_t)used) ? -1 : 0;
}

static void read_input(struct connection *connection)
{
	int reads = 0;

	/* What was kept comes first. */
	if (!connection->paused && buffer_pending(&connection->in) && connection->protocol &&
	    feed(connection, NULL, 0)) {
		connection_close(connection);
		return;
	}
	while (!connection->closed && connection->readable &&
	       (!connection->paused || connection->closing)) {
		ssize_t n = read_some(connection);

		if (n < 0) {
			connection->readable = false;
			connection->ended = true;
			break;
		}
		if (!n)
			break;
		if (feed(connection, connection->worker->scratch, (size_t)n)) {
			connection_close(connection);
			return;
		}
		if (++reads == READS_A_TURN && connection->readable) {
			if (!connection->again.queued) {
				connection->again.queued = true;
				loop_post(&connection->worker->loop, &connection->again);
			}
			break;
		}
	}
	if (connection->closed || !connection->ended)
		return;
	if (connection->closing && !connection_backlog(connection))
		connection_close(connection);
	else if (connection->protocol && !connection->closing)
		connection->protocol->end_of_input(connection);
	else if (!connection->protocol)
		connection_close(connection);
}

static void read_again(struct task *task)
{
	struct connection *connection = (void *)((char *)task - offsetof(struct connection, again));

	connection->again.queued = false;
	if (connection->closed)
		loop_dispose(&connection->worker->loop, &connection->dispose);
	else
		read_input(connection);
}

void connection_resume(struct connection *connection)
{
	connection->paused = false;
	if (connection->closed || connection->again.queued ||
	    (!connection->readable && !buffer_pending(&connection->in)))
		return;
	/* Not from here: whoever resumes is often within input() already. */
	connection->again.queued = true;
	loop_post(&connection->worker->loop, &connection->again);
}

static void ready(struct watch *watch, uint32_t events)
{
	struct connection *connection =
		(void *)((char *)watch - offsetof(struct connection, watch));

	if (events & (EPOLLERR | EPOLLHUP)) {
		connection_close(connection);
		return;
	}
	if (events & EPOLLIN)
		connection->readable = true;
	if (events & EPOLLRDHUP) {
		connection->readable = true;
		connection->ended = true;
	}
	if (events & EPOLLOUT)
		connection->writable = true;
	if (connection->handshaking) {
		int r = tls_handshake(connection->tls);

		if (r < 0)
			connection_close(connection);
		if (r)
			return;
		connection->handshaking = false;
	}
	if (connection->readable)
		read_input(connection);
	if (!connection->closed && (events & EPOLLOUT) &&
	    (connection_backlog(connection) || connection->closing))
		loop_later(&connection->worker->loop, &connection->flush);
}

static void expired(struct timer *timer)
{
	struct connection *connection =
		(void *)((char *)timer - offsetof(struct connection, timer));
	const struct gateway *gateway = connection->worker->gateway;
	int64_t now = connection->worker->loop.now_ms, next;

	if (connection->write_deadline && connection->write_deadline <= now) {
		connection_close(connection);
		return;
	}
	if (!connection->protocol) {
		/* The TLS handshake, or the first bytes. */
		next = connection->born + gateway->header_timeout_ms - now;
		if (next <= 0) {
			connection_close(connection);
			return;
		}
	} else {
		next = connection->protocol->check_time(connection);
		if (connection->closed)
			return;
	}
	if (connection->write_deadline && connection->write_deadline - now < next)
		next = connection->write_deadline - now;
	connection_set_timer(connection, next);
}

void connection_set_timer(struct connection *connection, int64_t milliseconds)
{
	loop_timer_set(&connection->worker->loop, &connection->timer, milliseconds);
}

void connection_wind_down(struct connection *connection)
{
	if (connection->closed || connection->closing)
		return;
	if (connection->protocol)
		connection->protocol->wind_down(connection);
	else
		connection_close(connection);
}

struct connection *connection_new(struct worker *worker, int fd, const char *address, SSL_CTX *tls,
				  bool admin)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		goto fail;
	*connection = (struct connection){
		.watch = { fd, ready },
		.timer.expired = expired,
		.flush.run = flush_later,
		.again.run = read_again,
		.dispose.run = connection_free,
		.worker = worker,
		.born = worker->loop.now_ms,
		.admin = admin,
		.writable = true,
	};
	snprintf(connection->address, sizeof(connection->address), "%s", address);
	memcpy(connection->client, "ip:", 3);
	clients_network(address, connection->client + 3);
	if (tls) {
		connection->tls = tls_open(tls, fd);
		if (!connection->tls)
			goto fail;
		connection->handshaking = true;
	}
	if (loop_watch(&worker->loop, &connection->watch,
		       EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET))
		goto fail;
	connection->next = worker->connections;
	connection->link = &worker->connections;
	if (connection->next)
		connection->next->link = &connection->next;
	worker->connections = connection;
	worker->n_connections++;
	connection_set_timer(connection, worker->gateway->header_timeout_ms);
	return connection;
fail:
	if (connection && connection->tls)
		tls_close(connection->tls);
	free(connection);
	close(fd);
	return NULL;
}
