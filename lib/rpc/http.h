/* The control RPC over HTTP: POST /rpc with one JSON-RPC request as its body, and pages (GET) that
 * the caller adds. On a UNIX socket, or on one TCP address with a token.
 *
 * Same loop and thread as the RPC server whose methods it calls. A token is read from a file that
 * nobody but its owner may read, and compared in constant time ("Authorization: Bearer TOKEN"). The
 * address is a number, never a wildcard: nobody listens where nobody asked for it.
 *
 * Bounds: clients (above them the one that has waited longest goes), bytes of headers and body (413
 * or the connection is closed), the time from one answer, or the connection's begin, to the next
 * whole request, byte by byte or not. Methods that notify are refused: RPC_REFUSED.
 *
 * Source: RFC 9110, 9112 (through libevent's evhttp), RFC 6750 section 2.1 (bearer token).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct event_base;
struct rpc_http;
struct rpc_server;

enum { RPC_TOKEN_MIN = 16, RPC_TOKEN_MAX = 256 };

struct rpc_http_config {
	const char *listen;       /* "127.0.0.1:9946", "[::1]:9946", or the path of a UNIX socket */
	const char *token_file;   /* TCP: required; UNIX socket: NULL for none */
	unsigned socket_mode;     /* of a UNIX socket */
	const char *socket_group; /* of a UNIX socket; NULL: as it comes */
	unsigned clients_max;     /* 0: 64 */
	unsigned header_bytes_max; /* 0: 8,192 */
	unsigned body_bytes_max;   /* 0: 65,536 */
	unsigned request_ms_max;   /* 0: 10,000 */
};

struct rpc_http_stats {
	uint64_t clients;         /* now */
	uint64_t clients_dropped; /* for others, or too slow */
	uint64_t requests;
	uint64_t refused; /* without the token, of unknown paths, or not to be read */
};

/* What a page is. */
struct rpc_http_answer {
	int status;            /* 200 unless changed */
	const char *type;      /* "text/plain; charset=utf-8" unless changed */
	struct evbuffer *body; /* to be filled */
};

typedef void (*rpc_http_page)(struct rpc_http_answer *answer, const char *accept, void *context);

/* 0 or -errno, with a message for people in `error`. */
int rpc_http_create(struct event_base *base, struct rpc_server *server,
	const struct rpc_http_config *config, struct rpc_http **http, char *error,
	size_t error_len);
/* Before the RPC server's own end. NULL is fine. */
void rpc_http_destroy(struct rpc_http *http);

/* `open`: without the token. 0 or -ENOSPC. */
int rpc_http_page_add(
	struct rpc_http *http, const char *path, bool open, rpc_http_page page, void *context);

/* Reads the token's file anew, or another one (NULL: the same); the old token holds if that fails.
 */
int rpc_http_token_reload(
	struct rpc_http *http, const char *token_file, char *error, size_t error_len);
void rpc_http_stats(const struct rpc_http *http, struct rpc_http_stats *stats);

/* NULL, or what is wrong with such an address. */
const char *rpc_http_check_listen(const char *listen);
