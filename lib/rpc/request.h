/* One request line, read. Pure: no socket, no loop.
 *
 * Source: JSON-RPC 2.0 Specification (2013), sections 4 and 5; no batches, parameters by name only.
 */
#pragma once

#include <stddef.h>

#include <jansson.h>

struct rpc_request {
	json_t *root;       /* owns everything below; NULL if the line was not JSON */
	json_t *id;         /* string, number or null; NULL: none that could be read */
	const char *method; /* NULL unless the request is valid */
	json_t *params;     /* an object; a new reference */
};

/* 0, or one of enum rpc_code with a message for people in `error`; request->id is filled in as far
 * as it could be read. rpc_request_fini() is due in either case. */
int rpc_request_parse(
	const char *line, size_t len, struct rpc_request *request, char *error, size_t error_len);
void rpc_request_fini(struct rpc_request *request);

/* A JSON string of text that may have been cut inside a character: what is not UTF-8 becomes "?".
 */
json_t *rpc_text(const char *text);

/* {"code":code,"message":text} */
json_t *rpc_error_object(int code, const char *text);
