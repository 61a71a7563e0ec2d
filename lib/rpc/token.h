/* A secret that its bearer shows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct rpc_token {
	size_t len;
	unsigned char bytes[256]; /* zero behind len */
};

/* Reads it from the first line of a file. Refused if others than its owner may read or write the
 * file, if it is no plain file, or shorter than RPC_TOKEN_MIN. 0 or -errno with a message; *token
 * is changed on success only. */
int rpc_token_load(const char *path, struct rpc_token *token, char *error, size_t error_len);

/* In a time that does not depend on where they differ. */
bool rpc_token_equal(const struct rpc_token *token, const char *shown, size_t len);
