/* What a method takes and gives, in a table: the one place from which parameters are checked before
 * a method runs, from which `methods` answers, and from which docs/rpc.md is written.
 *
 * A field is a row of path, type and meaning:
 *
 *   path   "limit?" (may be absent), "port.mtu" (inside an object), "keys[]" (each item of a list;
 *          "block?[]" where the list may be absent), "members[].name", "drops.*" (each value of an
 * object with any names) type   words separated by " | ": text, integer, "integer 1..100", number,
 * boolean, id (16 hexadecimal digits), base64, object (with anything in it), any, null; every other
 * word is a literal text: "alive | dead"
 *
 * The objects and lists on the way need no rows of their own; one that may be absent does:
 * {"port?", "object", …} before {"port.mtu", …}. Rows are read into JSON Schema (draft 7: type,
 * enum, pattern, properties, required, additionalProperties, items, minimum, maximum). Pure: no
 * loop, no socket.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

enum { RPC_FIELDS_MAX = 96, RPC_METHOD_ERRORS_MAX = 8 };

struct rpc_field {
	const char *path; /* NULL: the end */
	const char *type;
	const char *help;
};

struct rpc_method_error {
	int code; /* enum rpc_code; 0: the end */
	const char *when;
};

struct rpc_method_info {
	const char *name; /* NULL: the end of a table */
	const char *summary;
	const struct rpc_field *params;        /* NULL: none */
	const struct rpc_field *result;        /* NULL: an empty object */
	const struct rpc_method_error *errors; /* besides those of the protocol; NULL: none */
	const char *example;                   /* parameters, as JSON; NULL: none */
	const char *answer;                    /* what the example may give, as JSON */
	const char *notes;                     /* Markdown; NULL: none */
	bool stream; /* notifications follow: needs a connection that stays */
	bool writes; /* changes something here or elsewhere */
};

/* JSON Schema of an object with these fields (NULL: none). A new reference; NULL if a row cannot be
 * read or without memory. */
json_t *rpc_fields_schema(const struct rpc_field *fields);

/* True if value is as the schema (of rpc_fields_schema()) says; otherwise `error` says where and
 * what: "limit: must be an integer from 1 to 100". */
bool rpc_schema_check(const json_t *schema, const json_t *value, char *error, size_t error_len);

/* {name, summary, params, result, errors, stream, writes, example}: schemas and all. */
json_t *rpc_method_to_json(const struct rpc_method_info *info);

/* A section of Markdown. */
void rpc_method_print(FILE *out, const struct rpc_method_info *info);
