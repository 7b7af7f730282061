/* Breaches: passwords that leaked somewhere, in a file of their hashes. */
#pragma once

#include <crpc/service.h>

/*
 * Option: SOUK_BREACHED_PASSWORDS, a file as the downloader of Have I Been Pwned writes it: lines
 * "SHA-1:COUNT", upper case, sorted, ended by LF or CRLF. Without it nothing counts as leaked. It
 * is opened at the start and may be of any size; a new one is put in its place by a rename and a
 * restart.
 */
extern const struct service_module breaches_module;

/* Opens it, in place of the one before; "": none. -EINVAL with *error a line that says what is
 * wrong with it. */
int breaches_open(const char *path, char **error);
void breaches_close(void);
/* Whether the password is in it. -errno: the file is damaged (-EBADMSG: a line in it is none, -EIO:
 * it was cut short) or cannot be read. */
int breaches_contain(const char *password, bool *ret);
