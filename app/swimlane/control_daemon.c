/* methods */
#include "control.h"

static void methods(struct control *control, struct rpc_call *call, json_t *params)
{
	(void)params;
	rpc_result(call, json_pack("{s:o}", "methods", rpc_server_methods(control->rpc)));
}

void daemon_methods(struct control *control)
{
	control_add(control, "methods", methods);
}
