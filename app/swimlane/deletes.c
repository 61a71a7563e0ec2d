#include "deletes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"

int deletes_init(struct control *control)
{
	struct deletes *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	control->deletes = d;
	d->cap = control->app->config->map_deletes_kept;
	d->ring = calloc(d->cap, sizeof(d->ring[0]));
	return d->ring != NULL ? 0 : -ENOMEM;
}

void deletes_fini(struct control *control)
{
	if (control->deletes != NULL)
		free(control->deletes->ring);
	free(control->deletes);
	control->deletes = NULL;
}

void deletes_rebase(struct control *control)
{
	struct deletes *d = control->deletes;
	map_collected_reader(control->app->map, &d->base);
}

/* Whole maps taken over bring what their owners had collected, and no tombstones. */
void deletes_tick(struct control *control)
{
	struct deletes *d = control->deletes;
	uint32_t joins = map_joins_reader(control->app->map);
	bool ready = map_ready(control->app->map);
	if (joins == d->joins_seen && ready == d->ready_seen)
		return;
	deletes_rebase(control);
	d->joins_seen = joins;
	d->ready_seen = ready;
}

void deletes_add(struct control *control, const struct map_view *view)
{
	struct deletes *d = control->deletes;
	struct deleted *at = &d->ring[d->next % d->cap];
	if (d->next >= d->cap && /* the one that it takes the place of */
		vv_raise(&d->base, at->view.dot.actor, at->view.dot.seq) < 0)
		deletes_rebase(control);
	at->view = *view;
	at->key_len = view->key_len;
	memcpy(at->key, view->key, view->key_len);
	d->next++;
}

bool deletes_reach(struct control *control, const struct version_vector *from)
{
	deletes_tick(control);
	return vv_dominates(from, &control->deletes->base);
}

uint64_t deletes_first(const struct control *control)
{
	const struct deletes *d = control->deletes;
	return d->next > d->cap ? d->next - d->cap : 0;
}

bool deletes_get(const struct control *control, uint64_t number, struct map_view *view)
{
	const struct deletes *d = control->deletes;
	if (number >= d->next || number < deletes_first(control))
		return false;
	const struct deleted *at = &d->ring[number % d->cap];
	*view = at->view;
	view->key = view->value = at->key;
	view->key_len = at->key_len;
	view->value_len = 0;
	return true;
}
