/* Who holds what. */
#include "control.h"

/* Nothing is known of the others' vectors here: only who is alone is sure. */
bool spread_is_settled(struct control *control, struct dot dot)
{
	(void)dot;
	return view_get_reader(control->app->board)->count <= 1;
}

void spread_tick(struct control *control, uint64_t now_ns)
{
	(void)control;
	(void)now_ns;
}

void spread_methods(struct control *control)
{
	(void)control;
}
