/* A client of WebSockets. */
#include "frames.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct answer frames_shake_hands(int fd, const char *path, const char *headers)
{
	fixture_send(fd, arena_printf(fixture_memory,
				      "GET %s HTTP/1.1\r\nHost: library.test\r\nConnection: "
				      "keep-alive, Upgrade\r\n"
				      "Upgrade: WebSocket\r\nSec-WebSocket-Version: "
				      "13\r\nSec-WebSocket-Key: " FRAMES_KEY "\r\n%s\r\n",
				      path, headers));
	return fixture_read(fd, false);
}

int frames_open(const char *path)
{
	int fd = fixture_connect(fixture_port);

	ck_assert_int_eq(frames_shake_hands(fd, path, "").status, 101);
	return fd;
}

void frames_send(int fd, int first, const void *payload, size_t length)
{
	uint8_t head[14] = { (uint8_t)first }, *masked = malloc(length + 1);
	static const uint8_t mask[4] = { 1, 2, 3, 4 };
	size_t n = 2;

	if (length < 126) {
		head[1] = (uint8_t)(0x80 | length);
	} else {
		int size = length < 65536 ? 2 : 8;

		head[1] = size == 2 ? 0x80 | 126 : 0x80 | 127;
		for (int i = size - 1; i >= 0; i--)
			head[n++] = (uint8_t)((uint64_t)length >> 8 * i);
	}
	memcpy(head + n, mask, 4);
	for (size_t i = 0; i < length; i++)
		masked[i] = ((const uint8_t *)payload)[i] ^ mask[i % 4];
	fixture_send_bytes(fd, head, n + 4);
	fixture_send_bytes(fd, masked, length);
	free(masked);
}

void frames_say(int fd, const char *text)
{
	frames_send(fd, FRAME_FIN | FRAME_TEXT, text, strlen(text));
}

static void read_bytes(int fd, void *to, size_t length)
{
	while (length) {
		struct pollfd waiting = { .fd = fd, .events = POLLIN };
		ssize_t n;

		ck_assert_msg(poll(&waiting, 1, 10000) == 1, "the gateway says nothing");
		n = recv(fd, to, length, 0);
		ck_assert_msg(n > 0, "the connection ended");
		to = (char *)to + n;
		length -= (size_t)n;
	}
}

int frames_read(int fd, const char **ret, size_t *ret_length)
{
	uint8_t head[2], more[8];
	size_t length;
	char *text;

	read_bytes(fd, head, 2);
	ck_assert_int_eq(head[0] & 0xF0, FRAME_FIN);
	length = head[1];
	ck_assert_uint_le(length, 127); /* a server masks nothing */
	if (length >= 126) {
		size_t n = length == 126 ? 2 : 8;

		read_bytes(fd, more, n);
		length = 0;
		for (size_t i = 0; i < n; i++)
			length = length << 8 | more[i];
	}
	text = arena_alloc(fixture_memory, length + 1);
	read_bytes(fd, text, length);
	*ret = text;
	if (ret_length)
		*ret_length = length;
	return head[0] & 0xF;
}

const char *frames_hear(int fd)
{
	const char *text;
	int opcode = frames_read(fd, &text, NULL);

	ck_assert_msg(opcode == FRAME_TEXT, "%s", opcode == FRAME_CLOSE ? text + 2 : "no message");
	return text;
}

const char *frames_hear_end(int fd, int code)
{
	const char *text;
	size_t length;
	int opcode;

	do
		opcode = frames_read(fd, &text, &length);
	while (opcode == FRAME_TEXT || opcode == FRAME_PING);
	ck_assert_int_eq(opcode, FRAME_CLOSE);
	ck_assert_uint_ne(length, 1);
	ck_assert_int_eq(length ? (uint8_t)text[0] << 8 | (uint8_t)text[1] : 1005, code);
	frames_send(fd, FRAME_FIN | FRAME_CLOSE, text, length ? 2 : 0);
	ck_assert(fixture_closed(fd));
	close(fd);
	return length ? text + 2 : "";
}
