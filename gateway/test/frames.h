/* For tests: a client of WebSockets that speaks in frames, broken ones too. */
#pragma once

#include "fixture.h"

enum {
	FRAME_CONTINUATION = 0,
	FRAME_TEXT = 1,
	FRAME_BINARY = 2,
	FRAME_CLOSE = 8,
	FRAME_PING = 9,
	FRAME_PONG = 10,
	FRAME_FIN = 0x80
};
#define FRAMES_KEY "dGhlIHNhbXBsZSBub25jZQ=="

/* `headers`: more of them, each with its line's end. */
struct answer frames_shake_hands(int fd, const char *path, const char *headers);
/* A socket that was granted. */
int frames_open(const char *path);
/* `first`: flags and opcode. */
void frames_send(int fd, int first, const void *payload, size_t length);
void frames_say(int fd, const char *text);
/* The opcode of the next frame, whole; its payload in *ret. */
int frames_read(int fd, const char **ret, size_t *ret_length);
/* The next frame, which must be a text. */
const char *frames_hear(int fd);
/* Reads over messages up to the closing frame, checks its code (1005: it has none), answers it, and
 * checks the end of the connection; the reason. */
const char *frames_hear_end(int fd, int code);
