/* Mutual TLS: credentials from a folder of files that may change, and who the peer is. */
#pragma once

#include <crpc/arena.h>
#include <grpc/grpc_security.h>

/*
 * `dir` holds tls.crt, tls.key and ca.crt; NULL: plain text. Both sides show a certificate and
 * check the other's. NULL with *error a sentence when a file cannot be read. The files are looked
 * at every few seconds; new ones serve new connections.
 */
grpc_server_credentials *tls_server_credentials(const char *dir, char **error);
grpc_channel_credentials *tls_channel_credentials(const char *dir, char **error);

/* The service that the peer's certificate names: of `spiffe://<trust domain>/<service>` the last
 * part; "" when there is none. */
const char *tls_peer_service(struct arena *arena, grpc_call *call);
