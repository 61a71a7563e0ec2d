/* log.level */
#include <string.h>

#include "control.h"
#include "log.h"

static void level(struct control *control, struct rpc_call *call, json_t *params)
{
	const char *wanted = NULL;
	enum config_log before = log_level_now();
	if (!control_text_or(call, params, "level", &wanted))
		return;
	for (enum config_log l = LOG_ERROR; wanted != NULL && l <= LOG_DEBUG; l++)
		if (strcmp(wanted, log_level_name(l)) == 0)
			log_level_everywhere(l);
	if (log_level_now() != before)
		log_line(LOG_INFO, "log level: %s, it was %s", log_level_name(log_level_now()),
			log_level_name(before));
	rpc_result(call, json_pack("{s:s, s:s, s:s}", "level", log_level_name(log_level_now()),
				 "before", log_level_name(before), "configured",
				 log_level_name(control->config->log_level)));
}

void log_methods(struct control *control)
{
	control_add(control, "log.level", level);
}
