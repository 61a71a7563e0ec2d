/* Every method of the control RPC, described: one table for each file of handlers. control_add()
 * finds a handler's row here; docs/rpc.md is printed from it (`swimlane --rpc-reference`); a test
 * calls each example and holds the answer against the row. How rows are written: rpc/method.h.
 */
#pragma once

#include <stdio.h>

#include "rpc/method.h"

/* Each ends with a row without a name. */
extern const struct rpc_method_info methods_daemon[];
extern const struct rpc_method_info methods_cluster[];
extern const struct rpc_method_info methods_keys[];
extern const struct rpc_method_info methods_ownership[];
extern const struct rpc_method_info methods_map[];
extern const struct rpc_method_info methods_spread[];
extern const struct rpc_method_info methods_typed[];
extern const struct rpc_method_info methods_origins[];

/* The row of a method, or NULL. */
const struct rpc_method_info *methods_find(const char *name);
/* All of them, as Markdown. */
void methods_reference(FILE *out);
